// Package hooksim is the other end of a webhook connector: an endpoint as a
// careful partner writes it. It knows of the connector what docs/backoffice.md
// tells a partner, and nothing else.
//
// A [Server] is an http.Handler that takes appointments by POST, whatever the
// path, and keeps
//
//   - the last state of each appointment, by the version that the calls carry, so
//     that one that is overtaken changes nothing;
//   - every Idempotency-Key, so that a delivery that comes twice counts once;
//   - what it has refused: a signature that is wrong or missing, a time stamp that
//     is minutes off, a body that is no appointment.
//
// A GET answers all of it as JSON, for people ([Server.State] for tests).
//
// Guarantees: a delivery is kept as a whole or not at all; a refused one leaves
// nothing but a count. Faults, see [Fault]: refusals, broken connections before
// and after the delivery was kept, silence.
//
// Not modelled: sign-in by password or token; receivers that forget keys.
package hooksim
