package route_test

import (
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/route"
)

func TestCheckPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path, query string
		ok                bool
	}{
		{"root", "/", "", true},
		{"ordinary", "/a/b.css", "x=1&y=%zz;z", true},
		{"trailing slash", "/a/", "", true},
		{"dots in names", "/a/..b/c..d/...", "", true},
		{"escaped non-ASCII", "/M%C3%BCller", "", true},
		{"raw non-ASCII", "/Müller", "", true},
		{"escaped slash", "/a%2Fb", "", true},
		{"empty segment", "//a//b", "", true},
		{"parameter", "/a;b", "", true},
		{"escaped percent", "/a%252e%252e/b", "", true},
		{"number sign", "/a#b", "", true},
		{"escaped space", "/a%20b", "", true},

		{"empty", "", "", false},
		{"PATH-22 absolute form", "http://evil/admin", "", false},
		{"PATH-22 asterisk", "*", "", false},
		{"PATH-22 no slash", "admin", "", false},
		{"PATH-04 dot segment", "/public/../admin", "", false},
		{"PATH-05 escaped dots", "/public/%2e%2e/admin", "", false},
		{"PATH-05 half escaped", "/public/.%2E/admin", "", false},
		{"PATH-06 dots before an escaped slash", "/public/..%2fadmin", "", false},
		{"PATH-06 dots between escaped slashes", "/public%2F..%2Fadmin", "", false},
		{"single dot", "/a/./b", "", false},
		{"dot at the end", "/admin/.", "", false},
		{"dots at the end", "/a/..", "", false},
		{"PATH-13 NUL", "/admin%00.png", "", false},
		{"escaped newline", "/a%0ab", "", false},
		{"escaped C1 control", "/a%C2%85b", "", false},
		{"PATH-24 raw tab", "/a\tb", "", false},
		{"PATH-24 raw DEL", "/a\x7fb", "", false},
		{"PATH-24 raw space", "/a b", "", false},
		{"backslash", `/a\b`, "", false},
		{"escaped backslash", "/a%5cb", "", false},
		{"PATH-23 overlong dot", "/%c0%ae%c0%ae/x", "", false},
		{"PATH-23 invalid UTF-8", "/a%ff", "", false},
		{"raw invalid UTF-8", "/a\xff", "", false},
		{"escape cut short", "/a%2", "", false},
		{"escape of nothing", "/a%", "", false},
		{"escape of no hex", "/a%zz", "", false},
		{"control in the query", "/a", "x=\x01", false},
		{"newline in the query", "/a", "x=\n", false},
		{"space in the query", "/a", "x= ", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := route.CheckPath(tt.path, tt.query)
			if (err == nil) != tt.ok {
				t.Errorf("CheckPath(%q, %q) = %v, want ok %v", tt.path, tt.query, err, tt.ok)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	table, err := route.Parse([]string{"/healthz", "/static/*", "/öffentlich/*", "/a b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path string
		want authproxy.Route
	}{
		{"/healthz", authproxy.RoutePublic},
		{"/static/", authproxy.RoutePublic},
		{"/static/a/b.css", authproxy.RoutePublic},
		{"/static/M%C3%BCller%20.css", authproxy.RoutePublic},
		{"/%C3%B6ffentlich/x", authproxy.RoutePublic},
		{"/a%20b", authproxy.RoutePublic},

		{"/", authproxy.RouteDefault},
		{"/static", authproxy.RouteDefault},              // PATH-16
		{"/staticadmin", authproxy.RouteDefault},         // PATH-16
		{"/static%2fadmin", authproxy.RouteDefault},      // PATH-16
		{"/healthz/", authproxy.RouteDefault},            // PATH-15
		{"/healthz/x", authproxy.RouteDefault},           // PATH-15
		{"/healthz%20", authproxy.RouteDefault},          // PATH-15
		{"/HEALTHZ", authproxy.RouteDefault},             // paths are case-sensitive
		{"/static/a%2Fb", authproxy.RouteDefault},        // PATH-07
		{"/static/a%2fb", authproxy.RouteDefault},        // PATH-07
		{"/static/%252e%252e/x", authproxy.RouteDefault}, // PATH-11
		{"/static/%25%32%65", authproxy.RouteDefault},    // PATH-11
		{"/static/..;/admin", authproxy.RouteDefault},    // PATH-12
		{"/static/a;b", authproxy.RouteDefault},          // PATH-12
		{"/static/a%3Bb", authproxy.RouteDefault},
		{"/static/a%3fb", authproxy.RouteDefault},
		{"/static/a%23b", authproxy.RouteDefault},
		{"/static/a#b", authproxy.RouteDefault},
		{"/static/a%5Cb", authproxy.RouteDefault},
		{"//static/a", authproxy.RouteDefault},
		{"/static//a", authproxy.RouteDefault},
		{"/st%61tic/a", authproxy.RouteDefault}, // an escape nobody needs
		{"/static/%7e", authproxy.RouteDefault},
		{"/öffentlich/x", authproxy.RouteDefault}, // raw non-ASCII in the request
		{"/static/%", authproxy.RouteDefault},
		{"/static/．．／admin", authproxy.RouteDefault}, // PATH-23

		{"/_authproxy/whoami", authproxy.RouteReserved},
		{"/_authproxy/", authproxy.RouteReserved},
		{"/_authproxy", authproxy.RouteReserved},
		{"//_authproxy/x", authproxy.RouteReserved},
		{"/%5Fauthproxy/x", authproxy.RouteReserved},
		{"/_AUTHPROXY/x", authproxy.RouteReserved},
		{"/_authproxy%2Fx", authproxy.RouteReserved},
		{"/_authproxy;x=1/whoami", authproxy.RouteReserved},
		{"/_authproxy%3bx/whoami", authproxy.RouteReserved},
		{"/_authproxy%20/whoami", authproxy.RouteReserved},
		{"/_authproxyx", authproxy.RouteDefault},
		{"/x/_authproxy/", authproxy.RouteDefault},
	} {
		if got := table.Match(tt.path); got != tt.want {
			t.Errorf("Match(%q) = %s, want %s", tt.path, got, tt.want)
		}
	}
}

func TestParseRefusesPatterns(t *testing.T) {
	t.Parallel()
	for _, p := range []string{
		"", "static", "*", "/a*", "/*/b", "/a/**", "/a/*/", "/a%20b", "/a;b", "/a?b", "/a#b", "/a//b",
		"/a/../b", `/a\b`, "/a\x00", "/_authproxy/*", "/_authproxy/whoami", "/\xff",
	} {
		if _, err := route.Parse([]string{p}); err == nil {
			t.Errorf("Parse(%q) is accepted", p)
		}
	}
	_, err := route.Parse([]string{"/ok", "one", "/two*"})
	if err == nil || !strings.Contains(err.Error(), `"one"`) || !strings.Contains(err.Error(), `"/two*"`) {
		t.Errorf("not every mistake is reported: %v", err)
	}
	if table, err := route.Parse([]string{"/*"}); err != nil || table.Match("/") != authproxy.RoutePublic {
		t.Errorf("/* does not make everything public: %v", err)
	}
}

// FuzzPath holds the two rules to each other: what is public is well formed and
// reads the same to every decoder.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/static/x", "/static/%2e%2e/a", "/static/..;/a", "/%73tatic/", "/static/%C3%BC", "//static/x", `/static/\x`} {
		f.Add(s)
	}
	table, err := route.Parse([]string{"/static/*"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if route.CheckPath(path, "") != nil || table.Match(path) != authproxy.RoutePublic {
			return
		}
		for name, normalise := range normalisers() {
			if got := normalise(path); !strings.HasPrefix(got, "/static/") {
				t.Errorf("public %q is %q to %s", path, got, name)
			}
		}
	})
}
