package backoffice_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// importing stores one published entry and returns the connector that came of it.
func importing(t *testing.T, w *world, entry string) (backoffice.View, backoffice.Problems) {
	t.Helper()
	out, err := w.desk.Import(t.Context(), "ann", []byte(entry))
	if err != nil || len(out) != 1 {
		t.Fatalf("%d entries, %v", len(out), err)
	}
	if len(out[0].Problems) > 0 {
		return backoffice.View{}, out[0].Problems
	}
	return must(w.desk.Get(t.Context(), out[0].ID))(t), nil
}

func TestImport(t *testing.T) {
	const online = "https://api.businesscentral.dynamics.com/v2.0/11111111-2222-4333-8444-555555555555/PROD"
	for name, tc := range map[string]struct {
		entry string
		want  backoffice.Form // of the fields that are looked at
		vault string
	}{
		"on-premises, Windows": {
			`{"Source Application":"NAV","Send appointments to back office":true,"Web Service":"https://nav.example:7047/DynamicsNAV/WS/CRONUS/Page/Appointment","Back Office":"Microsoft Dynamics NAV","Login":"CORP\\svc","Password":"p;a+s%s"}`,
			backoffice.Form{Type: backoffice.NAV, API: backoffice.SOAPPage, Auth: backoffice.Windows, Login: `CORP\svc`, Send: true, SourceApp: "NAV"}, "p;a+s%s"},
		"on-premises, basic=": {
			`{"SourceApplication":"BC","SendAppointmentsToBackOffice":"1","WebService":"https://bc.example:7047/BC/WS/CRONUS/Page/Appointment","BackOffice":"BC","Login":"basic=user","Password":"key"}`,
			backoffice.Form{Type: backoffice.BusinessCentral, API: backoffice.SOAPPage, Auth: backoffice.Basic, Login: "user", Send: true, SourceApp: "BC"}, "key"},
		"online, classic credentials": {
			`{"Source Application":"BC","Send appointments to back office":true,"Web Service":"` + online + `/WS/CRONUS/Page/Appointment","Back Office":"BC SaaS/Online","Login":"tenant-1","Password":"client_id=abc&client_secret=s;e+c%r=t&x"}`,
			backoffice.Form{Type: backoffice.BusinessCentral, API: backoffice.SOAPPage, Auth: backoffice.Entra, Login: "tenant-1", ClientID: "abc", Send: true, SourceApp: "BC"}, "s;e+c%r=t&x"},
		"cloud, numbers": {
			`{"Name":"Production","SourceApp":"BC","SourceType":"SO","SendAppointmentToWebService":false,"Uri":"` + online + `/api/dimeSoftware/dimeScheduler/v1.0/companies(1a2b3c4d-0000-4000-8000-000000000000)/appointments","Type":1,"ApiType":1,"AuthType":4,"Login":"tenant-1","Password":"client_id=abc&client_secret=x","CrudTypes":["Create","Read","Delete"]}`,
			backoffice.Form{Name: "Production", Type: backoffice.BusinessCentral, API: backoffice.REST, Auth: backoffice.Entra, Login: "tenant-1", ClientID: "abc", SourceApp: "BC", SourceType: "SO", Operations: []backoffice.Operation{"I", "D"}}, "x"},
		"cloud, names, webhook": {
			`{"name":"Hook","sourceApp":"BC","enabled":true,"webServiceAddress":"https://hook.example/a?code=1","type":"Webhook","apiType":"REST","authenticationType":"None"}`,
			backoffice.Form{Name: "Hook", Type: backoffice.Webhook, API: backoffice.REST, Auth: backoffice.NoAuth, Send: true, SourceApp: "BC"}, ""},
		"blank, online": {
			`{"Source Application":"BC","Send appointments to back office":true,"Web Service":"` + online + `/WS/CRONUS/Page/Appointment","Back Office":"BC","Login":"","Password":""}`,
			backoffice.Form{Type: backoffice.BusinessCentral, API: backoffice.SOAPPage, Auth: backoffice.Identity, Send: true, SourceApp: "BC"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			v, problems := importing(t, w, tc.entry)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			got, want := v.Form, tc.want
			if got.Type != want.Type || got.API != want.API || got.Auth != want.Auth || got.Login != want.Login || got.ClientID != want.ClientID || got.Send != want.Send || got.SourceApp != want.SourceApp || got.SourceType != want.SourceType {
				t.Errorf("%+v\nwant %+v", got, want)
			}
			if want.Operations != nil && !slices.Equal(got.Operations, want.Operations) {
				t.Errorf("operations %v", got.Operations)
			}
			if w.vault["connector-"+v.ID] != tc.vault {
				t.Errorf("the vault holds %q", w.vault["connector-"+v.ID])
			}
			record, _ := json.Marshal(must(w.mem.Connector(t.Context(), v.ID))(t))
			view, _ := json.Marshal(v)
			if tc.vault != "" && (strings.Contains(string(record), `"`+tc.vault) || strings.Contains(string(view), `"`+tc.vault)) {
				t.Errorf("the password stands in the record or the view: %s %s", record, view)
			}
			again, problems := importing(t, w, tc.entry)
			if len(problems) > 0 || again.ID != v.ID || len(must(w.desk.List(t.Context()))(t)) != 1 {
				t.Errorf("importing it again made another: %v", problems)
			}
		})
	}
}

