package boardsim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrNotFound is wrapped by the errors on what does not exist.
var ErrNotFound = errors.New("not found")

// Options of a Board; the zero value works. The switches stand for what is not
// known of the real board, their zero values for what is most likely.
type Options struct {
	// Clock gives the board's time. Nil: time.Now.
	Clock func() time.Time
	// NewGUID gives ids of appointments and messages. Nil: random ones.
	NewGUID func() string
	// APIKey is the key that requests must bring. Empty: any but none.
	APIKey string
	// Announce carries a change to the outside; it is called for one change at a
	// time, in the order of the changes. An error is repeated as AnnouncePauses
	// say. Nil: changes are only recorded.
	Announce func(ctx context.Context, c Change) error
	// AnnouncePauses lie between the attempts of one announcement; after the
	// last attempt it stays failed until RetryFailed. Nil: 50 ms, 200 ms.
	AnnouncePauses []time.Duration

	SilentAPIWrites    bool           // changes made through the API are not announced
	OwnGUIDs           bool           // a Guid proposed by the client is not kept
	RejectUnknownGUIDs bool           // an upsert that names an unknown Guid fails
	NoGetByID          bool           // there is no GET /appointment/{id}: 404, also for what exists
	FlatMessages       bool           // messages are flat, one per resource
	Granularity        time.Duration  // of LastModifiedDate and CreatedDate; 0: 100 ns, seven digits
	StaleDeletes       bool           // a Delete carries the LastModifiedDate of the last edit
	ZonelessTimes      bool           // times in answers and messages are in Zone and do not say so
	Zone               *time.Location // of times without a zone; nil: UTC
	ShowExchangeIDs    bool           // answers and messages show the Outlook events of an appointment
	NarrowedStatus     int            // of a read by id of what a narrowed key may not see; 0: 404

	// Fault and AnnounceFault are the fault hooks; see SetFault and SetAnnounceFault.
	Fault         func(Call) Fault
	AnnounceFault func(Change) AnnounceFault
}

// Board is a planning board and its API. Create it with New; it is safe for
// concurrent use.
type Board struct {
	opts Options
	done chan struct{} // closed by Close

	mu            sync.Mutex
	apiKey        string
	visible       map[string]bool // resource numbers a narrowed key sees; nil: all
	fault         func(Call) Fault
	calls         map[string]int
	resources     []Resource
	jobs          []Job
	tasks         []Task
	categories    []Category
	timeMarkers   []TimeMarker
	appointments  map[string]*Appointment // by GUID
	notifications []Notification
	messages      []Message
	connectors    []Connector
	actions       []ActionURL
	hooks         []Hook
	lastID        int64
	lastRow       int

	announcer announcer
}

// New returns an empty board.
func New(opts Options) *Board {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.NewGUID == nil {
		opts.NewGUID = randomGUID
	}
	if opts.Zone == nil {
		opts.Zone = time.UTC
	}
	if opts.Granularity == 0 {
		opts.Granularity = 100 * time.Nanosecond
	}
	if opts.NarrowedStatus == 0 {
		opts.NarrowedStatus = 404
	}
	if opts.AnnouncePauses == nil {
		opts.AnnouncePauses = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond}
	}
	b := &Board{
		opts: opts, apiKey: opts.APIKey, fault: opts.Fault, done: make(chan struct{}),
		calls: map[string]int{}, appointments: map[string]*Appointment{},
	}
	b.announcer.init(opts, b.callHooks)
	return b
}

// Close ends requests that hang and the announcing; what was not announced yet
// stays so. Changes after it are not announced.
func (b *Board) Close() {
	b.announcer.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.done:
	default:
		close(b.done)
	}
}

// SetAPIKey replaces the key that requests must bring.
func (b *Board) SetAPIKey(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.apiKey = key
}

// Narrow makes the API show only these resources and what is assigned to them:
// without any, every list is empty and answers 200. Writes are not narrowed.
func (b *Board) Narrow(resourceNos ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.visible = map[string]bool{}
	for _, no := range resourceNos {
		b.visible[no] = true
	}
}

// Widen takes Narrow back.
func (b *Board) Widen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.visible = nil
}

// now is the board's time in the granularity of its stamps.
func (b *Board) now() time.Time { return b.opts.Clock().UTC().Truncate(b.opts.Granularity) }

// The finders below are called with the lock held.

func (b *Board) appointment(guid string) (*Appointment, error) {
	if a := b.appointments[strings.ToLower(guid)]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("appointment %s: %w", guid, ErrNotFound)
}

