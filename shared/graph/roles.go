package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/dime-scheduler/connectors/shared/fault"
)

var opToken = op{name: "token"}

// Roles returns the application permissions that the app's token carries, as the
// claim "roles" names them; known is false if the token can not be read. Exchange may
// grant more by role assignments of its own (RBAC for Applications), which no token
// shows.
//
// An access token is opaque to its client by contract; its claims are read here to
// tell a person what may be missing, and decide nothing (Microsoft Learn, "Access
// tokens in the Microsoft identity platform").
func (c *Client) Roles(ctx context.Context) (roles []string, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	token, err := c.tokens.GetToken(ctx, policy.TokenRequestOptions{Scopes: c.scopes})
	if err != nil {
		f := fault.Of(err)
		if f.Op != "" {
			return nil, false, f // not Graph's: the vault that holds the secret fails (R5)
		}
		return nil, false, opToken.fault(*f)
	}
	parts := strings.Split(token.Token, ".")
	if len(parts) != 3 {
		return nil, false, nil
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false, nil
	}
	var body struct {
		Roles []string `json:"roles"`
	}
	if json.Unmarshal(claims, &body) != nil {
		return nil, false, nil
	}
	return body.Roles, true, nil
}
