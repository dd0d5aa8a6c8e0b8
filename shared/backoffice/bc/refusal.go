package bc

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/dynamics"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// remoteError is the body of an error (facts B2).
type remoteError struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// readError reads the error of an answer; ok is false if it is not of the ERP's make.
func readError(body []byte) (code, message string, ok bool) {
	var e remoteError
	if json.Unmarshal(body, &e) != nil || e.Error.Code == "" {
		return "", "", false
	}
	return e.Error.Code, e.Error.Message, true
}

// class is what an error code means.
type class struct {
	kind      fault.Kind
	reason    fault.Reason
	code      string
	whole     bool // the whole connector
	ambiguous bool
	advice    string // what to change; empty = the ERP's own message says it
}

// byCode maps the codes of Business Central's APIs (facts B2, Microsoft's
// "Troubleshooting REST API/OData calls").
var byCode = map[string]class{
	"Authentication_InvalidCredentials": {reason: fault.Auth, code: backoffice.CodeBCUnauthorized, whole: true, advice: signInAdvice},
	"Unauthorized":                      {reason: fault.Auth, code: backoffice.CodeBCUnauthorized, whole: true, advice: signInAdvice},
	"BadRequest_InvalidToken":           {reason: fault.Auth, code: backoffice.CodeBCUnauthorized, whole: true, advice: signInAdvice},

	"Internal_CompanyNotFound":      {reason: fault.NotFound, code: backoffice.CodeURL, whole: true, advice: "the company of the address is not there: correct companies(ID) in the address"},
	"BadRequest_ResourceNotFound":   {reason: fault.NotFound, code: backoffice.CodeBCNotFound, whole: true, advice: pageAdvice},
	"BadRequest_NotFound":           {reason: fault.NotFound, code: backoffice.CodeBCNotFound, whole: true, advice: pageAdvice},
	"BadRequest_MethodNotAllowed":   {reason: fault.NotFound, code: backoffice.CodeBCNotFound, whole: true, advice: "the page takes no new rows, or the API is switched off on the server: check address and server settings"},
	"Internal_RecordNotFound":       {kind: fault.Permanent, reason: fault.NotFound, code: backoffice.CodeNoData},
	"Internal_DataNotFoundFilter":   {kind: fault.Permanent, reason: fault.NotFound, code: backoffice.CodeNoData},
	"Internal_InvalidTableRelation": {kind: fault.Permanent, reason: fault.Invalid, code: backoffice.CodeSchema},

	"Request_EntityChanged":                {reason: fault.Conflict, code: backoffice.CodeBCBusy},
	"Internal_EntityWithSameKeyExists":     {kind: fault.Permanent, reason: fault.Conflict, code: backoffice.CodeSchema},
	"Internal_TenantUnavailable":           {reason: fault.Unavailable, code: backoffice.CodeHTTP, whole: true},
	"Internal_ServerError":                 {reason: fault.Unavailable, code: backoffice.CodeHTTP, ambiguous: true},
	"Application_FieldValidationException": {kind: fault.Permanent, reason: fault.Invalid, code: backoffice.CodeSchema},
	"Application_StringExceededLength":     {kind: fault.Permanent, reason: fault.Invalid, code: backoffice.CodeSchema},
	"Application_EvaluateException":        {kind: fault.Permanent, reason: fault.Invalid, code: backoffice.CodeSchema},
	"Application_InvalidGUID":              {kind: fault.Permanent, reason: fault.Invalid, code: backoffice.CodeSchema},
	"Application_FilterErrorException":     {kind: fault.Permanent, reason: fault.Invalid, code: backoffice.CodeSchema},
	"Application_CallbackNotAllowed": {kind: fault.Permanent, reason: fault.Invalid, code: backoffice.CodeUndiagnosed,
		advice: "code in Business Central asks a person (Confirm, Dialog), which a web service can not answer: its developer has to mend it"},
}

const (
	signInAdvice = "Business Central refuses the sign-in: check that the application is enabled on its page Microsoft Entra applications, has permission sets there, and has API.ReadWrite.All with admin consent; on-premises, that user and password or web service access key are valid"
	pageAdvice   = "there is no such page or API: check the address, and that the Dime.Scheduler app is installed"
	rightsAdvice = "the user or application may not do this: give it the permission sets D365 BASIC ISV, DIME.SCHEDULER and LOCAL, and those of your own objects"
)

// byFamily maps code families that are not in byCode, by their beginning.
var byFamily = []struct {
	prefix string
	class  class
}{
	{"Authentication_", byCode["Authentication_InvalidCredentials"]},
	{"Authorization_", class{reason: fault.Auth, code: backoffice.CodeUnauthorized, whole: true, advice: rightsAdvice}},
	// What the AL code says, by Error() or a failed check: it says it again.
	{"Application_", class{kind: fault.Permanent, reason: fault.Invalid, code: backoffice.CodeUndiagnosed}},
	{"BadRequest", class{kind: fault.Permanent, reason: fault.Invalid, code: backoffice.CodeSchema}},
}

func (p *page) refusal(op string, r *wire.Response, words []string) *fault.Error {
	return Refusal(p.wire, op, r, words)
}

// Refusal classifies an answer of Business Central's APIs and OData services; nil
// for 2xx. words are those of the appointment, which the ERP's message may repeat.
func Refusal(client *wire.Client, op string, r *wire.Response, words []string) *fault.Error {
	f := client.Fault(op, r)
	if f == nil {
		return nil
	}
	code, message, ok := readError(r.Body)
	if !ok {
		if r.Status == http.StatusUnauthorized {
			f.Err = fmt.Errorf("HTTP status %d: %s", r.Status, signInAdvice)
		}
		return f
	}
	c, known := classOf(code)
	switch {
	// What the status says of time and load stands, whatever the code.
	case r.Status == http.StatusTooManyRequests, r.Status == http.StatusRequestTimeout, r.Status == http.StatusGatewayTimeout:
		c = class{reason: f.Reason, code: f.Code, ambiguous: f.Ambiguous}
	case dynamics.Locked(code, message):
		c = class{reason: fault.Conflict, code: backoffice.CodeBCBusy}
	case !known:
		c = class{kind: f.Kind, reason: f.Reason, code: f.Code, whole: f.WholeTarget, ambiguous: f.Ambiguous}
	}
	f = &fault.Error{Kind: c.kind, Reason: c.reason, Op: op, Code: c.code, WholeTarget: c.whole, Ambiguous: c.ambiguous, RetryAfter: wire.RetryAfter(r.Header, time.Now())}
	say := c.advice
	if say == "" {
		say = dynamics.Say(message, words)
	}
	text := fmt.Sprintf("HTTP status %d, %s: %s", r.Status, clean(code), say)
	if id := dynamics.Correlation(message); id != "" {
		text += " (CorrelationId " + id + ")"
	}
	f.Err = backoffice.Said(text)
	return f
}

func classOf(code string) (class, bool) {
	if c, ok := byCode[code]; ok {
		return c, true
	}
	for _, f := range byFamily {
		if strings.HasPrefix(code, f.prefix) {
			return f.class, true
		}
	}
	return class{}, false
}

// clean cuts a code down to what a code is made of.
func clean(code string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, code[:min(len(code), 80)])
}

// sameKey reports an error that says that the row is there already.
func sameKey(f *fault.Error, r *wire.Response) bool {
	code, _, _ := readError(r.Body)
	return f != nil && code == "Internal_EntityWithSameKeyExists"
}
