package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
)

// Service is what the WSDL says of a page or codeunit service.
type Service struct {
	Namespace string
	// Operations are the names of all calls; Actions their SOAPAction headers.
	Operations []string
	Actions    map[string]string
	// Record is the element that holds a row of a page, its columns without Key
	// and parts; empty for a codeunit.
	Record  string
	Columns []fields.Column
	Parts   []Part
	// Order lists all elements of the record, columns and parts, in the order in
	// which they must stand.
	Order []string
	// Methods are those of a codeunit.
	Methods map[string]Method
}

// Part is the lines below a record, in one element of it.
type Part struct {
	Element string // of the record
	Line    string // of each line in it; "" if the lines repeat Element itself
	Columns []fields.Column
}

// Method is a procedure of a codeunit.
type Method struct {
	Name    string
	Params  []fields.Column // in their order
	Returns fields.Type     // "" = nothing
}

// Has reports whether the service has an operation.
func (s *Service) Has(operation string) bool { return slices.Contains(s.Operations, operation) }

// Action returns the SOAPAction of an operation.
func (s *Service) Action(operation string) string {
	if a := s.Actions[operation]; a != "" {
		return a
	}
	return s.Namespace + ":" + operation
}

// The parts of a WSDL that matter.
type definitions struct {
	XMLName   xml.Name `xml:"definitions"`
	Namespace string   `xml:"targetNamespace,attr"`
	Schemas   []schema `xml:"types>schema"`
	Bindings  []struct {
		Operations []struct {
			Name string `xml:"name,attr"`
			SOAP struct {
				Action string `xml:"soapAction,attr"`
			} `xml:"operation"`
		} `xml:"operation"`
	} `xml:"binding"`
}

type schema struct {
	Namespace string        `xml:"targetNamespace,attr"`
	Complex   []complexType `xml:"complexType"`
	Simple    []simpleType  `xml:"simpleType"`
	Elements  []particle    `xml:"element"`
}

type complexType struct {
	Name     string     `xml:"name,attr"`
	Elements []particle `xml:"sequence>element"`
}

type particle struct {
	Name    string       `xml:"name,attr"`
	Type    string       `xml:"type,attr"`
	Min     string       `xml:"minOccurs,attr"`
	Max     string       `xml:"maxOccurs,attr"`
	Complex *complexType `xml:"complexType"`
	Simple  *simpleType  `xml:"simpleType"`
}

type simpleType struct {
	Name        string `xml:"name,attr"`
	Restriction struct {
		Base      string `xml:"base,attr"`
		MaxLength struct {
			Value string `xml:"value,attr"`
		} `xml:"maxLength"`
		Enumeration []struct {
			Value string `xml:"value,attr"`
		} `xml:"enumeration"`
	} `xml:"restriction"`
}

func (p particle) repeats() bool { return p.Max != "" && p.Max != "1" && p.Max != "0" }

// ReadService reads a WSDL.
func ReadService(wsdl []byte) (*Service, error) {
	var d definitions
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(wsdl, []byte("\xef\xbb\xbf"))))
	if err := dec.Decode(&d); err != nil {
		return nil, errors.New("it is no WSDL") // the decoder's own text may quote it
	}
	r := &reader{complex: map[string]complexType{}, simple: map[string]simpleType{}}
	s := &Service{Namespace: d.Namespace, Actions: map[string]string{}, Methods: map[string]Method{}}
	for _, sc := range d.Schemas {
		// Other schemas are those of XMLports: their names are not ours.
		for _, c := range sc.Complex {
			r.complex[c.Name] = c
		}
		for _, c := range sc.Simple {
			r.simple[c.Name] = c
		}
		if sc.Namespace == d.Namespace {
			r.elements = append(r.elements, sc.Elements...)
		}
	}
	for _, b := range d.Bindings {
		for _, o := range b.Operations {
			if o.SOAP.Action != "" {
				s.Actions[o.Name] = o.SOAP.Action
			}
		}
	}
	for _, e := range r.elements {
		if !strings.HasSuffix(e.Name, "_Result") {
			s.Operations = append(s.Operations, e.Name)
		}
	}
	if s.Namespace == "" || len(s.Operations) == 0 {
		return nil, errors.New("the WSDL describes no operation")
	}
	if strings.Contains(strings.ToLower(s.Namespace), "schemas/codeunit/") {
		r.codeunit(s)
		return s, nil
	}
	return s, r.page(s)
}

