package backoffice

import "strings"

// readAuth reads how an entry signs in. The cloud form says so; the on-premises
// form has conventions: login = tenant id with client_id=...&client_secret=... as
// password is OAuth2, the prefix basic= forces basic, all else is Windows, and blank
// is the account of the Windows service, which does not exist here (facts A3, B.2).
func (f *Form) readAuth(p published, online bool) (problems Problems) {
	fail := func(field, code, text string) {
		problems = append(problems, Problem{Field: field, Code: code, Text: text})
	}
	id, clientSecret, credentials := splitCredentials(f.Password)
	if credentials {
		f.ClientID, f.Password = id, clientSecret
	} else if strings.HasPrefix(strings.TrimSpace(f.Password), "client_id=") {
		fail("password", CodeOAuthCredentials, "the password begins with client_id= and has no &client_secret= behind it")
	}
	login, forced := strings.CutPrefix(f.Login, "basic=")
	f.Login = strings.TrimSpace(login)
	blank := f.Login == "" && f.Password == ""
	said := squeeze(p.text("auth"))
	switch said {
	case "", "0", "none":
		switch {
		case forced:
			f.Auth = Basic
		case credentials:
			f.Auth = Entra
		case blank && f.Type == Webhook:
			f.Auth = NoAuth
		case blank && online && f.Type == BusinessCentral:
			f.Auth = Identity
		case blank:
			fail("login", CodeMissingField, "login and password are blank: the account of the Windows service that was used then does not exist here. Enter a user or web service access key")
		case f.Type == Webhook:
			f.Auth = Basic
		case f.API == REST:
			f.Auth = Basic // the API page takes no Windows sign-in
		default:
			f.Auth = Windows
		}
	case "1", "basic":
		f.Auth = Basic
	case "2", "ntlm":
		f.Auth = NTLM
	case "3", "windows":
		f.Auth = Windows
	case "4", "msentraid", "oauthmsentraid", "entra":
		f.Auth = Entra
	case "5", "oauth2clientcredentialsbodyauth", "oauth2body":
		f.Auth = OAuthBody
	case "6", "oauth2clientcredentialsbasicauth", "oauth2basic":
		f.Auth = OAuthBasic
	default:
		fail("authType", CodeSystemType, "the authentication type is none of None (0), Basic (1), NTLM (2), Windows (3), Microsoft Entra ID (4) and OAuth2 client credentials (5 body, 6 basic)")
	}
	if forced {
		f.Auth = Basic
	}
	return problems
}
