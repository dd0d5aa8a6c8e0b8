package graphsim

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A token says what the app may do, and Graph holds it to that.
func TestRoles(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	s.AddUser(User{UPN: "ann@contoso.example"})
	ask := func(method, path string) (int, string) {
		t.Helper()
		r := httptest.NewRequest(method, "/v1.0"+path, strings.NewReader(`{"subject":"x","displayName":"k"}`))
		r.Header.Set("Authorization", "Bearer "+s.Token("app"))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	s.SetRoles("app", []string{"Calendars.Read", "User.Read.All"}, []string{"MailboxSettings.Read"})
	parts := strings.Split(s.Token("app"), ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || len(parts) != 3 || !strings.Contains(string(claims), `"roles":["Calendars.Read","User.Read.All"]`) {
		t.Errorf("claims %s, %v", claims, err)
	}
	for path, want := range map[string]int{
		"GET /users/ann@contoso.example":                           http.StatusOK,
		"GET /users/ann@contoso.example/events":                    http.StatusOK,
		"POST /users/ann@contoso.example/events":                   http.StatusForbidden,
		"GET /users/ann@contoso.example/outlook/masterCategories":  http.StatusOK,
		"POST /users/ann@contoso.example/outlook/masterCategories": http.StatusForbidden,
	} {
		method, path, _ := strings.Cut(path, " ")
		if got, body := ask(method, path); got != want || want == http.StatusForbidden && !strings.Contains(body, "ErrorAccessDenied") {
			t.Errorf("%s %s: %d %s, want %d", method, path, got, body, want)
		}
	}
	s.SetRoles("app", nil, nil)
	if got, body := ask("GET", "/users/ann@contoso.example"); got != http.StatusForbidden || !strings.Contains(body, "Authorization_RequestDenied") {
		t.Errorf("%d %s", got, body)
	}
}
