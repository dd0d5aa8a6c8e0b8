package nav

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/dynamics"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/soap"
	"github.com/dime-scheduler/connectors/shared/fault"
)

const op = "soap page: deliver"

// Deliver implements backoffice.Connector.
func (p *page) Deliver(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, error) {
	l, err := p.layout(ctx)
	if err != nil {
		return backoffice.Receipt{}, err
	}
	if problems := l.problems(p.c.Fields); len(problems) > 0 {
		p.forget() // so that what is mended there is seen at once
		return backoffice.Receipt{}, &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: op, Code: backoffice.CodeSchema, WholeTarget: true,
			Err: errors.New(strings.Join(problems, "; "))}
	}
	record := fields.Read(d)
	var row soap.Element
	for range 1 + maxShortenings {
		var content content
		if content, err = p.write(l, record); err != nil {
			return backoffice.Receipt{}, err
		}
		row, err = p.create(ctx, l, d, content)
		// What was refused was not stored: a text that was too long is sent again at
		// once, shorter. Anything else is the worker's.
		if !p.shorten(err, content.cells) {
			break
		}
	}
	if err != nil {
		return backoffice.Receipt{}, p.judge(err, record)
	}
	return l.receipt(row), nil
}

// content is a delivery in the back office's words.
type content struct {
	cells  []fields.Cell
	header []soap.Element
	lines  []soap.Element
	counts map[string]int // of lines by the element of their part
}

func (p *page) write(l *layout, record fields.Record) (content, error) {
	c := content{counts: map[string]int{}}
	var err error
	if c.cells, err = l.header.Fill(record.Header); err != nil {
		return c, unfit(err)
	}
	if _, err := l.header.ID(record.Header); err != nil {
		return c, unfit(err)
	}
	p.cut(c.cells)
	c.header = soap.Cells(c.cells)
	for _, part := range l.parts {
		var lines [][]soap.Element
		for _, row := range record.Lines(part.Mapping.Part) {
			cells, err := part.Fill(row)
			if err != nil {
				return c, unfit(err)
			}
			lines = append(lines, soap.Cells(cells))
		}
		c.lines = append(c.lines, part.Wrap(lines)...)
		c.counts[part.Element] = len(lines)
	}
	return c, nil
}

func unfit(err error) error {
	return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: op, Code: backoffice.CodeSchema, Err: backoffice.Said(err.Error())}
}

// create inserts the row with its lines in one call. A server that leaves the
// lines out of an insertion gets them by a change of the row.
func (p *page) create(ctx context.Context, l *layout, d backoffice.Delivery, c content) (soap.Element, error) {
	row, err := p.soap.Create(ctx, l.service, append(slices.Clone(c.header), c.lines...), headers(d))
	if err != nil || l.complete(row, c.counts) {
		return row, err
	}
	key, ok := row.Child("Key")
	if !ok {
		return row, &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: op, Code: backoffice.CodeNoData, Ambiguous: true,
			Err: errors.New("the reply shows neither the lines of the row nor its Key, so that they can not be added")}
	}
	changed, err := p.soap.Update(ctx, l.service, append([]soap.Element{key}, c.lines...), headers(d))
	if err == nil && !l.complete(changed, c.counts) {
		err = &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: op, Code: backoffice.CodeSchema,
			Err: errors.New("the page takes no lines for resources or field values: publish it with its subpages")}
	}
	if err == nil {
		return changed, nil
	}
	// A row without its lines would take effect as one that nobody is assigned to.
	if f := *fault.Of(err); p.takeBack(ctx, l, key.Text) {
		f.Ambiguous = false
		return row, &f
	} else {
		f.Ambiguous = true
		return row, &f
	}
}

// complete reports whether the row shows as many lines as were sent.
func (l *layout) complete(row soap.Element, counts map[string]int) bool {
	for _, part := range l.parts {
		if len(part.Lines(row)) < counts[part.Element] {
			return false
		}
	}
	return true
}

// takeBack deletes a row of ours that is incomplete.
func (p *page) takeBack(ctx context.Context, l *layout, key string) bool {
	if !l.service.Has("Delete") {
		return false
	}
	_, err := p.soap.Call(ctx, l.service, "Delete", []soap.Element{soap.Leaf("Key", key)}, nil)
	return err == nil
}

// judge completes an error: the back office's own message, without the
// appointment's words; and a page that has changed is read again.
func (p *page) judge(err error, record fields.Record) error {
	f := *fault.Of(err)
	if f.Code == backoffice.CodeBCUnknownType || f.Code == backoffice.CodeSchema || f.Code == backoffice.CodeBCNoService {
		p.forget()
	}
	if sf := soap.FaultOf(err); sf != nil && sf.Text != "" {
		f.Err = backoffice.Said(f.Err.Error() + ". It says: " + dynamics.Say(sf.Text, dynamics.Words(record)))
	}
	return &f
}

// receipt tells how to find the row again.
func (l *layout) receipt(row soap.Element) backoffice.Receipt {
	r := backoffice.Receipt{ID: row.Value("Key")}
	if c, ok := l.header.Column(fields.EntryNo); ok && row.Value(c.Name) != "" {
		r.ID = row.Value(c.Name)
	}
	if c, ok := l.header.Column(fields.BackOfficeID); ok {
		r.BackOfficeID = strings.TrimSpace(row.Value(c.Name))
	}
	return r
}

// maxShortenings is how many fields of one delivery may prove too short.
const maxShortenings = 3

var numbers = regexp.MustCompile(`[0-9]+`)

// shorten learns the length of a field from the fault that refuses a longer
// value, for WSDLs that tell none: the message names, in any language, the length
// that it got and the one that it takes. It reports whether it is worth another try.
func (p *page) shorten(err error, cells []fields.Cell) bool {
	f := soap.FaultOf(err)
	if f == nil || f.Exception != "NavNCLStringLengthExceededException" {
		return false
	}
	var told []int
	for _, s := range numbers.FindAllString(f.Text, 8) {
		if n, err := strconv.Atoi(s); err == nil {
			told = append(told, n)
		}
	}
	for i := 0; i+1 < len(told); i++ {
		got, limit := told[i], told[i+1]
		for _, c := range cells {
			if s, ok := c.Value.(string); ok && c.Field.Cut && fields.Length(s) == got && limit > 0 && limit < got {
				p.mu.Lock()
				p.lengths[c.Column.Name] = limit
				p.mu.Unlock()
				return true
			}
		}
	}
	return false
}

// cut shortens what is longer than a length that was learned.
func (p *page) cut(cells []fields.Cell) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range cells {
		if limit := p.lengths[c.Column.Name]; limit > 0 && c.Field.Cut {
			if s, ok := c.Value.(string); ok {
				cells[i].Value = fields.Shorten(s, limit)
			}
		}
	}
}
