package funchost

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"
)

// capture is a file of testdata/captures: what the real host was sent, and what it sent to its handler.
type capture struct {
	Sent        json.RawMessage
	Environment map[string]string
	Request     struct {
		Method           string
		URI              string
		Host             string
		ContentLength    int64
		TransferEncoding []string
		Header           http.Header
		Body             string
	}
}

func captured(t *testing.T, file string) capture {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", file))
	if err != nil {
		t.Fatal(err)
	}
	var c capture
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func dial(d *Double) (net.Conn, error) { return dialURL(d.URL()) }

func dialURL(url string) (net.Conn, error) {
	return net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), patience)
}

// masks replace what differs between two recordings: ids, times, and numbers that the broker gives.
var masks = []struct {
	form *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<guid>"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d`), "<time>"}, // not the years 1 and 9999, which are constants
	{regexp.MustCompile(`<time>\.\d+`), "<time>.<fraction>"},
	{regexp.MustCompile(`\\?"m\d+\\?"`), `<message id>`},
	{regexp.MustCompile(`("SequenceNumber":)"\d+"`), `$1"<n>"`},
	{regexp.MustCompile(`("SequenceNumberArray":)"[^"]*"`), `$1"<n>"`},
	{regexp.MustCompile(`("DeliveryCount":)"\d+"`), `$1"<n>"`},
	{regexp.MustCompile(`"count":7,"flag":true,"changeType":"Update"`), `"changeType":"Update","count":7,"flag":true`}, // the order of an AMQP map
}

func masked(body string) string {
	for _, m := range masks {
		body = m.form.ReplaceAllString(body, m.mask)
	}
	return body
}

// sameRequest compares a request of the double with the real host's, but for ids, times and ports.
func sameRequest(t *testing.T, got recorded, want capture) {
	t.Helper()
	if got.Method != want.Request.Method || got.URI != want.Request.URI {
		t.Errorf("%s %s, want %s %s", got.Method, got.URI, want.Request.Method, want.Request.URI)
	}
	if !strings.HasPrefix(got.Host, "127.0.0.1:") {
		t.Errorf("Host %s", got.Host)
	}
	if !slices.Equal(got.TransferEncoding, want.Request.TransferEncoding) || (got.ContentLength < 0) != (want.Request.ContentLength < 0) {
		t.Errorf("length %d, encoding %v; want %d, %v", got.ContentLength, got.TransferEncoding, want.Request.ContentLength, want.Request.TransferEncoding)
	}
	if diff := cmp.Diff(maskedHeader(want.Request.Header), maskedHeader(got.Header)); diff != "" {
		t.Errorf("header (-real +double):\n%s", diff)
	}
	if diff := cmp.Diff(masked(want.Request.Body), masked(got.Body)); diff != "" {
		t.Errorf("body (-real +double):\n%s", diff)
	}
}

func maskedHeader(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		for _, value := range values {
			switch {
			case name == "Traceparent" && strings.HasSuffix(value, "-00"):
				value = "<new>"
			case name == "X-Forwarded-Host" && strings.HasPrefix(value, "127.0.0.1:"):
				value = "127.0.0.1:<port>"
			case name == "Content-Length" && value != "0":
				value = "<length>"
			}
			out.Add(name, masked(value))
		}
	}
	return out
}

func TestProbeEqualsTheRealHosts(t *testing.T) {
	a := newApp(t, hostJSON, "portal")
	a.start(a.options())
	sameRequest(t, a.await(1, calls("/"))[0], captured(t, "readiness-probe.json"))
	if n := len(a.records(calls("/"))); n != 1 {
		t.Errorf("asked %d times, want 1: not again after an answer", n)
	}
}

