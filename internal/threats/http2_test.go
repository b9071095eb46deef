package threats_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

// h2 changes the fields of an ordinary request to a public path.
type h2 struct {
	name   string
	fields func([]wiretest.Field) []wiretest.Field
	body   string // sent as DATA; "" ends the stream with the headers
	passes bool   // may also be forwarded, as nobody, unambiguously and without a trace of the forgery
}

func add(fields ...wiretest.Field) func([]wiretest.Field) []wiretest.Field {
	return func(f []wiretest.Field) []wiretest.Field { return append(f, fields...) }
}

// set changes a pseudo-header; without a value it removes it.
func set(name string, value ...string) func([]wiretest.Field) []wiretest.Field {
	return func(fields []wiretest.Field) []wiretest.Field {
		var all []wiretest.Field
		for _, f := range fields {
			if f.Name == name {
				if len(value) == 0 {
					continue
				}
				f.Value = value[0]
			}
			all = append(all, f)
		}
		return all
	}
}

// framed sends each over prior knowledge and over TLS. What is refused is a 400
// or the end of the stream, and nothing reaches the upstream.
func framed(all ...h2) func(*testing.T) {
	return func(t *testing.T) {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprintf("TLS %v", tls), func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{tls: tls})
				for _, x := range all {
					t.Run(x.name, func(t *testing.T) {
						client := g.dialH2(t)
						got := h2Answer(t, client.Request(x.body, x.fields(call{target: "/public/x"}.fields(g.scheme()))...))
						client.Close()
						unharmed(t, g, got, x)
					})
				}
			})
		}
	}
}

func unharmed(t *testing.T, g *rig, got answer, x h2) {
	t.Helper()
	requests := 0
	for _, c := range g.connections() {
		requests += len(c.Requests)
		if len(c.Leftover) > 0 && c.Partial == nil {
			t.Errorf("the upstream got bytes that are no request: %q", c.Leftover)
		}
		for _, r := range c.Requests {
			carries(t, r, nobody())
			if bytes.Contains(r.Raw, []byte(forged)) || len(r.Body) > 0 && string(r.Body) != x.body {
				t.Errorf("the forgery arrived\n%s", r.Raw)
			}
		}
	}
	refused := got.status == 0 || got.status == 400 || got.status == 431
	if refused && requests == 0 || x.passes && (got.status == 200 || refused) && requests == 1 {
		return
	}
	t.Errorf("status %d %s, %d requests at the upstream", got.status, got.reason, requests)
}

