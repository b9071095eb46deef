package threats_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

func upstreamThreats() []threat {
	return []threat{
		{"SMG-19", testUpstreamBreaksOff},
		{"SMG-20", testResponseSplitting},
		{"SMG-21", testNoSecondPost},
		{"SMG-22", testReplay},
	}
}

// A body on a method that has none arrives framed, and one that an upstream did
// not wait for is never read as the next request.
func testBodiesOfBodiless(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE", "POST"} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprint(method, chunked), func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{})
				c := call{method: method, target: "/public/x", lines: []string{fmt.Sprintf("Content-Length: %d", len(inner()))}, body: inner()}
				if chunked {
					c.lines, c.body = []string{"Transfer-Encoding: chunked"}, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner()), inner())
				}
				got := sendHTTP1(t, g, c)
				requests := g.fresh(t)
				if got.status != 200 || len(requests) != 1 || string(requests[0].Body) != inner() {
					t.Errorf("status %d, the upstream got %q", got.status, paths(requests))
				}
			})
		}
	}
	for name, reply := range map[string]wiretest.Reply{
		"kept alive": {Early: true, Bytes: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"},
		"closed":     {Early: true, Close: true, Bytes: "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
	} {
		t.Run("answered early, "+name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{answer: func(r *wiretest.Request) wiretest.Reply {
				if r.Method == "POST" {
					return reply
				}
				return wiretest.Reply{}
			}})
			client := g.dial(t)
			client.Send(post("", "Content-Length: 200000"))
			if r := client.Response("POST"); r == nil || r.Status != 403 && r.Status != 502 {
				t.Fatalf("got %+v", r)
			}
			client.Send(strings.Repeat(inner(), 200000/len(inner())+1)[:200000])
			for range 3 {
				if got := sendHTTP1(t, g, call{target: "/public/y"}); got.status != 200 {
					t.Errorf("status %d for the next request", got.status)
				}
			}
			client.Close()
			inStep(t, g.connections(), []int{3, 4}) // the body may have arrived whole
		})
	}
}

// Two requests in one segment are two requests, wherever the bytes are cut.
func testPipelines(t *testing.T) {
	for name, p := range map[string]struct {
		raw      string
		statuses []int
		upstream []string
	}{
		"public, protected":         {at("/public/1") + at("/admin"), []int{200, 401}, []string{"/public/1"}},
		"protected, public":         {at("/admin") + at("/public/1"), []int{401, 200}, []string{"/public/1"}},
		"session, none":             {call{lines: []string{"X-A: b", "Cookie: " + uat + "; __session=" + ordinary()}}.raw() + at("/app"), []int{200, 401}, []string{"/app"}},
		"body, protected":           {post("hi", "Content-Length: 2") + at("/admin"), []int{200, 401}, []string{"/public/x"}},
		"chunked body, protected":   {post(chunks, "Transfer-Encoding: chunked") + at("/admin"), []int{200, 401}, []string{"/public/x"}},
		"refused with body, public": {call{method: "POST", lines: []string{"Content-Length: 2"}, body: "hi"}.raw() + at("/public/1"), []int{401, 200}, []string{"/public/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			step := 1 + len(p.raw)/200 // a token is long, and one byte of it like another
			for cut := 1; cut < len(p.raw); cut += step {
				client := g.dial(t)
				client.Send(p.raw[:cut], p.raw[cut:])
				for i, want := range p.statuses {
					if r := client.Response("GET"); r == nil || r.Status != want {
						t.Fatalf("cut at %d: response %d is %+v, want %d", cut, i, r, want)
					}
				}
				client.Finish()
				if got := paths(g.fresh(t)); fmt.Sprint(got) != fmt.Sprint(p.upstream) {
					t.Fatalf("cut at %d: the upstream got %q, want %q", cut, got, p.upstream)
				}
			}
		})
	}
}

// What breaks off upstream breaks off for the client; half an answer never looks
// whole, and the proxy lives on.
func testUpstreamBreaksOff(t *testing.T) {
	for name, bytes := range map[string]string{
		"length": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
		"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{answer: func(r *wiretest.Request) wiretest.Reply {
				if r.Path() == "/public/x" {
					return wiretest.Reply{Bytes: bytes, Close: true}
				}
				return wiretest.Reply{}
			}})
			client := g.dial(t)
			client.Send(at("/public/x"))
			if !client.Cut("GET") {
				t.Error("HTTP/1.1: half an answer looks whole")
			}
			h2 := g.dialH2(t)
			if s := h2.Request("", call{target: "/public/x"}.fields("http")...); s.Reset == nil && !s.Closed && s.Status == "200" {
				t.Errorf("HTTP/2: half an answer looks whole: %+v", s)
			}
			if got := sendHTTP1(t, g, call{target: "/public/y"}); got.status != 200 {
				t.Errorf("status %d afterwards", got.status)
			}
		})
	}
	for name, bytes := range map[string]string{"head": "HTTP/1.1 200 OK\r\nContent-", "nothing": "\r", "garbage": "SSH-2.0-x\r\n"} {
		t.Run("in the "+name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{answer: func(*wiretest.Request) wiretest.Reply { return wiretest.Reply{Bytes: bytes, Close: true} }})
			for _, p := range []protocol{http1(), http2()} {
				if got := p.send(t, g, call{target: "/public/x"}); got.status != 502 {
					t.Errorf("%s: status %d, want 502", p.name, got.status)
				}
			}
		})
	}
}

