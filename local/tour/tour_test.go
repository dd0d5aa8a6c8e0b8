package tour

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/world"
)

// fakeStage shows one pulse after the other: before a step, when both sides
// agree, and when all is quiet.
type fakeStage struct {
	pulses   []world.Pulse
	disagree error
}

func (s *fakeStage) Pulse() world.Pulse {
	p := s.pulses[0]
	s.pulses = s.pulses[1:]
	return p
}

func (s *fakeStage) AwaitAgreement(context.Context) error { return s.disagree }
func (s *fakeStage) AwaitQuiet(context.Context) error     { return nil }

func (s *fakeStage) Await(_ context.Context, check func() error) error { return check() }

func done(err error) func(context.Context, *Row) (time.Time, error) {
	return func(context.Context, *Row) (time.Time, error) { return time.Now(), err }
}

func TestRunCountsWhatAStepCosts(t *testing.T) {
	s := &fakeStage{pulses: []world.Pulse{
		{GraphCalls: 10, GraphWrites: 4, BoardWrites: 1, Deliveries: 5, HandlerRestarts: 1},
		{GraphCalls: 13, GraphWrites: 5, BoardWrites: 2, Deliveries: 7, HandlerRestarts: 2},
		{GraphCalls: 15, GraphWrites: 7, BoardWrites: 3, Deliveries: 8, HandlerRestarts: 2},
	}}
	counted := func(_ context.Context, r *Row) (time.Time, error) {
		r.counts = func() string { return "at its end" }
		return time.Now(), nil
	}
	got := run(t.Context(), s, step{name: "x", kills: 1, act: counted})
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	got.Agreed = 0
	if diff := cmp.Diff(Row{Name: "x", GraphCalls: 5, GraphWrites: 3, BoardWrites: 2, Deliveries: 3, Echoes: 4, Note: "at its end"}, got, cmp.AllowUnexported(Row{})); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

func TestRunFails(t *testing.T) {
	problem := errors.New("boom")
	for _, c := range []struct {
		name  string
		stage fakeStage
		step  step
		want  string
	}{
		{"when the step can not be done", fakeStage{}, step{act: done(problem)}, "boom"},
		{"when the sides do not agree in time", fakeStage{disagree: problem}, step{act: done(nil)}, "boom"},
		{"when what it waits for does not come", fakeStage{}, step{act: done(nil), until: func() error { return problem }}, "boom"},
		{"when the sides differ again", fakeStage{pulses: []world.Pulse{{}, {}, {Differences: []string{"ANNA: x"}}}},
			step{act: done(nil)}, "then differed again: ANNA: x"},
		{"when the handler ends by itself", fakeStage{pulses: []world.Pulse{{}, {}, {HandlerRestarts: 1}}}, step{act: done(nil)}, "ended 1 times, not 0"},
		{"when the handler was not killed", fakeStage{}, step{act: done(nil), kills: 1}, "ended 0 times, not 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.stage.pulses == nil {
				c.stage.pulses = make([]world.Pulse, 3)
			}
			row := run(t.Context(), &c.stage, c.step)
			if row.Err == nil || !strings.Contains(row.Err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", row.Err, c.want)
			}
			if (Report{Rows: []Row{row}}).OK() {
				t.Error("the report is OK though the step failed")
			}
		})
	}
}

func TestReport(t *testing.T) {
	r := Report{
		Rows: []Row{
			{Name: "board: create", Agreed: 42 * time.Millisecond, GraphCalls: 2, GraphWrites: 1, Deliveries: 2},
			{Name: "notifications lost", Agreed: 1234 * time.Millisecond, GraphCalls: 11, BoardWrites: 1, Echoes: 1, Note: "3 lost"},
		},
		Mailboxes: 4, BackOffices: 3, Memory: 21_400_000, Size: 30_060_000,
		Startup: world.Startup{Host: 310 * time.Millisecond},
	}
	want := `
  agreed after  Graph calls  Graph writes  board writes  deliveries  echoes  what happened
         42 ms            2             1             0           2       0  board: create
       1234 ms           11             0             1           0       1  notifications lost (3 lost)
                         13             1             1           2       1  in all

host start to first answer 310 ms, idle memory of the handler 21.4 MB, handler binary 30.1 MB

All sides agree: 4 calendars with one event per appointment, 3 back offices as the board, no dead letters.
`
	check(t, r, true, want)

	r.Problems = []string{`ANNA: "x" has no event`}
	r.Rows[0].Err = errors.New("not within 90 s: ANNA: it differs")
	r.Memory = 0
	want = `
  agreed after  Graph calls  Graph writes  board writes  deliveries  echoes  what happened
        FAILED            2             1             0           2       0  board: create
       1234 ms           11             0             1           0       1  notifications lost (3 lost)
                         13             1             1           2       1  in all

host start to first answer 310 ms, idle memory of the handler not known, handler binary 30.1 MB

FAILED  board: create: not within 90 s: ANNA: it differs
FAILED  at the end: ANNA: "x" has no event
`
	check(t, r, false, want)

	r.Problems = nil
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if r.OK() || !strings.HasSuffix(b.String(), "All sides agree in the end, but not every step did what it should.\n") {
		t.Errorf("a failed step alone: OK %t\n%s", r.OK(), &b)
	}
	if (Report{}).OK() {
		t.Error("a tour without steps is OK")
	}
}

func check(t *testing.T, r Report, ok bool, want string) {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if r.OK() != ok {
		t.Errorf("OK is %t", r.OK())
	}
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}
