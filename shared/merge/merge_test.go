package merge

import (
	"testing"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/google/go-cmp/cmp"
)

type content = appointment.Content

const (
	subject = appointment.Subject
	body    = appointment.Body
)

func TestRule_R20_EachSideAgainstItsOwnShadow(t *testing.T) {
	tests := []struct {
		name       string
		in         Input
		toOutlook  content
		toBoard    content
		conflicted []appointment.Field
	}{
		{
			name: "sides that differ by design stay as they are",
			in: Input{
				BoardSeen: content{subject: "Repair at Smith"}, Board: content{subject: "Repair at Smith"},
				OutlookSeen: content{subject: "Busy"}, Outlook: content{subject: "Busy"},
			},
		},
		{
			name: "only the board changed",
			in: Input{
				BoardSeen: content{subject: "a"}, Board: content{subject: "b"},
				OutlookSeen: content{subject: "a"}, Outlook: content{subject: "a"},
			},
			toOutlook: content{subject: "b"},
		},
		{
			name: "only Outlook changed",
			in: Input{
				BoardSeen: content{subject: "a"}, Board: content{subject: "a"},
				OutlookSeen: content{subject: "a"}, Outlook: content{subject: "b"},
			},
			toBoard: content{subject: "b"},
		},
		{
			name: "different fields on both sides both travel",
			in: Input{
				BoardSeen: content{subject: "a", body: "x"}, Board: content{subject: "b", body: "x"},
				OutlookSeen: content{subject: "a", body: "x"}, Outlook: content{subject: "a", body: "y"},
			},
			toOutlook: content{subject: "b"},
			toBoard:   content{body: "y"},
		},
		{
			name: "both changed to the same: nothing to do",
			in: Input{
				BoardSeen: content{subject: "a"}, Board: content{subject: "b"},
				OutlookSeen: content{subject: "a"}, Outlook: content{subject: "b"},
			},
		},
		{
			name: "a field that the board does not name is unchanged",
			in: Input{
				BoardSeen: content{subject: "a"}, Board: content{},
				OutlookSeen: content{subject: "a"}, Outlook: content{subject: "b"},
			},
			toBoard: content{subject: "b"},
		},
		{
			name: "the zone never travels to the board",
			in: Input{
				BoardSeen: content{appointment.TimeZone: "UTC"}, Board: content{appointment.TimeZone: "UTC"},
				OutlookSeen: content{appointment.TimeZone: "UTC"}, Outlook: content{appointment.TimeZone: "Europe/Brussels"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Fields(tt.in)
			want := Output{ToOutlook: orEmpty(tt.toOutlook), ToBoard: orEmpty(tt.toBoard)}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRule_R21_BothChangedThePolicyDecidesAndItIsRecorded(t *testing.T) {
	in := Input{
		BoardSeen: content{subject: "a"}, Board: content{subject: "b"},
		OutlookSeen: content{subject: "a"}, Outlook: content{subject: "o"},
	}
	for _, tt := range []struct {
		wins      Side
		toOutlook content
		toBoard   content
	}{
		{wins: "", toOutlook: content{subject: "b"}},
		{wins: Board, toOutlook: content{subject: "b"}},
		{wins: Outlook, toBoard: content{subject: "o"}},
	} {
		in.Wins = tt.wins
		got := Fields(in)
		if d := cmp.Diff(orEmpty(tt.toOutlook), got.ToOutlook); d != "" {
			t.Errorf("wins %q: to Outlook: %s", tt.wins, d)
		}
		if d := cmp.Diff(orEmpty(tt.toBoard), got.ToBoard); d != "" {
			t.Errorf("wins %q: to the board: %s", tt.wins, d)
		}
		if len(got.Conflicts) != 1 || got.Conflicts[0].BoardDigest == got.Conflicts[0].OutlookDigest {
			t.Errorf("wins %q: conflicts = %+v, want one with two digests", tt.wins, got.Conflicts)
		}
	}
}

func TestRule_R40_AFieldThatAShadowDoesNotHaveIsAdopted(t *testing.T) {
	got := Fields(Input{
		BoardSeen: content{subject: "a"}, Board: content{subject: "a", "categories": "red"},
		OutlookSeen: content{subject: "a"}, Outlook: content{subject: "a", "categories": ""},
	})
	if len(got.ToBoard)+len(got.ToOutlook) != 0 {
		t.Errorf("a release that knows a new field would rewrite: %+v", got)
	}
}

func orEmpty(c content) content {
	if c == nil {
		return content{}
	}
	return c
}
