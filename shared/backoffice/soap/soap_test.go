package soap

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/fault"
)

func read(t *testing.T, name string) *Service {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadService(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPageWSDL(t *testing.T) {
	s := read(t, "page.wsdl")
	want := &Service{
		Namespace:  "urn:microsoft-dynamics-schemas/page/appointment",
		Operations: []string{"Read", "Create"},
		Actions:    map[string]string{"Create": "urn:microsoft-dynamics-schemas/page/appointment:Create"},
		Record:     "Appointment",
		Columns: []fields.Column{
			{Name: "Entry_No", Type: fields.Integer}, {Name: "Subject", Type: fields.Text, MaxLength: 100}, {Name: "Start", Type: fields.DateTime},
			{Name: "Importance", Type: fields.Choice, Choices: []string{"Normal", "High"}}, {Name: "Planning_Quantity", Type: fields.Decimal},
			{Name: "Is_All_Day_Event", Type: fields.Boolean}, {Name: "Posting_Date", Type: fields.Date},
		},
		Parts:   []Part{{Element: "AppLines", Line: "Appointment_Line", Columns: []fields.Column{{Name: "Resource_No", Type: fields.Text}}}},
		Order:   []string{"Key", "Entry_No", "Subject", "Start", "AppLines", "Importance", "Planning_Quantity", "Is_All_Day_Event", "Posting_Date"},
		Methods: map[string]Method{},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	if got := s.Action("Update"); got != "urn:microsoft-dynamics-schemas/page/appointment:Update" {
		t.Error(got)
	}
}

func TestCodeunitWSDL(t *testing.T) {
	s := read(t, "codeunit.wsdl")
	want := map[string]Method{
		"Receive": {Name: "Receive", Params: []fields.Column{{Name: "json", Type: fields.Text, Mandatory: true}, {Name: "urgent", Type: fields.Boolean, Mandatory: true}}, Returns: fields.Boolean},
		"Ping":    {Name: "Ping"},
	}
	if diff := cmp.Diff(want, s.Methods); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoWSDL(t *testing.T) {
	for _, text := range []string{"", "<html><body>secret</body></html>", "{}", `<definitions targetNamespace="x"/>`, `<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><definitions>&e;</definitions>`, strings.Repeat("<a>", 10000)} {
		if s, err := ReadService([]byte(text)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.40q: %v, %v", text, s, err)
		}
	}
}

// An element that is not there, one that is empty and one that is zero are three things.
func TestEnvelope(t *testing.T) {
	at := time.Date(2026, 3, 29, 3, 30, 0, 123, time.FixedZone("", 7200))
	cells := []fields.Cell{
		{Column: fields.Column{Name: "Subject"}, Value: "a <b> & \"c\" ]]>\x00\x0b\r\n'ä😀"},
		{Column: fields.Column{Name: "Empty"}, Value: ""},
		{Column: fields.Column{Name: "Start", Type: fields.DateTime}, Value: at},
		{Column: fields.Column{Name: "Day", Type: fields.Date}, Value: at},
		{Column: fields.Column{Name: "Zero"}, Value: int64(0)},
		{Column: fields.Column{Name: "No"}, Value: false},
		{Column: fields.Column{Name: "Large"}, Value: json.Number("1.5e3")},
	}
	got, err := Marshal("urn:x/page/appointment", Element{Name: "Create", Children: []Element{{Name: "Appointment", Children: Cells(cells)}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><Create xmlns="urn:x/page/appointment"><Appointment>` +
		`<Subject>a &lt;b&gt; &amp; &#34;c&#34; ]]&gt;&#xD;` + "\n" + `&#39;ä😀</Subject><Empty></Empty><Start>2026-03-29T01:30:00Z</Start><Day>2026-03-29</Day><Zero>0</Zero><No>false</No><Large>1500</Large>` +
		`</Appointment></Create></soap:Body></soap:Envelope>`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	back, err := Unmarshal(got)
	if err != nil || back.Name != "Create" || back.Children[0].Value("Subject") != "a <b> & \"c\" ]]>\r\n'ä😀" {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestHostileReplies(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":     "",
		"a web page":  "<html><body>x</body></html>",
		"an entity":   `<!DOCTYPE x [<!ENTITY e "boom">]><Envelope><Body><a>&e;</a></Body></Envelope>`,
		"cut off":     `<s:Envelope xmlns:s="x"><s:Body><Create_Result>`,
		"deep":        strings.Repeat("<a>", 100000),
		"no body":     `<Envelope></Envelope>`,
		"JSON":        `{"a":1}`,
		"binary":      "\x00\x01\x02",
		"bad charset": `<?xml version="1.0" encoding="ebcdic"?><Envelope/>`,
	} {
		if _, err := Unmarshal([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Unmarshal([]byte("\xef\xbb\xbf<Envelope><Body><a/></Body></Envelope>")); err != nil {
		t.Errorf("with a byte order mark: %v", err)
	}
}

func TestFaults(t *testing.T) {
	const types = "a:Microsoft.Dynamics.Nav.Types.Exceptions."
	for _, test := range []struct {
		code, text string
		kind       fault.Kind
		reason     fault.Reason
		stable     string
		whole      bool
	}{
		{types + "NavNCLDialogException", "Resource is blocked.", fault.Permanent, fault.Invalid, backoffice.CodeUndiagnosed, false},
		{types + "NavTestFieldException", "x", fault.Permanent, fault.Invalid, backoffice.CodeUndiagnosed, false},
		{types + "NavNCLStringLengthExceededException", "x", fault.Permanent, fault.Invalid, backoffice.CodeSchema, false},
		{types + "NavCSideDuplicateKeyException", "x", fault.Permanent, fault.Conflict, backoffice.CodeUndiagnosed, false},
		{types + "NavNCLCallbackNotAllowedException", "x", fault.Permanent, fault.Invalid, backoffice.CodeUndiagnosed, false},
		{types + "NavNCLSomethingNewException", "x", fault.Permanent, fault.Invalid, backoffice.CodeUndiagnosed, false},
		// By type, whatever the language.
		{types + "NavCSideLockTimeoutException", "ロック", fault.Transient, fault.Conflict, backoffice.CodeBCBusy, false},
		{types + "NavDatabaseDeadlockException", "x", fault.Transient, fault.Conflict, backoffice.CodeBCBusy, false},
		// By text, where a codeunit has wrapped it.
		{types + "NavNCLDialogException", "Ein Datensatz in der Tabelle wurde von einem anderen Benutzer gesperrt.", fault.Transient, fault.Conflict, backoffice.CodeBCBusy, false},
		{types + "NavNCLDialogException", "The operation could not complete because a record in the X table was locked by another user.", fault.Transient, fault.Conflict, backoffice.CodeBCBusy, false},
		{types + "NavCSideRecordChangedException", "x", fault.Transient, fault.Conflict, backoffice.CodeBCSOAP, false},
		{types + "NavServiceThrottlingException", "x", fault.Transient, fault.RateLimit, backoffice.CodeBCBusy, false},
		{types + "NavOperationTimeoutException", "x", fault.Transient, fault.Timeout, backoffice.CodeBCTimeout, false},
		{types + "NavPermissionException", "x", fault.Transient, fault.Auth, backoffice.CodeUnauthorized, true},
		{types + "NavCompanyNotFoundException", "x", fault.Transient, fault.NotFound, backoffice.CodeURL, true},
		{"a:Microsoft.Dynamics.Nav.Service.WebServices.ServiceBrokerException", "Service was not found!", fault.Transient, fault.NotFound, backoffice.CodeBCNoService, true},
		{"s:ActionNotSupported", "x", fault.Transient, fault.NotFound, backoffice.CodeBCNoService, true},
		{"a:DeserializationFailed", "x", fault.Permanent, fault.Invalid, backoffice.CodeBCUnknownType, false},
		{"s:Server", "x", fault.Transient, fault.Other, backoffice.CodeUndiagnosed, false},
		{"", "", fault.Transient, fault.Other, backoffice.CodeUndiagnosed, false},
		{"somebody's own words, and more", "x", fault.Transient, fault.Other, backoffice.CodeUndiagnosed, false},
	} {
		body, err := Unmarshal([]byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode xmlns:a="urn:microsoft-dynamics-schemas/error">` +
			test.code + `</faultcode><faultstring xml:lang="en-US">` + test.text + `</faultstring></s:Fault></s:Body></s:Envelope>`))
		if err != nil {
			t.Fatal(err)
		}
		f := asFault(body).Classify("op")
		if f.Kind != test.kind || f.Reason != test.reason || f.Code != test.stable || f.WholeTarget != test.whole || f.Ambiguous {
			t.Errorf("%s %q: %+v", test.code, test.text, f)
		}
		if len(test.text) > 3 && strings.Contains(f.Error(), test.text) || strings.Contains(f.Error(), "own words") {
			t.Errorf("%s: the error shows the server's text: %v", test.code, f)
		}
	}
}

func TestSame(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		value any
		typ   fields.Type
		text  string
		want  bool
	}{
		{at, fields.DateTime, "2026-03-02T09:00:00Z", true},
		{at, fields.DateTime, "2026-03-02T09:00:00.000Z", true},
		{at, fields.DateTime, "2026-03-02T10:00:00+01:00", true},
		{at, fields.DateTime, "2026-03-02T09:00:00", true},
		{at, fields.DateTime, "2026-03-02T09:00:01Z", false},
		{at, fields.DateTime, "", false},
		{at, fields.Date, "2026-03-02", true},
		{"abc", fields.Text, "ABC", true},
		{"6f9619ff-8b86-d011-b42d-00cf4fc964ff", fields.Text, "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}", true},
		{int64(7), fields.Integer, "7", true},
		{int64(7), fields.Integer, "8", false},
		{true, fields.Boolean, "true", true},
		{true, fields.Boolean, "false", false},
	} {
		if got := Same(fields.Cell{Column: fields.Column{Type: test.typ}, Value: test.value}, test.text); got != test.want {
			t.Errorf("Same(%v, %q) = %v", test.value, test.text, got)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`<s:Envelope xmlns:s="x"><s:Body><a><b>c</b></a></s:Body></s:Envelope>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = Unmarshal(text)
		_, _ = ReadService(text)
	})
}
