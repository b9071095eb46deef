package clerkdev_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "localhost:4180": true, "LOCALHOST:1": true, "app.localhost": true, "a.b.localhost:80": true,
		"127.0.0.1": true, "127.0.0.1:4180": true, "127.8.9.1": true, "[::1]": true, "[::1]:4180": true,

		"": false, ":4180": false, "example.com": false, "example.com:4180": false, "localhost.example.com": false, "mylocalhost": false,
		"localhost.": false, ".localhost": false, "a..localhost": false, "a b.localhost": false, "evil.com/.localhost": false,
		"user@localhost": false, "evil.com#.localhost": false, "evil.com\\.localhost": false, "évil.localhost": false,
		"0.0.0.0": false, "10.0.0.1": false, "192.168.1.1:80": false, "127.1": false, "2130706433": false, "0x7f.0.0.1": false,
		"[::]": false, "[fe80::1]": false, "::1": false, "[::1": false, "[localhost]": false, "[localhost]:80": false, "[127.0.0.1]": false,
		"[::1%25lo]": false, "localhost:": false, "localhost:x": false, "localhost:0": false, "localhost:65536": false, "localhost:1:2": false,
	} {
		if got := clerkdev.IsLoopback(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

// TestForeignHost: RD and DNS rebinding; whatever the path is.
func TestForeignHost(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	for _, path := range []string{clerkdev.JWKSPath, clerkdev.SignInPath, clerkdev.TokenPath + "?user=ada", "/__clerk/x"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = "rebound.example.com:4180"
		if got := serve(i, r); got.StatusCode != http.StatusMisdirectedRequest || len(got.Cookies()) != 0 {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
}

// crossing lists headers and whether the request may change something.
func crossing() []struct {
	header map[string]string
	want   bool
} {
	type h = map[string]string
	return []struct {
		header map[string]string
		want   bool
	}{
		{h{}, true},
		{h{"Sec-Fetch-Site": "same-origin"}, true}, {h{"Sec-Fetch-Site": "none"}, true},
		{h{"Sec-Fetch-Site": "same-site"}, false}, {h{"Sec-Fetch-Site": "cross-site"}, false}, {h{"Sec-Fetch-Site": ""}, false},
		{h{"Origin": app}, true}, {h{"Origin": "null"}, false}, {h{"Origin": ""}, false},
		{h{"Origin": "http://localhost:4181"}, false}, {h{"Origin": "https://localhost:4180"}, false}, {h{"Origin": "http://evil.example"}, false},
		{h{"Origin": app, "Sec-Fetch-Site": "cross-site"}, false}, {h{"Origin": "null", "Sec-Fetch-Site": "same-origin"}, true},
	}
}

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	ada := i.Users()[0]
	for _, c := range crossing() {
		for _, r := range []*http.Request{
			form(clerkdev.SignInPath, "user", ada.ID), form(clerkdev.SignOutPath), get(clerkdev.TokenPath + "?user=ada"),
		} {
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			got := serve(i, r)
			if allowed := got.StatusCode != http.StatusForbidden; allowed != c.want || !allowed && len(got.Cookies()) != 0 {
				t.Errorf("%s %s %v: %d", r.Method, r.URL, c.header, got.StatusCode)
			}
		}
	}
	if n := len(i.Sessions(ada.ID)); n != 10 {
		t.Errorf("%d sessions; five sign-ins and five tokens were allowed", n)
	}
	twice := form(clerkdev.SignOutPath)
	twice.Header["Origin"] = []string{app, "http://evil.example"}
	site := form(clerkdev.SignOutPath)
	site.Header["Sec-Fetch-Site"] = []string{"same-origin", "cross-site"}
	for _, r := range []*http.Request{twice, site} {
		if got := serve(i, r); got.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d", r.Header, got.StatusCode)
		}
	}
}

// TestNoOtherOriginIsInvited: not one CORS header, preflights are refused, and
// nothing may be cached, sniffed or embedded.
func TestNoOtherOriginIsInvited(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	preflight := httptest.NewRequest(http.MethodOptions, clerkdev.SignInPath, nil)
	preflight.Host = "localhost:4180"
	preflight.Header.Set("Access-Control-Request-Method", "POST")
	for _, r := range []*http.Request{
		get(clerkdev.JWKSPath), get(clerkdev.SignInPath), get(clerkdev.TokenPath + "?user=ada"), get("/__clerk/x"),
		form(clerkdev.SignOutPath), preflight,
	} {
		r.Header.Set("Origin", "http://evil.example")
		got := serve(i, r)
		for name := range got.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s: %s", r.Method, r.URL, name)
			}
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if value := got.Header.Get(name); value != want {
				t.Errorf("%s %s: %s: %q", r.Method, r.URL, name, value)
			}
		}
	}
	if got := serve(i, preflight); got.StatusCode != http.StatusForbidden {
		t.Errorf("preflight: %d", got.StatusCode)
	}
}

func TestOriginOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host string
		tls  bool
		want string
	}{
		{"localhost:4180", false, "http://localhost:4180"}, {"LocalHost:4180", true, "https://localhost:4180"},
		{"localhost:80", false, "http://localhost"}, {"localhost:443", true, "https://localhost"},
		{"localhost:443", false, "http://localhost:443"}, {"[::1]:80", false, "http://[::1]"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = c.host
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-Host", "evil.example")
		if got := clerkdev.OriginOf(r); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestThreatRedirect: RD-01, 02, 03, 05, 06.
func TestThreatRedirect(t *testing.T) {
	t.Parallel()
	for _, fine := range []string{
		"/", "/a", "/a/b?c=d&e=%20#f", "/zo%C3%AB", "/a//b", "/?x=http://evil.example/", "/.//evil.example", "/a%", "/%zz", "/a%2fb",
		app + "/", app + "/a?b#c",
	} {
		if got := clerkdev.Here(fine, app); got != fine {
			t.Errorf("%q became %q", fine, got)
		}
	}
	for _, foul := range []string{
		"", "a", "a/b", "?x", "#x", " /", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "\\\\evil.example",
		"/\t/evil.example", "/\n/evil.example", "/ /evil.example", "\t//evil.example", "/a\r\nX: y", "/a\x00", "/a\x7f", "/a\u0085",
		"/%2f%2fevil.example", "/%2fevil.example", "/%5cevil.example", "/%255cevil.example", "/%252fevil.example", "/%09/evil.example",
		"/%0d%0aX:y", "/./\\evil.example", "/a\\b", "%2f", "%2fa",
		"http://evil.example", "https://localhost:4180/", "http:evil.example", "http:/evil.example", "javascript:alert(1)", "data:,x",
		app, app + ".evil.example/", app + "@evil.example/", app + "%40evil.example/", app + "\\@evil.example", app + "0/", app + "?x", app + "#x",
		app + "//evil.example", "HTTP://localhost:4180/",
	} {
		if got := clerkdev.Here(foul, app); got != "/" {
			t.Errorf("%q became %q", foul, got)
		}
	}
}

func TestRegistrable(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"localhost:4180": "localhost", "Localhost": "localhost", "app.localhost:1": "app.localhost", "a.b.localhost": "b.localhost",
		"127.0.0.1:4180": "", "127.0.0.1": "", "[::1]:4180": "", "[::1]": "",
	} {
		if got := clerkdev.Registrable(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
