package account_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/account"
	"github.com/manageros/authproxy/internal/testneed"
)

// TestSignOutInBrowser: what a policy, a redirect behind a form and a removed
// cookie mean is the browser's to say.
func TestSignOutInBrowser(t *testing.T) {
	t.Parallel()
	node, chromium := testneed.Tool(t, "node"), testneed.Tool(t, "chromium")
	modules, err := filepath.Abs(filepath.Join("..", "..", ".cache", "npm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "node_modules", "playwright-core")); err != nil {
		testneed.Missing(t, "needs npm's playwright-core in .cache/npm (.ci/run install)")
	}
	var revoked atomic.Int32
	run := exec.Command(node, filepath.Join("testdata", "browser", "check.mjs"))
	run.Env = append(os.Environ(), "CHROMIUM="+chromium, "MODULES="+modules, "RESOLVE=MAP *.example.test 127.0.0.1",
		"SUFFIX="+instance(t).CookieSuffix(),
		"REVOKING="+site(t, func(context.Context, string) error { revoked.Add(1); return nil }),
		"SCRIPTED="+site(t, nil), "BROKEN="+site(t, nil))
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := revoked.Load(); got != 2 { // twice its own button, never another site's form
		t.Errorf("%d sessions were ended at Clerk", got)
	}
}

// site is a whole host: our pages, a page of an application, and Clerk's
// Frontend API with a script that stands where clerk-js would.
func site(t *testing.T, revoke func(context.Context, string) error) string {
	t.Helper()
	p := account.New(account.Config{
		Instance: instance(t), Revoke: revoke,
		FrontendURL: func(o authproxy.Origin) string { return o.String() + "/__clerk" },
		Respond: func(w http.ResponseWriter, _ *http.Request, d authproxy.Decision) {
			http.Error(w, string(d.Reason), d.Reason.Status())
		},
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch way, _ := r.Cookie("way"); {
		case strings.HasPrefix(r.URL.Path, "/_authproxy/"):
			d := somebody()
			d.Origin = authproxy.Origin{Scheme: "http", Host: r.Host}
			p.Serve(w, r, d)
		case strings.HasPrefix(r.URL.Path, "/__clerk/npm/") && (way == nil || way.Value != "gone"):
			http.ServeFile(w, r, filepath.Join("testdata", "browser", "clerk.js"))
		case r.URL.Path == "/page":
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-n0'")
			tag := `<script nonce="n0" src="` + account.SessionScriptPath + `"></script>`
			fmt.Fprintf(w, "<!doctype html><title>page</title>%s%s", tag, tag)
		case r.URL.Path == "/bye":
			fmt.Fprint(w, "<!doctype html><title>bye</title>")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "app.example.test", 1)
}

func instance(t *testing.T) *authproxy.Instance {
	t.Helper()
	i, err := authproxy.ParseInstance("pk_test_YXV0aHByb3h5LWVtdWxhdG9yLmNsZXJrLmFjY291bnRzLmRldiQ")
	if err != nil {
		t.Fatal(err)
	}
	return &i
}
