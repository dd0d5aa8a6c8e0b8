package world

// What the settings name; the values are made up.
const (
	tenantID = "5a2d3b6c-7c1e-4c55-9d0b-0f2a8f6f1e77"
	clientID = "0c8a4f2e-93d1-4b7a-8a55-6f1f0a9c2d31"

	boardSecret       = "dimescheduler-api-key"
	graphSecret       = "graph-client-secret"
	clientStateSecret = "graph-client-state-keys"
)

// settings are all app settings that the app reads, and the host's storage. The
// empty ones are there so that nothing of the same name gets in from the
// environment of whoever started this.
func (w *World) settings() map[string]string {
	return map[string]string{
		"AzureWebJobsStorage": w.storage.StorageConnectionString(),

		"ServiceBus":                          w.Broker.ConnectionString(),
		"ServiceBus__fullyQualifiedNamespace": "",
		"ServiceBus__credential":              "",
		"ServiceBus__clientId":                "",
		"APPOINTMENTS_QUEUE":                  Appointments,
		"MAILBOXES_QUEUE":                     Mailboxes,
		"BACKOFFICE_QUEUE":                    Backoffice,

		"TABLES_CONNECTION_STRING": w.storage.TablesConnectionString(),
		"TABLES_URL":               "",
		"KEYVAULT_URL":             w.addr.vault,
		"AZURE_CLIENT_ID":          "",

		"GRAPH_URL":                w.addr.graph,
		"AUTHORITY_URL":            w.addr.authority,
		"GRAPH_AUTH":               "secret",
		"GRAPH_TENANT_ID":          tenantID,
		"GRAPH_CLIENT_ID":          clientID,
		"GRAPH_SECRET_NAME":        graphSecret,
		"CLIENT_STATE_SECRET_NAME": clientStateSecret,

		"DIMESCHEDULER_URL":         w.addr.board,
		"DIMESCHEDULER_SECRET_NAME": boardSecret,
		"BOARD_TIME_ZONE":           "UTC",
		"PORTAL_ADMINS":             "",

		"PUBLIC_URL": w.url,

		// The production schedules: what must happen sooner is triggered.
		"RENEWAL_SCHEDULE":  "0 10 * * * *",
		"SWEEP_SCHEDULE":    "0 */15 * * * *",
		"RESOURCE_SCHEDULE": "0 5,20,35,50 * * * *",
		"REDRIVE_SCHEDULE":  "0 */5 * * * *",

		"LOCAL_MODE":    "1",
		"LOCAL_CA_FILE": w.caFile(),
	}
}
