package boardsim_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

// onImport makes a hook that spoils imports only.
func onImport(f boardsim.Fault) func(boardsim.Call) boardsim.Fault {
	return func(c boardsim.Call) boardsim.Fault {
		if c.Route == "POST /import" {
			return f
		}
		return boardsim.Fault{}
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault     boardsim.Fault
		status    int // 0: no answer
		header    string
		body      string
		committed bool
	}{
		"throttled":              {fault: boardsim.Fault{Status: 429, RetryAfter: "2"}, status: 429, header: "2"},
		"broken":                 {fault: boardsim.Fault{Status: 503}, status: 503},
		"error in the envelope":  {fault: boardsim.Fault{Error: "deadlock"}, status: 200, body: "deadlock"},
		"broken after commit":    {fault: boardsim.Fault{Status: 504, AfterCommit: true}, status: 504, committed: true},
		"cut":                    {fault: boardsim.Fault{Cut: true}},
		"cut after commit":       {fault: boardsim.Fault{Cut: true, AfterCommit: true}, committed: true},
		"delay":                  {fault: boardsim.Fault{Delay: time.Millisecond}, status: 200, body: guidA, committed: true},
		"error after the commit": {fault: boardsim.Fault{Error: "late", AfterCommit: true}, status: 200, body: "late", committed: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, boardsim.Options{Fault: onImport(c.fault)})
			status, header, body, err := w.call(http.MethodPost, "/import", []any{upsert("AppointmentGuid", guidA)})
			if status != c.status || (err != nil) != (c.status == 0) || header.Get("Retry-After") != c.header || !strings.Contains(string(body), c.body) {
				t.Errorf("answer %d %v %s, %v, want %d", status, header, body, err, c.status)
			}
			if _, err := w.board.Get(guidA); (err == nil) != c.committed {
				t.Errorf("committed: %v, want %v", err == nil, c.committed)
			}
			w.ok(http.MethodGet, "/resource", nil, nil) // the others are not touched
			w.board.SetFault(nil)
			w.runs(upsert("AppointmentGuid", guidA))
		})
	}
}

func TestHangEndsWithTheClient(t *testing.T) {
	met := make(chan struct{})
	w := newWorld(t, boardsim.Options{Fault: func(boardsim.Call) boardsim.Fault { close(met); return boardsim.Fault{Hang: true} }})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-met; cancel() }()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/resource", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-API-KEY", apiKey)
	if _, err := w.http.Do(request); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the client's own cancellation", err)
	}
}

func TestHangEndsWithTheBoard(t *testing.T) {
	met := make(chan struct{})
	w := newWorld(t, boardsim.Options{Fault: func(boardsim.Call) boardsim.Fault { close(met); return boardsim.Fault{Hang: true} }})
	go func() { <-met; w.board.Close() }()
	if _, _, _, err := w.call(http.MethodGet, "/resource", nil); err == nil {
		t.Error("an answer came")
	}
}

// The hook can be the planner who edits between two requests of a client.
func TestFaultHookMayUseTheBoard(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	a := w.plan("R1")
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
		if c.Route == "GET /appointment/{id}" && c.N == 2 {
			if err := w.board.Delete(a.GUID); err != nil {
				t.Error(err)
			}
		}
		return boardsim.Fault{}
	})
	w.ok(http.MethodGet, "/appointment/"+a.GUID, nil, nil)
	if status, _, _, _ := w.call(http.MethodGet, "/appointment/"+a.GUID, nil); status != http.StatusNotFound {
		t.Errorf("second read: %d, want 404", status)
	}
}

func TestCallsAreCounted(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	w.runs(upsert("AppointmentGuid", guidA), upsert("AppointmentGuid", guidB))
	w.ok(http.MethodGet, "/appointment/"+guidA, nil, nil)
	want := map[string]int{"POST /import": 1, "mboc_upsertAppointment": 2, "GET /appointment/{id}": 1}
	for name, n := range want {
		if got := w.board.Calls()[name]; got != n {
			t.Errorf("%s: %d calls, want %d", name, got, n)
		}
	}
	w.board.ResetCalls()
	if got := w.board.Calls(); len(got) != 0 {
		t.Errorf("calls after the reset: %v", got)
	}
}

func TestHugeBodyIsRefused(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	if status, _, _, err := w.call(http.MethodPost, "/import", strings.Repeat(" ", 9<<20)); err == nil && status != http.StatusRequestEntityTooLarge {
		t.Errorf("9 MiB: %d, want 413", status)
	}
}
