package exchange

import (
	"context"
	"strings"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// diagnose says more exactly why a mailbox can not be reached, where Exchange
// answers several states alike, by asking the directory. It returns the code, and
// whether no mailbox can be reached for the same reason.
func (s *session) diagnose(ctx context.Context, f *fault.Error) (code string, everybody bool) {
	code = codeOf(f)
	if !strings.HasPrefix(f.Op, "graph:") {
		return code, false
	}
	if code != codeUnreachable && code != codePolicy || f.WholeService {
		return code, f.WholeService
	}
	st, err := s.Calendar.Standing(ctx, s.mailbox)
	switch {
	case fault.Is(err, fault.NotFound):
		return codeNoUser, false
	case fault.Is(err, fault.Auth) && code == codePolicy:
		return codeConsent, true // the directory is closed to us as well: it is no policy of this mailbox
	case err != nil || code == codePolicy:
		return code, false
	}
	return stateOf(st), false
}

// stateOf names the state of a mailbox that Exchange does not open.
//
// Guess: of a user who is synchronised from a local directory and has no plan the
// mailbox lies on-premises; with a plan in force it is being moved or set up.
func stateOf(st calendar.Standing) string {
	switch {
	case !st.Enabled:
		return codeDisabled
	case st.Licensed:
		return codeMoved
	case st.Expired:
		return codeSoftDeleted
	case st.Synchronised:
		return codeOnPremises
	}
	return codeUnlicensed
}
