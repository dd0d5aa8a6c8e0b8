package world

import (
	"fmt"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
)

// The demo is there before the app starts, as in a company that begins to use it.

var demoResources = []struct{ no, name string }{
	{"ANNA", "Anna Peeters"}, {"BRAM", "Bram De Smet"}, {"CHLOE", "Chloé Martin"}, {"DAVID", "David Janssens"},
}

// The source app of a job is the company in whose books it stands.
var demoTasks = []struct{ app, job, jobText, task, text string }{
	{CronusApp, "J1001", "Town hall, heat pumps", "T10", "Survey"},
	{CronusApp, "J1001", "Town hall, heat pumps", "T20", "Install the outdoor units"},
	{CronusApp, "J1001", "Town hall, heat pumps", "T30", "Commissioning"},
	{CronusApp, "J1002", "Bakery Lambert, yearly service", "T10", "Service the ovens"},
	{CronusApp, "J1002", "Bakery Lambert, yearly service", "T20", "Replace the burner"},
	{FabrikamApp, "F2001", "Library, ventilation", "T10", "Clean the ducts"},
	{FabrikamApp, "F2001", "Library, ventilation", "T20", "Replace the filters"},
}

// demoAppointments lie on the day of the start, in UTC.
var demoAppointments = []struct {
	task      int // index into demoTasks
	hour      float64
	length    float64
	resources []string
	category  string
}{
	{0, 8, 1.5, []string{"ANNA"}, ""},
	{1, 10, 4, []string{"ANNA", "BRAM"}, ""},
	{3, 8.5, 2, []string{"CHLOE"}, ""},
	{4, 13, 2.5, []string{"CHLOE"}, ""},
	{2, 15, 2, []string{"DAVID"}, ""},
	{5, 9, 3, []string{"DAVID"}, ""},
	{6, 15, 1.5, []string{"BRAM", "CHLOE"}, ""},
	{2, 15, 2, []string{"ANNA"}, Placeholder},
}

// addDemo puts resources, mailboxes, tasks and appointments in place.
func (w *World) addDemo(now time.Time) {
	for _, r := range demoResources {
		email := strings.ToLower(r.no) + "@example.com"
		w.Graph.AddUser(graphsim.User{UPN: email, DisplayName: r.name})
		w.Board.AddResource(boardsim.Resource{
			ResourceNo: r.no, DisplayName: r.name, Email: email, ExchangeIntegrationEnabled: true,
			// No source app: they work for both companies. A back office is not told
			// of resources of another source app.
			ResourceType: "Technician", Department: "Field service",
		})
	}
	w.Board.AddCategory(boardsim.Category{Name: Placeholder, DisplayName: Placeholder, Color: "#9aa5b1"})
	for _, t := range demoTasks {
		w.Board.AddJob(boardsim.Job{SourceApp: t.app, SourceType: "ORDER", JobNo: t.job, ShortDescription: t.jobText})
	}
	for _, t := range Tasks() {
		w.Board.AddTask(t)
	}
	day := now.UTC().Truncate(24 * time.Hour)
	at := func(hours float64) time.Time { return day.Add(time.Duration(hours * float64(time.Hour))) }
	for _, d := range demoAppointments {
		t := demoTasks[d.task]
		_, err := w.Board.CreateAppointment(boardsim.Appointment{
			Subject: t.text, Body: fmt.Sprintf("%s (%s)", t.jobText, t.job), Start: at(d.hour), End: at(d.hour + d.length),
			SourceApp: t.app, SourceType: "ORDER", JobNo: t.job, TaskNo: t.task, Resources: d.resources, Category: d.category,
		})
		if err != nil {
			panic("world: the demo does not fit the board: " + err.Error())
		}
	}
	w.step("demo", "%d resources with mailboxes, %d tasks, %d appointments of today", len(demoResources), len(demoTasks), len(demoAppointments))
}

// Tasks are the tasks of the demo.
func Tasks() []boardsim.Task {
	var tasks []boardsim.Task
	for _, t := range demoTasks {
		tasks = append(tasks, boardsim.Task{SourceApp: t.app, SourceType: "ORDER", JobNo: t.job, TaskNo: t.task, ShortDescription: t.text})
	}
	return tasks
}
