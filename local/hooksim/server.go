package hooksim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options configure a Server. The zero value takes everything, unsigned.
type Options struct {
	// Key signs the requests: HMAC-SHA256 of time stamp, full stop and body. Empty:
	// signatures are not looked at.
	Key string
	// Now is the clock that time stamps are held against. nil = time.Now.
	Now func() time.Time
	// Fault, if not nil, is asked about each delivery, see Fault.
	Fault func(Delivery) *Fault
}

// Appointment is the state of one appointment as the receiver knows it.
type Appointment struct {
	GUID      string    `json:"appointment"`
	Operation string    `json:"operation"` // Create, Update, Delete: what was told last
	Version   string    `json:"version"`
	Subject   string    `json:"subject"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	JobNo     string    `json:"job,omitempty"`
	TaskNo    string    `json:"task,omitempty"`
	Resources []string  `json:"resources"` // numbers, sorted
	Taken     int       `json:"deliveries"`
}

// Delivery is one call.
type Delivery struct {
	Key       string
	Operation string
	Attempt   int
	Body      []byte
	Appointment
}

// Fault is how a delivery fails. The zero value does nothing.
type Fault struct {
	// AfterKeeping keeps the delivery before failing it.
	AfterKeeping bool
	// Status is answered instead of 202; 0 = no failure by status.
	Status int
	// Cut breaks the connection instead of answering; Hang waits until the caller goes.
	Cut, Hang bool
}

func (f *Fault) fails() bool { return f.Status != 0 || f.Cut || f.Hang }

// Counts are the calls so far.
type Counts struct {
	Taken    int `json:"taken"`    // kept
	Repeated int `json:"repeated"` // with a key that was known: answered, and counted once
	Overtook int `json:"overtook"` // kept, but older than what was there
	Refused  int `json:"refused"`  // not signed as agreed, or no appointment
}

// Server is the receiver. Make one with New; it is safe for concurrent use.
type Server struct {
	opts Options

	mu     sync.Mutex
	fault  func(Delivery) *Fault
	keys   map[string]bool
	states map[string]Appointment
	counts Counts
}

// New returns a receiver that has heard nothing yet.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{opts: o, fault: o.Fault, keys: map[string]bool{}, states: map[string]Appointment{}}
}

// SetFault replaces the fault hook; nil = no faults.
func (s *Server) SetFault(f func(Delivery) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// State returns the appointments by Guid, deleted ones too, and the counts.
func (s *Server) State() ([]Appointment, Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.SortedFunc(maps.Values(s.states), func(a, b Appointment) int { return strings.Compare(a.GUID, b.GUID) })
	for i := range out {
		out[i].Resources = slices.Clone(out[i].Resources)
	}
	return out, s.counts
}

const (
	maxBody = 4 << 20
	// maxAge is how far off a time stamp may be: a recorded call is worthless later.
	maxAge = 5 * time.Minute
)

// ServeHTTP takes a delivery, or shows what is there.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		s.show(w)
		return
	case http.MethodPost:
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body can not be read", http.StatusBadRequest)
		return
	}
	if status, why := s.check(r.Header, body); why != "" {
		s.refuse(w, status, why)
		return
	}
	d, why := read(r.Header, body)
	if why != "" {
		s.refuse(w, http.StatusUnprocessableEntity, why)
		return
	}
	s.take(w, r, d)
}

func (s *Server) take(w http.ResponseWriter, r *http.Request, d Delivery) {
	s.mu.Lock()
	hook := s.fault
	s.mu.Unlock()
	f := &Fault{}
	if hook != nil {
		if asked := hook(d); asked != nil {
			f = asked
		}
	}
	if !f.fails() || f.AfterKeeping {
		s.keep(d)
	}
	switch {
	case f.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		w.WriteHeader(f.Status)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

// keep notes a delivery, once for each key.
func (s *Server) keep(d Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[d.Key] {
		s.counts.Repeated++
		return
	}
	s.keys[d.Key] = true
	s.counts.Taken++
	there, known := s.states[d.GUID]
	if known && newer(there.Version, d.Version) {
		s.counts.Overtook++
		there.Taken++
		s.states[d.GUID] = there
		return
	}
	d.Appointment.Taken = there.Taken + 1
	s.states[d.GUID] = d.Appointment
}

// check holds a call against the agreement with the sender.
func (s *Server) check(h http.Header, body []byte) (status int, why string) {
	stamp := h.Get("X-Dime-Timestamp")
	if s.opts.Key != "" {
		mac := hmac.New(sha256.New, []byte(s.opts.Key))
		mac.Write([]byte(stamp + "."))
		mac.Write(body)
		want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
		if !hmac.Equal([]byte(want), []byte(h.Get("X-Dime-Signature"))) {
			return http.StatusUnauthorized, "the signature is missing or wrong"
		}
		sent, err := strconv.ParseInt(stamp, 10, 64)
		if age := s.opts.Now().Sub(time.Unix(sent, 0)); err != nil || age.Abs() > maxAge {
			return http.StatusUnauthorized, "the time stamp is too far off"
		}
	}
	if h.Get("Idempotency-Key") == "" {
		return http.StatusUnprocessableEntity, "there is no Idempotency-Key"
	}
	return 0, ""
}

func (s *Server) refuse(w http.ResponseWriter, status int, why string) {
	s.mu.Lock()
	s.counts.Refused++
	s.mu.Unlock()
	http.Error(w, why, status)
}

func (s *Server) show(w http.ResponseWriter) {
	states, counts := s.State()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(struct {
		Counts
		Appointments []Appointment `json:"appointments"`
	}{counts, states}) // the reader may be gone
}
