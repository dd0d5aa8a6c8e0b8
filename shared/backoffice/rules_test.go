package backoffice_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Fan-out: the job's source app selects every connector that is registered for it,
// the source type narrows, and letter case does not matter.
func TestTheSourceAppSelectsAllItsConnectors(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	mail := w.connector("mail", func(c *backoffice.Config) { c.Type, c.SourceApp = backoffice.Webhook, "bcprod" })
	service := w.connector("service", func(c *backoffice.Config) { c.SourceType = "service" })
	sales := w.connector("sales", func(c *backoffice.Config) { c.SourceType = "SALES" })
	other := w.connector("other", func(c *backoffice.Config) { c.SourceApp = "CRM" })
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	for name, m := range map[string]*backofficetest.Mem{"erp": erp, "mail": mail, "service": service} {
		w.expect(name, told(m), []string{"I A"})
	}
	for name, m := range map[string]*backofficetest.Mem{"sales": sales, "other": other} {
		w.expect(name, told(m), nil)
	}
	if list, _ := w.mem.Transactions(t.Context(), "webhook", 10); len(list) != 1 || list[0].Target != "mail" {
		t.Errorf("transactions of webhooks: %+v", list)
	}
}

func TestNoMatchIsRecorded(t *testing.T) {
	w := newWorld(t)
	w.announce(appointment.Create, sample(1, "before there is any connector"))
	w.settle(time.Minute)
	w.expect("without connectors", w.transactions(sample(1, "").Appointment), nil)
	w.connector("erp", nil)
	r := sample(2, "A")
	r.SourceApp = "UNKNOWN"
	w.announce(appointment.Create, r)
	bare := sample(3, "B")
	bare.SourceApp, bare.SourceType, bare.JobNo, bare.TaskNo = "", "", "", ""
	w.announce(appointment.Create, bare)
	w.settle(time.Minute)
	w.expect("no match", w.transactions(r.Appointment), []string{"Create EmptyBackOffice"})
	w.expect("no job", w.transactions(bare.Appointment), []string{"Create EmptyBackOffice DSCFG002"})
}

// A job that now belongs to another source app leaves the one back office and
// enters the other.
func TestRule_R7_AConnectorThatNoLongerMatchesIsToldTheDeletion(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	crm := w.connector("crm", func(c *backoffice.Config) { c.SourceApp = "CRM" })
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	r := sample(1, "A")
	r.SourceApp, r.JobNo = "CRM", "C1"
	w.announce(appointment.Update, r)
	w.settle(time.Minute)
	w.expect("left", told(erp), []string{"I A", "D A"})
	w.expect("entered", told(crm), []string{"U A"})
	if d := erp.Received()[1]; d.SourceApp != "BCPROD" || d.JobNo != sample(1, "").JobNo {
		t.Errorf("the deletion names job %s of %s, not the one that was told", d.JobNo, d.SourceApp)
	}
	w.announce(appointment.Update, r) // the tombstone stays quiet
	w.settle(time.Minute)
	w.expect("left", told(erp), []string{"I A", "D A"})
}

func TestTheShardIsKept(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", func(c *backoffice.Config) { c.Shards = 8 })
	jobs := map[string]bool{}
	for i := range 12 {
		r := sample(1, "A")
		r.Subject, r.JobNo = strings.Repeat("x", i+1), string(rune('A'+i))
		op := appointment.Update
		if i == 0 {
			op = appointment.Create
		}
		w.announce(op, r)
		w.settle(time.Minute)
		jobs[r.JobNo] = true
	}
	rows, err := w.mem.Targets(t.Context(), store.Connector)
	w.must(err)
	shards := 0
	for _, r := range rows {
		if strings.Contains(r.ID, "#") {
			shards++
		}
	}
	if shards != 1 || len(told(erp)) != 12 {
		t.Errorf("%d shards, %d deliveries; want one that keeps the order", shards, len(told(erp)))
	}
}

