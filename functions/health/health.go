// Package health is the function that tells whether the app can do its work:
// 200 if it can, else 503, with a report that anybody may read.
package health

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/dime-scheduler/connectors/shared/health"
)

// Checker reports the state of the app; it can be asked often.
type Checker interface {
	Check(ctx context.Context) health.Report
}

// Handler returns the function.
func Handler(c Checker) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report := c.Check(r.Context())
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if !report.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(report) // if the caller is gone there is nobody to tell
	})
}
