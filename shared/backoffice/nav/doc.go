// Package nav delivers to the page web service "Appointment" of Business Central
// and NAV, which speaks SOAP: each delivery becomes a new row of the staging table
// "Dime.Scheduler Appointments", with the database action I, U or D, and with
// resources and field values as lines below it.
//
// The names, order and types of all fields are read from the service's WSDL and
// matched with ours (package fields). A delivery whose outcome is unknown is
// looked up among the rows of its appointment. A row whose lines could not be
// written is taken back, or, where that fails too, not taken for the delivery, so
// that exactly one row takes effect.
//
// Success means that the row is stored; what the back office makes of it shows
// Status, if the page has the fields for it. For customers' own receiving code
// see package custom.
package nav
