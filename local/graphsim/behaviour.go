package graphsim

import "time"

// Behaviour is how the simulated service behaves beyond what is documented for sure: the zero
// value is Graph on a good day. Server.Change alters it at run time.
type Behaviour struct {
	// Latency is added, in real time, to every request to a mailbox.
	Latency time.Duration

	// Concurrency is the number of requests that one mailbox serves at a time; one more gets 429
	// MailboxConcurrency. 0 = 4, as Graph; negative = no limit.
	Concurrency int
	// RateLimit requests per RatePer are served for one mailbox, then 429. 0 = no limit (Graph: 10,000 in 10 min).
	RateLimit int
	// RatePer is the period of RateLimit. 0 = 10 min.
	RatePer time.Duration
	// ThrottleStatus is the status of a throttled request: 0 = 429; 503 occurs too.
	ThrottleStatus int
	// RetryAfter is what a throttled request is told to wait, if the limit does not say. 0 = 1 s.
	RetryAfter time.Duration
	// RetryAfterForm is how Retry-After is written.
	RetryAfterForm RetryAfterForm
	// MaxBody is the largest request body in bytes, unpacked; more gets 413. 0 = 4 MiB.
	MaxBody int64

	// ExtraUpdates is the number of "updated" notifications that follow each created or updated one.
	ExtraUpdates int
	// StageDelay, if not 0, makes Exchange touch each written event once more that much real time
	// later: new change key and lastModifiedDateTime, same content, one more notification.
	StageDelay time.Duration

	// DeltaLag is the time after which a change becomes visible in delta, on the Server's clock.
	DeltaLag time.Duration
	// DeltaRepeat makes delta show every state of an event since the last round, oldest first,
	// instead of the newest only.
	DeltaRepeat bool
	// DeltaEmptyPages puts an empty page in front of every delta round.
	DeltaEmptyPages bool
	// DeltaMasterOnly makes delta report a changed series by its master alone.
	DeltaMasterOnly bool

	// DeletedReadable makes an event in Deleted Items answer to GET, PATCH and DELETE by id, as
	// immutable ids survive the move. Without it, 404 ErrorItemNotFound.
	DeletedReadable bool
	// TransactionAfterDelete is what a POST does whose transactionId belongs to a deleted event.
	TransactionAfterDelete TransactionReuse
	// RefuseDuplicateSubscriptions answers 409 to a second subscription for the same resource and
	// changeType by the same app, as documented but not always seen.
	RefuseDuplicateSubscriptions bool

	// OriginalZone, if not nil, is shown as the original zone of every event, whatever it is: mailboxes
	// hold zones that only they know, and some that have no name any more.
	OriginalZone *string
	// ShownTimes are the start and end, as Graph writes them, that events show by immutable id instead
	// of theirs: Exchange says "none" by dates of the years 1 and 9999. Not to be altered while requests run.
	ShownTimes map[string][2]string

	// Notifications are the faults of delivery.
	Notifications NotificationFaults
}

// NotificationFaults distort the delivery of change notifications; lifecycle notifications always arrive.
type NotificationFaults struct {
	// DropNext loses that many notifications, counting down.
	DropNext int
	// Drop is the probability that a notification is lost.
	Drop float64
	// Duplicate is the probability that a notification is delivered twice.
	Duplicate float64
	// Reorder shuffles the items of each POST.
	Reorder bool
	// Delay is waited, in real time, before a notification is handed to delivery.
	Delay time.Duration
	// Forge adds an item with an unknown subscription and a wrong clientState to every POST.
	Forge bool
}

// TransactionReuse is the behaviour of a transactionId after its event was deleted, of which
// nothing is documented.
type TransactionReuse int

// The possible behaviours.
const (
	// TransactionForgotten creates a new event.
	TransactionForgotten TransactionReuse = iota
	// TransactionReturnsDeleted answers 201 with the deleted event and creates nothing.
	TransactionReturnsDeleted
	// TransactionConflicts answers 409 and creates nothing.
	TransactionConflicts
)

// RetryAfterForm is how a Retry-After header is written; Graph was seen to use all three.
type RetryAfterForm int

// The forms of Retry-After.
const (
	RetryAfterSeconds  RetryAfterForm = iota // "3"
	RetryAfterFraction                       // "2.128"
	RetryAfterDate                           // "Sat, 21 Nov 2026 10:00:00 GMT"
)

// Change alters the behaviour at run time.
func (s *Server) Change(f func(*Behaviour)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.behaviour)
}
