// Package graphsim is a stateful simulator of the part of Microsoft Graph v1.0 that a
// calendar connector needs: users, events, calendarView, calendarView/delta, subscriptions
// with change and lifecycle notifications, $batch and master categories, and the token
// endpoint of Entra in front of it.
//
// It speaks the wire protocol: msgraph-sdk-go, azidentity and plain net/http work against it
// and can not tell the difference, apart from the address. A [Server] is an http.Handler for
// /v1.0/... (Graph) and /{tenant}/... (Entra). Tests and the sandbox also reach into it as
// the person in Outlook would ([Server.CreateEvent], [Server.UpdateEvent], ...) and as an
// inspector ([Server.Events], [Server.Calls], ...).
//
// What is surprising about Graph is modelled on purpose: ids that differ only in letter case,
// mutable ids that change when an event moves, bodies that come back rewritten, change keys
// that move again after a write, several notifications for one change, delta that lags behind
// and says "removed" of what merely left the window, occurrences without content, deleted
// occurrences without a tombstone, throttling inside a 200 of $batch. How badly it behaves is
// set by [Behaviour]; single requests are made to fail by [Options.Fault].
//
// Guarantees: all state is behind one mutex; goroutines end with [Server.Close]; expiry,
// delta lag and rate limits are read on [Options.Now]; what waits (latency, retries, staged
// changes) waits in real time; the same [Options.Seed] gives the same ids and the same dice.
//
// # Not modelled
//
//   - Permissions beyond [Server.SetRoles] and [Server.SetConsent]: without them every valid token may do
//     everything. The signature of a client_assertion is left to [Options.Assertion]; faults of the token
//     endpoint are wrong and expired secrets and revoked tokens only.
//     Delegated access, /me, national clouds.
//   - Calendars other than the default one, calendar groups, sharing, events/delta.
//   - Meetings: nothing is sent to attendees and no copy appears in their calendars (what would
//     have been sent is counted in [Server.Mails]); no accept, decline, forward, findMeetingTimes.
//   - Attachments, open extensions, multiValueExtendedProperties, online meetings: such fields of a
//     request are accepted and forgotten.
//   - A change of a series does not reach its exceptions; a change of its pattern or times drops them.
//   - Rich notifications (includeResourceData is refused), Event Hubs and Event Grid targets,
//     subscriptions to anything but /users/{id}/events, a PATCH of anything but their expiry, the slow
//     and drop states of an endpoint, the 10 minutes between /reauthorize and PATCH.
//   - The limits on uploaded megabytes and on requests per app; quotas; $count, $search;
//     $filter and $orderby beyond the properties named in the refusal.
//   - The lag of Exchange's search index: a filter on an extended property sees every event at once.
//   - Folders: an event is in the calendar or in Deleted Items, and is never aged out of it.
//
// Where Microsoft's documents are silent the simulator takes a side, and the opposite by a
// switch where the difference matters: a subject is cut at 255 UTF-16 units, categories come back
// sorted, an all-day event reads as midnight in every zone, deleting a series yields one
// tombstone (the master's), a PATCH that changes nothing still moves the change key.
package graphsim
