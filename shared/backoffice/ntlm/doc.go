// Package ntlm signs in by NTLM, as on-premises servers of Business Central and
// NAV with Windows authentication ask. It wraps github.com/Azure/go-ntlmssp,
// which knows the messages, in what NTLM needs of the connections below it.
//
// NTLM authenticates a connection, not a request. On a shared transport the third
// message of a handshake may go out on another connection than the first two, and
// is refused (measured: up to 79 of 400 concurrent requests); and who comes
// second on a connection is taken for who came first, also with a wrong password.
// So a Pool holds transports of one connection each, lends each to one request
// at a time, and throws a connection away before somebody else uses it.
//
// It is not Kerberos: a function app reaches no domain controller. A server that
// takes nothing else is an error that says what to change.
package ntlm
