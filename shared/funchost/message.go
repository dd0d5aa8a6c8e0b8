package funchost

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Message is a Service Bus message as the host hands it over.
type Message struct {
	Body      []byte
	MessageID string
	SessionID string // empty if the queue has no sessions
	// SequenceNumber is the broker's, growing per queue; 0 = not given.
	SequenceNumber int64
	// DeliveryCount is how often the broker has handed it out, this time included.
	DeliveryCount int
	Enqueued      time.Time // UTC, by the broker's clock, whole seconds
	ContentType   string
	// Properties are the application properties; numbers and booleans as JSON
	// writes them.
	Properties map[string]string
}

// Property returns an application property: by its exact name, else without
// regard to letter case; "" if there is none.
func (m Message) Property(name string) string {
	if v, ok := m.Properties[name]; ok {
		return v
	}
	for k, v := range m.Properties {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// errBatch: the messages of a batch succeed or fail together and get no lock
// renewal, so no function here takes them.
var errBatch = errors.New("the envelope holds a batch: function.json must say cardinality one")

// decodeMessage reads the message of a queue trigger. odd names what was
// missing or unreadable in it and is therefore empty, and "body as text" if the
// body did not come as binary: then its fields may have replaced the message's own.
func decodeMessage(e envelope, binding string) (m Message, odd []string, err error) {
	raw, err := e.binding(binding)
	if err != nil {
		return m, nil, err
	}
	if _, batch := e.metadata.get("MessageIdArray"); batch {
		return m, nil, errBatch
	}
	body, asText := bodyOf(raw)
	if asText {
		odd = append(odd, "body as text")
	}
	text := func(key string) string {
		value, _ := e.metadata.get(key)
		return textOf(value)
	}
	number := func(key string) int64 {
		value, _ := e.metadata.get(key)
		n, ok := numberOf(value)
		if !ok {
			odd = append(odd, key)
		}
		return n
	}
	m = Message{
		Body:           body,
		MessageID:      text("MessageId"),
		SessionID:      text("SessionId"),
		ContentType:    text("ContentType"),
		SequenceNumber: number("SequenceNumber"),
		DeliveryCount:  int(number("DeliveryCount")),
	}
	if m.Enqueued = firstTime(e.metadata, "EnqueuedTimeUtc", "EnqueuedTime"); m.Enqueued.IsZero() {
		odd = append(odd, "EnqueuedTimeUtc")
	}
	m.Properties = properties(e.metadata)
	return m, odd, nil
}

func firstTime(o object, keys ...string) time.Time {
	for _, key := range keys {
		value, _ := o.get(key)
		if t, ok := timeOf(value); ok && !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// properties returns the application properties, under their name of today or
// that of older extensions; never nil.
func properties(metadata object) map[string]string {
	out := map[string]string{}
	for _, key := range []string{"ApplicationProperties", "UserProperties"} {
		value, ok := metadata.get(key)
		if !ok {
			continue
		}
		values, ok := objectOf(value)
		if !ok {
			continue
		}
		for _, v := range values {
			if _, first := out[v.key]; !first && !isNull(v.value) {
				out[v.key] = propertyText(v.value)
			}
		}
		break
	}
	return out
}

// propertyText differs from textOf: inside the object nothing is encoded twice.
func propertyText(raw json.RawMessage) string {
	if s, ok := unquote(raw); ok {
		return s
	}
	return string(raw)
}

// Timer is what the host says of a timer's run.
type Timer struct {
	PastDue bool // the run makes up for one that was missed
	// Last and Next are runs by the schedule, UTC; zero if the host does not
	// know, as on the first run and for schedules of less than a minute.
	Last, Next time.Time
}

func decodeTimer(e envelope, binding string) (Timer, error) {
	raw, err := e.binding(binding)
	if err != nil {
		return Timer{}, err
	}
	info, ok := objectOf(raw)
	if !ok {
		return Timer{}, errors.New("the envelope's timer is not an object")
	}
	var t Timer
	pastDue, _ := info.get("IsPastDue")
	t.PastDue = strings.EqualFold(textOf(pastDue), "true")
	if raw, ok := info.get("ScheduleStatus"); ok {
		if status, ok := objectOf(raw); ok {
			t.Last, t.Next = firstTime(status, "Last"), firstTime(status, "Next")
		}
	}
	return t, nil
}
