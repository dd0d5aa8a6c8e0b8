// Package sandbox is the page of the local world: the planning board and the
// Outlook calendars of its resources side by side, to drag, edit and delete on
// both, below them what stands in each back office, with buttons for trouble and a
// line that says how the world is doing.
//
// A [Sandbox] is an http.Handler: one embedded page, its script and style, the
// JSON that the script polls, and one POST for each thing to do. It acts as the
// planner and as the people in Outlook do, on the simulators; it never speaks
// to the app.
//
// It is for one person on one machine: it answers loopback host names only,
// takes a POST only with the token of its own page, loads nothing from
// elsewhere, and has no users. All times are UTC.
package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/world"
)

//go:embed static/sandbox.js static/sandbox.css
var static embed.FS

//go:embed static/page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// Controls is what the page shows and does beyond board and Outlook.
type Controls interface {
	Pulse() world.Pulse
	Ledgers() []world.Ledger
	KillHandler() error
	DropNotifications(n int)
	ExpireSubscriptions() int
	SetStorm(on bool)
	SetGraphDown(down bool)
	SetERPDown(down bool) error
	SetERPLocked(locked bool)
	LoseERPAnswer()
	Trigger(ctx context.Context, function string) error
}

// Sandbox serves the page.
type Sandbox struct {
	board    *boardsim.Board
	graph    *graphsim.Server
	controls Controls
	tasks    []boardsim.Task
	token    string // of the page, shown with each POST
	mux      *http.ServeMux
}

// New returns the sandbox of a board and the calendars of its resources.
func New(board *boardsim.Board, graph *graphsim.Server, controls Controls, tasks []boardsim.Task) *Sandbox {
	s := &Sandbox{board: board, graph: graph, controls: controls, tasks: tasks, token: rand.Text(), mux: http.NewServeMux()}
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.Handle("GET /static/sandbox.js", http.FileServerFS(static))
	s.mux.Handle("GET /static/sandbox.css", http.FileServerFS(static))
	s.mux.HandleFunc("GET /api/state", s.state)
	s.mux.Handle("POST /api/board/save", action(s, s.boardSave))
	s.mux.Handle("POST /api/board/move", action(s, s.boardMove))
	s.mux.Handle("POST /api/board/delete", action(s, s.boardDelete))
	s.mux.Handle("POST /api/outlook/save", action(s, s.outlookSave))
	s.mux.Handle("POST /api/outlook/move", action(s, s.outlookMove))
	s.mux.Handle("POST /api/outlook/delete", action(s, s.outlookDelete))
	s.mux.Handle("POST /api/trouble", action(s, s.trouble))
	return s
}

// ServeHTTP answers one request. The host name is checked, for a page from
// elsewhere could give itself a name that points here (DNS rebinding).
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		http.Error(w, "open this page as http://127.0.0.1 or http://localhost", http.StatusForbidden)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Sandbox) page(w http.ResponseWriter, _ *http.Request) {
	var body bytes.Buffer
	err := page.Execute(&body, struct {
		Token     string
		Today     string
		Resources []boardsim.Resource
		Tasks     []boardsim.Task
		Category  string
	}{s.token, time.Now().UTC().Format(time.DateOnly), s.board.Resources(), s.tasks, world.Placeholder})
	if err != nil {
		http.Error(w, "the page can not be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes()) // the browser may be gone
}

// Page is a sandbox that is being served.
type Page struct {
	server *http.Server
	url    string
	ended  chan struct{}
}

// Serve serves the sandbox of a world on a loopback port, 0 for a free one.
func Serve(w *world.World, port int) (*Page, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("the port of the sandbox page: %w", err)
	}
	p := &Page{
		server: &http.Server{Handler: New(w.Board, w.Graph, w, world.Tasks()), ReadHeaderTimeout: 30 * time.Second},
		url:    fmt.Sprintf("http://%s/", listener.Addr()), ended: make(chan struct{}),
	}
	go func() {
		defer close(p.ended)
		_ = p.server.Serve(listener) // ErrServerClosed
	}()
	return p, nil
}

// URL is the address of the page.
func (p *Page) URL() string { return p.url }

// Close ends the server.
func (p *Page) Close() error {
	err := p.server.Close()
	<-p.ended
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
