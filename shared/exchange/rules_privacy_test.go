package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

// prefer stores what was chosen for a resource, and lets its mailbox hear of it.
func (w *world) prefer(no string, p store.Preferences) {
	w.t.Helper()
	ctx := context.Background()
	was, err := w.mem.Preferences(ctx, no)
	if !errors.Is(err, store.ErrNotFound) {
		w.must(err)
		p.ETag = was.ETag
	}
	p.Resource = no
	w.must(w.mem.SwapPreferences(ctx, &p))
	w.advance(time.Minute)
	r, err := w.mem.Resource(ctx, no)
	w.must(err)
	w.push(bus.Nudge{Kind: bus.Read, Target: r.Mailbox, Reason: "test", At: w.clock()})
}

// alter changes an event as its person does.
func (w *world) alter(no, id string, change func(*graphsim.Event)) {
	w.t.Helper()
	_, err := w.graph.UpdateEvent(email(no), id, change)
	w.must(err)
}

func private(e *graphsim.Event) { e.Sensitivity = "private" }
func public(e *graphsim.Event)  { e.Sensitivity = "normal" }

// clinic is an event with something to hide, born in Outlook and on the board.
func clinic(t *testing.T, resources int, o options) (*world, graphsim.Event) {
	t.Helper()
	w := newWorld(t, resources, o)
	w.advance(time.Minute)
	e, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Zahnarzt", Body: "Wurzel", Start: at(5), End: at(6)})
	w.must(err)
	w.settle()
	if got := w.onBoard("R1"); len(got) != 1 || got[0].Subject != "Zahnarzt" || got[0].Body != "Wurzel" {
		t.Fatalf("the event is not on the board: %v", got)
	}
	w.advance(time.Minute)
	return w, e
}

// untouched fails if the event is not in the calendar as its person left it.
func (w *world) untouched(no string, want graphsim.Event) {
	w.t.Helper()
	got, ok := w.graph.Event(email(no), want.ID)
	if !ok || got.Deleted || got.Subject != want.Subject || got.Text() != want.Text() {
		w.t.Errorf("the event in Outlook is not as its person left it: there %t, deleted %t, subject %q", ok, got.Deleted, got.Subject)
	}
}

// speechless fails if a word of the clinic's is on the board, in what it has
// announced last, in our tables or in our logs.
func (w *world) speechless() {
	w.t.Helper()
	seen := w.kept()
	for _, a := range w.board.List(time.Time{}, time.Time{}) {
		seen += fmt.Sprintf("%+v", a)
	}
	for _, n := range w.board.Notifications() {
		seen += n.Text
	}
	for _, word := range []string{"Zahnarzt", "Wurzel"} {
		if strings.Contains(seen, word) {
			i := strings.Index(seen, word)
			w.t.Errorf("%q can still be read on the board, in a table or in a log: %s", word, seen[max(0, i-600):i+100])
		}
	}
}

var waysOut = map[string]func(w *world, e graphsim.Event){
	"private": func(w *world, e graphsim.Event) { w.alter("R1", e.ID, private) },
	"confidential": func(w *world, e graphsim.Event) {
		w.alter("R1", e.ID, func(e *graphsim.Event) { e.Sensitivity = "confidential" })
	},
	"free":      func(w *world, e graphsim.Event) { w.alter("R1", e.ID, func(e *graphsim.Event) { e.ShowAs = "free" }) },
	"cancelled": func(w *world, e graphsim.Event) { w.alter("R1", e.ID, func(e *graphsim.Event) { e.Cancelled = true }) },
	"declined": func(w *world, e graphsim.Event) {
		w.alter("R1", e.ID, func(e *graphsim.Event) { e.Response = "declined" })
	},
	"opted out":   func(w *world, _ graphsim.Event) { w.prefer("R1", store.Preferences{OptIn: "no"}) },
	"chosen away": func(w *world, _ graphsim.Event) { w.prefer("R1", store.Preferences{ShowAs: "oof"}) },
	"set away": func(w *world, _ graphsim.Event) {
		w.set(exchange.Settings{SameForAll: true, Preferences: exchange.Choices{Sensitivity: []string{"personal"}}})
		w.push(bus.Nudge{Kind: bus.Read, Target: w.mailbox("R1"), At: w.clock()})
	},
}

