package dimescheduler_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

const (
	ann = "ann@contoso.example"
	bob = "bob@contoso.example"
)

var nine = time.Date(2026, 7, 6, 9, 0, 0, 0, time.UTC)

func day(hours int) calendar.Window {
	return calendar.Window{Start: nine.Add(time.Duration(-hours) * time.Hour), End: nine.Add(time.Duration(hours) * time.Hour)}
}

func newBoard(t *testing.T, o boardsim.Options) (*boardsim.Board, *dimescheduler.Client) {
	t.Helper()
	o.APIKey = "k3y"
	board := boardsim.New(o)
	t.Cleanup(board.Close)
	board.AddResource(boardsim.Resource{ResourceNo: "R-ANN", DisplayName: "Ann", Email: ann, ExchangeIntegrationEnabled: true})
	board.AddResource(boardsim.Resource{ResourceNo: "R-BOB", DisplayName: "Bob", Email: bob})
	board.AddJob(boardsim.Job{SourceApp: "BC", SourceType: "SERVICE", JobNo: "J1"})
	board.AddTask(boardsim.Task{SourceApp: "BC", SourceType: "SERVICE", JobNo: "J1", TaskNo: "10"})
	srv := httptest.NewServer(board)
	t.Cleanup(srv.Close)
	client := dimescheduler.New(dimescheduler.Options{
		BaseURL: srv.URL,
		Key:     func(context.Context) (secret.Secret, error) { return secret.New("k3y"), nil },
		Zone:    o.Zone,
	})
	return board, client
}

// kinds of board that the client has to live with.
func kinds(t *testing.T) map[string]boardsim.Options {
	zone, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]boardsim.Options{
		"plain":            {},
		"no read by id":    {NoGetByID: true},
		"zoneless times":   {ZonelessTimes: true, Zone: zone},
		"whole seconds":    {Granularity: time.Second},
		"Guids of its own": {OwnGUIDs: true},
	}
}

func TestAgainstTheBoard(t *testing.T) {
	for name, o := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			board, c := newBoard(t, o)
			ctx := t.Context()

			resources, err := c.Resources(ctx)
			want := []appointment.Resource{{No: "R-ANN", Name: "Ann", Email: ann, Exchange: true}, {No: "R-BOB", Name: "Bob", Email: bob}}
			if d := cmp.Diff(want, resources); d != "" || err != nil {
				t.Fatalf("%v -want +got\n%s", err, d)
			}

			content := appointment.Content{
				appointment.Subject: "Dentist", appointment.Body: "zwölf\nlines", appointment.Importance: "high",
				appointment.When: appointment.Interval(nine, nine.Add(time.Hour)),
			}
			event := dimescheduler.ExchangeAppointment{
				Guid: "6f9619ff-8b86-d011-b42d-00cf4fc964ff", ExchangeID: "EX1", ICalUID: "U1", ResourceEmail: ann,
				Content: content, CreatedByExchange: true,
			}
			ref, err := c.UpsertExchange(ctx, event)
			if err != nil || ref.ID == 0 || (ref.Guid == event.Guid) == o.OwnGUIDs {
				t.Fatalf("upsert: %+v, %v", ref, err)
			}
			// An ambiguous call is repeated with the same keys (R25).
			again, err := c.UpsertExchange(ctx, event)
			if err != nil || again != ref {
				t.Fatalf("repeated: %+v, %v", again, err)
			}

			got, err := c.Appointment(ctx, ref.Guid, dimescheduler.Hint{Seen: day(0)})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(content, got.Content); d != "" || got.Modified.IsZero() || got.ID != ref.ID || got.Partial {
				t.Errorf("read %+v -want +got\n%s", got, d)
			}
			if d := cmp.Diff([]appointment.Assignee{{No: "R-ANN", Email: ann}}, got.Assignees); d != "" {
				t.Errorf("-want +got\n%s", d)
			}

			// Only what is said changes.
			event.Guid, event.Content = ref.Guid, appointment.Content{appointment.When: appointment.Interval(nine.Add(time.Hour), nine.Add(2*time.Hour))}
			if _, err := c.UpsertExchange(ctx, event); err != nil {
				t.Fatal(err)
			}
			moved := content.With(event.Content)
			if _, err := c.UpsertAppointment(ctx, appointment.Appointment{Guid: ref.Guid, Content: appointment.Content{appointment.Body: ""}}, "R-BOB"); err != nil {
				t.Fatal(err)
			}
			moved[appointment.Body] = ""
			list, err := c.Appointments(ctx, nine, nine.Add(90*time.Minute), []string{"R-BOB"})
			if err != nil || len(list) != 1 {
				t.Fatalf("%v, %v", list, err)
			}
			if d := cmp.Diff(moved, list[0].Content); d != "" || len(list[0].Assignees) != 2 {
				t.Errorf("%v -want +got\n%s", list[0].Assignees, d)
			}

			if err := c.UpsertNotification(ctx, dimescheduler.Notification{Appointment: got, Connector: "exchange", Severity: dimescheduler.Warning, Code: "DSEX001", Text: "no mailbox", At: nine}); err != nil {
				t.Fatal(err)
			}
			if n := board.Notifications(); len(n) != 1 || n[0].Type != 1 || n[0].AppointmentGUID != ref.Guid || !n[0].Date.Equal(nine) {
				t.Errorf("notifications: %+v", n)
			}
			for range 2 {
				if err := c.DeleteNotification(ctx, dimescheduler.Notification{Appointment: got, Connector: "exchange", Code: "DSEX001"}); err != nil {
					t.Fatal(err)
				}
			}
			if n := board.Notifications(); len(n) != 0 {
				t.Errorf("still there: %+v", n)
			}

			for range 2 {
				if err := c.Unassign(ctx, got, "R-BOB"); err != nil {
					t.Fatal(err)
				}
			}
			if a, err := board.Get(ref.Guid); err != nil || len(a.Resources) != 1 {
				t.Errorf("after unassign: %+v, %v", a, err)
			}
			for range 2 {
				if err := c.DeleteExchange(ctx, event); err != nil {
					t.Fatal(err)
				}
				if err := c.DeleteAppointment(ctx, got); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := board.Get(ref.Guid); err == nil {
				t.Error("the appointment is still on the board")
			}
			_, err = c.Appointment(ctx, ref.Guid, dimescheduler.Hint{Seen: day(0)})
			code := dimescheduler.CodeGone
			if o.NoGetByID {
				code = dimescheduler.CodeInconclusive
			}
			if !fault.Is(err, fault.NotFound) || fault.Of(err).Code != code {
				t.Errorf("got %v, want %s", err, code)
			}
		})
	}
}

