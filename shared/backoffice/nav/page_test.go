package nav

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/fault"
)

func sample() backoffice.Delivery { return backofficetest.Delivery(backofficetest.Sample(1), 1) }

// columns are the default ones with one changed.
func columns(name string, change func(*erpsim.Column)) []erpsim.Column {
	all := erpsim.DefaultColumns()
	i := slices.IndexFunc(all, func(c erpsim.Column) bool { return c.Name == name })
	change(&all[i])
	return all
}

// Field values become lines, texts lose what XML does not know, and what the
// board did not say keeps the back office's default.
func TestWhatStandsThere(t *testing.T) {
	w := newWorld(t, backoffice.Basic, erpsim.Options{})
	d := sample()
	d.Appointment.Content[appointment.Subject] = "a\x00b\x0bc\ufffe <&>"
	d.Graph = []byte(`{"PlanningQty":1.5,"TimeMarker":{"Name":"Fixed"},"AppointmentFieldValues":[{"FieldCode":"color","FieldValue":"red"}]}`)
	r, err := w.open().Deliver(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	row := w.sim.Rows(company)[0]
	if row.Text("Subject") != "abc <&>" || row.Text("Planning Quantity") != "1.5" || row.Text("Time Marker") != "Fixed" || row.Text("Importance") != "Normal" {
		t.Errorf("%+v", row.Values)
	}
	if len(row.FieldValues) != 1 || row.FieldValues[0].Values[erpsim.FieldCode] != "COLOR" || row.FieldValues[0].Values[erpsim.FieldValue] != "red" {
		t.Errorf("field values %+v", row.FieldValues)
	}
	if r.ID != "1" {
		t.Errorf("receipt %+v, want the entry number", r)
	}
	if n := len(w.sim.Rows("CRONUS")); n != 0 {
		t.Errorf("%d rows in another company", n)
	}
}

// A text that is too long is cut, also where the WSDL does not tell the length
// and the server only says so; a number that is too long is refused.
func TestLongValues(t *testing.T) {
	long := strings.Repeat("ä", 99) + "end"
	for name, test := range map[string]struct {
		told bool
		hand map[string]string
	}{"by the WSDL": {told: true}, "by the mapping": {hand: map[string]string{"Subject": "Subject:50"}}, "by the fault": {}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, backoffice.Basic, erpsim.Options{Columns: columns("Subject", func(c *erpsim.Column) { c.Length = 50 }), SOAP: erpsim.SOAPOptions{Lengths: test.told}})
			w.config.Fields = test.hand
			if !test.told && test.hand == nil {
				w.faults = []*erpsim.FaultResponse{{Status: http.StatusBadRequest, Code: "NavNCLStringLengthExceededException",
					Message: "Die Länge der Zeichenfolge ist 102, aber sie darf höchstens 50 Zeichen lang sein. Wert: " + long}}
			}
			c := w.open()
			for range 2 {
				d := sample()
				d.Appointment.Content[appointment.Subject] = long
				if _, err := c.Deliver(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
			for _, row := range w.sim.Rows(company) {
				if got := row.Text("Subject"); got != strings.Repeat("ä", 49)+"…" {
					t.Errorf("subject %q", got)
				}
			}
		})
	}
	w := newWorld(t, backoffice.Basic, erpsim.Options{Columns: columns(erpsim.JobNo, func(c *erpsim.Column) { c.Length = 20 }), SOAP: erpsim.SOAPOptions{Lengths: true}})
	d := sample()
	d.Appointment.JobNo = strings.Repeat("7", 21)
	_, err := w.open().Deliver(t.Context(), d)
	if f := fault.Of(err); err == nil || f.Kind != fault.Permanent || f.Code != backoffice.CodeSchema || strings.Contains(err.Error(), "777") {
		t.Errorf("a job number that is too long: %v", err)
	}
}

