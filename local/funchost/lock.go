package funchost

import (
	"context"
	"log/slog"
	"time"
)

// lock is the lock of a message or a session while it is held. Its methods are not for use at once, nor beside a
// receive on the same session: the SDK guards a session's lock time by nothing.
type lock struct {
	until func() time.Time // when it ends unless it is renewed
	renew func(context.Context) error
	last  time.Time // no renewals after that: maxAutoLockRenewalDuration
	lost  bool
	log   *slog.Logger
}

func (q *queueListener) newLock(until func() time.Time, renew func(context.Context) error) *lock {
	return &lock{until: until, renew: renew, last: time.Now().Add(q.config.LockRenewal), log: q.log}
}

// due is when to renew: 10 s before the end, or half way if less is left. false: never again.
func (l *lock) due() (time.Time, bool) {
	left := time.Until(l.until())
	at := time.Now().Add(left - min(left/2, 10*time.Second))
	return at, !l.lost && at.Before(l.last)
}

// extend renews once. The SDK takes a session that was lost again without a word; a lock that has run out is lost.
func (l *lock) extend(ctx context.Context) {
	if !time.Now().Before(l.until()) {
		l.log.Warn("A lock ran out before it was renewed.")
		l.lost = true
		return
	}
	trying, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	if err := l.renew(trying); err != nil && ctx.Err() == nil {
		l.log.Warn("A lock could not be renewed.", "error", err)
		l.lost = true
	}
}

// keep renews until ctx ends or the lock is not to be had any longer.
func (l *lock) keep(ctx context.Context) {
	for {
		at, ok := l.due()
		if !ok {
			return
		}
		wait := time.NewTimer(time.Until(at))
		select {
		case <-wait.C:
			l.extend(ctx)
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}
