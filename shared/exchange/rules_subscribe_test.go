package exchange_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/exchange"
)

// subscribeOnce makes a subscription past the worker, as another version of this
// program or a lost answer would.
func (w *world) subscribeOnce(no, url string) string {
	w.t.Helper()
	state, err := keys.Sign(w.mailbox(no))
	w.must(err)
	s, err := w.proc.worker.Calendar.CreateSubscription(context.Background(), w.mailbox(no), url, lifecycleURL, state, w.clock().Add(72*time.Hour))
	w.must(err)
	return s.ID
}

func (w *world) subscriptions(no string) (ids []string) {
	for _, s := range w.graph.Subscriptions() {
		if s.User == w.mailbox(no) && s.NotificationURL == notificationURL {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// The timer sees a subscription that a worker has just created and that no row
// names yet. It deletes none of a mailbox that takes part, and creates none.
func TestRule_R36_TheTimerTouchesNoSubscriptionOfAMailboxThatTakesPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	w.subscribeOnce("R1", notificationURL)
	w.must(w.graph.ExpireSubscription(w.subscriptions("R2")[0]))
	w.graph.ResetCalls()
	w.must(w.proc.renewal.Run(context.Background()))
	calls := w.graph.Calls()
	if n := calls.Of("DELETE /subscriptions/{subscription}"); n != 0 || len(w.subscriptions("R1")) != 2 {
		t.Errorf("the timer deleted %d subscriptions, %d are left", n, len(w.subscriptions("R1")))
	}
	if n := calls.TotalHTTP() - calls.Of("GET /subscriptions"); n != 0 {
		t.Errorf("the timer made %d calls besides the list", n)
	}
	w.settle() // now the workers
	for _, no := range []string{"R1", "R2"} {
		if got := w.subscriptions(no); len(got) != 1 || got[0] != w.target(no).Subscription {
			t.Errorf("%s has subscriptions %v, its row names %q", no, got, w.target(no).Subscription)
		}
	}
}

// A resource is taken off: its subscription goes. Another deployment's stays.
func TestRule_R36_TheTimerDeletesWhatNobodyWants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	other := w.subscribeOnce("R1", "https://other.example/hook")
	w.board.AddResource(boardsim.Resource{ResourceNo: "R1", DisplayName: "R1", Email: email("R1")})
	w.must(w.proc.sync.Run(context.Background()))
	w.timers()
	if got := w.subscriptions("R1"); len(got) != 0 {
		t.Errorf("R1 takes no part and has subscriptions %v", got)
	}
	if got := w.subscriptions("R2"); len(got) != 1 {
		t.Errorf("R2 takes part and has subscriptions %v", got)
	}
	there := false
	for _, s := range w.graph.Subscriptions() {
		there = there || s.ID == other
	}
	if !there {
		t.Error("another deployment's subscription was deleted")
	}
}

// The answer of a creation is lost: the next attempt takes what it made.
func TestRule_R36_ALostAnswerMakesNoSecondSubscription(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.must(w.graph.RemoveSubscription(w.subscriptions("R1")[0]))
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method != http.MethodPost || !strings.HasPrefix(r.Path, "/subscriptions") {
			return nil
		}
		w.graph.SetFault(nil)
		return &graphsim.FaultResponse{AfterCommit: true, Cut: true}
	})
	w.settle()
	w.timers()
	if got := w.subscriptions("R1"); len(got) != 1 || got[0] != w.target("R1").Subscription {
		t.Errorf("subscriptions %v, the row names %q", got, w.target("R1").Subscription)
	}
}

