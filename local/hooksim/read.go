package hooksim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// read reads a delivery from its headers and the graph in its body.
func read(h http.Header, body []byte) (d Delivery, why string) {
	var g struct {
		AppointmentGuid, Subject string
		StartDate, EndDate       time.Time
		Task                     *struct {
			TaskNo string
			Job    struct{ JobNo string }
		}
		Assignments []struct{ Resource struct{ ResourceNo string } }
	}
	if err := json.Unmarshal(body, &g); err != nil {
		return d, "the body is not the JSON of an appointment"
	}
	if g.AppointmentGuid == "" {
		return d, "the appointment has no AppointmentGuid"
	}
	d = Delivery{Key: h.Get("Idempotency-Key"), Operation: h.Get("X-Dime-Operation"), Body: body}
	if !slices.Contains([]string{"Create", "Update", "Delete"}, d.Operation) {
		return d, "X-Dime-Operation is none of Create, Update and Delete"
	}
	d.Attempt, _ = strconv.Atoi(h.Get("X-Dime-Attempt"))
	d.Appointment = Appointment{
		GUID: strings.ToLower(g.AppointmentGuid), Operation: d.Operation, Version: h.Get("X-Dime-Version"),
		Subject: g.Subject, Start: g.StartDate.UTC(), End: g.EndDate.UTC(), Resources: []string{},
	}
	if g.Task != nil {
		d.TaskNo, d.JobNo = g.Task.TaskNo, g.Task.Job.JobNo
	}
	for _, a := range g.Assignments {
		d.Resources = append(d.Resources, a.Resource.ResourceNo)
	}
	slices.Sort(d.Resources)
	return d, ""
}

// newer tells whether version a comes after b. A version is a time and, behind a
// #, a number that orders what has the same time; one that can not be read
// orders nothing.
func newer(a, b string) bool {
	at, an, okA := version(a)
	bt, bn, okB := version(b)
	if !okA || !okB {
		return false
	}
	if c := at.Compare(bt); c != 0 {
		return c > 0
	}
	return an > bn
}

func version(s string) (at time.Time, n int64, ok bool) {
	text, number, _ := strings.Cut(s, "#")
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, 0, false
	}
	n, err = strconv.ParseInt(number, 10, 64)
	return at, n, err == nil
}
