// Package custom delivers to receiving code that a customer has written for itself
// in Business Central or NAV: a procedure of a codeunit, called by SOAP or as an
// unbound action of OData.
//
// The parameters are read from the WSDL or $metadata. The one for the appointment
// gets the whole appointment graph as JSON, as the board's webhook connector sends
// it, with DatabaseAction (I, U, D), DeliveryKey and SentFromBackOffice besides;
// others get single fields by their names. A parameter for the delivery's key
// makes the receiver idempotent, if it minds it; without one, a delivery whose
// outcome is unknown is sent again.
//
// What the procedure may return is in docs/backoffice.md: nothing, true, JSON or
// an id is success, false and a sentence are a refusal.
package custom
