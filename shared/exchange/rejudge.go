package exchange

import (
	"context"
	"errors"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// judgedAlike reports whether the rules and category links of now would route the
// appointment as it was routed; then the head takes note of it, and nothing has to
// be announced. So a change of the rules moves only what it is about.
func (s *session) judgedAlike(ctx context.Context, head *store.Head) (bool, error) {
	if head.Judged == s.policy.Fingerprint() {
		return true, nil
	}
	if !s.policy.Agrees(head) {
		return false, nil
	}
	next := *head
	next.Judged = s.policy.Fingerprint()
	if err := s.Store.SwapHead(ctx, &next); err != nil && !errors.Is(err, store.ErrConflict) {
		return false, err
	}
	return true, nil // or somebody routes it at this moment, by rules that are no older
}

// rejudge looks the board's list through when the rules or the category links have
// changed since it was last: with a mailbox's next read, so that a fleet does not do
// it all at once. What is beyond the window is judged when it changes, or comes into it.
func (s *session) rejudge(ctx context.Context, window calendar.Window) error {
	fingerprint := s.policy.Fingerprint()
	if s.row.Judged == fingerprint {
		return nil
	}
	numbers := make([]string, len(s.resources))
	for i, r := range s.resources {
		numbers[i] = r.No
	}
	listed, err := s.Board.Appointments(ctx, window.Start, window.End, numbers)
	if err != nil {
		// The board's fault is not this mailbox's: the next read tries again.
		s.log.WarnContext(ctx, "the board's list could not be read: rules are applied later", "error", err)
		return nil
	}
	for _, a := range listed {
		if err := s.news(ctx, a); err != nil {
			return err
		}
	}
	return s.save(ctx, func(t *store.Target) { t.Judged = fingerprint })
}
