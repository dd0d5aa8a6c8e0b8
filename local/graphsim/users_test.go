package graphsim_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

func TestUserLookup(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	w.sim.AddUser(graphsim.User{UPN: "bob@contoso.test", ProxyAddresses: []string{"SMTP:bob@contoso.test", "smtp:robert@contoso.test"}, Disabled: true})
	w.do("GET", "/users/"+w.user, nil).want(t, 200)
	if got := w.do("GET", "/users/ADA%40contoso.test?$select=id,mail", nil).want(t, 200); got.text("id") != w.user || got.body["displayName"] != nil {
		t.Errorf("by UPN: %v", got.body)
	}
	// An e-mail address is no UPN.
	w.do("GET", "/users/ada.l@contoso.test", nil).want(t, 404, "Request_ResourceNotFound")
	w.do("GET", "/users/ada.l@contoso.test/events", nil).want(t, 404, "ErrorInvalidUser")
	for filter, want := range map[string]int{
		"mail eq 'Ada.L@contoso.test'":                                                           1,
		"userPrincipalName eq 'bob@contoso.test' and accountEnabled eq false":                    1,
		"proxyAddresses/any(p:p eq 'smtp:robert@contoso.test')":                                  1,
		"mail eq 'x' or proxyAddresses/any(p: p eq 'smtp:ada.l@contoso.test')":                   1,
		"not (startswith(mail, 'ada'))":                                                          1,
		"mail eq 'o''hara@contoso.test'":                                                         0,
		"endswith(mail,'@contoso.test') and (displayName eq 'Ada' or displayName eq 'Somebody')": 1,
	} {
		if got := w.do("GET", "/users?$filter="+url.PathEscape(filter), nil).want(t, 200).values(); len(got) != want {
			t.Errorf("%s finds %d, want %d", filter, len(got), want)
		}
	}
	for _, bad := range []string{"mail eq", "mail is 'x'", "shoeSize eq '1'", "mail eq 'x", "(mail eq 'x'", "mail eq 'x' mail", "proxyAddresses/any(p p eq 'x')", "startswith(mail 'x')"} {
		if got := w.do("GET", "/users?$filter="+url.PathEscape(bad), nil); got.status != 400 {
			t.Errorf("%s: got %d, want 400", bad, got.status)
		}
	}
}

func TestMailboxStates(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	r := newReceiver(t)
	w.subscribe(r)
	_, link := w.firstRound()
	for state, want := range map[graphsim.MailboxState]struct {
		status int
		code   string
	}{
		graphsim.MailboxNotEnabled:   {404, "MailboxNotEnabledForRESTAPI"},
		graphsim.MailboxSoftDeleted:  {404, "MailboxNotEnabledForRESTAPI"},
		graphsim.MailboxAccessDenied: {403, "ErrorAccessDenied"},
		graphsim.UserGone:            {404, "ErrorInvalidUser"},
		graphsim.MailboxOnPremises:   {404, "MailboxNotEnabledForRESTAPI"},
		graphsim.MailboxDisabled:     {403, "ErrorAccountDisabled"},
	} {
		if err := w.sim.SetMailboxState(w.user, state); err != nil {
			t.Fatal(err)
		}
		w.do("GET", w.events(), nil).want(t, want.status, want.code)
		w.do("GET", link, nil).want(t, want.status, want.code)
		w.do("POST", "/subscriptions", w.subscription(r)).want(t, want.status, want.code)
	}
	if err := w.sim.SetMailboxState(w.user, graphsim.UserGone); err != nil {
		t.Fatal(err)
	}
	w.do("GET", "/users/"+w.user, nil).want(t, 404, "Request_ResourceNotFound")
	for _, state := range []graphsim.MailboxState{graphsim.MailboxOK, graphsim.MailboxMoved, graphsim.MailboxOK} {
		if err := w.sim.SetMailboxState(w.user, state); err != nil {
			t.Fatal(err)
		}
		if state == graphsim.MailboxMoved {
			w.do("GET", w.events(), nil).want(t, 404)
		}
	}
	w.do("GET", link, nil).want(t, 410, "syncStateNotFound")
}

// Somebody new with the address of somebody who left has another id.
func TestSuccessor(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	if err := w.sim.SetMailboxState(w.user, graphsim.UserGone); err != nil {
		t.Fatal(err)
	}
	next := w.sim.AddUser(graphsim.User{UPN: "ada@contoso.test"}).ID
	if got := w.do("GET", "/users/ada@contoso.test", nil).want(t, 200).text("id"); got != next || next == w.user {
		t.Errorf("the UPN leads to %s, want %s", got, next)
	}
	w.do("GET", w.events(), nil).want(t, 404, "ErrorInvalidUser")
	if err := w.sim.UpdateUser(next, func(u *graphsim.User) { u.Mail = "new@contoso.test" }); err != nil {
		t.Fatal(err)
	}
	if got := w.do("GET", "/users/"+next, nil).want(t, 200).text("mail"); got != "new@contoso.test" {
		t.Errorf("mail = %s", got)
	}
}

