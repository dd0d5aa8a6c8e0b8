package graphhook

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
)

// discard is a broker that takes everything.
type discard struct{}

func (discard) Nudge(context.Context, ...bus.Nudge) error { return nil }

// BenchmarkNotifications posts twenty notifications of ten mailboxes to the hook,
// and in the same run, in turn, to a bare net/http handler that does nothing but
// decode the same JSON. The ratio is what checking each item, one nudge for each
// mailbox and the log cost over that.
func BenchmarkNotifications(b *testing.B) {
	hook := hook(discard{}, io.Discard)
	hook.Log = slog.New(slog.DiscardHandler)
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var envelope struct {
			Value []notification `json:"value"`
		}
		if err := json.NewDecoder(r.Body).Decode(&envelope); err != nil || len(envelope.Value) != 20 {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	body := notifications(20, 10)
	var ours, theirs time.Duration
	for b.Loop() {
		ours += timed(b, hook, body)
		theirs += timed(b, bare, body)
	}
	b.ReportMetric(float64(ours)/float64(theirs), "x-bare")
	b.ReportMetric(float64(b.N)/ours.Seconds(), "posts/s")
}

// notification is an item as Graph sends it, with all its properties.
type notification struct {
	SubscriptionID                 string    `json:"subscriptionId"`
	SubscriptionExpirationDateTime time.Time `json:"subscriptionExpirationDateTime"`
	ChangeType                     string    `json:"changeType"`
	Resource                       string    `json:"resource"`
	ClientState                    string    `json:"clientState"`
	TenantID                       string    `json:"tenantId"`
	ResourceData                   struct {
		ODataType string `json:"@odata.type"`
		ODataID   string `json:"@odata.id"`
		ODataETag string `json:"@odata.etag"`
		ID        string `json:"id"`
	} `json:"resourceData"`
}

func notifications(items, mailboxes int) string {
	list := make([]notification, items)
	for i := range list {
		mailbox := "00000000-0000-4000-8000-00000000000" + string(rune('0'+i%mailboxes))
		n := &list[i]
		n.SubscriptionID, n.ChangeType, n.ClientState = "7f105c7d-2dc5-4530-97cd-4e7ae6534c07", "updated", "ok:"+mailbox
		n.SubscriptionExpirationDateTime = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
		n.TenantID = "84bd8158-6d4d-4958-8b9f-9d6445542f95"
		n.ResourceData.ID = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0ANFvJG3W1I1KMbbXIJaB0ZAapAAAAAAAB"
		n.ResourceData.ODataType, n.ResourceData.ODataETag = "#Microsoft.Graph.Event", `W/"NFvJG3W1I1KMbbXIJaB0ZAAAAAAAAA=="`
		n.Resource = "Users/" + mailbox + "/Events/" + n.ResourceData.ID
		n.ResourceData.ODataID = n.Resource
	}
	body, err := json.Marshal(map[string]any{"value": list})
	if err != nil {
		panic(err) // a list of texts
	}
	return string(body)
}

func timed(b *testing.B, h http.Handler, body string) time.Duration {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	w := httptest.NewRecorder()
	began := time.Now()
	h.ServeHTTP(w, r)
	took := time.Since(began)
	if w.Code != http.StatusAccepted {
		b.Fatalf("status %d", w.Code)
	}
	return took
}
