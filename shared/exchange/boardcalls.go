package exchange

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/category"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
)

// The calls of the board, each by way of through. All are written out: one that is
// added to Board does not slip past.

func (b *BoardService) Appointment(ctx context.Context, guid string, hint dimescheduler.Hint) (a appointment.Appointment, err error) {
	err = b.through(ctx, guid, func(ctx context.Context) error {
		a, err = b.Board.Appointment(ctx, guid, hint)
		return err
	})
	return a, err
}

func (b *BoardService) Appointments(ctx context.Context, from, to time.Time, resources []string) (list []appointment.Appointment, err error) {
	subject := "list"
	if len(resources) > 0 {
		subject = resources[0]
	}
	err = b.through(ctx, subject, func(ctx context.Context) error {
		list, err = b.Board.Appointments(ctx, from, to, resources)
		return err
	})
	return list, err
}

func (b *BoardService) Resources(ctx context.Context) (list []appointment.Resource, err error) {
	err = b.through(ctx, "resources", func(ctx context.Context) error {
		list, err = b.Board.Resources(ctx)
		return err
	})
	return list, err
}

func (b *BoardService) Categories(ctx context.Context) (list []category.Label, err error) {
	err = b.through(ctx, "categories", func(ctx context.Context) error {
		list, err = b.Board.Categories(ctx)
		return err
	})
	return list, err
}

func (b *BoardService) TimeMarkers(ctx context.Context) (list []category.Label, err error) {
	err = b.through(ctx, "time markers", func(ctx context.Context) error {
		list, err = b.Board.TimeMarkers(ctx)
		return err
	})
	return list, err
}

func (b *BoardService) UpsertExchange(ctx context.Context, a dimescheduler.ExchangeAppointment) (ref dimescheduler.Ref, err error) {
	err = b.through(ctx, a.Guid, func(ctx context.Context) error {
		ref, err = b.Board.UpsertExchange(ctx, a)
		return err
	})
	return ref, err
}

func (b *BoardService) DeleteExchange(ctx context.Context, a dimescheduler.ExchangeAppointment) error {
	return b.through(ctx, a.Guid, func(ctx context.Context) error { return b.Board.DeleteExchange(ctx, a) })
}

func (b *BoardService) Unassign(ctx context.Context, a appointment.Appointment, resourceNo string) error {
	return b.through(ctx, a.Guid, func(ctx context.Context) error { return b.Board.Unassign(ctx, a, resourceNo) })
}

func (b *BoardService) DeleteAppointment(ctx context.Context, a appointment.Appointment) error {
	return b.through(ctx, a.Guid, func(ctx context.Context) error { return b.Board.DeleteAppointment(ctx, a) })
}

func (b *BoardService) UpsertNotification(ctx context.Context, n dimescheduler.Notification) error {
	return b.through(ctx, n.Appointment.Guid, func(ctx context.Context) error { return b.Board.UpsertNotification(ctx, n) })
}

func (b *BoardService) DeleteNotification(ctx context.Context, n dimescheduler.Notification) error {
	return b.through(ctx, n.Appointment.Guid, func(ctx context.Context) error { return b.Board.DeleteNotification(ctx, n) })
}
