package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

func transaction(n int, at time.Time) store.Transaction {
	return store.Transaction{
		Family: "exchange", Appointment: guid(n % 3), Target: mailbox, Operation: "patch", Status: "Success",
		Code: "DSEX001", Text: fmt.Sprintf("number %d", n), Source: "service", Invocation: "i", Duration: 1500 * time.Microsecond, At: at,
	}
}

func testTransactionOrder(t *testing.T, s store.Store) {
	ctx := t.Context()
	// Over days and within a nanosecond; those of one instant in the order of
	// their recording.
	offsets := []time.Duration{-72 * time.Hour, -24 * time.Hour, -time.Nanosecond, 0, 0, 0, time.Nanosecond, time.Hour, 30 * 24 * time.Hour}
	var all []store.Transaction
	for i, d := range offsets {
		all = append(all, transaction(i, base.Add(d)))
	}
	if err := s.Record(ctx, all[7:]...); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(ctx, all[:7]...); err != nil {
		t.Fatal(err)
	}
	other := transaction(0, base)
	other.Family, other.Appointment = "exchange2", ""
	if err := s.Record(ctx, other); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(ctx); err != nil {
		t.Errorf("recording nothing: %v", err)
	}
	for _, limit := range []int{100, 4, 0} {
		var want, wantOf []store.Transaction
		for i := len(all) - 1; i >= 0; i-- {
			if len(want) < limit {
				want = append(want, all[i])
			}
			if all[i].Appointment == guid(1) && len(wantOf) < limit {
				wantOf = append(wantOf, all[i])
			}
		}
		got, err := s.Transactions(ctx, "exchange", limit)
		if err != nil {
			t.Fatal(err)
		}
		wantTransactions(t, got, want)
		got, err = s.TransactionsOf(ctx, guid(1), limit)
		if err != nil {
			t.Fatal(err)
		}
		wantTransactions(t, got, wantOf)
	}
	got, err := s.Transactions(ctx, "exchange2", 10)
	if err != nil {
		t.Fatal(err)
	}
	wantTransactions(t, got, []store.Transaction{other})
	for _, family := range []string{"", "exchang", "board"} {
		if got, err := s.Transactions(ctx, family, 10); err != nil || len(got) != 0 {
			t.Errorf("of family %q: %v, %v", family, got, err)
		}
	}
}

func wantTransactions(t *testing.T, got, want []store.Transaction) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transactions (-want +got):\n%s", diff)
	}
}

