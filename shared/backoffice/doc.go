// Package backoffice sends the changes of appointments to back offices: it holds
// the one interface that every kind of back office implements (Connector), the
// configuration of a connector (Config), and the worker that delivers. It knows
// no kind: each has a package of its own below this one, and shared/app lists
// them in its registry.
//
// Guarantees: what is to be delivered lies in a link per appointment and
// connector, and survives a SIGKILL between any two lines; an outcome that is
// not known is looked up before anything is sent again; order is kept per job.
//
// It does not decide whom an appointment concerns (shared/routing).
package backoffice