func http2Threats() []threat {
	field := func(name, value string) wiretest.Field { return wiretest.Field{Name: name, Value: value} }
	return []threat{
		{"H2-03", framed(
			h2{"connection", add(field("connection", "x-auth-role")), "", false}, h2{"transfer-encoding", add(field("transfer-encoding", "chunked")), "0\r\n\r\n", false},
			h2{"upgrade", add(field("upgrade", "websocket")), "", false}, h2{"keep-alive", add(field("keep-alive", "x")), "", false},
			h2{"te", add(field("te", "gzip")), "", false}, h2{"te trailers", add(field("te", "trailers")), "", true}, h2{"proxy-connection", add(field("proxy-connection", "x")), "", false},
			h2{"upgrade h2c", add(field("upgrade", "h2c"), field("connection", "upgrade, http2-settings"), field("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA")), "", false})},
		{"H2-04", framed(
			h2{"more than DATA", add(field("content-length", "9")), "hi", false}, h2{"less than DATA", add(field("content-length", "1")), "hi", false},
			// The head may be on its way before the DATA that belies it; the DATA never is.
			h2{"zero and DATA", add(field("content-length", "0")), "GET /evil HTTP/1.1\r\nHost: x\r\n\r\n", true},
			// net/http looks at the length only when a body follows; the upstream gets none, and no length.
			h2{"without DATA", add(field("content-length", "5")), "", true})},
		{"H2-05", framed(
			h2{"three and zero", add(field("content-length", "3"), field("content-length", "0")), "abc", false}, h2{"zero and three", add(field("content-length", "0"), field("content-length", "3")), "abc", false},
			h2{"a list", add(field("content-length", "3, 0")), "abc", true}, h2{"signed", add(field("content-length", "+3")), "abc", true}, h2{"no number", add(field("content-length", "x")), "abc", true})},
		{"H2-06", framed(controls()...)},
		{"H2-07", testSpaceAroundValues},
		{"H2-08", framed(
			h2{"second path", add(field(":path", "/evil")), "", false}, h2{"late pseudo", add(field("x", "y"), field(":authority", "evil.example")), "", false},
			h2{"unknown pseudo", func(f []wiretest.Field) []wiretest.Field {
				return append([]wiretest.Field{{Name: ":evil", Value: "x"}}, f...)
			}, "", false},
			h2{"status", func(f []wiretest.Field) []wiretest.Field {
				return append([]wiretest.Field{{Name: ":status", Value: "200"}}, f...)
			}, "", false},
			h2{"upper case", add(field("X-Auth-Role", forged)), "", false}, h2{"empty name", add(field("", forged)), "", false}, h2{"only a colon", add(field(":", forged)), "", false},
			h2{"second method", func(f []wiretest.Field) []wiretest.Field {
				return append([]wiretest.Field{{Name: ":method", Value: "POST"}}, f...)
			}, "", false},
			h2{"another host", add(field("host", "evil.example")), "", false}, h2{"two others", add(field("host", host), field("host", "evil.example")), "", false}, h2{"the same host", add(field("host", host)), "", true},
			h2{"no method", set(":method"), "", false}, h2{"no path", set(":path"), "", false}, h2{"no scheme", set(":scheme"), "", false}, h2{"empty method", set(":method", ""), "", false})},
		{"H2-09", func(t *testing.T) {
			t.Run("authority", framed(
				h2{"none", set(":authority"), "", false}, h2{"empty", set(":authority", ""), "", false}, h2{"userinfo", set(":authority", "u@"+host), "", false},
				h2{"slash", set(":authority", host+"/evil"), "", false}, h2{"comma", set(":authority", host+",evil"), "", false}, h2{"query", set(":authority", host+"?evil"), "", false},
				h2{"space", set(":authority", host+" evil"), "", false}, h2{"port of letters", set(":authority", host+":evil"), "", false}))
			t.Run("in host alone", testHostAlone)
		}},
		{"H2-10", testScheme},
		{"H2-12", testContinuationFlood},
		{"H2-16", testUnknownFrames},
		{"H2-18", testUpgradeToHTTP2},
		{"H2-19", testSilentConnection},
	}
}

// controls puts CR, LF and NUL wherever text goes.
func controls() []h2 {
	var all []h2
	for name, evil := range map[string]string{"CRLF": "\r\nx-auth-role: evil", "LF": "\nx-auth-role: evil", "CR": "\rx-auth-role: evil", "NUL": "\x00evil"} {
		all = append(all, h2{name + " in a name", add(wiretest.Field{Name: "x-foo" + evil, Value: "a"}), "", false}, h2{name + " in a value", add(wiretest.Field{Name: "x-foo", Value: "a" + evil}), "", false},
			h2{name + " in the path", set(":path", "/public/x"+evil), "", false}, h2{name + " in the query", set(":path", "/public/x?"+evil), "", false},
			h2{name + " in the authority", set(":authority", host+evil), "", false}, h2{name + " in the method", set(":method", "GET"+evil), "", false},
			h2{name + " in the scheme", set(":scheme", "http"+evil), "", false}, h2{name + " and a request", set(":path", "/public/x HTTP/1.1\r\nHost: x\r\n\r\nGET /evil"), "", false},
			h2{name + " in a cookie", add(wiretest.Field{Name: "cookie", Value: "a=b" + evil}), "", false})
	}
	return append(all, h2{"colon in a name", add(wiretest.Field{Name: "x-auth-role: evil\r\nx", Value: "a"}), "", false}, h2{"space in a name", add(wiretest.Field{Name: "x-auth-role ", Value: forged}), "", false},
		h2{"method with a target", set(":method", "GET /evil HTTP/1.1\r\nHost: x\r\n\r\nGET"), "", false})
}

