package store_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// noise returns n bytes of text that hardly compresses.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('!' + r.IntN(90))
	}
	return string(b)
}

// table is a second eye on what Tables stores.
type table struct {
	t      *testing.T
	client *aztables.Client
}

func (tb table) rows() map[string]aztables.EDMEntity {
	tb.t.Helper()
	out := map[string]aztables.EDMEntity{}
	for pager := tb.client.NewListEntitiesPager(nil); pager.More(); {
		page, err := pager.NextPage(tb.t.Context())
		if err != nil {
			tb.t.Fatal(err)
		}
		for _, data := range page.Entities {
			var e aztables.EDMEntity
			if err := json.Unmarshal(data, &e); err != nil {
				tb.t.Fatal(err)
			}
			out[e.RowKey] = e
		}
	}
	return out
}

func (tb table) merge(e aztables.EDMEntity, columns map[string]any) {
	tb.t.Helper()
	e.Properties = columns
	data, err := json.Marshal(e)
	if err != nil {
		tb.t.Fatal(err)
	}
	if _, err := tb.client.UpsertEntity(tb.t.Context(), data, nil); err != nil {
		tb.t.Fatal(err)
	}
}

func (tb table) remove(e aztables.EDMEntity) {
	tb.t.Helper()
	if _, err := tb.client.DeleteEntity(tb.t.Context(), e.PartitionKey, e.RowKey, nil); err != nil {
		tb.t.Fatal(err)
	}
}

func (tb table) keys() []string { return slices.Sorted(maps.Keys(tb.rows())) }

