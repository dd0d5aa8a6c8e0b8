package world

import (
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

// TestLedgerDifferences shows that each way to differ is noticed, in a company
// and at a webhook, and what is no difference is not.
func TestLedgerDifferences(t *testing.T) {
	for _, c := range []struct {
		name          string
		spoil         func(board *boardsim.Board, guid string, l *Ledger)
		company, hook string // what is said of each; "" = they agree
	}{
		{"the same", func(*boardsim.Board, string, *Ledger) {}, "", ""},
		{"nothing there", func(_ *boardsim.Board, _ string, l *Ledger) { l.Entries = nil }, "is missing", "is missing"},
		{"a second document", func(_ *boardsim.Board, _ string, l *Ledger) { l.Entries = append(l.Entries, l.Entries[0]) }, "stands 2 times", "stands 2 times"},
		{"another subject", func(_ *boardsim.Board, _ string, l *Ledger) { l.Entries[0].Subject = "Surveys" }, `stands as "Surveys"`, `stands as "Surveys"`},
		{"another time", func(_ *boardsim.Board, _ string, l *Ledger) { l.Entries[0].End = nine }, "stands as", "stands as"},
		{"another task", func(_ *boardsim.Board, _ string, l *Ledger) { l.Entries[0].TaskNo = "T2" }, "stands as", "stands as"},
		{"a resource too few", func(_ *boardsim.Board, _ string, l *Ledger) {
			if l.PerResource {
				l.Entries = l.Entries[:1]
			} else {
				l.Entries[0].Resources = []string{"ANNA"}
			}
		}, "for BRAM is missing", "stands as"},
		{"deleted on the board alone", func(b *boardsim.Board, guid string, _ *Ledger) { _ = b.Delete(guid) }, "is not on the board", "is not on the board"},
		{"deleted on both sides", func(b *boardsim.Board, guid string, l *Ledger) {
			_ = b.Delete(guid)
			l.Entries = l.Entries[:1]
			l.Entries[0].Deleted = true
		}, "", ""},
		{"another company's job", func(b *boardsim.Board, guid string, _ *Ledger) {
			_ = b.Edit(guid, func(a *boardsim.Appointment) { a.SourceApp = "OTHER" })
		}, "is not on the board", "is not on the board"},
		{"a resource of another source app", func(b *boardsim.Board, _ string, l *Ledger) {
			b.AddResource(boardsim.Resource{ResourceNo: "BRAM", SourceApp: "OTHER"})
		}, "for BRAM is not on the board", "stands as"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, perResource := range []bool{true, false} {
				board := boardsim.New(boardsim.Options{})
				t.Cleanup(board.Close)
				for _, no := range []string{"ANNA", "BRAM"} {
					board.AddResource(boardsim.Resource{ResourceNo: no})
				}
				for _, app := range []string{"APP", "OTHER"} {
					board.AddTask(boardsim.Task{SourceApp: app, SourceType: "ORDER", JobNo: "J1", TaskNo: "T1"})
				}
				a, err := board.CreateAppointment(boardsim.Appointment{
					Subject: "Survey", Start: nine, End: nine.Add(time.Hour), SourceApp: "APP", SourceType: "ORDER", JobNo: "J1", TaskNo: "T1",
					Resources: []string{"BRAM", "ANNA"},
				})
				if err != nil {
					t.Fatal(err)
				}
				l := Ledger{Name: "CO", SourceApp: "app", PerResource: perResource}
				l.Entries = expected(l, a)
				if perResource {
					l.Entries[0], l.Entries[1] = l.Entries[1], l.Entries[0]
				}
				c.spoil(board, a.GUID, &l)
				want := c.hook
				if perResource {
					want = c.company
				}
				got := strings.Join(LedgerDifferences(board, l), "\n")
				if want == "" && got != "" || !strings.Contains(got, want) {
					t.Errorf("per resource %t: %q, want %q", perResource, got, want)
				}
			}
		})
	}
}