// A fault's text is shown, but not the appointment's words in it.
func TestFaultTextWithoutWords(t *testing.T) {
	w := newWorld(t, backoffice.Basic, erpsim.Options{})
	d := sample()
	d.Appointment.Content[appointment.Subject] = "Mrs Jones is ill"
	w.faults = []*erpsim.FaultResponse{{Status: http.StatusBadRequest, Code: "NavNCLDialogException", Message: "Resource R1 is blocked. Appointment: MRS JONES IS ILL, ask jones@example.com"}}
	_, err := w.open().Deliver(t.Context(), d)
	if f := fault.Of(err); err == nil || f.Kind != fault.Permanent || f.Ambiguous || !strings.Contains(err.Error(), "Resource R1 is blocked") ||
		strings.Contains(strings.ToLower(err.Error()), "jones") || !strings.Contains(err.Error(), "NavNCLDialogException") {
		t.Errorf("%v", err)
	}
}

// A page that was changed there is read again after the fault that shows it.
func TestAChangedPageIsReadAgain(t *testing.T) {
	w := newWorld(t, backoffice.Basic, erpsim.Options{})
	c := w.open()
	if _, err := c.Deliver(t.Context(), sample()); err != nil {
		t.Fatal(err)
	}
	w.faults = []*erpsim.FaultResponse{{Status: http.StatusBadRequest, Code: "NavUnknownTypeException", Message: "unknown type"}}
	_, err := c.Deliver(t.Context(), sample())
	if f := fault.Of(err); f.Kind != fault.Permanent || f.Code != backoffice.CodeBCUnknownType {
		t.Fatal(err)
	}
	before := w.sim.Calls()["GET page"]
	if _, err := c.Deliver(t.Context(), sample()); err != nil {
		t.Fatal(err)
	}
	if after := w.sim.Calls()["GET page"]; after != before+1 {
		t.Errorf("the WSDL was read %d times more, want once", after-before)
	}
}