func TestHTTPRequestsEqualTheRealHosts(t *testing.T) {
	a := newApp(t, hostJSON, "hook", "portal")
	d := a.start(a.options())
	for file, send := range map[string]struct {
		head string // besides the request line and Host
		body string
	}{
		"http-catchall.json":  {"", ""},
		"http-handshake.json": {"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n", ""},
		"http-post.json": {"Content-Type: application/json\r\nX-Forwarded-For: 9.9.9.9\r\nX-MS-CLIENT-PRINCIPAL-NAME: forged\r\n" +
			"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nTransfer-Encoding: chunked\r\n", "c\r\n{\"value\":[]}\r\n0\r\n\r\n"},
	} {
		t.Run(file, func(t *testing.T) {
			want := captured(t, file)
			var sent struct {
				Method, Target string
				Headers        map[string]string
			}
			if err := json.Unmarshal(want.Sent, &sent); err != nil {
				t.Fatal(err)
			}
			host := strings.TrimPrefix(d.URL(), "http://")
			if sent.Headers["Host"] != "" {
				host = sent.Headers["Host"]
			}
			before := len(a.records(public))
			c, err := dial(d)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte(sent.Method + " " + sent.Target + " HTTP/1.1\r\nHost: " + host + "\r\n" + send.head + "\r\n" + send.body)); err != nil {
				t.Fatal(err)
			}
			sameRequest(t, a.await(before+1, public)[before], want)
		})
	}
}

func TestTimerCallsEqualTheRealHosts(t *testing.T) {
	start := time.Date(2026, 11, 23, 5, 14, 15, 5737900, time.UTC)
	plan, err := parseSchedule("0 */1 * * * *")
	if err != nil {
		t.Fatal(err)
	}
	f := &function{Name: "ticker", Binding: "timer", Timer: &timerTrigger{Schedule: plan, Monitored: true}}
	for file, status := range map[string]timerStatus{
		"timer-scheduled.json": {Next: plan.next(start)},
		"timer-manual.json":    {Next: plan.next(start), LastUpdated: start},
	} {
		want := captured(t, file).Request.Body
		if got := string(timerPayload(f, &status, false, time.Now())); masked(got) != masked(want) {
			t.Errorf("%s (-real +double):\n%s", file, cmp.Diff(masked(want), masked(got)))
		}
	}

	a := newApp(t, hostJSON, "ticker")
	d := a.start(a.options("TICKER", "0 */1 * * * *"))
	if v, err := d.Run(t.Context(), "ticker"); err != nil || v.Outcome != Succeeded {
		t.Fatalf("%+v, %v", v, err)
	}
	sameRequest(t, a.await(1, calls("/ticker"))[0], captured(t, "timer-manual.json"))
}

func TestDotNetText(t *testing.T) {
	for in, want := range map[string]string{
		"a\"b\\c\n\r\t\b\f":        `"a\"b\\c\n\r\t\b\f"`,
		"\x00\x1f\x7f":             "\"\\u0000\\u001f\x7f\"",
		"é<>&'/\u0085\u2028\u2029": `"é<>&'/\u0085\u2028\u2029"`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
	at := time.Date(2026, 11, 23, 5, 14, 21, 703860000, time.UTC)
	if got := ticks(at); got != "2026-11-23T05:14:21.70386" {
		t.Errorf("ticks: %s", got)
	}
	if got := ticks(never); got != "9999-12-31T23:59:59.9999999" {
		t.Errorf("never: %s", got)
	}
}

func TestBodyFieldsLeakIntoMetadata(t *testing.T) {
	f := &function{Name: "sbplain", Binding: "msg", Queue: &queueTrigger{}}
	m := &azservicebus.ReceivedMessage{MessageID: "m1", Body: []byte(`{"messageid":"forged","a":[1],"n":null,"o":{"x": 1},"t":true,
		"when":"2026-02-01T03:04:05Z","f":1.5,"queueTrigger":"x","SYS":"gone"}`)}
	got := string(messagePayload(f, busClient{}, m, time.Now()))
	for _, want := range []string{
		`"MessageId":"\"forged\""`, `"o":{"x":1}`, `"t":"\"True\""`, `"when":"\"02/01/2026 03:04:05\""`, `"f":"\"1.5\""`, `"sys":"\"gone\""`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	metadata := got[strings.Index(got, `"Metadata"`):]
	for _, stray := range []string{`"messageid"`, `"a"`, `"n"`, `"queueTrigger"`, `"SYS"`} {
		if strings.Contains(metadata, stray+":") {
			t.Errorf("%s must not be in\n%s", stray, metadata)
		}
	}
}
