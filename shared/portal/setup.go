package portal

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/dime-scheduler/connectors/shared/actions"
	"github.com/dime-scheduler/connectors/shared/secret"
)

// actions shows the action URIs, and a form for the one that "edit" names.
func (p *Portal) actions(r *http.Request, _ Principal) (view, error) {
	set, err := p.Actions.Actions(r.Context())
	if err != nil {
		return view{}, err
	}
	form := actions.Action{Scope: actions.Appointment, Request: actions.GET}
	for _, a := range set.Actions {
		if a.ID == r.URL.Query().Get("edit") {
			form = a
		}
	}
	return actionsView(set, form, "", ""), nil
}

func actionsView(set actions.Set, form actions.Action, guid, preview string) view {
	scopes := []actions.Scope{actions.Appointment, actions.Task, actions.PlanningBoard, actions.Map}
	names := map[actions.Scope]string{}
	for _, s := range scopes {
		names[s] = "#" + strings.Join(actions.Placeholders(s), "# #") + "#"
	}
	return view{Template: "actions", Title: "Action URIs", Data: map[string]any{
		"Set": set, "Hosts": strings.Join(set.Hosts, "\n"), "Form": form, "Scopes": scopes, "Placeholders": names, "Guid": guid, "Preview": preview,
	}}
}

func (p *Portal) saveHosts(r *http.Request, who Principal) (view, error) {
	err := p.Actions.SaveHosts(r.Context(), who.Who(), strings.Split(r.PostFormValue("hosts"), "\n"))
	return view{To: "/actions", Done: "The list of hosts is saved."}, refused(err)
}

func actionOf(r *http.Request) actions.Action {
	return actions.Action{
		ID: r.PostFormValue("id"), SourceApp: strings.TrimSpace(r.PostFormValue("sourceApp")), SourceType: strings.TrimSpace(r.PostFormValue("sourceType")),
		Scope: actions.Scope(r.PostFormValue("scope")), URL: r.PostFormValue("url"), Description: r.PostFormValue("description"),
		Default: r.PostFormValue("default") != "", Request: actions.Request(r.PostFormValue("request")),
	}
}

func (p *Portal) saveAction(r *http.Request, who Principal) (view, error) {
	if r.PostFormValue("preview") != "" {
		return p.previewAction(r, who)
	}
	_, err := p.Actions.Save(r.Context(), who.Who(), actionOf(r))
	return view{To: "/actions", Done: "The action is saved, and entered into the board."}, refused(err)
}

// previewAction shows what an action that is not saved would lead to.
func (p *Portal) previewAction(r *http.Request, _ Principal) (view, error) {
	set, err := p.Actions.Actions(r.Context())
	if err != nil {
		return view{}, err
	}
	a, guid := actionOf(r), strings.ToLower(strings.TrimSpace(r.PostFormValue("guid")))
	preview, err := p.Actions.Preview(r.Context(), a, guid)
	if err != nil {
		return view{}, refused(err)
	}
	return actionsView(set, a, guid, preview), nil
}

func (p *Portal) deleteAction(r *http.Request, who Principal) (view, error) {
	err := p.Actions.Delete(r.Context(), who.Who(), r.PostFormValue("id"))
	return view{To: "/actions", Done: "The action is removed here. The board's own list can only be changed there."}, refused(err)
}

func (p *Portal) sendAction(r *http.Request, who Principal) (view, error) {
	guid := r.PostFormValue("guid")
	status, err := p.Actions.Send(r.Context(), who.Who(), r.PostFormValue("id"), guid)
	return view{To: "/appointments/" + guid, Done: fmt.Sprintf("Sent; the answer was HTTP %d.", status)}, refused(err)
}

// board shows what is registered with the planning board.
func (p *Portal) board(r *http.Request, _ Principal) (view, error) {
	hooks, err := p.Board.Hooks(r.Context())
	return view{Template: "board", Title: "Planning board", Data: map[string]any{"Hooks": hooks, "PublicURL": p.PublicURL}}, err
}

func (p *Portal) registerHooks(r *http.Request, who Principal) (view, error) {
	err := p.Board.Register(r.Context(), who.Who(), r.PostFormValue("sourceApp"), secret.New(strings.TrimSpace(r.PostFormValue("key"))))
	return view{To: "/board", Done: "The board announces its changes to this app now."}, refused(err)
}

func (p *Portal) unregisterHooks(r *http.Request, who Principal) (view, error) {
	left, err := p.Board.Unregister(r.Context(), who.Who(), r.PostFormValue("sourceApp"))
	done := "The subscriptions are removed."
	if len(left) > 0 {
		done = fmt.Sprintf("%d subscriptions may be left on the board: it never told their id, so they can be removed only there.", len(left))
	}
	return view{To: "/board", Done: done}, refused(err)
}
