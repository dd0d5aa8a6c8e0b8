package exchange

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/trace"
)

// Worker does everything that is done to a mailbox. It has no state of its own
// but caches; one serves all mailboxes, and the queue's sessions see to it that
// no two work on one mailbox.
type Worker struct {
	Store    store.Store
	Calendar Calendar
	// Fits returns how many of the leading writes one Calendar.Apply takes (R15).
	Fits  func(writes []calendar.Write) int
	Board Board
	Bus   Bus
	// Zone is where all-day events begin and end on the board; nil = UTC.
	Zone *time.Location
	// Keys returns the keys of clientState.
	Keys func(ctx context.Context) (Keys, error)
	// NotificationURL and LifecycleURL are where Graph calls.
	NotificationURL, LifecycleURL string
	Now                           func() time.Time
	// NewGuid makes the Guids that we propose to the board; nil = random ones.
	NewGuid func() string
	Log     *slog.Logger

	// Policies are the rules and the category links; nil = none.
	Policies *routing.Policies

	settings settingsCache
	masters  masters
	service  serviceCache
}

// Pauses and limits of a worker.
const (
	// dueSoon is when redrive looks at a target if the nudge for it is lost (R1).
	dueSoon = time.Minute
	// readGap is how near to the last read a wake-up may be before it could be
	// about something that this read did not see (R4).
	readGap = 5 * time.Second
	// readPause lies between two reads that are both known to be needed.
	readPause = time.Second
	// baselineAge is after how long both sides are compared as a whole.
	baselineAge = 24 * time.Hour
	// baselineRetry is how long after the board's list failed it is read again.
	baselineRetry = time.Hour
	// maxConflicts is how many 412 in a row are taken as they come (R11).
	maxConflicts = 3
	// maxPasses bounds the passes of one nudge, as a guard against a link that
	// stays due though it was dealt with.
	maxPasses = 500
	// listSize bounds how many due links are taken at once.
	listSize = 200
	// reserve is how much of the invocation's time is kept for putting things away.
	reserve = 20 * time.Second
)

// errLater ends a round early: the mailbox has asked to be left alone, or the
// time of the invocation is over. What is due stays due.
var errLater = errors.New("exchange: later")

// Handle does what a nudge asks for. It returns an error only if our own store
// or broker failed; faults of the mailbox and of the board are kept in the
// links and the target, and come back by themselves (section 5 of the design).
func (w *Worker) Handle(ctx context.Context, n bus.Nudge) error {
	s, err := w.open(ctx, n)
	if err != nil || s == nil {
		return err
	}
	defer s.flush(ctx)
	do := s.work
	if !s.row.Participates {
		do = s.leaveMailbox
	}
	switch err := do(ctx, n); {
	case err == nil:
		return nil
	case errors.Is(err, errLater):
		return s.rest(ctx, nil)
	default:
		return s.targetFailed(ctx, err)
	}
}

func (w *Worker) zone() string {
	if w.Zone == nil {
		return "UTC"
	}
	return w.Zone.String()
}

// session is one nudge's work on one mailbox.
type session struct {
	*Worker
	mailbox   string
	row       *store.Target // as last read or written by us
	settings  Settings
	back      *filter  // what flows back; nil = not read yet, see flowsBack
	Calendar  Calendar // the worker's: all-day events have a zone, and what the filter keeps back is not there
	policy    routing.Policy
	resources []*store.Resource // those with this mailbox that take part
	all       []*store.Resource // all with this mailbox
	visible   bool              // the board has shown us a resource of the mailbox
	conflicts map[string]int    // 412s in a row, by appointment
	links     []*store.Link     // of the mailbox as the round found them; nil = not read yet
	former    map[string]bool   // events that were removed from links; nil = not read yet
	span      calendar.Window   // in which events are born
	// seriesGone are the series that a read of this session proved to be gone, and
	// wrote those of which it wrote an occurrence.
	seriesGone, wrote map[string]bool
	paired            map[string]bool // links that were looked for in a series in this session
	failed            map[string]bool // links that have failed since their planner's notification was looked at
	journal           []store.Transaction
	cause             trace.Cause
	source            string   // of what is recorded
	last              outgoing // call
	log               *slog.Logger

	Board Board // the worker's, recorded
}

