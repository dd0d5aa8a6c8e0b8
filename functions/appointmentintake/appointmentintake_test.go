package appointmentintake

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

const (
	trace    = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	guid     = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	modified = `{"AppointmentGuid":"` + guid + `","Subject":"x","LastModifiedDate":"2026-11-23T05:00:00Z"}`
	undated  = `{"AppointmentGuid":"` + guid + `","Subject":"x"}`
)

// decode is the board's own decoder: what intake takes, appointmentpush must understand.
func decode(body []byte, changeType string, sequence int64, enqueued time.Time) (appointment.Change, error) {
	return dimescheduler.DecodeChange(body, changeType, sequence, enqueued, time.UTC)
}

type reply struct {
	status    int
	Error     string
	MessageID string
}

// post sends a body through the host's adapter, as in the app.
func post(t *testing.T, b *bus.Mem, operation, body string) reply {
	t.Helper()
	a := funchost.New(funchost.Options{})
	a.HTTP("appointmentintake", "POST", "appointments/{operation}", Handler(decode, b, slog.New(slog.DiscardHandler)))
	r := httptest.NewRequest("POST", "/api/appointments/"+operation, strings.NewReader(body))
	r.Header.Set("traceparent", trace)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	got := reply{status: w.Code}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	return got
}

func TestTaken(t *testing.T) {
	for operation, want := range map[string]appointment.Operation{"Create": "Create", "update": "Update", "DELETE": "Delete"} {
		b := &bus.Mem{}
		got := post(t, b, operation, modified)
		sent := b.Changes()
		if got.status != 202 || len(sent) != 1 {
			t.Fatalf("%s: %+v, %d sent", operation, got, len(sent))
		}
		c := sent[0]
		if c.MessageID != got.MessageID || c.MessageID == "" || len(c.MessageID) > 128 || c.Operation != want || string(c.Body) != modified || c.Traceparent != trace {
			t.Errorf("%s: %+v", operation, c)
		}
	}
}

// A repeated POST is one change; another body or operation is another, and so
// is the same body again if nothing tells it from a move back.
func TestMessageIDs(t *testing.T) {
	id := func(operation, body string) string {
		got := post(t, &bus.Mem{}, operation, body)
		if got.status != 202 {
			t.Fatalf("%+v", got)
		}
		return got.MessageID
	}
	first := id("Update", modified)
	if again := id("updated", modified); again != first {
		t.Errorf("the same POST has the ids %s and %s", first, again)
	}
	if id("Delete", modified) == first || id("Update", strings.Replace(modified, "05:00", "05:01", 1)) == first {
		t.Error("another change has the same id")
	}
	if there, back := id("Update", undated), id("Update", undated); there == back {
		t.Error("a move back would be dropped as a duplicate")
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		name, operation, body string
		status                int
		want                  string
	}{
		{"unknown operation", "move", modified, 400, "create, update or delete"},
		{"no JSON", "create", `{"AppointmentGuid"`, 400, "JSON"},
		{"empty", "create", ``, 400, "empty"},
		{"a list", "create", `[` + modified + `]`, 400, "not an object"},
		{"no id", "create", `{"Subject":"secret subject"}`, 400, ""},
		{"ends before it starts", "create", `{"AppointmentGuid":"` + guid + `","Start":"2026-11-23T05:00:00","End":"2026-11-23T04:00:00"}`, 400, ""},
		{"too large", "create", `{"AppointmentGuid":"` + guid + `","Body":"` + strings.Repeat("x", maxBody) + `"}`, 413, "240 KiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &bus.Mem{}
			got := post(t, b, tc.operation, tc.body)
			if got.status != tc.status || got.Error == "" || !strings.Contains(got.Error, tc.want) {
				t.Errorf("%+v", got)
			}
			if strings.Contains(got.Error, "secret") {
				t.Errorf("the error shows the body: %s", got.Error)
			}
			if len(b.Changes()) > 0 {
				t.Error("sent all the same")
			}
		})
	}
}

func TestBrokerDown(t *testing.T) {
	b := &bus.Mem{Fail: func(string) error { return errors.New("dial sb-private.example") }}
	if got := post(t, b, "create", modified); got.status != 503 || got.Error == "" || strings.Contains(got.Error, "private") {
		t.Errorf("%+v", got)
	}
}
