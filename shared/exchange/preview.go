package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// What the release of a mailbox would do with an event or an appointment.
const (
	ActionAdopt   = "adopt"   // the event is the appointment's already, and is kept
	ActionCreate  = "create"  // the appointment gets a new event
	ActionDelete  = "delete"  // the event is ours, and nobody wants it any more
	ActionToBoard = "toBoard" // the event becomes an appointment
	ActionLeave   = "leave"   // nothing is done, and a person may want to look
)

// PreviewRow is one line of a preview. It holds no content: when it is, which
// appointment, and why.
type PreviewRow struct {
	Action      string    `json:"action"`
	Start       time.Time `json:"start"` // UTC
	End         time.Time `json:"end"`
	Appointment string    `json:"appointment,omitempty"` // Guid
	Number      string    `json:"number,omitempty"`      // the board's number of it
	Why         string    `json:"why"`
}

// PreviewRows is the bounded list of a mailbox's preview.
type PreviewRows struct {
	At   time.Time    `json:"at"`
	Rows []PreviewRow `json:"rows"`
	// More is how many rows are not listed; the counts have them.
	More int `json:"more,omitempty"`
}

// maxPreviewRows bounds the list: what is deleted or left alone comes first.
const maxPreviewRows = 300

func previewName(mailbox string) string { return "preview/" + mailbox }

// preview reads both sides and keeps what a release would do, if that is owed:
// somebody asks, it is not known yet, or it is old.
func (s *session) preview(ctx context.Context, n bus.Nudge) error {
	now := s.Now()
	owed := n.Kind == bus.Subscribe || s.row.Preview.At.IsZero() || now.Sub(s.row.Preview.At) > previewAge || s.bookedRead(now)
	if owed {
		found, ok, err := s.surveyed(ctx)
		if err != nil || !ok {
			return err
		}
		rows := s.previewRows(adopt(found))
		if err := s.keepPreview(ctx, rows); err != nil {
			return err
		}
		if err := s.save(ctx, func(t *store.Target) {
			t.Preview = count(rows)
			t.Preview.At = now
			if t.Phase == store.PhaseNew {
				t.Phase = store.PhasePreviewed
			}
		}); err != nil {
			return err
		}
		if !s.row.SuspendedSince.IsZero() {
			if err := s.resumed(ctx); err != nil {
				return err
			}
		}
		s.log.InfoContext(ctx, "mailbox previewed, it waits for its release", "adopt", s.row.Preview.Adopt, "create", s.row.Preview.Create,
			"delete", s.row.Preview.Delete, "to_board", s.row.Preview.ToBoard, "left", s.row.Preview.Left)
	}
	// Links that the board wants wait: the release looks at all of them, so that
	// nothing is lost by putting the mailbox to rest until then (R1).
	return s.save(ctx, func(t *store.Target) {
		if t.Phase.Waits() {
			t.Due, t.BookedRead, t.Probes = time.Time{}, time.Time{}, 0
		}
	})
}

// previewRows lists what an adoption would do, in the order in which people want
// to see it.
func (s *session) previewRows(a adoption) []PreviewRow {
	var out []PreviewRow
	event := func(action string, e calendar.Event, guid, why string) {
		row := PreviewRow{Action: action, Appointment: guid, Why: why}
		row.Start, row.End, _ = e.Content.Times()
		out = append(out, row)
	}
	for _, x := range a.remove {
		event(ActionDelete, x.event, x.guid, x.why)
	}
	for _, x := range a.left {
		event(ActionLeave, x.event, x.guid, x.why)
	}
	for _, p := range a.kept {
		event(ActionLeave, p.event, p.appointment.Guid, p.why)
		out[len(out)-1].Number = p.appointment.Number
	}
	for _, x := range a.away {
		event(ActionLeave, calendar.Event{Content: x.Content}, x.Guid, whyAway)
		out[len(out)-1].Number = x.Number
	}
	for _, p := range a.matches {
		event(ActionAdopt, p.event, p.appointment.Guid, p.why)
		out[len(out)-1].Number = p.appointment.Number
	}
	for _, x := range a.create {
		if !s.settings.ToOutlookOff {
			event(ActionCreate, calendar.Event{Content: x.Content}, x.Guid, whyNew)
			out[len(out)-1].Number = x.Number
		}
	}
	for _, e := range a.toBoard {
		event(ActionToBoard, e, "", whyPersonal)
	}
	order := []string{ActionDelete, ActionLeave, ActionAdopt, ActionCreate, ActionToBoard}
	slices.SortStableFunc(out, func(x, y PreviewRow) int {
		return cmp.Or(slices.Index(order, x.Action)-slices.Index(order, y.Action), x.Start.Compare(y.Start), cmp.Compare(x.Appointment, y.Appointment))
	})
	return out
}

func count(rows []PreviewRow) store.Preview {
	var p store.Preview
	for _, r := range rows {
		switch r.Action {
		case ActionAdopt:
			p.Adopt++
		case ActionCreate:
			p.Create++
		case ActionDelete:
			p.Delete++
		case ActionToBoard:
			p.ToBoard++
		default:
			p.Left++
		}
	}
	return p
}

func (s *session) keepPreview(ctx context.Context, rows []PreviewRow) error {
	kept := PreviewRows{At: s.Now(), Rows: rows}
	if len(rows) > maxPreviewRows {
		kept.Rows, kept.More = rows[:maxPreviewRows], len(rows)-maxPreviewRows
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return putValue(ctx, s.Store, previewName(s.mailbox), string(text))
}

// putValue stores a text, whatever was there.
func putValue(ctx context.Context, values store.Values, name, text string) error {
	for {
		_, etag, err := values.Value(ctx, name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if _, err = values.SwapValue(ctx, name, text, etag); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}
