package secret

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// Set stores a new version of a secret, which Get returns from then on. The app
// needs a role for it that it does not need to read: the error says so.
func (v *Vault) Set(ctx context.Context, name string, value Secret) error {
	text := value.Reveal()
	_, err := v.client.SetSecret(ctx, name, azsecrets.SetSecretParameters{Value: &text}, nil)
	if err == nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.entries, name)
		return nil
	}
	return notSet(name, err)
}

// tooLong is one more than a secret's value may have (Microsoft Learn, "About Azure
// Key Vault secrets": 25k bytes).
const tooLong = 25*1024 + 1

// MaySet reports whether Set would work, and stores nothing: it offers a value that
// no vault takes.
//
// Guess: who may not store is told so (403) before the value is looked at (400).
func (v *Vault) MaySet(ctx context.Context, name string) error {
	text := strings.Repeat("x", tooLong)
	_, err := v.client.SetSecret(ctx, name, azsecrets.SetSecretParameters{Value: &text}, nil)
	if err == nil {
		return nil
	}
	if f := notSet(name, err); f.Reason != fault.Invalid && f.Reason != fault.Conflict {
		return f
	}
	return nil
}

// notSet classifies a failure of Set.
func notSet(name string, err error) *fault.Error {
	f := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: "key vault: set " + name,
		Err: errors.New("the secret can not be stored now: the key vault or the managed identity does not answer; nothing was changed")}
	answer, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return f
	}
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		f.Kind, f.Reason, f.Code = fault.Permanent, fault.Auth, code(answer, "Forbidden")
		f.Err = errors.New("the app may not store secrets in the key vault: give its managed identity the role Key Vault Secrets Officer, or store secret " + name + " there yourself and name it in the connector")
	case http.StatusConflict:
		f.Kind, f.Reason, f.Code = fault.Permanent, fault.Conflict, code(answer, "Conflict")
		f.Err = errors.New("a deleted secret of the name " + name + " stands in the way: recover or purge it in the key vault")
	case http.StatusBadRequest:
		f.Kind, f.Reason, f.Code = fault.Permanent, fault.Invalid, code(answer, "BadParameter")
		f.Err = errors.New("the key vault does not take this secret: its value may have 25,000 characters")
	}
	return f
}
