package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestRunRefuses(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		args   []string
		status int
		want   string // in what is written to stderr
	}{
		{"help", t.Context(), []string{"-h"}, 0, "-tour"},
		{"an unknown flag", t.Context(), []string{"-x"}, 2, "-x"},
		{"an argument", t.Context(), []string{"tour"}, 2, `"tour" is not a flag`},
		{"an unknown host", t.Context(), []string{"-host", "azure"}, 1, "neither double nor func"},
		{"a start that is given up", ended, nil, 1, "canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if got := run(c.ctx, c.args, &stdout, &stderr); got != c.status || !strings.Contains(stderr.String(), c.want) {
				t.Errorf("status %d, want %d; stderr %q, want %q in it", got, c.status, &stderr, c.want)
			}
		})
	}
}
