package proxy_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/wiretest"
	"github.com/manageros/authproxy/proxy"
)

var ours = []string{"__session=new; Path=/; Secure", "__client_uat=1; Path=/; Domain=example.com"}

// renewed is an Allow on the way to which the session was renewed.
func renewed(t testing.TB) authproxy.Decision {
	t.Helper()
	d := signedIn(t)
	d.SetCookies = slices.Clone(ours)
	return d
}

// all holds the values of a field, in their order.
func all(fields []wiretest.Field, name string) []string {
	var values []string
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

func same(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// TestThreatWEB04: an answer with the cookies of a renewed session is kept by no
// cache, whatever the upstream says, and the upstream's own cookies arrive too.
// An answer without them keeps what the upstream said.
func TestThreatWEB04(t *testing.T) {
	t.Parallel()
	public := []string{
		"Cache-Control: public, max-age=600", "cache-control: s-maxage=9", "CDN-Cache-Control: max-age=9", "Cloudflare-CDN-Cache-Control: max-age=9",
		"Netlify-Cdn-Cache-Control: max-age=9", "Surrogate-Control: max-age=9", "Expires: Wed, 21 Oct 2099 07:28:00 GMT", "Pragma: cache",
		"X-Accel-Expires: 9", "Edge-Control: cache-maxage=9",
	}
	head := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"1\"\r\nSet-Cookie: a=1\r\nSet-Cookie: __session=theirs\r\n" + joined(public) +
		"Connection: Set-Cookie, Vary, Cache-Control\r\n\r\nok"
	early := "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
	up := saying(t, wiretest.Reply{Bytes: early + strings.Replace(head, "Connection: Set-Cookie, Vary, Cache-Control\r\n", "", 1)})

	p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(renewed(t)) })
	c := p.dial()
	got := c.Exchange(get("/"), "GET")[0]
	c.Close()
	same(t, "cookies", all(got.Fields, "Set-Cookie"), append([]string{"a=1", "__session=theirs"}, ours...)...)
	same(t, "Cache-Control", all(got.Fields, "Cache-Control"), "private, no-store")
	same(t, "Vary", all(got.Fields, "Vary"), "Cookie")
	equal(t, "ETag", got.Get("ETag"), `"1"`)
	for _, line := range public[2:] {
		if name, _, _ := strings.Cut(line, ":"); got.Has(name) {
			t.Errorf("%s is still there", name)
		}
	}
	c = p.dial()
	c.Send(get("/"))
	equal(t, "interim head", c.Read(len(early)), early)
	c.Close()

	p = start(t, plain, saying(t, wiretest.Reply{Bytes: head}).URL(), func(cfg *proxy.Config) { cfg.Decider = always(renewed(t)) })
	c = p.dial()
	got = c.Exchange(get("/"), "GET")[0]
	c.Close()
	same(t, "cookies despite a Connection list", all(got.Fields, "Set-Cookie"), ours...)
	same(t, "Cache-Control despite a Connection list", all(got.Fields, "Cache-Control"), "private, no-store")

	p = start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(signedIn(t)) })
	c = p.dial()
	got = c.Exchange(get("/"), "GET")[0]
	c.Close()
	same(t, "cookies without a renewal", all(got.Fields, "Set-Cookie"), "a=1", "__session=theirs")
	equal(t, "Vary without a renewal", got.Has("Vary"), false)
	for _, line := range public {
		if name, _, _ := strings.Cut(line, ":"); !got.Has(name) {
			t.Errorf("without a renewal %s is gone", name)
		}
	}
}

func TestVary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ theirs, want []string }{
		{nil, []string{"Cookie"}},
		{[]string{"Accept-Encoding, Origin"}, []string{"Accept-Encoding, Origin", "Cookie"}},
		{[]string{"Origin", "accept, COOKIE"}, []string{"Origin", "accept, COOKIE"}},
		{[]string{"X-Cookie"}, []string{"X-Cookie", "Cookie"}},
		{[]string{"*"}, []string{"*"}},
	} {
		up := echo(t, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Vary"] = c.theirs })
		p := start(t, plain, up, func(cfg *proxy.Config) { cfg.Decider = always(renewed(t)) })
		client := p.dial()
		same(t, "Vary", all(client.Exchange(get("/"), "GET")[0].Fields, "Vary"), c.want...)
		client.Close()
	}
}

