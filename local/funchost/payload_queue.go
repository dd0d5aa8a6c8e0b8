package funchost

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/uuid"
)

// busClient is what Metadata says of the client that received a message.
type busClient struct {
	Namespace  string // host name of the endpoint, without port
	Identifier string
}

func (c busClient) json() string {
	var o object
	o.set("FullyQualifiedNamespace", quote(c.Namespace))
	o.set("IsClosed", "false")
	o.set("TransportType", "0")
	o.set("Identifier", quote(c.Identifier))
	return o.String()
}

// begin opens the metadata of a queue call: objects of in-process functions, which a custom handler gets empty.
func (c busClient) begin() *object {
	o := &object{}
	o.set("Client", c.json())
	for _, name := range []string{"MessageReceiver", "MessageSession", "MessageActions", "SessionActions", "ReceiveActions"} {
		o.set(name, "{}")
	}
	return o
}

// members are a message's own values in the order of the real host. text returns the value as JSON, and "" for null;
// exact asks for times with their fraction. plain is true for times and objects, which Metadata holds as they are;
// other values become strings there.
var members = []struct {
	name  string
	plain bool
	text  func(m *azservicebus.ReceivedMessage, exact bool) string
}{
	{"DeliveryCount", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return strconv.Itoa(int(m.DeliveryCount)) }},
	{"DeadLetterSource", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.DeadLetterSource) }},
	{"LockToken", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return quote(uuid.UUID(m.LockToken).String()) }},
	{"ExpiresAtUtc", true, func(m *azservicebus.ReceivedMessage, exact bool) string { return instant(expiry(m), "", exact) }},
	{"ExpiresAt", true, func(m *azservicebus.ReceivedMessage, exact bool) string { return instant(expiry(m), "+00:00", exact) }},
	{"EnqueuedTimeUtc", true, func(m *azservicebus.ReceivedMessage, exact bool) string {
		return instant(or(m.EnqueuedTime, time.Time{}), "", exact)
	}},
	{"EnqueuedTime", true, func(m *azservicebus.ReceivedMessage, exact bool) string {
		return instant(or(m.EnqueuedTime, time.Time{}), "+00:00", exact)
	}},
	{"MessageId", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return quote(m.MessageID) }},
	{"ContentType", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.ContentType) }},
	{"ReplyTo", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.ReplyTo) }},
	{"SequenceNumber", false, func(m *azservicebus.ReceivedMessage, _ bool) string {
		return strconv.FormatInt(or(m.SequenceNumber, 0), 10)
	}},
	{"To", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.To) }},
	{"Subject", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.Subject) }},
	{"Label", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.Subject) }},
	{"CorrelationId", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.CorrelationID) }},
	{"ApplicationProperties", true, func(m *azservicebus.ReceivedMessage, _ bool) string { return properties(m) }},
	{"UserProperties", true, func(m *azservicebus.ReceivedMessage, _ bool) string { return properties(m) }},
	{"SessionId", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.SessionID) }},
	{"ReplyToSessionId", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.ReplyToSessionID) }},
	{"PartitionKey", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return optional(m.PartitionKey) }},
	{"TransactionPartitionKey", false, func(m *azservicebus.ReceivedMessage, _ bool) string { return "" }},
}

// messagePayload is the call for one message.
func messagePayload(f *function, c busClient, m *azservicebus.ReceivedMessage, now time.Time) []byte {
	o := c.begin()
	for _, member := range members {
		switch text := member.text(m, false); {
		case text == "":
		case member.plain:
			o.set(member.name, text)
		default:
			o.set(member.name, quote(text))
		}
	}
	addSys(o, f.Name, now)
	if f.Queue.Binary {
		return payload(f.Binding, quote(base64.StdEncoding.EncodeToString(m.Body)), o)
	}
	body := validText(m.Body)
	leak(o, body)
	return payload(f.Binding, twice(body), o)
}

// batchPayload is the call for a batch: each value a string that holds an array.
func batchPayload(f *function, c busClient, batch []*azservicebus.ReceivedMessage, now time.Time) []byte {
	o := c.begin()
	bodies := make([]string, len(batch))
	for i, m := range batch {
		bodies[i] = quote(base64.StdEncoding.EncodeToString(m.Body))
	}
	for _, member := range members {
		values := make([]string, len(batch))
		for i, m := range batch {
			if values[i] = member.text(m, true); values[i] == "" {
				values[i] = "null"
			}
		}
		o.set(member.name+"Array", array(values))
	}
	addSys(o, f.Name, now)
	return payload(f.Binding, array(bodies), o)
}

func optional(text *string) string {
	if text == nil {
		return ""
	}
	return quote(*text)
}

func instant(t time.Time, zone string, exact bool) string {
	if exact {
		return quote(ticks(t) + zone)
	}
	return quote(seconds(t) + zone)
}

// expiry is when the message expires: as the broker says, else by its time to live. The SDK takes an absent one for
// zero and would have the message expire at once.
func expiry(m *azservicebus.ReceivedMessage) time.Time {
	at := never
	if raw := m.RawAMQPMessage; raw != nil && raw.Properties != nil && raw.Properties.AbsoluteExpiryTime != nil {
		at = *raw.Properties.AbsoluteExpiryTime
	} else if or(m.TimeToLive, 0) > 0 && m.ExpiresAt != nil {
		at = *m.ExpiresAt
	}
	if at.After(never) {
		return never
	}
	return at
}

// properties are the application properties, as a real object with real numbers and booleans, ordered by name.
func properties(m *azservicebus.ReceivedMessage) string {
	var o object
	for _, name := range slices.Sorted(maps.Keys(m.ApplicationProperties)) {
		o.set(name, property(m.ApplicationProperties[name]))
	}
	return o.String()
}

func property(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return quote(v)
	case time.Time:
		return quote(ticks(v) + "Z")
	case float32:
		return decimal(float64(v), 32)
	case float64:
		return decimal(v, 64)
	}
	if text, err := json.Marshal(value); err == nil {
		return string(text)
	}
	return quote(fmt.Sprint(value))
}

// decimal keeps a float recognisable: .NET writes 7.0, not 7.
func decimal(v float64, bits int) string {
	text := strconv.FormatFloat(v, 'G', -1, bits)
	if !strings.ContainsAny(text, ".EIN") {
		text += ".0"
	}
	return text
}
