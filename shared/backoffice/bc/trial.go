package bc

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// role is the application permission without which Business Central refuses a token.
const role = "API.ReadWrite.All"

// Test implements backoffice.Connector: it reads, and writes nothing.
func (p *page) Test(ctx context.Context) []backoffice.Check {
	t := &trial{p: p, ctx: ctx}
	for _, step := range []func() bool{t.token, t.address, t.service, t.fields, t.permissions} {
		if !step() {
			break
		}
	}
	return t.checks
}

// trial collects checks; a step returns whether the next makes sense.
type trial struct {
	p      *page
	ctx    context.Context
	checks []backoffice.Check
	s      *schema
}

func (t *trial) ok(name, format string, args ...any) bool {
	t.checks = append(t.checks, backoffice.Check{Name: name, OK: true, Text: fmt.Sprintf(format, args...)})
	return true
}

func (t *trial) bad(name, code, text string) bool {
	t.checks = append(t.checks, backoffice.Check{Name: name, Code: code, Text: text})
	return false
}

// failed puts a fault into a check; it says what to change.
func (t *trial) failed(name string, err error) bool {
	f := fault.Of(err)
	code, text := f.Code, err.Error()
	if f.Err != nil {
		text = f.Err.Error()
	}
	if code == "" {
		code = backoffice.CodeUndiagnosed
	}
	return t.bad(name, code, text)
}

// token gets a new one with the credentials as they are now.
func (t *trial) token() bool {
	if t.p.way.Tokens == nil {
		return true
	}
	value, err := t.p.way.Tokens.Fresh(t.ctx)
	if err != nil {
		return t.failed("token", err)
	}
	claims, readable := oauth.ReadClaims(value)
	switch {
	case !readable:
		return t.ok("token", "the token server gave a token")
	case !slices.Contains(claims.Roles, role) && claims.Tenant != "":
		return t.bad("token", backoffice.CodeUnauthorized, "the token has no role "+role+": add this application permission of Dynamics 365 Business Central to the app registration, and grant admin consent")
	}
	return t.ok("token", "the token server gave a token with the roles %s", strings.Join(claims.Roles, ", "))
}

// address asks for the companies: it shows whether the address leads to an API,
// whether the sign-in is accepted, and whether the company is there.
func (t *trial) address() bool {
	list, err := t.p.companies(t.ctx)
	if err != nil {
		name := "address"
		if fault.Of(err).Reason == fault.Auth {
			name = "sign-in"
		}
		return t.failed(name, err)
	}
	text := "the address leads to an API of Business Central, which accepts the sign-in"
	if t.p.at.mended != "" {
		text += "; the part " + t.p.at.mended + " of the address is left out, as it does not belong there"
	}
	t.ok("address", "%s", text)
	found, err := t.p.choose(list)
	if err != nil {
		return t.failed("company", err)
	}
	return t.ok("company", "the company is %s (%s)", found.Name, found.ID)
}

func (t *trial) service() bool {
	t.p.forget()
	s, _, err := t.p.describe(t.ctx)
	if err != nil {
		return t.failed("service", err)
	}
	t.s = s
	return t.ok("service", "the API has the page %s", s.page)
}

func (t *trial) fields() bool {
	if len(t.s.problems) > 0 {
		return t.bad("fields", backoffice.CodeSchema, strings.Join(t.s.problems, "; "))
	}
	var found, missing []string
	for _, j := range t.s.header.Joins {
		switch j.How {
		case fields.NotSent:
		case fields.NoColumn:
			missing = append(missing, j.Name)
		default:
			found = append(found, j.Name)
		}
	}
	text := fmt.Sprintf("%d fields of the appointment have a place", len(found))
	for _, part := range t.s.parts {
		how := "in one transaction with the row"
		if !part.deep {
			how = "one by one below the row"
		}
		text += fmt.Sprintf("; %s go to %s, %s", part.Part, part.name, how)
	}
	if len(missing) > 0 {
		text += "; not sent, as the page has no field for them: " + strings.Join(missing, ", ")
	}
	for _, r := range t.s.remarks {
		text += "; " + r
	}
	if t.p.c.ReadStatus {
		if _, ok := t.s.header.Column(fields.Status); !ok {
			if _, ok := t.s.header.Column(fields.ErrorMessage); !ok {
				return t.bad("fields", backoffice.CodeSchema, "the page shows neither status nor error message of a row: switch reading back off for this connector, or update the Dime.Scheduler app")
			}
		}
	}
	return t.ok("fields", "%s", text)
}

// permissions reads one row.
func (t *trial) permissions() bool {
	const op = "bc: read a row"
	rows, err := t.p.rows(t.ctx, t.s, query("$top", "1"))
	if err != nil {
		return t.failed("permissions", err)
	}
	answer, err := t.p.do(t.ctx, request{op: op, method: http.MethodGet, url: rows})
	if err != nil {
		return t.failed("permissions", looking(err))
	}
	if f := t.p.refusal(op, answer, nil); f != nil {
		return t.failed("permissions", f)
	}
	return t.ok("permissions", "rows can be read; whether they may be added shows only with the first appointment: the permission sets D365 BASIC ISV, DIME.SCHEDULER and LOCAL are needed")
}
