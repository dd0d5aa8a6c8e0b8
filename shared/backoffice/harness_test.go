package backoffice_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/store/storetest"
)

// world is routing and the worker in one process, against back offices in memory
// and a fake host that delivers, delivers again, and dies. Its clock stands still
// but when moved.
type world struct {
	t     *testing.T
	mem   store.Store
	far   map[string]*backofficetest.Mem
	vault map[string]string
	// kinds take the place of the back offices in memory; authority is their token server.
	kinds     backoffice.Registry
	authority string

	mu         sync.Mutex
	now        time.Time
	sequence   int64
	changes    []appointment.Change
	nudges     []bus.Nudge
	booked     []booking
	notices    map[string]string // shown on the board, by connector/appointment
	boardDown  bool
	calls      int // outgoing calls of the process
	dieAt      int // at which of them it dies; 0 = never
	diesAfter  bool
	down       bool
	crashes    int
	unreadable map[string]bool // connectors whose rows can not be read
	intrudeAt  int             // at which call a second worker breaks in
	logs       strings.Builder

	router *routing.Router
	worker *backoffice.Worker
	desk   *backoffice.Desk
}

type booking struct {
	at time.Time
	n  bus.Nudge
}

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

var errCrashed = errors.New("the process is dead")

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: start, far: map[string]*backofficetest.Mem{}, vault: map[string]string{}, notices: map[string]string{}}
	w.mem = store.NewMem(w.clock)
	w.start()
	t.Cleanup(func() {
		if t.Failed() && testing.Verbose() {
			t.Log(w.logs.String())
		}
	})
	return w
}

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) pass(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.now = w.now.Add(d) }

// out is a point of an outgoing call: before its effect, or after it.
func (w *world) out(after bool) error {
	w.mu.Lock()
	intrude := false
	if !after && !w.down {
		w.calls++
		intrude = w.calls == w.intrudeAt
	}
	if !w.down && w.calls == w.dieAt && after == w.diesAfter {
		w.down = true
		w.crashes++
	}
	down := w.down
	w.mu.Unlock()
	if down {
		return errCrashed
	}
	if intrude {
		w.intrude()
	}
	return nil
}

