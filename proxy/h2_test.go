package proxy_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

// TestHTTP2 in, by ALPN and by prior knowledge, is HTTP/1.1 out.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{secure, priorKnowledge} {
		up := wiretest.NewUpstream(t, nil)
		p := start(t, k, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(signedIn(t)) })
		protocols := new(http.Protocols)
		protocols.SetHTTP2(k == secure)
		protocols.SetUnencryptedHTTP2(k == priorKnowledge)
		transport := p.Client().Transport.(*http.Transport).Clone()
		transport.Protocols = protocols
		client := &http.Client{Transport: transport}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/a%2fb?c;d", io.MultiReader(strings.NewReader("hello")))
		check(t, err)
		req.Header["X_Org"] = []string{"evil"}
		res, err := client.Do(req)
		check(t, err)
		equal(t, "protocol", res.Proto, "HTTP/2.0")
		equal(t, "status", res.StatusCode, 200)
		check(t, res.Body.Close())
		equal(t, "protocol", p.exchange().Protocol, "HTTP/2.0")
		transport.CloseIdleConnections()
		got := up.Requests()[0]
		if got.Target != "/a%2fb?c;d" || string(got.Body) != "hello" || got.Get("X-Auth-User-Id") != "user_1" || len(got.Readable("X-Org")) > 0 {
			t.Errorf("%s", got.Raw)
		}
	}
}

// TestThreatH210: the scheme an HTTP/2 client names is not believed.
func TestThreatH210(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	d := allow(nil)
	d.Origin.Scheme = "" // as for a host that is served with both
	p := start(t, secure, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(d) })
	pool := p.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c := wiretest.DialH2TLS(t, p.addr(), &tls.Config{RootCAs: pool, ServerName: "example.com", NextProtos: []string{"h2"}})
	s := c.Request("", wiretest.Field{Name: ":method", Value: "GET"}, wiretest.Field{Name: ":scheme", Value: "http"},
		wiretest.Field{Name: ":authority", Value: "app.example.com"}, wiretest.Field{Name: ":path", Value: "/"})
	equal(t, "status", s.Status, "200")
	c.Close()
	hidden := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider, cfg.Secure = always(d), true })
	plainly := hidden.dial()
	equal(t, "status", plainly.Exchange(get("/"), "GET")[0].Status, 200)
	plainly.Close()
	for _, r := range up.Requests() {
		equal(t, "X-Forwarded-Proto", r.Get("X-Forwarded-Proto"), "https")
	}
}

// TestThreatH214: a client that opens no window for even a short answer is left.
func TestThreatH214(t *testing.T) {
	t.Parallel()
	p := start(t, secure, wiretest.NewUpstream(t, nil).URL(), func(cfg *proxy.Config) { cfg.IdleTimeout = 200 * time.Millisecond })
	c := p.dialH2()
	c.Frame(wiretest.FrameSettings, 0, 0, []byte{0, 4, 0, 0, 0, 0}) // SETTINGS_INITIAL_WINDOW_SIZE of 0
	if s := c.Request("", pseudo("GET", "/")...); s.Reset == nil || len(s.Body) > 0 {
		t.Errorf("%+v", s)
	}
	c.Close()
	p.exchange()
}
