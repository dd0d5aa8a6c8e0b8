// Package broker is the state machine of a Service Bus namespace: queues,
// locks, sessions, dead letters, schedules, duplicate detection. It knows
// messages (package amqp) and time, and nothing of the network.
//
// A Broker is safe for concurrent use. Whatever becomes due with time (lock
// expiry, scheduled messages, time to live, accept time-outs) happens on one
// timer, or when Tick is called, which is what tests with a fake clock do.
//
// # Delivery count
//
// A message carries the number of its deliveries that failed. It grows when
//
//   - a message is abandoned,
//   - its lock expires, or the lock of its session does;
//
// and does not grow when
//
//   - it is released (github.com/Azure/amqpnetlite/issues/342),
//   - the receiver of its session goes away: the session is free at once and
//     its messages with it (github.com/Azure/azure-sdk-for-js/issues/15116),
//   - a receiver without session goes away: its messages stay locked until
//     their locks expire, which then counts
//     (github.com/Azure/azure-sdk-for-python/pull/47999).
//
// At MaxDeliveryCount the message moves to the dead letters.
package broker
