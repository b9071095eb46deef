package headers_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/manageros/authproxy/headers"
)

func peers(prefixes ...string) *headers.Peers {
	var out []netip.Prefix
	for _, p := range prefixes {
		out = append(out, netip.MustParsePrefix(p))
	}
	return headers.NewPeers(out)
}

func TestResolveClient(t *testing.T) {
	t.Parallel()
	p := peers("10.0.0.0/8", "fd00::/8", "fe80::/10")
	for _, c := range []struct {
		name, remote string
		lines        []string
		want         string
	}{
		{"untrusted peer", "203.0.113.9:1234", []string{"198.51.100.1"}, "203.0.113.9"},
		{"trusted peer says nothing", "10.0.0.1:1234", nil, "10.0.0.1"},
		{"one hop", "10.0.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"what the client made up is left of it", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"two hops", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1,10.0.0.2"}, "198.51.100.1"},
		{"over field lines", "10.0.0.1:1", []string{"1.1.1.1", "198.51.100.1 , 10.0.0.3", "10.0.0.2"}, "198.51.100.1"},
		{"only our own proxies", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.1"},
		{"malformed", "10.0.0.1:1", []string{"198.51.100.1, evil"}, "10.0.0.1"},
		{"malformed behind a trusted hop", "10.0.0.1:1", []string{"198.51.100.1, evil, 10.0.0.2"}, "10.0.0.2"},
		{"malformed left of the client", "10.0.0.1:1", []string{"evil, 198.51.100.1"}, "198.51.100.1"},
		{"empty element", "10.0.0.1:1", []string{"198.51.100.1,,10.0.0.2"}, "10.0.0.2"},
		{"empty line", "10.0.0.1:1", []string{"198.51.100.1", ""}, "10.0.0.1"},
		{"unknown", "10.0.0.1:1", []string{"unknown"}, "10.0.0.1"},
		{"octal", "10.0.0.1:1", []string{"010.0.0.1"}, "10.0.0.1"},
		{"with a port", "10.0.0.1:1", []string{"198.51.100.1:99"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 in brackets", "10.0.0.1:1", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv6 with a port", "10.0.0.1:1", []string{"[2001:db8::7]:99"}, "2001:db8::7"},
		{"half a bracket", "10.0.0.1:1", []string{"2001:db8::7]"}, "10.0.0.1"},
		{"mapped element", "10.0.0.1:1", []string{"1.1.1.1, ::ffff:198.51.100.1, ::ffff:10.0.0.2"}, "198.51.100.1"},
		{"mapped peer", "[::ffff:10.0.0.1]:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"mapped untrusted peer", "[::ffff:203.0.113.9]:1", []string{"198.51.100.1"}, "203.0.113.9"},
		{"zoned peer", "[fe80::1%eth0]:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"zoned element", "10.0.0.1:1", []string{"198.51.100.1, fe80::2%eth1"}, "198.51.100.1"},
		{"zone of the client is not passed on", "10.0.0.1:1", []string{"2001:db8::7%a b"}, "2001:db8::7"},
		{"peer without a port", "10.0.0.1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"unix socket", "@", []string{"198.51.100.1"}, "invalid IP"},
		{"unix socket with a path", "/run/x.sock", []string{"198.51.100.1"}, "invalid IP"},
		{"nothing", "", []string{"198.51.100.1"}, "invalid IP"},
	} {
		hop := p.Resolve(c.remote, http.Header{"X-Forwarded-For": c.lines})
		if hop.Client.String() != c.want {
			t.Errorf("%s: client %v, want %s", c.name, hop.Client, c.want)
		}
	}
}

func TestResolveTrust(t *testing.T) {
	t.Parallel()
	h := http.Header{
		"X-Forwarded-Host": {"evil.example, first.example", " second.example , app.example.com:8443"}, "X-Forwarded-Proto": {"http,HTTPS"},
		"X-Forwarded-Prefix": {"/app"}, "X-Request-Id": {"id-1"},
	}
	full := headers.Hop{Trusted: true, Host: "app.example.com:8443", Proto: "https", Prefix: "/app", RequestID: "id-1"}
	for _, c := range []struct {
		remote  string
		trusted []string
		want    bool
	}{
		{"10.0.0.1:1", []string{"10.0.0.0/8"}, true},
		{"10.0.0.1:1", []string{"10.9.9.9/8"}, true}, // host bits set
		{"11.0.0.1:1", []string{"10.0.0.0/8"}, false},
		{"10.0.0.1:1", nil, false},
		{"10.0.0.1:1", []string{"::/0"}, false}, // says nothing about IPv4
		{"10.0.0.1:1", []string{"::ffff:10.0.0.0/104"}, true},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:10.0.0.0/104"}, true},
		{"[::1]:1", []string{"::ffff:0:0/80"}, true}, // wider than the mapped addresses: IPv6
		{"@", []string{"0.0.0.0/0", "::/0"}, false},
		{"", []string{"0.0.0.0/0", "::/0"}, false},
	} {
		hop := peers(c.trusted...).Resolve(c.remote, h)
		want := headers.Hop{Client: hop.Client}
		if c.want {
			want = full
			want.Client = hop.Client
		}
		if hop != want {
			t.Errorf("%s by %v: %+v, want %+v", c.remote, c.trusted, hop, want)
		}
	}
}

func TestResolveMalformed(t *testing.T) {
	t.Parallel()
	p := peers("10.0.0.0/8")
	for _, c := range []struct {
		field string
		get   func(headers.Hop) string
		good  map[string]string
		bad   []string
	}{
		{"X-Forwarded-Host", func(h headers.Hop) string { return h.Host },
			map[string]string{"a.example": "a.example", "A.example:1": "A.example:1", "[::1]:80": "[::1]:80", "x,b": "b", "a, b@c": "b@c", "a/b": "a/b", "a,": "a,"},
			[]string{""}},
		{"X-Forwarded-Proto", func(h headers.Hop) string { return h.Proto },
			map[string]string{"http": "http", "HTTPS": "https", "wss": "https", "ws": "http", "http,https": "https"},
			[]string{"", "ftp", "https:", "https http", "https,", "javascript"}},
		{"X-Forwarded-Prefix", func(h headers.Hop) string { return h.Prefix },
			map[string]string{"/": "/", "/app": "/app", "/a/b-1/": "/a/b-1/", "/.well-known": "/.well-known"},
			[]string{"", "app", "//evil.com", "https://evil.com", "/a//b", `/\evil.com`, "/a\r\nb", "/a b", "/../..", "/a/./b", "/a/..",
				"/%2f%2fevil.com", "/a?b", "/a#b", "/a, //evil.com", "/ä", "/a\"", "/<"}},
		{"X-Request-Id", func(h headers.Hop) string { return h.RequestID },
			map[string]string{"a": "a", "A-z_0.9": "A-z_0.9", strings.Repeat("a", 128): strings.Repeat("a", 128)},
			[]string{"", "a b", "a,b", "ä", "a\n", "<a>", strings.Repeat("a", 129)}},
	} {
		for value, want := range c.good {
			if got := c.get(p.Resolve("10.0.0.1:1", http.Header{c.field: {value}})); got != want {
				t.Errorf("%s: %q is %q, want %q", c.field, value, got, want)
			}
		}
		for _, value := range c.bad {
			if got := c.get(p.Resolve("10.0.0.1:1", http.Header{c.field: {value}})); got != "" {
				t.Errorf("%s: %q is %q, want nothing", c.field, value, got)
			}
		}
	}
	if headers.ValidRequestID("") {
		t.Error("an empty id is valid")
	}
	// Two prefixes or ids cannot both be meant.
	hop := p.Resolve("10.0.0.1:1", http.Header{"X-Forwarded-Prefix": {"/a", "/b"}, "X-Request-Id": {"a", "b"}})
	if hop.Prefix != "" || hop.RequestID != "" {
		t.Errorf("%+v", hop)
	}
}
