// Package funchost speaks the wire format of the Azure Functions host towards
// a custom handler: it decodes what the host posts, runs the function and
// answers so that the host settles the message as meant. It is the only place
// that knows this format; a native worker would be a second package beside it.
//
// Guarantees: each invocation has its own deadline, below the host's
// functionTimeout (which kills the whole process); a panic fails its own
// invocation only; every 2xx of a trigger is a JSON object, as an empty one
// hangs the host; a message that can not be understood is parked before it is
// completed; a trigger is reached by an exact POST /<name> and by no public
// path; each invocation ends with one log line that holds no content.
//
// It does not settle, delay or retry: the host completes on success and
// abandons at once on failure, five times within a second. It does not check
// function keys or principals: the host does the former, and the latter are
// whatever the caller wrote unless Easy Auth is on.
//
// What it relies on was seen on host 4.1045.200 (testdata/README.md).
package funchost
