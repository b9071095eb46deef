package wiretest_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

func serve(t *testing.T, handler http.Handler, cert *wiretest.Certificate) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(cert != nil)
	s.Protocols.SetUnencryptedHTTP2(cert == nil)
	done := make(chan error, 1)
	go func() {
		if cert == nil {
			done <- s.Serve(l)
		} else {
			done <- s.ServeTLS(l, cert.CertFile, cert.KeyFile)
		}
	}()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Seen", r.Method+" "+r.RequestURI)
	_, _ = w.Write(append([]byte("got:"), body...))
}

func TestClient(t *testing.T) {
	t.Parallel()
	addr := serve(t, http.HandlerFunc(echo), nil)
	const get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	const post = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"

	t.Run("pipelined", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, addr)
		got := c.Exchange(get+post, "GET", "POST")
		if len(got) != 2 || got[0].Get("X-Seen") != "GET /a" || string(got[1].Body) != "got:hi" {
			t.Errorf("got %+v", got)
		}
		c.Finish()
	})
	t.Run("split", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, addr)
		for i := range len(post) {
			c.Send(post[:i], post[i:])
			if r := c.Response("POST"); r == nil || string(r.Body) != "got:hi" {
				t.Fatalf("split at %d: %+v", i, r)
			}
		}
		c.Finish()
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, addr)
		c.Send("GET / HTTP/1.1\r\n\r\n")
		if r := c.Response("GET"); r.Status != 400 || !r.ToEnd {
			t.Errorf("got %+v", r)
		}
		if r := c.Response("GET"); r != nil {
			t.Errorf("got %+v after the end", r)
		}
	})
	t.Run("read", func(t *testing.T) {
		t.Parallel()
		c := wiretest.Dial(t, addr)
		c.Send(get)
		if got := c.Read(12); got != "HTTP/1.1 200" {
			t.Errorf("got %q", got)
		}
		c.HalfClose()
		if rest := c.End(); len(rest) == 0 {
			t.Error("nothing behind the status line")
		}
	})
}

func TestClientCut(t *testing.T) {
	t.Parallel()
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("short"))
		panic(http.ErrAbortHandler)
	}), nil)
	c := wiretest.Dial(t, addr)
	c.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if !c.Cut("GET") {
		t.Error("a response that broke off was taken for a whole one")
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert := wiretest.NewCertificate(t, "app.example.com")
	addr := serve(t, http.HandlerFunc(echo), cert)
	c := wiretest.DialTLS(t, addr, cert.Client("app.example.com", "http/1.1"))
	if got := c.Exchange("GET /tls HTTP/1.1\r\nHost: x\r\n\r\n", "GET"); len(got) != 1 || got[0].Get("X-Seen") != "GET /tls" {
		t.Errorf("got %+v", got)
	}
	c.Finish()

	stranger, err := tls.Dial("tcp", addr, cert.Client("other.example.com"))
	if err == nil {
		_ = stranger.Close()
		t.Error("the certificate is good for every name")
	}
}
