// Package store keeps the system's state: links, heads, targets, resources,
// settings, transactions, parked messages. Tables is the store on Azure Table
// Storage, Mem its in-memory twin for tests; both pass storetest.
//
// Guarantees: every write of an existing row is a compare-and-swap on its ETag;
// a link and its index rows change together or not at all; columns that this
// program does not know survive its writes (R40). A failing table service is
// retried inside the call while its context lasts (R5). Secrets are never kept
// here.
package store

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict: the row has been changed, or created, by somebody else.
	ErrConflict = errors.New("store: changed by somebody else")
)

// TargetKind is what a target is.
type TargetKind string

const (
	Mailbox   TargetKind = "mailbox"
	Connector TargetKind = "connector"
	Service   TargetKind = "service" // "board" or "graph" as a whole
)

// Target is the row of a mailbox, a connector or a service: what its worker
// has to remember between two nudges. Only its worker writes it, but for Due
// (LowerDue), Participates, and what people decide: that a mailbox is released,
// and what becomes of its events when it is left.
type Target struct {
	Kind TargetKind
	ID   string

	// Email by which the resource names the mailbox (resources may share it).
	Email string
	// Participates: at least one resource takes part with this mailbox.
	Participates bool

	// Phase is where a mailbox stands on its way in; Preview counts what its
	// release would do, as last read.
	Phase   Phase
	Preview Preview
	// ReleasedBy and ReleasedAt: who let the mailbox be written, and when.
	ReleasedBy string
	ReleasedAt time.Time
	// Leaving is what a person wants done with the events of a mailbox that takes
	// no part any more; empty = nothing is ordered. LeavingBy and LeavingAt: who and when.
	Leaving   Leaving
	LeavingBy string
	LeavingAt time.Time

	// Due is when redrive looks after this target by itself (R1); zero = never.
	Due time.Time
	// Booked is the Due for which a nudge is booked, too (R2); zero = none is.
	Booked time.Time
	// NotBefore: the other side asked to be left alone until then.
	NotBefore time.Time

	DeltaLink    string
	WindowStart  time.Time
	WindowEnd    time.Time
	LastRead     time.Time // when the last successful read began, our clock (R4)
	LastBaseline time.Time // when the last full comparison with both sides began
	BookedRead   time.Time // a further read is booked for then (R4)
	// BatchSize is how many writes one call carries after a call failed as a
	// whole; 0 = as many as fit (R15).
	BatchSize int
	Round     int64 // counts the rounds, for logs
	// Judged is the fingerprint of the rules and category links by which the board's
	// list was last looked through.
	Judged string
	// NoCategories is since when the mailbox's list of categories may not be written;
	// zero = it may, as far as is known.
	NoCategories time.Time
	// Filter is the fingerprint of the choices by which the calendar was last read
	// as a whole: when they are others it is read again.
	Filter string

	Subscription        string // id of the change notification subscription
	SubscriptionExpires time.Time
	SubscriptionRenewed time.Time // to de-bounce lifecycle events
	SubscriptionKey     string    // fingerprint of the key that signed its clientState

	// Suspended: nothing of this target works now (R39).
	SuspendedSince  time.Time
	SuspendedReason string
	SuspendedCode   string
	// SuspendedFor are the ETags of the connector's record that failed, newest first,
	// with blanks between them: another is tried at once.
	SuspendedFor string
	// SuspendedBy is the service whose suspension this one follows; "" = its own.
	SuspendedBy string
	Probe       time.Time // when it is tried next
	Probes      int

	ETag string
}

// Phase is where a mailbox stands on its way in. Until it is released nothing is
// written, neither to its calendar nor to the board.
type Phase string

const (
	// PhaseReleased is the zero value, as in rows of versions that knew no phases (R40).
	PhaseReleased  Phase = ""
	PhaseNew       Phase = "new"       // nothing is known of it yet
	PhasePreviewed Phase = "previewed" // what a release would do is known
	PhaseAdopting  Phase = "adopting"  // released by a person or a setting; its events are being adopted
)

