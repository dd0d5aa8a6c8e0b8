package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/settings"
)

// Tables are the app's tables.
type Tables interface {
	// Probe writes, reads and removes a row, and looks into every table.
	Probe(ctx context.Context) error
}

// Queues are the app's queues.
type Queues interface {
	Examine(ctx context.Context) []bus.QueueState
}

// Vault is the Key Vault.
type Vault interface {
	Get(ctx context.Context, name string) (secret.Secret, error)
	MaySet(ctx context.Context, name string) error
}

// Secret is one that has to be in the vault.
type Secret struct {
	Name string // in the vault
	For  string // what it is, for people
}

// Poster calls an address; *http.Client is one.
type Poster interface {
	Do(*http.Request) (*http.Response, error)
}

func (d *Doctor) settings(_ context.Context, f *findings) {
	problems := problemsOf(d.Settings)
	for _, p := range problems {
		f.failed(p.Setting, "", "The setting "+p.Text+".", sentence(p.Remedy))
	}
	switch {
	case len(problems) > 0:
		f.skipped("everything else", "Nothing else can be looked at before the settings are right.")
	case d.Settings != nil:
		f.failed("settings", "", "The app can not be put together from its settings.", "Look at the log: it says which one it is.")
	default:
		f.ok("settings", "All are there and well-formed.")
	}
}

// problemsOf finds the problems in err, joined or wrapped.
func problemsOf(err error) (out []*settings.Problem) {
	switch e := err.(type) {
	case *settings.Problem:
		return []*settings.Problem{e}
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			out = append(out, problemsOf(err)...)
		}
	case interface{ Unwrap() error }:
		return problemsOf(e.Unwrap())
	}
	return out
}

func (d *Doctor) tables(ctx context.Context, f *findings) {
	if d.Tables == nil {
		f.failed("tables", "", "Table Storage can not be opened.", "Check TABLES_URL and that the account exists and lets the app's network in.")
		return
	}
	if err := d.Tables.Probe(ctx); err != nil {
		text, do := told(err, "Table Storage", "Give the app's identity the role Storage Table Data Contributor on the account.")
		f.failed("tables", fault.Of(err).Code, text, do)
		return
	}
	f.ok("tables", "Every table can be read, and a row written, read and removed.")
}

func (d *Doctor) queues(ctx context.Context, f *findings) {
	if d.Queues == nil {
		f.failed("queues", "", "Service Bus can not be opened.", "Check the settings ServiceBus or ServiceBus__fullyQualifiedNamespace.")
		return
	}
	for _, q := range d.Queues.Examine(ctx) {
		switch {
		case fault.Of(q.Err) != nil && fault.Of(q.Err).Code == noSuchQueue:
			f.failed(q.Queue, noSuchQueue, "The queue does not exist.", "Create it, or correct the setting that names it (APPOINTMENTS_QUEUE, MAILBOXES_QUEUE, BACKOFFICE_QUEUE).")
		case q.Err != nil:
			text, do := told(q.Err, "Service Bus", "Give the app's identity the roles Azure Service Bus Data Sender and Data Receiver on the namespace.")
			f.failed(q.Queue, fault.Of(q.Err).Code, text, do)
		case q.WantsSessions && !q.Sessions:
			f.failed(q.Queue, "", "The queue has no sessions: two workers could write to one calendar at a time.",
				"Delete the queue and create it anew with sessions (requiresSession): they can not be switched on later. What waits in it is only nudges, nothing is lost.")
		case !q.WantsSessions && q.Sessions:
			f.failed(q.Queue, "", "The queue demands sessions, and whoever sends appointments names none.",
				"Let it drain, delete it and create it anew without sessions.")
		case q.WantsDuplicates && !q.Duplicates:
			f.failed(q.Queue, "", "The queue does not detect duplicates: a change that is sent twice is worked on twice.",
				"Let it drain, delete it and create it anew with duplicate detection (requiresDuplicateDetection).")
		default:
			f.ok(q.Queue, "It can be sent to and received from, %s.", nature(q))
		}
	}
}

// noSuchQueue is the code of an absent queue (AMQP 1.0, "amqp:not-found").
const noSuchQueue = "amqp:not-found"