// testTransactionsMany holds more than one entity-group transaction of one family.
func testTransactionsMany(t *testing.T, s store.Store) {
	var all []store.Transaction
	for i := range 130 {
		all = append(all, transaction(i, time.Time{}))
	}
	before := time.Now().Add(-time.Minute)
	if err := s.Record(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	got, err := s.Transactions(t.Context(), "exchange", 1000)
	if err != nil || len(got) != len(all) {
		t.Fatalf("%d of %d, %v", len(got), len(all), err)
	}
	if got[0].Text != "number 129" || got[129].Text != "number 0" {
		t.Errorf("from %q to %q", got[0].Text, got[129].Text)
	}
	if got[0].At.Before(before) {
		t.Errorf("recorded at %s", got[0].At)
	}
	of, err := s.TransactionsOf(t.Context(), guid(0), 1000)
	if err != nil || len(of) != 44 {
		t.Errorf("%d of an appointment, %v; want 44", len(of), err)
	}
}

// testTransactionPages turns pages over days, with rows of one instant and with
// filters, while others record.
func testTransactionPages(t *testing.T, s store.Store) {
	ctx := t.Context()
	var all []store.Transaction
	for i := range 40 {
		tr := transaction(i, base.Add(time.Duration(i/4)*13*time.Hour))
		if i%5 == 0 {
			tr.Status, tr.Code = "Failed", "DSEX051"
		}
		if i%2 == 0 {
			tr.Target = "mailbox2"
		}
		all = append(all, tr)
	}
	if err := s.Record(ctx, all...); err != nil {
		t.Fatal(err)
	}
	other := transaction(1, base)
	other.Family = "board"
	if err := s.Record(ctx, other); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]store.TransactionQuery{
		"family":         {Family: "exchange"},
		"appointment":    {Appointment: guid(1)},
		"both":           {Appointment: guid(1), Family: "exchange"},
		"failed":         {Family: "exchange", Status: "Failed"},
		"code of target": {Family: "exchange", Code: "DSEX051", Target: "mailbox2"},
		"a day":          {Family: "exchange", From: base.Add(20 * time.Hour), To: base.Add(60 * time.Hour)},
		"an instant":     {Family: "exchange", From: base.Add(13 * time.Hour), To: base.Add(13*time.Hour + time.Nanosecond)},
		"nothing":        {Family: "exchange", Target: "nobody"},
	} {
		var want []store.Transaction
		of := all
		if name == "appointment" {
			of = append([]store.Transaction{other}, all...)
		}
		for i := len(of) - 1; i >= 0; i-- {
			tr := of[i]
			is := func(want, got string) bool { return want == "" || want == got }
			if is(q.Family, tr.Family) && is(q.Appointment, tr.Appointment) && is(q.Status, tr.Status) && is(q.Code, tr.Code) && is(q.Target, tr.Target) &&
				(q.From.IsZero() || !tr.At.Before(q.From)) && (q.To.IsZero() || tr.At.Before(q.To)) {
				want = append(want, tr)
			}
		}
		for _, q.Limit = range []int{3, 500} {
			var got []store.Transaction
			for q.After = ""; ; {
				page, err := s.FindTransactions(ctx, q)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if len(page.Rows) > q.Limit || len(page.Rows) == 0 && page.Next != "" {
					t.Fatalf("%s: a page of %d rows of %d", name, len(page.Rows), q.Limit)
				}
				if got = append(got, page.Rows...); page.Next == "" {
					break
				}
				q.After = page.Next
			}
			slices.SortStableFunc(got, func(a, b store.Transaction) int { return b.At.Compare(a.At) })
			slices.SortStableFunc(want, func(a, b store.Transaction) int { return b.At.Compare(a.At) })
			byText := cmpopts.SortSlices(func(a, b store.Transaction) bool { return a.Text+a.Family < b.Text+b.Family })
			if d := cmp.Diff(want, got, byText, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s in pages of %d (-want +got):\n%s", name, q.Limit, d)
			}
		}
	}
	first, err := s.FindTransactions(ctx, store.TransactionQuery{Family: "exchange", Limit: 2})
	if err != nil || len(first.Rows) != 2 || first.Rows[0].Text != "number 39" {
		t.Fatalf("%+v, %v: want the newest first", first, err)
	}
	if err := s.Record(ctx, transaction(99, base.Add(1000*time.Hour))); err != nil {
		t.Fatal(err)
	}
	second, err := s.FindTransactions(ctx, store.TransactionQuery{Family: "exchange", Limit: 2, After: first.Next})
	if err != nil || len(second.Rows) != 2 || second.Rows[0].Text != "number 37" {
		t.Errorf("%+v, %v: want the page behind the first, whatever was recorded since", second, err)
	}
	for _, q := range []store.TransactionQuery{{}, {Family: "exchange", After: "nonsense"}, {Family: "board", After: first.Next}} {
		if _, err := s.FindTransactions(ctx, q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v, want it refused as invalid", q, err)
		}
	}
}

func testParked(t *testing.T, s store.Store) {
	ctx := t.Context()
	body := []byte(words(256<<10, 1))
	body[0], body[1] = 0xff, 0x00 // no text at all
	parked := []*store.Parked{
		{ID: "appointments/m#1", Queue: "appointments", MessageID: "m#1", Reason: "it is no JSON", Body: body,
			Properties: map[string]string{"changeType": "Update", "odd key'/": ""}, At: base.Add(2 * time.Hour)},
		{ID: "second", At: base.Add(time.Hour), Body: []byte("small")},
		{At: base},
	}
	for _, p := range parked {
		if err := s.Park(ctx, p); err != nil {
			t.Fatal(err)
		}
		if p.ID == "" {
			t.Error("Park gave no id")
		}
	}
	if err := s.Park(ctx, &store.Parked{ID: "second", Reason: "parked again"}); err != nil {
		t.Errorf("parking again: %v", err)
	}
	for limit := range 5 {
		got, err := s.ParkedMessages(ctx, limit)
		if err != nil {
			t.Fatal(err)
		}
		want := parked[:min(limit, 3)]
		if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(want, got) {
			t.Errorf("limit %d: %d messages, want %d, or they differ", limit, len(got), len(want))
		}
	}
	for range 2 {
		if err := s.Unpark(ctx, parked[0].ID); err != nil {
			t.Errorf("Unpark: %v", err)
		}
	}
	got, err := s.ParkedMessages(ctx, 10)
	if err != nil || !reflect.DeepEqual(parked[1:], got) {
		t.Errorf("after Unpark %d messages, %v", len(got), err)
	}
}

