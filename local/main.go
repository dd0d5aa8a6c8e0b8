// Command local runs the whole system on this machine:
//
//	go run ./local                 with the sandbox page, until Ctrl-C
//	go run ./local -tour           a scripted day; exit status 1 if board, Outlook and back offices differ
//	go run ./local -host func      either, under the real Functions host on PATH
//
// It needs Go and Node.js (for Azurite), and nothing before it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dime-scheduler/connectors/local/sandbox"
	"github.com/dime-scheduler/connectors/local/tour"
	"github.com/dime-scheduler/connectors/local/world"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status: 0 done, 1 failed, 2 wrong use.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts := world.Options{Log: stdout}
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.Host, "host", world.Double, "host of the app: double, or func for the func on PATH")
	flags.BoolVar(&opts.Intake, "intake", false, "the board calls the webhook appointmentintake instead of sending to the queue")
	flags.StringVar(&opts.Keep, "keep", "", "folder for the packed app and the host's log, which stays")
	touring := flags.Bool("tour", false, "play a scripted day, print what was observed, and end")
	port := flags.Int("port", 0, "port of the sandbox page (default: a free one)")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "local: %q is not a flag\n", flags.Arg(0))
		return 2
	}
	fmt.Fprintln(stdout, "Starting the local world (the first start compiles the app, which takes minutes)")
	w, err := world.Start(ctx, opts)
	if err != nil {
		fmt.Fprintln(stderr, "local:", err)
		return 1
	}
	if *touring {
		err = playTour(ctx, w, stdout)
	} else {
		err = serve(ctx, w, *port, stdout)
	}
	if err := errors.Join(err, w.Err(), w.Close()); err != nil {
		fmt.Fprintln(stderr, "local:", err)
		return 1
	}
	return 0
}

func playTour(ctx context.Context, w *world.World, out io.Writer) error {
	fmt.Fprintf(out, "\nA day, one step after the other\n")
	report := tour.Run(ctx, w, out)
	fmt.Fprintln(out)
	if err := report.Write(out); err != nil {
		return err
	}
	if report.OK() {
		return nil
	}
	return fmt.Errorf("the tour failed; the last lines of the host's log (all of it with -keep):\n%s", w.LogTail())
}

// serve shows the sandbox until ctx ends or the world does.
func serve(ctx context.Context, w *world.World, port int, out io.Writer) error {
	page, err := sandbox.Serve(w, port)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `
  sandbox    %s
  portal     %s
  ERP        %s
  webhook    %s
  health     %s
  host log   %s

Ready in %.1f s. Ctrl-C stops everything.
`, page.URL(), w.PortalURL(), strings.Join(w.ERPAddresses(), "  "), w.HookAddress(), w.HealthURL(), w.LogFile(), w.Startup.Total.Seconds())
	go func() {
		began := time.Now()
		if w.AwaitReady(ctx) == nil {
			fmt.Fprintf(out, "Board, Outlook and back offices agree, %.1f s later.\n", time.Since(began).Seconds())
		}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nStopping")
	case <-w.Done():
	}
	return page.Close()
}
