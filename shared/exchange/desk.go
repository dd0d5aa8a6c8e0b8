package exchange

import (
	"context"
	"log/slog"
	"time"

	"github.com/dime-scheduler/connectors/shared/store"
)

// Desk is what people may do to the Exchange connector, and see of it: the
// administrators and the resources behind the web portal. Each topic has a file
// (desk_*.go). Every method is safe twice, checks its input with errors for
// people, notes in the audit log who did what, and nudges what has to move; who may
// do what is the portal's to decide.
type Desk struct {
	Store    store.Store
	Calendar Calendar
	Board    Board
	Bus      Bus
	Now      func() time.Time
	Log      *slog.Logger
}

// audit notes what a person has done. An action that can not be noted must not
// look as if it had not been done: the error is returned after the effect.
func (d *Desk) audit(ctx context.Context, who, action, object, text string) error {
	return d.Store.Audit(ctx, store.AuditEntry{Who: who, Action: action, Object: object, Text: text, At: d.Now()})
}
