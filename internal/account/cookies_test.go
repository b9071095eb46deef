package account_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/account"
)

// lines are the Set-Cookie lines of signing out at a public origin.
func lines(t *testing.T, origin authproxy.Origin, instance *authproxy.Instance) []string {
	t.Helper()
	k := newDesk(t)
	k.cfg.Instance = instance
	d := somebody()
	d.Origin = origin
	return k.ask(d, "POST", account.SignOutPath, "").Header["Set-Cookie"]
}

// TestExpiredCookies: every cookie that is a session or leads to one, and no
// other. CK-09.
func TestExpiredCookies(t *testing.T) {
	t.Parallel()
	want := []string{}
	for _, name := range []string{"__client_uat", "__client_uat_PpMs2Apk", "__session", "__session_PpMs2Apk", "__clerk_handshake", "__clerk_handshake_nonce"} {
		line := name + "=; Path=/; Max-Age=0; Secure"
		want = append(want, line, line+"; Domain=example.com", line+"; Domain=app.example.com")
	}
	for _, name := range []string{"__refresh_PpMs2Apk", "__clerk_redirect_count", "clerk_active_context"} {
		want = append(want, name+"=; Path=/; Max-Age=0; Secure")
	}
	got := lines(t, app, instance(t))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if size := len(strings.Join(got, "\r\nSet-Cookie: ")); size > 2048 {
		t.Errorf("%d bytes: a server in front with 4 KiB for a head cannot read it", size)
	}
}

// TestExpiredCookiesWithoutInstance: without a key there is no suffix.
func TestExpiredCookiesWithoutInstance(t *testing.T) {
	t.Parallel()
	for _, line := range lines(t, app, nil) {
		if name, _, _ := strings.Cut(line, "="); !slices.Contains([]string{
			"__client_uat", "__session", "__clerk_handshake", "__clerk_handshake_nonce", "__clerk_redirect_count", "clerk_active_context",
		}, name) {
			t.Errorf("%s", line)
		}
	}
}

// TestExpiredOverHTTP: a browser takes Secure over https alone, localhost aside.
func TestExpiredOverHTTP(t *testing.T) {
	t.Parallel()
	for _, line := range lines(t, authproxy.Origin{Scheme: "http", Host: "localhost:4180"}, instance(t)) {
		if secure := strings.Contains(line, "; Secure"); secure != strings.HasPrefix(line, "clerk_active_context=") {
			t.Errorf("%s", line)
		}
	}
}

func TestDomainsOfExpiredCookies(t *testing.T) {
	t.Parallel()
	for host, want := range map[string][]string{
		"example.com":             {"example.com"},
		"app.example.com:8443":    {"app.example.com", "example.com"},
		"a.b.example.co.uk":       {"a.b.example.co.uk", "b.example.co.uk", "co.uk", "example.co.uk"},
		"app.example.com.":        {"app.example.com", "example.com"},
		"g.f.e.d.c.b.a.test":      {"a.test", "b.a.test", "c.b.a.test", "d.c.b.a.test"},
		"localhost":               {"localhost"},
		"localhost:4180":          {"localhost"},
		"app.localhost:4180":      {"localhost"},
		"intranet":                {},
		"127.0.0.1:4180":          {},
		"[::1]:4180":              {},
		"[2001:db8::1]":           {},
		"a; HttpOnly.example.com": {}, // no host, whoever thinks so
	} {
		got := []string{}
		for _, line := range lines(t, authproxy.Origin{Scheme: "http", Host: host}, nil) {
			c, err := http.ParseSetCookie(line)
			if err != nil || c.MaxAge >= 0 || c.Path != "/" || c.Value != "" {
				t.Errorf("%s: %s: %v", host, line, err)
				continue
			}
			if c.Name == "__client_uat" && c.Domain != "" {
				got = append(got, c.Domain)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
