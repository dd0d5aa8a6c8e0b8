package bc_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/bc"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Every mistake an administrator can make is found, named, and told how to mend,
// and nothing is written on the way.
func TestConnectionTest(t *testing.T) {
	for _, tc := range []struct {
		name   string
		o      erpsim.Options
		change func(*world)
		failed string // the check; "" = all is well
		code   string
		says   string
	}{
		{name: "well", says: "the company is " + company},
		{name: "basic", change: onPremises, says: "rows can be read"},
		{name: "wrong secret", change: func(w *world) { w.secret = "x" }, failed: "token", code: "DSCFG008", says: "secret's value"},
		{name: "unknown application", change: func(w *world) { w.c.ClientID = "x" }, failed: "token", code: "DSCFG008", says: "client id"},
		{name: "no consent", o: erpsim.Options{Apps: map[string]erpsim.App{"client": {Secrets: []string{"s3cr3t;+%value"}, NoConsent: true}}}, failed: "token", code: "DSCFG008", says: "grant admin consent"},
		{name: "not registered there", o: erpsim.Options{Apps: map[string]erpsim.App{"client": {Secrets: []string{"s3cr3t;+%value"}, Unregistered: true}}}, failed: "sign-in", code: "DSBC001", says: "Microsoft Entra applications"},
		{name: "wrong password", change: func(w *world) { onPremises(w); w.secret = "x" }, failed: "sign-in", code: "DSBC001", says: "web service access key"},
		{name: "wrong API", change: func(w *world) { w.c.URI = strings.Replace(w.c.URI, "dimeSoftware", "elseware", 1) }, failed: "address", code: "DSBC002", says: "check the address"},
		{name: "wrong company name", change: func(w *world) { w.c.URI = strings.Replace(w.c.URI, "M%C3%BCller", "m%C3%BCller", 1) }, failed: "company", code: "DSCFG007", says: "it has CRONUS, " + company},
		{name: "wrong company id", change: func(w *world) {
			w.c.URI = w.url + "/v2.0/" + tenant + "/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(00000000-1111-4222-8333-444444444444)/appointments"
		}, failed: "company", code: "DSCFG007", says: "no company with the id"},
		{name: "no company named", change: func(w *world) {
			w.c.URI = w.url + "/v2.0/" + tenant + "/prod/api/dimeSoftware/dimeScheduler/v1.0/appointments"
		}, failed: "company", code: "DSCFG007", says: "add /companies(ID)"},
		{name: "wrong page", change: func(w *world) { w.c.URI = strings.TrimSuffix(w.c.URI, "appointments") + "tasks" }, failed: "service", code: "DSBC002", says: "but companies, appointments"},
		{name: "required field missing", o: erpsim.Options{Columns: without(erpsim.DatabaseAction)}, failed: "fields", code: "DSCFG004", says: `no field for "Database Action"`},
		{name: "required field of the resources missing", o: erpsim.Options{ResourceColumns: []erpsim.Column{{Name: "Whatever", Type: erpsim.Code, Length: 20}}}, failed: "fields", code: "DSCFG004", says: `no field for "Resource No"`},
		{name: "mapped to nothing", change: func(w *world) { w.c.Fields = map[string]string{"subject": "betreff"} }, failed: "fields", code: "DSCFG004", says: `"betreff"`},
		{name: "no part for resources", o: erpsim.Options{ResourcePart: "-"}, failed: "fields", code: "DSCFG004", says: "Resources part"},
		{name: "no part, switched off", o: erpsim.Options{ResourcePart: "-"}, change: func(w *world) { w.c.Fields = map[string]string{"resources_part": "-"} }, says: "resources are not sent"},
		{name: "may not read", o: erpsim.Options{Apps: map[string]erpsim.App{"client": {Secrets: []string{"s3cr3t;+%value"}, NoRead: true}}}, failed: "permissions", code: "DSCFG008", says: "permission sets"},
		{name: "a version too many", change: func(w *world) { w.c.URI = strings.Replace(w.c.URI, "/api/", "/api/v2.0/", 1) }, says: "api/v2.0 of the address is left out"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.o, tc.change)
			checks := w.connector().Test(t.Context())
			failed, code, text := "", "", ""
			for i, c := range checks {
				text += c.Text + "\n"
				if !c.OK {
					failed, code = c.Name, c.Code
					if i != len(checks)-1 {
						t.Errorf("goes on after %+v", c)
					}
				}
				if strings.Contains(c.Text, w.secret) && len(w.secret) > 1 {
					t.Error("a check shows the secret")
				}
			}
			if failed != tc.failed || code != tc.code || !strings.Contains(text, tc.says) {
				t.Errorf("failed %q %s, want %q %s and %q:\n%s", failed, code, tc.failed, tc.code, tc.says, text)
			}
			for _, name := range []string{"CRONUS", company} {
				if n := len(w.sim.Rows(name)); n != 0 {
					t.Errorf("%d rows were written to %s", n, name)
				}
			}
		})
	}
}

