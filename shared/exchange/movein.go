package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// previewAge is after how long the preview of a mailbox that waits for its
// release is read anew.
const previewAge = 12 * time.Hour

// releasedBySetting stands for the person where a setting releases all.
const releasedBySetting = "setting releaseAll"

// moveIn deals with a mailbox that is not in yet. Until it is released nothing is
// written to either side: what a release would do is read and kept for people.
// Once released its events are adopted, and only then it reports true: what
// follows is ordinary work.
func (s *session) moveIn(ctx context.Context, n bus.Nudge) (in bool, err error) {
	if s.row.Phase.Waits() {
		if !s.settings.ReleaseAll {
			return false, s.preview(ctx, n)
		}
		err := s.save(ctx, func(t *store.Target) {
			if t.Phase.Waits() {
				t.Phase, t.ReleasedBy, t.ReleasedAt, t.Due = store.PhaseAdopting, releasedBySetting, s.Now(), s.Now()
			}
		})
		if err != nil {
			return false, err
		}
	}
	if err := s.resolveOpen(ctx); err != nil {
		return false, err
	}
	return s.adoptAll(ctx)
}

// survey reads what an adoption is decided on. It writes nothing.
func (s *session) survey(ctx context.Context) (adoptable, error) {
	in := adoptable{mailbox: s.mailbox, now: s.Now(), asked: map[string]answer{}}
	window := s.settings.Window(in.now)
	in.born = func(e calendar.Event) bool {
		start, end, _ := e.Content.Times()
		return s.bornHere(e) && window.Overlaps(start, end)
	}
	var err error
	// The links first: what is routed meanwhile is newer than the list.
	if in.links, err = s.Store.Links(ctx, s.mailbox); err != nil {
		return in, err
	}
	// Whose an event is may be told by words that its owner does not let the board
	// see: they are compared here, in memory, and go no further.
	wordy := zoned{watchedCalendar{s.Worker.Calendar, s}, s.zone()}
	if in.events, err = wordy.Tagged(ctx, s.mailbox, window.Padded(windowMargin)); err != nil {
		return in, err
	}
	in.looks = map[string]looks{}
	for _, e := range in.events {
		if l, ok := looksOf(e.Content); ok {
			in.looks[e.ID] = l
		}
	}
	if in.events, err = (&judged{filter: s.flowsBack}).list(ctx, in.events, nil); err != nil {
		return in, err
	}
	numbers := make([]string, len(s.resources))
	for i, r := range s.resources {
		numbers[i] = r.No
	}
	listed, err := s.Board.Appointments(ctx, window.Start, window.End, numbers)
	if err != nil {
		return in, err
	}
	if in.kept, err = s.keptByRules(ctx, listed); err != nil {
		return in, err
	}
	there := map[string]bool{}
	for _, a := range listed {
		if len(s.assignedHere(a)) > 0 {
			in.board = append(in.board, a)
			there[a.Guid] = true
		}
	}
	for _, e := range in.events {
		guid, ok := s.named(e)
		if _, known := in.asked[guid]; !ok || known || there[guid] {
			continue
		}
		if in.asked[guid], err = s.ask(ctx, e, guid); err != nil {
			return in, err
		}
	}
	return in, nil
}

// keptByRules asks the rules of each appointment, as routing will (judge). A rule
// that can not be evaluated keeps nothing.
func (s *session) keptByRules(ctx context.Context, listed []appointment.Appointment) (map[string]string, error) {
	kept := map[string]string{}
	if len(s.policy.Rules.Rules()) == 0 {
		return kept, nil
	}
	for _, a := range listed {
		head, err := s.Store.Head(ctx, a.Guid)
		if errors.Is(err, store.ErrNotFound) {
			head = &store.Head{}
		} else if err != nil {
			return nil, err
		}
		body, err := dimescheduler.EncodeChange(a)
		if err != nil {
			return nil, err
		}
		graph, _, err := dimescheduler.MergeGraph(head.Graph, appointment.Change{Operation: appointment.Update, Appointment: a, Raw: body})
		if err != nil {
			return nil, err
		}
		if o := s.policy.Rules.Evaluate(graph); !o.Passes && o.Broken == "" {
			kept[a.Guid] = o.Message
		}
	}
	return kept, nil
}