// intrude lets a second process work on every shard, in the middle of a call of
// the first: the session lock was lost.
func (w *world) intrude() {
	other, _, _ := w.process()
	rows, err := w.mem.Targets(context.Background(), store.Connector)
	w.must(err)
	for _, r := range rows {
		if strings.Contains(r.ID, "#") {
			_ = other.Handle(context.Background(), bus.Nudge{Kind: bus.Push, Target: r.ID, Reason: "intruder"})
		}
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// start begins a new life of the process, which remembers nothing.
func (w *world) start() {
	w.mu.Lock()
	w.down = false
	w.mu.Unlock()
	w.worker, w.router, w.desk = w.process()
}

func (w *world) process() (*backoffice.Worker, *routing.Router, *backoffice.Desk) {
	state := &storetest.Flaky{Store: w.mem, Hook: func(op string) error { return w.out(!strings.HasPrefix(op, "before")) }}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(lockedWriter{w}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	directory := &backoffice.Directory{Store: records{state, w}, Registry: w.registry(), Vault: fakeVault{w}, AuthorityURL: w.authority, Now: w.clock, Log: log}
	decode := func(graph []byte) (appointment.Appointment, error) {
		c, err := dimescheduler.DecodeChange(graph, "Update", 0, time.Time{}, time.UTC)
		return c.Appointment, err
	}
	worker := &backoffice.Worker{Store: state, Connectors: directory, Board: fakeBoard{w}, Bus: fakeBus{w}, Decode: decode, Now: w.clock, Log: log}
	router := &routing.Router{Store: state, Board: fakeBoard{w}, Bus: fakeBus{w}, Connectors: directory, Backoffice: fakeBus{w}, Now: w.clock, Log: log}
	desk := &backoffice.Desk{Store: state, Directory: directory, Secrets: fakeVault{w}, Bus: fakeBus{w}, Now: w.clock, Log: log}
	return worker, router, desk
}

type rows interface{ store.Connectors }

// records are the connectors' rows, some of which can not be read.
type records struct {
	rows
	w *world
}

func (r records) Connectors(ctx context.Context) (list []*store.ConnectorRecord, broken map[string]error, err error) {
	list, broken, err = r.rows.Connectors(ctx)
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	return slices.DeleteFunc(list, func(c *store.ConnectorRecord) bool {
		if r.w.unreadable[c.ID] {
			if broken == nil {
				broken = map[string]error{}
			}
			broken[c.ID] = errors.New("the row can not be read")
		}
		return r.w.unreadable[c.ID]
	}), broken, err
}

type lockedWriter struct{ w *world }

func (l lockedWriter) Write(p []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.logs.Write(p)
}

func (w *world) registry() backoffice.Registry {
	if w.kinds != nil {
		return w.kinds
	}
	kind := backoffice.KindFunc(func(_ context.Context, _ backoffice.Deps, c backoffice.Config) (backoffice.Connector, error) {
		return remote{w, w.erp(c.ID)}, nil
	})
	r := backoffice.Registry{}
	for _, t := range []backoffice.Type{backoffice.BusinessCentral, backoffice.NAV, backoffice.Webhook} {
		for _, a := range []backoffice.API{backoffice.REST, backoffice.SOAPPage} {
			r[backoffice.Key{Type: t, API: a}] = kind
		}
	}
	return r
}

func (w *world) erp(id string) *backofficetest.Mem {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.far[id] == nil {
		w.far[id] = &backofficetest.Mem{}
	}
	return w.far[id]
}

// remote is a back office at the far end of a wire that can be cut.
type remote struct {
	w *world
	*backofficetest.Mem
}

func (r remote) Deliver(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, error) {
	if err := r.w.out(false); err != nil {
		return backoffice.Receipt{}, err
	}
	receipt, err := r.Mem.Deliver(ctx, d)
	if cut := r.w.out(true); cut != nil {
		return backoffice.Receipt{}, cut
	}
	return receipt, err
}

func (r remote) Find(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, bool, error) {
	if err := r.w.out(false); err != nil {
		return backoffice.Receipt{}, false, err
	}
	return r.Mem.Find(ctx, d)
}

type fakeVault struct{ w *world }

func (v fakeVault) Get(_ context.Context, name string) (secret.Secret, error) {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	return secret.New(v.w.vault[name]), nil
}

func (v fakeVault) Invalidate(string) {}

func (v fakeVault) Set(_ context.Context, name string, value secret.Secret) error {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	v.w.vault[name] = value.Reveal()
	return nil
}

type fakeBoard struct{ w *world }

func (b fakeBoard) Appointment(context.Context, string, dimescheduler.Hint) (appointment.Appointment, error) {
	return appointment.Appointment{}, errors.New("not asked here")
}

func (b fakeBoard) UpsertNotification(_ context.Context, n dimescheduler.Notification) error {
	return b.note(n, n.Text)
}

func (b fakeBoard) DeleteNotification(_ context.Context, n dimescheduler.Notification) error {
	return b.note(n, "")
}

func (b fakeBoard) note(n dimescheduler.Notification, text string) error {
	if err := b.w.out(false); err != nil {
		return err
	}
	b.w.mu.Lock()
	if b.w.boardDown {
		b.w.mu.Unlock()
		return errors.New("board down")
	}
	key := n.Connector + "/" + n.Appointment.Guid
	if text == "" {
		delete(b.w.notices, key)
	} else {
		b.w.notices[key] = text
	}
	b.w.mu.Unlock()
	return b.w.out(true)
}

type fakeBus struct{ w *world }

func (b fakeBus) Nudge(_ context.Context, ns ...bus.Nudge) error {
	if err := b.w.out(false); err != nil {
		return err
	}
	b.w.mu.Lock()
	for _, n := range ns {
		if strings.Contains(n.Target, "#") {
			b.w.nudges = append(b.w.nudges, n)
		}
	}
	b.w.mu.Unlock()
	return b.w.out(true)
}

func (b fakeBus) NudgeAt(_ context.Context, at time.Time, n bus.Nudge) error {
	if err := b.w.out(false); err != nil {
		return err
	}
	b.w.mu.Lock()
	b.w.booked = append(b.w.booked, booking{at, n})
	b.w.mu.Unlock()
	return b.w.out(true)
}

// connector registers a connector in good order.
func (w *world) connector(id string, change func(*backoffice.Config)) *backofficetest.Mem {
	w.t.Helper()
	c := backoffice.Config{
		ID: id, Name: "ERP " + id, SourceApp: "BCPROD", Send: true, Operations: []backoffice.Operation{"I", "U", "D"}, Type: backoffice.BusinessCentral,
		API: backoffice.REST, Auth: backoffice.Basic, Login: "u", Secret: "connector-" + id, URI: "https://erp.example/" + id, Shards: 2,
	}
	w.mu.Lock()
	w.vault[c.Secret] = "first"
	w.mu.Unlock()
	if change != nil {
		change(&c)
	}
	r := c.Record(store.ConnectorRecord{})
	if there, err := w.mem.Connector(context.Background(), id); err == nil {
		r.ETag = there.ETag
	}
	w.must(w.mem.SwapConnector(context.Background(), r))
	w.pass(time.Minute) // the directory looks again
	return w.erp(id)
}

// announce has the board say something of an appointment.
func (w *world) announce(op appointment.Operation, r backofficetest.Record) appointment.Change {
	w.t.Helper()
	w.mu.Lock()
	w.now = w.now.Add(time.Second)
	w.sequence++
	v := appointment.Version{Modified: w.now, Sequence: w.sequence}
	w.mu.Unlock()
	return w.say(op, backofficetest.Graph(r, v), v.Sequence)
}

func (w *world) say(op appointment.Operation, body []byte, sequence int64) appointment.Change {
	w.t.Helper()
	c, err := dimescheduler.DecodeChange(body, string(op), sequence, w.clock(), time.UTC)
	w.must(err)
	w.mu.Lock()
	w.changes = append(w.changes, c)
	w.mu.Unlock()
	return c
}

// deliver lets the host hand over everything that is there now, again and again if
// it fails, to a process that is started anew when it has died.
func (w *world) deliver() {
	w.t.Helper()
	for range 5000 {
		w.mu.Lock()
		down := w.down
		var change *appointment.Change
		var nudge *bus.Nudge
		if len(w.changes) > 0 {
			c := w.changes[0]
			change = &c
		} else if len(w.nudges) > 0 {
			n := w.nudges[0]
			nudge = &n
		}
		w.mu.Unlock()
		switch {
		case down:
			w.start()
		case change != nil:
			if err := w.router.Route(context.Background(), *change); err == nil {
				w.mu.Lock()
				w.changes = w.changes[1:]
				w.mu.Unlock()
			} else if !errors.Is(err, errCrashed) {
				w.t.Fatalf("route: %v", err)
			}
		case nudge != nil:
			if err := w.worker.Handle(context.Background(), *nudge); err == nil {
				w.mu.Lock()
				w.nudges = w.nudges[1:]
				w.mu.Unlock()
			} else if !errors.Is(err, errCrashed) {
				w.t.Fatalf("handle: %v", err)
			}
		default:
			return
		}
	}
	w.t.Fatal("there is no end of messages")
}

// settle delivers, and lets time pass to what is booked, for at most as long.
func (w *world) settle(long time.Duration) {
	w.t.Helper()
	end := w.clock().Add(long)
	for range 3000 {
		w.deliver()
		w.mu.Lock()
		slices.SortStableFunc(w.booked, func(a, b booking) int { return a.at.Compare(b.at) })
		if len(w.booked) == 0 || w.booked[0].at.After(end) {
			w.mu.Unlock()
			return
		}
		b := w.booked[0]
		w.booked = w.booked[1:]
		if b.at.After(w.now) {
			w.now = b.at
		}
		w.nudges = append(w.nudges, b.n)
		w.mu.Unlock()
	}
	w.t.Fatal("there is no end of bookings")
}

// redrive is the timer under the nudges.
func (w *world) redrive() {
	w.t.Helper()
	for range 3 {
		w.pass(5 * time.Minute)
		r := &backoffice.Redrive{Store: w.mem, Bus: fakeBus{w}, Now: w.clock, Log: slog.New(slog.DiscardHandler)}
		w.must(r.Run(context.Background()))
		w.settle(time.Hour)
	}
}

// documents is what Business Central makes of its staging rows (facts A5): each
// insert makes a document, an update changes it or makes the missing one, a
// deletion removes all.
func documents(m *backofficetest.Mem) []string {
	type doc struct{ guid, subject string }
	var docs []doc
	for _, r := range m.Received() {
		mine := func(d doc) bool { return d.guid == r.Appointment }
		switch i := slices.IndexFunc(docs, mine); {
		case r.Operation == backoffice.Delete:
			docs = slices.DeleteFunc(docs, mine)
		case r.Operation == backoffice.Insert || i < 0:
			docs = append(docs, doc{r.Appointment, r.Subject})
		default:
			for j := range docs {
				if mine(docs[j]) {
					docs[j].subject = r.Subject
				}
			}
		}
	}
	var out []string
	for _, d := range docs {
		out = append(out, d.subject)
	}
	slices.Sort(out)
	return out
}

// told lists what arrived, as "I Boiler 1".
func told(m *backofficetest.Mem) []string {
	var out []string
	for _, r := range m.Received() {
		out = append(out, string(r.Operation)+" "+r.Subject)
	}
	return out
}

func (w *world) expect(what string, got, want []string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// quiet: nothing is due, open or failed any more.
func (w *world) quiet() {
	w.t.Helper()
	rows, err := w.mem.Targets(context.Background(), store.Connector)
	w.must(err)
	for _, r := range rows {
		if !r.Due.IsZero() {
			w.t.Errorf("target %s is due at %v", r.ID, r.Due)
		}
		links, err := w.mem.Links(context.Background(), r.ID)
		w.must(err)
		for _, l := range links {
			if l.Sent != nil || !l.DueAt.IsZero() {
				w.t.Errorf("link %s of %s: state %s, due %v, open %v", l.Appointment, r.ID, l.State, l.DueAt, l.Sent != nil)
			}
		}
	}
}

func (w *world) link(id string, r backofficetest.Record) *store.Link {
	w.t.Helper()
	for shard := range 16 {
		if l, err := w.mem.Link(context.Background(), backoffice.TargetID(id, shard), r.Appointment); err == nil {
			return l
		}
	}
	w.t.Fatalf("there is no link of %s to %s", r.Appointment, id)
	return nil
}

func (w *world) transactions(guid string) []string {
	w.t.Helper()
	list, err := w.mem.TransactionsOf(context.Background(), guid, 100)
	w.must(err)
	var out []string
	for _, t := range slices.Backward(list) {
		if t.Family == "exchange" {
			continue
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", t.Target, t.Operation, t.Status, t.Code)))
	}
	return out
}
