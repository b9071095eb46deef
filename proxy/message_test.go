package proxy_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

// targets are what a client may send and what must then arrive: the same, or
// nothing at all ("").
var targets = map[string]bool{
	"/": true, "/a": true, "/a?": true, "/?": true, "/a?b": true, "/a?b?c": true, "/a?x=%zz;y&&": true,
	"/a%2fb%2F": true, "/a;b": true, "/a%00": true, "/..%2fb": true, "/./a/../b": true, "/a/": true, "/a//b": true,
	"//evil/x": true, "//": true, "///": true, "//evil:80/x?y": true, "//a%2fb": true, "//u@h/": true,
	"//a|b": false, `//a"b`: false, "//%zz": false, "/a|b": true, `/a"b`: true, "/a#b": true, "/a?b#c": true, "/é": true, "/\xff": true,
	"/a:b@c": true, "/:80": true, "/@evil": true, "/\\evil": true, "/%": false,
}

// TestThreatPATH25 (and PATH-06, PATH-12, SSRF-02): method, path and query arrive
// byte for byte as they were judged, or not at all.
func TestThreatPATH25(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), nil)
	var want []string
	for target, passes := range targets {
		client := p.dial()
		got := client.Exchange(get(target), "GET")[0]
		client.Close()
		if passes && got.Status == 200 {
			want = append(want, target)
		} else if passes || got.Status != 400 {
			t.Errorf("%q: %d", target, got.Status)
		}
	}
	for _, r := range up.Requests() {
		if len(want) == 0 || !targets[r.Target] || r.Get("Host") != "app.example.com" {
			t.Errorf("the upstream got %q for %q", r.Target, r.Get("Host"))
		}
		want = want[1:]
	}
	equal(t, "missing at the upstream", len(want), 0)
}

// TestThreatPATH22: what is no path is refused even when a Decider is careless.
func TestThreatPATH22(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider = decide(allow) })
	for _, raw := range []string{
		"GET http://evil/admin HTTP/1.1\r\nHost: app.example.com\r\n\r\n",
		"CONNECT evil:80 HTTP/1.1\r\nHost: evil:80\r\n\r\n",
		"CONNECT /x HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		method, _, _ := strings.Cut(raw, " ")
		c := p.dial()
		if got := c.Exchange(raw, method)[0].Status; got != 400 && got != 405 {
			t.Errorf("%q: %d", raw, got)
		}
		c.Close()
	}
	equal(t, "requests at the upstream", len(up.Requests()), 0)
	h2up := wiretest.NewUpstream(t, nil)
	p2 := start(t, secure, h2up.URL(), nil)
	for _, path := range []string{"http://evil/admin", "*", "/a b", "/a\tb", "/\x7f"} {
		c := p2.dialH2()
		s := c.Request("", pseudo("GET", path)...)
		if s.Status != "400" && !s.Refused() {
			t.Errorf("%q: %+v", path, s)
		}
		c.Close()
	}
	connect := p2.dialH2()
	s := connect.Request("GET /admin HTTP/1.1\r\nHost: x\r\n\r\n", wiretest.Field{Name: ":method", Value: "CONNECT"}, wiretest.Field{Name: ":authority", Value: "app.example.com"})
	if s.Status != "405" && !s.Refused() {
		t.Errorf("CONNECT: %+v", s)
	}
	connect.Close()
	equal(t, "requests at the upstream", len(h2up.Requests()), 0)
}

func pseudo(method, path string, more ...wiretest.Field) []wiretest.Field {
	return append([]wiretest.Field{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "app.example.com"}, {Name: ":path", Value: path},
	}, more...)
}

