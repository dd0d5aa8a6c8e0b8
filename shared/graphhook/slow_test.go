package graphhook

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

type onceSlow struct{ n atomic.Int32 }

func (o *onceSlow) Nudge(ctx context.Context, _ ...bus.Nudge) error {
	if o.n.Add(1) == 1 {
		<-ctx.Done()
		time.Sleep(200 * time.Millisecond) // what it takes to unwind
	}
	return ctx.Err()
}

func TestASlowBrokerDoesNotSpoilTheConnection(t *testing.T) {
	f := funchost.New(funchost.Options{})
	f.HTTP("graphwebhook", "POST", "graph/notifications", hook(&onceSlow{}, io.Discard))
	var canceled atomic.Int32
	f.Queue("mailboxsync", "msg", func(ctx context.Context, _ funchost.Message) error {
		if ctx.Err() != nil {
			canceled.Add(1)
		}
		return ctx.Err()
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: f}
	go s.Serve(l)
	defer s.Close()
	c := &http.Client{Transport: &http.Transport{}}
	for i := range 6 {
		resp, err := c.Post("http://"+l.Addr().String()+"/api/graph/notifications", "application/json", strings.NewReader(`{"value":[{"clientState":"ok:a"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		t.Log("hook", i, resp.StatusCode)
		if i > 0 && resp.StatusCode != 202 {
			t.Errorf("POST %d after the slow one: %d", i, resp.StatusCode)
		}
	}
	resp, err := c.Post("http://"+l.Addr().String()+"/mailboxsync", "application/json", strings.NewReader(`{"Data":{"msg":"e30="},"Metadata":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Log("trigger", resp.StatusCode, canceled.Load())
}
