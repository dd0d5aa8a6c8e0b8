package bc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/dynamics"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

const opDeliver = "bc: deliver"

// job is one delivery with all that its calls need.
type job struct {
	p      *page
	s      *schema
	d      backoffice.Delivery
	record fields.Record
	words  []string
}

func (p *page) job(s *schema, d backoffice.Delivery) job {
	r := fields.Read(d)
	return job{p: p, s: s, d: d, record: r, words: dynamics.Words(r)}
}

// Deliver implements backoffice.Connector: it adds one row with the delivery's
// database action. Lines that the page does not take with the row are added below
// it; if that breaks off, the error is Ambiguous, and Find goes on with it.
func (p *page) Deliver(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, error) {
	s, fresh, err := p.describe(ctx)
	if err != nil {
		return backoffice.Receipt{}, err
	}
	if err := s.usable(); err != nil {
		p.forget() // it may have been mended over there
		return backoffice.Receipt{}, err
	}
	j := p.job(s, d)
	content, err := s.payload(opDeliver, j.record)
	if err != nil {
		return backoffice.Receipt{}, err
	}
	body, err := s.body(content)
	if err != nil {
		return backoffice.Receipt{}, unfit(opDeliver, errors.New("the appointment can not be written as JSON"))
	}
	at, err := p.rows(ctx, s, "")
	if err != nil {
		return backoffice.Receipt{}, err
	}
	answer, err := j.do(ctx, opDeliver, http.MethodPost, at, body)
	if err != nil {
		return backoffice.Receipt{}, err
	}
	if f := p.refusal(opDeliver, answer, j.words); f != nil {
		return j.refused(ctx, f, answer, fresh)
	}
	row, ok := s.readRow(answer.Body)
	if !ok && answer.Status != http.StatusNoContent {
		return backoffice.Receipt{}, p.wire.Unexpected(opDeliver, answer, "the answer is no row of the page")
	}
	return j.children(ctx, content, p.receipt(s, at, row, answer.Header))
}

func (j job) do(ctx context.Context, op, method string, at *url.URL, body []byte) (*wire.Response, error) {
	return j.p.do(ctx, request{op: op, method: method, url: at, body: body, invocation: j.d.Invocation, trace: j.d.Trace})
}

// refused looks twice at two refusals: a row that is there already may be ours,
// and a page that does not know what we send may have changed since we read its metadata.
func (j job) refused(ctx context.Context, f *fault.Error, answer *wire.Response, fresh bool) (backoffice.Receipt, error) {
	if sameKey(f, answer) {
		if r, found, err := j.p.Find(ctx, j.d); err == nil && found {
			return r, nil
		}
		return backoffice.Receipt{}, f
	}
	if f.Kind == fault.Permanent && f.Code == backoffice.CodeSchema && !fresh {
		j.p.forget()
		f.Kind = fault.Transient
	}
	if code, _, _ := readError(answer.Body); code == "Internal_CompanyNotFound" && j.p.at.companyID == "" {
		j.p.mu.Lock()
		j.p.company = "" // it may have another id now
		j.p.mu.Unlock()
	}
	return backoffice.Receipt{}, f
}

// receipt is what to find the row by. The address is put together from the key;
// where the answer shows none, it is the Location, on the host that was configured.
func (p *page) receipt(s *schema, rows *url.URL, row stored, h http.Header) backoffice.Receipt {
	r := backoffice.Receipt{
		ID:           row.column(s.header, fields.EntryNo),
		BackOfficeID: row.column(s.header, fields.BackOfficeID),
		Correlation:  correlationOf(h),
	}
	if key := row.text(s.key.Name); key != "" {
		if r.ID == "" {
			r.ID = key
		}
		r.Location = keyed(rows, literal(s.key, key)).String()
	} else if u, err := url.Parse(h.Get("Location")); err == nil && h.Get("Location") != "" {
		r.Location = p.onOurHost(rows.ResolveReference(u)).String()
	}
	return r
}

// keyed is the address of one row of a set.
func keyed(rows *url.URL, key string) *url.URL {
	u := *rows
	setPath(&u, []string{strings.TrimPrefix(rows.EscapedPath(), "/") + "(" + url.PathEscape(key) + ")"})
	return &u
}

// correlationOf is the ERP's own id of the call.
func correlationOf(h http.Header) string {
	for _, name := range []string{"ms-correlation-x", "request-id"} {
		if v := h.Get(name); v != "" && len(v) <= 64 {
			return v
		}
	}
	return ""
}

// shallow are the parts that have lines to be added below the row.
func (j job) shallow(content payload) []int {
	var out []int
	for i, part := range j.s.parts {
		if !part.deep && len(content.lines[i]) > 0 {
			out = append(out, i)
		}
	}
	return out
}

// children adds the lines that could not go with the row, one after the other:
// in parallel they would lock the row for each other (facts E).
func (j job) children(ctx context.Context, content payload, r backoffice.Receipt) (backoffice.Receipt, error) {
	parts := j.shallow(content)
	if len(parts) == 0 {
		return r, nil
	}
	if r.Location == "" {
		return r, &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: opDeliver, Code: backoffice.CodeBCNoLocation, WholeTarget: true, Ambiguous: true,
			Err: errors.New("the API names neither a Location nor the key of the new row, so its resources can not be added: update the Dime.Scheduler app")}
	}
	for _, i := range parts {
		for _, line := range content.lines[i] {
			if err := j.child(ctx, r, j.s.parts[i], line); err != nil {
				return r, j.broken(ctx, r, err)
			}
		}
	}
	return r, nil
}

func (j job) child(ctx context.Context, r backoffice.Receipt, p part, line map[string]any) error {
	body, err := json.Marshal(line)
	if err != nil {
		return unfit(opDeliver, errors.New("a line can not be written as JSON"))
	}
	at, err := partAddress(r, p)
	if err != nil {
		return err
	}
	answer, err := j.do(ctx, opDeliver, http.MethodPost, at, body)
	if err != nil {
		return err
	}
	f := j.p.refusal(opDeliver, answer, j.words)
	if f == nil || sameKey(f, answer) { // it was there: the key is our row's and this line's
		return nil
	}
	return f
}

func partAddress(r backoffice.Receipt, p part) (*url.URL, error) {
	at, err := url.Parse(r.Location)
	if err != nil {
		return nil, malformed("the address of the new row can not be read")
	}
	setPath(at, []string{strings.TrimPrefix(at.EscapedPath(), "/"), url.PathEscape(p.name)})
	return at, nil
}

// broken ends a row that lacks lines. What passes leaves it for Find to complete.
// What is refused for good takes the row back, so that nobody works on half of it.
func (j job) broken(ctx context.Context, r backoffice.Receipt, err error) error {
	f := *fault.Of(err)
	if f.Kind != fault.Permanent {
		f.Ambiguous = true
		return &f
	}
	at, parseErr := url.Parse(r.Location)
	if parseErr == nil {
		answer, err := j.p.do(ctx, request{op: opDeliver, method: http.MethodDelete, url: at, etag: "*", invocation: j.d.Invocation, trace: j.d.Trace})
		if err == nil && (answer.Status < 300 || answer.Status == http.StatusNotFound) {
			return &f
		}
	}
	f.Err = fmt.Errorf("%w; the row %s stands there without all of its lines: delete it there", f.Err, r.ID)
	return &f
}
