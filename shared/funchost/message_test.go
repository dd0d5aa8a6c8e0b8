package funchost

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestBodyEncodings(t *testing.T) {
	for _, tc := range []struct {
		name, value, want string
		asText            bool
	}{
		{"binary", `"AP8="`, "\x00\xff", false},
		{"binary, empty", `""`, "", false},
		{"absent", `null`, "", false},
		{"double", `"\"{\\\"a\\\":1}\""`, `{"a":1}`, true},
		{"double, empty", `"\"\""`, "", true},
		{"double, text that looks like base64", `"\"test1234\""`, "test1234", true},
		{"single", `"{\"a\":1}"`, `{"a":1}`, true},
		{"single, text with a line end", `"abcd\n"`, "abcd\n", true},
		{"single, base64 with wrong padding", `"AP9="`, "AP9=", true},
		{"object", `{"a":1}`, `{"a":1}`, true},
		{"array", `[1]`, `[1]`, true},
		{"number", `7`, `7`, true},
		{"quotes that do not close", `"\"a"`, `"a`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body, asText := bodyOf(json.RawMessage(tc.value))
			if string(body) != tc.want || asText != tc.asText {
				t.Errorf("%q, %v; want %q, %v", body, asText, tc.want, tc.asText)
			}
		})
	}
}

func TestMetadataEncodings(t *testing.T) {
	at := time.Date(2026, 11, 23, 5, 14, 21, 0, time.UTC)
	full := Message{
		Body: []byte("x"), MessageID: "m1", SessionID: "s1", SequenceNumber: 9007199254740993, DeliveryCount: 2,
		Enqueued: at, ContentType: "application/json", Properties: map[string]string{},
	}
	with := func(change func(*Message)) Message {
		m := full
		change(&m)
		return m
	}
	for _, tc := range []struct {
		name, metadata string
		want           Message
		odd            string
	}{
		{"double, as the host does",
			`"MessageId":"\"m1\"","SessionId":"\"s1\"","SequenceNumber":"9007199254740993","DeliveryCount":"2","EnqueuedTimeUtc":"2026-11-23T05:14:21","ContentType":"\"application/json\""`,
			full, ""},
		{"single, as its documentation shows",
			`"MessageId":"m1","SessionId":"s1","SequenceNumber":9007199254740993,"DeliveryCount":2,"EnqueuedTimeUtc":"2026-11-23T05:14:21Z","ContentType":"application/json"`,
			full, ""},
		{"keys in another letter case",
			`"messageid":"m1","sessionID":"s1","sequencenumber":9007199254740993,"DELIVERYCOUNT":2,"enqueuedTimeUtc":"2026-11-23T05:14:21","contenttype":"application/json"`,
			full, ""},
		{"a forged twin behind, in the same and in another case",
			`"MessageId":"m1","messageid":"forged","MessageId":"forged","SessionId":"s1","sessionid":"forged","SequenceNumber":"9007199254740993","DeliveryCount":"2","EnqueuedTimeUtc":"2026-11-23T05:14:21","ContentType":"application/json"`,
			full, ""},
		{"a time with a zone, the other field",
			`"MessageId":"m1","SessionId":"s1","SequenceNumber":"9007199254740993","DeliveryCount":"2","EnqueuedTime":"2026-11-23T07:14:21+02:00","ContentType":"application/json"`,
			full, ""},
		{"a time as it leaks from a body",
			`"MessageId":"m1","SessionId":"s1","SequenceNumber":"9007199254740993","DeliveryCount":"2","EnqueuedTimeUtc":"\"11/23/2026 05:14:21\"","ContentType":"application/json"`,
			full, ""},
		{"nothing at all", ``,
			Message{Body: []byte("x"), Properties: map[string]string{}}, "SequenceNumber DeliveryCount EnqueuedTimeUtc"},
		{"nonsense",
			`"MessageId":"m1","SessionId":"s1","SequenceNumber":"many","DeliveryCount":{},"EnqueuedTimeUtc":"yesterday","ContentType":null`,
			with(func(m *Message) {
				m.SequenceNumber, m.DeliveryCount, m.Enqueued, m.ContentType = 0, 0, time.Time{}, ""
			}), "SequenceNumber DeliveryCount EnqueuedTimeUtc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := decodeEnvelope([]byte(`{"Data":{"msg":"eA=="},"Metadata":{` + tc.metadata + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			got, odd, err := decodeMessage(e, "msg")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			if s := strings.Join(odd, " "); s != tc.odd {
				t.Errorf("odd: %q, want %q", s, tc.odd)
			}
		})
	}
}

