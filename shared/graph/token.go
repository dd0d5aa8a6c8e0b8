package graph

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// tokenSource gives the SDK its tokens and classifies what keeps them away.
type tokenSource struct{ credential azcore.TokenCredential }

func (t *tokenSource) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := t.credential.GetToken(ctx, o)
	if err != nil {
		return azcore.AccessToken{}, noToken(ctx, err)
	}
	return token, nil
}

// forget drops the cached token, if the credential can; then the next is a new one.
func (t *tokenSource) forget() bool {
	f, ok := t.credential.(interface{ Forget() })
	if ok {
		f.Forget()
	}
	return ok
}

// aadsts is a code of Entra, as 7000222 for a client secret that has expired:
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var aadsts = regexp.MustCompile(`AADSTS\d+`)

// noToken classifies a failure to get a token. Nothing was sent to Graph, so it
// is never ambiguous; and nothing works without, so it is of the whole target.
// The text of the cause is dropped but for its code: it can be pages long.
func noToken(ctx context.Context, err error) *fault.Error {
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known
	}
	f := &fault.Error{Kind: fault.Transient, Reason: fault.Auth, WholeTarget: true, WholeService: true, Code: aadsts.FindString(err.Error())}
	if ctx.Err() != nil {
		f.Reason, f.Err, f.WholeTarget = fault.Of(ctx.Err()).Reason, ctx.Err(), false
		f.WholeService = false
		return f
	}
	failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](err)
	switch {
	case !ok:
		if f.Code == "" {
			f.Code = "CredentialUnavailable"
		}
	case failed.RawResponse == nil:
		if f.Code == "" {
			f.Reason, f.Code = fault.Unavailable, "AuthorityUnreachable"
		}
	case failed.RawResponse.StatusCode == http.StatusTooManyRequests:
		f.Reason = fault.RateLimit
		f.RetryAfter, _ = retryAfter(failed.RawResponse.Header, time.Now)
	case failed.RawResponse.StatusCode >= 500:
		f.Reason = fault.Unavailable
		f.RetryAfter, _ = retryAfter(failed.RawResponse.Header, time.Now)
	}
	return f
}
