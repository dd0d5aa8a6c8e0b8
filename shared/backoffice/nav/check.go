package nav

import (
	"context"
	"fmt"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/signin"
	"github.com/dime-scheduler/connectors/shared/backoffice/soap"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Test implements backoffice.Connector. It reads the WSDL and one row.
func (p *page) Test(ctx context.Context) []backoffice.Check {
	p.forget()
	l, err := p.layout(ctx)
	checks, ok := signin.Reached(ctx, p.c, p.d, err)
	if !ok {
		return checks
	}
	checks = append(checks, backoffice.Check{Name: "service", OK: true,
		Text: fmt.Sprintf("the address is that of a page with %d fields and %d kinds of lines", len(l.service.Columns), len(l.service.Parts))})
	if problems := l.problems(p.c.Fields); len(problems) > 0 {
		return append(checks, backoffice.Check{Name: "fields", Code: backoffice.CodeSchema, Text: strings.Join(problems, "; ")})
	}
	checks = append(checks, backoffice.Check{Name: "fields", OK: true, Text: l.summary()})
	if !l.service.Has("ReadMultiple") {
		return append(checks, backoffice.Check{Name: "permissions", OK: true,
			Text: "the page does not let rows be read, so that unclear outcomes can not be looked up; whether rows may be inserted shows the first delivery only"})
	}
	// The WSDL is the same for every company; a row is not.
	_, err = p.soap.Call(ctx, l.service, "ReadMultiple", []soap.Element{soap.Leaf("setSize", "1")}, nil)
	if err != nil {
		f := fault.Of(p.judge(err, fields.Record{}))
		name := "company"
		if f.Reason == fault.Auth {
			name = "permissions"
		}
		return append(checks, backoffice.Check{Name: name, Code: f.Code, Text: signin.Sentence(f)})
	}
	return append(checks,
		backoffice.Check{Name: "company", OK: true, Text: "the company exists"},
		backoffice.Check{Name: "permissions", OK: true, Text: "rows may be read; whether they may be inserted shows the first delivery only, as a trial would leave a row"})
}

// summary says which field goes where.
func (l *layout) summary() string {
	var out []string
	add := func(m fields.Mapping) {
		var joined, missing []string
		for _, j := range m.Joins {
			switch {
			case j.Column.Name != "":
				s := j.Name + " → " + j.Column.Name
				if j.How == fields.ByHand {
					s += " (by hand)"
				}
				joined = append(joined, s)
			case j.How == fields.NotSent:
				missing = append(missing, j.Name+" (switched off)")
			default:
				missing = append(missing, j.Name)
			}
		}
		s := string(m.Part) + ": " + strings.Join(joined, ", ")
		if len(missing) > 0 {
			s += "; not sent: " + strings.Join(missing, ", ")
		}
		out = append(out, s)
	}
	add(l.header)
	for _, part := range l.parts {
		add(part.Mapping)
	}
	return strings.Join(out, ". ")
}
