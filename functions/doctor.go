package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/app"
)

// examine is `go run ./functions -doctor`: it examines the installation that the
// environment or a settings file describes. It returns the exit code: 0 all is well,
// 1 something has failed, 2 wrong use.
func examine(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("functions", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asked := flags.Bool("doctor", false, "examine the installation and end")
	mailbox := flags.String("mailbox", "", "with -doctor: address of a test mailbox, in which an event and a subscription are made and removed")
	file := flags.String("settings", "", "with -doctor: a local.settings.json with the app settings, instead of the environment")
	asJSON := flags.Bool("json", false, "with -doctor: the report as JSON")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case !*asked || flags.NArg() > 0:
		fmt.Fprintln(stderr, "The Functions host starts this program without arguments. By hand: -doctor [-mailbox ADDRESS] [-settings FILE] [-json]")
		return 2
	}
	if *file != "" {
		var err error
		if getenv, err = settingsFile(*file); err != nil {
			fmt.Fprintln(stderr, err)
			return 2
		}
	}
	doctor := &app.Doctor{Getenv: getenv, Version: version, Log: slog.New(slog.DiscardHandler), Within: 90 * time.Second}
	report := doctor.Examine(ctx, "command line", *mailbox)
	var err error
	if *asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		err = report.Write(stdout)
	}
	if err != nil || !report.OK {
		return 1
	}
	return 0
}

// settingsFile reads a local.settings.json. The environment counts for nothing then,
// so that two installations can not be mixed up.
func settingsFile(name string) (func(string) string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("the settings file can not be read: %w", err)
	}
	var file struct{ Values map[string]string }
	if json.Unmarshal(text, &file) != nil || len(file.Values) == 0 { // the error may quote a secret
		return nil, errors.New("the settings file is no JSON with \"Values\", as local.settings.sample.json is")
	}
	values := map[string]string{}
	for k, v := range file.Values {
		values[strings.ToUpper(k)] = v
	}
	return func(name string) string { return values[strings.ToUpper(name)] }, nil
}
