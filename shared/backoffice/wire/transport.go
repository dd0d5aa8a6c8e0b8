package wire

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// transports makes the transports of one connector and closes them.
type transports struct {
	fixed http.RoundTripper // of a test, or LOCAL_MODE
	tls   *tls.Config
	http1 bool

	mu   sync.Mutex
	made []*http.Transport
}

func newTransports(c backoffice.Config, d backoffice.Deps, http1 bool) (*transports, error) {
	config, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	return &transports{fixed: d.HTTP, tls: config, http1: http1}, nil
}

// next makes a transport.
func (t *transports) next() http.RoundTripper {
	if t.fixed != nil {
		return t.fixed
	}
	tr := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second, Control: reachable}).DialContext,
		TLSClientConfig:        t.tls.Clone(),
		TLSHandshakeTimeout:    15 * time.Second,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      !t.http1,
	}
	if t.http1 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	t.mu.Lock()
	t.made = append(t.made, tr)
	t.mu.Unlock()
	return tr
}

// errForbidden: the name of a back office leads to where no back office is.
var errForbidden = errors.New("the host name of the address leads to an address of the machine itself, not of a back office")

// reachable looks at the address that a name was resolved to, just before it is
// called: what the name meant when it was checked says nothing.
func reachable(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	host, _, _ = strings.Cut(host, "%") // a zone
	if ip := net.ParseIP(host); err != nil || ip == nil || backoffice.ForbiddenIP(ip) {
		return errForbidden
	}
	return nil
}

func (t *transports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tr := range t.made {
		tr.CloseIdleConnections()
	}
}

// tlsConfig trusts the system's authorities and those of the connector's
// bundle, or, where a pin is given, the one certificate and nothing else.
func tlsConfig(c backoffice.Config) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(c.CA)) {
			return nil, misconfigured("the CA bundle holds no PEM certificate")
		}
		config.RootCAs = pool
	}
	if c.Pin == "" {
		return config, nil
	}
	pin, err := hex.DecodeString(strings.ReplaceAll(c.Pin, ":", ""))
	if err != nil || len(pin) != sha256.Size {
		return nil, misconfigured("the certificate pin is not the SHA-256 of a certificate: 64 hexadecimal digits")
	}
	// The pin takes the place of the chain and the name: on-premises servers
	// have certificates of their own making.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(s tls.ConnectionState) error {
		sum := sha256.Sum256(s.PeerCertificates[0].Raw)
		if subtle.ConstantTimeCompare(sum[:], pin) != 1 {
			return errPin
		}
		return nil
	}
	return config, nil
}

var errPin = errors.New("the server's certificate is not the pinned one")

func misconfigured(text string) error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: "connector: open", Code: backoffice.CodeURL, WholeTarget: true, Err: errors.New(text)}
}

// traced returns a context in which sent tells whether a byte of a request may
// have left: what has not left can not have had an effect. A transport that does
// not tell (a test's) counts as having sent.
func traced(ctx context.Context) (_ context.Context, sent func() bool) {
	var dialled, connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { dialled.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	return ctx, func() bool { return connected.Load() || !dialled.Load() }
}