// reader looks names up in the schema.
type reader struct {
	complex  map[string]complexType
	simple   map[string]simpleType
	elements []particle
}

func (r *reader) element(name string) (particle, bool) {
	i := slices.IndexFunc(r.elements, func(e particle) bool { return e.Name == name })
	if i < 0 {
		return particle{}, false
	}
	return r.elements[i], true
}

// children returns what stands in an element, nil if it holds a text.
func (r *reader) children(p particle) []particle {
	if p.Complex != nil {
		return p.Complex.Elements
	}
	return r.complex[local(p.Type)].Elements
}

func local(name string) string { return name[strings.IndexByte(name, ':')+1:] }

// page reads the record that Create takes.
func (r *reader) page(s *Service) error {
	create, ok := r.element("Create")
	if !ok {
		create, ok = r.element("Read_Result")
	}
	if inner := r.children(create); ok && len(inner) > 0 {
		s.Record = inner[0].Name
		for _, p := range r.children(inner[0]) {
			s.Order = append(s.Order, p.Name)
			lines := r.children(p)
			switch {
			case p.Name == "Key":
			case lines == nil:
				s.Columns = append(s.Columns, r.column(p))
			case p.repeats():
				s.Parts = append(s.Parts, Part{Element: p.Name, Columns: r.columns(lines)})
			case len(lines) == 1 && lines[0].repeats():
				s.Parts = append(s.Parts, Part{Element: p.Name, Line: lines[0].Name, Columns: r.columns(r.children(lines[0]))})
			}
		}
	}
	if len(s.Columns) == 0 {
		return errors.New("the WSDL is not that of a page with fields")
	}
	return nil
}

func (r *reader) codeunit(s *Service) {
	for _, name := range s.Operations {
		e, _ := r.element(name)
		m := Method{Name: name}
		for _, p := range r.children(e) {
			m.Params = append(m.Params, r.column(p))
		}
		result, _ := r.element(name + "_Result")
		for _, p := range r.children(result) {
			if p.Name == "return_value" {
				m.Returns = r.column(p).Type
			}
		}
		s.Methods[name] = m
	}
}

// columns reads the fields of a line; its Key is not ours to write.
func (r *reader) columns(list []particle) []fields.Column {
	var out []fields.Column
	for _, p := range list {
		if p.Name != "Key" && r.children(p) == nil {
			out = append(out, r.column(p))
		}
	}
	return out
}

func (r *reader) column(p particle) fields.Column {
	c := fields.Column{Name: p.Name, Mandatory: p.Min != "0"}
	simple := p.Simple
	if simple == nil {
		if named, ok := r.simple[local(p.Type)]; ok {
			simple = &named
		}
	}
	if simple == nil {
		c.Type = typeOf(local(p.Type))
		return c
	}
	c.Type = typeOf(local(simple.Restriction.Base))
	if n, err := strconv.Atoi(simple.Restriction.MaxLength.Value); err == nil && n > 0 {
		c.MaxLength = n
	}
	for _, e := range simple.Restriction.Enumeration {
		c.Type, c.Choices = fields.Choice, append(c.Choices, e.Value)
	}
	return c
}

// typeOf maps the types of XML Schema that these services use.
func typeOf(name string) fields.Type {
	switch name {
	case "int", "integer", "long", "short", "byte", "unsignedInt", "unsignedLong", "unsignedByte", "unsignedShort":
		return fields.Integer
	case "decimal", "double", "float":
		return fields.Decimal
	case "boolean":
		return fields.Boolean
	case "dateTime":
		return fields.DateTime
	case "date":
		return fields.Date
	case "guid":
		return fields.UUID
	}
	return fields.Text
}
