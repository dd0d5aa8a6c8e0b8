package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// kind is what a value is, as far as it is known before there is one.
type kind string

const (
	unknown   kind = "value"
	null      kind = "NULL"
	text      kind = "text"
	number    kind = "number"
	boolean   kind = "yes-or-no"
	date      kind = "date"
	structure kind = "group of fields"
	list      kind = "list"
)

// mayBe reports whether a value of kind k can be used as one of kind want.
func (k kind) mayBe(want kind) bool {
	return k == want || k == unknown || k == null || want == text && k == date
}

func (k kind) textual() bool { return k == text || k == date }

// object is a part of the appointment's graph.
type object struct {
	name   string
	fields map[string]field // by name in lower case
}

// field is one of an object. Its value is that of the first of its names, in
// lower case and with dots for navigation, that is there and not NULL.
type field struct {
	shown string
	names []string
	kind  kind
	of    *object
}

func (o *object) field(name string) (field, bool) {
	f, ok := o.fields[strings.ToLower(name)]
	return f, ok
}

func (o *object) names() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(o.fields)) {
		out = append(out, o.fields[name].shown)
	}
	return out
}

// group makes an object of lines "Name kind" or "Name=other=other.path kind".
func group(name string, lines ...string) *object {
	o := &object{name: name, fields: map[string]field{}}
	for _, line := range lines {
		names, k, _ := strings.Cut(line, " ")
		o.add(strings.Split(names, "="), kind(k), nil)
	}
	return o
}

func (o *object) add(names []string, k kind, of *object) {
	f := field{shown: names[0], kind: k, of: of}
	for _, n := range names {
		f.names = append(f.names, strings.ToLower(n))
	}
	o.fields[strings.ToLower(names[0])] = f
}

func (o *object) with(name string, k kind, of *object) *object {
	o.add(strings.Split(name, "="), k, of)
	return o
}

// free adds the fields that customers define themselves; how many there are is
// documented for resources, and taken to be the same for tasks and jobs [INFER].
func (o *object) free() *object {
	for i := range 20 {
		o.add([]string{fmt.Sprintf("FreeText%d", i+1)}, text, nil)
	}
	for i := range 5 {
		o.add([]string{fmt.Sprintf("FreeDecimal%d", i+1)}, number, nil)
		o.add([]string{fmt.Sprintf("FreeDate%d", i+1)}, date, nil)
		o.add([]string{fmt.Sprintf("FreeBit%d", i+1)}, boolean, nil)
	}
	return o
}

// schema is the graph of an appointment as its webhook sends it (schema
// "appointment-incoming" of the Power Platform connector) with the further fields
// of the import's parameters. The published examples say Category.Name where the
// graph has a DisplayName: both work. The board may send more than is known here.
var schema = func() *object {
	job := group("Job", "SourceApp text", "SourceType text", "JobNo text", "ShortDescription text", "Description text",
		"CustomerNo text", "CustomerName text", "Name text", "Language text", "ProjectManager text").free()
	task := group("Task", "TaskNo text", "SourceApp=job.sourceapp text", "SourceType=job.sourcetype text", "JobNo=job.jobno text",
		"ShortDescription text", "Description text", "Subject text", "Body text", "Status text", "Duration value",
		"TaskType text", "Index number", "IsComplete yes-or-no", "CertificateNo text", "RequirementProfile text").free().
		with("Job", structure, job)
	category := group("Category", "Name=displayname text", "DisplayName=name text", "Color text", "Id number")
	marker := group("TimeMarker", "Name=displayname text", "DisplayName=name text", "Color text", "Id number")
	resourceType := group("ResourceType", "DisplayName=name text", "Name=displayname text", "Id number")
	resource := group("Resource", "SourceApp text", "SourceType text", "DisplayName=resourcename=name text",
		"Name=resourcename=displayname text", "ResourceName=name=displayname text", "Department text", "ResourceNo text", "Email text",
		"TeamCode text", "TeamName text", "TeamType text", "Phone text", "MobilePhone text", "Pin text", "Id number",
		"ExchangeIntegrationEnabled yes-or-no", "DoNotShow yes-or-no").free().
		with("ResourceType", structure, resourceType)
	assignment := group("Assignments", "ResourceId number").with("Resource", structure, resource)
	return group("appointment",
		"AppointmentNo text", "Id=appointmentid number", "AppointmentId=id number", "ExternalId number",
		"Subject text", "Body text", "StartDate=start date", "Start=startdate date", "EndDate=end date", "End=enddate date",
		"Importance number", "AppointmentGuid text", "Locked yes-or-no",
		"PlanningUOM=unitofmeasure text", "UnitOfMeasure=planninguom text", "PlanningUOMConversion number",
		"PlanningQty=planningquantity number", "PlanningQuantity=planningqty number",
		"UseFixPlanningQty yes-or-no", "RoundToUOM yes-or-no",
		"LastModifiedDate=updatedat date", "LastModifiedUser text", "CreatedDate=createdat date", "CreatedUser text",
		"IsRecurrenceException yes-or-no", "IsManualAppointment yes-or-no", "IsAllDayEvent yes-or-no", "CreatedByExchange yes-or-no",
		"SentFromBackOffice yes-or-no", "BackOfficeId text", "BackOfficeParentId text", "CapacityIndicator text",
		"ShowAs number", "Sensitivity number", "TimeZone text",
		"SourceApp=task.job.sourceapp text", "SourceType=task.job.sourcetype text", "JobNo=task.job.jobno text", "TaskNo=task.taskno text").
		with("AppointmentFieldValues", list, nil).with("AppointmentUrls", list, nil).with("AppointmentContainers", list, nil).
		with("Notifications", list, nil).
		with("Task", structure, task).with("Job=task.job", structure, job).
		with("Category", structure, category).with("TimeMarker", structure, marker).
		with("Assignments", list, assignment)
}()

// near returns the known name that was probably meant: one or two letters away,
// and not merely another number at its end (FreeText21).
func near(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		a, b := strings.ToLower(name), strings.ToLower(k)
		if strings.TrimRight(a, "0123456789") == strings.TrimRight(b, "0123456789") && a != strings.TrimRight(a, "0123456789") {
			continue
		}
		if d := distance(a, b); d < least && d <= len(b)/3 {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, remove, change or swap with the next.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 100 {
		return len(x)
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range y {
		rows[0][j+1] = j + 1
	}
	for i := range x {
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			d := min(rows[i][j]+cost, rows[i][j+1]+1, rows[i+1][j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				d = min(d, rows[i-1][j-1]+1)
			}
			rows[i+1][j+1] = d
		}
	}
	return rows[len(x)][len(y)]
}
