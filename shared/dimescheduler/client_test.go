package dimescheduler

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

func fixedKey(context.Context) (secret.Secret, error) { return secret.New("k3y"), nil }

func clientOf(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return New(Options{BaseURL: srv.URL + "/", Key: fixedKey, HTTPClient: srv.Client(), Clock: func() time.Time { return enqueued }})
}

func answers(status int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if name, v, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, v)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const done = `{"content":"{\"Success\":true,\"Message\":\"\",\"Status\":200,\"Phrase\":\"OK\",\"Appointments\":[{\"Id\":12,\"Guid\":\"6F9619FF-8B86-D011-B42D-00CF4FC964FF\"}]}","contentType":"application/json","statusCode":200}`

// TestUpsertExchangeOnTheWire holds the request against the documented import
// (facts C.2, A.8): parallel lists, all values texts, null for what is not known.
func TestUpsertExchangeOnTheWire(t *testing.T) {
	var got []importRequest
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/import" || r.Header.Get("X-API-KEY") != "k3y" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		answers(200, "", done)(w, r)
	})
	ref, err := c.UpsertExchange(t.Context(), ExchangeAppointment{
		Guid: guid, ExchangeID: "EX", ICalUID: "UID", ResourceEmail: "ann@contoso.example", CreatedByExchange: true,
		Content: appointment.Content{
			appointment.Subject: "", appointment.When: appointment.Interval(at(8, 0), at(10, 30)),
			appointment.Importance: "low", appointment.ShowAs: "busy", appointment.Sensitivity: "private",
		},
	})
	if err != nil || ref != (Ref{ID: 12, Guid: guid}) {
		t.Fatalf("got %v, %v", ref, err)
	}
	values := map[string]string{}
	for i, name := range got[0].ParameterNames {
		values[name] = "null"
		if v := got[0].ParameterValues[i]; v != nil {
			values[name] = "=" + *v
		}
	}
	want := map[string]string{
		"AppointmentId": "null", "AppointmentGuid": "=" + guid, "ExchangeId": "=EX", "ICalUId": "=UID",
		"Start": "=2026-03-02 08:00:00Z", "End": "=2026-03-02 10:30:00Z", "Subject": "=", "Body": "null", "Importance": "=2",
		"ResourceEmail": "=ann@contoso.example", "ShowAs": "=3", "Sensitivity": "=3", "Categories": "null", "CreatedByExchange": "=True",
	}
	if d := cmp.Diff(want, values); d != "" || got[0].StoredProcedureName != "mboc_upsertExchangeAppointment" || len(got) != 1 {
		t.Errorf("%s -want +got\n%s", got[0].StoredProcedureName, d)
	}
}

