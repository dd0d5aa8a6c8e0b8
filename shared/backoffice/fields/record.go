package fields

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
)

// Row holds values by our field names: string, int64, json.Number, bool or
// time.Time (UTC). A field that is not in it is not known, which is not the same
// as empty: it is not sent, so that the back office keeps its own default.
type Row map[string]any

// Record is what a delivery tells.
type Record struct {
	Header      Row
	Resources   []Row
	FieldValues []Row
}

// Lines returns the rows of a part; of Header the one.
func (r Record) Lines(p Part) []Row {
	switch p {
	case Resources:
		return r.Resources
	case FieldValues:
		return r.FieldValues
	}
	return []Row{r.Header}
}

// graph is what we take from the appointment graph besides what the engine
// knows of the appointment. encoding/json matches the keys in any letter case.
type graph struct {
	PlanningUOM           any         `json:"PlanningUOM"`
	PlanningUOMConversion any         `json:"PlanningUOMConversion"`
	PlanningQty           any         `json:"PlanningQty"`
	UseFixPlanningQty     any         `json:"UseFixPlanningQty"`
	RoundToUOM            any         `json:"RoundToUOM"`
	Locked                any         `json:"Locked"`
	IsAllDayEvent         any         `json:"IsAllDayEvent"`
	IsAllDay              any         `json:"IsAllDay"`
	Duration              any         `json:"Duration"`
	NonWorkingTime        any         `json:"NonWorkingTime"`
	LastModifiedUser      any         `json:"LastModifiedUser"`
	CreatedDate           any         `json:"CreatedDate"`
	CreatedUser           any         `json:"CreatedUser"`
	BackOfficeID          any         `json:"BackOfficeId"`
	BackOfficeParentID    any         `json:"BackOfficeParentId"`
	Category              named       `json:"Category"`
	TimeMarker            named       `json:"TimeMarker"`
	FieldValues           []fieldLine `json:"AppointmentFieldValues"`
	Assignments           []struct {
		Resource struct {
			ResourceNo   any   `json:"ResourceNo"`
			DisplayName  any   `json:"DisplayName"`
			ResourceType named `json:"ResourceType"`
			SourceApp    any   `json:"SourceApp"`
			SourceType   any   `json:"SourceType"`
		} `json:"Resource"`
	} `json:"Assignments"`
}

// named is a category, time marker or resource type: an object with a name, or
// just the name (the flat form).
type named string

func (n *named) UnmarshalJSON(b []byte) error {
	var object struct{ Name, DisplayName any }
	if json.Unmarshal(b, &object) == nil {
		if s, ok := object.Name.(string); ok && s != "" {
			*n = named(s)
		} else if s, ok := object.DisplayName.(string); ok {
			*n = named(s)
		}
		return nil
	}
	var s string
	if json.Unmarshal(b, &s) == nil {
		*n = named(s)
	}
	return nil
}

// fieldLine is a custom field's value. Guess: the keys, after the import's
// AppointmentFieldValue (facts C.4); the graph's own are not published.
type fieldLine struct {
	FieldCode  any   `json:"FieldCode"`
	Code       any   `json:"Code"`
	Field      named `json:"Field"`
	FieldValue any   `json:"FieldValue"`
	Value      any   `json:"Value"`
}

// Read takes a delivery apart. What the graph holds in a form that can not be
// understood counts as not known.
func Read(d backoffice.Delivery) Record {
	var g graph
	dec := json.NewDecoder(strings.NewReader(string(d.Graph)))
	dec.UseNumber()
	_ = dec.Decode(&g) // what was understood before an error stays
	r := Record{Header: header(d, g)}
	r.Resources = resources(d, g)
	for _, v := range g.FieldValues {
		row := Row{}
		row.text(FieldCode, or(v.FieldCode, or(v.Code, string(v.Field))))
		row.set(FieldValue, scalar(or(v.FieldValue, v.Value)))
		if row[FieldCode] != nil && row[FieldValue] != nil {
			r.FieldValues = append(r.FieldValues, row)
		}
	}
	return r
}

