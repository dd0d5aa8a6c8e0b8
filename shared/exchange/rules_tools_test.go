package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/store/storetest"
	"github.com/google/go-cmp/cmp"
)

// tap stands between the worker and Graph's client: what it has a function for
// goes there, everything else to the client.
type tap struct {
	exchange.Calendar
	delta  func(ctx context.Context, mailbox, link string, w calendar.Window) (calendar.Round, error)
	apply  func(ctx context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error)
	marked func(ctx context.Context, mailbox, mark string) ([]calendar.Event, error)
}

func (t *tap) Delta(ctx context.Context, mailbox, link string, w calendar.Window) (calendar.Round, error) {
	if t.delta != nil {
		return t.delta(ctx, mailbox, link, w)
	}
	return t.Calendar.Delta(ctx, mailbox, link, w)
}

func (t *tap) Apply(ctx context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error) {
	if t.apply != nil {
		return t.apply(ctx, mailbox, writes)
	}
	return t.Calendar.Apply(ctx, mailbox, writes)
}

func (t *tap) Marked(ctx context.Context, mailbox, mark string) ([]calendar.Event, error) {
	if t.marked != nil {
		return t.marked(ctx, mailbox, mark)
	}
	return t.Calendar.Marked(ctx, mailbox, mark)
}

// tap puts one into the process that runs now.
func (w *world) tap() *tap {
	t := &tap{Calendar: w.proc.worker.Calendar}
	w.proc.worker.Calendar = t
	return t
}

// onStore lets hook see each call of the worker to its store, as storetest.Flaky
// names them.
func (w *world) onStore(hook func(op string) error) {
	w.proc.worker.Store = &storetest.Flaky{Store: w.proc.worker.Store, Hook: hook}
}

// mailbox is the object id of a resource's mailbox.
func (w *world) mailbox(no string) string {
	w.t.Helper()
	for _, u := range w.graph.Users() {
		if u.UPN == email(no) {
			return u.ID
		}
	}
	w.t.Fatalf("no user %s", email(no))
	return ""
}

func (w *world) target(no string) *store.Target {
	w.t.Helper()
	row, err := w.mem.Target(context.Background(), store.Mailbox, w.mailbox(no))
	w.must(err)
	return row
}

func (w *world) link(no, guid string) *store.Link {
	w.t.Helper()
	l, err := w.mem.Link(context.Background(), w.mailbox(no), guid)
	w.must(err)
	return l
}

func (w *world) links(no string) []*store.Link {
	w.t.Helper()
	links, err := w.mem.Links(context.Background(), w.mailbox(no))
	w.must(err)
	return links
}

// nudge lets the worker take a nudge, now and here.
func (w *world) nudge(kind bus.Kind, no string) error {
	return w.proc.worker.Handle(context.Background(), bus.Nudge{Kind: kind, Target: w.mailbox(no), Reason: "test", At: w.clock()})
}

// routed lets the queue of changes run empty, and no nudge reach anybody.
func (w *world) routed() {
	w.t.Helper()
	for {
		w.idle()
		w.mu.Lock()
		empty := len(w.changes) == 0
		w.mu.Unlock()
		if empty {
			return
		}
		w.deliver()
	}
}

// forget loses every nudge, those that are booked too, and everything that Graph
// has told and nobody has heard yet.
func (w *world) forget() {
	w.t.Helper()
	w.idle()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nudges, w.booked = nil, nil
}

// outlook, moved, drop and said are things that a person or a planner does.
func (w *world) outlook(no, subject string, hour int) graphsim.Event {
	w.t.Helper()
	e, err := w.graph.CreateEvent(email(no), graphsim.Event{Subject: subject, Start: at(hour), End: at(hour + 1)})
	w.must(err)
	return e
}

func (w *world) dragInOutlook(no, id string, hour int) {
	w.t.Helper()
	_, err := w.graph.MoveEvent(email(no), id, at(hour), at(hour+1))
	w.must(err)
}

func (w *world) retitle(no, id, subject string) {
	w.t.Helper()
	_, err := w.graph.UpdateEvent(email(no), id, func(e *graphsim.Event) { e.Subject = subject })
	w.must(err)
}

func (w *world) drag(guid string, hour int) {
	w.t.Helper()
	w.must(w.board.Move(guid, at(hour), at(hour+1)))
}

func (w *world) rename(guid, subject string) {
	w.t.Helper()
	w.must(w.board.Edit(guid, func(a *boardsim.Appointment) { a.Subject = subject }))
}

// at is an hour of the day on which everything plays.
func at(hour int) time.Time { return start.Add(time.Duration(hour) * time.Hour) }

