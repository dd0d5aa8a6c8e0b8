package appointment

import (
	"cmp"
	"slices"
	"strings"
)

// CategoryList returns the canonical form of category names: one a line, each
// once, sorted, both without regard to case, as Outlook has it. Their order and
// repetition say nothing.
func CategoryList(names []string) string {
	var out []string
	for _, n := range names {
		if n = Line(n); n != "" && !hasName(out, n) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
	return strings.Join(out, "\n")
}

// CategoryNames reads what CategoryList wrote; never nil.
func CategoryNames(list string) []string {
	if list == "" {
		return []string{}
	}
	return strings.Split(list, "\n")
}

// ReplaceCategories returns what a list shows after ours in it have become others:
// seen without those of old, and with those of now. Whatever else stands in it is
// somebody else's and stays.
func ReplaceCategories(seen, old, now string) string {
	was, become := CategoryNames(old), CategoryNames(now)
	names := slices.DeleteFunc(CategoryNames(seen), func(n string) bool { return hasName(was, n) && !hasName(become, n) })
	return CategoryList(append(names, become...))
}

// SameCategories reports whether two lists name the same, without regard to case.
func SameCategories(a, b string) bool { return strings.EqualFold(a, b) }

func hasName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
