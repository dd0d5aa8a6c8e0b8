package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// fetch reads the newest version from the vault.
func (v *Vault) fetch(ctx context.Context, name string) (Secret, error) {
	resp, err := v.client.GetSecret(ctx, name, "", nil)
	if err != nil {
		return Secret{}, classify(name, err)
	}
	// A line break at its end is the mistake of who stored it from a file.
	if resp.Value == nil || strings.TrimSpace(*resp.Value) == "" {
		return Secret{}, unusable(name, "SecretEmpty", "has no value", "store one")
	}
	return New(strings.TrimSpace(*resp.Value)), nil
}

// classify turns an error of the SDK into a fault. The text of the SDK's error
// is dropped: it holds the whole answer.
func classify(name string, err error) *fault.Error {
	answer, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return unreachable(name, "")
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return unusable(name, code(answer, "SecretNotFound"), "does not exist in the key vault", "create it, or correct the setting that names it")
	case http.StatusUnauthorized:
		return unusable(name, code(answer, "Unauthorized"), "may not be read: the key vault does not take the app's token", "check that the managed identity belongs to the vault's tenant")
	case http.StatusForbidden:
		return forbidden(name, answer)
	case http.StatusBadRequest:
		return unusable(name, code(answer, "BadParameter"), "can not be asked for", "correct the setting that names it")
	}
	f := unreachable(name, fmt.Sprintf("HTTP%d", answer.StatusCode))
	return f
}

// The inner codes of a 403: https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
func forbidden(name string, answer *azcore.ResponseError) *fault.Error {
	var body []byte
	if answer.RawResponse != nil {
		body, _ = runtime.Payload(answer.RawResponse)
	}
	switch {
	case bytes.Contains(body, []byte("SecretDisabled")):
		return unusable(name, "SecretDisabled", "is disabled", "enable it, or store a new version")
	case bytes.Contains(body, []byte("ForbiddenByFirewall")), bytes.Contains(body, []byte("ForbiddenByConnection")):
		return unusable(name, "ForbiddenByFirewall", "may not be read: the key vault's firewall keeps the app out", "let the app's network in")
	}
	return unusable(name, code(answer, "Forbidden"), "may not be read by the app", "give its managed identity the role Key Vault Secrets User")
}

// code returns the vault's own code, which is one word.
func code(answer *azcore.ResponseError, otherwise string) string {
	if c := answer.ErrorCode; c != "" && len(c) <= 40 {
		return c
	}
	return otherwise
}

// unusable: the vault has answered, and a person has to do something.
func unusable(name, code, what, remedy string) *fault.Error {
	return &fault.Error{
		Kind: fault.Transient, Reason: fault.Auth, Op: "key vault: get " + name, Code: code, WholeTarget: true,
		Err: fmt.Errorf("secret %s %s; %s", name, what, remedy),
	}
}

// unreachable: the vault, or the identity on the way to it, does not answer.
func unreachable(name, code string) *fault.Error {
	return &fault.Error{
		Kind: fault.Transient, Reason: fault.Unavailable, Op: "key vault: get " + name, Code: code,
		Err: fmt.Errorf("secret %s can not be read now: the key vault or the managed identity does not answer", name),
	}
}
