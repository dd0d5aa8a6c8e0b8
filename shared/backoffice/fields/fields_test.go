package fields

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
)

const guid = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func delivery() backoffice.Delivery {
	return backoffice.Delivery{
		Key: "k1", Operation: backoffice.Insert,
		Appointment: appointment.Appointment{
			Guid: guid, ID: 4711, SourceApp: "BC-BE", SourceType: "JOBS", JobNo: "J100", TaskNo: "T1",
			Modified: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
			Content: appointment.Content{
				appointment.When:    appointment.Interval(start, start.Add(90*time.Minute)),
				appointment.Subject: "Install heat pump", appointment.Body: "two\nlines", appointment.Importance: "high",
			},
			Assignees: []appointment.Assignee{{No: "ANN"}, {No: "BOB"}},
		},
		Graph: []byte(`{"PlanningQty":2.50,"PlanningUOM":"HOUR","UseFixPlanningQty":true,"Category":{"DisplayName":"Works"},"TimeMarker":{"Name":"Fixed"},
			"AppointmentFieldValues":[{"FieldCode":"COLOR","FieldValue":"red"},{"FieldCode":"COUNT","FieldValue":3}],
			"Assignments":[{"Resource":{"ResourceNo":"ANN","DisplayName":"Ann A.","SourceApp":"BC-BE"}},{"Resource":{"ResourceNo":"BOB"}}]}`),
	}
}

func columns() []Column {
	return []Column{
		{Name: "Entry_No", Type: Integer}, {Name: "Source_App", Type: Text, MaxLength: 30}, {Name: "Database_Action", Type: Text},
		{Name: "Job_No", Type: Text, MaxLength: 20}, {Name: "Appointment_Id", Type: Integer}, {Name: "Subject", Type: Text, MaxLength: 10},
		{Name: "Start", Type: DateTime}, {Name: "End", Type: DateTime}, {Name: "Importance", Type: Choice, Choices: []string{"_blank_", "Normal", "High"}},
		{Name: "Duration_Sec", Type: Integer}, {Name: "planningQuantity", Type: Decimal}, {Name: "Use_Fix_Planning_Quantity", Type: Boolean},
		{Name: "Status", Type: Text}, {Name: "Backoffice_Id", Type: Text},
	}
}

func TestFillsWhatTheColumnsTake(t *testing.T) {
	m := Match(Header, columns(), nil)
	if p := m.Problems(); len(p) > 0 {
		t.Fatal(p)
	}
	cells, err := m.Fill(Read(delivery()).Header)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, c := range cells {
		got[c.Column.Name] = c.Value
	}
	want := map[string]any{
		"Source_App": "BC-BE", "Database_Action": "I", "Job_No": "J100", "Appointment_Id": int64(4711), "Subject": "Install h…",
		"Start": start, "End": start.Add(90 * time.Minute), "Importance": "High", "Duration_Sec": int64(5400),
		"planningQuantity": json.Number("2.50"), "Use_Fix_Planning_Quantity": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i := 1; i < len(cells); i++ {
		if cells[i-1].Column.Name == "End" && cells[i].Column.Name != "Importance" {
			t.Error("cells are not in the order of the columns")
		}
	}
	if c, ok := m.Column(Status); !ok || c.Name != "Status" {
		t.Error("the status column is not found")
	}
}

func TestLines(t *testing.T) {
	r := Read(delivery())
	want := []Row{{ResourceNo: "ANN", "Resource Name": "Ann A.", "Source App": "BC-BE"}, {ResourceNo: "BOB"}}
	if diff := cmp.Diff(want, r.Resources); diff != "" {
		t.Error(diff)
	}
	values := []Row{{FieldCode: "COLOR", FieldValue: "red"}, {FieldCode: "COUNT", FieldValue: json.Number("3")}}
	if diff := cmp.Diff(values, r.FieldValues); diff != "" {
		t.Error(diff)
	}
}

func TestMappingByHand(t *testing.T) {
	for _, test := range []struct {
		name    string
		byHand  map[string]string
		problem string
		subject string // column
	}{
		{"as it is", nil, "", "Subject"},
		{"another column, with a length", map[string]string{"subject": "Backoffice_Id:7"}, "", "Backoffice_Id"},
		{"in another spelling", map[string]string{"SUBJECT": "backoffice id"}, "", "Backoffice_Id"},
		{"switched off", map[string]string{"Subject": "-"}, "", ""},
		{"no such column", map[string]string{"Subject": "Betreff"}, `"Betreff"`, ""},
		{"required, switched off", map[string]string{"start_date": "-"}, "switched off", "Subject"},
		{"with its part", map[string]string{"appointment.Subject": "-"}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := Match(Header, columns(), test.byHand)
			problems := strings.Join(m.Problems(), "; ")
			if test.problem == "" && problems != "" || !strings.Contains(problems, test.problem) {
				t.Errorf("problems %q, want %q", problems, test.problem)
			}
			if c, _ := m.Column(Subject); c.Name != test.subject {
				t.Errorf("subject goes to %q, want %q", c.Name, test.subject)
			}
		})
	}
}

func TestWhatDoesNotFit(t *testing.T) {
	d := delivery()
	d.Appointment.JobNo = strings.Repeat("J", 21)
	_, err := Match(Header, columns(), nil).Fill(Read(d).Header)
	if unfit, ok := errors.AsType[*Unfit](err); !ok || unfit.Field != "Job No" || strings.Contains(err.Error(), "JJ") {
		t.Errorf("a job number that is too long: %v", err)
	}
	d = delivery()
	d.Appointment.ID = 0
	if _, err := Match(Header, columns(), nil).ID(Read(d).Header); err == nil {
		t.Error("a numeric id that is not known is told as if it were")
	}
	text := columns()
	text[4] = Column{Name: "Appointment_Id", Type: Text}
	if c, err := Match(Header, text, nil).ID(Read(d).Header); err != nil || c.Value != guid {
		t.Errorf("a text takes the guid: %v, %v", c.Value, err)
	}
}

func TestTexts(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"a\x00b\x1fc\ufffe\x7f", "abc"},
		{"tab\tand\nlines", "tab\tand\nlines"},
		{"bad\xff", "bad"},
	} {
		if got := Printable(test.in); got != test.want {
			t.Errorf("Printable(%q) = %q, want %q", test.in, got, test.want)
		}
	}
	for _, test := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdef", 4, "abc…"},
		{"a😀😀", 3, "a…"}, // a sign of two units is not cut in half
		{"abcdef", 1, "…"},
	} {
		if got := Shorten(test.in, test.limit); got != test.want || Length(got) > test.limit {
			t.Errorf("Shorten(%q, %d) = %q, want %q", test.in, test.limit, got, test.want)
		}
	}
}

func TestNormal(t *testing.T) {
	for _, name := range []string{"Duration (Sec.)", "Duration_Sec", "durationSec", "DURATION SEC", "Duration_x0020__x0028_Sec_x002E__x0029_"} {
		if got := Normal(name); got != "durationsec" {
			t.Errorf("Normal(%q) = %q", name, got)
		}
	}
}
