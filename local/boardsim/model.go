package boardsim

import (
	"slices"
	"time"
)

// Resource is a person or thing that appointments are assigned to; ResourceNo
// is its key.
type Resource struct {
	ID                         int
	ResourceNo                 string
	SourceApp                  string
	SourceType                 string
	ResourceType               string // display name of the type
	DisplayName                string
	Department                 string
	Email                      string
	ExchangeIntegrationEnabled bool
	DoNotShow                  bool
}

// Job groups tasks; SourceApp, SourceType and JobNo are its key.
type Job struct {
	SourceApp, SourceType, JobNo string
	ShortDescription             string
}

// Task is what an appointment plans; its job's key and TaskNo are its key.
type Task struct {
	SourceApp, SourceType, JobNo, TaskNo string
	ShortDescription                     string
}

// Category colours an appointment.
type Category struct {
	Name, DisplayName string
	Color             string // #rrggbb
}

// TimeMarker is the state that an appointment shows.
type TimeMarker struct {
	Name  string
	Color string // #rrggbb
}

// The Importance of an appointment.
const (
	ImportanceNormal = 0
	ImportanceHigh   = 1
	ImportanceLow    = 2
)

// Appointment is a snapshot of one appointment; GUID is its key.
type Appointment struct {
	ID            int64
	GUID          string // lower case
	AppointmentNo string
	Subject, Body string
	Start, End    time.Time // UTC
	Importance    int
	Locked        bool
	Category      string // name, may be empty
	TimeMarker    string // name, may be empty

	// The task; all empty for an appointment without one.
	SourceApp, SourceType, JobNo, TaskNo string

	Resources         []string // resource numbers in the order of assignment
	Mappings          []Mapping
	CreatedByExchange bool // born in Outlook

	Created, LastModified         time.Time // UTC
	CreatedUser, LastModifiedUser string
}

// Mapping is what the board knows of the Outlook event of one resource.
type Mapping struct {
	ResourceEmail string
	ExchangeID    string
	ICalUID       string
	ShowAs        int // 1 free, 2 tentative, 3 office, 4 out of office, 5 elsewhere, 6 unknown; 0 not said
	Sensitivity   int // 1 normal, 2 personal, 3 private, 4 confidential; 0 not said
	Categories    []string
}

// Notification is what a connector tells the planner.
type Notification struct {
	ID                                   int
	ConnectorID                          string
	SourceApp, SourceType, JobNo, TaskNo string
	AppointmentGUID                      string // of an appointment that exists, or empty
	Type                                 int    // 0 info, 1 warning, 2 error
	Code, Text                           string
	Date, Created                        time.Time // UTC
}

// Message is a transient text to users who are at the board.
type Message struct {
	Text, User string
	Severity   int // 0 verbose to 5 fatal
}

func (a *Appointment) clone() *Appointment {
	c := *a
	c.Resources = slices.Clone(a.Resources)
	c.Mappings = slices.Clone(a.Mappings)
	for i := range c.Mappings {
		c.Mappings[i].Categories = slices.Clone(c.Mappings[i].Categories)
	}
	return &c
}

func (a *Appointment) assigned(resourceNo string) bool {
	return slices.Contains(a.Resources, resourceNo)
}

func (a *Appointment) assign(resourceNo string) {
	if !a.assigned(resourceNo) {
		a.Resources = append(a.Resources, resourceNo)
	}
}

func (a *Appointment) unassign(resourceNo string) {
	a.Resources = slices.DeleteFunc(a.Resources, func(no string) bool { return no == resourceNo })
}
