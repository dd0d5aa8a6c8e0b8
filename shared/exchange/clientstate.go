package exchange

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
)

// MaxClientState is the longest clientState that Graph takes, in characters
// (subscription resource type, Microsoft Graph v1.0 reference).
const MaxClientState = 128

// Keys are the secrets that sign clientState; the first signs, all verify, so
// that a key can be replaced while subscriptions of the old one live (R37).
type Keys [][]byte

// ErrNoKeys: nothing can be signed.
var ErrNoKeys = errors.New("the secret with the clientState keys holds no key of at least 32 characters")

// ParseKeys reads the keys as the vault holds them: one or two texts of at
// least 32 characters, separated by commas, blanks or line ends; the newest first.
func ParseKeys(text string) (Keys, error) {
	var out Keys
	for _, k := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' }) {
		if len(k) >= 32 {
			out = append(out, []byte(k))
		}
	}
	if len(out) == 0 {
		return nil, ErrNoKeys
	}
	return out[:min(len(out), 2)], nil
}

// Sign returns the clientState of a mailbox's subscription: the mailbox, a
// nonce, and an HMAC over both. A notification can so be checked, and its
// mailbox known, without any read.
func (k Keys) Sign(mailbox string) (string, error) {
	if len(k) == 0 {
		return "", ErrNoKeys
	}
	nonce := make([]byte, 9)
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	payload := mailbox + "." + base64.RawURLEncoding.EncodeToString(nonce)
	return payload + "." + mac(k[0], payload), nil
}

// Fingerprint tells the signing key from others without giving it away.
func (k Keys) Fingerprint() string {
	if len(k) == 0 {
		return ""
	}
	return mac(k[0], "fingerprint")[:12]
}

// Verify returns the mailbox of a clientState that one of the keys has signed.
// The comparison takes the same time whether it fits or not.
func (k Keys) Verify(state string) (mailbox string, ok bool) {
	i := strings.LastIndexByte(state, '.')
	if len(state) > MaxClientState || i < 0 {
		return "", false
	}
	payload, sum := state[:i], state[i+1:]
	fits := 0
	for _, key := range k {
		fits |= subtle.ConstantTimeCompare([]byte(mac(key, payload)), []byte(sum))
	}
	mailbox, _, _ = strings.Cut(payload, ".")
	return mailbox, fits == 1 && mailbox != ""
}

func mac(key []byte, payload string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
