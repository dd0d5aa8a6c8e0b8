package store

import (
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// State is where a link stands, for people to see. What is to be done is not
// decided by it, but by comparing what is wanted with what was seen.
type State string

const (
	Pending  State = "pending"  // something is wanted that the target does not show yet
	Creating State = "creating" // a create is under way, or its outcome unknown
	Agreed   State = "agreed"   // both sides show what the other last said
	Failed   State = "failed"   // refused for good; a person or a new version goes on
	Skipped  State = "skipped"  // the rules or flags say that it is not sent
	Hidden   State = "hidden"   // Outlook-born, left the filter: off the board, never deleted (R32)
	Released State = "released" // no longer ours to touch: it has attendees (R29)
	Gone     State = "gone"     // tombstone: neither side shows it (R7)
)

// Origin is the side on which an appointment was born.
type Origin string

const (
	Board   Origin = "board"
	Outlook Origin = "outlook"
)

// Link joins one appointment to one target. It is the truth of what is wanted
// and what was seen; messages only say "look". Its parts have one writer each:
// Wanted is written by whoever routes what the board says (and by the worker
// when it reads the board), all else by the target's worker alone. Both write by
// UpdateLink, so that neither loses the other's.
type Link struct {
	Target      string // the mailbox's Entra object id, or a connector's id
	Appointment string // the appointment's Guid, lower-case

	// Wanted is what the board wants shown there, as routing last said.
	Wanted Wanted

	State      State
	Origin     Origin
	Generation int // how often the event was created anew; part of transactionId (R13)

	BoardSeen   BoardSeen
	OutlookSeen OutlookSeen

	// Unmarked: the event was adopted and does not carry our named property yet;
	// the next write sets it.
	Unmarked bool

	// Sent is the open write to the target: stored before it is sent, removed
	// when its outcome is known (R12). Nil if there is none.
	Sent *Sent
	// BoardSent is the open write to the board (R25); nil if there is none.
	// While it is open nothing is sent to Outlook (R24).
	BoardSent *BoardSent
	// Inbound is what a read found and nobody has dealt with yet (R16).
	Inbound *Inbound

	// Flow is how much of the event its owner let the board see when this side was
	// last carried over (R19, R33): for an event born in Outlook that is Withheld
	// the state is Hidden.
	Flow appointment.Flow
	// Copied is what the person wrote into a board-born appointment and we carried
	// to the board, to take it back should it become private (R33); nil = nothing.
	Copied *Copied

	// Told is what the back office was last told; nil = nothing (connectors only).
	Told *Told
	// Since is when what is wanted was first tried to be delivered; zero = it was
	// not. It ends the retries after a time (connectors only).
	Since time.Time
	// Notice is where the planner's notification of a failure stands: "" = there is
	// none, "show" and "hide" = to be done, "shown" (connectors only).
	Notice string

	// Restored counts how often something was restored in Outlook lately that the
	// resource may not change; nil = nothing was (mailboxes only).
	Restored *Restored

	// BoardMissing is when a complete list of the board first lacked the
	// appointment though it is wanted here; zero = it did not (R27).
	BoardMissing time.Time

	// DueAt is when there is something to do: zero = nothing. The store keeps
	// the index of due links by it.
	DueAt time.Time
	// Attempts counts the transient failures since the last success.
	Attempts int
	// FailingSince is when the first of the Attempts failed.
	FailingSince time.Time
	// Asked: a person asked for the next attempt.
	Asked bool
	// Refused is what Outlook's shadow was before a finding that the board refused
	// for good was taken as seen: a retry goes back to it.
	Refused appointment.Content
	// Held: the appointment was missed on one side, together with so many others that
	// nothing is concluded from it until a person decides (R28); nil = it is not.
	Held *Held
	// Planner is what the planner is told of a failure on the board (mailboxes only).
	Planner PlannerNotice
	// Failure says why the state is failed, skipped or still pending: a stable
	// code and a sentence for people, without content.
	FailureCode, FailureText string

	Updated time.Time // when the row was last written, UTC
	ETag    string    // of the row; empty = not stored yet
}

// Wanted is the newest that is known of what the board shows for this target,
// from a message or from a read; the larger version stays. Absence is a value (R7).
type Wanted struct {
	Version appointment.Version
	// Absent: the appointment is deleted, or not assigned to this target.
	Absent bool
	// Deleted: Absent because the whole appointment is gone from the board.
	Deleted bool
	// Held: Absent because the rules keep it from Outlook, and what they say of it,
	// for people; empty = they do not.
	Held    string
	Content appointment.Content
	// Graph is what a back office is to be told: the appointment graph with the
	// assignments that concern it (connectors only).
	Graph []byte
	// Created: the board has announced the appointment's creation, and the back
	// office has not been told of anything yet (connectors only).
	Created bool
	// Joins: a back office has made the document itself, and has not been told yet
	// to join it with the appointment; Graph may be a later change (connectors only).
	Joins bool
}

// BoardSeen is the board's shadow: what it showed when both sides were last
// brought together, and which version that was (R20).
type BoardSeen struct {
	Version appointment.Version
	Content appointment.Content
	// ID and Number are the board's own keys of the appointment, if known.
	ID     int64
	Number string
}

// OutlookSeen is Outlook's shadow (R20).
type OutlookSeen struct {
	EventID  string // immutable id; empty = there is no event
	ETag     string
	Modified time.Time // lastModifiedDateTime, Exchange's clock
	ICalUID  string
	Content  appointment.Content
	// Series and Original name an occurrence: the id of its series and its start
	// as the pattern has it, which outlives its id. Empty of a single event.
	Series   string
	Original time.Time
	// Former is the id of the event that was last removed from this link: if it
	// comes back, a person has brought it back (R34).
	Former string
	// Attendees and Organizer as last seen: an event with attendees is never
	// deleted (R29), a copy of a meeting (Organizer false) is never written.
	Attendees int
	Organizer bool
}

// Held is a suspected deletion that is held back, or what was decided on it.
type Held struct {
	Side              string // where it was missed: "outlook" or "board"
	Reason            string // for people
	Suspected, Linked int    // how many were missed at once, of how many
	Since             time.Time
	Verdict           string // "" = nobody has decided, "released", "refused"
	Open              bool   // the verdict is still to be carried out
}

// Restored is how often something was restored in Outlook since a time.
type Restored struct {
	Count int
	Since time.Time
}

// PlannerNotice is where the notification of a link's failure stands. What it
// should be follows from the link.
type PlannerNotice struct {
	// Shown is the code that the board shows, or may show if not Done; "" = none.
	Shown string
	Done  bool
	// Due is when the board is told again after it could not be; zero = it need not be.
	Due   time.Time
	Tries int
}

// Sent is a write to Outlook whose outcome is not known yet.
type Sent struct {
	Op         string // calendar.Op
	Generation int
	Version    appointment.Version // the wanted version that it carries
	Content    appointment.Content // the fields that it sets
	At         time.Time
	// Graph is what a back office was sent, Attempt the how-manyth time (connectors only).
	Graph   []byte `json:",omitempty"`
	Attempt int    `json:",omitempty"`
	// Doubt: an earlier attempt may have arrived, whatever becomes of this one.
	Doubt bool `json:",omitempty"`
}

// BoardSent is a write to the board whose outcome is not known yet.
type BoardSent struct {
	Op      string // "upsert", "unassign", "hide"
	Content appointment.Content
	At      time.Time
}

// Copied are words of a person that the board was given, and what it had before.
type Copied struct {
	Wrote, Before appointment.Content
}

// Inbound is a finding of a read that is not applied yet.
type Inbound struct {
	// Removed: the round said removed, or a complete list did not hold the event.
	Removed bool
	// Inferred: Removed by absence only; such deletions are capped (R28).
	Inferred bool
	ETag     string
	Modified time.Time
	Content  appointment.Content
	ICalUID  string

	Attendees           int
	Organizer           bool
	Cancelled, Declined bool
	// Flow is how much of it might be seen when it was found; its words are here
	// only if it is Open.
	Flow  appointment.Flow
	Found time.Time // when the read began, our clock
}

// Head is the newest that the board has said of an appointment, and whom it
// concerned: swapped before any link is written (R6). It stays as a tombstone.
type Head struct {
	Appointment string
	Version     appointment.Version
	Operation   appointment.Operation
	// Digest of the board's content and assignees, to see whether what was read
	// from the board is news (R10).
	Digest string
	// Graph is the whole appointment graph as far as the board has ever said it
	// (dimescheduler.MergeGraph): what rules and back offices look at.
	Graph []byte
	// Targets holds all targets it was ever routed to, old and new, by
	// "kind/id"; true = it is wanted there now.
	Targets map[string]bool
	// Held are those of the targets for which it is assigned, but kept back by the
	// rules, and what these say of it, for people.
	Held map[string]string
	// Categories are the Outlook categories that stand for its category and time
	// marker, as it was routed.
	Categories string
	// Judged is the fingerprint of the rules and category links by which it was
	// routed: with another one it is judged anew.
	Judged  string
	Updated time.Time
	ETag    string
}

// Assigned reports whether the board wants the appointment at the target, whatever
// the rules say.
func (h *Head) Assigned(target string) bool {
	_, held := h.Held[target]
	return h.Targets[target] || held
}