// shows fails if a resource's calendar and the board do not both show just these.
func (w *world) shows(no string, want ...card) {
	w.t.Helper()
	w.shown("the board", no, w.onBoard(no), want)
	w.shown("Outlook", no, w.inOutlook(no), want)
}

func (w *world) shown(side, no string, got, want []card) {
	w.t.Helper()
	want = slices.Clone(want)
	sortCards(want)
	if d := cmp.Diff(want, got); d != "" {
		w.t.Errorf("%s shows for %s, want (-), got (+):\n%s", side, no, d)
	}
}

// planned is what w.plan puts on the board, and born what w.outlook puts into a calendar.
func planned(subject string, hour int) card {
	return card{Subject: subject, Body: "as agreed", Importance: "normal", Start: at(hour), End: at(hour + 1)}
}

func born(subject string, hour int) card {
	return card{Subject: subject, Importance: "normal", Start: at(hour), End: at(hour + 1)}
}

// readsByID lets the process see that the board has a GET by id, so that a 404
// is evidence for it: R1 makes an event, which is read back.
func (w *world) readsByID() {
	w.t.Helper()
	w.outlook("R1", "Other", 20)
	w.settle()
	if n := w.board.Calls()["GET /appointment/{id}"]; n == 0 {
		w.t.Fatal("nothing was read by id")
	}
}

// silent fails if anybody still writes though nothing has changed.
func (w *world) silent() {
	w.t.Helper()
	w.graph.ResetCalls()
	w.board.ResetCalls()
	w.timers()
	if n := w.graph.Calls().Writes(); n != 0 {
		w.t.Errorf("%d writes to Outlook though nothing has changed: an echo", n)
	}
	if n := w.board.Calls()["POST /import"]; n != 0 {
		w.t.Errorf("%d writes to the board though nothing has changed: an echo", n)
	}
}

// told returns the transactions with a status, oldest first.
func (w *world) told(status string) []store.Transaction {
	w.t.Helper()
	all, err := w.mem.Transactions(context.Background(), "exchange", 10_000)
	w.must(err)
	var out []store.Transaction
	for _, t := range slices.Backward(all) {
		if t.Status == status {
			out = append(out, t)
		}
	}
	return out
}

// kept is all that our tables and logs hold, as text: to look for what must not
// be there.
func (w *world) kept() string {
	w.t.Helper()
	var all []any
	for _, u := range w.graph.Users() {
		links, err := w.mem.Links(context.Background(), u.ID)
		w.must(err)
		all = append(all, links)
		for _, l := range links {
			if h, err := w.mem.Head(context.Background(), l.Appointment); err == nil {
				all = append(all, h, string(h.Graph))
			}
		}
	}
	deltas, err := w.mem.Deltas(context.Background(), "", 10_000)
	w.must(err)
	transactions, err := w.mem.Transactions(context.Background(), "exchange", 10_000)
	w.must(err)
	text, err := json.Marshal(append(all, deltas, transactions))
	w.must(err)
	return string(text) + w.logs.String()
}

// countLive is how many appointments the whole board shows.
func (w *world) countLive() int {
	return len(w.board.List(start.AddDate(-1, 0, 0), start.AddDate(2, 0, 0)))
}

// reads is how many delta rounds were asked for since the counters were reset;
// a page counts as one, so calendars are kept small.
func (w *world) reads() int { return w.graph.Calls().Of("GET /users/{user}/calendarView/delta") }

// world1 is a world with one resource and one planned appointment, agreed.
func world1(t *testing.T, o options) (*world, boardsim.Appointment) {
	t.Helper()
	w := newWorld(t, 1, o)
	a := w.plan("Repair", 1, "R1")
	w.settle()
	w.shows("R1", planned("Repair", 1))
	return w, a
}

// set stores the connector's settings, and waits until they are seen.
func (w *world) set(s exchange.Settings) {
	w.t.Helper()
	w.store(s)
	w.advance(time.Minute)
}

// store stores the connector's settings. In these worlds people have agreed that
// their calendars flow back, unless a test says otherwise.
func (w *world) store(s exchange.Settings) {
	w.t.Helper()
	ctx := context.Background()
	if s.Preferences.OptIn == nil {
		s.Preferences.OptIn = new(true)
	}
	text, err := json.Marshal(s)
	w.must(err)
	_, etag, err := w.mem.Value(ctx, "exchange")
	if !errors.Is(err, store.ErrNotFound) {
		w.must(err)
	}
	_, err = w.mem.SwapValue(ctx, "exchange", string(text), etag)
	w.must(err)
}
