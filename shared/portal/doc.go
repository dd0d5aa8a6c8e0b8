// Package portal is the web application: administrators watch the traffic and
// steer both connectors, and each resource looks after its own synchronisation.
//
// A [Portal] is an http.Handler for all below /api/portal/. Pages are plain HTML
// forms rendered on the server, no script is needed; asked with "Accept:
// application/json" a page answers the data that it shows, and a form what became
// of it. portal.go lists every page and form on one screen.
//
// Guarantees: nobody is let in but by the platform's sign-in (Easy Auth), and
// without it the portal is closed; a resource sees and changes its own row only;
// forms are taken from the portal's own pages only; what people do is noted in the
// audit log with their name; no page shows a secret, a body, or the words of an
// event that a person has not put on the board.
//
// It decides nothing: what a button does is a method of exchange.Desk or
// backoffice.Desk.
package portal
