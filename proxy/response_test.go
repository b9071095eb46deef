package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

// saying is an upstream that always says the same.
func saying(t testing.TB, reply wiretest.Reply) *wiretest.Upstream {
	t.Helper()
	return wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply { return reply })
}

// TestUpstreamCannotSpeakAsUs: our own names do not come from an upstream, in
// heads, interim heads and trailers.
func TestUpstreamCannotSpeakAsUs(t *testing.T) {
	t.Parallel()
	ours := "X-Authproxy-Response: true\r\nX_Authproxy_Response: true\r\nx-clerk-auth-reason: evil\r\nX-Clerk-Auth-Token: evil\r\n"
	up := saying(t, wiretest.Reply{Bytes: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n" + ours + "\r\n" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Own: kept\r\nTrailer: X-Sum, X-Authproxy-Response\r\n" + ours + "\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Late: 2\r\n" + ours + "Content-Length: 7\r\n\r\n"})
	for _, k := range []kind{plain, secure} {
		p := start(t, k, up.URL(), nil)
		if k == plain {
			c := p.dial()
			c.Send(get("/", "TE: trailers"))
			hints := "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
			equal(t, "interim", c.Read(len(hints)), hints)
			c.Close()
			p.exchange()
			c = p.dial()
			got := c.Exchange(get("/"), "GET")[0]
			if got.Has("X-Authproxy-Response") || got.Has("X_Authproxy_Response") || got.Has("X-Clerk-Auth-Reason") || got.Get("X-Own") != "kept" || strings.Contains(got.Get("Trailer"), "Authproxy") {
				t.Errorf("%+v", got.Fields)
			}
			trailers(t, got.Trailers)
			c.Close()
			continue
		}
		c := p.dialH2()
		s := c.Request("", pseudo("GET", "/")...)
		if s.Status != "200" || s.Get("x-authproxy-response") != "" || s.Get("x-own") != "kept" {
			t.Errorf("%+v", s)
		}
		trailers(t, s.Trailers)
		c.Close()
	}
}

func trailers(t *testing.T, fields []wiretest.Field) {
	t.Helper()
	var names []string
	for _, f := range fields {
		names = append(names, strings.ToLower(f.Name)+"="+f.Value)
	}
	if len(names) != 2 || !strings.Contains(strings.Join(names, " "), "x-sum=1") || !strings.Contains(strings.Join(names, " "), "x-late=2") {
		t.Errorf("trailers %q", names)
	}
}

// TestThreatSMG20: an upstream that breaks the rules is 502, whole or not at all.
func TestThreatSMG20(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"no http":           "SSH-2.0-OpenSSH\r\n\r\n",
		"nothing":           " ",
		"control in a name": "HTTP/1.1 200 OK\r\nX\x00: a\r\n\r\n",
		"two lengths":       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"bad length":        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"huge head":         "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n",
		"1xx flood":         strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000) + wiretest.OK,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, plain, saying(t, wiretest.Reply{Bytes: answer, Close: true}).URL(), nil)
			c := p.dial()
			got := c.Exchange(get("/"), "GET")[0]
			if got.Status != 502 || got.Get("X-Authproxy-Response") != "true" || len(got.Interim) > 100 {
				t.Errorf("%d after %d interim", got.Status, len(got.Interim))
			}
			if e := p.exchange(); e.Reason != authproxy.UpstreamUnreachable || e.Err == nil || e.UpstreamDuration == 0 {
				t.Errorf("%+v", e)
			}
		})
	}
	two := start(t, plain, saying(t, wiretest.Reply{Bytes: wiretest.OK + wiretest.OK}).URL(), nil)
	c := two.dial()
	for range 3 {
		equal(t, "body", string(c.Exchange(get("/"), "GET")[0].Body), "ok")
	}
	c.Finish()
}

// TestThreatSMG19: an answer that is broken off does not look whole.
func TestThreatSMG19(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
	} {
		up := saying(t, wiretest.Reply{Bytes: answer, Close: true})
		for _, k := range []kind{plain, secure} {
			p := start(t, k, up.URL(), nil)
			if k == plain {
				c := p.dial()
				c.Send(get("/"))
				if !c.Cut("GET") {
					t.Errorf("%q looks whole", answer)
				}
			} else {
				c := p.dialH2()
				if s := c.Request("", pseudo("GET", "/")...); s.Reset == nil {
					t.Errorf("%q: %+v", answer, s)
				}
				c.Close()
			}
			if e := p.exchange(); !e.Cut || e.Reason != authproxy.UpstreamUnreachable || e.Status != 200 {
				t.Errorf("%+v", e)
			}
		}
	}
}

