package azurite

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"
)

// tailSize is how much of the output is kept for error messages.
const tailSize = 2048

var listening = regexp.MustCompile(`Azurite (Blob|Queue|Table) service is successfully listening at (http://\S+)`)

// output reads the addresses from what Azurite prints; exec.Cmd writes to it.
type output struct {
	ready chan struct{} // closed when all three addresses are known

	mu      sync.Mutex
	log     io.Writer
	partial []byte
	last    []byte
	urls    map[string]string
}

func newOutput(log io.Writer) *output {
	return &output{ready: make(chan struct{}), log: log, urls: map[string]string{}}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.log != nil {
		o.log.Write(p) // a broken log must not stop the server
	}
	o.last = append(o.last, p...)
	if len(o.last) > tailSize {
		o.last = append([]byte(nil), o.last[len(o.last)-tailSize:]...)
	}
	if len(o.urls) == 3 {
		return len(p), nil
	}
	o.partial = append(o.partial, p...)
	for {
		line, rest, found := bytes.Cut(o.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		o.partial = rest
		if m := listening.FindSubmatch(line); m != nil {
			o.urls[string(m[1])] = string(m[2])
			if len(o.urls) == 3 {
				o.partial = nil
				close(o.ready)
				return len(p), nil
			}
		}
	}
}

func (o *output) url(service string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.urls[service]
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(string(o.last))
}