// Waits reports whether the mailbox waits for its release.
func (p Phase) Waits() bool { return p == PhaseNew || p == PhasePreviewed }

// Preview counts what the release of a mailbox would do.
type Preview struct {
	At      time.Time // when both sides were read for it; zero = never
	Adopt   int       // events that are an appointment's already
	Create  int       // appointments that get a new event
	Delete  int       // events of ours that are removed, as their appointment is gone
	ToBoard int       // events that become appointments of the board
	Left    int       // events that are left alone, and why has to be looked at
}

// Leaving is what becomes of the events of a mailbox that takes no part any more.
type Leaving string

const (
	LeavingKeep   Leaving = "keep"   // they stay, and are nobody's concern any more
	LeavingRemove Leaving = "remove" // those that lie ahead and were made by the board go
)

// Resource is a resource of the board and the mailbox found for it.
type Resource struct {
	No, Name, Email string
	SourceApp       string    // the back office that it came from; empty = not known
	Exchange        bool      // it takes part: wanted, by flag or override, and its mailbox was found
	Flag            bool      // the board's own flag
	Override        Override  // what an administrator has said instead
	OverrideBy      string    // who
	OverrideAt      time.Time // and when
	Mailbox         string    // Entra object id; empty = not found
	Problem         string    // why it takes no part, for people; empty = it does
	Seen            time.Time // when the board last listed it
	Found           time.Time // when the mailbox was last looked up
	// Left holds the mailboxes with which the resource took part and does not any
	// more, and since when. Of each it is an open question whether its future
	// events stay or go; as long as nobody answers they stay.
	Left map[string]time.Time
	ETag string
}

// Override is an administrator's word on whether a resource takes part.
type Override string

const (
	OverrideNone Override = "" // the board's flag counts
	OverrideOn   Override = "on"
	OverrideOff  Override = "off"
)

// Transaction is one outgoing call, or one decision not to make it.
type Transaction struct {
	Family      string // "exchange", "board", "dynamics", "webhook"
	Appointment string
	Target      string
	Resource    string // number of the board's resource, where known; several by comma
	Operation   string
	Status      string        // Success, Skipped, Failed, EmptyBackOffice, InvalidBackOfficeSettings, Conflict
	Code        string        // stable code, may be empty
	Remote      string        // the other side's own code, may be empty
	Text        string        // a sentence for people, without content
	Source      string        // "service", "website", "timer"
	Attempt     int           // the how-manyth attempt of this change, from 1; 0 = not counted
	Batch       int           // how many items the call carried; 0 = it was no batch
	Duration    time.Duration // of the call, a batch's as a whole
	Invocation  string        // the host's id of the run
	Trace       string        // W3C trace id
	// Request is the other side's id of the call, Client the one that it was given.
	Request, Client string
	At              time.Time
}

// Sources of a transaction (facts B.6).
const (
	SourceService = "service" // the normal way
	SourceWebsite = "website" // a person asked for it
	SourceTimer   = "timer"   // a timer found that it was owed
)

// TransactionQuery selects transactions, newest first. Family or Appointment is
// needed; what is empty does not restrict.
type TransactionQuery struct {
	Family, Appointment  string
	Target, Status, Code string
	From, To             time.Time // [From, To)
	Limit                int       // rows of a page; 0 = 50, at most 500
	After                string    // Next of the page before
}

// TransactionPage is one page. Next is empty on the last.
type TransactionPage struct {
	Rows []Transaction
	Next string
}

// Parked is a message that could not be used.
type Parked struct {
	ID         string // of this row; given by Park if empty
	Queue      string
	MessageID  string
	Reason     string
	Body       []byte
	Properties map[string]string
	At         time.Time
}

// Delta is something seen in a mailbox that could not be aligned with an
// appointment, or was left alone on purpose.
type Delta struct {
	Mailbox, Event string
	Kind           string // "time", "attendees", "second", "series", "movein", "held", ...
	Text           string // for people; no content of filtered events (R19)
	Start, End     time.Time
	At             time.Time // when it was last seen
	// Dismissed is when a person took it off the list; zero = it is on it.
	Dismissed time.Time
}

