package portal

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
)

// connectors lists the back offices.
func (p *Portal) connectors(r *http.Request, _ Principal) (view, error) {
	list, err := p.Backoffice.List(r.Context())
	return view{Template: "connectors", Title: "Back offices", Data: list}, err
}

// The choices of a connector's form.
var (
	connectorTypes = []option{{string(backoffice.BusinessCentral), "Business Central"}, {string(backoffice.NAV), "Dynamics NAV"}, {string(backoffice.Webhook), "Webhook"}}
	connectorAPIs  = []option{{string(backoffice.REST), "REST (API page, webhook)"}, {string(backoffice.SOAPPage), "SOAP page"},
		{string(backoffice.SOAPCodeunit), "SOAP codeunit"}, {string(backoffice.ODataAction), "OData action"}}
	connectorAuths = []option{{string(backoffice.NoAuth), "none"}, {string(backoffice.Basic), "basic: password or web service key"}, {string(backoffice.NTLM), "NTLM"},
		{string(backoffice.Windows), "Windows (NTLM)"}, {string(backoffice.Entra), "Microsoft Entra (OAuth2)"}, {string(backoffice.OAuthBody), "OAuth2, credentials in the body"},
		{string(backoffice.OAuthBasic), "OAuth2, credentials in the header"}, {string(backoffice.Identity), "the app's own identity"}}
)

func connectorView(title string, v backoffice.View, isNew bool, checks []backoffice.Check) view {
	return view{Template: "connector", Title: title, Data: map[string]any{
		"V": v, "New": isNew, "Checks": checks, "Types": connectorTypes, "APIs": connectorAPIs, "Auths": connectorAuths,
		"Fields": pairs(v.Fields, " = "), "Headers": pairs(v.Headers, ": "),
	}}
}

func (p *Portal) newConnector(*http.Request, Principal) (view, error) {
	v := backoffice.View{Form: backoffice.Form{Send: true, Type: backoffice.BusinessCentral, API: backoffice.REST, Auth: backoffice.Entra}}
	return connectorView("New back office", v, true, nil), nil
}

func (p *Portal) connector(r *http.Request, _ Principal) (view, error) {
	v, err := p.Backoffice.Get(r.Context(), r.PathValue("id"))
	return connectorView(v.Name, v, false, nil), refused(err)
}

// saveConnector stores the form. What is wrong with it is shown with what was entered,
// but for the passwords.
func (p *Portal) saveConnector(r *http.Request, who Principal) (view, error) {
	f, err := connectorForm(r)
	if err != nil {
		return view{}, err
	}
	_, err = p.Backoffice.Save(r.Context(), who.Who(), f)
	if problems, ok := errors.AsType[backoffice.Problems](err); ok {
		f.Password, f.SigningKey = "", ""
		v := connectorView("Back office", backoffice.View{Form: f, State: "not saved", Problems: problems}, f.ETag == "", nil)
		v.Status = http.StatusBadRequest
		return v, nil
	}
	return view{To: "/connectors/" + strings.ToLower(f.ID), Done: "Saved. Try it with “Test”."}, refused(err)
}

func connectorForm(r *http.Request) (f backoffice.Form, err error) {
	number := func(name string) int {
		n, problem := strconv.Atoi(strings.TrimSpace(r.PostFormValue(name)))
		if problem != nil && strings.TrimSpace(r.PostFormValue(name)) != "" {
			err = bad("%s is not a whole number.", name)
		}
		return n
	}
	on := func(name string) bool { return r.PostFormValue(name) != "" }
	f = backoffice.Form{
		ID: r.PostFormValue("id"), Name: r.PostFormValue("name"), Description: r.PostFormValue("description"),
		SourceApp: r.PostFormValue("sourceApp"), SourceType: r.PostFormValue("sourceType"), Send: on("send"), URI: r.PostFormValue("uri"),
		Type: backoffice.Type(r.PostFormValue("type")), API: backoffice.API(r.PostFormValue("api")), Auth: backoffice.Auth(r.PostFormValue("auth")),
		Login: r.PostFormValue("login"), ClientID: r.PostFormValue("clientId"), TokenURL: r.PostFormValue("tokenUrl"), Scope: r.PostFormValue("scope"),
		Method: r.PostFormValue("method"), Shards: number("shards"), CA: r.PostFormValue("ca"), Pin: r.PostFormValue("pin"),
		AllowHTTP: on("allowHttp"), ReadStatus: on("readStatus"), SkipEchoes: on("skipEchoes"), Repeat: backoffice.Operation(r.PostFormValue("repeat")),
		TimeoutSeconds: number("timeoutSeconds"), Password: r.PostFormValue("password"), SigningKey: r.PostFormValue("signingKey"),
		Secret: r.PostFormValue("secret"), Signing: r.PostFormValue("signing"), ETag: r.PostFormValue("etag"),
	}
	for _, op := range r.PostForm["operations"] {
		f.Operations = append(f.Operations, backoffice.Operation(op))
	}
	var problem error
	if f.Fields, problem = parsePairs(r.PostFormValue("fields"), "="); problem != nil {
		return f, problem
	}
	if f.Headers, problem = parsePairs(r.PostFormValue("headers"), ":"); problem != nil {
		return f, problem
	}
	return f, err
}

