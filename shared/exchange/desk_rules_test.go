package exchange_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/category"
	"github.com/dime-scheduler/connectors/shared/exchange"
)

// atDesk is the desk of the world's process.
func (w *world) atDesk() *exchange.Desk {
	p := w.proc.worker
	return &exchange.Desk{Store: p.Store, Calendar: p.Calendar, Board: p.Board, Bus: fakeBus{w}, Now: w.clock, Log: slog.New(slog.DiscardHandler)}
}

func TestDeskRules(t *testing.T) {
	w := withCategories(t, 2)
	service, other := w.plan("Service", 1, "R1", "R2"), w.plan("Other", 3, "R1")
	w.must(w.board.Edit(service.GUID, marked("SERVICE")))
	_, err := w.graph.CreateEvent(email("R2"), graphsim.Event{Subject: "Dentist", Start: start.Add(time.Hour), End: start.Add(2 * time.Hour), IsOrganizer: true})
	w.must(err)
	w.settle()
	desk := w.atDesk()

	// Refused with the place, and nothing has changed.
	_, err = desk.SaveRules(t.Context(), "ann@example.com", `[{"Name":"R","ErrorMessage":"-","Expression":"appointment.Categry.Name == \"X\""}]`, "")
	if p, ok := errors.AsType[exchange.ProblemsError](err); !ok || len(p) != 1 || p[0].Column != 13 || !strings.Contains(err.Error(), "did you mean Category?") {
		t.Errorf("a slip of the pen: %v", err)
	}
	if _, err := desk.SaveRules(t.Context(), "ann@example.com", "no rules", ""); err == nil || !strings.Contains(err.Error(), "not JSON") {
		t.Errorf("no JSON: %v", err)
	}
	if view, err := desk.Rules(t.Context()); err != nil || view.Text != "" || len(view.Rules) != 0 {
		t.Errorf("%+v, %v", view, err)
	}

	// Tried before it is saved.
	try, err := desk.TryRules(t.Context(), onlyService)
	if err != nil || try.Judged != 3 || !try.Complete || try.Leave != 1 || try.Stay != 1 || try.Own != 1 || try.Come != 0 || try.ByRule["Service"] != 2 ||
		len(try.Examples) != 1 || try.Examples[0].Appointment != other.GUID || try.Examples[0].Message != "Only service goes to Outlook." {
		t.Errorf("%+v, %v", try, err)
	}
	if o, _, err := desk.TryRulesOn(t.Context(), onlyService, strings.ToUpper(service.GUID)); err != nil || !o.Passes {
		t.Errorf("%+v, %v", o, err)
	}
	if _, _, err := desk.TryRulesOn(t.Context(), onlyService, "nobody"); err == nil {
		t.Error("an appointment that nobody knows is judged")
	}

	// Saved, and applied by what the desk has booked, without a timer.
	if _, err := desk.SaveRules(t.Context(), "ann@example.com", onlyService, ""); err != nil {
		t.Fatal(err)
	}
	w.advance(2 * time.Minute)
	w.settle()
	if got := w.subjects("R1"); !slices.Equal(got, []string{"Service"}) {
		t.Errorf("R1 sees %q", got)
	}
	if got := w.subjects("R2"); !slices.Equal(got, []string{"Dentist", "Service"}) {
		t.Errorf("R2 sees %q", got)
	}
	if try, err := desk.TryRules(t.Context(), ""); err != nil || try.Come != 1 || try.Leave != 0 || try.Stay != 2 {
		t.Errorf("without rules the other would come: %+v, %v", try, err)
	}

	// Two people at once, and the same again.
	view, err := desk.Rules(t.Context())
	if err != nil || len(view.Rules) != 1 || view.Rules[0].Name != "Service" {
		t.Fatalf("%+v, %v", view, err)
	}
	if _, err := desk.SaveRules(t.Context(), "bob@example.com", "[]", view.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := desk.SaveRules(t.Context(), "ann@example.com", onlyService, view.Version); !errors.Is(err, exchange.ErrChangedMeanwhile) {
		t.Errorf("the first is overwritten: %v", err)
	}
	if _, err := desk.SaveRules(t.Context(), "bob@example.com", "[]", ""); err != nil {
		t.Error(err)
	}
	log, err := w.mem.AuditLog(t.Context(), 10)
	w.must(err)
	var who []string
	for _, e := range log {
		who = append(who, e.Who+" "+e.Action)
	}
	if !slices.Equal(who, []string{"bob@example.com rules.save", "ann@example.com rules.save"}) {
		t.Errorf("audit: %q", who)
	}
}

func TestDeskCategories(t *testing.T) {
	w := withCategories(t, 1)
	a := w.plan("Repair", 1, "R1")
	w.must(w.board.Edit(a.GUID, marked("SERVICE")))
	w.settle()
	desk := w.atDesk()
	view, err := desk.Categories(t.Context())
	if err != nil || len(view.Categories) != 2 || len(view.TimeMarkers) != 1 || view.BoardProblem != "" ||
		view.Categories[0] != (exchange.LabelView{Name: "SERVICE", Color: "#FF0000", Outlook: "SERVICE", Preset: "preset0"}) || view.TimeMarkers[0].Outlook != "" {
		t.Errorf("%+v, %v", view, err)
	}
	bad := category.Links{Categories: []category.Link{{Dime: "SERVICE", Outlook: "a;b"}}}
	if err := desk.SaveCategories(t.Context(), "ann@example.com", bad, view.Version); err == nil || !strings.Contains(err.Error(), "semicolon") {
		t.Errorf("%v", err)
	}
	good := category.Links{Categories: []category.Link{{Dime: "SERVICE", Outlook: "Red work"}}}
	w.must(desk.SaveCategories(t.Context(), "ann@example.com", good, view.Version))
	w.advance(2 * time.Minute)
	w.settle()
	if got := w.categories("R1", "Repair"); got != "Red work" {
		t.Errorf("the event shows %q", got)
	}
	if view, err = desk.Categories(t.Context()); err != nil || view.Categories[0].Outlook != "Red work" {
		t.Errorf("%+v, %v", view, err)
	}
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault { return boardsim.Fault{Status: 503} })
	if view, err = desk.Categories(t.Context()); err != nil || view.BoardProblem == "" || len(view.Links.Categories) != 1 {
		t.Errorf("the board is down, the links are there: %+v, %v", view, err)
	}
}