// What is each resource's own, and resources of other systems, never reach an ERP.
func TestRule_R35_WhatReachesABackOffice(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	erp.Has.Idempotent = true
	body := `{"AppointmentGuid":"00000000-0000-4000-8000-000000000001","Subject":"A","StartDate":"2026-03-10T08:00:00Z","EndDate":"2026-03-10T09:00:00Z",
		"LastModifiedDate":"2026-11-23T08:01:00Z","ShowAs":4,"Sensitivity":3,"Custom":{"deep":[1,2.50]},"BackOfficeId":"SO-1","SentFromBackOffice":true,
		"Task":{"TaskNo":"T","Job":{"SourceApp":"BCPROD","SourceType":"S","JobNo":"J"}},
		"Assignments":[{"ShowAs":1,"sensitivity":2,"Resource":{"ResourceNo":"R1","SourceApp":"bcprod","Sensitivity":4}},
			{"Resource":{"ResourceNo":"X1","SourceApp":"CRM"}},{"Resource":{"ResourceNo":"R2"}}]}`
	w.say(appointment.Create, []byte(body), 1)
	w.settle(time.Minute)
	got := erp.Deliveries()
	if len(got) != 1 {
		t.Fatalf("%d deliveries", len(got))
	}
	text := strings.ToLower(string(got[0].Graph))
	for _, word := range []string{"showas", "sensitivity", "x1"} {
		if strings.Contains(text, word) {
			t.Errorf("the graph holds %s: %s", word, text)
		}
	}
	var g map[string]any
	w.must(json.Unmarshal(got[0].Graph, &g))
	if g["BackOfficeId"] != "SO-1" || g["SentFromBackOffice"] != true || g["Custom"] == nil || !got[0].SentFromBackOffice {
		t.Errorf("the graph lost something: %s", got[0].Graph)
	}
	if a := got[0].Appointment; len(a.Assignees) != 2 || a.Assignees[0].No != "R1" || a.Assignees[1].No != "R2" || a.JobNo != "J" {
		t.Errorf("the appointment: %+v", a)
	}
}

// An echo joins the back office's document with the appointment once; what the
// back office changes after that it has already.
func TestEchoes(t *testing.T) {
	for _, skip := range []bool{false, true} {
		w := newWorld(t)
		erp := w.connector("erp", func(c *backoffice.Config) { c.SkipEchoes = skip })
		r := sample(1, "made in the ERP")
		r.SentFromBackOffice = true
		w.announce(appointment.Create, r)
		w.settle(time.Minute)
		r.Subject = "changed in the ERP"
		w.announce(appointment.Update, r)
		w.settle(time.Minute)
		r.Subject, r.SentFromBackOffice = "changed by the planner", false
		w.announce(appointment.Update, r)
		w.settle(time.Minute)
		want := []string{"I made in the ERP", "U changed in the ERP", "U changed by the planner"}
		if skip {
			want = slices.Delete(want, 1, 2)
		}
		w.expect("arrived", told(erp), want)
		w.quiet()
	}
}

// An outcome that is not known is looked up before anything is sent again, and an
// insert is never sent a second time.
func TestRule_R12_UnknownOutcomes(t *testing.T) {
	for _, f := range []backofficetest.Fault{backofficetest.LostReply, backofficetest.LostRequest, backofficetest.Slow, backofficetest.Garbage} {
		for kind, traits := range map[string]backoffice.Traits{"finds": {Finds: true}, "neither": {}, "idempotent": {Idempotent: true}} {
			w := newWorld(t)
			erp := w.connector("erp", nil)
			erp.Has = traits
			erp.Fail(f, 1)
			w.announce(appointment.Create, sample(1, "A"))
			w.settle(time.Hour)
			w.expect(string(f)+"/"+kind, documents(erp), []string{"A"})
			if inserts(erp) > 1 || traits.Finds && f != backofficetest.LostRequest && len(told(erp)) != 1 {
				t.Errorf("%s/%s: arrived %q", f, kind, told(erp))
			}
			w.quiet()
		}
	}
}

