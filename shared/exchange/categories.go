package exchange

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/category"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// fillCategories completes writes that set categories with those which a person has
// given the event: Graph sets them all or none. The event is read for it, as it is
// now; of an event that keeps its words to itself they are known nowhere else. They
// go into the call and are not kept. It returns the writes that can be made.
func (s *session) fillCategories(ctx context.Context, links []*store.Link, writes []calendar.Write) ([]*store.Link, []calendar.Write, error) {
	var able []*store.Link
	var calls []calendar.Write
	for i, l := range links {
		w := writes[i]
		if ours, sets := l.Sent.Content[appointment.Categories]; sets && w.Op == calendar.Patch {
			e, err := s.Worker.Calendar.Event(ctx, s.mailbox, w.ID)
			if err != nil {
				if err := s.refused(ctx, l, err); err != nil {
					return nil, nil, err
				}
				continue
			}
			w.Content = w.Content.With(appointment.Content{appointment.Categories: appointment.ReplaceCategories(
				e.Content[appointment.Categories], l.BoardSeen.Content[appointment.Categories], ours)})
		}
		able, calls = append(able, l), append(calls, w)
	}
	return able, calls, nil
}

// outlooksOwn is what was found without the categories of an appointment that the
// board has planned: these are the board's to say. A person's own stay in Outlook,
// and one of ours that a person takes away stays away until the board's changes.
func outlooksOwn(l *store.Link, c appointment.Content) appointment.Content {
	if l.Origin == store.Outlook {
		return c
	}
	out := c.With(nil)
	delete(out, appointment.Categories)
	return out
}

// withoutCategories is what a shadow of the board takes from what it was told: it
// keeps the categories of an event to itself and goes on showing its own [INFER].
func withoutCategories(c appointment.Content) appointment.Content {
	out := c.With(nil)
	delete(out, appointment.Categories)
	return out
}

// told is the content of a write to the board. The categories are the event's own:
// only what was born in Outlook tells them, all of them, and only if they were found
// (those of an event that keeps its words to itself are not).
func (s *session) told(l *store.Link, c appointment.Content) appointment.Content {
	out := withoutCategories(c)
	if l.Origin != store.Outlook || l.Inbound == nil {
		return out
	}
	if masked(l.Origin, l.Inbound.Flow) {
		out[appointment.Categories] = "" // what it was told before the event became private
	}
	if list, found := l.Inbound.Content[appointment.Categories]; found {
		out[appointment.Categories] = s.policy.Links.Board(list)
	}
	return out
}

// masters remembers the lists of categories of the mailboxes.
type masters struct {
	mu    sync.Mutex
	boxes map[string]*master
}

type master struct {
	mu    sync.Mutex // a lost session lock lets two workers work on one mailbox
	names []string
	read  time.Time
	quiet time.Time // nothing is asked before
}

const (
	// masterAge is for how long a list that lacks a name is believed.
	masterAge = 5 * time.Minute
	// masterPause lies between two tries after a failure, noPermissionPause after a
	// refusal.
	masterPause       = 15 * time.Minute
	noPermissionPause = 24 * time.Hour
)

func (m *masters) of(mailbox string) *master {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boxes == nil {
		m.boxes = map[string]*master{}
	}
	if m.boxes[mailbox] == nil {
		m.boxes[mailbox] = &master{}
	}
	return m.boxes[mailbox]
}

func (k *master) has(name string) bool {
	return slices.ContainsFunc(k.names, func(n string) bool { return strings.EqualFold(n, name) })
}

// ensureCategories makes sure that the mailbox's list has the categories that are
// about to be written, so that they are shown in a colour. Without it an event
// carries the name all the same: whatever goes wrong here stops nothing.
func (s *session) ensureCategories(ctx context.Context, links []*store.Link) error {
	k, now := s.masters.of(s.mailbox), s.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.quiet) || now.Before(s.row.NoCategories.Add(noPermissionPause)) {
		return nil
	}
	for _, l := range links {
		for _, name := range appointment.CategoryNames(l.Sent.Content[appointment.Categories]) {
			if k.has(name) {
				continue
			}
			err := s.ensureCategory(ctx, k, l.Appointment, name)
			switch {
			case err == nil:
			case isOurs(fault.Of(err)):
				return err
			default:
				return s.noCategories(ctx, k, err)
			}
		}
	}
	return nil
}

func (s *session) ensureCategory(ctx context.Context, k *master, guid, name string) error {
	if now := s.Now(); now.Sub(k.read) > masterAge || now.Before(k.read) {
		list, err := s.Calendar.Categories(ctx, s.mailbox)
		if err != nil {
			return err
		}
		k.names, k.read = nil, now
		for _, c := range list {
			k.names = append(k.names, c.Name)
		}
		if k.has(name) {
			return nil
		}
	}
	color, err := s.colorOf(ctx, guid, name)
	if err != nil {
		return err
	}
	if err := s.Calendar.CreateCategory(ctx, s.mailbox, calendar.Category{Name: name, Color: color}); err != nil {
		return err
	}
	k.names = append(k.names, name)
	s.record(guid, "create category", StatusSuccess, "", "the category was added to the mailbox's list")
	if s.row.NoCategories.IsZero() {
		return nil
	}
	return s.save(ctx, func(t *store.Target) { t.NoCategories = time.Time{} })
}

// colorOf is the preset nearest to the board's colour.
func (s *session) colorOf(ctx context.Context, guid, name string) (string, error) {
	head, err := s.Store.Head(ctx, guid)
	if errors.Is(err, store.ErrNotFound) {
		return category.NoColor, nil
	}
	if err != nil {
		return "", err
	}
	labels, markers := dimescheduler.Labels(head.Graph)
	return category.Preset(s.policy.Links.ColorOf(name, labels, markers)), nil
}

// noCategories leaves the list alone for a while. That the permission is missing is
// said once.
func (s *session) noCategories(ctx context.Context, k *master, err error) error {
	f := fault.Of(err)
	k.quiet = s.Now().Add(max(masterPause, f.RetryAfter))
	if f.Reason != fault.Auth {
		s.log.WarnContext(ctx, "the mailbox's list of categories can not be used: events carry the names without it", "error", err)
		return nil
	}
	if s.row.NoCategories.IsZero() {
		s.log.WarnContext(ctx, "the mailbox's list of categories may not be used: is the permission MailboxSettings.ReadWrite granted?", "error", err)
		c := Explain(codeNoCategories)
		s.record("", "create category", c.Status, c.ID, c.Sentence)
	}
	return s.save(ctx, func(t *store.Target) { t.NoCategories = s.Now() })
}
