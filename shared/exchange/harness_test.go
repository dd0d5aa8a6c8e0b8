package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/graph"
	"github.com/dime-scheduler/connectors/shared/graphhook"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/store/storetest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// world is the whole system in one process: the engine with its real clients,
// against the simulators over HTTP, the in-memory store, and a fake host that
// delivers, delivers again, and dies. Its clock stands still but when moved.
type world struct {
	t     *testing.T
	graph *graphsim.Server
	board *boardsim.Board
	mem   store.Store

	graphURL, boardURL string

	zone *time.Location // of the board

	mu        sync.Mutex
	now       time.Time
	changes   []change
	sequence  int64
	seen      map[string]bool // message ids, for duplicate detection
	nudges    []bus.Nudge
	booked    []booking
	dead      []change
	deadN     int
	calls     int  // outgoing calls of the process
	dieAt     int  // at which of them it dies; 0 = never
	diesAfter bool // the call has its effect first
	down      bool // the process is dead: nothing goes out any more
	crashes   int
	intrudeAt int // at which call a second worker breaks in; 0 = never
	intruded  int
	guids     int
	arrived   inbox
	logs      strings.Builder

	proc *process
}

// process is one life of the handler.
type process struct {
	worker  *exchange.Worker
	router  *routing.Router
	renewal *exchange.Renewal
	sync    *exchange.ResourceSync
	sweep   *exchange.Sweep
	redrive *exchange.Redrive
}

type change struct {
	bus.Change
	sequence  int64
	enqueued  time.Time
	delivered int
}

type booking struct {
	at time.Time
	n  bus.Nudge
}

const (
	notificationURL = "https://connector.example/api/graph/notifications"
	lifecycleURL    = "https://connector.example/api/graph/lifecycle"
)

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

var keys = exchange.Keys{[]byte("0123456789abcdef0123456789abcdef")}

type options struct {
	board boardsim.Options
	graph graphsim.Behaviour
	zone  string
	// preview leaves mailboxes waiting for their release, as in production.
	preview bool
}

// newWorld starts a world with resources R1..Rn, each with a mailbox.
func newWorld(t *testing.T, resources int, o options) *world {
	t.Helper()
	w := &world{t: t, now: start, seen: map[string]bool{}, arrived: inbox{nudges: map[string]bus.Nudge{}}}
	var err error
	w.zone, err = time.LoadLocation(o.zone)
	w.must(err)
	w.mem = store.NewMem(w.clock)
	w.graph = graphsim.New(graphsim.Options{
		Now: w.clock, Behaviour: o.graph, BatchWindow: time.Millisecond, DeliveryBackoff: time.Millisecond,
		NotificationClient: &http.Client{Transport: callback{w}},
	})
	o.board.Clock, o.board.APIKey, o.board.Zone = w.tick, "key", w.zone
	o.board.Announce, o.board.NewGUID = w.announce, w.guid
	o.board.AnnouncePauses = []time.Duration{time.Millisecond}
	w.board = boardsim.New(o.board)
	graphServer, boardServer := httptest.NewServer(w.graph), httptest.NewServer(w.board)
	w.graphURL, w.boardURL = graphServer.URL+"/v1.0", boardServer.URL
	t.Cleanup(func() {
		w.graph.Close()
		w.board.Close()
		graphServer.Close()
		boardServer.Close()
		if t.Failed() && testing.Verbose() {
			t.Log(w.logs.String())
		}
	})
	for i := range resources {
		w.addResource(fmt.Sprintf("R%d", i+1))
	}
	w.board.AddJob(boardsim.Job{SourceApp: "CRONUS", SourceType: "ORDER", JobNo: "J1"})
	w.board.AddTask(boardsim.Task{SourceApp: "CRONUS", SourceType: "ORDER", JobNo: "J1", TaskNo: "T1"})
	w.store(exchange.Settings{})
	w.start()
	if !o.preview {
		w.set(exchange.Settings{ReleaseAll: true})
		w.advance(-time.Minute)
	}
	w.must(w.proc.sync.Run(context.Background()))
	w.settle()
	return w
}

func (w *world) addResource(no string) {
	email := strings.ToLower(no) + "@example.com"
	w.graph.AddUser(graphsim.User{UPN: email})
	w.board.AddResource(boardsim.Resource{ResourceNo: no, DisplayName: no, Email: email, ExchangeIntegrationEnabled: true})
}

// start begins a new life of the process, which remembers nothing.
func (w *world) start() {
	w.mu.Lock()
	w.down = false
	w.mu.Unlock()
	w.proc = w.newProcess()
}

