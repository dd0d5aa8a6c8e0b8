package portal

import "github.com/dime-scheduler/connectors/shared/principal"

// What the tests of the pages send.
const (
	principalHeader   = principal.Header
	localCookie       = principal.LocalCookie
	RoleAdministrator = principal.RoleAdministrator
)
