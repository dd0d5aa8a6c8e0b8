package servicebus

import (
	"sync"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

// Record keeps a copy of every message that a queue takes from now on, also when it
// is consumed, for Recorded. What was kept before is forgotten.
func (b *Broker) Record() {
	b.record.mu.Lock()
	defer b.record.mu.Unlock()
	b.record.on, b.record.messages = true, map[string][]Message{}
}

// Recorded returns the messages that each queue took since Record, in order.
func (b *Broker) Recorded() map[string][]Message {
	b.record.mu.Lock()
	defer b.record.mu.Unlock()
	out := map[string][]Message{}
	for queue, messages := range b.record.messages {
		out[queue] = append([]Message(nil), messages...)
	}
	return out
}

type record struct {
	mu       sync.Mutex
	on       bool
	messages map[string][]Message
}

func (r *record) put(queue string, m *amqp.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on {
		r.messages[queue] = append(r.messages[queue], decode(broker.Stored{Message: m}))
	}
}