// news reports whether d says something else than was says.
func (d Delta) news(was Delta) bool {
	return d.Kind != was.Kind || d.Text != was.Text || !d.Start.Equal(was.Start) || !d.End.Equal(was.End)
}

// Links is the state of links and heads.
type Links interface {
	// Link returns the link, or ErrNotFound.
	Link(ctx context.Context, target, appointment string) (*Link, error)
	// LinkByEvent finds the link of a target by its OutlookSeen.EventID, or ErrNotFound.
	LinkByEvent(ctx context.Context, target, event string) (*Link, error)
	// Links returns all links of a target, tombstones too, ordered by appointment.
	Links(ctx context.Context, target string) ([]*Link, error)
	// DueLinks returns up to limit links that are due at now, the longest due
	// first, and when the next of the others is due (zero: there is none).
	DueLinks(ctx context.Context, target string, now time.Time, limit int) (due []*Link, next time.Time, err error)
	// UpdateLink reads the link (a new, empty one with its keys if there is
	// none), lets change edit it and swaps it in; when somebody else was faster
	// it begins again with the fresh row, so change may run several times and
	// must depend on nothing but the link. A link that change leaves as it was is not written.
	// An error of change ends it, unwritten, with that error. It returns the link as stored.
	UpdateLink(ctx context.Context, target, appointment string, change func(*Link) error) (*Link, error)
	// UpdateLinks is UpdateLink for many links of one target, in as few calls
	// as the store can make; each link stands for itself: errs[i] is that of
	// appointments[i] (nil = stored).
	UpdateLinks(ctx context.Context, target string, appointments []string, change func(*Link) error) (links []*Link, errs []error)
	// RenameLink moves a link to another appointment Guid, in one step, and
	// lets absorb take over what a link already there holds (nil if none) (R25).
	RenameLink(ctx context.Context, target, from, to string, absorb func(moved, there *Link) error) (*Link, error)

	// Head returns the head of an appointment, or ErrNotFound.
	Head(ctx context.Context, appointment string) (*Head, error)
	// SwapHead stores h if the row still has h.ETag (empty: if there is no row
	// yet), else ErrConflict; it sets the new ETag.
	SwapHead(ctx context.Context, h *Head) error
}

// Targets is the state of targets.
type Targets interface {
	// Target returns the row, or ErrNotFound.
	Target(ctx context.Context, kind TargetKind, id string) (*Target, error)
	// Targets returns all targets of a kind, ordered by id.
	Targets(ctx context.Context, kind TargetKind) ([]*Target, error)
	// DueTargets returns the targets of a kind whose Due has passed.
	DueTargets(ctx context.Context, kind TargetKind, now time.Time) ([]*Target, error)
	// SwapTarget stores t if the row still has t.ETag (empty: if there is no
	// row yet), else ErrConflict; it sets the new ETag.
	SwapTarget(ctx context.Context, t *Target) error
	// LowerDue makes sure that the target's Due is at or before at (creating
	// the row if there is none), by swap, and does not write if it is already (R1).
	LowerDue(ctx context.Context, kind TargetKind, id string, at time.Time) error
	// TouchDue is LowerDue that changes the row in any case: a worker that has
	// read it and is about to raise Due finds it changed, and looks again (R1).
	TouchDue(ctx context.Context, kind TargetKind, id string, at time.Time) error
}

// Directory is the state of resources.
type Directory interface {
	// Resource returns a resource by its number, or ErrNotFound.
	Resource(ctx context.Context, no string) (*Resource, error)
	// Resources returns all resources, ordered by number.
	Resources(ctx context.Context) ([]*Resource, error)
	// ResourcesOf returns the resources whose Mailbox it is, ordered by number.
	ResourcesOf(ctx context.Context, mailbox string) ([]*Resource, error)
	// UpdateResource reads the resource (a new, empty one with its number if there
	// is none), lets change edit it and swaps it in; when somebody else was faster
	// it begins again with the fresh row. One that change leaves as it was is not
	// written. It returns the resource as stored.
	UpdateResource(ctx context.Context, no string, change func(*Resource)) (*Resource, error)
	// PutResource stores r, whatever was there.
	PutResource(ctx context.Context, r *Resource) error
}

