package portal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/merge"
)

// option is a box of a form: its value, and what a person reads.
type option struct{ Value, Name string }

// The values of the filters, in Graph's spelling and in the board's words (facts A.4, A.8).
var (
	showAsOptions = []option{{"free", "Free"}, {"tentative", "Tentative"}, {"busy", "Busy (Office)"}, {"oof", "Out of office"},
		{"workingElsewhere", "Working elsewhere"}, {"unknown", "Unknown"}}
	sensitivityOptions = []option{{"normal", "Normal"}, {"personal", "Personal"}, {"private", "Private"}, {"confidential", "Confidential"}}
)

// choicesOf reads the boxes of a form: everything is said.
func choicesOf(r *http.Request) exchange.Choices {
	on, details := r.PostFormValue("optIn") != "", r.PostFormValue("details") != ""
	c := exchange.Choices{OptIn: &on, Details: &details, ShowAs: []string{}, Sensitivity: []string{}}
	c.ShowAs = append(c.ShowAs, r.PostForm["showAs"]...)
	c.Sensitivity = append(c.Sensitivity, r.PostForm["sensitivity"]...)
	return c
}

// boxes are the choices for a form: those that hold.
type boxes struct {
	OptIn, Details      bool
	ShowAs, Sensitivity map[string]bool
}

func boxesOf(c exchange.Choices) boxes {
	b := boxes{OptIn: c.OptIn != nil && *c.OptIn, Details: c.Details != nil && *c.Details, ShowAs: map[string]bool{}, Sensitivity: map[string]bool{}}
	for _, v := range c.ShowAs {
		b.ShowAs[v] = true
	}
	for _, v := range c.Sensitivity {
		b.Sensitivity[v] = true
	}
	return b
}

func formOfChoices(c exchange.Choices) map[string]any {
	return map[string]any{"Boxes": boxesOf(c), "ShowAs": showAsOptions, "Sensitivity": sensitivityOptions, "Masked": exchange.MaskedSubject}
}

// preferences shows an administrator what flows back from one resource's calendar.
func (p *Portal) preferences(r *http.Request, _ Principal) (view, error) {
	no := r.URL.Query().Get("resource")
	v, err := p.Exchange.Preferences(r.Context(), no)
	return view{Template: "preferences", Title: "What flows back from " + no, Data: map[string]any{"V": v, "Form": formOfChoices(v.Effective)}}, refused(err)
}

func (p *Portal) savePreferences(r *http.Request, who Principal) (view, error) {
	no := r.PostFormValue("resource")
	c := choicesOf(r)
	fixed := r.PostFormValue("fixed") != ""
	if r.PostFormValue("reset") != "" {
		c, fixed = exchange.Choices{}, false
	}
	err := p.Exchange.FixPreferences(r.Context(), who.Who(), no, c, fixed)
	return view{To: "/mailboxes", Done: "Saved: it holds within a minute."}, refused(err)
}

// saveMine stores a person's own choices, for a resource that is theirs.
func (p *Portal) saveMine(r *http.Request, who Principal) (view, error) {
	own, err := p.own(r, who)
	if err != nil {
		return view{}, err
	}
	no := r.PostFormValue("resource")
	for _, x := range own {
		if x.No == no {
			err := p.Exchange.SetPreferences(r.Context(), who.Who(), no, choicesOf(r))
			return view{To: "/mine", Done: "Saved: it holds within a minute."}, refused(err)
		}
	}
	return view{}, &problem{http.StatusForbidden, "This is not your calendar."}
}

// settings shows the switches of the Exchange connector.
func (p *Portal) settings(r *http.Request, _ Principal) (view, error) {
	v, err := p.Exchange.Settings(r.Context())
	reminder := ""
	if m := v.Settings.ReminderMinutes; m != nil {
		reminder = strconv.Itoa(*m)
	}
	return view{Template: "settings", Title: "Exchange settings", Data: map[string]any{
		"V": v, "S": v.Settings, "Reminder": reminder, "Form": formOfChoices(v.Effective),
	}}, err
}