// TestWriteFaults: each answer of the board and what it means for a write.
func TestWriteFaults(t *testing.T) {
	const hush = "Ann Smith, SECRET-TEXT"
	enveloped := func(status, content string) string {
		return `{"content":` + content + `,"contentType":"application/json","statusCode":` + status + `}`
	}
	failure := `"{\"Error\":\"ImportException ` + hush + `\",\"Description\":\"` + hush + `\"}"`
	cases := map[string]struct {
		h    http.HandlerFunc
		want fault.Error
	}{
		"refused within a 200":      {answers(200, "", enveloped("500", failure)), fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "HTTP500"}},
		"error within a 200 of 200": {answers(200, "", enveloped("200", failure)), fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "HTTP200"}},
		"not successful":            {answers(200, "", enveloped("200", `{"Success":false,"Status":422,"Message":"[DSEX007] `+hush+`"}`)), fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "DSEX007"}},
		"error that is an object":   {answers(200, "", enveloped("200", `{"Error":{"x":"`+hush+`"}}`)), fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "HTTP200"}},
		"refused in words":          {answers(200, "", enveloped("500", `"`+hush+`"`)), fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "HTTP500"}},
		"database of the board":     {answers(200, "", enveloped("500", `{"Error":"[DSDB003] `+hush+`"}`)), fault.Error{Reason: fault.Unavailable, Code: "DSDB003", Ambiguous: true}},
		"envelope of 429":           {answers(200, "", enveloped("429", `""`)), fault.Error{Reason: fault.RateLimit, Code: "HTTP429"}},
		"envelope of 401":           {answers(200, "", enveloped("401", `""`)), fault.Error{Reason: fault.Auth, Code: "HTTP401", WholeTarget: true, WholeService: true}},
		"envelope of 503":           {answers(200, "", enveloped("503", `""`)), fault.Error{Reason: fault.Unavailable, Code: "HTTP503", Ambiguous: true}},
		"bare success without word": {answers(200, "", `{}`), fault.Error{Reason: fault.Unavailable, Ambiguous: true}},
		"a proxy's page":            {answers(200, "", "<html>"+hush), fault.Error{Reason: fault.Unavailable, Ambiguous: true}},
		"nothing":                   {answers(204, "", ""), fault.Error{Reason: fault.Unavailable, Ambiguous: true}},
		"400":                       {answers(400, "", hush), fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "HTTP400"}},
		"409":                       {answers(409, "", hush), fault.Error{Reason: fault.Conflict, Code: "HTTP409"}},
		"401":                       {answers(401, "", hush), fault.Error{Reason: fault.Auth, Code: "HTTP401", WholeTarget: true, WholeService: true}},
		"403":                       {answers(403, "", hush), fault.Error{Reason: fault.Auth, Code: "HTTP403", WholeTarget: true, WholeService: true}},
		"404":                       {answers(404, "", hush), fault.Error{Reason: fault.Unavailable, Code: "HTTP404", WholeTarget: true}},
		"429 in seconds":            {answers(429, "Retry-After: 1.5", ""), fault.Error{Reason: fault.RateLimit, Code: "HTTP429", RetryAfter: 1500 * time.Millisecond}},
		"429 with a date":           {answers(429, "Retry-After: "+enqueued.Add(90*time.Second).Format(http.TimeFormat), ""), fault.Error{Reason: fault.RateLimit, Code: "HTTP429", RetryAfter: 90 * time.Second}},
		"429 without":               {answers(429, "", ""), fault.Error{Reason: fault.RateLimit, Code: "HTTP429"}},
		"503":                       {answers(503, "Retry-After: 7", hush), fault.Error{Reason: fault.Unavailable, Code: "HTTP503", RetryAfter: 7 * time.Second, Ambiguous: true}},
		"redirection":               {answers(302, "Location: https://evil.example/", ""), fault.Error{Reason: fault.Unavailable, Code: "HTTP302", WholeTarget: true}},
		"cut":                       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Error{Reason: fault.Unavailable, Ambiguous: true}},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			err := clientOf(t, x.h).DeleteAppointment(t.Context(), appointment.Appointment{Guid: guid})
			f, ok := errors.AsType[*fault.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			got := *f
			got.Op, got.Err = "", nil
			if d := cmp.Diff(x.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			if strings.Contains(err.Error(), "SECRET-TEXT") || strings.Contains(err.Error(), "k3y") {
				t.Errorf("%v shows what it must not", err)
			}
		})
	}
}

