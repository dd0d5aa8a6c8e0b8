package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/local/world"
)

// controls notes what it was told.
type controls struct {
	pulse world.Pulse
	told  []string

	ledgers []world.Ledger
}

func (c *controls) tell(what string) { c.told = append(c.told, what) }

func (c *controls) Pulse() world.Pulse       { return c.pulse }
func (c *controls) KillHandler() error       { c.tell("kill"); return errors.New("no handler runs") }
func (c *controls) DropNotifications(int)    { c.tell("drop") }
func (c *controls) ExpireSubscriptions() int { c.tell("expire"); return 1 }
func (c *controls) SetStorm(on bool)         { c.pulse.Storm = on }
func (c *controls) SetGraphDown(down bool)   { c.pulse.GraphDown = down }
func (c *controls) SetERPLocked(locked bool) { c.pulse.ERPLocked = locked }
func (c *controls) LoseERPAnswer()           { c.tell("lose") }
func (c *controls) Ledgers() []world.Ledger  { return c.ledgers }

func (c *controls) SetERPDown(down bool) error { c.pulse.ERPDown = down; return nil }

func (c *controls) Trigger(_ context.Context, function string) error { c.tell(function); return nil }

// room is a sandbox of two people over HTTP.
type room struct {
	*testing.T
	board    *boardsim.Board
	graph    *graphsim.Server
	controls *controls
	sandbox  *Sandbox
	url      string
}

const day = "2026-11-23"

func at(hour, min int) time.Time { return time.Date(2026, 11, 23, hour, min, 0, 0, time.UTC) }

func newRoom(t *testing.T, o boardsim.Options) *room {
	t.Helper()
	r := &room{T: t, board: boardsim.New(o), graph: graphsim.New(graphsim.Options{}), controls: &controls{}}
	t.Cleanup(r.graph.Close)
	t.Cleanup(r.board.Close)
	for _, name := range []string{"Anna", "Bram"} {
		email := strings.ToLower(name) + "@example.com"
		r.graph.AddUser(graphsim.User{UPN: email})
		r.board.AddResource(boardsim.Resource{ResourceNo: strings.ToUpper(name), DisplayName: name, Email: email, ExchangeIntegrationEnabled: true})
	}
	tasks := []boardsim.Task{{SourceApp: "CRONUS", SourceType: "ORDER", JobNo: "J1", TaskNo: "T1", ShortDescription: "Survey"}}
	r.board.AddTask(tasks[0])
	r.board.AddCategory(boardsim.Category{Name: world.Placeholder, DisplayName: world.Placeholder})
	r.sandbox = New(r.board, r.graph, r.controls, tasks)
	server := httptest.NewServer(r.sandbox)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *room) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// post sends JSON with the token and returns the error that was answered, "" for success.
func (r *room) post(path, body string) string {
	r.Helper()
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, r.url+path, strings.NewReader(body))
	r.must(err)
	request.Header.Set("X-XSRF-Token", r.sandbox.token)
	response, err := http.DefaultClient.Do(request)
	r.must(err)
	defer response.Body.Close()
	var answer struct{ Error string }
	r.must(json.NewDecoder(response.Body).Decode(&answer))
	if (response.StatusCode == http.StatusOK) != (answer.Error == "") {
		r.Fatalf("%s: status %d with the error %q", path, response.StatusCode, answer.Error)
	}
	return answer.Error
}

func (r *room) done(path, body string) {
	r.Helper()
	if problem := r.post(path, body); problem != "" {
		r.Fatalf("%s: %s", path, problem)
	}
}

func (r *room) view() (v view) {
	r.Helper()
	response, err := http.Get(r.url + "/api/state?day=" + day)
	r.must(err)
	defer response.Body.Close()
	r.must(json.NewDecoder(response.Body).Decode(&v))
	return v
}

func TestPage(t *testing.T) {
	r := newRoom(t, boardsim.Options{})
	for path, want := range map[string]struct{ kind, text string }{
		"/":                   {"text/html", r.sandbox.token},
		"/static/sandbox.js":  {"text/javascript", "/api/state"},
		"/static/sandbox.css": {"text/css", ".block"},
	} {
		response, err := http.Get(r.url + path)
		r.must(err)
		var body bytes.Buffer
		_, err = body.ReadFrom(response.Body)
		r.must(errors.Join(err, response.Body.Close()))
		if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), want.kind) || !strings.Contains(body.String(), want.text) {
			t.Errorf("%s: %s, %s", path, response.Status, response.Header.Get("Content-Type"))
		}
		if csp := response.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}

