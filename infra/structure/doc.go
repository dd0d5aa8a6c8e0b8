// Package structure holds the repository's shape: which package may import
// which, and why; names and sizes; and that the documents say what is there. It
// has tests only, and they read the source: nothing is built or run.
//
//	go test ./infra/structure            checks
//	go test ./infra/structure -update    rewrites the generated parts of docs/
//
// A rule that stands in the way of a good change is changed here, with its
// reason. A package that a rule names must exist: one that was moved takes its
// rules along.
package structure