func (w *world) newProcess() *process {
	w.t.Helper()
	calendar, err := graph.New(graph.Options{BaseURL: w.graphURL, Credential: token{w}, Transport: outgoing{w}, PageSize: 7})
	w.must(err)
	board := dimescheduler.New(dimescheduler.Options{
		BaseURL: w.boardURL, Zone: w.zone, Clock: w.clock, HTTPClient: &http.Client{Transport: outgoing{w}},
		Key: func(context.Context) (secret.Secret, error) { return secret.New("key"), nil },
	})
	state := &storetest.Flaky{Store: w.mem, Hook: func(op string) error {
		if strings.HasPrefix(op, "before") {
			return w.outgoingCall(false)
		}
		return w.outgoingCall(true)
	}}
	log := slog.New(slog.NewTextHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	policies := &routing.Policies{Values: state, Now: w.clock, Log: log}
	service := &exchange.BoardService{Board: board, Store: state, Bus: fakeBus{w}, Now: w.clock, Log: log}
	return &process{
		worker: &exchange.Worker{
			Policies: policies,
			Store:    state, Calendar: calendar, Fits: graph.Fits, Board: service, Bus: fakeBus{w}, Now: w.clock, NewGuid: w.guid, Log: log,
			Keys:            func(context.Context) (exchange.Keys, error) { return keys, nil },
			NotificationURL: notificationURL, LifecycleURL: lifecycleURL, Zone: w.zone,
		},
		router:  &routing.Router{Policies: policies, Store: state, Board: service, Bus: fakeBus{w}, Now: w.clock, Log: log},
		renewal: &exchange.Renewal{Store: state, Calendar: calendar, Bus: fakeBus{w}, Keys: func(context.Context) (exchange.Keys, error) { return keys, nil }, NotificationURL: notificationURL, Now: w.clock, Log: log},
		sync:    &exchange.ResourceSync{Store: state, Board: service, Calendar: calendar, Bus: fakeBus{w}, Now: w.clock, Log: log},
		sweep:   &exchange.Sweep{Store: state, Bus: fakeBus{w}, Now: w.clock, Log: log},
		redrive: &exchange.Redrive{Store: state, Bus: fakeBus{w}, Now: w.clock, Log: log},
	}
}

// errCrashed is what a call of a dead process gets: it has no effect.
var errCrashed = errors.New("the process is dead")

// inbox is what the simulators have handed over since idle was last asked. It is
// put in order there, so that a day depends on its seed and on nothing else.
type inbox struct {
	changes []bus.Change
	nudges  map[string]bus.Nudge
}

func (w *world) guid() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guids++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.guids)
}

// intrude lets a second process work on every mailbox, in the middle of a call of
// the first: a session lock was lost, and another instance got it.
func (w *world) intrude() {
	second := w.newProcess()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	targets, err := w.mem.Targets(ctx, store.Mailbox)
	w.must(err)
	for _, t := range targets {
		// Its failure is that of a delivery: the message comes again.
		_ = second.worker.Handle(ctx, bus.Nudge{Kind: bus.Read, Target: t.ID, Reason: "intruder", At: w.clock()})
	}
}

// outgoingCall counts a call of the process and lets it die there.
func (w *world) outgoingCall(after bool) error {
	w.mu.Lock()
	if !after && w.intrudeAt > 0 && w.calls+1 >= w.intrudeAt && !w.down {
		w.intrudeAt = 0
		w.intruded++
		w.mu.Unlock()
		w.intrude()
		w.mu.Lock()
	}
	defer w.mu.Unlock()
	if w.down {
		return errCrashed
	}
	if !after {
		w.calls++
	}
	if w.dieAt > 0 && w.calls >= w.dieAt && after == w.diesAfter {
		w.down, w.dieAt = true, 0
		w.crashes++
		return errCrashed
	}
	return nil
}

// wire keeps no connection: on one that was used before, net/http repeats a GET
// that was cut by itself, and a day would depend on which was.
var wire = &http.Transport{DisableKeepAlives: true}

// outgoing is the process's way to Graph and to the board.
type outgoing struct{ w *world }

func (o outgoing) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := o.w.outgoingCall(false); err != nil {
		return nil, err
	}
	res, err := wire.RoundTrip(r)
	if err == nil {
		if err := o.w.outgoingCall(true); err != nil {
			res.Body.Close()
			return nil, err
		}
	}
	return res, err
}

type token struct{ w *world }

