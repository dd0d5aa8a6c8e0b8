package graphsim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

func removed(item map[string]any) bool { return item["@removed"] != nil }

func TestDeltaRounds(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	ids := map[string]bool{}
	for i := range 25 {
		ids[w.post(event(fmt.Sprint("E", i), "09:00:00", "10:00:00", "transactionId", fmt.Sprint("t", i))).text("id")] = true
	}
	items, link := w.firstRound(`Prefer: IdType="ImmutableId", odata.maxpagesize=7`)
	if len(items) != 25 {
		t.Fatalf("first round shows %d events, want 25", len(items))
	}
	for _, item := range items {
		if !ids[item["id"].(string)] || item["transactionId"] == nil || item["subject"] == nil {
			t.Errorf("item %v", item)
		}
	}
	if got := w.sim.Calls().Of("GET /users/{user}/calendarView/delta"); got != 4 {
		t.Errorf("%d calls for 25 events in pages of 7, want 4", got)
	}
	if items, _ := w.round(link); len(items) != 0 {
		t.Errorf("nothing changed, but the round shows %v", items)
	}
	var gone, moved string
	for id := range ids {
		if gone == "" {
			gone = id
		} else if moved == "" {
			moved = id
		}
	}
	w.do("DELETE", w.events()+"/"+gone, nil).want(t, 204)
	w.do("PATCH", w.events()+"/"+moved, map[string]any{"start": dt("2027-03-01T09:00:00"), "end": dt("2027-03-01T10:00:00")}).want(t, 200)
	items, next := w.round(link)
	if len(items) != 2 || !removed(items[0]) || !removed(items[1]) {
		t.Fatalf("a deletion and a move out of the window: %v", items)
	}
	w.do("GET", w.events()+"/"+moved, nil).want(t, 200)
	if again, _ := w.round(link); len(again) != 2 {
		t.Error("an old link can not be read again")
	}
	if err := w.sim.ResetDelta(w.user); err != nil {
		t.Fatal(err)
	}
	w.do("GET", next, nil).want(t, 410, "syncStateNotFound")
	if items, _ := w.firstRound(); len(items) != 23 {
		t.Errorf("full round after the reset shows %d, want 23", len(items))
	}
}

func TestDeltaRefuses(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	base := "/users/" + w.user + "/calendarView/delta"
	w.do("GET", base+"?"+november+"&$select=id", nil).want(t, 400, "ErrorInvalidUrlQuery")
	w.do("GET", base+"?"+november+"&%24filter=subject", nil).want(t, 400, "ErrorInvalidUrlQuery")
	w.do("GET", base, nil).want(t, 400)
	w.do("GET", base+"?$deltatoken=nonsense", nil).want(t, 400, "SyncStateInvalid")
}

// The state of before the last write is what a lagging delta shows after it: R18.
func TestDeltaLag(t *testing.T) {
	w := newWorld(t, graphsim.Options{Behaviour: graphsim.Behaviour{DeltaLag: 2 * time.Second}})
	id := w.post(event("Before", "09:00:00", "10:00:00")).text("id")
	w.clock.advance(time.Second)
	w.do("PATCH", w.events()+"/"+id, map[string]any{"subject": "After"}).want(t, 200)
	items, link := w.firstRound()
	if len(items) != 0 {
		t.Fatalf("visible at once: %v", items)
	}
	w.clock.advance(time.Second)
	items, link = w.round(link)
	if len(items) != 1 || items[0]["subject"] != "Before" {
		t.Fatalf("after one lag: %v", items)
	}
	w.clock.advance(time.Second)
	items, _ = w.round(link)
	if len(items) != 1 || items[0]["subject"] != "After" {
		t.Fatalf("after the second lag: %v", items)
	}
}

func TestDeltaRepeatAndEmptyPages(t *testing.T) {
	w := newWorld(t, graphsim.Options{Behaviour: graphsim.Behaviour{DeltaRepeat: true, DeltaEmptyPages: true}})
	_, link := w.firstRound()
	id := w.post(event("One", "09:00:00", "10:00:00")).text("id")
	w.do("PATCH", w.events()+"/"+id, map[string]any{"subject": "Two"}).want(t, 200)
	first := w.do("GET", link, nil).want(t, 200)
	if len(first.values()) != 0 || first.text("@odata.nextLink") == "" {
		t.Errorf("the first page is not an empty one: %v", first.body)
	}
	items, _ := w.round(link)
	if len(items) != 2 || items[0]["subject"] != "One" || items[1]["subject"] != "Two" {
		t.Errorf("repeated: %v", items)
	}
}

// Without the header, ids are mutable: they change on a move to Deleted Items, and the tombstone
// carries the one that the caller knew.
func TestMutableIDs(t *testing.T) {
	w := newWorld(t, graphsim.Options{Behaviour: graphsim.Behaviour{DeletedReadable: true}})
	id := w.post(event("E", "09:00:00", "10:00:00")).text("id")
	const plain = "Prefer: odata.maxpagesize=5"
	items, link := w.firstRound(plain)
	mutable := items[0]["id"].(string)
	if mutable == id {
		t.Fatal("the mutable id is the immutable one")
	}
	w.do("GET", w.events()+"/"+mutable, nil).want(t, 200)
	w.do("DELETE", w.events()+"/"+mutable, nil).want(t, 204)
	w.do("GET", w.events()+"/"+mutable, nil).want(t, 404)
	if got := w.do("GET", w.events()+"/"+id, nil).want(t, 200); got.text("id") != id {
		t.Error("the immutable id does not survive the move")
	}
	if view := w.do("GET", "/users/"+w.user+"/calendarView?"+november, nil).want(t, 200).values(); len(view) != 0 {
		t.Error("a deleted event is in the calendarView")
	}
	items, _ = w.round(link, plain)
	if len(items) != 1 || items[0]["id"] != mutable || !removed(items[0]) {
		t.Errorf("tombstone: %v", items)
	}
	back, err := w.sim.UndeleteEvent(w.user, id)
	if err != nil || back.ID != id || back.MutableID == mutable {
		t.Errorf("undeleted: %v %v", back, err)
	}
}
