package proxy_test

import (
	"errors"
	"flag"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// signedIn is the Decision for a person with the default mapping.
func signedIn(t testing.TB) authproxy.Decision {
	t.Helper()
	mapping, err := headers.ParseMapping("")
	check(t, err)
	id := &authproxy.Identity{
		UserID: "user_1", SessionID: "sess_1",
		Claims: authproxy.Claims(`{"managerOSUserId":"m1","organizationId":"org 1","organizationName":"Müller GmbH","organizationSlug":"mueller","personId":42,"role":["admin","a,b"]}`),
	}
	claims, err := mapping.Render(id.Claims)
	check(t, err)
	assert, err := mapping.Assert(id, claims)
	check(t, err)
	return authproxy.Decision{
		Action: authproxy.Allow, Route: authproxy.RouteDefault, Source: authproxy.SourceCookie, Origin: origin,
		Identity: id, Claims: claims, Assert: assert,
	}
}

func TestGoldenUpstreamBytes(t *testing.T) {
	t.Parallel()
	mapping, err := headers.ParseMapping("")
	check(t, err)
	owner, err := headers.NewOwner(headers.OwnerConfig{Mapped: mapping.Headers()})
	check(t, err)
	trusted := headers.NewPeers([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	hostile := []string{
		"X-Auth-Role: evil", "X_Auth_Role: evil", "X.Auth.Organization.Id: evil", "Proxy: http://evil", "X-Forwarded-User: evil",
		"Clerk-Secret-Key: evil", "X-Original-URL: /admin", "Forwarded: for=6.6.6.6", "Cookie: __session=token; theme=dark",
		"Authorization: Bearer token", "Connection: X-Auth-Role, X-Forwarded-For, close", "Te: trailers, gzip", "Keep-Alive: 5",
		"Accept: */*", "X-HTTP-Method-Override: DELETE", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	cases := []struct {
		name     string
		decision authproxy.Decision
		peers    *headers.Peers
		raw      string
	}{
		{"anonymous", allow(nil), trusted, get("/a%2Fb;c?q=%zz;x&y", append(hostile, "X-Request-Id: id-1", "X-Forwarded-For: 6.6.6.6, 7.7.7.7")...)},
		{"signed-in", signedIn(t), trusted, get("/", append(hostile, "X-Request-Id: id-2", "X-Forwarded-For: 8.8.8.8", "X-Forwarded-Host: evil.example, public.example.com", "X-Forwarded-Proto: http", "X-Forwarded-Prefix: /p")...)},
		{"post", signedIn(t), trusted, "POST /form? HTTP/1.1\r\nHost: app.example.com\r\nX-Request-Id: id-3\r\nTransfer-Encoding: chunked\r\nTrailer: X-Auth-Role\r\n\r\n5\r\nhello\r\n0\r\nX-Auth-Role: evil\r\n\r\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			up := wiretest.NewUpstream(t, nil)
			c.decision.DropAuthorization = true
			p := start(t, plain, up.URL(), func(cfg *proxy.Config) {
				cfg.Decider, cfg.Owner, cfg.Peers = always(c.decision), owner, c.peers
				cfg.StripCookies = func(h http.Header, _ []string) { h.Set("Cookie", "theme=dark") }
			})
			client := p.dial()
			equal(t, "status", client.Exchange(c.raw, "GET")[0].Status, 200)
			client.Close()
			got := string(up.Settle()[0].Bytes)
			file := "testdata/" + c.name + ".http"
			if *update {
				check(t, os.WriteFile(file, []byte(got), 0o600))
			}
			want, err := os.ReadFile(file)
			check(t, err)
			if got != string(want) {
				t.Errorf("the upstream got\n%s\nand should have got\n%s", got, want)
			}
		})
	}
}

// TestRequestForTheDecider holds what the question consists of.
func TestRequestForTheDecider(t *testing.T) {
	t.Parallel()
	var seen atomic.Pointer[authproxy.Request]
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) {
		cfg.Peers = headers.NewPeers([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
		cfg.Decider = decide(func(r *authproxy.Request) authproxy.Decision {
			seen.Store(r)
			d := allow(r)
			if !strings.HasPrefix(r.Path, "/") {
				d = authproxy.Decision{Action: authproxy.Deny, Reason: authproxy.RequestAmbiguous}
			}
			return d
		})
	})
	cases := []struct {
		raw  string
		want authproxy.Request
	}{
		{get("/a%2fb?x=1?y"), authproxy.Request{Method: "GET", Path: "/a%2fb", Query: "x=1?y", Host: "app.example.com", Scheme: "http"}},
		{get("//evil/x?"), authproxy.Request{Method: "GET", Path: "//evil/x", Host: "app.example.com", Scheme: "http"}},
		{get("http://evil/x"), authproxy.Request{Method: "GET", Path: "http://evil/x", Host: "evil", Scheme: "http"}},
		{"CONNECT evil:80 HTTP/1.1\r\nHost: evil:80\r\n\r\n", authproxy.Request{Method: "CONNECT", Path: "evil:80", Host: "evil:80", Scheme: "http"}},
		{get("/", "X-Forwarded-Host: a, b.example", "X-Forwarded-Proto: https"), authproxy.Request{Method: "GET", Path: "/", Host: "b.example", Scheme: "https"}},
		{"pOsT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", authproxy.Request{Method: "pOsT", Path: "/", Host: "h", Scheme: "http", HasBody: true}},
		{get("/", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket"), authproxy.Request{Method: "GET", Path: "/", Host: "app.example.com", Scheme: "http", Upgrade: true}},
	}
	for _, c := range cases {
		client := p.dial()
		client.Exchange(c.raw, c.want.Method)
		got := *seen.Load()
		got.Header, got.ClientIP = nil, netip.Addr{}
		if got.Method != c.want.Method || got.Path != c.want.Path || got.Query != c.want.Query || got.Host != c.want.Host ||
			got.Scheme != c.want.Scheme || got.HasBody != c.want.HasBody || got.Upgrade != c.want.Upgrade {
			t.Errorf("%q\n got %+v\nwant %+v", c.raw, got, c.want)
		}
		client.Close()
	}
}

// TestReceivedHeaderIsNeverChanged holds that all removing happens on the copy.
func TestReceivedHeaderIsNeverChanged(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	var seen atomic.Pointer[http.Header]
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) {
		cfg.Decider = decide(func(r *authproxy.Request) authproxy.Decision {
			seen.Store(&r.Header)
			d := allow(r)
			d.DropAuthorization = true
			return d
		})
		cfg.StripCookies = func(h http.Header, _ []string) { h.Del("Cookie") }
	})
	p.dial().Exchange(get("/", "X-Org: evil", "Authorization: Bearer x", "Cookie: a=b", "Upgrade: h2c", "Connection: Upgrade", "Idempotency-Key: 1"), "GET")
	p.exchange()
	for _, name := range []string{"X-Org", "Authorization", "Cookie", "Upgrade", "Connection", "Idempotency-Key"} {
		if seen.Load().Get(name) == "" {
			t.Errorf("%s is gone from the request as received", name)
		}
	}
}

func TestReservedAndNotFound(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	reserved := authproxy.Decision{Action: authproxy.Allow, Route: authproxy.RouteReserved}
	var p *rig
	p = start(t, plain, up.URL(), func(cfg *proxy.Config) {
		cfg.Decider = always(reserved)
		cfg.Reserved = func(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
			if r.URL.Path == "/_authproxy/none" {
				d.Action, d.Reason = authproxy.Deny, authproxy.NotFound
				p.Config.Handler.(*proxy.Handler).Respond(w, r, d)
				return
			}
			_, _ = w.Write([]byte("ours"))
		}
	})
	got := p.dial().Exchange(get("/_authproxy/x"), "GET")[0]
	if got.Status != 200 || string(got.Body) != "ours" || got.Get("X-Authproxy-Response") != "true" || got.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v", got)
	}
	equal(t, "request id", got.Get("X-Request-Id"), p.exchange().RequestID)
	got = p.dial().Exchange(get("/_authproxy/none"), "GET")[0]
	e := p.exchange()
	if got.Status != 404 || got.Get("X-Request-Id") != e.RequestID || e.Reason != authproxy.NotFound || e.Status != 404 {
		t.Errorf("%+v\n%+v", got, e)
	}
	equal(t, "requests at the upstream", len(up.Requests()), 0)

	bare := start(t, plain, "", func(cfg *proxy.Config) { cfg.Decider = always(reserved) })
	equal(t, "nobody answers reserved paths", bare.dial().Exchange(get("/_authproxy/x"), "GET")[0].Status, 404)
	empty := start(t, plain, "", nil)
	equal(t, "no upstream", empty.dial().Exchange(get("/"), "GET")[0].Status, 404)
}

// TestPanic: whatever panics before an answer began is 500 internal-error and
// says nothing about itself; ErrAbortHandler breaks off.
func TestPanic(t *testing.T) {
	t.Parallel()
	p := start(t, plain, "", func(cfg *proxy.Config) {
		cfg.Decider = decide(func(r *authproxy.Request) authproxy.Decision {
			if r.Path == "/abort" {
				panic(http.ErrAbortHandler)
			}
			if r.Path == "/late" {
				return authproxy.Decision{Action: authproxy.Allow, Route: authproxy.RouteReserved}
			}
			panic("secret")
		})
		cfg.Reserved = func(w http.ResponseWriter, _ *http.Request, _ authproxy.Decision) {
			_, _ = w.Write([]byte("half"))
			check(t, http.NewResponseController(w).Flush())
			panic("late secret")
		}
	})
	got := p.dial().Exchange(get("/"), "GET")[0]
	if got.Status != 500 || !strings.Contains(string(got.Body), `"reason":"internal-error"`) || strings.Contains(string(got.Body), "secret") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	e := p.exchange()
	if e.Reason != authproxy.InternalError || e.Err == nil || len(e.Panic) == 0 || e.Status != 500 {
		t.Errorf("%+v", e)
	}
	c := p.dial()
	c.Send(get("/abort"))
	if c.Response("GET") != nil {
		t.Error("an aborted request was answered")
	}
	p.exchange()
	c = p.dial()
	c.Send(get("/late"))
	if !c.Cut("GET") {
		t.Error("an answer that was broken off looks whole")
	}
	if e := p.exchange(); !e.Cut || e.Reason != authproxy.InternalError || e.Status != 200 {
		t.Errorf("%+v", e)
	}
}

// TestZeroDecisionDenies: what nobody decided is our own fault.
func TestZeroDecisionDenies(t *testing.T) {
	t.Parallel()
	up := wiretest.NewUpstream(t, nil)
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(authproxy.Decision{}) })
	equal(t, "status", p.dial().Exchange(get("/"), "GET")[0].Status, 500)
	equal(t, "requests at the upstream", len(up.Requests()), 0)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := proxy.New(proxy.Config{}); err == nil {
		t.Error("a proxy without Decider was made")
	}
}

