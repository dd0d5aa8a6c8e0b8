package backoffice

// The stable codes that Dime.Scheduler publishes for back offices (facts
// backoffice.md A6, dimescheduler.md B.5 and B.6): administrators look them up,
// so none is ever given another meaning.
const (
	// CodeNotAllowed: "send appointments to back office" is off.
	CodeNotAllowed = "DSCFG001"
	// CodeMissingField: a required field of the connector is empty.
	CodeMissingField = "DSCFG002"
	// CodeNoData: the back office answered without the data that it has to answer.
	CodeNoData = "DSCFG003"
	// CodeSchema: what we send and what the back office takes do not fit.
	CodeSchema = "DSCFG004"
	// CodeSystemType: type, API and authentication do not go together.
	CodeSystemType = "DSCFG005"
	// CodeOAuthCredentials: the OAuth credentials can not be read.
	CodeOAuthCredentials = "DSCFG006"
	// CodeURL: the address is malformed, or is not that of the service.
	CodeURL = "DSCFG007"
	// CodeUnauthorized: signed in, and not allowed.
	CodeUnauthorized = "DSCFG008"
	// CodeHTTPSRequired: plain http where https is needed.
	CodeHTTPSRequired = "DSCFG009"

	// CodeHTTP: HTTP 429 or 5xx.
	CodeHTTP = "DSHTTP001"

	CodeBCUnauthorized = "DSBC001"
	CodeBCNotFound     = "DSBC002" // the endpoint is not there
	CodeBCBusy         = "DSBC003" // server too busy
	CodeBCTimeout      = "DSBC004" // no answer in time: it may be done all the same
	CodeBCConnection   = "DSBC005" // communication fault
	CodeBCUnknownType  = "DSBC006" // SOAP fault: unknown type
	CodeBCNoService    = "DSBC007" // SOAP fault: service not found
	CodeBCNoLocation   = "DSBC008" // the REST API named no Location
	CodeBCSOAP         = "DSBC009" // SOAP 429 or 5xx

	CodeWebhookNotAllowed = "DSWBHK001"
	CodeWebhookURL        = "DSWBHK002"
	CodeWebhookType       = "DSWBHK003"
	CodeWebhookTimeout    = "DSWBHK010"
	CodeWebhookHTTP       = "DSWBHK020"
	// CodeCircuitOpen: the connector rests after failures in a row. Guess: the code
	// is published for webhooks only and used here for every kind.
	CodeCircuitOpen = "DSWBHK030"

	CodeUndiagnosed = "DSUNK001"
)
