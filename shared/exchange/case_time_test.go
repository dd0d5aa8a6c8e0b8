package exchange_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/google/go-cmp/cmp"
)

// zonesOfBothHemispheres and when each sets its clocks, in UTC: one wall time is skipped
// then, another occurs twice.
var zonesOfBothHemispheres = map[string]struct{ forward, back time.Time }{
	"Europe/Brussels":     {time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
	"America/New_York":    {time.Date(2027, 3, 14, 7, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)},
	"Australia/Sydney":    {time.Date(2026, 10, 3, 16, 0, 0, 0, time.UTC), time.Date(2027, 4, 3, 16, 0, 0, 0, time.UTC)},
	"Australia/Lord_Howe": {time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC), time.Date(2027, 4, 3, 15, 0, 0, 0, time.UTC)},
	"America/Santiago":    {time.Date(2026, 9, 6, 4, 0, 0, 0, time.UTC), time.Date(2027, 4, 4, 3, 0, 0, 0, time.UTC)}, // at midnight
}

// Whatever the clocks do, Outlook shows the instant that the board does, and the
// board the one that Outlook does: for each quarter of an hour around a change.
func TestCase_E15_BothSidesShowTheInstant(t *testing.T) {
	t.Parallel()
	for zone, change := range zonesOfBothHemispheres {
		for name, at := range map[string]time.Time{"forward": change.forward, "back": change.back} {
			t.Run(zone+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 1, options{zone: zone})
				w.set(exchange.Settings{DaysBack: 120})
				w.advance(25 * time.Hour)
				w.timers()
				// An event of the person's, made in the zone, tells in which a planner's
				// move of it is written.
				own, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "own", Start: at.Add(-48 * time.Hour), End: at.Add(-47 * time.Hour), StartZone: zone})
				w.must(err)
				w.settle()
				guid := w.board.List(at.AddDate(0, 0, -5), at.AddDate(0, 0, 5), "R1")[0].GUID
				for q := -8; q <= 8; q++ {
					begins := at.Add(time.Duration(q) * 15 * time.Minute)
					w.must(w.board.Move(guid, begins, begins.Add(30*time.Minute)))
					w.settle()
					if e, _ := w.graph.Event(email("R1"), own.ID); !e.Start.Equal(begins) || !e.End.Equal(begins.Add(30*time.Minute)) {
						t.Errorf("the board moved it to %s, Outlook shows %s to %s", begins, e.Start, e.End)
					}
					_, err := w.graph.MoveEvent(email("R1"), own.ID, begins.Add(5*time.Minute), begins.Add(20*time.Minute))
					w.must(err)
					w.settle()
					if a, err := w.board.Get(guid); err != nil || !a.Start.Equal(begins.Add(5*time.Minute)) || !a.End.Equal(begins.Add(20*time.Minute)) {
						t.Errorf("Outlook moved it to %s, the board shows %s to %s", begins.Add(5*time.Minute), a.Start, a.End)
					}
				}
				w.silent()
			})
		}
	}
}

// A board that writes wall times without a zone.
func TestCase_E15_WallTimesOfTheBoard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{zone: "Europe/Brussels"})
	for i, c := range []struct{ from, to, start, end string }{
		{"2027-03-28T01:30:00", "2027-03-28T03:30:00", "2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"},
		{"2027-03-28T02:30:00", "2027-03-28T03:00:00", "2027-03-28T01:30:00Z", "2027-03-28T02:00:00Z"}, // begins when no clock does
		{"2026-10-25T02:30:00", "2026-10-25T03:30:00", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"},
		{"2026-10-25T02:45:00", "2026-10-25T02:15:00", "2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z"}, // ends the second time
	} {
		w.must(w.route(t.Context(), change{sequence: int64(100 + i), enqueued: w.clock(), Change: bus.Change{
			Operation: appointment.Create, Body: []byte(fmt.Sprintf(graphOf, i, fmt.Sprint(i), "", c.from, c.to, assigned("R1")))}}))
		w.settle()
		e := w.event("R1", fmt.Sprint(i))
		if got := [2]string{e.Start.Format(time.RFC3339), e.End.Format(time.RFC3339)}; got != [2]string{c.start, c.end} {
			t.Errorf("%s to %s stands in Outlook at %v, want %s to %s", c.from, c.to, got, c.start, c.end)
		}
	}
}

