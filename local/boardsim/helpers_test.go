package boardsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

const (
	apiKey = "key"
	guidA  = "11111111-1111-4111-8111-111111111111"
	guidB  = "22222222-2222-4222-8222-222222222222"
)

// nine is the start of most appointments here.
var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// world is a board behind a server, with two resources and a task.
type world struct {
	*testing.T
	board *boardsim.Board
	url   string
	http  *http.Client
	now   time.Time // the board's clock; change it between calls only
	mu    sync.Mutex
}

func newWorld(t *testing.T, opts boardsim.Options) *world {
	t.Helper()
	w := &world{T: t, now: nine.Add(-time.Hour + 123456700*time.Nanosecond)}
	opts.Clock = func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
	opts.APIKey = apiKey
	w.board = boardsim.New(opts)
	srv := httptest.NewServer(w.board)
	t.Cleanup(func() { w.board.Close(); srv.Close() })
	w.url, w.http = srv.URL, srv.Client()
	w.board.AddResource(boardsim.Resource{ResourceNo: "R1", DisplayName: "Ann", Email: "ann@example.com", ResourceType: "Person", ExchangeIntegrationEnabled: true})
	w.board.AddResource(boardsim.Resource{ResourceNo: "R2", DisplayName: "Bob", Email: "bob@example.com"})
	w.board.AddTask(boardsim.Task{SourceApp: "BC", SourceType: "SERVICE", JobNo: "J1", TaskNo: "T1"})
	return w
}

// tick moves the board's clock.
func (w *world) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Minute)
}

// plan creates the usual appointment at the board.
func (w *world) plan(resourceNos ...string) boardsim.Appointment {
	w.Helper()
	a, err := w.board.CreateAppointment(boardsim.Appointment{
		Subject: "Service", Body: "Bring tools", Start: nine, End: nine.Add(time.Hour),
		SourceApp: "BC", SourceType: "SERVICE", JobNo: "J1", TaskNo: "T1", Resources: resourceNos,
	})
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) get(guid string) boardsim.Appointment {
	w.Helper()
	a, err := w.board.Get(guid)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) idle() {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	if err := w.board.WaitIdle(ctx); err != nil {
		w.Fatal(err)
	}
}

// must is for planner's actions that have to succeed.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// call sends one request; body nil means none.
func (w *world) call(method, path string, body any) (status int, header http.Header, answer []byte, err error) {
	w.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = bytes.NewReader([]byte(b))
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			w.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(w.Context(), method, w.url+path, reader)
	if err != nil {
		w.Fatal(err)
	}
	request.Header.Set("X-API-KEY", apiKey)
	response, err := w.http.Do(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, response.Header, answer, err
}

// ok calls, wants 200 and decodes the answer into out.
func (w *world) ok(method, path string, body, out any) {
	w.Helper()
	status, _, answer, err := w.call(method, path, body)
	if err != nil || status != http.StatusOK {
		w.Fatalf("%s %s: %d %s %v, want 200", method, path, status, answer, err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(answer, out); err != nil {
		w.Fatalf("%s %s: %v in %s", method, path, err, answer)
	}
}

// procedure is one import request; parameters in pairs, nil means null.
func procedure(name string, pairs ...any) map[string]any {
	names, values := []any{}, []any{}
	for i := 0; i < len(pairs); i += 2 {
		names, values = append(names, pairs[i]), append(values, pairs[i+1])
	}
	return map[string]any{"StoredProcedureName": name, "ParameterNames": names, "ParameterValues": values}
}

type imported struct {
	StatusCode   int
	Success      bool
	Error        string
	Description  string
	Appointments []struct {
		ID   int64  `json:"Id"`
		GUID string `json:"Guid"`
	}
}

// imports posts to /import and opens the envelope.
func (w *world) imports(procedures ...map[string]any) imported {
	w.Helper()
	var envelope struct {
		Content     string `json:"content"`
		ContentType string `json:"contentType"`
		StatusCode  int    `json:"statusCode"`
	}
	w.ok(http.MethodPost, "/import", procedures, &envelope)
	result := imported{StatusCode: envelope.StatusCode}
	if err := json.Unmarshal([]byte(envelope.Content), &result); err != nil || envelope.ContentType != "application/json" {
		w.Fatalf("content %q of type %q: %v", envelope.Content, envelope.ContentType, err)
	}
	return result
}

// runs imports and wants success.
func (w *world) runs(procedures ...map[string]any) imported {
	w.Helper()
	result := w.imports(procedures...)
	if result.StatusCode != 200 || !result.Success {
		w.Fatalf("import failed: %+v", result)
	}
	return result
}

// operations lists what was announced.
func operations(changes []boardsim.Change) []string {
	var list []string
	for _, c := range changes {
		list = append(list, c.ChangeType)
	}
	return list
}
