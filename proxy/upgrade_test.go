package proxy_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

const (
	switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	upgrading = "Upgrade: websocket"
	connected = "Connection: Upgrade"
)

func tunnels(r *wiretest.Request) wiretest.Reply {
	if r.Has("Upgrade") {
		return wiretest.Reply{Bytes: switching, Tunnel: true}
	}
	return wiretest.Reply{}
}

func TestWebSocketEcho(t *testing.T) {
	t.Parallel()
	up := echo(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: []string{"*"}})
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if conn.Write(r.Context(), kind, append([]byte(r.Header.Get("X-Auth-User-Id")+":"), message...)) != nil {
				return
			}
		}
	})
	var now atomic.Int32
	p := start(t, plain, up, func(cfg *proxy.Config) {
		cfg.Decider = always(signedIn(t))
		cfg.Hooks.Upgraded = func(delta int) { now.Add(int32(delta)) }
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, p.URL, &websocket.DialOptions{HTTPHeader: http.Header{"X-Auth-User-Id": {"evil"}}})
	check(t, err)
	for _, message := range []string{"hello", strings.Repeat("x", 20000)} {
		check(t, conn.Write(ctx, websocket.MessageText, []byte(message)))
		_, got, err := conn.Read(ctx)
		check(t, err)
		equal(t, "echo", string(got), "user_1:"+message)
		equal(t, "tunnels", now.Load(), 1)
	}
	check(t, conn.Close(websocket.StatusNormalClosure, ""))
	e := p.exchange()
	if !e.Upgraded || e.Status != 101 || e.BytesIn < 20000 || e.BytesOut < 20000 || e.Cut || e.Reason != "" {
		t.Errorf("%+v", e)
	}
	equal(t, "tunnels", now.Load(), 0)
}

// TestThreatWS01: behind anything but a 101, what follows is a new request.
func TestThreatWS01(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply {
		return wiretest.Reply{Bytes: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"}
	})
	p := start(t, plain, up.URL(), nil)
	c := p.dial()
	for _, got := range c.Exchange(get("/ws", upgrading, connected)+get("/admin", "X-Org: evil"), "GET", "GET") {
		equal(t, "status", got.Status, 403)
	}
	c.Finish()
	requests := up.Requests()
	if len(requests) != 2 || requests[1].Has("X-Org") || requests[1].Get("X-Auth-Status") != "anonymous" {
		t.Errorf("%+v", requests)
	}
}

// TestThreatWS02: a 101 nobody asked for, or to something else, is 502.
func TestThreatWS02(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ answer, raw string }{
		{switching, get("/")},
		{"HTTP/1.1 101 Switching Protocols\r\n\r\n", get("/")},
		{"HTTP/1.1 101 Switching Protocols\r\n\r\n", get("/", upgrading, connected)},
		{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", get("/", upgrading, connected)},
		{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n", get("/", upgrading, connected)},
		{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", get("/", upgrading, connected)},
		{switching + "more", get("/", "Upgrade: h2c", connected)},
	} {
		up := wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply { return wiretest.Reply{Bytes: c.answer, Tunnel: true} })
		p := start(t, plain, up.URL(), nil)
		client := p.dial()
		got := client.Exchange(c.raw+get("/next"), "GET")[0]
		if got.Status != 502 || got.Get("X-Clerk-Auth-Reason") != "upstream-unreachable" {
			t.Errorf("%q to %q: %+v", c.answer, c.raw, got)
		}
		client.Close()
		up.Await("the proxy to hang up", func(all []wiretest.Connection) bool { return all[0].Ended })
		for _, conn := range up.Settle() {
			if len(conn.Tunnel) > 0 {
				t.Errorf("%q: through the connection went %q", c.answer, conn.Tunnel)
			}
		}
	}
}

// TestThreatWS03: what is sent before the 101 waits for it, then comes first and
// whole, and the connection to the upstream is never used again.
func TestThreatWS03(t *testing.T) {
	t.Parallel()
	accept := make(chan struct{})
	up := wiretest.NewUpstream(t, func(r *wiretest.Request) wiretest.Reply {
		reply := tunnels(r)
		if reply.Tunnel {
			reply.After = accept
		}
		return reply
	})
	p := start(t, plain, up.URL(), nil)
	c := p.dial()
	early := strings.Repeat("early", 300)
	c.Send(get("/ws", upgrading, connected) + early)
	request := up.Await("the handshake", func(all []wiretest.Connection) bool { return len(all) == 1 && len(all[0].Requests) == 1 })[0]
	if bytes.Contains(request.Bytes, []byte("early")) {
		t.Errorf("before it accepted, the upstream got %q", request.Bytes)
	}
	close(accept)
	equal(t, "head", c.Read(len(switching)), switching)
	c.Send("late")
	equal(t, "echo", c.Read(len(early)+4), early+"late")
	c.Close()
	p.exchange()
	other := p.dial()
	equal(t, "status", other.Exchange(get("/"), "GET")[0].Status, 200)
	other.Close()
	equal(t, "connections", len(up.Settle()), 2)
}

// TestThreatWS06 (and HDR-23): hop-by-hop fields of a 101 end here, ours too,
// and what the request asserts survives its Connection list.
func TestThreatWS06(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply {
		return wiretest.Reply{Tunnel: true, Bytes: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Custom\r\nUpgrade: websocket\r\nX-Custom: 1\r\nAlt-Svc: h2=\":1\"\r\n" +
			"Keep-Alive: 5\r\nProxy-Authenticate: Basic\r\nX-Authproxy-Response: evil\r\nSec-WebSocket-Accept: abc\r\nSec-WebSocket-Protocol: chat\r\n\r\n"}
	})
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(signedIn(t)) })
	c := p.dial()
	c.Send(get("/ws", upgrading, "Connection: Upgrade, X-Auth-User-Id, X-Auth-Status", "X-Auth-User-Id: evil"))
	want := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-Websocket-Accept: abc\r\nSec-Websocket-Protocol: chat\r\nUpgrade: websocket\r\n\r\n"
	equal(t, "head", c.Read(len(want)), want)
	c.Close()
	p.exchange()
	r := up.Settle()[0].Requests[0]
	if r.Get("X-Auth-User-Id") != "user_1" || r.Get("X-Auth-Status") != "authenticated" || r.Get("Connection") != "Upgrade" {
		t.Errorf("%s", r.Raw)
	}
}

