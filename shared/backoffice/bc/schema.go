package bc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// schema is the API page as its metadata describes it, joined with our fields.
type schema struct {
	page   string // the entity set
	key    fields.Column
	header fields.Mapping
	// parts are those that there are: resources, field values.
	parts []part
	// problems keep deliveries from making sense.
	problems []string
	remarks  []string

	etag string
	read time.Time
}

// part is where lines below a row go.
type part struct {
	fields.Mapping
	name string
	// deep: they are written with their row, in one transaction. Else they are
	// POSTed below the row's Location, one after the other.
	deep bool
}

// Keys of Config.Fields that name the parts instead of a field: the value is the
// part's name, "location:" before it if it takes no deep insert, or fields.Off.
const (
	resourcesPart   = "Resources part"
	fieldValuesPart = "Field values part"
	byLocation      = "location:"
)

// partNames are parts of the names by which the parts are recognised. Guess: no
// public source names them (facts A4).
var partNames = map[fields.Part][]string{
	fields.Resources:   {"resource", "assignment"},
	fields.FieldValues: {"fieldvalue", "customfield"},
}

// metadataAge is how long $metadata is used before it is asked for again: an
// extension's update adds properties, and Business Central tells nobody.
const metadataAge = time.Hour

// describe returns the schema; fresh says that it was read just now.
func (p *page) describe(ctx context.Context) (s *schema, fresh bool, err error) {
	if s := p.known(); s != nil && p.now().Before(s.read.Add(metadataAge)) {
		return s, false, nil
	}
	unlock, err := p.lock(ctx)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	old := p.known()
	if old != nil && p.now().Before(old.read.Add(metadataAge)) {
		return old, false, nil // somebody else has read it meanwhile
	}
	s, err = p.readSchema(ctx, old)
	switch {
	case err != nil && old != nil && fault.Of(err).Reason != fault.Canceled:
		return old, false, nil // what is wrong now, the delivery itself will show
	case err != nil:
		return nil, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.schema = s
	return s, true, nil
}

func (p *page) known() *schema {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.schema
}

// forget makes the next delivery read $metadata again.
func (p *page) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.schema = nil
}

func (p *page) readSchema(ctx context.Context, old *schema) (*schema, error) {
	const op = "bc: read $metadata"
	r := request{op: op, method: http.MethodGet, url: p.at.under("", "$metadata"), accept: "application/xml"}
	if old != nil {
		r.etag = old.etag
	}
	answer, err := p.do(ctx, r)
	if err != nil {
		return nil, looking(err)
	}
	if answer.Status == http.StatusNotModified && old != nil {
		same := *old
		same.read = p.now()
		return &same, nil
	}
	if f := p.refusal(op, answer, nil); f != nil {
		return nil, looking(f)
	}
	m, ok := parseModel(answer.Body)
	if !ok {
		return nil, looking(p.wire.Unexpected(op, answer, "this is no OData metadata; check the address"))
	}
	s, err := newSchema(m, p.at.page, p.c.Fields)
	if err != nil {
		return nil, err
	}
	s.etag, s.read = answer.Header.Get("ETag"), p.now()
	return s, nil
}

// looking is an error of a call that only looks: whatever became of it, nothing was changed.
func looking(err error) error {
	f := *fault.Of(err)
	f.Ambiguous = false
	return &f
}

// newSchema joins the page's metadata with our fields.
func newSchema(m model, name string, byHand map[string]string) (*schema, error) {
	at, ok := m.set(name)
	if !ok {
		var there []string
		for _, s := range m.sets {
			there = append(there, s.name)
		}
		return nil, &fault.Error{Kind: fault.Transient, Reason: fault.NotFound, Op: "bc: read $metadata", Code: backoffice.CodeBCNotFound, WholeTarget: true,
			Err: fmt.Errorf("the API has no page %q, but %s; correct the end of the address", name, strings.Join(there[:min(len(there), 20)], ", "))}
	}
	e := m.types[at.kind]
	s := &schema{page: at.name, header: fields.Match(fields.Header, e.columns, byHand)}
	if i := slices.IndexFunc(e.columns, func(c fields.Column) bool { return c.Name == e.key }); i >= 0 {
		s.key = e.columns[i]
	}
	s.problems = s.header.Problems()
	for _, kind := range []fields.Part{fields.Resources, fields.FieldValues} {
		s.addPart(m, e, kind, byHand)
	}
	return s, nil
}

// addPart finds a part: the one that is named by hand, else a collection below
// the row, else an entity set of its own.
func (s *schema) addPart(m model, e entity, kind fields.Part, byHand map[string]string) {
	label := resourcesPart
	if kind == fields.FieldValues {
		label = fieldValuesPart
	}
	named := ""
	for k, v := range byHand {
		if fields.Normal(k) == fields.Normal(label) {
			named = strings.TrimSpace(v)
		}
	}
	if named == fields.Off {
		s.remarks = append(s.remarks, fmt.Sprintf("%s are not sent (field mapping)", kind))
		return
	}
	name, forced := strings.CutPrefix(named, byLocation)
	fits := func(x set) bool { return strings.EqualFold(x.name, name) }
	if name == "" {
		fits = func(x set) bool {
			return x.name != s.page && slices.ContainsFunc(partNames[kind], func(n string) bool { return strings.Contains(fields.Normal(x.name), n) })
		}
	}
	for i, list := range [][]set{e.navigation, m.sets} {
		if j := slices.IndexFunc(list, fits); j >= 0 {
			p := part{Mapping: fields.Match(kind, m.types[list[j].kind].columns, byHand), name: list[j].name, deep: i == 0 && !forced}
			s.problems = append(s.problems, p.Problems()...)
			s.parts = append(s.parts, p)
			return
		}
	}
	switch {
	case name != "":
		s.problems = append(s.problems, fmt.Sprintf("%s: the mapping names the part %q, which is not there; correct the field mapping", kind, name))
	case kind == fields.Resources:
		s.problems = append(s.problems, fmt.Sprintf("the page has no part for resources: name it in the field mapping as %q, or switch it off there by %q", resourcesPart, fields.Off))
	default:
		s.remarks = append(s.remarks, "the page has no part for field values, which are not sent")
	}
}

// usable returns what keeps deliveries from making sense, as a fault of the whole connector.
func (s *schema) usable() error {
	if len(s.problems) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: "bc: match fields", Code: backoffice.CodeSchema, WholeTarget: true,
		Err: errors.New(strings.Join(s.problems, "; "))}
}

// Fields implements backoffice.Connector. It reads $metadata if it is not known yet.
func (p *page) Fields(ctx context.Context) ([]backoffice.FieldUse, error) {
	s, _, err := p.describe(ctx)
	if err != nil {
		return nil, err
	}
	all := []fields.Mapping{s.header}
	for _, part := range s.parts {
		all = append(all, part.Mapping)
	}
	return fields.Uses(all...), nil
}
