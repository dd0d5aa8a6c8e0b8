// Package graphhook receives what Microsoft Graph posts about subscriptions:
// the validation handshake, change notifications and lifecycle notifications.
//
// Guarantees: an answer within 2.5 s (Graph holds an endpoint for slow at 3 s);
// 202 only once the broker has a nudge for each mailbox that is named, else 503,
// and Graph sends again; each item stands for itself, so a bad one takes none
// of the others with it; whether an item was believed shows in no answer. It
// logs counts only: no clientState, token or id.
//
// A notification is a wake-up, the delta query is the truth (design, idea 4). Of
// what has changed a nudge takes along only which events, and their etags, so
// that a worker can tell the echo of its own write without a read.
package graphhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

const (
	// maxBody bounds a POST; Graph's largest hold some hundred items.
	maxBody = 256 << 10
	// deadline lies below the 3 s after which Graph counts an answer as slow.
	deadline = 2500 * time.Millisecond
)

// Verifier checks a clientState, in constant time, and knows its mailbox.
type Verifier interface {
	Verify(clientState string) (mailbox string, ok bool)
}

// Nudger sends nudges, all in one send.
type Nudger interface {
	Nudge(ctx context.Context, nudges ...bus.Nudge) error
}

// Hook is the http.Handler of one notification URL.
type Hook struct {
	// Reason is that of the nudges: the function's name.
	Reason string
	// Verifier returns what checks this request's items; it is not asked for a
	// request without any.
	Verifier func(ctx context.Context) (Verifier, error)
	Bus      Nudger
	// Wake says what an item asks for by its lifecycleEvent, "" if it has
	// none: the kind, and Missing. Items of one mailbox become one nudge that
	// asks for the most of them.
	Wake func(lifecycleEvent string) bus.Nudge
	Log  *slog.Logger
}

// ServeHTTP implements http.Handler.
func (h Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	if handshake(w, r) {
		h.Log.InfoContext(r.Context(), "answered a validation handshake")
		return
	}
	ctx, cancel := context.WithDeadline(r.Context(), began.Add(deadline))
	defer cancel()
	// A body that trickles in does not see the context's end.
	_ = http.NewResponseController(w).SetReadDeadline(began.Add(deadline))

	items, status := readItems(w, r)
	if status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	if len(items) > 0 {
		if err := h.wake(ctx, items); err != nil {
			h.Log.ErrorContext(ctx, "notifications could not be passed on: Graph will send them again", "error", err.Error())
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusAccepted)
}

// readItems returns the items of the envelope, undecoded, or the status to refuse it with.
func readItems(w http.ResponseWriter, r *http.Request) (items []json.RawMessage, status int) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, http.StatusRequestEntityTooLarge
	}
	var envelope struct {
		Value *[]json.RawMessage `json:"value"`
	}
	if err != nil || json.Unmarshal(body, &envelope) != nil || envelope.Value == nil {
		return nil, http.StatusBadRequest
	}
	return *envelope.Value, 0
}

// wake verifies the items and nudges each mailbox that they name once.
func (h Hook) wake(ctx context.Context, items []json.RawMessage) error {
	verifier, err := h.Verifier(ctx)
	if err != nil {
		return err
	}
	var nudges []bus.Nudge
	index := map[string]int{} // of nudges, by mailbox
	unreadable, unverified := 0, 0
	for _, raw := range items {
		var item struct {
			ClientState    string `json:"clientState"`
			ChangeType     string `json:"changeType"`
			LifecycleEvent string `json:"lifecycleEvent"`
			ResourceData   struct {
				ID   string `json:"id"`
				ETag string `json:"@odata.etag"`
			} `json:"resourceData"`
		}
		if json.Unmarshal(raw, &item) != nil {
			unreadable++
			continue
		}
		mailbox, ok := verifier.Verify(item.ClientState)
		if !ok {
			unverified++
			continue
		}
		n := h.Wake(item.LifecycleEvent)
		if d := item.ResourceData; item.LifecycleEvent == "" && !strings.EqualFold(item.ChangeType, "deleted") && d.ID != "" && d.ETag != "" {
			n.States = []bus.EventState{{Event: d.ID, ETag: d.ETag}}
		}
		i, known := index[mailbox]
		if !known {
			n.Target, n.Reason, n.At = mailbox, h.Reason, time.Now().UTC()
			n.Traceparent = funchost.InvocationOf(ctx).Traceparent
			index[mailbox] = len(nudges)
			nudges = append(nudges, n)
			continue
		}
		if n.Kind == bus.Subscribe { // includes a read
			nudges[i].Kind = bus.Subscribe
		}
		nudges[i].Missing = nudges[i].Missing || n.Missing
		nudges[i].States = both(nudges[i].States, n.States)
	}
	level := slog.LevelDebug
	if unreadable+unverified > 0 {
		level = slog.LevelWarn
	}
	h.Log.Log(ctx, level, "notifications", "items", len(items), "mailboxes", len(nudges), "unreadable", unreadable, "unverified", unverified)
	if len(nudges) == 0 {
		return nil
	}
	return h.Bus.Nudge(ctx, nudges...)
}

// both are the states of two items of one mailbox: those of both, or none if
// one of them could be about anything.
func both(a, b []bus.EventState) []bus.EventState {
	if len(a) == 0 || len(b) == 0 || len(a)+len(b) > bus.MaxStates {
		return nil
	}
	return append(a, b...)
}
