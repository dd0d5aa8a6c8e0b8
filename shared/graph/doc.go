// Package graph is the client of Microsoft Graph: calendars, change
// notification subscriptions and the lookup of a mailbox. It is the only
// package that touches msgraph-sdk-go.
//
// Guarantees:
//   - Every request, each page and each item of a $batch asks for immutable
//     ids, UTC and text bodies.
//   - Nothing is retried in here, but for one new token after a 401 (which
//     proves that nothing was done). Retry-After is handed to the caller.
//   - Every error is a *fault.Error whose text holds codes and ids of requests,
//     never a message of Graph, for those quote content and addresses.
//   - A list is whole or an error (R17): a page that is missing, empty of
//     meaning or in another format is never an empty calendar.
//   - One unreadable event does not spoil a list: it is returned with its id and
//     without content.
//   - At most four requests per mailbox are under way in one Client, as Exchange
//     refuses the fifth; a $batch counts as as many as it runs at a time.
//
// It decides nothing about appointments: what to write and what a change means
// is up to the caller (shared/exchange).
package graph