func TestBoard(t *testing.T) {
	r := newRoom(t, boardsim.Options{NewGUID: func() string { return "11111111-1111-4111-8111-111111111111" }})
	r.done("/api/board/save", `{"id":"","subject":"Survey","body":"b","importance":"high","task":"J1/T1","category":"Placeholder","resources":["ANNA"],
		"start":"2026-11-23T09:00:00Z","end":"2026-11-23T10:00:00Z"}`)
	want := block{
		ID: "11111111-1111-4111-8111-111111111111", Row: "ANNA", Subject: "Survey", Body: "b", Importance: "high", Task: "J1/T1", App: "CRONUS", Category: "Placeholder",
		Start: "2026-11-23T09:00:00Z", End: "2026-11-23T10:00:00Z", Resources: []string{"ANNA"},
	}
	expect := func(step string, want ...block) {
		t.Helper()
		if diff := cmp.Diff(append([]block{}, want...), r.view().Board); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", step, diff)
		}
	}
	expect("created", want)

	r.done("/api/board/move", `{"id":"`+want.ID+`","from":"ANNA","to":"BRAM","start":"2026-11-23T11:00:00Z","end":"2026-11-23T12:30:00Z"}`)
	want.Row, want.Resources, want.Start, want.End = "BRAM", []string{"BRAM"}, "2026-11-23T11:00:00Z", "2026-11-23T12:30:00Z"
	expect("dragged in time and to another", want)

	r.done("/api/board/move", `{"id":"`+want.ID+`","from":"BRAM","to":"","start":"2026-11-23T11:00:00Z","end":"2026-11-23T12:30:00Z"}`)
	want.Row, want.Resources = "", nil
	expect("dragged to nobody", want)

	r.done("/api/board/move", `{"id":"`+want.ID+`","from":"","to":"ANNA","start":"2026-11-23T11:00:00Z","end":"2026-11-23T12:30:00Z"}`)
	r.done("/api/board/save", `{"id":"`+want.ID+`","subject":"Other","body":"","importance":"low","task":"","resources":["BRAM","ANNA"],
		"start":"2026-11-23T08:00:00Z","end":"2026-11-23T09:00:00Z"}`)
	want = block{ID: want.ID, Row: "ANNA", Subject: "Other", Importance: "low", Resources: []string{"ANNA", "BRAM"},
		Start: "2026-11-23T08:00:00Z", End: "2026-11-23T09:00:00Z"}
	second := want
	second.Row = "BRAM"
	expect("edited, with another person", want, second)

	r.must(r.board.WaitIdle(t.Context()))
	announced := len(r.board.Announced())
	r.done("/api/board/save", `{"id":"`+want.ID+`","subject":"Other","body":"","importance":"low","task":"","resources":["BRAM","ANNA"],
		"start":"2026-11-23T08:00:00Z","end":"2026-11-23T09:00:00Z"}`)
	r.must(r.board.WaitIdle(t.Context()))
	if got := len(r.board.Announced()); got != announced {
		t.Errorf("%d announcements after saving without a change, want %d", got, announced)
	}
	r.done("/api/board/delete", `{"id":"`+want.ID+`"}`)
	expect("deleted")
}

func TestOutlook(t *testing.T) {
	r := newRoom(t, boardsim.Options{})
	r.done("/api/outlook/save", `{"id":"","row":"BRAM","subject":"Dentist","body":"b","importance":"normal","showAs":"oof","sensitivity":"private",
		"start":"2026-11-23T09:00:00Z","end":"2026-11-23T10:00:00Z"}`)
	got := r.view().Outlook
	want := []block{{Row: "BRAM", Subject: "Dentist", Body: "b", Importance: "normal", ShowAs: "oof", Sensitivity: "private", Born: true,
		Start: "2026-11-23T09:00:00Z", End: "2026-11-23T10:00:00Z"}}
	if len(got) == 1 {
		want[0].ID = got[0].ID
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("created (-want +got):\n%s", diff)
	}
	id := want[0].ID
	r.done("/api/outlook/move", `{"id":"`+id+`","row":"BRAM","start":"2026-11-23T14:00:00Z","end":"2026-11-23T15:00:00Z"}`)
	r.done("/api/outlook/save", `{"id":"`+id+`","row":"BRAM","subject":"Doctor","body":"b","importance":"high","showAs":"free","sensitivity":"normal",
		"start":"2026-11-23T14:00:00Z","end":"2026-11-23T15:00:00Z"}`)
	want[0].Subject, want[0].Importance, want[0].ShowAs, want[0].Sensitivity = "Doctor", "high", "free", "normal"
	want[0].Start, want[0].End = "2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z"
	if diff := cmp.Diff(want, r.view().Outlook); diff != "" {
		t.Errorf("moved and edited (-want +got):\n%s", diff)
	}
	r.done("/api/outlook/delete", `{"id":"`+id+`","row":"BRAM"}`)
	if left := r.view().Outlook; len(left) > 0 {
		t.Errorf("after the deletion: %+v", left)
	}
}

