package nav

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/signin"
	"github.com/dime-scheduler/connectors/shared/backoffice/soap"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Page is the kind of the page service, for Business Central and NAV. tokens is
// that of the whole program.
func Page(tokens *oauth.Tokens) backoffice.Kind {
	return backoffice.KindFunc(func(_ context.Context, d backoffice.Deps, c backoffice.Config) (backoffice.Connector, error) {
		return open(d, c, tokens)
	})
}

type page struct {
	c    backoffice.Config
	d    backoffice.Deps
	soap *soap.Client
	http *wire.Client

	mu      sync.Mutex // one reads the WSDL, the others wait for it
	known   *layout
	lengths map[string]int // what the back office has told of its fields, by column
}

func open(d backoffice.Deps, c backoffice.Config, tokens *oauth.Tokens) (*page, error) {
	if c.Login == "" && c.Auth == backoffice.Windows {
		// The message says more than that the login is missing.
		c.Auth = backoffice.Basic
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	way, err := signin.Choose(c, d, tokens)
	if err != nil {
		return nil, err
	}
	client, err := wire.Open(c, d, wire.Options{Authorize: way.Authorize, HTTP1: way.HTTP1, Codes: wire.SOAP})
	if err != nil {
		return nil, err
	}
	u := client.URL()
	if err := checkAddress(u); err != nil {
		client.Close()
		return nil, err
	}
	return &page{c: c, d: d, http: client, soap: &soap.Client{HTTP: client, URL: u}, lengths: map[string]int{}}, nil
}

// checkAddress refuses addresses of other services, which people paste by
// mistake, and takes ?wsdl off, with which the same address is often copied.
func checkAddress(u *url.URL) error {
	path := strings.ToLower(u.Path)
	wrong := ""
	switch {
	case strings.Contains(path, "/codeunit/"):
		wrong = "the address is that of a codeunit: choose the API \"SOAP codeunit\", or enter the address of the page"
	case strings.Contains(path, "/api/"), strings.Contains(path, "/odata"):
		wrong = "the address is not that of a SOAP service: choose the API REST, or enter the address of the page, https://server:7047/instance/WS/Company/Page/Appointment"
	case strings.HasSuffix(strings.TrimSuffix(path, "/"), "/services"):
		wrong = "the address is that of the list of services: enter that of the page Appointment in it"
	}
	if wrong != "" {
		return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: "connector: open", Code: backoffice.CodeURL, WholeTarget: true, Err: errors.New(wrong)}
	}
	if strings.EqualFold(u.RawQuery, "wsdl") {
		u.RawQuery = ""
	}
	return nil
}

// Close implements backoffice.Connector.
func (p *page) Close() { p.http.Close() }

// Traits implements backoffice.Connector.
func (p *page) Traits() backoffice.Traits {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := backoffice.Traits{Finds: true, ReadsStatus: p.c.ReadStatus}
	if p.known != nil {
		_, status := p.known.header.Column(fields.Status)
		t.Finds, t.ReadsStatus = p.known.service.Has("ReadMultiple"), t.ReadsStatus && status
	}
	return t
}

// layout is the page as its WSDL describes it, and how our fields go into it.
type layout struct {
	service *soap.Service
	header  fields.Mapping
	parts   []part
	read    time.Time
}

// part is lines that we know something to write into.
type part struct {
	soap.Part
	fields.Mapping
}

// maxAge is how old a WSDL may be; a fault that speaks of unknown fields makes it
// read again before.
const maxAge = time.Hour

// layout returns what is known of the page, read anew if that is old. One that
// can not be read now does not stop deliveries as long as an older one is there.
func (p *page) layout(ctx context.Context) (*layout, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil && p.d.Now().Sub(p.known.read) < maxAge {
		return p.known, nil
	}
	service, err := p.soap.Describe(ctx)
	if err != nil {
		if f := fault.Of(err); p.known != nil && f.Reason != fault.Auth && f.Reason != fault.Canceled {
			return p.known, nil
		}
		return nil, err
	}
	l := match(service, p.c.Fields)
	l.read = p.d.Now()
	p.known = l
	return l, nil
}

// Fields implements backoffice.Connector.
func (p *page) Fields(ctx context.Context) ([]backoffice.FieldUse, error) {
	l, err := p.layout(ctx)
	if err != nil {
		return nil, err
	}
	all := []fields.Mapping{l.header}
	for _, part := range l.parts {
		all = append(all, part.Mapping)
	}
	return fields.Uses(all...), nil
}

// forget makes the next delivery read the WSDL.
func (p *page) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = nil
}

func match(s *soap.Service, byHand map[string]string) *layout {
	l := &layout{service: s, header: fields.Match(fields.Header, s.Columns, byHand)}
	taken := map[fields.Part]bool{}
	for _, sp := range s.Parts {
		// Field values have two fields of their own; lines with a resource have one.
		for _, kind := range []fields.Part{fields.FieldValues, fields.Resources} {
			m := fields.Match(kind, sp.Columns, byHand)
			if len(m.Problems()) == 0 && !taken[kind] {
				taken[kind] = true
				l.parts = append(l.parts, part{sp, m})
				break
			}
		}
	}
	return l
}

func (l *layout) part(kind fields.Part) (part, bool) {
	for _, p := range l.parts {
		if p.Mapping.Part == kind {
			return p, true
		}
	}
	return part{}, false
}

// problems says what of the page keeps deliveries from making sense.
func (l *layout) problems(byHand map[string]string) []string {
	out := l.header.Problems()
	if _, ok := l.part(fields.Resources); !ok && !switchedOff(byHand, fields.ResourceNo) {
		out = append(out, `resources: the page has no lines with a field for "Resource No": publish the page "Dime.Scheduler Appointment Card" with its subpages, name the field in the field mapping, or switch it off there`)
	}
	if !l.service.Has("Create") {
		out = append(out, "the page allows no insertion: publish the page \"Dime.Scheduler Appointment Card\"")
	}
	return out
}

func switchedOff(byHand map[string]string, field string) bool {
	for k, v := range byHand {
		if fields.Normal(k) == fields.Normal(field) && strings.TrimSpace(v) == fields.Off {
			return true
		}
	}
	return false
}

// headers identify the call in the server's telemetry (facts B6).
func headers(d backoffice.Delivery) http.Header {
	h := http.Header{}
	if d.Invocation != "" {
		h.Set("client-request-id", d.Invocation)
	}
	if d.Trace != "" {
		h.Set("traceparent", d.Trace)
	}
	return h
}
