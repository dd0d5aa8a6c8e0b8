package sandbox

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/world"
)

// maxBody bounds a POST; the board's body field is the largest part.
const maxBody = 1 << 20

// action makes a handler of something to do. It refuses a POST that does not
// come from our page: only that knows the token, and a header of its own makes
// a browser ask first when another page sends it.
func action[T any](s *Sandbox, do func(context.Context, T) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-XSRF-Token")), []byte(s.token)) != 1 {
			reply(w, http.StatusForbidden, failure{"the page is of an earlier start: load it again"})
			return
		}
		var in T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&in); err != nil {
			reply(w, http.StatusBadRequest, failure{"the request can not be read: " + err.Error()})
			return
		}
		if err := do(r.Context(), in); err != nil {
			reply(w, http.StatusBadRequest, failure{err.Error()})
			return
		}
		reply(w, http.StatusOK, struct{}{})
	})
}

// span is start and end as the page sends them, in UTC.
type span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

func (s span) check() error {
	switch {
	case s.Start.IsZero() || s.End.IsZero():
		return errors.New("start and end are needed")
	case s.End.Before(s.Start):
		return errors.New("it ends before it starts")
	}
	return nil
}

type boardForm struct {
	span
	ID         string   `json:"id"` // "" = a new one
	Subject    string   `json:"subject"`
	Body       string   `json:"body"`
	Importance string   `json:"importance"`
	Category   string   `json:"category"` // "" or world.Placeholder
	Task       string   `json:"task"`     // job/task, or "" for none
	Resources  []string `json:"resources"`
}

var importances = map[string]int{
	"normal": boardsim.ImportanceNormal, "high": boardsim.ImportanceHigh, "low": boardsim.ImportanceLow,
}

// boardSave creates or edits an appointment, resources included.
func (s *Sandbox) boardSave(_ context.Context, f boardForm) error {
	importance, known := importances[f.Importance]
	if !known {
		return fmt.Errorf("importance %q is none of low, normal, high", f.Importance)
	}
	if f.Category != "" && f.Category != world.Placeholder {
		return fmt.Errorf("category %q is neither empty nor %s", f.Category, world.Placeholder)
	}
	task, err := s.task(f.Task)
	if err := errors.Join(err, f.check()); err != nil {
		return err
	}
	fill := func(a *boardsim.Appointment) {
		a.Subject, a.Body, a.Start, a.End, a.Importance = f.Subject, f.Body, f.Start, f.End, importance
		a.Category = f.Category
		a.SourceApp, a.SourceType, a.JobNo, a.TaskNo = task.SourceApp, task.SourceType, task.JobNo, task.TaskNo
	}
	if f.ID == "" {
		a := boardsim.Appointment{Resources: f.Resources}
		fill(&a)
		_, err := s.board.CreateAppointment(a)
		return err
	}
	a, err := s.board.Get(f.ID)
	if err != nil {
		return err
	}
	after := a
	fill(&after)
	if !equal(a, after) {
		if err := s.board.Edit(f.ID, fill); err != nil {
			return err
		}
	}
	return s.assign(a, f.Resources)
}

// equal compares what the form holds: what is not changed is not announced.
func equal(a, b boardsim.Appointment) bool {
	return a.Subject == b.Subject && a.Body == b.Body && a.Start.Equal(b.Start) && a.End.Equal(b.End) &&
		a.Importance == b.Importance && a.Category == b.Category && a.JobNo == b.JobNo && a.TaskNo == b.TaskNo
}

