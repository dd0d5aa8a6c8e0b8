package doctor

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Board is the planning board's API.
type Board interface {
	Resources(ctx context.Context) ([]appointment.Resource, error)
	Appointments(ctx context.Context, from, to time.Time, resources []string) ([]appointment.Appointment, error)
	Appointment(ctx context.Context, guid string, hint dimescheduler.Hint) (appointment.Appointment, error)
	ReadsByID() (reads, known bool)
}

// Connectors are the back offices.
type Connectors interface {
	List(ctx context.Context) ([]backoffice.View, error)
	Test(ctx context.Context, who, id string) ([]backoffice.Check, error)
}

func (d *Doctor) board(ctx context.Context, f *findings) {
	if d.Board == nil {
		f.failed("API", "", "The board's API can not be called.", "Check DIMESCHEDULER_URL.")
		return
	}
	resources, err := d.Board.Resources(ctx)
	if err != nil {
		boardFailed(f, "resources", err)
		return
	}
	taking := 0
	for _, r := range resources {
		if r.Exchange && r.Email != "" {
			taking++
		}
	}
	if len(resources) == 0 {
		f.failed("resources", "", "The board answers, but shows no resource: the API key's user sees nothing.", "Let the user of the API key see all resources in Dime.Scheduler.")
	} else {
		f.ok("resources", "The API key is taken. The board shows %d resources, %d of them with Exchange integration and an e-mail address.", len(resources), taking)
	}
	now := d.Now().UTC()
	window := calendar.Window{Start: now.AddDate(0, 0, -7), End: now.AddDate(0, 0, 7)}
	list, err := d.Board.Appointments(ctx, window.Start, window.End, nil)
	if err != nil {
		boardFailed(f, "appointments", err)
		return
	}
	f.ok("appointments", "They can be read: %d from 7 days ago to 7 days ahead.", len(list))
	if len(list) == 0 {
		f.skipped("one appointment", "There is none in these two weeks to try it with.")
		return
	}
	if _, err = d.Board.Appointment(ctx, list[0].Guid, dimescheduler.Hint{Window: window}); err != nil {
		boardFailed(f, "one appointment", err)
		return
	}
	if reads, _ := d.Board.ReadsByID(); reads {
		f.ok("one appointment", "It can be read by its id: a deletion is proved at once.")
	} else {
		f.ok("one appointment", "This board has no way to read one by its id: a deletion is believed when the next complete list confirms it.")
	}
}

func boardFailed(f *findings, name string, err error) {
	code := exchange.Diagnose(err)
	text, do := told(err, "The board", "Make a new API key in Dime.Scheduler and set it in the Key Vault; it is picked up within minutes.")
	id := fault.Of(err).Code
	if id == "" {
		id = code.ID
	}
	f.failed(name, id, text, do)
}

// who stands in the audit log for the doctor's look at connectors.
const who = "doctor"

func (d *Doctor) backOffices(ctx context.Context, f *findings) {
	if d.Connectors == nil {
		f.skipped("connectors", "They are listed in the tables, which can not be opened.")
		return
	}
	list, err := d.Connectors.List(ctx)
	if err != nil {
		text, do := told(err, "Table Storage", "Give the app's identity the role Storage Table Data Contributor on the account.")
		f.failed("connectors", fault.Of(err).Code, text, do)
		return
	}
	if len(list) == 0 {
		f.skipped("connectors", "None is set up.")
	}
	for _, v := range list {
		d.connector(ctx, f, v)
	}
}

func (d *Doctor) connector(ctx context.Context, f *findings, v backoffice.View) {
	const do = "Correct the connector in the portal, under Back offices; Test shows every step."
	var checks []backoffice.Check
	for _, p := range v.Problems {
		checks = append(checks, backoffice.Check{Name: p.Field, Code: p.Code, Text: p.Text})
	}
	if len(checks) == 0 {
		var err error
		if checks, err = d.Connectors.Test(ctx, who, v.ID); err != nil {
			text, do := told(err, "Table Storage", do)
			f.failed(v.ID, fault.Of(err).Code, text, do)
			return
		}
	}
	for _, c := range checks {
		switch {
		case c.OK:
		case v.State == "off":
			f.skipped(v.ID, "It is switched off, and would not work: %s", sentence(c.Text))
			return
		default:
			f.failed(v.ID, c.Code, sentence(c.Name+": "+c.Text), do)
			return
		}
	}
	suspended := ""
	if v.State == "suspended" {
		suspended = " It is suspended all the same: it is tried again by itself, or resume it in the portal."
	}
	f.ok(v.ID, "All %d steps of its test work.%s", len(checks), suspended)
}
