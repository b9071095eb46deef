package threats_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

// named sends requests that name a host, to a protected path with a session
// and to a public one with none, and expects a status of each.
func named(protectedStatus, publicStatus []int, hosts ...string) func(*testing.T) {
	return func(t *testing.T) {
		for _, p := range []protocol{http1(), http2()} {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{})
				for _, h := range hosts {
					t.Run(h, func(t *testing.T) {
						addressed(t, g, p, call{host: h, lines: []string{cookie(ordinary())}}, protectedStatus)
						addressed(t, g, p, call{host: h, target: "/public/x"}, publicStatus)
					})
				}
			})
		}
	}
}

func addressed(t *testing.T, g *rig, p protocol, c call, statuses []int) {
	t.Helper()
	got := p.send(t, g, c)
	requests := g.fresh(t)
	if got.status == 0 && p.name == "HTTP2" { // a reset stream is HTTP/2 for 400
		got.status = 400
	}
	if !slices.Contains(statuses, got.status) || (got.status == 200) != (len(requests) == 1) {
		t.Errorf("%s: status %d %s, want one of %d; %d requests at the upstream", c.defaults().target, got.status, got.reason, statuses, len(requests))
	}
	for _, r := range requests {
		if c.target == "" && !strings.EqualFold(strings.TrimSuffix(r.Get("Host"), ":443"), host) {
			t.Errorf("the upstream got the host %q", r.Get("Host"))
		}
		if len(r.Readable("X-Forwarded-Host")) != 1 || r.Get("X-Forwarded-Host") != r.Get("Host") {
			t.Errorf("X-Forwarded-Host %q, Host %q", r.Get("X-Forwarded-Host"), r.Get("Host"))
		}
	}
}

func hostThreats() []threat {
	ok, misdirected, bad := []int{200}, []int{421}, []int{400}
	return []threat{
		{"PATH-29", named(ok, ok, "APP.EXAMPLE.COM", "App.Example.Com")},
		{"PATH-30", func(t *testing.T) {
			t.Run("same", named(ok, ok, "app.example.com:443", "APP.example.com:443"))
			t.Run("other", named(misdirected, ok, "app.example.com.", "app.example.com:444", "app.example.com:80", "[::1]", "127.0.0.1", "evil.example", "app.example.com.evil.example", "xapp.example.com"))
			t.Run("malformed", named(bad, bad, "app.example.com:", "app.example.com:0443", "app.example.com:00443", "app.example.com:443443", "app.example.com:+443", "app.example.com:x", ":443", "app.example.com:443:443"))
		}},
		{"PATH-31", named(bad, bad, "app.example.com,evil.example", "app.example.com/evil", "app.example.com?x", "app.example.com#x", `app.example.com\evil`, "u@app.example.com",
			"app.example.com@evil.example", "app.example.com evil.example", "app.example.com;x", "app.example.com%2f", "app.example.com%00", "app.example.com'", "{app}", "app..example.com", "..")},
		{"PATH-32", func(t *testing.T) {
			t.Run("punycode", named(misdirected, ok, "xn--example-.com", "xn--app-.example.com"))
			t.Run("not ASCII", named(bad, bad, "app．example.com", "äpp.example.com", "ａpp.example.com", "app。example.com", "\xffapp.example.com"))
		}},
		{"PATH-33", named(bad, bad, "[evil.com]", "[::1%25.example.com]:80", "[::1%eth0]", "[::1", "::1", "[]", "[::1]x", "[127.0.0.1]", "[app.example.com]:443")},
	}
}

func methodThreats() []threat {
	return []threat{{"PATH-26", testMethods}, {"PATH-27", testSpecialMethods}}
}

// A method is what it says, byte for byte; one that nobody knows is protected
// like all others, and no header changes it.
func testMethods(t *testing.T) {
	for _, p := range []protocol{http1(), http2()} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			for _, method := range []string{"get", "Get", "GETT", "PROPFIND", "G%45T", "DELETE", "PATCH", "QUERY", strings.Repeat("M", 200), "PRIX", "M-SEARCH", "options", "trace"} {
				c := call{method: method}
				if got := p.send(t, g, c); got.status != 401 || len(g.fresh(t)) > 0 {
					t.Errorf("%s without a session: status %d", method, got.status)
				}
				got := p.send(t, g, c.with(bearer(ordinary()), "X-HTTP-Method-Override: "+forged, "Content-Length: 0"))
				requests := g.fresh(t)
				if got.status != 200 || len(requests) != 1 || requests[0].Method != method {
					t.Errorf("%s: status %d %s, %d requests at the upstream", method, got.status, got.reason, len(requests))
					continue
				}
				carries(t, requests[0], signedIn())
			}
			for _, override := range []string{"X-HTTP-Method-Override: OPTIONS", "X-HTTP-Method: OPTIONS", "X-Method-Override: OPTIONS"} {
				if got := p.send(t, g, call{method: "POST"}.with(override, "Origin: https://app.example.com", "Access-Control-Request-Method: PUT", "Content-Length: 0")); got.status != 401 {
					t.Errorf("%s: status %d", override, got.status)
				}
			}
			if n := len(g.fresh(t)); n > 0 {
				t.Errorf("%d requests at the upstream", n)
			}
		})
	}
}

