package threats_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

func websocketThreats() []threat {
	return []threat{
		{"WS-01", testNoTunnelWithout101},
		{"WS-02", testUnasked101},
		{"WS-03", testEarlyBytes},
		{"WS-04", testCrossOriginUpgrades},
		{"WS-05", func(t *testing.T) {
			g := start(t, setup{})
			for name, lines := range map[string][]string{"nothing": nil, "bad bearer": {bearer("a.b.c")}, "bad cookie": {cookie("a.b.c")}, "expired": {bearer(mint(map[string]any{"exp": noon.Unix() - 60}))}} {
				for _, path := range []string{"/app", "/ws", "/socket.io/?EIO=4", "/cable"} {
					got := sendHTTP1(t, g, call{target: path, lines: append(lines, "Connection: Upgrade", upgrade, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x")})
					if n := len(g.fresh(t)); got.status != 401 || n > 0 {
						t.Errorf("%s on %s: status %d, %d requests at the upstream", name, path, got.status, n)
					}
				}
			}
		}},
		{"WS-06", func(t *testing.T) {
			everywhere(t, lines{name: "list", lines: []string{"Connection: Upgrade, X-Auth-Role, X-Auth-User-Id, X-Auth-Status, Cookie"}, http1: true},
				lines{name: "second list", lines: append(spelled("_"), "Connection: x-auth-role, X_Auth_Role"), http1: true})
		}},
	}
}

// After a refusal the connection speaks HTTP again, whoever refused.
func testNoTunnelWithout101(t *testing.T) {
	for _, status := range []string{"200 OK", "403 Forbidden", "426 Upgrade Required", "302 Found"} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprint(status, together), func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{answer: func(*wiretest.Request) wiretest.Reply {
					return wiretest.Reply{Bytes: "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"}
				}})
				client := g.dial(t)
				first := call{target: "/public/x", lines: []string{"Connection: Upgrade", upgrade}}.raw()
				if together {
					client.Send(first + inner())
				} else {
					client.Send(first)
				}
				if r := client.Response("GET"); r == nil || !strings.HasPrefix(status, fmt.Sprint(r.Status)) {
					t.Fatalf("got %+v", r)
				}
				if !together {
					client.Send(inner())
				}
				if r := client.Response("GET"); r != nil && r.Status != 401 {
					t.Errorf("what follows was answered with %+v", r)
				}
				inStep(t, g.connections(), []int{1})
			})
		}
	}
}

// A 101 that nobody asked for, or to something else, is the upstream's fault.
func testUnasked101(t *testing.T) {
	websocket, plain := []string{"Connection: Upgrade", upgrade}, []string(nil)
	for name, c := range map[string]struct {
		lines []string
		bytes string
	}{
		"unasked":              {plain, switching},
		"unasked with bytes":   {plain, switching + wiretest.OK},
		"another protocol":     {websocket, strings.ReplaceAll(switching, "websocket", "h2c")},
		"several protocols":    {websocket, strings.ReplaceAll(switching, "websocket", "websocket, h2c")},
		"no protocol":          {websocket, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"},
		"asked for h2c":        {[]string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"}, strings.ReplaceAll(switching, "websocket", "h2c")},
		"asked without saying": {[]string{upgrade}, switching},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{answer: func(r *wiretest.Request) wiretest.Reply {
				if r.Path() == "/public/y" {
					return wiretest.Reply{}
				}
				return wiretest.Reply{Tunnel: true, Bytes: c.bytes}
			}})
			client := g.dial(t)
			client.Send(call{target: "/public/x", lines: c.lines}.raw())
			if r := client.Response("GET"); r == nil || r.Status != 502 {
				t.Fatalf("got %+v, want 502", r)
			}
			client.Send(inner())
			client.HalfClose()
			client.End()
			for _, conn := range g.connections() {
				if len(conn.Tunnel) > 0 {
					t.Errorf("the tunnel carried %q", conn.Tunnel)
				}
			}
			if got := sendHTTP1(t, g, call{target: "/public/y"}); got.status != 200 || got.body != "ok" {
				t.Errorf("the next client got %d %q", got.status, got.body)
			}
		})
	}
	for _, p := range []protocol{http2()} {
		t.Run("unasked, "+p.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{answer: func(*wiretest.Request) wiretest.Reply { return wiretest.Reply{Tunnel: true, Bytes: switching} }})
			if got := p.send(t, g, call{target: "/public/x"}); got.status != 502 {
				t.Errorf("status %d", got.status)
			}
		})
	}
	t.Run("frames behind the 101", func(t *testing.T) {
		t.Parallel()
		g := start(t, setup{answer: func(*wiretest.Request) wiretest.Reply {
			return wiretest.Reply{Tunnel: true, Bytes: switching + "hello"}
		}})
		client := g.dial(t)
		client.Send(call{target: "/public/x", lines: websocket}.raw())
		if r := client.Response("GET"); r == nil || r.Status != 101 {
			t.Fatalf("got %+v", r)
		}
		if got := client.Read(5); got != "hello" {
			t.Errorf("the tunnel began with %q", got)
		}
	})
}