// TestRenewedCookiesOnEveryAnswer: whoever answers, the browser gets its
// cookies; Clerk gives them out once.
func TestRenewedCookiesOnEveryAnswer(t *testing.T) {
	t.Parallel()
	up := echo(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/304":
			w.WriteHeader(http.StatusNotModified)
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/slow":
			<-r.Context().Done()
		case "/broken":
			panic(http.ErrAbortHandler)
		default:
			_, _ = w.Write([]byte("ok"))
		}
	})
	as := func(action authproxy.Action, route authproxy.Route, reason authproxy.Reason) authproxy.Decision {
		d := renewed(t)
		d.Action, d.Route, d.Reason, d.Location = action, route, reason, "https://accounts.example.com/"
		return d
	}
	cases := []struct {
		name, method, path string
		d                  authproxy.Decision
		status             int
		cache              string
	}{
		{"forwarded", "GET", "/", renewed(t), 200, "private, no-store"},
		{"forwarded, without a body", "HEAD", "/", renewed(t), 200, "private, no-store"},
		{"forwarded, nothing new", "GET", "/304", renewed(t), 304, "private, no-store"},
		{"forwarded, empty", "DELETE", "/204", renewed(t), 204, "private, no-store"},
		{"too slow", "GET", "/slow", renewed(t), 504, "no-store"},
		{"broken", "DELETE", "/broken", renewed(t), 502, "no-store"},
		{"too large", "POST", "/", renewed(t), 413, "no-store"},
		{"sign-in", "GET", "/", as(authproxy.Redirect, "", authproxy.SessionPending), 302, "no-store"},
		{"back from a handshake", "GET", "/", as(authproxy.Handshake, "", ""), 307, "no-store"},
		{"refused", "GET", "/", as(authproxy.Deny, "", authproxy.ClaimMissing), 403, "no-store"},
		{"a page of ours", "GET", "/ours", as(authproxy.Allow, authproxy.RouteReserved, ""), 200, "no-store"},
		{"one that is for caches", "GET", "/cached", as(authproxy.Allow, authproxy.RouteReserved, ""), 200, "no-store"},
		{"one that says nothing", "GET", "/silent", as(authproxy.Allow, authproxy.RouteReserved, ""), 200, "no-store"},
		{"one that refuses", "GET", "/refusing", as(authproxy.Allow, authproxy.RouteReserved, ""), 404, "no-store"},
		{"one that fails", "GET", "/panic", as(authproxy.Allow, authproxy.RouteReserved, ""), 500, "no-store"},
	}
	for _, k := range []kind{plain, secure} {
		for _, c := range cases {
			var p *rig
			p = start(t, k, up, func(cfg *proxy.Config) {
				cfg.Decider, cfg.MaxBodyBytes, cfg.UpstreamTimeout = always(c.d), 10, 300*time.Millisecond
				cfg.Reserved = func(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
					switch r.URL.Path {
					case "/ours":
						_, _ = w.Write([]byte("ours"))
					case "/cached":
						w.Header().Set("Cache-Control", "public")
						w.Header().Set("Expires", "never")
					case "/refusing":
						d.Action, d.Reason = authproxy.Deny, authproxy.NotFound
						p.Config.Handler.(*proxy.Handler).Respond(w, r, d)
					case "/panic":
						panic("fault")
					}
				}
			})
			body := ""
			if c.method == "POST" {
				body = "more than ten bytes"
			}
			req, err := http.NewRequestWithContext(t.Context(), c.method, p.URL+c.path, strings.NewReader(body))
			check(t, err)
			transport := p.Client().Transport.(*http.Transport)
			res, err := transport.RoundTrip(req)
			check(t, err)
			check(t, res.Body.Close())
			transport.CloseIdleConnections()
			equal(t, c.name+": status", res.StatusCode, c.status)
			same(t, c.name+": cookies", res.Header["Set-Cookie"], ours...)
			same(t, c.name+": Cache-Control", res.Header["Cache-Control"], c.cache)
			same(t, c.name+": Vary", res.Header["Vary"], "Cookie")
			equal(t, c.name+": Expires", res.Header.Get("Expires"), "")
			equal(t, c.name+": reported status", p.exchange().Status, c.status)
		}
	}
}

// TestRenewedCookiesOfOtherAnswers: also where no upstream is, nobody answers
// reserved paths or the message is refused behind the decision.
func TestRenewedCookiesOfOtherAnswers(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	check(t, closed.Close())
	reserved := renewed(t)
	reserved.Route = authproxy.RouteReserved
	for _, c := range []struct {
		upstream string
		d        authproxy.Decision
		raw      string
		status   int
	}{
		{"http://" + closed.Addr().String(), renewed(t), get("/"), 502},
		{"", renewed(t), get("/"), 404},
		{"", reserved, get("/"), 404},
		{"", renewed(t), get("/", "Expect: 100-continue, x"), 400},
	} {
		p := start(t, plain, c.upstream, func(cfg *proxy.Config) { cfg.Decider = always(c.d) })
		client := p.dial()
		got := client.Exchange(c.raw, "GET")[0]
		client.Close()
		equal(t, "status", got.Status, c.status)
		same(t, "cookies", all(got.Fields, "Set-Cookie"), ours...)
	}
	res := respond(t, asked("GET", "/", true), authproxy.Decision{Reason: authproxy.NotFound, SetCookies: ours}, nil)
	same(t, "cookies of a Respond for others", res.Header["Set-Cookie"], ours...)
}

