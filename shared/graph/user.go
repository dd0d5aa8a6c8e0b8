package graph

import (
	"context"
	"errors"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"github.com/dime-scheduler/connectors/shared/fault"
)

var opMailbox = op{name: "mailbox", leaf: true}

// Mailbox returns the Entra object id of the user with this e-mail address: its
// principal name, else its main address or one of its aliases. A Permanent
// NotFound fault says that there is none, a Permanent Conflict that there are
// several. It needs the permission User.Read.All.
func (c *Client) Mailbox(ctx context.Context, email string) (id string, err error) {
	email = strings.TrimSpace(email)
	if email == "" {
		return "", opMailbox.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "NoAddress"})
	}
	fields := []string{"id"}
	var user models.Userable
	err = c.do(ctx, opMailbox, "", 0, func(ctx context.Context) (err error) {
		user, err = c.user(email).Get(ctx, &users.UserItemRequestBuilderGetRequestConfiguration{
			Headers:         c.headers(),
			QueryParameters: &users.UserItemRequestBuilderGetQueryParameters{Select: fields},
		})
		return err
	})
	switch {
	case err == nil && user != nil && text(user.GetId()) != "":
		return text(user.GetId()), nil
	case err == nil:
		return "", opMailbox.badAnswer("UnreadableResponse")
	case !fault.Is(err, fault.NotFound):
		return "", err
	}
	// Not a principal name (e-mail and principal name often differ, facts B10).
	filter := "mail eq " + quote(email) + " or proxyAddresses/any(p:p eq " + quote("smtp:"+email) + ")"
	var list models.UserCollectionResponseable
	err = c.do(ctx, opMailbox, "", 0, func(ctx context.Context) (err error) {
		list, err = c.users().Get(ctx, &users.UsersRequestBuilderGetRequestConfiguration{
			Headers:         c.headers(),
			QueryParameters: &users.UsersRequestBuilderGetQueryParameters{Select: fields, Filter: &filter},
		})
		return err
	})
	switch {
	case err != nil:
		return "", err
	case list == nil || list.GetValue() == nil:
		return "", opMailbox.badAnswer("PageWithoutValue")
	}
	switch found := list.GetValue(); len(found) {
	case 0:
		return "", opMailbox.fault(fault.Error{Kind: fault.Permanent, Reason: fault.NotFound, Code: "NoSuchMailbox",
			Err: errors.New("no user has this address")})
	case 1:
		if id := text(found[0].GetId()); id != "" {
			return id, nil
		}
		return "", opMailbox.badAnswer("UnreadableResponse")
	}
	return "", opMailbox.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Conflict, Code: "AmbiguousAddress",
		Err: errors.New("several users have this address")})
}
