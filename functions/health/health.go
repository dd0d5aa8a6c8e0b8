// Package health is the function that tells whether the app can do its work:
// 200 if it can, else 503, with a report that anybody may read. With ?deep=1
// administrators have the whole installation examined.
package health

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/dime-scheduler/connectors/shared/doctor"
	"github.com/dime-scheduler/connectors/shared/health"
	"github.com/dime-scheduler/connectors/shared/principal"
)

// Checker reports the state of the app; it can be asked often.
type Checker interface {
	Check(ctx context.Context) health.Report
}

// Doctor examines the installation, and knows who may ask for that.
type Doctor interface {
	Judge() principal.Judge
	Examine(ctx context.Context, who, mailbox string) doctor.Report
}

// Handler returns the function.
func Handler(c Checker, d Doctor) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if deep := r.URL.Query().Get("deep"); deep != "" && deep != "0" {
			examine(w, r, d)
			return
		}
		report := c.Check(r.Context())
		answer(w, report.Ready, report)
	})
}

// examine lets administrators in, who come by themselves: a page elsewhere must not
// have an administrator's browser write into a mailbox.
func examine(w http.ResponseWriter, r *http.Request, d Doctor) {
	judge := d.Judge()
	person, ok := judge.Of(r)
	if _, err := r.Cookie(principal.LocalCookie); judge.Local && err != nil {
		// Nobody but this machine reaches a local world.
		person, ok = principal.Principal{ID: "local", Admin: true}, true
	}
	site := r.Header.Get("Sec-Fetch-Site")
	if !ok || !person.Admin || site == "cross-site" || site == "same-site" {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "The deep examination is for administrators who are signed in (see docs/operations.md, \"Doctor\").", http.StatusForbidden)
		return
	}
	report := d.Examine(r.Context(), person.Who(), r.URL.Query().Get("mailbox"))
	answer(w, report.OK, report)
}

func answer(w http.ResponseWriter, well bool, report any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(report) // if the caller is gone there is nobody to tell
}
