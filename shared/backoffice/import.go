package backoffice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Imported is what became of one connector of an import.
type Imported struct {
	Name     string   `json:"name"`
	ID       string   `json:"id,omitempty"` // of the connector that was made or changed
	Problems Problems `json:"problems,omitempty"`
}

// maxImport bounds one import.
const maxImport = 1 << 20

// Import takes connectors in the forms that Dime.Scheduler publishes, as JSON, one
// object or an array: the six fields of the on-premises "Multi - back office" page,
// and the cloud form with its enums (facts B.1). Each stands for itself: problems of
// one keep no other from being stored. Importing the same again changes the same
// connectors, in what the published forms tell; what they do not know, such as the
// mapping of fields, stays. Entries of one name are not one connector: those after
// the first get a number. The error is about the JSON as a whole, or our own store.
func (d *Desk) Import(ctx context.Context, who string, data []byte) ([]Imported, error) {
	entries, err := parseImport(data)
	if err != nil {
		return nil, err
	}
	out := []Imported{}
	taken := map[string]bool{}
	for i, o := range entries {
		f, problems := formOfPublished(o)
		item := Imported{Name: f.Name, Problems: problems}
		if item.Name == "" {
			item.Name = fmt.Sprintf("entry %d", i+1)
		}
		if len(problems) == 0 {
			if f.ID, err = d.place(ctx, f, taken); err != nil {
				return out, err
			}
			item.ID = f.ID
			if item.Problems, err = d.imported(ctx, who, f); err != nil {
				return out, err
			}
		}
		out = append(out, item)
	}
	return out, nil
}