func TestImportNamesEveryProblem(t *testing.T) {
	for name, tc := range map[string]struct {
		entry string
		codes []string
	}{
		"blank, on-premises":  {`{"Source Application":"NAV","Send appointments to back office":true,"Web Service":"https://nav.example/WS/Page/Appointment","Back Office":"NAV","Login":"","Password":""}`, []string{"DSCFG002"}},
		"no secret":           {`{"SourceApp":"BC","Uri":"https://api.businesscentral.dynamics.com/x","Type":1,"ApiType":1,"AuthType":4,"Login":"t","Password":"client_id=a&client_secret="}`, []string{"DSCFG006"}},
		"placeholder":         {`{"SourceApp":"BC","Uri":"https://api.businesscentral.dynamics.com/v2.0/{{tenant}}/x","Type":1,"ApiType":1,"AuthType":1,"Login":"u","Password":"p"}`, []string{"DSCFG007"}},
		"type, api, unknown":  {`{"SourceApp":"BC","Uri":"https://x.example/","Type":9,"ApiType":7,"Colour":"red"}`, []string{"DSCFG002", "DSCFG004", "DSCFG005"}},
		"NAV by REST":         {`{"SourceApp":"NAV","Uri":"https://x.example/","Type":2,"ApiType":1,"AuthType":1,"Login":"u","Password":"p"}`, []string{"DSCFG005"}},
		"API page by Windows": {`{"SourceApp":"BC","Uri":"https://x.example/api/","Type":1,"ApiType":1,"AuthType":3,"Login":"u","Password":"p"}`, []string{"DSCFG005"}},
		"http":                {`{"SourceApp":"NAV","Uri":"http://nav.example/WS/Page/Appointment","Type":2,"AuthType":1,"Login":"u","Password":"p"}`, []string{"DSCFG009"}},
		"webhook, empty":      {`{"Type":3,"SourceApp":"","Uri":""}`, []string{"DSCFG002", "DSWBHK002"}},
	} {
		w := newWorld(t)
		_, problems := importing(t, w, tc.entry)
		var codes []string
		for _, p := range problems {
			codes = append(codes, p.Code)
			if p.Text == "" || p.Field == "" {
				t.Errorf("%s: %+v", name, p)
			}
		}
		slices.Sort(codes)
		if !slices.Equal(slices.Compact(codes), slices.Compact(tc.codes)) {
			t.Errorf("%s: %v", name, problems)
		}
		if len(w.vault) > 0 {
			t.Errorf("%s: a password was stored for what is not", name)
		}
	}
	w := newWorld(t)
	out, err := w.desk.Import(t.Context(), "ann", []byte(`[{"Type":9},{"Name":"Good","SourceApp":"BC","Uri":"https://hook.example/","Type":3}]`))
	if err != nil || len(out) != 2 || len(out[0].Problems) == 0 || out[1].ID != "good" {
		t.Errorf("%+v %v", out, err)
	}
	for _, junk := range []string{"", "<xml/>", `"x"`, `[1]`, `{}{}`} {
		if _, err := w.desk.Import(t.Context(), "ann", []byte(junk)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", junk, err)
		}
	}
}

