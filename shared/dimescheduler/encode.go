package dimescheduler

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// The full graph as this program writes it: the keys of facts B.5 in their
// casing, and the few that the board's schema does not have (ShowAs,
// Sensitivity, TimeZone, CreatedByExchange).
type graph struct {
	ID                int64             `json:"id,omitempty"`
	AppointmentNo     string            `json:"appointmentNo,omitempty"`
	AppointmentGuid   string            `json:"AppointmentGuid"`
	Subject           *string           `json:"Subject,omitempty"`
	Body              *string           `json:"Body,omitempty"`
	StartDate         string            `json:"StartDate,omitempty"`
	EndDate           string            `json:"EndDate,omitempty"`
	Importance        *int64            `json:"Importance,omitempty"`
	ShowAs            *int64            `json:"ShowAs,omitempty"`
	Sensitivity       *int64            `json:"Sensitivity,omitempty"`
	TimeZone          string            `json:"TimeZone,omitempty"`
	IsAllDay          bool              `json:"IsAllDay,omitempty"`
	LastModifiedDate  string            `json:"LastModifiedDate,omitempty"`
	CreatedByExchange bool              `json:"CreatedByExchange,omitempty"`
	Task              *graphTask        `json:"Task,omitempty"`
	Assignments       []graphAssignment `json:"Assignments,omitzero"`
	ResourceNo        string            `json:"resourceNo,omitempty"`
	ResourceEmail     string            `json:"resourceEmail,omitempty"`
}

type graphTask struct {
	TaskNo string   `json:"TaskNo,omitempty"`
	Job    graphJob `json:"Job"`
}

type graphJob struct {
	SourceApp  string `json:"SourceApp,omitempty"`
	SourceType string `json:"SourceType,omitempty"`
	JobNo      string `json:"JobNo,omitempty"`
}

type graphAssignment struct {
	Resource graphResource `json:"Resource"`
}

type graphResource struct {
	ResourceNo string `json:"ResourceNo"`
	Email      string `json:"Email,omitempty"`
}

// EncodeChange writes an appointment as a message body, so that DecodeChange
// reads the same appointment again; it is for what a worker has read from the
// board and sends to the appointments queue (R10). What the board's own JSON (Raw)
// holds besides travels along, unless that makes the message too large. A Partial
// appointment can name one resource at most. The error is a Poison fault.
func EncodeChange(a appointment.Appointment) ([]byte, error) {
	const op = "encode board message"
	g := graph{
		ID:                a.ID,
		AppointmentNo:     a.Number,
		AppointmentGuid:   a.Guid,
		TimeZone:          a.Content[appointment.TimeZone],
		CreatedByExchange: a.CreatedByExchange,
	}
	if !a.Modified.IsZero() {
		g.LastModifiedDate = a.Modified.UTC().Format(time.RFC3339Nano)
	}
	if a.SourceApp+a.SourceType+a.JobNo+a.TaskNo != "" {
		g.Task = &graphTask{TaskNo: a.TaskNo, Job: graphJob{SourceApp: a.SourceApp, SourceType: a.SourceType, JobNo: a.JobNo}}
	}
	if err := g.assign(a); err != nil {
		return nil, fault.Poisoned(op, "%w", err)
	}
	if err := g.fill(a.Content); err != nil {
		return nil, fault.Poisoned(op, "%w", err)
	}
	body, err := json.Marshal(g)
	if err != nil {
		return nil, fault.Poisoned(op, "%w", err)
	}
	if whole, err := over(a.Raw, body, a.Partial); err == nil && len(whole) <= MaxMessage {
		return whole, nil
	}
	if len(body) > MaxMessage {
		return nil, fault.Poisoned(op, "the message would be larger than %d KiB", MaxMessage>>10)
	}
	return body, nil
}

func (g *graph) assign(a appointment.Appointment) error {
	if !a.Partial {
		g.Assignments = []graphAssignment{}
		for _, r := range a.Assignees {
			g.Assignments = append(g.Assignments, graphAssignment{graphResource{ResourceNo: r.No, Email: r.Email}})
		}
		return nil
	}
	switch len(a.Assignees) {
	case 0:
	case 1:
		g.ResourceNo, g.ResourceEmail = a.Assignees[0].No, a.Assignees[0].Email
	default:
		return fmt.Errorf("a partial appointment names %d resources", len(a.Assignees))
	}
	return nil
}

func (g *graph) fill(c appointment.Content) error {
	if s, ok := c[appointment.Subject]; ok {
		g.Subject = &s
	}
	if s, ok := c[appointment.Body]; ok {
		g.Body = &s
	}
	if when, ok := c[appointment.When]; ok {
		start, end, err := appointment.ParseInterval(when)
		if err != nil {
			return err
		}
		g.StartDate, g.EndDate = start.Format(time.RFC3339), end.Format(time.RFC3339)
		g.IsAllDay = c.AllDay()
	}
	for f, x := range map[appointment.Field]struct {
		to **int64
		e  enum
	}{
		appointment.Importance:  {&g.Importance, importances},
		appointment.ShowAs:      {&g.ShowAs, showAs},
		appointment.Sensitivity: {&g.Sensitivity, sensitivities},
	} {
		s, ok := c[f]
		if !ok {
			continue
		}
		n, ok := x.e.number(s)
		if !ok {
			return fmt.Errorf("%s has a value that the board does not know", f)
		}
		*x.to = &n
	}
	return nil
}

// over returns the board's own JSON with what is known of it now put over it.
func over(raw, known []byte, partial bool) ([]byte, error) {
	o, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	now, err := parseObject(known)
	if err != nil {
		return nil, err
	}
	o = full(o)
	if o == nil {
		o = object{}
	}
	fold(o, now, "")
	if partial {
		delete(o, "Assignments")
	}
	return json.Marshal(o)
}
