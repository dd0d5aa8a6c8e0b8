package servicebus

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// putToken takes a client's claim. Any well-formed token is good, for every
// entity, for as long as the connection lasts.
func (s *session) putToken(m *amqp.Message, answer func(response)) {
	props := m.ApplicationProperties
	audience := amqp.Text(props.Get("name"))
	s.c.perform(func() Operation { return Operation{Kind: OpAuthorize, Entity: parseAddress(audience).entity} },
		func() *amqp.Error {
			if amqp.Text(props.Get("operation")) != "put-token" {
				return &amqp.Error{Condition: amqp.CondNotImplemented, Description: "$cbs knows the operation put-token only."}
			}
			token := amqp.Text(m.Value())
			if audience == "" || !wellFormed(amqp.Text(props.Get("type")), token) {
				return &amqp.Error{Condition: amqp.CondUnauthorized, Description: "InvalidToken: the token is not well-formed, or names no audience."}
			}
			return nil
		},
		func(err *amqp.Error) {
			if err != nil {
				answer(failed(err))
				return
			}
			s.c.authorized.Store(true)
			answer(response{status: 202})
		})
}

// wellFormed checks the shape of a shared access signature or a JSON Web
// Token, whichever the type says. Nothing is verified.
func wellFormed(kind, token string) bool {
	switch kind {
	case "servicebus.windows.net:sastoken":
		rest, ok := strings.CutPrefix(token, "SharedAccessSignature ")
		values, err := url.ParseQuery(rest)
		return ok && err == nil && values.Get("sr") != "" && values.Get("sig") != "" && values.Get("se") != "" && values.Get("skn") != ""
	case "jwt":
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			return false
		}
		for _, part := range parts[:2] {
			b, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil || !json.Valid(b) {
				return false
			}
		}
		return true
	}
	return false
}
