// Package vaultsim simulates the secrets of an Azure Key Vault, as the
// azsecrets client (v1.5.1) sees them over REST.
//
// A Server is an http.Handler; its zero value is an empty vault that accepts
// any token. It has the 401 challenge, set, get (latest and by version), patch,
// soft delete, recover, purge and the paged lists, with the error codes of the
// service. The in-process methods act at once and pass every fault.
//
// azsecrets refuses to send a token over plain http, so the vault must be
// served with TLS, and its host name does not match the challenge:
//
//   - in a test: srv := httptest.NewTLSServer(vault), and client options with
//     Transport: srv.Client() and DisableChallengeResourceVerification: true;
//   - stand-alone: NewCertificate makes an authority and a certificate for
//     loopback addresses; serve with the certificate, give the client the
//     authority's PEM (tls.Config.RootCAs; on Linux also the environment
//     variable SSL_CERT_FILE, which replaces the system's authorities), and
//     DisableChallengeResourceVerification as above.
//
// Not modelled: keys and certificates, backup and restore, roles per
// operation (Deny is all or nothing for a secret), managed secrets, scheduled
// purge, network rules, real rate limits. As in the service, the attributes exp
// and nbf are kept and answered but never enforced.
package vaultsim

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// Server is a vault. Set its fields before the first request. It is safe for
// concurrent use.
type Server struct {
	// Clock gives created and updated times. Nil: time.Now.
	Clock func() time.Time
	// Authority is the login address that the challenge names, with the
	// tenant as its path. Empty: Microsoft's, with an all-zero tenant.
	Authority string
	// Accept decides on a bearer token. Nil: any token that is not empty.
	Accept func(token string) bool
	// Fault sees every request first; returning true means that it has
	// answered. It may also delay the request. Nil: off.
	Fault func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	secrets  map[string]*secret // by lower-case name
	denied   map[string]bool    // by lower-case name; "" = the whole vault
	throttle throttle
	calls    map[string]int
}

type throttle struct {
	left  int
	after time.Duration
}

// secret is all versions of one name, oldest first.
type secret struct {
	name     string
	versions []*version
	deleted  time.Time // zero: not deleted
}

type version struct {
	id          string
	value       string
	contentType string
	tags        map[string]string
	enabled     bool
	created     time.Time
	updated     time.Time
	expires     *int64 // Unix seconds
	notBefore   *int64 // Unix seconds
}

func (s *secret) latest() *version { return s.versions[len(s.versions)-1] }

// Set stores a new version, which becomes the latest, and returns its id. A
// deleted secret of that name is purged first.
func (s *Server) Set(name, value string) (versionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.secrets[strings.ToLower(name)]; old != nil && !old.deleted.IsZero() {
		delete(s.secrets, strings.ToLower(name))
	}
	return s.add(name, &version{value: value, enabled: true}).id
}

// Disable disables all versions: a get of any answers 403, code Forbidden, inner
// code SecretDisabled. It does nothing if the secret does not exist.
func (s *Server) Disable(name string) { s.setEnabled(name, false) }

// Enable takes Disable back.
func (s *Server) Enable(name string) { s.setEnabled(name, true) }

func (s *Server) setEnabled(name string, enabled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.secrets[strings.ToLower(name)]; found != nil {
		for _, v := range found.versions {
			v.enabled, v.updated = enabled, s.now()
		}
	}
}

// Delete deletes the secret softly, as the service does: a get answers 404.
func (s *Server) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.secrets[strings.ToLower(name)]; found != nil && found.deleted.IsZero() {
		found.deleted = s.now()
	}
}

// Deny makes every operation on the secret answer 403, code Forbidden, inner
// code ForbiddenByRbac. The empty name stands for the whole vault.
func (s *Server) Deny(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.denied == nil {
		s.denied = map[string]bool{}
	}
	s.denied[strings.ToLower(name)] = true
}

// Allow takes Deny of the same name back.
func (s *Server) Allow(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.denied, strings.ToLower(name))
}

// Throttle makes the next n authorized requests answer 429 with Retry-After, in
// whole seconds rounded up. Zero ends it.
func (s *Server) Throttle(n int, retryAfter time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttle = throttle{left: n, after: retryAfter}
}

// Calls tells how many requests arrived for an operation, whatever their
// answer, those without a token aside: "get", "set", "update", "delete",
// "list", "versions", "deleted" (any on deleted secrets), "challenge" (those
// without a token), "other".
func (s *Server) Calls(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[operation]
}

func (s *Server) now() time.Time {
	if s.Clock != nil {
		return s.Clock()
	}
	return time.Now()
}
