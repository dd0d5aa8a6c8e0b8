package bc

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
)

// model is what we need of an API's $metadata (OASIS, OData CSDL XML 4.0).
type model struct {
	types map[string]entity
	enums map[string][]string
	sets  []set
}

type set struct{ name, kind string }

// entity is an entity type.
type entity struct {
	key        string // property; "" if it has none or several
	columns    []fields.Column
	navigation []set // collections below it
}

// parseModel reads EDMX; ok is false if it is none.
func parseModel(body []byte) (model, bool) {
	var doc struct {
		XMLName xml.Name
		Schemas []struct {
			Types []struct {
				Name string `xml:"Name,attr"`
				Keys []struct {
					Name string `xml:"Name,attr"`
				} `xml:"Key>PropertyRef"`
				Properties []struct {
					Name      string `xml:"Name,attr"`
					Type      string `xml:"Type,attr"`
					MaxLength int    `xml:"MaxLength,attr"`
				} `xml:"Property"`
				Navigation []struct {
					Name string `xml:"Name,attr"`
					Type string `xml:"Type,attr"`
				} `xml:"NavigationProperty"`
			} `xml:"EntityType"`
			Enums []struct {
				Name    string `xml:"Name,attr"`
				Members []struct {
					Name string `xml:"Name,attr"`
				} `xml:"Member"`
			} `xml:"EnumType"`
			Sets []struct {
				Name string `xml:"Name,attr"`
				Type string `xml:"EntityType,attr"`
			} `xml:"EntityContainer>EntitySet"`
		} `xml:"DataServices>Schema"`
	}
	// MaxLength="max" is no number, and no limit either.
	body = []byte(strings.ReplaceAll(string(body), `MaxLength="max"`, ""))
	if xml.Unmarshal(body, &doc) != nil || doc.XMLName.Local != "Edmx" || len(doc.Schemas) == 0 {
		return model{}, false
	}
	m := model{types: map[string]entity{}, enums: map[string][]string{}}
	for _, s := range doc.Schemas {
		for _, e := range s.Enums {
			for _, member := range e.Members {
				m.enums[e.Name] = append(m.enums[e.Name], member.Name)
			}
		}
	}
	for _, s := range doc.Schemas {
		for _, t := range s.Types {
			e := entity{}
			if len(t.Keys) == 1 {
				e.key = t.Keys[0].Name
			}
			for _, p := range t.Properties {
				if c, ok := m.column(p.Name, p.Type, p.MaxLength); ok {
					e.columns = append(e.columns, c)
				}
			}
			for _, n := range t.Navigation {
				if inner, ok := strings.CutPrefix(n.Type, "Collection("); ok {
					e.navigation = append(e.navigation, set{n.Name, local(strings.TrimSuffix(inner, ")"))})
				}
			}
			m.types[t.Name] = e
		}
		for _, x := range s.Sets {
			m.sets = append(m.sets, set{x.Name, local(x.Type)})
		}
	}
	return m, true
}

// local is a name without its namespace.
func local(name string) string { return name[strings.LastIndex(name, ".")+1:] }

var edmTypes = map[string]fields.Type{
	"Edm.String": fields.Text, "Edm.Guid": fields.UUID, "Edm.Boolean": fields.Boolean,
	"Edm.Byte": fields.Integer, "Edm.SByte": fields.Integer, "Edm.Int16": fields.Integer, "Edm.Int32": fields.Integer, "Edm.Int64": fields.Integer,
	"Edm.Decimal": fields.Decimal, "Edm.Double": fields.Decimal, "Edm.Single": fields.Decimal,
	"Edm.DateTimeOffset": fields.DateTime, "Edm.Date": fields.Date,
}

// TypeOf maps a primitive type of EDM; ok is false for one that nothing of ours fits.
func TypeOf(edm string) (t fields.Type, ok bool) {
	t, ok = edmTypes[edm]
	return t, ok
}

// column reads a property; one of a type that nothing of ours fits is left out.
func (m model) column(name, kind string, length int) (fields.Column, bool) {
	if t, ok := edmTypes[kind]; ok {
		return fields.Column{Name: name, Type: t, MaxLength: length}, true
	}
	if members := m.enums[local(kind)]; len(members) > 0 {
		return fields.Column{Name: name, Type: fields.Choice, Choices: members}, true
	}
	return fields.Column{}, false
}

// set finds an entity set by its name, in any letter case.
func (m model) set(name string) (set, bool) {
	i := slices.IndexFunc(m.sets, func(s set) bool { return strings.EqualFold(s.name, name) })
	if i < 0 {
		return set{}, false
	}
	return m.sets[i], true
}
