// Package doctor examines an installation: it tries each thing that the connectors
// depend on as they use it, and says of what does not work what is wrong and who has
// to do what. Unlike health, which anybody may ask every second, it takes its time,
// and with a test mailbox it writes there.
//
// Guarantees: an examination ends within its time, whoever does not answer; what it
// writes is removed again, also after a failure halfway, and a leftover of a run that
// was killed is removed by the next; its event lies ten years ahead, outside of all
// that is synchronised; its subscription has an address of its own, so that no worker
// takes it for the mailbox's. No text holds a secret, a subject or an e-mail address
// but that of the test mailbox, as it was given.
//
// It mends nothing and keeps no results.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Status is the outcome of a check.
type Status string

const (
	OK      Status = "ok"
	Failed  Status = "failed"
	Skipped Status = "skipped" // not looked at, and why; or not needed
)

// Check is one thing that was looked at.
type Check struct {
	Area   string `json:"area"`
	Name   string `json:"name"`
	Status Status `json:"status"`
	Code   string `json:"code,omitempty"` // ours or the other side's, for support
	Text   string `json:"text"`           // what was found
	Do     string `json:"do,omitempty"`   // what a person has to do; empty unless it failed
}

// Report is an examination.
type Report struct {
	OK      bool      `json:"ok"` // nothing has failed
	Version string    `json:"version"`
	Mailbox string    `json:"mailbox,omitempty"` // the test mailbox, as given
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	Checks  []Check   `json:"checks"`
}

// Count returns how many checks ended so.
func (r Report) Count(s Status) int {
	n := 0
	for _, c := range r.Checks {
		if c.Status == s {
			n++
		}
	}
	return n
}

// Doctor examines. What is nil can not be looked at, which follows from another
// failure.
type Doctor struct {
	Version string
	// Settings is the error of settings.Load; with one nothing else is looked at.
	Settings error
	Tables   Tables
	Queues   Queues
	Vault    Vault
	// Secrets are those that the app needs.
	Secrets  []Secret
	Calendar Calendar
	// Keys is the name of the secret with the clientState keys.
	Keys string
	// PublicURL is where Graph calls back.
	PublicURL  string
	HTTP       Poster
	Board      Board
	Connectors Connectors

	Now func() time.Time
	// Within bounds an examination; 0 = 25 s, below the limit of an HTTP function.
	Within time.Duration
	// Pause lies between two looks for the test event, which Exchange's index shows a
	// little later; 0 = 2 s.
	Pause time.Duration
}

// cleanUp bounds what is done after the time is up, so that nothing is left.
const cleanUp = 20 * time.Second

// area is a part of the installation that is looked at by itself.
type area struct {
	name    string
	examine func(ctx context.Context, f *findings)
}

// Examine looks at everything, side by side where one does not depend on the other.
// mailbox is the address of a test mailbox; without one nothing is written outside,
// and the checks that need a mailbox are skipped.
func (d *Doctor) Examine(ctx context.Context, mailbox string) Report {
	within := d.Within
	if within <= 0 {
		within = 25 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	began := d.Now()
	r := Report{Version: d.Version, Mailbox: strings.TrimSpace(mailbox), At: began.UTC()}
	areas := []area{{"settings", d.settings}}
	if d.Settings == nil {
		areas = append(areas,
			area{"tables", d.tables}, area{"queues", d.queues}, area{"key vault", d.vault},
			area{"graph", func(ctx context.Context, f *findings) { d.graph(ctx, f, r.Mailbox) }},
			area{"public address", d.public}, area{"board", d.board}, area{"back offices", d.backOffices})
	}
	all := make([]*findings, len(areas))
	for i, a := range areas {
		all[i] = &findings{area: a.name, done: make(chan struct{})}
		go all[i].run(ctx, a)
	}
	for _, f := range all {
		r.Checks = append(r.Checks, f.await(ctx)...)
	}
	r.OK = r.Count(Failed) == 0
	r.Seconds = d.Now().Sub(began).Round(10 * time.Millisecond).Seconds()
	return r
}

// findings collects the checks of an area, for a reader that may not wait for the last.
type findings struct {
	area string
	done chan struct{}

	mu     sync.Mutex
	checks []Check
	closed bool
}

func (f *findings) run(ctx context.Context, a area) {
	defer close(f.done)
	defer func() {
		if v := recover(); v != nil { // its text may hold anything
			f.failed(a.name, "", "The doctor itself has failed here.", "Report it, with the version.")
		}
	}()
	a.examine(ctx, f)
}

// await returns what was found when the area is done, or time is up.
func (f *findings) await(ctx context.Context) []Check {
	late := false
	select {
	case <-f.done:
	case <-ctx.Done():
		select {
		case <-f.done:
		case <-time.After(time.Second): // who heeds the context answers now
			late = true
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if late {
		f.checks = append(f.checks, Check{f.area, f.area, Failed, "", "It does not answer in time.", "Try again; if it lasts, look at its own health and at the network between."})
	}
	return f.checks
}

func (f *findings) add(c Check) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.Area = f.area
	if !f.closed {
		f.checks = append(f.checks, c)
	}
}

func (f *findings) ok(name, text string, args ...any) {
	f.add(Check{Name: name, Status: OK, Text: fmt.Sprintf(text, args...)})
}

func (f *findings) skipped(name, text string, args ...any) {
	f.add(Check{Name: name, Status: Skipped, Text: fmt.Sprintf(text, args...)})
}

func (f *findings) failed(name, code, text, do string) {
	f.add(Check{Name: name, Status: Failed, Code: code, Text: text, Do: do})
}
