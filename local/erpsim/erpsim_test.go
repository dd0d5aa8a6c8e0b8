package erpsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/erpsim"
)

const guid = "aaaaaaaa-0000-4000-8000-000000000001"

// world is a simulator behind a real listener, with a client that is signed in.
type world struct {
	*testing.T
	sim *erpsim.Server
	url string
	api string // of the first company
}

func newWorld(t *testing.T, o erpsim.Options) *world {
	t.Helper()
	sim := erpsim.New(o)
	front := httptest.NewServer(sim)
	t.Cleanup(front.Close)
	t.Cleanup(sim.Close)
	w := &world{T: t, sim: sim, url: front.URL}
	api := front.URL + "/v2.0/tenant/prod/api/dimeSoftware/dimeScheduler/v1.0"
	_, body := w.do("GET", api+"/companies", nil)
	list, _ := body["value"].([]any)
	if len(list) == 0 {
		t.Fatalf("no companies: %v", body)
	}
	w.api = api + "/companies(" + list[0].(map[string]any)["id"].(string) + ")"
	return w
}

func (w *world) do(method, address string, body any, header ...string) (*http.Response, map[string]any) {
	w.Helper()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			w.Fatal(err)
		}
		in = strings.NewReader(string(raw))
	}
	r, err := http.NewRequest(method, address, in)
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.sim.Token("app", "tenant"))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, nil
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	out := map[string]any{}
	if err == nil {
		_ = json.Unmarshal(raw, &out)
	}
	return resp, out
}

func row(action string, resources ...string) map[string]any {
	lines := []map[string]any{}
	for _, no := range resources {
		lines = append(lines, map[string]any{"resourceNo": no})
	}
	return map[string]any{
		"databaseAction": action, "appointmentId": guid, "jobNo": "J1", "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:00:00Z",
		"appointmentResources": lines,
	}
}

func (w *world) post(body any) (*http.Response, map[string]any) {
	w.Helper()
	return w.do("POST", w.api+"/appointments", body)
}

func code(body map[string]any) string {
	e, _ := body["error"].(map[string]any)
	c, _ := e["code"].(string)
	return c
}

