package exchange

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/category"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
)

// Calendar is the calendar side, as shared/graph speaks to it. Its errors are
// *fault.Error; it never retries by itself.
type Calendar interface {
	// Delta reads one whole round; link "" begins a full one. An error that is
	// calendar.ErrResync says that the link is of no use any more (R17).
	Delta(ctx context.Context, mailbox, link string, w calendar.Window) (calendar.Round, error)
	// Apply does the writes, as many as Worker.Fits allows, in one call and judges each; the error is that of
	// the call as a whole.
	Apply(ctx context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error)
	// Event reads one event. Reason notfound means that this item is gone, and nothing else.
	Event(ctx context.Context, mailbox, id string) (calendar.Event, error)
	// Instances returns what a series shows in the window, complete or an error:
	// Reason notfound as of Event, Invalid if it is no series.
	Instances(ctx context.Context, mailbox, series string, w calendar.Window) ([]calendar.Event, error)
	// Marked returns the events that carry our named property with this value.
	Marked(ctx context.Context, mailbox, mark string) ([]calendar.Event, error)
	// Tagged is View with Mark set on the events that carry our named property.
	Tagged(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error)
	// View returns what the calendar shows in the window.
	View(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error)

	// Categories returns the mailbox's list of categories, CreateCategory adds to it;
	// one that is there already is no error. Reason auth: they may not be used.
	Categories(ctx context.Context, mailbox string) ([]calendar.Category, error)
	CreateCategory(ctx context.Context, mailbox string, c calendar.Category) error

	Subscriptions(ctx context.Context) ([]calendar.Subscription, error)
	CreateSubscription(ctx context.Context, mailbox, notificationURL, lifecycleURL, clientState string, expires time.Time) (calendar.Subscription, error)
	RenewSubscription(ctx context.Context, id string, expires time.Time) (calendar.Subscription, error)
	DeleteSubscription(ctx context.Context, id string) error
	// Standing tells what the directory knows of a mailbox that can not be reached:
	// Reason notfound if there is no such user, auth if we may not even ask.
	Standing(ctx context.Context, mailbox string) (calendar.Standing, error)
	// Mailbox finds the Entra object id of an e-mail address; Reason notfound if there is none.
	Mailbox(ctx context.Context, email string) (string, error)
}

// Board is the planning side, as shared/dimescheduler speaks to it. Its errors
// are *fault.Error.
type Board interface {
	// Appointment reads one appointment; hint is where in time it was last seen.
	// Reason notfound with dimescheduler.CodeGone is proof that it is deleted,
	// with another code it is not (R27).
	Appointment(ctx context.Context, guid string, hint dimescheduler.Hint) (appointment.Appointment, error)
	// Appointments reads all appointments of the resources in [from, to), or fails.
	Appointments(ctx context.Context, from, to time.Time, resources []string) ([]appointment.Appointment, error)
	Resources(ctx context.Context) ([]appointment.Resource, error)
	// Categories and TimeMarkers are what the board marks appointments with.
	Categories(ctx context.Context) ([]category.Label, error)
	TimeMarkers(ctx context.Context) ([]category.Label, error)
	// UpsertExchange creates or changes an appointment from an event; repeating
	// it with the same Guid and ExchangeID is safe (R25).
	UpsertExchange(ctx context.Context, a dimescheduler.ExchangeAppointment) (dimescheduler.Ref, error)
	// DeleteExchange takes the event's resource off its appointment.
	DeleteExchange(ctx context.Context, a dimescheduler.ExchangeAppointment) error
	Unassign(ctx context.Context, a appointment.Appointment, resourceNo string) error
	DeleteAppointment(ctx context.Context, a appointment.Appointment) error
	// UpsertNotification shows a notification to the planner, DeleteNotification
	// takes it away. Both are safe to repeat.
	UpsertNotification(ctx context.Context, n dimescheduler.Notification) error
	DeleteNotification(ctx context.Context, n dimescheduler.Notification) error
}

// Bus sends messages.
type Bus interface {
	// Nudge sends now, all in one send if there are several.
	Nudge(ctx context.Context, nudges ...bus.Nudge) error
	// NudgeAt books a nudge for later.
	NudgeAt(ctx context.Context, at time.Time, n bus.Nudge) error
	// Send puts changes on the appointments queue.
	Send(ctx context.Context, changes ...bus.Change) error
}