// TestThreatSMG16: exactly one 100-continue is an expectation, all else is
// refused whatever the Decider says.
func TestThreatSMG16(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider = decide(allow) })
	for _, lines := range [][]string{
		{"Expect: y 100-continue"}, {"Expect: 100-continue, 100-continue"}, {"Expect: 100-continue", "Expect: 100-continue"}, {"Expect: 100-continue;q"},
	} {
		c := p.dial()
		got := c.Exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"+joined(lines)+"\r\nabc", "POST")[0]
		c.Close()
		if got.Status != 400 && got.Status != 417 {
			t.Errorf("%q: %d", lines, got.Status)
		}
	}
	c := p.dial()
	equal(t, "without a body", c.Exchange(get("/", "Expect: 100-Continue"), "GET")[0].Status, 200)
	c.Close()
	requests := up.Requests()
	if len(requests) != 1 || requests[0].Has("Expect") {
		t.Errorf("%+v", requests)
	}
}

// TestThreatH205 (and H2-08): two lengths, or two hosts, are refused.
func TestThreatH205(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, secure, up.URL(), nil)
	for _, fields := range [][]wiretest.Field{
		{{Name: "content-length", Value: "3"}, {Name: "content-length", Value: "0"}},
		{{Name: "host", Value: "evil"}},
		{{Name: "host", Value: "app.example.com"}, {Name: "host", Value: "evil"}},
	} {
		c := p.dialH2()
		s := c.Request("abc", pseudo("POST", "/", fields...)...)
		if s.Status != "400" && !s.Refused() {
			t.Errorf("%v: %+v", fields, s)
		}
		c.Close()
	}
	equal(t, "requests at the upstream", len(up.Requests()), 0)
}

// TestThreatHDR25 (and HDR-26): no trailer of a request, announced or not, and
// no announcement.
func TestThreatHDR25(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), nil)
	c := p.dial()
	for _, announced := range []string{"Trailer: X-Org", "Trailer: x_org, X-Sum", "X-A: b"} {
		equal(t, "status", c.Exchange("POST / HTTP/1.1\r\nHost: h\r\n"+announced+"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Org: evil\r\nx_org: evil\r\n\r\n", "POST")[0].Status, 200)
	}
	c.Close()
	for _, r := range up.Requests() {
		if len(r.Trailers) > 0 || r.Has("Trailer") || len(r.Readable("X-Org")) > 0 {
			t.Errorf("%s", r.Raw)
		}
	}
}

// TestThreatHDR22 (and HDR-06, HDR-24, HDR-30): a Connection list cannot take
// away what is asserted, nor bring anything.
func TestThreatHDR22(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(signedIn(t)) })
	c := p.dial()
	c.Exchange(get("/", "Connection: X-Auth-User-Id, X-Org, X-Forwarded-For, X-Request-Id, Host", "X-Org: evil", "X_Auth_User_Id: evil",
		"Proxy-Connection: X-Auth-Status", "Proxy-Authorization: Basic x", "TE: gzip", "Proxy: http://evil"), "GET")
	c.Close()
	r := up.Requests()[0]
	if got := r.Readable("X-Auth-User-Id"); len(got) != 1 || got[0] != "user_1" {
		t.Errorf("readable as X-Auth-User-Id: %q", got)
	}
	for _, name := range []string{"X-Org", "Connection", "Proxy-Connection", "Proxy-Authorization", "TE", "Proxy"} {
		if r.Has(name) {
			t.Errorf("%s arrived", name)
		}
	}
	if r.Get("X-Forwarded-For") != "127.0.0.1" || r.Get("X-Request-Id") == "" || r.Get("Host") != "app.example.com" {
		t.Errorf("%s", r.Raw)
	}
}

// FuzzTarget: whatever target net/http accepts arrives unchanged or is refused.
func FuzzTarget(f *testing.F) {
	for target := range targets {
		f.Add(target)
	}
	handler := newHandler(f, allow)
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			return
		}
		got := handler.send(t, r)
		if got != "" && !strings.HasPrefix(got, "GET "+r.RequestURI+" HTTP/1.1\r\n") {
			t.Errorf("%q became %q", r.RequestURI, got)
		}
	})
}
