package erpsim

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Procedure is a procedure of a customer's own codeunit, which is published both as
// a SOAP service and as unbound actions of OData.
type Procedure struct {
	Service string // as published
	Name    string
	Params  []Column
	Returns ColumnType // "" = nothing
	// Run does the work; args hold every parameter by name, in the type that
	// Column.Parse returns. A refusal is what AL's Error says. It must not call the Server.
	Run func(company string, args map[string]any) (result any, refusal string)
}

// procedures are those of a service; nil if there is none.
func (s *Server) procedures(service string) []Procedure {
	var out []Procedure
	for _, p := range s.opts.Procedures {
		if strings.EqualFold(p.Service, service) {
			out = append(out, p)
		}
	}
	return out
}

func (s *Server) procedure(service, name string) (Procedure, bool) {
	for _, p := range s.procedures(service) {
		if p.Name == name {
			return p, true
		}
	}
	return Procedure{}, false
}

func (s *Server) codeunitWSDL(service string) string {
	var b strings.Builder
	var operations []string
	for _, p := range s.procedures(service) {
		operations = append(operations, p.Name)
		var in, out string
		for _, c := range p.Params {
			in += `<xsd:element minOccurs="1" maxOccurs="1" name="` + c.Name + `" type="` + xsdType(c) + `"/>`
		}
		if p.Returns != "" {
			out = `<xsd:element minOccurs="1" maxOccurs="1" name="return_value" type="` + xsdType(Column{Type: p.Returns}) + `"/>`
		}
		b.WriteString(wrapped(p.Name, in) + wrapped(p.Name+"_Result", out))
	}
	return wsdl(codeunitNamespace(s.procedures(service)[0].Service), b.String(), operations)
}

// procedureCall calls a procedure by SOAP. Locked.
func (s *Server) procedureCall(c *call, co *company, op *node) (*node, *problem) {
	p, ok := s.procedure(c.rest[1], op.name.Local)
	if !ok {
		return nil, deserialization()
	}
	args := map[string]any{}
	at := 0
	for _, e := range op.children {
		for at < len(p.Params) && p.Params[at].Name != e.name.Local {
			at++
		}
		if at == len(p.Params) {
			return nil, deserialization()
		}
		if problem := readValue(args, p.Params[at], e); problem != nil {
			return nil, problem
		}
	}
	result, problem := s.runProcedure(c, co, p, args)
	if problem != nil {
		return nil, problem
	}
	out := &node{}
	if p.Returns != "" {
		out.children = append(out.children, leaf("return_value", soapText(Column{Type: p.Returns}, result)))
	}
	return out, nil
}

func (s *Server) runProcedure(c *call, co *company, p Procedure, args map[string]any) (any, *problem) {
	if !c.mayWrite {
		return nil, noPermission("Execute")
	}
	for _, column := range p.Params {
		if _, ok := args[column.Name]; !ok {
			args[column.Name] = column.zero()
		}
		if column.tooLong(args[column.Name]) {
			return nil, tooLong(column.Name)
		}
	}
	result, refusal := p.Run(co.name, args)
	if refusal != "" {
		return nil, &problem{400, "Application_DialogException", "NavNCLDialogException", refusal}
	}
	return result, nil
}

// serveActions serves what lies below /ODataV4/: $metadata and {Service}_{Procedure}.
func (s *Server) serveActions(w http.ResponseWriter, c *call) {
	c.company = c.r.URL.Query().Get("company")
	rest := c.rest
	if len(rest) == 2 {
		if name, ok := keyOf(rest[0], "Company"); ok {
			c.company, rest = name, rest[1:]
		}
	}
	c.rest = rest
	c.route = "action"
	if len(rest) == 1 && rest[0] == "$metadata" {
		c.route = "$metadata"
	}
	s.count(c.method() + " " + c.route)
	if !s.enter(w, c) {
		return
	}
	release, ok := s.admit(c)
	if !ok {
		a := refuseREST(overLimit())
		if s.opts.RetryAfter != "" {
			a.header.Set("Retry-After", s.opts.RetryAfter)
		}
		a.send(w)
		return
	}
	defer release()
	body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, maxBody))
	if err != nil {
		refuseREST(&problem{413, "RequestEntityTooLarge", "", "The request is too large."}).send(w)
		return
	}
	c.body = body
	s.withFault(w, c, func() *answer { return s.action(c) }, refuseREST)
}

