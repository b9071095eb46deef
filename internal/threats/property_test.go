package threats_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/wiretest"
)

// budget bounds each property, in time and in tries.
const (
	budget = 2 * time.Second
	tries  = 5000
)

// seeded is the same sequence in every run, so that a failure can be seen again.
func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 20_26)) }

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func propertyThreats() []threat {
	return []threat{{"PATH-37", testMutatedPaths}}
}

// upstreamReadings are how servers turn a target's path into the path they route
// by.
func upstreamReadings() map[string]func(string) string {
	unescape := func(s string) string {
		if u, err := url.PathUnescape(s); err == nil {
			return u
		}
		return s
	}
	return map[string]func(string) string{
		"Go": func(s string) string { return path.Clean(unescape(s)) },
		"nginx": func(s string) string {
			s = unescape(s)
			for strings.Contains(s, "//") {
				s = strings.ReplaceAll(s, "//", "/")
			}
			return path.Clean(s)
		},
		"Tomcat": func(s string) string {
			parts := strings.Split(s, "/")
			for i := range parts {
				parts[i], _, _ = strings.Cut(parts[i], ";")
			}
			return path.Clean(unescape(strings.Join(parts, "/")))
		},
		"PHP on Windows": func(s string) string {
			s = strings.ReplaceAll(unescape(unescape(s)), `\`, "/")
			s, _, _ = strings.Cut(s, "\x00")
			return path.Clean(strings.TrimRight(s, ". "))
		},
	}
}

// mutations are what the entries before this one do to a path.
func mutations() []func(*rand.Rand, string) string {
	insert := func(what ...string) func(*rand.Rand, string) string {
		return func(r *rand.Rand, p string) string {
			i := 1 + r.IntN(len(p))
			return p[:i] + pick(r, what) + p[i:]
		}
	}
	return []func(*rand.Rand, string) string{
		insert("../", "./", "..", ".", "%2e%2e/", "%2E%2e%2f", ".%2e/", "..;/", ".;/", "..%5c", `..\`, "%252e%252e%252f", "．．／", "%c0%ae%c0%ae/"),
		insert("/", "//", "%2f", "%2F", "%5c", `\`, "%252f", "%ef%bc%8f", "%c0%af"),
		insert(";", ";x=y", "%3b", "?", "%3f", "#", "%23", "%00", "%0a", "%20", "%09", "\u00a0", "é", "%c3%a9", "\xff"),
		insert("public/", "/public/", "../public/", "public%2f", "admin/", "_authproxy/", "healthz", "key"),
		func(r *rand.Rand, p string) string {
			return pick(r, []string{"/public/..", "/public/%2e%2e", "/public;/..", "//", "/.", "/public/../.", "/public%2f..", "/healthz/..", "/public/x/../.."}) + p
		},
		func(r *rand.Rand, p string) string { // escape what needs no escape
			if len(p) < 2 {
				return p
			}
			i := 1 + r.IntN(len(p)-1)
			return p[:i] + fmt.Sprintf(pick(r, []string{"%%%02x", "%%%02X", "%%25%02x"}), p[i]) + p[i+1:]
		},
		func(r *rand.Rand, p string) string { return strings.ToUpper(p) },
		func(r *rand.Rand, p string) string {
			return p + pick(r, []string{"/", "/.", "/..", ".", "%20", ".css", ";.css", "?/public/x", "/public/x", "/../../public/x"})
		},
	}
}

// However a protected path is written, it does not become public; and what is
// forwarded as public is public to every server.
func testMutatedPaths(t *testing.T) {
	for _, p := range []protocol{http1(), http2()} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			r, g := seeded(37), start(t, setup{})
			began, passed := time.Now(), 0
			for range tries {
				base := pick(r, []string{"/admin", "/admin/users", "/api/v1/x", "/publicadmin", "/", "/key/x", "/healthzz"})
				mutated := base
				for range 1 + r.IntN(3) {
					mutated = pick(r, mutations())(r, mutated)
				}
				if strings.ContainsAny(mutated, " \r\n") {
					continue
				}
				got := p.send(t, g, call{target: mutated})
				for _, request := range g.fresh(t) {
					passed++
					if request.Target != mutated {
						t.Errorf("%q became %q", mutated, request.Target)
					}
					for server, read := range upstreamReadings() {
						if landed := read(request.Path()); !publicPath(landed) {
							t.Errorf("%q passed without a session (%d) and is %q to %s", mutated, got.status, landed, server)
						}
					}
				}
				if time.Since(began) > budget {
					break
				}
			}
			t.Logf("%d passed as public", passed)
		})
	}
}

func publicPath(p string) bool {
	return p == "/public" || strings.HasPrefix(p, "/public/") || p == "/healthz" || p == "/key"
}

// I1: whatever names a client makes up, nobody reads anything about who asks
// but what the token says.
func TestHeaderAuthority(t *testing.T) {
	t.Parallel()
	for _, p := range []protocol{http1(), http2()} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			r, g := seeded(1), start(t, setup{})
			began := time.Now()
			for range tries {
				var attack []string
				for range 1 + r.IntN(12) {
					attack = append(attack, randomSpelling(r, pick(r, owned()))+": "+pick(r, []string{forged, "", " evil ", "manager", "\tevil", "evil,evil", "a\xa0"}))
				}
				c := pick(r, classes())
				if c.http1Only {
					continue
				}
				sent := c.call
				sent.lines = slices.Concat(attack, c.call.lines)
				r.Shuffle(len(sent.lines), func(i, j int) { sent.lines[i], sent.lines[j] = sent.lines[j], sent.lines[i] })
				got := p.send(t, g, sent)
				requests := g.fresh(t)
				if got.status != c.status || (len(requests) == 1) != (c.upstream != nil) {
					t.Fatalf("%s with %q: status %d, %d requests", c.name, attack, got.status, len(requests))
				}
				for _, request := range requests {
					carries(t, request, c.upstream)
				}
				if t.Failed() || time.Since(began) > budget {
					break
				}
			}
		})
	}
}

// randomSpelling keeps the letters of name in any case and changes what parts
// them.
func randomSpelling(r *rand.Rand, name string) string {
	var b strings.Builder
	for _, c := range name {
		switch {
		case c == '-' && r.IntN(2) == 0:
			b.WriteByte(otherSeparators[r.IntN(len(otherSeparators))])
		case r.IntN(2) == 0:
			b.WriteString(strings.ToUpper(string(c)))
		default:
			b.WriteString(strings.ToLower(string(c)))
		}
	}
	return b.String()
}

// piece is a request of a corpus: how it is written, and whether it is one.
type piece struct {
	raw     string
	passes  bool // it reaches the upstream
	answers bool // the connection goes on behind it
}

// corpus makes requests that are each right or wrong in a known way.
func corpus() []piece {
	session := bearer(ordinary())
	chunked := "Transfer-Encoding: chunked"
	return []piece{
		{at("/public/a"), true, true},
		{at("/admin"), false, true},
		{call{lines: []string{session}}.raw(), true, true},
		{post("hi", "Content-Length: 2"), true, true},
		{post(inner(), fmt.Sprintf("Content-Length: %d", len(inner()))), true, true},
		{post(chunks, chunked), true, true},
		{post("1\r\na\r\n2\r\nbc\r\n0\r\nX-Auth-Role: evil\r\n\r\n", chunked), true, true},
		{post("2;ext=\"x\"\r\nhi\r\n0\r\n\r\n", chunked), true, true},
		{call{method: "HEAD", target: "/public/h"}.raw(), true, true},
		{call{method: "GET", target: "/public/g", lines: []string{"Content-Length: 2"}, body: "hi"}.raw(), true, true},
		{call{method: "OPTIONS", target: "/admin", lines: []string{"Content-Length: 2"}, body: "hi"}.raw(), false, true},
		{call{method: "POST", target: "/admin", lines: []string{chunked}, body: chunks}.raw(), false, true},
		{call{target: "/public/../x"}.raw(), false, true},
		{call{target: "/_authproxy/nothing"}.raw(), false, true},
		{call{method: "DELETE", target: "/public/d", lines: []string{"Connection: keep-alive, X"}}.raw(), true, true},
		{call{target: "/public/c", lines: []string{"Upgrade: h2c", "Connection: Upgrade"}}.raw(), true, true},
		{"GET /public/x HTTP/1.1\r\nHost : " + host + "\r\n\r\n", false, false},
		{post("hi", "Content-Length: 2", "Content-Length: 3"), false, false},
		{post(chunks, "Transfer-Encoding: chunked, chunked"), false, false},
		{call{target: "/public/close", lines: []string{"Connection: close"}}.raw(), true, false},
	}
}

// I2: N requests in are N requests out, whatever stands next to what, however
// the bytes are cut, and none of them is one that the client hid in another.
func TestRequestCount(t *testing.T) {
	t.Parallel()
	r, g, all := seeded(2), start(t, setup{}), corpus()
	began := time.Now()
	for range tries {
		var raw string
		var methods []string
		want := 0
		for range 1 + r.IntN(6) {
			p := pick(r, all)
			raw += p.raw
			method, _, _ := strings.Cut(p.raw, " ")
			methods = append(methods, method)
			if p.passes {
				want++
			}
			if !p.answers {
				raw += inner() // never looked at
				break
			}
		}
		client := g.dial(t)
		client.Send(cutAnywhere(r, raw)...)
		for _, m := range methods {
			if client.Response(m) == nil {
				t.Fatalf("an answer is missing\n%q", raw)
			}
		}
		client.Finish()
		inStepWith(t, g.connections(), want, raw)
		if t.Failed() || time.Since(began) > budget {
			break
		}
	}
}

func cutAnywhere(r *rand.Rand, s string) []string {
	var all []string
	for len(s) > 0 {
		n := 1 + r.IntN(len(s))
		all, s = append(all, s[:n]), s[n:]
	}
	return all
}

func inStepWith(t *testing.T, connections []wiretest.Connection, want int, raw string) {
	t.Helper()
	got := 0
	for _, c := range connections {
		got += len(c.Requests)
		if len(c.Leftover) > 0 {
			t.Errorf("the upstream got bytes that are no request (%v): %q", c.Err, c.Leftover)
		}
		for _, request := range c.Requests {
			if request.Target == "/admin" || len(request.Trailers) > 0 {
				t.Errorf("a request was smuggled\n%s", c.Bytes)
			}
		}
	}
	if got != want {
		t.Errorf("%d requests at the upstream, want %d, of\n%q", got, want, raw)
	}
}