func TestCategories(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	list := "/users/" + w.user + "/outlook/masterCategories"
	made := w.do("POST", list, map[string]string{"displayName": "Dime", "color": "preset7"}).want(t, 201)
	w.do("POST", list, map[string]string{"displayName": "dime"}).want(t, 409)
	w.do("POST", list, map[string]string{"displayName": "X", "color": "preset25"}).want(t, 400)
	w.do("PATCH", list+"/"+made.text("id"), map[string]string{"displayName": "Other", "color": "none"}).want(t, 400)
	w.do("PATCH", list+"/"+made.text("id"), map[string]string{"color": "preset24"}).want(t, 200)
	if got := w.do("GET", list+"/"+made.text("id"), nil).want(t, 200); got.text("color") != "preset24" {
		t.Errorf("color = %s", got.text("color"))
	}
	if got := w.sim.Categories(w.user); len(got) != 1 || got[0] != (graphsim.Category{DisplayName: "Dime", Color: "preset24"}) {
		t.Errorf("categories = %v", got)
	}
	w.do("DELETE", list+"/"+made.text("id"), nil).want(t, 204)
	if n := len(w.do("GET", list, nil).want(t, 200).values()); n != 0 {
		t.Errorf("%d categories left", n)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t, graphsim.Options{Clients: map[string][]string{"client": {"old", "new"}}, TokenLife: time.Minute})
	ask := func(form url.Values) answer {
		t.Helper()
		form.Set("grant_type", "client_credentials")
		form.Set("client_id", "client")
		return w.do("POST", w.http.URL+"/tenant/oauth2/v2.0/token", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
	}
	ask(url.Values{"client_secret": {"wrong"}}).want(t, 401)
	got := ask(url.Values{"client_secret": {"old"}}).want(t, 200)
	if got.body["expires_in"] != 60.0 {
		t.Errorf("expires_in = %v", got.body["expires_in"])
	}
	w.token = got.text("access_token")
	w.do("GET", "/users", nil).want(t, 200)
	w.clock.advance(time.Minute)
	w.do("GET", "/users", nil).want(t, 401, "InvalidAuthenticationToken")
	w.sim.SetClients(map[string][]string{"client": {"new"}})
	ask(url.Values{"client_secret": {"old"}}).want(t, 401)
	w.token = ask(url.Values{"client_assertion": {"jwt"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}).want(t, 200).text("access_token")
	w.do("GET", "/users", nil).want(t, 200)
	w.sim.RevokeTokens()
	w.do("GET", "/users", nil).want(t, 401)
	w.do("GET", "/users", nil, "Authorization: ").want(t, 401)
	meta := w.do("GET", w.http.URL+"/tenant/v2.0/.well-known/openid-configuration", nil).want(t, 200)
	if meta.text("token_endpoint") != w.http.URL+"/tenant/oauth2/v2.0/token" || meta.text("issuer") != w.http.URL+"/tenant/v2.0" {
		t.Errorf("metadata = %v", meta.body)
	}
	w.do("GET", w.http.URL+"/common/discovery/instance?api-version=1.1", nil).want(t, 200)
	if n := w.sim.Calls().Tokens; n != 4 {
		t.Errorf("%d token requests counted, want 4", n)
	}
}

func TestUnknownPaths(t *testing.T) {
	w := newWorld(t, graphsim.Options{Behaviour: graphsim.Behaviour{MaxBody: 100}})
	w.do("GET", "/me/events", nil).want(t, 400)
	w.do("PUT", w.events(), nil).want(t, 405)
	w.do("POST", w.events(), event("a body of more than a hundred bytes", "09:00:00", "10:00:00")).want(t, 413)
	w.do("GET", "/Users/"+w.user+"/calendar/Events", nil).want(t, 200)
	if n := w.sim.Calls().HTTP["GET /users/{user}/events"]; n != 1 {
		t.Errorf("the alias is counted %d times as the usual path", n)
	}
	if log := w.sim.Requests(); len(log) != 1 || log[0].Status != 200 || log[0].Prefer["idtype"] != "ImmutableId" {
		t.Errorf("log = %+v", log)
	}
}

// The simulator needs neither a port nor tokens when it is a handler in process.
func TestInProcess(t *testing.T) {
	sim := graphsim.New(graphsim.Options{Anonymous: true})
	defer sim.Close()
	sim.AddUser(graphsim.User{ID: "11111111-1111-4111-8111-111111111111", UPN: "a@contoso.test"})
	rec := httptest.NewRecorder()
	sim.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/v1.0/users/a@contoso.test/calendar", nil))
	if rec.Code != 200 {
		t.Errorf("status %d: %s", rec.Code, rec.Body)
	}
}

// Without consent tokens are issued, and open nothing.
func TestRevokedConsent(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	w.sim.SetConsent(false)
	w.do("GET", w.events(), nil).want(t, 403, "ErrorAccessDenied")
	w.do("GET", "/users/"+w.user, nil).want(t, 403, "Authorization_RequestDenied")
	w.do("GET", "/subscriptions", nil).want(t, 403, "Authorization_RequestDenied")
	w.sim.SetConsent(true)
	w.do("GET", w.events(), nil).want(t, 200)
}