func date(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

// dayOff puts an all-day event into a calendar: from the first date up to and not
// with the second.
func (w *world) dayOff(no, subject, first, after string) graphsim.Event {
	w.t.Helper()
	e, err := w.graph.CreateEvent(email(no), graphsim.Event{Subject: subject, AllDay: true, Start: date(first), End: date(after), StartZone: w.zone.String()})
	w.must(err)
	return e
}

// dates is what a person sees of an event, "timed" if it is not all-day.
func (w *world) dates(no, id string) string {
	w.t.Helper()
	e, ok := w.graph.Event(email(no), id)
	switch {
	case !ok:
		return "none"
	case !e.AllDay:
		return "timed " + e.Start.In(w.zone).Format("01-02T15:04") + " " + e.End.In(w.zone).Format("01-02T15:04")
	}
	return e.Start.Format("01-02") + " " + e.End.Format("01-02")
}

// onBoardLocal is the board's one appointment as a planner sees it.
func (w *world) onBoardLocal(guid string) string {
	w.t.Helper()
	a, err := w.board.Get(guid)
	w.must(err)
	return a.Start.In(w.zone).Format("01-02T15:04") + " " + a.End.In(w.zone).Format("01-02T15:04")
}

// One all-day event after the other, on both sides, in zones west and east of
// Greenwich, one of which sets its clocks on one of the days.
func TestCase_E16_AllDayAcrossZones(t *testing.T) {
	t.Parallel()
	for zone, day := range map[string]string{
		"UTC": "2026-12-02", "America/Los_Angeles": "2027-03-13", "America/New_York": "2026-12-02", "Europe/Brussels": "2027-03-27",
		"Asia/Kolkata": "2026-12-02", "Australia/Sydney": "2027-04-03", "Pacific/Auckland": "2027-04-03", "Pacific/Kiritimati": "2026-12-02",
		"America/Santiago": "2027-04-03", "Africa/Cairo": "2027-04-29", // clocks are set forward at midnight of the 30th
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, options{zone: zone})
			first := date(day)
			on := func(n int) string { return first.AddDate(0, 0, n).Format("01-02") }
			full := func(n int) string { return first.AddDate(0, 0, n).Format(time.DateOnly) }
			midnight := func(n int) time.Time { return w.midnight(first.AddDate(0, 0, n)) }
			check := func(step, id, guid, outlook, board string) {
				t.Helper()
				w.settle()
				if d := cmp.Diff([2]string{outlook, board}, [2]string{w.dates("R1", id), w.onBoardLocal(guid)}); d != "" {
					t.Errorf("%s: Outlook and board (-want +got)\n%s", step, d)
				}
				w.agree()
			}
			whole := func(a, b int) string { // as the board shows it: the first moment of each day
				return midnight(a).In(w.zone).Format("01-02T15:04") + " " + midnight(b).In(w.zone).Format("01-02T15:04")
			}
			e := w.dayOff("R1", "Leave", full(0), full(2))
			w.settle()
			guid := w.board.List(first.AddDate(0, 0, -3), first.AddDate(0, 0, 5), "R1")[0].GUID
			check("born in Outlook", e.ID, guid, on(0)+" "+on(2), whole(0, 2))

			w.must(w.board.Move(guid, midnight(1), midnight(4)))
			check("moved and stretched on the board", e.ID, guid, on(1)+" "+on(4), whole(1, 4))

			_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Start, e.End = date(full(2)), date(full(3)) })
			w.must(err)
			check("moved in Outlook", e.ID, guid, on(2)+" "+on(3), whole(2, 3))

			w.rename(guid, "Leave, approved")
			check("retitled on the board", e.ID, guid, on(2)+" "+on(3), whole(2, 3))

			nine := midnight(2).Add(9*time.Hour + 30*time.Minute)
			w.must(w.board.Move(guid, nine, nine.Add(time.Hour)))
			timed := nine.In(w.zone).Format("01-02T15:04") + " " + nine.Add(time.Hour).In(w.zone).Format("01-02T15:04")
			check("given hours on the board", e.ID, guid, "timed "+timed, timed)

			_, err = w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.AllDay, e.Start, e.End = true, date(full(0)), date(full(1)) })
			w.must(err)
			check("made all-day in Outlook", e.ID, guid, on(0)+" "+on(1), whole(0, 1))

			_, err = w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.AllDay, e.Start, e.End = false, midnight(0), midnight(1) })
			w.must(err)
			check("given the same hours in Outlook", e.ID, guid, "timed "+whole(0, 1), whole(0, 1))
			_, err = w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.AllDay, e.Start, e.End = true, date(full(0)), date(full(1)) })
			w.must(err)
			check("made all-day again", e.ID, guid, on(0)+" "+on(1), whole(0, 1))

			// Both at once: the board wins, as it does.
			w.must(w.board.Move(guid, midnight(3), midnight(4)))
			_, err = w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Start, e.End = date(full(1)), date(full(2)) })
			w.must(err)
			check("moved on both sides", e.ID, guid, on(3)+" "+on(4), whole(3, 4))
			w.silent()

			w.advance(25 * time.Hour)
			w.timers()
			w.agree()
			w.silent()
		})
	}
}

