package broker

import (
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// session is one session of a queue. It exists while it has messages, a state
// or a holder.
type session struct {
	lane
	id          string
	stored      int // messages, in whatever state
	state       []byte
	updated     time.Time // of the state
	holder      *Receiver
	lockedUntil time.Time
	timer       timer
}

func (q *Queue) session(id string) *session {
	s := q.sessions[id]
	if s == nil {
		s = &session{id: id}
		s.lane.session = s
		q.sessions[id] = s
	}
	return s
}

func (q *Queue) dropIfIdle(s *session) {
	if s.stored == 0 && s.state == nil && s.holder == nil {
		delete(q.sessions, s.id)
	}
}

// AcceptSession takes the named session, which need not have messages. If
// another receiver has it: com.microsoft:session-cannot-be-locked.
func (q *Queue) AcceptSession(id string, mode Mode, sink Sink) (*Receiver, *amqp.Error) {
	defer q.b.lock()()
	if err := q.wantsSessions(); err != nil {
		return nil, err
	}
	s := q.session(id)
	if s.holder != nil {
		return nil, &amqp.Error{Condition: amqp.CondSessionCannotBeLocked,
			Description: "The requested session '" + id + "' cannot be accepted. It may be locked by another receiver."}
	}
	r := &Receiver{q: q, sink: sink, mode: mode}
	q.grant(s, r)
	return r, nil
}

// AcceptNext takes the free session whose first message is the oldest, now or
// when there is one. After wait without one the sink gets com.microsoft:timeout.
func (q *Queue) AcceptNext(wait time.Duration, mode Mode, sink Sink) (*Receiver, *amqp.Error) {
	defer q.b.lock()()
	if err := q.wantsSessions(); err != nil {
		return nil, err
	}
	r := &Receiver{q: q, sink: sink, mode: mode}
	if s := q.oldestFree(); s != nil {
		q.grant(s, r)
		return r, nil
	}
	q.waiting = append(q.waiting, r)
	q.b.timers.set(&r.timer, q.b.now().Add(wait), func(time.Time) {
		r.end()
		r.sink.Lost(&amqp.Error{Condition: amqp.CondTimeout, Description: "The operation did not complete within the allotted timeout: no session is available."})
	})
	return r, nil
}

func (q *Queue) wantsSessions() *amqp.Error {
	if q.cfg.RequiresSession {
		return nil
	}
	return &amqp.Error{Condition: amqp.CondNotAllowed, Description: "A sessionful message receiver cannot be created on an entity that does not require sessions."}
}

func (q *Queue) oldestFree() (oldest *session) {
	for _, s := range q.sessions {
		if s.holder == nil && len(s.ready) > 0 && (oldest == nil || s.ready[0].seq < oldest.ready[0].seq) {
			oldest = s
		}
	}
	return oldest
}

// offer gives a free session with messages to whoever waits longest.
func (q *Queue) offer(s *session) {
	if len(s.ready) > 0 && len(q.waiting) > 0 {
		r := q.waiting[0]
		q.waiting = slices.Delete(q.waiting, 0, 1)
		q.grant(s, r)
	}
}

func (q *Queue) grant(s *session, r *Receiver) {
	q.b.timers.stop(&r.timer)
	s.holder, r.session = r, s
	q.lockSession(s)
	q.emitSession(SessionAccepted, s)
	r.sink.Accepted(s.id, s.lockedUntil)
}

func (q *Queue) lockSession(s *session) {
	s.lockedUntil = q.b.now().Add(q.cfg.LockDuration)
	q.b.timers.set(&s.timer, s.lockedUntil, func(time.Time) { q.sessionLost(s) })
	for _, m := range q.locked {
		if m.lane == &s.lane {
			m.lockedUntil = s.lockedUntil
		}
	}
}

// sessionLost takes a session from its holder: its lock expired.
func (q *Queue) sessionLost(s *session) {
	r := s.holder
	r.end()
	q.freeSession(s, SessionLost)
	r.sink.Lost(SessionLockLost())
}

// freeSession ends the lock on a session. Its locked messages become ready
// again; a lost lock counts as a failed delivery, a released one does not.
func (q *Queue) freeSession(s *session, why EventKind) {
	q.b.timers.stop(&s.timer)
	s.holder.session, s.holder = nil, nil
	q.emitSession(why, s)
	var back []*message
	for _, m := range q.locked {
		if m.lane == &s.lane {
			back = append(back, m)
		}
	}
	// All are back in their places before any is handed out again: a receiver
	// that waits for this session must find its first message first.
	for _, m := range back {
		q.unlock(m)
		if why == SessionLost {
			q.failed(m)
		} else {
			q.place(m)
		}
	}
	q.dispatch(&s.lane)
	q.dropIfIdle(s)
}

// RenewSession extends the lock of the receiver's session to a full lock
// duration from now.
func (r *Receiver) RenewSession() (time.Time, *amqp.Error) {
	defer r.q.b.lock()()
	if r.session == nil {
		return time.Time{}, SessionLockLost()
	}
	r.q.lockSession(r.session)
	return r.session.lockedUntil, nil
}

// Session is the session that the receiver has now; false if it has none.
func (r *Receiver) Session() (id string, held bool) {
	defer r.q.b.lock()()
	if r.session == nil {
		return "", false
	}
	return r.session.id, true
}

// ExpireSession lets the lock of a session expire now; false if nobody has it.
func (q *Queue) ExpireSession(id string) bool {
	defer q.b.lock()()
	s := q.sessions[id]
	if s == nil || s.holder == nil {
		return false
	}
	q.sessionLost(s)
	return true
}

// SessionState gives the state of a session, nil if it has none.
func (q *Queue) SessionState(id string) []byte {
	defer q.b.lock()()
	if s := q.sessions[id]; s != nil {
		return s.state
	}
	return nil
}

// SetSessionState keeps a state with the receiver's session, beyond its
// messages; nil removes it.
func (r *Receiver) SetSessionState(state []byte) *amqp.Error {
	defer r.q.b.lock()()
	if r.session == nil {
		return SessionLockLost()
	}
	r.session.state, r.session.updated = slices.Clone(state), r.q.b.now()
	return nil
}

// Sessions lists, in order of their ids, the sessions that have messages or a
// state, or, with a time, those whose state was set after it.
func (q *Queue) Sessions(stateSetAfter *time.Time) []string {
	defer q.b.lock()()
	ids := []string{}
	for id, s := range q.sessions {
		if stateSetAfter == nil && (s.stored > 0 || s.state != nil) ||
			stateSetAfter != nil && s.state != nil && s.updated.After(*stateSetAfter) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
