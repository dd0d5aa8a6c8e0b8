package exchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

// masks lets private events flow back, without their words.
var masks = store.Preferences{Sensitivity: "normal,personal,private,confidential"}

func maskedCard(hour int) card {
	return card{Subject: exchange.MaskedSubject, Importance: "normal", Start: at(hour), End: at(hour + 1)}
}

// The board shows that there is something, and when. What stands there in place of
// the words never reaches the calendar, whatever the planner does with it.
func TestRule_R22_WhatIsMaskedNeverTravelsBack(t *testing.T) {
	t.Parallel()
	for kind, o := range boards {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2, o)
			w.prefer("R1", masks)
			e, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Zahnarzt", Body: "Wurzel", Importance: "high", Sensitivity: "private", Start: at(5), End: at(6)})
			w.must(err)
			w.settle()
			w.shown("the board", "R1", w.onBoard("R1"), []card{maskedCard(5)})
			w.speechless()
			a := w.board.List(time.Time{}, time.Time{})[0]

			w.drag(a.GUID, 8)
			w.settle()
			if got, _ := w.graph.Event(email("R1"), e.ID); !got.Start.Equal(at(8)) || got.Subject != "Zahnarzt" || got.Importance != "high" {
				t.Errorf("after the planner's move Outlook shows %s, %s, %s", got.Start, got.Subject, got.Importance)
			}
			w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) {
				a.Subject, a.Body, a.Importance, a.Start, a.End = "who is this?", "ask", boardsim.ImportanceLow, at(9), at(10)
			}))
			w.must(w.board.Assign(a.GUID, "R2"))
			w.settle()
			w.timers()
			w.untouched("R1", e)
			if got, _ := w.graph.Event(email("R1"), e.ID); !got.Start.Equal(at(9)) || got.Importance != "high" {
				t.Errorf("after the planner's edit Outlook shows %s, %s", got.Start, got.Importance)
			}
			if got := w.inOutlook("R2"); len(got) != 1 || got[0].Subject != "who is this?" {
				t.Errorf("R2's calendar shows %v", got)
			}
			w.speechless()
			w.silent()

			// Deleted by its person, and moved by the planner at the same time.
			w.advance(time.Minute)
			w.must(w.graph.DeleteEvent(email("R1"), e.ID))
			w.drag(a.GUID, 11)
			w.settle()
			w.timers()
			if got := w.inOutlook("R1"); len(got) != 0 {
				t.Errorf("a mask was made an event of the person's: %v", got)
			}
			w.speechless()
		})
	}
}

// A normal event becomes private where private ones are masked: what had been
// copied is erased. It becomes normal again: its words are there again.
func TestRule_R22_R33_MaskingErasesWhatWasCopied(t *testing.T) {
	t.Parallel()
	for kind, o := range boards {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w, e := clinic(t, 2, o)
			w.prefer("R1", masks)
			guid := w.board.List(time.Time{}, time.Time{})[0].GUID
			w.must(w.board.Assign(guid, "R2"))
			w.settle()
			w.advance(time.Minute)
			w.alter("R1", e.ID, private)
			w.settle()
			w.timers()
			w.shown("the board", "R1", w.onBoard("R1"), []card{maskedCard(5)})
			w.shows("R2", maskedCard(5))
			w.untouched("R1", e)
			w.speechless()
			w.silent()

			w.advance(time.Minute)
			w.alter("R1", e.ID, public)
			w.settle()
			w.timers()
			want := card{Subject: "Zahnarzt", Body: "Wurzel", Importance: "normal", Start: at(5), End: at(6)}
			w.shows("R1", want)
			w.shows("R2", want)
			if got := w.board.List(time.Time{}, time.Time{}); len(got) != 1 || got[0].GUID != guid {
				t.Errorf("the board shows %v", got)
			}
			w.silent()
		})
	}
}

// The planner renames it while it becomes private: the name was given in sight of
// the words, so the mask wins.
func TestRule_R22_TheMaskWinsOverARename(t *testing.T) {
	t.Parallel()
	for _, wins := range []exchange.Settings{{}, {Wins: "outlook"}} {
		w, e := clinic(t, 1, options{})
		w.set(wins)
		w.prefer("R1", masks)
		w.settle()
		w.rename(w.board.List(time.Time{}, time.Time{})[0].GUID, "Zahnarzt!")
		w.alter("R1", e.ID, private)
		w.settle()
		w.timers()
		w.shown("the board", "R1", w.onBoard("R1"), []card{maskedCard(5)})
		w.untouched("R1", e)
		w.speechless()
		w.silent()
	}
}

