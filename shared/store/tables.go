package store

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// Tables is the Store on Azure Table Storage. It is safe for concurrent use,
// holds no state of its own and needs no Close.
type Tables struct {
	now func() time.Time

	connectorRows                             *aztables.Client
	links, appointments, targets, resources   *aztables.Client
	preferences                               *aztables.Client
	transactions, parked, deltas, settingRows *aztables.Client
	audit                                     *aztables.Client
}

var _ Store = (*Tables)(nil)

// Options of OpenTables; the zero value is for production.
type Options struct {
	// Prefix of the tables' names, for several stores in one account: letters
	// and digits, beginning with a letter.
	Prefix string
	// Now is the clock of Updated; nil = time.Now.
	Now func() time.Time
}

// retry is the policy of every call, whatever the client's own: short pauses,
// and more of them than any invocation lasts, for its context is the limit (R5).
// A Retry-After of the service that exceeds MaxRetryDelay ends the retries.
var retry = policy.RetryOptions{
	MaxRetries:    60,
	TryTimeout:    10 * time.Second,
	RetryDelay:    50 * time.Millisecond,
	MaxRetryDelay: 2 * time.Second,
}

// retried puts the policy into the context of a call.
func retried(ctx context.Context) context.Context { return policy.WithRetryOptions(ctx, retry) }

// parallel is how many calls one method has under way at most.
const parallel = 8

// OpenTables returns the store in the account of service, and creates those of
// its tables that are missing.
func OpenTables(ctx context.Context, service *aztables.ServiceClient, opts Options) (*Tables, error) {
	t := &Tables{now: opts.Now}
	if t.now == nil {
		t.now = time.Now
	}
	var names []string
	for _, table := range []struct {
		client **aztables.Client
		name   string
	}{
		{&t.connectorRows, "connectors"},
		{&t.links, "links"}, {&t.appointments, "appointments"}, {&t.targets, "targets"}, {&t.resources, "resources"},
		{&t.transactions, "transactions"}, {&t.parked, "parked"}, {&t.deltas, "deltas"}, {&t.settingRows, "settings"},
		{&t.preferences, "preferences"},
		{&t.audit, "audit"},
	} {
		names = append(names, opts.Prefix+table.name)
		*table.client = service.NewClient(opts.Prefix + table.name)
	}
	err := each(len(names), func(i int) error {
		_, err := service.CreateTable(retried(ctx), names[i], nil)
		if code(err) == string(aztables.TableAlreadyExists) {
			return nil
		}
		return classify("store: create table "+names[i], err)
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Ping writes a row and reads it back.
func (t *Tables) Ping(ctx context.Context) error {
	const op, name = "store: ping", "ping"
	if _, err := t.upsert(ctx, op, t.settingRows, name, name, columns{"At": timeText(t.now())}); err != nil {
		return err
	}
	_, err := t.get(ctx, op, t.settingRows, name, name)
	return err
}

// each runs f for 0..n-1, a few at a time, and returns the first error by index.
func each(n int, f func(i int) error) error {
	errs := make([]error, n)
	var group sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			errs[i] = f(i)
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// row is a row as it was read.
type row struct {
	partition, key, etag string
	columns              columns
}

func parse(op string, data []byte) (*row, error) {
	var e aztables.EDMEntity
	if err := e.UnmarshalJSON(data); err != nil {
		return nil, unreadable(op, errors.New("the row is no JSON of a table"))
	}
	return &row{partition: e.PartitionKey, key: e.RowKey, etag: e.ETag, columns: e.Properties}, nil
}

// dropNulls removes what a selection asked for and the row does not have: the
// service answers null, which the SDK reads as the int32 0, a type that this
// program never writes.
func (r *row) dropNulls() {
	maps.DeleteFunc(r.columns, func(_ string, v any) bool { return v == int32(0) })
}

// get returns a row, or ErrNotFound.
func (t *Tables) get(ctx context.Context, op string, table *aztables.Client, partition, key string) (*row, error) {
	response, err := table.GetEntity(retried(ctx), partition, key, nil)
	if status(err) == http.StatusNotFound {
		return nil, notFound(op)
	}
	if err != nil {
		return nil, classify(op, err)
	}
	r, err := parse(op, response.Value)
	if err == nil {
		r.etag = string(response.ETag)
	}
	return r, err
}

// find is get with nil for a row that is not there.
func (t *Tables) find(ctx context.Context, op string, table *aztables.Client, partition, key string) (*row, error) {
	r, err := t.get(ctx, op, table, partition, key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return r, err
}

// list calls visit with each row that the filter lets pass, in the order of
// the keys, page by page until visit returns false. pageSize 0 = the service's.
func (t *Tables) list(ctx context.Context, op string, table *aztables.Client, filter, selection string, pageSize int, visit func(*row) bool) error {
	opts := &aztables.ListEntitiesOptions{Filter: &filter}
	if selection != "" {
		opts.Select = &selection
	}
	if pageSize > 0 {
		top := int32(min(pageSize, 1000))
		opts.Top = &top
	}
	pager := table.NewListEntitiesPager(opts)
	for pager.More() {
		page, err := pager.NextPage(retried(ctx))
		if err != nil {
			return classify(op, err)
		}
		for _, data := range page.Entities {
			r, err := parse(op, data)
			if err != nil {
				return err
			}
			if selection != "" {
				r.dropNulls()
			}
			if !visit(r) {
				return nil
			}
		}
	}
	return nil
}

// stampColumn holds a text that is new with every write. A write whose answer
// was lost is repeated by the SDK and then refused as a conflict with itself;
// by the stamp it is known to be one's own.
const stampColumn = "Stamp"

func stamp() string { return rand.Text() }

// swap stores columns as the row that has etag (empty: as a new row) and
// returns the new ETag, or ErrConflict. The columns are all of the row's.
func (t *Tables) swap(ctx context.Context, op string, table *aztables.Client, partition, key string, c columns, etag string) (string, error) {
	c[stampColumn] = stamp()
	a := action{kind: merge, partition: partition, key: key, columns: c, etag: etag}
	if etag == "" {
		a.kind, a.columns = add, c.filled()
	}
	next, err := t.one(ctx, op, table, a)
	if !errors.Is(err, ErrConflict) {
		return next, err
	}
	if there, e := t.find(ctx, op, table, partition, key); e == nil && there != nil && there.columns[stampColumn] == c[stampColumn] {
		return there.etag, nil
	}
	return "", err
}

// upsert merges columns into a row, whatever was there.
func (t *Tables) upsert(ctx context.Context, op string, table *aztables.Client, partition, key string, c columns) (string, error) {
	data, err := marshal(op, partition, key, c)
	if err != nil {
		return "", err
	}
	response, err := table.UpsertEntity(retried(ctx), data, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeMerge})
	return string(response.ETag), classify(op, err)
}

// remove deletes a row if it still has etag ("*": whatever it has); done is
// false if it has not, or is not there.
func (t *Tables) remove(ctx context.Context, op string, table *aztables.Client, partition, key, etag string) (done bool, err error) {
	match := azcore.ETag(etag)
	_, err = table.DeleteEntity(retried(ctx), partition, key, &aztables.DeleteEntityOptions{IfMatch: &match})
	if s := status(err); s == http.StatusNotFound || s == http.StatusPreconditionFailed {
		return false, nil
	}
	return err == nil, classify(op, err)
}
