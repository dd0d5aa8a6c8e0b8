package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// graph is an appointment as the webhook connector sends it, in its mixed casing.
const graph = `{"appointmentNo":"A1","id":9007199254740993,"Subject":"Repair boiler","Body":null,"StartDate":"2026-11-25T08:00:00Z",
 "EndDate":"2026-11-25T10:00:00Z","Importance":1,"Locked":false,"PlanningQty":2.5,"Category":{"DisplayName":"SERVICE","Color":"#FF0000"},
 "TimeMarker":{"Name":"IN PROCESS","Color":"#00FF00"},
 "Task":{"TaskNo":"T1","FreeBit1":true,"FreeBit2":1,"FreeText1":"Placeholder x","FreeDate1":"2026-01-31T00:00:00","FreeDecimal1":7.5,
   "Custom1":"yes","Job":{"JobNo":"J1","SourceApp":"BC","SourceType":"SO"}},
 "Assignments":[{"ResourceId":1,"Resource":{"ResourceNo":"R1","Department":"FIELD"}}]}`

// bare is an appointment of which little is known.
const bare = `{"AppointmentGuid":"g","Subject":"","Category":null,"Task":null,"Assignments":[]}`

func one(expression string) string {
	return fmt.Sprintf(`{"Rules":[{"Name":"W","Rules":[{"Name":"R","ErrorMessage":"No.","Expression":%s}]}]}`, jsonText(expression))
}

func jsonText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}

func TestExpressions(t *testing.T) {
	for _, c := range []struct {
		expression string
		full, bare bool
	}{
		// The published example.
		{`appointment.Category <> NULL AND appointment.Category.Name == "SERVICE" AND appointment.Task <> NULL AND appointment.Task.FreeBit1 == true`, true, false},
		{`appointment.TimeMarker <> NULL AND appointment.TimeMarker.Name == "IN PROCESS"`, true, false},
		// Letter case of names and words, not of texts.
		{`APPOINTMENT.category.displayname = 'SERVICE' and not appointment.locked`, true, false},
		{`appointment.Category.Name == "service"`, false, false},
		{`appointment.Category.Name != "service"`, true, true},
		// Navigation through NULL is NULL, and NULL is neither true nor less.
		{`appointment.Task.Job.JobNo == NULL`, false, true},
		{`appointment.Category.Name == "X"`, false, false},
		{`appointment.Task.FreeBit1`, true, false},
		{`NOT appointment.Task.FreeBit1`, false, true},
		{`appointment.Task.FreeDecimal1 > 7 && appointment.Task.FreeDecimal1 <= 7.5`, true, false},
		{`appointment.Task.FreeDecimal1 < 7 || appointment.Task.FreeDecimal1 >= 8`, false, false},
		{`appointment.Task.FreeDecimal1 > -1.5m`, true, false},
		// Different types are unequal, and no error.
		{`appointment.Subject == 1`, false, false},
		{`appointment.Subject <> 1`, true, true},
		{`appointment.Importance == "1"`, false, false},
		{`appointment.Category == "SERVICE"`, false, false},
		{`appointment.Task.FreeBit2 == true AND appointment.Task.FreeBit2 = 1`, true, false},
		// NOT as a word is that of SQL, ! that of C#.
		{`NOT appointment.Category.Name == "OTHER" AND appointment.Locked == false`, true, false},
		{`NOT NOT appointment.Task.FreeBit1 OR NOT appointment.Subject == ""`, true, false},
		{`!(appointment.Category.Name == "SERVICE")`, false, true},
		{`appointment.Locked == NOT appointment.Task.FreeBit1`, true, false},
		// AND before OR, parentheses.
		{`true OR false AND false`, true, true},
		{`(true OR false) AND false`, false, false},
		// Texts.
		{`appointment.Task.FreeText1.StartsWith("Place") AND appointment.Task.FreeText1.EndsWith("x") AND appointment.Task.FreeText1.Contains("hold")`, true, false},
		{`NOT appointment.Task.FreeText1.ToLower().StartsWith("placeholder")`, false, true},
		{`appointment.Subject.Contains("BOILER", StringComparison.OrdinalIgnoreCase)`, true, false},
		{`appointment.Category.Name.Equals("service", StringComparison.OrdinalIgnoreCase)`, true, false},
		{`appointment.Subject.Length > 3 && !string.IsNullOrEmpty(appointment.Category?.Name)`, true, false},
		{`String.IsNullOrWhiteSpace(appointment.Body)`, true, true},
		{"appointment.Category.Name ==\n\t“SERVICE”", true, false},
		{`appointment.Subject == "a \"quoted\" \\ \n text"`, false, false},
		// Lists, numbers beyond 2^53, dates.
		{`appointment.Assignments.Any() AND appointment.Assignments.Count() == 1 AND appointment.Assignments.Count >= 1`, true, false},
		{`appointment.Id == 9007199254740993`, true, false},
		{`appointment.Id == 9007199254740992`, false, false},
		{`appointment.StartDate >= "2026-11-25" AND appointment.Task.FreeDate1 == "2026-01-31"`, true, false},
		// The flat form's names.
		{`appointment.JobNo == "J1" AND appointment.Start < "2027-01-01" AND appointment.PlanningQuantity == 2.5`, true, false},
		// Fields that are not known are read all the same.
		{`appointment.Task.Custom1 == "yes"`, true, false},
		{`appointment.Task.FreeText21 == NULL`, true, true},
	} {
		set, problems := Parse(one(c.expression))
		if !Usable(problems) {
			t.Errorf("%s\n\tis refused: %v", c.expression, problems)
			continue
		}
		for _, g := range []struct {
			graph string
			want  bool
		}{{graph, c.full}, {bare, c.bare}} {
			if got := set.Evaluate([]byte(g.graph)); got.Passes != g.want || got.Broken != "" {
				t.Errorf("%s\n\tgives %+v, want %t, for %.40s", c.expression, got, g.want, g.graph)
			}
		}
	}
}

