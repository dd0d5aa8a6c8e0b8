package dimescheduler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Codes of the NotFound fault of Client.Appointment.
const (
	// CodeGone: a GET of this one appointment says that there is none, and the
	// same GET is known to find others.
	CodeGone = "gone"
	// CodeInconclusive: it was not found in the lists that were searched, which
	// is no proof: it may lie elsewhere (R27).
	CodeInconclusive = "inconclusive"
)

// byIDPath is the path of one appointment.
//
// Guess: SDKs have get_by_id, but its path is not published.
func byIDPath(guid string) string { return appointmentPath + "/" + url.PathEscape(guid) }

// What is known of the GET by id of this board.
const (
	routeUnknown int32 = iota
	routeProven        // it has found an appointment
	routeAbsent        // there is none
)

// Hint says where an appointment may lie, for boards that can not be asked for
// one by its id.
type Hint struct {
	// Seen is its time as last seen; zero = never.
	Seen calendar.Window
	// Window is where else to look; zero = nowhere.
	Window calendar.Window
}

// ReadsByID reports whether this board has a GET of one appointment; known is false
// until Appointment has found out.
func (c *Client) ReadsByID() (reads, known bool) {
	state := c.byID.Load()
	return state == routeProven, state != routeUnknown
}

// seenMargin is how far around the time last seen is looked first.
const seenMargin = 24 * time.Hour

// Appointment returns one appointment by its Guid. If it is not there, the
// fault is NotFound with the code CodeGone or CodeInconclusive; only the first
// is evidence.
//
// A 404 alone does not tell a missing appointment from a missing route. The GET
// counts as real once it has found some appointment; until then a 404 is
// checked against the list around hint.
func (c *Client) Appointment(ctx context.Context, guid string, hint Hint) (appointment.Appointment, error) {
	if c.byID.Load() != routeAbsent {
		a, found, err := c.get(ctx, guid)
		if err != nil || found {
			return a, err
		}
		if c.byID.Load() == routeProven {
			// A gateway before a board that restarts answers 404, too: a list
			// of the board vouches that it was the board who said so.
			near := Hint{Seen: hint.Seen}
			if near.Seen.Start.IsZero() {
				near.Window = hint.Window
			}
			a, _, err := c.search(ctx, guid, near)
			if err != nil || a.Guid != "" {
				return a, err
			}
			return appointment.Appointment{}, notFound(CodeGone)
		}
	}
	a, other, err := c.search(ctx, guid, hint)
	if err != nil {
		return appointment.Appointment{}, err
	}
	if a.Guid != "" {
		// On the board, but not by the GET: there is no such GET.
		c.byID.Store(routeAbsent)
		return a, nil
	}
	if other != "" && c.byID.Load() == routeUnknown {
		_, found, err := c.get(ctx, other)
		if err != nil {
			return appointment.Appointment{}, err
		}
		if found {
			return appointment.Appointment{}, notFound(CodeGone)
		}
		c.byID.Store(routeAbsent)
	}
	return appointment.Appointment{}, notFound(CodeInconclusive)
}

func notFound(code string) *fault.Error {
	return &fault.Error{Kind: fault.Permanent, Reason: fault.NotFound, Op: "board: get appointment", Code: code}
}

// get asks for one appointment; found is false if there is none or no such route.
func (c *Client) get(ctx context.Context, guid string) (a appointment.Appointment, found bool, err error) {
	k := call{op: "board: get appointment", method: http.MethodGet, path: byIDPath(guid)}
	reply, err := c.do(ctx, k)
	if err != nil {
		return a, false, err
	}
	status, content, _ := reply.open()
	switch {
	case status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented:
		c.byID.Store(routeAbsent)
		return a, false, nil
	case status == http.StatusNotFound, status == http.StatusNoContent,
		len(content) == 0, string(content) == "null", string(content) == "[]":
		return a, false, nil
	}
	if f := c.inner(k, status); f != nil {
		return a, false, f
	}
	a, err = c.one(content)
	if err != nil {
		return a, false, k.unreadable(err.Error())
	}
	if a.Guid != guid {
		return appointment.Appointment{}, false, k.unreadable("the board answers another appointment than the one asked for")
	}
	c.byID.Store(routeProven)
	return a, true, nil
}

// one reads an appointment in either form, or the flat rows of one.
func (c *Client) one(content []byte) (appointment.Appointment, error) {
	rows := []json.RawMessage{content}
	isList := bytes.HasPrefix(content, []byte("["))
	if isList {
		if err := json.Unmarshal(content, &rows); err != nil {
			return appointment.Appointment{}, errors.New("the board's answer is not JSON")
		}
	}
	all := merger{whole: isList}
	for _, row := range rows {
		a, problem := decodeAppointment(row, c.zone)
		if problem != "" {
			return appointment.Appointment{}, errors.New("an appointment: " + problem)
		}
		a.Raw = row
		all.add([]appointment.Appointment{a})
	}
	if list := all.sorted(); len(list) == 1 {
		return list[0], nil
	}
	return appointment.Appointment{}, errors.New("the board's answer is not one appointment")
}

// search looks for the appointment in the list around the hint, the narrow
// part of it first. other is the Guid of some other appointment, if there is one.
func (c *Client) search(ctx context.Context, guid string, hint Hint) (a appointment.Appointment, other string, err error) {
	windows := []calendar.Window{hint.Window}
	if !hint.Seen.Start.IsZero() {
		windows = []calendar.Window{{Start: hint.Seen.Start.Add(-seenMargin), End: hint.Seen.End.Add(seenMargin)}, hint.Window}
	}
	for _, w := range windows {
		if w.Start.IsZero() && w.End.IsZero() {
			continue
		}
		list, err := c.Appointments(ctx, w.Start, w.End, nil)
		if err != nil {
			return a, "", err
		}
		for _, item := range list {
			if item.Guid == guid {
				return item, "", nil
			}
			other = item.Guid
		}
	}
	return a, other, nil
}
