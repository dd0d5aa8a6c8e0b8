// Package dynamics is what the kinds of Business Central and NAV share: telling
// from what the server says whether a record was only locked, in whatever
// language it says so, and making its messages fit to be shown.
//
// It makes no calls. Nothing that it returns holds an appointment's words, as far
// as they are known to the caller.
package dynamics

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
)

// lockTypes are parts of exception types and error codes that mean a lock or a
// deadlock. Guess: the whole names are published nowhere.
var lockTypes = []string{"locktimeout", "deadlock", "recordlocked", "lockedrecord"}

// lockTexts are parts of messages that mean the same, in lower case. The English
// ones are in Microsoft's documents and support cases; Guess: the others, after
// the translations of the server's texts.
var lockTexts = []string{
	"locked by another user", "locked for use in another session", "could not update the data right now",
	"updated in a transaction done by another session", "deadlock",
	"von einem anderen benutzer gesperrt", "von einem anderen benutzer bereits gesperrt",
	"door een andere gebruiker vergrendeld", "vergrendeld door een andere gebruiker",
	"verrouillé par un autre utilisateur", "bloqueado por otro usuario", "bloccato da un altro utente",
	"låst af en anden bruger", "låst av en annan användare", "låst av en annen bruker", "bloqueado por outro utilizador",
}

// Locked reports whether an error means that a record was locked: it passes, and
// nothing was stored. kind is the exception type or the error code, and is
// believed before the text, whose language nobody controls.
func Locked(kind, text string) bool {
	kind, text = strings.ToLower(kind), strings.ToLower(text)
	return slices.ContainsFunc(lockTypes, func(s string) bool { return strings.Contains(kind, s) }) ||
		slices.ContainsFunc(lockTexts, func(s string) bool { return strings.Contains(text, s) })
}

// maxMessage is how much of a message is shown.
const maxMessage = 250

var (
	correlationPart = regexp.MustCompile(`(?i)\s*CorrelationId:\s*[0-9a-f-]{36}\.?`)
	email           = regexp.MustCompile(`[^\s"'<>]+@[^\s"'<>]+`)
)

// Say makes a server's message fit to be shown to an administrator and to be
// logged: one short line, without the given words of the appointment (Words),
// without e-mail addresses and without the correlation id, which has a place of its own.
func Say(message string, words []string) string {
	s := correlationPart.ReplaceAllString(message, "")
	s = strings.Join(strings.Fields(fields.Printable(s)), " ")
	for _, word := range words {
		s = without(s, word)
	}
	s = email.ReplaceAllString(s, fields.Mark)
	if utf8.RuneCountInString(s) > maxMessage {
		s = string([]rune(s)[:maxMessage-1]) + fields.Mark
	}
	return s
}

// prefix is how much of a longer word gives it away: the server may show it cut.
const prefix = 12

// without takes a word out of s, in any letter case: the server stores codes in
// capitals. Of a longer one its beginning is enough, and all that follows goes too.
func without(s, word string) string {
	word = strings.Join(strings.Fields(word), " ")
	r := []rune(word)
	if len(r) < 3 {
		return s
	}
	if len(r) > prefix {
		re := regexp.MustCompile(`(?is)` + regexp.QuoteMeta(string(r[:prefix])) + `.*`)
		return re.ReplaceAllString(s, fields.Mark)
	}
	return regexp.MustCompile(`(?i)`+regexp.QuoteMeta(word)).ReplaceAllString(s, fields.Mark)
}

// Words are the texts of a record that no message may show: what people wrote,
// and who they are. Numbers and codes may be shown.
func Words(r fields.Record) []string {
	var out []string
	add := func(v any) {
		s, ok := v.(string)
		if !ok {
			return
		}
		out = append(out, s)
		for line := range strings.Lines(s) {
			out = append(out, line)
		}
	}
	add(r.Header[fields.Subject])
	add(r.Header[fields.Body])
	add(r.Header["Last Modified User"])
	add(r.Header["Created User"])
	for _, row := range r.Resources {
		add(row["Resource Name"])
	}
	for _, row := range r.FieldValues {
		add(row[fields.FieldValue])
	}
	// The longest first: a part of a word must not break it.
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(out)
}

var correlation = regexp.MustCompile(`(?i)CorrelationId:\s*([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})`)

// Correlation returns the id of the call that a message ends with, for Microsoft's
// support; "" if it names none.
func Correlation(message string) string {
	if m := correlation.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return ""
}
