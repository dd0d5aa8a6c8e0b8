// Command recorder is a custom handler that writes down what its host sends, and behaves as it is told.
//
// It appends one JSON line to the file named by RECORD_FILE for its own start and for each request. What it does
// then is said by the request: the query value "do" of a public request, or the text of the message that a queue
// call carries after "do:", or RECORD_DO for a timer. Verbs are separated by "; " and listed in act.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type line struct {
	Kind             string              `json:"kind"` // start, request, canceled
	PID              int                 `json:"pid"`
	At               time.Time           `json:"at"`
	Args             []string            `json:"args,omitempty"`
	WorkingDirectory string              `json:"workingDirectory,omitempty"`
	Environment      []string            `json:"environment,omitempty"`
	Method           string              `json:"method,omitempty"`
	URI              string              `json:"uri,omitempty"`
	Host             string              `json:"host,omitempty"`
	ContentLength    int64               `json:"contentLength"`
	TransferEncoding []string            `json:"transferEncoding"`
	Header           map[string][]string `json:"header,omitempty"`
	Body             string              `json:"body"`
}

type recorder struct {
	mu   sync.Mutex
	file *os.File
}

func (r *recorder) write(l line) {
	l.PID, l.At = os.Getpid(), time.Now().UTC()
	text, _ := json.Marshal(l)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.file.Write(append(text, '\n'))
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.write(line{
		Kind: "request", Method: q.Method, URI: q.RequestURI, Host: q.Host, ContentLength: q.ContentLength,
		TransferEncoding: q.TransferEncoding, Header: q.Header, Body: string(body),
	})
	if q.Method == http.MethodGet && q.URL.Path == "/" {
		return
	}
	for _, verb := range strings.Split(order(q, body), "; ") {
		if r.act(w, q, strings.TrimSpace(verb)) {
			return
		}
	}
	answer(w, "application/json", http.StatusOK, `{"Outputs":{},"Logs":[],"ReturnValue":null}`)
}

// order finds what the request asks for.
func order(q *http.Request, body []byte) string {
	for _, pair := range strings.Split(q.URL.RawQuery, "&") { // url.Query refuses a semicolon
		if value, found := strings.CutPrefix(pair, "do="); found {
			text, _ := url.QueryUnescape(value)
			return text
		}
	}
	var call struct {
		Data map[string]json.RawMessage
	}
	if json.Unmarshal(body, &call) != nil {
		return ""
	}
	for _, value := range call.Data {
		var text string
		if json.Unmarshal(value, &text) != nil {
			return os.Getenv("RECORD_DO")
		}
		if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
			text = string(plain)
		} else {
			_ = json.Unmarshal([]byte(text), &text)
		}
		if after, found := strings.CutPrefix(text, "do:"); found {
			return after
		}
	}
	return ""
}

// act does one verb and says whether the request is answered by it.
func (r *recorder) act(w http.ResponseWriter, q *http.Request, verb string) bool {
	verb, value, _ := strings.Cut(verb, " ")
	switch verb {
	case "sleep": // sleep 100ms
		pause, _ := time.ParseDuration(value)
		time.Sleep(pause)
		return false
	case "hang": // until the caller goes away
		<-q.Context().Done()
		r.write(line{Kind: "canceled", Method: q.Method, URI: q.RequestURI})
		return true
	case "exit": // exit 1
		code, _ := strconv.Atoi(value)
		os.Exit(code)
	case "wait": // wait FILE: until the file exists
		for _, err := os.Stat(value); err != nil; _, err = os.Stat(value) {
			time.Sleep(5 * time.Millisecond)
		}
		return false
	case "once": // once FILE exit 1 : the first time only
		file, rest, _ := strings.Cut(value, " ")
		if f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			f.Close()
			return r.act(w, q, rest)
		}
		return false
	case "stdout":
		fmt.Println(value)
		return false
	case "stderr":
		fmt.Fprintln(os.Stderr, value)
		return false
	case "status": // status 503
		code, _ := strconv.Atoi(value)
		w.Header().Set("Retry-After", "7")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("Server", "recorder")
		w.WriteHeader(code)
		return true
	case "json": // json {"a":1}
		answer(w, "application/json", http.StatusOK, value)
		return true
	case "type": // type TYPE BODY
		kind, text, _ := strings.Cut(value, " ")
		answer(w, kind, http.StatusOK, text)
		return true
	case "redirect":
		http.Redirect(w, q, value, http.StatusFound)
		return true
	case "echo":
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, q.RequestURI)
		return true
	case "cut": // end the connection without an answer
		c, _, _ := w.(http.Hijacker).Hijack()
		c.Close()
		return true
	}
	return false
}

func answer(w http.ResponseWriter, kind string, status int, body string) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func main() {
	file, err := os.OpenFile(os.Getenv("RECORD_FILE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "RECORD_FILE:", err)
		os.Exit(1)
	}
	r := &recorder{file: file}
	folder, _ := os.Getwd()
	r.write(line{Kind: "start", Args: os.Args, WorkingDirectory: folder, Environment: os.Environ()})
	if code, err := strconv.Atoi(os.Getenv("RECORD_EXIT")); err == nil {
		os.Exit(code)
	}
	if pause, err := time.ParseDuration(os.Getenv("RECORD_START_DELAY")); err == nil {
		time.Sleep(pause)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, http.Serve(l, r))
	os.Exit(1)
}
