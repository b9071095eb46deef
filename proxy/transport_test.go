package proxy_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

func TestUnixUpstream(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/app.sock"
	listener, err := net.Listen("unix", path)
	check(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host+r.RequestURI) }))
	check(t, s.Listener.Close())
	s.Listener = listener
	s.Start()
	t.Cleanup(s.Close)
	p := start(t, plain, "unix://"+path, nil)
	c := p.dial()
	equal(t, "body", string(c.Exchange(get("//a?b"), "GET")[0].Body), "app.example.com//a?b")
	c.Close()
}

// TestHTTPSUpstream: a private authority is enough, and it is needed.
func TestHTTPSUpstream(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = discard()
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	p := start(t, plain, s.URL, func(cfg *proxy.Config) { cfg.UpstreamTLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12} })
	c := p.dial()
	equal(t, "protocol", string(c.Exchange(get("/"), "GET")[0].Body), "HTTP/1.1")
	c.Close()
	wrong := start(t, plain, s.URL, func(cfg *proxy.Config) {
		cfg.UpstreamTLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	})
	c = wrong.dial()
	equal(t, "an unknown authority", c.Exchange(get("/"), "GET")[0].Status, 502)
	c.Close()
	equal(t, "reason", wrong.exchange().Reason, authproxy.UpstreamUnreachable)
}

func TestUpstreamURLs(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"ftp://h", "http://", "http://h/path", "http://h?q", "http://h#f", "http://u@h", "unix://host/path", "unix:", "h:80", "http:opaque"} {
		u, err := url.Parse(raw)
		check(t, err)
		owner, err := headers.NewOwner(headers.OwnerConfig{})
		check(t, err)
		if _, err := proxy.New(proxy.Config{Decider: decide(allow), Owner: owner, Upstream: u}); err == nil {
			t.Errorf("%s was accepted", raw)
		}
	}
}

// TestThreatSSRF06: no variable of the environment diverts requests. The
// environment is read once per process, so the request is made in one of its own.
func TestThreatSSRF06(t *testing.T) {
	t.Parallel()
	if os.Getenv("AUTHPROXY_TEST_DIVERTED") != "" {
		p := start(t, plain, "http://upstream.invalid:80", nil) // not the loopback address, which is never diverted
		c := p.dial()
		equal(t, "status", c.Exchange(get("/"), "GET")[0].Status, 502)
		c.Close()
		return
	}
	diverted := wiretest.NewUpstream(t, nil)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestThreatSSRF06$", "-test.count=1")
	cmd.Env = append(os.Environ(), "AUTHPROXY_TEST_DIVERTED=1", "HTTP_PROXY="+diverted.URL(), "http_proxy="+diverted.URL(), "NO_PROXY=", "no_proxy=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	equal(t, "connections to the proxy of the environment", len(diverted.Snapshot()), 0)
}

// TestThreatSMG21: a POST is never sent twice, whatever its keys say; a GET may
// be.
func TestThreatSMG21(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, name string
		sent         int32
	}{{"POST", "Idempotency-Key", 1}, {"POST", "X-Idempotency-Key", 1}, {"POST", "X-Other", 1}, {"GET", "Idempotency-Key", 2}} {
		var sent atomic.Int32
		p := start(t, plain, hangingUp(t, func(r *http.Request) {
			equal(t, c.name, r.Header.Get(c.name), "k")
			sent.Add(1)
		}), nil)
		client := p.dial()
		equal(t, "status", client.Exchange(get("/"), "GET")[0].Status, 200)
		raw := c.method + " / HTTP/1.1\r\nHost: h\r\n" + c.name + ": k\r\nContent-Length: 0\r\n\r\n"
		equal(t, "status", client.Exchange(raw, c.method)[0].Status, 502)
		client.Close()
		equal(t, c.method+" with "+c.name+": times sent", sent.Load(), c.sent)
	}
}

// hangingUp is an upstream that answers the first request there is, and none
// after it: it reads the request and hangs up without a word.
func hangingUp(t *testing.T, later func(*http.Request)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for first := true; ; {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			r, err := http.ReadRequest(in)
			if err == nil && first {
				first = false
				_, _ = io.WriteString(conn, wiretest.OK)
				r, err = http.ReadRequest(in)
			}
			if err == nil {
				later(r)
			}
			_ = conn.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}
