package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

const chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

// onlyOne fails when the upstream got a whole request that the client did not
// send as one.
func onlyOne(t *testing.T, up *wiretest.Upstream, forbidden string) {
	t.Helper()
	for _, c := range up.Settle() {
		if strings.Contains(string(c.Bytes), forbidden) {
			t.Errorf("the upstream got %q", c.Bytes)
		}
	}
}

// TestThreatSMG07: a body that cannot be read is the client's fault, and what
// follows it is no request.
func TestThreatSMG07(t *testing.T) {
	t.Parallel()
	for _, garbage := range []string{"zz\r\nabc\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabcX\r\n", "ffffffffffffffffff\r\na", "-1\r\n\r\n"} {
		up := wiretest.NewUpstream(t, nil)
		p := start(t, plain, up.URL(), nil)
		c := p.dial()
		c.Send(chunked + "1\r\na\r\n" + garbage + get("/smuggled"))
		got := c.Response("POST")
		if got == nil || got.Status != 400 || got.Get("X-Clerk-Auth-Reason") != "body-invalid" || got.Get("Connection") != "close" {
			t.Fatalf("%q: %+v", garbage, got)
		}
		if e := p.exchange(); e.Reason != authproxy.BodyInvalid || e.Status != 400 {
			t.Errorf("%+v", e)
		}
		if rest := c.End(); len(rest) > 0 {
			t.Errorf("%q: then %q", garbage, rest)
		}
		c.Close()
		onlyOne(t, up, "smuggled")
	}
}

// TestTruncatedBody: whoever stops in the middle is gone for the log, and is
// told 400 if it only closed its sending half.
func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{chunked + "5\r\nab", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"} {
		up := wiretest.NewUpstream(t, nil)
		p := start(t, plain, up.URL(), nil)
		c := p.dial()
		c.Send(raw)
		up.Await("the head", func(all []wiretest.Connection) bool { return len(all) == 1 && all[0].Partial != nil })
		c.HalfClose()
		if got := c.Response("POST"); got != nil && got.Status != 400 {
			t.Errorf("%+v", got)
		}
		if e := p.exchange(); e.Reason != authproxy.ClientClosed || e.Status != authproxy.StatusClientClosed {
			t.Errorf("%+v", e)
		}
		equal(t, "whole requests", len(up.Settle()[0].Requests), 0)
	}
}

func TestMaxBodyBytes(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.MaxBodyBytes = 10 })
	send := func(raw string) *wiretest.Response {
		c := p.dial()
		defer c.Close()
		return c.Exchange(raw, "POST")[0]
	}
	length := func(n int) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n))
	}
	equal(t, "at the limit", send(length(10)).Status, 200)
	before := len(up.Snapshot()[0].Bytes)
	equal(t, "announced above it", send(length(11)).Status, 413)
	p.exchange()
	if e := p.exchange(); e.Reason != authproxy.RequestTooLarge || e.BytesIn != 0 {
		t.Errorf("%+v", e)
	}
	equal(t, "bytes sent on for it", len(up.Snapshot()[0].Bytes)-before, 0)
	equal(t, "chunked at the limit", send(chunked+"a\r\n0123456789\r\n0\r\n\r\n").Status, 200)
	got := send(chunked + "6\r\n012345\r\n5\r\n01234\r\n0\r\n\r\n")
	equal(t, "chunked above it", got.Status, 413)
	equal(t, "Connection", got.Get("Connection"), "close")
	for _, c := range up.Settle() {
		for _, r := range c.Requests {
			if len(r.Body) > 10 {
				t.Errorf("%s", r.Raw)
			}
		}
	}
}

// TestThreatDOS04 (and DOS-02): a client that stops sending is refused, and its
// upstream request ends.
func TestThreatDOS04(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{plain, secure} {
		up := wiretest.NewUpstream(t, nil)
		p := start(t, k, up.URL(), func(cfg *proxy.Config) { cfg.IdleTimeout = 150 * time.Millisecond })
		if k == secure {
			c := p.dialH2()
			c.Headers(1, false, pseudo("POST", "/")...)
			c.Data(1, false, "abc")
			if s := c.Wait(1); s.Status != "400" {
				t.Errorf("%+v", s)
			}
			c.Close()
		} else {
			c := p.dial()
			c.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000000\r\n\r\nabc")
			if got := c.Response("POST"); got == nil || got.Status != 400 {
				t.Fatalf("%+v", got)
			}
			c.Close()
		}
		if e := p.exchange(); e.Reason != authproxy.BodyInvalid {
			t.Errorf("%+v", e)
		}
		equal(t, "whole requests", len(up.Settle()[0].Requests), 0)
	}
}

// TestSlowUploadIsNotCut: only progress counts, however long the whole takes.
func TestSlowUploadIsNotCut(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{plain, secure} {
		up := wiretest.NewUpstream(t, nil)
		p := start(t, k, up.URL(), func(cfg *proxy.Config) {
			cfg.IdleTimeout, cfg.UpstreamTimeout = time.Second, time.Second
		})
		read, write := io.Pipe()
		go func() {
			tick := time.NewTicker(150 * time.Millisecond)
			defer tick.Stop()
			for range 10 { // longer than the timeouts
				<-tick.C
				_, _ = write.Write([]byte("piece"))
			}
			_ = write.Close()
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL, read)
		check(t, err)
		res, err := p.Client().Do(req)
		check(t, err)
		equal(t, "status", res.StatusCode, 200)
		_ = res.Body.Close()
		equal(t, "bytes in", p.exchange().BytesIn, 50)
		p.Client().CloseIdleConnections()
	}
}

