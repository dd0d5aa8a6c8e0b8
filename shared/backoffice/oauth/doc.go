// Package oauth signs connectors in by OAuth2 client credentials, and by the app's
// own identity: Tokens keeps the access tokens of all connectors, one per tenant,
// client and scope.
//
// Guarantees: any number of calls share one request for a token; a token is renewed
// minutes before it ends, and the old one is used as long as the token server does
// not answer; a refused token is replaced once, then the refusal stands; a rotated
// secret is read as soon as the old one is refused. Errors are classified by the
// server's error code, say what to change, and hold neither secret nor token.
//
// It knows no back office, but for the scope of Business Central.
package oauth