// Delete wins: of an appointment that is gone again while its insert is in doubt,
// the back office is told the deletion and nothing else.
func TestRule_R12_DeleteWins(t *testing.T) {
	for kind, traits := range map[string]backoffice.Traits{"finds": {Finds: true}, "neither": {}, "idempotent": {Idempotent: true}} {
		for _, f := range []backofficetest.Fault{backofficetest.LostReply, backofficetest.LostRequest} {
			w := newWorld(t)
			erp := w.connector("erp", nil)
			erp.Has = traits
			erp.Fail(f, 1)
			w.announce(appointment.Create, sample(1, "A"))
			w.deliver()
			w.announce(appointment.Delete, sample(1, "A"))
			w.settle(time.Hour)
			w.expect(kind+"/"+string(f), documents(erp), nil)
			if inserts(erp) > 1 {
				t.Errorf("%s: %q", kind, told(erp))
			}
			w.quiet()
		}
	}
}

// An appointment that was deleted before anybody was told of it is never sent.
func TestCreatedAndDeletedBeforeAnythingWasSent(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.announce(appointment.Create, sample(1, "A"))
	w.announce(appointment.Delete, sample(1, "A"))
	w.settle(time.Hour)
	w.expect("arrived", told(erp), nil)
	w.quiet()
}

func TestRule_R10_OperationsThatAreNotRegistered(t *testing.T) {
	w := newWorld(t)
	created := w.connector("created", func(c *backoffice.Config) { c.Operations = []backoffice.Operation{"I"} })
	changed := w.connector("changed", func(c *backoffice.Config) { c.Operations = []backoffice.Operation{"U"} })
	removed := w.connector("removed", func(c *backoffice.Config) { c.Operations = []backoffice.Operation{"D"} })
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	w.announce(appointment.Update, sample(1, "B"))
	w.settle(time.Minute)
	w.announce(appointment.Delete, sample(1, "B"))
	w.settle(time.Minute)
	w.expect("created", told(created), []string{"I A"})
	w.expect("changed", told(changed), []string{"U B"})
	w.expect("removed", told(removed), []string{"D B"})
	if got := w.transactions(sample(1, "").Appointment); !slices.Contains(got, "created Update Skipped") {
		t.Errorf("what is not sent is not recorded: %q", got)
	}
	w.quiet()
}

// A refused appointment stops nobody else, the planner sees it, a person retries
// it, and then the planner's notification goes away.
func TestARefusalIsShownAndRetried(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	refuse := true
	erp.Before = func(d backoffice.Delivery) error {
		if d.Appointment.Guid == sample(1, "").Appointment && refuse {
			return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "t", Code: "DSCFG004"}
		}
		return nil
	}
	w.announce(appointment.Create, sample(1, "A"))
	second := sample(2, "B")
	second.JobNo = sample(1, "").JobNo
	w.announce(appointment.Create, second)
	w.settle(100 * time.Hour)
	w.expect("arrived", told(erp), []string{"I B"})
	key := "erp/" + sample(1, "").Appointment
	if text := w.notices[key]; !strings.HasPrefix(text, "[DSCFG004] not delivered to ERP erp") || len(w.notices) != 1 {
		t.Errorf("notifications: %q", w.notices)
	}
	if l := w.link("erp", sample(1, "")); l.State != store.Failed || l.FailureCode != "DSCFG004" {
		t.Errorf("state %s, code %s", l.State, l.FailureCode)
	}
	tries := erp.Tries()
	w.announce(appointment.Update, sample(1, "A")) // touched, not changed: refused as before
	w.settle(time.Hour)
	if erp.Tries() != tries {
		t.Error("a change that says nothing new was sent again")
	}
	refuse = false
	w.must(w.desk.Retry(t.Context(), "ann@example.com", "erp", strings.ToUpper(sample(1, "").Appointment)))
	w.settle(time.Hour)
	w.expect("arrived", told(erp), []string{"I B", "I A"})
	if len(w.notices) != 0 {
		t.Errorf("notifications left: %q", w.notices)
	}
	list, _ := w.mem.TransactionsOf(t.Context(), sample(1, "").Appointment, 1)
	if len(list) != 1 || list[0].Source != "website" {
		t.Errorf("the retry's transaction: %+v", list)
	}
	audit, _ := w.mem.AuditLog(t.Context(), 5)
	if len(audit) != 1 || audit[0].Who != "ann@example.com" {
		t.Errorf("audit: %+v", audit)
	}
	w.quiet()
}