// TestSlowUpstream: the client is not blamed for an upstream that takes its time
// with the body.
func TestSlowUpstream(t *testing.T) {
	t.Parallel()
	up := echo(t, func(w http.ResponseWriter, r *http.Request) {
		<-time.After(600 * time.Millisecond)
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	for _, k := range []kind{plain, secure} {
		p := start(t, k, up, func(cfg *proxy.Config) { cfg.IdleTimeout = 150 * time.Millisecond })
		res, err := p.Client().Post(p.URL, "", strings.NewReader(strings.Repeat("x", 20<<20)))
		check(t, err)
		equal(t, "answer", text(t, res), "20971520 <nil>")
		_ = res.Body.Close()
		p.Client().CloseIdleConnections()
	}
}

// TestThreatSMG15: when the upstream answers before the body is read, the answer
// arrives, and the rest of the body is never taken for a request.
func TestThreatSMG15(t *testing.T) {
	t.Parallel()
	smuggled := get("/smuggled")
	cases := map[string]string{
		"length, all there":  fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(smuggled)+900, smuggled),
		"length, long":       fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", 1<<20, smuggled),
		"chunked, unended":   chunked + "1\r\na\r\n",
		"chunked, garbage":   chunked + "1\r\na\r\nzz\r\n" + smuggled,
		"garbage in length":  "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n" + smuggled + smuggled,
		"expects a continue": "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n",
	}
	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply { return wiretest.Reply{Early: true, Mute: false} })
			p := start(t, plain, up.URL(), nil)
			c := p.dial()
			c.Send(raw)
			got := c.Response("POST")
			if got == nil || got.Status != 200 && got.Status != 400 {
				t.Fatalf("%+v", got)
			}
			equal(t, "Connection", got.Get("Connection"), "close")
			c.Send(smuggled)
			if rest := c.End(); len(rest) > 0 {
				t.Errorf("then %q", rest)
			}
			p.exchange()
			equal(t, "other exchanges", len(p.done), 0)
			for _, conn := range up.Settle() {
				for _, r := range conn.Requests {
					if r.Target == "/smuggled" {
						t.Error("the rest of the body became a request")
					}
				}
			}
		})
	}
}

// TestUnreadBodyOfRefused: net/http drains or closes; nothing of a refused body
// is a request, and a client that does not send it is not waited for.
func TestUnreadBodyOfRefused(t *testing.T) {
	t.Parallel()
	smuggled := get("/smuggled")
	p := start(t, plain, "", func(cfg *proxy.Config) {
		cfg.Decider, cfg.IdleTimeout = refuse(authproxy.SessionTokenMissing), 150*time.Millisecond
	})
	small := fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled)
	c := p.dial()
	for _, got := range c.Exchange(small+small+get("/last"), "POST", "POST", "GET") {
		equal(t, "status", got.Status, 401)
	}
	for _, want := range []string{"/", "/", "/last"} {
		equal(t, "path", p.exchange().Path, want)
	}
	c.Close()
	for _, raw := range []string{
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300\r\n\r\nabc", // never comes
		chunked + "zz\r\n" + smuggled,
		fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", 1<<20, smuggled),
	} {
		c := p.dial()
		c.Send(raw)
		if got := c.Response("POST"); got == nil || got.Status != 401 {
			t.Errorf("%.60q: %+v", raw, got)
		}
		if rest := c.End(); len(rest) > 0 {
			t.Errorf("%.60q: then %q", raw, rest)
		}
		equal(t, "path", p.exchange().Path, "/")
		c.Close()
	}
	equal(t, "other exchanges", len(p.done), 0)
	reserved := start(t, plain, "", func(cfg *proxy.Config) {
		cfg.Decider = always(authproxy.Decision{Action: authproxy.Allow, Route: authproxy.RouteReserved})
		cfg.Reserved = func(http.ResponseWriter, *http.Request, authproxy.Decision) {}
		cfg.IdleTimeout = 150 * time.Millisecond
	})
	c = reserved.dial()
	c.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300\r\n\r\nabc")
	if got := c.Response("POST"); got == nil || got.Status != 200 {
		t.Errorf("%+v", got)
	}
	c.Close()
}

// overread is the body of a server that has closed it: it can be read once to its
// end, and not looked at again.
type overread struct{ text string }

func (b *overread) Read(p []byte) (int, error) {
	if b.text == "" {
		return 0, http.ErrBodyReadAfterClose
	}
	n := copy(p, b.text)
	if b.text = b.text[n:]; b.text == "" {
		return n, io.EOF
	}
	return n, nil
}

func (b *overread) Close() error { return nil }

// TestBodyIsReadOnce: the transport looks behind the end of a body for more, in a
// goroutine of its own. By then the server may have closed it, which it does when
// the answer begins; that error would end the upstream's connection in the middle
// of the answer.
func TestBodyIsReadOnce(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), nil)
	for range 20 { // the two race
		r := httptest.NewRequest("POST", "/", nil)
		r.Body, r.ContentLength = &overread{"abc"}, 3
		w := httptest.NewRecorder()
		p.Config.Handler.ServeHTTP(w, r)
		if e := p.exchange(); w.Code != http.StatusOK || e.Reason != "" || e.Err != nil {
			t.Fatalf("%d %+v", w.Code, e)
		}
	}
}
