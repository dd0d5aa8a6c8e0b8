package dimescheduler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// MaxMessage is the largest body that is taken: what a Service Bus message of
// the standard tier can hold.
const MaxMessage = 256 << 10

// message is the union of the full graph, as the webhook connector sends it
// (facts B.5), and of the flat form of one appointment and one resource, as
// the import and the Zapier triggers write it (facts C.4). encoding/json
// matches the keys without regard to case, and both forms mix it.
type message struct {
	ID                value `json:"id"`
	AppointmentID     value `json:"appointmentId"`
	AppointmentNo     value `json:"appointmentNo"`
	AppointmentGuid   value `json:"appointmentGuid"`
	Subject           value `json:"subject"`
	Body              value `json:"body"`
	StartDate         value `json:"startDate"`
	EndDate           value `json:"endDate"`
	Start             value `json:"start"`
	End               value `json:"end"`
	Importance        value `json:"importance"`
	ShowAs            value `json:"showAs"`
	Sensitivity       value `json:"sensitivity"`
	TimeZone          value `json:"timeZone"`
	IsAllDay          value `json:"isAllDay"`
	IsAllDayEvent     value `json:"isAllDayEvent"`
	LastModifiedDate  value `json:"lastModifiedDate"`
	UpdatedAt         value `json:"updatedAt"`
	CreatedByExchange value `json:"createdByExchange"`
	Task              value `json:"task"`
	Assignments       value `json:"assignments"`

	SourceApp     value `json:"sourceApp"`
	SourceType    value `json:"sourceType"`
	JobNo         value `json:"jobNo"`
	TaskNo        value `json:"taskNo"`
	ResourceNo    value `json:"resourceNo"`
	ResourceEmail value `json:"resourceEmail"`
}

type task struct {
	TaskNo value `json:"taskNo"`
	Job    *struct {
		SourceApp  value `json:"sourceApp"`
		SourceType value `json:"sourceType"`
		JobNo      value `json:"jobNo"`
	} `json:"job"`
}

type assignment struct {
	ResourceNo value `json:"resourceNo"`
	Resource   *struct {
		ResourceNo value `json:"resourceNo"`
		Email      value `json:"email"`
	} `json:"resource"`
}

// DecodeChange reads a message of the appointments queue. zone is that of
// times without one. seq is the sequence number of the message's first
// delivery and enqueued the broker's time, which stands for a missing
// LastModifiedDate.
//
// Fields that the message lacks are not in the content (R9); so is a field that
// is null, but for subject and body of the full graph: there the board says
// that it has none. A change without Assignments is Partial, unless it is a
// Delete that names no resource: that speaks for the whole appointment.
//
// Every error is a Poison fault that says what is wrong in words for the
// sender, and shows nothing of the body.
func DecodeChange(body []byte, changeType string, seq int64, enqueued time.Time, zone *time.Location) (appointment.Change, error) {
	const op = "board message"
	if len(body) > MaxMessage {
		return appointment.Change{}, fault.Poisoned(op, "the body is larger than %d KiB", MaxMessage>>10)
	}
	operation, err := appointment.ParseOperation(changeType)
	if err != nil {
		return appointment.Change{}, fault.Poisoned(op, "changeType is none of Create, Update, Delete")
	}
	a, problem := decodeAppointment(body, zone)
	if problem != "" {
		return appointment.Change{}, fault.Poisoned(op, "%s", problem)
	}
	if operation == appointment.Delete && a.Partial && len(a.Assignees) == 0 {
		a.Partial = false
	}
	version := appointment.Version{Modified: a.Modified, Sequence: seq}
	// A time that lies ahead would make every later change look old.
	if a.Modified.IsZero() || !enqueued.IsZero() && a.Modified.After(enqueued.Add(time.Hour)) {
		version.Modified = enqueued.UTC()
	}
	return appointment.Change{
		Operation:   operation,
		Version:     version,
		Appointment: a,
		Raw:         bytes.Clone(trimBOM(body)),
	}, nil
}

func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

// decodeAppointment reads one appointment in either form; problem says what is
// wrong with it, "" if nothing is.
func decodeAppointment(body []byte, zone *time.Location) (a appointment.Appointment, problem string) {
	body = bytes.TrimSpace(trimBOM(body))
	switch {
	case len(body) == 0:
		return a, "the body is empty"
	case body[0] != '{':
		if json.Valid(body) {
			return a, "the body is JSON, but not an object"
		}
		return a, "the body is not JSON"
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return a, "the body is not JSON: " + jsonProblem(err)
	}
	r := &reader{zone: zone}
	a = m.appointment(r)
	if r.problem != "" {
		return appointment.Appointment{}, r.problem
	}
	a.EventIDs = eventIDs(body)
	return a, ""
}

// jsonProblem says where the JSON breaks off, without showing what is there.
func jsonProblem(err error) string {
	if e, ok := err.(*json.SyntaxError); ok {
		return fmt.Sprintf("it breaks at byte %d", e.Offset)
	}
	return "it can not be read"
}

