package proxy_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/proxy"
)

// alone is a Handler without listeners on either side.
type alone struct {
	*proxy.Handler
	record *recorder
}

// recorder is an upstream that keeps the last request on a unix socket.
type recorder struct {
	net.Listener
	last chan string
}

func newHandler(t testing.TB, d decide) *alone {
	t.Helper()
	path := t.TempDir() + "/s"
	listener, err := net.Listen("unix", path)
	check(t, err)
	r := &recorder{listener, make(chan string, 1)}
	t.Cleanup(func() { _ = listener.Close() })
	go r.serve()
	owner, err := headers.NewOwner(headers.OwnerConfig{})
	check(t, err)
	h, err := proxy.New(proxy.Config{Decider: d, Owner: owner, Upstream: &url.URL{Scheme: "unix", Path: path}})
	check(t, err)
	return &alone{h, r}
}

func (r *recorder) serve() {
	for {
		conn, err := r.Accept()
		if err != nil {
			return
		}
		var all []byte
		buf := make([]byte, 4096)
		for !bytes.Contains(all, []byte("\r\n\r\n")) {
			n, err := conn.Read(buf)
			if err != nil {
				break
			}
			all = append(all, buf[:n]...)
		}
		r.last <- string(all)
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		_ = conn.Close()
	}
}

// send returns the bytes the upstream got, "" for none.
func (a *alone) send(t *testing.T, r *http.Request) string {
	t.Helper()
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Code != http.StatusNoContent {
		return ""
	}
	return <-a.record.last
}

func benchmark(b *testing.B, make func(upstream *url.URL) http.Handler) {
	up := echo(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 1024)) })
	u, err := url.Parse(up)
	check(b, err)
	s := httptest.NewServer(make(u))
	b.Cleanup(s.Close)
	client := s.Client()
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL+"/path?query", nil)
		check(b, err)
		res, err := client.Do(req)
		check(b, err)
		_, err = io.Copy(io.Discard, res.Body)
		check(b, err)
		check(b, res.Body.Close())
	}
}

func BenchmarkProxy(b *testing.B) {
	d := signedIn(b)
	benchmark(b, func(u *url.URL) http.Handler {
		owner, err := headers.NewOwner(headers.OwnerConfig{})
		check(b, err)
		h, err := proxy.New(proxy.Config{Decider: decide(func(*authproxy.Request) authproxy.Decision { return d }), Owner: owner, Upstream: u})
		check(b, err)
		b.Cleanup(h.CloseIdleConnections)
		return h
	})
}

func BenchmarkBareReverseProxy(b *testing.B) {
	benchmark(b, func(u *url.URL) http.Handler {
		transport := &http.Transport{DisableCompression: true}
		b.Cleanup(transport.CloseIdleConnections)
		return &httputil.ReverseProxy{Transport: transport, Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(u) }}
	})
}