func TestSaveGuardsWhatIsThere(t *testing.T) {
	w := newWorld(t)
	f := backoffice.Form{ID: "erp", SourceApp: "BCPROD", Send: true, URI: "https://erp.example/x", Type: backoffice.BusinessCentral, API: backoffice.REST, Auth: backoffice.Basic, Login: "u", Password: "first"}
	v := must(w.desk.Save(t.Context(), "ann", f))(t)
	if v.Password != "" || !v.HasPassword || v.Shards != backoffice.DefaultShards || v.State != "on" {
		t.Errorf("%+v", v)
	}
	if _, err := w.desk.Save(t.Context(), "ann", f); !fault.Is(err, fault.Conflict) {
		t.Errorf("made twice: %v", err)
	}
	other := v.Form
	other.Shards = 5
	if _, err := w.desk.Save(t.Context(), "ann", other); err == nil || !strings.Contains(err.Error(), "shards") {
		t.Errorf("another number of shards: %v", err)
	}
	changed := v.Form
	changed.Name = "New name"
	next := must(w.desk.Save(t.Context(), "ann", changed))(t)
	if w.vault["connector-erp"] != "first" || next.Secret != "connector-erp" {
		t.Error("the password did not stay")
	}
	if _, err := w.desk.Save(t.Context(), "ann", changed); !fault.Is(err, fault.Conflict) {
		t.Errorf("an outdated form: %v", err)
	}
	if err := w.desk.Delete(t.Context(), "ann", "erp", v.ETag); !fault.Is(err, fault.Conflict) {
		t.Errorf("deleted by an outdated look: %v", err)
	}
	if _, err := w.desk.Get(t.Context(), "none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	if err := w.desk.Retry(t.Context(), "ann", "erp", "nothing"); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	for _, e := range must(w.mem.AuditLog(t.Context(), 10))(t) {
		if strings.Contains(e.Text, "first") || strings.Contains(e.Text, "New name") {
			t.Errorf("the audit log holds a value: %q", e.Text)
		}
	}
	checks := must(w.desk.Test(t.Context(), "ann", "erp"))(t)
	if len(checks) == 0 || !checks[0].OK {
		t.Errorf("%+v", checks)
	}
}

// A changed record is used within half a minute, without a restart.
func TestRecordsAreReadAgain(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", func(c *backoffice.Config) { c.SourceApp = "OTHER" })
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(0)
	w.expect("arrived", told(erp), nil)
	r := must(w.mem.Connector(t.Context(), "erp"))(t)
	r.SourceApp = "BCPROD"
	w.must(w.mem.SwapConnector(t.Context(), r))
	w.pass(31 * time.Second)
	w.announce(appointment.Update, sample(1, "B"))
	w.settle(time.Minute)
	w.expect("arrived", told(erp), []string{"U B"})
}

func TestHeadersAreChecked(t *testing.T) {
	for header, ok := range map[string]bool{
		"X-Site": true, "Authorization": false, "authorization": false, "Transfer-Encoding": false, "X-Dime-Operation": false, "Host": false,
		"Bad Name": false, "X-Api-Key": false, "": false, "Cookie": false, "Idempotency-Key": false,
	} {
		c := backoffice.Config{ID: "h", SourceApp: "A", Operations: []backoffice.Operation{"I"}, Type: backoffice.Webhook, API: backoffice.REST, Auth: backoffice.NoAuth, URI: "https://h.example/", Shards: 1,
			Headers: map[string]string{header: "v"}}
		if got := len(c.Validate()) == 0; got != ok {
			t.Errorf("header %q: accepted %v", header, got)
		}
		c.Headers = map[string]string{"X-Site": "a\r\nAuthorization: x"}
		if len(c.Validate()) == 0 {
			t.Error("a header with a line break was accepted")
		}
	}
}

func TestAddresses(t *testing.T) {
	for uri, code := range map[string]string{
		"https://erp.example/x": "", "https://[2001:db8::1]/x": "", "https://erp.example:7048/BC/api": "",
		"": "DSCFG002", "erp.example/x": "DSCFG007", "https://": "DSCFG007", "ftp://erp.example/": "DSCFG007", "https://u:p@erp.example/": "DSCFG007",
		"https://erp.example/{{id}}": "DSCFG007", "https://erp.example/[company]/x": "DSCFG007", "https://<server>/x": "DSCFG007", "https://erp.example/x#y": "DSCFG007",
		"https://169.254.169.254/metadata": "DSCFG007", "http://erp.example/": "DSCFG009", "https://erp.example/%zz": "DSCFG007", "https://erp.example/companies({1})": "DSCFG007",
	} {
		_, err := backoffice.Config{Type: backoffice.BusinessCentral, URI: uri}.Address()
		if got := fault.Of(err); (err == nil) != (code == "") || err != nil && got.Code != code {
			t.Errorf("%q: %v, want %s", uri, err, code)
		}
	}
}
