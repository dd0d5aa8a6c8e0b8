package funchost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	hostVersion  = "4.1045.200.25556" // of the host that the captures were recorded from
	timeoutGrace = 2 * time.Second    // between functionTimeout's cancellation and the kill
	maxAnswer    = 64 << 20
	reapWithin   = 500 * time.Millisecond // between a connection that breaks and the news of the handler's end
)

var (
	errTimeout = errors.New("functionTimeout exceeded")
	errKilled  = errors.New("the host was killed")
)

// call runs a function in JSON mode and judges the answer: nil is success.
func (d *Double) call(f *function, body []byte, describe func(*Invocation)) (Invocation, error) {
	v := d.begin(f, describe)
	ctx, cancel := context.WithCancelCause(d.life)
	result := make(chan error, 1)
	var sent atomic.Pointer[process]
	go func() { result <- d.post(ctx, v, body, &sent) }()

	var err error
	select {
	case err = <-result:
	case <-d.timeout():
		err = errTimeout
		select {
		case <-result: // ended by itself after all: no kill, yet failed
		case <-time.After(timeoutGrace):
			d.log.Error("A function timeout has occurred. Restarting the handler.", "function", f.Name, "id", v.ID)
			d.handler.replace(sent.Load())
			cancel(errTimeout)
			<-result
		}
	}
	cancel(nil)
	return d.end(v, err), err
}

// timeout fires at functionTimeout, or never.
func (d *Double) timeout() <-chan time.Time {
	if d.app.host.FunctionTimeout == 0 {
		return nil
	}
	return time.After(d.app.host.FunctionTimeout)
}

func (d *Double) begin(f *function, describe func(*Invocation)) Invocation {
	v := d.ledger.begin(f, describe)
	d.log.Debug("Executing", "function", v.Function, "id", v.ID)
	return v
}

func (d *Double) end(v Invocation, err error) Invocation {
	v.Duration = time.Since(v.Started)
	switch {
	case err == nil:
		v.Outcome = Succeeded
	case errors.Is(err, errTimeout):
		v.Outcome, v.Error = TimedOut, err.Error()
	default:
		v.Outcome, v.Error = Failed, err.Error()
	}
	d.ledger.end(v)
	if err != nil {
		d.log.Error("Executed", "function", v.Function, "id", v.ID, "outcome", string(v.Outcome), "error", v.Error, "duration", v.Duration)
	} else {
		d.log.Debug("Executed", "function", v.Function, "id", v.ID, "outcome", string(v.Outcome), "duration", v.Duration)
	}
	return v
}

// send waits for a handler to send to, with the faults that are switched on.
func (d *Double) send(ctx context.Context, v Invocation) (*process, error) {
	if d.faults.Delay != nil {
		select {
		case <-time.After(d.faults.Delay(v)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	p, err := d.handler.acquire(ctx)
	if err != nil {
		return nil, err
	}
	if d.faults.KillHandler != nil {
		if after, kill := d.faults.KillHandler(v); kill {
			time.AfterFunc(after, p.kill)
		}
	}
	return p, nil
}

// post sends the call and notes the process that it was sent to.
func (d *Double) post(ctx context.Context, v Invocation, body []byte, sent *atomic.Pointer[process]) error {
	p, err := d.send(ctx, v)
	if err != nil {
		return err
	}
	sent.Store(p)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/"+v.Function, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = http.Header{
		"Content-Type":                   {"application/json; charset=utf-8"},
		"User-Agent":                     {"Azure-Functions-Host/" + hostVersion},
		"X-Azure-Functions-HostVersion":  {hostVersion},
		"X-Azure-Functions-InvocationId": {v.ID},
	}
	response, err := d.client.Do(request)
	if err != nil {
		p.awaitEnd(ctx)
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		p.awaitEnd(ctx)
		return err
	}
	hang, err := judge(response, answer)
	if hang {
		d.log.Error("The answer is empty or null: the real host never ends such an invocation before functionTimeout.", "function", v.Function, "id", v.ID)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return err
}

// judge decides what an answer in JSON mode means. A 2xx with a JSON object is success, whatever it holds.
func judge(response *http.Response, body []byte) (hang bool, err error) {
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return false, fmt.Errorf("response status code does not indicate success: %d (%s)", response.StatusCode, http.StatusText(response.StatusCode))
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return true, nil
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind != "application/json" && kind != "text/json" {
		return false, fmt.Errorf("the answer's media type is %q, must be application/json", kind)
	}
	if string(body) == "null" {
		return true, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return false, fmt.Errorf("the answer is no JSON object: %w", err)
	}
	return false, nil
}
