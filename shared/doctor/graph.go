package doctor

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Calendar is Microsoft Graph, as shared/graph speaks to it.
type Calendar interface {
	// Roles returns the permissions in the app's token; known is false if it can not
	// be read.
	Roles(ctx context.Context) (roles []string, known bool, err error)
	Mailbox(ctx context.Context, email string) (id string, err error)
	View(ctx context.Context, mailbox string, w calendar.Window) ([]calendar.Event, error)
	Event(ctx context.Context, mailbox, id string) (calendar.Event, error)
	Marked(ctx context.Context, mailbox, mark string) ([]calendar.Event, error)
	Apply(ctx context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error)
	Subscriptions(ctx context.Context) ([]calendar.Subscription, error)
	CreateSubscription(ctx context.Context, mailbox, notificationURL, lifecycleURL, clientState string, expires time.Time) (calendar.Subscription, error)
	DeleteSubscription(ctx context.Context, id string) error
	Categories(ctx context.Context, mailbox string) ([]calendar.Category, error)
}

// permission is one that the connectors need, and what for.
type permission struct {
	name     string
	instead  []string // what includes it
	purpose  string
	exchange bool // Exchange can grant it without the token showing it
}

var permissions = []permission{
	{"Calendars.ReadWrite", nil, "write and remove the events of appointments", true},
	{"Calendars.Read", nil, "be told of changes in Outlook: subscriptions want exactly this one besides Calendars.ReadWrite", true},
	{"MailboxSettings.ReadWrite", nil, "give categories their colours", true},
	{"User.Read.All", []string{"User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}, "find the mailbox of a resource by its e-mail address", false},
}

// proof is what of the permissions was seen to work.
type proof map[string]bool

func (d *Doctor) graph(ctx context.Context, f *findings, mailbox string) {
	if d.Calendar == nil {
		f.failed("sign-in", "", "The credentials for Microsoft Graph can not be put together.", "Check GRAPH_AUTH, GRAPH_TENANT_ID, GRAPH_CLIENT_ID and AUTHORITY_URL.")
		return
	}
	roles, known, err := d.Calendar.Roles(ctx)
	if err != nil {
		d.noToken(f, err)
		f.skipped("mailbox", "Nothing of Graph can be looked at without a token.")
		return
	}
	f.ok("sign-in", "Microsoft Entra gives the app a token for Graph.")
	seen := proof{}
	switch {
	case mailbox == "":
		f.skipped("mailbox", "No test mailbox was given: calendar, event, subscription and categories are not tried.")
	case !isAddress(mailbox):
		f.failed("mailbox", "", "What was given as test mailbox is not an e-mail address.", "Write it as name@domain.")
	default:
		d.mailbox(ctx, f, mailbox, seen)
	}
	d.permissions(f, roles, known, mailbox != "", seen)
}

func isAddress(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && domain != "" && len(s) <= 320 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("<>/\\?#,;", r) })
}

// noToken says why Entra gives no token. The codes are Entra's
// (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
func (d *Doctor) noToken(f *findings, err error) {
	fa := fault.Of(err)
	if strings.HasPrefix(fa.Op, "key vault:") {
		text, do := told(err, "The Key Vault", "Give the app's identity the role Key Vault Secrets User on the vault.")
		f.failed("sign-in", fa.Code, text, do)
		return
	}
	text, do := "", ""
	switch fa.Code {
	case "AADSTS7000222":
		text, do = "The client secret of the app registration has expired.", "Add a new client secret to the app registration and set it in Key Vault; it is picked up within minutes."
	case "AADSTS7000215":
		text, do = "The client secret in the Key Vault is not one of the app registration's.", "Copy the value of the secret (not its id) from the app registration into the Key Vault, or make a new one."
	case "AADSTS700016":
		text, do = "The tenant has no such application.", "Check GRAPH_CLIENT_ID and GRAPH_TENANT_ID, and that the application was added to that tenant."
	case "AADSTS90002":
		text, do = "There is no such tenant.", "Check GRAPH_TENANT_ID and AUTHORITY_URL."
	case "AADSTS700213", "AADSTS70021":
		text, do = "The app registration does not trust the managed identity.", "Add a federated credential to the app registration: its subject is the object id of the managed identity (infra/bicep/README.md)."
	default:
		code := exchange.Diagnose(err)
		text, do = code.Sentence, code.Do
	}
	f.failed("sign-in", fa.Code, text, do)
}

// permissions holds the token against what is needed; what was seen to work counts
// more than what the token says.
func (d *Doctor) permissions(f *findings, roles []string, known, mailbox bool, seen proof) {
	for _, p := range permissions {
		has := slices.ContainsFunc(append([]string{p.name}, p.instead...), func(r string) bool { return slices.Contains(roles, r) })
		missing := "The app's token does not carry the permission, which is needed to " + p.purpose + "."
		switch {
		case has:
			f.ok(p.name, "The token carries it; it is needed to %s.", p.purpose)
		case seen[p.name]:
			f.ok(p.name, "The token does not show it, but it works: Exchange grants it for this mailbox.")
		case !known:
			f.skipped(p.name, "What the token allows can not be read. It is needed to %s.", p.purpose)
		case p.exchange && !mailbox:
			f.failed(p.name, "", missing, "Grant admin consent for the application permission "+p.name+". If Exchange grants it by a role assignment (RBAC for Applications), give a test mailbox to see that it works.")
		case p.exchange && seen["reading "+p.name]:
			f.skipped(p.name, "The token does not show it. Reading works, so that Exchange grants at least that; writing is not tried. It is needed to %s.", p.purpose)
		default:
			f.failed(p.name, "", missing, "Grant admin consent for the application permission "+p.name+" in Microsoft Entra; it may take some minutes until tokens carry it.")
		}
	}
}

// graphFailed adds what a call of Graph met.
func graphFailed(f *findings, name string, err error, do string) {
	code := exchange.Diagnose(err)
	if do == "" {
		do = code.Do
	}
	id := fault.Of(err).Code
	if id == "" {
		id = code.ID
	}
	f.failed(name, id, code.Sentence, do)
}
