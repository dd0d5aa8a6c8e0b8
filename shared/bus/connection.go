package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

// Options says how to reach the namespace: by ConnectionString, or by Namespace
// with Credential.
type Options struct {
	ConnectionString secret.Secret
	Namespace        string // host name
	Credential       azcore.TokenCredential

	// Names of the queues; empty = appointments, mailboxes, backoffice.
	Appointments, Mailboxes, Backoffice string

	// Timeout bounds a call whose context has no deadline or a later one; 0 = 30 s.
	Timeout time.Duration
	// Try bounds one attempt: a connection that says nothing for so long is
	// given up and replaced; 0 = 5 s.
	Try time.Duration
	// Clock is for tests; nil = time.Now.
	Clock func() time.Time
}

func (o *Options) setDefaults() {
	if o.Appointments == "" {
		o.Appointments = "appointments"
	}
	if o.Mailboxes == "" {
		o.Mailboxes = "mailboxes"
	}
	if o.Backoffice == "" {
		o.Backoffice = "backoffice"
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Try <= 0 {
		o.Try = 5 * time.Second
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
}

// sdkRetry lets the SDK re-open a link that broke while nobody used it. Its
// own defaults begin with a pause of 4 s, too long for a webhook.
var sdkRetry = azservicebus.RetryOptions{MaxRetries: 2, RetryDelay: 50 * time.Millisecond, MaxRetryDelay: 500 * time.Millisecond}

func (o *Options) client() (*azservicebus.Client, error) {
	options := &azservicebus.ClientOptions{RetryOptions: sdkRetry, ApplicationID: "dime-scheduler-connectors"}
	if !o.ConnectionString.IsZero() {
		c, err := azservicebus.NewClientFromConnectionString(o.ConnectionString.Reveal(), options)
		if err != nil {
			return nil, errors.New("the connection string of Service Bus can not be used")
		}
		return c, nil
	}
	return azservicebus.NewClient(o.Namespace, o.Credential, options)
}

// connection keeps one client of the SDK and replaces it when it has gone
// silent: the SDK recovers from errors, but not from a peer that never answers.
type connection struct {
	o       *Options
	closing sync.WaitGroup

	mu     sync.Mutex
	now    *live
	closed bool
}

// live is a client and its senders.
type live struct {
	client  *azservicebus.Client
	mu      sync.Mutex
	senders map[string]*azservicebus.Sender
}

func (l *live) sender(queue string) (*azservicebus.Sender, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.senders[queue]; s != nil {
		return s, nil
	}
	s, err := l.client.NewSender(queue, nil)
	if err != nil {
		return nil, err
	}
	l.senders[queue] = s
	return s, nil
}

var errClosed = errors.New("the sender is closed")

func (c *connection) current() (*live, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if c.now == nil {
		client, err := c.o.client()
		if err != nil {
			return nil, err
		}
		c.now = &live{client: client, senders: map[string]*azservicebus.Sender{}}
	}
	return c.now, nil
}

// closePatience is how long a connection is given to say goodbye.
const closePatience = 2 * time.Second

// drop gives a client up, unless somebody has done so already.
func (c *connection) drop(l *live) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != l || c.closed {
		return
	}
	c.now = nil
	c.closing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
		defer cancel()
		_ = l.client.Close(ctx) // it is being thrown away because it does not answer
	})
}

func (c *connection) close(ctx context.Context) error {
	c.mu.Lock()
	l := c.now
	c.now, c.closed = nil, true
	c.mu.Unlock()
	var err error
	if l != nil {
		err = l.client.Close(ctx)
	}
	c.closing.Wait()
	return err
}

// Pauses between attempts: the first, doubled up to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// try does something with the current client and repeats it, within the
// deadline, while that may help (R5). The fault is Ambiguous: the broker may
// have taken what it did not confirm.
func (c *connection) try(ctx context.Context, op string, do func(context.Context, *live) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	pause := firstPause
	for {
		l, err := c.current()
		if err != nil {
			return &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: op, Err: err}
		}
		attempt, done := context.WithTimeout(ctx, c.o.Try)
		err = do(attempt, l)
		silent := errors.Is(attempt.Err(), context.DeadlineExceeded)
		done()
		if err == nil {
			return nil
		}
		if silent || hasCode(err, azservicebus.CodeConnectionLost) || hasCode(err, azservicebus.CodeClosed) {
			c.drop(l)
		}
		if final(err) {
			return classify(op, err)
		}
		select {
		case <-ctx.Done():
			return classify(op, errors.Join(ctx.Err(), err))
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func hasCode(err error, code azservicebus.Code) bool {
	e, ok := errors.AsType[*azservicebus.Error](err)
	return ok && e.Code == code
}

// hasCondition: some AMQP errors reach us bare, amqp:not-found among them.
func hasCondition(err error, conditions ...amqp.ErrCond) bool {
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok {
		return false
	}
	for _, c := range conditions {
		if e.Condition == c {
			return true
		}
	}
	return false
}

const serverBusy amqp.ErrCond = "com.microsoft:server-busy"

func tooLarge(err error) bool {
	return errors.Is(err, azservicebus.ErrMessageTooLarge) || hasCondition(err, amqp.ErrCondMessageSizeExceeded)
}

func noQueue(err error) bool {
	return hasCode(err, azservicebus.CodeNotFound) || hasCondition(err, amqp.ErrCondNotFound)
}

func refused(err error) bool {
	return hasCode(err, azservicebus.CodeUnauthorizedAccess) || hasCondition(err, amqp.ErrCondUnauthorizedAccess)
}

// final reports whether the same again would fail again.
func final(err error) bool { return tooLarge(err) || noQueue(err) || refused(err) }

func classify(op string, err error) *fault.Error {
	f := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: op, Ambiguous: true, Err: err}
	switch {
	case tooLarge(err):
		f.Kind, f.Reason, f.Ambiguous = fault.Permanent, fault.Invalid, false
		f.Err = errors.New("the message is larger than the queue takes")
	case noQueue(err):
		f.Code, f.Ambiguous = string(amqp.ErrCondNotFound), false
		f.Err = errors.New("the queue does not exist; check the names of the queues in the settings")
	case refused(err):
		f.Reason, f.WholeTarget, f.Ambiguous = fault.Auth, true, false
		f.Err = errors.New("the namespace does not let the app do this; give its identity the roles Azure Service Bus Data Sender and Receiver")
	case hasCondition(err, serverBusy):
		f.Reason, f.Code = fault.RateLimit, string(serverBusy)
	case errors.Is(err, context.Canceled):
		f.Reason = fault.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		f.Reason = fault.Timeout
	}
	return f
}
