package graph

import (
	"context"
	"errors"

	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// A refusal of these is about the permission, not about the mailbox.
var (
	opCategories     = op{name: "categories", subscribe: true}
	opCreateCategory = op{name: "create category", write: true, subscribe: true}
)

// Categories returns the mailbox's own list of categories. It needs the permission
// MailboxSettings.Read; without it the fault's Reason is auth.
func (c *Client) Categories(ctx context.Context, mailbox string) ([]calendar.Category, error) {
	info, err := c.user(mailbox).Outlook().MasterCategories().ToGetRequestInformation(ctx, nil)
	if err != nil {
		return nil, err
	}
	var out []calendar.Category
	for seen := map[string]bool{}; ; {
		c.prepare(info)
		var page struct {
			Value []struct {
				DisplayName string `json:"displayName"`
				Color       string `json:"color"`
			} `json:"value"`
			NextLink string `json:"@odata.nextLink"`
		}
		if err := c.get(ctx, opCategories, mailbox, info, &page); err != nil {
			return nil, err
		}
		if page.Value == nil {
			return nil, opCategories.badAnswer("PageWithoutValue")
		}
		for _, k := range page.Value {
			out = append(out, calendar.Category{Name: k.DisplayName, Color: k.Color})
		}
		if page.NextLink == "" {
			return out, nil
		}
		if seen[page.NextLink] || !c.ours(page.NextLink) {
			return nil, opCategories.badAnswer("BadNextLink")
		}
		seen[page.NextLink] = true
		if info, err = c.follow(page.NextLink); err != nil {
			return nil, opCategories.badAnswer("BadNextLink")
		}
	}
}

// CreateCategory adds a category to the mailbox's list; one of that name that is
// there already stays as it is, and that is no error. It needs the permission
// MailboxSettings.ReadWrite; without it the fault's Reason is auth.
func (c *Client) CreateCategory(ctx context.Context, mailbox string, k calendar.Category) error {
	body := models.NewOutlookCategory()
	body.SetDisplayName(&k.Name)
	color, err := models.ParseCategoryColor(k.Color)
	preset, ok := color.(*models.CategoryColor)
	if err != nil || !ok || k.Name == "" {
		return opCreateCategory.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "InvalidCategory", Err: errors.New("a category has a name, and a colour of Graph's")})
	}
	body.SetColor(preset)
	info, err := c.user(mailbox).Outlook().MasterCategories().ToPostRequestInformation(ctx, body, nil)
	if err != nil {
		return err
	}
	c.prepare(info)
	if _, err = c.raw(ctx, opCreateCategory, mailbox, 1, info); err != nil {
		if f := fault.Of(err); f.Reason == fault.Conflict && f.Code == categoryThere {
			return nil
		}
		return err
	}
	return nil
}

// categoryThere is the code of a category whose name is taken.
//
// Guess: it is the one that the simulator answers with; with another one the
// category is looked for again after an hour.
const categoryThere = "CategoryNameDuplicate"
