package backoffice

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the codes into docs/operations.md")

// The codes that administrators look up are those of the program.
func TestCodesAreDocumented(t *testing.T) {
	const file, begin, end = "../../docs/operations.md", "<!-- back-office codes -->\n", "<!-- end of back-office codes -->\n"
	var table strings.Builder
	table.WriteString("| code | status | what it means, and what to do |\n|---|---|---|\n")
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		fmt.Fprintf(&table, "| `%s` | %s | %s. |\n", code, codes[code].status, strings.ToUpper(codes[code].text[:1])+codes[code].text[1:])
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	there, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no %q", file, begin)
	}
	if there == table.String() {
		return
	}
	if !*update {
		t.Errorf("%s does not list the codes as they are: go test ./shared/backoffice -run CodesAreDocumented -update", file)
		return
	}
	if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