func TestUpstreamFailures(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	check(t, closed.Close())
	silent := saying(t, wiretest.Reply{Mute: true, After: make(chan struct{})})
	cases := []struct {
		name, upstream string
		status         int
		reason         authproxy.Reason
	}{
		{"refused", "http://" + closed.Addr().String(), 502, authproxy.UpstreamUnreachable},
		{"unresolvable", "http://nowhere.invalid:1", 502, authproxy.UpstreamUnreachable},
		{"no socket", "unix:///nowhere/at/all", 502, authproxy.UpstreamUnreachable},
		{"no tls", "https://" + silent.Addr(), 504, authproxy.UpstreamTimeout},
		{"silent", silent.URL(), 504, authproxy.UpstreamTimeout},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, plain, c.upstream, func(cfg *proxy.Config) { cfg.UpstreamTimeout = 300 * time.Millisecond })
			got := p.dial().Exchange(get("/"), "GET")[0]
			e := p.exchange()
			if got.Status != c.status || got.Get("X-Clerk-Auth-Reason") != string(c.reason) || e.Reason != c.reason || e.Err == nil || e.Status != c.status {
				t.Errorf("%+v\n%+v", got, e)
			}
			if strings.Contains(string(got.Body), "127.0.0.1") || strings.Contains(string(got.Body), "nowhere") {
				t.Errorf("the answer names the upstream: %s", got.Body)
			}
		})
	}
}

// TestUpstreamDoesNotRead: an upstream that takes no body is too slow.
func TestUpstreamDoesNotRead(t *testing.T) {
	t.Parallel()
	up, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = up.Close() }()
	p := start(t, plain, "http://"+up.Addr().String(), func(cfg *proxy.Config) { cfg.UpstreamTimeout = 300 * time.Millisecond })
	c, err := net.Dial("tcp", p.addr())
	check(t, err)
	defer func() { _ = c.Close() }()
	go func() {
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000000\r\n\r\n")
		for piece := make([]byte, 1<<16); err == nil; {
			_, err = c.Write(piece)
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	check(t, err)
	_ = res.Body.Close()
	equal(t, "status", res.StatusCode, 504)
	equal(t, "reason", p.exchange().Reason, authproxy.UpstreamTimeout)
}

// TestEventsAreFlushed: an event arrives when it is written, and so does a piece
// of an answer of known length.
func TestEventsAreFlushed(t *testing.T) {
	t.Parallel()
	for _, head := range []map[string]string{{"Content-Type": "text/event-stream"}, {"Content-Length": "27"}, {}} {
		next := make(chan struct{})
		up := echo(t, func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range head {
				w.Header().Set(name, value)
			}
			_ = http.NewResponseController(w).Flush()
			for i := range 3 {
				<-next
				_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
				_ = http.NewResponseController(w).Flush()
			}
		})
		for _, k := range []kind{plain, secure} {
			p := start(t, k, up, func(cfg *proxy.Config) {
				cfg.IdleTimeout, cfg.UpstreamTimeout = 150*time.Millisecond, 150*time.Millisecond
			})
			res, err := p.Client().Get(p.URL)
			check(t, err)
			events := bufio.NewReader(res.Body)
			for i := range 3 {
				if i == 1 {
					<-time.After(400 * time.Millisecond) // a stream may pause
				}
				next <- struct{}{}
				got, err := events.ReadString('\n')
				check(t, err)
				equal(t, "event", got, fmt.Sprintf("data: %d\n", i))
				_, _ = events.ReadString('\n')
			}
			_ = res.Body.Close()
			p.exchange()
			p.Client().CloseIdleConnections()
		}
	}
}

// TestThreatDOS02: a client that does not read is left, and so is its upstream.
func TestThreatDOS02(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{plain, secure} {
		gone := make(chan struct{})
		up := echo(t, func(w http.ResponseWriter, r *http.Request) {
			defer close(gone)
			piece := make([]byte, 1<<16)
			for r.Context().Err() == nil {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		})
		p := start(t, k, up, func(cfg *proxy.Config) { cfg.IdleTimeout = 200 * time.Millisecond })
		res, err := p.Client().Get(p.URL)
		check(t, err)
		if e := p.exchange(); e.Reason != authproxy.ClientClosed || !e.Cut {
			t.Errorf("%+v", e)
		}
		<-gone
		_ = res.Body.Close()
		p.Client().CloseIdleConnections()
	}
}

// TestThreatDOS16: nothing is compressed or inflated on the way.
func TestThreatDOS16(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply {
		return wiretest.Reply{Bytes: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8bx"}
	})
	p := start(t, plain, up.URL(), nil)
	c := p.dial()
	got := c.Exchange(get("/"), "GET")[0]
	c.Close()
	if string(got.Body) != "\x1f\x8bx" || got.Get("Content-Encoding") != "gzip" || up.Requests()[0].Has("Accept-Encoding") {
		t.Errorf("%+v", got)
	}
}