// TestRenewedCookiesOfATunnel: the head of a 101 takes a way of its own.
func TestRenewedCookiesOfATunnel(t *testing.T) {
	t.Parallel()
	up := saying(t, wiretest.Reply{Tunnel: true, Bytes: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, Set-Cookie2\r\nUpgrade: websocket\r\nSet-Cookie: a=1\r\nCache-Control: public\r\n\r\n"})
	p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(renewed(t)) })
	c := p.dial()
	c.Send(get("/ws", upgrading, connected))
	want := "HTTP/1.1 101 Switching Protocols\r\nCache-Control: private, no-store\r\nConnection: Upgrade\r\nSet-Cookie: a=1\r\n" +
		"Set-Cookie: " + ours[0] + "\r\nSet-Cookie: " + ours[1] + "\r\nUpgrade: websocket\r\nVary: Cookie\r\n\r\n"
	equal(t, "head", c.Read(len(want)), want)
	c.Send("through")
	equal(t, "echo", c.Read(7), "through")
	c.Close()
	equal(t, "upgraded", p.exchange().Upgraded, true)
}

// TestTrailersAreNoSecondHead: what is said about cookies and caches is said in
// the head, announced or not.
func TestTrailersAreNoSecondHead(t *testing.T) {
	t.Parallel()
	late := "X-Sum: 1\r\nSet-Cookie: b=2\r\nVary: *\r\nExpires: never\r\nCDN-Cache-Control: public\r\nX-Accel-Expires: 9\r\n"
	for _, announced := range []string{"", "Trailer: X-Sum, Set-Cookie, Vary, Expires, CDN-Cache-Control, X-Accel-Expires\r\n", "Trailer: Set-Cookie, Vary\r\n"} {
		up := saying(t, wiretest.Reply{Bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\n" + announced + "\r\n2\r\nok\r\n0\r\n" + late + "\r\n"})
		p := start(t, plain, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(renewed(t)) })
		c := p.dial()
		got := c.Exchange(get("/"), "GET")[0]
		c.Close()
		same(t, "cookies", all(got.Fields, "Set-Cookie"), append([]string{"a=1"}, ours...)...)
		if len(got.Trailers) != 1 || got.Trailers[0] != (wiretest.Field{Name: "X-Sum", Value: "1"}) {
			t.Errorf("%q: trailers %+v", announced, got.Trailers)
		}

		p = start(t, secure, up.URL(), func(cfg *proxy.Config) { cfg.Decider = always(renewed(t)) })
		h2 := p.dialH2()
		s := h2.Request("", pseudo("GET", "/")...)
		h2.Close()
		same(t, "cookies", all(s.Fields, "set-cookie"), append([]string{"a=1"}, ours...)...)
		if len(s.Trailers) != 1 || s.Trailers[0] != (wiretest.Field{Name: "x-sum", Value: "1"}) {
			t.Errorf("%q: trailers %+v", announced, s.Trailers)
		}
	}
}

// TestPageOfOursHasTheLastWord: signing out on the way of a renewal signs out.
func TestPageOfOursHasTheLastWord(t *testing.T) {
	t.Parallel()
	d := renewed(t)
	d.Route = authproxy.RouteReserved
	p := start(t, plain, "", func(cfg *proxy.Config) {
		cfg.Decider = always(d)
		cfg.Reserved = func(w http.ResponseWriter, _ *http.Request, _ authproxy.Decision) {
			w.Header().Add("Set-Cookie", "__session=; Path=/; Max-Age=0")
			w.WriteHeader(http.StatusSeeOther)
		}
	})
	c := p.dial()
	got := c.Exchange(get("/_authproxy/sign-out"), "GET")[0]
	c.Close()
	same(t, "cookies", all(got.Fields, "Set-Cookie"), append(slices.Clone(ours), "__session=; Path=/; Max-Age=0")...)
}

// TestThreatHS04: a line that is not one header value is never written, nor is
// the upstream told of it; the others are.
func TestThreatHS04(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a=b\r\nX-Evil: 1", "a=b\nSet-Cookie: c", "a=\x00", "a=\x7f", "\r"} {
		d := renewed(t)
		d.SetCookies = []string{ours[0], bad, ours[1]}
		var told []string
		up := saying(t, wiretest.Reply{})
		p := start(t, plain, up.URL(), func(cfg *proxy.Config) {
			cfg.Decider = always(d)
			cfg.StripCookies = func(_ http.Header, set []string) { told = slices.Clone(set) }
		})
		c := p.dial()
		got := c.Exchange(get("/"), "GET")[0]
		c.Close()
		e := p.exchange()
		same(t, "cookies", all(got.Fields, "Set-Cookie"), ours...)
		same(t, "the upstream is told of", told, ours...)
		if got.Has("X-Evil") || e.Err == nil || strings.Contains(e.Err.Error(), "a=") || e.Reason != "" {
			t.Errorf("%q: %+v\n%+v", bad, got, e)
		}
		d.Action, d.Reason = authproxy.Deny, authproxy.NotFound
		p = start(t, plain, "", func(cfg *proxy.Config) { cfg.Decider = always(d) })
		c = p.dial()
		same(t, "cookies of a refusal", all(c.Exchange(get("/"), "GET")[0].Fields, "Set-Cookie"), ours...)
		c.Close()
	}
	same(t, "the decision keeps its lines", renewed(t).SetCookies, ours...)
}

