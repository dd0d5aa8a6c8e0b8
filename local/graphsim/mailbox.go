package graphsim

import (
	"encoding/base64"
	"encoding/binary"
	"time"
)

// mailbox is the calendar of one user. Events in it are never altered in place: a change is a new
// *Event, so that the log can keep the old ones.
type mailbox struct {
	user       User
	state      MailboxState
	prefix     string            // of its ids
	ids        map[string]uint64 // last number used in an id, by kind
	epoch      int               // delta tokens of another epoch are lost
	events     map[string]*Event // by immutable id; in the calendar and in Deleted Items
	mutable    map[string]string // mutable id to immutable id
	byTx       map[string]string // transactionId to immutable id
	log        []change          // all changes, oldest first; a delta token is an index into it
	categories []category
	inFlight   int
	quirks     *Behaviour  // of the server
	served     []time.Time // of the requests in the current rate period
}

// change is one entry of the log: the state of an event from then on.
type change struct {
	at    time.Time
	event *Event
}

func newMailbox(s *Server, u User) *mailbox {
	return &mailbox{
		user: u, quirks: &s.behaviour, prefix: s.idPrefix(), ids: map[string]uint64{},
		events: map[string]*Event{}, mutable: map[string]string{}, byTx: map[string]string{},
	}
}

// Ids are as long and as nasty as Exchange's: the last characters count in base64, so that
// neighbours differ in a single letter and every 26th in its case only.
const (
	immutablePrefix = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A"
	mutablePrefix   = "AAMkADhmYjE4NzVlLWNiMGQtNGYwZi1hNDBi"
	idLength        = len(immutablePrefix) + 24 + 8
)

func (s *Server) idPrefix() string {
	raw := make([]byte, 18)
	for i := range raw {
		raw[i] = byte(s.rng.Uint32())
	}
	return base64.URLEncoding.EncodeToString(raw)
}

// newID makes an id with the given start. Locked.
func (s *Server) newID(kind string, b *mailbox) string {
	b.ids[kind]++
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], b.ids[kind])
	return kind + b.prefix + base64.URLEncoding.EncodeToString(raw[2:])
}

// newChangeKey makes a change key. Locked.
func (s *Server) newChangeKey() string {
	s.counter++
	raw := make([]byte, 22)
	binary.BigEndian.PutUint64(raw[8:], s.rng.Uint64())
	binary.BigEndian.PutUint64(raw[14:], s.counter)
	return base64.StdEncoding.EncodeToString(raw)
}

// create puts a new event into the calendar. Locked.
func (s *Server) create(b *mailbox, e *Event) *Event {
	e.ID = s.newID(immutablePrefix, b)
	e.ICalUID = "040000008200E00074C5B7101A82E008" + e.ID[len(e.ID)-24:]
	e.Created = s.now()
	s.rehome(b, e)
	if e.TransactionID != "" {
		b.byTx[e.TransactionID] = e.ID
	}
	s.commit(b, e, "created", e.ID)
	s.mailAttendees(b, e, "invitation")
	return e
}

// update makes e the new state of its event. notifyID is the id that the notification names: the
// event's own, or that of an exception. Locked.
func (s *Server) update(b *mailbox, e *Event, notifyID string) *Event {
	s.commit(b, e, "updated", notifyID)
	return e
}

// remove moves an event to Deleted Items. Locked.
func (s *Server) remove(b *mailbox, e *Event) {
	next := e.clone()
	next.Deleted = true
	s.rehome(b, next)
	s.commit(b, next, "deleted", e.ID)
	if e.IsOrganizer {
		s.mailAttendees(b, e, "cancellation")
	}
}

// purge takes an event out of the mailbox for good. Locked.
func (s *Server) purge(b *mailbox, e *Event) {
	next := e.clone()
	next.Deleted = true
	if !e.Deleted {
		s.commit(b, next, "deleted", e.ID)
	}
	delete(b.events, e.ID)
	delete(b.mutable, e.MutableID)
}

// rehome gives an event a new mutable id, as a move between folders does. Locked.
func (s *Server) rehome(b *mailbox, e *Event) {
	delete(b.mutable, e.MutableID)
	e.previousMutable = e.MutableID
	e.MutableID = s.newID(mutablePrefix, b)
	b.mutable[e.MutableID] = e.ID
}

// commit stores a state, logs it for delta, notifies, and books Exchange's second touch. Locked.
func (s *Server) commit(b *mailbox, e *Event, kind, notifyID string) {
	s.store(b, e)
	s.notify(b, e, kind, notifyID)
	if kind == "deleted" {
		return
	}
	for range s.behaviour.ExtraUpdates {
		s.notify(b, e, "updated", notifyID)
	}
	if s.behaviour.StageDelay > 0 {
		s.later(s.behaviour.StageDelay, func() { s.touch(b, e.ID, notifyID) })
	}
}

// store stamps and keeps a state without telling anybody. Locked.
func (s *Server) store(b *mailbox, e *Event) {
	e.ChangeKey = s.newChangeKey()
	e.Modified = s.now()
	b.events[e.ID] = e
	b.log = append(b.log, change{at: e.Modified, event: e})
}

// touch is the second stage of a write: new change key, same content. Locked.
func (s *Server) touch(b *mailbox, id, notifyID string) {
	e, exists := b.events[id]
	if !exists || e.Deleted {
		return
	}
	next := e.clone()
	if x, isException := next.exceptionByID(notifyID); isException {
		x.ChangeKey, x.Modified = s.newChangeKey(), s.now()
	}
	s.store(b, next)
	s.notify(b, next, "updated", notifyID)
}

// calendar returns the events in the calendar by start, then id. Locked.
func (b *mailbox) calendar() []*Event {
	var out []*Event
	for _, e := range b.events {
		if !e.Deleted {
			out = append(out, e)
		}
	}
	sortEvents(out)
	return out
}

// Mail is one mail that Exchange would have sent to the attendees of an event.
type Mail struct {
	User    string // object id of the mailbox that sends
	EventID string
	Kind    string // invitation, update, cancellation
	To      []string
}

// Mails returns the mails that writes to events with attendees would have caused.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

func (s *Server) mailAttendees(b *mailbox, e *Event, kind string) {
	if len(e.Attendees) == 0 || !e.IsOrganizer {
		return
	}
	m := Mail{User: b.user.ID, EventID: e.ID, Kind: kind}
	for _, a := range e.Attendees {
		m.To = append(m.To, a.Address)
	}
	s.mails = append(s.mails, m)
}