// testDeltasDismissed: a row that a person has taken off the list stays away until
// it says something else; one that is removed is forgotten.
func testDeltasDismissed(t *testing.T, s store.Store) {
	ctx := t.Context()
	d := store.Delta{Mailbox: mailbox, Event: "e/1", Kind: "time", Text: "no usable time", Start: base, End: base.Add(time.Hour), At: base}
	put := func(d store.Delta, want int) {
		t.Helper()
		if err := s.PutDelta(ctx, d); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Deltas(ctx, mailbox, 10); err != nil || len(got) != want {
			t.Errorf("%+v, %v; want %d", got, err, want)
		}
	}
	put(d, 1)
	for range 2 {
		if err := s.DismissDelta(ctx, mailbox, "e/1"); err != nil {
			t.Fatal(err)
		}
	}
	d.At = base.Add(24 * time.Hour)
	put(d, 0)
	d.Start = base.Add(time.Minute)
	put(d, 1)
	if err := s.DismissDelta(ctx, mailbox, "e/1"); err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"e/1", "e/1", "no such"} {
		if err := s.RemoveDelta(ctx, mailbox, event); err != nil {
			t.Fatal(err)
		}
		if err := s.DismissDelta(ctx, mailbox, event); err != nil {
			t.Fatal(err)
		}
	}
	put(d, 1)
}