// TestRule_R40UnknownColumnsSurvive: what a newer version of the program has
// written beside ours is there after our writes.
func TestRule_R40UnknownColumnsSurvive(t *testing.T) {
	ctx, client, p := t.Context(), service(t), prefix()
	s := open(t, client, p)
	news := map[string]any{"NewText": "text", "NewNumber": aztables.EDMInt64(1 << 40), "NewBytes": aztables.EDMBinary("b"), "NewFlag": true}
	add := func(name, key string) {
		t.Helper()
		tb := table{t, client.NewClient(p + name)}
		e, ok := tb.rows()[key]
		if !ok {
			t.Fatalf("%s has no row %q but %v", name, key, tb.keys())
		}
		tb.merge(e, news)
	}
	check := func(name, key string) {
		t.Helper()
		got := (table{t, client.NewClient(p + name)}).rows()[key].Properties
		for column, want := range news {
			if b, ok := want.(aztables.EDMBinary); ok {
				if c, ok := got[column].(aztables.EDMBinary); !ok || string(c) != string(b) {
					t.Errorf("%s %s: %s is %v", name, key, column, got[column])
				}
			} else if got[column] != want {
				t.Errorf("%s %s: %s is %v, want %v", name, key, column, got[column], want)
			}
		}
	}

	link := func(change func(*store.Link)) {
		t.Helper()
		_, err := s.UpdateLink(ctx, box, "one", func(l *store.Link) error { change(l); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	link(func(l *store.Link) { l.Attempts = 1; l.DueAt = at })
	add("links", "a|one")
	link(func(l *store.Link) { l.Attempts = 2 })
	link(func(l *store.Link) { l.DueAt = time.Time{}; l.OutlookSeen.EventID = "event" })
	link(func(l *store.Link) { *l = store.Link{} })
	check("links", "a|one")
	for _, absorbing := range []bool{false, true} {
		if absorbing {
			link(func(l *store.Link) { l.Attempts = 3 })
			add("links", "a|one")
		}
		if _, err := s.RenameLink(ctx, box, "one", "two", func(moved, there *store.Link) error { return nil }); err != nil {
			t.Fatal(err)
		}
		check("links", "a|two")
	}

	h, target, resource := &store.Head{Appointment: "one"}, &store.Target{Kind: store.Mailbox, ID: box}, &store.Resource{No: "one"}
	swap := func() {
		t.Helper()
		h.Digest += "d"
		if current, err := s.Head(ctx, "one"); err == nil {
			h.ETag = current.ETag
		}
		if current, err := s.Target(ctx, store.Mailbox, box); err == nil {
			target.ETag = current.ETag
		}
		if err := errors.Join(s.SwapHead(ctx, h), s.SwapTarget(ctx, target), s.PutResource(ctx, resource)); err != nil {
			t.Fatal(err)
		}
	}
	swap()
	add("appointments", "head")
	add("targets", box)
	add("resources", "one")
	swap()
	if err := s.LowerDue(ctx, store.Mailbox, box, at); err != nil {
		t.Fatal(err)
	}
	check("appointments", "head")
	check("targets", box)
	check("resources", "one")
}

// TestClearedTextLeavesNothing: what was removed from a link is not kept in
// chunks that nobody reads.
func TestClearedTextLeavesNothing(t *testing.T) {
	ctx, client, p := t.Context(), service(t), prefix()
	s := open(t, client, p)
	for _, size := range []int{200 << 10, 100 << 10, 10} {
		_, err := s.UpdateLink(ctx, box, "one", func(l *store.Link) error {
			l.Wanted.Content = appointment.Content{appointment.Body: noise(size)}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		kept := 0
		for name, v := range (table{t, client.NewClient(p + "links")}).rows()["a|one"].Properties {
			if b, ok := v.(aztables.EDMBinary); ok && strings.HasPrefix(name, "WantedContent") {
				kept += len(b)
			}
		}
		if small := size < 1000; small && kept != 0 || !small && (kept > size || kept < size/2) {
			t.Errorf("of a text of %d bytes %d are stored in chunks", size, kept)
		}
	}
}

// TestLayoutOfLinks: the rows of a partition, as the design has them, and the
// index rows as each transition leaves them.
func TestLayoutOfLinks(t *testing.T) {
	ctx, client, p := t.Context(), service(t), prefix()
	s := open(t, client, p)
	tb := table{t, client.NewClient(p + "links")}
	for _, c := range []struct {
		event string
		due   time.Time
		want  []string
	}{
		{"", time.Time{}, []string{"a|one"}},
		{"A/b+c==", at, []string{"a|one", "e|A~2fb~2bc~3d~3d", "p|0|one"}},
		{"A/b+c==", at.Add(time.Hour), []string{"a|one", "e|A~2fb~2bc~3d~3d", "p|0|one"}},
		{"other", time.Time{}, []string{"a|one", "e|other"}},
		{"", at, []string{"a|one", "p|0|one"}},
		{"", time.Time{}, []string{"a|one"}},
	} {
		_, err := s.UpdateLink(ctx, box, "one", func(l *store.Link) error {
			l.Attempts++
			l.OutlookSeen.EventID, l.DueAt = c.event, c.due
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := tb.keys(); !slices.Equal(got, c.want) {
			t.Errorf("event %q, due %s: rows %v, want %v", c.event, c.due, got, c.want)
		}
	}
}

// TestIndexesHeal: index rows that do not fit their link are removed by those
// who meet them, and those that are missing do not stop a write.
func TestIndexesHeal(t *testing.T) {
	ctx, client, p := t.Context(), service(t), prefix()
	s := open(t, client, p)
	tb := table{t, client.NewClient(p + "links")}
	update := func(key string, change func(*store.Link)) {
		t.Helper()
		if _, err := s.UpdateLink(ctx, box, key, func(l *store.Link) error { change(l); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"agreed", "lost", "due"} {
		update(key, func(l *store.Link) { l.DueAt = at; l.OutlookSeen.EventID = "event " + key })
	}
	tb.remove(tb.rows()["a|lost"])
	tb.merge(tb.rows()["a|agreed"], map[string]any{"DueAt": "", "OutlookSeenEventID": "another"})

	// With a limit of 1 the stale row takes the place of the due one at first.
	for _, limit := range []int{1, 10} {
		due, _, err := s.DueLinks(ctx, box, at, limit)
		if err != nil || len(due) != 1 || due[0].Appointment != "due" {
			t.Errorf("limit %d: due %v, %v", limit, due, err)
		}
	}
	if _, next, err := s.DueLinks(ctx, box, at, 10); err != nil || !next.IsZero() {
		t.Errorf("next is %s, %v", next, err)
	}
	for _, key := range []string{"agreed", "lost"} {
		if _, err := s.LinkByEvent(ctx, box, "event "+key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s by its event: %v", key, err)
		}
	}
	if got, want := tb.keys(), []string{"a|agreed", "a|due", "e|event~20due", "p|0|due"}; !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}

	tb.remove(tb.rows()["p|0|due"])
	tb.remove(tb.rows()["e|event~20due"])
	update("due", func(l *store.Link) { l.DueAt = time.Time{}; l.OutlookSeen.EventID = "" })
	update("due", func(l *store.Link) { l.DueAt = at })
	tb.remove(tb.rows()["p|0|due"])
	if _, err := s.RenameLink(ctx, box, "due", "moved", func(moved, _ *store.Link) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := tb.keys(), []string{"a|agreed", "a|moved", "p|0|moved"}; !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

// What a head no longer says is not left in the chunks of a longer one: it may be a
// person's words.
func TestAHeadForgets(t *testing.T) {
	client, name := service(t), prefix()
	s := open(t, client, name)
	rows := table{t, client.NewClient(name + "appointments")}
	h := &store.Head{Appointment: "6f9619ff-8b86-d011-b42d-00cf4fc964ff"}
	for _, c := range []struct {
		graph  string
		chunks int
	}{{`{"Subject":"Dentist"}`, 1}, {"", 0}, {noise(150_000), 3}, {"{}", 1}, {"", 0}} {
		h.Graph = []byte(c.graph)
		if err := s.SwapHead(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows.rows() {
			full := 0
			for column, v := range row.Properties {
				if b, binary := v.(aztables.EDMBinary); binary && strings.HasPrefix(column, "Graph_") && len(b) > 0 {
					full++
				}
			}
			if full != c.chunks {
				t.Errorf("a graph of %d bytes: %d chunks hold something, want %d", len(c.graph), full, c.chunks)
			}
		}
	}
}
