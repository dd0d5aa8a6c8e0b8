package hooksim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

const key = "a key that both know"

// sender calls the receiver as the connector does.
type sender struct {
	*testing.T
	server *Server
	url    string
}

func newSender(t *testing.T, o Options) *sender {
	s := &sender{T: t, server: New(o)}
	listener := httptest.NewServer(s.server)
	t.Cleanup(listener.Close)
	s.url = listener.URL
	return s
}

// delivery is a call of an appointment with this subject; change may spoil it.
func (s *sender) send(idempotency, operation, version, subject string, change ...func(*http.Request)) int {
	s.Helper()
	body := `{"AppointmentGuid":"A1","Subject":"` + subject + `","StartDate":"2026-11-23T09:00:00Z","EndDate":"2026-11-23T10:00:00Z",
		"Task":{"TaskNo":"T1","Job":{"JobNo":"J1"}},"Assignments":[{"Resource":{"ResourceNo":"B"}},{"Resource":{"ResourceNo":"A"}}]}`
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Idempotency-Key", idempotency)
	r.Header.Set("X-Dime-Operation", operation)
	r.Header.Set("X-Dime-Version", version)
	r.Header.Set("X-Dime-Timestamp", stamp)
	r.Header.Set("X-Dime-Signature", signed(stamp, body))
	for _, f := range change {
		f(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

func signed(stamp, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, stamp+"."+body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func (s *sender) one() (Appointment, Counts) {
	s.Helper()
	states, counts := s.server.State()
	if len(states) != 1 {
		s.Fatalf("%d appointments, want one", len(states))
	}
	return states[0], counts
}

func TestALateDeliveryAndARepeatedOneChangeNothing(t *testing.T) {
	s := newSender(t, Options{Key: key})
	for _, c := range []struct{ key, version, subject string }{
		{"1", "2026-11-23T08:00:00Z#1", "first"},
		{"3", "2026-11-23T08:00:00.5Z#3", "third"},
		{"2", "2026-11-23T08:00:00.05Z#2", "second"},
		{"3", "2026-11-23T08:00:00.5Z#3", "third"},
	} {
		if got := s.send(c.key, "Update", c.version, c.subject); got != http.StatusAccepted {
			t.Errorf("%s: status %d", c.subject, got)
		}
	}
	a, counts := s.one()
	if a.Subject != "third" || a.Taken != 3 || strings.Join(a.Resources, " ") != "A B" || a.JobNo != "J1" || a.TaskNo != "T1" {
		t.Errorf("state: %+v", a)
	}
	if want := (Counts{Taken: 3, Repeated: 1, Overtook: 1}); counts != want {
		t.Errorf("counts %+v, want %+v", counts, want)
	}
	var shown struct{ Appointments []Appointment }
	response, err := http.Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&shown); err != nil || len(shown.Appointments) != 1 || shown.Appointments[0].Subject != "third" {
		t.Errorf("GET shows %+v, %v", shown, err)
	}
}

func TestWhatIsNotAsAgreedIsRefused(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, c := range []struct {
		name   string
		spoil  func(*http.Request)
		status int
	}{
		{"no signature", set("X-Dime-Signature", ""), http.StatusUnauthorized},
		{"a signature of another body", set("X-Dime-Signature", signed("1", "x")), http.StatusUnauthorized},
		{"another time stamp than was signed", set("X-Dime-Timestamp", "1"), http.StatusUnauthorized},
		{"a recorded call", func(r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			old := strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)
			r.Header.Set("X-Dime-Timestamp", old)
			r.Header.Set("X-Dime-Signature", signed(old, string(body)))
		}, http.StatusUnauthorized},
		{"no key", set("Idempotency-Key", ""), http.StatusUnprocessableEntity},
		{"another operation", set("X-Dime-Operation", "Move"), http.StatusUnprocessableEntity},
		{"another method", func(r *http.Request) { r.Method = http.MethodPut }, http.StatusMethodNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSender(t, Options{Key: key})
			if got := s.send("1", "Create", "2026-11-23T08:00:00Z#1", "x", c.spoil); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if states, counts := s.server.State(); len(states) != 0 || counts.Taken != 0 {
				t.Errorf("it was kept: %+v", states)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  Fault
		status int
		kept   int
	}{
		{"refused before", Fault{Status: http.StatusServiceUnavailable}, http.StatusServiceUnavailable, 0},
		{"the answer is lost", Fault{AfterKeeping: true, Cut: true}, 0, 1},
		{"the call is lost", Fault{Cut: true}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSender(t, Options{Key: key})
			s.server.SetFault(func(d Delivery) *Fault {
				if d.GUID != "a1" {
					t.Errorf("the hook sees %q", d.GUID)
				}
				return &c.fault
			})
			if got := s.send("1", "Create", "2026-11-23T08:00:00Z#1", "x"); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if states, _ := s.server.State(); len(states) != c.kept {
				t.Errorf("%d kept, want %d", len(states), c.kept)
			}
			s.server.SetFault(nil)
			if got := s.send("1", "Create", "2026-11-23T08:00:00Z#1", "x"); got != http.StatusAccepted {
				t.Errorf("again: status %d", got)
			}
			if a, counts := s.one(); a.Taken != 1 || counts.Repeated != c.kept {
				t.Errorf("in the end %+v, %+v", a, counts)
			}
		})
	}
}
