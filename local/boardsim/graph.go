package boardsim

import (
	"encoding/json"
	"time"
)

// graph is the appointment as the board's webhook sends it; the casing is the
// real one, mixed as it is (schema "appointment-incoming").
type graph struct {
	AppointmentNo         string            `json:"appointmentNo"`
	ID                    int64             `json:"id"`
	ExternalID            *int              `json:"ExternalId"`
	Subject               string            `json:"Subject"`
	Body                  string            `json:"Body"`
	StartDate             string            `json:"StartDate"`
	EndDate               string            `json:"EndDate"`
	Importance            int               `json:"Importance"`
	AppointmentGUID       string            `json:"AppointmentGuid"`
	Locked                bool              `json:"Locked"`
	PlanningUOM           *string           `json:"PlanningUOM"`
	PlanningQty           *float64          `json:"PlanningQty"`
	UseFixPlanningQty     bool              `json:"UseFixPlanningQty"`
	RoundToUOM            bool              `json:"RoundToUOM"`
	LastModifiedDate      string            `json:"LastModifiedDate"`
	LastModifiedUser      string            `json:"LastModifiedUser"`
	IsRecurrenceException bool              `json:"IsRecurrenceException"`
	CapacityIndicator     *string           `json:"CapacityIndicator"`
	FieldValues           []any             `json:"AppointmentFieldValues"`
	URLs                  []any             `json:"AppointmentUrls"`
	Containers            []any             `json:"AppointmentContainers"`
	Notifications         []any             `json:"Notifications"`
	CreatedDate           string            `json:"CreatedDate"`
	CreatedUser           string            `json:"CreatedUser"`
	Task                  *graphTask        `json:"Task"`
	Category              *graphCategory    `json:"Category"`
	TimeMarker            *graphTimeMarker  `json:"TimeMarker"`
	Assignments           []graphAssignment `json:"Assignments"`
	ExchangeAppointments  []graphExchange   `json:"ExchangeAppointments,omitempty"`
}

// graphExchange is made up: whether the real board shows its mapping rows is not known.
type graphExchange struct {
	ResourceEmail string `json:"ResourceEmail"`
	ExchangeID    string `json:"ExchangeId"`
	ICalUID       string `json:"ICalUId"`
}

type graphTask struct {
	TaskNo string   `json:"TaskNo"`
	Job    graphJob `json:"Job"`
}

type graphJob struct {
	SourceApp  string `json:"SourceApp"`
	SourceType string `json:"SourceType"`
	JobNo      string `json:"JobNo"`
}

type graphCategory struct {
	DisplayName string `json:"DisplayName"`
	Color       string `json:"Color"`
}

type graphTimeMarker struct {
	Name  string `json:"Name"`
	Color string `json:"Color"`
}

type graphAssignment struct {
	ResourceID int           `json:"ResourceId"`
	Resource   graphResource `json:"Resource"`
}

type graphResource struct {
	ResourceType graphResourceType `json:"ResourceType"`
	SourceApp    string            `json:"SourceApp"`
	SourceType   string            `json:"SourceType"`
	DisplayName  string            `json:"DisplayName"`
	Department   string            `json:"Department"`
	ResourceNo   string            `json:"ResourceNo"`
	Email        string            `json:"Email"`
}

type graphResourceType struct {
	DisplayName string `json:"DisplayName"`
}

// flatRow is the flat form, with the fields of the board's Zapier triggers.
type flatRow struct {
	ID               int64    `json:"id"`
	AppointmentNo    string   `json:"appointmentNo"`
	AppointmentGUID  string   `json:"appointmentGuid"`
	JobNo            string   `json:"jobNo"`
	TaskNo           string   `json:"taskNo"`
	ResourceNo       string   `json:"resourceNo"`
	Subject          string   `json:"subject"`
	Body             string   `json:"body"`
	Start            string   `json:"start"`
	End              string   `json:"end"`
	Importance       int      `json:"importance"`
	Locked           bool     `json:"locked"`
	PlanningQuantity *float64 `json:"planningQuantity"`
	UnitOfMeasure    *string  `json:"unitOfMeasure"`
	CreatedAt        string   `json:"createdAt"`
	UpdatedAt        string   `json:"updatedAt"`
}

// graph describes an appointment in full; the caller holds the lock.
func (b *Board) graph(a *Appointment) graph {
	g := graph{
		AppointmentNo: a.AppointmentNo, ID: a.ID, AppointmentGUID: a.GUID,
		Subject: a.Subject, Body: a.Body, StartDate: b.format(a.Start), EndDate: b.format(a.End),
		Importance: a.Importance, Locked: a.Locked,
		LastModifiedDate: b.format(a.LastModified), LastModifiedUser: a.LastModifiedUser,
		CreatedDate: b.format(a.Created), CreatedUser: a.CreatedUser,
		FieldValues: []any{}, URLs: []any{}, Containers: []any{}, Notifications: []any{},
		Assignments: []graphAssignment{},
	}
	if a.TaskNo != "" {
		g.Task = &graphTask{a.TaskNo, graphJob{a.SourceApp, a.SourceType, a.JobNo}}
	}
	for _, c := range b.categories {
		if a.Category != "" && c.Name == a.Category {
			g.Category = &graphCategory{c.DisplayName, c.Color}
		}
	}
	for _, m := range b.timeMarkers {
		if a.TimeMarker != "" && m.Name == a.TimeMarker {
			g.TimeMarker = &graphTimeMarker{m.Name, m.Color}
		}
	}
	for _, no := range a.Resources {
		if r, err := b.resource(no); err == nil {
			g.Assignments = append(g.Assignments, graphAssignment{r.ID, graphResource{
				graphResourceType{r.ResourceType}, r.SourceApp, r.SourceType,
				r.DisplayName, r.Department, r.ResourceNo, r.Email,
			}})
		}
	}
	if b.opts.ShowExchangeIDs {
		for _, m := range a.Mappings {
			g.ExchangeAppointments = append(g.ExchangeAppointments, graphExchange{m.ResourceEmail, m.ExchangeID, m.ICalUID})
		}
	}
	return g
}

func (b *Board) flat(a *Appointment, resourceNo string) flatRow {
	return flatRow{
		ID: a.ID, AppointmentNo: a.AppointmentNo, AppointmentGUID: a.GUID,
		JobNo: a.JobNo, TaskNo: a.TaskNo, ResourceNo: resourceNo,
		Subject: a.Subject, Body: a.Body, Start: b.format(a.Start), End: b.format(a.End),
		Importance: a.Importance, Locked: a.Locked,
		CreatedAt: b.format(a.Created), UpdatedAt: b.format(a.LastModified),
	}
}

const (
	zoned    = "2006-01-02T15:04:05.9999999Z07:00"
	zoneless = "2006-01-02T15:04:05.9999999"
)

// format writes a time as .NET's JSON does: up to seven digits, no trailing zeros.
func (b *Board) format(t time.Time) string {
	if b.opts.ZonelessTimes {
		return t.In(b.opts.Zone).Format(zoneless)
	}
	return t.UTC().Format(zoned)
}

// encode marshals what can not fail.
func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic("boardsim: " + err.Error())
	}
	return body
}
