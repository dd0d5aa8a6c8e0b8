package custom

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/bc"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/signin"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// maxMetadata bounds $metadata, which describes all that is published.
const maxMetadata = 32 << 20

// Action is the kind of an unbound action of Business Central's OData services.
// tokens is that of the whole program.
func Action(tokens *oauth.Tokens) backoffice.Kind {
	return backoffice.KindFunc(func(_ context.Context, d backoffice.Deps, c backoffice.Config) (backoffice.Connector, error) {
		way, err := signin.Choose(c, d, tokens)
		if err != nil {
			return nil, err
		}
		client, err := wire.Open(c, d, wire.Options{Authorize: way.Authorize, HTTP1: way.HTTP1, Codes: wire.BusinessCentral, MaxReply: maxMetadata})
		if err != nil {
			return nil, err
		}
		a := &action{http: client}
		if err := a.locate(client.URL(), c.Method); err != nil {
			client.Close()
			return nil, err
		}
		return &receiver{c: c, d: d, http: client, protocol: a}, nil
	})
}

// action calls a procedure by OData.
type action struct {
	http            *wire.Client
	name            string // Service_Procedure
	target, metaURL *url.URL
}

// locate takes the connector's address apart: it is that of the action, or ends
// with /ODataV4, to which the method is added. The company is in the query, or
// in the path as Company('...').
func (a *action) locate(u *url.URL, method string) error {
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	at := strings.Index(strings.ToLower(path), "/odatav4")
	if at < 0 {
		return misconfigured(backoffice.CodeURL, "the address is not that of an action: it has the form https://server:7048/instance/ODataV4/Service_Method?company=Name")
	}
	root, rest := path[:at+len("/odatav4")], strings.Trim(path[at+len("/odatav4"):], "/")
	segments := strings.FieldsFunc(rest, func(r rune) bool { return r == '/' })
	if n := len(segments); n == 0 || strings.HasPrefix(strings.ToLower(segments[n-1]), "company(") {
		if method == "" {
			return misconfigured(backoffice.CodeMissingField, "the name of the action, Service_Method, is missing")
		}
		segments = append(segments, url.PathEscape(method))
	}
	name, err := url.PathUnescape(segments[len(segments)-1])
	if err != nil || method != "" && !strings.EqualFold(name, method) && !strings.HasSuffix(strings.ToLower(name), "_"+strings.ToLower(method)) {
		return misconfigured(backoffice.CodeURL, "the address ends with another action than the method: take the action off the address, or correct the method to Service_Method")
	}
	a.name = name
	a.target = with(u, root+"/"+strings.Join(segments, "/"))
	a.metaURL = with(u, root+"/$metadata")
	return nil
}

func with(u *url.URL, escaped string) *url.URL {
	out := *u
	out.RawPath = escaped
	out.Path, _ = url.PathUnescape(escaped) // it was parsed before
	return &out
}

func (a *action) describe(ctx context.Context) ([]fields.Column, error) {
	const op = "odata: read $metadata"
	resp, err := a.http.Do(ctx, wire.Request{Op: op, Method: http.MethodGet, URL: a.metaURL, Header: http.Header{"Accept": {"application/xml"}, "Accept-Language": {"en-US"}}})
	if err != nil {
		return nil, harmless(err)
	}
	if f := bc.Refusal(a.http, op, resp, nil); f != nil {
		return nil, harmless(f)
	}
	params, found, err := readAction(resp.Body, a.name)
	if err != nil {
		f := a.http.Unexpected(op, resp, "it is no description of OData services")
		f.Code, f.WholeTarget = backoffice.CodeURL, true
		return nil, harmless(f)
	}
	if !found {
		return nil, mismatch(fmt.Sprintf("there is no action %q: publish the codeunit as a web service, and enter the method as Service_Method", a.name))
	}
	return params, nil
}

// readAction finds an action in $metadata, which may be long: it reads on only as
// far as it has to.
func readAction(metadata []byte, name string) (params []fields.Column, found bool, err error) {
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(metadata, []byte("\xef\xbb\xbf"))))
	root := true
	for {
		token, err := dec.Token()
		if err != nil {
			if root {
				return nil, false, errors.New("no XML")
			}
			return nil, false, nil
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if root && start.Name.Local != "Edmx" {
			return nil, false, errors.New("no EDMX")
		}
		root = false
		if start.Name.Local != "Action" {
			continue
		}
		var a struct {
			Name       string `xml:"Name,attr"`
			Parameters []struct {
				Name      string `xml:"Name,attr"`
				Type      string `xml:"Type,attr"`
				MaxLength string `xml:"MaxLength,attr"`
			} `xml:"Parameter"`
		}
		if err := dec.DecodeElement(&a, &start); err != nil {
			return nil, false, errors.New("broken EDMX")
		}
		if !strings.EqualFold(a.Name, name) {
			continue
		}
		for _, p := range a.Parameters {
			t, ok := bc.TypeOf(p.Type)
			if !ok {
				t = fields.Text
			}
			c := fields.Column{Name: p.Name, Type: t, Mandatory: true}
			_, _ = fmt.Sscan(p.MaxLength, &c.MaxLength) // "max" is no limit
			params = append(params, c)
		}
		return params, true, nil
	}
}

// harmless: what only looks leaves nothing open.
func harmless(err error) error {
	f := *fault.Of(err)
	f.Ambiguous = false
	return &f
}

func (a *action) call(ctx context.Context, arguments []fields.Cell, h http.Header, words []string) (string, error) {
	body := map[string]any{}
	for _, c := range arguments {
		body[c.Column.Name] = value(c)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return "", unfit(errors.New("the parameters can not be written"))
	}
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json")
	h.Set("Accept-Language", "en-US")
	resp, err := a.http.Do(ctx, wire.Request{Op: op, Method: http.MethodPost, URL: a.target, Header: h, Body: text})
	if err != nil {
		return "", err
	}
	if f := bc.Refusal(a.http, op, resp, words); f != nil {
		return "", f
	}
	if resp.Status == http.StatusNoContent {
		return "", nil
	}
	var answer struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return "", a.http.Unexpected(op, resp, "the reply is no JSON")
	}
	var s string
	if json.Unmarshal(answer.Value, &s) == nil {
		return s, nil
	}
	return string(answer.Value), nil
}

// value is a cell in JSON.
func value(c fields.Cell) any {
	switch v := c.Value.(type) {
	case string:
		return fields.Printable(v)
	case time.Time:
		if c.Column.Type == fields.Date {
			return v.UTC().Format(time.DateOnly)
		}
		return v.UTC().Format(time.RFC3339)
	}
	return c.Value
}
