package tour

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/world"
)

// day is the state of the script: the appointments that it speaks of.
type day struct {
	w    *world.World
	date time.Time    // midnight UTC of a day that holds nothing of the demo
	a, b string       // Guids of what the planner creates
	born string       // id of the event that is born in Outlook
	c, f string       // Guids of what is planned for Cronus and for Fabrikam
	hook world.Ledger // before the delivery that comes twice
	told time.Time    // when the back offices heard of c and f
}

// The people of the demo that take part.
const (
	anna, bram, chloe, david                 = "ANNA", "BRAM", "CHLOE", "DAVID"
	annaMail, bramMail, chloeMail, davidMail = "anna@example.com", "bram@example.com", "chloe@example.com", "david@example.com"
	daysAhead                                = 3    // the tour's day is that many after the demo's
	many                                     = 1000 // notifications to lose: more than one edit causes
)

// script is the day. Every step ends with all sides agreeing.
func (d *day) script() []step {
	return []step{
		{name: "the app takes over what was planned before it came", act: d.takeOver},
		{name: "board: create an appointment for Anna", act: d.create},
		{name: "board: five quick drags", act: d.drag},
		{name: "board: subject, body and importance", act: d.describe},
		{name: "board: assign Bram too", act: d.assign},
		{name: "board: reassign from Anna to Chloé", act: d.reassign},
		{name: "Outlook: Bram moves and renames it; Chloé's follows", act: d.outlookEdit},
		{name: "Outlook: David makes an event of his own", act: d.outlookBorn},
		{name: "Outlook: David moves his event", act: d.outlookBornMoves},
		{name: "board: the planner moves David's event", act: d.boardMovesBorn},
		{name: "Outlook: Bram deletes his; Chloé keeps hers", act: d.outlookDelete},
		{name: "Outlook: Chloé deletes the last one; it goes", act: d.outlookDeleteLast, until: d.gone},
		{name: "board: delete David's event", act: d.boardDelete},
		// Twice and no more: the third crash within half an hour stops the real host.
		{name: "SIGKILL after the ERP has stored a row, amid writes to Graph", kills: 1, act: d.killByERP},
		{name: "SIGKILL after Graph has carried out a write", kills: 1, act: d.killAfter},
		{name: "Graph throttles everything for a while", act: d.storm},
		{name: "Outlook: an edit whose notifications are lost; sweep", act: d.lostNotifications},
		{name: "subscriptions expire, then an edit; renewal", act: d.expired},

		{name: "ERP: planned; each job in its own company, and the webhook", act: d.planERP, until: d.ownCompany},
		{name: "ERP: five quick drags of each; the last stands", act: d.dragERP},

		{name: "Outlook: a private event; its words never leave", act: d.privateEvent, until: d.noWords},
		{name: "Outlook: an event becomes private; it leaves the board", act: d.becomesPrivate, until: d.offTheBoard},
		{name: "Outlook: two days off, all-day; midnight to midnight", act: d.allDay, until: d.daysOff},
		{name: "Outlook: a weekly series of four; all on the board", act: d.series, until: d.seriesShows},
		{name: "Outlook: its second occurrence is moved; it alone", act: d.seriesMoves, until: d.seriesMoved},
		{name: "board: a placeholder, which the rules keep out; then real", act: d.placeholder},

		{name: "ERP: answers to two insertions are lost; one document", act: d.lostAnswers, until: d.oneDocument},
		{name: "ERP: down while planners drag; up again", act: d.erpDown},
		{name: "ERP: client secret rotated", act: d.rotated},
		{name: "webhook: an answer is lost; the delivery counts once", act: d.repeated, until: d.countedOnce},
		{name: "board: reassign and delete what stands in the ERP", act: d.leaveERP, until: d.leftERP},
	}
}

// at is a time of the day.
func (d *day) at(hours float64) time.Time {
	return d.date.Add(time.Duration(hours * float64(time.Hour)))
}

// now ends an action that has either failed or is done at this moment.
func now(err error) (time.Time, error) { return time.Now(), err }

func (d *day) takeOver(ctx context.Context, r *Row) (time.Time, error) {
	began := time.Now()
	err := d.w.AwaitReady(ctx)
	r.Note = fmt.Sprintf("%d subscriptions", len(d.w.Graph.Subscriptions()))
	return began, err
}

func (d *day) create(context.Context, *Row) (time.Time, error) {
	a, err := d.w.Board.CreateAppointment(boardsim.Appointment{
		Subject: "Replace the pump", Body: "Take the small ladder.\nKey at the bakery.", Start: d.at(9), End: d.at(11),
		SourceApp: "CRONUS", SourceType: "ORDER", JobNo: "J1001", TaskNo: "T20", Resources: []string{anna},
	})
	d.a = a.GUID
	return now(err)
}