// TestUpstreamSeesTheNewSession: whoever strips cookies learns the new ones, and
// none where nothing was renewed.
func TestUpstreamSeesTheNewSession(t *testing.T) {
	t.Parallel()
	for _, d := range []authproxy.Decision{renewed(t), signedIn(t)} {
		up := wiretest.NewUpstream(t, nil)
		p := start(t, plain, up.URL(), func(cfg *proxy.Config) {
			cfg.Decider = always(d)
			cfg.StripCookies = func(h http.Header, set []string) { h.Set("Cookie", strings.Join(set, "|")) }
		})
		c := p.dial()
		c.Exchange(get("/", "Cookie: __session=old"), "GET")
		c.Close()
		equal(t, "cookies", up.Settle()[0].Requests[0].Get("Cookie"), strings.Join(d.SetCookies, "|"))
	}
}

// TestKeepCredentials: on the path of Clerk's Frontend API the credentials stay,
// and what could be taken for ours goes as ever.
func TestKeepCredentials(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		d := signedIn(t)
		d.DropAuthorization, d.KeepCredentials = true, keep
		up := wiretest.NewUpstream(t, nil)
		p := start(t, plain, up.URL(), func(cfg *proxy.Config) {
			cfg.Decider = always(d)
			cfg.StripCookies = func(h http.Header, _ []string) { h.Del("Cookie") }
		})
		c := p.dial()
		c.Exchange(get("/__clerk/v1/client", "Cookie: __client=secret", "Authorization: Bearer token", "X_Auth_User_Id: evil", "X-Auth-User-Id: evil", "X-Clerk-Auth-Status: evil"), "GET")
		c.Close()
		r := up.Settle()[0].Requests[0]
		equal(t, "Cookie", r.Get("Cookie") == "__client=secret", keep)
		equal(t, "Authorization", r.Get("Authorization") == "Bearer token", keep)
		equal(t, "any of the two", r.Has("Cookie") || r.Has("Authorization"), keep)
		if r.Get("X-Auth-User-Id") != "user_1" || r.Get("X-Auth-Status") != "authenticated" || r.Has("X_Auth_User_Id") || r.Has("X-Clerk-Auth-Status") {
			t.Errorf("%s", r.Raw)
		}
	}
}

// TestRenewedCookiesWithoutAListener: nothing depends on what the writer can. A
// tunnel that cannot begin behind the upstream's 101 is an answer of ours.
func TestRenewedCookiesWithoutAListener(t *testing.T) {
	t.Parallel()
	owner, err := headers.NewOwner(headers.OwnerConfig{})
	check(t, err)
	upstream, err := url.Parse(saying(t, wiretest.Reply{Bytes: switching, Tunnel: true}).URL())
	check(t, err)
	h, err := proxy.New(proxy.Config{Decider: always(renewed(t)), Owner: owner, Upstream: upstream})
	check(t, err)
	t.Cleanup(h.CloseIdleConnections)
	r := asked("GET", "/ws", false)
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Connection", "Upgrade")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	equal(t, "status", w.Code, 502)
	same(t, "cookies", w.Result().Header["Set-Cookie"], ours...)
	same(t, "Cache-Control", w.Result().Header["Cache-Control"], "no-store")
}