// Space around a value is the same on both hops, or none.
func testSpaceAroundValues(t *testing.T) {
	g := start(t, setup{})
	for _, v := range []string{"\t a \t", " a", "a ", "  ", "\ta"} {
		got := sendHTTP2(t, g, call{target: "/public/x", lines: []string{"X-Foo: " + v}})
		for _, r := range g.fresh(t) {
			if value := r.Get("X-Foo"); value != strings.Trim(v, " \t") {
				t.Errorf("%q arrived as %q", v, value)
			}
		}
		if got.status != 200 && got.status != 400 && got.status != 0 {
			t.Errorf("%q: status %d", v, got.status)
		}
	}
}

// Without :authority the host field may name the host, and is judged like it.
func testHostAlone(t *testing.T) {
	g := start(t, setup{})
	for value, status := range map[string]int{host: 200, host + "/evil": 400, "a,b": 400, "u@" + host: 400} {
		client := g.dialH2(t)
		got := h2Answer(t, client.Request("", append(set(":authority")(call{target: "/public/x"}.fields("http")), wiretest.Field{Name: "host", Value: value})...))
		client.Close()
		requests := g.fresh(t)
		if got.status != status && got.status != 400 && got.status != 0 || (got.status == 200) != (len(requests) == 1) {
			t.Errorf("%q: status %d, %d requests at the upstream", value, got.status, len(requests))
		}
	}
}

// What the client calls the scheme has no influence on what the upstream is told.
func testScheme(t *testing.T) {
	for _, tls := range []bool{false, true} {
		g := start(t, setup{tls: tls})
		for _, scheme := range []string{"http", "https", "HTTPS", "HTTP", "ftp", "evil", "javascript", "https, http", ""} {
			client := g.dialH2(t)
			got := h2Answer(t, client.Request("", call{target: "/public/x"}.fields(scheme)...))
			client.Close()
			for _, r := range g.fresh(t) {
				if got := r.Readable("X-Forwarded-Proto"); len(got) != 1 || got[0] != "https" {
					t.Errorf("scheme %q: X-Forwarded-Proto reads %q", scheme, got)
				}
			}
			if got.status != 200 && got.status != 400 && got.status != 0 {
				t.Errorf("scheme %q: status %d", scheme, got.status)
			}
		}
	}
}

// Endless CONTINUATION frames end with the connection, long before memory does.
func testContinuationFlood(t *testing.T) {
	g := start(t, setup{})
	client := g.dialH2(t)
	client.Frame(wiretest.FrameHeaders, wiretest.FlagEndStream, 1, client.Block(call{target: "/public/x"}.fields("http")...))
	block := client.Block(wiretest.Field{Name: "x-" + strings.Repeat("a", 100), Value: strings.Repeat("b", 8000)})
	for range 2000 { // 16 MB; a server that hung up reads none of it
		client.Frame(wiretest.FrameContinuation, 0, 1, block)
	}
	if s := client.Wait(1); !s.Refused() && s.Status != "431" && s.Status != "400" {
		t.Errorf("got %+v", s)
	}
	if n := len(g.fresh(t)); n > 0 {
		t.Errorf("%d requests at the upstream", n)
	}
}

// Frames of unknown types are ignored, wherever they come.
func testUnknownFrames(t *testing.T) {
	for kind := 0x0a; kind <= 0xff; kind += 1 + kind/0x20*7 {
		t.Run(fmt.Sprintf("%#x", kind), func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			client := g.dialH2(t)
			for _, stream := range []uint32{0, 1, 3} {
				client.Frame(wiretest.FrameType(kind), 0xff, stream, []byte("u=3,i"))
				client.Frame(wiretest.FrameType(kind), 0, stream, nil)
			}
			got := h2Answer(t, client.Request("", call{target: "/public/x"}.fields("http")...))
			if next := sendHTTP2(t, g, call{target: "/public/x"}); next.status != 200 {
				t.Errorf("status %d on the next connection", next.status)
			}
			if got.status != 200 && got.status != 0 {
				t.Errorf("status %d", got.status)
			}
		})
	}
}