func TestSuccessByTheEnvelopeAlone(t *testing.T) {
	for _, body := range []string{
		`{"content":"","contentType":null,"statusCode":200}`,
		`{"content":null,"statusCode":200}`,
		`{"success":true,"message":"","status":200,"phrase":"OK"}`,
	} {
		if err := clientOf(t, answers(200, "", body)).Unassign(t.Context(), appointment.Appointment{Guid: guid}, "R"); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestNoConnectionIsNotAmbiguous(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := New(Options{BaseURL: address, Key: fixedKey})
	f := fault.Of(c.DeleteAppointment(t.Context(), appointment.Appointment{Guid: guid}))
	if f.Ambiguous || f.Reason != fault.Unavailable {
		t.Errorf("got %+v", f)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(answers(200, "", done))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c := New(Options{BaseURL: srv.URL, Key: fixedKey})
	f := fault.Of(c.DeleteAppointment(t.Context(), appointment.Appointment{Guid: guid}))
	if f.Ambiguous || !f.WholeTarget || !strings.Contains(f.Error(), "certificate") {
		t.Errorf("got %+v", f)
	}
}

func TestTimeoutIsAmbiguous(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	c := New(Options{BaseURL: srv.URL, Key: fixedKey, Timeout: 20 * time.Millisecond})
	f := fault.Of(c.DeleteAppointment(t.Context(), appointment.Appointment{Guid: guid}))
	if f.Reason != fault.Timeout || !f.Ambiguous {
		t.Errorf("got %+v", f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f := fault.Of(c.DeleteAppointment(ctx, appointment.Appointment{Guid: guid})); f.Reason != fault.Canceled {
		t.Errorf("got %+v", f)
	}
}

// TestRotatedKey: a refused key is asked for again, once, and only a fresh one is tried.
func TestRotatedKey(t *testing.T) {
	var calls, rejections atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.Header.Get("X-API-KEY") != "new" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answers(200, "", done)(w, r)
	}))
	t.Cleanup(srv.Close)
	key := "old"
	next := "new"
	c := New(Options{
		BaseURL:     srv.URL,
		Key:         func(context.Context) (secret.Secret, error) { return secret.New(key), nil },
		KeyRejected: func() { rejections.Add(1); key = next },
	})
	if err := c.DeleteAppointment(t.Context(), appointment.Appointment{Guid: guid}); err != nil || calls.Load() != 2 || rejections.Load() != 1 {
		t.Errorf("rotated: %v after %d calls, %d rejections", err, calls.Load(), rejections.Load())
	}
	key, next = "old", "old"
	calls.Store(0)
	err := c.DeleteAppointment(t.Context(), appointment.Appointment{Guid: guid})
	if !fault.Is(err, fault.Auth) || calls.Load() != 1 {
		t.Errorf("not rotated: %v after %d calls", err, calls.Load())
	}
}

func TestRedirectTakesNoKeyAway(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Store(true) }))
	t.Cleanup(other.Close)
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if _, err := c.Resources(t.Context()); err == nil || leaked.Load() {
		t.Errorf("got %v, followed %v", err, leaked.Load())
	}
}

func TestListsAreCompleteOrAnError(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"nothing":             answers(200, "", ""),
		"no content":          answers(204, "", ""),
		"partial content":     answers(206, "", "[]"),
		"null":                answers(200, "", "null"),
		"an object":           answers(200, "", "{}"),
		"cut off":             answers(200, "", `[{"appointmentGuid":"`+guid+`"}`),
		"shorter than said":   answers(200, "Content-Length: 100", `[]`),
		"one that is no guid": answers(200, "", `[{"appointmentGuid":"`+guid+`"},{"appointmentGuid":"SECRET-TEXT"}]`),
		"a null among them":   answers(200, "", `[null]`),
		"failure in envelope": answers(200, "", `{"content":"[]","statusCode":500}`),
		"no such route":       answers(404, "", `[]`),
		"unauthorized":        answers(401, "", `[]`),
		"server error":        answers(500, "", `[]`),
	} {
		c := clientOf(t, h)
		if list, err := c.Appointments(t.Context(), at(8, 0), at(9, 0), nil); err == nil || list != nil {
			t.Errorf("%s: got %v", name, list)
		} else if strings.Contains(err.Error(), "SECRET-TEXT") {
			t.Errorf("%s: %v shows content", name, err)
		}
		if name == "one that is no guid" {
			continue
		}
		if list, err := c.Resources(t.Context()); err == nil || list != nil {
			t.Errorf("%s: got %v", name, list)
		}
	}
	for _, body := range []string{`[]`, ` [ ] `, `{"content":"[]","contentType":"x","statusCode":200}`} {
		if list, err := clientOf(t, answers(200, "", body)).Appointments(t.Context(), at(8, 0), at(9, 0), nil); err != nil || list == nil || len(list) != 0 {
			t.Errorf("%s: got %v, %v", body, list, err)
		}
	}
}

func TestManyResourcesAreAskedInParts(t *testing.T) {
	var asked []int
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, len(q["resources"]))
		if q.Get("startDate") != "2026-03-01T08:00:00Z" || q.Get("endDate") != "2026-03-03T09:00:00Z" {
			t.Errorf("asks for %v", q)
		}
		// Two rows of one appointment in the flat form, one per part, and one beyond the window.
		answers(200, "", `[{"appointmentGuid":"`+guid+`","resourceNo":"`+q["resources"][0]+`","start":"2026-03-02T08:30:00","end":"2026-03-02T09:30:00"},
			{"appointmentGuid":"00000000-0000-0000-0000-000000000001","start":"2026-03-02T09:00:00Z","end":"2026-03-02T10:00:00Z"}]`)(w, r)
	})
	resources := make([]string, 60)
	for i := range resources {
		resources[i] = "R" + string(rune('A'+i))
	}
	list, err := c.Appointments(t.Context(), at(8, 0), at(9, 0), resources)
	if err != nil {
		t.Fatal(err)
	}
	want := []appointment.Appointment{{
		Guid: guid, Partial: true, Assignees: []appointment.Assignee{{No: resources[50]}, {No: resources[0]}},
		Content: appointment.Content{appointment.When: appointment.Interval(at(8, 30), at(9, 30))},
	}}
	for i := range list {
		list[i].Raw = nil
	}
	if d := cmp.Diff(want, list); d != "" || !cmp.Equal(asked, []int{50, 10}) {
		t.Errorf("asked %v, -want +got\n%s", asked, d)
	}
}

