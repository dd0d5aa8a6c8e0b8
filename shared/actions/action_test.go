package actions

import (
	"strings"
	"testing"
)

var hosts = []string{"erp.contoso.example", "*.maps.example", "127.0.0.1"}

func action(url string) Action {
	return Action{SourceApp: "BC", Scope: Appointment, URL: url, Description: "Open", Request: GET}
}

func TestFill(t *testing.T) {
	nasty := `a/b?c=d&e#f %41+"ü`
	for _, c := range []struct {
		name, url string
		values    Values
		want      string
	}{
		{"published placeholders", "https://erp.contoso.example/open?app=#SOURCEAPP#&t=#SourceType#&from=#START#&to=#END#&r=#RESOURCE#&id=#APPOINTMENTID#&a=#DATABASEACTION#",
			Values{"SOURCEAPP": "BC", "SOURCETYPE": "SO", "START": "2026-03-02T09:00:00Z", "END": "2026-03-02T10:00:00Z", "RESOURCE": "R1", "APPOINTMENTID": "7", "DATABASEACTION": "E"},
			"https://erp.contoso.example/open?app=BC&t=SO&from=2026-03-02T09%3A00%3A00Z&to=2026-03-02T10%3A00%3A00Z&r=R1&id=7&a=E"},
		{"in the path", "https://erp.contoso.example/jobs/#JOBNO#/edit", Values{"JOBNO": nasty}, "https://erp.contoso.example/jobs/a%2Fb%3Fc=d&e%23f%20%2541+%22%C3%BC/edit"},
		{"in the query", "https://erp.contoso.example/?j=#JOBNO#&x=1", Values{"JOBNO": nasty}, "https://erp.contoso.example/?j=a%2Fb%3Fc%3Dd%26e%23f%20%2541%2B%22%C3%BC&x=1"},
		{"in the fragment, with a lone # before it", "https://erp.contoso.example/app#/job/#JOBNO#", Values{"JOBNO": nasty}, "https://erp.contoso.example/app#/job/a%2Fb%3Fc=d&e%23f%20%2541+%22%C3%BC"},
		{"side by side", "https://erp.contoso.example/#SOURCEAPP##JOBNO#", Values{"SOURCEAPP": "BC", "JOBNO": "1"}, "https://erp.contoso.example/BC1"},
		{"no value", "https://erp.contoso.example/?r=#RESOURCE#", nil, "https://erp.contoso.example/?r="},
		{"a host below a listed domain, with a port", "https://eu.maps.example:8443/?q=#JOBNO#", Values{"JOBNO": "1"}, "https://eu.maps.example:8443/?q=1"},
		{"this machine, without TLS", "http://127.0.0.1:8080/#JOBNO#", Values{"JOBNO": "1"}, "http://127.0.0.1:8080/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := action(c.url).Fill(hosts, c.values)
			if err != nil || got != c.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, url, why string }{
		{"unknown placeholder", "https://erp.contoso.example/#CUSTOMER#", "#CUSTOMER# is no placeholder"},
		{"unlisted host", "https://evil.example/", "not on the list"},
		{"a listed domain itself is not below it", "https://maps.example/", "not on the list"},
		{"a host that only ends like a listed one", "https://xerp.contoso.example.evil.example/", "not on the list"},
		{"placeholder in the host", "https://#JOBNO#.maps.example/", "must not depend on data"},
		{"placeholder as the port", "https://erp.contoso.example:#JOBNO#/", "must not depend on data"},
		{"user name", "https://erp.contoso.example@evil.example/", "user name"},
		{"plain http", "http://erp.contoso.example/", "https://"},
		{"script", "javascript:alert(1)", "https://"},
		{"no host", "https:///x", "host"},
		{"pasted example", "https://erp.contoso.example/{{company}}", "pasted"},
		{"blank", "https://erp.contoso.example/a b", "blanks"},
		{"backslash", `https://erp.contoso.example\@evil.example/`, "backslashes"},
		{"lone percent sign", "https://erp.contoso.example/100%", "%25"},
		{"too long", "https://erp.contoso.example/" + strings.Repeat("x", 1000), "longer than 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			problems := strings.Join(action(c.url).Check(hosts), "; ")
			if !strings.Contains(problems, c.why) {
				t.Errorf("%q, want something of %q", problems, c.why)
			}
			if got, err := action(c.url).Fill(hosts, nil); err == nil {
				t.Errorf("filled all the same: %s", got)
			}
		})
	}
	for _, a := range []Action{{Scope: "x", Request: GET, URL: "https://erp.contoso.example"}, {Scope: Task, Request: "PUT", URL: "https://erp.contoso.example"},
		{Scope: Task, Request: GET, URL: "https://erp.contoso.example/#START#"}} {
		if len(a.Check(hosts)) == 0 {
			t.Errorf("%+v passes", a)
		}
	}
}

// A value must not walk up the path.
func TestAValueStaysInItsSegment(t *testing.T) {
	for _, v := range []string{".", "..", "%2e%2e"} {
		got, err := action("https://erp.contoso.example/a/#JOBNO#/b").Fill(hosts, Values{"JOBNO": v})
		if v != "%2e%2e" && err == nil || v == "%2e%2e" && got != "https://erp.contoso.example/a/%252e%252e/b" {
			t.Errorf("%q: %s, %v", v, got, err)
		}
	}
}

func TestFits(t *testing.T) {
	a := Action{SourceApp: "BC", SourceType: "SO", Scope: Appointment}
	if !a.Fits(Appointment, "BC", "SO") || a.Fits(Task, "BC", "SO") || a.Fits(Appointment, "NAV", "SO") || a.Fits(Appointment, "BC", "X") {
		t.Error("scope, source app and source type have to fit")
	}
	if !(Action{Scope: Task}).Fits(Task, "any", "any") {
		t.Error("without them it fits all")
	}
}
