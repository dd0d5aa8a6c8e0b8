package settings

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/dime-scheduler/connectors/shared/secret"
)

// Load reads the settings through getenv (os.Getenv); an empty value is an
// absent one. The error joins every *Problem found; the Settings are of no use
// then.
func Load(getenv func(string) string) (Settings, error) {
	l := &loader{getenv: getenv}
	s := Settings{Local: l.localMode()}
	l.local = s.Local
	s.localCA = l.localCA()

	s.PublicURL = l.address(namePublicURL)
	if u, err := url.Parse(s.PublicURL); err == nil && u.Path != "" {
		l.problem(namePublicURL, "holds a path", "write https://host alone: the app adds /api/graph/... itself")
	}
	s.IdentityClientID = l.guid(nameIdentity)
	s.ServiceBus = l.serviceBus()
	s.Tables = l.tables()
	s.Vault = l.vault()
	s.Graph = l.graph()
	s.Board = Board{URL: l.address(nameBoardURL), Zone: l.zone()}
	s.Schedules = Schedules{
		Renewal:  l.schedule(nameRenewalSchedule),
		Sweep:    l.schedule(nameSweepSchedule),
		Resource: l.schedule(nameResourceSchedule),
		Redrive:  l.schedule(nameRedriveSchedule),
	}
	s.Portal = l.portal()
	// In LOCAL_MODE the vault takes a fixed token, and nothing needs an identity.
	if s.IdentityClientID == "" && !s.Local && l.get(nameIdentity) == "" {
		l.problem(nameIdentity, "is missing", "give the client id of the user-assigned managed identity that reaches the vault, the tables and the queues")
	}
	if s.ServiceBus.Namespace != "" && s.ServiceBus.ClientID == "" {
		s.ServiceBus.ClientID = s.IdentityClientID
	}
	return s, errors.Join(l.problems...)
}

// platformSignIn is set by the platform, to "True" where Easy Auth is on (Azure App
// Service, "Environment variables and app settings reference").
const platformSignIn = "WEBSITE_AUTH_ENABLED"

func (l *loader) portal() Portal {
	p := Portal{SignIn: strings.EqualFold(l.getenv(platformSignIn), "true")}
	for who := range strings.SplitSeq(l.get(namePortalAdmins), ",") {
		if who = strings.TrimSpace(who); who != "" {
			p.Admins = append(p.Admins, who)
		}
	}
	return p
}

type loader struct {
	getenv   func(string) string
	local    bool
	problems []error
}

func (l *loader) problem(name, text, remedy string) {
	l.problems = append(l.problems, &Problem{Setting: name, Text: text, Remedy: remedy})
}

// get returns the value without blanks around it, or the default.
func (l *loader) get(name string) string {
	if v := strings.TrimSpace(l.getenv(name)); v != "" {
		return v
	}
	return defaultOf(name)
}

func (l *loader) localMode() bool {
	switch strings.ToLower(l.get(nameLocalMode)) {
	case "", "0", "false":
		return false
	case "1", "true":
		return true
	}
	l.problem(nameLocalMode, "is neither 1 nor 0", "write 1 on a developer's machine, and remove it everywhere else")
	return false
}

func (l *loader) localCA() *x509.CertPool {
	file := l.get(nameLocalCA)
	if file == "" {
		return nil
	}
	if !l.local {
		l.problem(nameLocalCA, "is set, but "+nameLocalMode+" is not", "remove it: outside of LOCAL_MODE only the system's certificate authorities are trusted")
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		l.problem(nameLocalCA, "names a file that can not be read ("+err.Error()+")", "write the path that the local world has printed")
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		l.problem(nameLocalCA, "names a file without a certificate in PEM form", "write the path that the local world has printed")
		return nil
	}
	return pool
}

func (l *loader) vault() Vault {
	v := Vault{
		URL:         l.address(nameVaultURL),
		Graph:       l.secretName(nameGraphSecret),
		Board:       l.secretName(nameBoardSecret),
		ClientState: l.secretName(nameClientState),
	}
	if strings.HasPrefix(v.URL, "http://") {
		l.problem(nameVaultURL, "is plain http", "write an https address, also in LOCAL_MODE: the Key Vault client sends no token otherwise")
	}
	return v
}

func (l *loader) graph() Graph {
	g := Graph{
		Auth:     Auth(strings.ToLower(l.get(nameGraphAuth))),
		TenantID: l.get(nameGraphTenant),
		ClientID: l.guid(nameGraphClient),
	}
	g.URL, g.Authority = l.cloud()

	if g.TenantID != "" && (!tenantForm.MatchString(g.TenantID) || slices.Contains(sharedTenants, strings.ToLower(g.TenantID))) {
		l.problem(nameGraphTenant, "names no single tenant", "write the tenant's id or its domain: an app without a user signs in to one tenant only")
	}
	switch g.Auth {
	case AuthSecret, AuthFederated:
		if g.TenantID == "" {
			l.problem(nameGraphTenant, "is missing", "GRAPH_AUTH="+string(g.Auth)+" needs the tenant of the mailboxes")
		}
		if l.get(nameGraphClient) == "" {
			l.problem(nameGraphClient, "is missing", "GRAPH_AUTH="+string(g.Auth)+" needs the client id of the app registration")
		}
	case AuthIdentity:
	default:
		l.problem(nameGraphAuth, "is none of secret, federated, identity", "write one of them")
	}
	return g
}

