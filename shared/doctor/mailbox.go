package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/fault"
)

const (
	notificationPath = "/api/graph/notifications"
	lifecyclePath    = "/api/graph/lifecycle"
	// ours tells the doctor's subscriptions from the mailbox's own: these have another
	// address, and so no worker adopts or removes them.
	ours = "?doctor=1"

	// mark begins the value of the named property of a test event; that of an
	// appointment's event begins with a Guid.
	mark = "doctor"
	// yearsAhead puts the test event outside of every window that is synchronised,
	// which ends 730 days ahead at most.
	yearsAhead = 10

	looks = 4 // for the test event
)

// mailbox tries in the mailbox what the connectors do there.
func (d *Doctor) mailbox(ctx context.Context, f *findings, address string, seen proof) {
	id, err := d.Calendar.Mailbox(ctx, address)
	switch {
	case err == nil:
		f.ok("user", "The address leads to a user.")
		seen["User.Read.All"] = true
	case fault.Is(err, fault.NotFound):
		f.failed("user", fault.Of(err).Code, "No user of the tenant has this address.", "Check the address and GRAPH_TENANT_ID.")
		return
	case fault.Is(err, fault.Auth):
		graphFailed(f, "user", err, "Grant admin consent for User.Read.All.")
		id = address // Graph takes a principal name too
	default:
		graphFailed(f, "user", err, "")
		return
	}
	now := d.Now().UTC()
	if events, err := d.Calendar.View(ctx, id, calendar.Window{Start: now, End: now.AddDate(0, 0, 7)}); err != nil {
		graphFailed(f, "read the calendar", err, calendarDo(err, "Calendars.Read"))
	} else {
		f.ok("read the calendar", "It can be read: %d events in the next 7 days.", len(events))
		seen["Calendars.Read"] = true
	}
	d.event(ctx, f, id, seen)
	d.subscription(ctx, f, id)
	if list, err := d.Calendar.Categories(ctx, id); err != nil {
		graphFailed(f, "categories", err, calendarDo(err, "MailboxSettings.ReadWrite"))
	} else {
		f.ok("categories", "The mailbox's list can be read: %d categories.", len(list))
		seen["reading MailboxSettings.ReadWrite"] = true
	}
}

// calendarDo is what to do where the mailbox denies access; "" = what the code says.
func calendarDo(err error, permission string) string {
	if !fault.Is(err, fault.Auth) {
		return ""
	}
	return "Grant admin consent for " + permission + ", or add the mailbox to the scope of the application's role assignment or access policy in Exchange."
}

// event creates a tagged event, finds it by its tag, and removes it whatever happens.
func (d *Doctor) event(ctx context.Context, f *findings, mailbox string, seen proof) {
	const name = "test event"
	if left, err := d.Calendar.Marked(ctx, mailbox, mark); err != nil {
		graphFailed(f, name, err, calendarDo(err, "Calendars.Read"))
		return
	} else if len(left) > 0 && !d.remove(ctx, f, mailbox, left) {
		return
	}
	run := rand.Text()
	start := d.Now().UTC().AddDate(yearsAhead, 0, 0).Truncate(time.Hour)
	results, err := d.Calendar.Apply(ctx, mailbox, []calendar.Write{{
		Op: calendar.Create, TransactionID: "doctor-" + run, Mark: mark + "|" + run,
		Content: appointment.Content{
			appointment.Subject: "Test of the Dime.Scheduler connectors, can be deleted", appointment.Body: "",
			appointment.When: appointment.Interval(start, start.Add(30*time.Minute)), appointment.TimeZone: "UTC",
			appointment.ShowAs: "free", appointment.Sensitivity: "private",
		},
	}})
	if err == nil {
		err = results[0].Err
	}
	// From here on something may be there, also if that has failed.
	defer d.tidy(ctx, f, mailbox)
	if err != nil {
		graphFailed(f, name, err, calendarDo(err, "Calendars.ReadWrite"))
		return
	}
	seen["Calendars.ReadWrite"] = true
	for i := range looks {
		found, err := d.Calendar.Marked(ctx, mailbox, mark)
		if err != nil {
			graphFailed(f, name, err, "")
			return
		}
		for _, e := range found {
			if e.ID == results[0].Event.ID {
				f.ok(name, "An event can be created, found by its tag, and removed.")
				return
			}
		}
		if i == looks-1 || !d.pause(ctx) {
			break
		}
	}
	f.failed(name, "", "An event was created, but a search for its tag does not find it.", "Try again in some minutes: Exchange's index may lag. If it lasts, report it.")
}

