package exchange_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

var (
	seedFlag = flag.Uint64("seed", 0, "replay the random day of this seed only")
	days     = flag.Int("days", 40, "how many random days")
)

// dice is a source of chance that several goroutines may ask.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newDice(seed, stream uint64) *dice { return &dice{rng: rand.New(rand.NewPCG(seed, stream))} }

func (d *dice) chance(p float64) bool { return d.float() < p }

func (d *dice) float() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.Float64()
}

func (d *dice) n(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(n)
}

// TestRandomDays lets planners and the people in Outlook do what they like,
// while everything between them fails as it can: messages are lost, doubled and
// overtaken, calls are throttled, refused, and answered by silence after they
// took effect, session locks are lost, so that a second worker breaks in at any
// call of the first, and the process is killed at any of its calls. When the faults
// end both sides agree, nothing is doubled, nothing that nobody removed is
// lost, and the system is silent.
func TestRandomDays(t *testing.T) {
	first, last := uint64(1), uint64(*days)
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomDay(t, seed)
			if t.Failed() {
				t.Logf("replay: go test -race -vet=off ./shared/exchange -run TestRandomDays -seed %d -v", seed)
			}
		})
	}
}

// chaos is one random day.
type chaos struct {
	*world
	dice, graphDice, boardDice, announceDice *dice
	// kept are the marks of appointments that nobody has removed from anybody.
	kept map[string]bool
	// series are the marks of series: of them there are many, and an edit of the
	// pattern takes some away.
	series map[string]bool
	// secretive: people hide and show events, and opt out and in. shared are the marks
	// of which a planner has told others.
	secretive bool
	shared    map[string]bool
	count     int
}

func randomDay(t *testing.T, seed uint64) {
	d := newDice(seed, 7)
	o := options{board: boardsim.Options{
		SilentAPIWrites: d.chance(0.3), OwnGUIDs: d.chance(0.3), NoGetByID: d.chance(0.3), StaleDeletes: d.chance(0.3),
	}, graph: graphsim.Behaviour{DeletedReadable: d.chance(0.5), DeltaRepeat: d.chance(0.3), ExtraUpdates: d.n(3)}}
	o.zone = []string{"UTC", "Europe/Brussels", "America/Los_Angeles"}[d.n(3)]
	o.graph.DeltaMasterOnly = d.chance(0.3)
	if d.chance(0.3) {
		o.board.Granularity = time.Second
	}
	w := newWorld(t, 3, o)
	c := &chaos{world: w, dice: d, graphDice: newDice(seed, 8), boardDice: newDice(seed, 9), announceDice: newDice(seed, 10), kept: map[string]bool{}, series: map[string]bool{}, shared: map[string]bool{}}
	c.secretive = d.chance(0.5)
	c.faults(true)
	for range 40 {
		c.act()
		for range d.n(6) {
			if d.chance(0.7) {
				w.idle()
			}
			w.deliver()
		}
		if d.chance(0.3) {
			w.advance(time.Duration(d.n(20_000)) * time.Millisecond)
		}
		if d.chance(0.15) {
			w.mu.Lock()
			w.dieAt, w.diesAfter = w.calls+1+d.n(40), d.chance(0.5)
			w.mu.Unlock()
		}
		if d.chance(0.15) {
			w.mu.Lock()
			w.intrudeAt = w.calls + 1 + d.n(40)
			w.mu.Unlock()
		}
		if d.chance(0.1) {
			w.idle()
			for w.deliver() {
			}
		}
	}
	c.faults(false)
	w.mu.Lock()
	w.dieAt, w.intrudeAt = 0, 0
	w.mu.Unlock()
	w.revive()
	w.settle()
	w.timers()
	w.advance(25 * time.Hour) // the daily baseline finds what was never told
	w.timers()
	w.advance(25 * time.Hour) // and the board's second list proves what its first lacked (R27)
	w.timers()
	if c.secretive {
		c.nothingTold()
		c.showAll()
	}
	w.agree()
	c.nothingLost()
	if t.Failed() {
		w.dump()
	}

	w.graph.ResetCalls()
	w.board.ResetCalls()
	w.timers()
	if n := w.graph.Calls().Writes(); n != 0 {
		t.Errorf("%d writes to Outlook though nothing has changed: an echo", n)
	}
	if n := w.board.Calls()["POST /import"]; n != 0 {
		t.Errorf("%d writes to the board though nothing has changed: an echo", n)
	}
}