func testDeltas(t *testing.T, s store.Store) {
	ctx := t.Context()
	delta := func(box, event string, at int) store.Delta {
		return store.Delta{
			Mailbox: box, Event: event, Kind: "series", Text: "a series", Start: base, End: base.Add(time.Hour),
			At: base.Add(time.Duration(at) * time.Minute),
		}
	}
	first, second, other := delta(mailbox, "a/b+c==", 1), delta(mailbox, "A/b+c==", 2), delta("another", "a/b+c==", 3)
	again := first
	again.Text = "seen before"
	for _, d := range []store.Delta{again, second, other, first} {
		if err := s.PutDelta(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		mailbox string
		limit   int
		want    []store.Delta
	}{
		{mailbox, 10, []store.Delta{second, first}},
		{mailbox, 1, []store.Delta{second}},
		{"", 10, []store.Delta{other, second, first}},
		{"", 2, []store.Delta{other, second}},
		{"nobody", 10, nil},
	} {
		got, err := s.Deltas(ctx, c.mailbox, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, append([]store.Delta(nil), got...)); diff != "" {
			t.Errorf("of %q, limit %d (-want +got):\n%s", c.mailbox, c.limit, diff)
		}
	}
}

func testAudit(t *testing.T, s store.Store) {
	ctx := t.Context()
	entry := func(who string, at time.Time) store.AuditEntry {
		return store.AuditEntry{Who: who, Action: "settings", Object: "exchange", Text: "changed", At: at}
	}
	old, first, second := entry("old", base.Add(-400*24*time.Hour)), entry("first", base), entry("second", base.Add(time.Minute))
	for _, e := range []store.AuditEntry{second, old, first} {
		if err := s.Audit(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range [][]store.AuditEntry{nil, {second}, {second, first}, {second, first, old}} {
		got, err := s.AuditLog(ctx, limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, append([]store.AuditEntry(nil), got...)); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	// Kept for a year longer than what else is old.
	if n, err := s.Prune(ctx, base.Add(time.Hour)); err != nil || n != 1 {
		t.Errorf("pruned %d, %v; want the oldest", n, err)
	}
	if got, err := s.AuditLog(ctx, 9); err != nil || len(got) != 2 {
		t.Errorf("%d entries are left, %v", len(got), err)
	}
}

func testPrune(t *testing.T, s store.Store) {
	ctx := t.Context()
	now := time.Now()
	prune := func(before time.Time) int {
		t.Helper()
		total := 0
		for {
			n, err := s.Prune(ctx, before)
			if err != nil {
				t.Fatal(err)
			}
			if total += n; n == 0 {
				return total
			}
		}
	}
	gone := func(l *store.Link) { full(l); l.State, l.DueAt = store.Gone, time.Time{} }
	update(t, s, guid(1), gone)
	update(t, s, guid(2), full)
	update(t, s, guid(3), func(l *store.Link) { gone(l); l.OutlookSeen.EventID = "3"; l.DueAt = base })
	hidden := func(l *store.Link) { gone(l); l.State, l.OutlookSeen.EventID = store.Hidden, "4" }
	update(t, s, guid(4), hidden)
	update(t, s, guid(5), hidden)
	update(t, s, guid(5), func(l *store.Link) { l.OutlookSeen.EventID = "" })
	for i, op := range []appointment.Operation{appointment.Delete, appointment.Update} {
		if err := s.SwapHead(ctx, &store.Head{Appointment: guid(i), Operation: op}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 250 {
		old, fresh := transaction(i, now.Add(-40*24*time.Hour)), transaction(i, now.Add(-10*24*time.Hour))
		old.Family, old.Text = fmt.Sprint("family", i%3), "old"
		fresh.Family = old.Family
		if i >= 20 {
			fresh = old
		}
		if err := s.Record(ctx, old, fresh); err != nil {
			t.Fatal(err)
		}
	}
	for i, at := range []time.Time{now.Add(-40 * 24 * time.Hour), now} {
		if err := s.Park(ctx, &store.Parked{ID: fmt.Sprint(i), At: at}); err != nil {
			t.Fatal(err)
		}
		if err := s.PutDelta(ctx, store.Delta{Mailbox: mailbox, Event: fmt.Sprint(i), At: at}); err != nil {
			t.Fatal(err)
		}
	}

	if n := prune(now.Add(-50 * 24 * time.Hour)); n != 0 {
		t.Errorf("pruned %d rows, all of which are younger", n)
	}
	// 480 old transactions, a parked message, a delta.
	if n, want := prune(now.Add(-30*24*time.Hour)), 482; n != want {
		t.Errorf("pruned %d rows, want %d", n, want)
	}
	for f := range 3 {
		left, err := s.Transactions(ctx, fmt.Sprint("family", f), 1000)
		if err != nil || len(left) < 6 || len(left) > 7 || left[len(left)-1].Text == "old" {
			t.Errorf("family %d: %d left, %v", f, len(left), err)
		}
		of, err := s.TransactionsOf(ctx, guid(f), 1000)
		if err != nil || len(of) < 6 || len(of) > 7 {
			t.Errorf("appointment %d: %d left, %v", f, len(of), err)
		}
	}
	if left, err := s.ParkedMessages(ctx, 10); err != nil || len(left) != 1 || left[0].ID != "1" {
		t.Errorf("parked: %v, %v", left, err)
	}
	if left, err := s.Deltas(ctx, "", 10); err != nil || len(left) != 1 || left[0].Event != "1" {
		t.Errorf("deltas: %v, %v", left, err)
	}
	if links, err := s.Links(ctx, mailbox); err != nil || len(links) != 5 {
		t.Errorf("%d links, %v: a young tombstone is kept", len(links), err)
	}

	// The tombstones: two links and one head, not what is due or alive, nor what
	// is hidden while its event lives.
	prune(now.Add(time.Hour))
	links, err := s.Links(ctx, mailbox)
	if err != nil || len(links) != 3 {
		t.Errorf("%d links, %v; want 3", len(links), err)
	}
	for _, l := range links {
		if l.Appointment == guid(1) || l.Appointment == guid(5) {
			t.Error("the tombstone is still there")
		}
	}
	wantIndexes(t, s, link(t, s, guid(2)))
	wantIndexes(t, s, link(t, s, guid(3)))
	_, err = s.Head(ctx, guid(0))
	wantError(t, err, store.ErrNotFound)
	if _, err := s.Head(ctx, guid(1)); err != nil {
		t.Errorf("the head of a living appointment: %v", err)
	}
}
