package proxy_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// decide is a Decider.
type decide func(r *authproxy.Request) authproxy.Decision

func (f decide) Decide(_ context.Context, r *authproxy.Request) authproxy.Decision { return f(r) }

var origin = authproxy.Origin{Scheme: "https", Host: "app.example.com"}

// allow lets everything pass as nobody.
func allow(*authproxy.Request) authproxy.Decision {
	return authproxy.Decision{Action: authproxy.Allow, Route: authproxy.RoutePublic, Origin: origin, Assert: headers.Anonymous()}
}

// always answers every question with d.
func always(d authproxy.Decision) decide {
	return func(*authproxy.Request) authproxy.Decision { return d }
}

func refuse(reason authproxy.Reason) decide {
	return always(authproxy.Decision{Action: authproxy.Deny, Reason: reason})
}

// rig is a proxy on a real listener.
type rig struct {
	*httptest.Server
	t    testing.TB
	done chan *proxy.Exchange
}

// kind is what the listener speaks.
type kind int

const (
	plain kind = iota
	secure
	priorKnowledge
)

func start(t testing.TB, k kind, upstream string, edit func(*proxy.Config)) *rig {
	t.Helper()
	return startIn(t, k, context.Background(), upstream, edit)
}

// startIn is start with the context that all requests descend from.
func startIn(t testing.TB, k kind, base context.Context, upstream string, edit func(*proxy.Config)) *rig {
	t.Helper()
	r := &rig{t: t, done: make(chan *proxy.Exchange, 1000)}
	owner, err := headers.NewOwner(headers.OwnerConfig{Mapped: []string{"X-Auth-Organization-Id", "X-Org"}})
	check(t, err)
	cfg := proxy.Config{
		Decider: decide(allow), Owner: owner,
		Hooks: proxy.Hooks{Done: func(e *proxy.Exchange) { r.done <- e }},
	}
	if upstream != "" {
		cfg.Upstream, err = url.Parse(upstream)
		check(t, err)
	}
	if edit != nil {
		edit(&cfg)
	}
	handler, err := proxy.New(cfg)
	check(t, err)
	r.Server = httptest.NewUnstartedServer(handler)
	r.Config.BaseContext = func(net.Listener) context.Context { return base }
	switch k {
	case plain:
		r.Start()
	case secure:
		r.EnableHTTP2 = true
		r.StartTLS()
	case priorKnowledge:
		r.Config.Protocols = new(http.Protocols)
		r.Config.Protocols.SetUnencryptedHTTP2(true)
		r.Start()
	}
	t.Cleanup(func() {
		r.Close()
		handler.CloseIdleConnections()
	})
	return r
}

func (r *rig) addr() string { return r.Listener.Addr().String() }

func (r *rig) dial() *wiretest.Client { return wiretest.Dial(r.t, r.addr()) }

func (r *rig) dialH2() *wiretest.H2 {
	pool := r.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return wiretest.DialH2TLS(r.t, r.addr(), &tls.Config{RootCAs: pool, ServerName: "example.com", NextProtos: []string{"h2"}})
}

// exchange is the report about the next request that is over.
func (r *rig) exchange() *proxy.Exchange {
	r.t.Helper()
	select {
	case e := <-r.done:
		return e
	case <-time.After(patience):
		r.t.Fatal("no report about the exchange")
		return nil
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// get is a request with the header fields given as lines.
func get(target string, lines ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: app.example.com\r\n" + joined(lines) + "\r\n"
}

func joined(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	return b.String()
}

// echo is an upstream that net/http serves.
func echo(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}
