package backoffice_test

import (
	"context"
	"fmt"
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

// A row that somebody has broken by hand does not say that its appointments belong
// elsewhere: nothing is deleted, and what it missed arrives when it is mended.
func TestFound_AnUnreadableConnectorDeletesNothing(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	w.unreadable = map[string]bool{"erp": true}
	w.pass(time.Minute)
	w.announce(appointment.Update, sample(1, "B"))
	w.settle(time.Hour)
	w.unreadable = nil
	w.pass(time.Minute)
	w.redrive()
	w.expect("arrived", told(erp), []string{"I A", "U B"})
	w.quiet()

	// The same for one whose source app was emptied.
	w.connector("erp", func(c *backoffice.Config) { c.SourceApp = "" })
	w.announce(appointment.Update, sample(1, "C"))
	w.settle(time.Hour)
	w.connector("erp", nil)
	w.redrive()
	w.expect("arrived", told(erp), []string{"I A", "U B", "U C"})
	w.quiet()
}

// A connector that was deleted takes no document with it, also not through an
// instance of the program that has not noticed yet.
func TestFound_ADeletedConnectorIsNotToldDeletions(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	there := must(w.mem.Connector(t.Context(), "erp"))(t)
	w.must(w.mem.DeleteConnector(t.Context(), "erp", there.ETag))
	_, router, _ := w.process() // it has noticed, w.worker has not
	c := w.announce(appointment.Update, sample(1, "B"))
	w.changes = nil
	w.must(router.Route(t.Context(), c))
	w.deliver()
	if got := told(erp); slices.ContainsFunc(got, func(s string) bool { return s[0] == 'D' }) {
		t.Errorf("arrived: %q", got)
	}
}

// A back office that can not be asked, for good, gets no second insert: not by
// itself, not by the next change, not by a person's retry.
func TestFound_ALookupThatIsRefusedMakesNoSecondInsert(t *testing.T) {
	for _, by := range []string{"change", "retry", "time"} {
		w := newWorld(t)
		erp := w.connector("erp", nil)
		erp.Has.Finds = true
		erp.Looks = func(backoffice.Delivery) error {
			return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "t", Code: "DSCFG004"}
		}
		erp.Fail(backofficetest.LostReply, 1)
		w.announce(appointment.Create, sample(1, "A"))
		w.settle(time.Minute)
		want := []string{"A"}
		switch by {
		case "change":
			w.announce(appointment.Update, sample(1, "B"))
			want = []string{"B"}
		case "retry":
			w.must(w.desk.Retry(t.Context(), "ann", "erp", sample(1, "").Appointment))
		}
		w.settle(time.Hour)
		w.expect(by, documents(erp), want)
		if n := inserts(erp); n != 1 {
			t.Errorf("%s: %d inserts: %q", by, n, told(erp))
		}
		w.quiet()
	}
}

// An update whose answer is lost can land minutes later, when the back office gets
// the lock that it waits for. It must not undo what came after it.
func TestFound_AnUpdateThatLandsLateUndoesNothing(t *testing.T) {
	for _, kind := range []backoffice.Traits{{Finds: true}, {}} {
		for _, last := range []appointment.Operation{appointment.Update, appointment.Delete} {
			w := newWorld(t)
			erp := w.connector("erp", nil)
			erp.Has = kind
			w.announce(appointment.Create, sample(1, "A"))
			w.settle(time.Minute)
			var stuck *backoffice.Delivery
			erp.Before = func(d backoffice.Delivery) error {
				if stuck != nil {
					return nil
				}
				stuck = &d
				return &fault.Error{Kind: fault.Transient, Reason: fault.Timeout, Op: "t", Code: backoffice.CodeBCTimeout, Ambiguous: true}
			}
			w.announce(appointment.Update, sample(1, "B"))
			w.deliver()
			w.announce(last, sample(1, "C"))
			w.settle(2 * time.Minute)
			_, err := erp.Deliver(t.Context(), *stuck) // it has its lock
			w.must(err)
			w.settle(time.Hour)
			want := []string{"C"}
			if last == appointment.Delete {
				want = nil
			}
			w.expect(fmt.Sprint(kind, last), documents(erp), want)
			w.quiet()
			if t.Failed() {
				t.Logf("arrived: %q", told(erp))
			}
		}
	}
}