func (d *day) drag(context.Context, *Row) (time.Time, error) {
	for n := range 5 {
		start := d.at(10 + float64(n)/2)
		if err := d.move(d.a, start, start.Add(2*time.Hour)); err != nil {
			return now(err)
		}
	}
	return now(nil)
}

func (d *day) move(guid string, start, end time.Time) error {
	return d.w.Board.Edit(guid, func(a *boardsim.Appointment) { a.Start, a.End = start, end })
}

func (d *day) describe(context.Context, *Row) (time.Time, error) {
	return now(d.w.Board.Edit(d.a, func(a *boardsim.Appointment) {
		a.Subject, a.Body, a.Importance = "Replace the pump & check the “old” valve", "Ring twice.\n\n€ 120 <parts>", boardsim.ImportanceHigh
	}))
}

func (d *day) assign(context.Context, *Row) (time.Time, error) {
	return now(d.w.Board.Assign(d.a, bram))
}

func (d *day) reassign(context.Context, *Row) (time.Time, error) {
	return now(d.w.Board.Reassign(d.a, anna, chloe))
}

func (d *day) outlookEdit(context.Context, *Row) (time.Time, error) {
	id, err := d.eventAt(bramMail, d.at(12))
	if err != nil {
		return now(err)
	}
	_, err = d.w.Graph.UpdateEvent(bramMail, id, func(e *graphsim.Event) {
		e.Subject, e.Start, e.End = "Replace the pump (later)", d.at(14), d.at(16)
	})
	return now(err)
}

