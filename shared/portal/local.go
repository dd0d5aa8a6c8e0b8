package portal

import (
	"net/http"

	"github.com/dime-scheduler/connectors/shared/principal"
)

// localSignIn lets a developer choose whom to play. It exists in LOCAL_MODE only.
func (p *Portal) localSignIn(w http.ResponseWriter, r *http.Request) {
	resources, err := p.Store.Resources(r.Context())
	if err != nil {
		p.failed(w, r, Principal{}, err)
		return
	}
	p.show(w, r, Principal{Name: "nobody yet"}, view{Template: "signin", Title: "Who are you?", Data: resources})
}

func (p *Portal) localSignedIn(w http.ResponseWriter, r *http.Request) {
	who := r.FormValue("who")
	http.SetCookie(w, &http.Cookie{Name: principal.LocalCookie, Value: who, Path: Base, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, Base+"/", http.StatusSeeOther)
}