// A connector that takes inserts only still gets the appointment whose insert was
// lost: what stands for the insert is not an update.
func TestFound_ALostInsertReachesAConnectorForInsertsOnly(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", func(c *backoffice.Config) { c.Operations = []backoffice.Operation{"I"} })
	erp.Has.Finds = true
	erp.Fail(backofficetest.LostRequest, 1)
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Hour)
	w.expect("documents", documents(erp), []string{"A"})
	w.announce(appointment.Update, sample(1, "B"))
	w.settle(time.Hour)
	w.expect("an update is not sent", documents(erp), []string{"A"})
	w.quiet()
}

// SentFromBackOffice is of one change. A later message that does not have it is a
// planner's, and must reach the back office as one.
func TestFound_TheMarkOfAnEchoDoesNotStick(t *testing.T) {
	for _, skip := range []bool{false, true} {
		w := newWorld(t)
		erp := w.connector("erp", func(c *backoffice.Config) { c.SkipEchoes = skip })
		const flat = `{"appointmentGuid":"00000000-0000-4000-8000-000000000001","subject":"A","start":"2026-03-10T08:00:00Z","end":"2026-03-10T09:00:00Z","updatedAt":"2026-11-23T08:02:00Z",
			"sourceApp":"BCPROD","sourceType":"S","jobNo":"J","taskNo":"T","resourceNo":"R1","backOfficeId":"SO-1","sentFromBackOffice":true}`
		const full = `{"AppointmentGuid":"00000000-0000-4000-8000-000000000001","Subject":"B","StartDate":"2026-03-10T10:00:00Z","EndDate":"2026-03-10T11:00:00Z","LastModifiedDate":"2026-11-23T08:03:00Z",
			"Task":{"TaskNo":"T","Job":{"SourceApp":"BCPROD","SourceType":"S","JobNo":"J"}},"Assignments":[{"Resource":{"ResourceNo":"R1"}}]}`
		w.say(appointment.Create, []byte(flat), 1)
		w.settle(time.Minute)
		w.say(appointment.Update, []byte(full), 2)
		w.settle(time.Minute)
		got := erp.Deliveries()
		if len(got) != 2 || !got[0].SentFromBackOffice || got[1].SentFromBackOffice {
			t.Fatalf("skip %t: arrived %q, marks: %+v", skip, told(erp), got)
		}
		// The board's list, read again, says nothing new by lacking the mark.
		w.say(appointment.Update, []byte(flat[:len(flat)-1]+`,"x":1}`), 3)
		w.settle(time.Minute)
	}
}

// Flat messages do not say where a resource comes from: the board's list of resources
// does, and those of other systems stay out of the ERP all the same.
func TestFound_ResourcesOfOtherSystemsStayOutOfFlatMessagesToo(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	for no, app := range map[string]string{"R1": "BCPROD", "X1": "CRM", "R3": ""} {
		w.must(w.mem.PutResource(t.Context(), &store.Resource{No: no, SourceApp: app}))
	}
	for i, no := range []string{"R1", "X1", "R2", "R3"} {
		flat := fmt.Sprintf(`{"appointmentGuid":"00000000-0000-4000-8000-000000000001","subject":"A","start":"2026-03-10T08:00:00Z","end":"2026-03-10T09:00:00Z",
			"updatedAt":"2026-11-23T08:0%d:00Z","sourceApp":"BCPROD","sourceType":"S","jobNo":"J","taskNo":"T","resourceNo":"%s"}`, i+2, no)
		w.say(appointment.Update, []byte(flat), int64(i+1))
		w.settle(time.Minute)
	}
	got := erp.Deliveries()
	if len(got) == 0 {
		t.Fatal("nothing arrived")
	}
	var who []string
	for _, a := range got[len(got)-1].Appointment.Assignees {
		who = append(who, a.No)
	}
	if strings.Join(who, " ") != "R1 R2 R3" {
		t.Errorf("the ERP was told of %v; want those of its own source app, and those of whom nobody knows", who)
	}
}

// An administrator corrects the source app and the address of a connector that was
// suspended for them: what had piled up belongs to another ERP.
func TestFound_WhatPiledUpDoesNotGoToAnotherSourceAppsERP(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	erp.Fail(backofficetest.Redirect, 1000000)
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Hour)
	erp.Fail("", 0)
	f := must(w.desk.Get(t.Context(), "erp"))(t).Form
	f.SourceApp, f.URI = "CRM", "https://crm.example/erp"
	f = must(w.desk.Save(t.Context(), "ann", f))(t).Form
	w.settle(2 * time.Hour)
	w.redrive()
	w.expect("in the ERP of CRM", told(erp), nil)
	// It was a slip: corrected, nothing is lost.
	f.SourceApp = "BCPROD"
	must(w.desk.Save(t.Context(), "ann", f))(t)
	w.settle(time.Hour)
	w.expect("in the ERP", told(erp), []string{"I A"})
	w.quiet()
}