// Whatever takes an event out of the filter takes its appointment off the board,
// with all that was copied of it, and leaves the event alone.
func TestRule_R32_WhatLeavesTheFilterLeavesTheBoardAndStaysInOutlook(t *testing.T) {
	t.Parallel()
	for way, out := range waysOut {
		for kind, o := range boards {
			t.Run(way+", "+kind, func(t *testing.T) {
				t.Parallel()
				w, e := clinic(t, 1, o)
				var bare []string // what was taken away before its words were
				w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
					if slices.ContainsFunc(c.Procedures, func(p string) bool { return strings.HasPrefix(p, "mboc_delete") }) {
						for _, a := range w.board.List(time.Time{}, time.Time{}) {
							if a.Subject != exchange.MaskedSubject || a.Body != "" {
								bare = append(bare, a.Subject)
							}
						}
					}
					return boardsim.Fault{}
				})
				out(w, e)
				w.settle()
				w.timers()
				if got := w.onBoard("R1"); len(got) != 0 || w.countLive() != 0 {
					t.Errorf("the board still shows %v", got)
				}
				if len(bare) > 0 {
					t.Error("the appointment was taken off the board with its words still on it")
				}
				w.untouched("R1", e)
				w.speechless()
				w.silent()
				w.advance(25 * time.Hour)
				w.timers()
				w.untouched("R1", e)
				if w.countLive() != 0 {
					t.Error("the next baseline brought it back")
				}
			})
		}
	}
}

// The planner deletes the appointment while its person makes the event private.
// The link is hidden first; the Delete that comes late ends there.
func TestRule_R32_ALateDeleteMeetsAHiddenLink(t *testing.T) {
	t.Parallel()
	w, e := clinic(t, 1, options{})
	guid := w.board.List(time.Time{}, time.Time{}, "R1")[0].GUID
	w.must(w.board.Delete(guid))
	w.alter("R1", e.ID, private)
	w.must(w.nudge(bus.Read, "R1")) // before the Delete is routed
	w.settle()
	w.timers()
	w.untouched("R1", e)
	w.speechless()
	w.silent()
}

// A colleague is assigned to it, too: only the person who hides it is taken off,
// and what the others see says nothing.
func TestRule_R32_ForOthersOnlyTheWordsGo(t *testing.T) {
	t.Parallel()
	for way, out := range map[string]func(w *world, e graphsim.Event){"private": waysOut["private"], "opted out": waysOut["opted out"]} {
		for kind, o := range boards {
			t.Run(way+", "+kind, func(t *testing.T) {
				t.Parallel()
				w, e := clinic(t, 2, o)
				guid := w.board.List(time.Time{}, time.Time{}, "R1")[0].GUID
				w.must(w.board.Assign(guid, "R2"))
				w.settle()
				if got := w.inOutlook("R2"); len(got) != 1 || got[0].Subject != "Zahnarzt" {
					t.Fatalf("R2's calendar shows %v", got)
				}
				w.advance(time.Minute)
				out(w, e)
				w.settle()
				w.timers()
				masked := card{Subject: exchange.MaskedSubject, Importance: "normal", Start: at(5), End: at(6)}
				w.shows("R2", masked)
				if got := w.onBoard("R1"); len(got) != 0 {
					t.Errorf("the board still shows for R1 %v", got)
				}
				w.untouched("R1", e)
				w.speechless()
				w.silent()
			})
		}
	}
}

// A hidden event that its person deletes, moves or edits is nobody's affair.
func TestRule_R32_AHiddenEventIsItsPersonsOwn(t *testing.T) {
	t.Parallel()
	w, e := clinic(t, 1, options{})
	w.alter("R1", e.ID, private)
	w.settle()
	w.advance(time.Minute)
	w.board.ResetCalls()
	w.graph.ResetCalls()
	w.alter("R1", e.ID, func(e *graphsim.Event) { e.Subject, e.Start, e.End = "Zahnarzt, Wurzel", at(8), at(9) })
	w.settle()
	w.must(w.graph.DeleteEvent(email("R1"), e.ID))
	w.settle()
	w.timers()
	if n := w.board.Calls()["POST /import"] + w.graph.Calls().Writes(); n != 0 {
		t.Errorf("%d writes, want none", n)
	}
	w.speechless()
	w.silent()
}

