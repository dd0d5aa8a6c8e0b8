// Package secret keeps secrets: the type Secret, which never shows its value
// unless asked by Reveal, and Vault, which reads secrets from Azure Key Vault
// and remembers them for a while.
//
// Guarantees: no error, log or text of this package holds a value; a rotated
// secret is picked up without a restart; a vault that is down does not stop
// who has a secret already, for a bounded time. It writes a secret only when a person enters one (Set).
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is all that a Secret shows of itself.
const redacted = "[secret]"

// Secret is a value that does not show itself when it is printed, logged or
// encoded; only Reveal gives it out. The zero value is the empty secret.
//
// The value lies behind a pointer because fmt prints an unexported field of
// somebody else's struct without asking its methods; it prints an address then.
type Secret struct{ value *string }

// New wraps a value.
func New(value string) Secret { return Secret{&value} }

// Reveal returns the value, for the one place that has to send it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal compares the values in constant time.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// Format implements fmt.Formatter: no verb shows the value.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
