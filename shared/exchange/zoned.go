package exchange

import (
	"context"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
)

// zoned is the calendar of a mailbox whose all-day events become instants in one
// zone: Outlook's dates have none, the board's times need one. All that a session
// sees of events comes through here, so that a date is never without its zone.
type zoned struct {
	Calendar
	zone string // IANA name
}

func (z zoned) event(e calendar.Event) calendar.Event {
	if when := e.Content[appointment.When]; e.Content.AllDay() {
		e.Content = e.Content.With(appointment.Content{appointment.When: appointment.InZone(when, z.zone)})
	}
	return e
}

func (z zoned) events(list []calendar.Event, err error) ([]calendar.Event, error) {
	for i := range list {
		list[i] = z.event(list[i])
	}
	return list, err
}

func (z zoned) Delta(ctx context.Context, mailbox, link string, w calendar.Window) (calendar.Round, error) {
	round, err := z.Calendar.Delta(ctx, mailbox, link, w)
	for i := range round.Items {
		round.Items[i].Event = z.event(round.Items[i].Event)
	}
	return round, err
}

func (z zoned) Apply(ctx context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error) {
	results, err := z.Calendar.Apply(ctx, mailbox, writes)
	for i := range results {
		results[i].Event = z.event(results[i].Event)
	}
	return results, err
}

func (z zoned) Event(ctx context.Context, mailbox, id string) (calendar.Event, error) {
	e, err := z.Calendar.Event(ctx, mailbox, id)
	return z.event(e), err
}

func (z zoned) Marked(ctx context.Context, mailbox, mark string) ([]calendar.Event, error) {
	return z.events(z.Calendar.Marked(ctx, mailbox, mark))
}

func (z zoned) Tagged(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	return z.events(z.Calendar.Tagged(ctx, mailbox, w))
}

func (z zoned) View(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	return z.events(z.Calendar.View(ctx, mailbox, w))
}

func (z zoned) Instances(ctx context.Context, mailbox, series string, w calendar.Window) ([]calendar.Event, error) {
	return z.events(z.Calendar.Instances(ctx, mailbox, series, w))
}