// A board that is down keeps no back office waiting.
func TestTheNotificationWaitsForTheBoard(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	refuse := true
	erp.Before = func(backoffice.Delivery) error {
		if refuse {
			return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "t", Code: "DSCFG004"}
		}
		return nil
	}
	w.boardDown = true
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(10 * time.Minute)
	refuse = false
	w.announce(appointment.Update, sample(1, "B"))
	w.deliver()
	w.expect("arrived", told(erp), []string{"I B"})
	w.boardDown = false
	w.settle(time.Hour)
	if len(w.notices) != 0 {
		t.Errorf("notifications: %q", w.notices)
	}
	w.quiet()
}

// What fails for days fails for good, with a person's retry.
func TestRetriesEnd(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	erp.Before = func(backoffice.Delivery) error {
		return &fault.Error{Kind: fault.Transient, Reason: fault.Conflict, Op: "t", Code: "DSBC003"} // a lock
	}
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(71 * time.Hour)
	if l := w.link("erp", sample(1, "")); l.State != store.Pending || len(w.notices) > 0 {
		t.Errorf("state %s after 71 h, notified %v", l.State, w.notices)
	}
	w.settle(3 * time.Hour)
	if l := w.link("erp", sample(1, "")); l.State != store.Failed || len(w.notices) != 1 {
		t.Errorf("state %s after 74 h, notified %v", l.State, w.notices)
	}
	tries := erp.Tries()
	w.settle(100 * time.Hour)
	if erp.Tries() != tries || tries > 400 {
		t.Errorf("%d tries, then %d", tries, erp.Tries())
	}
	erp.Before = nil
	n, err := w.desk.RetryAll(t.Context(), "ann", "erp")
	w.must(err)
	w.settle(time.Hour)
	if w.expect("arrived", told(erp), []string{"I A"}); n != 1 {
		t.Errorf("%d retried", n)
	}
}

// A back office that is down is left alone as a whole, and probed by one delivery.
func TestRule_R39_TheCircuitBreakerOpens(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	erp.Fail(backofficetest.Unavailable, 1000000)
	for i := range 40 {
		w.announce(appointment.Create, sample(i, ""))
	}
	w.deliver()
	if n := erp.Tries(); n != 5 {
		t.Errorf("%d tries before the breaker opened, want 5", n)
	}
	w.settle(6 * time.Hour)
	if n := erp.Tries(); n > 60 {
		t.Errorf("%d tries in six hours", n)
	}
	views, err := w.desk.List(t.Context())
	w.must(err)
	if v := views[0]; v.State != "suspended" || v.SuspendedCode != "DSWBHK030" {
		t.Errorf("%s %s", v.State, v.SuspendedCode)
	}
	erp.Fail("", 0)
	w.settle(time.Hour)
	if len(documents(erp)) != 40 {
		t.Errorf("%d documents after it came back", len(documents(erp)))
	}
	w.quiet()
}

// Retry-After is for the whole connector.
func TestRateLimit(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	erp.Fail(backofficetest.RateLimited, 1)
	for i := range 6 {
		w.announce(appointment.Create, sample(i, ""))
	}
	w.deliver()
	if erp.Tries() != 1 {
		t.Errorf("%d tries while it had asked to be left alone", erp.Tries())
	}
	w.settle(10 * time.Minute)
	if len(documents(erp)) != 6 || erp.Tries() != 7 {
		t.Errorf("%d documents, %d tries", len(documents(erp)), erp.Tries())
	}
}

// A refused password is tried once an hour at most, as servers lock accounts; a new
// one, or a changed record, at once.
func TestRule_R39_ARefusedPassword(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	erp.Fail(backofficetest.Denied, 1000000)
	for i := range 10 {
		w.announce(appointment.Create, sample(i, ""))
	}
	w.settle(10 * time.Hour)
	if n := erp.Tries(); n < 3 || n > 11 {
		t.Errorf("%d sign-ins in ten hours", n)
	}
	for _, l := range must(w.mem.Links(t.Context(), "erp#0"))(t) {
		if l.State == store.Failed {
			t.Error("an appointment was given up because of a password")
		}
	}
	v := must(w.desk.Get(t.Context(), "erp"))(t)
	if v.State != "suspended" || v.SuspendedCode != "DSBC001" || v.Waiting != 10 {
		t.Errorf("%s %s, %d waiting", v.State, v.SuspendedCode, v.Waiting)
	}
	erp.Fail("", 0)
	f := v.Form
	f.Password = "second"
	must(w.desk.Save(t.Context(), "ann", f))(t)
	w.deliver()
	if len(documents(erp)) != 10 || w.vault["connector-erp"] != "second" {
		t.Errorf("%d documents at once after a new password", len(documents(erp)))
	}
	w.settle(time.Hour)
	w.quiet()
}