func TestExchangeReport(t *testing.T) {
	t.Parallel()
	var began, stripped atomic.Int32
	up := wiretest.NewUpstream(t, nil)
	d := signedIn(t)
	d.Identity.Actor = &authproxy.Actor{UserID: "user_2"}
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) {
		cfg.Decider = always(d)
		cfg.Hooks.Started = func() { began.Add(1) }
		cfg.Hooks.Stripped = func(kinds []string, r *authproxy.Request) {
			if len(kinds) == 1 && kinds[0] == "identity" && r.Path == "/p" {
				stripped.Add(1)
			}
		}
	})
	p.dial().Exchange("POST /p?secret HTTP/1.1\r\nHost: app.example.com\r\nX_Org: evil\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nContent-Length: 3\r\n\r\nabc", "POST")
	e := p.exchange()
	want := []any{
		e.Method, "POST", e.Host, "app.example.com", e.Path, "/p", e.Protocol, "HTTP/1.1", e.ClientIP.String(), "127.0.0.1",
		e.Status, 200, e.BytesIn, int64(3), e.BytesOut, int64(2), e.Result(), proxy.ResultAuthenticated, e.Route(), authproxy.RouteDefault,
		e.Source(), authproxy.SourceCookie, e.UserID(), "user_1", e.ActorID(), "user_2", e.OrganizationID(), "org 1",
		e.TraceID, "0af7651916cd43dd8448eb211c80319c", e.Upgraded, false, e.Cut, false, e.Reason, authproxy.Reason(""),
		headers.ValidRequestID(e.RequestID), true, e.Duration >= e.UpstreamDuration && e.UpstreamDuration > 0, true,
		began.Load(), int32(1), stripped.Load(), int32(1), len(p.done), 0,
	}
	for i := 0; i < len(want); i += 2 {
		if want[i] != want[i+1] {
			t.Errorf("pair %d: got %v, want %v", i/2, want[i], want[i+1])
		}
	}
	if !errors.Is(e.Err, nil) {
		t.Error(e.Err)
	}
	zero := &proxy.Exchange{}
	if zero.Result() != proxy.ResultRefused || zero.Route() != authproxy.RouteDefault || zero.Source() != authproxy.SourceNone || zero.UserID()+zero.ActorID()+zero.OrganizationID() != "" {
		t.Error("an exchange without a decision says something else than a refusal")
	}
	zero.Decision.Action = authproxy.Redirect
	equal(t, "redirect", zero.Result(), proxy.ResultRedirected)
	zero.Decision.Action = authproxy.Handshake
	equal(t, "handshake", zero.Result(), proxy.ResultRedirected)
	zero.Decision.Action = authproxy.Allow
	equal(t, "anonymous", zero.Result(), proxy.ResultAnonymous)
}
