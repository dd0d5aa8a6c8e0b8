package exchange

import (
	"regexp"
	"strings"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/routing"
)

// Stable codes of this connector. The prefix DSEX is reserved by Dime.Scheduler
// for Exchange, the numbers are ours (facts A.9). A number is never given another
// meaning; docs/operations.md lists them.
const (
	codeSecretExpired   = "DSEX001"
	codeCredentials     = "DSEX002"
	codeRejected        = "DSEX003"
	codeConsent         = "DSEX004"
	codePolicy          = "DSEX005"
	codeDisabled        = "DSEX006"
	codeSoftDeleted     = "DSEX007"
	codeOnPremises      = "DSEX008"
	codeUnlicensed      = "DSEX009"
	codeUnknownResource = "DSEX010" // recorded by routing
	codeTakesNoPart     = "DSEX011" // recorded by routing
	codeMoved           = "DSEX012"
	codeNoUser          = "DSEX013"
	codeFull            = "DSEX014"
	codeUnreachable     = "DSEX015"
	codeLetBe           = "DSEX016"
	codeLeft            = "DSEX017"
	codeForeignMeeting  = "DSEX020"
	codeRefused         = "DSEX021"
	codeNoMapping       = "DSEX022"
	codeChanging        = "DSEX023"
	codeNeighbour       = "DSEX024"
	codeHeldBack        = "DSEX030"
	codeHeldReleased    = "DSEX031"
	codeHeldRefused     = "DSEX032"
	codeRule            = routing.CodeRule
	codeRuleBroken      = routing.CodeRuleBroken
	codeConflict        = "DSEX040"
	codeRestored        = "DSEX041"
	codeResourceChanged = "DSEX042"
	codeWorn            = "DSEX043"
	codeThrottled       = "DSEX050"
	codeGraphDown       = "DSEX051"
	codeBoardKey        = "DSEX060"
	codeBoardDown       = "DSEX061"
	codeBoardRefused    = "DSEX062"
	codeBoardUnsure     = "DSEX063"
	codeBoardAddress    = "DSEX064"
	codeSubscription    = "DSEX070"
	codeNoCategories    = "DSEX071"
	codeOurs            = "DSEX080"
	codeUnexpected      = "DSEX090"
)

// Statuses of transactions: those of Dime.Scheduler's own connector (facts A.9)
// and Conflict, which it has no word for.
const (
	StatusSuccess  = "Success"
	StatusSkipped  = "Skipped"
	StatusFailed   = "Failed"
	StatusNoEntry  = "EmptyBackOffice"           // no mapping entry: the other side does not have it
	StatusSettings = "InvalidBackOfficeSettings" // nothing works until the configuration is corrected
	StatusConflict = "Conflict"                  // both sides changed; the text says what was decided
)

// Code explains a stable code to people.
type Code struct {
	ID       string `json:"id"`
	Status   string `json:"status"`   // of the transactions that carry it
	Sentence string `json:"sentence"` // what has happened
	Do       string `json:"do"`       // what an administrator does about it
	// Planner is what the board tells the planner if an appointment fails with
	// it; empty = nothing, as planners can not do anything about it.
	Planner string `json:"planner,omitempty"`
}

// notInOutlook begins what planners are told.
const notInOutlook = "This appointment is not up to date in the calendar of the resource: "

