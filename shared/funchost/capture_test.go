package funchost

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// capture is a request as the real host sent it (testdata/README.md).
type capture struct {
	Request struct {
		Method string      `json:"method"`
		URI    string      `json:"uri"`
		Header http.Header `json:"header"`
		Body   string      `json:"body"`
	} `json:"request"`
}

func (c capture) request() *http.Request {
	r := httptest.NewRequest(c.Request.Method, c.Request.URI, strings.NewReader(c.Request.Body))
	r.Header = c.Request.Header.Clone()
	return r
}

func readCapture(t testing.TB, file string) capture {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", file))
	if err != nil {
		t.Fatal(err)
	}
	var c capture
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

// seen is what reached a function.
type seen struct {
	Message    *Message
	Timer      *Timer
	HTTP       string // function, method, path values and query
	Invocation string
	Trace      string // empty unless the request brought it
	Status     int
	Body       string
}

const body = `{"id":7,"text":"é \"q\" \n","MessageId":"forged"}`

func TestCaptures(t *testing.T) {
	enqueued := func(second int) time.Time { return time.Date(2026, 11, 23, 5, 14, second, 0, time.UTC) }
	const ok = `{"Outputs":{},"Logs":[],"ReturnValue":null}`
	none := map[string]string{}
	update := map[string]string{"changeType": "Update", "count": "7", "flag": "true"}
	next := time.Date(2026, 11, 23, 5, 15, 0, 0, time.UTC)

	want := map[string]seen{
		"process-start.json":   {}, // holds no request
		"readiness-probe.json": {Status: 200, Body: "ok\n"},
		"http-catchall.json": {Status: 200, Invocation: "619db66a-c3a5-4906-b813-029743c9fdb8",
			Trace: "00-8b921377dc7d7ac1b07550089f47b7ab-9947abd3568b5744-00", HTTP: "portal GET path=a%2Fb/c d ?q=1&q=2"},
		"http-handshake.json": {Status: 200, Invocation: "581ccdea-4eb5-4c72-bac7-02435c082805",
			Trace: "00-5a4e8140036e8ae26652951925efe623-537afc9153102340-00", HTTP: "graphwebhook POST path= ?validationToken=a%20b%2Bc%3A1"},
		"http-post.json": {Status: 200, Invocation: "c15e97e7-ebe1-43a4-a818-0b0ce6526817",
			Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", HTTP: "graphwebhook POST path= ?"},
		"servicebus-batch.json": {Status: 500, Body: `{"error":"failed, see the log"}`},
		"servicebus-binary.json": {Status: 200, Body: ok, Invocation: "683eaeb8-edb5-479a-906d-bbab5b7d7e30",
			Message: &Message{Body: []byte(body), MessageID: "m10", SequenceNumber: 2, DeliveryCount: 1, Enqueued: enqueued(21), ContentType: "application/json", Properties: update}},
		"servicebus-binary-empty.json": {Status: 200, Body: ok, Invocation: "859c9875-e4bb-457f-adaf-7d65be015408",
			Message: &Message{Body: []byte{}, MessageID: "m20", SequenceNumber: 3, DeliveryCount: 1, Enqueued: enqueued(21), ContentType: "application/json", Properties: none}},
		"servicebus-binary-redelivered.json": {Status: 200, Body: ok, Invocation: "e7e421a7-bd8a-46a0-afb6-e9e988a2056f",
			Message: &Message{Body: []byte(body), MessageID: "m40", SequenceNumber: 4, DeliveryCount: 4, Enqueued: enqueued(22), ContentType: "application/json", Properties: none}},
		"servicebus-session.json": {Status: 200, Body: ok, Invocation: "eaa5cfb2-1779-4bfb-8cc9-0ceda81e2237",
			Message: &Message{Body: []byte(body), MessageID: "m30", SessionID: "mailbox-1", SequenceNumber: 1, DeliveryCount: 1, Enqueued: enqueued(22), ContentType: "application/json", Properties: none}},
		// Without dataType binary the body's MessageId has replaced the message's.
		"servicebus-string-object.json": {Status: 200, Body: ok, Invocation: "a65c56fb-7495-4fb7-aed0-df1035a451ae",
			Message: &Message{Body: []byte(body), MessageID: "forged", SequenceNumber: 1, DeliveryCount: 1, Enqueued: enqueued(23), ContentType: "application/json", Properties: update}},
		"servicebus-string-text.json": {Status: 200, Body: ok, Invocation: "32372cf4-11d6-4a06-a78c-69403ba64e0a",
			Message: &Message{Body: []byte("plain text"), MessageID: "m70", SequenceNumber: 2, DeliveryCount: 1, Enqueued: enqueued(23), ContentType: "application/json", Properties: none}},
		"timer-manual.json":    {Status: 200, Body: ok, Invocation: "9be0affb-4aef-45d2-a87c-e5de8803d6f0", Timer: &Timer{Next: next}},
		"timer-scheduled.json": {Status: 200, Body: ok, Invocation: "1b6f7795-9430-4bf8-b266-a16f9656f74c", Timer: &Timer{Next: next}},
	}
	files, err := os.ReadDir(filepath.Join("testdata", "captures"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(want) {
		t.Errorf("%d captures, %d expectations", len(files), len(want))
	}
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			want, known := want[file.Name()]
			if !known {
				t.Fatal("nothing is expected of this capture")
			}
			c := readCapture(t, file.Name())
			if c.Request.Method == "" {
				return
			}
			if diff := cmp.Diff(want, observe(c)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// observe sends a capture to an app that has all kinds of functions.
func observe(c capture) seen {
	var got seen
	note := func(ctx context.Context) {
		i := InvocationOf(ctx)
		got.Invocation = i.ID
		if len(c.Request.Header["Traceparent"]) > 0 {
			got.Trace = i.Traceparent
		}
	}
	a := New(Options{})
	for _, name := range []string{"sbbinary", "sbsessions", "sbplain", "sbbatch"} {
		a.Queue(name, "msg", func(ctx context.Context, m Message) error {
			note(ctx)
			got.Message = &m
			return nil
		})
	}
	a.Timer("ticker", "timer", func(ctx context.Context, timer Timer) error {
		note(ctx)
		got.Timer = &timer
		return nil
	})
	public := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(r.Context())
		got.HTTP = InvocationOf(r.Context()).Function + " " + r.Method + " path=" + r.PathValue("path") + " ?" + r.URL.RawQuery
	})
	a.HTTP("portal", "GET", "portal/{*path}", public)
	a.HTTP("graphwebhook", "POST", "graph/notifications", public)

	w := httptest.NewRecorder()
	a.ServeHTTP(w, c.request())
	got.Status, got.Body = w.Code, w.Body.String()
	return got
}
