package boardsim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxBody bounds a request; the real limit is not known.
const maxBody = 8 << 20

// request is one API call, read but not yet performed.
type request struct {
	*http.Request
	body     []byte
	id       string // of GET /appointment/{id}
	envelope bool   // errors go inside a 200
}

// answer is what goes back; contentType is JSON unless said.
type answer struct {
	status      int
	contentType string
	body        []byte
	location    string
}

func jsonAnswer(status int, v any) answer {
	return answer{status: status, contentType: "application/json", body: encode(v)}
}

func textAnswer(status int, text string) answer {
	return answer{status: status, contentType: "text/plain; charset=utf-8", body: []byte(text)}
}

// ServeHTTP answers one API request.
func (b *Board) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		status := http.StatusBadRequest
		if errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		write(w, textAnswer(status, "The request body could not be read."))
		return
	}
	route, id := routeOf(r)
	call := Call{Route: route}
	if route == "POST /import" {
		call.Procedures = procedureNames(body)
	}
	if !b.admit(r.Header.Get("X-API-KEY")) {
		write(w, textAnswer(http.StatusUnauthorized, "Unauthorized"))
		return
	}
	q := &request{Request: r, body: body, id: id, envelope: route == "POST /import"}
	fault := b.meet(call)
	b.pause(r, fault.Delay)
	if fault.fails() && !fault.AfterCommit {
		b.fail(w, q, fault)
		return
	}
	a := b.perform(route, q)
	if fault.fails() {
		b.fail(w, q, fault)
		return
	}
	write(w, a)
}

// routeOf names the route; paths are matched without regard to case.
func routeOf(r *http.Request) (route, id string) {
	path := strings.TrimRight(r.URL.Path, "/")
	parts := strings.Split(path, "/")
	if len(parts) == 4 && strings.EqualFold(parts[1], "webhooks") {
		return r.Method + " /webhooks/" + strings.ToLower(parts[2]) + "/{id}", parts[3]
	}
	if len(parts) == 3 && strings.EqualFold(parts[1], "appointment") {
		return r.Method + " /appointment/{id}", parts[2]
	}
	return r.Method + " " + strings.ToLower(path), ""
}

// admit checks the key.
func (b *Board) admit(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if key == "" || b.apiKey != "" && key != b.apiKey {
		b.calls["401"]++
		return false
	}
	return true
}

// meet counts the call and asks the fault hook, which may use the board itself.
func (b *Board) meet(call Call) Fault {
	b.mu.Lock()
	b.calls[call.Route]++
	for _, name := range call.Procedures {
		b.calls[name]++
	}
	call.N = b.calls[call.Route]
	fault := b.fault
	b.mu.Unlock()
	if fault == nil {
		return Fault{}
	}
	return fault(call)
}

func (b *Board) pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	case <-b.done:
	}
}

// fail answers as the fault says.
func (b *Board) fail(w http.ResponseWriter, q *request, f Fault) {
	switch {
	case f.Hang:
		select {
		case <-q.Context().Done():
		case <-b.done:
		}
		panic(http.ErrAbortHandler)
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		write(w, textAnswer(f.Status, http.StatusText(f.Status)))
	case q.envelope:
		write(w, failureEnvelope(errors.New(f.Error)))
	default:
		write(w, textAnswer(http.StatusInternalServerError, f.Error))
	}
}

func write(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", a.contentType)
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// perform carries the request out under the lock.
func (b *Board) perform(route string, q *request) answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if procedure := restProcedures[route]; procedure != "" {
		return b.rest(procedure, q)
	}
	if a, ok := b.hook(q); ok {
		return a
	}
	switch route {
	case "POST /import":
		return b.importAll(q.body)
	case "GET /appointment":
		return b.getAppointments(q)
	case "GET /appointment/{id}":
		return b.getAppointment(q)
	case "GET /resource":
		return b.getResources()
	case "GET /notification":
		return b.getNotifications(q)
	case "POST /message":
		return b.postMessage(q)
	case "GET /categories":
		return b.getCategories()
	case "GET /timemarker":
		return b.getTimeMarkers()
	}
	return textAnswer(http.StatusNotFound, "The route is not simulated.")
}

// procedureNames reads what an import asks for; of a broken body, nothing.
func procedureNames(body []byte) []string {
	var requests []importRequest
	if json.Unmarshal(body, &requests) != nil {
		return nil
	}
	var names []string
	for _, each := range requests {
		names = append(names, each.StoredProcedureName)
	}
	return names
}
