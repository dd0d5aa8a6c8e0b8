package portal

import (
	"net/http"
	"strings"

	"github.com/dime-scheduler/connectors/shared/doctor"
)

// doctor shows the form with which an administrator has the installation examined.
func (p *Portal) doctor(*http.Request, Principal) (view, error) {
	return view{Template: "doctor", Title: "Doctor", Data: map[string]any{"Report": (*doctor.Report)(nil), "Mailbox": ""}}, nil
}

// examine has it examined, which takes up to half a minute, and shows the report. It
// is a form and not a page: it writes into the test mailbox.
func (p *Portal) examine(r *http.Request, who Principal) (view, error) {
	mailbox := strings.TrimSpace(r.PostFormValue("mailbox"))
	report := p.Doctor(r.Context(), who.Who(), mailbox)
	return view{Template: "doctor", Title: "Doctor", Data: map[string]any{"Report": &report, "Mailbox": mailbox}}, nil
}
