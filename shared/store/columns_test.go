package store

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/columns.txt")

// roundTrip encodes a filled T, sends it through a table's JSON and decodes it.
func roundTrip[T any](t *testing.T) {
	t.Helper()
	want := clone(filled[T](t))
	if f := reflect.ValueOf(want).Elem().FieldByName(etagField); f.IsValid() {
		f.SetString("")
	}
	for _, v := range []*T{want, new(T)} {
		c, err := encode(v)
		if err != nil {
			t.Fatal(err)
		}
		for name, stored := range map[string]columns{"all": c, "filled": c.filled(), "over another": c.merged(columns{"Other": "x"})} {
			data, err := marshal("test", "p", "r", stored)
			if err != nil {
				t.Fatal(err)
			}
			r, err := parse("test", data)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeRow[T]("test", r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v, got); diff != "" {
				t.Errorf("%T, columns %s (-want +got):\n%s", v, name, diff)
			}
		}
	}
}

// TestEveryFieldIsStored: whatever field a row's struct gets, it comes back.
func TestEveryFieldIsStored(t *testing.T) {
	roundTrip[Link](t)
	roundTrip[Head](t)
	roundTrip[Target](t)
	roundTrip[Resource](t)
	roundTrip[Preferences](t)
	roundTrip[Transaction](t)
	roundTrip[Parked](t)
	roundTrip[Delta](t)
	roundTrip[ConnectorRecord](t)
	roundTrip[AuditEntry](t)
	roundTrip[setting](t)
	roundTrip[indexRow](t)
}

// TestRule_R40ColumnsAreOnlyAdded: testdata/columns.txt lists the columns that
// customers' tables hold. One that vanishes from the code, or gets another
// type, would make two versions of the program misread each other. Of a new
// one -update takes note.
func TestRule_R40ColumnsAreOnlyAdded(t *testing.T) {
	const file = "testdata/columns.txt"
	now := slices.Concat(
		described[Link](t, "links"), described[Head](t, "appointments"), described[Target](t, "targets"),
		described[Resource](t, "resources"), described[Preferences](t, "preferences"), described[Transaction](t, "transactions"), described[Parked](t, "parked"),
		described[ConnectorRecord](t, "connectors"), described[Delta](t, "deltas"), described[setting](t, "settings"),
		described[AuditEntry](t, "audit"),
	)
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(now, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(stored)), "\n")
	if len(lines) < 50 {
		t.Fatalf("%s holds %d lines only", file, len(lines))
	}
	for _, line := range lines {
		if !slices.Contains(now, line) {
			t.Errorf("the tables hold %q, and the code does not know it any more", line)
		}
	}
}