// Somebody who lets details be seen has them seen; of two who share a mailbox the
// strictest decides, and so does an administrator.
func TestTheStrictestChoiceHolds(t *testing.T) {
	t.Parallel()
	all := store.Preferences{Sensitivity: "normal,personal,private,confidential", Details: "yes"}
	for name, c := range map[string]struct {
		settings exchange.Settings
		r1, r2   store.Preferences
		want     string // "" = nothing
	}{
		"both open":               {exchange.Settings{}, all, all, "Zahnarzt"},
		"one masks":               {exchange.Settings{}, all, masks, exchange.MaskedSubject},
		"one keeps back":          {exchange.Settings{}, store.Preferences{}, all, ""},
		"one has not agreed":      {exchange.Settings{}, all, store.Preferences{OptIn: "no"}, ""},
		"the same for all":        {exchange.Settings{SameForAll: true}, all, all, ""},
		"fixed, same for all":     {exchange.Settings{SameForAll: true}, store.Preferences{Fixed: true, Sensitivity: all.Sensitivity, Details: "yes"}, store.Preferences{Fixed: true, Sensitivity: all.Sensitivity, Details: "yes"}, "Zahnarzt"},
		"nobody agreed":           {exchange.Settings{Preferences: exchange.Choices{OptIn: new(false)}}, store.Preferences{Sensitivity: "private"}, all, ""},
		"a value from the future": {exchange.Settings{}, store.Preferences{Sensitivity: "secret,private", Details: "maybe"}, all, exchange.MaskedSubject},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := sharedMailbox(t, options{})
			w.set(c.settings)
			w.prefer("R1", c.r1)
			w.prefer("R2", c.r2)
			w.settle()
			_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Zahnarzt", Sensitivity: "private", Start: at(5), End: at(6)})
			w.must(err)
			w.settle()
			w.timers()
			got := w.board.List(time.Time{}, time.Time{})
			if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || got[0].Subject != c.want) {
				t.Errorf("the board shows %v, want %q", got, c.want)
			}
			w.silent()
		})
	}
}

// Nobody has said anything: the planner reaches the calendar, and nothing of it
// reaches the board, not even the time of a planned appointment.
func TestWithoutAWordNothingFlowsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.set(exchange.Settings{Preferences: exchange.Choices{OptIn: new(false)}})
	a := w.plan("Repair", 1, "R1")
	w.outlook("R1", "Zahnarzt", 5)
	w.settle()
	e := w.event("R1", "Repair")
	w.alter("R1", e.ID, func(e *graphsim.Event) { e.Subject, e.Start, e.End = "Repair, Wurzel", at(3), at(4) })
	w.settle()
	w.timers()
	w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair", 1)})
	w.speechless()
	w.silent()
	w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Importance = boardsim.ImportanceHigh }))
	w.settle()
	if got, _ := w.graph.Event(email("R1"), e.ID); got.Importance != "high" || got.Subject != "Repair, Wurzel" || !got.Start.Equal(at(3)) {
		t.Errorf("the planner's edit came over as %s, %s, %s", got.Importance, got.Subject, got.Start)
	}
	w.silent()

	w.prefer("R1", store.Preferences{OptIn: "yes"})
	w.settle()
	w.timers()
	want := planned("Repair, Wurzel", 3)
	want.Importance = "high"
	w.shows("R1", want, born("Zahnarzt", 5))
	w.silent()
}

// A body that one side can not take as a whole is cut there with a mark, and what
// is cut never comes back.
func TestRule_R22_ALongBodyIsCutWithAMark(t *testing.T) {
	t.Parallel()
	long := strings.TrimSpace(strings.Repeat("Räder und Ölwanne prüfen 🚗 ", 20_000)) // 600 KB
	t.Run("from the board", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 2, options{})
		a := w.plan("Repair", 1, "R1", "R2")
		w.settle()
		// No message holds it: the baseline finds it.
		w.board.SetAnnounceFault(func(boardsim.Change) boardsim.AnnounceFault { return boardsim.AnnounceFault{Drop: true} })
		w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Body = long }))
		w.settle()
		w.timers()
		w.advance(25 * time.Hour)
		w.timers()
		e := w.event("R1", "Repair")
		if !appointment.IsCut(e.Text(), appointment.CutOnBoard) {
			t.Fatalf("Outlook shows %d bytes without a mark", len(e.Text()))
		}
		w.alter("R1", e.ID, func(e *graphsim.Event) { e.Body, e.Start, e.End = "shorter", at(3), at(4) })
		w.settle()
		w.timers()
		if got, err := w.board.Get(a.GUID); err != nil || got.Body != long || !got.Start.Equal(at(3)) {
			t.Errorf("the board holds %d bytes of %d, at %s: %v", len(got.Body), len(long), got.Start, err)
		}
		w.silent()
	})
	t.Run("from Outlook", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 1, options{})
		e, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Own", Body: long, Start: at(5), End: at(6)})
		w.must(err)
		w.settle()
		a := w.board.List(time.Time{}, time.Time{})[0]
		if !appointment.IsCut(a.Body, appointment.CutInOutlook) {
			t.Fatalf("the board shows %d bytes without a mark", len(a.Body))
		}
		w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Body, a.Start, a.End = "shorter", at(8), at(9) }))
		w.settle()
		w.timers()
		if got, _ := w.graph.Event(email("R1"), e.ID); got.Body != long || !got.Start.Equal(at(8)) {
			t.Errorf("Outlook holds %d bytes of %d, at %s", len(got.Body), len(long), got.Start)
		}
		w.silent()
	})
}
