package amqp

import "fmt"

// Performative is the head of a frame: what the peer wants.
type Performative interface {
	code() uint64
	fields() []any
}

// Optional numbers are pointers where absence means something of its own.

// Open starts a connection. IdleTimeOut is in milliseconds, 0 = none.
type Open struct {
	ContainerID  string
	Hostname     string
	MaxFrameSize uint32
	ChannelMax   uint16
	IdleTimeOut  uint32
	Properties   Map
}

// Begin starts a session. RemoteChannel is set in the answer only.
type Begin struct {
	RemoteChannel  *uint16
	NextOutgoingID uint32
	IncomingWindow uint32
	OutgoingWindow uint32
	HandleMax      *uint32
}

// Settlement modes of a link's ends.
const (
	SenderUnsettled uint8 = 0
	SenderSettled   uint8 = 1
	SenderMixed     uint8 = 2
	ReceiverFirst   uint8 = 0
	ReceiverSecond  uint8 = 1
)

// Attach opens a link. Role is true for the receiving end. Source and Target
// are nil when the answering side refuses the link; a detach with the reason follows.
type Attach struct {
	Name                 string
	Handle               uint32
	Receiver             bool
	SenderSettleMode     uint8
	ReceiverSettleMode   uint8
	Source               *Source
	Target               *Target
	InitialDeliveryCount *uint32
	MaxMessageSize       uint64
	Properties           Map
}

// Flow updates windows and, with a handle, link credit.
type Flow struct {
	NextIncomingID *uint32
	IncomingWindow uint32
	NextOutgoingID uint32
	OutgoingWindow uint32
	Handle         *uint32
	DeliveryCount  *uint32
	LinkCredit     *uint32
	Available      *uint32
	Drain          bool
	Echo           bool
}

// Transfer carries (a part of) a message. All but the first part of a message
// may leave out DeliveryID and DeliveryTag.
type Transfer struct {
	Handle        uint32
	DeliveryID    *uint32
	DeliveryTag   []byte
	MessageFormat uint32
	Settled       bool
	More          bool
	State         any
	Aborted       bool
}

// Disposition tells the outcome of the deliveries First..Last (Last nil = First).
type Disposition struct {
	Receiver bool
	First    uint32
	Last     *uint32
	Settled  bool
	State    any
}

// Detach ends a link.
type Detach struct {
	Handle uint32
	Closed bool
	Error  *Error
}

// End ends a session, Close a connection.
type (
	End   struct{ Error *Error }
	Close struct{ Error *Error }
)

// The SASL frames that the handshake needs.
type (
	SASLMechanisms struct{ Mechanisms []Symbol }
	SASLInit       struct {
		Mechanism       Symbol
		InitialResponse []byte
		Hostname        string
	}
	SASLOutcome struct{ Code uint8 } // 0 = ok
)

func (*Open) code() uint64           { return 0x10 }
func (*Begin) code() uint64          { return 0x11 }
func (*Attach) code() uint64         { return 0x12 }
func (*Flow) code() uint64           { return 0x13 }
func (*Transfer) code() uint64       { return 0x14 }
func (*Disposition) code() uint64    { return 0x15 }
func (*Detach) code() uint64         { return 0x16 }
func (*End) code() uint64            { return 0x17 }
func (*Close) code() uint64          { return 0x18 }
func (*SASLMechanisms) code() uint64 { return 0x40 }
func (*SASLInit) code() uint64       { return 0x41 }
func (*SASLOutcome) code() uint64    { return 0x44 }

func (p *Open) fields() []any {
	return []any{p.ContainerID, optional(p.Hostname), optional(p.MaxFrameSize), optional(p.ChannelMax),
		optional(p.IdleTimeOut), nil, nil, nil, nil, optionalMap(p.Properties)}
}

func (p *Begin) fields() []any {
	return []any{deref(p.RemoteChannel), p.NextOutgoingID, p.IncomingWindow, p.OutgoingWindow, deref(p.HandleMax)}
}

func (p *Attach) fields() []any {
	var source, target any
	if p.Source != nil {
		source = p.Source.described()
	}
	if p.Target != nil {
		target = p.Target.described()
	}
	return []any{p.Name, p.Handle, p.Receiver, p.SenderSettleMode, p.ReceiverSettleMode, source, target,
		nil, nil, deref(p.InitialDeliveryCount), optional(p.MaxMessageSize), nil, nil, optionalMap(p.Properties)}
}