// described lists the columns of a T, and the fields of those that are JSON.
func described[T any](t *testing.T, table string) []string {
	t.Helper()
	c, err := encode(clone(filled[T](t)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for name, v := range c {
		if chunkOf(name) == "" {
			out = append(out, fmt.Sprintf("%s %s %s", table, name, strings.TrimPrefix(fmt.Sprintf("%T", v), "aztables.EDM")))
		}
	}
	v := reflect.TypeFor[T]()
	for i := range v.NumField() {
		if f := v.Field(i); f.Type.Kind() == reflect.Pointer {
			for j := range f.Type.Elem().NumField() {
				part := f.Type.Elem().Field(j)
				out = append(out, fmt.Sprintf("%s %s.%s %s", table, f.Name, part.Name, part.Type))
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestColumnChanges(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 4000)
	packed := func(b string) columns { c := columns{}; c.packed("Text", []byte(b)); return c }
	for _, c := range []struct {
		name           string
		old, now, want columns
	}{
		{"nothing", columns{"A": "a", "N": aztables.EDMInt64(1)}, columns{"A": "a", "N": aztables.EDMInt64(1)}, columns{}},
		{"empty and absent are one", columns{}, columns{"A": "", "B": false, "N": aztables.EDMInt64(0)}, columns{}},
		{"cleared", columns{"A": "a", "B": true}, columns{"A": "", "B": false}, columns{"A": "", "B": false}},
		{"unknown", columns{"New": "n", "New_0": aztables.EDMBinary("n")}, columns{"A": "a"}, columns{"A": "a"}},
		{"chunks no longer used", packed(long), columns{"Text": "short"}, columns{"Text": "short", "Text_0": aztables.EDMBinary{}}},
		{"chunks cleared already", columns{"Text": "", "Text_0": aztables.EDMBinary{}}, columns{"Text": ""}, columns{}},
		{"same chunks", packed(long), packed(long), columns{}},
	} {
		if diff := cmp.Diff(c.want, c.now.changes(c.old)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestTextLikeTheMark: a text that reads like the mark of packed ones is itself.
func TestTextLikeTheMark(t *testing.T) {
	for _, text := range []string{packedMark, packedMark + "1", packedMark + "x", strings.Repeat("x", maxText), strings.Repeat("x", maxText+1)} {
		c := columns{}
		c.text("Text", text)
		var got struct{ Text string }
		if err := c.decode(&got); err != nil || got.Text != text {
			t.Errorf("%.20q came back as %.20q, %v", text, got.Text, err)
		}
	}
}

// TestUnreadableColumns: what can not be read is an error that names the
// column, not its content, and never an empty value.
func TestUnreadableColumns(t *testing.T) {
	for name, c := range map[string]columns{
		"DueAt":              {"DueAt": "secret"},
		"WantedVersion":      {"WantedVersion": "secret"},
		"WantedContent":      {"WantedContent": `{"secret`},
		"Sent":               {"Sent": `["secret"]`},
		"Generation":         {"Generation": "1"},
		"WantedAbsent":       {"WantedAbsent": "true"},
		"State":              {"State": true},
		"FailureText":        {"FailureText": packedMark + "2", "FailureText_0": aztables.EDMBinary("secret")},
		"OutlookSeenICalUID": {"OutlookSeenICalUID": packedMark + "many"},
	} {
		err := c.decode(&Link{})
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: error is %v", c, err)
		}
	}
}

// TestSelectedNulls: a column that was selected and is not there is absent,
// not a number; zeros of our own stay.
func TestSelectedNulls(t *testing.T) {
	r, err := parse("test", []byte(`{"PartitionKey":"p","RowKey":"r","Family":null,"Appointment":null,"Target":"t",`+
		`"Duration":"0","Duration@odata.type":"Edm.Int64"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.dropNulls()
	got, err := decodeRow[Transaction]("test", r)
	if err != nil || *got != (Transaction{Target: "t"}) || len(r.columns) != 2 {
		t.Errorf("%+v from %v, %v", got, r.columns, err)
	}
}

func TestTimeTextSorts(t *testing.T) {
	base := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	var texts []string
	for _, d := range []time.Duration{-time.Second, -time.Nanosecond, 0, time.Nanosecond, 100 * time.Millisecond, time.Second, 20 * time.Minute} {
		texts = append(texts, timeText(base.Add(d).In(time.FixedZone("", -7200))))
	}
	if !slices.IsSorted(texts) || timeText(time.Time{}) != "" {
		t.Errorf("not in order: %v", texts)
	}
}

func TestKeysDiffer(t *testing.T) {
	texts := []string{
		"", "a", "A", "a/b", "a~2fb", "a~2Fb", "a|b", "a}b", "ä", "a b", "a+b", "a%20b", "'", "''",
		strings.Repeat("x", 500), strings.Repeat("x", 501), strings.Repeat("/", 200), strings.Repeat("/", 201),
	}
	seen := map[string]string{}
	for _, text := range texts {
		k := key(text)
		if other, ok := seen[k]; ok {
			t.Errorf("%q and %q share the key %q", text, other, k)
		}
		seen[k] = text
		if len(k) > maxKey || strings.ContainsAny(k, "/\\#?%+'|} \t") {
			t.Errorf("%q has the key %q", text, k)
		}
	}
	if got := key("7d1f6f1e-3f0c.x_Y"); got != "7d1f6f1e-3f0c.x_Y" {
		t.Errorf("a plain id has the key %q", got)
	}
}