func (d *Doctor) pause(ctx context.Context) bool {
	pause := d.Pause
	if pause <= 0 {
		pause = 2 * time.Second
	}
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// tidy removes every test event, though the time may be up.
func (d *Doctor) tidy(ctx context.Context, f *findings, mailbox string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	left, err := d.Calendar.Marked(ctx, mailbox, mark)
	if err != nil {
		f.failed("clean-up", fault.Of(err).Code, "Whether the test event is gone can not be seen.", d.byHand())
		return
	}
	d.remove(ctx, f, mailbox, left)
}

func (d *Doctor) byHand() string {
	return fmt.Sprintf("Run the doctor again with this mailbox, which removes it, or delete it in the calendar: it lies in %d.", d.Now().AddDate(yearsAhead, 0, 0).Year())
}

// remove deletes events, each as it is now; false if one stays.
func (d *Doctor) remove(ctx context.Context, f *findings, mailbox string, events []calendar.Event) bool {
	for _, e := range events {
		var err error
		for range 3 { // Exchange may touch an event once more after it was written
			if err = d.delete(ctx, mailbox, e); err == nil || !fault.Is(err, fault.Conflict) {
				break
			}
			if e, err = d.Calendar.Event(ctx, mailbox, e.ID); err != nil {
				break
			}
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			f.failed("clean-up", fault.Of(err).Code, "A test event could not be removed.", d.byHand())
			return false
		}
	}
	return true
}

func (d *Doctor) delete(ctx context.Context, mailbox string, e calendar.Event) error {
	results, err := d.Calendar.Apply(ctx, mailbox, []calendar.Write{{Op: calendar.Delete, ID: e.ID, ETag: e.ETag}})
	if err != nil {
		return err
	}
	return results[0].Err
}

// subscription has Graph subscribe, for which it calls the public address, and ends
// that again.
func (d *Doctor) subscription(ctx context.Context, f *findings, mailbox string) {
	const name = "subscription"
	state := "doctor"
	if d.Vault != nil {
		// Signed, so that what it may announce in its short life is believed.
		if text, err := d.Vault.Get(ctx, d.Keys); err == nil {
			if keys, err := exchange.ParseKeys(text.Reveal()); err == nil {
				state, _ = keys.Sign(mailbox) // there are keys
			}
		}
	}
	defer d.unsubscribe(ctx, f)
	_, err := d.Calendar.CreateSubscription(ctx, mailbox, d.PublicURL+notificationPath+ours, d.PublicURL+lifecyclePath+ours, state, d.Now().Add(time.Hour))
	switch {
	case err == nil:
		f.ok(name, "Graph reaches the public address, and subscribes to the mailbox.")
	case fault.Is(err, fault.Conflict):
		f.ok(name, "Graph has a subscription of this mailbox already, and makes no second one.")
	case fault.Is(err, fault.Invalid):
		f.failed(name, fault.Of(err).Code, "Graph does not reach the public address, or gets another answer there than this app's.",
			"Check that PUBLIC_URL can be reached from the internet by https, with a certificate that is publicly trusted, and that no access restriction keeps Graph out.")
	default:
		graphFailed(f, name, err, calendarDo(err, "Calendars.Read"))
	}
}

// unsubscribe ends the doctor's subscriptions, those of runs before too.
func (d *Doctor) unsubscribe(ctx context.Context, f *findings) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	list, err := d.Calendar.Subscriptions(ctx)
	for _, s := range list {
		if strings.EqualFold(s.NotificationURL, d.PublicURL+notificationPath+ours) {
			if failed := d.Calendar.DeleteSubscription(ctx, s.ID); failed != nil {
				err = failed
			}
		}
	}
	if err != nil {
		f.failed("clean-up", fault.Of(err).Code, "Whether the test subscription is gone can not be seen.", "Nothing: it ends by itself within an hour.")
	}
}
