package exchange_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/graph"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Each state of a mailbox that keeps us out, for a day: suspended with its own
// code, nothing deleted on either side, and all edits of both sides arrive after.
func TestCase_E23_AMailboxThatKeepsUsOutLosesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		state graphsim.MailboxState
		code  string
	}{
		{"disabled", graphsim.MailboxDisabled, "DSEX006"},
		{"soft-deleted", graphsim.MailboxSoftDeleted, "DSEX007"},
		{"on-premises", graphsim.MailboxOnPremises, "DSEX008"},
		{"unlicensed", graphsim.MailboxNotEnabled, "DSEX009"},
		{"moved", graphsim.MailboxMoved, "DSEX012"},
		{"user gone", graphsim.UserGone, "DSEX013"},
		{"access policy", graphsim.MailboxAccessDenied, "DSEX005"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2, options{})
			moves, goes := w.plan("Moves", 1, "R1", "R2"), w.plan("Goes", 2, "R1")
			mine := w.outlook("R1", "Mine", 3)
			w.plan("Deleted there", 4, "R1")
			w.settle()
			w.must(w.graph.SetMailboxState(email("R1"), c.state))
			w.drag(moves.GUID, 5)
			w.must(w.board.Delete(goes.GUID))
			w.settle()
			w.timers()
			row := w.target("R1")
			if row.SuspendedSince.IsZero() || row.SuspendedCode != c.code || row.SuspendedBy != "" {
				t.Errorf("suspended since %s with %q, want %s", row.SuspendedSince, row.SuspendedCode, c.code)
			}
			if e := exchange.Explain(row.SuspendedCode); e.Sentence == "" || e.Do == "" {
				t.Errorf("nobody is told what to do about %s", c.code)
			}
			w.shows("R2", planned("Moves", 5))
			if n := len(w.onBoard("R1")); n != 3 {
				t.Errorf("%d appointments on the board, want 3: nothing is taken off", n)
			}
			if n := len(w.graph.Events(email("R1"))); n != 4 {
				t.Errorf("%d events in the calendar, want 4: nothing is deleted", n)
			}
			w.dragInOutlook("R1", mine.ID, 7) // the person still has Outlook
			w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Deleted there").ID))
			w.must(w.graph.SetMailboxState(email("R1"), graphsim.MailboxOK))
			for range 8 {
				w.timers()
			}
			w.shows("R1", planned("Moves", 5), born("Mine", 7))
			if row := w.target("R1"); !row.SuspendedSince.IsZero() || row.SuspendedCode != "" {
				t.Errorf("still suspended: %s", row.SuspendedCode)
			}
			w.silent()
		})
	}
}

// signIn lets the process sign in at the token endpoint with a client secret,
// which secret returns.
func (w *world) signIn(secret func() (string, error)) {
	w.t.Helper()
	credential, err := graph.Credential(graph.CredentialOptions{
		Auth: "secret", TenantID: "tenant", ClientID: "app", Authority: strings.TrimSuffix(w.graphURL, "/v1.0"),
		Secret: func(context.Context) (string, error) { return secret() }, Transport: outgoing{w},
	})
	w.must(err)
	client, err := graph.New(graph.Options{BaseURL: w.graphURL, Credential: credential, Transport: outgoing{w}, PageSize: 7})
	w.must(err)
	w.proc.worker.Calendar, w.proc.sync.Calendar, w.proc.renewal.Calendar = client, client, client
}

