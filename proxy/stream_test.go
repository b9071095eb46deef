package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

// TestKeepAliveAfterPost: full duplex does not cost the connection when the body
// was read, and what follows on it works (the context of the connection lives).
func TestKeepAliveAfterPost(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.IdleTimeout = time.Second })
	c := p.dial()
	for range 5 {
		for _, got := range c.Exchange(chunked+"1\r\na\r\n0\r\n\r\n"+"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na"+get("/x"), "POST", "POST", "GET") {
			if got.Status != 200 || got.Has("Connection") {
				t.Fatalf("%+v", got)
			}
		}
	}
	c.Finish()
	equal(t, "requests", len(up.Requests()), 15)
}

// TestBothDirectionsStream: each side hears the other before it has ended.
func TestBothDirectionsStream(t *testing.T) {
	t.Parallel()
	up := echo(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		_ = rc.Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintf(w, "%s!\n", lines.Text())
			_ = rc.Flush()
		}
	})
	for _, k := range []kind{plain, secure} {
		p := start(t, k, up, func(cfg *proxy.Config) { cfg.IdleTimeout = 200 * time.Millisecond })
		read, write := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL, read)
		check(t, err)
		res, err := p.Client().Do(req)
		check(t, err)
		answers := bufio.NewReader(res.Body)
		for i := range 3 {
			if i == 1 {
				<-time.After(500 * time.Millisecond) // longer than the idle timeout: a stream may pause
			}
			_, err = fmt.Fprintf(write, "line %d\n", i)
			check(t, err)
			got, err := answers.ReadString('\n')
			check(t, err)
			equal(t, "answer", got, fmt.Sprintf("line %d!\n", i))
		}
		check(t, write.Close())
		_, err = answers.ReadByte()
		equal(t, "end", err, io.EOF)
		_ = res.Body.Close()
		e := p.exchange()
		if e.Status != 200 || e.Cut || e.BytesIn != 21 || e.BytesOut != 24 {
			t.Errorf("%+v", e)
		}
		p.Client().CloseIdleConnections()
	}
}

// TestContinue: a 100 Continue of the upstream reaches the client, and the body
// goes out only then.
func TestContinue(t *testing.T) {
	t.Parallel()
	up, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = up.Close() }()
	p := start(t, plain, "http://"+up.Addr().String(), nil)
	c := p.dial()
	c.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	conn, err := up.Accept()
	check(t, err)
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	check(t, err)
	equal(t, "Expect", r.Header.Get("Expect"), "100-continue")
	equal(t, "body bytes before the continue", in.Buffered(), 0)
	// A 103 before it could meet the 100 that net/http writes on its own.
	_, err = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\nX-Authproxy-Response: evil\r\n\r\n")
	check(t, err)
	equal(t, "interim", c.Read(len("HTTP/1.1 100 Continue\r\n\r\n")), "HTTP/1.1 100 Continue\r\n\r\n")
	c.Send("abc")
	body := make([]byte, 3)
	_, err = io.ReadFull(in, body)
	check(t, err)
	_, err = io.WriteString(conn, wiretest.OK)
	check(t, err)
	equal(t, "status", c.Response("POST").Status, 200)
	c.Close()
}

// TestThreatDOS18: a client that leaves ends the request at the upstream, before
// and behind the response head.
func TestThreatDOS18(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{plain, secure} {
		for _, behind := range []bool{false, true} {
			arrived, ended := make(chan struct{}), make(chan struct{})
			up := echo(t, func(w http.ResponseWriter, r *http.Request) {
				if behind {
					_, _ = io.WriteString(w, "first")
					_ = http.NewResponseController(w).Flush()
				}
				close(arrived)
				<-r.Context().Done()
				close(ended)
			})
			p := start(t, k, up, nil)
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
			check(t, err)
			go func() { <-arrived; cancel() }()
			res, err := p.Client().Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the client got %v", err)
			}
			<-ended
			e := p.exchange()
			want := authproxy.StatusClientClosed
			if behind && e.Cut {
				want = 200
			}
			if e.Reason != authproxy.ClientClosed || e.Status != want {
				t.Errorf("behind the head %v: %+v", behind, e)
			}
			p.Client().CloseIdleConnections()
		}
	}
}

// TestEndedContextIsNoAnswer: when the server gives its requests up, a client
// that is still there sees its connection break, not an empty 200.
func TestEndedContextIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{plain, secure} {
		arrived := make(chan struct{})
		up := echo(t, func(_ http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done() })
		base, giveUp := context.WithCancel(t.Context())
		p := startIn(t, k, base, up, nil)
		go func() { <-arrived; giveUp() }()
		res, err := p.Client().Get(p.URL)
		if err == nil {
			_ = res.Body.Close()
			t.Errorf("the client got %s", res.Status)
		}
		if e := p.exchange(); e.Status != authproxy.StatusClientClosed {
			t.Errorf("%+v", e)
		}
		p.Client().CloseIdleConnections()
	}
}
