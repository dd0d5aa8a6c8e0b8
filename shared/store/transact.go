package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// The kinds of actions. Rows of this program are merged (R40); only index
// rows, which hold nothing else, are put as a whole.
const (
	add   = aztables.TransactionTypeAdd
	merge = aztables.TransactionTypeUpdateMerge
	put   = aztables.TransactionTypeInsertReplace
	drop  = aztables.TransactionTypeDelete
)

// action is one write, alone or as a part of an entity-group transaction.
type action struct {
	kind           aztables.TransactionType
	partition, key string
	columns        columns
	etag           string // of merge and drop; of drop "*" = any
}

// unguarded reports whether an action lacks the ETag that it needs: without
// one the service would merge into whatever is there.
func (a action) unguarded() bool { return a.etag == "" && (a.kind == merge || a.kind == drop) }

// Limits of the service (https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions,
// and for a row .../understanding-the-table-service-data-model), with room for what frames them.
const (
	maxActions = 100
	maxPayload = 3_500_000
	maxRow     = 1<<20 - 16<<10
)

func marshal(op, partition, key string, c columns) ([]byte, error) {
	if c.size() > maxRow {
		return nil, tooLarge(op)
	}
	e := aztables.EDMEntity{Entity: aztables.Entity{PartitionKey: partition, RowKey: key}, Properties: c}
	data, err := json.Marshal(e)
	if err != nil {
		return nil, unreadable(op, errors.New("a column can not be written as JSON"))
	}
	return data, nil
}

// one does a single action; ErrConflict if the row is not as the action expects.
func (t *Tables) one(ctx context.Context, op string, table *aztables.Client, a action) (etag string, err error) {
	if a.unguarded() {
		return "", conflict(op)
	}
	data, err := marshal(op, a.partition, a.key, a.columns)
	if err != nil {
		return "", err
	}
	ctx = retried(ctx)
	match := azcore.ETag(a.etag)
	switch a.kind {
	case add:
		var response aztables.AddEntityResponse
		response, err = table.AddEntity(ctx, data, nil)
		etag = string(response.ETag)
	case merge:
		var response aztables.UpdateEntityResponse
		response, err = table.UpdateEntity(ctx, data, &aztables.UpdateEntityOptions{IfMatch: &match, UpdateMode: aztables.UpdateModeMerge})
		etag = string(response.ETag)
	case put:
		var response aztables.UpsertEntityResponse
		response, err = table.UpsertEntity(ctx, data, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace})
		etag = string(response.ETag)
	case drop:
		_, err = table.DeleteEntity(ctx, a.partition, a.key, &aztables.DeleteEntityOptions{IfMatch: &match})
	}
	return etag, refused(op, err)
}

// all does the actions, which are of one partition, together or not at all,
// and returns the new ETags. ErrConflict if one row is not as its action expects.
func (t *Tables) all(ctx context.Context, op string, table *aztables.Client, actions []action) (etags []string, err error) {
	if len(actions) == 1 {
		etag, err := t.one(ctx, op, table, actions[0])
		return []string{etag}, err
	}
	var batch []aztables.TransactionAction
	for _, a := range actions {
		if a.unguarded() {
			return nil, conflict(op)
		}
		data, err := marshal(op, a.partition, a.key, a.columns)
		if err != nil {
			return nil, err
		}
		ta := aztables.TransactionAction{ActionType: a.kind, Entity: data}
		if a.etag != "" {
			match := azcore.ETag(a.etag)
			ta.IfMatch = &match
		}
		batch = append(batch, ta)
	}
	for try := 0; ; try++ {
		var response *http.Response
		_, err := table.SubmitTransaction(policy.WithCaptureResponse(retried(ctx), &response), batch, nil)
		if err == nil {
			return etagsOf(response, len(actions)), nil
		}
		err = inner(err)
		// The SDK's retries see the outer status only, which is 202.
		if s := status(err); s < 500 && s != http.StatusTooManyRequests || try == int(retry.MaxRetries) || !wait(ctx, try) {
			return nil, refused(op, err)
		}
	}
}

// wait pauses before the next try, longer and jittered with each, up to
// MaxRetryDelay; false if the context ended.
func wait(ctx context.Context, try int) bool {
	pause := min(5*time.Millisecond<<min(try, 10), retry.MaxRetryDelay)
	timer := time.NewTimer(pause/2 + rand.N(pause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// inner returns the error within a refused transaction: the outer answer is a
// 202 without a code, the true one is in its multipart body.
func inner(err error) error {
	var outer *azcore.ResponseError
	if !errors.As(err, &outer) || outer.StatusCode != http.StatusAccepted || outer.RawResponse == nil {
		return err
	}
	for _, part := range parts(outer.RawResponse) {
		if part.StatusCode < 400 {
			continue
		}
		return runtime.NewResponseError(part)
	}
	return err
}

// etagsOf returns the ETags in the answer to a transaction; those that it does
// not hold are empty.
func etagsOf(response *http.Response, n int) []string {
	etags := make([]string, n)
	if response == nil {
		return etags
	}
	for i, part := range parts(response) {
		if i < n {
			etags[i] = part.Header.Get("ETag")
		}
	}
	return etags
}

// parts returns the answers within the answer to a transaction: a multipart
// whose one part is a multipart of HTTP responses. What can not be read is left out.
func parts(response *http.Response) []*http.Response {
	body, err := runtime.Payload(response) // downloaded already, and read again here
	if err != nil {
		return nil
	}
	outer := multiparts(response.Header.Get("Content-Type"), bytes.NewReader(body))
	if outer == nil {
		return nil
	}
	changeset, err := outer.NextPart()
	if err != nil {
		return nil
	}
	each := multiparts(changeset.Header.Get("Content-Type"), changeset)
	if each == nil {
		return nil
	}
	var out []*http.Response
	for {
		part, err := each.NextPart()
		if err != nil {
			return out
		}
		r, err := http.ReadResponse(bufio.NewReader(part), response.Request)
		if err != nil {
			return out
		}
		content, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return out
		}
		r.Body = io.NopCloser(bytes.NewReader(content))
		out = append(out, r)
	}
}

func multiparts(contentType string, r io.Reader) *multipart.Reader {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		return nil
	}
	return multipart.NewReader(r, params["boundary"])
}
