package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

// trouble is what a person has switched on.
type trouble struct {
	mu     sync.Mutex
	storm  bool
	down   bool
	ambush *ambush
	// of the back offices
	erpLocked bool
	fates     []*fate
}

// ambush is the end of the handler at its next write to Outlook.
type ambush struct {
	afterCommit bool
	sprung      chan error
}

// stormRetryAfter is what a throttled call is told to wait.
const stormRetryAfter = "1"

// KillHandler ends the handler with SIGKILL; the host starts it anew.
func (w *World) KillHandler() error { return w.host.KillHandler() }

// KillAtNextWrite ends the handler with SIGKILL while its next write of an
// event is under way: before Graph carries it out or, with afterCommit, after
// it and before the answer. The channel then receives the outcome.
func (w *World) KillAtNextWrite(afterCommit bool) <-chan error {
	w.trouble.mu.Lock()
	defer w.trouble.mu.Unlock()
	a := &ambush{afterCommit: afterCommit, sprung: make(chan error, 1)}
	w.trouble.ambush = a
	return a.sprung
}

// DropNotifications loses the next n notifications of Graph.
func (w *World) DropNotifications(n int) {
	w.Graph.Change(func(b *graphsim.Behaviour) { b.Notifications.DropNext += n })
}

// StopDropping takes back what DropNotifications has left.
func (w *World) StopDropping() {
	w.Graph.Change(func(b *graphsim.Behaviour) { b.Notifications.DropNext = 0 })
}

// ExpireSubscriptions ends all subscriptions without a word, as their expiry
// does, and returns how many there were.
func (w *World) ExpireSubscriptions() int {
	n := 0
	for _, s := range w.Graph.Subscriptions() {
		if w.Graph.ExpireSubscription(s.ID) == nil {
			n++
		}
	}
	return n
}

// SetStorm lets Graph answer 429 to everything, until it is switched off.
func (w *World) SetStorm(on bool) {
	w.trouble.mu.Lock()
	defer w.trouble.mu.Unlock()
	w.trouble.storm = on
}

// SetGraphDown lets Graph and its sign-in break every connection, until it is
// switched off. People go on working in Outlook.
func (w *World) SetGraphDown(down bool) {
	w.trouble.mu.Lock()
	defer w.trouble.mu.Unlock()
	w.trouble.down = down
}

// reachable is h but for the time of SetGraphDown.
func (w *World) reachable(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.trouble.mu.Lock()
		down := w.trouble.down
		w.trouble.mu.Unlock()
		if down {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(rw, r)
	})
}

// graphFault is the fault hook of Graph.
func (w *World) graphFault(r graphsim.FaultRequest) *graphsim.FaultResponse {
	w.trouble.mu.Lock()
	storm, a := w.trouble.storm, w.trouble.ambush
	if a != nil && isWrite(r) && !storm {
		w.trouble.ambush = nil
	} else {
		a = nil
	}
	w.trouble.mu.Unlock()
	switch {
	case storm && !r.Item:
		return &graphsim.FaultResponse{Status: http.StatusTooManyRequests, Code: "TooManyRequests",
			Message: "Too many requests", RetryAfter: stormRetryAfter}
	case a != nil:
		a.sprung <- w.host.KillHandler()
		return &graphsim.FaultResponse{AfterCommit: a.afterCommit, Cut: true}
	}
	return nil
}

// isWrite tells whether the request creates, changes or deletes an event.
func isWrite(r graphsim.FaultRequest) bool {
	return r.Method != http.MethodGet && strings.Contains(r.Route, "/events")
}

// AgeReads lets it seem that every mailbox was last read that long ago. The
// sweep goes by these times alone, and nobody wants to wait for half an hour;
// they lie in the app's own table.
func (w *World) AgeReads(ctx context.Context, by time.Duration) error {
	service, err := aztables.NewServiceClientFromConnectionString(w.storage.TablesConnectionString(), nil)
	if err != nil {
		return err
	}
	targets := service.NewClient("targets")
	filter, selection := "PartitionKey eq 'mailbox'", "PartitionKey,RowKey,LastRead"
	rows := targets.NewListEntitiesPager(&aztables.ListEntitiesOptions{Filter: &filter, Select: &selection})
	aged := 0
	for rows.More() {
		page, err := rows.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("the app's targets can not be listed: %w", err)
		}
		for _, row := range page.Entities {
			if err := ageRow(ctx, targets, row, by); err != nil {
				return err
			}
			aged++
		}
	}
	if aged == 0 {
		return errors.New("the app knows no mailbox: its table targets has no row in the partition mailbox")
	}
	return nil
}

// ageRow moves the time of one mailbox's last read back.
func ageRow(ctx context.Context, targets *aztables.Client, row []byte, by time.Duration) error {
	var target map[string]any
	if err := json.Unmarshal(row, &target); err != nil {
		return fmt.Errorf("a row of the app's table targets: %w", err)
	}
	text, _ := target["LastRead"].(string)
	read, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("the app's table targets has no time in the column LastRead: %w", err)
	}
	patch, err := json.Marshal(map[string]any{
		"PartitionKey": target["PartitionKey"], "RowKey": target["RowKey"],
		// The app's own form: of a fixed width, for it sorts as text.
		"LastRead": read.Add(-by).UTC().Format("2006-01-02T15:04:05.000000000Z"),
	})
	if err != nil {
		return err
	}
	_, err = targets.UpdateEntity(ctx, patch, &aztables.UpdateEntityOptions{UpdateMode: aztables.UpdateModeMerge})
	return err
}
