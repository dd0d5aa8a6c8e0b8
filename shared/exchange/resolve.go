package exchange

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// createGrace is how long a create whose answer was lost may still land, if
// nothing of it is found.
const createGrace = time.Minute

// resolveOpen finds out what became of every write whose outcome is not known,
// before anything is read or sent (R12): also when nothing is wanted any more.
func (s *session) resolveOpen(ctx context.Context) error {
	if s.row.Due.IsZero() {
		return nil // an open intent is due, and Due is lowered before it is stored
	}
	links, _, err := s.Store.DueLinks(ctx, s.mailbox, s.Now().Add(baselineAge), listSize)
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.Sent == nil {
			continue
		}
		if err := s.resolve(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// resolve looks for the effect of the link's open write.
func (s *session) resolve(ctx context.Context, l *store.Link) error {
	if calendar.Op(l.Sent.Op) == calendar.Create {
		return s.resolveCreate(ctx, l)
	}
	e, err := s.Calendar.Event(ctx, s.mailbox, l.OutlookSeen.EventID)
	switch {
	case gone(err) && calendar.Op(l.Sent.Op) == calendar.Delete:
		return s.put(ctx, l, func(l *store.Link) { lose(l); proceed(l, s.Now()) })
	case gone(err):
		return s.put(ctx, l, func(l *store.Link) {
			l.Sent = nil
			l.Inbound = &store.Inbound{Removed: true, Found: s.Now()}
			l.DueAt = s.Now()
		})
	case err != nil:
		return s.linkFailed(ctx, l, err, true)
	case e.Type == calendar.Master:
		return s.put(ctx, l, func(l *store.Link) { madeSeries(l, s.Now()) })
	}
	if calendar.Op(l.Sent.Op) == calendar.Delete {
		there, err := s.inView(ctx, e)
		if err != nil {
			return s.linkFailed(ctx, l, err, true)
		}
		if !there { // in Deleted Items
			return s.put(ctx, l, func(l *store.Link) { lose(l); proceed(l, s.Now()) })
		}
	}
	return s.put(ctx, l, func(l *store.Link) {
		if l.Sent != nil {
			committed(l, e)
		}
		finding(l, calendar.Item{Event: e}, s.Now())
		l.DueAt = s.Now()
	})
}

// committed takes the fields of an open PATCH that the event shows as we sent
// them; the others did not arrive, or a person has changed them since.
func committed(l *store.Link, e calendar.Event) {
	sent := *l.Sent
	l.Sent = nil
	l.OutlookSeen.Content = l.OutlookSeen.Content.With(nil)
	for f, told := range outlookForm(l, sent.Content) {
		if shown := e.Content[f]; sameByDesign(f, told, shown) {
			l.OutlookSeen.Content[f] = shown
			l.BoardSeen.Content = l.BoardSeen.Content.With(sent.Content.Only(f))
		}
	}
	saw(&l.OutlookSeen, e)
}

func (s *session) resolveCreate(ctx context.Context, l *store.Link) error {
	events, err := s.Calendar.Marked(ctx, s.mailbox, mark(l.Appointment, l.Sent.Generation))
	if err != nil {
		return s.linkFailed(ctx, l, err, true)
	}
	want := transactionID(s.mailbox, l.Appointment, l.Sent.Generation)
	var mine []calendar.Event
	for _, e := range events {
		if e.TransactionID == want { // else a copy that a person made (R26)
			mine = append(mine, e)
		}
	}
	if len(mine) == 0 {
		if wait := l.Sent.At.Add(createGrace); l.Wanted.Absent && s.Now().Before(wait) {
			// It may still land, and nothing will look for it later.
			return s.put(ctx, l, func(l *store.Link) { l.DueAt = wait })
		}
		return s.put(ctx, l, func(l *store.Link) {
			l.Sent = nil // sending it again with the same transactionId makes no second one (R13)
			l.DueAt = s.Now()
		})
	}
	for _, second := range mine[1:] {
		if err := s.deleteSecond(ctx, second, l.Appointment); err != nil {
			return err
		}
	}
	return s.put(ctx, l, func(l *store.Link) {
		if l.OutlookSeen.EventID != "" {
			return
		}
		take(l, mine[0])
		if mine[0].Type == calendar.Master {
			madeSeries(l, s.Now())
			return
		}
		finding(l, calendar.Item{Event: mine[0]}, s.Now())
		l.DueAt = s.Now()
	})
}

// inView reports whether the calendar shows the event in the slot that the
// event itself names: one in Deleted Items can still be read, but is not shown (R27).
func (s *session) inView(ctx context.Context, e calendar.Event) (bool, error) {
	start, end, ok := e.Content.Times()
	if !ok {
		return true, nil // not to be told: no proof
	}
	shown, err := s.Calendar.View(ctx, s.mailbox, calendar.Window{Start: start.Add(-time.Minute), End: end.Add(time.Minute)})
	if err != nil {
		return false, err
	}
	for _, o := range shown {
		if o.ID == e.ID {
			return true, nil
		}
	}
	return false, nil
}

// put changes one link; errors are only those of our own store. What was decided
// on a link that another worker has dealt with since (a session lock can be
// lost), or has renamed (R25), is dropped: the link is due and is looked at again.
func (s *session) put(ctx context.Context, was *store.Link, change func(*store.Link)) error {
	_, err := s.Store.UpdateLink(ctx, s.mailbox, was.Appointment, func(l *store.Link) error {
		if l.ETag != "" && sameWork(l, was) {
			change(l)
		}
		return nil
	})
	return err
}

// sameWork reports whether two states of a link are at the same point of work:
// the same event, of the same generation, with the same write open.
func sameWork(a, b *store.Link) bool {
	return a.OutlookSeen.EventID == b.OutlookSeen.EventID && a.Generation == b.Generation && sameSent(a.Sent, b.Sent)
}

func sameSent(a, b *store.Sent) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Op == b.Op && a.Generation == b.Generation && a.Version == b.Version && a.At.Equal(b.At)
}

// codeItemGone is Graph's code for an item that is not there (graph.md B9, E).
const codeItemGone = "ErrorItemNotFound"

// gone reports proof that the one item asked for does not exist. Any other 404
// is a fault of the mailbox (R27).
func gone(err error) bool {
	return fault.Is(err, fault.NotFound) && fault.Of(err).Code == codeItemGone
}