// assign adds the resources that are missing and removes those that are too many.
func (s *Sandbox) assign(a boardsim.Appointment, wanted []string) error {
	for _, no := range wanted {
		if !slices.Contains(a.Resources, no) {
			if err := s.board.Assign(a.GUID, no); err != nil {
				return err
			}
		}
	}
	for _, no := range a.Resources {
		if !slices.Contains(wanted, no) {
			if err := s.board.Unassign(a.GUID, no); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sandbox) task(name string) (boardsim.Task, error) {
	if name == "" {
		return boardsim.Task{}, nil
	}
	for _, t := range s.tasks {
		if t.JobNo+"/"+t.TaskNo == name {
			return t, nil
		}
	}
	return boardsim.Task{}, fmt.Errorf("there is no task %q", name)
}

type boardDrag struct {
	span
	ID   string `json:"id"`
	From string `json:"from"` // the row it was taken from; "" = nobody's
	To   string `json:"to"`   // the row it was dropped on; "" = nobody's
}

// boardMove drags an appointment in time, to another resource, or both.
func (s *Sandbox) boardMove(_ context.Context, d boardDrag) error {
	a, err := s.board.Get(d.ID)
	if err := errors.Join(err, d.check()); err != nil {
		return err
	}
	if !a.Start.Equal(d.Start) || !a.End.Equal(d.End) {
		if err := s.board.Edit(d.ID, func(a *boardsim.Appointment) { a.Start, a.End = d.Start, d.End }); err != nil {
			return err
		}
	}
	switch {
	case d.From == d.To:
		return nil
	case d.From == "":
		return s.board.Assign(d.ID, d.To)
	case d.To == "":
		return s.board.Unassign(d.ID, d.From)
	}
	return s.board.Reassign(d.ID, d.From, d.To)
}

type boardKey struct {
	ID string `json:"id"`
}

func (s *Sandbox) boardDelete(_ context.Context, k boardKey) error { return s.board.Delete(k.ID) }

type eventForm struct {
	span
	ID          string `json:"id"`  // "" = a new one
	Row         string `json:"row"` // number of the resource whose calendar it is
	Subject     string `json:"subject"`
	Body        string `json:"body"`
	Importance  string `json:"importance"`
	ShowAs      string `json:"showAs"`
	Sensitivity string `json:"sensitivity"`
}

// choices are the values of Outlook's fields.
var choices = map[string][]string{
	"importance":  {"low", "normal", "high"},
	"showAs":      {"free", "tentative", "busy", "oof", "workingElsewhere"},
	"sensitivity": {"normal", "personal", "private", "confidential"},
}

// outlookSave creates or edits an event, as its owner in Outlook.
func (s *Sandbox) outlookSave(_ context.Context, f eventForm) error {
	user, err := s.mailbox(f.Row)
	if err != nil {
		return err
	}
	for field, value := range map[string]string{"importance": f.Importance, "showAs": f.ShowAs, "sensitivity": f.Sensitivity} {
		if !slices.Contains(choices[field], value) {
			return fmt.Errorf("%s %q is none of %s", field, value, strings.Join(choices[field], ", "))
		}
	}
	if err := f.check(); err != nil {
		return err
	}
	fill := func(e *graphsim.Event) {
		if e.Text() != f.Body {
			e.Body, e.BodyType = f.Body, "text"
		}
		e.Subject, e.Start, e.End = f.Subject, f.Start, f.End
		e.Importance, e.ShowAs, e.Sensitivity = f.Importance, f.ShowAs, f.Sensitivity
	}
	if f.ID == "" {
		var e graphsim.Event
		fill(&e)
		_, err = s.graph.CreateEvent(user, e)
		return err
	}
	_, err = s.graph.UpdateEvent(user, f.ID, fill)
	return err
}

type eventDrag struct {
	span
	ID  string `json:"id"`
	Row string `json:"row"`
}

func (s *Sandbox) outlookMove(_ context.Context, d eventDrag) error {
	user, err := s.mailbox(d.Row)
	if err := errors.Join(err, d.check()); err != nil {
		return err
	}
	_, err = s.graph.MoveEvent(user, d.ID, d.Start, d.End)
	return err
}

type eventKey struct {
	ID  string `json:"id"`
	Row string `json:"row"`
}

func (s *Sandbox) outlookDelete(_ context.Context, k eventKey) error {
	user, err := s.mailbox(k.Row)
	if err != nil {
		return err
	}
	return s.graph.DeleteEvent(user, k.ID)
}

// mailbox is the address of a resource that takes part.
func (s *Sandbox) mailbox(no string) (string, error) {
	for _, r := range s.board.Resources() {
		if r.ResourceNo == no && r.ExchangeIntegrationEnabled {
			return r.Email, nil
		}
	}
	return "", fmt.Errorf("resource %q has no calendar here", no)
}

// dropped is how many notifications one click loses.
const dropped = 3

type troubleForm struct {
	Do string `json:"do"`
	On bool   `json:"on"`
}

// trouble does what its buttons say.
func (s *Sandbox) trouble(ctx context.Context, f troubleForm) error {
	switch f.Do {
	case "kill":
		return s.controls.KillHandler()
	case "drop":
		s.controls.DropNotifications(dropped)
	case "expire":
		s.controls.ExpireSubscriptions()
	case "storm":
		s.controls.SetStorm(f.On)
	case "stop":
		s.controls.SetGraphDown(f.On)
	case "erpdown":
		return s.controls.SetERPDown(f.On)
	case "erplocked":
		s.controls.SetERPLocked(f.On)
	case "erplate":
		s.controls.LoseERPAnswer()
	case "subscriptionrenewal", "mailboxsweep", "resourcesync", "redrive":
		return s.controls.Trigger(ctx, f.Do)
	default:
		return fmt.Errorf("there is no trouble %q", f.Do)
	}
	return nil
}
