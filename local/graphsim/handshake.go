package graphsim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// handshake validates an endpoint: it must answer 200, text/plain, with the unescaped token and
// nothing else, within 10 s.
func (s *Server) handshake(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.HandshakeTimeout)
	defer cancel()
	s.mu.Lock()
	// The characters that a sloppy decoder gets wrong are there on purpose.
	token := "Validation: Testing client application reachability for subscription Request-Id: " + s.uuid() + " +/=&%25"
	s.mu.Unlock()
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("the address is not valid")
	}
	extra := "validationToken=" + url.QueryEscape(token)
	if u.RawQuery != "" {
		extra = u.RawQuery + "&" + extra
	}
	u.RawQuery = extra
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return fmt.Errorf("the address is not valid")
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := s.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("the request timed out")
		}
		return fmt.Errorf("the underlying connection was closed: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch {
	case err != nil:
		return fmt.Errorf("the answer can not be read: %w", err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("notification endpoint must respond with 200 OK to validation request, not %d", resp.StatusCode)
	case !strings.HasPrefix(strings.ToLower(resp.Header.Get("Content-Type")), "text/plain"):
		return fmt.Errorf("notification endpoint must respond with Content-Type text/plain, not %q", resp.Header.Get("Content-Type"))
	case string(body) != token:
		return fmt.Errorf("notification endpoint must respond with the unescaped validation token")
	}
	return nil
}
