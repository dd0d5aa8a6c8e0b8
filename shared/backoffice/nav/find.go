package nav

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/soap"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Find implements backoffice.Connector: it looks for the row among those of the
// appointment. A row counts only with all its resources; one without any that
// nobody has worked on yet is completed, as its first call succeeded and its
// second did not.
func (p *page) Find(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, bool, error) {
	l, err := p.layout(ctx)
	if err != nil {
		return backoffice.Receipt{}, false, err
	}
	if !l.service.Has("ReadMultiple") {
		return backoffice.Receipt{}, false, nil // it can not be asked: what is not found is sent as an update
	}
	record := fields.Read(d)
	content, err := p.write(l, record)
	if err != nil {
		return backoffice.Receipt{}, false, err
	}
	id, err := l.header.ID(record.Header)
	if err != nil {
		return backoffice.Receipt{}, false, unfit(err)
	}
	filters := []soap.Filter{{Field: id.Column.Name, Criteria: soap.Format(id)}}
	if action, ok := cellOf(content.cells, fields.DatabaseAction); ok && action.Column.Type != fields.Choice {
		filters = append(filters, soap.Filter{Field: action.Column.Name, Criteria: soap.Format(action)})
	}
	rows, complete, err := p.soap.Read(ctx, l.service, filters)
	if err != nil {
		return backoffice.Receipt{}, false, p.judge(err, record)
	}
	// The newest is last; ours is among the newest.
	for i, row := range slices.Backward(rows) {
		switch {
		case l.before(row, d.Previous):
			return backoffice.Receipt{}, false, nil
		case !l.shows(row, id, content.cells, d):
		case l.lines(row, record):
			return l.receipt(row), true, nil
		case i == len(rows)-1 && l.untouched(row) && l.lines(row, fields.Record{}):
			row, err := p.soap.Update(ctx, l.service, append(row.All("Key"), content.lines...), headers(d))
			if err != nil {
				return backoffice.Receipt{}, false, p.judge(err, record)
			}
			return l.receipt(row), true, nil
		}
	}
	if !complete {
		return backoffice.Receipt{}, false, &fault.Error{Kind: fault.Transient, Reason: fault.Other, Op: "soap page: find", Code: backoffice.CodeUndiagnosed,
			Err: errors.New("the appointment has more rows than can be read: clear old rows of the page there")}
	}
	return backoffice.Receipt{}, false, nil
}

// before reports that a row is not younger than that of the delivery before: two
// changes within a second can look alike. The entry numbers of one table grow, and
// no clock takes part.
func (l *layout) before(row soap.Element, previous backoffice.Receipt) bool {
	c, ok := l.header.Column(fields.EntryNo)
	if !ok {
		return false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(row.Value(c.Name)), 10, 64)
	last, err2 := strconv.ParseInt(previous.ID, 10, 64)
	return err == nil && err2 == nil && n <= last
}

func cellOf(cells []fields.Cell, field string) (fields.Cell, bool) {
	i := slices.IndexFunc(cells, func(c fields.Cell) bool { return c.Field.Name == field })
	if i < 0 {
		return fields.Cell{}, false
	}
	return cells[i], true
}

// telling are the fields by which the rows of an appointment differ.
var telling = []string{fields.DatabaseAction, fields.Start, fields.End, fields.LastModified}

// skew is how far the clocks of the two sides may lie apart.
const skew = 10 * time.Minute

// shows reports whether a row is that of the delivery. A column for our key
// decides alone; without it, action, times and the time of the change do, and
// where the page has no column for the last, the subject.
func (l *layout) shows(row soap.Element, id fields.Cell, cells []fields.Cell, d backoffice.Delivery) bool {
	if !soap.Same(id, row.Value(id.Column.Name)) {
		return false
	}
	if key, ok := cellOf(cells, fields.Key); ok {
		return soap.Same(key, row.Value(key.Column.Name))
	}
	names := telling
	if _, ok := cellOf(cells, fields.LastModified); !ok {
		names = append(slices.Clone(telling), fields.Subject)
	}
	for _, name := range names {
		if c, ok := cellOf(cells, name); ok && !soap.Same(c, row.Value(c.Column.Name)) {
			return false
		}
	}
	// The same state may have been there before: moved away and back.
	if c, ok := l.header.Column("Date and Time Received"); ok && !d.First.IsZero() {
		if at, err := soap.ParseTime(row.Value(c.Name)); err == nil && at.Year() > 1 && at.Before(d.First.Add(-skew)) {
			return false
		}
	}
	return true
}

// untouched reports whether the back office is known not to have worked on a row.
func (l *layout) untouched(row soap.Element) bool {
	c, ok := l.header.Column(fields.Status)
	return ok && stateOf(row.Value(c.Name)) == backoffice.Waiting
}

// lines reports whether the row has exactly the resources of the record.
func (l *layout) lines(row soap.Element, record fields.Record) bool {
	part, ok := l.part(fields.Resources)
	if !ok {
		return true
	}
	column, _ := part.Column(fields.ResourceNo)
	var got, want []string
	for _, line := range part.Lines(row) {
		got = append(got, strings.ToUpper(strings.TrimSpace(line.Value(column.Name))))
	}
	for _, r := range record.Resources {
		no, _ := r[fields.ResourceNo].(string)
		want = append(want, strings.ToUpper(strings.TrimSpace(no)))
	}
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}