// What the client sends before the upstream agreed waits, and goes into the
// tunnel or nowhere.
func testEarlyBytes(t *testing.T) {
	for name, agreed := range map[string]bool{"agreed": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decided := make(chan struct{})
			g := start(t, setup{answer: func(r *wiretest.Request) wiretest.Reply {
				switch {
				case !r.Has("Upgrade"):
					return wiretest.Reply{}
				case agreed:
					return wiretest.Reply{After: decided, Tunnel: true, Bytes: switching}
				default:
					return wiretest.Reply{After: decided, Bytes: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"}
				}
			}})
			client := g.dial(t)
			client.Send(call{target: "/public/x", lines: []string{"Connection: Upgrade", upgrade}}.raw() + inner())
			g.upstream.Await("the request for an upgrade", func(all []wiretest.Connection) bool { return len(all) == 1 && len(all[0].Requests) == 1 })
			// Another client's request has come and gone meanwhile: time enough
			// for early bytes to be on their way.
			if got := sendHTTP1(t, g, call{target: "/public/y"}); got.status != 200 {
				t.Errorf("status %d meanwhile", got.status)
			}
			if c := g.upstream.Snapshot()[0]; len(c.Tunnel) > 0 || len(c.Leftover) > 0 {
				t.Errorf("before the upstream agreed it got %q%q", c.Tunnel, c.Leftover)
			}
			close(decided)
			r := client.Response("GET")
			if agreed {
				if r.Status != 101 || client.Read(len(inner())) != inner() {
					t.Errorf("status %d, or the early bytes are lost", r.Status)
				}
				client.Finish()
				return
			}
			if next := client.Response("GET"); r.Status != 403 || next != nil && next.Status != 401 {
				t.Errorf("got %+v and then %+v", r, next)
			}
			inStep(t, g.connections(), []int{2})
		})
	}
}

// A cookie upgrades only for our own pages; a bearer is nobody's by accident.
func testCrossOriginUpgrades(t *testing.T) {
	g := start(t, setup{})
	for _, c := range []struct {
		lines  []string
		passes bool
	}{
		{[]string{"Origin: " + minttest.App}, true},
		{[]string{"Origin: " + minttest.App, "Sec-Fetch-Site: same-origin"}, true},
		{[]string{"Sec-Fetch-Site: none"}, true},
		{nil, true}, // not a browser
		{[]string{"Origin: https://evil.example"}, false},
		{[]string{"Origin: null"}, false},
		{[]string{"Origin: "}, false},
		{[]string{"Origin: http://" + host}, false},
		{[]string{"Origin: " + minttest.App + ".evil.example"}, false},
		{[]string{"Origin: " + minttest.App + ":444"}, false},
		{[]string{"Origin: HTTPS://APP.EXAMPLE.COM"}, false},
		{[]string{"Origin: https://evil.app.example.com"}, false},
		{[]string{"Origin: " + minttest.App, "Origin: https://evil.example"}, false},
		{[]string{"Origin: https://evil.example", "Origin: " + minttest.App}, false},
		{[]string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, false},
		{[]string{"Origin: https://evil.example", "Sec-Fetch-Site: same-site"}, false},
		{[]string{"Sec-Fetch-Site: cross-site"}, false},
		{[]string{"Sec-Fetch-Site: same-site"}, false},
	} {
		for _, credential := range []string{cookie(ordinary()), bearer(ordinary())} {
			passes := c.passes || strings.HasPrefix(credential, "Authorization")
			got := sendHTTP1(t, g, call{lines: append([]string{credential, "Connection: Upgrade", upgrade}, c.lines...)})
			n := len(g.fresh(t))
			if passes && (got.status != 101 || n != 1) || !passes && (got.status != 403 || got.reason != "cross-origin" || n != 0) {
				t.Errorf("%.13s with %q: status %d %s, %d requests at the upstream", credential, c.lines, got.status, got.reason, n)
			}
		}
	}
}
