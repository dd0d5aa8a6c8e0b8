package category

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNearestPreset(t *testing.T) {
	for hex, want := range map[string]string{
		"#FF0000": "preset0", "#ffa500": "preset1", "#A52A2A": "preset2", "#FFFF00": "preset3", "#00FF00": "preset4", "#008000": "preset4",
		"#008080": "preset5", "#808000": "preset6", "#0000FF": "preset7", "#0078D4": "preset7", "#800080": "preset8", "#C2185B": "preset9",
		"#C0C0C0": "preset12", "#000000": "preset14", "#8B0000": "preset15", "#000080": "preset22", "#003300": "preset19", "#4B0082": "preset23",
		"#F00": "preset0", "FF0000": "preset0", "#FFFF0000": "preset0", " #0000ff ": "preset7",
		"": "none", "#12": "none", "red": "none", "#GGGGGG": "none",
	} {
		if got := Preset(hex); got != want {
			t.Errorf("%s is %s, want %s", hex, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	service, urgent := &Label{Name: "SERVICE", Shown: "Service job", Color: "#FF0000"}, &Label{Name: "URGENT", Color: "#0000FF"}
	linked := Links{
		Categories:  []Link{{"service", "Red work"}, {"HIDDEN", ""}},
		TimeMarkers: []Link{{"urgent", "Hurry"}},
	}
	for _, c := range []struct {
		name             string
		links            Links
		category, marker *Label
		want             string
		ok               bool
	}{
		{"as it comes, each category under its own name", Links{}, service, urgent, "Service job", true},
		{"none", Links{}, &Label{}, &Label{}, "", true},
		{"not known: nothing changes", Links{}, nil, urgent, "", false},
		{"linked, both in one list", linked, service, urgent, "Hurry\nRed work", true},
		{"by the display name as well", Links{Categories: []Link{{"service JOB", "Red"}}}, service, nil, "Red", true},
		{"linked to nothing", linked, &Label{Name: "hidden"}, &Label{}, "", true},
		{"the other one", linked, &Label{Name: "OTHER"}, &Label{}, "OTHER", true},
		{"only linked ones", Links{Categories: linked.Categories, OtherCategories: None}, &Label{Name: "OTHER"}, nil, "", true},
		{"a comma would make two", Links{}, &Label{Name: "a,b; c"}, nil, "a b  c", true},
		{"linked markers, but none is known", linked, service, nil, "", false},
	} {
		got, ok := c.links.Outlook(c.category, c.marker)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %q, %t", c.name, got, ok)
		}
	}
	if got := linked.ColorOf("RED work", service, urgent); got != "#FF0000" {
		t.Errorf("colour of the linked category: %q", got)
	}
	if got := linked.ColorOf("Hurry", service, urgent); got != "#0000FF" {
		t.Errorf("colour of the linked time marker: %q", got)
	}
	if got := linked.Board("holiday\nRed work"); got != "holiday\nservice" {
		t.Errorf("back to the board: %q", got)
	}
}

func TestLinksThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"no json": "not JSON",
		`{"categories":[{"dime":"A","outlok":"x"}]}`:                                                           "unknown field",
		`{"categories":[{"dime":" ","outlook":"x"},{"dime":"A","outlook":"a;b"},{"dime":"a","outlook":" x"}]}`: "link 1 of the category list names no category of the board|holds a comma or semicolon|two links",
		`{"otherCategories":"all"}`:                                                                            `may be "same" or "none"`,
	} {
		_, err := Parse(text)
		for _, part := range strings.Split(want, "|") {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q", text, err, part)
			}
		}
	}
	got, err := Parse(`{"categories":[{"dime":"SERVICE","outlook":"Red"}]}`)
	if diff := cmp.Diff(Links{Categories: []Link{{"SERVICE", "Red"}}}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}