func (d *Desk) imported(ctx context.Context, who string, f Form) (Problems, error) {
	there, err := d.Store.Connector(ctx, f.ID)
	if err == nil {
		f = f.over(formOf(FromRecord(there), there.ETag))
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	_, err = d.Save(ctx, who, f)
	if problems, ok := asProblems(err); ok {
		return problems, nil
	}
	if fa := fault.Of(err); err != nil && strings.HasPrefix(fa.Op, "key vault:") {
		return Problems{{Field: "password", Code: CodeMissingField, Text: "the password could not be stored: " + fa.Err.Error()}}, nil
	}
	return nil, err
}

// place finds the id of an entry: its own, or if another entry or another back
// office's connector has that already, with the next free number.
func (d *Desk) place(ctx context.Context, f Form, taken map[string]bool) (string, error) {
	for n := 1; ; n++ {
		id := f.ID
		if n > 1 {
			suffix := "-" + strconv.Itoa(n)
			id = strings.Trim(id[:min(len(id), maxID-len(suffix))], "-") + suffix
		}
		there, err := d.Store.Connector(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
		// A name that was changed since does not make another: both would deliver.
		same := err != nil || strings.EqualFold(there.SourceApp, f.SourceApp) && strings.EqualFold(there.SourceType, f.SourceType) && there.Type == string(f.Type)
		if same && !taken[id] {
			taken[id] = true
			return id, nil
		}
	}
}

// over puts what the published forms tell over a connector that is there.
func (f Form) over(there Form) Form {
	there.Name, there.Description, there.SourceApp, there.SourceType, there.Send = f.Name, f.Description, f.SourceApp, f.SourceType, f.Send
	there.URI, there.Type, there.API, there.Auth, there.Login, there.Password = f.URI, f.Type, f.API, f.Auth, f.Login, f.Password
	if f.ClientID != "" {
		there.ClientID = f.ClientID
	}
	if len(f.Operations) > 0 {
		there.Operations = f.Operations
	}
	return there
}

func parseImport(data []byte) ([]map[string]any, error) {
	invalid := func(text string) error {
		return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "connector: import", Err: errors.New(text)}
	}
	if len(data) > maxImport {
		return nil, invalid("the file is larger than 1 MiB")
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if len(data) > 0 && data[0] == '{' {
		data = slices.Concat([]byte("["), data, []byte("]"))
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var list []map[string]any
	if err := decoder.Decode(&list); err != nil || decoder.More() {
		return nil, invalid("the file is no JSON object, and no array of objects, of connectors")
	}
	return list, nil
}

// names are the published names of each field, without blanks, marks and letter
// case: the first of the on-premises page, the others of the cloud's API and SDKs.
var importNames = map[string][]string{
	"sourceApp":  {"sourceapplication", "sourceapp"},
	"sourceType": {"sourcetype"},
	"send":       {"sendappointmentstobackoffice", "sendappointmenttowebservice", "enabled", "send"},
	"uri":        {"webservice", "webserviceaddress", "webserviceuri", "uri"},
	"type":       {"backoffice", "backofficetype", "type"},
	"login":      {"login"}, "password": {"password"},
	"name": {"name"}, "description": {"description"}, "api": {"apitype", "api"}, "auth": {"authenticationtype", "authtype", "auth"},
	"operations": {"crudtypes", "operations"},
	"id":         {"id"},
}

func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// published is one entry by our field names.
type published map[string]any

func (p published) text(name string) string { return textOf(p[name]) }

// formOfPublished reads an entry of either form.
func formOfPublished(o map[string]any) (Form, Problems) {
	p, problems := published{}, Problems(nil)
	for k, v := range o {
		found := false
		for name, spellings := range importNames {
			if slices.Contains(spellings, squeeze(k)) {
				p[name], found = v, true
			}
		}
		if !found {
			problems = append(problems, Problem{Field: clip(k), Code: CodeSchema, Text: "no connector has a field of this name: correct or remove it"})
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Field, b.Field) })
	f := Form{
		Name: p.text("name"), Description: p.text("description"), SourceApp: p.text("sourceApp"), SourceType: p.text("sourceType"), URI: p.text("uri"),
		Login: p.text("login"), Send: true,
	}
	f.Password, _ = p["password"].(string)
	if v, has := p["send"]; has {
		f.Send = truth(v)
	}
	fail := func(field, code, text string) {
		problems = append(problems, Problem{Field: field, Code: code, Text: text})
	}
	online := false
	if f.Type, online = readType(p.text("type")); f.Type == "" {
		fail("type", CodeSystemType, "the type is none of Business Central (1), NAV (2) and Webhook (3)")
	}
	f.API = readAPI(p.text("api"), f)
	if f.API == "" {
		fail("apiType", CodeSystemType, "the API type is neither SOAP (0) nor REST (1)")
	}
	var ok bool
	if f.Operations, ok = readOperations(p["operations"]); !ok {
		fail("crudTypes", CodeSchema, "the operations are of Create (I), Update (U) and Delete (D)")
	}
	online = online || strings.Contains(strings.ToLower(f.URI), "://"+OnlineHost)
	problems = append(problems, f.readAuth(p, online)...)
	f.ID = p.text("id")
	if !ValidID(f.ID) {
		f.ID = idOf(f)
	}
	if f.Name == "" {
		f.Name = f.SourceApp
	}
	return f, problems
}

// readType understands the enum and the captions of both products. online tells
// that it is Business Central online.
func readType(s string) (t Type, online bool) {
	switch q := squeeze(s); {
	case q == "1", q == "bc", strings.HasSuffix(q, "businesscentral"), q == "businesscentralonpremises", q == "bconpremises":
		return BusinessCentral, false
	case strings.HasPrefix(q, "bcsaas"), q == "bconline", q == "bcoauth", q == "businesscentralonline":
		return BusinessCentral, true
	case q == "2", q == "nav", strings.HasSuffix(q, "dynamicsnav"):
		return NAV, false
	case q == "3", q == "webhook":
		return Webhook, false
	}
	return "", false
}

func readAPI(s string, f Form) API {
	codeunit := strings.Contains(strings.ToLower(f.URI), "/codeunit/")
	switch squeeze(s) {
	case "1", "rest", "restjson":
		return REST
	case "0", "soap", "soapxml", "":
		switch {
		case f.Type == Webhook:
			return REST // the published enum begins with SOAP, and a webhook has no choice
		case squeeze(s) == "" && strings.Contains(strings.ToLower(f.URI), "/api/"):
			return REST
		case codeunit:
			return SOAPCodeunit
		}
		return SOAPPage
	}
	return ""
}

func readOperations(v any) ([]Operation, bool) {
	var parts []string
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		parts = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
	case []any:
		for _, x := range v {
			parts = append(parts, textOf(x))
		}
	default:
		return nil, false
	}
	var out []Operation
	for _, s := range parts {
		switch strings.ToLower(s) {
		case "i", "create", "insert":
			out = append(out, Insert)
		case "u", "update":
			out = append(out, Update)
		case "d", "delete":
			out = append(out, Delete)
		case "read":
			// the published enum has it, and nothing is ever sent by it
		default:
			return nil, false
		}
	}
	return out, true
}

func truth(v any) bool {
	switch s := strings.ToLower(textOf(v)); s {
	case "true", "1", "yes", "on":
		return true
	}
	return false
}

// idOf makes a stable id of what an entry names.
func idOf(f Form) string {
	name := f.Name
	if name == "" {
		name = f.SourceApp + "-" + f.SourceType + "-" + string(f.Type)
	}
	id := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name), "-")
	for strings.Contains(id, "--") {
		id = strings.ReplaceAll(id, "--", "-")
	}
	id = strings.Trim(id[:min(len(id), maxID)], "-")
	if id == "" {
		id = "connector"
	}
	return id
}
