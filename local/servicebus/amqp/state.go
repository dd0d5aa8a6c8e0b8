package amqp

// Error conditions of AMQP and of Service Bus.
const (
	CondNotFound            Symbol = "amqp:not-found"
	CondNotAllowed          Symbol = "amqp:not-allowed"
	CondNotImplemented      Symbol = "amqp:not-implemented"
	CondUnauthorized        Symbol = "amqp:unauthorized-access"
	CondInternal            Symbol = "amqp:internal-error"
	CondDecode              Symbol = "amqp:decode-error"
	CondInvalidField        Symbol = "amqp:invalid-field"
	CondMessageSizeExceeded Symbol = "amqp:link:message-size-exceeded"
	CondDetachForced        Symbol = "amqp:link:detach-forced"
	CondConnectionForced    Symbol = "amqp:connection:forced"

	CondTimeout               Symbol = "com.microsoft:timeout"
	CondServerBusy            Symbol = "com.microsoft:server-busy"
	CondMessageLockLost       Symbol = "com.microsoft:message-lock-lost"
	CondSessionLockLost       Symbol = "com.microsoft:session-lock-lost"
	CondSessionCannotBeLocked Symbol = "com.microsoft:session-cannot-be-locked"
	CondMessageNotFound       Symbol = "com.microsoft:message-not-found"
	CondArgument              Symbol = "com.microsoft:argument-error"
	CondDeadLetter            Symbol = "com.microsoft:dead-letter"
)

// Error is an AMQP error. Info is nil as a rule.
type Error struct {
	Condition   Symbol
	Description string
	Info        Map
}

// Error gives condition and description.
func (e *Error) Error() string { return string(e.Condition) + ": " + e.Description }

func (e Error) described() Described {
	return Described{uint64(0x1d), List{e.Condition, optional(e.Description), optionalMap(e.Info)}}
}

func parseError(v any) *Error {
	d, ok := v.(Described)
	if !ok || d.Code() != 0x1d {
		return nil
	}
	list, _ := d.Value.(List)
	f := fieldReader{list: list}
	return &Error{Condition: Symbol(f.text(0)), Description: f.text(1), Info: f.mapping(2)}
}

// DeliveryState is one of Accepted, Rejected, Released and Modified.
type DeliveryState interface{ described() Described }

// The terminal outcomes of a delivery.
type (
	Accepted struct{}
	Released struct{}
	// Rejected carries why. Service Bus reads it as dead-letter.
	Rejected struct{ Error *Error }
	// Modified is Service Bus's abandon; with UndeliverableHere its defer.
	Modified struct {
		DeliveryFailed    bool
		UndeliverableHere bool
		Annotations       Map
	}
)

func (Accepted) described() Described { return Described{uint64(0x24), List{}} }
func (Released) described() Described { return Described{uint64(0x26), List{}} }

func (r Rejected) described() Described {
	return Described{uint64(0x25), List{errorField(r.Error)}}
}

func (m Modified) described() Described {
	return Described{uint64(0x27), List{m.DeliveryFailed, m.UndeliverableHere, optionalMap(m.Annotations)}}
}

// parseState gives a DeliveryState, or the value as it is if it is another
// state (received, declared, transactional).
func parseState(d Described) any {
	list, _ := d.Value.(List)
	f := fieldReader{list: list}
	switch d.Code() {
	case 0x24:
		return Accepted{}
	case 0x25:
		return Rejected{Error: parseError(f.any(0))}
	case 0x26:
		return Released{}
	case 0x27:
		return Modified{DeliveryFailed: f.bool(0), UndeliverableHere: f.bool(1), Annotations: f.mapping(2)}
	}
	return d
}

// Source and Target are the two ends of a link. Only what Service Bus reads
// has a field; the rest of what the peer sent goes back to it as it came.
type (
	Source struct {
		Address string
		Filter  Map
		raw     List
	}
	Target struct {
		Address string
		// Coordinator is set for the target of a transaction controller.
		Coordinator bool
		raw         List
	}
)

const (
	fieldAddress = 0
	fieldFilter  = 7
)

func (s *Source) described() Described {
	list := padded(s.raw, fieldFilter+1)
	list[fieldAddress], list[fieldFilter] = optional(s.Address), optionalMap(s.Filter)
	return Described{uint64(0x28), list}
}

func (t *Target) described() Described {
	if t.Coordinator {
		return Described{uint64(0x30), t.raw}
	}
	list := padded(t.raw, fieldAddress+1)
	list[fieldAddress] = optional(t.Address)
	return Described{uint64(0x29), list}
}

func padded(list List, n int) List {
	out := make(List, max(n, len(list)))
	copy(out, list)
	return out
}

func parseSource(v any) *Source {
	d, ok := v.(Described)
	if !ok {
		return nil
	}
	list, _ := d.Value.(List)
	f := fieldReader{list: list}
	return &Source{Address: f.text(fieldAddress), Filter: f.mapping(fieldFilter), raw: list}
}

func parseTarget(v any) *Target {
	d, ok := v.(Described)
	if !ok {
		return nil
	}
	list, _ := d.Value.(List)
	if d.Code() == 0x30 {
		return &Target{Coordinator: true, raw: list}
	}
	f := fieldReader{list: list}
	return &Target{Address: f.text(fieldAddress), raw: list}
}
