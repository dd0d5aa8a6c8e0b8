package soap

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/dynamics"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Fault is what a service answers instead of a result.
type Fault struct {
	// Code is the faultcode as it came, without prefix.
	Code string
	// Exception is the type's own name, without its namespace: the same in every
	// language. Empty if the fault has no such code.
	Exception string
	// Text is the service's message, in its language. It may quote the appointment:
	// it goes nowhere but through dynamics.Say.
	Text string
}

// Error shows the exception type only.
func (f *Fault) Error() string {
	if f.Exception == "" {
		return "SOAP fault"
	}
	return "SOAP fault " + f.Exception
}

// asFault reads a fault; nil if the element is none.
func asFault(e Element) *Fault {
	if e.Name != "Fault" {
		return nil
	}
	f := &Fault{Code: strings.TrimSpace(e.Value("faultcode")), Text: e.Value("faultstring")}
	if _, after, ok := strings.Cut(f.Code, ":"); ok {
		f.Code = after
	}
	if detail, ok := e.Child("detail"); ok && f.Text == "" {
		f.Text = detail.Value("string")
	}
	if name := f.Code[strings.LastIndexByte(f.Code, '.')+1:]; strings.HasSuffix(name, "Exception") && len(name) <= 100 {
		f.Exception = name
	} else if plainName(name) {
		f.Exception = name
	}
	return f
}

// plainName: a code such as Client or DeserializationFailed, and nothing that
// could be somebody's words.
func plainName(s string) bool {
	return s != "" && len(s) <= 60 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._") == ""
}

// meaning is what an exception type says.
type meaning struct {
	kind   fault.Kind
	reason fault.Reason
	code   string
	whole  bool
	advice string
}

// exceptions are types whose meaning is known, by their full name (facts D).
// Guess: the names that are not in facts D, after the REST codes of the same errors.
var exceptions = map[string]meaning{
	"NavNCLDialogException":               refusal("the codeunit refused it with a message (AL: Error)"),
	"NavTestFieldException":               refusal("a field that the back office requires is empty or wrong (AL: TestField)"),
	"NavCSideRecordNotFoundException":     refusal("a record that it refers to does not exist there"),
	"NavNCLEvaluateException":             refusal("a value does not have the form of its field there"),
	"NavNCLInvalidRequestException":       refusal("the back office can not read the request"),
	"NavFieldNotFoundException":           {fault.Permanent, fault.Invalid, backoffice.CodeSchema, false, "the page has no such field (any more)"},
	"NavNCLStringLengthExceededException": {fault.Permanent, fault.Invalid, backoffice.CodeSchema, false, "a value is longer than its field there: enter the length in the field mapping, as Subject = Subject:100"},
	"NavCSideDuplicateKeyException":       {fault.Permanent, fault.Conflict, backoffice.CodeUndiagnosed, false, "the same record exists there already"},
	"NavNCLCallbackNotAllowedException":   refusal("the codeunit asks a person something (AL: Confirm, Page.Run), which no web service can answer; its maker has to change it"),

	"NavCSideRecordChangedException":  {fault.Transient, fault.Conflict, backoffice.CodeBCSOAP, false, "somebody else changed the record at the same time"},
	"NavServiceThrottlingException":   {fault.Transient, fault.RateLimit, backoffice.CodeBCBusy, false, "the server has too many requests"},
	"NavPermissionException":          {fault.Transient, fault.Auth, backoffice.CodeUnauthorized, true, "the user lacks a permission: give it the permission sets Dime.Scheduler and Local"},
	"NavCompanyNotFoundException":     {fault.Transient, fault.NotFound, backoffice.CodeURL, true, "the company in the address does not exist: check its name, letter by letter"},
	"NavTenantNotAccessibleException": {fault.Transient, fault.Unavailable, backoffice.CodeBCSOAP, true, "the tenant is not mounted or not working now"},
	"ServiceBrokerException":          noService,
	"ServiceNotFoundException":        noService,
	"EndpointNotFoundException":       noService,
}