// named is the appointment that our marks on an event name.
func (s *session) named(e calendar.Event) (guid string, ok bool) {
	if guid, _, ok := ours(s.mailbox, e.TransactionID); ok {
		return guid, true
	}
	m, ok := parseMark(e.Mark)
	return m.appointment, ok && m.of(e.ID)
}

// ask asks the board for an appointment that its list lacks and that an event of
// ours names. The board's fault is no answer, not an error.
func (s *session) ask(ctx context.Context, e calendar.Event, guid string) (answer, error) {
	a, err := s.appointment(ctx, &store.Link{Target: s.mailbox, Appointment: guid, OutlookSeen: store.OutlookSeen{Content: e.Content}})
	switch {
	case err == nil && len(s.assignedHere(a)) > 0:
		return answer{appointment: &a}, nil
	case err == nil, goneFromBoard(err):
		return answer{gone: true}, nil
	case ctx.Err() != nil:
		return answer{}, err
	}
	return answer{}, nil
}

// surveyed is survey; what the board fails to say is tried again later, and is no
// fault of the mailbox (false).
func (s *session) surveyed(ctx context.Context) (in adoptable, ok bool, err error) {
	in, err = s.survey(ctx)
	if f := fault.Of(err); err == nil || !fromBoard(f) {
		return in, err == nil, err
	}
	s.log.WarnContext(ctx, "moving in: the board could not be read: tried again later", "error", err)
	if !turnedAwayByBoard(err) {
		s.record("", "move in", "Failed", codeOf(err), "the board's list of appointments could not be read")
	}
	if err := s.save(ctx, func(t *store.Target) { t.Probes++ }); err != nil {
		return in, false, err
	}
	return in, false, s.book(ctx, s.Now().Add(target.Backoff(s.mailbox, s.row.Probes, err)), true)
}

// fromBoard reports a fault that the board's client gave.
func fromBoard(f *fault.Error) bool {
	return f != nil && len(f.Op) >= 6 && f.Op[:6] == "board:"
}

// adoptAll gives the events of the calendar to the appointments whose they are.
// It may end anywhere and begin again: what is adopted stays so.
func (s *session) adoptAll(ctx context.Context) (in bool, err error) {
	found, ok, err := s.surveyed(ctx)
	if err != nil || !ok {
		return false, err
	}
	a := adopt(found)
	if err := s.holdBack(ctx, &a); err != nil {
		return false, err
	}
	if err := s.lower(ctx); err != nil {
		return false, err
	}
	before := map[string]appointment.Version{}
	for _, l := range found.links {
		before[l.Appointment] = l.Wanted.Version
	}
	if err := s.takeAll(ctx, a.matches, before); err != nil {
		return false, err
	}
	if err := s.keepBackAll(ctx, a.kept, before); err != nil {
		return false, err
	}
	if err := s.dropUnwanted(ctx, a.remove); err != nil {
		return false, err
	}
	if err := s.letBe(ctx, a.left); err != nil {
		return false, err
	}
	if err := s.keepAway(ctx, a.away); err != nil {
		return false, err
	}
	for _, x := range a.create {
		if err := s.wantAgain(ctx, x); err != nil {
			return false, err
		}
	}
	s.log.InfoContext(ctx, "mailbox moved in", "adopted", len(a.matches), "to_create", len(a.create), "to_delete", len(a.remove), "left", len(a.left))
	s.record("", "move in", "Success", "", "the mailbox was released and its events were adopted")
	return true, s.save(ctx, func(t *store.Target) {
		t.Phase, t.DeltaLink, t.LastBaseline, t.Probes = store.PhaseReleased, "", time.Time{}, 0
		t.Due = s.Now() // the read that follows is owed (R1)
		t.BookedRead = s.Now()
	})
}

// takeAll makes each event the link's.
func (s *session) takeAll(ctx context.Context, matches []match, before map[string]appointment.Version) error {
	var guids []string
	by := map[string]match{}
	for _, p := range matches {
		guids = append(guids, p.appointment.Guid)
		by[p.appointment.Guid] = p
	}
	conflicts := map[string][]string{}
	err := s.update(ctx, guids, func(l *store.Link) error {
		conflicts[l.Appointment] = s.takeMatch(l, by[l.Appointment], before[l.Appointment])
		return nil
	})
	if err != nil {
		return err
	}
	for _, guid := range guids {
		s.record(guid, "adopt", "Success", "", "the event in Outlook was adopted: "+by[guid].why)
		for _, text := range conflicts[guid] {
			s.record(guid, "merge", "Conflict", codeConflict, text)
		}
	}
	return nil
}

