package exchange

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
)

// judged is a mailbox's calendar as the engine sees it: each event comes with how
// much of it may be seen, and without the words that may not. They end here, so
// that nothing behind it can keep, send or show them (R19). Every method is
// written out: one that is added to Calendar does not slip past the filter.
//
// Worker.Calendar shows the words. Whoever asks it must neither keep nor show them.
type judged struct {
	calendar Calendar
	filter   func(context.Context) (filter, error)
}

var _ Calendar = (*judged)(nil)

// see judges events in place.
func (j *judged) see(ctx context.Context, events ...*calendar.Event) error {
	f, err := j.filter(ctx)
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Flow = f.judge(*e); e.Flow != appointment.Open {
			e.Content = e.Content.Wordless()
		}
	}
	return nil
}

func (j *judged) list(ctx context.Context, events []calendar.Event, err error) ([]calendar.Event, error) {
	if err != nil {
		return nil, err
	}
	for i := range events {
		if err := j.see(ctx, &events[i]); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func (j *judged) Delta(ctx context.Context, mailbox, link string, w calendar.Window) (calendar.Round, error) {
	round, err := j.calendar.Delta(ctx, mailbox, link, w)
	if err != nil {
		return round, err
	}
	for i := range round.Items {
		if it := &round.Items[i]; !it.Removed {
			if err := j.see(ctx, &it.Event); err != nil {
				return calendar.Round{}, err
			}
		}
	}
	return round, nil
}

func (j *judged) Apply(ctx context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error) {
	results, err := j.calendar.Apply(ctx, mailbox, writes)
	for i := range results {
		if results[i].Event.ID == "" {
			continue
		}
		if failed := j.see(ctx, &results[i].Event); failed != nil {
			// The writes have happened: what can not be judged is not seen.
			results[i].Event.Flow, results[i].Event.Content = appointment.Unclear, results[i].Event.Content.Wordless()
		}
	}
	return results, err
}

func (j *judged) Event(ctx context.Context, mailbox, id string) (calendar.Event, error) {
	e, err := j.calendar.Event(ctx, mailbox, id)
	if err != nil {
		return e, err
	}
	return e, j.see(ctx, &e)
}

func (j *judged) Instances(ctx context.Context, mailbox, series string, w calendar.Window) ([]calendar.Event, error) {
	events, err := j.calendar.Instances(ctx, mailbox, series, w)
	return j.list(ctx, events, err)
}

func (j *judged) Marked(ctx context.Context, mailbox, mark string) ([]calendar.Event, error) {
	events, err := j.calendar.Marked(ctx, mailbox, mark)
	return j.list(ctx, events, err)
}

func (j *judged) Tagged(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	events, err := j.calendar.Tagged(ctx, mailbox, w)
	return j.list(ctx, events, err)
}

func (j *judged) View(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	events, err := j.calendar.View(ctx, mailbox, w)
	return j.list(ctx, events, err)
}

func (j *judged) Subscriptions(ctx context.Context) ([]calendar.Subscription, error) {
	return j.calendar.Subscriptions(ctx)
}

func (j *judged) CreateSubscription(ctx context.Context, mailbox, notificationURL, lifecycleURL, clientState string, expires time.Time) (calendar.Subscription, error) {
	return j.calendar.CreateSubscription(ctx, mailbox, notificationURL, lifecycleURL, clientState, expires)
}

func (j *judged) RenewSubscription(ctx context.Context, id string, expires time.Time) (calendar.Subscription, error) {
	return j.calendar.RenewSubscription(ctx, id, expires)
}

func (j *judged) DeleteSubscription(ctx context.Context, id string) error {
	return j.calendar.DeleteSubscription(ctx, id)
}

func (j *judged) Categories(ctx context.Context, mailbox string) ([]calendar.Category, error) {
	return j.calendar.Categories(ctx, mailbox)
}

func (j *judged) CreateCategory(ctx context.Context, mailbox string, c calendar.Category) error {
	return j.calendar.CreateCategory(ctx, mailbox, c)
}

func (j *judged) Standing(ctx context.Context, mailbox string) (calendar.Standing, error) {
	return j.calendar.Standing(ctx, mailbox)
}

func (j *judged) Mailbox(ctx context.Context, email string) (string, error) {
	return j.calendar.Mailbox(ctx, email)
}
