package health

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/shared/health"
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
		Handler(checker(tc.report)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != tc.status || got != tc.body {
			t.Errorf("%d %s, want %d %s", w.Code, got, tc.status, tc.body)
		}
		if w.Header().Get("Cache-Control") != "no-store" || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			t.Errorf("header %v", w.Header())
		}
	}
}