// keepBackAll gives the events of appointments that a rule keeps from Outlook to
// their links, and lets them be: what stood there before us is not ours to remove
// by a rule. When the rule lets the appointment pass, the event is there already
// (routing.letPass).
func (s *session) keepBackAll(ctx context.Context, kept []match, before map[string]appointment.Version) error {
	var guids []string
	by := map[string]match{}
	for _, p := range kept {
		guids = append(guids, p.appointment.Guid)
		by[p.appointment.Guid] = p
		d := store.Delta{Mailbox: s.mailbox, Event: p.event.ID, Kind: "movein", Text: whyKept, At: s.Now()}
		d.Start, d.End, _ = p.event.Content.Times()
		if err := s.Store.PutDelta(ctx, d); err != nil {
			return err
		}
	}
	return s.update(ctx, guids, func(l *store.Link) error {
		p := by[l.Appointment]
		s.takeMatch(l, p, before[l.Appointment])
		if l.OutlookSeen.EventID == p.event.ID {
			l.Wanted.Absent, l.Wanted.Held = true, p.kept
			letGo(l, routing.CodeRule, p.kept)
		}
		return nil
	})
}

// holdBack caps the deletions that nobody has seen before: where a setting
// released the mailbox, or our tables were lost, they are as inferred as those of
// a list (R28). A person who released it has seen how many there are.
func (s *session) holdBack(ctx context.Context, a *adoption) error {
	if len(a.remove) == 0 || s.row.ReleasedBy != releasedBySetting {
		return nil
	}
	byGuid := map[string]single{}
	found := suspects{side: heldMoveIn, of: map[string][]string{}, linked: len(a.matches) + len(a.remove)}
	for _, r := range a.remove {
		byGuid[r.event.ID] = r
		found.of[r.event.ID] = nil // no link stands for it yet
	}
	allowed, err := s.capped(ctx, found, nil, s.Now())
	if err != nil || len(allowed) == len(found.of) {
		return err
	}
	a.remove = nil
	for _, id := range allowed {
		a.remove = append(a.remove, byGuid[id])
		delete(byGuid, id)
	}
	for _, r := range byGuid {
		r.why = whyCapped
		a.left = append(a.left, r)
	}
	return nil
}

// askPerson gives an event whose deletion is capped a link in which it is held
// back, so that a person releases or refuses it like any other (R28).
func (s *session) askPerson(ctx context.Context, x single, suspected int) error {
	_, err := s.Store.UpdateLink(ctx, s.mailbox, x.guid, func(l *store.Link) error {
		if id := l.OutlookSeen.EventID; id != "" && id != x.event.ID {
			return nil
		}
		if l.OutlookSeen.EventID == "" {
			l.Origin, l.State, l.Generation = store.Board, store.Agreed, max(l.Generation, x.generation)
			see(l, x.event.Flow, x.event.Content)
			saw(&l.OutlookSeen, x.event)
		}
		if l.Held == nil {
			l.Held = &store.Held{Side: heldBoard, Reason: whyCapped, Suspected: suspected, Linked: suspected, Since: s.Now()}
		}
		return nil
	})
	return err
}

