package threats_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

func hopThreats() []threat {
	return []threat{
		{"HDR-16", testFolding},
		{"HDR-22", testConnectionList},
		{"HDR-23", testSwitchingProtocols},
		{"HDR-24", func(t *testing.T) {
			everywhere(t, lines{name: "proxy connection", lines: []string{"Proxy-Connection: X-Auth-Role, evil"}, gone: []string{"Proxy-Connection"}, http1: true},
				lines{name: "keep alive", lines: []string{"Keep-Alive: timeout=evil"}, gone: []string{"Keep-Alive"}, http1: true},
				lines{name: "proxy authorization", lines: []string{"Proxy-Authorization: Basic evil", "Proxy-Authenticate: evil"}, gone: []string{"Proxy-Authorization", "Proxy-Authenticate"}},
				lines{name: "te", lines: []string{"TE: gzip"}, gone: []string{"TE"}, http1: true})
		}},
		{"HDR-25", func(t *testing.T) { testTrailers(t, "x-auth-role", "X-Auth-Role", "X-AUTH-STATUS", "x-auth-user-id") }},
		{"HDR-26", func(t *testing.T) { testTrailers(t, "x_auth_role", "X_Auth_Role", "X.Auth.Role", "x-auth_user-id") }},
		{"HDR-30", func(t *testing.T) {
			everywhere(t, gone("as written", "Proxy"), gone("lower case", "proxy"), gone("upper case", "PROXY"))
		}},
		{"HDR-31", func(t *testing.T) {
			everywhere(t, gone("nginx and IIS", "X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Accel-Redirect", "X-Accel-Internal", "X-Accel-Mapping"),
				gone("spelled otherwise", "X_Original_URL", "x.rewrite.url", "X_Accel_Redirect"),
				// These are ours to say, whoever else says them and however.
				lines{name: "forwarding", lines: forgedForwarding()},
				// These pass, and nothing of ours reads them: what leads to a public path elsewhere leads nowhere here.
				lines{name: "no way to a public path", keeps: true, lines: []string{
					"X-Original-URL: /public/evil", "X-Rewrite-URL: /public/evil", "X-Original-URI: /public/evil", "X-Forwarded-Uri: /public/evil",
					"X-Envoy-Original-Path: /public/evil", "X-HTTP-Method-Override: OPTIONS", "X-Forwarded-Method: OPTIONS", "X-Sendfile-Type: X-Accel-Redirect",
				}})
		}},
		{"HDR-32", func(t *testing.T) {
			everywhere(t, gone("middleware", "X-Middleware-Subrequest", "x-middleware-rewrite", "X_Middleware_Subrequest"),
				gone("clerk", "X-Clerk-Auth-Status", "X-Clerk-Auth-Token", "X-Clerk-Clerk-Url", "Clerk-Secret-Key", "Clerk-Proxy-Url", "x_clerk_auth_status", "Clerk.Secret.Key"))
		}},
		{"HDR-33", func(t *testing.T) {
			names := []string{
				"X-Webauth-User", "Remote-User", "Remote-Groups", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
				"X-Forwarded-Preferred-Username", "X-Auth-Request-User", "X-Auth-Request-Email", "Cf-Access-Jwt-Assertion", "Cf-Access-Authenticated-User-Email",
				"X-Goog-Authenticated-User-Email", "X-Amzn-Oidc-Data", "X-Authentik-Username", "X-Pomerium-Jwt-Assertion", "Tailscale-User-Login", "Impersonate-User",
			}
			underscored := make([]string, len(names))
			for i, name := range names {
				underscored[i] = strings.ReplaceAll(name, "-", "_")
			}
			everywhere(t, gone("as written", names...), gone("underscored", underscored...))
		}},
		{"HDR-34", testNoSecretLeaves},
	}
}

// forgedForwarding is what only a proxy that is trusted may say.
func forgedForwarding() []string {
	var all []string
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Real-IP", "X-Request-Id", "Forwarded"} {
		for _, spelling := range []string{name, strings.ToLower(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", ".")} {
			all = append(all, spelling+": "+forged)
		}
	}
	return append(all, "Traceparent: "+forged, "Tracestate: "+forged, "trace_parent: x")
}

// gone is an attack with names that the upstream must not read.
func gone(name string, names ...string) lines {
	a := lines{name: name, gone: names}
	for _, n := range names {
		a.lines = append(a.lines, n+": "+forged)
	}
	return a
}

// A folded line is refused, or becomes one line that says nothing about who asks.
func testFolding(t *testing.T) {
	for name, head := range map[string]string{
		"in the middle":   "Host: " + host + "\r\nX-Foo: a\r\n X-Auth-Role: evil\r\n",
		"with a tab":      "Host: " + host + "\r\nX-Foo: a\r\n\tX-Auth-Role: evil\r\n",
		"bare LF":         "Host: " + host + "\r\nX-Foo: a\n X-Auth-Role: evil\r\n",
		"empty, and then": "Host: " + host + "\r\nX-Foo:\r\n X-Auth-Role: evil\r\n",
		"first line":      " X-Auth-Role: evil\r\nHost: " + host + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			client := g.dial(t)
			client.Send("GET /public/x HTTP/1.1\r\n" + head + "\r\n")
			r := client.Response("GET")
			client.Finish()
			requests := g.fresh(t)
			switch {
			case r.Status == 400 && len(requests) == 0:
			case r.Status == 200 && len(requests) == 1 && name != "first line":
				carries(t, requests[0], nobody())
			default:
				t.Errorf("status %d, %d requests at the upstream", r.Status, len(requests))
			}
		})
	}
}

