package threats_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

// inner is what a smuggler hides in another request. It asks for a protected
// path without a session, so it must never be at the upstream.
func inner() string { return call{target: "/admin", lines: spelled("-")}.raw() }

// bytesOf is one attempt at being read differently by two readers.
type attempt struct {
	name   string
	raw    string
	status []int // of the first response; 0 is none
	passes []int // how many requests may be at the upstream; nil is none
	ends   bool  // the client says that nothing follows
}

func smuggled(all ...attempt) func(*testing.T) {
	return func(t *testing.T) {
		g := start(t, setup{})
		for _, a := range all {
			t.Run(a.name, func(t *testing.T) {
				client := g.dial(t)
				client.Send(a.raw)
				if a.ends {
					client.HalfClose()
				}
				status := 0
				if r := client.Response("GET"); r != nil {
					status = r.Status
				}
				client.HalfClose()
				client.End()
				if !slices.Contains(a.status, status) {
					t.Errorf("status %d, want one of %d", status, a.status)
				}
				inStep(t, g.connections(), a.passes)
			})
		}
	}
}

// inStep judges what the upstream got: as many requests as were meant, each
// unambiguous, nothing smuggled, and nothing else unless a request was broken
// off together with its connection.
func inStep(t *testing.T, connections []wiretest.Connection, counts []int) {
	t.Helper()
	whole := 0
	for _, c := range connections {
		whole += len(c.Requests)
		if len(c.Leftover) > 0 && (c.Partial == nil || !errors.Is(c.Err, wiretest.ErrIncomplete)) {
			t.Errorf("the upstream got bytes that are no request (%v): %q", c.Err, c.Leftover)
		}
		for _, r := range c.Requests {
			carries(t, r, nobody())
			if r.Target == "/admin" {
				t.Errorf("a request was smuggled\n%s", c.Bytes)
			}
		}
	}
	if counts == nil {
		counts = []int{0}
	}
	if !slices.Contains(counts, whole) {
		t.Errorf("%d requests at the upstream, want one of %d", whole, counts)
	}
}

// post is a public POST with lines and whatever follows its head.
func post(rest string, lines ...string) string {
	return call{method: "POST", target: "/public/x", lines: lines, body: rest}.raw()
}

const chunks = "2\r\nhi\r\n0\r\n\r\n"

