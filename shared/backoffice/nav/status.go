package nav

import (
	"context"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/dynamics"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/soap"
)

// Status implements backoffice.Connector: it reads the row's own status and error.
func (p *page) Status(ctx context.Context, r backoffice.Receipt) (backoffice.Processing, error) {
	l, err := p.layout(ctx)
	if err != nil {
		return backoffice.Processing{}, err
	}
	status, ok := l.header.Column(fields.Status)
	entry, known := l.header.Column(fields.EntryNo)
	if !ok || !known || r.ID == "" {
		return backoffice.Processing{State: backoffice.Waiting}, nil
	}
	rows, _, err := p.soap.Read(ctx, l.service, []soap.Filter{{Field: entry.Name, Criteria: r.ID}})
	if err != nil {
		return backoffice.Processing{}, err
	}
	for _, row := range rows {
		if strings.TrimSpace(row.Value(entry.Name)) != r.ID {
			continue
		}
		out := backoffice.Processing{State: stateOf(row.Value(status.Name))}
		if c, ok := l.header.Column(fields.ErrorMessage); ok && out.State == backoffice.FailedThere {
			out.Text = dynamics.Say(row.Value(c.Name), l.words(row))
		}
		return out, nil
	}
	return backoffice.Processing{State: backoffice.NoLongerThere}, nil
}

// words are the appointment's words in a row, which no message may show.
func (l *layout) words(row soap.Element) []string {
	r := fields.Record{Header: fields.Row{}}
	for _, name := range []string{fields.Subject, fields.Body, "Last Modified User", "Created User"} {
		if c, ok := l.header.Column(name); ok {
			r.Header[name] = row.Value(c.Name)
		}
	}
	if part, ok := l.part(fields.FieldValues); ok {
		c, _ := part.Column(fields.FieldValue)
		for _, line := range part.Lines(row) {
			r.FieldValues = append(r.FieldValues, fields.Row{fields.FieldValue: line.Value(c.Name)})
		}
	}
	return dynamics.Words(r)
}

// stateOf reads the name of a status. Guess: the names; those that are not known
// count as not worked on yet.
func stateOf(name string) backoffice.ProcessingState {
	switch n := fields.Normal(name); {
	case strings.Contains(n, "error"), strings.Contains(n, "fail"):
		return backoffice.FailedThere
	case strings.Contains(n, "processed") && !strings.HasPrefix(n, "un") && !strings.HasPrefix(n, "not"),
		strings.Contains(n, "success"), strings.Contains(n, "complete"), n == "done", n == "handled":
		return backoffice.Processed
	}
	return backoffice.Waiting
}
