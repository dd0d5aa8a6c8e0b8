package erpsim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/local/erpsim"
)

// soapWorld is a simulator behind a listener, on-premises, without sign-in by Windows.
func soapWorld(t *testing.T, o erpsim.Options) (*erpsim.Server, string) {
	t.Helper()
	sim := erpsim.New(o)
	t.Cleanup(sim.Close)
	front := httptest.NewUnstartedServer(sim)
	front.Config.ConnContext = erpsim.ConnContext
	front.Start()
	t.Cleanup(front.Close)
	return sim, front.URL + "/NAV/WS/CRONUS%20International/"
}

// call posts the body of an envelope and returns status and reply.
func call(t *testing.T, address, action, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`+body+`</s:Body></s:Envelope>`))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("u", "p")
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	r.Header.Set("SOAPAction", `"`+action+`"`)
	return send(t, r)
}

func send(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

const (
	pageNS   = "urn:microsoft-dynamics-schemas/page/appointment"
	createA1 = `<Create xmlns="` + pageNS + `"><Appointment><Database_Action>I</Database_Action><Appointment_Id>` + guid + `</Appointment_Id>` +
		`<Subject>x</Subject><Resources><Appointment_Resources><Resource_No>r1</Resource_No></Appointment_Resources></Resources></Appointment></Create>`
)

func TestSOAPPage(t *testing.T) {
	sim, base := soapWorld(t, erpsim.Options{})
	page := base + "Page/Appointment"
	status, reply := call(t, page, pageNS+":Create", createA1)
	if status != http.StatusOK || !strings.Contains(reply, "<Entry_No>1</Entry_No>") || !strings.Contains(reply, "<Resource_No>R1</Resource_No>") {
		t.Fatalf("%d %s", status, reply)
	}
	if d := sim.DocumentsOf("", guid); len(d) != 1 {
		t.Errorf("documents %+v", d)
	}
	call(t, page, pageNS+":Create", createA1)
	if d := sim.DocumentsOf("", guid); len(d) != 2 {
		t.Errorf("a repeated insert makes %d documents, and not the two that it makes in the real one", len(d))
	}
	status, reply = call(t, page, pageNS+":ReadMultiple", `<ReadMultiple xmlns="`+pageNS+`"><filter><Field>Appointment_Id</Field><Criteria>`+guid+`</Criteria></filter><setSize>1</setSize></ReadMultiple>`)
	if status != http.StatusOK || strings.Count(reply, "<Appointment>") != 1 || !strings.Contains(reply, "<Status>Processed</Status>") {
		t.Errorf("%d %s", status, reply)
	}
}

func TestSOAPFaults(t *testing.T) {
	_, base := soapWorld(t, erpsim.Options{})
	page := base + "Page/Appointment"
	for _, test := range []struct{ name, address, action, body, want string }{
		{"no such service", base + "Page/Appointments", pageNS + ":Create", createA1, "ServiceBrokerException"},
		{"no such company", strings.Replace(page, "CRONUS", "Cronus", 1), pageNS + ":Create", createA1, "NavCompanyNotFoundException"},
		{"another action", page, pageNS + ":Update", createA1, "ActionNotSupported"},
		{"another namespace", page, "urn:x:Create", strings.ReplaceAll(createA1, pageNS, "urn:x"), "ActionNotSupported"},
		{"an unknown element", page, pageNS + ":Create", strings.Replace(createA1, "<Subject>", "<Betreff>1</Betreff><Subject>", 1), "NavUnknownTypeException"},
		{"another order", page, pageNS + ":Create", `<Create xmlns="` + pageNS + `"><Appointment><Subject>x</Subject><Database_Action>I</Database_Action></Appointment></Create>`, "NavUnknownTypeException"},
		{"a value that is none", page, pageNS + ":Create", strings.Replace(createA1, guid, "7", 1), "NavNCLEvaluateException"},
		{"too long", page, pageNS + ":Create", strings.Replace(createA1, ">x<", ">"+strings.Repeat("x", 251)+"<", 1), "NavNCLStringLengthExceededException"},
		{"a key of nothing", page, pageNS + ":Delete", `<Delete xmlns="` + pageNS + `"><Key>28;OTk=;1;</Key></Delete>`, "NavCSideRecordNotFoundException"},
	} {
		if status, reply := call(t, test.address, test.action, test.body); status != http.StatusInternalServerError || !strings.Contains(reply, test.want) {
			t.Errorf("%s: %d %s, want a fault %s", test.name, status, reply, test.want)
		}
	}
}

func TestNTLMAuthenticatesTheConnection(t *testing.T) {
	sim, base := soapWorld(t, erpsim.Options{Windows: erpsim.OffersNTLM, Users: map[string]erpsim.User{"ann": {Password: "p"}}})
	r, _ := http.NewRequest(http.MethodGet, base+"Page/Appointment", nil)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Www-Authenticate") != "NTLM" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	r, _ = http.NewRequest(http.MethodGet, base+"Page/Appointment", nil)
	r.SetBasicAuth("ann", "p")
	if status, _ := send(t, r); status != http.StatusUnauthorized {
		t.Errorf("basic gets %d", status)
	}
	r, _ = http.NewRequest(http.MethodGet, base+"Page/Appointment", nil)
	r.Header.Set("Authorization", "NTLM TlRMTVNTUAADAAAA") // the third message without the others
	if status, _ := send(t, r); status != http.StatusUnauthorized || sim.Failures("ann") != 0 {
		t.Errorf("a third message out of nowhere gets %d", status)
	}
	bare := httptest.NewServer(sim)
	defer bare.Close()
	r, _ = http.NewRequest(http.MethodGet, bare.URL+"/NAV/WS/Page/Appointment", nil)
	if status, text := send(t, r); status != http.StatusInternalServerError || !strings.Contains(text, "ConnContext") {
		t.Errorf("without ConnContext: %d %s", status, text)
	}
}

func TestProcedures(t *testing.T) {
	got := ""
	_, base := soapWorld(t, erpsim.Options{Procedures: []erpsim.Procedure{{
		Service: "Svc", Name: "Do", Params: []erpsim.Column{{Name: "a", Type: erpsim.Text}, {Name: "n", Type: erpsim.Integer}}, Returns: erpsim.Boolean,
		Run: func(_ string, args map[string]any) (any, string) {
			if args["n"].(int64) < 0 {
				return nil, "n must be positive"
			}
			got += args["a"].(string)
			return true, ""
		},
	}}})
	const ns = "urn:microsoft-dynamics-schemas/codeunit/Svc"
	if status, reply := call(t, base+"Codeunit/Svc", ns+":Do", `<Do xmlns="`+ns+`"><a>1</a><n>2</n></Do>`); status != http.StatusOK || !strings.Contains(reply, "<return_value>true</return_value>") {
		t.Errorf("%d %s", status, reply)
	}
	if status, reply := call(t, base+"Codeunit/Svc", ns+":Do", `<Do xmlns="`+ns+`"><a>1</a><n>-2</n></Do>`); status != http.StatusInternalServerError || !strings.Contains(reply, "NavNCLDialogException") {
		t.Errorf("%d %s", status, reply)
	}
	action := strings.Split(base, "WS/")[0] + "ODataV4/Svc_Do"
	for body, want := range map[string]int{`{"a":"2","n":1}`: 200, `{"a":"2"}`: 400, `{"a":"2","n":1,"x":1}`: 400, `{"a":"2","n":-1}`: 400, `{`: 400} {
		r, _ := http.NewRequest(http.MethodPost, action, strings.NewReader(body))
		r.SetBasicAuth("u", "p")
		r.Header.Set("Content-Type", "application/json")
		if status, reply := send(t, r); status != want || want == 200 && !strings.Contains(reply, `"value":true`) {
			t.Errorf("%s: %d %s, want %d", body, status, reply, want)
		}
	}
	if got != "12" {
		t.Errorf("carried out: %q", got)
	}
}