// Journal is what people look at: transactions, parked messages, deltas.
type Journal interface {
	// Record appends transactions; each is found by family and day and by appointment.
	Record(ctx context.Context, t ...Transaction) error
	// Transactions returns the newest of a family, at most limit, newest first.
	Transactions(ctx context.Context, family string, limit int) ([]Transaction, error)
	// TransactionsOf returns the newest of an appointment, at most limit, newest first.
	TransactionsOf(ctx context.Context, appointment string, limit int) ([]Transaction, error)
	// FindTransactions returns a page of what the query selects. What is recorded
	// while somebody turns the pages is on none of the later ones. An After that is
	// none of this query's is Invalid.
	FindTransactions(ctx context.Context, q TransactionQuery) (TransactionPage, error)
	// Park keeps a message that could not be used. Parking the same ID again is no error.
	Park(ctx context.Context, p *Parked) error
	// ParkedMessages returns the newest parked messages, at most limit.
	ParkedMessages(ctx context.Context, limit int) ([]*Parked, error)
	// Unpark removes a parked message; one that is not there is no error.
	Unpark(ctx context.Context, id string) error
	// PutDelta stores d, one row per mailbox and event. One that was dismissed stays
	// so, unless d says something else than the row did.
	PutDelta(ctx context.Context, d Delta) error
	// DismissDelta takes a row off the list; it is no error if there is none.
	DismissDelta(ctx context.Context, mailbox, event string) error
	// RemoveDelta forgets a row, as what it tells of is no more; likewise.
	RemoveDelta(ctx context.Context, mailbox, event string) error
	// Deltas returns the deltas of a mailbox ("" = of all) that are not dismissed,
	// newest first, at most limit.
	Deltas(ctx context.Context, mailbox string, limit int) ([]Delta, error)
	// Audit appends an entry: who has changed what.
	Audit(ctx context.Context, e AuditEntry) error
	// AuditLog returns the newest entries, newest first, at most limit.
	AuditLog(ctx context.Context, limit int) ([]AuditEntry, error)
	// Prune removes tombstones and journal rows last written before the given
	// time, a bounded number per call, and returns how many.
	Prune(ctx context.Context, before time.Time) (int, error)
}

// Connectors is the state of the configured back offices.
type Connectors interface {
	// Connector returns a record, or ErrNotFound.
	Connector(ctx context.Context, id string) (*ConnectorRecord, error)
	// Connectors returns all records, ordered by id; rows that can not be read are
	// broken, by the key of the row, and keep nobody from the others.
	Connectors(ctx context.Context) (records []*ConnectorRecord, broken map[string]error, err error)
	// SwapConnector stores r if the row still has r.ETag (empty: if there is no
	// row yet), else ErrConflict; it sets the new ETag.
	SwapConnector(ctx context.Context, r *ConnectorRecord) error
	// DeleteConnector removes the record if it still has etag, else ErrConflict; one
	// that is not there is no error.
	DeleteConnector(ctx context.Context, id, etag string) error
}

// Values keeps small named settings as JSON, and small counters of the fleet.
type Values interface {
	// Value returns the text stored under name and its ETag, or ErrNotFound.
	Value(ctx context.Context, name string) (text, etag string, err error)
	// SwapValue stores the text under name if the row still has etag (empty: if
	// there is no row yet), else ErrConflict; it returns the new ETag.
	SwapValue(ctx context.Context, name, text, etag string) (string, error)
}

// Store is all state.
type Store interface {
	Links
	Targets
	Directory
	People
	Journal
	Connectors
	Values
	// Ping reports whether the store can be read and written.
	Ping(ctx context.Context) error
	// Probe is a thorough Ping: it looks into every table, and writes, reads and
	// removes a row. It leaves nothing behind that the next Probe would not remove.
	Probe(ctx context.Context) error
}
