package portal

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/actions"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/doctor"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/registration"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Base is where the portal lies below the app's address.
const Base = "/api/portal"

// Options are what a Portal needs.
type Options struct {
	Store      store.Store
	Exchange   *exchange.Desk
	Backoffice *backoffice.Desk
	Actions    *actions.Desk
	Board      *registration.Desk
	// Trust: the platform's sign-in is on, so that its headers can be believed.
	Trust bool
	// Local lets a developer choose whom to play (LOCAL_MODE).
	Local bool
	// Admins are administrators by e-mail address or Entra object id, besides those
	// with the app role.
	Admins []string
	// PublicURL is the app's own address, from which forms are taken.
	PublicURL string
	// Doctor examines the installation for an administrator (who), with a test mailbox
	// or without.
	Doctor  func(ctx context.Context, who, mailbox string) doctor.Report
	Version string
	Now     func() time.Time
	Log     *slog.Logger
}

// Portal serves the pages. It keeps nothing in memory.
type Portal struct {
	Options
	mux *http.ServeMux
	csr *http.CrossOriginProtection
}

//go:embed static
var static embed.FS

// access says who may open a page.
type access bool

const (
	everybody access = false // who is signed in
	admins    access = true
)

// New returns the portal: every page and form of it.
func New(o Options) (*Portal, error) {
	p := &Portal{Options: o, mux: http.NewServeMux(), csr: http.NewCrossOriginProtection()}
	// Behind the Functions host the request's own host is the loopback.
	if err := p.csr.AddTrustedOrigin(o.PublicURL); err != nil {
		return nil, err
	}
	p.mux.Handle("GET /static/portal.css", http.FileServerFS(static))
	if o.Local {
		p.mux.HandleFunc("GET /signin", p.localSignIn)
		p.mux.HandleFunc("POST /signin", p.localSignedIn)
	}
	p.page("GET /{$}", everybody, p.home)
	p.page("GET /mine", everybody, p.mine)
	p.page("POST /mine", everybody, p.saveMine)

	// what happened
	p.page("GET /appointments", admins, p.appointments)
	p.page("GET /appointments/{guid}", admins, p.appointment)
	p.page("GET /transactions", admins, p.transactions)
	p.page("GET /deltas", admins, p.deltas)
	p.page("POST /deltas/remove", admins, p.deleteDeltas)
	p.page("GET /held", admins, p.held)
	p.page("POST /held", admins, p.decideHeld)
	p.page("GET /parked", admins, p.parked)
	p.page("GET /audit", admins, p.audit)

	p.page("POST /retry", admins, p.retry)
	p.page("POST /retrydelivery", admins, p.retryDelivery)

	// Exchange
	p.page("GET /mailboxes", admins, p.mailboxes)
	p.page("GET /mailboxes/{id}", admins, p.mailbox)
	p.page("POST /mailboxes/release", admins, p.release)
	p.page("POST /mailboxes/refresh", admins, p.refreshPreview)
	p.page("POST /mailboxes/takespart", admins, p.takesPart)
	p.page("POST /mailboxes/turnoff", admins, p.turnOff)

	p.page("GET /preferences", admins, p.preferences)
	p.page("POST /preferences", admins, p.savePreferences)
	p.page("GET /settings", admins, p.settings)
	p.page("POST /settings", admins, p.saveSettings)
	p.page("GET /rules", admins, p.rules)
	p.page("POST /rules", admins, p.saveRules)
	p.page("GET /categories", admins, p.categories)
	p.page("POST /categories", admins, p.saveCategories)

	// back offices
	p.page("GET /connectors", admins, p.connectors)
	p.page("GET /connectors/new", admins, p.newConnector)
	p.page("GET /connectors/{id}", admins, p.connector)
	p.page("GET /connectors/{id}/fields", admins, p.connectorFields)
	p.page("POST /connectors/save", admins, p.saveConnector)
	p.page("POST /connectors/test", admins, p.testConnector)
	p.page("POST /connectors/steer", admins, p.steerConnector)
	p.page("POST /connectors/import", admins, p.importConnectors)
	p.page("GET /actions", admins, p.actions)
	p.page("POST /actions/hosts", admins, p.saveHosts)
	p.page("POST /actions/save", admins, p.saveAction)
	p.page("POST /actions/delete", admins, p.deleteAction)
	p.page("POST /actions/preview", admins, p.previewAction)
	p.page("POST /actions/send", admins, p.sendAction)
	p.page("GET /board", admins, p.board)
	p.page("POST /board/register", admins, p.registerHooks)
	p.page("POST /board/unregister", admins, p.unregisterHooks)
	p.page("GET /doctor", admins, p.doctor)
	p.page("POST /doctor", admins, p.examine)
	return p, nil
}

// ServeHTTP answers a request to Base. Paths are matched without regard to letter
// case, as the host does; ids in them are lower-case, and what may be anything (a
// resource's number) is a value of the form.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if err := p.csr.Check(r); err != nil {
		p.fail(w, r, Principal{}, http.StatusForbidden, "This form did not come from the portal's own pages. Open the portal again and repeat what you did.")
		return
	}
	inner := r.Clone(r.Context())
	path := strings.ToLower(r.URL.Path)
	inner.URL.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(path, Base), "/")
	inner.URL.RawPath = ""
	p.mux.ServeHTTP(w, inner)
}

// page registers a page or a form.
func (p *Portal) page(pattern string, who access, f func(*http.Request, Principal) (view, error)) {
	p.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		person, ok := p.signedIn(r)
		switch {
		case !ok && p.Local:
			http.Redirect(w, r, Base+"/signin", http.StatusSeeOther)
			return
		case !ok && !p.Trust:
			p.fail(w, r, person, http.StatusForbidden, "The portal is closed: sign-in is not set up for this app (see \"Web portal\" in infra/bicep/README.md).")
			return
		case !ok:
			http.Redirect(w, r, "/.auth/login/aad?post_login_redirect_uri="+Base+"/", http.StatusSeeOther)
			return
		case who == admins && !person.Admin:
			p.fail(w, r, person, http.StatusForbidden, "This page is for administrators of the connectors.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		v, err := f(r, person)
		if err != nil {
			p.failed(w, r, person, err)
			return
		}
		p.show(w, r, person, v)
	})
}

// maxForm fits a large file of rules.
const maxForm = 1 << 20
