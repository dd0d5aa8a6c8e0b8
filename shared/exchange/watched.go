package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/trace"
)

// outgoing is what is known of the call that the session made last.
type outgoing struct {
	took time.Duration
	ids  trace.IDs
}

// measured makes one call and keeps what is known of it for the transaction.
func (s *session) measured(ctx context.Context, call func(context.Context) error) error {
	began := s.Now()
	ctx, watched := trace.Watch(ctx)
	err := call(ctx)
	s.last = outgoing{s.Now().Sub(began), watched.Last()}
	return err
}

// asked is measured for what does not write: only a failure is recorded. That
// there is no such thing, or that a round has to begin anew, is an answer.
func (s *session) asked(ctx context.Context, operation, guid string, call func(context.Context) error) error {
	err := s.measured(ctx, call)
	f := fault.Of(err)
	switch {
	case err == nil, gone(err), errors.Is(err, calendar.ErrResync), f.Reason == fault.Canceled, isOurs(f), turnedAwayByBoard(err),
		f.Reason == fault.NotFound && !f.WholeTarget:
	default:
		s.recordCall(store.Transaction{Appointment: guid, Operation: operation}, err, "")
	}
	return err
}

// did is measured for writes that belong to no appointment.
func (s *session) did(ctx context.Context, operation, text string, call func(context.Context) error) error {
	err := s.measured(ctx, call)
	if f := fault.Of(err); f == nil || f.Reason != fault.Canceled && !isOurs(f) {
		s.recordCall(store.Transaction{Operation: operation}, err, text)
	}
	return err
}

// watchedCalendar is the calendar as a session calls it: what people are to see
// of its calls is recorded. Writes of events are recorded with their links.
type watchedCalendar struct {
	Calendar
	s *session
}

func (c watchedCalendar) Delta(ctx context.Context, mailbox, link string, w calendar.Window) (r calendar.Round, err error) {
	err = c.s.asked(ctx, "read", "", func(ctx context.Context) error {
		r, err = c.Calendar.Delta(ctx, mailbox, link, w)
		return err
	})
	return r, err
}

func (c watchedCalendar) Apply(ctx context.Context, mailbox string, writes []calendar.Write) (r []calendar.Result, err error) {
	err = c.s.measured(ctx, func(ctx context.Context) error {
		r, err = c.Calendar.Apply(ctx, mailbox, writes)
		return err
	})
	return r, err
}

func (c watchedCalendar) Event(ctx context.Context, mailbox, id string) (e calendar.Event, err error) {
	err = c.s.asked(ctx, "read event", "", func(ctx context.Context) error {
		e, err = c.Calendar.Event(ctx, mailbox, id)
		return err
	})
	return e, err
}

func (c watchedCalendar) Instances(ctx context.Context, mailbox, series string, w calendar.Window) (e []calendar.Event, err error) {
	notSeries := false // an answer, no failure
	failed := c.s.asked(ctx, "read series", "", func(ctx context.Context) error {
		e, err = c.Calendar.Instances(ctx, mailbox, series, w)
		if notSeries = fault.Is(err, fault.Invalid); notSeries {
			return nil
		}
		return err
	})
	if notSeries {
		return e, err
	}
	return e, failed
}

func (c watchedCalendar) Marked(ctx context.Context, mailbox, mark string) (e []calendar.Event, err error) {
	err = c.s.asked(ctx, "look up", "", func(ctx context.Context) error {
		e, err = c.Calendar.Marked(ctx, mailbox, mark)
		return err
	})
	return e, err
}

func (c watchedCalendar) Tagged(ctx context.Context, mailbox string, w calendar.Window) (e []calendar.Event, err error) {
	err = c.s.asked(ctx, "read view", "", func(ctx context.Context) error {
		e, err = c.Calendar.Tagged(ctx, mailbox, w)
		return err
	})
	return e, err
}

