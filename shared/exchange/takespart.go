package exchange

import (
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Problems of a resource, for people.
const (
	problemOff       = "Exchange integration is off on the board"
	problemOverride  = "an administrator has switched Exchange integration off for this resource"
	problemEmail     = "the resource has no valid e-mail address"
	problemMailbox   = "no user with this e-mail address was found in the directory"
	problemAmbiguous = "several users have this e-mail address"
	problemDirectory = "the directory could not be asked for this e-mail address yet"
	problemMissing   = "the board does not list the resource any more"
)

// advice is what to do about a problem.
var advice = map[string]string{
	problemOff:       "Switch Exchange integration on for the resource on the board, or let an administrator switch it on here.",
	problemOverride:  "An administrator can switch it on again, or leave it to the board.",
	problemEmail:     "Correct the e-mail address of the resource on the board: one address, without a name.",
	problemMailbox:   "Compare the e-mail address on the board with the user's in Microsoft 365: sign-in name, main address and aliases are looked at.",
	problemAmbiguous: "Give the resource an address on the board that only its own user has.",
	problemDirectory: "Nothing: it is tried again every 15 minutes. If it lasts, check the permission User.Read.All and the client secret.",
	problemMissing:   "Show the resource on the board again, or check that the API key may see it.",
}

// lookup is what the directory says of a resource's address.
type lookup struct {
	asked   bool   // else: what is known counts
	id      string // the mailbox
	problem string // there is none; with an empty id, too, the directory does not say
}

// into brings the row up to date with what the board and the directory say.
func (f lookup) into(row *store.Resource, l appointment.Resource, now time.Time) {
	moved := !strings.EqualFold(row.Email, l.Email)
	row.Name, row.SourceApp, row.Flag = l.Name, l.SourceApp, l.Exchange
	if moved && f.asked && f.id == "" && f.problem == "" && row.Exchange {
		return // of the new address nothing is known yet: the old mailbox goes on
	}
	row.Email = l.Email
	if moved {
		row.Found = time.Time{} // the mailbox is that of the old address
	}
	wanted := row.Override == store.OverrideOn || row.Override == store.OverrideNone && l.Exchange
	row.Exchange, row.Problem = wanted, ""
	switch {
	case !wanted && row.Override == store.OverrideOff:
		row.Problem = problemOverride
	case !wanted:
		row.Problem = problemOff
	case !validEmail(l.Email):
		row.Exchange, row.Problem = false, problemEmail
	case f.id != "":
		row.Mailbox, row.Found = f.id, now
	case !row.Found.IsZero():
		// Not found any more, or not to be told now: a mailbox that was found stays
		// the resource's. If it is gone, its own row says so.
	case f.problem != "":
		row.Exchange, row.Problem = false, f.problem
	default:
		row.Exchange, row.Problem = false, problemDirectory
	}
}

// question notes the mailbox with which the resource took part until now and does
// not any more: whether its future events stay or go is asked of a person. It
// takes the question back if the resource is there again.
func question(row *store.Resource, was store.Resource, has map[string]*store.Target, now time.Time) {
	if left := was.Mailbox; was.Exchange && left != "" && (!row.Exchange || row.Mailbox != left) {
		if t := has[left]; t != nil && !t.Phase.Waits() { // else nothing of ours is there
			if row.Left == nil {
				row.Left = map[string]time.Time{}
			}
			row.Left[left] = now
		}
	}
	if row.Exchange {
		delete(row.Left, row.Mailbox)
	}
}
