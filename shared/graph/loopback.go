package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// loopbackCredential gets tokens by client credentials over plain http from this
// machine, which azidentity refuses to do. It exists for the local world only;
// Credential makes it for no other address.
type loopbackCredential struct {
	authority              *url.URL
	tenant, client, secret string
	transport              http.RoundTripper

	mu    sync.Mutex
	token azcore.AccessToken
}

func (l *loopbackCredential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Until(l.token.ExpiresOn) > time.Minute {
		return l.token, nil
	}
	token, err := l.fetch(ctx, o.Scopes)
	if err == nil {
		l.token = token
	}
	return token, err
}

func (l *loopbackCredential) fetch(ctx context.Context, scopes []string) (azcore.AccessToken, error) {
	if !isLoopback(l.authority.Hostname()) {
		return azcore.AccessToken{}, errors.New("plain http to an authority on another machine")
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {l.client}, "client_secret": {l.secret},
		"scope": {strings.Join(scopes, " ")},
	}
	to := l.authority.JoinPath(l.tenant, "oauth2/v2.0/token").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{
		Transport:     l.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return azcore.AccessToken{}, unreachable(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return azcore.AccessToken{}, unreachable(ctx, err)
	}
	var answer struct {
		Token     string `json:"access_token"`
		ExpiresIn int    `json:"expires_in"`
	}
	switch {
	case resp.StatusCode >= 500:
		return azcore.AccessToken{}, unreachable(ctx, fmt.Errorf("status %d", resp.StatusCode))
	case resp.StatusCode != http.StatusOK:
		return azcore.AccessToken{}, fmt.Errorf("the authority refused: status %d %s", resp.StatusCode, aadsts.Find(body))
	case json.Unmarshal(body, &answer) != nil || answer.Token == "":
		return azcore.AccessToken{}, unreachable(ctx, errors.New("its answer is no token"))
	}
	return azcore.AccessToken{Token: answer.Token, ExpiresOn: time.Now().Add(time.Duration(answer.ExpiresIn) * time.Second)}, nil
}

func unreachable(ctx context.Context, err error) error {
	f := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: "graph: token", Code: "AuthorityUnreachable", WholeTarget: true, Err: err}
	if ctx.Err() != nil {
		f.Reason, f.WholeTarget = fault.Of(ctx.Err()).Reason, false
	}
	return f
}
