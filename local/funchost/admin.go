package funchost

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// admin is what lies below /admin; path is what follows. With keys it takes the master key only.
func (d *Double) admin(w http.ResponseWriter, r *http.Request, path []string) {
	if !d.allowed("admin", "", r) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch route := r.Method + " " + strings.ToLower(strings.Join(path, "/")); {
	case route == "GET host/status":
		writeJSON(w, map[string]any{
			"id": fmt.Sprintf("localhost:%d", d.port), "state": d.state(), "version": hostVersion, "versionDetails": hostVersion,
			"platformVersion": "", "instanceId": "local", "computerName": "",
			"processUptime":                  time.Since(d.started).Milliseconds(),
			"functionAppContentEditingState": "NotAllowed",
		})
	case route == "GET host/ping", route == "POST host/ping":
		w.Header().Set("Cache-Control", "no-store,no-cache")
		w.Header().Set("Pragma", "no-cache")
	case route == "GET functions":
		all := make([]map[string]any, 0, len(d.app.functions))
		for _, f := range d.app.functions {
			all = append(all, map[string]any{"name": f.Name, "isDisabled": false})
		}
		writeJSON(w, all)
	case len(path) == 2 && r.Method == http.MethodPost && strings.EqualFold(path[0], "functions"):
		d.runByHand(w, r, path[1])
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// runByHand starts a function and answers 202 before it ends.
func (d *Double) runByHand(w http.ResponseWriter, r *http.Request, name string) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	var order struct{ Input string }
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil || json.Unmarshal(body, &order) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f := d.find(name)
	if f == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if f.Timer == nil {
		http.Error(w, "only timers can be run by hand here", http.StatusNotImplemented)
		return
	}
	if !d.work.begin() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	go func() {
		defer d.work.end()
		_, _ = d.runTimer(f)
	}()
	w.WriteHeader(http.StatusAccepted)
}

func (d *Double) find(name string) *function {
	for _, f := range d.app.functions {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(value)
}
