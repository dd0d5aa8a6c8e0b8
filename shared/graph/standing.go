package graph

import (
	"context"
	"strings"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"github.com/dime-scheduler/connectors/shared/calendar"
)

var opStanding = op{name: "standing", leaf: true}

// planInForce are the states of an assigned plan in which its service works:
// https://learn.microsoft.com/graph/api/resources/assignedplan
var planInForce = map[string]bool{"enabled": true, "warning": true}

// Standing returns what the directory tells of the mailbox's user, to say why the
// mailbox can not be reached: Exchange answers several states alike (facts B9). A
// Permanent NotFound fault says that there is no such user. It needs the
// permission User.Read.All, so that an Auth fault says that consent is missing.
func (c *Client) Standing(ctx context.Context, mailbox string) (calendar.Standing, error) {
	var user models.Userable
	err := c.do(ctx, opStanding, "", 0, func(ctx context.Context) (err error) {
		user, err = c.user(mailbox).Get(ctx, &users.UserItemRequestBuilderGetRequestConfiguration{
			Headers: c.headers(),
			QueryParameters: &users.UserItemRequestBuilderGetQueryParameters{
				Select: []string{"id", "accountEnabled", "assignedPlans", "onPremisesSyncEnabled"},
			},
		})
		return err
	})
	if err != nil {
		return calendar.Standing{}, err
	}
	if user == nil || text(user.GetId()) == "" {
		return calendar.Standing{}, opStanding.badAnswer("UnreadableResponse")
	}
	st := calendar.Standing{Enabled: true}
	if v := user.GetAccountEnabled(); v != nil {
		st.Enabled = *v
	}
	if v := user.GetOnPremisesSyncEnabled(); v != nil {
		st.Synchronised = *v
	}
	for _, plan := range user.GetAssignedPlans() {
		if !strings.EqualFold(text(plan.GetService()), "exchange") {
			continue
		}
		if planInForce[strings.ToLower(text(plan.GetCapabilityStatus()))] {
			st.Licensed = true
		} else {
			st.Expired = true
		}
	}
	return st, nil
}
