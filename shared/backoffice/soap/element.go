package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// Element is a node of a request or reply: a text, or children.
type Element struct {
	Name     string // without prefix: a service has one namespace
	Text     string
	Children []Element
}

// Leaf returns an element with a text.
func Leaf(name, text string) Element { return Element{Name: name, Text: text} }

// Child returns the first child of a name; ok is false if there is none.
func (e Element) Child(name string) (c Element, ok bool) {
	for _, c := range e.Children {
		if c.Name == name {
			return c, true
		}
	}
	return Element{}, false
}

// All returns the children of a name.
func (e Element) All(name string) []Element {
	var out []Element
	for _, c := range e.Children {
		if c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// Value returns the text of a child; "" if there is none.
func (e Element) Value(name string) string {
	c, _ := e.Child(name)
	return c.Text
}

const envelopeNamespace = "http://schemas.xmlsoap.org/soap/envelope/"

// Marshal returns the envelope of a call: body in the namespace of its service.
func Marshal(namespace string, body Element) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	envelope := xml.StartElement{Name: xml.Name{Local: "soap:Envelope"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns:soap"}, Value: envelopeNamespace}}}
	inner := xml.StartElement{Name: xml.Name{Local: "soap:Body"}}
	err := errors.Join(enc.EncodeToken(envelope), enc.EncodeToken(inner), encode(enc, body, namespace),
		enc.EncodeToken(inner.End()), enc.EncodeToken(envelope.End()), enc.Close())
	return b.Bytes(), err
}

// encode writes an element; namespace is that of the outermost, which the others inherit.
func encode(enc *xml.Encoder, e Element, namespace string) error {
	start := xml.StartElement{Name: xml.Name{Local: e.Name}}
	if namespace != "" {
		start.Attr = []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: namespace}}
	}
	if err := enc.EncodeToken(start); err != nil {
		return err
	}
	if e.Text != "" {
		if err := enc.EncodeToken(xml.CharData(e.Text)); err != nil {
			return err
		}
	}
	for _, c := range e.Children {
		if err := encode(enc, c, ""); err != nil {
			return err
		}
	}
	return enc.EncodeToken(start.End())
}

// maxDepth is far below what these services answer.
const maxDepth = 32

var errNoEnvelope = errors.New("the reply is no SOAP envelope")

// Unmarshal reads an envelope and returns what stands in its body.
func Unmarshal(reply []byte) (Element, error) {
	root, err := parse(reply)
	if err != nil {
		return Element{}, err
	}
	body, ok := root.Child("Body")
	if root.Name != "Envelope" || !ok || len(body.Children) == 0 {
		return Element{}, errNoEnvelope
	}
	return body.Children[0], nil
}

// parse reads a document without namespaces, attributes and comments.
func parse(document []byte) (Element, error) {
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(document, []byte("\xef\xbb\xbf"))))
	for {
		token, err := dec.Token()
		switch t := token.(type) {
		case xml.StartElement:
			return parseElement(dec, t, 0)
		case xml.Directive:
			return Element{}, errors.New("the reply has a document type")
		}
		if err != nil {
			// The decoder's own text may quote the document.
			return Element{}, errors.New("the reply is not XML")
		}
	}
}

func parseElement(dec *xml.Decoder, start xml.StartElement, depth int) (Element, error) {
	e := Element{Name: start.Name.Local}
	if depth > maxDepth {
		return e, errors.New("the reply is nested too deep")
	}
	var text strings.Builder
	for {
		token, err := dec.Token()
		if err != nil {
			return e, fmt.Errorf("the reply is broken XML at byte %d", dec.InputOffset())
		}
		switch t := token.(type) {
		case xml.StartElement:
			c, err := parseElement(dec, t, depth+1)
			if err != nil {
				return e, err
			}
			e.Children = append(e.Children, c)
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			if len(e.Children) == 0 {
				e.Text = text.String()
			}
			return e, nil
		}
	}
}
