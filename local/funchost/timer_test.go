package funchost

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fired is what a timer's run was told.
type fired struct {
	at      time.Time
	status  *timerStatus
	pastDue bool
}

// runTimerLoop runs a timer in a bubble of virtual time, each run taking as long as said, and returns its runs.
func runTimerLoop(t *testing.T, expression string, change func(*timerTrigger), store *timerStore, lasting time.Duration, each ...time.Duration) []fired {
	t.Helper()
	plan, err := parseSchedule(expression)
	if err != nil {
		t.Fatal(err)
	}
	trigger := &timerTrigger{Schedule: plan, Monitored: !plan.subMinute()}
	if change != nil {
		change(trigger)
	}
	var runs []fired
	loop := &timerLoop{f: &function{Name: "ticker", Timer: trigger}, store: store, log: slog.New(slog.DiscardHandler)}
	loop.run = func(status *timerStatus, pastDue bool) {
		seen := fired{at: time.Now(), pastDue: pastDue}
		if status != nil {
			copied := *status
			seen.status = &copied
		}
		runs = append(runs, seen)
		if n := len(runs); n <= len(each) {
			time.Sleep(each[n-1])
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	status, pastDue := loop.prepare()
	loop.loop(ctx, status, pastDue)
	return runs
}

func TestTimerFiresAtEachOccurrence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		store := &timerStore{}
		runs := runTimerLoop(t, "0 */5 * * * *", nil, store, 16*time.Minute)
		if len(runs) != 3 {
			t.Fatalf("%d runs, want 3", len(runs))
		}
		first, second := runs[0], runs[1]
		if !first.at.Equal(start.Add(5 * time.Minute)) {
			t.Errorf("first at %v", first.at)
		}
		if s := first.status; !s.Last.IsZero() || !s.LastUpdated.IsZero() || !s.Next.Equal(first.at) {
			t.Errorf("the first run shows %+v; Last and LastUpdated must be the year 1, Next the occurrence itself", s)
		}
		if s := second.status; !s.Last.Equal(first.at) || !s.LastUpdated.Equal(first.at) || !s.Next.Equal(second.at) {
			t.Errorf("the second run shows %+v", s)
		}
		if stored, ok := store.get("ticker"); !ok || !stored.Last.Equal(runs[2].at) {
			t.Errorf("stored: %+v", stored)
		}
	})
}

func TestTimerRunsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		runs := runTimerLoop(t, "0 * * * * *", nil, &timerStore{}, 5*time.Minute+time.Second, 150*time.Second)
		if len(runs) != 3 || !runs[1].at.Equal(start.Add(4*time.Minute)) {
			t.Errorf("a run of 2.5 minutes swallows the occurrences in it: %+v", runs)
		}
	})
}

func TestTimerOfSecondsIsNotMonitored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &timerStore{}
		runs := runTimerLoop(t, "*/20 * * * * *", nil, store, time.Minute+time.Second)
		if len(runs) != 3 || runs[0].status != nil {
			t.Errorf("got %+v", runs)
		}
		if _, ok := store.get("ticker"); ok {
			t.Error("its status must not be stored")
		}
	})
}

func TestTimerThatMissedAnOccurrenceRunsAtOnceAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := func() *timerStore { return &timerStore{dir: dir, log: slog.New(slog.DiscardHandler)} }
		runTimerLoop(t, "0 */5 * * * *", nil, store(), 6*time.Minute)
		time.Sleep(time.Minute) // nothing is missed yet
		if runs := runTimerLoop(t, "0 */5 * * * *", nil, store(), time.Minute); len(runs) != 0 {
			t.Errorf("nothing was missed, yet: %+v", runs)
		}
		time.Sleep(time.Hour)
		restart := time.Now()
		runs := runTimerLoop(t, "0 */5 * * * *", nil, store(), 6*time.Minute)
		if len(runs) != 2 || !runs[0].pastDue || !runs[0].at.Equal(restart) || runs[1].pastDue {
			t.Errorf("got %+v", runs)
		}
	})
}

func TestTimerOnStartup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		runs := runTimerLoop(t, "0 0 0 1 1 *", func(f *timerTrigger) { f.RunOnStartup = true }, &timerStore{}, time.Minute)
		if len(runs) != 1 || !runs[0].at.Equal(start) || runs[0].pastDue {
			t.Errorf("got %+v", runs)
		}
	})
}

func TestTimersFireUnderTheHost(t *testing.T) {
	a := newApp(t, hostJSON, "fast")
	d := a.start(a.options())
	r := a.await(2, calls("/fast"))
	if !strings.Contains(r[0].Body, `"ScheduleStatus":null,"IsPastDue":false`) {
		t.Errorf("got %s", r[0].Body)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}

	quiet := newApp(t, hostJSON, "fast")
	o := quiet.options()
	o.NoTimers = true
	d = quiet.start(o)
	if v, err := d.Run(t.Context(), "fast"); err != nil || v.Outcome != Succeeded {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := d.Run(t.Context(), "nope"); err == nil {
		t.Error("an unknown timer must be refused")
	}
}

func TestStoredStatusThatCannotBeReadIsLeft(t *testing.T) {
	dir := t.TempDir()
	store := &timerStore{dir: dir, log: slog.New(slog.DiscardHandler)}
	if err := os.WriteFile(filepath.Join(dir, "timer-ticker.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, ok := store.get("ticker"); ok || !status.Next.IsZero() {
		t.Errorf("got %+v", status)
	}
}

func TestSchedule(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 30, 15, 0, time.FixedZone("elsewhere", 5*3600))
	for expression, want := range map[string]string{
		"*/20 * * * * *":      "2026-11-23T05:30:20Z",
		"0 */5 * * * *":       "2026-11-23T05:35:00Z",
		"0 0 6 * * *":         "2026-11-23T06:00:00Z",
		"0 0 5 * * *":         "2026-11-24T05:00:00Z",
		"30 15 3 * * Mon-Fri": "2026-11-24T03:15:30Z",
		"0 0 0 13 * Fri":      "2027-08-13T00:00:00Z", // NCRONTAB wants both, cron either
		"0 0 0 1 1 *":         "2027-01-01T00:00:00Z",
		"*/5 * * * *":         "2026-11-23T05:35:00Z",
	} {
		plan, err := parseSchedule(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
		} else if got := plan.next(at).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", expression, got, want)
		}
	}
	for _, expression := range []string{"", "* * *", "0 0 25 * * *", "@every 1m", "00:05:00", "0 0 0 30 Feb x"} {
		if _, err := parseSchedule(expression); err == nil {
			t.Errorf("%q must be refused", expression)
		}
	}
}