// What makes idempotency hard: I doubles, U and D do not.
func TestProcessingByOperation(t *testing.T) {
	for _, tc := range []struct {
		name  string
		rows  []map[string]any
		wants []string
	}{
		{"insert", []map[string]any{row("I", "r1", "r2")}, []string{"R1", "R2"}},
		{"insert again doubles", []map[string]any{row("I", "r1"), row("I", "r1")}, []string{"R1", "R1"}},
		{"update creates", []map[string]any{row("U", "r1")}, []string{"R1"}},
		{"update again does not double", []map[string]any{row("I", "r1"), row("U", "r1"), row("U", "r1")}, []string{"R1"}},
		{"update removes who is gone", []map[string]any{row("I", "r1", "r2"), row("U", "r2", "r3")}, []string{"R2", "R3"}},
		{"update without resources removes all", []map[string]any{row("I", "r1"), row("U")}, nil},
		{"delete", []map[string]any{row("I", "r1", "r2"), row("D")}, nil},
		{"delete of nothing", []map[string]any{row("D")}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, erpsim.Options{})
			for _, r := range tc.rows {
				if resp, body := w.post(r); resp.StatusCode != 201 || resp.Header.Get("Location") == "" {
					t.Fatalf("%d %v", resp.StatusCode, body)
				}
			}
			var got []string
			for _, d := range w.sim.DocumentsOf("", guid) {
				got = append(got, d.Resource)
			}
			if diff := cmp.Diff(tc.wants, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProcessingFailsLater(t *testing.T) {
	w := newWorld(t, erpsim.Options{Reject: func(erpsim.Row) string { return "Unit of Measure must have a value." }})
	resp, _ := w.post(row("I", "r1"))
	_, body := w.do("GET", resp.Header.Get("Location"), nil)
	if body["status"] != "Error" || body["errorMessage"] == "" {
		t.Fatalf("%v", body)
	}
	w.sim.SetReject(nil)
	if !w.sim.Process("", 1) {
		t.Fatal("no row 1")
	}
	if _, body = w.do("GET", resp.Header.Get("Location"), nil); body["status"] != "Processed" || len(w.sim.Documents("")) != 1 {
		t.Fatalf("%v", body)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, erpsim.Options{})
	with := func(name string, v any) map[string]any {
		r := row("I", "r1")
		r[name] = v
		return r
	}
	for _, tc := range []struct {
		name   string
		body   any
		status int
		code   string
	}{
		{"unknown property", with("job_no", "J"), 400, "BadRequest"},
		{"read-only property", with("entryNo", 1), 400, "BadRequest"},
		{"number as text", with("durationSec", "1"), 400, "BadRequest"},
		{"time without offset", with("start", "2026-03-02T08:00:00"), 400, "BadRequest"},
		{"control character", with("subject", "a\x01b"), 400, "BadRequest"},
		{"too long", with("jobNo", strings.Repeat("x", 51)), 400, "Application_StringExceededLength"},
		{"no such member", with("importance", "Urgent"), 400, "Application_EvaluateException"},
		{"same resource twice", row("I", "r1", "r1"), 400, "Internal_EntityWithSameKeyExists"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := w.post(tc.body)
			if resp.StatusCode != tc.status || code(body) != tc.code {
				t.Errorf("%d %s, want %d %s", resp.StatusCode, code(body), tc.status, tc.code)
			}
		})
	}
	if rows := w.sim.Rows(""); len(rows) != 0 {
		t.Errorf("a refused deep insert left %v", rows)
	}
}

func TestChildrenBelowLocation(t *testing.T) {
	w := newWorld(t, erpsim.Options{HideNavigation: true, Manual: true})
	header := row("I")
	delete(header, "appointmentResources")
	resp, _ := w.post(header)
	child := resp.Header.Get("Location") + "/appointmentResources"
	if resp, body := w.do("POST", child, map[string]any{"resourceNo": "r1"}); resp.StatusCode != 201 {
		t.Fatalf("%d %v", resp.StatusCode, body)
	}
	if resp, body := w.do("POST", child, map[string]any{"resourceNo": "r1"}); code(body) != "Internal_EntityWithSameKeyExists" {
		t.Fatalf("%d %v", resp.StatusCode, body)
	}
	if resp, body := w.post(row("I", "r1")); resp.StatusCode != 400 {
		t.Fatalf("deep insert without navigation: %d %v", resp.StatusCode, body)
	}
	if diff := cmp.Diff([]string{"R1"}, w.sim.Rows("")[0].ResourceNos()); diff != "" {
		t.Error(diff)
	}
}

func TestFilterAndChange(t *testing.T) {
	w := newWorld(t, erpsim.Options{Manual: true})
	for _, action := range []string{"I", "U", "U"} {
		w.post(row(action, "r1"))
	}
	find := func(filter string, more ...string) []any {
		t.Helper()
		q := url.Values{"$filter": {filter}}
		for i := 0; i+1 < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		resp, body := w.do("GET", w.api+"/appointments?"+q.Encode(), nil)
		if resp.StatusCode != 200 {
			t.Fatalf("%d %v", resp.StatusCode, body)
		}
		return body["value"].([]any)
	}
	if n := len(find("appointmentId eq " + guid + " and databaseAction eq 'U'")); n != 2 {
		t.Errorf("%d updates", n)
	}
	if n := len(find("start ge 2026-03-02T08:00:00Z and start lt 2026-03-02T08:00:01Z and entryNo gt 1")); n != 2 {
		t.Errorf("%d by time", n)
	}
	last := find("", "$orderby", "entryNo desc", "$top", "1", "$select", "id,entryNo", "$expand", "appointmentResources")[0].(map[string]any)
	if last["entryNo"] != 3.0 || last["jobNo"] != nil || len(last["appointmentResources"].([]any)) != 1 {
		t.Errorf("%v", last)
	}
	if resp, body := w.do("GET", w.api+"/appointments?$filter="+url.QueryEscape("entryNo eq 1 or jobNo eq 'J1'"), nil); resp.StatusCode != 501 {
		t.Errorf("or: %d %v", resp.StatusCode, body)
	}
	address := w.api + "/appointments(" + last["id"].(string) + ")"
	if resp, _ := w.do("PATCH", address, map[string]any{"taskNo": "t"}, "If-Match", `W/"old"`); resp.StatusCode != 409 {
		t.Errorf("stale: %d", resp.StatusCode)
	}
	etag := last["@odata.etag"].(string)
	if resp, _ := w.do("PATCH", address, map[string]any{"taskNo": "t"}, "If-Match", etag); resp.StatusCode != 200 {
		t.Errorf("patch: %d", resp.StatusCode)
	}
	if resp, _ := w.do("DELETE", address, nil, "If-Match", "*"); resp.StatusCode != 204 || len(w.sim.Rows("")) != 2 {
		t.Errorf("delete: %d", resp.StatusCode)
	}
}

func TestCompanies(t *testing.T) {
	w := newWorld(t, erpsim.Options{Companies: []string{"CRONUS", "Müller, Söhne & Co/KG"}})
	onPrem := w.url + "/BC260/api/dimeSoftware/dimeScheduler/v1.0/appointments?company="
	if resp, body := w.do("POST", onPrem+url.QueryEscape("Müller, Söhne & Co/KG"), row("I", "r1")); resp.StatusCode != 201 {
		t.Fatalf("%d %v", resp.StatusCode, body)
	}
	if len(w.sim.Rows("CRONUS")) != 0 || len(w.sim.Rows("Müller, Söhne & Co/KG")) != 1 {
		t.Error("wrong company")
	}
	if resp, body := w.do("GET", onPrem+"Nobody", nil); resp.StatusCode != 404 || code(body) != "Internal_CompanyNotFound" {
		t.Errorf("%d %v", resp.StatusCode, body)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t, erpsim.Options{})
	w.sim.SetApps(map[string]erpsim.App{"app": {NoInsert: true}, "gone": {Unregistered: true}, "bare": {NoConsent: true}})
	w.sim.SetUsers(map[string]erpsim.User{"u": {Password: "p"}})
	cloud, onPrem := w.api+"/appointments", w.url+"/api/dimeSoftware/dimeScheduler/v1.0/appointments"
	for _, tc := range []struct {
		name, method, address, authorization string
		status                               int
	}{
		{"reads", "GET", cloud, "Bearer " + w.sim.Token("app", "tenant"), 200},
		{"may not insert", "POST", cloud, "Bearer " + w.sim.Token("app", "tenant"), 403},
		{"other tenant", "GET", cloud, "Bearer " + w.sim.Token("app", "other"), 401},
		{"not registered there", "GET", cloud, "Bearer " + w.sim.Token("gone", "tenant"), 401},
		{"no consent", "GET", cloud, "Bearer " + w.sim.Token("bare", "tenant"), 401},
		{"unknown token", "GET", cloud, "Bearer x", 401},
		{"basic online", "GET", cloud, "Basic dTpw", 401},
		{"basic on-premises", "GET", onPrem, "Basic dTpw", 200},
		{"wrong password", "GET", onPrem, "Basic dTpx", 401},
		{"nobody", "GET", onPrem, "", 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if resp, body := w.do(tc.method, tc.address, row("I"), "Authorization", tc.authorization); resp.StatusCode != tc.status {
				t.Errorf("%d %v, want %d", resp.StatusCode, body, tc.status)
			}
		})
	}
	w.sim.RevokeTokens()
}

func TestTokenEndpoint(t *testing.T) {
	sim := erpsim.New(erpsim.Options{Tenant: "tenant", Apps: map[string]erpsim.App{"app": {Secrets: []string{"s;+%"}, Expired: []string{"old"}}}})
	front := httptest.NewServer(sim)
	t.Cleanup(front.Close)
	const bc = "https://api.businesscentral.dynamics.com/.default"
	for _, tc := range []struct {
		name, tenant, id, secret, scope string
		basic                           bool
		status                          int
		error                           string
		aadsts                          float64
	}{
		{"body", "tenant", "app", "s;+%", bc, false, 200, "", 0},
		{"header", "tenant", "app", "s;+%", bc, true, 200, "", 0},
		{"wrong secret", "tenant", "app", "x", bc, false, 401, "invalid_client", 7000215},
		{"expired secret", "tenant", "app", "old", bc, false, 401, "invalid_client", 7000222},
		{"unknown app", "tenant", "other", "x", bc, false, 400, "unauthorized_client", 700016},
		{"unknown tenant", "nobody", "app", "s;+%", bc, false, 400, "invalid_request", 90002},
		{"wrong scope", "tenant", "app", "s;+%", "x", false, 400, "invalid_scope", 70011},
	} {
		t.Run(tc.name, func(t *testing.T) {
			form := url.Values{"grant_type": {"client_credentials"}, "scope": {tc.scope}}
			if !tc.basic {
				form.Set("client_id", tc.id)
				form.Set("client_secret", tc.secret)
			}
			r, err := http.NewRequest("POST", front.URL+"/"+tc.tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tc.basic {
				r.SetBasicAuth(url.QueryEscape(tc.id), url.QueryEscape(tc.secret))
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			var body struct {
				Error string    `json:"error"`
				Codes []float64 `json:"error_codes"`
				Token string    `json:"access_token"`
			}
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status || body.Error != tc.error || (tc.aadsts != 0) != (len(body.Codes) == 1 && body.Codes[0] == tc.aadsts) || (body.Token == "") != (tc.status != 200) {
				t.Errorf("%d %+v", resp.StatusCode, body)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	release := make(chan struct{})
	w := newWorld(t, erpsim.Options{Connections: 7, Concurrent: 2, RetryAfter: "3", Fault: func(f erpsim.FaultRequest) *erpsim.FaultResponse {
		if f.Route == "appointments" {
			<-release
		}
		return nil
	}})
	var mu sync.Mutex
	counts := map[string]int{}
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			resp, _ := w.do("GET", w.api+"/appointments", nil)
			mu.Lock()
			defer mu.Unlock()
			counts[fmt.Sprint(resp.StatusCode, resp.Header.Get("Retry-After"))]++
			if resp.StatusCode == 429 && counts["4293"] == 5 {
				close(release)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[string]int{"200": 7, "4293": 5}, counts); diff != "" {
		t.Error(diff)
	}
	if w.sim.MostAtOnce() != 2 {
		t.Errorf("%d at once", w.sim.MostAtOnce())
	}
}

func TestRate(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	w := newWorld(t, erpsim.Options{Rate: 3, Now: func() time.Time { return now }})
	var got []int
	for i := range 4 {
		if i == 3 {
			now = now.Add(5 * time.Minute)
		}
		resp, _ := w.do("GET", w.api+"/appointments", nil)
		got = append(got, resp.StatusCode)
	}
	if diff := cmp.Diff([]int{200, 200, 429, 200}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fault  erpsim.FaultResponse
		status int // 0 = no whole answer
		code   string
		rows   int
	}{
		{"before", erpsim.FaultResponse{Status: 503, Code: "Internal_TenantUnavailable"}, 503, "Internal_TenantUnavailable", 0},
		{"after commit", erpsim.FaultResponse{Status: 504, Code: "x", AfterCommit: true}, 504, "x", 1},
		{"cut after commit", erpsim.FaultResponse{Cut: true, AfterCommit: true}, 0, "", 1},
		{"locked", erpsim.FaultResponse{Locked: true, Language: "de"}, 500, "Internal_ServerError", 0},
		{"html", erpsim.FaultResponse{Body: "<html>", ContentType: "text/html", Status: 502}, 502, "", 0},
		{"no location", erpsim.FaultResponse{DropLocation: true}, 201, "", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, erpsim.Options{})
			w.sim.SetFault(func(erpsim.FaultRequest) *erpsim.FaultResponse { return &tc.fault })
			resp, body := w.post(row("I", "r1"))
			status := 0
			if resp != nil {
				status = resp.StatusCode
			}
			if status != tc.status || code(body) != tc.code || len(w.sim.Rows("")) != tc.rows {
				t.Errorf("%d %v, %d rows", status, body, len(w.sim.Rows("")))
			}
		})
	}
}

// Half of the answer under the length of the whole, and the row is stored.
func TestTruncated(t *testing.T) {
	w := newWorld(t, erpsim.Options{Fault: func(f erpsim.FaultRequest) *erpsim.FaultResponse {
		if f.Method == "POST" {
			return &erpsim.FaultResponse{Truncate: true}
		}
		return nil
	}})
	r, err := http.NewRequest("POST", w.api+"/appointments", strings.NewReader(`{"databaseAction":"D"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.sim.Token("app", "tenant"))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if raw, err := io.ReadAll(resp.Body); err == nil || len(raw) == 0 || resp.StatusCode != 201 {
		t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(raw), err)
	}
	if len(w.sim.Rows("")) != 1 {
		t.Error("not stored")
	}
}
