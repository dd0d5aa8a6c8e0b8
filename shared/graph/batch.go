package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// The limits of one $batch: Graph's on items (facts B8), ours on bytes (R15).
const (
	maxBatchItems = 20
	maxBatchBytes = 1 << 20
)

// ErrTooLarge says that Apply was given more than fits in one call; see Fits.
var ErrTooLarge = errors.New("more writes than one call takes, ask Fits first")

var opBatch = op{name: "batch", write: true}

// Fits returns how many of the first writes go into one Apply: at most 20, and
// at most 1 MB. It is never 0 for a list that is not empty: a write that is too
// large alone is sent alone, and refused by Graph.
func Fits(writes []calendar.Write) int {
	size := len(`{"requests":[]}`)
	for i, w := range writes {
		if i == maxBatchItems {
			return i
		}
		// A mailbox's id is 36 characters. One that makes no sense is not sent.
		item, _ := encode("00000000-0000-0000-0000-000000000000", "00", w)
		size += len(item) + 1
		if i > 0 && size > maxBatchBytes {
			return i
		}
	}
	return len(writes)
}

// Apply sends the writes, at most as many as Fits says, in one call and returns
// what became of each, in their order. They run side by side: one event may be
// among them once only. The error is that of the whole call; without one there
// are as many results as writes. A Delete of an event that is gone succeeds.
//
// Creates are safe to repeat with the same TransactionID; a Patch or Delete
// whose outcome is Ambiguous fails with a Conflict, or finds the event gone,
// when it is repeated and was done.
func (c *Client) Apply(ctx context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error) {
	if len(writes) == 0 {
		return nil, nil
	}
	if Fits(writes) < len(writes) {
		return nil, opBatch.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Err: ErrTooLarge})
	}
	results := make([]calendar.Result, len(writes))
	var items [][]byte
	for i, w := range writes {
		item, err := encode(mailbox, strconv.Itoa(i), w)
		if err != nil {
			results[i].Err = err
			continue
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return results, nil
	}
	answers, err := c.batch(ctx, mailbox, items)
	if err != nil {
		return nil, err
	}
	for i, w := range writes {
		if results[i].Err == nil {
			results[i].Event, results[i].Err = outcome(w, answers[strconv.Itoa(i)])
		}
	}
	return results, nil
}

// batchAnswer is the answer to one item.
type batchAnswer struct {
	ID      string          `json:"id"`
	Status  int             `json:"status"`
	Headers map[string]any  `json:"headers"`
	Body    json.RawMessage `json:"body"`
}

// batch sends the items, through the SDK's adapter but not its batch types:
// those lose numbers and booleans of a body on the way in, fail as a whole on
// one body that is no object (a proxy's page), and panic on a null header.
func (c *Client) batch(ctx context.Context, mailbox string, items [][]byte) (map[string]*batchAnswer, error) {
	info := abs.NewRequestInformation()
	info.Method = abs.POST
	info.UrlTemplate = "{+baseurl}/$batch"
	info.Headers = c.headers()
	info.Headers.Add("Accept", "application/json")
	info.SetStreamContentAndContentType(
		fmt.Appendf(nil, `{"requests":[%s]}`, bytes.Join(items, []byte(","))), "application/json")
	body, err := c.raw(ctx, opBatch, mailbox, len(items), info)
	if err != nil {
		return nil, err
	}
	var whole struct {
		Responses []*batchAnswer `json:"responses"`
	}
	if json.Unmarshal(body, &whole) != nil || whole.Responses == nil {
		return nil, opBatch.badAnswer("UnreadableResponse")
	}
	answers := map[string]*batchAnswer{}
	for _, a := range whole.Responses {
		if a != nil {
			answers[a.ID] = a
		}
	}
	return answers, nil
}

// outcome judges the answer to one write.
func outcome(w calendar.Write, a *batchAnswer) (calendar.Event, error) {
	o := op{name: string(w.Op) + " event", write: true}
	if a == nil {
		return calendar.Event{}, o.badAnswer("NoResponse")
	}
	if a.Status < 200 || a.Status >= 300 {
		h := http.Header{}
		for k, v := range a.Headers {
			h.Set(k, fmt.Sprint(v))
		}
		f := refused(o, a.Status, h, a.Body)
		if w.Op == calendar.Delete && f.Code == itemNotFound {
			return calendar.Event{}, nil
		}
		return calendar.Event{}, f
	}
	if w.Op == calendar.Delete {
		return calendar.Event{}, nil
	}
	event, err := readEvent(a.Body)
	if err != nil {
		return calendar.Event{}, o.badAnswer("UnreadableResponse")
	}
	return event, nil
}
