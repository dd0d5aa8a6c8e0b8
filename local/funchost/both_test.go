package funchost

import (
	"context"
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/azurite"
	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/google/go-cmp/cmp"
)

// world is one app under one host, with a broker.
type world struct {
	*testApp
	broker *servicebus.Broker
	host   Host
}

// underBoth runs a scenario under the double and, where func is on PATH, under the real host. What holds for one
// must hold for the other.
func underBoth(t *testing.T, hostFile string, functions []string, settings []string, scenario func(t *testing.T, w *world)) {
	t.Parallel()
	prepare := func(t *testing.T) (*world, Options) {
		w := &world{testApp: newApp(t, hostFile, functions...), broker: newBroker(t)}
		return w, w.options(append([]string{"Bus", w.broker.ConnectionString()}, settings...)...)
	}
	t.Run("double", func(t *testing.T) {
		w, o := prepare(t)
		w.host = w.start(o)
		scenario(t, w)
	})
	t.Run("func", func(t *testing.T) {
		if testing.Short() {
			t.Skip("-short: the real host takes seconds to start")
		}
		if _, err := exec.LookPath("func"); err != nil {
			t.Skip("the real host is compared only where Azure Functions Core Tools (func) are on PATH")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		storage, err := azurite.Start(ctx, azurite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := storage.Close(); err != nil {
				t.Error(err)
			}
		})
		w, o := prepare(t)
		o.Settings["AzureWebJobsStorage"] = storage.StorageConnectionString()
		f, err := StartFunc(ctx, FuncOptions{App: o.App, Settings: o.Settings, Log: w.logs})
		if err != nil {
			t.Fatalf("%v\n%s", err, w.logs)
		}
		t.Cleanup(func() {
			_ = f.Stop() // a scenario may have crashed it
			if t.Failed() {
				t.Logf("host log:\n%s", w.logs)
			}
		})
		w.host = f
		scenario(t, w)
	})
}

// empty waits until a queue has neither waiting nor locked messages.
func (w *world) empty(queue string) {
	w.t.Helper()
	eventually(w.t, "an empty queue "+queue, func() bool {
		c := counts(w.t, w.broker, queue)
		return c.Active+c.Locked == 0
	})
}

// deliveries counts the calls of a function that carried a message.
func (w *world) deliveries(function, message string) int {
	return len(w.records(func(r recorded) bool {
		return calls("/"+function)(r) && strings.Contains(r.Body, `"MessageId":"\"`+message+`\""`)
	}))
}

