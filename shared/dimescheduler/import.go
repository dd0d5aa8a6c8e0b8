package dimescheduler

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
)

const importPath = "/import" // facts C.2

// Ref is how the board names an appointment that it has written.
type Ref struct {
	ID   int64
	Guid string // lower case
}

// parameter is a parameter of an import procedure; nil is written as null, as
// the JavaScript SDK does for what is missing.
//
// Guess: null leaves the field as it is.
type parameter struct {
	name  string
	value *string
}

func param(name, value string) parameter { return parameter{name, &value} }

// paramOr writes null for an empty value.
func paramOr(name, value string) parameter {
	if value == "" {
		return parameter{name, nil}
	}
	return param(name, value)
}

func paramID(name string, id int64) parameter {
	if id == 0 {
		return parameter{name, nil}
	}
	return param(name, strconv.FormatInt(id, 10))
}

// paramBool writes a bool as the .NET SDK does.
func paramBool(name string, v bool) parameter {
	if v {
		return param(name, "True")
	}
	return param(name, "False")
}

func paramTime(name string, t time.Time) parameter { return param(name, importTime(t)) }

// importTime writes an instant as the .NET SDK does: format "u".
//
// Guess: the Z is meant, so the time is written in UTC, whatever the zone of the
// board's zoneless times is.
func importTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

type importRequest struct {
	StoredProcedureName string
	ParameterNames      []string
	ParameterValues     []*string
}

// imports runs one procedure and returns the appointment that the board names
// in its answer; the zero Ref if it names none.
func (c *Client) imports(ctx context.Context, procedure string, parameters ...parameter) (Ref, error) {
	r := importRequest{StoredProcedureName: procedure}
	for _, p := range parameters {
		r.ParameterNames = append(r.ParameterNames, p.name)
		r.ParameterValues = append(r.ParameterValues, p.value)
	}
	k := call{op: "board: " + procedure, method: http.MethodPost, path: importPath, write: true}
	var err error
	if k.body, err = json.Marshal([]importRequest{r}); err != nil {
		return Ref{}, fault.Poisoned(k.op, "the request can not be written as JSON")
	}
	a, err := c.do(ctx, k)
	if err != nil {
		return Ref{}, err
	}
	if isAbsent(a.status) {
		return Ref{}, k.noRoute(a.status)
	}
	ref, err := k.result(a)
	if fault.Is(err, fault.Auth) {
		c.keyRejected()
	}
	return ref, err
}

// envelope is how /import answers: content is JSON in a string. Errors come
// inside a 200 (facts C.2).
type envelope struct {
	Content    json.RawMessage `json:"content"`
	StatusCode *int            `json:"statusCode"`
}

// open returns the status and the content of an answer; one without envelope
// is its own content.
func (a answer) open() (status int, content []byte, enveloped bool) {
	var e envelope
	if json.Unmarshal(a.body, &e) != nil || e.StatusCode == nil {
		return a.status, bytes.TrimSpace(a.body), false
	}
	var text string
	if json.Unmarshal(e.Content, &text) == nil {
		return *e.StatusCode, []byte(strings.TrimSpace(text)), true
	}
	return *e.StatusCode, e.Content, true
}

// outcome is the content of an import's answer, of success and of failure.
type outcome struct {
	Success      *bool
	Message      value
	Status       value // a number, sometimes as text
	Appointments []struct {
		ID   value `json:"id"`
		Guid value `json:"guid"`
	}
	Error       value
	Description value
}

// failed reports whether the content says that the import was not done.
func (o outcome) failed() bool {
	hasError := !isNull(o.Error) && string(o.Error) != `""`
	return hasError || o.Success != nil && !*o.Success
}

// result judges the answer of an import. Within an envelope 500 is how the
// board reports its own refusals; every other status means what it says.
func (k call) result(a answer) (Ref, error) {
	status, content, enveloped := a.open()
	var o outcome
	readable := json.Unmarshal(content, &o) == nil
	words := []string{string(o.Error), string(o.Description), string(o.Message)}

	if enveloped && (status == http.StatusInternalServerError || isAbsent(status)) {
		return Ref{}, k.refusal(status, words...)
	}
	if f := k.statusFault(status, nil, time.Time{}); f != nil {
		if f.Kind == fault.Permanent {
			return Ref{}, k.refusal(status, words...)
		}
		return Ref{}, f
	}
	if o.failed() {
		if n, known := new(reader).integer("", o.Status); known {
			status = int(n)
		}
		return Ref{}, k.refusal(status, words...)
	}
	// The envelope's 200 is success by the documentation; a bare 200 may be anybody's.
	if !enveloped && (!readable || o.Success == nil) {
		return Ref{}, k.unreadable("the answer is not that of an import; check DIMESCHEDULER_URL")
	}
	if len(o.Appointments) == 0 {
		return Ref{}, nil
	}
	r := new(reader)
	ref := Ref{Guid: r.guid("Guid", o.Appointments[0].Guid)}
	ref.ID, _ = r.integer("Id", o.Appointments[0].ID)
	return ref, nil
}