// The process dies at any call on the way out, or on the way back in.
func TestRule_R32_R34_AKillAtAnyCallHidesAndShowsOnce(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{false, true} {
		for n := 1; ; n++ {
			w, e := clinic(t, 1, options{})
			old := w.board.List(time.Time{}, time.Time{}, "R1")[0].GUID
			if back {
				w.alter("R1", e.ID, private)
				w.settle()
				w.advance(time.Minute)
			}
			w.mu.Lock()
			w.dieAt, w.diesAfter = w.calls+n, n%2 == 0
			w.mu.Unlock()
			if back {
				w.alter("R1", e.ID, public)
			} else {
				w.alter("R1", e.ID, private)
			}
			w.settle()
			w.mu.Lock()
			w.dieAt = 0
			w.mu.Unlock()
			w.revive()
			w.timers()
			w.advance(25 * time.Hour)
			w.timers()
			want := 0
			if back {
				want = 1
			}
			if got := w.board.List(time.Time{}, time.Time{}, "R1"); len(got) != want || back && (got[0].GUID == old || got[0].Subject != "Zahnarzt") {
				t.Errorf("back %t, killed at call %d: the board shows %v", back, n, got)
			}
			w.untouched("R1", e)
			if !back {
				w.speechless()
			}
			w.silent()
			if t.Failed() {
				w.dump()
				return
			}
			if w.crashes == 0 {
				if n < 10 {
					t.Errorf("back %t: only %d calls", back, n)
				}
				break
			}
		}
	}
}

// The board is down, refuses, or answers by silence while it is told to hide: it
// is told until it has.
func TestRule_R32_HidingIsNotGivenUp(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]boardsim.Fault{ // "silent" has its effect, so there are two calls in all
		"down": {Status: http.StatusServiceUnavailable}, "refuses": {Error: "no"}, "silent": {Cut: true, AfterCommit: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, e := clinic(t, 1, options{})
			failing := 2
			w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
				if c.Route == "POST /import" && failing > 0 {
					failing--
					return f
				}
				return boardsim.Fault{}
			})
			w.alter("R1", e.ID, private)
			w.settle()
			w.timers()
			if failing > 0 || w.countLive() != 0 {
				t.Errorf("%d faults left, %d appointments on the board", failing, w.countLive())
			}
			w.untouched("R1", e)
			w.speechless()
			w.silent()
		})
	}
}

// A technician makes a planned appointment private. It stays on the plan; its
// time still counts for the planner, its words are the technician's own, and what
// the technician had written before is taken back. What the planner wrote stays.
func TestRule_R33_APlannedAppointmentThatBecomesPrivateStaysPlanned(t *testing.T) {
	t.Parallel()
	for kind, o := range boards {
		for _, choice := range []store.Preferences{{}, {Sensitivity: "normal,private"}, {ShowAs: "oof"}} {
			t.Run(fmt.Sprint(kind, choice.Sensitivity, choice.ShowAs), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 2, o)
				a := w.plan("Repair", 1, "R1", "R2")
				w.settle()
				e := w.event("R1", "Repair")
				w.alter("R1", e.ID, func(e *graphsim.Event) { e.Subject, e.Body = "Repair, then Zahnarzt", "Wurzel at four" })
				w.settle()
				if got := w.onBoard("R1")[0]; got.Subject != "Repair, then Zahnarzt" || got.Body != "Wurzel at four" {
					t.Fatalf("what a person writes does not flow: %v", got)
				}
				w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Body = "bring the long ladder" }))
				w.settle()
				w.advance(time.Minute)
				w.alter("R1", e.ID, private)
				if choice.ShowAs != "" {
					w.prefer("R1", choice)
				}
				w.settle()
				w.timers()
				want := card{Subject: "Repair", Body: "bring the long ladder", Importance: "normal", Start: at(1), End: at(2)}
				w.shown("the board", "R1", w.onBoard("R1"), []card{want})
				w.shows("R2", want)
				if got := w.inOutlook("R1"); len(got) != 1 || got[0].Subject != "Repair, then Zahnarzt" {
					t.Errorf("the technician's calendar shows %v", got)
				}
				w.silent()

				w.alter("R1", e.ID, func(e *graphsim.Event) { e.Subject, e.Body, e.Start, e.End = "Zahnarzt", "Wurzel", at(4), at(5) })
				w.settle()
				want.Start, want.End = at(4), at(5)
				w.shown("the board", "R1", w.onBoard("R1"), []card{want})
				w.shows("R2", want)
				w.untouched("R1", graphsim.Event{ID: e.ID, Subject: "Zahnarzt", Body: "Wurzel"})
				w.speechless()
				w.silent()

				w.rename(a.GUID, "Repair at once")
				w.settle()
				if got := w.inOutlook("R1"); len(got) != 1 || got[0].Subject != "Repair at once" {
					t.Errorf("what the planner writes does not reach the calendar: %v", got)
				}
				w.silent()
			})
		}
	}
}

