package actions

import (
	"encoding/json"
	"fmt"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// item is what placeholders read of an appointment graph (facts B.5).
type item struct {
	ID        json.Number
	StartDate string
	EndDate   string
	Task      *struct {
		TaskNo string
		Job    *struct{ JobNo, SourceApp, SourceType string }
	}
	Assignments []struct{ Resource struct{ ResourceNo string } }
}

// databaseAction is the letter of an operation in action URIs: they have A and E
// where back offices have I and U (docs.dimescheduler.com administration/settings/actions).
var databaseAction = map[appointment.Operation]string{appointment.Create: "A", appointment.Update: "E", appointment.Delete: "D"}

// ValuesOf returns what the placeholders stand for in an appointment graph, as
// store.Head keeps it; times are in UTC, in ISO 8601 with Z. Of several resources the
// first counts. It also tells the job's source app and type, by which actions are
// offered.
//
// Guess: the form of the times, and which resource counts.
func ValuesOf(graph []byte, op appointment.Operation) (v Values, sourceApp, sourceType string, err error) {
	var g item
	if err := json.Unmarshal(graph, &g); err != nil {
		return nil, "", "", fmt.Errorf("the appointment's data can not be read: %w", err)
	}
	v = Values{"START": g.StartDate, "END": g.EndDate, "APPOINTMENTID": g.ID.String(), "DATABASEACTION": databaseAction[op]}
	if g.Task != nil {
		v["TASKNO"] = g.Task.TaskNo
		if j := g.Task.Job; j != nil {
			sourceApp, sourceType = j.SourceApp, j.SourceType
			v["JOBNO"], v["SOURCEAPP"], v["SOURCETYPE"] = j.JobNo, j.SourceApp, j.SourceType
		}
	}
	if len(g.Assignments) > 0 {
		v["RESOURCE"] = g.Assignments[0].Resource.ResourceNo
	}
	return v, sourceApp, sourceType, nil
}