func (c token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: c.w.graph.Token("app"), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// callback is Graph's way to the webhook.
type callback struct{ w *world }

func (c callback) RoundTrip(r *http.Request) (*http.Response, error) {
	hook := graphhook.Hook{
		Reason: "graphwebhook", Bus: arrivals(c), Log: slog.New(slog.DiscardHandler),
		Verifier: func(context.Context) (graphhook.Verifier, error) { return keys, nil },
		Wake: func(event string) bus.Nudge {
			switch event {
			case "subscriptionRemoved":
				return bus.Nudge{Kind: bus.Subscribe, Missing: true}
			case "reauthorizationRequired":
				return bus.Nudge{Kind: bus.Subscribe}
			}
			return bus.Nudge{Kind: bus.Read}
		},
	}
	rec := httptest.NewRecorder()
	hook.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// arrivals keeps the webhook's nudges until idle, one per mailbox.
type arrivals struct{ w *world }

func (a arrivals) Nudge(_ context.Context, nudges ...bus.Nudge) error {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	for _, n := range nudges {
		n.At = a.w.now
		if before, ok := a.w.arrived.nudges[n.Target]; ok {
			if before.Kind == bus.Subscribe {
				n.Kind, n.Missing = before.Kind, before.Missing
			}
			if len(before.States) == 0 || len(n.States) == 0 {
				n.States = nil
			} else {
				n.States = append(before.States, n.States...)
			}
		}
		a.w.arrived.nudges[n.Target] = n
	}
	return nil
}

// fakeBus is the process's way to the broker.
type fakeBus struct{ w *world }

func (b fakeBus) Nudge(_ context.Context, nudges ...bus.Nudge) error {
	if err := b.w.outgoingCall(false); err != nil {
		return err
	}
	for _, n := range nudges {
		b.w.push(n)
	}
	return b.w.outgoingCall(true)
}

func (b fakeBus) NudgeAt(_ context.Context, at time.Time, n bus.Nudge) error {
	if err := b.w.outgoingCall(false); err != nil {
		return err
	}
	b.w.mu.Lock()
	b.w.booked = append(b.w.booked, booking{at, n})
	b.w.mu.Unlock()
	return b.w.outgoingCall(true)
}

func (b fakeBus) Send(_ context.Context, changes ...bus.Change) error {
	if err := b.w.outgoingCall(false); err != nil {
		return err
	}
	for _, c := range changes {
		b.w.enqueue(c)
	}
	return b.w.outgoingCall(true)
}

func (w *world) push(n bus.Nudge) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nudges = append(w.nudges, n)
}

func (w *world) enqueue(c bus.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[c.MessageID] {
		return
	}
	w.seen[c.MessageID] = true
	w.sequence++
	w.changes = append(w.changes, change{Change: c, sequence: w.sequence, enqueued: w.now})
}

func (w *world) announce(_ context.Context, c boardsim.Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrived.changes = append(w.arrived.changes, bus.Change{MessageID: c.MessageID, Body: c.Body, Operation: appointment.Operation(c.ChangeType)})
	return nil
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// tick is the board's clock: each of its changes is a little later.
func (w *world) tick() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// settle delivers everything, again and again, until nothing moves any more.
// What is booked for later happens by moving the clock, an hour at most.
func (w *world) settle() {
	w.t.Helper()
	end := w.clock().Add(time.Hour)
	for range 20_000 {
		w.idle()
		if w.deliver() {
			continue
		}
		w.idle()
		w.mu.Lock()
		busy := len(w.changes)+len(w.nudges) > 0
		slices.SortStableFunc(w.booked, func(a, b booking) int { return a.at.Compare(b.at) })
		switch {
		case busy:
		case len(w.booked) == 0 || w.booked[0].at.After(end):
			w.mu.Unlock()
			return
		default:
			b := w.booked[0]
			w.booked = w.booked[1:]
			if b.at.After(w.now) {
				w.now = b.at
			}
			w.nudges = append(w.nudges, b.n)
		}
		w.mu.Unlock()
	}
	w.t.Fatal("the world does not come to rest")
}

// idle waits until the simulators have handed everything over.
func (w *world) idle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.must(w.graph.WaitIdle(ctx))
	w.must(w.board.WaitIdle(ctx))
	w.mu.Lock()
	in := w.arrived
	w.arrived = inbox{nudges: map[string]bus.Nudge{}}
	w.mu.Unlock()
	for _, c := range in.changes {
		w.enqueue(c)
	}
	for _, id := range slices.Sorted(maps.Keys(in.nudges)) {
		w.push(in.nudges[id])
	}
}

// deliver gives one message to the process; false if there is none.
func (w *world) deliver() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	w.mu.Lock()
	switch {
	case len(w.changes) > 0:
		c := w.changes[0]
		w.changes = w.changes[1:]
		w.mu.Unlock()
		err := w.route(ctx, c)
		if err == nil {
			return true
		}
		w.revive()
		w.mu.Lock()
		defer w.mu.Unlock()
		if c.delivered++; c.delivered < 5 {
			w.changes = append([]change{c}, w.changes...)
		} else {
			w.dead = append(w.dead, c)
		}
		return true
	case len(w.nudges) > 0:
		n := w.nudges[0]
		w.nudges = w.nudges[1:]
		w.mu.Unlock()
		if err := w.proc.worker.Handle(ctx, n); err != nil {
			w.revive()
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.deadN++; w.deadN%5 != 0 {
				w.nudges = append([]bus.Nudge{n}, w.nudges...)
			}
		}
		return true
	}
	w.mu.Unlock()
	return false
}

