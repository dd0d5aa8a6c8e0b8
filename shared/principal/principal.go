// Package principal tells who sends a request: whom the platform has signed in, or
// in LOCAL_MODE whom a developer plays. The portal and the health report use it;
// what each person may do is theirs to decide.
//
// Nothing of the request is believed unless the settings say that somebody checks
// it: without Easy Auth a principal header is whatever the caller wrote.
package principal

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

// Header holds the claims of the person whom Easy Auth has signed in, as
// base64 of JSON (Microsoft Learn, "Work with user identities in Azure App Service
// authentication"). Where Easy Auth is off it holds whatever the caller wrote.
const Header = "X-Ms-Client-Principal"

// Claims of Entra ID v2 tokens, by their short and their long names: Easy Auth
// passes on the one or the other.
var (
	idClaims    = []string{"http://schemas.microsoft.com/identity/claims/objectidentifier", "oid"}
	emailClaims = []string{"preferred_username", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "email",
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "upn"}
	nameClaims = []string{"name", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"}
	roleClaims = []string{"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"}
)

// Judge decides whom to believe. Its zero value believes nobody.
type Judge struct {
	// Trust: the platform's sign-in is on, so that its headers can be believed.
	Trust bool
	// Local: a cookie says whom the developer plays (LOCAL_MODE).
	Local bool
	// Admins are administrators by e-mail address or Entra object id, besides those
	// with the app role.
	Admins []string
}

// Of returns who sends the request; ok is false if nobody vouches for anybody.
func (j Judge) Of(r *http.Request) (p Principal, ok bool) {
	if j.Local {
		return local(r)
	}
	if !j.Trust {
		return p, false
	}
	text := r.Header.Get(Header)
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
	p.Admin = p.Admin || j.named(p)
	return p, p.ID != ""
}

// named reports whether the setting PORTAL_ADMINS names the person.
func (j Judge) named(p Principal) bool {
	return slices.ContainsFunc(j.Admins, func(a string) bool {
		return a != "" && (strings.EqualFold(a, p.ID) || strings.EqualFold(a, p.Email))
	})
}

// LocalCookie holds, in LOCAL_MODE, whom the developer plays: "admin", or the
// e-mail address of a resource.
const LocalCookie = "portal-local"

func local(r *http.Request) (Principal, bool) {
	c, err := r.Cookie(LocalCookie)
	if err != nil || c.Value == "" {
		return Principal{}, false
	}
	if c.Value == "admin" {
		return Principal{ID: "admin", Name: "Administrator (local)", Email: "admin@local", Admin: true}, true
	}
	return Principal{ID: c.Value, Name: c.Value, Email: strings.ToLower(c.Value)}, true
}
