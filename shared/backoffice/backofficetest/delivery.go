package backofficetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
)

// Base is a day on which nothing special happens.
var Base = time.Date(2026, 3, 10, 8, 30, 0, 0, time.UTC)

// Sample is the n-th sample appointment as a record: what a delivery of it should leave.
func Sample(n int) Record {
	return Record{
		Appointment: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Operation: backoffice.Insert,
		Subject: fmt.Sprintf("Boiler %d", n), Body: "Bring the long ladder.",
		Start: Base.Add(time.Duration(n) * time.Hour), End: Base.Add(time.Duration(n)*time.Hour + 45*time.Minute),
		Assignees: []string{"R1", "R2"}, SourceApp: "BCPROD", SourceType: "SERVICE", JobNo: fmt.Sprintf("JOB%03d", n), TaskNo: "10000",
	}
}

// Delivery makes the delivery that should leave r, of the given version (1, 2, ...).
func Delivery(r Record, version int) backoffice.Delivery {
	v := appointment.Version{Modified: Base.Add(time.Duration(version) * time.Minute), Sequence: int64(version)}
	a := appointment.Appointment{
		Guid: r.Appointment, ID: 4711, Number: "A-" + r.Appointment[len(r.Appointment)-4:], Modified: v.Modified,
		Content: appointment.Content{
			appointment.When: appointment.Interval(r.Start, r.End), appointment.Subject: r.Subject, appointment.Body: r.Body,
			appointment.Importance: "normal",
		},
		SourceApp: r.SourceApp, SourceType: r.SourceType, JobNo: r.JobNo, TaskNo: r.TaskNo,
	}
	for _, no := range r.Assignees {
		a.Assignees = append(a.Assignees, appointment.Assignee{No: no})
	}
	return backoffice.Delivery{
		Key:       strings.Join([]string{"test", r.Appointment, v.String(), string(r.Operation)}, "/"),
		Operation: r.Operation, Appointment: a, Graph: Graph(r, v), Version: v, SentFromBackOffice: r.SentFromBackOffice,
		Attempt: 1, First: time.Now().UTC(), Invocation: "11111111-2222-4333-8444-555555555555",
		Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

// Graph writes the appointment graph of a record as the board's webhook connector does.
func Graph(r Record, v appointment.Version) []byte {
	type object = map[string]any
	assignments := []object{}
	for i, no := range r.Assignees {
		assignments = append(assignments, object{"ResourceId": i + 1, "Resource": object{
			"ResourceNo": no, "DisplayName": "Person " + no, "SourceApp": r.SourceApp, "SourceType": r.SourceType, "Email": strings.ToLower(no) + "@example.com"}})
	}
	graph := object{
		"id": 4711, "appointmentNo": "A-" + r.Appointment[len(r.Appointment)-4:], "AppointmentGuid": r.Appointment,
		"Subject": r.Subject, "Body": r.Body, "StartDate": r.Start.Format(time.RFC3339), "EndDate": r.End.Format(time.RFC3339),
		"Importance": 0, "LastModifiedDate": v.Modified.Format(time.RFC3339), "SentFromBackOffice": r.SentFromBackOffice,
		"Task":        object{"TaskNo": r.TaskNo, "Job": object{"JobNo": r.JobNo, "SourceApp": r.SourceApp, "SourceType": r.SourceType}},
		"Assignments": assignments,
	}
	text, err := json.Marshal(graph)
	if err != nil {
		panic(err) // texts, numbers and times
	}
	return text
}

// ParseGraph reads back what Graph wrote, for connectors that send it as it is.
func ParseGraph(op backoffice.Operation, text []byte) (Record, error) {
	var g struct {
		AppointmentGuid, Subject, Body string
		StartDate, EndDate             time.Time
		SentFromBackOffice             bool
		Task                           struct {
			TaskNo string
			Job    struct{ JobNo, SourceApp, SourceType string }
		}
		Assignments []struct{ Resource struct{ ResourceNo string } }
	}
	if err := json.Unmarshal(text, &g); err != nil {
		return Record{}, err
	}
	r := Record{
		Appointment: strings.ToLower(g.AppointmentGuid), Operation: op, Subject: g.Subject, Body: g.Body, Start: g.StartDate.UTC(), End: g.EndDate.UTC(),
		SourceApp: g.Task.Job.SourceApp, SourceType: g.Task.Job.SourceType, JobNo: g.Task.Job.JobNo, TaskNo: g.Task.TaskNo, SentFromBackOffice: g.SentFromBackOffice,
	}
	for _, a := range g.Assignments {
		r.Assignees = append(r.Assignees, a.Resource.ResourceNo)
	}
	slices.Sort(r.Assignees)
	return r, nil
}