func (m *message) appointment(r *reader) appointment.Appointment {
	a := appointment.Appointment{
		Guid:              r.guid("AppointmentGuid", m.AppointmentGuid),
		Number:            r.key("AppointmentNo", m.AppointmentNo),
		SourceApp:         r.key("SourceApp", m.SourceApp),
		SourceType:        r.key("SourceType", m.SourceType),
		JobNo:             r.key("JobNo", m.JobNo),
		TaskNo:            r.key("TaskNo", m.TaskNo),
		CreatedByExchange: r.boolean("CreatedByExchange", m.CreatedByExchange),
	}
	if a.Guid == "" {
		r.fail("AppointmentGuid is missing or all zeros: it is the id of the appointment")
	}
	var known bool
	if a.ID, known = r.integer("id", m.ID); !known {
		a.ID, _ = r.integer("appointmentId", m.AppointmentID)
	}
	if a.Modified, known = r.instant("LastModifiedDate", m.LastModifiedDate); !known {
		a.Modified, _ = r.instant("updatedAt", m.UpdatedAt)
	}
	m.job(r, &a)
	m.assignees(r, &a)
	a.Content = m.content(r)
	return a
}

func (m *message) job(r *reader, a *appointment.Appointment) {
	if isNull(m.Task) {
		return
	}
	var t task
	if err := json.Unmarshal(m.Task, &t); err != nil {
		r.fail("Task is not an object as in the schema")
		return
	}
	a.TaskNo = r.key("Task.TaskNo", t.TaskNo)
	if t.Job != nil {
		a.SourceApp = r.key("Task.Job.SourceApp", t.Job.SourceApp)
		a.SourceType = r.key("Task.Job.SourceType", t.Job.SourceType)
		a.JobNo = r.key("Task.Job.JobNo", t.Job.JobNo)
	}
}

// flat reports whether the message is of one resource only, or of none.
func (m *message) flat() bool { return isNull(m.Assignments) }

func (m *message) assignees(r *reader, a *appointment.Appointment) {
	if m.flat() {
		a.Partial = true
		if no := r.key("ResourceNo", m.ResourceNo); no != "" {
			a.Assignees = []appointment.Assignee{{No: no, Email: r.key("ResourceEmail", m.ResourceEmail)}}
		}
		return
	}
	var list []*assignment
	if err := json.Unmarshal(m.Assignments, &list); err != nil {
		r.fail("Assignments is not a list of objects as in the schema")
		return
	}
	seen := map[string]bool{}
	for i, item := range list {
		var no, email string
		if item != nil {
			no = r.key("Assignments.ResourceNo", item.ResourceNo)
			if item.Resource != nil {
				if n := r.key("Assignments.Resource.ResourceNo", item.Resource.ResourceNo); n != "" {
					no = n
				}
				email = r.key("Assignments.Resource.Email", item.Resource.Email)
			}
		}
		if no == "" {
			// To leave it out would unassign somebody.
			r.fail("Assignments[%d] names no resource (Resource.ResourceNo)", i)
			return
		}
		if !seen[no] {
			seen[no] = true
			a.Assignees = append(a.Assignees, appointment.Assignee{No: no, Email: email})
		}
	}
}

func (m *message) content(r *reader) appointment.Content {
	c := appointment.Content{}
	m.texts(r, c)

	start, hasStart := r.instant("StartDate", first(m.StartDate, m.Start))
	end, hasEnd := r.instant("EndDate", first(m.EndDate, m.End))
	if hasStart && hasEnd {
		end = r.sensible(start, end, first(m.StartDate, m.Start), first(m.EndDate, m.End))
	}
	switch {
	case hasStart && hasEnd && end.Before(start):
		r.fail("EndDate lies before StartDate")
	case hasStart && hasEnd:
		c[appointment.When] = m.when(r, start, end)
	case hasStart != hasEnd:
		r.fail("of StartDate and EndDate one is missing")
	}
	if s, known := r.enumerated("Importance", m.Importance, importances); known {
		c[appointment.Importance] = s
	}
	if s, known := r.enumerated("ShowAs", m.ShowAs, showAs); known {
		c[appointment.ShowAs] = s
	}
	if s, known := r.enumerated("Sensitivity", m.Sensitivity, sensitivities); known {
		c[appointment.Sensitivity] = s
	}
	if zone := r.key("TimeZone", m.TimeZone); zone != "" {
		c[appointment.TimeZone] = zone
	}
	return c
}

// when returns the canonical time.
//
// Guess: an appointment that the board flags as all-day (facts C.4; the flag is
// deprecated and may be absent) means the dates that it touches in the board's
// zone. The flag is read only: the Exchange import has no place for it, and an
// all-day event stands on the board from midnight to midnight.
func (m *message) when(r *reader, start, end time.Time) string {
	if r.boolean("IsAllDay", first(m.IsAllDay, m.IsAllDayEvent)) {
		return appointment.Covering(start, end, r.location())
	}
	return appointment.Interval(start, end)
}

// texts reads subject and body. Both are plain text on the board: what looks
// like HTML or script in them is text, too, and stays as it is.
func (m *message) texts(r *reader, c appointment.Content) {
	if s, known := r.text("Subject", m.Subject); known || m.saysNone(m.Subject) {
		c[appointment.Subject] = appointment.Line(s)
	}
	if s, known := r.text("Body", m.Body); known || m.saysNone(m.Body) {
		c[appointment.Body] = appointment.Cut(appointment.Text(s), appointment.CutOnBoard)
	}
}

// saysNone: the full graph writes null for a text that is not there; the flat
// form writes it for what it does not speak of.
func (m *message) saysNone(v value) bool { return len(v) > 0 && isNull(v) && !m.flat() }

func first(a, b value) value {
	if isNull(a) {
		return b
	}
	return a
}