func (p *Portal) saveSettings(r *http.Request, who Principal) (view, error) {
	s := exchange.Settings{
		ToOutlookOff: r.PostFormValue("toOutlook") == "", ToBoardOff: r.PostFormValue("toBoard") == "", ReleaseAll: r.PostFormValue("releaseAll") != "",
		Wins: merge.Side(r.PostFormValue("wins")), SameForAll: r.PostFormValue("sameForAll") != "", Preferences: choicesOf(r),
		ResourcesMay: exchange.Permission(r.PostFormValue("resourcesMay")),
	}
	numbers := map[string]*int{"daysBack": &s.DaysBack, "daysAhead": &s.DaysAhead}
	if strings.TrimSpace(r.PostFormValue("reminder")) != "" {
		s.ReminderMinutes = new(int)
		numbers["reminder"] = s.ReminderMinutes
	}
	for name, into := range numbers {
		text := strings.TrimSpace(r.PostFormValue(name))
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return view{}, bad("%q is not a whole number.", text)
		}
		*into = n
	}
	data, err := json.Marshal(s)
	if err != nil {
		return view{}, err
	}
	err = p.Exchange.SetSettings(r.Context(), who.Who(), r.PostFormValue("etag"), data)
	return view{To: "/settings", Done: "Saved: it holds within a minute."}, refused(err)
}

// heldBox is a mailbox with deletions that wait for a person.
type heldBox struct {
	ID, Name string
	Rows     []exchange.HeldBack
}

// held lists the deletions that were held back, by mailbox.
func (p *Portal) held(r *http.Request, _ Principal) (view, error) {
	o, err := p.Exchange.Mailboxes(r.Context())
	if err != nil {
		return view{}, err
	}
	names, err := p.names(r)
	if err != nil {
		return view{}, err
	}
	var boxes []heldBox
	for _, m := range o.Mailboxes {
		rows, err := p.Exchange.Held(r.Context(), m.ID)
		if err != nil {
			return view{}, err
		}
		if len(rows) > 0 {
			boxes = append(boxes, heldBox{m.ID, names[m.ID], rows})
		}
	}
	return view{Template: "held", Title: "Deletions held back", Data: boxes}, nil
}

func (p *Portal) decideHeld(r *http.Request, who Principal) (view, error) {
	mailbox := r.PostFormValue("mailbox")
	switch r.PostFormValue("do") {
	case "release":
		n, err := p.Exchange.ReleaseHeld(r.Context(), who.Who(), mailbox)
		return view{To: "/held", Done: fmt.Sprintf("%d deletions go on; each is still proved before anything is deleted.", n)}, refused(err)
	case "refuse":
		n, err := p.Exchange.RefuseHeld(r.Context(), who.Who(), mailbox)
		return view{To: "/held", Done: fmt.Sprintf("%d appointments are kept.", n)}, refused(err)
	}
	return view{}, bad("There is no such button.")
}

// deleteDeltas removes the marked rows. It never touches a calendar.
func (p *Portal) deleteDeltas(r *http.Request, who Principal) (view, error) {
	if err := r.ParseForm(); err != nil {
		return view{}, bad("The form can not be read.")
	}
	var keys []exchange.DeltaKey
	for _, row := range r.PostForm["row"] {
		mailbox, event, _ := strings.Cut(row, "|")
		keys = append(keys, exchange.DeltaKey{Mailbox: mailbox, Event: event})
	}
	keys = slices.Compact(keys)
	if len(keys) == 0 {
		return view{}, bad("Mark the rows to remove first.")
	}
	err := p.Exchange.DeleteDeltas(r.Context(), who.Who(), keys...)
	return view{To: "/deltas", Done: fmt.Sprintf("%d rows are removed. No calendar was touched.", len(keys))}, refused(err)
}
