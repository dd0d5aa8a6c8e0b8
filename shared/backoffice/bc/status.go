package bc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/dynamics"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/fault"
)

const opStatus = "bc: read status"

// statuses are what the Status column may say, normalised. Guess: the documents
// name Error only (facts A4, A5).
var statuses = []struct {
	state backoffice.ProcessingState
	words []string
}{
	{backoffice.FailedThere, []string{"error", "failed", "fout", "fehler", "erreur"}},
	{backoffice.Waiting, []string{"new", "open", "pending", "waiting", "received", "inprogress", "processing", "queued"}},
	{backoffice.Processed, []string{"processed", "done", "completed", "success", "succeeded", "finished", "handled", "ok"}},
}

// Status implements backoffice.Connector: it reads the row's status and error message.
func (p *page) Status(ctx context.Context, r backoffice.Receipt) (backoffice.Processing, error) {
	s, _, err := p.describe(ctx)
	if err != nil {
		return backoffice.Processing{}, err
	}
	_, hasStatus := s.header.Column(fields.Status)
	_, hasMessage := s.header.Column(fields.ErrorMessage)
	if !hasStatus && !hasMessage {
		return backoffice.Processing{}, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: opStatus, Code: backoffice.CodeSchema,
			Err: errors.New("the page shows neither status nor error message of a row: switch reading back off for this connector, or update the Dime.Scheduler app")}
	}
	at, err := url.Parse(r.Location)
	if err != nil || r.Location == "" {
		return backoffice.Processing{}, &fault.Error{Kind: fault.Permanent, Reason: fault.NotFound, Op: opStatus, Code: backoffice.CodeNoData, Err: errors.New("the address of the row is not known")}
	}
	answer, err := p.do(ctx, request{op: opStatus, method: http.MethodGet, url: p.onOurHost(at)})
	if err != nil {
		return backoffice.Processing{}, looking(err)
	}
	if gone(answer.Status, answer.Body) {
		return backoffice.Processing{State: backoffice.NoLongerThere}, nil
	}
	if f := p.refusal(opStatus, answer, nil); f != nil {
		return backoffice.Processing{}, looking(f)
	}
	row, ok := s.readRow(answer.Body)
	if !ok {
		return backoffice.Processing{}, looking(p.wire.Unexpected(opStatus, answer, "the answer is no row of the page"))
	}
	return s.processing(row), nil
}

// gone: this one row is not there. Any other 404 says that the page is not.
func gone(status int, body []byte) bool {
	code, _, _ := readError(body)
	return status == http.StatusNotFound && (code == "Internal_RecordNotFound" || code == "Internal_DataNotFoundFilter") || status == http.StatusGone
}

// processing reads a row's columns. The message is shown without the row's own words.
func (s *schema) processing(row stored) backoffice.Processing {
	words := dynamics.Words(fields.Record{Header: fields.Row{
		fields.Subject: row.column(s.header, fields.Subject), fields.Body: row.column(s.header, fields.Body),
		"Last Modified User": row.column(s.header, "Last Modified User"), "Created User": row.column(s.header, "Created User"),
	}})
	text := dynamics.Say(row.column(s.header, fields.ErrorMessage), words)
	status := fields.Normal(row.column(s.header, fields.Status))
	for _, known := range statuses {
		if status != "" && slices.ContainsFunc(known.words, func(w string) bool { return strings.HasPrefix(status, w) }) {
			out := backoffice.Processing{State: known.state}
			if known.state == backoffice.FailedThere {
				out.Text = text
			}
			return out
		}
	}
	if text != "" {
		return backoffice.Processing{State: backoffice.FailedThere, Text: text}
	}
	// A status of nobody's knowing, and no error: nothing to bother people with.
	return backoffice.Processing{State: backoffice.Waiting}
}
