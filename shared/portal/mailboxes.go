package portal

import (
	"cmp"
	"net/http"

	"github.com/dime-scheduler/connectors/shared/exchange"
)

// mailboxes shows who takes part in the Exchange connector, and what waits for an
// administrator.
func (p *Portal) mailboxes(r *http.Request, _ Principal) (view, error) {
	o, err := p.Exchange.Mailboxes(r.Context())
	if err != nil {
		return view{}, err
	}
	names := map[string]string{}
	for _, x := range o.Resources {
		names[x.No] = cmp.Or(x.Name, x.No)
	}
	return view{Template: "mailboxes", Title: "Resources and mailboxes", Data: map[string]any{"Overview": o, "Names": names}}, nil
}

// mailbox shows one, and what its release would do.
func (p *Portal) mailbox(r *http.Request, _ Principal) (view, error) {
	id := r.PathValue("id")
	preview, err := p.Exchange.Preview(r.Context(), id)
	if err != nil {
		return view{}, err
	}
	o, err := p.Exchange.Mailboxes(r.Context())
	if err != nil {
		return view{}, err
	}
	var state exchange.MailboxState
	for _, m := range o.Mailboxes {
		if m.ID == id {
			state = m
		}
	}
	names, err := p.names(r)
	return view{Template: "mailbox", Title: cmp.Or(names[id], "Mailbox"), Data: map[string]any{"State": state, "Preview": preview}}, err
}

func (p *Portal) release(r *http.Request, who Principal) (view, error) {
	err := p.Exchange.Release(r.Context(), who.Who(), r.PostFormValue("mailbox"))
	return view{To: "/mailboxes", Done: "The mailbox is released: its events are adopted, and both directions begin."}, refused(err)
}

func (p *Portal) refreshPreview(r *http.Request, who Principal) (view, error) {
	id := r.PostFormValue("mailbox")
	err := p.Exchange.Refresh(r.Context(), who.Who(), id)
	return view{To: "/mailboxes/" + id, Done: "The preview is being read anew: look again in a moment."}, refused(err)
}

func (p *Portal) takesPart(r *http.Request, who Principal) (view, error) {
	err := p.Exchange.SetTakesPart(r.Context(), who.Who(), r.PostFormValue("resource"), r.PostFormValue("takesPart"))
	return view{To: "/mailboxes", Done: "Saved."}, refused(err)
}

func (p *Portal) turnOff(r *http.Request, who Principal) (view, error) {
	err := p.Exchange.TurnOff(r.Context(), who.Who(), r.PostFormValue("resource"), r.PostFormValue("events"))
	return view{To: "/mailboxes", Done: "Noted: it is carried out in a moment."}, refused(err)
}

// retry sends one appointment again, or all that failed, to a mailbox.
func (p *Portal) retry(r *http.Request, who Principal) (view, error) {
	mailbox, guid := r.PostFormValue("mailbox"), r.PostFormValue("appointment")
	if guid == "" {
		_, err := p.Exchange.RetryAll(r.Context(), who.Who(), mailbox)
		return view{To: "/mailboxes/" + mailbox, Done: "Everything that failed is tried again now."}, refused(err)
	}
	err := p.Exchange.Retry(r.Context(), who.Who(), mailbox, guid)
	return view{To: "/appointments/" + guid, Done: "It is tried again now."}, refused(err)
}
