package settings

import "slices"

// Description tells of one setting what it means, for docs, infra and people.
type Description struct {
	Name    string
	Meaning string
	Default string // empty: there is none
}

// The names of the settings.
const (
	nameServiceBus           = "ServiceBus"
	nameServiceBusNamespace  = "ServiceBus__fullyQualifiedNamespace"
	nameServiceBusCredential = "ServiceBus__credential"
	nameServiceBusClient     = "ServiceBus__clientId"
	nameAppointmentsQueue    = "APPOINTMENTS_QUEUE"
	nameMailboxesQueue       = "MAILBOXES_QUEUE"
	nameBackofficeQueue      = "BACKOFFICE_QUEUE"
	nameTablesURL            = "TABLES_URL"
	nameTablesConnection     = "TABLES_CONNECTION_STRING"
	nameVaultURL             = "KEYVAULT_URL"
	nameIdentity             = "AZURE_CLIENT_ID"
	nameGraphURL             = "GRAPH_URL"
	nameAuthorityURL         = "AUTHORITY_URL"
	nameGraphTenant          = "GRAPH_TENANT_ID"
	nameGraphClient          = "GRAPH_CLIENT_ID"
	nameGraphAuth            = "GRAPH_AUTH"
	nameGraphSecret          = "GRAPH_SECRET_NAME"
	nameClientState          = "CLIENT_STATE_SECRET_NAME"
	nameBoardURL             = "DIMESCHEDULER_URL"
	nameBoardSecret          = "DIMESCHEDULER_SECRET_NAME"
	nameBoardZone            = "BOARD_TIME_ZONE"
	namePublicURL            = "PUBLIC_URL"
	nameRenewalSchedule      = "RENEWAL_SCHEDULE"
	nameSweepSchedule        = "SWEEP_SCHEDULE"
	nameResourceSchedule     = "RESOURCE_SCHEDULE"
	nameRedriveSchedule      = "REDRIVE_SCHEDULE"
	namePortalAdmins         = "PORTAL_ADMINS"
	nameLocalMode            = "LOCAL_MODE"
	nameLocalCA              = "LOCAL_CA_FILE"
)

// descriptions is every setting that Load reads, sorted by name.
var descriptions = func() []Description {
	all := []Description{
		{nameServiceBus, "connection string of the Service Bus namespace (local); or use " + nameServiceBusNamespace, ""},
		{nameServiceBusNamespace, "host name of the Service Bus namespace, reached by the managed identity", ""},
		{nameServiceBusCredential, "managedidentity, with " + nameServiceBusClient + "; the Functions host wants it", ""},
		{nameServiceBusClient, "client id of the identity that reaches Service Bus; the Functions host wants it, the app takes " + nameIdentity + " if it is empty", ""},
		{nameAppointmentsQueue, "queue of what the board announces", "appointments"},
		{nameMailboxesQueue, "queue of the nudges to mailboxes, with sessions", "mailboxes"},
		{nameBackofficeQueue, "queue of the nudges to back offices, with sessions", "backoffice"},
		{nameTablesURL, "address of Table Storage, reached by the managed identity", ""},
		{nameTablesConnection, "connection string of Table Storage (local); or use " + nameTablesURL, ""},
		{nameVaultURL, "address of the Key Vault that holds the secrets", ""},
		{nameIdentity, "client id of the user-assigned managed identity", ""},
		{nameGraphURL, "Microsoft Graph with its version", "https://graph.microsoft.com/v1.0"},
		{nameAuthorityURL, "Microsoft Entra ID of the same cloud", "https://login.microsoftonline.com"},
		{nameGraphTenant, "Entra tenant of the mailboxes (id or domain)", ""},
		{nameGraphClient, "client id of the app registration that may use the calendars", ""},
		{nameGraphAuth, "how to sign in to Graph: secret, federated (the managed identity vouches for the app registration) or identity (the managed identity itself)", "secret"},
		{nameGraphSecret, "Key Vault name of the app registration's client secret", "graph-client-secret"},
		{nameClientState, "Key Vault name of the keys that sign clientState", "graph-client-state-keys"},
		{nameBoardURL, "the Dime.Scheduler API", "https://api.dimescheduler.com"},
		{nameBoardSecret, "Key Vault name of the Dime.Scheduler API key", "dimescheduler-api-key"},
		{nameBoardZone, "IANA time zone of the board's times that name none", "UTC"},
		{namePublicURL, "https address of this app, which Graph calls back", ""},
		{nameRenewalSchedule, "when subscriptions are checked (NCRONTAB, six fields, UTC)", "0 10 * * * *"},
		{nameSweepSchedule, "when mailboxes are swept (NCRONTAB, six fields, UTC)", "0 */15 * * * *"},
		{nameResourceSchedule, "when resources are read from the board (NCRONTAB, six fields, UTC)", "0 5,20,35,50 * * * *"},
		{nameRedriveSchedule, "when dead letters and what is overdue are looked after (NCRONTAB, six fields, UTC)", "0 */5 * * * *"},
		{namePortalAdmins, "administrators of the web portal besides those with its app role Administrator: e-mail addresses or object ids, separated by commas", ""},
		{nameLocalMode, "1 allows plain http, own certificates and fixed tokens towards loopback addresses, and nothing else", ""},
		{nameLocalCA, "PEM file of the certificate authority of the local world; with " + nameLocalMode + " only", ""},
	}
	slices.SortFunc(all, func(a, b Description) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}()

// Describe returns every setting that Load reads, sorted by name.
func Describe() []Description { return slices.Clone(descriptions) }

// Names returns the names of Describe, sorted.
func Names() []string {
	names := make([]string, len(descriptions))
	for i, d := range descriptions {
		names[i] = d.Name
	}
	return names
}

func defaultOf(name string) string {
	for _, d := range descriptions {
		if d.Name == name {
			return d.Default
		}
	}
	panic("settings: " + name + " is read but not described")
}
