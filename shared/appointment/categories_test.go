package appointment

import "testing"

func TestCategories(t *testing.T) {
	if got := CategoryList([]string{" b", "A", "B", "", "a\nc"}); got != "A\na c\nb" {
		t.Errorf("canonical: %q", got)
	}
	if got := CategoryNames(""); got == nil || len(got) != 0 {
		t.Errorf("no categories: %#v", got)
	}
	for _, c := range []struct{ seen, old, now, want string }{
		{"", "", "Ours", "Ours"},
		{"Mine\nOurs", "Ours", "Next", "Mine\nNext"},
		{"Mine\nOURS", "Ours", "Ours", "Mine\nOURS"},
		{"Mine\nours", "Ours", "", "Mine"},
		{"Mine", "Ours", "Next", "Mine\nNext"}, // a person has taken ours away
		{"mine", "", "Mine", "mine"},           // a person had it already
		{"Holiday", "Ours", "", "Holiday"},     // nothing to take away
		{"Next\nOurs", "Ours", "Next", "Next"}, // it stood there already
	} {
		if got := ReplaceCategories(c.seen, c.old, c.now); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if !SameCategories("A\nb", "a\nB") || SameCategories("A", "A\nb") {
		t.Error("letter case makes no difference, a name does")
	}
}