func (s *Server) action(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.route == "$metadata" {
		return s.actionMetadata()
	}
	co, p := s.find(c.company)
	if p != nil {
		return refuseREST(p)
	}
	for _, procedure := range s.opts.Procedures {
		if len(c.rest) == 1 && c.rest[0] == procedure.Service+"_"+procedure.Name {
			if c.method() != http.MethodPost {
				return refuseREST(noMethod())
			}
			return s.runAction(c, co, procedure)
		}
	}
	return refuseREST(&problem{404, "BadRequest_NotFound", "", "No HTTP resource was found that matches the request URI."})
}

func (s *Server) runAction(c *call, co *company, p Procedure) *answer {
	in, bad := decodeObject(c.body)
	if bad != nil {
		return refuseREST(bad)
	}
	for _, name := range sortedKeys(in) {
		known := false
		for _, column := range p.Params {
			known = known || column.Name == name
		}
		if !known {
			return refuseREST(badRequest("The parameter '" + name + "' is not known."))
		}
	}
	for _, column := range p.Params {
		if _, ok := in[column.Name]; !ok {
			return refuseREST(&problem{400, "BadRequest_RequiredParamNotProvided", "", "A required parameter is not provided: " + column.Name})
		}
	}
	args, bad := decodeArguments(in, p.Params)
	if bad != nil {
		return refuseREST(bad)
	}
	result, bad := s.runProcedure(c, co, p, args)
	switch {
	case bad != nil:
		return refuseREST(bad)
	case p.Returns == "":
		return newAnswer(http.StatusNoContent, "", nil)
	}
	return answerJSON(http.StatusOK, object{"@odata.context": c.base + "/$metadata#Edm." + string(p.Returns), "value": result})
}

// decodeArguments reads parameters, which are called what they are called in AL.
func decodeArguments(in map[string]json.RawMessage, params []Column) (map[string]any, *problem) {
	params = slices.Clone(params)
	for i := range params {
		params[i].Property = params[i].Name
	}
	return decodeValues(in, params)
}

// actionMetadata describes the actions.
func (s *Server) actionMetadata() *answer {
	var b strings.Builder
	b.WriteString(`<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices><Schema Namespace="NAV" xmlns="http://docs.oasis-open.org/odata/ns/edm">`)
	for _, p := range s.opts.Procedures {
		b.WriteString(`<Action Name="` + p.Service + "_" + p.Name + `">`)
		for _, c := range p.Params {
			b.WriteString(`<Parameter Name="` + c.Name + `" Type="` + edmActionType(c.Type) + `" Nullable="false" Unicode="false"/>`)
		}
		if p.Returns != "" {
			b.WriteString(`<ReturnType Type="` + edmActionType(p.Returns) + `" Nullable="false"/>`)
		}
		b.WriteString(`</Action>`)
	}
	b.WriteString(`<EntityContainer Name="NAV">`)
	for _, p := range s.opts.Procedures {
		b.WriteString(`<ActionImport Name="` + p.Service + "_" + p.Name + `" Action="NAV.` + p.Service + "_" + p.Name + `"/>`)
	}
	b.WriteString(`</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>`)
	return newAnswer(http.StatusOK, "application/xml", []byte(b.String()))
}

func edmActionType(t ColumnType) string {
	switch t {
	case Integer:
		return "Edm.Int32"
	case BigInteger:
		return "Edm.Int64"
	case Decimal:
		return "Edm.Decimal"
	case Boolean:
		return "Edm.Boolean"
	case DateTime:
		return "Edm.DateTimeOffset"
	case Date:
		return "Edm.Date"
	case GUID:
		return "Edm.Guid"
	}
	return "Edm.String"
}
