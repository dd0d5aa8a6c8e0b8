package backoffice

import (
	"context"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// The statuses of a transaction, as the incumbent names them (facts B.5, B.6, A.9).
const (
	StatusSuccess         = "Success"
	StatusFailed          = "Failed"
	StatusSkipped         = "Skipped"
	StatusNotAllowed      = "BackOfficeNotAllowed"
	StatusEmpty           = "EmptyBackOffice"
	StatusWrongURL        = "WrongUrl"
	StatusInvalidType     = "InvalidBackOfficeType"
	StatusInvalidSettings = "InvalidBackOfficeSettings"
)

// codes say, for each stable code, under which status people find it and what it
// tells them.
var codes = map[string]struct{ status, text string }{
	CodeNotAllowed:       {StatusNotAllowed, "\"Send appointments to back office\" is off for this connector: nothing is sent until it is switched on"},
	CodeMissingField:     {StatusInvalidSettings, "a required field of the connector, or its secret in Key Vault, is missing: complete it"},
	CodeNoData:           {StatusFailed, "the back office answered without the data that it has to answer: check the address and the version of its extension"},
	CodeSchema:           {StatusFailed, "what is sent and what the back office takes do not fit: check the mapping of fields"},
	CodeSystemType:       {StatusInvalidType, "type, API and authentication of the connector do not go together: correct them"},
	CodeOAuthCredentials: {StatusInvalidSettings, "the OAuth credentials can not be read or are refused: enter client id and secret anew"},
	CodeURL:              {StatusWrongURL, "the address of the connector is malformed, or is not that of the service: correct it"},
	CodeUnauthorized:     {StatusInvalidSettings, "signed in, but not allowed: check the permissions of the account in the back office"},
	CodeHTTPSRequired:    {StatusInvalidSettings, "https is required: enter an https address"},
	CodeHTTP:             {StatusFailed, "the back office is too busy or has failed (HTTP 429 or 5xx): tried again by itself"},
	CodeBCUnauthorized:   {StatusInvalidSettings, "the back office refuses the sign-in: check login, password and that the account or app is enabled there"},
	CodeBCNotFound:       {StatusWrongURL, "there is no such service at the address: check company, service name, and that the service is published"},
	CodeBCBusy:           {StatusFailed, "the back office is too busy: tried again by itself"},
	CodeBCTimeout:        {StatusFailed, "no answer in time; it may have been done all the same, which is looked up before anything is sent again"},
	CodeBCConnection:     {StatusFailed, "the connection to the back office failed: tried again by itself"},
	CodeBCUnknownType:    {StatusFailed, "the back office does not know a type that was sent: check the version of its extension"},
	CodeBCNoService:      {StatusWrongURL, "the web service is not published in the back office: publish it"},
	CodeBCNoLocation:     {StatusFailed, "the REST API named no address of what it created: check the version of its extension"},
	CodeBCSOAP:           {StatusFailed, "the back office is too busy or has failed: tried again by itself"},

	CodeWebhookNotAllowed: {StatusNotAllowed, "\"Send appointments to back office\" is off for this webhook: nothing is sent until it is switched on"},
	CodeWebhookURL:        {StatusWrongURL, "the webhook's address is empty or malformed, or leads elsewhere: correct it"},
	CodeWebhookType:       {StatusInvalidType, "type, API and authentication of the webhook do not go together: correct them"},
	CodeWebhookTimeout:    {StatusFailed, "the webhook did not answer in time: tried again by itself"},
	CodeWebhookHTTP:       {StatusFailed, "the webhook refused the call or failed: its own log says why"},
	CodeCircuitOpen:       {StatusFailed, "several deliveries in a row have failed: the connector rests and is tried again by itself"},
	CodeUndiagnosed:       {StatusFailed, "the back office refused or failed in a way that has no code of its own: see its log"},
}

// explain is the sentence for people of a code.
func explain(code string) string {
	if c, ok := codes[code]; ok {
		return c.text
	}
	return codes[CodeUndiagnosed].text
}

// traceID is that of a W3C traceparent.
func traceID(traceparent string) string {
	if parts := strings.Split(traceparent, "-"); len(parts) == 4 {
		return parts[1]
	}
	return ""
}

// StatusOf is under which status people find a code; none is a success.
func StatusOf(code string) string {
	if code == "" {
		return StatusSuccess
	}
	if c, ok := codes[code]; ok {
		return c.status
	}
	return StatusFailed
}

// codeOf is the stable code of a fault.
func codeOf(f *fault.Error) string {
	switch {
	case ours(f) && f.Reason == fault.Auth:
		return CodeMissingField
	case ours(f):
		return CodeUndiagnosed
	case f.Code == "":
		return CodeUndiagnosed
	}
	return f.Code
}

// Family is the tab under which people find a connector's transactions.
func (t Type) Family() string {
	if t == Webhook {
		return "webhook"
	}
	return "dynamics"
}

func (s *session) transaction(guid, operation, code, text string, took time.Duration) store.Transaction {
	t := store.Transaction{
		Family: s.family(), Appointment: guid, Target: s.id, Operation: operation, Status: StatusOf(code), Code: code,
		Text: text, Source: store.SourceService, Invocation: s.invocation, Trace: traceID(s.trace), Duration: took, At: s.Now(),
	}
	return t
}

func (s *session) family() string {
	if s.entry == nil {
		return BusinessCentral.Family()
	}
	return s.entry.Config.Type.Family()
}

// record notes one call or decision; it is written when the nudge ends.
func (s *session) record(l *store.Link, operation, code, text string, took time.Duration) {
	t := s.transaction(l.Appointment, operation, code, text, took)
	if l.Sent != nil {
		t.Attempt = l.Sent.Attempt
	}
	switch {
	case l.Asked:
		t.Source = store.SourceWebsite
	case t.Attempt > 1:
		t.Source = store.SourceTimer
	}
	s.journal = append(s.journal, t)
}

func (s *session) recordSkipped(l *store.Link, operation, why string) {
	t := s.transaction(l.Appointment, operation, "", "not sent: "+why, 0)
	t.Status = StatusSkipped
	s.journal = append(s.journal, t)
}

// flush writes the journal. It is for people: failing to write it must not undo
// the work that it tells of.
func (s *session) flush(ctx context.Context) {
	if len(s.journal) == 0 {
		return
	}
	if err := s.Store.Record(ctx, s.journal...); err != nil {
		s.log.WarnContext(ctx, "transactions could not be recorded", "count", len(s.journal), "error", err)
	}
	s.journal = nil
}