// codes is the closed table of all codes, in their order.
var codes = []Code{
	{codeSecretExpired, StatusSettings, "The client secret of the app registration has expired.",
		"Add a new client secret to the app registration and set it in Key Vault; it is picked up within minutes.", notInOutlook + "the connection to Exchange needs an administrator."},
	{codeCredentials, StatusSettings, "The credentials for Microsoft Graph are incomplete: tenant, application or identity can not be used.",
		"Check GRAPH_TENANT_ID, GRAPH_CLIENT_ID, GRAPH_AUTH and GRAPH_SECRET_NAME.", notInOutlook + "the connection to Exchange needs an administrator."},
	{codeRejected, StatusSkipped, "Microsoft Entra or Graph rejects the credentials.",
		"Check that the client secret in Key Vault is one of the app registration's, and that the application is not blocked.", notInOutlook + "the connection to Exchange needs an administrator."},
	{codeConsent, StatusFailed, "The application lacks permissions in the tenant: they were never granted, or were revoked.",
		"Grant admin consent for Calendars.ReadWrite, User.Read.All and MailboxSettings.ReadWrite.", notInOutlook + "the connection to Exchange needs an administrator."},
	{codePolicy, StatusFailed, "An access policy or role scope keeps the application out of this mailbox.",
		"Add the mailbox to the scope of the application's role assignment, or to the group of its access policy.", notInOutlook + "the connector may not open this calendar."},
	{codeDisabled, StatusSkipped, "The account of the mailbox is disabled.",
		"Enable the account, or take the resource out of the Exchange integration.", notInOutlook + "the account is disabled."},
	{codeSoftDeleted, StatusSkipped, "The mailbox is inactive or soft-deleted.",
		"Restore the user or the licence within 30 days, or take the resource out of the Exchange integration.", notInOutlook + "the mailbox has been deleted."},
	{codeOnPremises, StatusSkipped, "The mailbox lies on an Exchange server on-premises, which Microsoft Graph does not reach.",
		"Move the mailbox to Exchange Online, or take the resource out of the Exchange integration.", notInOutlook + "the mailbox is not in Exchange Online."},
	{codeUnlicensed, StatusSkipped, "The user has no licence for Exchange Online.",
		"Assign a licence with Exchange Online, or take the resource out of the Exchange integration.", notInOutlook + "the mailbox has no licence."},
	{codeUnknownResource, StatusSkipped, "The resource is not known yet.",
		"Wait for the next resource synchronisation, at most 15 minutes.", ""},
	{codeTakesNoPart, StatusSkipped, "The resource takes no part in the Exchange integration.",
		"Switch the integration on for the resource on the board, with a valid e-mail address.", ""},
	{codeMoved, StatusFailed, "The mailbox can not be opened, though its user has a licence: it is being moved or set up.",
		"Wait: it is tried again by itself. If it lasts for a day, look at the mailbox in the Exchange admin center.", notInOutlook + "the mailbox is being moved."},
	{codeNoUser, StatusSkipped, "There is no such user in the directory any more.",
		"Restore the user, or correct the e-mail address of the resource on the board.", notInOutlook + "there is no such user any more."},
	{codeFull, StatusFailed, "The mailbox is full.",
		"Free space in the mailbox or raise its quota.", notInOutlook + "the mailbox is full."},
	{codeUnreachable, StatusFailed, "The mailbox as a whole can not be reached.",
		"Look at the mailbox in the Exchange admin center; it is tried again by itself.", notInOutlook + "the mailbox can not be reached."},
	{codeLetBe, StatusSkipped, "The event was left alone when the mailbox moved in: the text says why.",
		"Look at it in the calendar; delete it there if it is one too many.", ""},
	{codeLeft, StatusSkipped, "The resource takes no part any more, and the event stays as it is.", "Nothing.", ""},
	{codeForeignMeeting, StatusSkipped, "The event is a copy of somebody else's meeting and is not written.",
		"Nothing: change the meeting in the calendar of its organiser.", ""},
	{codeRefused, StatusFailed, "Outlook refuses the change of this event for good.",
		"Look at the remote code in the transaction, correct the appointment on the board, or retry.", notInOutlook + "Outlook refuses it as it is."},
	{codeNoMapping, StatusNoEntry, "The event to be changed is not in the calendar any more.",
		"Nothing: it is looked for, and made again if the board wants it.", ""},
	{codeChanging, StatusFailed, "The event was changed by somebody else at each attempt.",
		"Nothing: it is tried again by itself.", notInOutlook + "it is tried again."},
	{codeNeighbour, StatusFailed, "An occurrence of a series can not be moved to or beyond the day of the one before or after it.",
		"Move it less far on the board, or change the series in Outlook.", notInOutlook + "an occurrence of a series can not be moved to or beyond the day of the one before or after it. Move it less far, or change the series in Outlook."},
	{codeHeldBack, StatusSkipped, "Many appointments are missing at once from a complete list: nothing was deleted, a person is asked.",
		"Check that mailbox and API key show everything; then release or refuse the deletions in the portal.", ""},
	{codeHeldReleased, StatusSuccess, "A person has released deletions that were held back.", "Nothing.", ""},
	{codeHeldRefused, StatusSuccess, "A person has refused deletions that were held back: the appointments stay.", "Nothing.", ""},
	{codeRule, StatusSkipped, "A rule keeps the appointment from Outlook; the text is the rule's own.", "Nothing, if the rule is meant so; else change the rules.", ""},
	{codeRuleBroken, StatusFailed, "A rule can not be evaluated and decides nothing: what is in Outlook stays, what was kept back stays away, a new appointment is sent.",
		"Correct the rules: saving them shows where.", ""},
	{codeConflict, StatusConflict, "Both sides have changed the same.", "Nothing: the policy has decided; the text says what.", ""},
	{codeRestored, StatusConflict, "The resource changed in Outlook what it may not: it was restored there.", "Nothing: the policy `resourcesMay` says so.", ""},
	{codeResourceChanged, StatusSuccess, "The resource has changed in Outlook what was planned.", "Nothing: the planner is told on the board.", ""},
	{codeWorn, StatusFailed, "What the resource may not change was restored in Outlook again and again, and changed again each time: it is left as it stands there.",
		"Look for an add-in, a rule or another connector that works on this calendar. The next change on the board is written again.", notInOutlook + "it was restored there again and again, and something changes it again each time."},
	{codeThrottled, StatusFailed, "The other side asks for fewer calls.", "Nothing: it is tried again after the pause that it asked for.", notInOutlook + "it is tried again."},
	{codeGraphDown, StatusFailed, "Microsoft Graph does not answer, or is out of order.", "Nothing: it is tried again by itself.", notInOutlook + "Microsoft 365 does not answer; it is tried again."},
	{codeBoardKey, StatusSettings, "Dime.Scheduler rejects the API key.",
		"Make a new API key in Dime.Scheduler and set it in Key Vault; it is picked up within minutes.", ""},
	{codeBoardDown, StatusFailed, "Dime.Scheduler's API does not answer, or is out of order.", "Nothing: it is tried again by itself.", ""},
	{codeBoardRefused, StatusFailed, "Dime.Scheduler refuses a change that was made in Outlook.",
		"Look at the remote code in the transaction; the next change of the event, or a retry, sends it again.", "A change that was made in Outlook could not be taken over: calendar and board differ."},
	{codeBoardUnsure, StatusNoEntry, "Dime.Scheduler does not show the appointment, which proves nothing yet.", "Nothing: its next complete list decides.", ""},
	{codeBoardAddress, StatusSettings, "There is no Dime.Scheduler API at the configured address, or its certificate is not trusted.",
		"Check DIMESCHEDULER_URL: the address of the API, by https, without a redirection.", ""},
	{codeSubscription, StatusFailed, "Graph does not subscribe to changes of the mailbox: it is read by the sweep only, up to half an hour late.",
		"Check that PUBLIC_URL can be reached from the internet by https.", ""},
	{codeNoCategories, StatusFailed, "Categories are written to events, but not to the mailbox's list of categories, so that they have no colour: the permission is missing.",
		"Grant admin consent for MailboxSettings.ReadWrite; it is tried again once a day.", ""},
	{codeOurs, StatusFailed, "Table Storage, Service Bus or Key Vault fails.", "Look at the app's health; the work is delivered again by itself.", ""},
	{codeUnexpected, StatusFailed, "Something unexpected has happened.", "Look at the log by the invocation id of the transaction.", notInOutlook + "something unexpected happened; it is tried again."},
}