func TestBothJudgeAnswersAlike(t *testing.T) {
	verbs := map[string]int{ // deliveries: 1 is success, 5 is failure
		`json {}`:                          1,
		`json {"a":1}`:                     1,
		`type text/json {}`:                1,
		`redirect /elsewhere`:              1,
		`json [1]`:                         5,
		`json 7`:                           5,
		`json text`:                        5,
		`type text/plain {}`:               5,
		`type application/problem+json {}`: 5,
		`status 500`:                       5,
		`status 404`:                       5,
	}
	underBoth(t, busHost, []string{"sbbinary"}, nil, func(t *testing.T, w *world) {
		for verb := range verbs {
			send(t, w.broker, "binary", servicebus.Message{MessageID: strings.ReplaceAll(verb, `"`, ""), Body: []byte("do:" + verb)})
		}
		w.empty("binary")
		got := map[string]int{}
		for verb := range verbs {
			got[verb] = w.deliveries("sbbinary", strings.ReplaceAll(verb, `"`, ""))
		}
		if diff := cmp.Diff(verbs, got); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

func TestBothBuildTheSamePayload(t *testing.T) {
	var bodies []map[string]string
	underBoth(t, busHost, []string{"sbplain", "sbbinary"}, nil, func(t *testing.T, w *world) {
		object := `{"int":7,"float":1.50,"exp":1e3,"big":12345678901234567890,"neg":-0.0,"yes":true,"no":false,"nothing":null,"list":[1],
			"obj":{"a": 1,"b":[2, 3],"when":"2026-02-01T03:04:05Z"},"zulu":"2026-02-01T03:04:05Z","plain":"2026-02-01T03:04:05.123",
			"offset":"2026-02-01T03:04:05+02:00","date":"2026-02-01","deliverycount":99,"Sys":"x","queueTrigger":"y","":"empty","dup":1,"dup":2}`
		full := servicebus.Message{
			MessageID: "m1", Subject: "subject", ContentType: "text/plain", CorrelationID: "corr", To: "to", ReplyTo: "reply", TimeToLive: time.Hour,
			ApplicationProperties: map[string]any{"a": "text \u2028 <é>", "b": int32(-7), "c": int64(1) << 60, "d": 1.5, "e": 7.0, "f": true,
				"g": time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC), "h": []byte{1, 2, 3}, "i": "2026-02-01T03:04:05Z"},
			Body: []byte("plain \"text\"\u0085\n\x01é"),
		}
		send(t, w.broker, "plain", servicebus.Message{MessageID: "m0", Body: []byte(object)})
		w.empty("plain")
		send(t, w.broker, "plain", full)
		send(t, w.broker, "plain", servicebus.Message{MessageID: "m2", Body: []byte{0xff, 'a', 0xc3}}, servicebus.Message{MessageID: "m3"},
			servicebus.Message{MessageID: "m4", Body: []byte(`[1,2]`)}, servicebus.Message{MessageID: "m5", Body: []byte(` {"a":1} `)},
			servicebus.Message{MessageID: "m6", Body: []byte(`{"a":1} x`)})
		w.empty("plain")
		send(t, w.broker, "binary", full)
		w.empty("binary")
		got := map[string]string{}
		for _, r := range w.records(func(r recorded) bool { return strings.HasPrefix(r.URI, "/sb") }) {
			var call struct{ Data map[string]string }
			if err := json.Unmarshal([]byte(r.Body), &call); err != nil {
				t.Fatal(err)
			}
			got[r.URI+" "+call.Data["msg"]] = masked(r.Body)
		}
		bodies = append(bodies, maps.Clone(got))
	})
	if len(bodies) == 2 {
		if diff := cmp.Diff(bodies[1], bodies[0]); diff != "" {
			t.Errorf("(-real +double):\n%s", diff)
		}
	}
}

func TestBothRestartAlike(t *testing.T) {
	underBoth(t, busHost, []string{"sbbinary", "portal"}, []string{"RECORD_START_DELAY", "700ms"}, func(t *testing.T, w *world) {
		once := filepath.Join(t.TempDir(), "once")
		send(t, w.broker, "binary", servicebus.Message{MessageID: "crash", Body: []byte("do:once " + once + " exit 1")})
		w.empty("binary")
		// Deliveries wait for the next process instead of failing meanwhile.
		if n := w.deliveries("sbbinary", "crash"); n != 2 {
			t.Errorf("%d deliveries, want 2", n)
		}
		if n := counts(t, w.broker, "binary").DeadLetter; n != 0 {
			t.Errorf("%d dead letters", n)
		}
		if n := len(w.records(starts)); n != 2 {
			t.Errorf("%d starts, want 2", n)
		}
		if got := do(t, "GET", w.host.URL()+"/api/portal/x?do=exit%20200", ""); got.Status != 500 {
			t.Logf("exit 200 on every try: %+v", got)
		}
		pid := w.host.HandlerPID()
		if err := w.host.KillHandler(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "another handler", func() bool { now := w.host.HandlerPID(); return now != 0 && now != pid })
	})
}

func TestBothNeverRestartAfterExitZero(t *testing.T) {
	underBoth(t, busHost, []string{"sbbinary"}, nil, func(t *testing.T, w *world) {
		send(t, w.broker, "binary", servicebus.Message{MessageID: "end", Body: []byte("do:exit 0")})
		eventually(t, "a dead letter", func() bool { return counts(t, w.broker, "binary").DeadLetter == 1 })
		if n := len(w.records(starts)); n != 1 {
			t.Errorf("%d starts, want 1", n)
		}
		if n := w.deliveries("sbbinary", "end"); n != 1 {
			t.Errorf("%d calls arrived, want 1", n)
		}
	})
}

func TestBothStopAtTheThirdCrash(t *testing.T) {
	underBoth(t, busHost, []string{"sbbinary"}, nil, func(t *testing.T, w *world) {
		for range 3 {
			send(t, w.broker, "binary", servicebus.Message{Body: []byte("do:exit 3")})
		}
		if err := waitFor(t, w.host); err == nil {
			t.Error("the host must end by itself, and say why")
		}
		if n := len(w.records(starts)); n != 3 {
			t.Errorf("%d starts, want 3", n)
		}
	})
}

func TestBothAbandonWhatSucceedsWhileTheyStop(t *testing.T) {
	underBoth(t, busHost, []string{"sbbinary", "sbsessions"}, nil, func(t *testing.T, w *world) {
		free := filepath.Join(t.TempDir(), "free")
		body := []byte("do:wait " + free)
		send(t, w.broker, "binary", servicebus.Message{MessageID: "m", Body: body})
		send(t, w.broker, "sessions", servicebus.Message{MessageID: "s", SessionID: "a", Body: body})
		w.await(1, calls("/sbbinary"))
		w.await(1, calls("/sbsessions"))
		stopped := make(chan error)
		go func() { stopped <- w.host.Stop() }()
		eventually(t, "listeners that stop", func() bool {
			if d, ok := w.host.(*Double); ok {
				return d.listening.Err() != nil
			}
			const stopping = "Stopping the listener 'ServiceBusTrigger.TriggerListener' for function "
			return strings.Contains(w.logs.String(), stopping+"'sbbinary'") && strings.Contains(w.logs.String(), stopping+"'sbsessions'")
		})
		write(t, free, "")
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		for _, queue := range []string{"binary", "sessions"} {
			if left, err := w.broker.Peek(queue); err != nil || len(left) != 1 || left[0].DeliveryCount != 1 {
				t.Errorf("%s: %+v, %v; want one message that waits for the next host, delivered once", queue, left, err)
			}
		}
	})
}

func TestBothTimeOutAlike(t *testing.T) {
	host := strings.Replace(busHost, "00:05:00", "00:00:02", 1)
	underBoth(t, host, []string{"sbbinary", "sbsessions", "portal"}, nil, func(t *testing.T, w *world) {
		once := filepath.Join(t.TempDir(), "once")
		send(t, w.broker, "binary", servicebus.Message{MessageID: "hang", Body: []byte("do:once " + once + "1 hang")})
		w.empty("binary")
		send(t, w.broker, "binary", servicebus.Message{MessageID: "nothing", Body: []byte("do:once " + once + "2 status 204")})
		w.empty("binary")
		w.await(3, starts)
		for _, message := range []string{"hang", "nothing"} {
			if n := w.deliveries("sbbinary", message); n != 2 {
				t.Errorf("%s: %d deliveries, want 2: one that timed out, one by the next process", message, n)
			}
		}
		if got := do(t, "POST", w.host.URL()+"/api/portal/x?do=hang", "body"); got.Status != 500 || got.Body != "" {
			t.Errorf("the caller gets an empty 500: %+v", got)
		}
		w.await(4, starts) // three restarts by timeout, and the host goes on
		if got := do(t, "GET", w.host.URL()+"/api/portal/y", ""); got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestBothLeaveNoProcessBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a host waits 10 s for what runs")
	}
	underBoth(t, busHost, []string{"sbbinary"}, nil, func(t *testing.T, w *world) {
		send(t, w.broker, "binary", servicebus.Message{MessageID: "long", Body: []byte("do:sleep 1h")})
		w.await(1, calls("/sbbinary"))
		pid := w.host.HandlerPID()
		if err := w.host.Stop(); err != nil {
			t.Error(err)
		}
		eventually(t, "the handler's end", func() bool { return !alive(pid) })
		if err := waitFor(t, w.host); err != nil {
			t.Errorf("Wait after Stop: %v", err)
		}
	})
}
