package graphsim

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// token is what an opaque access token stands for.
type token struct {
	app     string
	expires time.Time
}

// serveLogin answers for Entra: tokens by client credentials, and the two discovery documents
// that MSAL reads. The authority is this server itself.
func (s *Server) serveLogin(w http.ResponseWriter, r *http.Request) {
	host := scheme(r) + "://" + r.Host
	tenant, rest, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPost && rest == "oauth2/v2.0/token":
		s.serveToken(w, r)
	case rest == "v2.0/.well-known/openid-configuration":
		writeJSON(w, http.StatusOK, object{
			"issuer":                                host + "/" + tenant + "/v2.0",
			"authorization_endpoint":                host + "/" + tenant + "/oauth2/v2.0/authorize",
			"token_endpoint":                        host + "/" + tenant + "/oauth2/v2.0/token",
			"jwks_uri":                              host + "/" + tenant + "/discovery/v2.0/keys",
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
		})
	case rest == "discovery/instance":
		writeJSON(w, http.StatusOK, object{
			"tenant_discovery_endpoint": host + "/" + s.opts.TenantID + "/v2.0/.well-known/openid-configuration",
			"api-version":               "1.1",
			"metadata":                  []object{{"preferred_network": r.Host, "preferred_cache": r.Host, "aliases": []string{r.Host}}},
		})
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		refuseToken(w, http.StatusBadRequest, "invalid_request", "AADSTS900144: The request body can not be read.")
		return
	}
	f := r.PostForm
	if f.Get("grant_type") != "client_credentials" {
		refuseToken(w, http.StatusBadRequest, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
		return
	}
	app, secret, assertion := f.Get("client_id"), f.Get("client_secret"), f.Get("client_assertion")
	if user, pass, isBasic := r.BasicAuth(); isBasic {
		app, secret = user, pass
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.Tokens++
	secrets, known := s.clients[app]
	if app == "" || s.clients != nil && !known {
		refuseToken(w, http.StatusBadRequest, "unauthorized_client", "AADSTS700016: Application with identifier '"+app+"' was not found in the directory.")
		return
	}
	switch {
	case assertion != "":
		if f.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			refuseToken(w, http.StatusBadRequest, "invalid_request", "AADSTS50027: Invalid client_assertion_type.")
			return
		}
		if judge := s.opts.Assertion; judge != nil {
			if err := judge(app, assertion); err != nil {
				refuseToken(w, http.StatusUnauthorized, "invalid_client", "AADSTS700213: No matching federated identity record found: "+err.Error())
				return
			}
		}
	case s.expired[secret]:
		refuseToken(w, http.StatusUnauthorized, "invalid_client", "AADSTS7000222: The provided client secret keys for app '"+app+"' are expired.")
		return
	case secret == "" || s.clients != nil && !slices.Contains(secrets, secret):
		refuseToken(w, http.StatusUnauthorized, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
		return
	}
	seconds := int(s.opts.TokenLife / time.Second)
	writeJSON(w, http.StatusOK, object{
		"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": s.issue(app),
	})
}

// issue makes a token for the app. Locked.
func (s *Server) issue(app string) string {
	value := rand.Text() + rand.Text()
	if roles, set := s.roles[app]; set {
		value = roles.jwt(app, value)
	}
	s.tokens[value] = token{app: app, expires: s.now().Add(s.opts.TokenLife)}
	return value
}

// Token issues an access token for the app in process.
func (s *Server) Token(app string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue(app)
}

// RevokeTokens makes every token issued so far invalid: requests with them get 401.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// SetClients replaces the accepted clients and their secrets, as a rotation does. Issued tokens stay valid.
func (s *Server) SetClients(clients map[string][]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = clients
}

// ExpireSecret lets a client secret expire: the token endpoint refuses it with AADSTS7000222. Issued
// tokens stay valid; see RevokeTokens.
func (s *Server) ExpireSecret(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expired == nil {
		s.expired = map[string]bool{}
	}
	s.expired[secret] = true
}

// SetConsent grants or revokes the application's permissions. Without them tokens are issued, but hold
// no roles: mail routes answer 403 ErrorAccessDenied, all others 403 Authorization_RequestDenied.
func (s *Server) SetConsent(granted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = !granted
}

// authenticate returns the app of a bearer token.
func (s *Server) authenticate(header string) (string, *graphError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, isBearer := strings.CutPrefix(header, "Bearer ")
	t, known := s.tokens[value]
	switch {
	case isBearer && known && s.now().Before(t.expires):
		return t.app, nil
	case s.opts.Anonymous:
		return "", nil
	case !isBearer:
		return "", &graphError{http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token is empty."}
	case known:
		return "", &graphError{http.StatusUnauthorized, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."}
	}
	return "", &graphError{http.StatusUnauthorized, "InvalidAuthenticationToken", "IDX14100: JWT is not well formed, or the token was revoked."}
}

func refuseToken(w http.ResponseWriter, code int, kind, description string) {
	writeJSON(w, code, object{"error": kind, "error_description": description})
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.WriteHeader(code)
	// The client may be gone already; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(body)
}