func (b *Board) appointmentByID(id int64) *Appointment {
	for _, a := range b.appointments {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func (b *Board) resource(resourceNo string) (*Resource, error) {
	i := slices.IndexFunc(b.resources, func(r Resource) bool { return r.ResourceNo == resourceNo })
	if i < 0 {
		return nil, fmt.Errorf("resource %q: %w", resourceNo, ErrNotFound)
	}
	return &b.resources[i], nil
}

func (b *Board) resourceByEmail(email string) (*Resource, error) {
	i := slices.IndexFunc(b.resources, func(r Resource) bool { return email != "" && strings.EqualFold(r.Email, email) })
	if i < 0 {
		return nil, fmt.Errorf("resource with that e-mail: %w", ErrNotFound)
	}
	return &b.resources[i], nil
}

// hasTask tells whether the appointment's task exists.
func (b *Board) hasTask(a *Appointment) bool {
	return slices.ContainsFunc(b.tasks, func(t Task) bool {
		return t.SourceApp == a.SourceApp && t.SourceType == a.SourceType && t.JobNo == a.JobNo && t.TaskNo == a.TaskNo
	})
}

// check refuses content that the board can not show.
func (b *Board) check(a *Appointment) error {
	switch {
	case a.Start.IsZero() || a.End.IsZero():
		return errors.New("an appointment needs a start and an end")
	case a.End.Before(a.Start):
		return errors.New("the appointment ends before it starts")
	case a.Importance < ImportanceNormal || a.Importance > ImportanceLow:
		return fmt.Errorf("importance %d is none of 0, 1, 2", a.Importance)
	case a.JobNo+a.TaskNo != "" && !b.hasTask(a):
		return fmt.Errorf("task %q of job %q: %w", a.TaskNo, a.JobNo, ErrNotFound)
	case a.Category != "" && !slices.ContainsFunc(b.categories, func(c Category) bool { return c.Name == a.Category }):
		return fmt.Errorf("category %q: %w", a.Category, ErrNotFound)
	case a.TimeMarker != "" && !slices.ContainsFunc(b.timeMarkers, func(m TimeMarker) bool { return m.Name == a.TimeMarker }):
		return fmt.Errorf("time marker %q: %w", a.TimeMarker, ErrNotFound)
	}
	for _, no := range a.Resources {
		if _, err := b.resource(no); err != nil {
			return err
		}
	}
	return nil
}

// origin is who makes a change.
type origin struct {
	user string
	api  bool
}

var byAPI = origin{user: "api", api: true}

// create puts a new appointment on the board and announces it.
func (b *Board) create(a *Appointment, by origin) error {
	if a.GUID == "" || by.api && b.opts.OwnGUIDs {
		a.GUID = b.opts.NewGUID()
	}
	a.GUID = strings.ToLower(a.GUID)
	if err := b.check(a); err != nil {
		return err
	}
	if b.appointments[a.GUID] != nil {
		return fmt.Errorf("appointment %s exists already", a.GUID)
	}
	b.lastID++
	a.ID = b.lastID
	if a.AppointmentNo == "" {
		a.AppointmentNo = fmt.Sprintf("APP%06d", a.ID)
	}
	a.Created, a.LastModified = b.now(), b.now()
	a.CreatedUser, a.LastModifiedUser = by.user, by.user
	a.Start, a.End = a.Start.UTC(), a.End.UTC()
	b.appointments[a.GUID] = a
	b.announce(nil, a, by)
	return nil
}

// change edits an appointment and announces it; after an error nothing has changed.
func (b *Board) change(guid string, by origin, edit func(*Appointment) error) error {
	before, err := b.appointment(guid)
	if err != nil {
		return err
	}
	after := before.clone()
	if err := edit(after); err != nil {
		return err
	}
	if err := b.check(after); err != nil {
		return err
	}
	after.Start, after.End = after.Start.UTC(), after.End.UTC()
	after.LastModified, after.LastModifiedUser = b.now(), by.user
	b.appointments[after.GUID] = after
	b.announce(before, after, by)
	return nil
}

// always makes an edit for change of one that can not fail.
func always(edit func(*Appointment)) func(*Appointment) error {
	return func(a *Appointment) error { edit(a); return nil }
}

// remove takes an appointment off the board and announces it.
func (b *Board) remove(guid string, by origin) error {
	a, err := b.appointment(guid)
	if err != nil {
		return err
	}
	before := a.clone()
	if !b.opts.StaleDeletes {
		before.LastModified, before.LastModifiedUser = b.now(), by.user
	}
	delete(b.appointments, before.GUID)
	b.notifications = slices.DeleteFunc(b.notifications, func(n Notification) bool { return n.AppointmentGUID == before.GUID })
	b.announce(before, nil, by)
	return nil
}

var guidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func randomGUID() string {
	var g [16]byte
	rand.Read(g[:])
	g[6] = g[6]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[:4], g[4:6], g[6:8], g[8:10], g[10:])
}