func (c watchedCalendar) View(ctx context.Context, mailbox string, w calendar.Window) (e []calendar.Event, err error) {
	err = c.s.asked(ctx, "read view", "", func(ctx context.Context) error {
		e, err = c.Calendar.View(ctx, mailbox, w)
		return err
	})
	return e, err
}

func (c watchedCalendar) Subscriptions(ctx context.Context) (list []calendar.Subscription, err error) {
	err = c.s.asked(ctx, "list subscriptions", "", func(ctx context.Context) error {
		list, err = c.Calendar.Subscriptions(ctx)
		return err
	})
	return list, err
}

func (c watchedCalendar) CreateSubscription(ctx context.Context, mailbox, notificationURL, lifecycleURL, clientState string, expires time.Time) (sub calendar.Subscription, err error) {
	err = c.s.did(ctx, "subscribe", "Graph tells of changes of the mailbox", func(ctx context.Context) error {
		sub, err = c.Calendar.CreateSubscription(ctx, mailbox, notificationURL, lifecycleURL, clientState, expires)
		return err
	})
	return sub, err
}

func (c watchedCalendar) RenewSubscription(ctx context.Context, id string, expires time.Time) (sub calendar.Subscription, err error) {
	err = c.s.did(ctx, "renew subscription", "Graph goes on telling of changes of the mailbox", func(ctx context.Context) error {
		sub, err = c.Calendar.RenewSubscription(ctx, id, expires)
		return err
	})
	return sub, err
}

func (c watchedCalendar) DeleteSubscription(ctx context.Context, id string) error {
	return c.s.did(ctx, "unsubscribe", "a subscription that is not needed was removed", func(ctx context.Context) error {
		return c.Calendar.DeleteSubscription(ctx, id)
	})
}

// watchedBoard is the board as a session calls it, likewise. Its writes are
// recorded with their links.
type watchedBoard struct {
	Board
	s *session
}

func (b watchedBoard) Appointment(ctx context.Context, guid string, hint dimescheduler.Hint) (a appointment.Appointment, err error) {
	err = b.s.asked(ctx, "read on board", guid, func(ctx context.Context) error {
		a, err = b.Board.Appointment(ctx, guid, hint)
		return err
	})
	return a, err
}

func (b watchedBoard) Appointments(ctx context.Context, from, to time.Time, resources []string) (list []appointment.Appointment, err error) {
	err = b.s.asked(ctx, "list on board", "", func(ctx context.Context) error {
		list, err = b.Board.Appointments(ctx, from, to, resources)
		return err
	})
	return list, err
}

func (b watchedBoard) UpsertExchange(ctx context.Context, a dimescheduler.ExchangeAppointment) (ref dimescheduler.Ref, err error) {
	err = b.s.measured(ctx, func(ctx context.Context) error {
		ref, err = b.Board.UpsertExchange(ctx, a)
		return err
	})
	return ref, err
}

func (b watchedBoard) DeleteExchange(ctx context.Context, a dimescheduler.ExchangeAppointment) error {
	return b.s.measured(ctx, func(ctx context.Context) error { return b.Board.DeleteExchange(ctx, a) })
}

func (b watchedBoard) Unassign(ctx context.Context, a appointment.Appointment, resourceNo string) error {
	return b.s.measured(ctx, func(ctx context.Context) error { return b.Board.Unassign(ctx, a, resourceNo) })
}

func (b watchedBoard) DeleteAppointment(ctx context.Context, a appointment.Appointment) error {
	return b.s.measured(ctx, func(ctx context.Context) error { return b.Board.DeleteAppointment(ctx, a) })
}

func (b watchedBoard) UpsertNotification(ctx context.Context, n dimescheduler.Notification) error {
	return b.s.measured(ctx, func(ctx context.Context) error { return b.Board.UpsertNotification(ctx, n) })
}

func (b watchedBoard) DeleteNotification(ctx context.Context, n dimescheduler.Notification) error {
	return b.s.measured(ctx, func(ctx context.Context) error { return b.Board.DeleteNotification(ctx, n) })
}
