package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// What Load must not look at: a setting of the test process.
	if err := os.Setenv("AUTHPROXY_LISTEN", "the environment of the process was read"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// dev returns an environment that is right, with changes: "NAME=value" sets.
func dev(changes ...string) []string {
	return append([]string{"CLERK_PUBLISHABLE_KEY=" + minttest.TestKey, "AUTHPROXY_UPSTREAM=http://127.0.0.1:3000"}, changes...)
}

// live is dev for a production instance.
func live(changes ...string) []string {
	return append([]string{
		"CLERK_PUBLISHABLE_KEY=" + minttest.LiveKey, "AUTHPROXY_UPSTREAM=http://127.0.0.1:3000",
		"AUTHPROXY_PUBLIC_URL=https://app.example.com",
	}, changes...)
}

// noKey is an environment with an upstream and a public URL and nothing of Clerk.
func noKey(changes ...string) []string {
	return append([]string{"AUTHPROXY_UPSTREAM=http://127.0.0.1:3000", "AUTHPROXY_PUBLIC_URL=https://app.example.com"}, changes...)
}

func mustLoad(t *testing.T, environ []string) *config.Config {
	t.Helper()
	c, err := config.Load(environ)
	if err != nil {
		t.Fatalf("%q: %v", environ, err)
	}
	return c
}

// bad is an environment and every mistake that is in it, each as
// "NAME: a piece of the message".
type bad struct {
	name    string
	environ []string
	want    []string
}

func runBad(t *testing.T, cases []bad) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(c.environ)
			got := config.Mistakes(err)
			if len(got) != len(c.want) {
				t.Fatalf("got %d mistakes, want %d:\n%v", len(got), len(c.want), err)
			}
			for i, want := range c.want {
				name, piece, _ := strings.Cut(want, ": ")
				if got[i].Name != name || !strings.Contains(got[i].Error(), piece) {
					t.Errorf("got  %s\nwant %s", got[i], want)
				}
			}
		})
	}
}

