package graph

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

var (
	opDelta  = op{name: "delta", delta: true}
	opEvent  = op{name: "event"}
	opMarked = op{name: "marked"}
	opView   = op{name: "view"}
	opTagged = op{name: "tagged"}

	opInstances = op{name: "instances"}
)

// Delta reads a whole round: all changes since deltaLink, or with an empty one
// all events of the window. The window is part of a delta link and can not
// change; it is used for a full round only. An error that wraps
// calendar.ErrResync says that the link is of no more use.
func (c *Client) Delta(ctx context.Context, mailbox, deltaLink string, w calendar.Window) (calendar.Round, error) {
	round := calendar.Round{Full: deltaLink == ""}
	var first *abs.RequestInformation
	var err error
	switch {
	case round.Full:
		first, err = c.user(mailbox).CalendarView().Delta().ToGetRequestInformation(ctx,
			&users.ItemCalendarViewDeltaRequestBuilderGetRequestConfiguration{
				QueryParameters: &users.ItemCalendarViewDeltaRequestBuilderGetQueryParameters{
					StartDateTime: utc(w.Start), EndDateTime: utc(w.End),
				},
			})
	case c.ours(deltaLink):
		first, err = c.follow(deltaLink)
	default: // GRAPH_URL has changed since
		err = opDelta.fault(fault.Error{Kind: fault.Transient, Reason: fault.Other, Code: "ForeignDeltaLink", Err: calendar.ErrResync})
	}
	if err != nil {
		return calendar.Round{}, err
	}
	round.DeltaLink, err = c.pages(ctx, opDelta, mailbox, first, func(item calendar.Item) { round.Items = append(round.Items, item) })
	if err != nil {
		return calendar.Round{}, err
	}
	return round, nil
}

// View returns all events that overlap the window, series as their occurrences.
func (c *Client) View(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	first, err := c.user(mailbox).CalendarView().ToGetRequestInformation(ctx,
		&users.ItemCalendarViewRequestBuilderGetRequestConfiguration{
			QueryParameters: &users.ItemCalendarViewRequestBuilderGetQueryParameters{
				StartDateTime: utc(w.Start), EndDateTime: utc(w.End), Top: &c.pageSize,
			},
		})
	if err != nil {
		return nil, err
	}
	return c.events(ctx, opView, mailbox, first)
}

// Instances returns the occurrences and exceptions of a series that overlap the
// window, each with all that it shows. The errors are those of Event; a series
// that is none any more is Permanent and Invalid.
func (c *Client) Instances(ctx context.Context, mailbox, series string, w calendar.Window) ([]calendar.Event, error) {
	if series == "" {
		return nil, opInstances.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "NoID"})
	}
	first, err := c.user(mailbox).Events().ByEventId(series).Instances().ToGetRequestInformation(ctx,
		&users.ItemEventsItemInstancesRequestBuilderGetRequestConfiguration{
			QueryParameters: &users.ItemEventsItemInstancesRequestBuilderGetQueryParameters{
				StartDateTime: utc(w.Start), EndDateTime: utc(w.End), Top: &c.pageSize,
			},
		})
	if err != nil {
		return nil, err
	}
	return c.events(ctx, opInstances, mailbox, first)
}

// Tagged is View with Mark set on the events that carry our property.
//
// Guess: $expand works on a calendarView as it is documented for events ("Get
// singleValueLegacyExtendedProperty", Microsoft Graph v1.0 reference). Should it
// not, the call fails as a whole: an event without its mark is never taken for
// one that has none.
func (c *Client) Tagged(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error) {
	first, err := c.user(mailbox).CalendarView().ToGetRequestInformation(ctx,
		&users.ItemCalendarViewRequestBuilderGetRequestConfiguration{
			QueryParameters: &users.ItemCalendarViewRequestBuilderGetQueryParameters{
				StartDateTime: utc(w.Start), EndDateTime: utc(w.End), Top: &c.pageSize, Expand: []string{expandMark},
			},
		})
	if err != nil {
		return nil, err
	}
	return c.events(ctx, opTagged, mailbox, first)
}

const expandMark = "singleValueExtendedProperties($filter=id eq '" + MarkProperty + "')"

