// Package bc sends appointments to Business Central, online and on-premises,
// through the REST API page of Dime.Scheduler's app (dimeSoftware/dimeScheduler/v1.0,
// facts backoffice.md A2): every delivery is one new row of a staging table, with
// the database action I, U or D, which Business Central works on later by itself.
//
// The names of properties and parts are read from $metadata at run time and joined
// with our fields by package fields; an administrator sees the result and can change
// it (Config.Fields).
//
// Guarantees: a delivery whose outcome is unknown is found by what tells its state
// apart from older ones, so that an insert is never sent twice; resources and field
// values are written with their row in one transaction where the page allows it, and
// otherwise completed below a row that lacks them, never by a second row; Status tells
// what Business Central has made of a row. It does not process anything there, and
// writes no other table.
package bc
