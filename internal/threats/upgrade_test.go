package threats_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

// Only to websocket may anybody upgrade. Everything else is forwarded as
// ordinary HTTP without a trace of the wish, and what follows it is the next
// request.
func testUpgradeToHTTP2(t *testing.T) {
	const settings = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
	for name, lines := range map[string][]string{
		"h2c":                     {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", settings},
		"only Upgrade":            {"Connection: Upgrade", "Upgrade: h2c", settings},
		"not in Connection":       {"Upgrade: h2c", settings},
		"capitals":                {"Connection: upgrade, http2-settings", "Upgrade: H2C", settings},
		"websocket, h2c":          {"Connection: Upgrade, HTTP2-Settings", "Upgrade: websocket, h2c", settings},
		"h2c, websocket":          {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c, websocket", settings},
		"two fields":              {"Connection: Upgrade, HTTP2-Settings", "Upgrade: websocket", "Upgrade: h2c", settings},
		"two fields, h2c first":   {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "Upgrade: websocket", settings},
		"two Connection fields":   {"Connection: Upgrade", "Connection: HTTP2-Settings", "Upgrade: h2c", settings},
		"TLS":                     {"Connection: Upgrade", "Upgrade: TLS/1.2, HTTP/1.1"},
		"another":                 {"Connection: Upgrade", "Upgrade: evil"},
		"websocket with a slash":  {"Connection: Upgrade", "Upgrade: websocket/13"},
		"websocket with a comma":  {"Connection: Upgrade", "Upgrade: websocket,"},
		"websocket and a space":   {"Connection: Upgrade", "Upgrade: websocket\xa0"},
		"h2c by another spelling": {"Connection: Upgrade", "Upgrade: h2c\t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{answer: func(r *wiretest.Request) wiretest.Reply {
				if r.Has("Upgrade") { // an upstream that agrees to anything
					return wiretest.Reply{Tunnel: true, Bytes: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + r.Get("Upgrade") + "\r\n\r\n"}
				}
				return wiretest.Reply{}
			}})
			client := g.dial(t)
			client.Send(call{target: "/public/x", lines: lines}.raw() + inner())
			r := client.Response("GET")
			if r == nil || r.Status != 200 && r.Status != 400 {
				t.Fatalf("got %+v", r)
			}
			if next := client.Response("GET"); next != nil && next.Status != 401 {
				t.Errorf("what follows was answered with %+v", next)
			}
			connections := g.connections()
			for _, c := range connections {
				for _, request := range c.Requests {
					if request.Has("Upgrade") || request.Has("HTTP2-Settings") || request.Announces("Connection", "Upgrade") || request.Announces("Connection", "HTTP2-Settings") {
						t.Errorf("the wish arrived\n%s", request.Raw)
					}
				}
			}
			inStep(t, connections, []int{0, 1})
		})
	}
}

// A connection that says nothing is closed in the time that heads have.
func testSilentConnection(t *testing.T) {
	g := start(t, setup{env: []string{"AUTHPROXY_READ_HEADER_TIMEOUT=200ms", "AUTHPROXY_IDLE_TIMEOUT=200ms"}})
	for name, said := range map[string]string{
		"nothing": "", "half a line": "GET /pub", "half a head": "GET /public/x HTTP/1.1\r\nHost: ", "half a preface": "PRI * HTTP/2.0\r\n\r\n",
		"a preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "a preface and settings": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"half a header block": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01\x00\x00\x00\x01\x82",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := g.dial(t)
			client.Send(said)
			client.End() // fails when the server never closes
		})
	}
}

// Thousands of crumbs that cost the client a byte each are counted decoded.
func testCookieCrumbs(t *testing.T) {
	g := start(t, setup{})
	crumb := wiretest.Field{Name: "cookie", Value: "a=" + strings.Repeat("b", 3000)}
	for _, n := range []int{100, 3000, 15000} {
		client := g.dialH2(t)
		fields := call{target: "/public/x"}.fields("http")
		client.Headers(1, true, append(fields, slices.Repeat([]wiretest.Field{crumb}, n)...)...)
		s := client.Wait(1)
		client.Close()
		if !s.Refused() && s.Status != "431" && s.Status != "400" {
			t.Errorf("%d crumbs: status %s", n, s.Status)
		}
		if requests := len(g.fresh(t)); requests > 0 {
			t.Errorf("%d crumbs: %d requests at the upstream", n, requests)
		}
	}
	client := g.dialH2(t)
	fields := call{}.fields("http")
	for _, c := range []string{uat, "theme=dark", "__session=" + ordinary(), "lang=en"} { // RFC 9113, section 8.2.3
		fields = append(fields, wiretest.Field{Name: "cookie", Value: c})
	}
	if got := h2Answer(t, client.Request("", fields...)); got.status != 200 {
		t.Errorf("a session in crumbs: status %d %s", got.status, got.reason)
	}
	for _, r := range g.fresh(t) {
		carries(t, r, signedIn())
		if r.Get("Cookie") != "theme=dark; lang=en" {
			t.Errorf("cookies arrived as %q", fmt.Sprint(r.Get("Cookie")))
		}
	}
}