func testSpecialMethods(t *testing.T) {
	session := cookie(ordinary())
	for name, c := range map[string]struct {
		protocols []protocol
		call      call
		status    []int
		upstream  int
	}{
		"OPTIONS *":               {[]protocol{http1(), http2()}, call{method: "OPTIONS", target: "*"}, []int{400}, 0},
		"OPTIONS * with session":  {[]protocol{http1(), http2()}, call{method: "OPTIONS", target: "*", lines: []string{session}}, []int{400}, 0},
		"HEAD without":            {[]protocol{http1(), http2()}, call{method: "HEAD", target: "/admin"}, []int{401}, 0},
		"HEAD with":               {[]protocol{http1(), http2()}, call{method: "HEAD", target: "/admin", lines: []string{session}}, []int{200}, 1},
		"TRACE":                   {[]protocol{http1(), http2()}, call{method: "TRACE", target: "/admin", lines: []string{session}}, []int{405}, 0},
		"TRACE public":            {[]protocol{http1(), http2()}, call{method: "TRACE", target: "/public/x"}, []int{405}, 0},
		"TRACK public":            {[]protocol{http1(), http2()}, call{method: "TRACK", target: "/public/x"}, []int{405}, 0},
		"CONNECT authority":       {[]protocol{http1()}, call{method: "CONNECT", target: "evil.example:443", lines: []string{session}}, []int{405, 400}, 0},
		"CONNECT path":            {[]protocol{http1()}, call{method: "CONNECT", target: "/public/x", lines: []string{session}}, []int{405, 400}, 0},
		"CONNECT ours":            {[]protocol{http1()}, call{method: "CONNECT", target: host + ":443", host: host + ":443"}, []int{405, 400}, 0},
		"PRI":                     {[]protocol{http1()}, call{method: "PRI", target: "*", lines: []string{session}}, []int{400, 405}, 0},
		"TRACE reserved":          {[]protocol{http1(), http2()}, call{method: "TRACE", target: "/_authproxy/whoami", lines: []string{session}}, []int{405}, 0},
		"CONNECT with a path, h2": {[]protocol{http2()}, call{method: "CONNECT", target: "/public/x"}, []int{0, 400, 405}, 0},
	} {
		for _, p := range c.protocols {
			t.Run(name+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{})
				got := p.send(t, g, c.call)
				if n := len(g.fresh(t)); !slices.Contains(c.status, got.status) || n != c.upstream {
					t.Errorf("status %d %s, want one of %d; %d requests at the upstream", got.status, got.reason, c.status, n)
				}
				if strings.Contains(got.body, "eyJ") {
					t.Error("the answer repeats the token")
				}
			})
		}
	}
	t.Run("CONNECT with DATA", testConnectData)
}

// What follows an HTTP/2 CONNECT must not reach the upstream, where it would be
// a request of its own.
func testConnectData(t *testing.T) {
	for name, fields := range map[string][]wiretest.Field{
		"plain":     {{Name: ":method", Value: "CONNECT"}, {Name: ":authority", Value: host}},
		"extended":  {{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/public/x"}, {Name: ":authority", Value: host}},
		"with path": {{Name: ":method", Value: "CONNECT"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: "/"}, {Name: ":authority", Value: host}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			client := g.dialH2(t)
			client.Headers(1, false, append(fields, wiretest.Field{Name: "cookie", Value: strings.TrimPrefix(cookie(ordinary()), "Cookie: ")})...)
			client.Data(1, true, call{target: "/admin", lines: spelled("-")}.raw())
			got := h2Answer(t, client.Wait(1))
			client.Close()
			if c := g.connections(); len(c) > 0 && len(c[0].Bytes) > 0 || got.status < 400 && got.status != 0 {
				t.Errorf("status %d; the upstream got %+v", got.status, c)
			}
		})
	}
}
