package bc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/backoffice/bc"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
)

// day is a board, the program between, and an ERP that fails at random.
type day struct {
	*world
	rng    *rand.Rand
	router *routing.Router
	worker *backoffice.Worker
	mem    store.Store

	clock    sync.Mutex
	now      time.Time
	sequence int64
	storm    bool
	hits     int
	born     int
	nudges   []bus.Nudge
	booked   map[time.Time][]bus.Nudge
}

func (d *day) time() time.Time {
	d.clock.Lock()
	defer d.clock.Unlock()
	return d.now
}

func (d *day) pass(t time.Duration) {
	d.clock.Lock()
	defer d.clock.Unlock()
	d.now = d.now.Add(t)
}

// Nudge and NudgeAt make it the bus.
func (d *day) Nudge(_ context.Context, ns ...bus.Nudge) error {
	d.nudges = append(d.nudges, ns...)
	return nil
}

func (d *day) NudgeAt(_ context.Context, at time.Time, n bus.Nudge) error {
	d.booked[at] = append(d.booked[at], n)
	return nil
}

// The board: nothing of it is asked for here.
func (d *day) Appointment(context.Context, string, dimescheduler.Hint) (appointment.Appointment, error) {
	return appointment.Appointment{}, errors.New("not asked here")
}
func (d *day) UpsertNotification(context.Context, dimescheduler.Notification) error { return nil }
func (d *day) DeleteNotification(context.Context, dimescheduler.Notification) error { return nil }

// The vault.
func (d *day) Get(context.Context, string) (secret.Secret, error) { return secret.New(d.secret), nil }
func (d *day) Invalidate(string)                                  {}

func newDay(t *testing.T, seed uint64, o erpsim.Options) *day {
	t.Helper()
	d := &day{rng: rand.New(rand.NewPCG(seed, 0)), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), booked: map[time.Time][]bus.Nudge{}}
	o.Now, o.ProcessDelay = d.time, 20*time.Second
	d.world = newWorld(t, o, nil)
	d.sim.SetFault(d.weather)
	d.mem = store.NewMem(d.time)
	log := slog.New(slog.DiscardHandler)
	directory := &backoffice.Directory{
		Store: d.mem, Vault: d, AuthorityURL: d.url, Now: d.time, Log: log,
		Registry: backoffice.Registry{{Type: backoffice.BusinessCentral, API: backoffice.REST}: bc.REST(oauth.New())},
	}
	decode := func(graph []byte) (appointment.Appointment, error) {
		c, err := dimescheduler.DecodeChange(graph, "Update", 0, time.Time{}, time.UTC)
		return c.Appointment, err
	}
	d.worker = &backoffice.Worker{Store: d.mem, Connectors: directory, Board: d, Bus: d, Decode: decode, Now: d.time, Log: log}
	d.router = &routing.Router{Store: d.mem, Board: d, Bus: d, Connectors: directory, Backoffice: d, Now: d.time, Log: log}
	if err := d.mem.SwapConnector(t.Context(), d.c.Record(store.ConnectorRecord{})); err != nil {
		t.Fatal(err)
	}
	d.pass(time.Minute)
	return d
}

// weather is what goes wrong during the storm, before or after the effect.
func (d *day) weather(r erpsim.FaultRequest) *erpsim.FaultResponse {
	d.clock.Lock()
	defer d.clock.Unlock()
	if !d.storm || d.rng.IntN(3) > 0 {
		return nil
	}
	d.hits++
	after := d.rng.IntN(2) == 0
	switch d.rng.IntN(7) {
	case 0, 1:
		return &erpsim.FaultResponse{Cut: true, AfterCommit: after}
	case 2:
		return &erpsim.FaultResponse{Status: 504, Body: "<html>", ContentType: "text/html", AfterCommit: after}
	case 3:
		return &erpsim.FaultResponse{Status: 500, Code: "Internal_ServerError", AfterCommit: after}
	case 4:
		return &erpsim.FaultResponse{Locked: true, Language: "de"}
	case 5:
		return &erpsim.FaultResponse{Status: 429, Code: "Application_TooManyRequests", RetryAfter: "3"}
	}
	return &erpsim.FaultResponse{Truncate: r.Method == http.MethodPost, Status: map[bool]int{false: 503}[r.Method == http.MethodPost]}
}