func (l *loader) zone() *time.Location {
	name := l.get(nameBoardZone)
	zone, err := time.LoadLocation(name)
	if err != nil || strings.EqualFold(name, "local") {
		l.problem(nameBoardZone, "is not a time zone that is known", "write an IANA name as Europe/Brussels; a Windows name as Romance Standard Time will not do")
		return time.UTC
	}
	return zone
}

var (
	guidForm   = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	tenantForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,252}$`)
	// queueForm: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
	queueForm = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z._/-]{0,258}[0-9A-Za-z_])?$`)
	// secretForm: as queueForm, for Microsoft.KeyVault vaults/secrets.
	secretForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,127}$`)
	cronForm   = regexp.MustCompile(`^[0-9A-Za-z*,/ -]+$`)

	sharedTenants = []string{"common", "organizations", "consumers"}
)

func (l *loader) guid(name string) string {
	v := l.get(name)
	if v != "" && !guidForm.MatchString(v) {
		l.problem(name, "is not a GUID", "write the client id as 00000000-0000-0000-0000-000000000000")
		return ""
	}
	return strings.ToLower(v)
}

func (l *loader) secretName(name string) string {
	v := l.get(name)
	if !secretForm.MatchString(v) {
		l.problem(name, "is not the name of a secret", "write the Key Vault name (letters, digits, dashes), never the secret itself")
	}
	return v
}

func (l *loader) queue(name string) string {
	v := l.get(name)
	if !queueForm.MatchString(v) {
		l.problem(name, "is not the name of a queue", "write letters, digits, dots, dashes, underscores and slashes only")
	}
	return v
}

// cronFields are those of NCRONTAB. The parser knows a little more ("?"),
// which cronForm keeps out.
var cronFields = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func (l *loader) schedule(name string) string {
	v := l.get(name)
	if _, err := cronFields.Parse(v); err != nil || !cronForm.MatchString(v) {
		l.problem(name, fmt.Sprintf("is not an NCRONTAB expression: %q", v), `write six fields, seconds first, as "`+defaultOf(name)+`"`)
	}
	return v
}

func (l *loader) tables() Tables {
	t := Tables{ConnectionString: secret.New(l.get(nameTablesConnection))}
	hasURL, hasString := l.get(nameTablesURL) != "", !t.ConnectionString.IsZero()
	switch {
	case hasURL && hasString:
		l.problem(nameTablesURL, "is set, and so is "+nameTablesConnection, "keep one of them")
	case hasURL:
		t.URL = l.address(nameTablesURL)
	case hasString:
		l.tablesConnection(t.ConnectionString.Reveal())
	default:
		l.problem(nameTablesURL, "is missing", "give the address of Table Storage, or locally "+nameTablesConnection)
	}
	return t
}

func (l *loader) serviceBus() ServiceBus {
	b := ServiceBus{
		ConnectionString: secret.New(l.get(nameServiceBus)),
		Namespace:        l.get(nameServiceBusNamespace),
		Appointments:     l.queue(nameAppointmentsQueue),
		Mailboxes:        l.queue(nameMailboxesQueue),
		Backoffice:       l.queue(nameBackofficeQueue),
	}
	b.ClientID = l.guid(nameServiceBusClient)
	for _, pair := range [][2]string{{nameMailboxesQueue, b.Appointments}, {nameBackofficeQueue, b.Appointments}, {nameBackofficeQueue, b.Mailboxes}} {
		if strings.EqualFold(l.get(pair[0]), pair[1]) {
			l.problem(pair[0], "names the same queue as another setting", "give each of the three queues its own name")
		}
	}
	switch {
	case !b.ConnectionString.IsZero() && b.Namespace != "":
		l.problem(nameServiceBus, "is set, and so is "+nameServiceBusNamespace, "keep one of them")
	case b.Namespace != "":
		l.namespace(b)
	case !b.ConnectionString.IsZero():
		l.busConnection(b.ConnectionString.Reveal())
	default:
		l.problem(nameServiceBusNamespace, "is missing", "give the host name of the Service Bus namespace, or locally the connection string in "+nameServiceBus)
	}
	return b
}

func (l *loader) namespace(b ServiceBus) {
	if strings.ContainsAny(b.Namespace, ":/ ;=") || !strings.Contains(b.Namespace, ".") {
		l.problem(nameServiceBusNamespace, "is not a host name", "write it as name.servicebus.windows.net, without sb:// and slashes")
	}
	credential := l.get(nameServiceBusCredential)
	if credential != "" && !strings.EqualFold(credential, "managedidentity") {
		l.problem(nameServiceBusCredential, "is not managedidentity", "write managedidentity, with the client id in "+nameServiceBusClient)
	}
	if b.ClientID != "" && credential == "" {
		l.problem(nameServiceBusCredential, "is missing", "write managedidentity, else the Functions host does not look at "+nameServiceBusClient)
	}
}
