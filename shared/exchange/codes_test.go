package exchange

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/shared/fault"
)

var update = flag.Bool("update", false, "write the table of codes in docs/operations.md")

// TestCodesAreExplained: each code has a sentence and what to do, short enough
// for the board, and no two share a number.
func TestCodesAreExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Codes() {
		if seen[c.ID] || !regexp.MustCompile(`^DSEX[0-9]{3}$`).MatchString(c.ID) {
			t.Errorf("%s is there twice, or is no code", c.ID)
		}
		seen[c.ID] = true
		if c.Sentence == "" || c.Do == "" || !strings.HasSuffix(c.Sentence, ".") {
			t.Errorf("%s says %q, and to do %q", c.ID, c.Sentence, c.Do)
		}
	}
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, constant := range regexp.MustCompile(`"(DSEX[0-9]{3})"`).FindAllStringSubmatch(string(source), -1) {
		if !seen[constant[1]] {
			t.Errorf("%s is not in the table", constant[1])
		}
	}
}

// TestCodesAreDocumented holds docs/operations.md to the table.
func TestCodesAreDocumented(t *testing.T) {
	const file, begin, end = "../../docs/operations.md", "<!-- codes -->\n", "<!-- end of codes -->"
	var table strings.Builder
	table.WriteString("| code | status | what has happened | what to do |\n|---|---|---|---|\n")
	for _, c := range Codes() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", c.ID, c.Status, c.Sentence, c.Do)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), begin)
	now, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no table of codes", file)
	}
	if now == table.String() {
		return
	}
	if !*update {
		t.Fatalf("the codes of %s are not those of the code: run go test ./shared/exchange -run CodesAreDocumented -update", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEachFailureHasItsCode: what Graph, Entra and the board answer, and the code
// that people see.
func TestEachFailureHasItsCode(t *testing.T) {
	g := func(code string, reason fault.Reason, whole bool) error {
		return fmt.Errorf("wrapped: %w", &fault.Error{Op: "graph: batch", Code: code, Reason: reason, WholeTarget: whole})
	}
	b := func(code string, kind fault.Kind, reason fault.Reason) error {
		return &fault.Error{Op: "board: import", Code: code, Kind: kind, Reason: reason}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{g("AADSTS7000222", fault.Auth, true), codeSecretExpired},
		{g("AADSTS7000215", fault.Auth, true), codeRejected},
		{g("AADSTS700016", fault.Auth, true), codeCredentials},
		{g("CredentialUnavailable", fault.Auth, true), codeCredentials},
		{g("InvalidAuthenticationToken", fault.Auth, true), codeRejected},
		{g("Authorization_RequestDenied", fault.Auth, true), codeConsent},
		{g("ErrorAccessDenied", fault.Auth, true), codePolicy},
		{g("ErrorAccountDisabled", fault.Auth, true), codeDisabled},
		{g("ErrorInvalidUser", fault.Unavailable, true), codeNoUser},
		{g("ErrorQuotaExceeded", fault.Unavailable, true), codeFull},
		{g("ErrorMailboxMoveInProgress", fault.Unavailable, true), codeMoved},
		{g("MailboxNotEnabledForRESTAPI", fault.Unavailable, true), codeUnreachable},
		{g("http404", fault.Unavailable, true), codeUnreachable},
		{g("http429", fault.RateLimit, false), codeThrottled},
		{g("http503", fault.Unavailable, false), codeGraphDown},
		{g("", fault.Timeout, false), codeGraphDown},
		{g("ErrorIrresolvableConflict", fault.Conflict, false), codeChanging},
		{g("ErrorItemNotFound", fault.NotFound, false), codeNoMapping},
		{&fault.Error{Op: "graph: patch event", Kind: fault.Permanent, Reason: fault.Invalid, Code: "ErrorPropertyValidationFailure"}, codeRefused},
		{b("HTTP401", fault.Transient, fault.Auth), codeBoardKey},
		{b("HTTP503", fault.Transient, fault.Unavailable), codeBoardDown},
		{b("HTTP400", fault.Permanent, fault.Invalid), codeBoardRefused},
		{b("DSDB003", fault.Transient, fault.Unavailable), "DSDB003"},
		{&fault.Error{Op: "key vault: get", Reason: fault.Unavailable}, codeOurs},
		{fmt.Errorf("anything"), codeUnexpected},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v has the code %q, want %q", c.err, got, c.want)
		}
	}
}
