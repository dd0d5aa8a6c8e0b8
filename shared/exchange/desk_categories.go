package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dime-scheduler/connectors/shared/category"
	"github.com/dime-scheduler/connectors/shared/routing"
)

// CategoriesView is how the board's categories and time markers show in Outlook.
type CategoriesView struct {
	Links   category.Links `json:"links"`
	Version string         `json:"version"` // see RulesView
	// Problem says why the stored links can not be used; empty = they can.
	Problem string `json:"problem,omitempty"`
	// Categories and TimeMarkers are those of the board.
	Categories  []LabelView `json:"categories"`
	TimeMarkers []LabelView `json:"timeMarkers"`
	// BoardProblem says why the board's lists are not here; empty = they are.
	BoardProblem string `json:"boardProblem,omitempty"`
}

// LabelView is one of the board's, and what it becomes.
type LabelView struct {
	Name  string `json:"name"`
	Shown string `json:"shown,omitempty"`
	Color string `json:"color,omitempty"`
	// Outlook is the category's name there; empty = it is not shown. Preset is the
	// colour that the category gets if the mailbox does not have it yet.
	Outlook string `json:"outlook"`
	Preset  string `json:"preset"`
}

// Categories returns the links, and what the board has to be linked.
func (d *Desk) Categories(ctx context.Context) (CategoriesView, error) {
	text, etag, err := d.value(ctx, routing.CategoriesName)
	if err != nil {
		return CategoriesView{}, err
	}
	v := CategoriesView{Version: etag}
	if v.Links, err = category.Parse(text); err != nil {
		v.Problem = err.Error()
	}
	labels, failed := d.Board.Categories(ctx)
	markers, failedToo := d.Board.TimeMarkers(ctx)
	if err := errors.Join(failed, failedToo); err != nil {
		_, v.BoardProblem = explain(errors.Join(failed, failedToo))
	}
	none := &category.Label{}
	for _, l := range labels {
		name, _ := v.Links.Outlook(&l, none)
		v.Categories = append(v.Categories, LabelView{l.Name, l.Shown, l.Color, name, category.Preset(l.Color)})
	}
	for _, l := range markers {
		name, _ := v.Links.Outlook(none, &l)
		v.TimeMarkers = append(v.TimeMarkers, LabelView{l.Name, l.Shown, l.Color, name, category.Preset(l.Color)})
	}
	return v, nil
}

// SaveCategories stores the links, unless something is wrong with them; the error
// says all of it, for people. version is that of the view they were made from ("" =
// whatever is there). They apply like rules.
func (d *Desk) SaveCategories(ctx context.Context, who string, links category.Links, version string) error {
	if err := links.Check(); err != nil {
		return fmt.Errorf("the links were not saved: %w", err)
	}
	text, err := json.Marshal(links)
	if err != nil {
		return err
	}
	changed, err := d.saveValue(ctx, routing.CategoriesName, string(text), version)
	if err != nil || !changed {
		return err
	}
	err = d.audit(ctx, who, "categories.save", routing.CategoriesName, fmt.Sprintf("%d categories, %d time markers are linked", len(links.Categories), len(links.TimeMarkers)))
	return errors.Join(err, d.nudgeAll(ctx))
}
