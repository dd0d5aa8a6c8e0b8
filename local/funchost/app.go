package funchost

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// app is a packed app, read and checked.
type app struct {
	dir       string
	host      hostConfig
	functions []*function
}

// function is one folder with a function.json; exactly one of the triggers is set.
type function struct {
	Name    string
	Binding string // name of the trigger's binding: the key in Data
	HTTP    *httpTrigger
	Timer   *timerTrigger
	Queue   *queueTrigger
}

func (f *function) trigger() string {
	switch {
	case f.HTTP != nil:
		return "http"
	case f.Timer != nil:
		return "timer"
	}
	return "queue"
}

type httpTrigger struct {
	Level   string   // anonymous, function or admin
	Methods []string // upper case; empty: all
	Route   route
}

type timerTrigger struct {
	Schedule     schedule
	Monitored    bool
	RunOnStartup bool
}

type queueTrigger struct {
	Queue      string
	Connection string // the connection string
	Sessions   bool
	Binary     bool
	Many       bool
}

type functionFile struct {
	Disabled bool
	Retry    json.RawMessage
	Bindings []binding
}

type binding struct {
	Name, Type, Direction string

	AuthLevel string
	Methods   []string
	Route     *string

	Schedule     string
	UseMonitor   *bool
	RunOnStartup bool

	QueueName         string
	TopicName         string
	Connection        string
	IsSessionsEnabled bool
	DataType          string
	Cardinality       string

	AutoCompleteMessages *bool
}

var functionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,127}$`)

// readApp reads the app in dir and names everything that is wrong with it.
func readApp(dir string, s settings) (*app, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	host, err := readHostConfig(dir, s)
	problems := []error{err}
	a := &app{dir: dir, host: host}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "function.json"))
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		if disabled, _ := s.lookup("AzureWebJobs." + name + ".Disabled"); strings.EqualFold(disabled, "true") || disabled == "1" {
			continue
		}
		f, err := readFunction(file, name, host, s)
		if err != nil {
			problems = append(problems, fmt.Errorf("function %s: %w", name, err))
		} else if f != nil {
			a.functions = append(a.functions, f)
		}
	}
	if len(files) == 0 {
		problems = append(problems, fmt.Errorf("%s: no function.json one level below; functions must lie next to host.json", dir))
	}
	problems = append(problems, checkRoutes(a.functions)...)
	return a, errors.Join(problems...)
}

func readFunction(file, name string, host hostConfig, s settings) (*function, error) {
	if !functionName.MatchString(name) || strings.EqualFold(name, "host") {
		return nil, errors.New("the folder's name is no function name: a letter, then letters, digits, _ and -")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var f functionFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("function.json: %w", err)
	}
	if f.Disabled {
		return nil, nil
	}
	if len(f.Retry) > 0 {
		return nil, errors.New("retry is not modelled")
	}
	var trigger *binding
	var outputs []string
	for i, b := range f.Bindings {
		if !strings.HasSuffix(strings.ToLower(b.Type), "trigger") {
			outputs = append(outputs, b.Type)
		} else if trigger != nil {
			return nil, errors.New("has two triggers")
		} else {
			trigger = &f.Bindings[i]
		}
	}
	if trigger == nil {
		return nil, errors.New("has no trigger")
	}
	fn := &function{Name: name, Binding: trigger.Name}
	switch strings.ToLower(trigger.Type) {
	case "httptrigger":
		if !host.Proxying {
			return nil, errors.New("HTTP without customHandler.enableProxyingHttpRequest is not modelled")
		}
		if !slices.Equal(outputs, []string{"http"}) {
			return nil, errors.New(`an httpTrigger needs exactly one other binding, of type "http", or it is not proxied`)
		}
		fn.HTTP, err = newHTTPTrigger(trigger, name, host.RoutePrefix, s)
	case "timertrigger":
		fn.Timer, err = newTimerTrigger(trigger, s)
	case "servicebustrigger":
		fn.Queue, err = newQueueTrigger(trigger, s)
	default:
		err = fmt.Errorf("trigger %q is not modelled", trigger.Type)
	}
	if fn.HTTP == nil && len(outputs) > 0 {
		err = errors.Join(err, fmt.Errorf("bindings %v are not modelled", outputs))
	}
	return fn, err
}

func newHTTPTrigger(b *binding, name, prefix string, s settings) (*httpTrigger, error) {
	t := &httpTrigger{Level: strings.ToLower(b.AuthLevel)}
	switch t.Level {
	case "":
		t.Level = "function"
	case "anonymous", "function", "admin":
	default:
		return nil, fmt.Errorf("authLevel %q is none of anonymous, function, admin", b.AuthLevel)
	}
	for _, method := range b.Methods {
		t.Methods = append(t.Methods, strings.ToUpper(method))
	}
	template, err := s.resolve(or(b.Route, name))
	if err != nil {
		return nil, err
	}
	t.Route, err = parseRoute(prefix, template)
	return t, err
}

func newTimerTrigger(b *binding, s settings) (*timerTrigger, error) {
	text, err := s.resolve(b.Schedule)
	if err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	plan, err := parseSchedule(text)
	if err != nil {
		return nil, err
	}
	return &timerTrigger{
		Schedule:     plan,
		Monitored:    or(b.UseMonitor, true) && !plan.subMinute(),
		RunOnStartup: b.RunOnStartup,
	}, nil
}

func newQueueTrigger(b *binding, s settings) (*queueTrigger, error) {
	if b.TopicName != "" {
		return nil, errors.New("topics are not modelled")
	}
	if b.QueueName == "" {
		return nil, errors.New("queueName is missing")
	}
	if !or(b.AutoCompleteMessages, true) {
		return nil, errors.New("autoCompleteMessages must be true: a custom handler cannot settle messages")
	}
	queue, err := s.resolve(b.QueueName)
	if err != nil {
		return nil, fmt.Errorf("queueName: %w", err)
	}
	name, err := s.resolve(b.Connection)
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	if name == "" {
		name = "ServiceBus"
	}
	t := &queueTrigger{
		Queue: queue, Sessions: b.IsSessionsEnabled,
		Binary: strings.EqualFold(b.DataType, "binary"), Many: strings.EqualFold(b.Cardinality, "many"),
	}
	switch strings.ToLower(b.DataType) {
	case "", "string", "binary":
	default:
		return nil, fmt.Errorf("dataType %q is not modelled", b.DataType)
	}
	if t.Many && !t.Binary {
		return nil, errors.New(`cardinality "many" is modelled only with dataType "binary"`)
	}
	if t.Many && t.Sessions {
		return nil, errors.New(`cardinality "many" with sessions is not modelled`)
	}
	t.Connection, err = s.connection(name)
	return t, err
}
