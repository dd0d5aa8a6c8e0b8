package bc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
)

const opFind = "bc: find"

const (
	// candidates is how many of an appointment's newest rows are looked at.
	candidates = 50
	// sameTime is how far two instants may lie apart that are the same: the
	// database rounds to some milliseconds.
	sameTime = 10 * time.Millisecond
	// clockSkew is how far the ERP's clock may be behind ours, where only its clock
	// tells a repeated state from an older one.
	clockSkew = 10 * time.Minute
)

// Find implements backoffice.Connector. The row of a delivery is the one with its
// key, where the page has a column for that; else the newest with its appointment,
// database action, times and last modification that is younger than the row of the
// delivery before. Lines that a broken delivery has left out are added: it is
// found when it is whole.
func (p *page) Find(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, bool, error) {
	s, _, err := p.describe(ctx)
	if err != nil {
		return backoffice.Receipt{}, false, err
	}
	if err := s.usable(); err != nil {
		return backoffice.Receipt{}, false, err
	}
	j := p.job(s, d)
	rows, err := p.rows(ctx, s, "")
	if err != nil {
		return backoffice.Receipt{}, false, err
	}
	list, err := j.candidates(ctx, rows)
	if err != nil {
		return backoffice.Receipt{}, false, looking(err)
	}
	i := slices.IndexFunc(list, j.isMine)
	if i < 0 {
		return backoffice.Receipt{}, false, nil
	}
	r := p.receipt(s, rows, list[i], http.Header{})
	whole, err := j.complete(ctx, r, s.processing(list[i]).State)
	if err != nil || !whole {
		return backoffice.Receipt{}, false, err
	}
	return r, true, nil
}

// candidates reads the newest rows that may be the delivery's.
func (j job) candidates(ctx context.Context, rows *url.URL) ([]stored, error) {
	filter, err := j.filter(rows)
	if err != nil {
		return nil, err
	}
	order := ""
	if c, ok := j.s.header.Column(fields.EntryNo); ok {
		order = c.Name + " desc"
	}
	at := *rows
	at.RawQuery = joined(rows.RawQuery, query("$filter", filter, "$orderby", order, "$top", strconv.Itoa(candidates)))
	answer, err := j.do(ctx, opFind, http.MethodGet, &at, nil)
	if err != nil {
		return nil, err
	}
	if f := j.p.refusal(opFind, answer, j.words); f != nil {
		return nil, f
	}
	var list struct {
		Value *[]stored `json:"value"`
	}
	if json.Unmarshal(answer.Body, &list) != nil || list.Value == nil {
		return nil, j.p.wire.Unexpected(opFind, answer, "the answer is no list of rows")
	}
	return *list.Value, nil
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "&" + b
}

// filter asks for comparisons joined by "and" only: "or" across columns is not
// known to Business Central.
func (j job) filter(rows *url.URL) (string, error) {
	id, err := j.s.header.ID(j.record.Header)
	if err != nil {
		return "", unfit(opFind, err)
	}
	parts := []string{id.Column.Name + " eq " + literal(id.Column, id.Value)}
	action, err := j.cell(fields.DatabaseAction)
	if err != nil {
		return "", unfit(opFind, err)
	}
	if action != nil {
		parts = append(parts, action.Column.Name+" eq "+literal(action.Column, action.Value))
	}
	// The entry numbers of one table grow, and no clock takes part.
	if c, ok := j.s.header.Column(fields.EntryNo); ok && strings.HasPrefix(j.d.Previous.Location, rows.Scheme+"://"+rows.Host+rows.EscapedPath()) {
		if n, err := strconv.ParseInt(j.d.Previous.ID, 10, 64); err == nil {
			parts = append(parts, fmt.Sprintf("%s gt %d", c.Name, n))
		}
	}
	return strings.Join(parts, " and "), nil
}

// cell is one of our fields as it was sent; nil if it goes nowhere or is not known.
func (j job) cell(field string) (*fields.Cell, error) {
	v, known := j.record.Header[field]
	if !known {
		return nil, nil
	}
	cells, err := j.s.header.Fill(fields.Row{field: v})
	if err != nil || len(cells) == 0 {
		return nil, err
	}
	return &cells[0], nil
}

// isMine reports whether a candidate shows the delivery's state.
func (j job) isMine(row stored) bool {
	if c, ok := j.s.header.Column(fields.Key); ok && row.text(c.Name) != "" {
		return row.text(c.Name) == j.d.Key
	}
	for _, field := range []string{fields.Start, fields.End, fields.LastModified} {
		if !j.shows(row, field) {
			return false
		}
	}
	if _, ok := j.s.header.Column(fields.LastModified); ok && j.record.Header[fields.LastModified] != nil {
		return true
	}
	received, ok := instant(row.column(j.s.header, received))
	return !ok || j.d.First.IsZero() || !received.Before(j.d.First.Add(-clockSkew))
}

// received is the column in which the ERP notes when a row came.
const received = "Date and Time Received"

// shows compares a time of the row with the one that was sent.
func (j job) shows(row stored, field string) bool {
	cell, err := j.cell(field)
	if err != nil || cell == nil {
		return true
	}
	want, ok := cell.Value.(time.Time)
	if !ok {
		return row.text(cell.Column.Name) == fmt.Sprint(cell.Value)
	}
	got, ok := instant(row.text(cell.Column.Name))
	if cell.Column.Type == fields.Date {
		return ok && got.Format(time.DateOnly) == want.Format(time.DateOnly)
	}
	return ok && got.Sub(want).Abs() <= sameTime
}

// complete adds the lines that the row lacks. A row that was worked on without
// them is past completing: it counts as not there, so that the worker sends the
// state anew, as an update, which brings right what half a row has done.
func (j job) complete(ctx context.Context, r backoffice.Receipt, state backoffice.ProcessingState) (whole bool, err error) {
	content, err := j.s.payload(opFind, j.record)
	if err != nil {
		return false, err
	}
	for _, i := range j.shallow(content) {
		p := j.s.parts[i]
		there, err := j.lines(ctx, r, p)
		if err != nil {
			return false, looking(err)
		}
		for _, line := range content.lines[i] {
			if slices.Contains(there, lineKey(p, line)) {
				continue
			}
			if state == backoffice.Processed || state == backoffice.FailedThere {
				return false, nil
			}
			if err := j.child(ctx, r, p, line); err != nil {
				return false, j.broken(ctx, r, err)
			}
		}
	}
	return true, nil
}

// lines reads which lines a row has, by their keys.
func (j job) lines(ctx context.Context, r backoffice.Receipt, p part) ([]string, error) {
	at, err := partAddress(r, p)
	if err != nil {
		return nil, err
	}
	answer, err := j.do(ctx, opFind, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	if f := j.p.refusal(opFind, answer, j.words); f != nil {
		return nil, f
	}
	var list struct {
		Value *[]map[string]any `json:"value"`
	}
	if json.Unmarshal(answer.Body, &list) != nil || list.Value == nil {
		return nil, j.p.wire.Unexpected(opFind, answer, "the answer is no list of lines")
	}
	var out []string
	for _, line := range *list.Value {
		out = append(out, lineKey(p, line))
	}
	return out, nil
}

// lineKey is what tells the lines of a row apart; codes are stored in capitals.
func lineKey(p part, line map[string]any) string {
	field := fields.ResourceNo
	if p.Part == fields.FieldValues {
		field = fields.FieldCode
	}
	c, _ := p.Column(field)
	return strings.ToUpper(strings.TrimSpace(fmt.Sprint(line[c.Name])))
}
