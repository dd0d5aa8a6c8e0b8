// Package amqp is the AMQP 1.0 codec of the local Service Bus: types, frames,
// performatives, delivery states and messages, to and from bytes.
//
// It is pure: no network, no clock, no state. Decoding never panics, whatever
// the input, and allocates in proportion to the input's length: sizes and
// counts are checked against the bytes that are there, nesting is bounded.
//
// It follows OASIS AMQP 1.0 (types, transport, messaging, security). Decimals
// are carried as opaque bytes. It is not a client, and it keeps no link state.
package amqp
