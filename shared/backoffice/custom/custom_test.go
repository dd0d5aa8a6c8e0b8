package custom

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/fault"
)

func TestConformance(t *testing.T) {
	for _, test := range []struct {
		api    backoffice.API
		auth   backoffice.Auth
		params []erpsim.Column
	}{
		{backoffice.SOAPCodeunit, backoffice.Basic, []erpsim.Column{text("json"), text("messageId")}},
		{backoffice.SOAPCodeunit, backoffice.NTLM, []erpsim.Column{text("json")}},
		{backoffice.ODataAction, backoffice.Basic, []erpsim.Column{text("json")}},
		{backoffice.ODataAction, backoffice.NTLM, []erpsim.Column{text("messageId"), text("json")}},
	} {
		t.Run(fmt.Sprintf("%s %s with %d parameters", test.api, test.auth, len(test.params)), func(t *testing.T) {
			backofficetest.Run(t, func(t *testing.T) backofficetest.Harness {
				return newWorld(t, test.api, test.auth, test.params...).harness()
			})
		})
	}
}

// Single parameters get single fields, in their own types, by both protocols.
func TestParameters(t *testing.T) {
	for _, api := range []backoffice.API{backoffice.SOAPCodeunit, backoffice.ODataAction} {
		t.Run(string(api), func(t *testing.T) {
			w := newWorld(t, api, backoffice.Basic, text("action"), text("jobNo"), erpsim.Column{Name: "appointmentGuid", Type: erpsim.GUID}, erpsim.Column{Name: "startDate", Type: erpsim.DateTime},
				text("resources"), erpsim.Column{Name: "sentFromBackOffice", Type: erpsim.Boolean}, erpsim.Column{Name: "retries", Type: erpsim.Integer})
			r := backofficetest.Sample(1)
			r.SentFromBackOffice = true
			if _, err := w.open().Deliver(t.Context(), backofficetest.Delivery(r, 1)); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"action": "I", "jobNo": r.JobNo, "appointmentGuid": r.Appointment, "startDate": r.Start, "resources": "R1,R2", "sentFromBackOffice": true, "retries": int64(0)}
			if diff := cmp.Diff(want, w.received[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDraw(t *testing.T) {
	column := func(names ...string) (out []fields.Column) {
		for _, n := range names {
			out = append(out, fields.Column{Name: n, Type: fields.Text})
		}
		return out
	}
	for _, test := range []struct {
		name    string
		params  []fields.Column
		byHand  map[string]string
		graph   string
		keyed   bool
		problem string
	}{
		{"by its name", column("jsonText", "other"), nil, "jsonText", false, ""},
		{"the only one", column("blob"), nil, "blob", false, ""},
		{"the only one that is left", column("messageId", "jobNo", "blob"), nil, "blob", true, ""},
		{"two are left", column("a", "b"), nil, "", false, "Graph"},
		{"two are left, mapped", column("a", "b"), map[string]string{"graph": "b", "Delivery Key": "a"}, "b", true, ""},
		{"mapped to what is not there", column("a"), map[string]string{"Graph": "x"}, "", false, `"x"`},
		{"a single field mapped to what is not there", column("json"), map[string]string{"Job No": "x"}, "", false, `"x"`},
		{"switched off", column("json", "appointmentGuid"), map[string]string{"Graph": "-"}, "", false, ""},
		{"nothing", nil, nil, "", false, "Graph"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := draw(test.params, test.byHand)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("error %v, want one about %s", err, test.problem)
				}
				return
			}
			if err != nil || p.graph != test.graph || p.keyed() != test.keyed {
				t.Errorf("graph %q keyed %v, %v", p.graph, p.keyed(), err)
			}
		})
	}
}

// TestRule_R35_ReceivingCodeSeesNothingOfOneCalendar: what belongs to one person's calendar is not in the JSON.
func TestRule_R35_ReceivingCodeSeesNothingOfOneCalendar(t *testing.T) {
	d := backofficetest.Delivery(backofficetest.Sample(1), 1)
	d.Graph = []byte(`{"appointmentguid":"x","Sensitivity":3,"showAs":4,"databaseaction":"?","Subject":"a < b & ü","Custom":[1,2]}`)
	got, err := document(d)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(got), &m); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"AppointmentGuid": d.Appointment.Guid, "DatabaseAction": "I", "DeliveryKey": d.Key, "SentFromBackOffice": false, "Subject": "a < b & ü", "Custom": []any{1., 2.}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got, "a < b & ü") {
		t.Errorf("the text is escaped more than JSON asks for: %s", got)
	}
}

func TestReturnValues(t *testing.T) {
	for _, test := range []struct {
		returned string
		id       string
		kind     string // of the fault; "" = success
	}{
		{"", "", ""}, {"true", "", ""}, {"TRUE", "", ""}, {"null", "", ""}, {`{}`, "", ""}, {`[]`, "", ""}, {`{"success":true,"id":7}`, "7", ""}, {`{"Id":"SO-1"}`, "SO-1", ""},
		{"4711", "4711", ""}, {"SO-4711", "SO-4711", ""},
		{"false", "", "permanent"}, {"Job 7 is blocked", "", "permanent"}, {`{"success":false,"error":"no such job"}`, "", "permanent"},
		{`{"success":false,"retry":true}`, "", "transient"}, {`{"success":`, "", "transient"},
	} {
		r, err := judge(test.returned, []string{"secret subject"})
		kind := ""
		if err != nil {
			kind = fault.Of(err).Kind.String()
		}
		if r.ID != test.id || kind != test.kind {
			t.Errorf("%q: receipt %+v, %v; want id %q, fault %q", test.returned, r, err, test.id, test.kind)
		}
	}
	if _, err := judge("can not read secret subject of it", []string{"secret subject"}); strings.Contains(err.Error(), "secret subject") {
		t.Errorf("the appointment's words stand in the error: %v", err)
	}
}

