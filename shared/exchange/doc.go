// Package exchange is the Exchange connector: it keeps the Outlook calendars of
// resources and the planning board in agreement, in both directions.
//
// Worker is the single writer of a mailbox (idea 2). A nudge makes it do, in
// this order: resolve the writes whose outcome is unknown (resolve.go), look
// after the subscription (subscription.go), read if it has to (wakeup.go, read.go)
// and keep what was found in the links (finding.go), carry findings to the board
// (toboard.go, birth.go, removed.go), send what is wanted to Outlook in batches
// (plan.go, drain.go), and come to rest (rest.go). Renewal, Sweep, Redrive and
// ResourceSync are the timers around it.
//
// Guarantees: everything is safe twice and survives a SIGKILL between any two
// lines; nothing is deleted without proof; what fails stays in its link and is
// tried again. The rules are numbered R1-R40 (docs/sync-rules.md), and so are
// the tests.
//
// It does not decide whom an appointment concerns (shared/routing), and it knows
// neither HTTP nor Graph's JSON (shared/graph).
package exchange
