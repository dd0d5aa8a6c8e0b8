package graphsim

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// admit counts a request towards the limits of its mailbox and waits the latency. It returns how to
// leave, or the refusal. Requests to unknown users are admitted: there is nothing to limit.
func (s *Server) admit(c *call) (release func(), refused *reply) {
	s.mu.Lock()
	b := s.lookup(c.params["user"])
	latency := s.behaviour.Latency
	if b == nil {
		s.mu.Unlock()
		return func() {}, nil
	}
	if r := s.throttle(c, b); r != nil {
		s.mu.Unlock()
		return nil, r
	}
	b.inFlight++
	s.mu.Unlock()
	s.sleep(c.ctx, latency)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		b.inFlight--
	}, nil
}

// throttle refuses one request too many at a time, or too many in the period. Locked.
func (s *Server) throttle(c *call, b *mailbox) *reply {
	most := s.behaviour.Concurrency
	if most == 0 {
		most = 4
	}
	if most > 0 && b.inFlight >= most {
		return s.throttled(c, "MailboxConcurrency", s.behaviour.RetryAfter)
	}
	limit, period := s.behaviour.RateLimit, s.behaviour.RatePer
	if limit <= 0 {
		return nil
	}
	if period == 0 {
		period = 10 * time.Minute
	}
	now := s.now()
	b.served = slices.DeleteFunc(b.served, func(t time.Time) bool { return !t.After(now.Add(-period)) })
	if len(b.served) >= limit {
		return s.throttled(c, "RequestLimit", b.served[0].Add(period).Sub(now))
	}
	b.served = append(b.served, now)
	return nil
}

// throttled is the refusal, in the wanted status and form of Retry-After. Locked.
func (s *Server) throttled(c *call, limit string, wait time.Duration) *reply {
	if wait <= 0 {
		wait = time.Second
	}
	code := s.behaviour.ThrottleStatus
	if code == 0 {
		code = http.StatusTooManyRequests
	}
	r := s.refuse(c, &graphError{code, "ApplicationThrottled", "Application is over its " + limit + " limit."})
	r.set("Retry-After", retryAfter(wait, s.behaviour.RetryAfterForm, s.now()))
	return &r
}

// retryAfter writes a Retry-After header; all forms round up.
func retryAfter(d time.Duration, form RetryAfterForm, now time.Time) string {
	switch form {
	case RetryAfterFraction:
		return strconv.FormatFloat(math.Ceil(d.Seconds()*1000)/1000, 'f', 3, 64)
	case RetryAfterDate:
		return now.Add(d + time.Second - 1).Format(http.TimeFormat)
	}
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}