func TestRefusalByTheMethod(t *testing.T) {
	for _, api := range []backoffice.API{backoffice.SOAPCodeunit, backoffice.ODataAction} {
		w := newWorld(t, api, backoffice.Basic, text("json"))
		w.refusal = "Boiler 1 has no unit of measure in Resource R1."
		_, err := w.open().Deliver(t.Context(), backofficetest.Delivery(backofficetest.Sample(1), 1))
		if f := fault.Of(err); err == nil || f.Kind != fault.Permanent || !strings.Contains(err.Error(), "no unit of measure in Resource R1") || strings.Contains(err.Error(), "Boiler 1") {
			t.Errorf("%s: %v", api, err)
		}
		w.refusal = "Der Datensatz wurde von einem anderen Benutzer gesperrt."
		_, err = w.open().Deliver(t.Context(), backofficetest.Delivery(backofficetest.Sample(1), 1))
		if f := fault.Of(err); err == nil || f.Kind != fault.Transient || f.Reason != fault.Conflict {
			t.Errorf("%s: a lock: %v", api, err)
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for _, test := range []struct {
		name   string
		api    backoffice.API
		change func(*backoffice.Config)
		check  string // that fails
		text   string
	}{
		{"no such method", backoffice.SOAPCodeunit, func(c *backoffice.Config) { c.Method = "Recieve" }, "service", "it has Receive"},
		{"no such codeunit", backoffice.SOAPCodeunit, func(c *backoffice.Config) { c.URI += "X" }, "service", "Web Services"},
		{"no such action", backoffice.ODataAction, func(c *backoffice.Config) { c.Method = "DimeReceiver_Recieve" }, "service", "Service_Method"},
		{"wrong password", backoffice.ODataAction, func(c *backoffice.Config) { c.Login = "bob" }, "sign-in", "NavUserPassword"},
		{"no sign-in", backoffice.SOAPCodeunit, func(c *backoffice.Config) { c.Auth = backoffice.NoAuth }, "sign-in", "choose a way"},
		{"mapping", backoffice.SOAPCodeunit, func(c *backoffice.Config) { c.Fields = map[string]string{"Graph": "xml"} }, "fields", `"xml"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, test.api, backoffice.Basic, text("json"))
			test.change(&w.config)
			checks := w.open().Test(t.Context())
			last := checks[len(checks)-1]
			if last.OK || last.Name != test.check || last.Code == "" || !strings.Contains(last.Text, test.text) {
				t.Errorf("checks %+v, want %s to fail with %q", checks, test.check, test.text)
			}
			if len(w.received) > 0 {
				t.Error("the test called the method")
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		api         backoffice.API
		uri, method string
		want        string // called, or part of the error
	}{
		{backoffice.ODataAction, "https://s:7048/BC/ODataV4/Svc_Do?company=A%20B", "", "https://s:7048/BC/ODataV4/Svc_Do?company=A%20B"},
		{backoffice.ODataAction, "https://s:7048/BC/ODataV4/?tenant=x", "Svc_Do", "https://s:7048/BC/ODataV4/Svc_Do?tenant=x"},
		{backoffice.ODataAction, "https://s/BC/ODataV4/Company('A%2FB%20Söhne')", "Svc_Do", "https://s/BC/ODataV4/Company('A%2FB%20S%C3%B6hne')/Svc_Do"},
		{backoffice.ODataAction, "https://s/BC/ODataV4/Svc_Do", "Do", "https://s/BC/ODataV4/Svc_Do"},
		{backoffice.ODataAction, "https://s/BC/ODataV4/Svc_Do", "Other", "another action"},
		{backoffice.ODataAction, "https://s/BC/ODataV4", "", "is missing"},
		{backoffice.ODataAction, "https://s/BC/api/v2.0", "Svc_Do", "ODataV4"},
		{backoffice.SOAPCodeunit, "https://s/BC/WS/C/Page/Appointment", "Do", "SOAP page"},
		{backoffice.SOAPCodeunit, "https://s/BC/ODataV4/Svc_Do", "Do", "OData action"},
		{backoffice.SOAPCodeunit, "https://s/BC/WS/{{company}}/Codeunit/Svc", "Do", "placeholder"},
		{backoffice.SOAPCodeunit, "http://s/BC/WS/C/Codeunit/Svc", "Do", backoffice.CodeHTTPSRequired},
	} {
		kind := Codeunit(oauth.New())
		if test.api == backoffice.ODataAction {
			kind = Action(oauth.New())
		}
		c, err := kind.Open(t.Context(), backoffice.Deps{}, backoffice.Config{Type: backoffice.BusinessCentral, API: test.api, URI: test.uri, Method: test.method})
		if err != nil {
			if !strings.Contains(err.Error(), test.want) || fault.Of(err).Code == "" {
				t.Errorf("%s: %v, want %q", test.uri, err, test.want)
			}
			continue
		}
		a, ok := c.(*receiver).protocol.(*action)
		if !ok || a.target.String() != test.want {
			t.Errorf("%s: calls %v, want %s", test.uri, a, test.want)
		}
	}
}