// Connection cannot take away what policy reads or what the upstream is told.
func testConnectionList(t *testing.T) {
	const list = "Connection: Authorization, Cookie, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Host, X-Auth-Role, X-Auth-Status, x-auth-user-id, X-Request-Id"
	everywhere(t, lines{name: "list", lines: []string{list}, http1: true}, lines{name: "list first", lines: []string{list}, first: true, http1: true},
		lines{name: "list and forgeries", lines: append(spelled("-"), list), http1: true})
	g := start(t, setup{})
	if got := sendHTTP1(t, g, call{lines: []string{cookie(ordinary()), list}}); got.status != 200 {
		t.Errorf("status %d %s", got.status, got.reason)
	}
	for _, r := range g.fresh(t) {
		for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": host, "Host": host} {
			if got := r.Readable(name); !slices.Equal(got, []string{want}) {
				t.Errorf("%s reads %q, want %q\n%s", name, got, want, r.Raw)
			}
		}
	}
}

// What is between the upstream and us stays there, on a 101 too.
func testSwitchingProtocols(t *testing.T) {
	const hops = "Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nX-Custom: evil\r\nTrailer: X\r\nProxy-Connection: close\r\n"
	g := start(t, setup{answer: func(r *wiretest.Request) wiretest.Reply {
		if r.Has("Upgrade") {
			return wiretest.Reply{Tunnel: true, Bytes: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Custom\r\nUpgrade: websocket\r\n" + hops + "Sec-WebSocket-Accept: x\r\n\r\n"}
		}
		return wiretest.Reply{Bytes: "HTTP/1.1 200 OK\r\nConnection: X-Custom\r\n" + hops + "Content-Length: 2\r\n\r\nok"}
	}})
	for name, c := range map[string]call{
		"101": {target: "/public/x", lines: []string{"Connection: Upgrade", upgrade}},
		"200": {target: "/public/x"},
	} {
		got := sendHTTP1(t, g, c)
		for _, header := range []string{"X-Custom", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection"} {
			if v := got.get(header); v != "" {
				t.Errorf("%s: the client got %s: %s", name, header, v)
			}
		}
		if name == "101" && (got.status != 101 || got.get("Sec-WebSocket-Accept") != "x" || !strings.EqualFold(got.get("Connection"), "upgrade")) {
			t.Errorf("%s: status %d, %q", name, got.status, got.headers)
		}
	}
}

// Trailers of requests never arrive, nor their announcement, declared or not.
func testTrailers(t *testing.T, names ...string) {
	for _, announced := range []bool{true, false} {
		for _, class := range []struct {
			call call
			want map[string]string
		}{
			{call{method: "POST", lines: []string{bearer(ordinary())}}, signedIn()},
			{call{method: "POST", target: "/public/x"}, nobody()},
		} {
			for _, name := range names {
				label := name + "/" + class.call.defaults().target
				if announced {
					label += "/announced"
					class.call = class.call.with("Trailer: " + name)
				}
				t.Run("HTTP1/"+label, func(t *testing.T) {
					t.Parallel()
					g := start(t, setup{})
					c := class.call.with("Transfer-Encoding: chunked")
					c.body = "2\r\nhi\r\n0\r\n" + name + ": " + forged + "\r\n\r\n"
					withoutTrailers(t, g, sendHTTP1(t, g, c), class.want)
				})
				t.Run("HTTP2/"+label, func(t *testing.T) {
					t.Parallel()
					g := start(t, setup{})
					client := g.dialH2(t)
					client.Headers(1, false, class.call.fields("http")...)
					client.Data(1, false, "hi")
					client.Headers(1, true, wiretest.Field{Name: strings.ToLower(name), Value: forged})
					withoutTrailers(t, g, h2Answer(t, client.Wait(1)), class.want)
				})
			}
		}
	}
}

func withoutTrailers(t *testing.T, g *rig, got answer, want map[string]string) {
	t.Helper()
	requests := g.fresh(t)
	if got.status != 200 || len(requests) != 1 {
		t.Fatalf("status %d %s, %d requests at the upstream", got.status, got.reason, len(requests))
	}
	r := requests[0]
	carries(t, r, want)
	if len(r.Trailers) > 0 || r.Has("Trailer") || string(r.Body) != "hi" {
		t.Errorf("the upstream got trailers %q, announcement %q, body %q", r.Trailers, r.Get("Trailer"), r.Body)
	}
}

// Whatever the client presents, no credential and no secret of ours leaves.
func testNoSecretLeaves(t *testing.T) {
	g := start(t, setup{})
	token := ordinary()
	for name, lines := range map[string][]string{
		"bearer":            {bearer(token)},
		"cookie":            {cookie(token)},
		"suffixed":          {"Cookie: __client_uat_naoXFJnI=1; __session_naoXFJnI=" + token + "; theme=dark"},
		"refresh":           {cookie(token) + "; __refresh_naoXFJnI=eyJrefresh; __clerk_db_jwt=eyJdb; theme=dark"},
		"both":              {bearer(token), cookie(token)},
		"two cookie fields": {cookie(token), cookie(token), "Cookie: theme=dark"},
		"handshake":         {cookie(token) + "; __clerk_handshake=eyJx; __clerk_handshake_nonce=eyJy"},
	} {
		if got := sendHTTP1(t, g, call{lines: lines}); got.status != 200 {
			t.Errorf("%s: status %d %s", name, got.status, got.reason)
		}
		for _, r := range g.fresh(t) {
			keepsSecrets(t, r)
			if r.Has("Authorization") {
				t.Errorf("%s: Authorization arrived", name)
			}
			if strings.Contains(strings.Join(lines, ""), "theme") && r.Get("Cookie") != "theme=dark" {
				t.Errorf("%s: cookies that are not Clerk's arrived as %q", name, r.Get("Cookie"))
			}
		}
	}
}