func TestProperties(t *testing.T) {
	for _, tc := range []struct {
		name, metadata string
		want           map[string]string
	}{
		{"every scalar type",
			`"ApplicationProperties":{"s":"x","i":9007199254740993,"d":7.50,"b":false,"n":null,"quoted":"\"x\"","empty":""}`,
			map[string]string{"s": "x", "i": "9007199254740993", "d": "7.50", "b": "false", "quoted": `"x"`, "empty": ""}},
		{"under the older name", `"UserProperties":{"s":"x"}`, map[string]string{"s": "x"}},
		{"the newer name wins", `"UserProperties":{"s":"old"},"ApplicationProperties":{"s":"new"}`, map[string]string{"s": "new"}},
		{"as a string", `"ApplicationProperties":"{\"s\":\"x\"}"`, map[string]string{"s": "x"}},
		{"the first of two counts", `"ApplicationProperties":{"s":"x","s":"forged"}`, map[string]string{"s": "x"}},
		{"not an object", `"ApplicationProperties":[1]`, map[string]string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := decodeEnvelope([]byte(`{"Data":{},"Metadata":{` + tc.metadata + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, properties(e.metadata)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestPropertyIgnoresLetterCase(t *testing.T) {
	m := Message{Properties: map[string]string{"ChangeType": "Update", "a": "exact", "A": "other"}}
	if got := m.Property("changeType"); got != "Update" {
		t.Errorf("changeType: %q", got)
	}
	if got := m.Property("a"); got != "exact" {
		t.Errorf("a: %q", got)
	}
	if got := m.Property("none"); got != "" {
		t.Errorf("none: %q", got)
	}
}

func TestTimers(t *testing.T) {
	last := time.Date(2026, 11, 20, 0, 0, 0, 2_600_000, time.UTC)
	next := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name, timer string
		want        Timer
	}{
		{"past due", `{"ScheduleStatus":{"Last":"2026-11-20T00:00:00.0026+00:00","Next":"2026-11-21T00:00:00+00:00"},"IsPastDue":true}`,
			Timer{PastDue: true, Last: last, Next: next}},
		{"no status, as for schedules of less than a minute", `{"ScheduleStatus":null,"IsPastDue":false}`, Timer{}},
		{"as a string", `"{\"IsPastDue\":\"True\"}"`, Timer{PastDue: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := decodeEnvelope([]byte(`{"Data":{"timer":` + tc.timer + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeTimer(e, "timer")
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("want (-), got (+):\n%s%v", diff, err)
			}
		})
	}
}

// Whatever is posted, the decoder ends, and says of what it can not read only where it is.
func FuzzDecode(f *testing.F) {
	captures, err := os.ReadDir("testdata/captures")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range captures {
		f.Add(readCapture(f, file.Name()).Request.Body)
	}
	f.Add(`{"Data":{"msg":"\"\\\"\""},"Metadata":{"ApplicationProperties":"\"{}\"","MessageId":[[]]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := decodeEnvelope([]byte(text))
		if err != nil {
			return
		}
		m, odd, err := decodeMessage(e, "msg")
		if err == nil && m.Properties == nil {
			t.Error("no properties at all")
		}
		if len(odd) == 0 && err == nil && (m.SequenceNumber == 0 && m.Enqueued.IsZero()) {
			t.Error("metadata is missing without a word")
		}
		if utf8.ValidString(text) && !utf8.ValidString(m.MessageID) {
			t.Errorf("message id %q", m.MessageID)
		}
		_, _ = decodeTimer(e, "timer")
	})
}
