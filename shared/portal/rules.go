package portal

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/dime-scheduler/connectors/shared/category"
	"github.com/dime-scheduler/connectors/shared/exchange"
)

// rules shows the rules that decide which appointments go to Outlook.
func (p *Portal) rules(r *http.Request, _ Principal) (view, error) {
	v, err := p.Exchange.Rules(r.Context())
	return rulesView(v, nil, ""), err
}

func rulesView(v exchange.RulesView, try *exchange.RuleTry, verdict string) view {
	return view{Template: "rules", Title: "Rules", Data: map[string]any{"V": v, "Try": try, "Verdict": verdict}}
}

// saveRules stores the rules, or tries them, as the button says. With mistakes nothing
// is stored, and the text comes back with them.
func (p *Portal) saveRules(r *http.Request, who Principal) (view, error) {
	ctx := r.Context()
	v := exchange.RulesView{Text: r.PostFormValue("rules"), Version: r.PostFormValue("version")}
	failed := func(err error) (view, error) {
		problems, ok := errors.AsType[exchange.ProblemsError](err)
		if !ok {
			return view{}, refused(err)
		}
		v.Problems = problems
		out := rulesView(v, nil, "")
		out.Status = http.StatusBadRequest
		return out, nil
	}
	switch guid := strings.TrimSpace(r.PostFormValue("guid")); {
	case r.PostFormValue("try") != "" && guid != "":
		outcome, problems, err := p.Exchange.TryRulesOn(ctx, v.Text, guid)
		if err != nil {
			return failed(err)
		}
		verdict := "The appointment goes to Outlook."
		switch {
		case outcome.Broken != "":
			verdict = "The rule " + outcome.Rule + " can not be evaluated for it: " + outcome.Broken
		case !outcome.Passes:
			verdict = fmt.Sprintf("It does not go to Outlook: %s (rule %s).", outcome.Message, outcome.Rule)
		}
		v.Problems = problems
		return rulesView(v, nil, verdict), nil
	case r.PostFormValue("try") != "":
		try, err := p.Exchange.TryRules(ctx, v.Text)
		if err != nil {
			return failed(err)
		}
		v.Problems = try.Problems
		return rulesView(v, &try, ""), nil
	}
	if _, err := p.Exchange.SaveRules(ctx, who.Who(), v.Text, v.Version); err != nil {
		return failed(err)
	}
	return view{To: "/rules", Done: "Saved. They hold within half a minute for what changes, and within minutes for what is there."}, nil
}

// categories shows which Outlook category each of the board's categories becomes.
func (p *Portal) categories(r *http.Request, _ Principal) (view, error) {
	v, err := p.Exchange.Categories(r.Context())
	return view{Template: "categories", Title: "Categories", Data: map[string]any{
		"V": v, "Categories": linesOf(v.Links.Categories), "TimeMarkers": linesOf(v.Links.TimeMarkers),
	}}, err
}

func linesOf(links []category.Link) string {
	var lines []string
	for _, l := range links {
		lines = append(lines, l.Dime+" = "+l.Outlook)
	}
	return strings.Join(lines, "\n")
}

func (p *Portal) saveCategories(r *http.Request, who Principal) (view, error) {
	parse := func(name string) (out []category.Link, err error) {
		for line := range strings.SplitSeq(r.PostFormValue(name), "\n") {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			dime, outlook, ok := strings.Cut(line, "=")
			if !ok {
				return nil, bad("The line %q has no =: write \"board = Outlook\", or \"board =\" for one that is not shown.", line)
			}
			out = append(out, category.Link{Dime: strings.TrimSpace(dime), Outlook: strings.TrimSpace(outlook)})
		}
		return out, nil
	}
	var links category.Links
	var err error
	if links.Categories, err = parse("categories"); err != nil {
		return view{}, err
	}
	if links.TimeMarkers, err = parse("timeMarkers"); err != nil {
		return view{}, err
	}
	links.OtherCategories, links.OtherTimeMarkers = r.PostFormValue("otherCategories"), r.PostFormValue("otherTimeMarkers")
	err = p.Exchange.SaveCategories(r.Context(), who.Who(), links, r.PostFormValue("version"))
	return view{To: "/categories", Done: "Saved."}, refused(err)
}
