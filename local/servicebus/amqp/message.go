package amqp

import (
	"errors"
	"fmt"
	"time"
)

// Message formats of a transfer.
const (
	FormatMessage uint32 = 0
	// FormatBatch is Service Bus's batch: each data section is an encoded message.
	FormatBatch uint32 = 0x80013700
)

// Section descriptors.
const (
	sectionHeader                uint64 = 0x70
	sectionDeliveryAnnotations   uint64 = 0x71
	sectionMessageAnnotations    uint64 = 0x72
	sectionProperties            uint64 = 0x73
	sectionApplicationProperties uint64 = 0x74
	sectionData                  uint64 = 0x75
	sectionSequence              uint64 = 0x76
	sectionValue                 uint64 = 0x77
	sectionFooter                uint64 = 0x78
)

// Message is an AMQP message. Body holds its body sections in order (Data and
// Sequence may repeat) and is carried through untouched.
type Message struct {
	Header                Header
	DeliveryAnnotations   Map
	Annotations           Map
	Properties            Properties
	ApplicationProperties Map
	Body                  []Section
	Footer                Map
}

// Header is the part that a broker may change. TTL nil = lives for ever.
type Header struct {
	Durable       bool
	Priority      *uint8
	TTL           *time.Duration
	FirstAcquirer bool
	DeliveryCount uint32
}

// Properties are the immutable properties; nil = absent.
type Properties struct {
	MessageID          any // string, ulong, uuid or binary
	UserID             []byte
	To                 *string
	Subject            *string
	ReplyTo            *string
	CorrelationID      any
	ContentType        *string
	ContentEncoding    *string
	AbsoluteExpiryTime *time.Time
	CreationTime       *time.Time
	GroupID            *string
	GroupSequence      *uint32
	ReplyToGroupID     *string
}

// SectionKind says what a body section holds.
type SectionKind uint64

// Kinds of body sections: bytes, a list, any value.
const (
	Data     = SectionKind(sectionData)
	Sequence = SectionKind(sectionSequence)
	Value    = SectionKind(sectionValue)
)

// Section is one body section: []byte, List or any value, as its kind says.
type Section struct {
	Kind  SectionKind
	Value any
}

// DataSections returns the bytes of all data sections.
func (m *Message) DataSections() [][]byte {
	var out [][]byte
	for _, s := range m.Body {
		if b, ok := s.Value.([]byte); ok && s.Kind == Data {
			out = append(out, b)
		}
	}
	return out
}

// Value returns the content of a value section, nil if there is none.
func (m *Message) Value() any {
	for _, s := range m.Body {
		if s.Kind == Value {
			return s.Value
		}
	}
	return nil
}

// Marshal encodes the message.
func (m *Message) Marshal() []byte { return m.Append(make([]byte, 0, 256)) }

// Append encodes the message at the end of b.
func (m *Message) Append(b []byte) []byte {
	section := func(code uint64, v any) { b = Append(b, Described{code, v}) }
	section(sectionHeader, m.Header.list())
	if len(m.DeliveryAnnotations) > 0 {
		section(sectionDeliveryAnnotations, m.DeliveryAnnotations)
	}
	if len(m.Annotations) > 0 {
		section(sectionMessageAnnotations, m.Annotations)
	}
	if list := m.Properties.list(); len(list) > 0 {
		section(sectionProperties, list)
	}
	if len(m.ApplicationProperties) > 0 {
		section(sectionApplicationProperties, m.ApplicationProperties)
	}
	for _, s := range m.Body {
		section(uint64(s.Kind), s.Value)
	}
	if len(m.Footer) > 0 {
		section(sectionFooter, m.Footer)
	}
	return b
}

func (h Header) list() List {
	var ttl any
	if h.TTL != nil {
		ttl = uint32(min(max(h.TTL.Milliseconds(), 0), 1<<32-1))
	}
	return List{h.Durable, deref(h.Priority), ttl, h.FirstAcquirer, h.DeliveryCount}
}

