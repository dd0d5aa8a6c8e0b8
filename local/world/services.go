package world

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/infra/pack/packer"
	"github.com/dime-scheduler/connectors/local/azurite"
	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/local/vaultsim"
)

// The queues, as the app settings name them by default.
const (
	Appointments = "appointments"
	Mailboxes    = "mailboxes"
	Backoffice   = "backoffice"
)

// Queues are the names of the three queues.
var Queues = []string{Appointments, Mailboxes, Backoffice}

// startServices starts what the app talks to, and packs the app. What takes
// long, compiling and Azurite, runs side by side.
func (w *World) startServices(ctx context.Context, root string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var both sync.WaitGroup
	var packing, storing error
	both.Go(func() {
		if packing = w.pack(ctx, root); packing != nil {
			cancel() // no use waiting for the other
		}
	})
	both.Go(func() {
		if storing = w.startStorage(ctx); storing != nil {
			cancel()
		}
	})
	err := w.startSimulators()
	both.Wait()
	if packing != nil && storing != nil && errors.Is(packing, context.Canceled) {
		packing = nil // ended because of the other
	}
	if storing != nil && packing != nil {
		storing = nil
	}
	return errors.Join(err, packing, storing)
}

func (w *World) pack(ctx context.Context, root string) error {
	begin := time.Now()
	result, err := packer.Pack(ctx, packer.Options{
		Root: root, Out: w.app, Binary: w.opts.Binary, GOOS: runtime.GOOS, GOARCH: runtime.GOARCH,
	})
	if err != nil {
		return err
	}
	w.Startup.Pack = time.Since(begin)
	w.step("app", "%s, %d functions, packed in %s", result.Version, len(result.Functions), seconds(w.Startup.Pack))
	return nil
}

func (w *World) startStorage(ctx context.Context) error {
	storage, err := azurite.Start(ctx, azurite.Options{Log: installLog{w}})
	if err != nil {
		return err
	}
	w.storage = storage
	w.onClose(storage.Close)
	go func() {
		select {
		case <-storage.Done():
			w.end(errors.New("the storage (Azurite) has ended by itself"))
		case <-w.life.Done():
		}
	}()
	w.step("storage", "Azurite %s", azurite.Version)
	return nil
}

// installLog shows that Azurite is being installed, which takes a while, and
// nothing of what it prints later.
type installLog struct{ w *World }

func (l installLog) Write(p []byte) (int, error) {
	if len(p) > 7 && string(p[:7]) == "install" {
		l.w.step("storage", "%s", p[:len(p)-1])
	}
	return len(p), nil
}

func (w *World) startSimulators() error {
	w.Broker = servicebus.New(servicebus.Options{Queues: []servicebus.Queue{
		{Name: Appointments, MaxDeliveryCount: 5, LockDuration: time.Minute, DuplicateDetection: 10 * time.Minute},
		{Name: Mailboxes, MaxDeliveryCount: 5, LockDuration: time.Minute, RequiresSession: true},
		{Name: Backoffice, MaxDeliveryCount: 5, LockDuration: time.Minute, RequiresSession: true},
	}})
	w.onClose(w.Broker.Close)
	if err := w.Broker.Listen("127.0.0.1:0"); err != nil {
		return err
	}
	w.step("queues", "amqp://%s", w.Broker.Addr())

	apiKey, clientSecret := rand.Text(), rand.Text()
	announce, err := w.announcer()
	if err != nil {
		return err
	}
	w.Board = boardsim.New(boardsim.Options{
		APIKey: apiKey, Announce: announce,
		// The real board's timer job repeats for hours; a person at the sandbox
		// may have killed the handler.
		AnnouncePauses: []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second, 5 * time.Second},
	})
	w.onClose(func() error { w.Board.Close(); return nil })
	if w.addr.board, err = w.serve(w.Board, nil); err != nil {
		return err
	}
	w.step("board", "%s", w.addr.board)

	w.Graph = graphsim.New(graphsim.Options{
		TenantID: tenantID, Clients: map[string][]string{clientID: {clientSecret}},
		AllowHTTPNotifications: true, DeliveryAttempts: 8, Fault: w.graphFault,
	})
	w.onClose(func() error { w.Graph.Close(); return nil })
	base, err := w.serve(w.reachable(w.Graph), nil)
	if err != nil {
		return err
	}
	w.addr.graph, w.addr.authority = base+"/v1.0", base
	w.step("Graph", "%s", w.addr.graph)

	w.Vault = &vaultsim.Server{}
	w.Vault.Set(boardSecret, apiKey)
	w.Vault.Set(graphSecret, clientSecret)
	w.Vault.Set(clientStateSecret, rand.Text()+rand.Text())
	certificate, authority, err := vaultsim.NewCertificate()
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.caFile(), authority, 0o644); err != nil {
		return err
	}
	if w.addr.vault, err = w.serve(w.Vault, &certificate); err != nil {
		return err
	}
	w.step("vault", "%s", w.addr.vault)
	return w.startBackOffices()
}

func (w *World) caFile() string { return filepath.Join(w.dir, "ca.pem") }

// serve serves a handler on a free loopback port until Close, over TLS with a
// certificate, and returns its address.
func (w *World) serve(h http.Handler, certificate *tls.Certificate) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	scheme := "http"
	if certificate != nil {
		scheme = "https"
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12})
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second, ErrorLog: w.hostLog.logger("simulator")}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ErrServerClosed
	}()
	w.onClose(func() error {
		err := server.Close()
		<-ended
		return err
	})
	return fmt.Sprintf("%s://%s", scheme, listener.Addr()), nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
