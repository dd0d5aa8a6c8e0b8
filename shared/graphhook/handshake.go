package graphhook

import (
	"io"
	"net/http"
	"unicode/utf8"
)

// maxToken bounds the validation token, in characters. Graph documents no
// length; those seen have some hundred.
const maxToken = 2048

// handshake answers the question that Graph asks before it creates a
// subscription, and reports whether the request was one: a POST with the query
// parameter validationToken, to be given back decoded and as plain text,
// within 10 s (https://learn.microsoft.com/graph/change-notifications-delivery-webhooks).
// Anybody can ask it, so what comes back must not be taken for a page.
func handshake(w http.ResponseWriter, r *http.Request) bool {
	tokens, asked := r.URL.Query()["validationToken"]
	if !asked {
		return false
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if n := utf8.RuneCountInString(tokens[0]); n == 0 || n > maxToken {
		http.Error(w, "bad validationToken", http.StatusBadRequest)
		return true
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, tokens[0])
	return true
}