func (c *chaos) faults(on bool) {
	c.graph.Change(func(b *graphsim.Behaviour) {
		b.Notifications = graphsim.NotificationFaults{}
		b.DeltaLag = 0
		if on {
			b.Notifications = graphsim.NotificationFaults{Drop: 0.2, Duplicate: 0.3, Reorder: true, Forge: true}
			b.DeltaLag = time.Duration(c.dice.n(3)) * time.Second
		}
	})
	if !on {
		c.graph.SetFault(nil)
		c.board.SetFault(nil)
		c.board.SetAnnounceFault(nil)
		return
	}
	c.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		switch p := c.graphDice.float(); {
		case p < 0.05:
			return &graphsim.FaultResponse{Status: http.StatusTooManyRequests, Code: "ApplicationThrottled", RetryAfter: "2.5"}
		case p < 0.08:
			return &graphsim.FaultResponse{Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable"}
		case p < 0.11:
			return &graphsim.FaultResponse{Status: http.StatusGatewayTimeout, Code: "UnknownError", AfterCommit: true}
		case p < 0.13 && !r.Item:
			return &graphsim.FaultResponse{Cut: true, AfterCommit: true}
		}
		return nil
	})
	c.board.SetFault(func(boardsim.Call) boardsim.Fault {
		switch p := c.boardDice.float(); {
		case p < 0.05:
			return boardsim.Fault{Status: http.StatusTooManyRequests, RetryAfter: "1"}
		case p < 0.08:
			return boardsim.Fault{Status: http.StatusInternalServerError}
		case p < 0.12:
			return boardsim.Fault{Cut: true, AfterCommit: true}
		}
		return boardsim.Fault{}
	})
	c.board.SetAnnounceFault(func(boardsim.Change) boardsim.AnnounceFault {
		return boardsim.AnnounceFault{Drop: c.announceDice.chance(0.05), Duplicate: c.announceDice.n(2), After: c.announceDice.n(2)}
	})
}