// TestAnnouncedMessagesAreUnderstood decodes what the board announces, in both
// forms, and finds in it what the board shows.
func TestAnnouncedMessagesAreUnderstood(t *testing.T) {
	for _, flat := range []bool{false, true} {
		board, c := newBoard(t, boardsim.Options{FlatMessages: flat})
		a, err := board.CreateAppointment(boardsim.Appointment{
			Subject: "Install", Start: nine, End: nine.Add(time.Hour), Importance: boardsim.ImportanceLow,
			SourceApp: "BC", SourceType: "SERVICE", JobNo: "J1", TaskNo: "10", Resources: []string{"R-ANN", "R-BOB"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := board.Delete(a.GUID); err != nil {
			t.Fatal(err)
		}
		if err := board.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		announced := board.Announced()
		if len(announced) < 2 {
			t.Fatalf("announced %d", len(announced))
		}
		for _, m := range announced {
			got, err := dimescheduler.DecodeChange(m.Body, m.ChangeType, 1, m.At, time.UTC)
			if err != nil {
				t.Errorf("flat %v: %s: %v", flat, m.Body, err)
				continue
			}
			x := got.Appointment
			if x.Guid != a.GUID || x.Partial != flat || string(got.Operation) != m.ChangeType {
				t.Errorf("flat %v: got %+v", flat, got)
			}
			if got.Operation == appointment.Create && (x.Content[appointment.When] != appointment.Interval(nine, nine.Add(time.Hour)) || x.Content[appointment.Importance] != "low") {
				t.Errorf("flat %v: content %v", flat, x.Content)
			}
			if want := 2; !flat && len(x.Assignees) != want {
				t.Errorf("assignees %v", x.Assignees)
			}
		}
		if _, err := c.Appointments(t.Context(), nine, nine.Add(time.Hour), nil); err != nil {
			t.Error(err)
		}
	}
}

func TestFaultsOfTheBoard(t *testing.T) {
	board, c := newBoard(t, boardsim.Options{})
	event := dimescheduler.ExchangeAppointment{Guid: "6f9619ff-8b86-d011-b42d-00cf4fc964ff", ExchangeID: "EX1", ResourceEmail: ann,
		Content: appointment.Content{appointment.When: appointment.Interval(nine, nine.Add(time.Hour))}}

	board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Cut: true, AfterCommit: true} })
	if _, err := c.UpsertExchange(t.Context(), event); err == nil || !fault.Of(err).Ambiguous {
		t.Errorf("cut after commit: %v", err)
	}
	board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Status: 429, RetryAfter: "3"} })
	if _, err := c.UpsertExchange(t.Context(), event); !fault.Is(err, fault.RateLimit) || fault.Of(err).RetryAfter != 3*time.Second {
		t.Errorf("429: %v", err)
	}
	board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Error: "subreport of Ann"} })
	if _, err := c.UpsertExchange(t.Context(), event); err == nil || fault.Of(err).Kind != fault.Permanent {
		t.Errorf("error inside a 200: %v", err)
	}
	if _, err := c.Appointments(t.Context(), nine, nine.Add(time.Hour), nil); err == nil || fault.Of(err).Kind != fault.Transient {
		t.Errorf("500 of a list: %v", err)
	}
	board.SetFault(nil)
	event.ResourceEmail = "nobody@contoso.example"
	if _, err := c.UpsertExchange(t.Context(), event); err == nil || fault.Of(err).Kind != fault.Permanent {
		t.Errorf("unknown resource: %v", err)
	}
	board.SetAPIKey("another")
	if _, err := c.Resources(t.Context()); !fault.Is(err, fault.Auth) || !fault.Of(err).WholeTarget {
		t.Errorf("wrong key: %v", err)
	}
}