func framingThreats() []threat {
	return []threat{
		{"SMG-02", smuggled(codings()...)},
		{"SMG-03", func(t *testing.T) {
			smuggled(misspelledCodings()...)(t)
			t.Run("other separators", testFramingBySeparators)
		}},
		{"SMG-04", smuggled(
			attempt{"both", "POST /public/x HTTP/1.0\r\nHost: " + host + "\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, []int{200, 400, 501}, []int{0, 1}, false},
			attempt{"coding alone", "POST /public/x HTTP/1.0\r\nHost: " + host + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, []int{200, 400, 501}, []int{0, 1}, false},
			attempt{"kept alive", "POST /public/x HTTP/1.0\r\nHost: " + host + "\r\nConnection: keep-alive\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner(), []int{200, 400, 501}, []int{0, 1}, false})},
		{"SMG-06", smuggled(lengths()...)},
		{"SMG-07", smuggled(brokenChunks()...)},
		{"SMG-11", smuggled(
			attempt{"whole", strings.ReplaceAll(at("/public/x"), "\r\n", "\n"), []int{200, 400}, []int{0, 1}, false},
			attempt{"head and body", strings.ReplaceAll(post("", "Content-Length: 2"), "\r\n", "\n") + "hi", []int{200, 400}, []int{0, 1}, false},
			attempt{"end of head", strings.TrimSuffix(at("/public/x"), "\r\n") + "\n" + inner(), []int{200, 400}, []int{0, 1}, false},
			attempt{"CR alone", strings.ReplaceAll(at("/public/x"), "\r\n", "\r") + "\r\n\r\n", []int{400}, nil, true},
			attempt{"CR in a value", call{target: "/public/x", lines: []string{"X: a\rX-Auth-Role: evil"}}.raw(), []int{400}, nil, false},
			attempt{"LF in a value", call{target: "/public/x", lines: []string{"X: a\nX-Auth-Role: evil"}}.raw(), []int{200, 400}, []int{0, 1}, false})},
		{"SMG-13", smuggled(versions()...)},
		{"SMG-14", smuggled(
			attempt{"separators", "G=\":<>(e),[T];?\" /public/x HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400}, nil, false},
			attempt{"8 kB", strings.Repeat("G", 8<<10) + " /public/x HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{200, 400, 405, 431, 501}, []int{0, 1}, false},
			attempt{"empty", " /public/x HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400}, nil, false},
			attempt{"control", "G\x01T /public/x HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400}, nil, false},
			attempt{"two spaces", "GET  /public/x HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400}, nil, false},
			attempt{"tab", "GET\t/public/x\tHTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400}, nil, false})},
		{"SMG-15", testBodiesOfBodiless},
		{"SMG-16", smuggled(
			attempt{"as it should be", post("hi", "Expect: 100-continue", "Content-Length: 2"), []int{200}, []int{1}, false},
			attempt{"another", post("hi", "Expect: 200-ok", "Content-Length: 2"), []int{417}, nil, false},
			attempt{"with more", post("hi", "Expect: y 100-continue", "Content-Length: 2"), []int{400, 417}, nil, false},
			attempt{"in a list", post("hi", "Expect: 100-continue, x", "Content-Length: 2"), []int{400, 417, 200}, []int{0, 1}, false},
			attempt{"twice", post("hi", "Expect: 100-continue", "Expect: x", "Content-Length: 2"), []int{400, 417, 200}, []int{0, 1}, false},
			attempt{"capitals", post("hi", "Expect: 100-CONTINUE", "Content-Length: 2"), []int{200, 417}, []int{0, 1}, false},
			attempt{"no body", call{target: "/public/x", lines: []string{"Expect: 100-continue"}}.raw(), []int{200}, []int{1}, false},
			attempt{"hiding a request", post(inner(), "Expect: 100-continue", "Content-Length: "+fmt.Sprint(len(inner()))), []int{200}, []int{1}, false})},
		{"SMG-17", smuggled(
			attempt{"two", "GET /public/x HTTP/1.1\r\nHost: " + host + "\r\nHost: evil.example\r\n\r\n", []int{400}, nil, false},
			attempt{"twice the same", "GET /public/x HTTP/1.1\r\nHost: " + host + "\r\nHost: " + host + "\r\n\r\n", []int{400}, nil, false},
			attempt{"none", "GET /public/x HTTP/1.1\r\n\r\n", []int{400}, nil, false},
			attempt{"empty", "GET /public/x HTTP/1.1\r\nHost:\r\n\r\n", []int{400}, nil, false},
			attempt{"absolute form", "GET http://evil.example/public/x HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400}, nil, false},
			attempt{"absolute form of ours", "GET https://" + host + "/public/x HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400}, nil, false},
			attempt{"none in HTTP/1.0", "GET /public/x HTTP/1.0\r\n\r\n", []int{400}, nil, false})},
		{"SMG-18", testPipelines},
		{"SMG-24", smuggled(
			attempt{"version 1", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + at("/public/x"), []int{400}, nil, false},
			attempt{"version 2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x01\x00\x02" + at("/public/x"), []int{400}, nil, false})},
	}
}

func codings() []attempt {
	var all []attempt
	for _, v := range []string{",chunked", "identity", "blegh", "chunked, chunked", "gzip, chunked", "chunked, identity", "chunked,", "chunked;x", "\"chunked\"", "chunked\xa0", "chu\x0bnked", "x chunked", "xchunked", "chunked chunked"} {
		all = append(all, attempt{fmt.Sprintf("%q", v), post(chunks, "Transfer-Encoding: "+v), []int{400, 501}, nil, false})
		all = append(all, attempt{fmt.Sprintf("%q and a length", v), post(chunks+inner(), "Content-Length: 12", "Transfer-Encoding: "+v), []int{400, 501}, nil, false})
	}
	return append(all,
		attempt{"two fields", post(chunks, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), []int{400, 501}, nil, false},
		attempt{"two codings", post(chunks, "Transfer-Encoding: chunked", "Transfer-Encoding: identity"), []int{400, 501}, nil, false},
		attempt{"in capitals", post(chunks, "Transfer-Encoding: CHUNKED"), []int{200, 400, 501}, []int{0, 1}, false},
		attempt{"length before", post("0\r\n\r\n"+inner(), "Content-Length: 5", "Transfer-Encoding: chunked"), []int{200, 400}, []int{0, 1}, false},
		attempt{"length hides a request", post("0\r\n\r\n"+inner(), fmt.Sprintf("Content-Length: %d", 5+len(inner())), "Transfer-Encoding: chunked"), []int{200, 400}, []int{0, 1}, false},
		attempt{"coding hides a request", post(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner()), inner()), "Content-Length: 4", "Transfer-Encoding: chunked"), []int{200, 400}, []int{0, 1}, false})
}

// misspelledCodings writes Transfer-Encoding with every byte where none may be.
func misspelledCodings() []attempt {
	all := []attempt{{"empty", post(chunks, "Transfer-Encoding:"), []int{400, 501}, nil, false}, {"empty and a length", post("hi"+inner(), "Transfer-Encoding:", "Content-Length: 2"), []int{400, 501}, nil, false}}
	for b := range 256 {
		c := string([]byte{byte(b)})
		if isTokenByte(byte(b)) || c == ":" || c == "\n" {
			continue // another header, or another line
		}
		for place, line := range map[string]string{"before": c + "Transfer-Encoding: chunked", "behind": "Transfer-Encoding" + c + ": chunked", "inside": "Transfer" + c + "Encoding: chunked"} {
			if c == "\r" && place == "before" {
				continue // an empty line, and then something
			}
			all = append(all, attempt{fmt.Sprintf("%q %s", c, place), post("2\r\nhi", "X: y", line, "Content-Length: 5"), []int{400, 200}, []int{0, 1}, false})
			if place != "before" || c != " " && c != "\t" { // folding is another matter
				all[len(all)-1].status, all[len(all)-1].passes = []int{400}, nil
			}
		}
		if b > ' ' || b == 0 {
			all = append(all, attempt{fmt.Sprintf("%q in the value", c), post(chunks, "Transfer-Encoding: "+c+"chunked"), []int{400, 501}, nil, false})
		}
	}
	return all
}

// A server that takes every separator for one (Puma did, CVE-2024-45614) finds
// no second framing.
func testFramingBySeparators(t *testing.T) {
	for _, p := range []protocol{http1(), http2()} {
		g := start(t, setup{})
		for _, c := range otherSeparators {
			s := string(c)
			added := []string{"Transfer" + s + "Encoding: chunked", "Content" + s + "Length: 0", "content" + s + "length: 99"}
			got := p.send(t, g, call{target: "/public/x"}.with(added...))
			for _, r := range g.fresh(t) {
				absent(t, r, "Transfer-Encoding", "Content-Length")
			}
			if got.status != 200 {
				t.Errorf("%s %q: status %d", p.name, s, got.status)
			}
		}
	}
	g := start(t, setup{})
	sendHTTP1(t, g, call{method: "POST", target: "/public/x", lines: []string{"Transfer_Encoding: chunked", "Content_Length: 0", "Content-Length: 5"}, body: "0\r\n\r\n"})
	for _, r := range g.fresh(t) {
		absent(t, r, "Transfer-Encoding")
		if got := r.Readable("Content-Length"); !slices.Equal(got, []string{"5"}) {
			t.Errorf("Content-Length reads %q\n%s", got, r.Raw)
		}
	}
}

func lengths() []attempt {
	var all []attempt
	for _, v := range []string{"+2", "-1", "-0", "0x2", "1_0", "1Z", "", " ", "2, 2", "2,3", "2 3", "99999999999999999999", "18446744073709551618", "2.0", "2e0", "٢", "2\x00", "\x0b2", "2;", "\"2\""} {
		all = append(all, attempt{fmt.Sprintf("%q", v), post("hi", "Content-Length: "+v), []int{400}, nil, false})
	}
	return append(all,
		attempt{"leading zeros", post("hi", "Content-Length: 002"), []int{200, 400}, []int{0, 1}, false},
		attempt{"eight or ten", post("0123456789", "Content-Length: 010"), []int{200, 400}, []int{0, 1}, false},
		attempt{"two that differ", post("hi", "Content-Length: 2", "Content-Length: 0"), []int{400}, nil, false},
		attempt{"two that are the same", post("hi", "Content-Length: 2", "Content-Length: 2"), []int{200, 400}, []int{0, 1}, false},
		attempt{"too long", post("hi", "Content-Length: 3"), []int{0, 400, 200, 499}, nil, true},
		attempt{"too short", post("hi"+inner(), "Content-Length: 2"), []int{200}, []int{1}, false})
}

func brokenChunks() []attempt {
	const te = "Transfer-Encoding: chunked"
	var all []attempt
	for name, body := range map[string]string{
		"LF behind the size": "2\nhi\r\n0\r\n\r\n", "no size": "\r\nhi\r\n0\r\n\r\n", "negative": "-2\r\nhi\r\n0\r\n\r\n", "plus": "+2\r\nhi\r\n0\r\n\r\n", "0x": "0x2\r\nhi\r\n0\r\n\r\n",
		"space before": " 2\r\nhi\r\n0\r\n\r\n", "underscore": "0_2\r\nhi\r\n0\r\n\r\n", "seventeen digits": "00000000000000002\r\nhi\r\n0\r\n\r\n", "overflow": "10000000000000002\r\nhi\r\n0\r\n\r\n",
		"data too long": "2\r\nhiho\r\n0\r\n\r\n", "LF behind the data": "2\r\nhi\n0\r\n\r\n", "CR in the size": "2\r\rhi\r\n0\r\n\r\n", "LF in an extension": "2;a\nb\r\nhi\r\n0\r\n\r\n", "NUL": "2\x00\r\nhi\r\n0\r\n\r\n",
	} {
		all = append(all, attempt{name, post(body+inner(), te), []int{400}, nil, false})
	}
	return append(all,
		attempt{"extension", post("2;a=b\r\nhi\r\n0\r\n\r\n", te), []int{200, 400}, []int{0, 1}, false},
		attempt{"quoted line in an extension", post("2;a=\"\r\nhi\r\n0\r\n\r\n", te), []int{200, 400}, []int{0, 1}, false},
		attempt{"ends early", post("5\r\nhi", te), []int{0, 400}, nil, true},
		attempt{"no last chunk", post("2\r\nhi\r\n", te), []int{0, 400}, nil, true},
		attempt{"request in the trailer", post("0\r\nX: y\r\n\r\n"+inner(), te), []int{200, 400}, []int{0, 1}, false},
		attempt{"LF behind the last", post("0\n\n"+inner(), te), []int{200, 400}, []int{0, 1}, false},
		attempt{"64 kB of extension", post("2;"+strings.Repeat("a", 64<<10)+"\r\nhi\r\n0\r\n\r\n", te), []int{400, 200}, []int{0, 1}, false})
}

func versions() []attempt {
	var all []attempt
	for _, v := range []string{"HTTP/1.32", "HTTP/\r\r1.1", "HTTP/2.0", "HTTP/0.9", "HTTP/3", "http/1.1", "HTTP/1", "HTTP/1.", "HTTP/1.1x", "HTTP/01.1", "HTTP/11", "HTTPS/1.1", "HTTP /1.1", "ICY/1.1"} {
		all = append(all, attempt{fmt.Sprintf("%q", v), "GET /public/x " + v + "\r\nHost: " + host + "\r\n\r\n", []int{400, 505}, nil, false})
	}
	return append(all,
		attempt{"HTTP/1.2", "GET /public/x HTTP/1.2\r\nHost: " + host + "\r\n\r\n", []int{200, 400, 505}, []int{0, 1}, false},
		attempt{"none", "GET /public/x\r\n\r\n", []int{400}, nil, false},
		attempt{"none, with a head", "GET /public/x\r\nHost: " + host + "\r\n\r\n", []int{400}, nil, false},
		attempt{"preface too late", at("/public/x") + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{200}, []int{1}, false})
}
