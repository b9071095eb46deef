package upstreamtest_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"testing"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
)

// startProxy runs the whole program in front of an application and returns its
// base URL.
func startProxy(t *testing.T, upstream string) string {
	t.Helper()
	cfg, err := config.Load([]string{
		"CLERK_PUBLISHABLE_KEY=" + minttest.LiveKey,
		"CLERK_JWT_KEY=" + minttest.Good().PEM,
		"AUTHPROXY_UPSTREAM=" + upstream,
		"AUTHPROXY_LISTEN=127.0.0.1:0",
		"AUTHPROXY_ADMIN_LISTEN=127.0.0.1:0",
		"AUTHPROXY_PUBLIC_URL=" + minttest.App,
		"AUTHPROXY_PUBLIC_PATHS=/public/*",
		"AUTHPROXY_SHUTDOWN_DELAY=0s",
	})
	if err != nil {
		t.Fatal(err)
	}
	lines, log := io.Pipe()
	a, err := app.New(cfg, app.Options{Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	// The context of the test ends before its cleanups run.
	go func() { ended <- a.Run(t.Context(), context.Background().Done()); _ = log.Close() }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listening(t, lines)
}

// listening waits for the log line that says where the program listens, and
// drops the others.
func listening(t *testing.T, lines io.Reader) string {
	t.Helper()
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for dec := json.NewDecoder(lines); ; {
			var line struct{ Listen string }
			if dec.Decode(&line) != nil {
				return
			}
			if line.Listen != "" {
				found <- line.Listen
			}
		}
	}()
	address, ok := <-found
	if !ok {
		t.Fatal("the program ended before it listened")
	}
	return "http://" + address
}