func TestResources(t *testing.T) {
	c := clientOf(t, answers(200, "", `[{"id":1,"resourceNo":"R1","resourceName":"Ann","email":" ann@contoso.example ","exchangeIntegrationEnabled":true},{"ResourceNo":7,"DisplayName":"Van","ExchangeIntegrationEnabled":"False"}]`))
	got, err := c.Resources(t.Context())
	want := []appointment.Resource{{No: "R1", Name: "Ann", Email: "ann@contoso.example", Exchange: true}, {No: "7", Name: "Van"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v -want +got\n%s", err, d)
	}
	if _, err := clientOf(t, answers(200, "", `[{"email":"x"}]`)).Resources(t.Context()); err == nil {
		t.Error("a resource without number is taken")
	}
}

// TestRule_R27_OnlyARealGetIsEvidence: a 404 that could be that of a missing
// route must not count as proof that the appointment is gone.
func TestRule_R27_OnlyARealGetIsEvidence(t *testing.T) {
	const other = "11111111-1111-1111-1111-111111111111"
	item := func(g string) string {
		return `{"AppointmentGuid":"` + g + `","StartDate":"2026-03-02T08:00:00Z","EndDate":"2026-03-02T09:00:00Z","Assignments":[]}`
	}
	type board struct {
		byID   map[string]bool // what the GET finds
		listed []string
		status int // of what it does not find
	}
	hint := Hint{Seen: calendar.Window{Start: at(8, 0), End: at(9, 0)}}
	cases := map[string]struct {
		board
		code  string // "" = found
		calls int
	}{
		"found by the GET":            {board{byID: map[string]bool{guid: true}, status: 404}, "", 1},
		"found by the list only":      {board{listed: []string{guid}, status: 404}, "", 2},
		"no route, not in the list":   {board{listed: []string{other}, status: 404}, CodeInconclusive, 3},
		"no route, nothing in it":     {board{status: 404}, CodeInconclusive, 2},
		"method not allowed":          {board{listed: []string{other}, status: 405}, CodeInconclusive, 2},
		"real GET, proved by another": {board{byID: map[string]bool{other: true}, listed: []string{other}, status: 404}, CodeGone, 3},
		"a 200 with null, the same":   {board{byID: map[string]bool{other: true}, listed: []string{other}, status: 200}, CodeGone, 3},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			calls := 0
			c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				if g, ok := strings.CutPrefix(r.URL.Path, "/appointment/"); ok {
					if x.byID[g] {
						answers(200, "", item(g))(w, r)
					} else {
						answers(x.status, "", "null")(w, r)
					}
					return
				}
				items := []string{}
				for _, g := range x.listed {
					items = append(items, item(g))
				}
				answers(200, "", "["+strings.Join(items, ",")+"]")(w, r)
			})
			a, err := c.Appointment(t.Context(), guid, hint)
			switch {
			case x.code == "" && (err != nil || a.Guid != guid):
				t.Errorf("got %v, %v", a, err)
			case x.code != "" && (!fault.Is(err, fault.NotFound) || fault.Of(err).Code != x.code):
				t.Errorf("got %v, want %s", err, x.code)
			}
			if calls != x.calls {
				t.Errorf("%d calls, want %d", calls, x.calls)
			}
		})
	}
}

func TestAppointmentRefusesAnother(t *testing.T) {
	c := clientOf(t, answers(200, "", `{"AppointmentGuid":"11111111-1111-1111-1111-111111111111"}`))
	if _, err := c.Appointment(t.Context(), guid, Hint{}); fault.Of(err).Kind != fault.Transient || err == nil {
		t.Errorf("got %v", err)
	}
}