func TestTheFlatFormNamesTheCategory(t *testing.T) {
	set, _ := Parse(one(`appointment.Category <> NULL AND appointment.Category.Name == "SERVICE" AND appointment.TimeMarker.DisplayName == NULL`))
	for graph, want := range map[string]bool{`{"category":"SERVICE"}`: true, `{"category":"HOLD"}`: false, `{"category":""}`: false} {
		if o := set.Evaluate([]byte(graph)); o.Passes != want {
			t.Errorf("%s: %+v", graph, o)
		}
	}
}

func TestProblemsHaveTheirPlace(t *testing.T) {
	for _, c := range []struct {
		expression, want string
		warning          bool
	}{
		{`appointment.Categry.Name == "X"`, "line 1, column 13: `Categry` is not a field of appointment: did you mean Category?", false},
		{"appointment.Category <> NULL\n  AND appointment.Task.FreBit1 == true", "line 2, column 24: `FreBit1` is not a field of Task: did you mean FreeBit1?", false},
		{`appointment.Task.Colour == "red"`, "line 1, column 18: `Colour` is not a field of Task that we know: where the board does not send it, it is NULL", true},
		{`appointment.Task.FreeText21 == "x"`, "line 1, column 18: `FreeText21` is not a field of Task that we know: where the board does not send it, it is NULL", true},
		{`Category.Name == "X"`, "line 1, column 1: `Category` is not known: write appointment.Category", false},
		{`appointment.Category.Name == SERVICE`, "line 1, column 30: `SERVICE` is not known: every field begins with appointment, as in appointment.Category.Name; texts stand in quotation marks", false},
		{`appointment.Category.Name == "SERVICE" AND`, "line 1, column 43: the expression is not complete: something is missing at its end", false},
		{`appointment.Category.Name == AND appointment.Locked`, "line 1, column 30: `AND` can not stand here", false},
		{`NOT`, "line 1, column 4: the expression is not complete: something is missing at its end", false},
		{`(NOT) AND true`, "line 1, column 5: NOT stands before nothing", false},
		{`(appointment.Locked == true`, "line 1, column 1: this parenthesis is not closed", false},
		{`appointment.Locked == true)`, "line 1, column 27: this parenthesis closes none", false},
		{`appointment.Subject == "x`, "line 1, column 24: this text is not closed with a quotation mark", false},
		{`appointment.Subject LIKE "x"`, "line 1, column 21: `LIKE` can not stand here", false},
		{`appointment.Assignments.Any(a => a.ResourceId == 1)`, "line 1, column 31: expressions inside of Any, Count and the like are not supported; Any() and Count without one are", false},
		{`appointment.Assignments[0] == NULL`, "line 1, column 24: indexes are not supported", false},
		{`appointment.PlanningQty * 2 > 4`, "line 1, column 25: a rule compares values, it can not calculate with them", false},
		{`appointment.Subject.Substring(1) == "x"`, "line 1, column 21: the method `Substring` is not supported; texts have Contains, StartsWith, EndsWith, Equals, ToLower, ToUpper, Trim, lists have Any and Count", false},
		{`appointment.Subject.Contains(1)`, "line 1, column 30: Contains takes a text, here is a number", false},
		{`appointment.Subject`, "line 1, column 1: the expression is a text, but a rule says yes or no: compare it with something", false},
		{`appointment.Locked == true AND "x"`, "line 1, column 32: this is a text, but AND, OR and NOT join what is true or false: compare it with something", false},
		{`appointment.StartDate > "tomorrow"`, `line 1, column 25: this is no date; write it as "2026-12-31" or "2026-12-31T08:00:00"`, false},
		{`appointment.Subject == 5`, "line 1, column 1: a text is compared with a number: they are never equal", true},
		{`len(appointment.Subject) > 1`, "line 1, column 1: there are no functions here; texts have Contains, StartsWith, EndsWith, ToLower, ToUpper, Trim, lists have Any and Count", false},
		{`appointment.Subject matches "("`, "line 1, column 21: `matches` can not stand here", false},
		{strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100), "line 1, column 65: the expression is nested too deeply", false},
		{`appointment.Category.Name == "Ärger" AND appointment.Lokked`, "line 1, column 54: `Lokked` is not a field of appointment: did you mean Locked?", false},
	} {
		set, problems := Parse(one(c.expression))
		if len(problems) != 1 {
			t.Errorf("%s\n\tgives %v, want one problem", c.expression, problems)
			continue
		}
		if got := problems[0]; got.Warning != c.warning || got.String() != "workflow W, rule R, "+c.want {
			t.Errorf("%s\n\tgives  %v (warning %t)\n\twant   workflow W, rule R, %s", c.expression, got, got.Warning, c.want)
		}
		if o := set.Evaluate([]byte(graph)); !c.warning && o.Broken == "" {
			t.Errorf("%s\n\tis broken, but says %+v", c.expression, o)
		}
	}
}