// TestOutlookKeepsTheBody: an edit of something else does not turn a body of HTML into text.
func TestOutlookKeepsTheBody(t *testing.T) {
	r := newRoom(t, boardsim.Options{})
	e, err := r.graph.CreateEvent("anna@example.com", graphsim.Event{Subject: "x", Body: "<p>a</p><p>b</p>", BodyType: "html", Start: at(9, 0), End: at(10, 0)})
	r.must(err)
	body, err := json.Marshal(e.Text())
	r.must(err)
	r.done("/api/outlook/save", `{"id":"`+e.ID+`","row":"ANNA","subject":"y","body":`+string(body)+`,"importance":"normal","showAs":"busy","sensitivity":"normal",
		"start":"2026-11-23T09:00:00Z","end":"2026-11-23T10:00:00Z"}`)
	if after, _ := r.graph.Event("anna@example.com", e.ID); after.BodyType != "html" || after.Subject != "y" {
		t.Errorf("subject %q, body as %s", after.Subject, after.BodyType)
	}
}

func TestTroubleAndStatus(t *testing.T) {
	r := newRoom(t, boardsim.Options{})
	r.controls.pulse = world.Pulse{
		Differences: []string{"ANNA: x"}, GraphCalls: 7, GraphWrites: 3, BoardWrites: 2, Deliveries: 9, Subscriptions: 2, HandlerPID: 42, HandlerRestarts: 1,
		Queues: map[string]servicebus.Counts{"mailboxes": {Active: 1, Scheduled: 2, DeadLetter: 3}, "appointments": {DeadLetter: 1}},
	}
	for _, do := range []string{"drop", "expire", "mailboxsweep", "subscriptionrenewal", "resourcesync", "redrive", "erplate"} {
		r.done("/api/trouble", `{"do":"`+do+`"}`)
	}
	r.done("/api/trouble", `{"do":"storm","on":true}`)
	r.done("/api/trouble", `{"do":"stop","on":true}`)
	r.done("/api/trouble", `{"do":"erpdown","on":true}`)
	r.done("/api/trouble", `{"do":"erplocked","on":true}`)
	if problem := r.post("/api/trouble", `{"do":"kill"}`); problem != "no handler runs" {
		t.Errorf("the error of kill reads %q", problem)
	}
	if diff := cmp.Diff([]string{"drop", "expire", "mailboxsweep", "subscriptionrenewal", "resourcesync", "redrive", "lose", "kill"}, r.controls.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	want := status{
		Differences: []string{"ANNA: x"}, GraphCalls: 7, GraphWrites: 3, BoardWrites: 2, Deliveries: 9, Subscriptions: 2, HandlerPID: 42, Restarts: 1,
		Queues: []queue{{"appointments", 0, 0}, {"mailboxes", 1, 2}}, DeadLetters: 4, Storm: true, GraphDown: true, ERPDown: true, ERPLocked: true,
	}
	if diff := cmp.Diff(want, r.view().Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// TestBackOffices: the page shows what lies on its day, by people's names and in
// the order of time.
func TestBackOffices(t *testing.T) {
	r := newRoom(t, boardsim.Options{})
	r.controls.ledgers = []world.Ledger{{
		Connector: "co", Name: "Company", How: "REST", SourceApp: "APP", PerResource: true, Down: true, Taken: 4, Refused: 1,
		Entries: []world.Entry{
			{Appointment: "a2", Number: 2, Resources: []string{"BRAM"}, Subject: "Later", JobNo: "J1", TaskNo: "T1", Start: at(11, 0), End: at(12, 0)},
			{Appointment: "a1", Number: 1, Resources: []string{"X9"}, Subject: "Sooner", JobNo: "J1", TaskNo: "T1", Start: at(9, 0), End: at(10, 0)},
			{Appointment: "a3", Number: 3, Resources: []string{"BRAM"}, Subject: "Tomorrow", Start: at(24, 0), End: at(25, 0)},
		},
	}, {
		Connector: "hook", Name: "Hook", SourceApp: "APP", Taken: 2, Repeated: 1,
		Entries: []world.Entry{{Appointment: "a1", Resources: []string{"ANNA", "BRAM"}, Subject: "Gone", JobNo: "J1", TaskNo: "T1", Start: at(9, 0), End: at(10, 0), Deleted: true}},
	}}
	want := []ledger{
		{ID: "co", Name: "Company", How: "REST", App: "APP", Company: true, Down: true, Taken: 4, Refused: 1, Documents: 3, Entries: []entry{
			{Appointment: "a1", Number: 1, Resources: []string{"X9"}, Subject: "Sooner", Task: "J1/T1", Start: "2026-11-23T09:00:00Z", End: "2026-11-23T10:00:00Z"},
			{Appointment: "a2", Number: 2, Resources: []string{"Bram"}, Subject: "Later", Task: "J1/T1", Start: "2026-11-23T11:00:00Z", End: "2026-11-23T12:00:00Z"},
		}},
		{ID: "hook", Name: "Hook", App: "APP", Taken: 2, Repeated: 1, Entries: []entry{
			{Appointment: "a1", Resources: []string{"Anna", "Bram"}, Subject: "Gone", Task: "J1/T1", Start: "2026-11-23T09:00:00Z", End: "2026-11-23T10:00:00Z", Deleted: true},
		}},
	}
	if diff := cmp.Diff(want, r.view().Ledgers); diff != "" {
		t.Errorf("ledgers (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	r := newRoom(t, boardsim.Options{})
	const times = `"start":"2026-11-23T09:00:00Z","end":"2026-11-23T10:00:00Z"`
	for _, c := range []struct{ name, path, body, want string }{
		{"no JSON", "/api/board/save", `{`, "can not be read"},
		{"an unknown field", "/api/board/delete", `{"guid":"x"}`, "unknown field"},
		{"a body that is too large", "/api/board/save", `{"subject":"` + strings.Repeat("x", maxBody) + `"}`, "too large"},
		{"an unknown appointment", "/api/board/delete", `{"id":"x"}`, "not found"},
		{"an unknown appointment dragged", "/api/board/move", `{"id":"x",` + times + `}`, "not found"},
		{"an unknown resource", "/api/board/save", `{"importance":"normal","resources":["X"],` + times + `}`, `"X"`},
		{"an unknown task", "/api/board/save", `{"importance":"normal","task":"J9/T9",` + times + `}`, "there is no task"},
		{"an unknown importance", "/api/board/save", `{"importance":"urgent",` + times + `}`, "none of low"},
		{"an unknown category", "/api/board/save", `{"importance":"normal","category":"Red",` + times + `}`, "category"},
		{"no times", "/api/board/save", `{"importance":"normal"}`, "start and end are needed"},
		{"an end before the start", "/api/outlook/save", `{"row":"ANNA","importance":"normal","showAs":"busy","sensitivity":"normal",
			"start":"2026-11-23T09:00:00Z","end":"2026-11-23T08:00:00Z"}`, "ends before it starts"},
		{"an unknown calendar", "/api/outlook/delete", `{"row":"X","id":"1"}`, "no calendar"},
		{"an unknown event", "/api/outlook/move", `{"row":"ANNA","id":"1",` + times + `}`, "no event"},
		{"an unknown show-as", "/api/outlook/save", `{"row":"ANNA","importance":"normal","showAs":"x","sensitivity":"normal",` + times + `}`, "showAs"},
		{"an unknown trouble", "/api/trouble", `{"do":"x"}`, "no trouble"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if problem := r.post(c.path, c.body); !strings.Contains(problem, c.want) {
				t.Errorf("error %q, want %q in it", problem, c.want)
			}
		})
	}
	if v := r.view(); len(v.Board)+len(v.Outlook) > 0 {
		t.Errorf("what was refused has left something: %+v", v)
	}
}

func TestStrangersAreKeptOut(t *testing.T) {
	r := newRoom(t, boardsim.Options{})
	do := func(change func(*http.Request), method, path string) int {
		request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(`{"do":"drop"}`))
		r.must(err)
		change(request)
		response, err := http.DefaultClient.Do(request)
		r.must(err)
		r.must(response.Body.Close())
		return response.StatusCode
	}
	for name, got := range map[string]int{
		"no token":          do(func(*http.Request) {}, http.MethodPost, "/api/trouble"),
		"a wrong token":     do(func(q *http.Request) { q.Header.Set("X-XSRF-Token", "x") }, http.MethodPost, "/api/trouble"),
		"another host name": do(func(q *http.Request) { q.Host = "evil.example:80" }, http.MethodGet, "/"),
	} {
		if got != http.StatusForbidden {
			t.Errorf("%s: %d", name, got)
		}
	}
	if len(r.controls.told) > 0 {
		t.Errorf("a stranger has done %v", r.controls.told)
	}
	if got := do(func(q *http.Request) { q.Host = "localhost" }, http.MethodGet, "/"); got != http.StatusOK {
		t.Errorf("localhost: %d", got)
	}
	if got := do(func(*http.Request) {}, http.MethodGet, "/api/state?day=tomorrow"); got != http.StatusBadRequest {
		t.Errorf("a day that is none: %d", got)
	}
}
