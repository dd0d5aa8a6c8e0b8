package graphsim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// deltaToken is what the opaque $skiptoken and $deltatoken hold. A round covers the changes
// Since..UpTo of the mailbox's log; as the log only grows, a page can be read again.
type deltaToken struct {
	Mailbox string    `json:"m"`
	Epoch   int       `json:"e"`
	From    time.Time `json:"s"`
	To      time.Time `json:"t"`
	Since   int       `json:"f"`
	UpTo    int       `json:"u"`
	Full    bool      `json:"a"` // a first round: all that is there, no tombstones
	Offset  int       `json:"o"` // groups already shown; -1 = the empty page comes first
}

var errSyncState = &graphError{http.StatusGone, "syncStateNotFound", "The sync state generation is not found; perform a full sync."}

// delta answers calendarView/delta: a first round, a further page, or an incremental round.
func (s *Server) delta(c *call) (reply, *graphError) {
	for _, p := range []string{"$select", "$expand", "$filter", "$orderby", "$search", "$top"} {
		if c.query.Has(p) {
			return reply{}, badRequest("ErrorInvalidUrlQuery", "The following parameters are not supported with change tracking over the 'CalendarView' resource: '$orderby, $filter, $select, $expand, $search, $top'.")
		}
	}
	v, err := newView(c)
	if err != nil {
		return reply{}, err
	}
	size, err := c.pageSize("")
	if err != nil {
		return reply{}, err
	}
	token, err := s.round(c)
	if err == errSyncState {
		// The documented recovery is to follow Location into a full round.
		answer := s.refuse(c, err)
		answer.set("Location", c.base+"/users/"+c.box.user.ID+"/calendarView/delta?$deltatoken=")
		return answer, nil
	}
	if err != nil {
		return reply{}, err
	}
	return ok(s.deltaPage(c, v, token, size)), nil
}

// round returns the state of the round that the request asks for.
func (s *Server) round(c *call) (deltaToken, *graphError) {
	skip, next := c.query.Get("$skiptoken"), c.query.Get("$deltatoken")
	if skip == "" && next == "" {
		from, to, err := c.window()
		if err != nil {
			return deltaToken{}, err
		}
		t := deltaToken{Mailbox: c.box.user.ID, Epoch: c.box.epoch, From: from, To: to, UpTo: s.visible(c.box, 0), Full: true}
		return s.firstPage(t), nil
	}
	var t deltaToken
	raw, err := base64.RawURLEncoding.DecodeString(skip + next)
	if err != nil || json.Unmarshal(raw, &t) != nil || t.Mailbox != c.box.user.ID {
		return t, badRequest("SyncStateInvalid", "The sync state is not valid.")
	}
	if t.Epoch != c.box.epoch || t.UpTo > len(c.box.log) {
		return t, errSyncState
	}
	if skip != "" {
		return t, nil
	}
	t.Since, t.UpTo, t.Full = t.UpTo, s.visible(c.box, t.UpTo), false
	return s.firstPage(t), nil
}

func (s *Server) firstPage(t deltaToken) deltaToken {
	t.Offset = 0
	if s.behaviour.DeltaEmptyPages {
		t.Offset = -1
	}
	return t
}

// visible is the end of the log as delta sees it, not before since: behind by the lag. Locked.
func (s *Server) visible(b *mailbox, since int) int {
	n := len(b.log)
	for horizon := s.now().Add(-s.behaviour.DeltaLag); n > since && b.log[n-1].at.After(horizon); {
		n--
	}
	return n
}

func (s *Server) deltaPage(c *call, v view, t deltaToken, size int) object {
	items := []object{}
	groups := s.roundGroups(c.box, v, t)
	next := max(t.Offset, 0)
	if t.Offset >= 0 {
		for next < len(groups) && len(items) < size {
			items = append(items, groups[next]...) // a series is not split
			next++
		}
	}
	body := object{"@odata.context": c.base + "/$metadata#Collection(event)", "value": items}
	link, param := "@odata.deltaLink", "$deltatoken"
	if next < len(groups) {
		link, param = "@odata.nextLink", "$skiptoken"
	}
	t.Offset = next
	raw, err := json.Marshal(t)
	if err != nil {
		panic("graphsim: a delta token does not marshal: " + err.Error())
	}
	body[link] = c.link(url.Values{param: {base64.RawURLEncoding.EncodeToString(raw)}})
	return body
}

// roundGroups renders all changes of a round, each event's with its series as one group, in the
// order of their last change.
func (s *Server) roundGroups(b *mailbox, v view, t deltaToken) [][]object {
	last := map[string]int{}
	for i := t.Since; i < t.UpTo; i++ {
		last[b.log[i].event.ID] = i
	}
	var groups [][]object
	for i := t.Since; i < t.UpTo; i++ {
		e := b.log[i].event
		isLast := last[e.ID] == i
		if !isLast && (t.Full || !s.behaviour.DeltaRepeat) {
			continue
		}
		if g := s.group(b, v, t, e); g != nil {
			groups = append(groups, g)
		}
	}
	return groups
}

// group renders one state of an event. What is not in the window is "removed", whether or not the
// caller ever saw it.
func (s *Server) group(b *mailbox, v view, t deltaToken, e *Event) []object {
	var shown []object
	switch {
	case e.Deleted:
	case e.Recurrence != nil:
		occurrences := e.occurrences(t.From, t.To)
		if len(occurrences) == 0 {
			break
		}
		shown = append(shown, v.event(b, e))
		for _, o := range occurrences {
			switch {
			case o.Type == "exception":
				shown = append(shown, v.event(b, o))
			case t.Full || !s.behaviour.DeltaMasterOnly:
				shown = append(shown, v.occurrence(o))
			}
		}
	case e.overlaps(t.From, t.To):
		shown = append(shown, v.event(b, e))
	}
	if shown != nil || t.Full {
		return shown
	}
	id := e.ID
	if !v.immutable {
		id = e.MutableID
		if e.Deleted {
			id = e.previousMutable // the id that the caller knows
		}
	}
	return []object{{"id": id, "@removed": object{"reason": "deleted"}}}
}

// ResetDelta makes all delta tokens of the mailbox unknown: they get 410 syncStateNotFound.
func (s *Server) ResetDelta(user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.person(user)
	if err != nil {
		return err
	}
	b.epoch++
	return nil
}
