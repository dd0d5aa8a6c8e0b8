package tour

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/world"
)

// The words of private events.
const (
	secretSubject = "Talk about a pay rise"
	secretBody    = "Mention the offer from Antwerp"
)

// privateEvent makes one, and then an edit that can be waited for: when that is
// on the board, the private one was seen, too.
func (d *day) privateEvent(context.Context, *Row) (time.Time, error) {
	_, err := d.w.Graph.CreateEvent(annaMail, graphsim.Event{
		Subject: secretSubject, BodyType: "text", Body: secretBody, Start: d.at(18), End: d.at(19), Sensitivity: "private",
	})
	if err != nil {
		return now(err)
	}
	e, err := d.w.Graph.CreateEvent(annaMail, graphsim.Event{Subject: "Order spare parts", Start: d.at(19), End: d.at(20)})
	d.born = e.ID
	return now(err)
}

// noWords: they are nowhere on the board, nor in anything that it announces, nor
// in a back office.
func (d *day) noWords() error {
	var texts []string
	for _, a := range d.w.Board.List(time.Time{}, time.Time{}) {
		texts = append(texts, a.Subject, a.Body)
	}
	for _, c := range d.w.Board.Announced() {
		texts = append(texts, string(c.Body))
	}
	for _, l := range d.w.Ledgers() {
		for _, e := range l.Entries {
			texts = append(texts, e.Subject)
		}
	}
	for _, text := range texts {
		if strings.Contains(text, secretSubject) || strings.Contains(text, secretBody) {
			return errors.New("the words of a private event have left Outlook")
		}
	}
	return nil
}

func (d *day) becomesPrivate(context.Context, *Row) (time.Time, error) {
	_, err := d.w.Graph.UpdateEvent(annaMail, d.born, func(e *graphsim.Event) { e.Sensitivity = "private" })
	return now(err)
}

func (d *day) offTheBoard() error {
	for _, a := range d.w.Board.List(time.Time{}, time.Time{}) {
		if a.Subject == "Order spare parts" || a.Start.Equal(d.at(19)) {
			return errors.New("the event that has become private is still on the board")
		}
	}
	return nil
}

func (d *day) allDay(context.Context, *Row) (time.Time, error) {
	first := d.date.AddDate(0, 0, 4)
	_, err := d.w.Graph.CreateEvent(davidMail, graphsim.Event{
		Subject: "Days off", AllDay: true, Start: first, End: first.AddDate(0, 0, 2), ShowAs: "oof",
	})
	return now(err)
}

func (d *day) daysOff() error {
	first := d.date.AddDate(0, 0, 4)
	for _, a := range d.w.Board.List(first, first.AddDate(0, 0, 2), david) {
		if a.Subject == "Days off" && a.Start.Equal(first) && a.End.Equal(first.AddDate(0, 0, 2)) {
			return nil
		}
	}
	return errors.New("the days off do not stand on the board from midnight to midnight")
}

const occurrences = 4

// seriesAt is where the n-th occurrence lies in the pattern.
func (d *day) seriesAt(n int) time.Time { return d.at(7).AddDate(0, 0, 1+7*n) }

func (d *day) series(context.Context, *Row) (time.Time, error) {
	first := d.seriesAt(0)
	e, err := d.w.Graph.CreateEvent(bramMail, graphsim.Event{
		Subject: "Stand-up", Start: first, End: first.Add(time.Hour),
		Recurrence: &graphsim.Recurrence{
			Type: "weekly", Interval: 1, DaysOfWeek: []string{strings.ToLower(first.Weekday().String())},
			RangeType: "numbered", StartDate: first.Format(time.DateOnly), Count: occurrences, TimeZone: "UTC",
		},
	})
	d.born = e.ID
	return now(err)
}

// standUps are the starts of the series' appointments.
func (d *day) standUps() (starts []time.Time) {
	for _, a := range d.w.Board.List(time.Time{}, time.Time{}, bram) {
		if a.Subject == "Stand-up" {
			starts = append(starts, a.Start)
		}
	}
	return starts
}

func (d *day) seriesShows() error {
	if n := len(d.standUps()); n != occurrences {
		return fmt.Errorf("%d of %d occurrences are on the board", n, occurrences)
	}
	return nil
}

func (d *day) seriesMoves(context.Context, *Row) (time.Time, error) {
	at := d.seriesAt(1)
	id, err := d.occurrenceAt(at)
	if err != nil {
		return now(err)
	}
	to := at.Add(26 * time.Hour)
	_, err = d.w.Graph.MoveEvent(bramMail, id, to, to.Add(time.Hour))
	return now(err)
}

func (d *day) occurrenceAt(at time.Time) (string, error) {
	for _, e := range d.w.Graph.View(bramMail, at, at.Add(time.Minute)) {
		if e.SeriesMasterID == d.born && e.Start.Equal(at) {
			return e.ID, nil
		}
	}
	return "", fmt.Errorf("the series has no occurrence at %s", at.Format(time.RFC3339))
}

func (d *day) seriesMoved() error {
	starts := d.standUps()
	if len(starts) != occurrences {
		return fmt.Errorf("%d of %d occurrences are on the board", len(starts), occurrences)
	}
	for n, start := range starts {
		want := d.seriesAt(n)
		if n == 1 {
			want = want.Add(26 * time.Hour)
		}
		if !start.Equal(want) {
			return fmt.Errorf("occurrence %d stands at %s, want %s", n+1, start.Format(time.RFC3339), want.Format(time.RFC3339))
		}
	}
	return nil
}

// placeholder plans one, makes sure that it does not come, and lets it become real.
func (d *day) placeholder(ctx context.Context, r *Row) (time.Time, error) {
	a, err := d.w.Board.CreateAppointment(boardsim.Appointment{
		Subject: "Maybe the school", Start: d.at(6), End: d.at(7), Resources: []string{chloe}, Category: world.Placeholder,
	})
	if err != nil {
		return now(err)
	}
	if err := d.w.AwaitQuiet(ctx); err != nil {
		return now(err)
	}
	for _, e := range d.w.Graph.Events(chloeMail) {
		if e.Subject == a.Subject {
			return now(errors.New("the placeholder is in Outlook"))
		}
	}
	r.Note = "kept out, then sent"
	return now(d.w.Board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Category = "" }))
}
