package actions

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// Sender posts data; HTTP is the one.
type Sender interface {
	// Send posts a JSON body and returns the status of the answer, whatever it is.
	// Its errors are *fault.Error and hold no address: it may be filled with data.
	Send(ctx context.Context, address string, body []byte) (status int, err error)
}

// HTTP sends over HTTP. It follows no redirection: the data is for the host that is
// listed. Nothing of the answer but its status is looked at.
type HTTP struct {
	// Transport below it; nil = the default.
	Transport http.RoundTripper
}

// sendTime is how long a person waits for the answer.
const sendTime = 20 * time.Second

// Send implements Sender.
func (h HTTP) Send(ctx context.Context, address string, body []byte) (int, error) {
	const op = "actions: send"
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: op, Err: errors.New("the address can not be used")}
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	client := http.Client{Transport: h.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return 0, &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: op, Ambiguous: true, Err: errors.New("no answer")}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	return resp.StatusCode, nil
}
