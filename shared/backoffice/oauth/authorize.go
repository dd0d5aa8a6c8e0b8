package oauth

import (
	"io"
	"net/http"

	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
)

// Authorizer puts tokens of the source on the requests of a wire.Client. A 401
// drops the token; if another can be had, the request is sent once more, and what
// comes then stands. The repetition is safe: what was refused was not carried out.
func (s *Source) Authorizer() wire.Authorizer {
	return func(transport func() http.RoundTripper) http.RoundTripper {
		return &bearer{source: s, next: transport()}
	}
}

type bearer struct {
	source *Source
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	value, err := b.source.Token(r.Context())
	if err != nil {
		closeBody(r)
		return nil, err
	}
	answer, err := b.send(r, value)
	if err != nil || answer.StatusCode != http.StatusUnauthorized || r.GetBody == nil && r.Body != nil && r.Body != http.NoBody {
		return answer, err
	}
	b.source.Refused(value)
	newer, err := b.source.Token(r.Context())
	if err != nil || newer == value {
		return answer, nil // the refusal says more
	}
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	_ = answer.Body.Close()
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return b.send(again, newer)
}

// send leaves the caller's request as it is, as a RoundTripper has to.
func (b *bearer) send(r *http.Request, value string) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", "Bearer "+value)
	return b.next.RoundTrip(out)
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}