// act does one thing that a person could do, on either side.
func (c *chaos) act() {
	board := c.board.List(start.AddDate(0, 0, -30), start.AddDate(0, 0, 60))
	no := fmt.Sprintf("R%d", 1+c.dice.n(3))
	events := c.graph.Events(email(no))
	when := start.Add(time.Duration(c.dice.n(200)) * 15 * time.Minute)
	end := when.Add(time.Duration(1+c.dice.n(8)) * 15 * time.Minute)
	c.count++
	label := fmt.Sprintf("#%d ", c.count)
	planner, person := c.dice.n(10), c.dice.n(12)
	if c.dice.chance(0.5) {
		if len(board) == 0 || planner < 3 {
			a, err := c.board.CreateAppointment(boardsim.Appointment{Subject: label + "planned", Body: "text", Start: when, End: end,
				SourceApp: "CRONUS", SourceType: "ORDER", JobNo: "J1", TaskNo: "T1", Resources: []string{no}})
			c.must(err)
			c.kept[mark(a.Subject)] = true
			return
		}
		a := board[c.dice.n(len(board))]
		if c.series[mark(a.Subject)] {
			// Outlook would refuse to let an occurrence pass its neighbour.
			planner = max(planner, 6)
		}
		var err error
		switch planner {
		case 3, 4, 5:
			err = c.board.Move(a.GUID, when, end)
		case 6:
			err = c.board.Edit(a.GUID, func(a *boardsim.Appointment) {
				a.Subject, a.Importance = mark(a.Subject)+" "+label+"edited", c.dice.n(3)
			})
		case 7:
			c.shared[mark(a.Subject)] = true
			err = c.board.Assign(a.GUID, no)
		case 8:
			c.shared[mark(a.Subject)] = true
			delete(c.kept, mark(a.Subject))
			if len(a.Resources) > 0 {
				err = c.board.Reassign(a.GUID, a.Resources[0], no)
			}
		case 9:
			delete(c.kept, mark(a.Subject))
			err = c.board.Delete(a.GUID)
		}
		c.must(err)
		return
	}
	if len(events) == 0 || person < 2 {
		_, err := c.graph.CreateEvent(email(no), graphsim.Event{Subject: label + "own", Start: when, End: end})
		c.must(err)
		c.kept[mark(label)] = true
		return
	}
	e := events[c.dice.n(len(events))]
	if c.secretive && c.dice.chance(0.3) {
		c.hideOrShow(no, e)
		return
	}
	var err error
	switch person {
	case 8:
		date := when.Truncate(24 * time.Hour)
		_, err = c.graph.CreateEvent(email(no), graphsim.Event{Subject: label + "leave", AllDay: true, Start: date, End: date.AddDate(0, 0, 1+c.dice.n(3))})
		c.kept[mark(label)] = true
	case 9:
		c.series[mark(label)] = true
		_, err = c.graph.CreateEvent(email(no), graphsim.Event{Subject: label + "round", Start: when, End: end,
			Recurrence: &graphsim.Recurrence{Type: []string{"daily", "weekly"}[c.dice.n(2)], RangeType: "numbered", Count: 2 + c.dice.n(3)}})
	case 10, 11:
		err = c.editSeries(no, label, events)
	case 2, 3, 4:
		allDay := e.AllDay && person != 2 // else it gets hours
		if allDay {
			when = when.Truncate(24 * time.Hour)
			end = when.Add(e.End.Sub(e.Start))
		}
		_, err = c.graph.UpdateEvent(email(no), e.ID, func(e *graphsim.Event) { e.AllDay, e.Start, e.End = allDay, when, end })
	case 5, 6:
		_, err = c.graph.UpdateEvent(email(no), e.ID, func(e *graphsim.Event) { e.Subject = mark(e.Subject) + " " + label + "noted" })
	case 7:
		delete(c.kept, mark(e.Subject))
		err = c.graph.DeleteEvent(email(no), e.ID)
	}
	c.must(err)
}

// hideOrShow lets a person hide an event or an occurrence, or all that they have, or
// show it again.
func (c *chaos) hideOrShow(no string, e graphsim.Event) {
	hide := c.dice.chance(0.6)
	if c.dice.chance(0.15) {
		c.prefer(no, store.Preferences{OptIn: map[bool]string{true: "no", false: "yes"}[hide]})
		return
	}
	if e.Recurrence != nil && c.dice.chance(0.5) {
		for _, o := range c.graph.View(email(no), start.AddDate(0, 0, -30), start.AddDate(0, 0, 90)) {
			if o.SeriesMasterID == e.ID {
				e = o
				break
			}
		}
	}
	how := c.dice.n(3)
	c.alter(no, e.ID, func(e *graphsim.Event) {
		switch {
		case !hide:
			public(e)
			e.ShowAs, e.Response = "busy", "organizer"
		case how == 0:
			private(e)
		case how == 1:
			e.ShowAs = "free"
		default:
			e.Response = "declined"
		}
	})
}

// hidden reports whether an event is none of the board's business.
func hidden(e graphsim.Event) bool {
	return e.Sensitivity == "private" || e.ShowAs == "free" || e.Response == "declined"
}

