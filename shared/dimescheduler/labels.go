package dimescheduler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/dime-scheduler/connectors/shared/category"
)

const (
	categoriesPath  = "/categories" // facts C.3
	timeMarkersPath = "/timeMarker" // facts C.3
)

// Labels returns the category and the time marker that an appointment's graph
// shows; nil = it does not say, the zero label = it has none. The flat form names
// them only.
func Labels(graph []byte) (categoryOf, timeMarker *category.Label) {
	var m struct {
		Category    json.RawMessage `json:"category"`
		TimeMarker  json.RawMessage `json:"timeMarker"`
		Assignments json.RawMessage `json:"assignments"`
	}
	if json.Unmarshal(graph, &m) != nil {
		return nil, nil
	}
	full := !isNull(value(m.Assignments))
	return label(m.Category, full), label(m.TimeMarker, full)
}

func label(raw json.RawMessage, full bool) *category.Label {
	if isNull(value(raw)) {
		if full && len(raw) > 0 {
			return &category.Label{} // the full graph says that there is none
		}
		return nil
	}
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return &category.Label{Name: name}
	}
	l, err := readLabel(raw)
	if err != nil {
		return nil
	}
	return &l
}

func readLabel(raw []byte) (category.Label, error) {
	var w struct {
		Name        value `json:"name"`
		DisplayName value `json:"displayName"`
		Color       value `json:"color"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return category.Label{}, errors.New("it is not an object")
	}
	r := &reader{}
	l := category.Label{Name: r.key("name", w.Name), Shown: r.key("displayName", w.DisplayName), Color: r.key("color", w.Color)}
	if r.problem != "" {
		return category.Label{}, errors.New(r.problem)
	}
	if l.Name == "" {
		l.Name, l.Shown = l.Shown, ""
	}
	if l.Shown == l.Name {
		l.Shown = ""
	}
	return l, nil
}

// Categories returns the board's categories in its order. It is complete or an error.
func (c *Client) Categories(ctx context.Context) ([]category.Label, error) {
	return c.labels(ctx, "board: list categories", categoriesPath)
}

// TimeMarkers returns the board's time markers in its order. It is complete or an error.
func (c *Client) TimeMarkers(ctx context.Context) ([]category.Label, error) {
	return c.labels(ctx, "board: list time markers", timeMarkersPath)
}

func (c *Client) labels(ctx context.Context, op, path string) ([]category.Label, error) {
	k := call{op: op, method: http.MethodGet, path: path}
	raw, err := c.list(ctx, k)
	if err != nil {
		return nil, err
	}
	list := make([]category.Label, 0, len(raw))
	for _, item := range raw {
		l, err := readLabel(item)
		if err == nil && cmp.Or(l.Name, l.Shown) == "" {
			err = errors.New("it has no name")
		}
		if err != nil {
			return nil, k.unreadable("an entry of the list: " + err.Error())
		}
		list = append(list, l)
	}
	return list, nil
}
