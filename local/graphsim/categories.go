package graphsim

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// category is an entry of the master list.
type category struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Color       string `json:"color"`
}

var categoryColor = regexp.MustCompile(`^(none|preset([0-9]|1[0-9]|2[0-4]))$`)

func (k category) render() object {
	return object{"id": k.ID, "displayName": k.DisplayName, "color": k.Color}
}

func (s *Server) listCategories(c *call) (reply, *graphError) {
	return collection(c, c.box.categories, category.render)
}

func (s *Server) postCategory(c *call) (reply, *graphError) {
	var in category
	if err := decode(c.body, &in); err != nil {
		return reply{}, err
	}
	fill(&in.Color, "none")
	if in.DisplayName == "" || !categoryColor.MatchString(in.Color) {
		return reply{}, badRequest("ErrorInvalidRequest", "A category needs a displayName, and a color of none or preset0 to preset24.")
	}
	if slices.ContainsFunc(c.box.categories, func(k category) bool { return strings.EqualFold(k.DisplayName, in.DisplayName) }) {
		return reply{}, &graphError{http.StatusConflict, "CategoryNameDuplicate", "A category with that name exists."}
	}
	in.ID = s.uuid()
	c.box.categories = append(c.box.categories, in)
	return created(in.render()), nil
}

// category returns the index of the category of the path.
func (c *call) category() (int, *graphError) {
	i := slices.IndexFunc(c.box.categories, func(k category) bool { return k.ID == c.params["category"] })
	if i < 0 {
		return 0, errItemNotFound
	}
	return i, nil
}

func (s *Server) getCategory(c *call) (reply, *graphError) {
	i, err := c.category()
	if err != nil {
		return reply{}, err
	}
	return ok(c.box.categories[i].render()), nil
}

// patchCategory changes the color; the name is immutable.
func (s *Server) patchCategory(c *call) (reply, *graphError) {
	i, err := c.category()
	if err != nil {
		return reply{}, err
	}
	var in category
	if err := decode(c.body, &in); err != nil {
		return reply{}, err
	}
	k := &c.box.categories[i]
	if in.DisplayName != "" && in.DisplayName != k.DisplayName || !categoryColor.MatchString(in.Color) {
		return reply{}, badRequest("ErrorInvalidRequest", "Only color can be changed, to none or preset0 to preset24.")
	}
	k.Color = in.Color
	return ok(k.render()), nil
}

func (s *Server) deleteCategory(c *call) (reply, *graphError) {
	i, err := c.category()
	if err != nil {
		return reply{}, err
	}
	c.box.categories = slices.Delete(c.box.categories, i, i+1)
	return status(http.StatusNoContent), nil
}