// One appointment that always fails is not a back office that is down: it holds
// up nobody else.
func TestFound_OneAppointmentDoesNotOpenTheCircuit(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", func(c *backoffice.Config) { c.Shards = 1 })
	erp.Before = func(d backoffice.Delivery) error {
		if d.Appointment.Guid == sample(1, "").Appointment {
			return &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: "t", Code: backoffice.CodeHTTP}
		}
		return nil
	}
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Hour)
	w.announce(appointment.Create, sample(2, "B"))
	w.deliver()
	w.expect("at once", told(erp), []string{"I B"})
	if v := must(w.desk.Get(t.Context(), "erp"))(t); v.State != "on" {
		t.Errorf("state %s", v.State)
	}
	if n := erp.Tries(); n > 30 {
		t.Errorf("%d tries in an hour", n)
	}
}

// When a back office is probed, the appointment that has failed most is asked last.
func TestFound_AProbeIsNotMadeWithTheAppointmentThatAlwaysFails(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", func(c *backoffice.Config) { c.Shards = 1 })
	down := true
	erp.Before = func(d backoffice.Delivery) error {
		if down || d.Appointment.Guid == sample(1, "").Appointment {
			return &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: "t", Code: backoffice.CodeHTTP}
		}
		return nil
	}
	w.announce(appointment.Create, sample(1, ""))
	w.settle(30 * time.Minute)
	for i := 2; i < 9; i++ {
		w.announce(appointment.Create, sample(i, ""))
	}
	w.settle(2 * time.Hour)
	probe := must(w.desk.Get(t.Context(), "erp"))(t).Probe
	w.pass(probe.Sub(w.clock()) - 20*time.Second) // the appointment that always fails is due again, and first
	for i := 2; i < 9; i++ {
		w.announce(appointment.Update, sample(i, fmt.Sprint("changed ", i)))
	}
	w.deliver()
	down = false
	w.settle(30 * time.Second) // the probe
	if n := len(documents(erp)); n != 7 {
		t.Errorf("%d of 7 documents after the back office came back", n)
	}
}

// An appointment that moved to another source app and is then deleted: the deletion
// that the old back office still waits for names what it was told.
func TestFound_ADeletionNamesTheJobThatWasTold(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.connector("crm", func(c *backoffice.Config) { c.SourceApp = "CRM" })
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	w.must(w.desk.Suspend(t.Context(), "ann", "erp"))
	r := sample(1, "A")
	r.SourceApp, r.JobNo = "CRM", "C1"
	w.announce(appointment.Update, r)
	w.settle(time.Minute)
	w.announce(appointment.Delete, r)
	w.settle(time.Minute)
	w.must(w.desk.Resume(t.Context(), "ann", "erp"))
	w.settle(time.Hour)
	got := erp.Received()
	if len(got) != 2 || got[1].Operation != backoffice.Delete || got[1].SourceApp != "BCPROD" || got[1].JobNo != sample(1, "").JobNo {
		t.Errorf("arrived: %+v", got)
	}
	w.quiet()
}

// A delivery whose outcome can not be found out for days is given up, also if news
// came in meanwhile.
func TestFound_AnUnknownOutcomeIsGivenUpAfterTheTime(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	erp.Has.Finds = true
	erp.Looks = func(backoffice.Delivery) error {
		return &fault.Error{Kind: fault.Transient, Reason: fault.Conflict, Op: "t", Code: "DSBC003"}
	}
	erp.Fail(backofficetest.LostReply, 1)
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	w.announce(appointment.Update, sample(1, "B"))
	w.settle(80 * time.Hour)
	if l := w.link("erp", sample(1, "")); l.State != store.Failed || len(w.notices) != 1 {
		t.Errorf("state %s, notices %q", l.State, w.notices)
	}
	erp.Looks = nil
	w.must(w.desk.Retry(context.Background(), "ann", "erp", sample(1, "").Appointment))
	w.settle(time.Hour)
	w.expect("documents", documents(erp), []string{"B"})
	if inserts(erp) != 1 {
		t.Errorf("arrived: %q", told(erp))
	}
	w.quiet()
}

