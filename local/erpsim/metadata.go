package erpsim

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// edm is the type that a column has on an API page.
func (c Column) edm() string {
	switch c.Type {
	case Integer:
		return "Edm.Int32"
	case BigInteger:
		return "Edm.Int64"
	case Decimal:
		return "Edm.Decimal"
	case Boolean:
		return "Edm.Boolean"
	case DateTime:
		return "Edm.DateTimeOffset"
	case Date:
		return "Edm.Date"
	case GUID:
		return "Edm.Guid"
	case Option:
		return "Microsoft.NAV." + c.property()
	}
	return "Edm.String"
}

// metadata answers $metadata as EDMX. Locked.
func (s *Server) metadata(r *restRequest) *answer {
	if r.method() != "GET" {
		return refuseREST(noMethod())
	}
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices><Schema Namespace="Microsoft.NAV" xmlns="http://docs.oasis-open.org/odata/ns/edm">`)
	b.WriteString(`<EntityType Name="company"><Key><PropertyRef Name="id"/></Key><Property Name="id" Type="Edm.Guid" Nullable="false"/><Property Name="systemVersion" Type="Edm.String"/><Property Name="name" Type="Edm.String" MaxLength="30"/><Property Name="displayName" Type="Edm.String" MaxLength="250"/>`)
	page := s.opts.Page
	fmt.Fprintf(&b, `<NavigationProperty Name="%s" Type="Collection(Microsoft.NAV.%s)" ContainsTarget="true"/></EntityType>`, page, singular(page))
	s.entityType(&b, singular(page), s.allColumns(), true)
	for _, part := range s.parts() {
		s.entityType(&b, singular(part.name), part.columns, false)
	}
	for _, c := range s.allColumns() {
		if c.Type != Option {
			continue
		}
		fmt.Fprintf(&b, `<EnumType Name="%s">`, c.property())
		for i, m := range c.Members {
			fmt.Fprintf(&b, `<Member Name="%s" Value="%d"/>`, memberName(m), i)
		}
		b.WriteString(`</EnumType>`)
	}
	b.WriteString(`<EntityContainer Name="default"><EntitySet Name="companies" EntityType="Microsoft.NAV.company"/>`)
	fmt.Fprintf(&b, `<EntitySet Name="%s" EntityType="Microsoft.NAV.%s"/>`, page, singular(page))
	for _, part := range s.parts() {
		fmt.Fprintf(&b, `<EntitySet Name="%s" EntityType="Microsoft.NAV.%s"/>`, part.name, singular(part.name))
	}
	b.WriteString(`</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>`)
	return newAnswer(200, "application/xml", []byte(b.String()))
}

type part struct {
	name    string
	columns []Column
}

// parts are those that the page has.
func (s *Server) parts() []part {
	var out []part
	if s.opts.ResourcePart != "-" {
		out = append(out, part{s.opts.ResourcePart, s.opts.ResourceColumns})
	}
	if s.opts.FieldValuePart != "-" {
		out = append(out, part{s.opts.FieldValuePart, s.opts.FieldValueColumns})
	}
	return out
}

func (s *Server) entityType(b *strings.Builder, name string, columns []Column, isPage bool) {
	fmt.Fprintf(b, `<EntityType Name="%s"><Key><PropertyRef Name="id"/></Key><Property Name="id" Type="Edm.Guid" Nullable="false"/>`, name)
	for _, c := range columns {
		fmt.Fprintf(b, `<Property Name="`)
		_ = xml.EscapeText(b, []byte(c.property()))
		fmt.Fprintf(b, `" Type="%s"`, c.edm())
		if c.Length > 0 {
			fmt.Fprintf(b, ` MaxLength="%d"`, c.Length)
		}
		if c.Type == Decimal {
			b.WriteString(` Scale="Variable"`)
		}
		b.WriteString(`/>`)
	}
	if isPage && !s.opts.HideNavigation {
		for _, part := range s.parts() {
			fmt.Fprintf(b, `<NavigationProperty Name="%s" Type="Collection(Microsoft.NAV.%s)" ContainsTarget="true"/>`, part.name, singular(part.name))
		}
	}
	b.WriteString(`</EntityType>`)
}

// singular is the entity's name for a set's.
func singular(set string) string { return strings.TrimSuffix(set, "s") }
