package dimescheduler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// object is a JSON object whose numbers keep their digits.
type object = map[string]any

// MergeGraph returns the appointment graph that is known after a change, given the
// one that was known before (nil: none): JSON in the form and casing of the webhook
// connector (facts B.5), whatever form the change came in. Rules, back offices and
// action URIs read it.
//
// What the change lacks is unchanged (R9), but for the mark SentFromBackOffice, which is
// of the one change; in the full form null says that there is
// none. Assignments of the full form are the whole list, and what is known of an
// assigned resource stays; the flat form adds or removes its one resource. A task
// that is another than the known one takes its place. Times are in UTC, with Z.
// Show-as and sensitivity are not in it: they are each resource's own (R35).
//
// changed tells whether it says more than before, but for who touched it last and
// when. The error is a Poison fault.
func MergeGraph(known []byte, c appointment.Change) (merged []byte, changed bool, err error) {
	const op = "appointment graph"
	before, err := parseObject(known)
	if err != nil {
		return nil, false, fault.Poisoned(op, "what is stored is not JSON")
	}
	said, err := parseObject(c.Raw)
	if err != nil {
		return nil, false, fault.Poisoned(op, "the body is not a JSON object")
	}
	now := maps.Clone(before)
	if now == nil {
		now = object{}
	}
	// Of that change, not of the appointment; rows of before have other letter cases.
	maps.DeleteFunc(now, func(k string, _ any) bool { return strings.EqualFold(k, sentFrom) })
	fold(now, full(said), "")
	if err := overlay(now, c); err != nil {
		return nil, false, fault.Poisoned(op, "%w", err)
	}
	for _, own := range []string{"ShowAs", "Sensitivity"} {
		delete(now, own)
	}
	merged, err = json.Marshal(now)
	if err != nil {
		return nil, false, fault.Poisoned(op, "%w", err)
	}
	// Compared as it will be read again.
	after, err := parseObject(merged)
	return merged, !reflect.DeepEqual(lasting(before), lasting(after)), err
}

// sentFrom says of one change that a back office made it (facts C.4). A later change
// that does not say so was made by somebody else.
const sentFrom = "SentFromBackOffice"

// volatile are the keys that change without the appointment doing so.
var volatile = []string{"LastModifiedDate", "LastModifiedUser", "Notifications", sentFrom}

func lasting(o object) object {
	out := object{}
	for k, v := range o {
		if v != nil && !slices.Contains(volatile, k) {
			out[k] = v
		}
	}
	return out
}

// casing are the keys of the graph as the webhook connector writes them (facts B.5),
// by their lower-case form.
var casing = func() map[string]string {
	out := map[string]string{}
	for _, k := range []string{
		"appointmentNo", "id", "ExternalId", "Subject", "Body", "StartDate", "EndDate", "Importance", "AppointmentGuid", "Locked",
		"PlanningUOM", "PlanningQty", "UseFixPlanningQty", "RoundToUOM", "LastModifiedDate", "LastModifiedUser", "IsRecurrenceException",
		"CapacityIndicator", "AppointmentFieldValues", "AppointmentUrls", "AppointmentContainers", "Notifications", "CreatedDate", "CreatedUser",
		"Task", "TaskNo", "Job", "SourceApp", "SourceType", "JobNo", "Category", "DisplayName", "Color", "TimeMarker", "Name",
		"Assignments", "ResourceId", "Resource", "ResourceType", "Department", "ResourceNo", "Email",
		"ShowAs", "Sensitivity", "TimeZone", "CreatedByExchange", sentFrom, "BackOfficeId", "BackOfficeParentId", "IsAllDayEvent",
	} {
		out[strings.ToLower(k)] = k
	}
	return out
}()

// flatKeys are the names that the flat form has for keys of the graph (facts B.5, C.4).
var flatKeys = map[string]string{
	"start": "StartDate", "end": "EndDate", "appointmentid": "id", "updatedat": "LastModifiedDate", "createdat": "CreatedDate",
	"planningquantity": "PlanningQty", "unitofmeasure": "PlanningUOM", "unitofmeasureconversion": "PlanningUOMConversion",
	"usefixedplanningquantity": "UseFixPlanningQty", "roundtounitofmeasure": "RoundToUOM",
}

// cased returns v with the known keys of all objects in it in their casing.
func cased(v any) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for k, x := range v {
			if known, ok := casing[strings.ToLower(k)]; ok {
				k = known
			}
			out[k] = cased(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = cased(v[i])
		}
		return out
	}
	return v
}