func (w *world) route(ctx context.Context, c change) error {
	decoded, err := dimescheduler.DecodeChange(c.Body, string(c.Operation), c.sequence, c.enqueued, w.zone)
	w.must(err)
	return w.proc.router.Route(ctx, decoded)
}

// revive starts a new process if the old one has died.
func (w *world) revive() {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		w.start()
	}
}

// timers lets the net under everything run once: what redrive, sweep and
// renewal would find in the course of a day.
func (w *world) timers() {
	w.t.Helper()
	ctx := context.Background()
	w.mu.Lock()
	w.changes = append(w.changes, w.dead...)
	for i := range w.dead {
		w.dead[i].delivered = 0
	}
	w.dead = nil
	w.mu.Unlock()
	w.advance(2 * time.Minute)
	w.must(w.proc.redrive.Run(ctx))
	w.settle()
	w.advance(time.Hour)
	w.must(w.proc.renewal.Run(ctx))
	w.must(w.proc.sweep.Run(ctx))
	w.must(w.proc.redrive.Run(ctx))
	w.settle()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// email of a resource is the mailbox's name in the simulator.
func email(no string) string { return strings.ToLower(no) + "@example.com" }

// card is what a person sees of one appointment, on either side.
type card struct {
	Subject, Body, Importance string
	Start, End                time.Time
}

func importance(n int) string {
	return map[int]string{boardsim.ImportanceNormal: "normal", boardsim.ImportanceHigh: "high", boardsim.ImportanceLow: "low"}[n]
}

// onBoard lists what the board shows for a resource.
func (w *world) onBoard(no string) []card {
	var out []card
	for _, a := range w.board.List(start.AddDate(0, 0, -60), start.AddDate(1, 0, 0), no) {
		out = append(out, card{a.Subject, a.Body, importance(a.Importance), a.Start.UTC(), a.End.UTC()})
	}
	sortCards(out)
	return out
}

// inOutlook lists what a resource's calendar shows.
func (w *world) inOutlook(no string) []card {
	var out []card
	for _, e := range w.graph.View(email(no), time.Time{}, start.AddDate(1, 0, 0)) {
		c := card{e.Subject, strings.TrimRight(e.Body, "\n"), e.Importance, e.Start.UTC(), e.End.UTC()}
		if e.AllDay {
			c.Start, c.End = w.midnight(e.Start), w.midnight(e.End)
		}
		out = append(out, c)
	}
	sortCards(out)
	return out
}

// midnight is that of a date in the board's zone.
func (w *world) midnight(date time.Time) time.Time {
	return time.Date(date.Year(), date.Month(), date.Day(), 0, 0, 0, 0, w.zone).UTC()
}

func sortCards(cards []card) {
	slices.SortFunc(cards, func(a, b card) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// dump logs the state of the links, for whoever has to understand a failed day.
func (w *world) dump() {
	for _, u := range w.graph.Users() {
		links, err := w.mem.Links(context.Background(), u.ID)
		w.must(err)
		for _, l := range links {
			data, err := json.Marshal(l)
			w.must(err)
			w.t.Logf("%s %s", u.UPN, data)
		}
		transactions, err := w.mem.Transactions(context.Background(), "exchange", 10_000)
		w.must(err)
		for _, t := range slices.Backward(transactions) {
			if t.Target == u.ID {
				w.t.Logf("%s %s %s %s %s %s %s", t.At.Format("02T15:04:05.000"), u.UPN, t.Appointment, t.Operation, t.Status, t.Code, t.Text)
			}
		}
	}
}
