package dimescheduler_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/shared/category"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
)

func TestLabels(t *testing.T) {
	none := &category.Label{}
	for name, c := range map[string]struct {
		graph            string
		category, marker *category.Label
	}{
		"the full graph": {`{"Assignments":[],"Category":{"DisplayName":"Service","Color":"#FF0000"},"timemarker":{"Name":"URGENT"}}`,
			&category.Label{Name: "Service", Color: "#FF0000"}, &category.Label{Name: "URGENT"}},
		"both names":                  {`{"Assignments":[],"Category":{"Name":"SERVICE","DisplayName":"Service job"}}`, &category.Label{Name: "SERVICE", Shown: "Service job"}, nil},
		"none, says the full graph":   {`{"Assignments":[],"Category":null,"TimeMarker":null}`, none, none},
		"the full graph says nothing": {`{"Assignments":[]}`, nil, nil},
		"the flat form":               {`{"resourceNo":"R1","category":"SERVICE","timeMarker":null}`, &category.Label{Name: "SERVICE"}, nil},
		"what can not be read":        {`{"Assignments":[],"Category":[1]}`, nil, nil},
		"no JSON":                     {`x`, nil, nil},
	} {
		gotCategory, gotMarker := dimescheduler.Labels([]byte(c.graph))
		if diff := cmp.Diff([]*category.Label{c.category, c.marker}, []*category.Label{gotCategory, gotMarker}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLabelsOfTheBoard(t *testing.T) {
	board, c := newBoard(t, boardsim.Options{})
	board.AddCategory(boardsim.Category{Name: "SERVICE", DisplayName: "Service job", Color: "#FF0000"})
	board.AddTimeMarker(boardsim.TimeMarker{Name: "URGENT", Color: "#0000FF"})
	categories, err := c.Categories(t.Context())
	if diff := cmp.Diff([]category.Label{{Name: "SERVICE", Shown: "Service job", Color: "#FF0000"}}, categories); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	markers, err := c.TimeMarkers(t.Context())
	if diff := cmp.Diff([]category.Label{{Name: "URGENT", Color: "#0000FF"}}, markers); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}
