package backoffice

import (
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// known reports whether the back office has been told of the appointment.
func known(l *store.Link) bool { return l.Told != nil && l.Told.Exists }

// intended is the operation that brings the back office to what is wanted. An
// insert is only for what the board has just created and nobody was told of: back
// offices make a new document of each insert, and find the old one for an update
// (facts A5).
func intended(l *store.Link) Operation {
	switch {
	case l.Wanted.Absent:
		return Delete
	case l.Wanted.Created && !known(l):
		return Insert
	}
	return Update
}

// wants reports whether there is something to tell the back office.
func wants(l *store.Link) bool {
	switch {
	case l.Wanted.Version.IsZero():
		return false
	case l.Wanted.Absent:
		return known(l)
	}
	return !known(l) || l.Told.Digest != DigestOf(l.Wanted.Graph)
}

// plan decides what is sent next and puts it into Sent, the intent that is stored
// before the effect (R12); with nothing to send it puts the link to rest. It
// decides on the link alone, so that it may run again on a fresh row. skipped is
// the operation that the connector does not take.
func plan(l *store.Link, c Config, now time.Time) (skipped Operation, why string) {
	if l.Sent != nil {
		return "", "" // first things first
	}
	op := intended(l)
	switch fromBackOffice, document := echo(l.Wanted.Graph); {
	case !wants(l):
		rest(l, now)
		return "", ""
	case !l.Wanted.Absent && !c.Matches(jobOf(l.Wanted.Graph)):
		return elsewhere(l, op, now)
	case c.SkipEchoes && op == Update && fromBackOffice && known(l) && document == l.Told.BackOfficeID:
		told(l, op, now)
		rest(l, now)
		return op, "the change came from the back office itself"
	case !slices.Contains(c.Operations, op) && !(replaces(l) && slices.Contains(c.Operations, Insert)):
		told(l, op, now)
		rest(l, now)
		return op, "the connector is not set to send this operation"
	}
	l.State = store.Pending
	if op == Insert {
		l.State = store.Creating
	}
	l.Sent = &store.Sent{Op: string(op), Version: l.Wanted.Version, At: now, Graph: l.Wanted.Graph, Attempt: l.Attempts + 1}
	if l.Wanted.Joins && op == Insert && !IsEcho(l.Wanted.Graph) {
		// A planner has changed what the back office made before it was told so: an
		// insert without the mark would make a second document. The change follows.
		l.Sent.Graph = asEcho(l.Wanted.Graph)
	}
	l.DueAt = now
	if l.Since.IsZero() {
		l.Since = now
	}
	return "", ""
}

// replaces reports an update that stands for an insert whose outcome is not known.
func replaces(l *store.Link) bool {
	return intended(l) == Update && l.Told != nil && l.Told.Exists && l.Told.Digest == ""
}

// elsewhere holds back what was routed before the connector was given another
// source app or type: it would go to a back office that it does not belong to. The
// next change of the appointment is routed anew; corrected, the connector sends it.
func elsewhere(l *store.Link, op Operation, now time.Time) (skipped Operation, why string) {
	const text = "the connector is registered for another source app or source type now"
	if l.FailureText != text {
		skipped, why = op, text
	}
	l.State, l.DueAt, l.FailureCode, l.FailureText = store.Skipped, now.Add(recheck), CodeNotAllowed, text
	return skipped, why
}

// told notes what the back office knows from now on.
func told(l *store.Link, op Operation, now time.Time) {
	next := store.Told{}
	if l.Told != nil {
		next = *l.Told
	}
	graph := l.Wanted.Graph
	if l.Sent != nil {
		graph = l.Sent.Graph
	}
	next.Exists, next.At = op != Delete, now
	if next.Digest = DigestOf(graph); l.Wanted.Joins && IsEcho(graph) && !IsEcho(l.Wanted.Graph) {
		next.Digest = "" // joined, and not told of what changed since
	}
	l.Wanted.Joins = false
	next.ReadAt, next.Reads, next.State, next.StateText = time.Time{}, 0, "", ""
	if _, document := echo(graph); document != "" {
		next.BackOfficeID = document
	}
	l.Told = &next
	l.Wanted.Created = false
}

// rest puts a link to rest that has nothing to send: until its status is read,
// or its notice shown or taken away.
func rest(l *store.Link, now time.Time) {
	l.State = store.Agreed
	if l.Wanted.Absent {
		l.State = store.Gone
	}
	l.Attempts, l.Since, l.Asked = 0, time.Time{}, false
	l.FailureCode, l.FailureText = "", ""
	if l.Notice != "" {
		l.Notice = noticeHide
	}
	schedule(l, now)
}

// schedule sets when a link that rests is looked at again.
func schedule(l *store.Link, now time.Time) {
	l.DueAt = time.Time{}
	if l.Told != nil {
		l.DueAt = l.Told.ReadAt
	}
	if l.Notice == noticeShow || l.Notice == noticeHide {
		l.DueAt = now
	}
}

// key is the idempotency key of what is sent: the same for every attempt of the
// same state, and for no other.
func key(connector string, l *store.Link) string {
	return connector + "/" + l.Appointment + "/" + l.Sent.Version.String() + "/" + l.Sent.Op
}

func operationName(o Operation) string {
	switch o {
	case Insert:
		return string(appointment.Create)
	case Delete:
		return string(appointment.Delete)
	}
	return string(appointment.Update)
}
