package signin

import (
	"context"
	"fmt"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Reached turns the outcome of reading a service's description into checks of
// address and sign-in; ok is false if the rest can not be tried.
func Reached(ctx context.Context, c backoffice.Config, d backoffice.Deps, err error) (checks []backoffice.Check, ok bool) {
	reached := backoffice.Check{Name: "address", OK: true, Text: "the server answers"}
	if strings.HasPrefix(strings.ToLower(c.URI), "https:") {
		reached.Text += ", and its certificate is trusted"
	} else {
		reached.Text += ". The address is plain http: whoever is on the way can read what is sent, the password included"
	}
	if err == nil {
		signed := backoffice.Check{Name: "sign-in", OK: true, Text: "the sign-in was accepted"}
		if warning := Advice(ctx, c, d, false); warning != "" {
			signed.Text += ". But " + warning
		}
		return []backoffice.Check{reached, signed}, true
	}
	f := fault.Of(err)
	switch {
	case f.Reason == fault.Auth && (strings.HasPrefix(f.Op, "soap") || strings.HasPrefix(f.Op, "odata")):
		text := Advice(ctx, c, d, true)
		if text == "" {
			text = Sentence(f)
		}
		return []backoffice.Check{reached, {Name: "sign-in", Code: code(f), Text: text}}, false
	case f.Reason == fault.Auth && f.Op == "connector: sign in":
		return []backoffice.Check{reached, {Name: "sign-in", Code: code(f), Text: Sentence(f)}}, false
	case f.Reason == fault.Auth: // the token server or the vault
		return []backoffice.Check{{Name: "sign-in", Code: code(f), Text: Sentence(f)}}, false
	case f.Reason == fault.NotFound:
		return []backoffice.Check{reached, {Name: "service", Code: code(f),
			Text: Sentence(f) + ". Copy the address from the page Web Services of the back office: the service has to be published there, and SOAP or OData to be switched on in the server instance"}}, false
	case f.Code == backoffice.CodeSchema:
		return []backoffice.Check{reached, {Name: "service", Code: f.Code, Text: Sentence(f)}}, false
	}
	return []backoffice.Check{{Name: "address", Code: code(f), Text: Sentence(f)}}, false
}

func code(f *fault.Error) string {
	if f.Code == "" {
		return backoffice.CodeUndiagnosed
	}
	return f.Code
}

// Sentence is what a fault says to people.
func Sentence(f *fault.Error) string {
	if f.Err == nil {
		return fmt.Sprintf("%s (%s)", f.Reason, f.Code)
	}
	return f.Err.Error()
}
