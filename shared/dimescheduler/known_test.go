package dimescheduler

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/fault"
)

const knownGuid = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"

// merged decodes messages one after the other and merges them; changed is that
// of the last.
func merged(t *testing.T, changed *bool, messages ...[2]string) object {
	t.Helper()
	var graph []byte
	zone, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range messages {
		c, err := DecodeChange([]byte(m[1]), m[0], int64(i+1), time.Now(), zone)
		if err != nil {
			t.Fatal(err)
		}
		if graph, *changed, err = MergeGraph(graph, c); err != nil {
			t.Fatal(err)
		}
	}
	o, err := parseObject(graph)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const wholeMessage = `{"appointmentNo":"A1","id":7,"appointmentguid":"{6F9619FF-8B86-D011-B42D-00CF4FC964FF}","subject":"Heat pump ","BODY":"x",
	"startdate":"2026-03-02T09:00:00","EndDate":"2026-03-02T11:00:00","ShowAs":2,"Sensitivity":3,"LastModifiedDate":"2026-02-27T15:04:05Z","planningQty":1.50,
	"Task":{"TaskNo":"T1","FreeBit1":true,"Job":{"JobNo":"J1","SourceApp":"BC","SourceType":"S","Customer":"C"}},
	"Category":{"DisplayName":"Service","color":"#ff0000"},
	"Assignments":[{"ResourceId":1,"Resource":{"ResourceNo":"R1","SourceApp":"BC","Email":"a@x"}},{"ResourceId":2,"Resource":{"ResourceNo":"R2","SourceApp":"HR"}}]}`

func TestRule_R9_TheKnownGraphKeepsWhatAMessageLacks(t *testing.T) {
	for _, test := range []struct {
		name     string
		messages [][2]string
		changed  bool
		want     string
	}{
		{"the full form in one casing, times in UTC, nothing that is a resource's own", [][2]string{{"Create", wholeMessage}}, true,
			`{"appointmentNo":"A1","id":7,"AppointmentGuid":"` + knownGuid + `","Subject":"Heat pump","Body":"x",
			"StartDate":"2026-03-02T08:00:00Z","EndDate":"2026-03-02T10:00:00Z","LastModifiedDate":"2026-02-27T15:04:05Z","PlanningQty":1.50,
			"Task":{"TaskNo":"T1","FreeBit1":true,"Job":{"JobNo":"J1","SourceApp":"BC","SourceType":"S","Customer":"C"}},
			"Category":{"DisplayName":"Service","Color":"#ff0000"},
			"Assignments":[{"ResourceId":1,"Resource":{"ResourceNo":"R1","SourceApp":"BC","Email":"a@x"}},{"ResourceId":2,"Resource":{"ResourceNo":"R2","SourceApp":"HR"}}]}`},
		{"the flat form says something of one resource", [][2]string{{"Create", wholeMessage},
			{"Update", `{"appointmentGuid":"` + knownGuid + `","subject":"Moved","resourceNo":"R3","resourceEmail":"c@x","start":"2026-03-03T08:00:00Z","end":"2026-03-03T09:00:00Z","body":null,"jobNo":"J1","updatedAt":"2026-02-28T00:00:00Z"}`}}, true,
			`{"appointmentNo":"A1","id":7,"AppointmentGuid":"` + knownGuid + `","Subject":"Moved","Body":"x",
			"StartDate":"2026-03-03T08:00:00Z","EndDate":"2026-03-03T09:00:00Z","LastModifiedDate":"2026-02-28T00:00:00Z","PlanningQty":1.50,
			"Task":{"TaskNo":"T1","FreeBit1":true,"Job":{"JobNo":"J1","SourceApp":"BC","SourceType":"S","Customer":"C"}},
			"Category":{"DisplayName":"Service","Color":"#ff0000"},
			"Assignments":[{"ResourceId":1,"Resource":{"ResourceNo":"R1","SourceApp":"BC","Email":"a@x"}},{"ResourceId":2,"Resource":{"ResourceNo":"R2","SourceApp":"HR"}},{"Resource":{"ResourceNo":"R3","Email":"c@x"}}]}`},
		{"another task takes the place of the known one; null is none; a resource keeps what is known of it", [][2]string{{"Create", wholeMessage},
			{"Update", `{"AppointmentGuid":"` + knownGuid + `","Task":{"TaskNo":"T2","Job":{"JobNo":"J1","SourceApp":"BC"}},"Category":null,"Assignments":[{"Resource":{"ResourceNo":"R1"}}]}`}}, true,
			`{"appointmentNo":"A1","id":7,"AppointmentGuid":"` + knownGuid + `","Subject":"Heat pump","Body":"x",
			"StartDate":"2026-03-02T08:00:00Z","EndDate":"2026-03-02T10:00:00Z","LastModifiedDate":"2026-02-27T15:04:05Z","PlanningQty":1.50,
			"Task":{"TaskNo":"T2","Job":{"JobNo":"J1","SourceApp":"BC"}},"Category":null,
			"Assignments":[{"ResourceId":1,"Resource":{"ResourceNo":"R1","SourceApp":"BC","Email":"a@x"}}]}`},
		{"the flat form takes its resource off", [][2]string{{"Create", `{"appointmentGuid":"` + knownGuid + `","resourceNo":"R1"}`},
			{"Create", `{"appointmentGuid":"` + knownGuid + `","resourceNo":"R2"}`}, {"Delete", `{"appointmentGuid":"` + knownGuid + `","resourceNo":"R1"}`}}, true,
			`{"AppointmentGuid":"` + knownGuid + `","Assignments":[{"Resource":{"ResourceNo":"R2"}}]}`},
		{"a Delete that names nobody leaves what was known", [][2]string{{"Create", `{"appointmentGuid":"` + knownGuid + `","subject":"S"}`}, {"Delete", `{"appointmentGuid":"` + knownGuid + `"}`}}, false,
			`{"AppointmentGuid":"` + knownGuid + `","Subject":"S"}`},
		{"what a back office has sent is no longer so after the next change", [][2]string{
			{"Create", `{"AppointmentGuid":"` + knownGuid + `","sentfromBackOffice":true,"BackofficeID":"SO-1"}`}, {"Update", `{"AppointmentGuid":"` + knownGuid + `"}`}}, false,
			`{"AppointmentGuid":"` + knownGuid + `","BackOfficeId":"SO-1"}`},
		{"who touched it last is no change", [][2]string{{"Create", wholeMessage},
			{"Update", `{"AppointmentGuid":"` + knownGuid + `","LastModifiedDate":"2026-02-28T15:04:05Z"}`}}, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var changed bool
			got := merged(t, &changed, test.messages...)
			if changed != test.changed {
				t.Errorf("changed = %t", changed)
			}
			if test.want == "" {
				return
			}
			want, err := parseObject([]byte(test.want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("graph (-want +got):\n%s", diff)
			}
		})
	}
}

// What is read from the board and sent on makes the same graph, also if the board
// lists flat rows.
func TestRule_R10_TheWholeGraphTravels(t *testing.T) {
	var changed bool
	want := merged(t, &changed, [2]string{"Update", wholeMessage})
	c, err := DecodeChange([]byte(wholeMessage), "Update", 1, time.Now(), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	a := c.Appointment
	a.Raw = c.Raw
	body, err := EncodeChange(a)
	if err != nil {
		t.Fatal(err)
	}
	want["StartDate"], want["EndDate"] = "2026-03-02T09:00:00Z", "2026-03-02T11:00:00Z"
	if diff := cmp.Diff(want, merged(t, &changed, [2]string{"Update", string(body)})); diff != "" {
		t.Errorf("graph (-want +got):\n%s", diff)
	}
	a.Raw = json.RawMessage(`{"appointmentGuid":"` + knownGuid + `","resourceNo":"R9","start":"2026-01-01T00:00:00Z","planningQuantity":2}`)
	if body, err = EncodeChange(a); err != nil {
		t.Fatal(err)
	}
	o, err := parseObject(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, flat := range []string{"resourceNo", "ResourceNo", "start"} {
		if _, there := o[flat]; there {
			t.Errorf("the message holds %s besides Assignments", flat)
		}
	}
	if o["PlanningQty"] != json.Number("2") || len(o["Assignments"].([]any)) != 2 {
		t.Errorf("the message is %s", body)
	}
}

func TestMergeGraphRefusesWhatIsNoObject(t *testing.T) {
	c, err := DecodeChange([]byte(`{"appointmentGuid":"`+knownGuid+`"}`), "Update", 1, time.Now(), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := MergeGraph([]byte("{"), c); fault.Of(err).Kind != fault.Poison {
		t.Errorf("a broken known graph: %v", err)
	}
}
