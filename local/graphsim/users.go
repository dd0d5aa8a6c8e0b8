package graphsim

import (
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// User is a person of the tenant, with a mailbox.
type User struct {
	ID             string // object id, a GUID; "" = a new one
	UPN            string // userPrincipalName, by which the API also finds the user
	Mail           string // e-mail address, by which the API does not; "" = UPN
	DisplayName    string
	ProxyAddresses []string // "SMTP:primary", "smtp:alias"; nil = the mail address
	Disabled       bool     // sign-in blocked; the mailbox works on
}

// MailboxState is what a mailbox, or its user, has come to.
type MailboxState int

// The states, with what every request to the mailbox then gets.
const (
	MailboxOK           MailboxState = iota
	MailboxNotEnabled                // 404 MailboxNotEnabledForRESTAPI: the user has no licence
	MailboxSoftDeleted               // 404 MailboxNotEnabledForRESTAPI, "inactive, soft-deleted, ..."
	MailboxMoved                     // 404 on backend 'Unknown'; delta tokens are lost
	MailboxAccessDenied              // 403 ErrorAccessDenied: an access policy excludes the app
	UserGone                         // 404 ErrorInvalidUser; the user itself 404 Request_ResourceNotFound
	MailboxOnPremises                // 404 MailboxNotEnabledForRESTAPI; the user is synchronised from a local directory
	MailboxDisabled                  // 403 ErrorAccountDisabled; the user may not sign in
)

// AddUser adds a user with an empty mailbox and returns it with its id. It panics on an id that
// exists or a UPN that somebody has who is not gone, which is a mistake of the caller.
func (s *Server) AddUser(u User) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.ID == "" {
		u.ID = s.uuid()
	}
	if u.UPN == "" {
		u.UPN = u.Mail
	}
	if u.Mail == "" {
		u.Mail = u.UPN
	}
	if u.ProxyAddresses == nil {
		u.ProxyAddresses = []string{"SMTP:" + u.Mail}
	}
	for _, b := range s.mailboxes {
		if strings.EqualFold(b.user.ID, u.ID) || b.state != UserGone && strings.EqualFold(b.user.UPN, u.UPN) {
			panic("graphsim: user " + u.UPN + " exists")
		}
	}
	s.mailboxes = append(s.mailboxes, newMailbox(s, u))
	return u
}

// Users returns all users in the order of AddUser, those that are gone included.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []User
	for _, b := range s.mailboxes {
		out = append(out, b.user)
	}
	return out
}

// uuid makes a random GUID from the seed. Locked.
func (s *Server) uuid() string {
	var raw [16]byte
	for i := range raw {
		raw[i] = byte(s.rng.Uint32())
	}
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	return uuid.UUID(raw).String()
}

// SetMailboxState changes what the mailbox of the user answers. In any state but MailboxOK it sends
// no notifications.
func (s *Server) SetMailboxState(user string, state MailboxState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.person(user)
	if err != nil {
		return err
	}
	b.state = state
	if state == MailboxMoved {
		b.epoch++
	}
	return nil
}

// UpdateUser lets change alter a user; the id stays. change must not call the Server.
func (s *Server) UpdateUser(user string, change func(*User)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.person(user)
	if err != nil {
		return err
	}
	id := b.user.ID
	change(&b.user)
	b.user.ID = id
	return nil
}

// lookup finds a user by id or UPN, who may be gone if nobody else has that UPN. Locked.
func (s *Server) lookup(key string) *mailbox {
	var found *mailbox
	for _, b := range s.mailboxes {
		if strings.EqualFold(b.user.ID, key) {
			return b
		}
		if strings.EqualFold(b.user.UPN, key) && (found == nil || found.state == UserGone) {
			found = b
		}
	}
	return found
}

