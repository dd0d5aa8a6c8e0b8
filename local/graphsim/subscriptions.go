package graphsim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Subscription is one subscription to the events of a mailbox.
type Subscription struct {
	ID              string
	App             string // client id that made it
	User            string // object id of the mailbox
	Resource        string // as requested
	ChangeTypes     []string
	NotificationURL string
	LifecycleURL    string
	ClientState     string
	Expires         time.Time
	Immutable       bool // created with Prefer: IdType="ImmutableId"
}

type subscription = Subscription

// Lifetimes of a subscription to Outlook events.
const (
	longestLife  = 10080 * time.Minute
	shortestLife = 45 * time.Minute
	// mostSubscriptions is the limit of one mailbox, over all apps.
	mostSubscriptions = 1000
	longestState      = 128
)

type subscriptionJSON struct {
	Resource                 string `json:"resource"`
	ChangeType               string `json:"changeType"`
	NotificationURL          string `json:"notificationUrl"`
	LifecycleNotificationURL string `json:"lifecycleNotificationUrl"`
	ClientState              string `json:"clientState"`
	ExpirationDateTime       string `json:"expirationDateTime"`
	IncludeResourceData      bool   `json:"includeResourceData"`
}

// postSubscription checks, calls both addresses without holding the lock, then stores.
func (s *Server) postSubscription(c *call) (reply, *graphError) {
	var in subscriptionJSON
	if err := decode(c.body, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	sub, err := s.newSubscription(c, in)
	s.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	for _, endpoint := range []string{sub.NotificationURL, sub.LifecycleURL} {
		if endpoint == "" {
			continue
		}
		if err := s.handshake(c.ctx, endpoint); err != nil {
			return reply{}, badRequest("ValidationError", "Subscription validation request failed. %v", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.limitSubscriptions(sub); err != nil {
		return reply{}, err
	}
	s.subscriptions = append(s.subscriptions, sub)
	return created(renderSubscription(c, sub)), nil
}

// newSubscription checks a request. Locked.
func (s *Server) newSubscription(c *call, in subscriptionJSON) (*subscription, *graphError) {
	bad := func(format string, args ...any) (*subscription, *graphError) {
		return nil, badRequest("InvalidRequest", format, args...)
	}
	if in.IncludeResourceData {
		return bad("Rich notifications (includeResourceData) are not modelled by this simulator.")
	}
	if len(in.ClientState) > longestState {
		return bad("clientState must not be longer than %d characters.", longestState)
	}
	changes := strings.Split(strings.ReplaceAll(strings.ToLower(in.ChangeType), " ", ""), ",")
	for _, t := range changes {
		if !slices.Contains([]string{"created", "updated", "deleted"}, t) {
			return bad("Property changeType has an invalid value %q.", in.ChangeType)
		}
	}
	if problem := s.checkURL(in.NotificationURL); problem != "" {
		return bad("notificationUrl: %s", problem)
	}
	if in.LifecycleNotificationURL != "" {
		if problem := s.checkURL(in.LifecycleNotificationURL); problem != "" {
			return bad("lifecycleNotificationUrl: %s", problem)
		}
	}
	parts := strings.Split(strings.Trim(in.Resource, "/"), "/")
	if len(parts) != 3 || !strings.EqualFold(parts[0], "users") || !strings.EqualFold(parts[2], "events") {
		return bad("Resource '%s' is not supported; the form is /users/{id}/events, without a query.", in.Resource)
	}
	user, err := url.PathUnescape(parts[1])
	if err != nil {
		return bad("Resource '%s' is not valid.", in.Resource)
	}
	b, refused := s.mailboxFor(user)
	if refused != nil {
		return nil, refused
	}
	expires, refused := s.expiry(in.ExpirationDateTime)
	if refused != nil {
		return nil, refused
	}
	sub := &subscription{
		ID: s.uuid(), App: c.app, User: b.user.ID, Resource: in.Resource, ChangeTypes: changes, NotificationURL: in.NotificationURL,
		LifecycleURL: in.LifecycleNotificationURL, ClientState: in.ClientState, Expires: expires, Immutable: c.immutable(),
	}
	return sub, s.limitSubscriptions(sub)
}

func (s *Server) checkURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return "it is not an absolute address"
	case u.Scheme == "https" || u.Scheme == "http" && s.opts.AllowHTTPNotifications:
		return ""
	}
	return "the scheme must be https"
}

// limitSubscriptions refuses one too many for the mailbox, and a duplicate if the switch says so. Locked.
func (s *Server) limitSubscriptions(sub *subscription) *graphError {
	ofMailbox := 0
	for _, other := range s.active() {
		if other.User != sub.User {
			continue
		}
		ofMailbox++
		if s.behaviour.RefuseDuplicateSubscriptions && other.App == sub.App && slices.Equal(other.ChangeTypes, sub.ChangeTypes) {
			return &graphError{http.StatusConflict, "Conflict", "Subscription Id <" + other.ID + "> already exists for the requested combination"}
		}
	}
	if ofMailbox >= mostSubscriptions {
		return &graphError{http.StatusForbidden, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: Maximum number of active subscriptions for the mailbox reached]"}
	}
	return nil
}

// expiry applies the rules of expirationDateTime: at most 10,080 minutes, at least 45. Locked.
func (s *Server) expiry(v string) (time.Time, *graphError) {
	t, valid := parseInstant(v)
	now := s.now()
	switch {
	case !valid:
		return t, badRequest("InvalidRequest", "expirationDateTime is missing or not valid.")
	case !t.After(now):
		return t, badRequest("InvalidRequest", "Subscription expiration can not be in the past.")
	case t.After(now.Add(longestLife)):
		return t, badRequest("InvalidRequest", "Subscription expiration can only be 10080 minutes in the future.")
	case t.Before(now.Add(shortestLife)):
		return now.Add(shortestLife), nil
	}
	return t, nil
}

// active drops what has expired, silently as Graph does, and returns the rest. Locked.
func (s *Server) active() []*subscription {
	now := s.now()
	s.subscriptions = slices.DeleteFunc(s.subscriptions, func(sub *subscription) bool { return !sub.Expires.After(now) })
	return s.subscriptions
}

// owned returns the subscription of the path, if the app of the call made it. Locked.
func (s *Server) owned(c *call) (*subscription, *graphError) {
	for _, sub := range s.active() {
		if sub.ID == c.params["subscription"] && sub.App == c.app {
			return sub, nil
		}
	}
	return nil, notFound("ResourceNotFound", "The object was not found.")
}

func (s *Server) listSubscriptions(c *call) (reply, *graphError) {
	var own []*subscription
	for _, sub := range s.active() {
		if sub.App == c.app {
			own = append(own, sub)
		}
	}
	return collection(c, own, func(sub *subscription) object {
		o := renderSubscription(c, sub)
		delete(o, "@odata.context")
		return o
	})
}

func (s *Server) getSubscription(c *call) (reply, *graphError) {
	sub, err := s.owned(c)
	if err != nil {
		return reply{}, err
	}
	return ok(renderSubscription(c, sub)), nil
}

// patchSubscription renews; clientState, resource and changeType can not be changed.
func (s *Server) patchSubscription(c *call) (reply, *graphError) {
	sub, err := s.owned(c)
	if err != nil {
		return reply{}, err
	}
	var in subscriptionJSON
	if err := decode(c.body, &in); err != nil {
		return reply{}, err
	}
	if in.ClientState != "" || in.Resource != "" || in.ChangeType != "" || in.LifecycleNotificationURL != "" || in.NotificationURL != "" {
		return reply{}, badRequest("InvalidRequest", "Only expirationDateTime can be changed.")
	}
	expires, err := s.expiry(in.ExpirationDateTime)
	if err != nil {
		return reply{}, err
	}
	sub.Expires = expires
	return ok(renderSubscription(c, sub)), nil
}

func (s *Server) deleteSubscription(c *call) (reply, *graphError) {
	sub, err := s.owned(c)
	if err != nil {
		return reply{}, err
	}
	s.forget(sub.ID)
	return status(http.StatusNoContent), nil
}

// reauthorize does not move the expiry.
func (s *Server) reauthorize(c *call) (reply, *graphError) {
	if _, err := s.owned(c); err != nil {
		return reply{}, err
	}
	return status(http.StatusNoContent), nil
}

// forget removes a subscription without telling anybody. Locked.
func (s *Server) forget(id string) {
	s.subscriptions = slices.DeleteFunc(s.subscriptions, func(sub *subscription) bool { return sub.ID == id })
}

func renderSubscription(c *call, sub *subscription) object {
	return object{
		"@odata.context": c.base + "/$metadata#subscriptions/$entity",
		"id":             sub.ID, "applicationId": sub.App, "creatorId": sub.App, "resource": sub.Resource,
		"changeType": strings.Join(sub.ChangeTypes, ","), "clientState": nullable(sub.ClientState),
		"notificationUrl": sub.NotificationURL, "lifecycleNotificationUrl": nullable(sub.LifecycleURL),
		"expirationDateTime": sub.Expires.Format(timeFormat), "latestSupportedTlsVersion": "v1_2",
		"includeResourceData": nil, "encryptionCertificateId": nil, "notificationQueryOptions": nil, "notificationUrlAppId": nil,
	}
}
