// Package boardsim simulates Dime.Scheduler: its API and its planning board.
//
// A Board is an http.Handler that speaks the API (header X-API-KEY; POST
// /import with the mboc_ procedures; the REST routes for appointments,
// assignments, resources, notifications and messages), and a library with which
// a test or a page acts as the planner. Each change of an appointment is
// announced, in order and asynchronously, as the message of the appointments
// contract; Options.Announce carries it to a queue or a webhook.
//
// # Known of the real one
//
// From Dime.Scheduler's public documentation and SDKs: the envelope of /import
// and of its answer, errors inside a 200; names of procedures, parameters and
// fields; formats of values; the repeatable resources of GET /appointment; the
// casing of the announced graph; SentFromBackOffice does not keep a change from
// being announced.
//
// # Not known, with a switch in Options
//
//   - whether changes made through the API are announced (SilentAPIWrites)
//   - whether a Guid proposed by the client is kept (OwnGUIDs)
//   - whether an upsert with an unknown Guid creates (RejectUnknownGUIDs)
//   - whether one appointment can be read by id or Guid (NoGetByID)
//   - whether messages carry the full graph or are flat, one per resource
//     (FlatMessages)
//   - the granularity of LastModifiedDate (Granularity), and whether deleting
//     moves it (StaleDeletes)
//   - whether times name their zone (ZonelessTimes, Zone)
//   - whether reads and messages show the ids of an appointment's events
//     (ShowExchangeIDs)
//   - how a read by id answers a key that may not see it (NarrowedStatus)
//
// # Guesses without a switch
//
//   - GET /appointment answers the announced graph; so does GET
//     /appointment/{id or Guid}. The range takes what overlaps it.
//   - upsertExchangeAppointment finds an appointment by AppointmentId, else by
//     AppointmentGuid, else by ExchangeId with ResourceEmail. A known one gets
//     the fields that were sent (no parameter, or null, means unchanged) and a
//     mapping row for that e-mail, but no assignment. An unknown one is created
//     without job and task and assigned to the resource with that e-mail, which
//     must exist. ShowAs, Sensitivity and Categories stay in the mapping row:
//     no message and no read shows them.
//   - deleteExchangeAppointment removes that resource's assignment and mapping
//     row. The appointment goes too if it has CreatedByExchange and nobody is
//     left; a planned one stays on the board, unassigned. Repeated, and for what
//     is unknown, it succeeds.
//   - deleteAppointment with a ResourceNo removes that assignment, and the
//     appointment when none is left; without, the appointment. Repeated, it succeeds.
//   - upsertAppointment creates only for an existing task, or with
//     IsManualAppointment; ResourceNo adds an assignment, ReplaceResource makes
//     it the only one.
//   - A registered webhook gets the announced graph of the appointments of its
//     source app by POST, with nothing but the body; its id is in the Location header
//     and in the answer. The same address may be registered twice.
//   - A connector is one row per source app and name, an action one per source app,
//     source type, place and description.
//   - Every write moves LastModifiedDate and is announced, also one that
//     changes no value.
//   - The requests of one import run in order and stop at the first failure;
//     what ran before stays.
//   - In the flat form an assignment is announced as Create, its removal as
//     Delete, everything else as Update of each resource.
//   - A notification is one row per connector, subject (appointment, task or
//     job) and code, and goes with its appointment. REST errors are plain text:
//     404 for what does not exist, 400 for the rest. Parameter names are case-sensitive; values over the
//     documented length are refused, not cut.
//
// # Not modelled
//
// Users, roles and JWT (any key sees everything unless narrowed); licences; rate
// limits (Fault answers 429); locks (a locked appointment moves); recurrence,
// containers, field values, URLs, planning quantities (kept nowhere, empty in
// the graph); resource calendars and capacity; that connectors and actions which
// are registered do anything; the transaction log; deletion of jobs, tasks and resources through the
// API; the parameters of jobs, tasks and resources that nothing here shows are
// accepted and forgotten.
package boardsim
