package portal

import (
	"context"
	"net/http"
	"testing"

	"github.com/dime-scheduler/connectors/shared/doctor"
)

func TestDoctorPage(t *testing.T) {
	var asked []string
	s := newSite(t, func(o *Options) {
		o.Doctor = func(_ context.Context, who, mailbox string) doctor.Report {
			asked = append(asked, who+" "+mailbox)
			return doctor.Report{Mailbox: mailbox, At: noon, Checks: []doctor.Check{
				{Area: "tables", Name: "tables", Status: doctor.OK, Text: "Every table can be read."},
				{Area: "graph", Name: "sign-in", Status: doctor.Failed, Code: "AADSTS7000222", Text: "The client secret <has> expired.", Do: "Add a new one."},
			}}
		}
	})
	s.lacks(s.read(Base+"/doctor", chief, 200), "Every table")
	page := s.post("/doctor", chief, 200, "mailbox", " test@contoso.example ")
	s.holds(page, "1 checks failed", "Every table can be read.", "AADSTS7000222", "&lt;has&gt; expired", "Add a new one.", `value="test@contoso.example"`)
	s.post("/doctor", ann, http.StatusForbidden, "mailbox", "test@contoso.example")
	if len(asked) != 1 || asked[0] != "chief@contoso.example test@contoso.example" {
		t.Errorf("asked %q", asked)
	}
}
