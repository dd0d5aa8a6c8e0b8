package graph_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// endpoint answers the validation handshake, or not.
func endpoint(t *testing.T, ok bool) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, r.URL.Query().Get("validationToken"))
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/n?x=1"
}

func TestSubscriptions(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	url := endpoint(t, true)
	expires := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	made, err := w.client.CreateSubscription(t.Context(), w.user, url, url, strings.Repeat("x", 128), expires)
	if err != nil || made.Mailbox != w.user || !made.Expires.Equal(expires) || made.NotificationURL != url || made.ID == "" {
		t.Fatalf("%+v, %v", made, err)
	}
	stored := w.sim.Subscriptions()[0]
	if !stored.Immutable || stored.LifecycleURL != url || stored.ClientState != strings.Repeat("x", 128) || len(stored.ChangeTypes) != 3 {
		t.Errorf("%+v", stored)
	}
	for range 6 {
		if _, err := w.client.CreateSubscription(t.Context(), w.user, url, url, "s", expires); err != nil {
			t.Fatal(err)
		}
	}
	all, err := w.client.Subscriptions(t.Context())
	if err != nil || len(all) != 7 || !slices.ContainsFunc(all, func(s calendar.Subscription) bool { return s == made }) {
		t.Fatalf("%d, %v", len(all), err)
	}
	later := expires.Add(24 * time.Hour)
	renewed, err := w.client.RenewSubscription(t.Context(), made.ID, later)
	if err != nil || !renewed.Expires.Equal(later) || renewed.ID != made.ID {
		t.Errorf("%+v, %v", renewed, err)
	}
	for range 2 {
		if err := w.client.DeleteSubscription(t.Context(), made.ID); err != nil {
			t.Error(err)
		}
	}
	_, err = w.client.RenewSubscription(t.Context(), made.ID, later)
	if f := fault.Of(err); f == nil || f.Reason != fault.NotFound || f.WholeTarget {
		t.Errorf("%+v", f)
	}
	down := endpoint(t, false)
	_, err = w.client.CreateSubscription(t.Context(), w.user, down, down, "s", expires)
	if f := fault.Of(err); f == nil || f.Kind != fault.Transient || f.WholeTarget || f.Code != "ValidationError" {
		t.Errorf("handshake failed: %+v", f)
	}
	_, err = w.client.CreateSubscription(t.Context(), w.user, url, url, strings.Repeat("x", 129), expires)
	if f := fault.Of(err); f == nil || f.Kind != fault.Permanent {
		t.Errorf("%v", err)
	}
	for _, err := range []error{w.client.DeleteSubscription(t.Context(), ""), func() error { _, err := w.client.RenewSubscription(t.Context(), "", later); return err }()} {
		if f := fault.Of(err); f == nil || f.Kind != fault.Permanent {
			t.Errorf("no id: %v", err)
		}
	}
}

func TestMailbox(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	w.sim.AddUser(graphsim.User{UPN: "b@contoso.test", Mail: "shared@contoso.test"})
	w.sim.AddUser(graphsim.User{UPN: "c@contoso.test", Mail: "shared@contoso.test"})
	for _, email := range []string{"ada@contoso.test", "ADA@contoso.test", " ada.o'brien@contoso.test ", "alias@contoso.test", w.user} {
		if id, err := w.client.Mailbox(t.Context(), email); err != nil || id != w.user {
			t.Errorf("%q: %q, %v", email, id, err)
		}
	}
	for email, reason := range map[string]fault.Reason{
		"nobody@contoso.test": fault.NotFound, "shared@contoso.test": fault.Conflict, "": fault.Invalid, "../subscriptions": fault.NotFound,
	} {
		_, err := w.client.Mailbox(t.Context(), email)
		f := fault.Of(err)
		if f == nil || f.Reason != reason || f.Kind != fault.Permanent || f.WholeTarget || email != "" && strings.Contains(err.Error(), email) {
			t.Errorf("%q: %+v", email, f)
		}
	}
}

// A rotation of the secret, and tokens that are revoked, need no restart.
func TestRotation(t *testing.T) {
	w := newWorld(t, httptest.NewTLSServer)
	made := w.create("a", 8)
	read := func() error { _, err := w.client.Event(t.Context(), w.user, made.ID); return err }
	w.sim.RevokeTokens()
	if err := read(); err != nil {
		t.Errorf("revoked tokens: %v", err)
	}
	w.sim.SetClients(map[string][]string{"app": {"s2"}})
	w.sim.RevokeTokens()
	if f := fault.Of(read()); f == nil || f.Reason != fault.Auth || !f.WholeTarget || f.Code != "AADSTS7000215" {
		t.Errorf("%+v", f)
	}
	w.mu.Lock()
	w.secret = "s2"
	w.mu.Unlock()
	if err := read(); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
}

// Whatever fails, no error tells what is in a calendar or whose it is.
func TestErrorsTellNothing(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	const secret = "Confidential-Project-X of jan@contoso.test"
	for _, f := range []*graphsim.FaultResponse{
		{Status: 400, Code: "ErrorInvalidRequest", Message: secret}, {Status: 500, Code: secret, Message: secret}, {Status: 404, Code: "x", Message: secret}, {Cut: true},
	} {
		w.sim.SetFault(func(graphsim.FaultRequest) *graphsim.FaultResponse { return f })
		_, a := w.client.Mailbox(t.Context(), "jan@contoso.test")
		_, b := w.client.Marked(t.Context(), w.user, secret)
		_, c := w.client.Apply(t.Context(), w.user, []calendar.Write{{Op: calendar.Create, Content: appointment.Content{appointment.Subject: secret}}})
		for _, err := range []error{a, b, c} {
			if err == nil || strings.Contains(err.Error(), "jan") || strings.Contains(err.Error(), "Project") || strings.Contains(err.Error(), url.QueryEscape("jan@")) {
				t.Errorf("%v", err)
			}
		}
	}
}

// Exchange answers several states of a mailbox alike; the directory tells them apart.
func TestStanding(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	for state, want := range map[graphsim.MailboxState]calendar.Standing{
		graphsim.MailboxOK:          {Enabled: true, Licensed: true},
		graphsim.MailboxMoved:       {Enabled: true, Licensed: true},
		graphsim.MailboxNotEnabled:  {Enabled: true},
		graphsim.MailboxSoftDeleted: {Enabled: true, Expired: true},
		graphsim.MailboxOnPremises:  {Enabled: true, Synchronised: true},
		graphsim.MailboxDisabled:    {Licensed: true},
	} {
		if err := w.sim.SetMailboxState(w.user, state); err != nil {
			t.Fatal(err)
		}
		if got, err := w.client.Standing(t.Context(), w.user); err != nil || got != want {
			t.Errorf("state %d: %+v, %v; want %+v", state, got, err, want)
		}
	}
	if err := w.sim.SetMailboxState(w.user, graphsim.UserGone); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Standing(t.Context(), w.user); !fault.Is(err, fault.NotFound) {
		t.Errorf("a user who is gone: %v", err)
	}
	w.sim.SetConsent(false)
	if _, err := w.client.Standing(t.Context(), w.user); !fault.Is(err, fault.Auth) || !fault.Of(err).WholeService {
		t.Errorf("without consent: %v, want Auth of the whole service", err)
	}
}