// Codes returns the table of all codes.
func Codes() []Code { return append([]Code(nil), codes...) }

// Explain returns what is known of a stable code. One of another family, as
// Dime.Scheduler's own, has no more than its id.
func Explain(id string) Code {
	for _, c := range codes {
		if c.ID == id {
			return c
		}
	}
	return Code{ID: id, Status: StatusFailed}
}

// graphCodes are the codes of Graph and Entra that stand for one of ours, in
// lower case. graph.md B9; Entra's:
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var graphCodes = map[string]string{
	"aadsts7000222":                   codeSecretExpired,
	"aadsts700016":                    codeCredentials, // no such application in the tenant
	"aadsts90002":                     codeCredentials, // no such tenant
	"credentialunavailable":           codeCredentials,
	"aadsts65001":                     codeConsent,
	"authorization_requestdenied":     codeConsent,
	"erroraccessdenied":               codePolicy,
	"erroraccountdisabled":            codeDisabled,
	"errorinvaliduser":                codeNoUser,
	"errornonexistentmailbox":         codeNoUser,
	"request_resourcenotfound":        codeNoUser,
	"errorquotaexceeded":              codeFull,
	"errormailboxmoveinprogress":      codeMoved,
	"errormailboxstoreunavailable":    codeMoved,
	"mailboxnotenabledforrestapi":     codeUnreachable, // several states; see standing.go
	"mailboxnotsupportedforrestapi":   codeUnreachable,
	"erroritemnotfound":               codeNoMapping,
	"erroroccurrencecrossingboundary": codeNeighbour,
}

