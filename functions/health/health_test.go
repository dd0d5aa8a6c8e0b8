package health

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/shared/doctor"
	"github.com/dime-scheduler/connectors/shared/health"
	"github.com/dime-scheduler/connectors/shared/principal"
)

type checker health.Report

func (c checker) Check(context.Context) health.Report { return health.Report(c) }

func TestHandler(t *testing.T) {
	lag := int64(3)
	for _, tc := range []struct {
		report health.Report
		status int
		body   string
	}{
		{health.Report{Ready: true, Version: "v1", Checks: []health.Check{{Name: "tables", OK: true}}, LagSeconds: &lag}, 200,
			`{"ready":true,"version":"v1","checks":[{"name":"tables","ok":true}],"lagSeconds":3}`},
		{health.Report{Version: "v1", Checks: []health.Check{{Name: "tables", Problem: "denies access"}}}, 503,
			`{"ready":false,"version":"v1","checks":[{"name":"tables","ok":false,"problem":"denies access"}]}`},
	} {
		w := httptest.NewRecorder()
		Handler(checker(tc.report), nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != tc.status || got != tc.body {
			t.Errorf("%d %s, want %d %s", w.Code, got, tc.status, tc.body)
		}
		if w.Header().Get("Cache-Control") != "no-store" || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			t.Errorf("header %v", w.Header())
		}
	}
}

// examiner notes who had what examined.
type examiner struct {
	judge principal.Judge
	asked []string
}

func (e *examiner) Judge() principal.Judge { return e.judge }
func (e *examiner) Examine(_ context.Context, who, mailbox string) doctor.Report {
	e.asked = append(e.asked, who+" "+mailbox)
	return doctor.Report{OK: mailbox != "bad@contoso.example", Checks: []doctor.Check{{Area: "tables", Name: "tables", Status: doctor.OK}}}
}

// The examination is for administrators who come by themselves, and for nobody else.
func TestDeep(t *testing.T) {
	claims := func(role string) string {
		return base64.StdEncoding.EncodeToString([]byte(`{"claims":[{"typ":"oid","val":"a1"},{"typ":"preferred_username","val":"chief@contoso.example"},{"typ":"roles","val":"` + role + `"}]}`))
	}
	azure, local := principal.Judge{Trust: true}, principal.Judge{Local: true}
	for name, tc := range map[string]struct {
		judge  principal.Judge
		query  string
		header [2]string
		status int
		asked  string
	}{
		"an administrator":                  {azure, "?deep=1&mailbox=test@contoso.example", [2]string{principal.Header, claims("Administrator")}, 200, "chief@contoso.example test@contoso.example"},
		"something has failed":              {azure, "?deep=1&mailbox=bad@contoso.example", [2]string{principal.Header, claims("Administrator")}, 503, "chief@contoso.example bad@contoso.example"},
		"somebody else":                     {azure, "?deep=1", [2]string{principal.Header, claims("Reader")}, 403, ""},
		"nobody":                            {azure, "?deep=1", [2]string{}, 403, ""},
		"a forged header":                   {principal.Judge{}, "?deep=1", [2]string{principal.Header, claims("Administrator")}, 403, ""},
		"a developer":                       {local, "?deep=1", [2]string{}, 200, "local "},
		"a developer who plays a resource":  {local, "?deep=1", [2]string{"Cookie", principal.LocalCookie + "=ann@contoso.example"}, 403, ""},
		"a page elsewhere":                  {local, "?deep=1", [2]string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		"the shallow report is for anybody": {azure, "?deep=0", [2]string{}, 200, ""},
	} {
		e := &examiner{judge: tc.judge}
		r := httptest.NewRequest(http.MethodGet, "/api/health"+tc.query, nil)
		if tc.header[0] != "" {
			r.Header.Set(tc.header[0], tc.header[1])
		}
		w := httptest.NewRecorder()
		Handler(checker(health.Report{Ready: true}), e).ServeHTTP(w, r)
		if w.Code != tc.status || strings.Join(e.asked, ",") != tc.asked || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, asked %q", name, w.Code, e.asked)
		}
	}
}