// mailboxFor returns a working mailbox, or the refusal that its state calls for. Locked.
func (s *Server) mailboxFor(key string) (*mailbox, *graphError) {
	b := s.lookup(key)
	if b == nil || b.state == UserGone {
		return nil, notFound("ErrorInvalidUser", "The requested user '"+key+"' is invalid.")
	}
	switch b.state {
	case MailboxNotEnabled:
		return nil, notFound("MailboxNotEnabledForRESTAPI", "REST API is not yet supported for this mailbox.")
	case MailboxDisabled:
		return nil, &graphError{http.StatusForbidden, "ErrorAccountDisabled", "The account or mailbox is disabled."}
	case MailboxSoftDeleted, MailboxOnPremises:
		return nil, notFound("MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
	case MailboxMoved:
		return nil, notFound("MailboxNotEnabledForRESTAPI", "The mailbox is currently on backend 'Unknown'.")
	case MailboxAccessDenied:
		return nil, &graphError{http.StatusForbidden, "ErrorAccessDenied", "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."}
	}
	return b, nil
}

func (s *Server) getUser(c *call) (reply, *graphError) {
	b := s.lookup(c.params["user"])
	if b == nil || b.state == UserGone {
		return reply{}, notFound("Request_ResourceNotFound", "Resource '"+c.params["user"]+"' does not exist or one of its queried reference-property objects are not present.")
	}
	o := b.render(c.query.Get("$select"))
	o["@odata.context"] = c.base + "/$metadata#users/$entity"
	return ok(o), nil
}

func (s *Server) listUsers(c *call) (reply, *graphError) {
	wanted := func(scope) bool { return true }
	if f := c.query.Get("$filter"); f != "" {
		p, err := parseFilter(f, "id", "mail", "userPrincipalName", "displayName", "proxyAddresses", "accountEnabled")
		if err != nil {
			return reply{}, badRequest("Request_BadRequest", "Invalid filter clause: %v", err)
		}
		wanted = p
	}
	var found []User
	for _, b := range s.mailboxes {
		if b.state != UserGone && wanted(userScope(b.user)) {
			found = append(found, b.user)
		}
	}
	return collection(c, found, func(u User) object { return renderUser(u, c.query.Get("$select")) })
}

// render is renderUser with what the directory tells of the mailbox: its plan, and where it lies.
func (b *mailbox) render(selected string) object {
	o := renderUser(b.user, selected)
	for name := range strings.SplitSeq(strings.ToLower(selected), ",") {
		switch strings.TrimSpace(name) {
		case "assignedplans":
			o["assignedPlans"] = b.plans()
		case "onpremisessyncenabled":
			o["onPremisesSyncEnabled"] = nil
			if b.state == MailboxOnPremises {
				o["onPremisesSyncEnabled"] = true
			}
		case "accountenabled":
			o["accountEnabled"] = !b.user.Disabled && b.state != MailboxDisabled
		}
	}
	return o
}

// plans are the assigned service plans: Exchange, unless the licence was taken away or never given.
func (b *mailbox) plans() []object {
	status := "Enabled"
	switch b.state {
	case MailboxNotEnabled, MailboxOnPremises:
		return []object{}
	case MailboxSoftDeleted:
		status = "Deleted"
	}
	return []object{{"service": "exchange", "capabilityStatus": status, "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0"}}
}

// renderUser shows the default properties, and the others only when selected, as Graph does.
func renderUser(u User, selected string) object {
	o := object{"id": u.ID, "userPrincipalName": u.UPN, "mail": u.Mail, "displayName": u.DisplayName}
	if selected != "" {
		o["accountEnabled"], o["proxyAddresses"] = !u.Disabled, u.ProxyAddresses
		explicit := pick(o, selected)
		if !strings.Contains(","+strings.ToLower(selected)+",", ",id,") {
			delete(explicit, "id")
		}
		return explicit
	}
	return o
}

func userScope(u User) scope {
	return func(path string) any {
		switch strings.ToLower(path) {
		case "id":
			return u.ID
		case "mail":
			return u.Mail
		case "userprincipalname":
			return u.UPN
		case "displayname":
			return u.DisplayName
		case "accountenabled":
			return !u.Disabled
		case "proxyaddresses":
			var all []scope
			for _, a := range u.ProxyAddresses {
				all = append(all, func(string) any { return a })
			}
			return all
		}
		return nil
	}
}
