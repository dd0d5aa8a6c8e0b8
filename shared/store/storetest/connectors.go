package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/store"
)

func testConnectors(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Connector(ctx, "erp")
	wantError(t, err, store.ErrNotFound)
	if all, broken, err := s.Connectors(ctx); len(all)+len(broken) > 0 || err != nil {
		t.Errorf("%d records, %d broken, %v in an empty store", len(all), len(broken), err)
	}
	full := &store.ConnectorRecord{
		ID: "erp", Name: "ERP ä", Description: "Production", SourceApp: "BC PROD", SourceType: "SERVICE", Send: true, Operations: "I,U,D",
		URI: "https://erp.example/WS/A%20B/Page/Appointment?tenant=x", Type: "bc", API: "rest", Auth: "entra", Login: "tenant", ClientID: "client",
		Secret: "connector-erp", TokenURL: "https://login.example/token", Scope: "s/.default", Signing: "connector-erp-signing", Method: "M", Shards: 3,
		Fields: map[string]string{"Subject": "subject"}, Headers: map[string]string{"X-Site": "1"}, CA: words(5000, 7), Pin: "ab", AllowHTTP: true,
		ReadStatus: true, Repeat: "U", SkipEchoes: true, TimeoutSeconds: 30, Created: base,
	}
	stale := *full
	stale.ETag = staleETag
	wantError(t, s.SwapConnector(ctx, &stale), store.ErrConflict)
	if err := s.SwapConnector(ctx, full); err != nil {
		t.Fatal(err)
	}
	if full.ETag == "" || full.Updated.IsZero() {
		t.Error("the stored record has no ETag, or no time")
	}
	second := *full
	second.ETag = ""
	wantError(t, s.SwapConnector(ctx, &second), store.ErrConflict) // it exists
	got, err := s.Connector(ctx, "erp")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	other := &store.ConnectorRecord{ID: "a-hook", Type: "webhook"}
	if err := s.SwapConnector(ctx, other); err != nil {
		t.Fatal(err)
	}
	before := got.ETag
	got.Headers, got.Send, got.SourceType = nil, false, ""
	if err := s.SwapConnector(ctx, got); err != nil {
		t.Fatal(err)
	}
	if got.ETag == before {
		t.Error("the ETag is that of before the change")
	}
	all, broken, err := s.Connectors(ctx)
	if err != nil || len(broken) > 0 {
		t.Fatal(broken, err)
	}
	if diff := cmp.Diff([]*store.ConnectorRecord{other, got}, all); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	wantError(t, s.DeleteConnector(ctx, "erp", before), store.ErrConflict)
	for range 2 { // the second finds nothing
		if err := s.DeleteConnector(ctx, "erp", got.ETag); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.Connector(ctx, "erp")
	wantError(t, err, store.ErrNotFound)
}