// full returns what a body says, in the full form.
func full(said object) object {
	said, _ = cased(said).(object)
	if said["Assignments"] != nil {
		return said
	}
	out, task, job := object{}, object{}, object{}
	for k, v := range said {
		switch lower := strings.ToLower(k); {
		case v == nil: // the flat form writes null for what it does not speak of
		case k == "TaskNo":
			task[k] = v
		case k == "JobNo" || k == "SourceApp" || k == "SourceType":
			job[k] = v
		case k == "ResourceNo" || lower == "resourceemail":
		case flatKeys[lower] != "":
			out[flatKeys[lower]] = v
		default:
			out[k] = v
		}
	}
	if _, has := out["Task"]; !has && len(task)+len(job) > 0 {
		task["Job"] = job
		out["Task"] = task
	}
	return out
}

// fold puts what is said over what is known: key by key, so that what is not spoken
// of stays. It never changes a value in place.
func fold(known, said object, path string) {
	for k, v := range said {
		there, _ := known[k].(object)
		inner, isObject := v.(object)
		switch at := path + k; {
		case at == "Task" && isObject && there != nil && sameTask(there, inner), at == "Task.Job" && isObject && there != nil:
			next := maps.Clone(there)
			fold(next, inner, at+".")
			known[k] = next
		case at == "Assignments":
			known[k] = foldAssignments(known[k], v)
		default:
			known[k] = v
		}
	}
}

// sameTask reports whether what is said of a task may be of the known one.
func sameTask(known, said object) bool {
	differs := func(a, b object, key string) bool {
		x, y := text(a[key]), text(b[key])
		return x != "" && y != "" && x != y
	}
	a, _ := known["Job"].(object)
	b, _ := said["Job"].(object)
	return !differs(known, said, "TaskNo") && !differs(a, b, "JobNo") && !differs(a, b, "SourceApp")
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// foldAssignments keeps what is known of each resource that is still assigned.
func foldAssignments(known, said any) any {
	list, ok := said.([]any)
	if !ok {
		return said
	}
	byNo := map[string]object{}
	before, _ := known.([]any)
	for _, x := range before {
		if a, ok := x.(object); ok {
			byNo[resourceNo(a)] = a
		}
	}
	out := make([]any, 0, len(list))
	for _, x := range list {
		a, ok := x.(object)
		there := byNo[resourceNo(a)]
		if !ok || there == nil {
			out = append(out, x)
			continue
		}
		next := maps.Clone(there)
		for k, v := range a {
			known, _ := next[k].(object)
			inner, isObject := v.(object)
			if k == "Resource" && isObject && known != nil {
				r := maps.Clone(known)
				maps.Copy(r, inner)
				v = r
			}
			next[k] = v
		}
		out = append(out, next)
	}
	return out
}

// resourceNo is the resource that an assignment names, as DecodeChange reads it.
func resourceNo(assignment object) string {
	r, _ := assignment["Resource"].(object)
	if no := text(r["ResourceNo"]); no != "" {
		return strings.TrimSpace(no)
	}
	return strings.TrimSpace(text(assignment["ResourceNo"]))
}

// overlay writes what was decoded over what was said, so that everybody reads the
// same Guid, times and texts, and folds in the flat form's one resource.
func overlay(o object, c appointment.Change) error {
	a := c.Appointment
	o["AppointmentGuid"] = a.Guid
	if !a.Modified.IsZero() {
		o["LastModifiedDate"] = a.Modified.UTC().Format(time.RFC3339Nano)
	}
	var g graph
	if err := g.fill(a.Content); err != nil {
		return err
	}
	if g.Subject != nil {
		o["Subject"] = *g.Subject
	}
	if g.Body != nil {
		o["Body"] = *g.Body
	}
	if g.Importance != nil {
		o["Importance"] = *g.Importance
	}
	if g.StartDate != "" {
		o["StartDate"], o["EndDate"] = g.StartDate, g.EndDate
	}
	if !a.Partial {
		return nil
	}
	list, _ := o["Assignments"].([]any)
	for _, r := range a.Assignees {
		i := slices.IndexFunc(list, func(x any) bool {
			there, _ := x.(object)
			return resourceNo(there) == r.No
		})
		switch {
		case c.Operation == appointment.Delete && i >= 0:
			list = slices.Delete(slices.Clone(list), i, i+1)
		case c.Operation != appointment.Delete && i < 0:
			resource := object{"ResourceNo": r.No}
			if r.Email != "" {
				resource["Email"] = r.Email
			}
			list = append(slices.Clone(list), object{"Resource": resource})
		}
	}
	if len(a.Assignees) > 0 {
		o["Assignments"] = list
	}
	return nil
}

func parseObject(data []byte) (object, error) {
	data = bytes.TrimSpace(trimBOM(data))
	if len(data) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	return o, nil
}