// write makes a file and returns its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := mustLoad(t, dev())
	want := &config.Config{
		Listen: config.Listen{Data: ":4180", Admin: "127.0.0.1:4181"},
		Keys: config.Keys{
			Issuer: minttest.TestIss, Issuers: []string{minttest.TestIss}, Refresh: 5 * time.Minute, MinRefetch: 10 * time.Second, MaxStale: 24 * time.Hour,
		},
		Session: config.Session{ClockSkew: 5 * time.Second, CSRF: true, Whoami: true},
		Limits: config.Limits{
			MaxHeaderBytes: 64 << 10, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 120 * time.Second,
			UpstreamTimeout: time.Minute, StreamMaxAge: 12 * time.Hour, ShutdownDelay: 5 * time.Second, ShutdownTimeout: 25 * time.Second,
		},
		Operation: config.Operation{LogLevel: "info"},
	}
	ignored := cmp.Options{
		cmpopts.IgnoreUnexported(config.Config{}), cmpopts.IgnoreFields(config.Config{}, "Clerk", "Upstream"),
		cmpopts.IgnoreFields(config.Keys{}, "JWKSURL"),
	}
	if diff := cmp.Diff(want, got, ignored); diff != "" {
		t.Error(diff)
	}
	for what, pair := range map[string][2]string{
		"instance": {got.Clerk.Instance.FrontendAPI, "happy-otter-12.clerk.accounts.dev"},
		"sign-in":  {got.Clerk.SignInURL.String(), "https://happy-otter-12.accounts.dev/sign-in"},
		"jwks":     {got.Keys.JWKSURL.String(), minttest.TestIss + "/.well-known/jwks.json"},
		"upstream": {got.Upstream.URL.String(), "http://127.0.0.1:3000"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
}

// Every value that the manual shows as a default is the default.
func TestTheManualsDefaultsAreTheDefaults(t *testing.T) {
	t.Parallel()
	environ := dev()
	for _, f := range settingsFields(t) {
		if tag := tagOf(t, f); tag.Get("envDefault") != "" {
			environ = append(environ, tag.Get("env")+"="+tag.Get("envDefault"))
		}
	}
	if diff := cmp.Diff(mustLoad(t, dev()), mustLoad(t, environ), cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Error(diff)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	listen := func(entries ...string) string { return mustLoad(t, dev(entries...)).Listen.Data }
	for _, c := range []struct {
		name    string
		entries []string
		want    string
	}{
		{"set", []string{"AUTHPROXY_LISTEN=:1"}, ":1"},
		{"the last one counts", []string{"AUTHPROXY_LISTEN=:1", "AUTHPROXY_LISTEN=:2"}, ":2"},
		{"an empty value is none", []string{"AUTHPROXY_LISTEN="}, ":4180"},
		{"space alone is none", []string{"AUTHPROXY_LISTEN= \t"}, ":4180"},
		{"space around is dropped", []string{"AUTHPROXY_LISTEN= :1\n"}, ":1"},
		{"what is no entry is left alone", []string{"AUTHPROXY_LISTEN", "=C:=C:\\", ""}, ":4180"},
	} {
		if got := listen(c.entries...); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNothingAtAll(t *testing.T) {
	t.Parallel()
	for _, environ := range [][]string{nil, {}} {
		runBad(t, []bad{{"empty", environ, []string{
			"AUTHPROXY_PUBLIC_URL: add the line AUTHPROXY_PUBLIC_URL=https://app.example.com",
			"AUTHPROXY_UPSTREAM: add the line AUTHPROXY_UPSTREAM=http://127.0.0.1:3000",
			"CLERK_PUBLISHABLE_KEY: add the line CLERK_PUBLISHABLE_KEY=pk_",
		}}})
	}
}

// Mistakes come together, sorted, each with its name and a hint, and the Config
// beside them holds what could be read.
func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	environ := []string{
		"CLERK_PUBLISHABLE_KEY=" + minttest.TestKey,
		"CLERK_SECRET_KEY=sk_live_canary",
		"CLERK_JWT_KEY_FILE=testdata/missing.pem",
		"CLERK_PROXY_URL=//evil.example",
		"AUTHPROXY_UPSTREAM=http://localhost:4180",
		"AUTHPROXY_ISSUER=https://clerk.example.com/.well-known/jwks.json",
		"AUTHPROXY_AUTHORIZED_PARTIES=https://app.example.com/path,https://ok.example.com",
		"AUTHPROXY_TRUSTED_PROXIES=0.0.0.0/0,10.0.0.0/8",
		"AUTHPROXY_CLOCK_SKEW=5",
		"AUTHPROXY_CSRF=no",
		"AUTHPROXY_SHUTDOWN_DELAY=30s",
		"AUTHPROXY_SYNC=work",
		"AUTHPROXY_UPSTRAEM=http://localhost",
		"AUTHPROXY_TLS_CERT_FILE=tls.crt",
	}
	c, err := config.Load(environ)
	const golden = "testdata/mistakes.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, readErr := os.ReadFile(golden)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
		t.Error(diff)
	}
	all := config.Mistakes(err)
	if len(all) != len(environ)-1 {
		t.Errorf("%d mistakes", len(all))
	}
	for _, m := range all {
		if m.Name == "" || m.Hint == "" {
			t.Errorf("%#v lacks something", m)
		}
	}
	if !slices.Equal(c.Public.Parties, []string{"https://ok.example.com"}) || len(c.Public.TrustedProxies) != 1 {
		t.Errorf("what is right was not read: %+v", c.Public)
	}
}

func TestMistakesAreFoundInsideOtherErrors(t *testing.T) {
	t.Parallel()
	a, b := &config.Mistake{Name: "A", Problem: "is wrong"}, &config.Mistake{Name: "B", Problem: "is wrong", Hint: "mend it"}
	got := config.Mistakes(errors.Join(b, errors.New("else"), errors.Join(a)))
	if len(got) != 2 || got[0] != a || got[1] != b {
		t.Errorf("got %v", got)
	}
	if a.Error() != "A: is wrong" || b.Error() != "B: is wrong; mend it" {
		t.Errorf("%v, %v", a, b)
	}
	if config.Mistakes(nil) != nil {
		t.Error("mistakes in nothing")
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	key := minttest.Good().PEM
	c := mustLoad(t, dev("CLERK_SECRET_KEY_FILE="+write(t, "sk_test_canary\n"), "CLERK_JWT_KEY_FILE="+write(t, key)))
	if got := c.Clerk.SecretKey.Reveal(); got != "sk_test_canary" {
		t.Errorf("secret key %q", got)
	}
	if got := c.Clerk.JWTKey.Reveal(); strings.TrimSpace(got) != strings.TrimSpace(key) {
		t.Errorf("key %q", got)
	}
	large := write(t, strings.Repeat("x", 1<<20+1))
	runBad(t, []bad{
		{"both", dev("CLERK_SECRET_KEY=sk_test_a", "CLERK_SECRET_KEY_FILE="+write(t, "sk_test_a")), []string{"CLERK_SECRET_KEY_FILE: is set beside CLERK_SECRET_KEY"}},
		{"missing", dev("CLERK_SECRET_KEY_FILE=testdata/none"), []string{`CLERK_SECRET_KEY_FILE: cannot be read: "testdata/none": no such file`}},
		{"directory", dev("CLERK_JWT_KEY_FILE=testdata"), []string{"CLERK_JWT_KEY_FILE: cannot be read"}},
		{"empty", dev("CLERK_JWT_KEY_FILE=" + write(t, "\n")), []string{"CLERK_JWT_KEY_FILE: is empty"}},
		{"large", dev("CLERK_JWT_KEY_FILE=" + large), []string{"CLERK_JWT_KEY_FILE: larger than 1 MiB"}},
		{"wrong content", dev("CLERK_JWT_KEY_FILE=" + write(t, "x")), []string{"CLERK_JWT_KEY: is neither a PEM"}},
		{"a file with no other source of keys", noKey("CLERK_JWT_KEY_FILE=testdata/none", "AUTHPROXY_ISSUER=https://a.example"), []string{"CLERK_JWT_KEY_FILE: cannot be read"}},
		{"the secret itself", dev("CLERK_SECRET_KEY_FILE=sk_test_canary"), []string{`CLERK_SECRET_KEY_FILE: "[hidden]"`}},
	})
	if got := mustLoad(t, dev("CLERK_SECRET_KEY=sk_test_a", "CLERK_SECRET_KEY_FILE=")); got.Clerk.SecretKey.Reveal() != "sk_test_a" {
		t.Error("an empty _FILE name counts")
	}
}
