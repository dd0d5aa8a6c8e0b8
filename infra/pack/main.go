// Command pack builds the deployable Functions app: the cross-compiled custom
// handler with host.json and the function.json files, as a folder and, with
// -zip, as the package that Azure takes.
//
//	go run ./infra/pack -o dist/app -zip dist/app.zip
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

	"github.com/dime-scheduler/connectors/infra/pack/packer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status: 0 packed, 1 not packed, 2 wrong use.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var opt packer.Options
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opt.Out, "o", "", "folder to write the app to (replaced if it was packed before)")
	flags.StringVar(&opt.Zip, "zip", "", "also write the app as this zip file")
	flags.StringVar(&opt.Version, "version", "", "version stamped into the handler (default: git describe)")
	flags.StringVar(&opt.Root, "root", ".", "root of the project")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if opt.Out == "" || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "pack: usage: pack -o DIR [-zip FILE] [-version V] [-root DIR]")
		return 2
	}
	result, err := packer.Pack(ctx, opt)
	if err != nil {
		fmt.Fprintln(stderr, "pack:", err)
		return 1
	}
	fmt.Fprintf(stdout, "packed %s with %d functions (%s) to %s\n",
		result.Version, len(result.Functions), strings.Join(result.Functions, ", "), opt.Out)
	if opt.Zip != "" {
		fmt.Fprintln(stdout, "zipped to", opt.Zip)
	}
	return 0
}