// TestThreatH218: whatever is not exactly a WebSocket handshake loses its
// Upgrade and is an ordinary request, also for the Decider.
func TestThreatH218(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, tunnels)
	var upgrades atomic.Int32
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) {
		cfg.Decider = decide(func(r *authproxy.Request) authproxy.Decision {
			if r.Upgrade {
				upgrades.Add(1)
			}
			return allow(r)
		})
	})
	cases := []string{
		get("/", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
		get("/", "Upgrade: h2c", connected),
		get("/", "Upgrade: h2c"),
		get("/", "HTTP2-Settings: AAMAAABk"),
		get("/", "Upgrade: websocket, h2c", connected),
		get("/", upgrading, "Upgrade: h2c", connected),
		get("/", "Upgrade: h2c", upgrading, connected),
		get("/", upgrading, upgrading, connected),
		get("/", upgrading),
		get("/", upgrading, "Connection: keep-alive"),
		get("/", "Upgrade: websocket/13", connected),
		get("/", "Upgrade: \xff", connected),
		get("/", upgrading, connected, "Content-Length: 3") + "abc",
		"POST / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
		"GET / HTTP/1.0\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
	}
	for _, raw := range cases {
		c := p.dial()
		if got := c.Exchange(raw, "GET")[0]; got.Status != 200 {
			t.Errorf("%q: %+v", raw, got)
		}
		c.Close()
	}
	requests := up.Requests()
	equal(t, "requests", len(requests), len(cases))
	for _, r := range requests {
		if r.Has("Upgrade") || r.Has("HTTP2-Settings") || r.Has("Connection") {
			t.Errorf("%s", r.Raw)
		}
	}
	equal(t, "upgrades", upgrades.Load(), 0)
}

// TestThreatWS08: a tunnel whose client does not read ends; one that is merely
// quiet does not.
func TestThreatWS08(t *testing.T) {
	t.Parallel()
	up := echo(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, err = rw.WriteString(switching)
		for piece := make([]byte, 1<<16); err == nil; {
			_, err = rw.Write(piece)
		}
	})
	short := func(cfg *proxy.Config) {
		cfg.IdleTimeout, cfg.UpstreamTimeout = 200*time.Millisecond, 200*time.Millisecond
	}
	p := start(t, plain, up, short)
	c := p.dial()
	c.Send(get("/", upgrading, connected))
	equal(t, "upgraded", p.exchange().Upgraded, true)
	c.Close()

	p = start(t, plain, wiretest.NewUpstream(t, tunnels).URL(), short)
	c = p.dial()
	c.Send(get("/", upgrading, connected))
	equal(t, "head", c.Read(len(switching)), switching)
	<-time.After(500 * time.Millisecond)
	c.Send("late")
	equal(t, "echo", c.Read(4), "late")
	c.Close()
	p.exchange()
}

// TestStreamMaxAge ends a tunnel, and a stream in a way that shows.
func TestStreamMaxAge(t *testing.T) {
	t.Parallel()
	short := func(cfg *proxy.Config) { cfg.StreamMaxAge = 200 * time.Millisecond }
	p := start(t, plain, wiretest.NewUpstream(t, tunnels).URL(), short)
	c := p.dial()
	c.Send(get("/", upgrading, connected))
	equal(t, "head", c.Read(len(switching)), switching)
	equal(t, "rest", len(c.End()), 0)
	equal(t, "upgraded", p.exchange().Upgraded, true)

	p = start(t, plain, wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply {
		return wiretest.Reply{Bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"}
	}).URL(), short)
	c = p.dial()
	c.Send(get("/"))
	if !c.Cut("GET") {
		t.Error("the stream looks whole")
	}
	if e := p.exchange(); e.Reason != authproxy.UpstreamTimeout || !e.Cut {
		t.Errorf("%+v", e)
	}
}
