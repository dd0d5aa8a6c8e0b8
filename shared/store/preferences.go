package store

import (
	"context"
	"time"
)

// Preferences are what the person of a resource, or an administrator for them,
// lets flow back from the calendar to the board. An empty text says nothing: the
// deployment's default holds. They are choices, not their effect: that is
// computed in one place (shared/exchange).
type Preferences struct {
	Resource string // its number

	// OptIn: "yes" or "no": whether anything flows back at all.
	OptIn string
	// ShowAs and Sensitivity are the values that flow back, in Graph's spelling and
	// separated by commas; "none" = none of them.
	ShowAs, Sensitivity string
	// Details: "yes" or "no": whether the words of private and confidential events
	// are shown, if these flow back at all.
	Details string
	// Fixed: an administrator has decided, and the person can not change it.
	Fixed bool

	ChangedBy string // the person who changed it last
	Changed   time.Time
	ETag      string
}

// People is the state of what people have chosen.
type People interface {
	// Preferences returns a resource's row, or ErrNotFound: nothing was said.
	Preferences(ctx context.Context, resource string) (*Preferences, error)
	// AllPreferences returns all rows, ordered by resource number.
	AllPreferences(ctx context.Context) ([]*Preferences, error)
	// SwapPreferences stores p if the row still has p.ETag (empty: if there is no
	// row yet), else ErrConflict; it sets the new ETag.
	SwapPreferences(ctx context.Context, p *Preferences) error
}
