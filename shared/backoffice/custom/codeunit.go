package custom

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/dynamics"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/signin"
	"github.com/dime-scheduler/connectors/shared/backoffice/soap"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Codeunit is the kind of a codeunit that is published as a SOAP service, of
// Business Central and NAV. tokens is that of the whole program.
func Codeunit(tokens *oauth.Tokens) backoffice.Kind {
	return backoffice.KindFunc(func(_ context.Context, d backoffice.Deps, c backoffice.Config) (backoffice.Connector, error) {
		way, err := signin.Choose(c, d, tokens)
		if err != nil {
			return nil, err
		}
		client, err := wire.Open(c, d, wire.Options{Authorize: way.Authorize, HTTP1: way.HTTP1, Codes: wire.SOAP})
		if err != nil {
			return nil, err
		}
		u := client.URL()
		if err := checkCodeunit(u, c.Method); err != nil {
			client.Close()
			return nil, err
		}
		return &receiver{c: c, d: d, http: client, protocol: &codeunit{soap: &soap.Client{HTTP: client, URL: u}, method: c.Method}}, nil
	})
}

// checkCodeunit refuses addresses of other services and a missing method.
func checkCodeunit(u *url.URL, method string) error {
	path := strings.ToLower(u.Path)
	switch {
	case method == "":
		return misconfigured(backoffice.CodeMissingField, "the name of the codeunit's method is missing")
	case strings.Contains(path, "/page/"):
		return misconfigured(backoffice.CodeURL, "the address is that of a page: choose the API \"SOAP page\", or enter the address of the codeunit")
	case strings.Contains(path, "/odata"), strings.Contains(path, "/api/"):
		return misconfigured(backoffice.CodeURL, "the address is not that of a SOAP service: choose the API \"OData action\", or enter https://server:7047/instance/WS/Company/Codeunit/Service")
	}
	if strings.EqualFold(u.RawQuery, "wsdl") {
		u.RawQuery = ""
	}
	return nil
}

func misconfigured(code, text string) error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: "connector: open", Code: code, WholeTarget: true, Err: errors.New(text)}
}

// codeunit calls a procedure by SOAP.
type codeunit struct {
	soap   *soap.Client
	method string

	mu      sync.Mutex
	service *soap.Service
}

func (u *codeunit) describe(ctx context.Context) ([]fields.Column, error) {
	s, err := u.soap.Describe(ctx)
	if err != nil {
		return nil, err
	}
	m, ok := s.Methods[u.method]
	if !ok {
		var names []string
		for name := range s.Methods {
			names = append(names, name)
		}
		slices.Sort(names)
		return nil, mismatch(fmt.Sprintf("the codeunit has no method %q: it has %s", u.method, strings.Join(names[:min(len(names), 20)], ", ")))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.service = s
	return m.Params, nil
}

func (u *codeunit) call(ctx context.Context, arguments []fields.Cell, h http.Header, words []string) (string, error) {
	u.mu.Lock()
	service := u.service
	u.mu.Unlock()
	result, err := u.soap.Call(ctx, service, u.method, soap.Cells(arguments), h)
	if err != nil {
		f := *fault.Of(err)
		if sf := soap.FaultOf(err); sf != nil && sf.Text != "" {
			f.Err = backoffice.Said(f.Err.Error() + ". It says: " + dynamics.Say(sf.Text, words))
		}
		return "", &f
	}
	return result.Value("return_value"), nil
}