// The client secret expires, or is a wrong one, or consent is revoked: Graph as a
// whole is suspended, once, and one mailbox at a time asks whether it is back. A
// new secret, which the vault has meanwhile, ends it for all; nothing was lost.
func TestCase_E24_AnExpiredSecretSuspendsOnceForAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code  string
		break_, fix func(w *world, secret *string)
	}{
		{"expired secret", "DSEX001", func(w *world, _ *string) { w.graph.ExpireSecret("old"); w.graph.RevokeTokens() },
			func(w *world, secret *string) { *secret = "new" }},
		{"wrong secret", "DSEX003", func(w *world, _ *string) {
			w.graph.SetClients(map[string][]string{"app": {"new"}})
			w.graph.RevokeTokens()
		},
			func(w *world, secret *string) { *secret = "new" }},
		{"unknown application", "DSEX002", func(w *world, _ *string) { w.graph.SetClients(map[string][]string{}); w.graph.RevokeTokens() },
			func(w *world, _ *string) { w.graph.SetClients(nil) }},
		{"revoked consent", "DSEX004", func(w *world, _ *string) { w.graph.SetConsent(false) },
			func(w *world, _ *string) { w.graph.SetConsent(true) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 5, options{})
			secret := "old"
			w.signIn(func() (string, error) { return secret, nil })
			moves, goes := w.plan("Moves", 1, "R1", "R2", "R3", "R4", "R5"), w.plan("Goes", 2, "R2")
			w.settle()
			mine := w.outlook("R3", "Mine", 3)
			w.settle()

			c.break_(w, &secret)
			w.drag(moves.GUID, 5)
			w.must(w.board.Delete(goes.GUID))
			w.settle()
			row, err := w.mem.Target(context.Background(), store.Service, "graph")
			w.must(err)
			if row.SuspendedSince.IsZero() || row.SuspendedCode != c.code {
				t.Fatalf("Graph is suspended since %s with %q, want %s", row.SuspendedSince, row.SuspendedCode, c.code)
			}
			if n := len(w.operations("suspend all")); n != 1 {
				t.Errorf("%d rows say that Graph is suspended, want 1", n)
			}
			for _, no := range []string{"R1", "R2", "R3", "R4", "R5"} {
				if row := w.target(no); row.SuspendedBy != "graph" || row.SuspendedCode != c.code {
					t.Errorf("%s is suspended by %q with %q", no, row.SuspendedBy, row.SuspendedCode)
				}
			}
			w.graph.ResetCalls()
			began := w.clock()
			for range 6 {
				w.advance(30 * time.Minute)
				w.must(w.proc.sweep.Run(context.Background()))
				w.must(w.proc.redrive.Run(context.Background()))
				w.settle()
			}
			// Each probe is a token or two, or a call or three, for one mailbox; not for five.
			quarters := int(w.clock().Sub(began)/(15*time.Minute)) + 1
			if n := w.graph.Calls().Tokens + len(w.graph.Requests()); n > 4*quarters || n == 0 {
				t.Errorf("asked %d times in %d quarters of an hour by five mailboxes", n, quarters)
			}
			w.dragInOutlook("R3", mine.ID, 7)
			if n := len(w.graph.Events(email("R2"))); n != 2 {
				t.Errorf("%d events in a calendar, want 2: nothing is deleted meanwhile", n)
			}

			c.fix(w, &secret)
			for range 3 {
				w.timers()
			}
			for _, no := range []string{"R1", "R2", "R4", "R5"} {
				w.shows(no, planned("Moves", 5))
				if row := w.target(no); !row.SuspendedSince.IsZero() || row.SuspendedBy != "" {
					t.Errorf("%s is still suspended by %q", no, row.SuspendedBy)
				}
			}
			w.shows("R3", planned("Moves", 5), born("Mine", 7))
			all, resumed := w.operations("resume all"), w.operations("resume")
			if len(all) != 1 || len(resumed) != 5 || resumed[4].At.Sub(all[0].At) > 2*time.Minute {
				t.Errorf("%d mailboxes resumed, the last %s after Graph: want all five within a minute or two", len(resumed), resumed[len(resumed)-1].At.Sub(all[0].At))
			}
			if row, err := w.mem.Target(context.Background(), store.Service, "graph"); err != nil || !row.SuspendedSince.IsZero() {
				t.Errorf("Graph is still suspended: %+v, %v", row, err)
			}
			w.silent()
		})
	}
}

// The vault that holds the secret is down: that is no fault of the mailbox. The
// nudge goes back to the host, and nobody is suspended.
func TestRule_R5_AVaultThatFailsSuspendsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	a := w.plan("Repair", 1, "R1")
	w.settle()
	down := true
	w.signIn(func() (string, error) {
		if down {
			return "", &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: "key vault: get"}
		}
		return "secret", nil
	})
	w.drag(a.GUID, 5)
	w.routed()
	w.forget()
	if err := w.nudge(bus.Push, "R1"); err == nil || !strings.Contains(err.Error(), "key vault") {
		t.Errorf("%v: want the vault's fault for the host", err)
	}
	if row := w.target("R1"); !row.SuspendedSince.IsZero() {
		t.Errorf("the mailbox is suspended with %s", row.SuspendedCode)
	}
	if _, err := w.mem.Target(context.Background(), store.Service, "graph"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Graph as a whole is suspended, or %v", err)
	}
	down = false
	w.timers()
	w.shows("R1", planned("Repair", 5))
}

// A board that rejects the key stops the way to it and nothing else: what the
// planner does still reaches Outlook, and what people did arrives when it works again.
func TestRule_R39_ABoardThatRejectsTheKeyLosesNothing(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.outlook("R1", "Mine", 3)
	w.settle()
	w.board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Status: 401} })
	w.dragInOutlook("R1", e.ID, 7)
	w.drag(a.GUID, 5)
	w.settle()
	if l := w.links("R1"); l[0].FailureCode != "DSEX060" && l[1].FailureCode != "DSEX060" {
		t.Errorf("nobody is told of the key: %q, %q", l[0].FailureCode, l[1].FailureCode)
	}
	w.shown("Outlook", "R1", w.inOutlook("R1"), []card{planned("Repair", 5), born("Mine", 7)})
	w.board.SetFault(nil)
	w.timers()
	w.shows("R1", planned("Repair", 5), born("Mine", 7))
}

// A person who has set a new secret presses Retry: nobody waits for the next probe.
func TestCase_E24_ARetryTriesGraphAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	secret := "old"
	w.signIn(func() (string, error) { return secret, nil })
	a := w.plan("Repair", 1, "R1", "R2")
	w.settle()
	w.graph.ExpireSecret("old")
	w.graph.RevokeTokens()
	w.drag(a.GUID, 5)
	w.settle()
	w.forget()
	secret = "new"
	began := w.clock()
	if _, err := w.desk().RetryAll(context.Background(), "admin", w.mailbox("R1")); err != nil {
		t.Fatal(err)
	}
	for w.deliver() {
		w.idle()
	}
	w.shows("R1", planned("Repair", 5))
	if took := w.clock().Sub(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	w.settle()
	w.shows("R2", planned("Repair", 5))
}
