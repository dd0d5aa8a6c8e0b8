package backoffice

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// object is a JSON object whose numbers keep their digits.
type object = map[string]any

// perResource are the keys that are each resource's own and reach no back office
// (R35), in lower case.
var perResource = []string{"showas", "sensitivity"}

// GraphFor returns the appointment graph as a back office of sourceApp is told it:
// without the assignments of other source apps' resources, and without what is
// each resource's own (R35). Where an assignment does not name its resource's source
// app, as in flat messages, apps does, by resource number; what nobody names stays.
func GraphFor(graph []byte, sourceApp string, apps map[string]string) ([]byte, error) {
	o, err := parseGraph(graph)
	if err != nil {
		return nil, err
	}
	strip(o)
	for k, v := range o {
		list, ok := v.([]any)
		if !strings.EqualFold(k, "Assignments") || !ok {
			continue
		}
		kept := make([]any, 0, len(list))
		for _, x := range list {
			a, _ := x.(object)
			strip(a)
			r, _ := field(a, "Resource").(object)
			strip(r)
			app := textOf(field(r, "SourceApp"))
			if app == "" {
				app = apps[textOf(field(r, "ResourceNo"))]
			}
			if app == "" || strings.EqualFold(app, strings.TrimSpace(sourceApp)) {
				kept = append(kept, x)
			}
		}
		o[k] = kept
	}
	return json.Marshal(o)
}

func strip(o object) {
	maps.DeleteFunc(o, func(k string, _ any) bool { return slices.Contains(perResource, strings.ToLower(k)) })
}

// volatile change without the appointment doing so; what we notify planners of
// must not be news for the back office, nor who said the same before.
var volatile = []string{"lastmodifieddate", "lastmodifieduser", "notifications", "sentfrombackoffice"}

// DigestOf tells two graphs apart by what is news for a back office.
func DigestOf(graph []byte) string {
	o, err := parseGraph(graph)
	if err != nil {
		return ""
	}
	maps.DeleteFunc(o, func(k string, v any) bool { return v == nil || slices.Contains(volatile, strings.ToLower(k)) })
	text, err := json.Marshal(o) // keys sorted
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// IsEcho reports whether a graph says that its change came from a back office.
func IsEcho(graph []byte) bool {
	is, _ := echo(graph)
	return is
}

// asEcho returns the graph with the mark of a change that came from a back office.
func asEcho(graph []byte) []byte {
	o, err := parseGraph(graph)
	if err != nil {
		return graph
	}
	maps.DeleteFunc(o, func(k string, _ any) bool { return strings.EqualFold(k, "SentFromBackOffice") })
	o["SentFromBackOffice"] = true
	marked, err := json.Marshal(o)
	if err != nil {
		return graph
	}
	return marked
}

// echo reads whether a graph says that its change came from a back office, and of
// which document there.
func echo(graph []byte) (fromBackOffice bool, document string) {
	o, err := parseGraph(graph)
	if err != nil {
		return false, ""
	}
	switch v := field(o, "SentFromBackOffice").(type) {
	case bool:
		fromBackOffice = v
	case string:
		fromBackOffice = strings.EqualFold(v, "true") || v == "1"
	case json.Number:
		fromBackOffice = v.String() == "1"
	}
	return fromBackOffice, textOf(field(o, "BackOfficeId"))
}

// jobOf reads the source app and type of a graph's job.
func jobOf(graph []byte) (sourceApp, sourceType string) {
	o, err := parseGraph(graph)
	if err != nil {
		return "", ""
	}
	task, _ := field(o, "Task").(object)
	job, _ := field(task, "Job").(object)
	return textOf(field(job, "SourceApp")), textOf(field(job, "SourceType"))
}

// field returns the value of a key in any letter case.
func field(o object, key string) any {
	if v, ok := o[key]; ok {
		return v
	}
	for k, v := range o {
		if strings.EqualFold(k, key) {
			return v
		}
	}
	return nil
}

func textOf(v any) string {
	if v == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(v))
}

func parseGraph(graph []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(graph))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("the appointment graph is not a JSON object")
	}
	return o, nil
}