func TestRule_R37_ClientStateNamesItsMailboxAndCanNotBeForged(t *testing.T) {
	t.Parallel()
	old, fresh := []byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 32))
	const mailbox = "7f1ee1b2-0d0f-4b7e-9c57-2c3a8d1a4f10"
	state, err := exchange.Keys{old}.Sign(mailbox)
	if err != nil || len(state) > exchange.MaxClientState {
		t.Fatalf("%d characters, %v", len(state), err)
	}
	for name, k := range map[string]exchange.Keys{"the same key": {old}, "after a rotation": {fresh, old}} {
		if got, ok := k.Verify(state); !ok || got != mailbox {
			t.Errorf("%s: %q, %t", name, got, ok)
		}
	}
	again, err := exchange.Keys{old}.Sign(mailbox)
	if err != nil || again == state {
		t.Error("two subscriptions of one mailbox have the same clientState")
	}
	other := strings.Replace(state, "7f1e", "7f1f", 1)
	mac := state[strings.LastIndexByte(state, '.')+1:]
	for _, forged := range []string{
		"", ".", "..", mailbox, mailbox + ".", mailbox + ".x." + mac, other, state + "=", state[:len(state)-1], strings.ToUpper(state),
		strings.TrimSuffix(state, "."+mac), "." + mac, strings.Repeat(state, 3),
	} {
		if got, ok := (exchange.Keys{fresh, old}).Verify(forged); ok {
			t.Errorf("%q is believed, for mailbox %q", forged, got)
		}
	}
	if _, ok := (exchange.Keys{fresh}).Verify(state); ok {
		t.Error("a key that was taken away is still believed")
	}
	if _, ok := (exchange.Keys{}).Verify(state); ok {
		t.Error("believed without any key")
	}
	if _, err := (exchange.Keys{}).Sign(mailbox); err == nil {
		t.Error("signed without a key")
	}
}

// The subscription was removed, and what a person did meanwhile was told to
// nobody; what they do while it is being created neither.
func TestRule_R38_AfterAGapItSubscribesFirstAndThenReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.must(w.graph.ExpireSubscription(w.subscriptions("R1")[0]))
	w.outlook("R1", "In the gap", 2)
	w.advance(time.Minute)
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method == http.MethodPost && strings.HasPrefix(r.Path, "/subscriptions") {
			w.graph.SetFault(nil)
			w.outlook("R1", "Just before", 4)
		}
		return nil
	})
	w.forget()
	w.must(w.proc.renewal.Run(context.Background()))
	w.settle()
	w.shows("R1", born("In the gap", 2), born("Just before", 4))
	if len(w.subscriptions("R1")) != 1 {
		t.Error("there is no subscription")
	}
}

// A renewal closes a gap that nobody has noticed: it reads too.
func TestRule_R38_ARenewalReadsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 1 })
	w.outlook("R1", "Never told", 2)
	w.forget()
	w.advance(time.Hour)
	w.must(w.nudge(bus.Subscribe, "R1"))
	w.shown("the board", "R1", w.onBoard("R1"), []card{born("Never told", 2)})
}

// The key that signed is replaced: within one run of the timer each subscription
// is one that the new key has signed, and the old one is gone.
func TestRule_R37_ARotatedKeyReplacesTheSubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	before := w.graph.Subscriptions()
	old := keys
	rotated := exchange.Keys{[]byte("fedcba9876543210fedcba9876543210"), old[0]}
	current := func(context.Context) (exchange.Keys, error) { return rotated, nil }
	w.proc.worker.Keys, w.proc.renewal.Keys = current, current
	w.must(w.proc.renewal.Run(t.Context()))
	w.settle()
	after := w.graph.Subscriptions()
	if len(before) != 1 || len(after) != 1 || after[0].ID == before[0].ID {
		t.Fatalf("subscriptions %v, then %v: want one, and another", before, after)
	}
	if _, ok := rotated[:1].Verify(after[0].ClientState); !ok {
		t.Error("the new subscription is not signed by the new key alone")
	}
	w.must(w.proc.renewal.Run(t.Context()))
	w.settle()
	if again := w.graph.Subscriptions(); len(again) != 1 || again[0].ID != after[0].ID {
		t.Errorf("the next run replaces it once more: %v", again)
	}
}
