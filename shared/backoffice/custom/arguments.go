package custom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Names of what only receiving code can take, as keys in Config.Fields.
const (
	// Graph is the whole appointment as JSON.
	Graph = "Graph"
	// ResourceNos are the numbers of all assigned resources, with commas between them.
	ResourceNos = "Resource Nos"
)

// called are names of parameters that mean one thing, besides its own name.
// Guess: nobody has to call a parameter like this; the field mapping knows better.
var called = map[string][]string{
	Graph:                 {"json", "jsontext", "appointmentjson", "payload", "data", "request", "content", "appointment", "input", "message", "text"},
	ResourceNos:           {"resources", "resourceno", "resourcenumbers"},
	fields.Key:            {"key", "messageid", "requestid", "idempotencykey"},
	fields.DatabaseAction: {"changetype", "crud", "operationtype"},
}

// plan says what each parameter gets.
type plan struct {
	params  []fields.Column
	graph   string // parameter; "" = none
	numbers string // parameter of ResourceNos
	singles fields.Mapping
	// empty are parameters that nothing of ours fits: they get an empty value.
	empty []string
}

// keyed reports whether the receiver gets the delivery's key.
func (p plan) keyed() bool {
	_, ok := p.singles.Column(fields.Key)
	return ok
}

// draw decides which parameter gets what: by the field mapping, then by names, and
// a text that is left over gets the appointment.
func draw(params []fields.Column, byHand map[string]string) (plan, error) {
	p := plan{params: params}
	hand := map[string]string{}
	for k, v := range byHand {
		hand[fields.Normal(k)] = v
	}
	taken := map[string]bool{}
	for _, role := range []string{Graph, ResourceNos, fields.Key, fields.DatabaseAction} {
		name, mapped := hand[fields.Normal(role)]
		if name == fields.Off {
			continue
		}
		c, found := pick(params, role, name, taken)
		switch {
		case mapped && !found:
			return p, mismatch(fmt.Sprintf("%q is mapped to parameter %q, which the method does not have", role, name))
		case !found:
			continue
		}
		taken[c.Name] = true
		switch role {
		case Graph:
			p.graph = c.Name
		case ResourceNos:
			p.numbers = c.Name
		default:
			hand[fields.Normal(role)] = c.Name
		}
	}
	rest := slices.DeleteFunc(slices.Clone(params), func(c fields.Column) bool { return c.Name == p.graph || c.Name == p.numbers })
	p.singles = fields.Match(fields.Header, rest, hand)
	var left []fields.Column
	for _, c := range rest {
		if !slices.ContainsFunc(p.singles.Joins, func(j fields.Join) bool { return j.Column.Name == c.Name }) {
			left = append(left, c)
		}
	}
	for _, j := range p.singles.Joins {
		if j.Wanted != "" {
			return p, mismatch(fmt.Sprintf("%q is mapped to parameter %q, which the method does not have", j.Name, j.Wanted))
		}
	}
	if p.graph == "" && hand[fields.Normal(Graph)] != fields.Off {
		if i := slices.IndexFunc(left, func(c fields.Column) bool { return c.Type == fields.Text }); i >= 0 && len(left) == 1 {
			p.graph, left = left[i].Name, nil
		}
	}
	for _, c := range left {
		p.empty = append(p.empty, c.Name)
	}
	_, number := p.singles.Column(fields.AppointmentID)
	_, guid := p.singles.Column(fields.GUID)
	if p.graph == "" && !number && !guid {
		return p, mismatch(`no parameter of the method takes the appointment: name the one for the JSON as "Graph" in the field mapping`)
	}
	return p, nil
}

// pick finds the parameter of a role.
func pick(params []fields.Column, role, mapped string, taken map[string]bool) (fields.Column, bool) {
	for _, c := range params {
		name := fields.Normal(c.Name)
		if mapped != "" && name == fields.Normal(mapped) {
			return c, true
		}
		if mapped == "" && !taken[c.Name] && (name == fields.Normal(role) || slices.Contains(called[role], name)) && c.Type == fields.Text {
			return c, true
		}
	}
	return fields.Column{}, false
}

func mismatch(text string) error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: "custom: read parameters", Code: backoffice.CodeSchema, WholeTarget: true, Err: errors.New(text)}
}

// fill returns a cell for every parameter, in their order.
func (p plan) fill(d backoffice.Delivery, record fields.Record) ([]fields.Cell, error) {
	cells, err := p.singles.Fill(record.Header)
	if err != nil {
		return nil, unfit(err)
	}
	var out []fields.Cell
	for _, c := range p.params {
		i := slices.IndexFunc(cells, func(x fields.Cell) bool { return x.Column.Name == c.Name })
		cell := fields.Cell{Column: c, Value: zero(c)}
		switch {
		case c.Name == p.graph:
			text, err := document(d)
			if err != nil {
				return nil, unfit(err)
			}
			if c.MaxLength > 0 && fields.Length(text) > c.MaxLength {
				return nil, unfit(&fields.Unfit{Field: Graph, Column: c.Name, Text: fmt.Sprintf("the JSON is longer than %d characters: give the parameter the type Text without length, or BigText", c.MaxLength)})
			}
			cell.Value = text
		case c.Name == p.numbers:
			var numbers []string
			for _, r := range record.Resources {
				no, _ := r[fields.ResourceNo].(string)
				numbers = append(numbers, no)
			}
			cell.Value = strings.Join(numbers, ",")
		case i >= 0:
			cell = cells[i]
		}
		out = append(out, cell)
	}
	return out, nil
}

func unfit(err error) error {
	return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: op, Code: backoffice.CodeSchema, Err: backoffice.Said(err.Error())}
}

// zero is what AL's types hold that nobody has set.
func zero(c fields.Column) any {
	switch c.Type {
	case fields.Integer:
		return int64(0)
	case fields.Decimal:
		return json.Number("0")
	case fields.Boolean:
		return false
	case fields.UUID:
		return "00000000-0000-0000-0000-000000000000"
	case fields.Choice:
		if len(c.Choices) > 0 {
			return c.Choices[0]
		}
	case fields.DateTime:
		return "0001-01-01T00:00:00Z"
	case fields.Date:
		return "0001-01-01"
	}
	return ""
}

// perPerson are keys of the graph that belong to one person's calendar (R35).
var perPerson = []string{"showas", "sensitivity"}

// document is the graph with what the receiver has to know besides.
func document(d backoffice.Delivery) (string, error) {
	graph := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(d.Graph)) > 0 {
		if err := json.Unmarshal(d.Graph, &graph); err != nil || graph == nil {
			return "", errors.New("the appointment graph is not a JSON object")
		}
	}
	for k := range graph {
		if slices.Contains(perPerson, strings.ToLower(k)) {
			delete(graph, k)
		}
	}
	set := func(name string, value any) {
		for k := range graph {
			if strings.EqualFold(k, name) {
				delete(graph, k)
			}
		}
		graph[name], _ = json.Marshal(value) // texts and a flag
	}
	set("AppointmentGuid", d.Appointment.Guid)
	set("DatabaseAction", string(d.Operation))
	set("DeliveryKey", d.Key)
	set("SentFromBackOffice", d.SentFromBackOffice)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(graph); err != nil {
		return "", errors.New("the appointment graph can not be written")
	}
	return strings.TrimSpace(b.String()), nil
}
