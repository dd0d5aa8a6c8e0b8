package funchost

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// defaultDeadline lies below host.json's functionTimeout and lock renewal
	// (5 min): past the first the host kills the process, past the second a
	// second worker gets the message.
	defaultDeadline = 4 * time.Minute
	// defaultHTTPDeadline: whoever waits longer has given up.
	defaultHTTPDeadline = 30 * time.Second
	// maxEnvelope fits the largest message of the standard tier (256 KiB) in
	// its worst encoding: escaped twice and, field by field, a second time in Metadata.
	maxEnvelope = 4 << 20
)

// Options are what an App can do without; the zero value is usable.
type Options struct {
	// Log gets one closing line per invocation; nil = nowhere.
	Log *slog.Logger
	// Park keeps a message that can not be used, with the reason, for people to
	// look at; function is that of the queue. It is called for Poison and Permanent errors,
	// before the message is completed, and again if it fails or the process
	// dies in between. nil: such a message goes the way of the dead letters.
	Park func(ctx context.Context, function string, m Message, reason error) error
	// Deadline bounds a queue's or timer's invocation; 0 = 4 min.
	Deadline time.Duration
	// HTTPDeadline bounds a public request; 0 = 30 s.
	HTTPDeadline time.Duration
}

// App is the functions of an app; an http.Handler for what the host sends.
// Register all of them before it serves. A registration that can not work
// panics: that is a mistake in the program.
type App struct {
	options   Options
	log       *slog.Logger
	grace     time.Duration // how long a function may go on past its deadline
	functions []Function
	triggers  map[string]trigger // by exact path
	routes    []*route           // the narrower first
}

// Function is a registration, to be held against the function's function.json.
type Function struct {
	Name string
	// Type and Binding are those of the trigger's binding.
	Type, Binding string
	// Method and Route are those of an httpTrigger, the method in upper case.
	Method, Route string
}

// New returns an App without functions.
func New(o Options) *App {
	o.Deadline = cmp.Or(o.Deadline, defaultDeadline)
	o.HTTPDeadline = cmp.Or(o.HTTPDeadline, defaultHTTPDeadline)
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &App{options: o, log: log, grace: 20 * time.Second, triggers: map[string]trigger{}}
}

// Functions returns what is registered, in the order of registration.
func (a *App) Functions() []Function { return slices.Clone(a.functions) }

// Queue registers a function that is triggered by Service Bus messages, one at
// a time. What its error does to the message is decided by Settle.
func (a *App) Queue(name, binding string, h func(context.Context, Message) error) {
	a.trigger(Function{Name: name, Type: "serviceBusTrigger", Binding: binding}, func(e envelope) (job, error) {
		m, odd, err := decodeMessage(e, binding)
		return job{
			trace:    m.Property("traceparent"),
			delivery: m.DeliveryCount,
			odd:      odd,
			run:      func(ctx context.Context) error { return h(ctx, m) },
			park:     func(ctx context.Context, reason error) error { return a.park(ctx, name, m, reason) },
			settle:   Settle,
		}, err
	})
}

// Timer registers a function that is triggered by a schedule. Each error is
// shown as a failed run; the next run comes by the schedule all the same.
func (a *App) Timer(name, binding string, h func(context.Context, Timer) error) {
	a.trigger(Function{Name: name, Type: "timerTrigger", Binding: binding}, func(e envelope) (job, error) {
		t, err := decodeTimer(e, binding)
		return job{
			run: func(ctx context.Context) error { return h(ctx, t) },
			settle: func(err error) int {
				if err != nil {
					return http.StatusInternalServerError
				}
				return http.StatusOK
			},
		}, err
	})
}

// HTTP registers a function for public requests to /api/ + route; route is
// that of function.json, its parameters arrive as the request's path values.
// A function with several methods is registered once for each.
func (a *App) HTTP(name, method, pattern string, h http.Handler) {
	checkName(name)
	r := newRoute(name, strings.ToUpper(method), pattern, h)
	for _, other := range a.routes {
		if other.method == r.method && other.shape() == r.shape() {
			panic(fmt.Sprintf("funchost: %s and %s share the route %s %s", other.function, name, r.method, pattern))
		}
	}
	a.routes = append(a.routes, r)
	slices.SortStableFunc(a.routes, func(x, y *route) int { return strings.Compare(x.shape(), y.shape()) })
	a.functions = append(a.functions, Function{Name: name, Type: "httpTrigger", Binding: "req", Method: r.method, Route: pattern})
}

func (a *App) trigger(f Function, decode func(envelope) (job, error)) {
	checkName(f.Name)
	path := "/" + f.Name
	if _, taken := a.triggers[path]; taken {
		panic("funchost: function " + f.Name + " is registered twice")
	}
	a.triggers[path] = trigger{name: f.Name, decode: decode}
	a.functions = append(a.functions, f)
}

// namePattern is stricter than the host's: the name is a folder, a package and
// a path, and "api" would lie on the public side.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]{0,59}$`)

func checkName(name string) {
	if !namePattern.MatchString(name) || name == "api" || name == "host" {
		panic(fmt.Sprintf("funchost: %q can not be the name of a function", name))
	}
}

// ServeHTTP implements http.Handler.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		probe(w)
		return
	}
	if found, values, allowed := a.route(r); found != nil {
		for name, value := range values {
			r.SetPathValue(name, value)
		}
		a.serveHTTP(w, r, found)
		return
	} else if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		refuse(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	t, ok := a.triggers[r.URL.EscapedPath()]
	switch {
	case !ok:
		a.log.WarnContext(r.Context(), "nothing is registered for this path: do the function folders match the program?", "method", r.Method)
		refuse(w, http.StatusNotFound, "no such function")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "method not allowed")
	default:
		a.serveTrigger(w, r, t)
	}
}

// probe answers the host's question whether the process listens: any answer
// will do. It asks every 25 ms at first, so nothing is logged.
func probe(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}