var noService = meaning{fault.Transient, fault.NotFound, backoffice.CodeBCNoService, true,
	"there is no such web service: publish the page as web service Appointment, or correct the address"}

func refusal(advice string) meaning {
	return meaning{fault.Permanent, fault.Invalid, backoffice.CodeUndiagnosed, false, advice}
}

// families are parts of type names, for those that are not listed: the names
// differ between versions, their parts do not. The first that fits counts.
var families = []struct {
	parts []string
	meaning
}{
	{[]string{"Deadlock", "Locked", "LockTimeout", "LockException", "RecordLock"}, lockMeaning},
	{[]string{"Throttl", "TooBusy", "ServerBusy", "TooManyRequests"}, meaning{fault.Transient, fault.RateLimit, backoffice.CodeBCBusy, false, "the server is too busy"}},
	{[]string{"Timeout", "TimedOut"}, meaning{fault.Transient, fault.Timeout, backoffice.CodeBCTimeout, false, "the server gave up after its own time limit and took everything back"}},
	{[]string{"DeserializationFailed", "UnknownType", "XmlException", "SchemaValidation", "SerializationException"},
		meaning{fault.Permanent, fault.Invalid, backoffice.CodeBCUnknownType, false, "the service does not know an element or value of ours: its page has changed, or the address is that of another service"}},
	{[]string{"ActionNotSupported", "ServiceBroker", "ServiceNotFound"}, noService},
	{[]string{"Security", "Permission", "Unauthorized", "Authentication", "Credential"},
		meaning{fault.Transient, fault.Auth, backoffice.CodeUnauthorized, true, "the user is not allowed to do this: check its permission sets"}},
	{[]string{"Database", "Sql", "Session", "OutOfMemory", "Communication", "NotAvailable", "ShuttingDown"},
		meaning{fault.Transient, fault.Unavailable, backoffice.CodeBCSOAP, false, "the server has a fault of its own"}},
	{[]string{"NavNCL", "NavCSide", "NavTestField", "NavField", "NavTable", "NavValidat"}, refusal("the back office refused it")},
}

var lockMeaning = meaning{fault.Transient, fault.Conflict, backoffice.CodeBCBusy, false, "a record there is locked by somebody else's work"}

// meaning decides by the type first, by the text only of types that say nothing
// or that any codeunit may throw.
func (f *Fault) meaning() (meaning, bool) {
	m, known := exceptions[f.Exception]
	if known && f.Exception != "NavNCLDialogException" {
		return m, true
	}
	if !known {
		for _, family := range families {
			for _, part := range family.parts {
				if strings.Contains(f.Exception, part) {
					m, known = family.meaning, true
					break
				}
			}
			if known {
				break
			}
		}
	}
	if (!known || m.kind == fault.Permanent) && m.code != backoffice.CodeBCUnknownType && dynamics.Locked(f.Exception, f.Text) {
		return lockMeaning, true
	}
	return m, known
}

// Classify turns a fault into the class that decides. Each call of these
// services is one transaction: a fault says that nothing was done, so none is
// ambiguous.
func (f *Fault) Classify(op string) *fault.Error {
	m, known := f.meaning()
	if !known {
		// A fault that nobody knows is tried again, until the worker's time is up.
		m = meaning{fault.Transient, fault.Other, backoffice.CodeUndiagnosed, false, "a fault that is not known here"}
	}
	return &fault.Error{Kind: m.kind, Reason: m.reason, Op: op, Code: m.code, WholeTarget: m.whole, Err: fmt.Errorf("%w: %s", f, m.advice)}
}

// FaultOf returns the SOAP fault behind an error; nil if there is none.
func FaultOf(err error) *Fault {
	f, _ := errors.AsType[*Fault](err)
	return f
}