// Whatever an upstream says, the client gets one well-formed answer or a 502,
// and nobody else gets the rest.
func testResponseSplitting(t *testing.T) {
	const extra = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	for name, c := range map[string]struct {
		bytes  string
		status []int
	}{
		"two responses":       {wiretest.OK + extra, []int{200}},
		"body on 204":         {"HTTP/1.1 204 No Content\r\n\r\n" + extra, []int{204}},
		"body on 304":         {"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n" + extra, []int{304}},
		"both framings":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", []int{200, 502}},
		"two lengths":         {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", []int{502}},
		"bad length":          {"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", []int{502}},
		"NUL in a value":      {"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok", []int{502, 200}},
		"CR in a value":       {"HTTP/1.1 200 OK\r\nX: a\rX-Auth-Role: evil\r\nContent-Length: 2\r\n\r\nok", []int{502, 200}},
		"folded":              {"HTTP/1.1 200 OK\r\nX: a\r\n X-Authproxy-Response: evil\r\nContent-Length: 2\r\n\r\nok", []int{502, 200}},
		"bad name":            {"HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 2\r\n\r\nok", []int{502, 200}},
		"no status":           {"HTTP/1.1 abc OK\r\n\r\n", []int{502}},
		"status 99":           {"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n", []int{502}},
		"status 1000":         {"HTTP/1.1 1000 X\r\nContent-Length: 0\r\n\r\n", []int{502}},
		"many interim":        {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 2000) + wiretest.OK, []int{200, 502}},
		"a large head":        {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 11<<20) + "\r\nContent-Length: 2\r\n\r\nok", []int{502}},
		"pretending to be us": {"HTTP/1.1 200 OK\r\nX-Authproxy-Response: evil\r\nX-Clerk-Auth-Reason: evil\r\nX-Clerk-Auth-Status: evil\r\nContent-Length: 2\r\n\r\nok", []int{200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{answer: func(r *wiretest.Request) wiretest.Reply {
				if r.Path() == "/public/x" {
					return wiretest.Reply{Bytes: c.bytes}
				}
				return wiretest.Reply{}
			}})
			for _, p := range []protocol{http1(), http2()} {
				split(t, g, p, c.status)
			}
		})
	}
}

func split(t *testing.T, g *rig, p protocol, statuses []int) {
	t.Helper()
	got := p.send(t, g, call{target: "/public/x"})
	if !slices.Contains(statuses, got.status) {
		t.Errorf("%s: status %d, want one of %d", p.name, got.status, statuses)
	}
	for _, f := range got.headers {
		if own := strings.HasPrefix(strings.ToLower(f.Name), "x-authproxy-") || strings.HasPrefix(strings.ToLower(f.Name), "x-clerk-auth-"); own && strings.Contains(f.Value, forged) {
			t.Errorf("%s: the upstream speaks for us: %q", p.name, f)
		}
		if strings.HasPrefix(strings.ToLower(f.Name), "x-auth-role") {
			t.Errorf("%s: a line of the upstream's became a header: %q", p.name, f)
		}
	}
	for range 3 {
		if next := p.send(t, g, call{target: "/public/y"}); next.status != 200 || next.body != "ok" {
			t.Errorf("%s: the next client got %d %q", p.name, next.status, next.body)
		}
	}
}

// flaky answers the first request and hangs up on every later one of the same
// connection: what a client's transport takes for a connection that was idle too
// long.
func flaky() (func(*wiretest.Request) wiretest.Reply, *atomic.Int64) {
	asked := new(atomic.Int64)
	return func(*wiretest.Request) wiretest.Reply {
		if asked.Add(1) == 2 {
			return wiretest.Reply{Bytes: "\r", Close: true}
		}
		return wiretest.Reply{}
	}, asked
}

// A request that does something is sent once, whatever the client calls it.
func testNoSecondPost(t *testing.T) {
	for _, key := range []string{"Idempotency-Key: x", "X-Idempotency-Key: x", "idempotency_key: x", "X-None: x"} {
		for _, lines := range [][]string{{"Content-Length: 2"}, {"Content-Length: 0"}} {
			t.Run(key+" "+lines[0], func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{answer: func(r *wiretest.Request) wiretest.Reply {
					if r.Method == "POST" {
						return wiretest.Reply{Mute: true, Close: true}
					}
					return wiretest.Reply{}
				}})
				if got := sendHTTP1(t, g, call{target: "/public/warm"}); got.status != 200 {
					t.Fatalf("status %d", got.status)
				}
				body := "hi"
				if lines[0] == "Content-Length: 0" {
					body = ""
				}
				got := sendHTTP1(t, g, call{method: "POST", target: "/public/x", lines: append(lines, key), body: body})
				posts := 0
				for _, r := range g.fresh(t) {
					if r.Method == "POST" {
						posts++
					}
				}
				if got.status != 502 || posts != 1 {
					t.Errorf("status %d, the upstream got the request %d times", got.status, posts)
				}
			})
		}
	}
}

// A GET that the transport sends again says the same as the first time.
func testReplay(t *testing.T) {
	answer, asked := flaky()
	g := start(t, setup{answer: answer})
	if got := sendHTTP1(t, g, call{target: "/public/warm"}); got.status != 200 {
		t.Fatalf("status %d", got.status)
	}
	got := sendHTTP1(t, g, call{lines: []string{cookie(ordinary())}}.with(spelled("_")...))
	if got.status != 200 && got.status != 502 {
		t.Errorf("status %d after %d requests", got.status, asked.Load())
	}
	for _, r := range g.fresh(t) {
		if r.Target == "/app" {
			carries(t, r, signedIn())
		} else {
			carries(t, r, nobody())
		}
	}
}
