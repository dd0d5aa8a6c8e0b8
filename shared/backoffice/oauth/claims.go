package oauth

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// Claims are what a token says of itself. They are read to help people, never to
// decide who somebody is: nobody has checked the signature.
type Claims struct {
	Roles    []string
	Audience string
	Tenant   string
	Expires  time.Time // UTC; zero if it does not say
}

// ReadClaims reads a JWT; ok is false for a token that is none, which is no fault:
// a token is the business of whom it is for.
func ReadClaims(token string) (c Claims, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Claims{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Claims{}, false
	}
	var raw struct {
		Roles []string `json:"roles"`
		Aud   any      `json:"aud"`
		Tid   string   `json:"tid"`
		Exp   int64    `json:"exp"`
	}
	if json.Unmarshal(payload, &raw) != nil {
		return Claims{}, false
	}
	c = Claims{Roles: raw.Roles, Tenant: raw.Tid}
	switch aud := raw.Aud.(type) {
	case string:
		c.Audience = aud
	case []any:
		if len(aud) > 0 {
			c.Audience, _ = aud[0].(string)
		}
	}
	if raw.Exp > 0 {
		c.Expires = time.Unix(raw.Exp, 0).UTC()
	}
	return c, true
}