// A connector that another process has just made is not taken for deleted.
func TestFound_AConnectorThatWasJustMadeLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.connector("other", func(c *backoffice.Config) { c.SourceApp = "CRM" })
	w.announce(appointment.Create, func() backofficetest.Record { r := sample(9, "X"); r.SourceApp = "CRM"; return r }())
	w.deliver() // the worker knows the connectors of now
	c := backoffice.Config{ID: "erp", Name: "ERP", SourceApp: "BCPROD", Send: true, Operations: []backoffice.Operation{"I", "U", "D"}, Type: backoffice.BusinessCentral,
		API: backoffice.REST, Auth: backoffice.Basic, Login: "u", Secret: "connector-erp", URI: "https://erp.example/erp", Shards: 1}
	w.must(w.mem.SwapConnector(t.Context(), c.Record(store.ConnectorRecord{})))
	_, router, _ := w.process()
	w.announce(appointment.Create, sample(1, "A"))
	w.must(router.Route(t.Context(), w.changes[0]))
	w.changes = nil
	w.deliver()
	w.settle(time.Hour)
	w.redrive()
	w.expect("arrived", told(w.erp("erp")), []string{"I A"})
}

// A planner changes what the back office has made before that was told to join its
// document with the appointment: it gets the mark first, and then the change.
func TestFound_AnEchoThatIsOvertakenMakesNoSecondDocument(t *testing.T) {
	for _, f := range []backofficetest.Fault{"", backofficetest.LostReply, backofficetest.LostRequest} {
		w := newWorld(t)
		erp := w.connector("erp", nil)
		erp.Has.Finds = true
		w.must(w.desk.Suspend(t.Context(), "ann", "erp"))
		r := sample(1, "made in the ERP")
		r.SentFromBackOffice = true
		w.announce(appointment.Create, r)
		w.settle(time.Minute)
		r.Subject, r.SentFromBackOffice = "changed by the planner", false
		w.announce(appointment.Update, r)
		w.settle(time.Minute)
		if f != "" {
			erp.Fail(f, 1)
		}
		w.must(w.desk.Resume(t.Context(), "ann", "erp"))
		w.settle(time.Hour)
		got := erp.Deliveries()
		last := got[len(got)-1]
		if last.SentFromBackOffice || last.Operation != backoffice.Update || last.Appointment.Content[appointment.Subject] != "changed by the planner" {
			t.Errorf("%s: arrived %q", f, told(erp))
		}
		for _, d := range got {
			if d.Operation == backoffice.Insert && !d.SentFromBackOffice {
				t.Errorf("%s: an insert without the mark: %q", f, told(erp))
			}
		}
		w.quiet()
	}
}

// For half a minute after a change two instances of the program hold different
// records. They do not take turns in trying a refused password.
func TestFound_TwoInstancesDoNotTakeTurnsWithARefusedPassword(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", func(c *backoffice.Config) { c.Shards = 1 })
	erp.Fail(backofficetest.Denied, 1000000)
	w.announce(appointment.Create, sample(1, ""))
	w.deliver()
	other, _, desk := w.process()
	f := must(desk.Get(t.Context(), "erp"))(t).Form
	f.Login = "another"
	must(desk.Save(t.Context(), "ann", f))(t)
	before := erp.Tries()
	for i := range 20 {
		w.announce(appointment.Create, sample(2+i, ""))
		w.must(w.router.Route(t.Context(), w.changes[0]))
		w.changes = nil
		n := w.nudges[len(w.nudges)-1]
		w.nudges = nil
		w.must(w.worker.Handle(t.Context(), n))
		w.must(other.Handle(t.Context(), n))
	}
	if n := erp.Tries() - before; n > 2 {
		t.Errorf("the password was tried %d times within seconds", n)
	}
}

// The link-local address of a cloud's credentials is no token address either.
func TestFound_TheTokenAddressIsNotTheMachinesOwn(t *testing.T) {
	c := backoffice.Config{ID: "x", SourceApp: "A", Operations: []backoffice.Operation{"I"}, Type: backoffice.Webhook, API: backoffice.REST, Auth: backoffice.OAuthBody, Scope: "s",
		URI: "https://hook.example", ClientID: "c", Secret: "s", Shards: 1, AllowHTTP: true, TokenURL: "http://169.254.169.254/metadata/identity/oauth2/token"}
	if p := c.Validate(); len(p) != 1 || p[0].Field != "tokenUrl" {
		t.Errorf("%v", p)
	}
	c.TokenURL, c.URI = "https://login.example/token", "http://168.63.129.16/machine"
	if p := c.Validate(); len(p) != 1 || p[0].Field != "uri" {
		t.Errorf("%v", p)
	}
}

