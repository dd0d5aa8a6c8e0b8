package ntlm

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
)

// handshake is what the Negotiator sees as its transport during one request: it
// notes what the Negotiator does not tell, and keeps the one connection free.
type handshake struct {
	base       http.RoundTripper
	err        error // of the last message
	challenged bool  // the server has answered with an NTLM challenge
}

// maxRefusal is how much of a 401's page is read to keep its connection.
const maxRefusal = 64 << 10

func (h *handshake) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := h.base.RoundTrip(req)
	h.err = err
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	// The Negotiator leaves the first 401 unread until the handshake is over:
	// the next message would wait for its connection for ever.
	page, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal+1))
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(page[:min(len(page), maxRefusal)]))
	for _, v := range resp.Header.Values("Www-Authenticate") {
		scheme, token, _ := strings.Cut(strings.TrimSpace(v), " ")
		if (strings.EqualFold(scheme, "NTLM") || strings.EqualFold(scheme, "Negotiate")) && strings.HasPrefix(token, "TlRMTVNTUA") {
			h.challenged = true
		}
	}
	return resp, nil
}

// Refused says that the server does not speak NTLM with us. Offers are the ways
// to sign in that it names.
type Refused struct{ Offers []string }

func refused(h http.Header) *Refused {
	r := &Refused{}
	for _, v := range h.Values("Www-Authenticate") {
		for _, part := range strings.Split(v, ",") {
			scheme, _, _ := strings.Cut(strings.TrimSpace(part), " ")
			// Parameters of the scheme before it have an equals sign.
			if scheme != "" && !strings.Contains(scheme, "=") && len(scheme) < 20 && !slices.Contains(r.Offers, scheme) {
				r.Offers = append(r.Offers, scheme)
			}
		}
	}
	return r
}

// Kerberos reports whether the server offers Windows sign-in and, within it, no NTLM.
func (r *Refused) Kerberos() bool { return r.offers("Negotiate") || r.offers("Kerberos") }

func (r *Refused) offers(scheme string) bool {
	return slices.ContainsFunc(r.Offers, func(s string) bool { return strings.EqualFold(s, scheme) })
}

// Error says what to change.
func (r *Refused) Error() string {
	switch {
	case r.Kerberos():
		return "the server asks for Windows sign-in by Kerberos, which cannot work from Azure, and does not take NTLM: " +
			"set ServicesUseNTLMAuthentication to true on the server instance and restart it; or give it the credential type NavUserPassword with TLS and choose basic here; or use OAuth2"
	case r.offers("Basic"):
		return "the server takes user and password (basic) and no Windows sign-in: choose basic as authentication"
	case r.offers("Bearer"):
		return "the server takes OAuth2 tokens and no Windows sign-in: choose OAuth2 as authentication"
	}
	return "the server refuses the request and offers no Windows sign-in: check the address, and the credential type of the server instance"
}
