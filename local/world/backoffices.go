package world

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/local/hooksim"
)

// The back offices of the demo, by the ids of their connectors.
const (
	// Cronus is a company in Business Central online: the API page, OAuth2.
	Cronus = "cronus"
	// Fabrikam is one on a server on-premises: the SOAP page, Windows sign-in.
	Fabrikam = "fabrikam"
	// Partner is a webhook that hears of Cronus' jobs, too.
	Partner = "partner"
)

// The source apps of the demo's jobs: each has its own company.
const (
	CronusApp   = "CRONUS"
	FabrikamApp = "FABRIKAM"
)

const (
	erpTenant  = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	erpClient  = "b1d8a3c2-5f47-4e0e-9d6c-3f8f1c2a7e55"
	erpUser    = "dime" // of the domain CORP
	cronusName = "CRONUS International"
	fabrikamCo = "Fabrikam, Service" // a name with what has to be escaped in an address

	cronusSecret   = "connector-cronus"
	fabrikamSecret = "connector-fabrikam"
	partnerKey     = "connector-partner-signing"

	// erpTimeout in seconds is short, for people who watch it run out.
	erpTimeout = 5
)

// backOffices are the companies and the webhook.
type backOffices struct {
	online, premises *erpsim.Server
	hook             *hooksim.Server
	// outlets by the id of the connector; the webhook has none to take down.
	outlets map[string]*outlet
	hookURL string
}

// startBackOffices starts two companies and a webhook, and puts the secrets of
// their connectors into the vault.
func (w *World) startBackOffices() error {
	secret, password, key := rand.Text(), rand.Text(), rand.Text()
	b := &w.back
	b.outlets = map[string]*outlet{}
	b.online = erpsim.New(erpsim.Options{
		Companies: []string{cronusName}, Tenant: erpTenant, Apps: map[string]erpsim.App{erpClient: {Secrets: []string{secret}}},
		Fault: func(r erpsim.FaultRequest) *erpsim.FaultResponse { return w.erpFault(Cronus, r) },
	})
	b.premises = erpsim.New(erpsim.Options{
		Companies: []string{fabrikamCo}, Windows: erpsim.OffersNegotiate, Users: map[string]erpsim.User{erpUser: {Password: password}},
		Fault: func(r erpsim.FaultRequest) *erpsim.FaultResponse { return w.erpFault(Fabrikam, r) },
	})
	b.hook = hooksim.New(hooksim.Options{Key: key, Fault: w.hookFault})
	w.Vault.Set(cronusSecret, secret)
	w.Vault.Set(fabrikamSecret, password)
	w.Vault.Set(partnerKey, key)
	for _, c := range []struct {
		id          string
		server      *erpsim.Server
		connContext func(context.Context, net.Conn) context.Context
	}{{Cronus, b.online, nil}, {Fabrikam, b.premises, erpsim.ConnContext}} {
		w.onClose(func() error { c.server.Close(); return nil })
		o, err := w.openOutlet(w.withLedger(c.id, c.server), c.connContext)
		if err != nil {
			return err
		}
		b.outlets[c.id] = o
	}
	var err error
	if b.hookURL, err = w.serve(b.hook, nil); err != nil {
		return err
	}
	w.step("ERP", "%s (online), %s (on-premises)", b.outlets[Cronus].url, b.outlets[Fabrikam].url)
	w.step("webhook", "%s", b.hookURL)
	return nil
}

// withLedger shows what stands in a company to whoever opens its server's root.
func (w *World) withLedger(id string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			h.ServeHTTP(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		encoder := json.NewEncoder(rw)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(w.Ledger(id)) // the reader may be gone
	})
}

// setConnectors registers the three connectors in the app's table, as the portal
// does, before the app starts.
func (w *World) setConnectors(ctx context.Context) error {
	online, premises := w.back.outlets[Cronus].url, w.back.outlets[Fabrikam].url
	for _, c := range []map[string]any{
		{
			"ID": Cronus, "Name": cronusName, "Description": "Business Central online", "SourceApp": CronusApp,
			"Type": "bc", "API": "rest", "Auth": "entra", "Login": erpTenant, "ClientID": erpClient, "Secret": cronusSecret,
			"URI": online + "/v2.0/" + erpTenant + "/Production/api/dimeSoftware/dimeScheduler/v1.0/companies(" +
				w.back.online.CompanyID(cronusName) + ")/appointments",
			"TokenURL": online + "/" + erpTenant + "/oauth2/v2.0/token",
		},
		{
			"ID": Fabrikam, "Name": fabrikamCo, "Description": "Business Central on-premises", "SourceApp": FabrikamApp,
			"Type": "bc", "API": "soapPage", "Auth": "ntlm", "Login": `CORP\` + erpUser, "Secret": fabrikamSecret,
			"URI": premises + "/BC/WS/" + url.PathEscape(fabrikamCo) + "/Page/Appointment",
		},
		{
			"ID": Partner, "Name": "Partner portal", "Description": "a webhook that hears of Cronus' jobs", "SourceApp": CronusApp,
			"Type": "webhook", "API": "rest", "Auth": "none", "Signing": partnerKey, "URI": w.back.hookURL + "/appointments",
		},
	} {
		c["Send"], c["Operations"], c["AllowHTTP"] = true, "I,U,D", true
		c["Shards"], c["TimeoutSeconds"] = aztables.EDMInt64(2), aztables.EDMInt64(erpTimeout)
		row := aztables.EDMEntity{Entity: aztables.Entity{PartitionKey: "connector", RowKey: c["ID"].(string)}, Properties: c}
		if err := w.putRow(ctx, "connectors", row); err != nil {
			return err
		}
	}
	return nil
}

// ERPAddresses are where a person sees what stands in each company, as JSON.
func (w *World) ERPAddresses() []string {
	return []string{w.back.outlets[Cronus].url + "/", w.back.outlets[Fabrikam].url + "/"}
}

// HookAddress is where the webhook shows what it was told, as JSON.
func (w *World) HookAddress() string { return w.back.hookURL + "/" }