// It is public again: what the person has written meanwhile flows.
func TestRule_R33_WordsFlowAgainWhenTheyMay(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	e := w.event("R1", "Repair")
	w.alter("R1", e.ID, private)
	w.settle()
	w.advance(time.Minute)
	w.alter("R1", e.ID, func(e *graphsim.Event) { e.Subject = "Repair, call before" })
	w.settle()
	w.advance(time.Minute)
	w.alter("R1", e.ID, public)
	w.settle()
	w.timers()
	want := planned("Repair, call before", 1)
	w.shows("R1", want)
	w.silent()
}

// Hidden and public again: a new appointment under a new Guid, once, and nothing
// late of the old one touches it.
func TestRule_R34_WhatComesBackIsANewAppointment(t *testing.T) {
	t.Parallel()
	for way, out := range waysOut {
		if way == "set away" {
			continue
		}
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w, e := clinic(t, 1, options{})
			old := w.board.List(time.Time{}, time.Time{}, "R1")[0]
			out(w, e)
			w.settle()
			w.advance(time.Minute)
			w.alter("R1", e.ID, func(e *graphsim.Event) {
				e.Sensitivity, e.ShowAs, e.Cancelled, e.Response = "normal", "busy", false, "accepted"
			})
			w.prefer("R1", store.Preferences{})
			w.settle()
			w.timers()
			w.shows("R1", card{Subject: "Zahnarzt", Body: "Wurzel", Importance: "normal", Start: at(5), End: at(6)})
			if got := w.board.List(time.Time{}, time.Time{}); len(got) != 1 || got[0].GUID == old.GUID {
				t.Fatalf("the board shows %v, the old one was %s", got, old.GUID)
			}
			// The old one's Delete comes late.
			w.enqueue(bus.Change{MessageID: "late", Operation: "Delete", Body: []byte(`{"AppointmentGuid":"` + old.GUID + `"}`)})
			w.settle()
			w.timers()
			w.untouched("R1", e)
			w.silent()
			w.advance(25 * time.Hour)
			w.timers()
			if w.countLive() != 1 {
				t.Errorf("%d appointments after the next baseline", w.countLive())
			}
		})
	}
}

// The board was down while the event was hidden and came back: both are made
// good, in that order.
func TestRule_R34_BackBeforeItWasHidden(t *testing.T) {
	t.Parallel()
	w, e := clinic(t, 1, options{})
	old := w.board.List(time.Time{}, time.Time{}, "R1")[0].GUID
	down := true
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
		if down {
			return boardsim.Fault{Status: 503, AfterCommit: c.Route == "POST /import"}
		}
		return boardsim.Fault{}
	})
	w.alter("R1", e.ID, private)
	w.must(w.nudge(bus.Read, "R1"))
	w.advance(10 * time.Second)
	w.alter("R1", e.ID, public)
	w.must(w.nudge(bus.Read, "R1"))
	down = false
	w.settle()
	w.timers()
	w.shows("R1", card{Subject: "Zahnarzt", Body: "Wurzel", Importance: "normal", Start: at(5), End: at(6)})
	if got := w.board.List(time.Time{}, time.Time{}); len(got) != 1 || got[0].GUID == old {
		t.Errorf("the board shows %v, the old one was %s", got, old)
	}
	w.untouched("R1", e)
	w.silent()
}