// An all-day series, of which the planner moves one day.
func TestCase_E16_AllDaySeries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{zone: "America/New_York"})
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Stand-by", AllDay: true, Start: date("2027-03-11"), End: date("2027-03-12"),
		StartZone: "America/New_York", Recurrence: &graphsim.Recurrence{Type: "weekly", DaysOfWeek: []string{"thursday"}, RangeType: "numbered", Count: 3}})
	w.must(err)
	w.settle()
	w.agree()
	list := w.board.List(date("2027-03-01"), date("2027-04-01"), "R1")
	if len(list) != 3 {
		t.Fatalf("%d appointments", len(list))
	}
	for _, a := range list {
		if a.Start.Equal(w.midnight(date("2027-03-18"))) {
			w.must(w.board.Move(a.GUID, w.midnight(date("2027-03-19")), w.midnight(date("2027-03-20"))))
		}
	}
	w.settle()
	w.agree()
	var got []string
	for _, e := range w.graph.View(email("R1"), date("2027-03-01"), date("2027-04-01")) {
		got = append(got, e.Start.Format("01-02 ")+fmt.Sprint(e.AllDay))
	}
	if d := cmp.Diff([]string{"03-11 true", "03-19 true", "03-25 true"}, got); d != "" {
		t.Error(d)
	}
	w.silent()
}

// The zone in which the board shows all-day events is corrected.
func TestCase_E16_TheBoardGetsAnotherZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	e := w.dayOff("R1", "Leave", "2026-12-02", "2026-12-03")
	w.settle()
	w.agree()
	var err error
	w.zone, err = time.LoadLocation("Europe/Brussels")
	w.must(err)
	w.start()
	w.graph.ResetCalls()
	w.advance(25 * time.Hour)
	w.timers()
	w.agree()
	if n := w.graph.Calls().Writes(); n != 0 || w.dates("R1", e.ID) != "12-02 12-03" {
		t.Errorf("%d writes to Outlook, which shows %s", n, w.dates("R1", e.ID))
	}
	w.silent()
}

// Whatever zone an event names, its instant is carried, and a planner's move of it
// arrives. What has no instant is listed, not lost without a word.
func TestCase_E17_UnusableZones(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"tzone://Microsoft/Custom", "tzone://Microsoft/Utc", "Customized Time Zone", "Kamchatka Standard Time", "Mars/Olympus", "", "../etc/passwd"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, options{zone: "Europe/Brussels", board: boardsim.Options{ZonelessTimes: true}})
			w.graph.Change(func(b *graphsim.Behaviour) { b.OriginalZone = &zone })
			e := w.outlook("R1", "Dentist", 5)
			leave := w.dayOff("R1", "Leave", "2026-12-02", "2026-12-03")
			w.settle()
			w.agree()
			if n := w.countLive(); n != 2 {
				t.Fatalf("%d appointments", n)
			}
			for _, a := range w.board.List(start, start.AddDate(0, 1, 0), "R1") {
				w.must(w.board.Move(a.GUID, a.Start.Add(48*time.Hour), a.End.Add(48*time.Hour)))
			}
			w.settle()
			w.agree()
			if got, _ := w.graph.Event(email("R1"), e.ID); !got.Start.Equal(at(53)) {
				t.Errorf("Outlook shows %s", got.Start)
			}
			if got := w.dates("R1", leave.ID); got != "12-04 12-05" {
				t.Errorf("Outlook shows %s", got)
			}
			w.silent()
		})
	}
}

func TestCase_E17_UnusableTimesAreListed(t *testing.T) {
	t.Parallel()
	for name, times := range map[string][2]string{
		"none":                  {"0001-01-01T00:00:00.0000000", "0001-01-01T00:00:00.0000000"},
		"for ever":              {"2026-11-23T09:00:00.0000000", "9999-12-31T23:59:59.9999999"},
		"ends before it starts": {"2026-11-23T10:00:00.0000000", "2026-11-23T09:00:00.0000000"},
		"no time":               {"soon", "later"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := world1(t, options{})
			known := w.event("R1", "Repair")
			w.graph.Change(func(b *graphsim.Behaviour) { b.ShownTimes = map[string][2]string{known.ID: times} })
			w.retitle("R1", known.ID, "Repair, retitled")
			odd := w.outlook("R1", "Odd", 3)
			w.graph.Change(func(b *graphsim.Behaviour) { b.ShownTimes[odd.ID] = times })
			w.outlook("R1", "Dentist", 5)
			w.settle()
			w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair, retitled", 1), born("Dentist", 5)})
			deltas, err := w.mem.Deltas(t.Context(), w.mailbox("R1"), 10)
			w.must(err)
			listed := map[string]bool{}
			for _, d := range deltas {
				listed[d.Event] = d.Kind == "time"
			}
			if !listed[known.ID] || !listed[odd.ID] || len(deltas) != 2 {
				t.Errorf("listed: %+v", deltas)
			}
			// Once it makes sense again it is there.
			w.graph.Change(func(b *graphsim.Behaviour) { b.ShownTimes = nil })
			w.dragInOutlook("R1", odd.ID, 7)
			w.settle()
			w.agree()
		})
	}
}

func TestCase_E17_AnEventWithoutLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	e, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "A moment", Start: at(2), End: at(2)})
	w.must(err)
	w.settle()
	w.agree()
	_, err = w.graph.MoveEvent(email("R1"), e.ID, at(3), at(3))
	w.must(err)
	w.settle()
	w.agree()
	w.advance(25 * time.Hour)
	w.timers()
	w.agree()
	if n := w.countLive(); n != 1 {
		t.Errorf("%d appointments", n)
	}
	w.silent()
}
