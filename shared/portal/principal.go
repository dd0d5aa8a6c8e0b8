package portal

import (
	"net/http"

	"github.com/dime-scheduler/connectors/shared/principal"
)

// Principal is who asks.
type Principal = principal.Principal

// signedIn returns whom the platform vouches for; ok is false if nobody.
func (o *Options) signedIn(r *http.Request) (Principal, bool) {
	return principal.Judge{Trust: o.Trust, Local: o.Local, Admins: o.Admins}.Of(r)
}