// A restart of the server does not stop who knows the page; nobody reads it for
// each delivery.
func TestTheWSDLIsKept(t *testing.T) {
	w := newWorld(t, backoffice.Basic, erpsim.Options{})
	now := time.Now()
	w.deps.Now = func() time.Time { return now }
	c := w.open()
	for range 3 {
		if _, err := c.Deliver(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.sim.Calls()["GET page"]; n != 1 {
		t.Errorf("the WSDL was read %d times", n)
	}
	now = now.Add(2 * maxAge)
	w.sim.SetFault(func(r erpsim.FaultRequest) *erpsim.FaultResponse {
		if r.Method == http.MethodGet {
			return &erpsim.FaultResponse{Status: http.StatusServiceUnavailable}
		}
		return nil
	})
	if _, err := c.Deliver(t.Context(), sample()); err != nil {
		t.Errorf("with an old WSDL: %v", err)
	}
}

// What answers a GET of the address may be anything.
func TestNoWSDL(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer erpsim.FaultResponse
		code   string
		whole  bool
	}{
		{"a web page", erpsim.FaultResponse{Body: "<html>Sign in</html>", ContentType: "text/html"}, backoffice.CodeURL, true},
		{"something else", erpsim.FaultResponse{Body: "{}", ContentType: "application/json"}, backoffice.CodeURL, true},
		{"no end", erpsim.FaultResponse{Endless: true}, backoffice.CodeBCConnection, false},
		{"half of it", erpsim.FaultResponse{Truncate: true}, backoffice.CodeBCConnection, false},
		{"another host", erpsim.FaultResponse{Redirect: "https://login.example/"}, backoffice.CodeURL, true},
		{"too busy", erpsim.FaultResponse{Status: http.StatusServiceUnavailable}, backoffice.CodeBCSOAP, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, backoffice.Basic, erpsim.Options{})
			w.sim.SetFault(func(erpsim.FaultRequest) *erpsim.FaultResponse { return &test.answer })
			_, err := w.open().Deliver(t.Context(), sample())
			if f := fault.Of(err); err == nil || f.Kind != fault.Transient || f.Code != test.code || f.WholeTarget != test.whole || f.Ambiguous {
				t.Errorf("%v (whole %v, ambiguous %v): want code %s, whole %v, and not ambiguous, as nothing was sent", err, f.WholeTarget, f.Ambiguous, test.code, test.whole)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t, backoffice.Basic, erpsim.Options{Manual: true})
	c := w.open()
	r, err := c.Deliver(t.Context(), sample())
	if err != nil {
		t.Fatal(err)
	}
	want := func(state backoffice.ProcessingState, text string) {
		t.Helper()
		p, err := c.Status(t.Context(), r)
		if err != nil || p.State != state || !strings.Contains(p.Text, text) || strings.Contains(p.Text, "Boiler") {
			t.Errorf("%+v, %v; want %s %q", p, err, state, text)
		}
	}
	want(backoffice.Waiting, "")
	w.sim.SetReject(func(erpsim.Row) string { return "Boiler 1: R1 has no Unit of Measure" })
	w.sim.Process(company, 1)
	want(backoffice.FailedThere, "R1 has no Unit of Measure")
	w.sim.SetReject(nil)
	w.sim.Process(company, 1)
	want(backoffice.Processed, "")
	w.sim.Archive(company, time.Now().Add(time.Hour))
	want(backoffice.NoLongerThere, "")
	if !c.Traits().ReadsStatus {
		t.Error("the page has a status and the connector reads it, but does not say so")
	}
}

// A wrong password is sent once per call: the account of the shared user must not
// be locked by us.
func TestOneWrongPasswordPerCall(t *testing.T) {
	w := newWorld(t, backoffice.NTLM, erpsim.Options{LockAfter: 3})
	w.password, w.rotated = "wrong", "wrong"
	c := w.open()
	_, err := c.Deliver(t.Context(), sample())
	if f := fault.Of(err); err == nil || f.Reason != fault.Auth || !f.WholeTarget || f.Ambiguous {
		t.Errorf("%v", err)
	}
	if n := w.sim.Failures(user); n != 1 {
		t.Errorf("%d failed sign-ins, want 1", n)
	}
}

func TestTestConnection(t *testing.T) {
	type change func(w *world)
	for _, test := range []struct {
		name    string
		auth    backoffice.Auth
		options erpsim.Options
		change  change
		check   string // the one that fails; "" = none does
		code    string
		text    string
	}{
		{name: "as it should be", auth: backoffice.NTLM, text: "shows the first delivery only"},
		{name: "by basic with letters outside of ASCII", auth: backoffice.Basic, change: func(w *world) {
			w.password = "sésame"
			w.sim.SetUsers(map[string]erpsim.User{user: {Password: "sésame"}})
		}, text: "outside of ASCII"},
		{name: "wrong password", auth: backoffice.Basic, change: func(w *world) { w.password, w.rotated = "x", "x" }, check: "sign-in", code: backoffice.CodeBCUnauthorized, text: "NavUserPassword"},
		{name: "wrong Windows password", auth: backoffice.NTLM, change: func(w *world) { w.password, w.rotated = "x", "x" }, check: "sign-in", code: backoffice.CodeBCUnauthorized, text: `DOMAIN\user`},
		{name: "token refused", auth: backoffice.Entra, change: func(w *world) {
			w.sim.SetApps(map[string]erpsim.App{"app": {Secrets: []string{w.password}, Unregistered: true}})
		}, check: "sign-in", code: backoffice.CodeBCUnauthorized, text: "Microsoft Entra applications"},
		{name: "client secret refused", auth: backoffice.Entra, change: func(w *world) { w.password, w.rotated = "x", "x" }, check: "sign-in", text: "client secret"},
		{name: "no such service", auth: backoffice.Basic, change: func(w *world) { w.config.URI += "s" }, check: "service", code: backoffice.CodeBCNoService, text: "Web Services"},
		{name: "no such company", auth: backoffice.Basic, change: func(w *world) {
			w.config.URI = strings.Replace(w.config.URI, "CR%C3%96NUS", "Cronus", 1)
		}, check: "service", code: backoffice.CodeURL, text: "letter by letter"},
		{name: "SOAP switched off", auth: backoffice.Basic, options: erpsim.Options{SOAP: erpsim.SOAPOptions{Off: true}}, check: "service", code: backoffice.CodeBCNotFound, text: "switched on"},
		{name: "without subpages", auth: backoffice.Basic, options: erpsim.Options{SOAP: erpsim.SOAPOptions{NoParts: true}}, check: "fields", code: backoffice.CodeSchema, text: "Resource No"},
		{name: "a field of another name", auth: backoffice.Basic, options: erpsim.Options{Columns: columns(erpsim.DatabaseAction, func(c *erpsim.Column) { c.Name = "Kind of Change" })}, check: "fields", code: backoffice.CodeSchema, text: "Database Action"},
		{name: "no permission", auth: backoffice.Basic, change: func(w *world) {
			w.sim.SetUsers(map[string]erpsim.User{user: {Password: w.password, NoRead: true}})
		}, check: "permissions", code: backoffice.CodeUnauthorized, text: "permission sets"},
		{name: "nobody there", auth: backoffice.Basic, change: func(w *world) { w.front.Close() }, check: "address", code: backoffice.CodeBCConnection, text: "connection"},
		{name: "plain http where TLS is", auth: backoffice.Basic, change: func(w *world) { w.config.URI = strings.Replace(w.config.URI, "http:", "https:", 1) }, check: "address", text: "TLS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, test.auth, test.options)
			if test.change != nil {
				test.change(w)
			}
			checks := w.open().Test(t.Context())
			var failed []backoffice.Check
			all := ""
			for _, c := range checks {
				all += c.Text + "\n"
				if !c.OK {
					failed = append(failed, c)
				}
			}
			switch {
			case test.check == "" && len(failed) > 0, len(failed) > 1, test.check != "" && (len(failed) != 1 || failed[0].Name != test.check):
				t.Fatalf("failed checks %+v, want %q", failed, test.check)
			case test.code != "" && failed[0].Code != test.code:
				t.Errorf("code %s, want %s", failed[0].Code, test.code)
			case !strings.Contains(all, test.text):
				t.Errorf("%q is not said in:\n%s", test.text, all)
			}
			if w.password != "x" && strings.Contains(all, w.password) {
				t.Error("the password is shown")
			}
			if n := len(w.sim.Rows(company)); n > 0 {
				t.Errorf("%d rows were left there", n)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*backoffice.Config)
		code   string
		text   string
	}{
		{"placeholders", func(c *backoffice.Config) { c.URI = "https://{{server}}:7047/BC/WS/C/Page/Appointment" }, backoffice.CodeURL, "placeholder"},
		{"no address", func(c *backoffice.Config) { c.URI = " " }, backoffice.CodeMissingField, "missing"},
		{"plain http", func(c *backoffice.Config) { c.AllowHTTP = false }, backoffice.CodeHTTPSRequired, "https"},
		{"a codeunit", func(c *backoffice.Config) { c.URI = "https://s/BC/WS/C/Codeunit/X" }, backoffice.CodeURL, "codeunit"},
		{"a REST page", func(c *backoffice.Config) { c.URI = "https://s/BC/api/v2.0/companies(1)/appointments" }, backoffice.CodeURL, "REST"},
		{"the list of services", func(c *backoffice.Config) { c.URI = "https://s/BC/WS/C/services" }, backoffice.CodeURL, "list of services"},
		{"blank login", func(c *backoffice.Config) { c.Auth, c.Login = backoffice.Windows, "" }, backoffice.CodeMissingField, "Windows service"},
		{"a pin that is none", func(c *backoffice.Config) { c.Pin = "ab" }, backoffice.CodeURL, "pin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, backoffice.Basic, erpsim.Options{})
			test.change(&w.config)
			_, err := Page(oauth.New()).Open(t.Context(), w.deps, w.config)
			if f := fault.Of(err); err == nil || f.Code != test.code || !f.WholeTarget || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v: want %s and %q", err, test.code, test.text)
			}
		})
	}
}
