// Package dimescheduler speaks Dime.Scheduler's two languages: the message
// that the board puts on the appointments queue (DecodeChange, EncodeChange)
// and its HTTP API (Client).
//
// Guarantees: a list is complete or an error, never silently partial; every
// error is a *fault.Error without content, addresses or the board's own words;
// hostile input is data or a Poison fault, never a panic. The package does not
// decide anything and does not retry, but for one repetition with a fresh key
// after a 401.
//
// Dime.Scheduler publishes no complete reference. What is documented is marked
// with its source page; every guess is one named constant or function whose
// comment begins with "Guess:".
package dimescheduler
