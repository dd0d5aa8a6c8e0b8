package dimescheduler

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
)

const (
	appointmentPath = "/appointment" // facts C.3
	resourcePath    = "/resource"    // facts C.3
)

// queryTime writes a time of a query.
//
// Guess: ISO 8601 with Z. Should the board ignore the Z, the answer is shifted
// by its zone; queryMargin makes up for that, and the client cuts it to size.
func queryTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

const queryMargin = 24 * time.Hour

// resourcesPerQuery keeps the address of a query below what servers take (some
// 8 KiB; a resource number has at most 50 characters).
const resourcesPerQuery = 50

// Appointments returns the appointments that overlap [from, to), ordered by
// Guid: those of the given resources, or all if none is given. It is complete
// or an error: one item that can not be understood fails the list. What a key
// may not see the board leaves out without a word, so that absence from the
// list proves nothing by itself (R27).
func (c *Client) Appointments(ctx context.Context, from, to time.Time, resources []string) ([]appointment.Appointment, error) {
	window := calendar.Window{Start: from, End: to}
	all := merger{whole: len(resources) == 0}
	chunks := slices.Collect(slices.Chunk(resources, resourcesPerQuery))
	if len(chunks) == 0 {
		chunks = [][]string{nil}
	}
	for _, chunk := range chunks {
		items, err := c.query(ctx, window, chunk)
		if err != nil {
			return nil, err
		}
		all.add(items)
	}
	return slices.DeleteFunc(all.sorted(), func(a appointment.Appointment) bool {
		start, end, known := a.Content.Times()
		return known && !window.Overlaps(start, end)
	}), nil
}

func (c *Client) query(ctx context.Context, w calendar.Window, resources []string) ([]appointment.Appointment, error) {
	k := call{op: "board: list appointments", method: http.MethodGet, path: appointmentPath, query: url.Values{
		"startDate": {queryTime(w.Start.Add(-queryMargin))},
		"endDate":   {queryTime(w.End.Add(queryMargin))},
	}}
	if len(resources) > 0 {
		k.query["resources"] = resources
	}
	raw, err := c.list(ctx, k)
	if err != nil {
		return nil, err
	}
	items := make([]appointment.Appointment, 0, len(raw))
	for _, r := range raw {
		a, problem := decodeAppointment(r, c.zone)
		if problem != "" {
			return nil, k.unreadable("an appointment of the list: " + problem)
		}
		a.Raw = r
		items = append(items, a)
	}
	return items, nil
}

// list gets a JSON array.
func (c *Client) list(ctx context.Context, k call) ([]json.RawMessage, error) {
	a, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	status, content, _ := a.open()
	if isAbsent(status) {
		return nil, k.noRoute(status)
	}
	if f := c.inner(k, status); f != nil {
		return nil, f
	}
	if status != http.StatusOK {
		return nil, k.unreadable("the board answers a part of the list, or none")
	}
	var raw []json.RawMessage
	if !bytes.HasPrefix(content, []byte("[")) || json.Unmarshal(content, &raw) != nil {
		return nil, k.unreadable("the board's answer is not a JSON list")
	}
	return raw, nil
}

// merger joins what comes in several pieces: the flat form has one row for
// each resource of an appointment.
type merger struct {
	whole bool // rows of all resources were asked for, so flat rows are all there are
	byKey map[string]appointment.Appointment
}

func (m *merger) add(items []appointment.Appointment) {
	if m.byKey == nil {
		m.byKey = map[string]appointment.Appointment{}
	}
	for _, a := range items {
		there, ok := m.byKey[a.Guid]
		switch {
		case !ok || there.Partial && !a.Partial:
			m.byKey[a.Guid] = a
		case !there.Partial && a.Partial:
		case !a.Partial:
			if a.Modified.After(there.Modified) {
				m.byKey[a.Guid] = a
			}
		default:
			newer, older := a, there
			if there.Modified.After(a.Modified) {
				newer, older = there, a
			}
			newer.Assignees = slices.Clone(newer.Assignees)
			for _, r := range older.Assignees {
				if !slices.ContainsFunc(newer.Assignees, func(n appointment.Assignee) bool { return n.No == r.No }) {
					newer.Assignees = append(newer.Assignees, r)
				}
			}
			m.byKey[a.Guid] = newer
		}
	}
}

func (m *merger) sorted() []appointment.Appointment {
	list := make([]appointment.Appointment, 0, len(m.byKey))
	for _, a := range m.byKey {
		if a.Partial && m.whole {
			// Guess: a list of flat rows has a row for each assignment.
			a.Partial = false
			slices.SortFunc(a.Assignees, func(x, y appointment.Assignee) int { return cmp.Compare(x.No, y.No) })
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(x, y appointment.Appointment) int { return cmp.Compare(x.Guid, y.Guid) })
	return list
}

// Resources returns all resources of the board in its order. It is complete or
// an error.
func (c *Client) Resources(ctx context.Context) ([]appointment.Resource, error) {
	k := call{op: "board: list resources", method: http.MethodGet, path: resourcePath}
	raw, err := c.list(ctx, k)
	if err != nil {
		return nil, err
	}
	list := make([]appointment.Resource, 0, len(raw))
	for _, item := range raw {
		r, err := c.resource(item)
		if err != nil {
			return nil, k.unreadable("a resource of the list: " + err.Error())
		}
		list = append(list, r)
	}
	return list, nil
}

// resource reads a resource (facts C.4). Its e-mail is the field Email, as in
// the announced graph and in ResourceEmail of the Exchange import.
func (c *Client) resource(item []byte) (appointment.Resource, error) {
	var w struct {
		ResourceNo   value `json:"resourceNo"`
		ResourceName value `json:"resourceName"`
		DisplayName  value `json:"displayName"`
		Email        value `json:"email"`
		SourceApp    value `json:"sourceApp"`
		Exchange     value `json:"exchangeIntegrationEnabled"`
	}
	if err := json.Unmarshal(item, &w); err != nil {
		return appointment.Resource{}, errors.New("it is not an object")
	}
	r := &reader{zone: c.zone}
	res := appointment.Resource{
		No:        r.key("resourceNo", w.ResourceNo),
		Name:      cmp.Or(r.key("displayName", w.DisplayName), r.key("resourceName", w.ResourceName)),
		Email:     r.key("email", w.Email),
		SourceApp: r.key("sourceApp", w.SourceApp),
		Exchange:  r.boolean("exchangeIntegrationEnabled", w.Exchange),
	}
	if res.No == "" {
		r.fail("resourceNo is missing")
	}
	if r.problem != "" {
		return appointment.Resource{}, errors.New(r.problem)
	}
	return res, nil
}
