package route_test

import (
	"testing"

	"github.com/manageros/authproxy/internal/route"
)

func TestParseHost(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"app.example.com":      "app.example.com",
		"APP.Example.com":      "app.example.com", // PATH-29
		"app.example.com:8443": "app.example.com:8443",
		"my_service":           "my_service",
		"10.0.0.1:80":          "10.0.0.1:80",
		"[::1]:8080":           "[::1]:8080",
		"[2001:DB8::1]":        "[2001:db8::1]",
		"app.example.com.":     "app.example.com.", // another name; it matches no origin
		"xn--mller-kva.de":     "xn--mller-kva.de",
	} {
		if got, err := route.ParseHost(in); err != nil || got.String() != want {
			t.Errorf("ParseHost(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ":80", "a:", "a:0", "a:0443", "a:65536", "a:+80", "a:-1", "a:8x", // PATH-30
		"a,b", "a/evil", "a?x", "a#x", `a\evil`, "u@a", "a b", "a\tb", "a%20b", // PATH-31
		"Müller.de", "a．b", ".a", "a..b", // PATH-32
		"[evil.com]", "[::1%25.example.com]:80", "[::1%eth0]", "[::1", "::1", "[]", "[1.2.3.4]", "[::1]x", // PATH-33
	} {
		if got, err := route.ParseHost(in); err == nil {
			t.Errorf("ParseHost(%q) = %q, accepted", in, got)
		}
	}
}

func TestHostIs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		host, scheme, origin string
		want                 bool
	}{
		{"app.example.com", "https", "app.example.com", true},
		{"app.example.com:443", "https", "app.example.com", true},
		{"app.example.com:80", "https", "app.example.com", false},
		{"app.example.com:80", "http", "app.example.com", true},
		{"app.example.com:8443", "https", "app.example.com:8443", true},
		{"app.example.com", "https", "app.example.com:8443", false},
		{"app.example.com.", "https", "app.example.com", false},
		{"evil.com", "https", "app.example.com", false},
	} {
		h, err := route.ParseHost(tt.host)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Is(tt.scheme, tt.origin); got != tt.want {
			t.Errorf("%s is %s://%s: %v, want %v", tt.host, tt.scheme, tt.origin, got, tt.want)
		}
	}
	for in, want := range map[string]string{"a:443": "a", "a:80": "a:80", "a": "a"} {
		if h, _ := route.ParseHost(in); h.Origin("https") != want {
			t.Errorf("origin of %s is %s, want %s", in, h.Origin("https"), want)
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"a", "a:80", "[::1]:80", "u@a", "a,b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := route.ParseHost(s)
		if err != nil {
			return
		}
		if again, err := route.ParseHost(h.String()); err != nil || again != h {
			t.Errorf("%q reads as %q, and that as %q, %v", s, h, again, err)
		}
	})
}
