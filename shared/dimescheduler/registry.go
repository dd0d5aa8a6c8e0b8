package dimescheduler

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

// ConnectorEntry is a connector as the board lists it (facts B.1). Types are the
// board's numbers.
type ConnectorEntry struct {
	Name, Description     string
	SourceApp, SourceType string // at most 30 and 10 characters
	Send                  bool   // "send appointments to back office"
	URI                   string
	Type, AuthType        int
	APIType               int
	Login                 string        // at most 50 characters
	Password              secret.Secret // the zero Secret is not sent
}

// Numbers of the board's enumerations for a ConnectorEntry (facts B.1).
const (
	ConnectorNone, ConnectorBC, ConnectorNAV, ConnectorWebhook = 0, 1, 2, 3

	AuthNone, AuthBasic, AuthNTLM, AuthWindows, AuthEntra, AuthOAuthBody, AuthOAuthBasic = 0, 1, 2, 3, 4, 5, 6

	APISOAP, APIREST = 0, 1
)

// UpsertConnector enters a connector into the board's list, or changes the one of
// the same source app and name. Repeating it makes no second one.
func (c *Client) UpsertConnector(ctx context.Context, e ConnectorEntry) error {
	password := parameter{"Password", nil}
	if !e.Password.IsZero() {
		password = param("Password", e.Password.Reveal())
	}
	_, err := c.imports(ctx, "mboc_upsertConnector",
		param("Name", e.Name), paramOr("Description", e.Description), param("SourceApp", e.SourceApp), paramOr("SourceType", e.SourceType),
		paramBool("SendAppointmentToWebService", e.Send), param("WebServiceAddress", e.URI),
		param("Type", strconv.Itoa(e.Type)), param("AuthType", strconv.Itoa(e.AuthType)), param("ApiType", strconv.Itoa(e.APIType)),
		paramOr("Login", e.Login), password)
	return err
}

// ActionURL is an action URI as the board keeps it (facts B.7). Numbers: URLType 0
// planning board, 1 appointment, 2 task, 3 map; RequestType 1 GET, 2 POST.
type ActionURL struct {
	SourceApp, SourceType string
	URLType, RequestType  int
	URL, Description      string
	Default               bool
}

// UpsertActionURL enters an action into the board, or changes it. The board has no
// way to take one away again over its API.
func (c *Client) UpsertActionURL(ctx context.Context, a ActionURL) error {
	_, err := c.imports(ctx, "mboc_upsertActionUrl",
		paramOr("SourceApp", a.SourceApp), paramOr("SourceType", a.SourceType), param("UrlType", strconv.Itoa(a.URLType)),
		param("Url", a.URL), paramOr("UrlDesc", a.Description), paramBool("DefaultUrl", a.Default), param("RequestType", strconv.Itoa(a.RequestType)))
	return err
}

// hookRoutes are the routes of webhook subscriptions (facts B.5).
var hookRoutes = map[appointment.Operation]string{
	appointment.Create: "AppointmentCreated",
	appointment.Update: "AppointmentUpdated",
	appointment.Delete: "AppointmentDeleted",
}

// CreateHook has the board post what happens to appointments of a source app to an
// address, one operation at a time, and returns the id by which to remove it; "" if
// the board did not say. Whoever knows the address may post there: it is a secret.
//
// Repeating it may register the address twice, as nothing published says otherwise;
// both are called then, which appointmentintake takes for one.
func (c *Client) CreateHook(ctx context.Context, op appointment.Operation, sourceApp, name string, address secret.Secret) (string, error) {
	k := call{op: "board: create webhook", method: http.MethodPost, path: "/webhooks/" + hookRoutes[op], write: true}
	var err error
	k.body, err = json.Marshal(map[string]any{
		"sourceApp": sourceApp, "name": name, "notificationURL": address.Reveal(), "resource": "Appointments", "changeType": []string{string(op)},
	})
	if err != nil {
		return "", fault.Poisoned(k.op, "the request can not be written as JSON")
	}
	a, err := c.do(ctx, k)
	if err != nil {
		return "", err
	}
	if isAbsent(a.status) {
		return "", k.noRoute(a.status)
	}
	// Guess: the id is in the Location header, else in the answer.
	if id := path.Base(strings.TrimRight(a.location, "/")); a.location != "" && id != "." && id != "/" {
		return id, nil
	}
	var body struct{ ID, HookID value }
	if json.Unmarshal(a.body, &body) == nil {
		r := new(reader)
		if id := r.key("id", first(body.ID, body.HookID)); r.problem == "" {
			return id, nil
		}
	}
	return "", nil
}

// DeleteHook removes what CreateHook has made; one that is not there is no error.
func (c *Client) DeleteHook(ctx context.Context, op appointment.Operation, id string) error {
	_, err := c.do(ctx, call{op: "board: delete webhook", method: http.MethodDelete, path: "/webhooks/" + hookRoutes[op] + "/" + url.PathEscape(id), write: true})
	return err
}