func nature(q bus.QueueState) string {
	if q.WantsSessions {
		return "and has sessions"
	}
	return "and detects duplicates"
}

// probeSecret is the name under which a secret is offered that no vault takes.
const probeSecret = "connectors-doctor"

func (d *Doctor) vault(ctx context.Context, f *findings) {
	if d.Vault == nil {
		f.failed("key vault", "", "The Key Vault can not be opened.", "Check KEYVAULT_URL and AZURE_CLIENT_ID.")
		return
	}
	for _, s := range d.Secrets {
		value, err := d.Vault.Get(ctx, s.Name)
		if err != nil {
			text, do := told(err, "The Key Vault", "Give the app's identity the role Key Vault Secrets User on the vault.")
			f.failed(s.Name, fault.Of(err).Code, text, do)
			continue
		}
		if s.Name == d.Keys {
			if _, err := exchange.ParseKeys(value.Reveal()); err != nil {
				f.failed(s.Name, "", "The secret holds no key of at least 32 characters, so that no subscription can be signed.",
					"Store one or two keys, the newest first, one per line: openssl rand -base64 48 makes one.")
				continue
			}
		}
		f.ok(s.Name, "The %s can be read.", s.For)
	}
	if err := d.Vault.MaySet(ctx, probeSecret); err == nil {
		f.ok("store secrets", "Passwords of back offices can be entered in the portal.")
	} else if fault.Is(err, fault.Auth) {
		f.skipped("store secrets", "The app may not store secrets: passwords of back offices have to be put into the vault by hand, and named in the connector. To enter them in the portal give the app's identity the role Key Vault Secrets Officer.")
	} else {
		f.failed("store secrets", fault.Of(err).Code, "The Key Vault does not answer.", "Try again; if it lasts, look at the vault's own health.")
	}
}

// public calls the app as Graph would, from here.
func (d *Doctor) public(ctx context.Context, f *findings) {
	const name = "handshake"
	const do = "Check PUBLIC_URL: it is the https address under which the internet reaches this app, without a path. Look whether the app runs and no access restriction keeps callers out."
	token := "doctor: " + rand.Text() + " +/=&"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.PublicURL+notificationPath+"?validationToken="+url.QueryEscape(token), http.NoBody)
	if err != nil || d.HTTP == nil {
		f.failed(name, "", "The public address can not be used.", do)
		return
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := d.HTTP.Do(req)
	if err != nil {
		f.failed(name, "", "The public address can not be reached from here.", do)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil || res.StatusCode != http.StatusOK || !bytes.Equal(body, []byte(token)) {
		f.failed(name, res.Status[:min(3, len(res.Status))], "At the public address answers somebody else than this app, or the app has not started.", do)
		return
	}
	f.ok(name, "The public address answers as Graph wants it, seen from here. That Graph reaches it is shown by the subscription, with a test mailbox.")
}

// told says what err is, and what to do, in words that hold nothing of it but what
// our own clients wrote for people. roles is what to do where access is denied.
func told(err error, what, roles string) (text, do string) {
	f := fault.Of(err)
	switch {
	case f.Err != nil && (strings.HasPrefix(f.Op, "key vault:") || strings.HasPrefix(f.Op, "board:")) && !errors.Is(f.Err, context.Canceled) && !errors.Is(f.Err, context.DeadlineExceeded):
		text, do, _ = strings.Cut(f.Err.Error(), "; ")
		if do == "" {
			do = roles
		}
	case f.Reason == fault.Auth:
		text, do = what+" denies the app access.", roles
	case f.Reason == fault.RateLimit:
		text, do = what+" asks for fewer calls.", "Wait some minutes and try again."
	case slices.Contains([]fault.Reason{fault.Timeout, fault.Canceled}, f.Reason):
		text, do = what+" does not answer in time.", "Try again; if it lasts, look at its own health and at the network between."
	case f.Reason == fault.Unavailable:
		text, do = what+" can not be reached, or is out of order.", "Check the address in the settings, whether a firewall lies between, and its own health."
	default:
		text, do = what+" refuses what was tried.", "Look at the code; if it says nothing to you, report it with the version."
	}
	return sentence(text), sentence(do)
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if end := s[len(s)-1]; end != '.' && end != '!' && end != '?' {
		s += "."
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
