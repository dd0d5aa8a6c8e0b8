package erpsim

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// scope is what a token for the ERP is asked for with.
const scope = "https://api.businesscentral.dynamics.com/.default"

// token is what an access token stands for.
type token struct {
	app, tenant string
	roles       bool
	expires     time.Time
}

// serveToken is Entra's token endpoint for client credentials, in the body or
// in the Authorization header.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request, tenant string) {
	n := s.count("token")
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		s.refuseToken(http.StatusBadRequest, "invalid_request", 900144, "The request can not be read.").send(w)
		return
	}
	s.mu.Lock()
	hook := s.tokenFault
	s.mu.Unlock()
	if hook != nil {
		if f := hook(n); f != nil {
			s.tokenFails(w, r, f)
			return
		}
	}
	s.grant(r, tenant).send(w)
}

// tokenFails answers a fault of the token endpoint; Code is the "error".
func (s *Server) tokenFails(w http.ResponseWriter, r *http.Request, f *FaultResponse) {
	s.sleep(r.Context(), f.Delay)
	switch {
	case f.Hang:
		s.wait(r.Context())
		panic(http.ErrAbortHandler)
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Body != "":
		newAnswer(max(f.Status, 200), f.ContentType, []byte(f.Body)).send(w)
		return
	}
	a := s.refuseToken(f.Status, f.Code, 90033, f.Message)
	if f.RetryAfter != "" {
		a.header.Set("Retry-After", f.RetryAfter)
	}
	a.send(w)
}

// grant judges a request for a token.
func (s *Server) grant(r *http.Request, tenant string) *answer {
	f := r.PostForm
	id, secret := f.Get("client_id"), f.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, secret = unescaped(user), unescaped(password)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app, known := s.apps[id]
	switch {
	case f.Get("grant_type") != "client_credentials":
		return s.refuseToken(http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
	case strings.EqualFold(tenant, "common"), strings.EqualFold(tenant, "organizations"):
		return s.refuseToken(http.StatusBadRequest, "invalid_request", 90023, "A tenant-specific endpoint is needed.")
	case s.opts.Tenant != "" && tenant != s.opts.Tenant:
		return s.refuseToken(http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+tenant+"' not found.")
	case id == "", s.apps != nil && !known:
		return s.refuseToken(http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+id+"' was not found in the directory.")
	case s.apps != nil && slices.Contains(app.Expired, secret):
		return s.refuseToken(http.StatusUnauthorized, "invalid_client", 7000222, "The provided client secret keys for app '"+id+"' are expired.")
	case secret == "", s.apps != nil && !slices.Contains(app.Secrets, secret):
		return s.refuseToken(http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided.")
	case f.Get("scope") != scope:
		return s.refuseToken(http.StatusBadRequest, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid.")
	}
	body, _ := json.Marshal(map[string]any{
		"token_type": "Bearer", "expires_in": int(s.opts.TokenLife / time.Second), "ext_expires_in": int(s.opts.TokenLife / time.Second),
		"access_token": s.issue(id, tenant, !app.NoConsent),
	})
	return newAnswer(http.StatusOK, "application/json; charset=utf-8", body)
}

// issue makes a token in the shape of a JWT; the signature is a random value. Locked.
func (s *Server) issue(app, tenant string, roles bool) string {
	expires := s.now().Add(s.opts.TokenLife)
	claims := map[string]any{
		"aud": "https://api.businesscentral.dynamics.com", "iss": "https://sts.windows.net/" + tenant + "/", "tid": tenant,
		"appid": app, "idtyp": "app", "iat": s.now().Unix(), "exp": expires.Unix(),
	}
	if roles {
		claims["roles"] = []string{"app_access", "API.ReadWrite.All"}
	}
	payload, _ := json.Marshal(claims)
	b64 := base64.RawURLEncoding.EncodeToString
	value := b64([]byte(`{"typ":"JWT","alg":"none"}`)) + "." + b64(payload) + "." + rand.Text()
	s.tokens[value] = token{app: app, tenant: tenant, roles: roles, expires: expires}
	return value
}

// Token issues an access token in process, for a tenant ("" for on-premises).
func (s *Server) Token(app, tenant string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue(app, tenant, !s.apps[app].NoConsent)
}

// RevokeTokens makes every token issued so far invalid: requests with them get 401.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// SetTokenFault replaces the fault hook of the token endpoint; nil = no faults.
func (s *Server) SetTokenFault(f func(n int) *FaultResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenFault = f
}