// That an attempt was refused does not say that the one before it has not arrived:
// what comes after is no second insert.
func TestFound_ARefusedRepetitionLeavesTheFirstInDoubt(t *testing.T) {
	for _, second := range []backofficetest.Fault{backofficetest.RateLimited, backofficetest.Unavailable, backofficetest.HTML, backofficetest.Denied} {
		w := newWorld(t)
		erp := w.connector("erp", nil)
		erp.Has.Idempotent = true
		erp.Fail(backofficetest.LostReply, 1)
		w.announce(appointment.Create, sample(1, "A"))
		w.deliver()
		erp.Fail(second, 1)
		w.settle(5 * time.Second) // the repetition
		erp.Fail("", 0)
		w.announce(appointment.Update, sample(1, "B"))
		w.settle(2 * time.Hour)
		w.expect(string(second), documents(erp), []string{"B"})
		if n := inserts(erp); n != 1 {
			t.Errorf("%s: arrived %q", second, told(erp))
		}
		w.quiet()
	}
}

// A connector that is deleted leaves no notification on the board that nobody can
// clear any more.
func TestFound_ADeletedConnectorTakesItsNotificationsAway(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	erp.Before = func(backoffice.Delivery) error {
		return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "t", Code: "DSCFG004"}
	}
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	if len(w.notices) != 1 {
		t.Fatalf("notices: %q", w.notices)
	}
	w.boardDown = true // for a while
	v := must(w.desk.Get(t.Context(), "erp"))(t)
	w.must(w.desk.Delete(t.Context(), "ann", "erp", v.ETag))
	w.settle(time.Minute)
	w.boardDown = false
	w.settle(time.Hour)
	w.redrive()
	if len(w.notices) != 0 {
		t.Errorf("notices left: %q", w.notices)
	}
	w.quiet()
}

// Companies whose connectors have one name, or names that differ in umlauts only,
// are different connectors: the last must not take the place of all.
func TestFound_AnImportKeepsConnectorsOfOneNameApart(t *testing.T) {
	w := newWorld(t)
	const file = `[
		{"Name":"Business Central","SourceApp":"ONE","Uri":"https://erp.example/one/Page/Appointment","Type":1,"ApiType":0,"AuthType":1,"Login":"u","Password":"p1"},
		{"Name":"Business Central","SourceApp":"TWO","Uri":"https://erp.example/two/Page/Appointment","Type":1,"ApiType":0,"AuthType":1,"Login":"u","Password":"p2"},
		{"Name":"Business Central","SourceApp":"TWO","Uri":"https://erp.example/too/Page/Appointment","Type":1,"ApiType":0,"AuthType":1,"Login":"u","Password":"p3"},
		{"Name":"Müller","SourceApp":"THREE","Uri":"https://erp.example/three/Page/Appointment","Type":1,"ApiType":0,"AuthType":1,"Login":"u","Password":"p4"},
		{"Name":"Möller","SourceApp":"FOUR","Uri":"https://erp.example/four/Page/Appointment","Type":1,"ApiType":0,"AuthType":1,"Login":"u","Password":"p5"}]`
	look := func() (out []string) {
		for _, v := range must(w.desk.List(t.Context()))(t) {
			out = append(out, v.ID+" "+v.SourceApp+" "+v.URI[len("https://erp.example/"):]+" "+w.vault["connector-"+v.ID])
		}
		return out
	}
	for i, item := range must(w.desk.Import(t.Context(), "ann", []byte(file)))(t) {
		if len(item.Problems) > 0 {
			t.Errorf("%d: %v", i, item.Problems)
		}
	}
	want := []string{"business-central ONE one/Page/Appointment p1", "business-central-2 TWO two/Page/Appointment p2", "business-central-3 TWO too/Page/Appointment p3",
		"m-ller THREE three/Page/Appointment p4", "m-ller-2 FOUR four/Page/Appointment p5"}
	w.expect("imported", look(), want)

	// Imported again, they are the same, and what an administrator has added stays.
	f := must(w.desk.Get(t.Context(), "business-central-2"))(t).Form
	f.Name, f.Fields, f.ReadStatus, f.TimeoutSeconds = "Renamed", map[string]string{"Subject": "Betreff"}, true, 90
	must(w.desk.Save(t.Context(), "ann", f))(t)
	must(w.desk.Import(t.Context(), "ann", []byte(file)))(t)
	w.expect("imported again", look(), want)
	if f := must(w.desk.Get(t.Context(), "business-central-2"))(t).Form; f.Fields["Subject"] != "Betreff" || !f.ReadStatus || f.TimeoutSeconds != 90 {
		t.Errorf("an administrator's settings are gone: %+v", f)
	}
}