// nothingTold fails for what is hidden in a calendar and stands on the board, unless
// it was planned there, or a planner has told others of it before.
func (c *chaos) nothingTold() {
	c.t.Helper()
	for _, r := range c.board.Resources() {
		row, err := c.mem.Preferences(context.Background(), r.ResourceNo)
		out := err == nil && row.OptIn == "no"
		told := map[string]bool{}
		for _, a := range c.board.List(start.AddDate(0, 0, -60), start.AddDate(0, 0, 90), r.ResourceNo) {
			told[mark(a.Subject)] = true
		}
		for _, e := range c.graph.Events(email(r.ResourceNo)) {
			m := mark(e.Subject)
			if (out || hidden(e)) && e.TransactionID == "" && told[m] && !c.shared[m] && !c.series[m] {
				c.t.Errorf("%s hides %q, and the board shows it", r.ResourceNo, e.Subject)
			}
		}
	}
}

// showAll lets everybody show everything again: then both sides must agree.
func (c *chaos) showAll() {
	c.t.Helper()
	for _, r := range c.board.Resources() {
		c.prefer(r.ResourceNo, store.Preferences{OptIn: "yes"})
		for _, e := range c.graph.View(email(r.ResourceNo), start.AddDate(0, 0, -60), start.AddDate(0, 0, 90)) {
			if hidden(e) {
				c.alter(r.ResourceNo, e.ID, func(e *graphsim.Event) {
					public(e)
					e.ShowAs, e.Response = "busy", "organizer"
				})
			}
		}
	}
	c.settle()
	for range 2 {
		c.timers()
		c.advance(25 * time.Hour)
	}
	c.timers()
}

// editSeries lets a person change one of the series, or one occurrence of it.
func (c *chaos) editSeries(no, label string, events []graphsim.Event) error {
	events = slices.DeleteFunc(events, func(e graphsim.Event) bool { return e.Recurrence == nil })
	if len(events) == 0 {
		return nil
	}
	e := events[c.dice.n(len(events))]
	var all []graphsim.Event
	for _, o := range c.graph.View(email(no), start.AddDate(0, 0, -30), start.AddDate(0, 0, 90)) {
		if o.SeriesMasterID == e.ID {
			all = append(all, o)
		}
	}
	var err error
	switch n := c.dice.n(6); {
	case n == 0:
		_, err = c.graph.UpdateEvent(email(no), e.ID, func(e *graphsim.Event) { e.Subject = mark(e.Subject) + " " + label + "noted" })
	case n == 1:
		_, err = c.graph.UpdateEvent(email(no), e.ID, func(e *graphsim.Event) { e.Recurrence.Count = 1 + c.dice.n(5) })
	case n == 2:
		_, err = c.graph.UpdateEvent(email(no), e.ID, func(e *graphsim.Event) { e.End = e.End.Add(15 * time.Minute) })
	case len(all) == 0:
	case n == 3:
		err = c.graph.DeleteEvent(email(no), all[c.dice.n(len(all))].ID)
	default:
		_, err = c.graph.UpdateEvent(email(no), all[c.dice.n(len(all))].ID, func(e *graphsim.Event) {
			e.Subject, e.End = mark(e.Subject)+" "+label+"once", e.End.Add(15*time.Minute)
		})
	}
	return err
}

// mark is the part of a subject that stays when it is edited.
func mark(subject string) string {
	m, _, _ := strings.Cut(subject, " ")
	return m
}

// nothingLost fails for what nobody has removed and is not on the board, once.
func (c *chaos) nothingLost() {
	c.t.Helper()
	there := map[string]int{}
	for _, a := range c.board.List(start.AddDate(0, 0, -60), start.AddDate(0, 0, 90)) {
		there[mark(a.Subject)]++
		if len(a.Resources) == 0 && c.kept[mark(a.Subject)] {
			c.t.Errorf("%q is assigned to nobody any more, though nobody has removed it", a.Subject)
		}
	}
	for m := range c.kept {
		if there[m] == 0 {
			c.t.Errorf("%s is lost: nobody has removed it", m)
		}
	}
	for m, n := range there {
		if n > 1 && !c.series[m] && m != mark(exchange.MaskedSubject) {
			c.t.Errorf("%s is on the board %d times", m, n)
		}
	}
	if c.crashes > 0 {
		c.t.Logf("the process died %d times, a second one broke in %d times", c.crashes, c.intruded)
	}
}
