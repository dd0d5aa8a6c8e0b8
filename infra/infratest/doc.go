// Package infratest holds the files that no compiler checks against each
// other: host.json, the function.json files, local.settings.sample.json and
// the Bicep templates. It has tests only.
//
// It reads the templates with a reader that knows this repository's layout (one
// property per line) and fails on anything else, so nothing is passed over in
// silence. It is no Bicep compiler: syntax and types are the business of
// bicep-check, which a test here runs where BICEP_CHECK names it.
package infratest
