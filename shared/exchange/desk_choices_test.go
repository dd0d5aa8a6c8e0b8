package exchange_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/google/go-cmp/cmp"
)

// A person agrees, changes their mind, and is overruled; their calendar follows
// within the moment.
func TestDeskPreferences(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t, 2, options{})
	w.set(exchange.Settings{Preferences: exchange.Choices{OptIn: new(false)}})
	d := w.desk()
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Zahnarzt", Sensitivity: "private", Start: at(5), End: at(6)})
	w.must(err)
	own := w.outlook("R1", "Own", 8)
	w.settle()
	w.shown("the board", "R1", w.onBoard("R1"), nil)
	w.advance(time.Minute)

	w.must(d.SetPreferences(ctx, "ann@example.com", "R1", exchange.Choices{OptIn: new(true)}))
	w.settle()
	w.shown("the board", "R1", w.onBoard("R1"), []card{born("Own", 8)})
	v, err := d.Preferences(ctx, "R1")
	w.must(err)
	if !v.Own || v.ChangedBy != "ann@example.com" || !*v.Effective.OptIn || *v.Effective.Details ||
		cmp.Diff(v.Effective.Sensitivity, []string{"normal", "personal"}) != "" || v.Said.ShowAs != nil {
		t.Errorf("the view is %+v", v)
	}
	w.advance(time.Minute)
	w.must(d.FixPreferences(ctx, "admin@example.com", "R1", exchange.Choices{OptIn: new(true), Sensitivity: []string{"private"}}, true))
	w.settle()
	w.shown("the board", "R1", w.onBoard("R1"), []card{maskedCard(5)})
	w.untouched("R1", own)
	if err := d.SetPreferences(ctx, "ann@example.com", "R1", exchange.Choices{}); !errors.Is(err, exchange.ErrFixed) {
		t.Errorf("the person overrules the administrator: %v", err)
	}
	w.advance(time.Minute)
	w.must(d.FixPreferences(ctx, "admin@example.com", "R1", exchange.Choices{}, false))
	w.must(d.SetPreferences(ctx, "ann@example.com", "R1", exchange.Choices{OptIn: new(false), ShowAs: []string{}}))
	w.settle()
	w.shown("the board", "R1", w.onBoard("R1"), nil)
	w.silent()

	for name, err := range map[string]error{
		"show-as":     d.SetPreferences(ctx, "ann", "R1", exchange.Choices{ShowAs: []string{"napping"}}),
		"sensitivity": d.SetPreferences(ctx, "ann", "R1", exchange.Choices{Sensitivity: []string{"secret"}}),
		"resource":    d.SetPreferences(ctx, "ann", "R9", exchange.Choices{}),
	} {
		if err == nil {
			t.Errorf("a %s that nobody knows was taken", name)
		}
	}
	log, err := w.mem.AuditLog(ctx, 10)
	w.must(err)
	if len(log) != 4 || log[0].Who != "ann@example.com" || log[0].Object != "R1" || !strings.Contains(log[0].Text, "opt-in no") || !strings.Contains(log[0].Text, "show as none") {
		t.Errorf("the audit log holds %+v", log)
	}
}

func TestDeskSettings(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t, 1, options{})
	d := w.desk()
	w.outlook("R1", "Own", 5)
	w.settle()
	v, err := d.Settings(ctx)
	w.must(err)
	for text, says := range map[string]string{
		`{"resourcesMay":"tiem"}`:                       "change, time or nothing",
		`{"preferences":{"showAs":["busy","napping"]}}`: "napping",
		`{"tooutlookof":true}`:                          "tooutlookof",
		`{"daysBack":-1}`:                               "daysBack",
		`{"reminderMinutes":-5}`:                        "reminderMinutes",
		`{"wins":"me"}`:                                 "board or outlook",
		`{"daysBack":"x"}`:                              "daysBack",
		`{} {}`:                                         "after",
		``:                                              "JSON",
	} {
		if err := d.SetSettings(ctx, "admin", v.ETag, []byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that names %q", text, err, says)
		}
	}
	if again, err := d.Settings(ctx); err != nil || again.ETag != v.ETag {
		t.Error("a refused change was stored")
	}
	// A newer version has stored a key that this one does not know.
	text, etag, err := w.mem.Value(ctx, "exchange")
	w.must(err)
	_, err = w.mem.SwapValue(ctx, "exchange", `{"future":[1],`+text[1:], etag)
	w.must(err)
	if err := d.SetSettings(ctx, "admin", v.ETag, []byte(`{"sameForAll":true}`)); !errors.Is(err, exchange.ErrChanged) {
		t.Errorf("somebody else's change was overwritten: %v", err)
	}
	v, err = d.Settings(ctx)
	w.must(err)
	w.must(d.SetSettings(ctx, "admin", v.ETag, []byte(`{"sameForAll":true,"preferences":{"optIn":true,"showAs":["oof"]}}`)))
	w.settle() // within minutes, without another word
	w.shown("the board", "R1", w.onBoard("R1"), nil)
	if text, _, _ := w.mem.Value(ctx, "exchange"); !strings.Contains(text, `"future":[1]`) || !strings.Contains(text, `"showAs":["oof"]`) {
		t.Errorf("the row is now %s", text)
	}
	if err := d.SetPreferences(ctx, "ann", "R1", exchange.Choices{}); !errors.Is(err, exchange.ErrSameForAll) {
		t.Errorf("where the same holds for all a person chose: %v", err)
	}
}

// A row that makes no sense stops both directions and says so once; nothing is lost.
func TestSettingsThatCanNotBeReadStopEverything(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, a := world1(t, options{})
	_, etag, err := w.mem.Value(ctx, "exchange")
	w.must(err)
	_, err = w.mem.SwapValue(ctx, "exchange", `{"toBoardOff":`, etag)
	w.must(err)
	w.advance(time.Minute)
	w.drag(a.GUID, 3)
	w.outlook("R1", "Own", 5)
	w.settle()
	w.timers()
	w.shown("Outlook", "R1", w.inOutlook("R1"), []card{planned("Repair", 1), born("Own", 5)})
	w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair", 3)})
	if n := strings.Count(w.logs.String(), "not in order"); n != 1 {
		t.Errorf("said %d times", n)
	}
	w.set(exchange.Settings{})
	w.timers()
	w.advance(25 * time.Hour)
	w.timers()
	w.shows("R1", planned("Repair", 3), born("Own", 5))
	w.silent()
}