// A password that was changed in Key Vault is noticed by the process that saw the
// refusal, before the hour is over.
func TestAPasswordRotatedInTheVault(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	erp.Fail(backofficetest.Denied, 1)
	w.announce(appointment.Create, sample(1, "A"))
	w.deliver()
	w.expect("arrived", told(erp), nil)
	w.vault["connector-erp"] = "second"
	w.announce(appointment.Create, sample(2, "B"))
	w.announce(appointment.Create, sample(3, "C"))
	w.settle(5 * time.Minute)
	if len(documents(erp)) != 3 {
		t.Errorf("arrived: %q", told(erp))
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// A switched-off connector sends nothing, which is recorded; switched on, it
// delivers what is wanted then.
func TestSwitchedOff(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", func(c *backoffice.Config) { c.Send = false })
	w.announce(appointment.Create, sample(1, "A"))
	w.announce(appointment.Create, sample(2, "gone again"))
	w.settle(time.Hour)
	w.announce(appointment.Update, sample(1, "B"))
	w.announce(appointment.Delete, sample(2, "gone again"))
	w.settle(50 * time.Hour)
	w.expect("arrived", told(erp), nil)
	w.expect("transactions", w.transactions(sample(1, "").Appointment), []string{"erp Create BackOfficeNotAllowed DSCFG001", "erp Create BackOfficeNotAllowed DSCFG001"})
	f := must(w.desk.Get(t.Context(), "erp"))(t).Form
	f.Send = true
	must(w.desk.Save(t.Context(), "ann", f))(t)
	w.deliver()
	w.expect("arrived", told(erp), []string{"I B"})
	w.settle(time.Hour)
	w.quiet()
}

// One broken record stops no other, and what it misses it is told when it is mended.
func TestOneBrokenRecord(t *testing.T) {
	w := newWorld(t)
	good := w.connector("good", nil)
	bad := w.connector("bad", func(c *backoffice.Config) { c.URI = "https://erp.example/companies({{COMPANY}})/appointments" })
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Hour)
	w.expect("good", told(good), []string{"I A"})
	w.expect("bad", told(bad), nil)
	v := must(w.desk.Get(t.Context(), "bad"))(t)
	if v.State != "broken" || len(v.Problems) != 1 || v.Problems[0].Code != "DSCFG007" || v.Waiting != 1 {
		t.Errorf("%s %+v, %d waiting", v.State, v.Problems, v.Waiting)
	}
	w.connector("bad", nil) // mended in the table, without the desk
	w.settle(2 * time.Hour)
	w.expect("bad", told(bad), []string{"I A"})
	w.quiet()
}

func TestADeletedConnector(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	v := must(w.desk.Get(t.Context(), "erp"))(t)
	w.must(w.desk.Delete(t.Context(), "ann", "erp", v.ETag))
	w.announce(appointment.Update, sample(1, "B"))
	w.settle(time.Hour)
	w.redrive()
	w.expect("arrived", told(erp), []string{"I A"})
	w.quiet()
	w.connector("erp", nil) // made again
	w.announce(appointment.Update, sample(1, "C"))
	w.settle(time.Hour)
	w.expect("arrived", told(erp), []string{"I A", "U C"})
}

func TestSuspendedByAPerson(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.must(w.desk.Suspend(t.Context(), "ann", "erp"))
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(5 * time.Hour)
	w.expect("arrived", told(erp), nil)
	w.must(w.desk.Resume(t.Context(), "ann", "erp"))
	w.deliver()
	w.expect("arrived", told(erp), []string{"I A"})
	w.settle(2 * time.Hour)
	w.quiet()
}