// dropUnwanted gives events of ours that nobody wants a link that wants them
// gone: they are deleted as any, with intent and If-Match.
func (s *session) dropUnwanted(ctx context.Context, list []single) error {
	for _, r := range list {
		if r.why == whySecond {
			if err := s.deleteSecond(ctx, r.event, r.guid); err != nil {
				return err
			}
			continue
		}
		_, err := s.Store.UpdateLink(ctx, s.mailbox, r.guid, func(l *store.Link) error {
			if id := l.OutlookSeen.EventID; id != "" && id != r.event.ID {
				return nil
			}
			if l.OutlookSeen.EventID == "" {
				l.Origin, l.Generation = store.Board, max(l.Generation, r.generation)
				see(l, r.event.Flow, r.event.Content)
				saw(&l.OutlookSeen, r.event)
			}
			l.Wanted.Absent, l.Inbound, l.BoardSent = true, nil, nil
			if l.Wanted.Version.IsZero() {
				l.Wanted.Version.Modified = s.Now()
			}
			l.State, l.DueAt = store.Pending, s.Now()
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keepAway sees to it that appointments of private events that can not be told any
// more get no event that only says "Private appointment" in their owner's calendar:
// each gets a link that is nobody's to write. Should the event come to the board
// again, which knows it by its id, that link becomes the event's (R25).
func (s *session) keepAway(ctx context.Context, list []appointment.Appointment) error {
	for _, x := range list {
		l, err := s.Store.UpdateLink(ctx, s.mailbox, x.Guid, func(l *store.Link) error {
			if l.OutlookSeen.EventID == "" && l.Sent == nil && l.State != store.Hidden {
				l.Origin = store.Outlook
				letGo(l, codeLetBe, whyAway)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if l.FailureText == whyAway {
			s.record(x.Guid, "adopt", StatusSkipped, codeLetBe, whyAway)
		}
	}
	return nil
}

// letBe makes sure that an event that is left alone stays so: it gets a link of
// its own that is nobody's to write, and is listed.
func (s *session) letBe(ctx context.Context, list []single) error {
	for _, x := range list {
		d := store.Delta{Mailbox: s.mailbox, Event: x.event.ID, Kind: "movein", Text: x.why, At: s.Now()}
		d.Start, d.End, _ = x.event.Content.Times()
		if err := s.Store.PutDelta(ctx, d); err != nil {
			return err
		}
		switch x.why {
		case whyUnknown:
			continue // the next reads take it, and ask the board when something is to be done
		case whyCapped:
			if err := s.askPerson(ctx, x, len(list)); err != nil {
				return err
			}
			continue
		}
		_, err := s.Store.LinkByEvent(ctx, s.mailbox, x.event.ID)
		if err == nil {
			_, err = s.release(ctx, x)
		} else if errors.Is(err, store.ErrNotFound) {
			_, err = s.Store.UpdateLink(ctx, s.mailbox, s.newGuid(), func(l *store.Link) error {
				l.Origin = store.Outlook
				see(l, x.event.Flow, x.event.Content)
				saw(&l.OutlookSeen, x.event)
				letGo(l, codeLetBe, x.why)
				return nil
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// release lets go of an event that a link holds.
func (s *session) release(ctx context.Context, x single) (*store.Link, error) {
	l, err := s.Store.LinkByEvent(ctx, s.mailbox, x.event.ID)
	if err != nil {
		return nil, err
	}
	return s.Store.UpdateLink(ctx, s.mailbox, l.Appointment, func(l *store.Link) error {
		if l.OutlookSeen.EventID == x.event.ID {
			letGo(l, codeLetBe, x.why)
		}
		return nil
	})
}

// letGo makes a link's event nobody's to touch.
func letGo(l *store.Link, code, why string) {
	l.State, l.DueAt, l.Attempts = store.Released, time.Time{}, 0
	l.Sent, l.BoardSent, l.Inbound = nil, nil, nil
	l.FailureCode, l.FailureText = code, why
}

// wantAgain sees to it that an appointment without an event gets one. Mostly the
// comparison with the board that follows does it, by way of the queue and its
// rules; but where the head says that it has been routed here before, as to a
// mailbox that was left and is back, that finds no news.
func (s *session) wantAgain(ctx context.Context, a appointment.Appointment) error {
	head, err := s.Store.Head(ctx, a.Guid)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || !s.silentNews(head, a) {
		return err
	}
	_, err = s.Store.UpdateLink(ctx, s.mailbox, a.Guid, func(l *store.Link) error {
		if l.ETag != "" && l.OutlookSeen.EventID == "" && !l.Wanted.Absent && l.DueAt.IsZero() {
			l.State, l.DueAt = store.Pending, s.Now()
		}
		return nil
	})
	if err != nil {
		return err
	}
	body, err := dimescheduler.EncodeChange(a)
	if err != nil {
		return err
	}
	return s.announce(ctx, bus.Change{MessageID: "back-" + uuid.NewString(), Operation: appointment.Update, Body: body})
}
