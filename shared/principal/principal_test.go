package principal

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"
)

func request(claims string, cookie string) *http.Request {
	r := httptest.NewRequest("GET", "/api/health", nil)
	if claims != "" {
		r.Header.Set(Header, base64.StdEncoding.EncodeToString([]byte(claims)))
	}
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: LocalCookie, Value: cookie})
	}
	return r
}

// Who is an administrator, and whom nobody vouches for.
func TestJudge(t *testing.T) {
	const role = `{"claims":[{"typ":"oid","val":"A1"},{"typ":"roles","val":"Administrator"}]}`
	const named = `{"claims":[{"typ":"oid","val":"b2"},{"typ":"preferred_username","val":"Chief@contoso.example"}]}`
	const guest = `{"claims":[{"typ":"oid","val":"c3"},{"typ":"name","val":"Administrator"}]}`
	azure := Judge{Trust: true, Admins: []string{"chief@contoso.example"}}
	for name, c := range map[string]struct {
		judge     Judge
		r         *http.Request
		ok, admin bool
	}{
		"by the app role":              {azure, request(role, ""), true, true},
		"by the setting":               {azure, request(named, ""), true, true},
		"somebody else":                {azure, request(guest, ""), true, false},
		"nobody":                       {azure, request("", ""), false, false},
		"no object id":                 {azure, request(`{"claims":[{"typ":"roles","val":"Administrator"}]}`, ""), false, false},
		"not JSON":                     {azure, request("{", ""), false, false},
		"a forged header":              {Judge{Admins: azure.Admins}, request(role, ""), false, false},
		"the local cookie, in Azure":   {azure, request("", "admin"), false, false},
		"the local administrator":      {Judge{Local: true}, request("", "admin"), true, true},
		"a resource, locally":          {Judge{Local: true}, request("", "ann@contoso.example"), true, false},
		"a principal header, locally":  {Judge{Local: true}, request(role, ""), false, false},
		"nobody is believed as it is":  {Judge{}, request(role, "admin"), false, false},
		"an empty name in the setting": {Judge{Trust: true, Admins: []string{""}}, request(guest, ""), true, false},
	} {
		p, ok := c.judge.Of(c.r)
		if ok != c.ok {
			t.Errorf("%s: %+v, %v", name, p, ok)
		}
		if ok && p.Admin != c.admin {
			t.Errorf("%s: administrator %v", name, p.Admin)
		}
	}
}
