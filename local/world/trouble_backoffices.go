package world

import (
	"errors"
	"net/http"
	"strings"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/local/hooksim"
)

// Fate is what becomes of the answer to a delivery that a back office has taken.
type Fate int

const (
	Lost       Fate = iota + 1 // the connection breaks
	Unanswered                 // it stays open, and no answer comes: the caller has to give up
	Killed                     // the handler ends with SIGKILL
)

// fate waits for the next delivery.
type fate struct {
	connector string // "" = either company
	fate      Fate
	sprung    chan error
}

// NextDelivery decides what becomes of the answer to the next delivery to a back
// office, by the id of its connector; "" is either of the companies. The delivery
// itself is taken. The channel then receives the outcome.
func (w *World) NextDelivery(connector string, what Fate) <-chan error {
	w.trouble.mu.Lock()
	defer w.trouble.mu.Unlock()
	f := &fate{connector, what, make(chan error, 1)}
	w.trouble.fates = append(w.trouble.fates, f)
	return f.sprung
}

// LoseERPAnswer lets the next delivery to a company be carried out and never answered.
func (w *World) LoseERPAnswer() { w.NextDelivery("", Unanswered) }

// SetERPDown takes the servers of both companies down, until it is switched off.
// People there go on working.
func (w *World) SetERPDown(down bool) error {
	var problems []error
	for _, o := range w.back.outlets {
		if down {
			problems = append(problems, o.down())
		} else {
			problems = append(problems, o.up())
		}
	}
	return errors.Join(problems...)
}

// SetERPLocked lets both companies refuse every new row, as when somebody holds a
// lock on the table, until it is switched off.
func (w *World) SetERPLocked(locked bool) {
	w.trouble.mu.Lock()
	defer w.trouble.mu.Unlock()
	w.trouble.erpLocked = locked
}

// RotateERPSecret replaces the client secret of Cronus' application: the old one
// and all tokens are worthless from now on, and the new one lies in the vault.
func (w *World) RotateERPSecret(next string) {
	w.Vault.Set(cronusSecret, next)
	w.back.online.SetApps(map[string]erpsim.App{erpClient: {Secrets: []string{next}}})
	w.back.online.RevokeTokens()
}

// takeFate returns the fate that waits for a delivery to this back office, once.
func (w *World) takeFate(connector string) *fate {
	w.trouble.mu.Lock()
	defer w.trouble.mu.Unlock()
	for i, f := range w.trouble.fates {
		if f.connector == connector || f.connector == "" && connector != Partner {
			w.trouble.fates = append(w.trouble.fates[:i:i], w.trouble.fates[i+1:]...)
			return f
		}
	}
	return nil
}

// spring lets a fate happen.
func (w *World) spring(f *fate) {
	if f.fate == Killed {
		f.sprung <- w.host.KillHandler()
		return
	}
	f.sprung <- nil
}

// erpFault is the fault hook of the companies.
func (w *World) erpFault(connector string, r erpsim.FaultRequest) *erpsim.FaultResponse {
	if !isDelivery(r) {
		return nil
	}
	w.trouble.mu.Lock()
	locked := w.trouble.erpLocked
	w.trouble.mu.Unlock()
	if locked {
		return &erpsim.FaultResponse{Locked: true, Language: "en"}
	}
	f := w.takeFate(connector)
	if f == nil {
		return nil
	}
	w.spring(f)
	return &erpsim.FaultResponse{AfterCommit: true, Cut: f.fate != Unanswered, Hang: f.fate == Unanswered}
}

// isDelivery tells whether the request adds a row to the staging table.
func isDelivery(r erpsim.FaultRequest) bool {
	return r.Method == http.MethodPost && (r.Route == "appointments" || r.Route == "page" && strings.HasSuffix(r.Header.Get("SOAPAction"), `:Create"`))
}

// hookFault is the fault hook of the webhook.
func (w *World) hookFault(hooksim.Delivery) *hooksim.Fault {
	f := w.takeFate(Partner)
	if f == nil {
		return nil
	}
	w.spring(f)
	return &hooksim.Fault{AfterKeeping: true, Cut: f.fate != Unanswered, Hang: f.fate == Unanswered}
}
