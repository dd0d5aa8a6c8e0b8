package bc_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// sample is a delivery of an appointment with two resources.
func sample(version int, change func(*backofficetest.Record)) backoffice.Delivery {
	r := backofficetest.Sample(1)
	if change != nil {
		change(&r)
	}
	return backofficetest.Delivery(r, version)
}

// resources are those of the documents that stand in the ERP.
func (w *world) resources() []string {
	var out []string
	for _, d := range w.sim.Documents(company) {
		out = append(out, d.Resource)
	}
	slices.Sort(out)
	return out
}

// A row whose lines broke off is completed, not written a second time, whichever
// line it was and whether it had arrived or not.
func TestHalfWrittenRowIsCompleted(t *testing.T) {
	for _, tc := range []struct {
		name  string
		at    int // the how-manyth line breaks
		fault erpsim.FaultResponse
	}{
		{"first line lost", 1, erpsim.FaultResponse{Cut: true}},
		{"first line's answer lost", 1, erpsim.FaultResponse{Cut: true, AfterCommit: true}},
		{"second line lost", 2, erpsim.FaultResponse{Cut: true}},
		{"second line's answer lost", 2, erpsim.FaultResponse{Hang: true, AfterCommit: true}},
		{"locked", 2, erpsim.FaultResponse{Locked: true, Language: "de"}},
		{"busy", 1, erpsim.FaultResponse{Status: 503, RetryAfter: "1"}},
		{"signed out", 2, erpsim.FaultResponse{Status: 401, Code: "Authentication_InvalidCredentials"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// No key of the ERP's keeps a line from standing there twice.
			w := newWorld(t, erpsim.Options{HideNavigation: true, RepeatedLines: true, Manual: true}, onPremises)
			c := w.connector()
			w.sim.SetFault(func(r erpsim.FaultRequest) *erpsim.FaultResponse {
				if r.Method == http.MethodPost && r.Route == "resources" && r.N == tc.at {
					return &tc.fault
				}
				return nil
			})
			d := sample(1, nil)
			_, err := c.Deliver(t.Context(), d)
			if f := fault.Of(err); err == nil || !f.Ambiguous || f.Kind != fault.Transient {
				t.Fatalf("%v: half of it stands there, and it is not ambiguous", err)
			}
			r, found, err := c.Find(t.Context(), d)
			if err != nil || !found || r.Location == "" {
				t.Fatalf("%+v %v %v", r, found, err)
			}
			rows := w.sim.Rows(company)
			if len(rows) != 1 {
				t.Fatalf("%d rows", len(rows))
			}
			w.sim.Process(company, rows[0].Entry)
			if diff := cmp.Diff([]string{"R1", "R2"}, w.resources()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A line that is refused for good takes the row back: nobody works on half of it.
func TestRefusedLineTakesTheRowBack(t *testing.T) {
	w := newWorld(t, erpsim.Options{HideNavigation: true, Manual: true}, nil)
	c := w.connector()
	w.sim.SetFault(func(r erpsim.FaultRequest) *erpsim.FaultResponse {
		if r.Method == http.MethodPost && r.Route == "resources" && r.N == 2 {
			return &erpsim.FaultResponse{Status: 400, Code: "Application_FieldValidationException", Message: "The Resource R2 is blocked."}
		}
		return nil
	})
	_, err := c.Deliver(t.Context(), sample(1, nil))
	if f := fault.Of(err); f.Kind != fault.Permanent || f.Ambiguous || f.Code != "DSCFG004" || !strings.Contains(err.Error(), "R2 is blocked") {
		t.Errorf("%v", err)
	}
	if rows := w.sim.Rows(company); len(rows) != 0 {
		t.Errorf("half a row stands there: %v", rows)
	}
}

func TestNoLocation(t *testing.T) {
	w := newWorld(t, erpsim.Options{HideNavigation: true, Manual: true}, nil)
	c := w.connector()
	w.arm(1, erpsim.FaultResponse{DropLocation: true})
	if _, err := c.Deliver(t.Context(), sample(1, nil)); err != nil {
		t.Errorf("the key of the row says where it is: %v", err)
	}
	w.arm(1, erpsim.FaultResponse{AfterCommit: true, Status: 201, Body: `{"databaseAction":"U"}`, ContentType: "application/json"})
	_, err := c.Deliver(t.Context(), sample(2, nil))
	if f := fault.Of(err); f.Code != "DSBC008" || !f.WholeTarget || !f.Ambiguous {
		t.Errorf("%v", err)
	}
}

// Other times are another state, also under the same modification time.
func TestTimesTellStatesApart(t *testing.T) {
	w := newWorld(t, erpsim.Options{}, nil)
	c := w.connector()
	if _, err := c.Deliver(t.Context(), sample(1, nil)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*backofficetest.Record){
		"start": func(r *backofficetest.Record) { r.Start = r.Start.Add(time.Minute) },
		"end":   func(r *backofficetest.Record) { r.End = r.End.Add(time.Minute) },
	} {
		if r, found, err := c.Find(t.Context(), sample(1, change)); err != nil || found {
			t.Errorf("another %s: %+v %v", name, r, err)
		}
	}
}

// A state that comes back is not taken for its older self, and is found itself.
func TestRepeatedStateIsToldApart(t *testing.T) {
	columns := erpsim.DefaultColumns()
	bare := slices.DeleteFunc(slices.Clone(columns), func(c erpsim.Column) bool { return c.Name == "Last Modified Date" })
	for name, columns := range map[string][]erpsim.Column{"by last modification": columns, "by entry number": bare} {
		t.Run(name, func(t *testing.T) {
			// The receipt of the delivery before may be lost, but not both.
			forgets := len(columns) != len(bare)
			w := newWorld(t, erpsim.Options{Columns: columns}, nil)
			c := w.connector()
			update := func(version int, day int) backoffice.Delivery {
				return sample(version, func(r *backofficetest.Record) {
					r.Operation = backoffice.Update
					r.Start, r.End = r.Start.AddDate(0, 0, day), r.End.AddDate(0, 0, day)
				})
			}
			var previous backoffice.Receipt
			for i, day := range []int{0, 1} {
				d := update(i+1, day)
				d.Previous = previous
				var err error
				if previous, err = c.Deliver(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
			back := update(3, 0)
			if !forgets {
				back.Previous = previous
			}
			if r, found, err := c.Find(t.Context(), back); err != nil || found {
				t.Fatalf("%+v %v: the older row was taken for it", r, err)
			}
			want, err := c.Deliver(t.Context(), back)
			if err != nil {
				t.Fatal(err)
			}
			got, found, err := c.Find(t.Context(), back)
			if err != nil || !found || got.ID != want.ID {
				t.Errorf("found %v %+v, want %+v, %v", found, got, want, err)
			}
		})
	}
}

// What a row is refused for, and that the reason shows no words of the appointment.
func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fault  erpsim.FaultResponse
		kind   fault.Kind
		reason fault.Reason
		code   string
		whole  bool
		ambig  bool
	}{
		{"credentials", erpsim.FaultResponse{Status: 401, Code: "Authentication_InvalidCredentials"}, fault.Transient, fault.Auth, "DSBC001", true, false},
		{"other sign-in", erpsim.FaultResponse{Status: 401, Code: "Authentication_Other"}, fault.Transient, fault.Auth, "DSBC001", true, false},
		{"permission", erpsim.FaultResponse{Status: 403, Code: "Authorization_RequestDenied"}, fault.Transient, fault.Auth, "DSCFG008", true, false},
		{"company", erpsim.FaultResponse{Status: 404, Code: "Internal_CompanyNotFound"}, fault.Transient, fault.NotFound, "DSCFG007", true, false},
		{"no page", erpsim.FaultResponse{Status: 404, Code: "BadRequest_NotFound"}, fault.Transient, fault.NotFound, "DSBC002", true, false},
		{"switched off", erpsim.FaultResponse{Status: 405, Code: "BadRequest_MethodNotAllowed"}, fault.Transient, fault.NotFound, "DSBC002", true, false},
		{"too long", erpsim.FaultResponse{Status: 400, Code: "Application_StringExceededLength"}, fault.Permanent, fault.Invalid, "DSCFG004", false, false},
		{"dialog", erpsim.FaultResponse{Status: 400, Code: "Application_DialogException"}, fault.Permanent, fault.Invalid, "DSUNK001", false, false},
		{"callback", erpsim.FaultResponse{Status: 400, Code: "Application_CallbackNotAllowed"}, fault.Permanent, fault.Invalid, "DSUNK001", false, false},
		{"locked, English", erpsim.FaultResponse{Locked: true}, fault.Transient, fault.Conflict, "DSBC003", false, false},
		{"locked, German, in an application's error", erpsim.FaultResponse{Locked: true, Language: "de", Status: 400, Code: "Application_DialogException"}, fault.Transient, fault.Conflict, "DSBC003", false, false},
		{"changed", erpsim.FaultResponse{Status: 409, Code: "Request_EntityChanged"}, fault.Transient, fault.Conflict, "DSBC003", false, false},
		{"there already, not ours", erpsim.FaultResponse{Status: 400, Code: "Internal_EntityWithSameKeyExists"}, fault.Permanent, fault.Conflict, "DSCFG004", false, false},
		{"server error", erpsim.FaultResponse{Status: 500, Code: "Internal_ServerError"}, fault.Transient, fault.Unavailable, "DSHTTP001", false, true},
		{"gateway", erpsim.FaultResponse{Status: 504, Body: "<html>", ContentType: "text/html"}, fault.Transient, fault.Timeout, "DSBC004", false, true},
		{"timeout", erpsim.FaultResponse{Status: 408, Code: "Application_Whatever"}, fault.Transient, fault.Timeout, "DSBC004", false, true},
		{"tenant", erpsim.FaultResponse{Status: 503, Code: "Internal_TenantUnavailable"}, fault.Transient, fault.Unavailable, "DSHTTP001", true, false},
		{"too large", erpsim.FaultResponse{Status: 413}, fault.Permanent, fault.Invalid, "DSUNK001", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, erpsim.Options{}, nil)
			c := w.connector()
			tc.fault.Message = "Refused: 'Boiler 1' of Person R1, R1@example.com, No. R1."
			w.arm(2, tc.fault) // a refused token is replaced once
			_, err := c.Deliver(t.Context(), sample(1, nil))
			f := fault.Of(err)
			if err == nil {
				t.Fatal("no error")
			}
			if f.Kind != tc.kind || f.Reason != tc.reason || f.Code != tc.code || f.WholeTarget != tc.whole || f.Ambiguous != tc.ambig {
				t.Fatalf("%v: whole %v, ambiguous %v", err, f.WholeTarget, f.Ambiguous)
			}
			for _, word := range []string{"Boiler 1", "Person R1", "example.com"} {
				if strings.Contains(err.Error(), word) {
					t.Errorf("the error shows %q: %v", word, err)
				}
			}
		})
	}
}

// A row that is there already under our key is the delivery's success.
func TestThereAlreadyAndOurs(t *testing.T) {
	w := newWorld(t, erpsim.Options{}, nil)
	c := w.connector()
	w.arm(1, erpsim.FaultResponse{AfterCommit: true, Status: 400, Code: "Internal_EntityWithSameKeyExists"})
	if r, err := c.Deliver(t.Context(), sample(1, nil)); err != nil || r.ID != "1" {
		t.Errorf("%+v %v", r, err)
	}
}

// An update of the app renames a property: the first delivery after it is refused
// and passes, the next goes to the new name.
func TestMetadataChanges(t *testing.T) {
	w := newWorld(t, erpsim.Options{}, nil)
	c := w.connector()
	if _, err := c.Deliver(t.Context(), sample(1, nil)); err != nil {
		t.Fatal(err)
	}
	columns := erpsim.DefaultColumns()
	for i := range columns {
		if columns[i].Name == erpsim.JobNo {
			columns[i].Property = "job_No"
		}
	}
	w.sim.SetColumns(columns)
	_, err := c.Deliver(t.Context(), sample(2, nil))
	if f := fault.Of(err); f.Code != "DSCFG004" || f.Kind != fault.Transient || f.Ambiguous {
		t.Fatalf("%v", err)
	}
	if _, err := c.Deliver(t.Context(), sample(2, nil)); err != nil {
		t.Fatal(err)
	}
	if rows := w.sim.Rows(company); len(rows) != 2 || rows[1].Text(erpsim.JobNo) != "JOB001" {
		t.Errorf("%v", rows)
	}
}

func TestValuesThatDoNotFit(t *testing.T) {
	w := newWorld(t, erpsim.Options{}, nil)
	c := w.connector()
	long := sample(1, func(r *backofficetest.Record) {
		r.Subject, r.Body = strings.Repeat("ä", 300)+"end", "bell\a and \x02"+strings.Repeat("x", 3000)
	})
	if _, err := c.Deliver(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	row := w.sim.Rows(company)[0]
	if s := row.Text(erpsim.Subject); len([]rune(s)) != 250 || !strings.HasSuffix(s, fields.Mark) {
		t.Errorf("subject %q", s)
	}
	if b := row.Text("Body"); len([]rune(b)) != 2048 || !strings.HasPrefix(b, "bell and x") {
		t.Errorf("body of %d: %.20q", len([]rune(b)), b)
	}
	_, err := c.Deliver(t.Context(), sample(2, func(r *backofficetest.Record) { r.JobNo = strings.Repeat("J", 51) }))
	if f := fault.Of(err); f.Kind != fault.Permanent || f.Code != "DSCFG004" || strings.Contains(err.Error(), "JJJ") || len(w.sim.Rows(company)) != 1 {
		t.Errorf("%v, %d rows", err, len(w.sim.Rows(company)))
	}
}

// What Business Central makes of a row shows, until it is worked on again.
func TestStatus(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	w := newWorld(t, erpsim.Options{Now: func() time.Time { return now }, ProcessDelay: time.Minute}, nil)
	c := w.connector()
	r, err := c.Deliver(t.Context(), sample(1, nil))
	if err != nil {
		t.Fatal(err)
	}
	status := func() backoffice.Processing {
		t.Helper()
		p, err := c.Status(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := status(); p.State != backoffice.Waiting {
		t.Errorf("%+v", p)
	}
	w.sim.SetReject(func(row erpsim.Row) string {
		return "Resource R1 needs a Unit of Measure for '" + row.Text(erpsim.Subject) + "', ask ann@example.com."
	})
	now = now.Add(time.Minute)
	if p := status(); p.State != backoffice.FailedThere || p.Text != "Resource R1 needs a Unit of Measure for '…', ask …" {
		t.Errorf("%+v", p)
	}
	w.sim.SetReject(nil)
	w.sim.Process(company, 1)
	// Behind a reverse proxy the ERP names its own host, which nobody else reaches.
	r.Location = strings.Replace(r.Location, w.url, "http://erp.internal:7048", 1)
	if p := status(); p.State != backoffice.Processed || p.Text != "" {
		t.Errorf("%+v", p)
	}
	w.sim.Archive(company, now)
	if p := status(); p.State != backoffice.NoLongerThere {
		t.Errorf("%+v", p)
	}
}

// A delete of an appointment whose content is not known needs no times.
func TestTombstone(t *testing.T) {
	w := newWorld(t, erpsim.Options{}, nil)
	d := sample(1, func(r *backofficetest.Record) { r.Operation = backoffice.Delete })
	d.Graph, d.Appointment.Content, d.Appointment.Assignees = nil, appointment.Content{}, nil
	if _, err := w.connector().Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if rows := w.sim.Rows(company); len(rows) != 1 || rows[0].Text(erpsim.DatabaseAction) != "D" {
		t.Errorf("%v", rows)
	}
}
