package erpsim

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// SOAPOptions say how the staging page is published as a SOAP service.
type SOAPOptions struct {
	// Service is its name, "Appointment" if empty.
	Service string
	// Lengths: the WSDL tells the lengths of texts. Servers do not, as far as is known.
	Lengths bool
	// NoParts: the page is published without its subpages.
	NoParts bool
	// LinesLater: the lines of a Create are left out; an Update adds them.
	LinesLater bool
	// Off: SOAP services are switched off in the server instance, as by default.
	Off bool
}

const (
	envelopeNS = "http://schemas.xmlsoap.org/soap/envelope/"
	errorNS    = "urn:microsoft-dynamics-schemas/error"
	exceptions = "Microsoft.Dynamics.Nav.Types.Exceptions."
	broker     = "Microsoft.Dynamics.Nav.Service.WebServices."
)

// serveSOAP serves what lies below /WS/: [{Company}/]Page/{Service},
// [{Company}/]Codeunit/{Service} and [{Company}/]services.
func (s *Server) serveSOAP(w http.ResponseWriter, c *call) {
	rest := c.rest
	if len(rest) > 0 && !strings.EqualFold(rest[0], "page") && !strings.EqualFold(rest[0], "codeunit") && !strings.EqualFold(rest[0], "services") {
		c.company, rest = rest[0], rest[1:]
	}
	c.rest = rest
	c.route = "services"
	if len(rest) == 2 {
		c.route = strings.ToLower(rest[0])
	}
	s.count(c.method() + " " + c.route)
	if s.opts.SOAP.Off {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if !s.enter(w, c) {
		return
	}
	release, ok := s.admit(c)
	if !ok {
		s.tooMany().send(w)
		return
	}
	defer release()
	body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, maxBody))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	c.body = body
	s.withFault(w, c, func() *answer { return s.soap(c) }, refuseSOAP)
}

func (s *Server) tooMany() *answer {
	a := newAnswer(http.StatusTooManyRequests, "text/plain", []byte("Too many requests."))
	if s.opts.RetryAfter != "" {
		a.header.Set("Retry-After", s.opts.RetryAfter)
	}
	return a
}

// enter signs a caller in who comes by SOAP or OData; false: it has answered.
func (s *Server) enter(w http.ResponseWriter, c *call) bool {
	if s.windows != nil && !c.online {
		// http.sys asks before the service sees the request; it has to be read.
		body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, maxBody))
		if err != nil {
			return false
		}
		c.r.Body = io.NopCloser(bytes.NewReader(body))
		if c.user = s.windows.SignIn(w, c.r); c.user == "" {
			return false
		}
		u := s.userNamed(c.user)
		c.mayRead, c.mayWrite = !u.NoRead, !u.NoInsert
		return true
	}
	if p := s.authenticate(c); p != nil {
		if s.windows == nil && !c.online {
			w.Header().Set("WWW-Authenticate", `Basic realm=""`)
		}
		unauthorized(w)
		return false
	}
	return true
}

func (s *Server) userNamed(name string) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, u := range s.users {
		if strings.EqualFold(n, name) {
			return u
		}
	}
	return User{}
}

func (s *Server) windowsPassword(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, u := range s.users {
		if strings.EqualFold(n, name) {
			return u.Password, true
		}
	}
	return "", false
}

// Failures returns how many Windows sign-ins of a user have failed in a row.
func (s *Server) Failures(user string) int {
	if s.windows == nil {
		return 0
	}
	return s.windows.Failures(user)
}

// soap carries a request out.
func (s *Server) soap(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	co, p := s.find(c.company)
	switch {
	case p != nil:
		return refuseSOAP(p)
	case c.route == "services":
		return s.disco(c)
	case c.route == "page" && strings.EqualFold(c.rest[1], s.opts.SOAP.Service):
		if c.method() == http.MethodGet {
			return answerXML(http.StatusOK, s.pageWSDL(c))
		}
		return s.called(c, s.pageNamespace(), func(op *node) (*node, *problem) { return s.pageCall(c, co, op) })
	case c.route == "codeunit" && s.procedures(c.rest[1]) != nil:
		if c.method() == http.MethodGet {
			return answerXML(http.StatusOK, s.codeunitWSDL(c.rest[1]))
		}
		return s.called(c, codeunitNamespace(c.rest[1]), func(op *node) (*node, *problem) { return s.procedureCall(c, co, op) })
	}
	what := strings.Join(c.rest, "/")
	return faultAnswer(broker+"ServiceBrokerException", `Service "`+what+`" was not found!`)
}

// called reads the envelope, checks it as the server does, and wraps the result.
func (s *Server) called(c *call, namespace string, run func(op *node) (*node, *problem)) *answer {
	if c.method() != http.MethodPost {
		return newAnswer(http.StatusMethodNotAllowed, "", nil)
	}
	if !strings.HasPrefix(c.r.Header.Get("Content-Type"), "text/xml") {
		return newAnswer(http.StatusUnsupportedMediaType, "", nil)
	}
	root, err := readXML(c.body)
	if err != nil || root.name.Local != "Envelope" || root.name.Space != envelopeNS {
		return faultAnswer("Client", "The request is not a SOAP 1.1 envelope.")
	}
	body := root.child("Body")
	if body == nil || len(body.children) != 1 {
		return faultAnswer("Client", "The envelope has no body.")
	}
	op := body.children[0]
	if want := `"` + namespace + ":" + op.name.Local + `"`; c.r.Header.Get("SOAPAction") != want {
		return faultAnswer("ActionNotSupported", "The message with Action "+c.r.Header.Get("SOAPAction")+" cannot be processed at the receiver.")
	}
	if op.foreign(namespace) {
		return faultAnswer("DeserializationFailed", "The formatter threw an exception while trying to deserialize the message.")
	}
	result, p := run(op)
	if p != nil {
		return refuseSOAP(p)
	}
	result.name = xml.Name{Space: namespace, Local: op.name.Local + "_Result"}
	return answerXML(http.StatusOK, envelope(result.render(namespace)))
}

