package config_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
)

func printed(t *testing.T, c *config.Config) string {
	t.Helper()
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPrint(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, []string{
		"NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=" + minttest.LiveKey,
		"CLERK_SECRET_KEY=sk_live_canary",
		"CLERK_JWT_KEY_FILE=testdata/jwt.pem",
		"AUTHPROXY_UPSTREAM=http://LOCALHOST:3000/",
		"AUTHPROXY_PUBLIC_URL=https://App.example.com:443/,http://app.example.com",
		"AUTHPROXY_TRUSTED_PROXIES=127.0.0.1/8, ::ffff:10.1.2.3",
		"AUTHPROXY_HEADERS=+X-Auth-Plan=plan",
		"AUTHPROXY_AUDIENCE=a\tb",
		"AUTHPROXY_IDLE_TIMEOUT=90s",
	})
	got := printed(t, c)
	const golden = "testdata/print.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestPrintShowsEverySettingOnce(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSuffix(printed(t, mustLoad(t, dev())), "\n"), "\n")
	for i, name := range names(t) {
		if !strings.HasPrefix(lines[i], name+" ") {
			t.Errorf("line %d is %q, want %s", i, lines[i], name)
		}
	}
	for _, want := range []string{"AUTHPROXY_HEADERS the built-in mapping default", "AUTHPROXY_PUBLIC_URL scheme and host of the request default"} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.Join(strings.Fields(line), " ") == want }) {
			t.Errorf("no line %q", want)
		}
	}
	if len(lines) != len(names(t)) {
		t.Errorf("%d lines for %d settings", len(lines), len(names(t)))
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestPrintSaysWhenItCannot(t *testing.T) {
	t.Parallel()
	if err := mustLoad(t, dev()).Print(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