// pairs writes a map as lines, sorted by name.
func pairs(m map[string]string, sign string) string {
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, k+sign+m[k])
	}
	return strings.Join(lines, "\n")
}

func parsePairs(text, sign string) (map[string]string, error) {
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, sign)
		if !ok {
			return nil, bad("The line %q has no %s: write one name %s value a line.", line, sign, sign)
		}
		out[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return out, nil
}

func (p *Portal) connectorFields(r *http.Request, _ Principal) (view, error) {
	id := r.PathValue("id")
	fields, err := p.Backoffice.Fields(r.Context(), id)
	return view{Template: "fields", Title: "Fields", Data: map[string]any{"ID": id, "Fields": fields}}, refused(err)
}

func (p *Portal) testConnector(r *http.Request, who Principal) (view, error) {
	id := r.PostFormValue("id")
	checks, err := p.Backoffice.Test(r.Context(), who.Who(), id)
	if err != nil {
		return view{}, refused(err)
	}
	v, err := p.Backoffice.Get(r.Context(), id)
	return connectorView(v.Name, v, false, checks), refused(err)
}

// steerConnector does what a button of a connector says.
func (p *Portal) steerConnector(r *http.Request, who Principal) (view, error) {
	ctx, id := r.Context(), r.PostFormValue("id")
	to := "/connectors/" + id
	switch r.PostFormValue("do") {
	case "suspend":
		return view{To: to, Done: "Nothing is delivered until it is resumed; what changes meanwhile waits."}, refused(p.Backoffice.Suspend(ctx, who.Who(), id))
	case "resume":
		return view{To: to, Done: "Deliveries go on."}, refused(p.Backoffice.Resume(ctx, who.Who(), id))
	case "retry":
		n, err := p.Backoffice.RetryAll(ctx, who.Who(), id)
		return view{To: to, Done: fmt.Sprintf("%d failed deliveries are tried again now.", n)}, refused(err)
	case "delete":
		return view{To: "/connectors", Done: "The connector is deleted. What it has delivered stays in the back office."}, refused(p.Backoffice.Delete(ctx, who.Who(), id, r.PostFormValue("etag")))
	case "push":
		record, err := p.Store.Connector(ctx, id)
		if err != nil {
			return view{}, err
		}
		return view{To: to, Done: "Entered into the board's list, as one that the board does not send to itself."}, refused(p.Board.PushConnector(ctx, who.Who(), *record))
	}
	return view{}, bad("There is no such button.")
}

// retryDelivery sends one appointment to a back office again.
func (p *Portal) retryDelivery(r *http.Request, who Principal) (view, error) {
	guid := r.PostFormValue("appointment")
	id, _, _ := strings.Cut(r.PostFormValue("target"), "#")
	err := p.Backoffice.Retry(r.Context(), who.Who(), id, guid)
	return view{To: "/appointments/" + guid, Done: "It is tried again now."}, refused(err)
}

// importConnectors takes connectors in the published forms.
func (p *Portal) importConnectors(r *http.Request, who Principal) (view, error) {
	done, err := p.Backoffice.Import(r.Context(), who.Who(), []byte(r.PostFormValue("json")))
	return view{Template: "imported", Title: "Import", Data: done}, refused(err)
}