func (p Properties) list() List {
	var user any
	if p.UserID != nil {
		user = p.UserID
	}
	symbol := func(s *string) any {
		if s == nil {
			return nil
		}
		return Symbol(*s)
	}
	list := List{p.MessageID, user, deref(p.To), deref(p.Subject), deref(p.ReplyTo), p.CorrelationID,
		symbol(p.ContentType), symbol(p.ContentEncoding), deref(p.AbsoluteExpiryTime), deref(p.CreationTime),
		deref(p.GroupID), deref(p.GroupSequence), deref(p.ReplyToGroupID)}
	for len(list) > 0 && list[len(list)-1] == nil {
		list = list[:len(list)-1]
	}
	return list
}

// Unmarshal decodes a message. Its sections must come in the order of the
// specification's table; each but the body may come once.
func Unmarshal(b []byte) (*Message, error) {
	m := &Message{}
	last := uint64(0)
	for len(b) > 0 {
		v, rest, err := Decode(b)
		if err != nil {
			return nil, err
		}
		b = rest
		d, ok := v.(Described)
		if !ok {
			return nil, errors.New("amqp: message section without descriptor")
		}
		code := d.Code()
		repeats := code == last && (code == sectionData || code == sectionSequence)
		if code < sectionHeader || code > sectionFooter || code <= last && !repeats {
			return nil, fmt.Errorf("amqp: message section %v out of place", d.Descriptor)
		}
		last = code
		if err := m.section(code, d.Value); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Message) section(code uint64, v any) error {
	wrong := fmt.Errorf("amqp: message section 0x%x holds a %T", code, v)
	var ok bool
	switch code {
	case sectionHeader, sectionProperties:
		list, isList := v.(List)
		if !isList {
			return wrong
		}
		f := fieldReader{list: list}
		if code == sectionHeader {
			m.Header = readHeader(&f)
		} else {
			m.Properties = readProperties(&f)
		}
		return f.err
	case sectionDeliveryAnnotations:
		m.DeliveryAnnotations, ok = v.(Map)
	case sectionMessageAnnotations:
		m.Annotations, ok = v.(Map)
	case sectionApplicationProperties:
		m.ApplicationProperties, ok = v.(Map)
	case sectionFooter:
		m.Footer, ok = v.(Map)
	case sectionData:
		_, ok = v.([]byte)
		m.Body = append(m.Body, Section{Data, v})
	case sectionSequence:
		_, ok = v.(List)
		m.Body = append(m.Body, Section{Sequence, v})
	case sectionValue:
		ok = true
		m.Body = append(m.Body, Section{Value, v})
	}
	if !ok && v != nil {
		return wrong
	}
	return nil
}

func readHeader(f *fieldReader) Header {
	h := Header{Durable: f.bool(0), FirstAcquirer: f.bool(3), DeliveryCount: f.uint(4, 0)}
	if f.any(1) != nil {
		h.Priority = Ptr(uint8(f.uint(1, 4)))
	}
	if f.any(2) != nil {
		h.TTL = Ptr(time.Duration(f.uint(2, 0)) * time.Millisecond)
	}
	return h
}

func readProperties(f *fieldReader) Properties {
	text := func(i int) *string {
		if f.any(i) == nil {
			return nil
		}
		return Ptr(f.text(i))
	}
	instant := func(i int) *time.Time {
		switch v := f.any(i).(type) {
		case nil:
		case time.Time:
			return &v
		default:
			f.wrong(i, "timestamp")
		}
		return nil
	}
	return Properties{MessageID: f.any(0), UserID: f.bytes(1), To: text(2), Subject: text(3), ReplyTo: text(4),
		CorrelationID: f.any(5), ContentType: text(6), ContentEncoding: text(7), AbsoluteExpiryTime: instant(8),
		CreationTime: instant(9), GroupID: text(10), GroupSequence: f.uintPtr(11), ReplyToGroupID: text(12)}
}