func (d *day) announce(op appointment.Operation, r backofficetest.Record) {
	d.Helper()
	d.pass(time.Second)
	d.sequence++
	graph := backofficetest.Graph(r, appointment.Version{Modified: d.time(), Sequence: d.sequence})
	c, err := dimescheduler.DecodeChange(graph, string(op), d.sequence, d.time(), time.UTC)
	if err != nil {
		d.Fatal(err)
	}
	if err := d.router.Route(d.Context(), c); err != nil {
		d.Fatal(err)
	}
}

// run works until time has come this far.
func (d *day) run(long time.Duration) {
	d.Helper()
	end := d.time().Add(long)
	for range 10000 {
		for len(d.nudges) > 0 {
			n := d.nudges[0]
			d.nudges = d.nudges[1:]
			if strings.Contains(n.Target, "#") {
				if err := d.worker.Handle(d.Context(), n); err != nil {
					d.Fatal(err)
				}
			}
		}
		next := time.Time{}
		for at := range d.booked {
			if next.IsZero() || at.Before(next) {
				next = at
			}
		}
		if next.IsZero() || next.After(end) {
			d.pass(max(0, end.Sub(d.time())))
			return
		}
		d.pass(max(0, next.Sub(d.time())))
		d.nudges = append(d.nudges, d.booked[next]...)
		delete(d.booked, next)
	}
	d.Fatal("there is no end of it")
}

// After a day of random changes on the board and random faults of the ERP, each
// resource of each appointment has one document at its time, and nobody else has any.
func TestRandomDays(t *testing.T) {
	days := 6
	if testing.Short() {
		days = 2
	}
	for name, o := range map[string]erpsim.Options{"with the row": {}, "below the row": {HideNavigation: true}, "below the row, lines without a key": {HideNavigation: true, RepeatedLines: true}} {
		for seed := range days {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				d := newDay(t, uint64(seed)+1, o)
				d.storm = true
				board := map[int]backofficetest.Record{}
				for range 40 {
					d.step(board)
					d.run(time.Duration(d.rng.IntN(40)) * time.Second)
				}
				d.clock.Lock()
				d.storm = false
				hits := d.hits
				d.clock.Unlock()
				d.run(48 * time.Hour)
				d.agree(board)
				if hits < 10 {
					t.Errorf("only %d faults: the day proves little", hits)
				}
			})
		}
	}
}

// step is one change on the board.
func (d *day) step(board map[int]backofficetest.Record) {
	// Deleted ones do not come back under their Guid.
	all := slices.Sorted(maps.Keys(board))
	i, op := d.born, appointment.Update
	if len(all) > 0 && d.rng.IntN(8) >= 6-len(all) {
		i = all[d.rng.IntN(len(all))]
	}
	r, there := board[i]
	switch {
	case !there:
		d.born++
		r, op = backofficetest.Sample(i), appointment.Create
	case d.rng.IntN(6) == 0:
		delete(board, i)
		d.announce(appointment.Delete, r)
		return
	}
	r.Start = backofficetest.Base.Add(time.Duration(d.rng.IntN(200)) * time.Hour)
	r.End = r.Start.Add(time.Hour)
	r.Assignees = nil
	for _, no := range []string{"R1", "R2", "R3"} {
		if d.rng.IntN(2) == 0 {
			r.Assignees = append(r.Assignees, no)
		}
	}
	if len(r.Assignees) == 0 {
		r.Assignees = []string{"R4"}
	}
	board[i] = r
	d.announce(op, r)
}

func (d *day) agree(board map[int]backofficetest.Record) {
	d.Helper()
	var want, got []string
	for _, r := range board {
		for _, no := range r.Assignees {
			want = append(want, r.Appointment+" "+no+" "+r.Start.Format(time.RFC3339))
		}
	}
	for _, doc := range d.sim.Documents(company) {
		got = append(got, doc.Appointment+" "+doc.Resource+" "+doc.Start.Format(time.RFC3339))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		d.Errorf("board (-) and ERP (+):\n%s", diff)
		for _, r := range d.sim.Rows(company) {
			d.Log(r.Entry, r.Text(erpsim.DatabaseAction), r.Text(erpsim.AppointmentID), r.Text(erpsim.Start), r.ResourceNos(), r.Status)
		}
	}
}
