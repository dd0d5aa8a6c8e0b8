package boardsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// importRequest is one element of the array that /import takes.
type importRequest struct {
	StoredProcedureName string    `json:"StoredProcedureName"`
	ParameterNames      []string  `json:"ParameterNames"`
	ParameterValues     []*string `json:"ParameterValues"`
}

// importEnvelope is the answer of /import; its content is JSON in a string.
type importEnvelope struct {
	Content     string `json:"content"`
	ContentType string `json:"contentType"`
	StatusCode  int    `json:"statusCode"`
}

type importSuccess struct {
	Success      bool
	Message      string
	Status       int
	Phrase       string
	Appointments []appointmentKey
}

type appointmentKey struct {
	ID   int64  `json:"Id"`
	GUID string `json:"Guid"`
}

type importFailure struct {
	Error       string
	Description string
}

// importAll runs the requests of one import; the caller holds the lock.
func (b *Board) importAll(body []byte) answer {
	var requests []importRequest
	if err := json.Unmarshal(body, &requests); err != nil || len(requests) == 0 {
		return textAnswer(http.StatusBadRequest, "The body is not a JSON array of import requests with string values.")
	}
	done := importSuccess{Success: true, Status: http.StatusOK, Phrase: "OK", Appointments: []appointmentKey{}}
	for i, each := range requests {
		key, err := b.run(each)
		if err != nil {
			return failureEnvelope(fmt.Errorf("request %d, %s: %w", i+1, each.StoredProcedureName, err))
		}
		if key.ID != 0 && !slices.Contains(done.Appointments, key) {
			done.Appointments = append(done.Appointments, key)
		}
	}
	return envelope(http.StatusOK, done)
}

// failureEnvelope is how the board tells an error: inside a 200.
func failureEnvelope(err error) answer {
	return envelope(http.StatusInternalServerError, importFailure{Error: "ImportException", Description: err.Error()})
}

func envelope(status int, content any) answer {
	return jsonAnswer(http.StatusOK, importEnvelope{string(encode(content)), "application/json", status})
}

// run checks the parameters against the procedure's and performs it.
func (b *Board) run(r importRequest) (appointmentKey, error) {
	p, found := procedures[r.StoredProcedureName]
	if !found {
		return appointmentKey{}, fmt.Errorf("could not find stored procedure %q", r.StoredProcedureName)
	}
	if len(r.ParameterNames) != len(r.ParameterValues) {
		return appointmentKey{}, fmt.Errorf("%d parameter names but %d values", len(r.ParameterNames), len(r.ParameterValues))
	}
	args := arguments{zone: b.opts.Zone, values: map[string]string{}}
	for i, name := range r.ParameterNames {
		spec, found := p.parameters[name]
		if !found {
			return appointmentKey{}, fmt.Errorf("@%s is not a parameter for procedure %s", name, r.StoredProcedureName)
		}
		if slices.Contains(r.ParameterNames[:i], name) {
			return appointmentKey{}, fmt.Errorf("@%s is given twice", name)
		}
		if r.ParameterValues[i] == nil {
			continue
		}
		if err := spec.check(*r.ParameterValues[i], b.opts.Zone); err != nil {
			return appointmentKey{}, fmt.Errorf("@%s: %w", name, err)
		}
		args.values[name] = *r.ParameterValues[i]
	}
	var missing []string
	for _, name := range p.required {
		if args.values[name] == "" {
			missing = append(missing, "@"+name)
		}
	}
	if missing != nil {
		return appointmentKey{}, errors.New("expects " + strings.Join(missing, ", ") + ", which was not supplied")
	}
	return p.perform(b, args)
}
