// Package fields says what we tell a back office about an appointment, and
// finds the place for it in the fields that the back office has: the names of
// the Dime.Scheduler pages are published as captions only, so the real ones are
// read from the metadata (WSDL, $metadata) at run time and matched here, by name
// in any spelling, by known synonyms, and by what an administrator has written
// into Config.Fields.
//
// Three ideas: Read takes a delivery apart into records of our fields; Match
// joins our fields with the back office's columns; Mapping.Fill turns a record
// into cells in the columns' types. It makes no calls and knows no wire format:
// SOAP and OData write the cells in their own way.
//
// No error of this package holds a value.
package fields
