package boardsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Connector is an entry of the board's list of back offices, as a planner's
// administrator sees it. The password is kept, as the real board does, but no
// answer shows it.
type Connector struct {
	Name, Description, SourceApp, SourceType string
	Send                                     bool
	URI, Login, Password                     string
	Type, AuthType, APIType                  int
}

// ActionURL is an action of the board.
type ActionURL struct {
	SourceApp, SourceType string
	URLType, RequestType  int
	URL, Description      string
	Default               bool
}

// Hook is a registered webhook subscription: the board posts what happens to
// appointments of the source app there.
type Hook struct {
	ID, Event, SourceApp, Name, NotificationURL string
}

// hookEvents are the routes of subscriptions, in lower case, and the change type
// that each gets.
var hookEvents = map[string]string{
	"appointmentcreated": Create, "appointmentupdated": Update, "appointmentdeleted": Delete,
}

// maxHooks is how many subscriptions the board takes; the real figure is not known.
const maxHooks = 50

var connectorParameters = parameters{
	"Name": {kind: text}, "Description": {kind: text}, "SourceApp": {text, 30}, "SourceType": {text, 10},
	"SendAppointmentToWebService": {kind: flag}, "WebServiceAddress": {kind: text},
	"Type": {kind: integer}, "AuthType": {kind: integer}, "ApiType": {kind: integer},
	"Login": {text, 50}, "Password": {kind: text},
}

var actionParameters = parameters{
	"SourceApp": {text, 30}, "SourceType": {text, 10}, "UrlType": {kind: integer}, "Url": {text, 1000}, "UrlDesc": {text, 255},
	"DefaultUrl": {kind: flag}, "RequestType": {kind: integer},
}

// upsertConnector keeps one row per source app and name.
//
// Guess: the key for an upsert; the published delete names the source app only.
func (b *Board) upsertConnector(args arguments) (appointmentKey, error) {
	row := Connector{
		Name: args.text("Name"), Description: args.text("Description"), SourceApp: args.text("SourceApp"), SourceType: args.text("SourceType"),
		Send: args.flag("SendAppointmentToWebService"), URI: args.text("WebServiceAddress"), Login: args.text("Login"), Password: args.text("Password"),
		Type: int(args.integer("Type")), AuthType: int(args.integer("AuthType")), APIType: int(args.integer("ApiType")),
	}
	b.connectors = put(b.connectors, row, func(x, y Connector) bool { return x.SourceApp == y.SourceApp && x.Name == y.Name })
	return appointmentKey{}, nil
}

func (b *Board) deleteConnector(args arguments) (appointmentKey, error) {
	app := args.text("SourceApp")
	b.connectors = slices.DeleteFunc(b.connectors, func(c Connector) bool { return c.SourceApp == app })
	return appointmentKey{}, nil
}

func (b *Board) upsertActionURL(args arguments) (appointmentKey, error) {
	row := ActionURL{
		SourceApp: args.text("SourceApp"), SourceType: args.text("SourceType"), URLType: int(args.integer("UrlType")), URL: args.text("Url"),
		Description: args.text("UrlDesc"), Default: args.flag("DefaultUrl"), RequestType: int(args.integer("RequestType")),
	}
	b.actions = put(b.actions, row, func(x, y ActionURL) bool {
		return x.SourceApp == y.SourceApp && x.SourceType == y.SourceType && x.URLType == y.URLType && x.Description == y.Description
	})
	return appointmentKey{}, nil
}

// Connectors returns the registered connectors.
func (b *Board) Connectors() []Connector {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.connectors)
}

// ActionURLs returns the registered actions.
func (b *Board) ActionURLs() []ActionURL {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.actions)
}

// Hooks returns the webhook subscriptions.
func (b *Board) Hooks() []Hook {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.hooks)
}

// hook answers POST /webhooks/{event} and DELETE /webhooks/{event}/{id}; ok is
// false for other routes. The caller holds the lock.
func (b *Board) hook(q *request) (a answer, ok bool) {
	parts := strings.Split(strings.Trim(q.URL.Path, "/"), "/")
	if len(parts) < 2 || !strings.EqualFold(parts[0], "webhooks") || hookEvents[strings.ToLower(parts[1])] == "" {
		return answer{}, false
	}
	event := strings.ToLower(parts[1])
	switch {
	case q.Method == http.MethodPost && len(parts) == 2:
		return b.addHook(event, q.body), true
	case q.Method == http.MethodDelete && len(parts) == 3:
		before := len(b.hooks)
		b.hooks = slices.DeleteFunc(b.hooks, func(h Hook) bool { return h.ID == parts[2] && h.Event == event })
		if len(b.hooks) == before {
			return textAnswer(http.StatusNotFound, "The webhook does not exist."), true
		}
		return textAnswer(http.StatusOK, ""), true
	}
	return answer{}, false
}

// addHook registers. The same address may be registered twice, as nothing published
// says otherwise; both are called then.
func (b *Board) addHook(event string, body []byte) answer {
	var in struct {
		SourceApp, Name, NotificationURL, Resource string
		ChangeType                                 []string
	}
	if json.Unmarshal(body, &in) != nil {
		return textAnswer(http.StatusBadRequest, "The body is not a JSON object.")
	}
	u, err := url.Parse(in.NotificationURL)
	switch {
	case err != nil || u.Host == "":
		return textAnswer(http.StatusBadRequest, "notificationURL is required.")
	case in.SourceApp == "" || !strings.EqualFold(in.Resource, "Appointments"):
		return textAnswer(http.StatusBadRequest, "sourceApp and resource are required.")
	case !slices.ContainsFunc(in.ChangeType, func(c string) bool { return strings.EqualFold(c, hookEvents[event]) }):
		return textAnswer(http.StatusBadRequest, "changeType does not fit the route.")
	case len(b.hooks) >= maxHooks:
		return textAnswer(http.StatusTooManyRequests, "More than the expected number of webhooks have been created.")
	}
	b.lastRow++
	h := Hook{ID: fmt.Sprintf("hook-%d", b.lastRow), Event: event, SourceApp: in.SourceApp, Name: in.Name, NotificationURL: in.NotificationURL}
	b.hooks = append(b.hooks, h)
	a := jsonAnswer(http.StatusCreated, map[string]string{"id": h.ID})
	a.location = "/webhooks/" + event + "/" + h.ID
	return a
}

// callHooks posts a change to the hooks that are registered for it. One that fails
// does not keep the others from it; the change counts as announced when all took it.
func (b *Board) callHooks(ctx context.Context, c Change) error {
	app := sourceApp(c.Body)
	var errs []error
	for _, h := range b.Hooks() {
		if hookEvents[h.Event] != c.ChangeType || h.SourceApp != app {
			continue
		}
		errs = append(errs, post(ctx, h.NotificationURL, c.Body))
	}
	return errors.Join(errs...)
}

// sourceApp is that of the job of an announced graph.
func sourceApp(body []byte) string {
	var g struct {
		Task *struct{ Job struct{ SourceApp string } }
	}
	if json.Unmarshal(body, &g) != nil || g.Task == nil {
		return ""
	}
	return g.Task.Job.SourceApp
}

func post(ctx context.Context, address string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the webhook answers %s", resp.Status)
	}
	return nil
}
