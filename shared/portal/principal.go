package portal

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Principal is who asks.
type Principal struct {
	ID    string // Entra object id, lower-case; in LOCAL_MODE anything
	Name  string // for the page
	Email string // lower-case; may be empty
	Admin bool
}

// Who is how the audit log names the person.
func (p Principal) Who() string {
	if p.Email != "" {
		return p.Email
	}
	return p.ID
}

// RoleAdministrator is the value of the app role whose members are administrators
// (see infra/bicep/README.md).
const RoleAdministrator = "Administrator"

// principalHeader holds the claims of the person whom Easy Auth has signed in, as
// base64 of JSON (Microsoft Learn, "Work with user identities in Azure App Service
// authentication"). Where Easy Auth is off it holds whatever the caller wrote.
const principalHeader = "X-Ms-Client-Principal"

// Claims of Entra ID v2 tokens, by their short and their long names: Easy Auth
// passes on the one or the other.
var (
	idClaims    = []string{"http://schemas.microsoft.com/identity/claims/objectidentifier", "oid"}
	emailClaims = []string{"preferred_username", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "email",
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "upn"}
	nameClaims = []string{"name", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"}
	roleClaims = []string{"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"}
)

// signedIn returns whom the platform vouches for; ok is false if nobody.
func (o *Options) signedIn(r *http.Request) (p Principal, ok bool) {
	if o.Local {
		return o.local(r)
	}
	if !o.Trust {
		return p, false
	}
	text := r.Header.Get(principalHeader)
	data, err := base64.StdEncoding.DecodeString(text)
	if text == "" || err != nil {
		return p, false
	}
	var claims struct {
		Claims []struct {
			Type  string `json:"typ"`
			Value string `json:"val"`
		} `json:"claims"`
		RoleType string `json:"role_typ"`
	}
	if json.Unmarshal(data, &claims) != nil {
		return p, false
	}
	// The first of the names that has a value; addresses that are none are passed over.
	claim := func(names []string, fits func(string) bool) string {
		for _, name := range names {
			for _, c := range claims.Claims {
				if c.Type == name && fits(c.Value) {
					return c.Value
				}
			}
		}
		return ""
	}
	some := func(s string) bool { return s != "" }
	p.ID = strings.ToLower(claim(idClaims, some))
	p.Email = strings.ToLower(claim(emailClaims, func(s string) bool { return strings.Contains(s, "@") }))
	p.Name = claim(nameClaims, some)
	if p.Name == "" {
		p.Name = p.Who()
	}
	for _, c := range claims.Claims {
		if (slices.Contains(roleClaims, c.Type) || c.Type == claims.RoleType) && c.Value == RoleAdministrator {
			p.Admin = true
		}
	}
	p.Admin = p.Admin || o.named(p)
	return p, p.ID != ""
}

// named reports whether the setting PORTAL_ADMINS names the person.
func (o *Options) named(p Principal) bool {
	return slices.ContainsFunc(o.Admins, func(a string) bool {
		return a != "" && (strings.EqualFold(a, p.ID) || strings.EqualFold(a, p.Email))
	})
}

// localCookie holds, in LOCAL_MODE, whom the developer plays: "admin", or the
// e-mail address of a resource.
const localCookie = "portal-local"

func (o *Options) local(r *http.Request) (Principal, bool) {
	c, err := r.Cookie(localCookie)
	if err != nil || c.Value == "" {
		return Principal{}, false
	}
	if c.Value == "admin" {
		return Principal{ID: "admin", Name: "Administrator (local)", Email: "admin@local", Admin: true}, true
	}
	return Principal{ID: c.Value, Name: c.Value, Email: strings.ToLower(c.Value)}, true
}