func TestFilesThatAreAccepted(t *testing.T) {
	rule := `{"Name":"R","ErrorMessage":"No.","Expression":"appointment.Locked == true"}`
	for name, text := range map[string]string{
		"published":            `{"Rules":[{"Name":"W","Rules":[` + rule + `]}]}`,
		"the list alone":       `[{"Name":"W","Rules":[` + rule + `]}]`,
		"rules alone":          `[` + rule + `]`,
		"any letter case":      `{"rules":[{"name":"W","rules":[{"name":"R","errormessage":"No.","expression":"appointment.Locked == true"}]}]}`,
		"a whole appsettings":  "\ufeff{\n  // how it logs\n  \"Logging\":{\"Level\":\"Info\",},\n  /* ours */ \"Rules\":[{\"Name\":\"W // no comment\",\"Rules\":[" + rule + ",],},],\n}\n",
		"one of them disabled": `[{"Name":"W","Rules":[{"Name":"Off","Enabled":false,"Expression":"nonsense("},` + rule + `]}]`,
	} {
		set, problems := Parse(text)
		if len(problems) != 0 {
			t.Errorf("%s: %v", name, problems)
		}
		if got := set.Evaluate([]byte(graph)); got.Passes || got.Rule != "R" || got.Message != "No." {
			t.Errorf("%s: %+v", name, got)
		}
		if set.Fingerprint() == "" {
			t.Errorf("%s: no fingerprint", name)
		}
	}
	for _, text := range []string{"", " \n", "[]", `{"Rules":[]}`, `{"Rules":[{"Name":"W","Rules":[]}]}`} {
		set, problems := Parse(text)
		if len(problems) != 0 || set.Fingerprint() != "" || !set.Evaluate([]byte(bare)).Passes {
			t.Errorf("%q is no rules at all, but gives %v", text, problems)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no JSON", "if category = service then send", "line 1, column 1: it is not JSON: invalid character 'i' looking for beginning of value"},
		{"cut off", "{\"Rules\":[\n {\"Name\":\"W\",", "line 2, column 13: it is not JSON: unexpected end of JSON input"},
		{"a missing comma", "{\"Rules\":[\n // x\n {\"Name\":\"W\" \"Rules\":[]}]}", "line 3, column 14: it is not JSON: invalid character '\"' after object key:value pair"},
		{"no rules", `{"Logging":{}}`, `there is no section "Rules" in it; without rules, leave the text empty`},
		{"rules that are no list", `{"Rules":"x"}`, "line 1, column 12: Rules is a string here; rules are a list of workflows, each with a Name and a list of Rules with Name, ErrorMessage and Expression"},
		{"no expression", `[{"Name":"W","Rules":[{"Name":"R","ErrorMessage":"No."}]}]`, "workflow W, rule R: it has no Expression"},
		{"nested", `[{"Name":"W","Rules":[{"Name":"R","ErrorMessage":"No.","Rules":[{"Name":"S"}]}]}]`, "workflow W, rule R: it holds rules of its own: rules can not be nested, write them beside it"},
		{"far too long", one("true" + strings.Repeat(" ", maxExpression)), "workflow W, rule R: the expression is too long"},
		{"far too large", strings.Repeat(" ", maxFile) + "[]", "the text is larger than 256 KiB"},
	} {
		set, problems := Parse(c.text)
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
		}
		if diff := cmp.Diff([]string{c.want}, got); diff != "" || Usable(problems) {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if o := set.Evaluate([]byte(graph)); o.Passes || o.Broken == "" {
			t.Errorf("%s: a text that can not be used says %+v, want neither yes nor no", c.name, o)
		}
	}
}

func TestAllMustPassAndTheFirstThatFailsSpeaks(t *testing.T) {
	text := `[{"Name":"A","Rules":[{"Name":"broken","ErrorMessage":"-","Expression":"appointment."},
	  {"Name":"passes","ErrorMessage":"-","Expression":"true"}]},
	 {"Name":"B","Rules":[{"Name":"service","ErrorMessage":"Only service.","Expression":"appointment.Category.Name == \"SERVICE\""}]}]`
	set, problems := Parse(text)
	if Usable(problems) {
		t.Fatal("a broken rule is taken for usable")
	}
	if got := set.Evaluate([]byte(bare)); got.Passes || got.Broken != "" || got.Rule != "service" || got.Workflow != "B" || got.Message != "Only service." {
		t.Errorf("a rule that fails decides, whatever is broken beside it: %+v", got)
	}
	if got := set.Evaluate([]byte(graph)); got.Passes || got.Broken == "" || got.Rule != "broken" {
		t.Errorf("nothing fails, one is broken: neither yes nor no, but %+v", got)
	}
	if got := set.Evaluate([]byte("no graph")); got.Passes || got.Broken == "" {
		t.Errorf("a graph that can not be read says %+v", got)
	}
}

// No text may make the engine panic, loop, or run what it has called broken.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{`appointment.Category <> NULL AND NOT appointment.Task.FreeBit1 == true`, `a.b("x",1)`, "“x”==x?.y", `!!!!-1 = -1`, "((NOT(", `string.IsNullOrEmpty(appointment.Subject)`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		program, problems := compile(expression)
		if (program == nil) == Usable(problems) {
			t.Fatalf("%q: program %t, problems %v", expression, program != nil, problems)
		}
		for _, p := range problems {
			if p.Line < 1 && p.Text != "the expression is too long" || strings.Contains(p.Text, prefix+"appointment") {
				t.Errorf("%q: problem %+v", expression, p)
			}
		}
		if program == nil {
			return
		}
		for _, g := range []string{graph, bare} {
			v, err := readGraph([]byte(g))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (rule{program: program}).passes(v); err != nil {
				t.Errorf("%q: %v", expression, err)
			}
		}
	})
}
