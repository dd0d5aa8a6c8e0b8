package appointment

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRule_R22_CutKeepsCharactersWhole(t *testing.T) {
	for name, unit := range map[string]string{
		"ascii": "a", "umlaut": "ä", "emoji": "😀", "family": "👩‍👩‍👧‍👦", "skin": "👍🏽", "line": "two\nlines\n",
	} {
		for shift := range 30 {
			s := strings.Repeat("x", shift) + strings.Repeat(unit, MaxBody/len(unit)+10)
			got := Cut(s, CutOnBoard)
			rest, ok := strings.CutSuffix(got, "\n\n"+CutOnBoard)
			if len(got) > MaxBody || !utf8.ValidString(got) || !ok || !strings.HasPrefix(s, rest) || !IsCut(got, CutOnBoard) || IsCut(got, CutInOutlook) {
				t.Errorf("%s, shifted by %d: %d bytes, ends with %q", name, shift, len(got), got[len(got)-80:])
			}
			if Cut(got, CutOnBoard) != got {
				t.Errorf("%s: cut again", name)
			}
			if next, _ := utf8.DecodeRuneInString(s[len(rest):]); next == '\u200d' || next >= 0x1f3fb && next <= 0x1f3ff {
				t.Errorf("%s, shifted by %d: an emoji was cut into two", name, shift)
			}
		}
	}
	if s := strings.Repeat("x", MaxBody); Cut(s, CutOnBoard) != s {
		t.Error("a body that fits was cut")
	}
}