// published matches the codes that Dime.Scheduler publishes; the board's answers
// may hold them.
var published = regexp.MustCompile(`^DS[A-Z]{2,6}[0-9]{3}$`)

// codeOf is the stable code of a failure.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	f := fault.Of(err)
	switch {
	case isOurs(f):
		return codeOurs
	case published.MatchString(f.Code):
		return f.Code
	case strings.HasPrefix(f.Op, "board:"):
		return boardCode(f)
	}
	lower := strings.ToLower(f.Code)
	if c := graphCodes[lower]; c != "" {
		return c
	}
	switch {
	case strings.HasPrefix(lower, "aadsts"), f.Reason == fault.Auth:
		return codeRejected
	case f.Reason == fault.RateLimit:
		return codeThrottled
	case f.WholeTarget:
		return codeUnreachable
	case f.Reason == fault.Conflict:
		return codeChanging
	case f.Reason == fault.Unavailable, f.Reason == fault.Timeout:
		return codeGraphDown
	case f.Kind == fault.Permanent:
		return codeRefused
	}
	return codeUnexpected
}

func boardCode(f *fault.Error) string {
	switch {
	case f.Reason == fault.Auth:
		return codeBoardKey
	case f.Reason == fault.RateLimit:
		return codeThrottled
	case f.Reason == fault.NotFound:
		return codeBoardUnsure
	case f.Kind == fault.Permanent:
		return codeBoardRefused
	case f.WholeTarget:
		return codeBoardAddress
	}
	return codeBoardDown
}

// remoteOf is the other side's own code of a failure.
func remoteOf(err error) string {
	if f := fault.Of(err); f != nil && !published.MatchString(f.Code) {
		return f.Code
	}
	return ""
}

// Diagnose explains a failure of Graph, of the board or of our own store to people.
func Diagnose(err error) Code { return Explain(codeOf(err)) }

// explain is what a link tells people of a failure.
func explain(err error) (code, text string) {
	c := Explain(codeOf(err))
	if remote := remoteOf(err); remote != "" {
		return c.ID, strings.TrimSpace(c.Sentence + " (" + remote + ")")
	}
	return c.ID, c.Sentence
}
