package graphsim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// SetRoles makes the app's tokens, from now on, JWTs whose claim "roles" holds these
// application permissions, and refuses what they do not allow: with 403
// Authorization_RequestDenied in the directory and ErrorAccessDenied in mailboxes.
// Without it tokens are opaque and may do everything.
//
// grants are permissions that Exchange gives by role assignments of its own (RBAC for
// Applications): they work, and no token shows them.
func (s *Server) SetRoles(app string, roles, grants []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roles == nil {
		s.roles = map[string]appRoles{}
	}
	s.roles[app] = appRoles{slices.Clone(roles), slices.Clone(grants)}
}

type appRoles struct{ claim, grants []string }

// jwt makes an unsigned token of the form that Entra's have: nobody but Graph may
// check them, and this one looks its tokens up.
func (r appRoles) jwt(app, unique string) string {
	part := func(v any) string {
		data, _ := json.Marshal(v) // texts
		return base64.RawURLEncoding.EncodeToString(data)
	}
	claims := object{"aud": "https://graph.microsoft.com", "appid": app, "idtyp": "app", "uti": unique}
	if len(r.claim) > 0 {
		claims["roles"] = r.claim
	}
	return part(object{"typ": "JWT", "alg": "RS256"}) + "." + part(claims) + "." + base64.RawURLEncoding.EncodeToString([]byte(unique))
}

// may refuses a call that the app has no permission for.
func (s *Server) may(c *call) *graphError {
	s.mu.Lock()
	roles, limited := s.roles[c.app]
	s.mu.Unlock()
	need := needed(c.method, c.route.template)
	if !limited || len(need) == 0 {
		return nil
	}
	for _, p := range need {
		if slices.Contains(roles.claim, p) || slices.Contains(roles.grants, p) {
			return nil
		}
	}
	if !c.route.mailbox && !strings.HasPrefix(c.route.template, "/subscriptions") {
		return &graphError{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
	}
	return &graphError{http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."}
}

// needed lists the permissions of which one is enough (Microsoft Graph v1.0
// reference, "Permissions" of each operation).
func needed(method, template string) []string {
	read := method == http.MethodGet
	switch {
	case template == "/$batch", template == "/subscriptions" && read, strings.HasPrefix(template, "/subscriptions/"):
		return nil // judged by item; own subscriptions
	case strings.Contains(template, "/outlook/"):
		if read {
			return []string{"MailboxSettings.Read", "MailboxSettings.ReadWrite"}
		}
		return []string{"MailboxSettings.ReadWrite"}
	case template == "/users", template == "/users/{user}":
		return []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All"}
	case read, template == "/subscriptions":
		return []string{"Calendars.Read", "Calendars.ReadWrite"}
	}
	return []string{"Calendars.ReadWrite"}
}