func without(name string) []erpsim.Column {
	return slices.DeleteFunc(erpsim.DefaultColumns(), func(c erpsim.Column) bool { return c.Name == name })
}

// An administrator sees where each field goes, and how that was found.
func TestFieldsView(t *testing.T) {
	w := newWorld(t, erpsim.Options{Columns: renamed()}, func(w *world) {
		w.c.Fields = map[string]string{fields.Subject: "Betreff", "Category": "-"}
	})
	all, err := w.connector().Fields(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, u := range all {
		got[u.Part+" "+u.Field] = u.How + " " + u.Property
	}
	for name, want := range map[string]string{
		"appointment Subject": "mapped Betreff", "appointment Category": "not sent ", "appointment Job No": "name Job_No",
		"appointment Start Date": "synonym start", "appointment Locked": "missing ",
		"resources Resource No": "name resourceNo", "field values Field Code": "name fieldCode",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

// A connector that makes no sense is not opened.
func TestOpen(t *testing.T) {
	for _, tc := range []struct{ name, uri, code string }{
		{"no API", "https://bc.example/BC/WS/CRONUS/Page/Appointment", "DSCFG007"},
		{"Microsoft's own API", "https://api.businesscentral.dynamics.com/v2.0/t/prod/api/v2.0/companies(x)/items", "DSCFG007"},
		{"no version", "https://bc.example/api/dimeSoftware/dimeScheduler/companies", "DSCFG007"},
		{"placeholders", "https://api.businesscentral.dynamics.com/v2.0/{{tenant}}/prod/api/dimeSoftware/dimeScheduler/v1.0/appointments", "DSCFG007"},
		{"a row", "https://bc.example/api/dimeSoftware/dimeScheduler/v1.0/companies(x)/appointments(1)", "DSCFG007"},
		{"http", "http://bc.example/api/dimeSoftware/dimeScheduler/v1.0/companies(x)/appointments", "DSCFG009"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, erpsim.Options{}, func(w *world) { w.c.URI, w.c.AllowHTTP = tc.uri, false })
			_, err := bc.REST(oauth.New()).Open(t.Context(), w.d, w.c)
			if err == nil || fault.Of(err).Code != tc.code {
				t.Errorf("%v, want %s", err, tc.code)
			}
		})
	}
}

// Whatever an administrator copies from documents and browsers leads to the page.
func TestAddresses(t *testing.T) {
	const named = "M%C3%BCller%2C%20S%C3%B6hne%20%26%20Co%2FKG"
	for _, tc := range []struct{ name, path string }{
		{"documented", "/v2.0/TENANT/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(ID)/appointments"},
		{"without the page", "/v2.0/TENANT/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(ID)"},
		{"with a slash", "/v2.0/TENANT/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(ID)/appointments/"},
		{"with a query", "/v2.0/TENANT/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(ID)/appointments?$top=5"},
		{"company by name", "/v2.0/TENANT/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(" + named + ")/appointments"},
		{"company in quotes", "/v2.0/TENANT/prod/api/dimeSoftware/dimeScheduler/v1.0/companies('" + named + "')/appointments"},
		{"company by named key", "/v2.0/TENANT/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(id=ID)/appointments"},
		{"company in the query", "/v2.0/TENANT/prod/api/dimeSoftware/dimeScheduler/v1.0/appointments?company=" + named},
		{"a version too many", "/v2.0/TENANT/prod/api/v2.0/dimeSoftware/dimeScheduler/v1.0/companies(ID)/appointments"},
		{"an API too many", "/v2.0/TENANT/prod/api/v2.0/api/dimeSoftware/dimeScheduler/v1.0/companies(ID)/appointments"},
		{"metadata", "/v2.0/TENANT/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(ID)/$metadata"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, erpsim.Options{}, func(w *world) {
				w.c.URI = w.url + strings.NewReplacer("TENANT", tenant, "ID", w.companyID()).Replace(tc.path)
			})
			r, err := w.connector().Deliver(t.Context(), sample(1, nil))
			if err != nil {
				t.Fatal(err)
			}
			want := w.url + "/v2.0/" + tenant + "/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(" + w.companyID() + ")/appointments(" + w.sim.Rows(company)[0].ID + ")"
			if diff := cmp.Diff(want, r.Location); diff != "" {
				t.Error(diff)
			}
			if p, err := w.connector().Status(t.Context(), r); err != nil || p.State != backoffice.Processed {
				t.Errorf("%+v %v", p, err)
			}
		})
	}
}
