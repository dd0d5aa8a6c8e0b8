// Package soap speaks SOAP 1.1 as the page and codeunit web services of Business
// Central and NAV do: envelopes, faults, and the WSDL, from which the names,
// order and types of all elements are read.
//
// Guarantees: requests are written by encoding/xml, without characters that XML
// does not allow; replies are parsed with bounded size and depth, without
// document types or entities of their own; a fault is classified by its
// exception type first, and its text, which may quote the appointment, leaves
// this package only where a caller asks for it.
//
// It is no general SOAP library: one namespace per service, document/literal, no
// attachments, no WS-* headers. Facts: backoffice.md D (Microsoft's "SOAP web
// services" for Business Central, and what public clients of these services do).
package soap
