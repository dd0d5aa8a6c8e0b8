package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

const op = "oauth: get token"

// passing are the error codes, and Entra's numbers, of what passes by itself
// (facts B1); every other code is one that a person has to mend.
var (
	passing        = []string{"temporarily_unavailable", "server_error"}
	passingNumbers = []int{90006, 90024, 90033, 90055}
)

// advice says what to change, by Entra's number where it tells more than the
// error code (facts B1).
var adviceByNumber = map[int]string{
	7000215: "the client secret is wrong: enter the secret's value, not its id",
	7000222: "the client secret has expired: make a new one in the app registration and enter it",
	700016:  "there is no application with this client id in this tenant: check client id and tenant id",
	700011:  "there is no application with this client id in this tenant: check client id and tenant id",
	90002:   "there is no such tenant: check the directory (tenant) id in the login",
	90023:   "the token has to be asked for in the customer's own tenant: enter its directory (tenant) id as login",
	9001023: "the token has to be asked for in the customer's own tenant: enter its directory (tenant) id as login",
	500011:  "Business Central is not known in this tenant: add the API permission to the app registration and grant admin consent",
	70011:   "the scope is wrong: leave it empty for Business Central, or end it with /.default",
	53003:   "a conditional access policy keeps the application out: except it, or its network",
}

var adviceByCode = map[string]string{
	"invalid_client":         "the client secret is refused: check that it has not expired, and that the secret's value was entered, not its id",
	"unauthorized_client":    "the application may not get tokens here: check client id and tenant id",
	"invalid_request":        "the token server does not take the request: check the tenant id in the login, and the token address",
	"invalid_scope":          "the scope is wrong: leave it empty for Business Central, or end it with /.default",
	"invalid_resource":       "the service is not known in this tenant: grant admin consent to its API permission",
	"unsupported_grant_type": "the token server does not know client credentials: check the token address",
	"access_denied":          "the token server denies access: check the policies of the tenant",
}

// refusesSecret reports whether the server said that the client's secret is wrong.
func refusesSecret(err error) bool {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	return ok && e.ErrorCode == "invalid_client"
}

// classify turns an error of the token request into a fault of the whole target.
// The error's own text is dropped: it holds the answer, and may hold the address.
func classify(ctx context.Context, err error, now time.Time) error {
	f := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: op, Code: backoffice.CodeHTTP, WholeTarget: true}
	e, answered := errors.AsType[*oauth2.RetrieveError](err)
	if !answered {
		f.Code = backoffice.CodeBCConnection
		f.Err = errors.New("the token server can not be reached, or does not answer as one: check the token address if this lasts")
		if ctx.Err() != nil {
			f.Reason, f.Err = fault.Timeout, errors.New("the token server does not answer in time")
		}
		return f
	}
	status := 0
	if e.Response != nil {
		status = e.Response.StatusCode
		f.RetryAfter = wire.RetryAfter(e.Response.Header, now)
	}
	number := entraNumber(e.Body)
	name := fmt.Sprintf("status %d", status)
	if e.ErrorCode != "" && len(e.ErrorCode) <= 40 {
		name += ", " + e.ErrorCode
	}
	if number != 0 {
		name += fmt.Sprintf(", AADSTS%d", number)
	}
	switch {
	case status == http.StatusTooManyRequests:
		f.Reason, f.Err = fault.RateLimit, fmt.Errorf("the token server asks for a pause (%s)", name)
	case slices.Contains(passing, e.ErrorCode), slices.Contains(passingNumbers, number), status >= 500, status == http.StatusRequestTimeout:
		f.Err = fmt.Errorf("the token server is not available (%s)", name)
	case status >= 300 && status < 400:
		f.Reason, f.Code, f.Err = fault.Invalid, backoffice.CodeURL, fmt.Errorf("the token address leads on to another (%s): enter the final one", name)
	case e.ErrorCode == "" && (status == http.StatusNotFound || status < 300):
		f.Reason, f.Code, f.Err = fault.Invalid, backoffice.CodeURL, fmt.Errorf("there is no token server at the token address (%s)", name)
	default:
		say := adviceByNumber[number]
		if say == "" {
			say = adviceByCode[e.ErrorCode]
		}
		if say == "" {
			say = "the token server refuses: check tenant id, client id and client secret"
		}
		f.Reason, f.Code, f.Err = fault.Auth, backoffice.CodeUnauthorized, fmt.Errorf("%s (%s)", say, name)
	}
	return f
}

// entraNumber is the first of Entra's error numbers; 0 if the answer has none.
func entraNumber(body []byte) int {
	var answer struct {
		Numbers []int `json:"error_codes"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Numbers) == 0 {
		return 0
	}
	return answer.Numbers[0]
}

func misconfigured(code, text string) error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: op, Code: code, WholeTarget: true, Err: errors.New(text)}
}

// interrupted: who waited for the token had to go.
func interrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return &fault.Error{Kind: fault.Transient, Reason: fault.Canceled, Op: op, Err: context.Canceled}
	}
	return &fault.Error{Kind: fault.Transient, Reason: fault.Timeout, Op: op, Code: backoffice.CodeBCTimeout, WholeTarget: true, Err: errors.New("the token server does not answer in time")}
}

// identityFault classifies an error of the app's own identity, whose text is the SDK's.
func identityFault(ctx context.Context, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	return &fault.Error{Kind: fault.Transient, Reason: fault.Auth, Op: op, Code: backoffice.CodeUnauthorized, WholeTarget: true,
		Err: errors.New("the app's identity gets no token: check that it exists and that the API permission was granted to it")}
}
