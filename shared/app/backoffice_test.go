package app

import (
	"slices"
	"testing"

	"github.com/dime-scheduler/connectors/shared/backoffice"
)

// What an administrator may choose is there, and nothing is there that nobody may choose.
func TestKinds(t *testing.T) {
	registry := kinds()
	for _, typ := range []backoffice.Type{backoffice.BusinessCentral, backoffice.NAV, backoffice.Webhook} {
		for _, api := range []backoffice.API{backoffice.REST, backoffice.SOAPPage, backoffice.SOAPCodeunit, backoffice.ODataAction} {
			problems := backoffice.Config{Type: typ, API: api}.Validate()
			offered := !slices.ContainsFunc(problems, func(p backoffice.Problem) bool { return p.Field == "api" })
			if _, registered := registry[backoffice.Key{Type: typ, API: api}]; registered != offered {
				t.Errorf("%s %s: offered %v, registered %v", typ, api, offered, registered)
			}
		}
	}
}
