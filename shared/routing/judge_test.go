package routing_test

import (
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/store"
)

const serviceOnly = `[{"Name":"S","ErrorMessage":"Only service.","Expression":"appointment.Category.Name == \"SERVICE\""}]`

// judging is a bench with rules; each Router.Route reads them anew.
func judging(t *testing.T, text string) (*bench, func(string)) {
	n := newBench(t, gone)
	now := start
	n.Policies = &routing.Policies{Values: n.mem, Now: func() time.Time { now = now.Add(time.Hour); return now }, Log: n.Log}
	etag := ""
	set := func(text string) {
		var err error
		if etag, err = n.mem.SwapValue(t.Context(), routing.RulesName, text, etag); err != nil {
			t.Fatal(err)
		}
	}
	set(text)
	return n, set
}

// said is a message as the board writes it.
func said(t *testing.T, body string, operation string, seq int64) appointment.Change {
	t.Helper()
	c, err := dimescheduler.DecodeChange([]byte(body), operation, seq, start, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (n *bench) held(mailbox string) (absent bool, reason string) {
	n.t.Helper()
	l, err := n.mem.Link(n.t.Context(), mailbox, guid)
	if err != nil {
		n.t.Fatal(err)
	}
	return l.Wanted.Absent, l.Wanted.Held
}

// The flat form speaks for one resource, but its category is the appointment's: the
// others leave as well, and come back. Their own fields are not touched (R9, R35).
func TestRulesJudgeTheWholeAppointmentByAFlatMessage(t *testing.T) {
	n, _ := judging(t, serviceOnly)
	flat := func(m, no, category string) string {
		return `{"appointmentGuid":"` + guid + `","subject":"Repair","start":"2026-11-25T08:00:00Z","end":"2026-11-25T09:00:00Z",` +
			`"updatedAt":"2026-11-23T07:0` + m + `:00Z","resourceNo":"` + no + `","showAs":1,"category":"` + category + `"}`
	}
	n.route(said(t, flat("0", "R1", "SERVICE"), "Create", 1))
	n.route(said(t, flat("1", "R2", "SERVICE"), "Update", 2))
	for i, step := range []struct {
		category string
		absent   bool
		reason   string
	}{{"HOLD", true, "Only service."}, {"SERVICE", false, ""}} {
		change := said(t, flat(string(rune('2'+i)), "R2", step.category), "Update", int64(3+i))
		for range 2 { // delivered twice
			n.route(change)
		}
		for _, no := range []string{"R1", "R2"} {
			if absent, reason := n.held(no); absent != step.absent || reason != step.reason {
				t.Errorf("category %s: %s absent %t, %q", step.category, no, absent, reason)
			}
		}
	}
	head, err := n.mem.Head(t.Context(), guid)
	if err != nil || !head.Targets["mailbox/R1"] || !head.Targets["mailbox/R2"] || len(head.Held) != 0 {
		t.Errorf("%+v, %v", head, err)
	}
}

// A link that is kept back outlives the tombstones, and ends with its appointment.
func TestHeldLinksEndWithTheAppointment(t *testing.T) {
	n, _ := judging(t, serviceOnly)
	body := `{"AppointmentGuid":"` + guid + `","Subject":"x","LastModifiedDate":"2026-11-23T07:00:00Z","Assignments":[{"Resource":{"ResourceNo":"R1"}}]}`
	n.route(said(t, body, "Create", 1))
	if absent, reason := n.held("R1"); !absent || reason != "Only service." {
		t.Fatalf("absent %t, %q", absent, reason)
	}
	later := start.AddDate(0, 0, 60)
	if _, err := n.mem.Prune(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	n.held("R1") // it is still there
	n.route(said(t, `{"AppointmentGuid":"`+guid+`"}`, "Delete", 2))
	if absent, reason := n.held("R1"); !absent || reason != "" {
		t.Errorf("after the Delete: absent %t, %q", absent, reason)
	}
}

// Killed between head and links, the next delivery makes it good (R6).
func TestRule_R6_HeldBackByTheNextDelivery(t *testing.T) {
	n, set := judging(t, "")
	body := func(m, category string) string {
		return `{"AppointmentGuid":"` + guid + `","Subject":"x","LastModifiedDate":"2026-11-23T07:0` + m + `:00Z","Category":{"DisplayName":"` + category + `"},"Assignments":[{"Resource":{"ResourceNo":"R1"}}]}`
	}
	n.route(said(t, body("0", "HOLD"), "Create", 1))
	if absent, _ := n.held("R1"); absent {
		t.Fatal("without rules it is not sent")
	}
	set(serviceOnly)
	killed := false
	n.hook = func(op string) error {
		if op == "before UpdateLink" && !killed {
			killed = true
			return store.ErrNotFound
		}
		return nil
	}
	change := said(t, body("1", "HOLD"), "Update", 2)
	if err := n.watched().Route(t.Context(), change); !killed || err == nil {
		t.Fatalf("killed %t, %v", killed, err)
	}
	n.route(change)
	if absent, reason := n.held("R1"); !absent || reason != "Only service." {
		t.Errorf("absent %t, %q", absent, reason)
	}
}
