package world

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// outlet serves a handler at an address that can be taken down and up again, as
// a server that is restarted: while it is down connections are refused.
type outlet struct {
	addr string
	url  string // without a slash at its end
	make func() *http.Server

	mu   sync.Mutex
	stop func() error // nil: it is down
}

// openOutlet serves h on a free port until Close. connContext may be nil.
func (w *World) openOutlet(h http.Handler, connContext func(context.Context, net.Conn) context.Context) (*outlet, error) {
	port, err := freePort() // one that nobody is given while it is down
	if err != nil {
		return nil, err
	}
	o := &outlet{addr: fmt.Sprintf("127.0.0.1:%d", port), url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	o.make = func() *http.Server {
		return &http.Server{Handler: h, ConnContext: connContext, ReadHeaderTimeout: 30 * time.Second, ErrorLog: w.hostLog.logger("simulator")}
	}
	w.onClose(o.down)
	return o, o.up()
}

func (o *outlet) up() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stop != nil {
		return nil
	}
	listener, err := listen(o.addr)
	if err != nil {
		return fmt.Errorf("a simulator can not come up: %w", err)
	}
	server := o.make()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ErrServerClosed
	}()
	o.stop = func() error {
		err := server.Close()
		<-ended
		return err
	}
	return nil
}

func (o *outlet) down() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stop == nil {
		return nil
	}
	stop := o.stop
	o.stop = nil
	return stop()
}

func (o *outlet) isDown() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stop == nil
}

// listen waits for a port that somebody has for a moment.
func listen(addr string) (listener net.Listener, err error) {
	for range 50 {
		if listener, err = net.Listen("tcp", addr); err == nil {
			return listener, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, err
}
