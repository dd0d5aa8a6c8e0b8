// Package appointmentintake is the function that takes appointments over HTTP,
// as Dime.Scheduler's webhook connector sends them, and puts them on the
// appointments queue.
//
// 202 means that the broker has the change; 4xx that sending it again is of no
// use, with the reason; 503 that it is. The host has checked the function key.
package appointmentintake

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

// maxBody is what a message of the standard tier can hold, 256 KiB, less
// headroom for its properties and header.
const maxBody = 240 << 10

// sendTime is how long the broker is tried; the sender waits for the answer.
const sendTime = 15 * time.Second

// Decode reads a message of the board. Its errors are Poison faults whose cause is
// written for the sender.
type Decode func(body []byte, changeType string, sequence int64, enqueued time.Time) (appointment.Change, error)

// Sender puts changes on the appointments queue.
type Sender interface {
	Send(ctx context.Context, changes ...bus.Change) error
}

// Handler returns the function; the path value "operation" says what has happened.
func Handler(decode Decode, sender Sender, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		change, status, problem := read(w, r, decode)
		if problem != "" {
			answer(w, status, map[string]string{"error": problem})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), sendTime)
		defer cancel()
		if err := sender.Send(ctx, change); err != nil {
			log.ErrorContext(ctx, "a change could not be put on the queue", "error", err.Error())
			w.Header().Set("Retry-After", "30")
			answer(w, http.StatusServiceUnavailable, map[string]string{"error": "the queue can not be reached; send it again later"})
			return
		}
		answer(w, http.StatusAccepted, map[string]string{"messageId": change.MessageID})
	})
}

// read returns the change, or the status and the reason to refuse it with.
func read(w http.ResponseWriter, r *http.Request, decode Decode) (_ bus.Change, status int, problem string) {
	operation, err := appointment.ParseOperation(r.PathValue("operation"))
	if err != nil {
		return bus.Change{}, http.StatusBadRequest, "the path must end with create, update or delete"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return bus.Change{}, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d KiB", maxBody>>10)
	}
	if err != nil {
		return bus.Change{}, http.StatusBadRequest, "the body ended early"
	}
	change, err := decode(body, string(operation), 0, time.Now())
	if err != nil {
		return bus.Change{}, http.StatusBadRequest, reason(err)
	}
	return bus.Change{
		MessageID:   messageID(change, body),
		Operation:   operation,
		Body:        body,
		Traceparent: funchost.InvocationOf(r.Context()).Traceparent,
	}, 0, ""
}

// messageID is the same for the same change, so that the queue drops a POST
// that is repeated because its answer was lost. Only the board's own time of
// change tells such a one from a planner who moves an appointment there, back
// and there again; without that time both are kept.
func messageID(c appointment.Change, body []byte) string {
	if c.Appointment.Modified.IsZero() {
		return "intake-" + rand.Text()
	}
	sum := sha256.Sum256(append([]byte(c.Operation+"\n"), body...))
	return "intake-" + hex.EncodeToString(sum[:])
}

// reason returns the sentence that the decoder has written for the sender.
func reason(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Poison && f.Err != nil {
		return f.Err.Error()
	}
	return "the body can not be read as an appointment"
}

func answer(w http.ResponseWriter, status int, v map[string]string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // if the caller is gone there is nobody to tell
}