func header(d backoffice.Delivery, g graph) Row {
	a := d.Appointment
	h := Row{
		DatabaseAction: string(d.Operation), GUID: a.Guid, SentFromThere: d.SentFromBackOffice,
	}
	if a.ID != 0 {
		h[AppointmentID] = a.ID
	}
	for name, v := range map[string]string{
		"Source App": a.SourceApp, "Source Type": a.SourceType, "Job No": a.JobNo, "Task No": a.TaskNo,
		"Appointment No": a.Number, "Category": string(g.Category), "Time Marker": string(g.TimeMarker), Key: d.Key,
	} {
		h.text(name, v)
	}
	for field, name := range map[appointment.Field]string{appointment.Subject: Subject, appointment.Body: Body} {
		if v, ok := a.Content[field]; ok {
			h[name] = v
		}
	}
	if n, ok := importances[a.Content[appointment.Importance]]; ok {
		h[Importance] = n
	}
	h.times(d, g)
	h.text("Planning Unit Of Measure", g.PlanningUOM)
	h.set("Planning Quantity", number(g.PlanningQty))
	h.set("Planning UoM Conversion", number(g.PlanningUOMConversion))
	h.set("Non Working Time (Sec.)", number(g.NonWorkingTime))
	h.set("Use Fix Planning Quantity", flag(g.UseFixPlanningQty))
	h.set("Round to Unit Of Measure", flag(g.RoundToUOM))
	h.set("Locked", flag(g.Locked))
	h.set("Is All Day Event", flag(or(g.IsAllDayEvent, g.IsAllDay)))
	h.text("Last Modified User", g.LastModifiedUser)
	h.text("Created User", g.CreatedUser)
	h.text(BackOfficeID, or(g.BackOfficeID, d.Previous.BackOfficeID))
	h.text("Back Office Parent Id", g.BackOfficeParentID)
	return h
}

// importances are the board's numbers (facts A4).
var importances = map[string]int64{"normal": 0, "high": 1, "low": 2}

func (h Row) times(d backoffice.Delivery, g graph) {
	if start, end, ok := d.Appointment.Content.Times(); ok {
		h[Start], h[End] = start, end
		// Guess: a duration that the board does not tell is the span from start to end.
		h["Duration (Sec.)"] = int64(end.Sub(start) / time.Second)
	}
	h.set("Duration (Sec.)", number(g.Duration))
	modified := d.Appointment.Modified
	if modified.IsZero() {
		modified = d.Version.Modified
	}
	if !modified.IsZero() {
		h[LastModified] = modified.UTC()
	}
	if s, ok := g.CreatedDate.(string); ok {
		if t, ok := instant(s); ok {
			h["Created Date"] = t
		}
	}
}

// instant reads a time of the graph. Guess: one without an offset is UTC, as the
// board's times are by default.
func instant(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), t.Year() > 1
		}
	}
	return time.Time{}, false
}

// resources are those of the engine, which has left out who belongs elsewhere;
// the graph only adds to them.
func resources(d backoffice.Delivery, g graph) []Row {
	var out []Row
	for _, who := range d.Appointment.Assignees {
		row := Row{ResourceNo: who.No}
		for _, a := range g.Assignments {
			if r := a.Resource; plain(r.ResourceNo) == who.No {
				row.text("Resource Name", r.DisplayName)
				row.text("Resource Type", string(r.ResourceType))
				row.text("Source App", r.SourceApp)
				row.text("Source Type", r.SourceType)
				break
			}
		}
		out = append(out, row)
	}
	return out
}

func (h Row) set(name string, v any) {
	if v != nil {
		h[name] = v
	}
}

// text sets a field that is not empty.
func (h Row) text(name string, v any) {
	if s := plain(v); s != "" {
		h[name] = s
	}
}

func or(a, b any) any {
	if a == nil || a == "" {
		return b
	}
	return a
}

func plain(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	}
	return ""
}

func scalar(v any) any {
	switch v := v.(type) {
	case string, bool, json.Number:
		return v
	}
	return nil
}

func number(v any) any {
	switch v := v.(type) {
	case json.Number:
		return v
	case string:
		var n json.Number
		if json.Unmarshal([]byte(strings.TrimSpace(v)), &n) == nil && n != "" {
			return n
		}
	}
	return nil
}

func flag(v any) any {
	switch v := v.(type) {
	case bool:
		return v
	case json.Number:
		return v.String() != "0"
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "1":
			return true
		case "false", "0":
			return false
		}
	}
	return nil
}