// eventAt finds the one event of the calendar that starts then.
func (d *day) eventAt(user string, start time.Time) (string, error) {
	var ids []string
	for _, e := range d.w.Graph.Events(user) {
		if e.Start.Equal(start) {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) != 1 {
		return "", fmt.Errorf("%s has %d events at %s, want one", user, len(ids), start.Format(time.RFC3339))
	}
	return ids[0], nil
}

func (d *day) outlookBorn(context.Context, *Row) (time.Time, error) {
	e, err := d.w.Graph.CreateEvent(davidMail, graphsim.Event{
		Subject: "Training", BodyType: "html", Body: "<p>Room 2</p><p>Bring your laptop</p>", Start: d.at(9), End: d.at(12), ShowAs: "oof",
	})
	d.born = e.ID
	return now(err)
}

func (d *day) outlookBornMoves(context.Context, *Row) (time.Time, error) {
	_, err := d.w.Graph.MoveEvent(davidMail, d.born, d.at(13), d.at(16))
	return now(err)
}

func (d *day) boardMovesBorn(context.Context, *Row) (time.Time, error) {
	guid, err := d.plannedAt(david, d.at(13))
	if err != nil {
		return now(err)
	}
	d.b = guid
	return now(d.move(guid, d.at(8), d.at(10)))
}

// plannedAt finds the one appointment of the resource that starts then.
func (d *day) plannedAt(resource string, start time.Time) (string, error) {
	var guids []string
	for _, a := range d.w.Board.List(start, start.Add(time.Second), resource) {
		if a.Start.Equal(start) {
			guids = append(guids, a.GUID)
		}
	}
	if len(guids) != 1 {
		return "", fmt.Errorf("the board has %d appointments of %s at %s, want one", len(guids), resource, start.Format(time.RFC3339))
	}
	return guids[0], nil
}

func (d *day) outlookDelete(context.Context, *Row) (time.Time, error) {
	return now(d.deleteAt(bramMail, d.at(14)))
}

func (d *day) deleteAt(user string, start time.Time) error {
	id, err := d.eventAt(user, start)
	if err != nil {
		return err
	}
	return d.w.Graph.DeleteEvent(user, id)
}

func (d *day) outlookDeleteLast(ctx context.Context, _ *Row) (time.Time, error) {
	a, err := d.w.Board.Get(d.a)
	if err != nil || len(a.Resources) != 1 {
		return now(fmt.Errorf("after Bram's deletion the appointment has %d resources, want Chloé alone: %w", len(a.Resources), err))
	}
	return now(d.deleteAt(chloeMail, d.at(14)))
}

// gone: nobody is left, so the board must have removed the appointment itself.
func (d *day) gone() error {
	if _, err := d.w.Board.Get(d.a); err == nil {
		return errors.New("the appointment without resources is still on the board")
	}
	return nil
}

func (d *day) boardDelete(context.Context, *Row) (time.Time, error) {
	return now(d.w.Board.Delete(d.b))
}

// killByERP plans for three calendars and a company, and the handler dies there:
// the row that the company has stored must not be sent as a second insertion.
func (d *day) killByERP(ctx context.Context, _ *Row) (time.Time, error) {
	killed := d.w.NextDelivery(world.Cronus, world.Killed)
	guid, err := d.plan(cronusJob, "Inspection", d.at(8), anna, bram, chloe)
	d.a = guid
	done := time.Now()
	if err == nil {
		err = d.sprung(ctx, killed)
	}
	return done, err
}

// killAfter replans while the handler dies: the write that Graph has carried
// out, without anybody knowing, must not be made twice, and none may be lost.
func (d *day) killAfter(ctx context.Context, _ *Row) (time.Time, error) {
	return d.killed(ctx, func() error {
		_, err := d.w.Board.CreateAppointment(boardsim.Appointment{
			Subject: "Emergency at the bakery", Start: d.at(15), End: d.at(16), Resources: []string{anna, david},
		})
		return errors.Join(err, d.move(d.a, d.at(10), d.at(11)), d.w.Board.Reassign(d.a, chloe, david))
	})
}

// killed does something and waits until the handler was killed on the way.
func (d *day) killed(ctx context.Context, do func() error) (time.Time, error) {
	sprung := d.w.KillAtNextWrite(true)
	done, err := now(do())
	if err != nil {
		return done, err
	}
	select {
	case err = <-sprung:
	case <-ctx.Done():
		err = fmt.Errorf("no write came: %w", context.Cause(ctx))
	}
	return done, err
}

// storm ends once the app has been told to wait; the latency counts from there.
func (d *day) storm(ctx context.Context, r *Row) (time.Time, error) {
	d.w.SetStorm(true)
	defer d.w.SetStorm(false)
	before := d.w.Pulse().GraphCalls
	if err := d.move(d.a, d.at(12), d.at(13)); err != nil {
		return now(err)
	}
	if err := d.w.Await(ctx, func() error {
		if d.w.Pulse().GraphCalls == before {
			return errors.New("the app does not call Graph")
		}
		return nil
	}); err != nil {
		return now(err)
	}
	r.Note = "429 with Retry-After 1"
	return now(nil)
}

// lostNotifications waits first until no read is booked, so that nothing but
// the sweep can find the edit.
func (d *day) lostNotifications(ctx context.Context, r *Row) (time.Time, error) {
	if err := d.w.AwaitNothingBooked(ctx); err != nil {
		return now(err)
	}
	before := d.w.Graph.NotificationStats().Dropped
	d.w.DropNotifications(many)
	err := d.editUnseen(ctx, d.at(16))
	d.w.StopDropping()
	r.Note = fmt.Sprintf("%d lost", d.w.Graph.NotificationStats().Dropped-before)
	if err != nil {
		return now(err)
	}
	// The sweep looks at mailboxes that were not read for half an hour.
	if err := d.w.AgeReads(ctx, 2*time.Hour); err != nil {
		return now(err)
	}
	return now(d.w.Trigger(ctx, "mailboxsweep"))
}

func (d *day) expired(ctx context.Context, r *Row) (time.Time, error) {
	if err := d.w.AwaitNothingBooked(ctx); err != nil {
		return now(err)
	}
	r.Note = fmt.Sprintf("%d expired", d.w.ExpireSubscriptions())
	if err := d.editUnseen(ctx, d.at(17)); err != nil {
		return now(err)
	}
	began := time.Now()
	if err := d.w.Trigger(ctx, "subscriptionrenewal"); err != nil {
		return began, err
	}
	return began, d.w.AwaitReady(ctx)
}

// editUnseen moves Anna's emergency in Outlook and makes sure that the board
// does not hear of it.
func (d *day) editUnseen(ctx context.Context, to time.Time) error {
	guid, err := d.emergency()
	if err != nil {
		return err
	}
	a, err := d.w.Board.Get(guid)
	if err != nil {
		return err
	}
	id, err := d.eventAt(annaMail, a.Start)
	if err != nil {
		return err
	}
	if _, err := d.w.Graph.MoveEvent(annaMail, id, to, to.Add(time.Hour)); err != nil {
		return err
	}
	if err := d.w.AwaitQuiet(ctx); err != nil {
		return err
	}
	if len(d.w.Differences()) == 0 {
		return errors.New("the board heard of the edit, though nobody was told")
	}
	return nil
}

func (d *day) emergency() (string, error) {
	for _, a := range d.w.Board.List(d.at(0), d.at(24), anna) {
		if a.Subject == "Emergency at the bakery" {
			return a.GUID, nil
		}
	}
	return "", errors.New("the emergency is not on the board any more")
}