// Marked returns the events whose property begins with this mark, up to its end
// or a "|", with Mark set. Graph compares without regard to case; the result
// holds exact matches only.
func (c *Client) Marked(ctx context.Context, mailbox, mark string) ([]calendar.Event, error) {
	filter := "singleValueExtendedProperties/Any(ep: ep/id eq " + quote(MarkProperty) +
		" and (ep/value eq " + quote(mark) + " or startswith(ep/value," + quote(mark+"|") + ")))"
	first, err := c.user(mailbox).Events().ToGetRequestInformation(ctx,
		&users.ItemEventsRequestBuilderGetRequestConfiguration{
			QueryParameters: &users.ItemEventsRequestBuilderGetQueryParameters{
				Filter: &filter,
				Expand: []string{expandMark},
			},
		})
	if err != nil {
		return nil, err
	}
	all, err := c.events(ctx, opMarked, mailbox, first)
	if err != nil {
		return nil, err
	}
	var out []calendar.Event
	for _, e := range all {
		switch {
		case e.Mark == "": // not expanded; Graph's own filter vouches for it
			e.Mark = mark
			out = append(out, e)
		case e.Mark == mark || strings.HasPrefix(e.Mark, mark+"|"):
			out = append(out, e)
		}
	}
	return out, nil
}

// Event returns one event. A NotFound fault (its code is ErrorItemNotFound) says
// that the event is gone; every other 404 is Unavailable, of the whole mailbox (R27).
func (c *Client) Event(ctx context.Context, mailbox, id string) (calendar.Event, error) {
	if id == "" { // would read the list of all events
		return calendar.Event{}, opEvent.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "NoID"})
	}
	info, err := c.user(mailbox).Events().ByEventId(id).ToGetRequestInformation(ctx, nil)
	if err != nil {
		return calendar.Event{}, err
	}
	c.prepare(info)
	var raw json.RawMessage
	if err := c.get(ctx, opEvent, mailbox, info, &raw); err != nil {
		return calendar.Event{}, err
	}
	event, err := readEvent(raw)
	if err != nil {
		return calendar.Event{}, opEvent.badAnswer("UnreadableResponse")
	}
	return event, nil
}

func (c *Client) events(ctx context.Context, o op, mailbox string, first *abs.RequestInformation) ([]calendar.Event, error) {
	var out []calendar.Event
	_, err := c.pages(ctx, o, mailbox, first, func(item calendar.Item) { out = append(out, item.Event) })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// page is one page of a list of events.
type page struct {
	Value     []json.RawMessage `json:"value"`
	NextLink  string            `json:"@odata.nextLink"`
	DeltaLink string            `json:"@odata.deltaLink"`
}

// pages reads the first page and all that follow, and returns the delta link of
// the last. It fails unless every page was there and made sense.
func (c *Client) pages(ctx context.Context, o op, mailbox string, info *abs.RequestInformation, add func(calendar.Item)) (deltaLink string, err error) {
	seen := map[string]bool{}
	for {
		c.prepare(info)
		var p page
		if err := c.get(ctx, o, mailbox, info, &p); err != nil {
			return "", err
		}
		if p.Value == nil {
			return "", o.badAnswer("PageWithoutValue")
		}
		for _, raw := range p.Value {
			item, err := readItem(raw)
			if err != nil {
				return "", o.badAnswer("UnreadableResponse")
			}
			add(item)
		}
		switch {
		case p.NextLink == "" && o.delta && !c.ours(p.DeltaLink), p.NextLink != "" && p.DeltaLink != "":
			return "", o.badAnswer("PageWithoutLink")
		case p.NextLink == "":
			return p.DeltaLink, nil
		case seen[p.NextLink] || !c.ours(p.NextLink):
			return "", o.badAnswer("BadNextLink")
		}
		seen[p.NextLink] = true
		if info, err = c.follow(p.NextLink); err != nil {
			return "", o.badAnswer("BadNextLink")
		}
	}
}

// follow makes the request for a link that Graph gave.
func (c *Client) follow(link string) (*abs.RequestInformation, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, err
	}
	info := abs.NewRequestInformation()
	info.Method = abs.GET
	info.SetUri(*u)
	return info, nil
}

// prepare sets the headers that every request has, each page too: Graph forgets
// them from page to page.
func (c *Client) prepare(info *abs.RequestInformation) {
	info.Headers.AddAll(c.headers())
	info.Headers.TryAdd("Accept", "application/json")
}

func utc(t time.Time) *string { return ptr(t.UTC().Format("2006-01-02T15:04:05Z")) }

// quote makes a string literal of OData.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
