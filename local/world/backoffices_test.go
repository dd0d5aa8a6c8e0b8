package world

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	shared "github.com/dime-scheduler/connectors/shared/rules"
	"github.com/dime-scheduler/connectors/shared/store"
)

// testSetUp reads what is set up as the app does.
func (w *World) testSetUp(t *testing.T) {
	service, err := aztables.NewServiceClientFromConnectionString(w.Settings["TABLES_CONNECTION_STRING"], nil)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := store.OpenTables(t.Context(), service, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	records, broken, err := tables.Connectors(t.Context())
	if err != nil || len(broken) > 0 || len(records) != len(w.Ledgers()) {
		t.Fatalf("%d connectors, broken %v, %v", len(records), broken, err)
	}
	for _, r := range records {
		c := backoffice.FromRecord(r)
		if problems := c.Validate(); len(problems) > 0 {
			t.Errorf("connector %s: %v", r.ID, problems)
		}
		if c.Shards < 1 || !c.Send || len(c.Operations) != 3 {
			t.Errorf("connector %s: %+v", r.ID, c)
		}
	}
	text, _, err := tables.Value(t.Context(), "rules")
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := shared.Parse(text); len(problems) > 0 {
		t.Errorf("the rules: %v", problems)
	}
}

// deliver adds a row to Cronus' company, as the app does with the password in the vault.
func (w *World) deliver(t *testing.T, secret, guid string) (status int) {
	t.Helper()
	base := w.back.outlets[Cronus].url
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {erpClient}, "client_secret": {secret}, "scope": {"https://api.businesscentral.dynamics.com/.default"}}
	var token struct {
		Value string `json:"access_token"`
	}
	body := request(t, http.DefaultClient, http.MethodPost, base+"/"+erpTenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()),
		http.StatusOK, "Content-Type", "application/x-www-form-urlencoded")
	if err := json.Unmarshal(body, &token); err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf(`{"databaseAction":"I","appointmentId":%q,"jobNo":"J1","appointmentResources":[{"resourceNo":"ANNA"}]}`, guid)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		base+"/v2.0/"+erpTenant+"/Production/api/dimeSoftware/dimeScheduler/v1.0/companies("+w.back.online.CompanyID(cronusName)+")/appointments", strings.NewReader(row))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token.Value)
	return do(r)
}

// do returns the status; 0 if there was no answer.
func do(r *http.Request) int {
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

func guid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// testCompanies plays the app's part towards a company.
func (w *World) testCompanies(t *testing.T) {
	const secret = "rotated"
	w.RotateERPSecret(secret)
	stands := func(n int) int { return len(w.Ledger(Cronus).Of(guid(n))) }

	if status := w.deliver(t, secret, guid(1)); status != http.StatusCreated || stands(1) != 1 {
		t.Errorf("status %d, %d documents", status, stands(1))
	}
	w.SetERPLocked(true)
	if status := w.deliver(t, secret, guid(2)); status < 400 || stands(2) != 0 || !w.Pulse().ERPLocked {
		t.Errorf("while locked: status %d, %d documents", status, stands(2))
	}
	w.SetERPLocked(false)

	sprung := w.NextDelivery(Cronus, Lost)
	if status := w.deliver(t, secret, guid(3)); status != 0 || stands(3) != 1 {
		t.Errorf("a lost answer: status %d, %d documents", status, stands(3))
	}
	if err := <-sprung; err != nil {
		t.Error(err)
	}
	if status := w.deliver(t, secret, guid(4)); status != http.StatusCreated {
		t.Errorf("the next: status %d", status)
	}
	var found bool
	for _, d := range w.Differences() {
		found = found || strings.HasPrefix(d, cronusName) && strings.Contains(d, "is not on the board")
	}
	if !found {
		t.Errorf("what is in the company alone is no difference: %v", w.Differences())
	}

	shown := request(t, http.DefaultClient, http.MethodGet, w.ERPAddresses()[0], nil, http.StatusOK)
	if !strings.Contains(string(shown), guid(3)) {
		t.Errorf("the address for people shows %s", shown)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := w.SetERPDown(true); err != nil {
		t.Fatal(err)
	}
	for _, address := range w.ERPAddresses() {
		if response, err := http.Get(address); err == nil {
			response.Body.Close()
			t.Errorf("%s answers while it is down", address)
		}
	}
	if !w.Pulse().ERPDown || !w.Ledger(Fabrikam).Down {
		t.Error("the pulse does not tell that the companies are down")
	}
	if err := w.SetERPDown(false); err != nil {
		t.Fatal(err)
	}
	if status := w.deliver(t, secret, guid(5)); status != http.StatusCreated || stands(5) != 1 {
		t.Errorf("up again: status %d, %d documents", status, stands(5))
	}
}

// testHook plays the app's part towards the webhook, with the key in the vault.
func (w *World) testHook(t *testing.T, key string) {
	send := func(idempotency string) int {
		body := `{"AppointmentGuid":"` + guid(1) + `","Subject":"x","StartDate":"2026-11-23T08:00:00Z","EndDate":"2026-11-23T09:00:00Z"}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.back.hookURL+"/appointments", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		stamp := fmt.Sprint(time.Now().Unix())
		mac := hmac.New(sha256.New, []byte(key))
		_, _ = mac.Write([]byte(stamp + "." + body))
		for name, value := range map[string]string{
			"Idempotency-Key": idempotency, "X-Dime-Operation": "Create", "X-Dime-Version": "2026-11-23T08:00:00Z#1",
			"X-Dime-Timestamp": stamp, "X-Dime-Signature": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
		} {
			r.Header.Set(name, value)
		}
		return do(r)
	}
	w.NextDelivery("", Lost) // of a company: not for the webhook
	w.NextDelivery(Partner, Lost)
	for n, want := range []int{0, http.StatusAccepted} {
		if got := send("1"); got != want {
			t.Errorf("call %d: status %d, want %d", n+1, got, want)
		}
	}
	if l := w.Ledger(Partner); l.Taken != 1 || l.Repeated != 1 || l.Refused != 0 || len(l.Of(guid(1))) != 1 {
		t.Errorf("the webhook: %+v", l)
	}
}
