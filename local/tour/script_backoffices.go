package tour

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/world"
)

// A job of each company.
var (
	cronusJob   = boardsim.Appointment{SourceApp: world.CronusApp, SourceType: "ORDER", JobNo: "J1002", TaskNo: "T20"}
	fabrikamJob = boardsim.Appointment{SourceApp: world.FabrikamApp, SourceType: "ORDER", JobNo: "F2001", TaskNo: "T20"}
)

// plan creates an appointment of a job.
func (d *day) plan(job boardsim.Appointment, subject string, start time.Time, resources ...string) (guid string, err error) {
	job.Subject, job.Start, job.End, job.Resources = subject, start, start.Add(90*time.Minute), resources
	a, err := d.w.Board.CreateAppointment(job)
	return a.GUID, err
}

func (d *day) planERP(context.Context, *Row) (done time.Time, err error) {
	if d.c, err = d.plan(cronusJob, "Replace the “old” burner", d.at(9), anna, bram); err != nil {
		return now(err)
	}
	d.f, err = d.plan(fabrikamJob, "Filters, 2nd floor & roof", d.at(13), david)
	d.told = time.Now()
	return now(err)
}

// ownCompany: the agreement holds each appointment against its own company; here
// it is counted once more, in all of them.
func (d *day) ownCompany() error {
	for _, want := range []struct {
		connector, guid string
		entries         int
	}{
		{world.Cronus, d.c, 2}, {world.Fabrikam, d.c, 0}, {world.Partner, d.c, 1},
		{world.Cronus, d.f, 0}, {world.Fabrikam, d.f, 1}, {world.Partner, d.f, 0},
	} {
		if n := len(d.w.Ledger(want.connector).Of(want.guid)); n != want.entries {
			return fmt.Errorf("%s has %d entries, want %d", want.connector, n, want.entries)
		}
	}
	return nil
}

func (d *day) dragERP(_ context.Context, r *Row) (time.Time, error) {
	before := d.w.Pulse().Deliveries
	for n := range 5 {
		for _, guid := range []string{d.c, d.f} {
			start := d.at(10 + float64(n)/2)
			if err := d.move(guid, start, start.Add(time.Hour)); err != nil {
				return now(err)
			}
		}
	}
	r.counts = func() string { return fmt.Sprintf("15 changes, %d deliveries", d.w.Pulse().Deliveries-before) }
	return now(nil)
}

// lostAnswers loses, in each company, the answer to an insertion that was
// carried out: sent again it would make a second document.
func (d *day) lostAnswers(ctx context.Context, _ *Row) (time.Time, error) {
	lost := []<-chan error{d.w.NextDelivery(world.Cronus, world.Lost), d.w.NextDelivery(world.Fabrikam, world.Lost)}
	var err error
	if d.a, err = d.plan(cronusJob, "Second burner", d.at(14), chloe); err != nil {
		return now(err)
	}
	if d.b, err = d.plan(fabrikamJob, "Filters, cellar", d.at(14), david); err != nil {
		return now(err)
	}
	done := time.Now()
	if err := d.sprung(ctx, lost...); err != nil {
		return done, err
	}
	return done, d.w.AwaitNothingBooked(ctx) // until the app has found out what became of them
}

// sprung waits until what was arranged has happened.
func (d *day) sprung(ctx context.Context, each ...<-chan error) error {
	for _, c := range each {
		select {
		case err := <-c:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("no delivery came: %w", context.Cause(ctx))
		}
	}
	return nil
}

func (d *day) oneDocument() error {
	for connector, guid := range map[string]string{world.Cronus: d.a, world.Fabrikam: d.b} {
		if n := len(d.w.Ledger(connector).Of(guid)); n != 1 {
			return fmt.Errorf("%s has %d documents of one appointment", connector, n)
		}
	}
	return nil
}

// erpDown ends the outage when both companies have missed a change.
func (d *day) erpDown(ctx context.Context, _ *Row) (time.Time, error) {
	if err := d.w.SetERPDown(true); err != nil {
		return now(err)
	}
	err := errors.Join(d.move(d.c, d.at(8), d.at(9)), d.move(d.f, d.at(8), d.at(9)))
	if err == nil {
		err = d.w.AwaitQuiet(ctx)
	}
	if err == nil && len(d.w.Differences()) == 0 {
		err = errors.New("the companies have the change, though they are down")
	}
	return now(errors.Join(err, d.w.SetERPDown(false)))
}

// vaultPause is how long the app takes a secret that it has just read for the
// newest, also if it is refused (docs/operations.md): nobody rotates twice within it.
const vaultPause = 10 * time.Second

// rotated replaces the client secret, and all tokens, which the app finds out by itself.
func (d *day) rotated(ctx context.Context, _ *Row) (time.Time, error) {
	if err := d.w.Await(ctx, func() error {
		if time.Since(d.told) < vaultPause+time.Second {
			return errors.New("the secret was read a moment ago")
		}
		return nil
	}); err != nil {
		return now(err)
	}
	d.w.RotateERPSecret(rand.Text())
	return now(d.move(d.c, d.at(16), d.at(17)))
}

func (d *day) repeated(ctx context.Context, r *Row) (time.Time, error) {
	before := d.w.Ledger(world.Partner)
	lost := d.w.NextDelivery(world.Partner, world.Lost)
	done, err := now(d.move(d.c, d.at(11), d.at(12)))
	if err == nil {
		err = d.sprung(ctx, lost)
	}
	d.hook = before
	r.Note = "the same key twice"
	return done, err
}

func (d *day) countedOnce() error {
	l := d.w.Ledger(world.Partner)
	if l.Taken != d.hook.Taken+1 || l.Repeated != d.hook.Repeated+1 {
		return fmt.Errorf("the webhook has counted %d deliveries and %d repetitions, want one of each", l.Taken-d.hook.Taken, l.Repeated-d.hook.Repeated)
	}
	return nil
}

func (d *day) leaveERP(context.Context, *Row) (time.Time, error) {
	return now(errors.Join(d.w.Board.Reassign(d.c, anna, david), d.w.Board.Delete(d.a), d.w.Board.Delete(d.b)))
}

func (d *day) leftERP() error {
	for _, l := range d.w.Ledgers() {
		if n := len(l.Of(d.a)) + len(l.Of(d.b)); n > 0 {
			return fmt.Errorf("%s still has what was deleted", l.Name)
		}
	}
	return nil
}