func envelope(inner string) string {
	return `<Soap:Envelope xmlns:Soap="` + envelopeNS + `"><Soap:Body>` + inner + `</Soap:Body></Soap:Envelope>`
}

// refuseSOAP puts a problem into a fault, or answers its bare status where the
// HTTP server does, before or instead of the service.
func refuseSOAP(p *problem) *answer {
	switch p.status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return newAnswer(p.status, "text/plain", []byte(http.StatusText(p.status)))
	}
	if p.exception == "" {
		return newAnswer(p.status, "text/plain", []byte(http.StatusText(p.status)))
	}
	return faultAnswer(exceptions+p.exception, p.message)
}

func faultAnswer(code, text string) *answer {
	a := answerXML(http.StatusInternalServerError, envelope(`<Soap:Fault><faultcode xmlns:a="`+errorNS+`">a:`+escape(code)+
		`</faultcode><faultstring xml:lang="en-US">`+escape(text)+`</faultstring><detail><string xmlns="http://schemas.microsoft.com/2003/10/Serialization/">`+
		escape(text)+`</string></detail></Soap:Fault>`))
	return a
}

func answerXML(status int, text string) *answer {
	return newAnswer(status, "text/xml; charset=utf-8", []byte(`<?xml version="1.0" encoding="utf-8"?>`+text))
}

// disco lists the services of a company.
func (s *Server) disco(c *call) *answer {
	refs := `<contractRef xmlns="http://schemas.xmlsoap.org/disco/scl/" ref="` + escape(c.base+"/Page/"+s.opts.SOAP.Service) + `"/>`
	for _, p := range s.opts.Procedures {
		refs += `<contractRef xmlns="http://schemas.xmlsoap.org/disco/scl/" ref="` + escape(c.base+"/Codeunit/"+p.Service) + `"/>`
	}
	return answerXML(http.StatusOK, `<discovery xmlns="http://schemas.xmlsoap.org/disco/">`+refs+`</discovery>`)
}

// node is an XML element.
type node struct {
	name     xml.Name
	text     string
	children []*node
}

func leaf(name, text string) *node { return &node{name: xml.Name{Local: name}, text: text} }

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name.Local == name {
			return c
		}
	}
	return nil
}

func (n *node) value(name string) string {
	if c := n.child(name); c != nil {
		return c.text
	}
	return ""
}

func (n *node) foreign(namespace string) bool {
	if n.name.Space != namespace {
		return true
	}
	for _, c := range n.children {
		if c.foreign(namespace) {
			return true
		}
	}
	return false
}

func (n *node) render(namespace string) string {
	var b strings.Builder
	b.WriteString("<" + n.name.Local)
	if namespace != "" {
		b.WriteString(` xmlns="` + namespace + `"`)
	}
	b.WriteString(">" + escape(n.text))
	for _, c := range n.children {
		b.WriteString(c.render(""))
	}
	b.WriteString("</" + n.name.Local + ">")
	return b.String()
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

func readXML(document []byte) (*node, error) {
	dec := xml.NewDecoder(bytes.NewReader(document))
	var stack []*node
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := &node{name: t.Name}
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				top.children = append(top.children, n)
			}
			stack = append(stack, n)
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text += string(t)
			}
		case xml.EndElement:
			n := stack[len(stack)-1]
			if len(n.children) > 0 {
				n.text = ""
			}
			if stack = stack[:len(stack)-1]; len(stack) == 0 {
				return n, nil
			}
		}
	}
}

// soapName is what a page's element is called: "Duration (Sec.)" = "Duration_Sec".
func soapName(name string) string {
	parts := strings.FieldsFunc(name, func(r rune) bool {
		return r != '_' && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r > 127)
	})
	return strings.Join(parts, "_")
}

// option is what a member of an Option is called.
func option(member string) string {
	if member == "" || member == " " {
		return "_blank_"
	}
	return soapName(member)
}

func xsdType(c Column) string {
	switch c.Type {
	case Integer:
		return "xsd:int"
	case BigInteger:
		return "xsd:long"
	case Decimal:
		return "xsd:decimal"
	case Boolean:
		return "xsd:boolean"
	case DateTime:
		return "xsd:dateTime"
	case Date:
		return "xsd:date"
	case Option:
		return "tns:" + soapName(c.Name)
	}
	return "xsd:string"
}

func lengthOf(c Column, shown bool) string {
	if !shown || c.Length == 0 || c.Type != Text && c.Type != Code {
		return ""
	}
	return `<xsd:simpleType><xsd:restriction base="xsd:string"><xsd:maxLength value="` + strconv.Itoa(c.Length) + `"/></xsd:restriction></xsd:simpleType>`
}