func (p *Flow) fields() []any {
	return []any{deref(p.NextIncomingID), p.IncomingWindow, p.NextOutgoingID, p.OutgoingWindow, deref(p.Handle),
		deref(p.DeliveryCount), deref(p.LinkCredit), deref(p.Available), p.Drain, p.Echo}
}

func (p *Transfer) fields() []any {
	var tag any
	if p.DeliveryTag != nil {
		tag = p.DeliveryTag
	}
	return []any{p.Handle, deref(p.DeliveryID), tag, p.MessageFormat, p.Settled, p.More, nil, p.State, nil, optional(p.Aborted)}
}

func (p *Disposition) fields() []any {
	return []any{p.Receiver, p.First, deref(p.Last), p.Settled, p.State}
}

func (p *Detach) fields() []any { return []any{p.Handle, p.Closed, errorField(p.Error)} }
func (p *End) fields() []any    { return []any{errorField(p.Error)} }
func (p *Close) fields() []any  { return []any{errorField(p.Error)} }

func (p *SASLMechanisms) fields() []any {
	list := Array{}
	for _, m := range p.Mechanisms {
		list = append(list, m)
	}
	return []any{list}
}

func (p *SASLInit) fields() []any {
	return []any{p.Mechanism, p.InitialResponse, optional(p.Hostname)}
}
func (p *SASLOutcome) fields() []any { return []any{p.Code} }

// parsePerformative turns a decoded value into one of the types above.
func parsePerformative(d Described) (any, error) {
	list, ok := d.Value.(List)
	if !ok {
		return nil, fmt.Errorf("amqp: performative 0x%x is no list", d.Code())
	}
	f := fieldReader{list: list}
	var p any
	switch d.Code() {
	case 0x10:
		p = &Open{ContainerID: f.text(0), Hostname: f.text(1), MaxFrameSize: f.uint(2, 1<<32-1), ChannelMax: uint16(f.uint(3, 1<<16-1)),
			IdleTimeOut: f.uint(4, 0), Properties: f.mapping(9)}
	case 0x11:
		p = &Begin{RemoteChannel: f.ushortPtr(0), NextOutgoingID: f.uint(1, 0), IncomingWindow: f.uint(2, 0),
			OutgoingWindow: f.uint(3, 0), HandleMax: f.uintPtr(4)}
	case 0x12:
		p = &Attach{Name: f.text(0), Handle: f.uint(1, 0), Receiver: f.bool(2), SenderSettleMode: uint8(f.uint(3, uint32(SenderMixed))),
			ReceiverSettleMode: uint8(f.uint(4, 0)), Source: parseSource(f.any(5)), Target: parseTarget(f.any(6)),
			InitialDeliveryCount: f.uintPtr(9), MaxMessageSize: f.ulong(10), Properties: f.mapping(13)}
	case 0x13:
		p = &Flow{NextIncomingID: f.uintPtr(0), IncomingWindow: f.uint(1, 0), NextOutgoingID: f.uint(2, 0), OutgoingWindow: f.uint(3, 0),
			Handle: f.uintPtr(4), DeliveryCount: f.uintPtr(5), LinkCredit: f.uintPtr(6), Available: f.uintPtr(7), Drain: f.bool(8), Echo: f.bool(9)}
	case 0x14:
		p = &Transfer{Handle: f.uint(0, 0), DeliveryID: f.uintPtr(1), DeliveryTag: f.bytes(2), MessageFormat: f.uint(3, 0),
			Settled: f.bool(4), More: f.bool(5), State: f.state(7), Aborted: f.bool(9)}
	case 0x15:
		p = &Disposition{Receiver: f.bool(0), First: f.uint(1, 0), Last: f.uintPtr(2), Settled: f.bool(3), State: f.state(4)}
	case 0x16:
		p = &Detach{Handle: f.uint(0, 0), Closed: f.bool(1), Error: parseError(f.any(2))}
	case 0x17:
		p = &End{Error: parseError(f.any(0))}
	case 0x18:
		p = &Close{Error: parseError(f.any(0))}
	case 0x40:
		m := &SASLMechanisms{}
		for _, item := range append(Items(f.any(0)), f.any(0)) {
			if s, ok := item.(Symbol); ok {
				m.Mechanisms = append(m.Mechanisms, s)
			}
		}
		p = m
	case 0x41:
		p = &SASLInit{Mechanism: Symbol(f.text(0)), InitialResponse: f.bytes(1), Hostname: f.text(2)}
	case 0x44:
		p = &SASLOutcome{Code: uint8(f.uint(0, 0))}
	default:
		return nil, fmt.Errorf("amqp: unknown performative %v", d.Descriptor)
	}
	return p, f.err
}
