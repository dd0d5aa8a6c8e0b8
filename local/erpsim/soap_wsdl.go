package erpsim

import "strings"

func (s *Server) pageNamespace() string {
	return "urn:microsoft-dynamics-schemas/page/" + strings.ToLower(s.opts.SOAP.Service)
}

func codeunitNamespace(service string) string {
	return "urn:microsoft-dynamics-schemas/codeunit/" + service
}

// The element of each part on the page, and of each line in it. Guess: no public
// source has them.
const (
	resourcePart   = "Resources"
	fieldValuePart = "Field_Values"
)

func (s *Server) lineType(part string) string { return s.opts.SOAP.Service + "_" + part }

// wsdl wraps schema and operations.
func wsdl(namespace, schema string, operations []string) string {
	var messages, port, binding strings.Builder
	for _, op := range operations {
		messages.WriteString(`<message name="` + op + `"><part name="parameters" element="tns:` + op + `"/></message><message name="` + op + `_Result"><part name="parameters" element="tns:` + op + `_Result"/></message>`)
		port.WriteString(`<operation name="` + op + `"><input name="` + op + `" message="tns:` + op + `"/><output name="` + op + `_Result" message="tns:` + op + `_Result"/></operation>`)
		binding.WriteString(`<operation name="` + op + `"><operation soapAction="` + namespace + ":" + op + `" style="document" xmlns="http://schemas.xmlsoap.org/wsdl/soap/"/><input name="` + op + `"><body use="literal" xmlns="http://schemas.xmlsoap.org/wsdl/soap/"/></input></operation>`)
	}
	return `<definitions targetNamespace="` + namespace + `" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="` + namespace + `"><types>` +
		`<xsd:schema elementFormDefault="qualified" targetNamespace="` + namespace + `" xmlns:xsd="http://www.w3.org/2001/XMLSchema">` + schema + `</xsd:schema></types>` +
		messages.String() + `<portType name="Port">` + port.String() + `</portType><binding name="Binding" type="tns:Port"><binding transport="http://schemas.xmlsoap.org/soap/http" xmlns="http://schemas.xmlsoap.org/wsdl/soap/"/>` +
		binding.String() + `</binding></definitions>`
}

func element(name, typ, more string) string {
	return `<xsd:element minOccurs="0" maxOccurs="1" name="` + name + `" type="` + typ + `"` + more + `/>`
}

func wrapped(name, inner string) string {
	return `<xsd:element name="` + name + `"><xsd:complexType><xsd:sequence>` + inner + `</xsd:sequence></xsd:complexType></xsd:element>`
}

func complexType(name, inner string) string {
	return `<xsd:complexType name="` + name + `"><xsd:sequence>` + inner + `</xsd:sequence></xsd:complexType>`
}

var pageOperations = []string{"Read", "ReadByRecId", "ReadMultiple", "IsUpdated", "GetRecIdFromKey", "Create", "CreateMultiple", "Update", "UpdateMultiple", "Delete"}

// pageWSDL describes the page as the server does: types, then an element for each
// call and each result.
func (s *Server) pageWSDL(*call) string {
	name := s.opts.SOAP.Service
	var b strings.Builder
	row := element("Key", "xsd:string", "")
	for _, c := range s.allColumns() {
		row += s.columnElement(c)
		if c.Type == Option {
			b.WriteString(enumeration(c))
		}
	}
	for _, part := range s.soapParts() {
		row += element(part.name, "tns:"+s.lineType(part.name)+"_List", "")
		line := element("Key", "xsd:string", "")
		for _, c := range part.columns {
			line += s.columnElement(c)
		}
		b.WriteString(complexType(s.lineType(part.name), line))
		b.WriteString(complexType(s.lineType(part.name)+"_List", `<xsd:element minOccurs="1" maxOccurs="unbounded" name="`+s.lineType(part.name)+`" type="tns:`+s.lineType(part.name)+`"/>`))
	}
	b.WriteString(complexType(name, row))
	b.WriteString(complexType(name+"_List", `<xsd:element minOccurs="1" maxOccurs="unbounded" name="`+name+`" type="tns:`+name+`"/>`))
	b.WriteString(complexType(name+"_Filter", `<xsd:element minOccurs="1" maxOccurs="1" name="Field" type="xsd:string"/><xsd:element minOccurs="1" maxOccurs="1" name="Criteria" type="xsd:string"/>`))
	record := `<xsd:element minOccurs="1" maxOccurs="1" name="` + name + `" type="tns:` + name + `"/>`
	list := `<xsd:element minOccurs="1" maxOccurs="1" name="` + name + `_List" type="tns:` + name + `_List"/>`
	key := `<xsd:element minOccurs="1" maxOccurs="1" name="Key" type="xsd:string"/>`
	for _, op := range pageOperations {
		in, out := key, record
		switch op {
		case "Create", "Update":
			in = record
		case "CreateMultiple", "UpdateMultiple":
			in, out = list, list
		case "ReadMultiple":
			in = `<xsd:element minOccurs="1" maxOccurs="unbounded" name="filter" type="tns:` + name + `_Filter"/>` +
				element("bookmarkKey", "xsd:string", "") + `<xsd:element minOccurs="1" maxOccurs="1" name="setSize" type="xsd:int"/>`
			out = `<xsd:element minOccurs="0" maxOccurs="1" name="ReadMultiple_Result" type="tns:` + name + `_List"/>`
		case "Delete", "IsUpdated":
			out = `<xsd:element minOccurs="1" maxOccurs="1" name="` + op + `_Result" type="xsd:boolean"/>`
		}
		b.WriteString(wrapped(op, in) + wrapped(op+"_Result", out))
	}
	return wsdl(s.pageNamespace(), b.String(), pageOperations)
}

func (s *Server) columnElement(c Column) string {
	if length := lengthOf(c, s.opts.SOAP.Lengths); length != "" {
		return `<xsd:element minOccurs="0" maxOccurs="1" name="` + soapName(c.Name) + `">` + length + `</xsd:element>`
	}
	return element(soapName(c.Name), xsdType(c), "")
}

func enumeration(c Column) string {
	var members string
	for _, m := range c.Members {
		members += `<xsd:enumeration value="` + escape(option(m)) + `"/>`
	}
	return `<xsd:simpleType name="` + soapName(c.Name) + `"><xsd:restriction base="xsd:string">` + members + `</xsd:restriction></xsd:simpleType>`
}

// soapPart is one subpage.
type soapPart struct {
	name    string
	columns []Column
	lines   func(*Row) *[]Line
}

func (s *Server) soapParts() []soapPart {
	if s.opts.SOAP.NoParts {
		return nil
	}
	return []soapPart{
		{resourcePart, s.opts.ResourceColumns, func(r *Row) *[]Line { return &r.Resources }},
		{fieldValuePart, s.opts.FieldValueColumns, func(r *Row) *[]Line { return &r.FieldValues }},
	}
}