// open reads what every nudge needs; nil if there is nothing to do now.
func (w *Worker) open(ctx context.Context, n bus.Nudge) (*session, error) {
	log := w.Log.With("mailbox", n.Target, "nudge", string(n.Kind), "reason", n.Reason)
	row, err := w.Store.Target(ctx, store.Mailbox, n.Target)
	if errors.Is(err, store.ErrNotFound) {
		log.InfoContext(ctx, "nudge for a mailbox that nobody knows: nothing to do")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &session{Worker: w, mailbox: n.Target, row: row, log: log,
		conflicts: map[string]int{}, seriesGone: map[string]bool{}, wrote: map[string]bool{}, paired: map[string]bool{}, failed: map[string]bool{}}
	s.begin(ctx, n.Reason)
	now := w.Now()
	if !row.Participates && row.Leaving == "" {
		return nil, nil
	}
	if wait := s.waitUntil(); wait.After(now) {
		// Nothing may be asked of the mailbox yet; a read must not be forgotten.
		return nil, s.book(ctx, wait, n.Kind != bus.Push)
	}
	if away, err := s.turnedAway(ctx); away || err != nil {
		return nil, err
	}
	if n.Kind == bus.Push && row.Due.IsZero() && !s.bookedRead(now) {
		return nil, nil // R3: whoever made a link due has lowered Due first (R1)
	}
	if s.settings, err = w.settings.get(ctx, w.Store, now, w.Log); err != nil {
		return nil, err
	}
	if s.policy, err = w.Policies.Get(ctx); err != nil {
		return nil, err
	}
	if s.all, err = w.Store.ResourcesOf(ctx, n.Target); err != nil {
		return nil, err
	}
	for _, r := range s.all {
		if r.Exchange {
			s.resources = append(s.resources, r)
		}
	}
	if len(s.resources) == 0 && row.Participates {
		// Who is assigned can not be told: nothing may be concluded from it.
		log.WarnContext(ctx, "a mailbox that takes part has no resource: left alone until the next resource synchronisation")
		return nil, nil
	}
	return s, nil
}

// waitUntil is the time before which the mailbox is left alone; zero = now.
func (s *session) waitUntil() time.Time {
	if !s.row.SuspendedSince.IsZero() && s.row.SuspendedBy == "" && s.row.Probe.After(s.row.NotBefore) {
		return s.row.Probe
	}
	return s.row.NotBefore
}

func (s *session) bookedRead(now time.Time) bool {
	return !s.row.BookedRead.IsZero() && !s.row.BookedRead.After(now)
}

// work is the whole of a nudge.
func (s *session) work(ctx context.Context, n bus.Nudge) error {
	if s.row.Phase != store.PhaseReleased {
		if in, err := s.moveIn(ctx, n); err != nil || !in {
			return err
		}
		n.Kind, n.Missing = bus.Subscribe, true // Graph may still have one of before (R36), and a read follows (R38)
	}
	resuming := !s.row.SuspendedSince.IsZero()
	if err := s.resolveOpen(ctx); err != nil {
		if errors.Is(err, errLater) && n.Kind != bus.Push {
			if err := s.book(ctx, s.waitUntil(), true); err != nil { // the read is still owed
				return err
			}
		}
		return err
	}
	if n.Kind == bus.Subscribe || resuming || n.Kind == bus.Read && s.unsubscribed() {
		if err := s.subscribe(ctx, n); onlySubscription(err) {
			// It can be read without; renewal and the next sweep try again.
			s.log.WarnContext(ctx, "no subscription: the mailbox is read by the sweep only", "error", err)
		} else if err != nil {
			return err
		}
	}
	read, later, err := s.wantsRead(ctx, n, resuming)
	if err != nil {
		return err
	}
	switch {
	case read:
		if err := s.read(ctx, resuming); err != nil {
			return err
		}
		if err := s.readAgain(ctx, n.States); err != nil {
			return err
		}
	case !later.IsZero():
		if err := s.book(ctx, later, true, n.States...); err != nil {
			return err
		}
	}
	if resuming {
		if err := s.resumed(ctx); err != nil {
			return err
		}
	}
	if err := s.rest(ctx, s.pass); err != nil || s.row.Probes == 0 {
		return err
	}
	// Only now has the mailbox shown that it works, for writes too.
	return s.save(ctx, func(t *store.Target) { t.Probes = 0 })
}

// short reports whether too little time is left to begin something new.
func short(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < reserve
}
