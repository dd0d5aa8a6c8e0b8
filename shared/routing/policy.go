package routing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/category"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/rules"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Names of the rows in the store's values.
const (
	RulesName      = "rules"      // as people wrote them
	CategoriesName = "categories" // JSON of category.Links
)

// Policy is what administrators have decided of which appointments are sent to
// Outlook and how they are marked there. The zero value sends all.
type Policy struct {
	Rules *rules.Set
	Links category.Links
	// NoLinks: the links can not be read; categories stay as they are.
	NoLinks bool

	fingerprint string
}

// NewPolicy reads both texts. What can not be read is no error: broken rules judge
// nothing, and with broken links categories stay as they are.
func NewPolicy(ruleText, linkText string) Policy {
	var p Policy
	p.Rules, _ = rules.Parse(ruleText)
	var err error
	p.Links, err = category.Parse(linkText)
	p.NoLinks = err != nil
	links, _ := json.Marshal(p.Links) // texts and nothing else
	if p.NoLinks {
		links = []byte(linkText)
	}
	if p.Rules.Fingerprint() != "" || string(links) != "{}" {
		sum := sha256.Sum256([]byte(p.Rules.Fingerprint() + "\n" + string(links)))
		p.fingerprint = hex.EncodeToString(sum[:8])
	}
	return p
}

// Fingerprint tells two policies apart; that of the zero value is empty.
func (p Policy) Fingerprint() string { return p.fingerprint }

// Categories returns the Outlook categories that stand for what a graph shows; ok
// is false if the graph does not say.
func (p Policy) Categories(graph []byte) (list string, ok bool) {
	if p.NoLinks {
		return "", false
	}
	return p.Links.Outlook(dimescheduler.Labels(graph))
}

// Agrees reports whether the policy would route the appointment as it was routed,
// so that it need not be announced again.
func (p Policy) Agrees(h *store.Head) bool {
	if list, ok := p.Categories(h.Graph); ok && list != h.Categories {
		return false
	}
	o := p.Rules.Evaluate(h.Graph)
	for target, wanted := range h.Targets {
		reason, held := h.Held[target]
		switch {
		case !strings.HasPrefix(target, mailboxPrefix) || o.Broken != "":
		case o.Passes && held, !o.Passes && wanted, held && reason != o.Message:
			return false
		}
	}
	return true
}

// Policies reads the policy at most twice a minute. Nil = the zero policy.
type Policies struct {
	Values store.Values
	Now    func() time.Time
	Log    *slog.Logger

	mu    sync.Mutex
	read  time.Time
	etags [2]string
	value Policy
}

const policyAge = 30 * time.Second

// Get returns the policy; its error is that of the store.
func (p *Policies) Get(ctx context.Context) (Policy, error) {
	if p == nil {
		return Policy{}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	if !p.read.IsZero() && now.Sub(p.read) < policyAge && !now.Before(p.read) {
		return p.value, nil
	}
	var texts, etags [2]string
	for i, name := range []string{RulesName, CategoriesName} {
		var err error
		if texts[i], etags[i], err = p.Values.Value(ctx, name); err != nil && !errors.Is(err, store.ErrNotFound) {
			return Policy{}, err
		}
	}
	if p.read.IsZero() || etags != p.etags {
		p.value = NewPolicy(texts[0], texts[1])
		p.complain(ctx)
	}
	p.read, p.etags = now, etags
	return p.value, nil
}

// complain says once what of the stored texts can not be used: nobody has saved it
// through the desk, which would have refused it.
func (p *Policies) complain(ctx context.Context) {
	for _, r := range p.value.Rules.Rules() {
		if r.Broken {
			p.Log.ErrorContext(ctx, "a stored rule can not be evaluated: it neither sends nor removes an appointment", "workflow", r.Workflow, "rule", r.Name)
		}
	}
	if p.value.NoLinks {
		p.Log.ErrorContext(ctx, "the stored category links can not be read: categories stay as they are")
	}
}

// mailboxTargets are the mailboxes of a head, sorted.
func mailboxTargets(h *store.Head) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(h.Targets)), func(t string) bool { return !strings.HasPrefix(t, mailboxPrefix) })
}
