// Package wire is how the kinds of back offices speak HTTP: one Client per
// connector, with what all of them must hold to. It classifies what HTTP itself
// says; what stands in a reply is the kind's to read first.
//
// Guarantees: every call has a timeout and a bounded reply; nothing is retried;
// a redirect is never followed, so no credential goes to an address that nobody
// configured; plain http only where the connector allows it; a CA bundle or the
// pin of one certificate is for this connector alone; no error holds a secret, a
// query string or a byte of a body.
package wire
