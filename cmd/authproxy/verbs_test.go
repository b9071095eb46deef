package main

import (
	"bytes"
	"context"
	"testing"
)

// TestExitCodes: 0 good, 1 failed while running, 2 wrong configuration or call.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	good := []string{"CLERK_PUBLISHABLE_KEY=pk_test_aGFwcHktb3R0ZXItMTIuY2xlcmsuYWNjb3VudHMuZGV2JA==", "AUTHPROXY_UPSTREAM=http://127.0.0.1:8000"}
	for _, tt := range []struct {
		name    string
		args    []string
		environ []string
		want    int
	}{
		{"help", []string{"help"}, nil, 0},
		{"help asked as a flag", []string{"--help"}, nil, 0},
		{"version", []string{"version"}, nil, 0},
		{"unknown verb", []string{"frobnicate"}, nil, 2},
		{"too many words", []string{"version", "1"}, nil, 2},
		{"check", []string{"check"}, good, 0},
		{"check, printed", []string{"check", "--print"}, good, 0},
		{"check of nothing", []string{"check"}, nil, 2},
		{"serve of nothing", nil, nil, 2},
		{"serve on a bad address", []string{"serve"}, append([]string{"AUTHPROXY_LISTEN=192.0.2.1:1"}, good...), 1},
		{"dev on all addresses", []string{"dev", "--listen", "0.0.0.0:4180"}, nil, 2},
		{"dev before another machine", []string{"dev", "--upstream", "http://192.0.2.1"}, nil, 2},
		{"dev beside a live key", []string{"dev"}, []string{"CLERK_SECRET_KEY=sk_live_x"}, 2},
		{"dev with an unknown flag", []string{"dev", "--x"}, nil, 2},
		{"health of nobody", []string{"healthcheck"}, append([]string{"AUTHPROXY_ADMIN_LISTEN=127.0.0.1:1"}, good...), 1},
		{"health of nothing", []string{"healthcheck"}, nil, 1},
	} {
		var stdout, stderr bytes.Buffer
		got := run(context.Background(), command{args: tt.args, environ: tt.environ, stdout: &stdout, stderr: &stderr})
		if got != tt.want {
			t.Errorf("%s: exit code %d, want %d\n%s%s", tt.name, got, tt.want, stdout.String(), stderr.String())
		}
		if got == exitUsage && stderr.Len() == 0 {
			t.Errorf("%s: fails without a word", tt.name)
		}
	}
}
