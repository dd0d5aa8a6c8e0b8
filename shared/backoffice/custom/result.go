package custom

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/dynamics"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// reply is what a procedure may return as JSON. All of it is optional; keys are
// read in any letter case.
type reply struct {
	Success      *bool  `json:"success"`
	Retry        bool   `json:"retry"`   // with success false: it may work later
	Error        string `json:"error"`   // for people
	Message      string `json:"message"` // the same
	ID           any    `json:"id"`
	BackOfficeID any    `json:"backOfficeId"`
}

// maxID is the longest id that is kept.
const maxID = 100

// judge reads a return value. words are those of the appointment.
func judge(returned string, words []string) (backoffice.Receipt, error) {
	s := strings.TrimSpace(returned)
	switch strings.ToLower(s) {
	case "", "null", "true", "ok", "success":
		return backoffice.Receipt{}, nil
	case "false":
		return backoffice.Receipt{}, refused(false, "the method returned false")
	}
	if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
		if !json.Valid([]byte(s)) {
			return backoffice.Receipt{}, &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: op, Code: backoffice.CodeNoData, Ambiguous: true,
				Err: errors.New("the method returned broken JSON")}
		}
		return judgeJSON(s, words)
	}
	// An entry number, a guid or a code is an id; a sentence is what went wrong.
	if len(s) <= maxID && !strings.ContainsAny(s, " \t\r\n") {
		return backoffice.Receipt{ID: s}, nil
	}
	return backoffice.Receipt{}, refused(false, "the method returned a message: "+dynamics.Say(s, words))
}

func judgeJSON(s string, words []string) (backoffice.Receipt, error) {
	var r reply
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	_ = dec.Decode(&r) // an array, and keys of other types, say nothing
	if r.Success != nil && !*r.Success {
		text := "the method says that it failed"
		if m := r.Error + r.Message; m != "" {
			text += ": " + dynamics.Say(m, words)
		}
		return backoffice.Receipt{}, refused(r.Retry, text)
	}
	return backoffice.Receipt{ID: id(r.ID), BackOfficeID: id(r.BackOfficeID)}, nil
}

func refused(again bool, text string) error {
	f := &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: op, Code: backoffice.CodeUndiagnosed, Err: backoffice.Said(text)}
	if again {
		f.Kind, f.Reason = fault.Transient, fault.Unavailable
	}
	return f
}

func id(v any) string {
	s := ""
	switch v := v.(type) {
	case string:
		s = v
	case json.Number:
		s = v.String()
	}
	if len(s) > maxID {
		return ""
	}
	return s
}
