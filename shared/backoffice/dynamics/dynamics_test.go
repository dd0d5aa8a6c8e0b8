package dynamics

import (
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
)

func TestLocked(t *testing.T) {
	for _, tc := range []struct {
		kind, text string
		want       bool
	}{
		{"Microsoft.Dynamics.Nav.Types.Exceptions.NavCSideLockTimeoutException", "irgendetwas", true},
		{"Internal_ServerError", "The operation could not complete because a record in the Job table was locked by another user. Please retry the activity.", true},
		{"Application_DialogException", "Ein Datensatz wurde von einem anderen Benutzer gesperrt.", true},
		{"", "Transaction (Process ID 66) was deadlocked and chosen as the deadlock victim.", true},
		{"Application_DialogException", "The resource is blocked.", false},
		{"", "", false},
	} {
		if got := Locked(tc.kind, tc.text); got != tc.want {
			t.Errorf("Locked(%q, %q) = %v", tc.kind, tc.text, got)
		}
	}
}

func TestSayShowsNoWords(t *testing.T) {
	words := Words(fields.Record{
		Header:    fields.Row{fields.Subject: "Visit Mr Smith about his divorce", fields.Body: "line one is secret\nok"},
		Resources: []fields.Row{{fields.ResourceNo: "R1", "Resource Name": "Ann A."}},
	})
	for _, tc := range []struct{ in, want string }{
		{"Unit of Measure must have a value in Resource: No.=R1.  CorrelationId:  4f6d2b1e-8a36-4f0e-9d55-0c3f6f5e2a17.", "Unit of Measure must have a value in Resource: No.=R1."},
		{"The length of the string 'VISIT MR SMITH ABOUT' is too long", "The length of the string '…"},
		{"Field Body: line one is secret", "Field Body: …"},
		{"ann a. is blocked, ask ann@example.com", "… is blocked, ask …"},
		{"two\nlines\x01 and\ttabs", "two lines and tabs"},
	} {
		if got := Say(tc.in, words); got != tc.want {
			t.Errorf("Say(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
	if got := Say(strings.Repeat("ä", 1000), nil); len([]rune(got)) != maxMessage {
		t.Errorf("%d characters", len([]rune(got)))
	}
}

func TestCorrelation(t *testing.T) {
	if got := Correlation("x  CorrelationId:  4f6d2b1e-8a36-4f0e-9d55-0c3f6f5e2a17."); got != "4f6d2b1e-8a36-4f0e-9d55-0c3f6f5e2a17" {
		t.Error(got)
	}
	if got := Correlation("none"); got != "" {
		t.Error(got)
	}
}
