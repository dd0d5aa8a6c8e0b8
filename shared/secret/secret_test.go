package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/shared/secret"
)

func TestSecretDoesNotShowItself(t *testing.T) {
	s := secret.New("hushhush")
	holder := struct {
		Key     secret.Secret
		Pointer *secret.Secret
		Named   map[string]secret.Secret
		hidden  secret.Secret
	}{s, &s, map[string]secret.Secret{"k": s}, s}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, s)
		fmt.Fprintf(&out, verb, &s)
		fmt.Fprintf(&out, verb, holder)
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("x", "key", s, "holder", holder)
	}
	if err := json.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"hushhush", fmt.Sprintf("%x", "hushhush")} {
		if strings.Contains(out.String(), form) {
			t.Errorf("shows its value:\n%s", out.String())
		}
	}
	if !s.Equal(secret.New("hushhush")) || s.Equal(secret.New("other")) {
		t.Error("Equal is wrong")
	}
	if s.Reveal() != "hushhush" || s.IsZero() || !(secret.Secret{}).IsZero() {
		t.Error("Reveal or IsZero is wrong")
	}
}
