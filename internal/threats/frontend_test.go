package threats_test

import (
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

func frontendThreats() []threat {
	return []threat{
		{"HS-12", testHoleForTheFrontendAPI},
		{"HS-13", func(t *testing.T) {
			t.Run("configuration", testProxyURLs)
			t.Run("redirects", testRedirectsOfTheFrontendAPI)
		}},
		{"HS-14", testNoKeysYet},
	}
}

// credentials is a request that has everything a person can have.
func credentials() []string {
	return []string{cookieLine(uat, "__session="+ordinary(), refreshCookie+"=eyJrefresh", "theme=dark"), "Authorization: Basic dTpw"}
}

// Below CLERK_PROXY_URL requests pass without a session and with the person's
// credentials, for Clerk. Nothing else does, however near it is written, nobody
// chooses where it leads, and nothing there says who asks.
func testHoleForTheFrontendAPI(t *testing.T) {
	for _, proxyURL := range []string{"/__clerk", minttest.App + "/__clerk", "/__clerk/"} {
		for _, p := range []protocol{http1(), http2()} {
			g := start(t, setup{env: []string{"CLERK_PROXY_URL=" + proxyURL}, clerk: backend(sessionLines(ordinary())...)})
			for _, target := range []string{"/__clerk/v1/client", "/__clerk/v1/client/handshake?redirect_url=https://other.example/&x=//", "/__clerk/npm/@clerk/clerk-js@6/dist/clerk.browser.js"} {
				for _, lines := range [][]string{nil, credentials(), {bearer(ordinary())}, append(spelled("-"), "Clerk-Secret-Key: "+forged, "Clerk-Proxy-Url: "+forged, "X-Forwarded-Host: "+forged)} {
					got := p.send(t, g, call{target: target, lines: lines})
					requests := g.fresh(t)
					if got.status != 200 || len(requests) != 1 {
						t.Fatalf("%s: status %d %s, %d requests at the upstream", target, got.status, got.reason, len(requests))
					}
					carries(t, requests[0], nobody())
					if requests[0].Target != target || strings.Contains(string(requests[0].Raw), canary) || strings.Contains(string(requests[0].Raw), forged) {
						t.Errorf("%s arrives as\n%s", target, requests[0].Raw)
					}
				}
			}
			for _, target := range []string{
				"/__clerk", "/__clerk//evil.com/x", `/__clerk/\evil.com`, "/__clerk/..;/admin", "/__clerk/../admin", "/__clerk/%2e%2e/admin", "/__clerk/.%2e/admin", "/__clerk/..%2fadmin", "/__clerk/%2e%2e%2fadmin",
				"/__clerk/..%5cadmin", "/__clerk/%252e%252e/admin", "/__clerk@evil.com/x", "/__clerk/x;/../admin", "/__clerk%2f", "/__clerk%2fv1", "/__CLERK/v1", "//__clerk/v1", "/./__clerk/v1", "/x/../__clerk/v1",
				"/%5f_clerk/v1", "/__clerk/%76%31", "/__clerkx/v1", "/__clerk.evil/v1", "/__clerk/v1//..//admin", "/app/__clerk/v1", "/__clerk/%2fevil.com", "/__clerk/\u00e9", "/__clerk/;a=b/admin",
			} {
				for _, lines := range [][]string{nil, credentials()} {
					closed(t, g, p.send(t, g, call{target: target, lines: lines}), target)
				}
			}
			elsewhere := p.send(t, g, call{host: "evil.example", target: "/__clerk/v1/client", lines: credentials()})
			closed(t, g, elsewhere, "another host")
			if all := g.asked(); len(all) > 0 {
				t.Errorf("the Backend API was asked\n%s", all[0].Raw)
			}
		}
	}
}

// closed judges what happened to a request that is not for the Frontend API.
func closed(t *testing.T, g *rig, got answer, target string) {
	t.Helper()
	requests := g.fresh(t)
	if got.status == 200 != (len(requests) == 1) || got.status >= 500 {
		t.Errorf("%s: status %d %s, %d requests at the upstream", target, got.status, got.reason, len(requests))
	}
	for _, r := range requests {
		if r.Get("X-Auth-User-Id") != me || r.Target != target {
			t.Errorf("%s passes without a session, or as another\n%s", target, r.Raw)
		}
		keepsSecrets(t, r)
	}
}

// A proxy URL that would open more than one path is refused at the start.
func testProxyURLs(t *testing.T) {
	for _, u := range []string{
		"/", "//", "///", "/.", "/..", "/%5f%5fclerk", "/__clerk/..", "/__clerk/../x", "/__clerk//x", "/__clerk?x=1", "/__clerk#x", "/__clerk;x", "/*", "/__clerk/*", `/\evil.com`, "//evil.com/__clerk", "/_authproxy", "/_authproxy/", "/_AUTHPROXY/clerk", "/_authproxy/session.js",
		minttest.App, minttest.App + "/", minttest.App + "//", minttest.App + "/.", "https://app.example.com:443", "http://clerk.example.net/__clerk", "ftp://clerk.example.net", "https://u:p@clerk.example.net/", "https://", "javascript:alert(1)", "__clerk",
	} {
		if err := refusedAtStart(t, "CLERK_PROXY_URL="+u); err == nil {
			t.Errorf("%q is accepted", u)
		}
	}
	g := start(t, setup{env: []string{"CLERK_PROXY_URL="}}) // nothing is no path, and no path is everything
	if got := sendHTTP1(t, g, call{}); got.status != 401 || len(g.fresh(t)) > 0 {
		t.Errorf("without one: status %d", got.status)
	}
}

// Where Clerk's answers point, the browser goes and not we: a redirect of the
// Frontend API arrives as it is, and one of the Backend API leads nowhere.
func testRedirectsOfTheFrontendAPI(t *testing.T) {
	trap := wiretest.NewUpstream(t, nil)
	sent := "HTTP/1.1 307 Temporary Redirect\r\nLocation: " + trap.URL() + "/x\r\nSet-Cookie: __client=c; HttpOnly\r\nContent-Length: 0\r\n\r\n"
	redirect := func(*wiretest.Request) wiretest.Reply { return wiretest.Reply{Bytes: sent} }
	g := start(t, setup{env: []string{"CLERK_PROXY_URL=/__clerk"}, answer: redirect, clerk: redirect})
	got := sendHTTP1(t, g, call{target: "/__clerk/v1/client/handshake", lines: credentials()})
	if got.status != 307 || got.get("Location") != trap.URL()+"/x" || got.get("Set-Cookie") != "__client=c; HttpOnly" {
		t.Errorf("status %d, %q", got.status, got.headers)
	}
	g.fresh(t)
	for name, c := range map[string]call{
		"refresh":  {lines: []string{cookieLine(uat, "__session="+stale(nil), refreshCookie+"=r")}},
		"nonce":    {lines: []string{pageLoad, cookieLine("__clerk_handshake_nonce=n0nce")}},
		"sign-out": {method: "POST", target: "/_authproxy/sign-out", lines: []string{sameOrigin, nothing, cookie(ordinary())}},
	} {
		got := sendHTTP1(t, g, c)
		if got.status != 401 && got.status != 302 && got.status != 503 || strings.Contains(got.get("Location"), trap.Addr()) || got.sets("__session") {
			t.Errorf("%s: status %d %s, %q", name, got.status, got.reason, got.headers)
		}
	}
	if len(g.asked()) == 0 || len(trap.Snapshot()) > 0 {
		t.Errorf("%d calls of Clerk, and where it points %+v", len(g.asked()), trap.Snapshot())
	}
	g.only(t, "redirected", "-")
}

// While the keys are not there nobody is let in and nobody is sent around, signed
// out or asked for by Clerk, and the load balancer is told.
func testNoKeysYet(t *testing.T) {
	mute := wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply { return wiretest.Reply{Mute: true} })
	for name, jwks := range map[string]string{"unreachable": "http://127.0.0.1:9/jwks.json", "loading": mute.URL() + "/jwks.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{env: []string{"CLERK_JWT_KEY=", "AUTHPROXY_JWKS_URL=" + jwks}, clerk: backend(sessionLines(ordinary())...)})
			payload := "__clerk_handshake=" + brought(nil, sessionLines(ordinary())...)
			for name, lines := range map[string][]string{
				"cookie": {cookie(ordinary())}, "page": {pageLoad, cookie(ordinary())}, "bearer": {bearer(ordinary())}, "expired": {pageLoad, cookieLine(uat, "__session="+stale(nil), refreshCookie+"=r")},
				"payload": {pageLoad, cookieLine(payload)}, "payload and session": {pageLoad, cookieLine(payload, uat, "__session="+ordinary())}, "nonce": {pageLoad, cookieLine("__clerk_handshake_nonce=n0nce")},
			} {
				got := sendHTTP1(t, g, call{lines: lines})
				if got.status != 503 || got.reason != "keys-unavailable" || got.get("Retry-After") == "" || got.sets("__") {
					t.Errorf("%s: status %d %s, Retry-After %q, %q", name, got.status, got.reason, got.get("Retry-After"), got.cookies())
				}
			}
			if got := sendHTTP1(t, g, form("/_authproxy/sign-out", "", sameOrigin, cookie(ordinary()))); got.status != 503 || len(got.cookies()) > 0 {
				t.Errorf("sign-out: status %d, %q, but nobody knows whose session to end", got.status, got.cookies())
			}
			g.only(t, name, "-")
			ready := &rig{t: t, addr: g.admin}
			if got := sendHTTP1(t, ready, call{target: "/readyz"}); got.status != 503 {
				t.Errorf("/readyz: status %d", got.status)
			}
			if got := sendHTTP1(t, ready, call{target: "/livez"}); got.status != 200 {
				t.Errorf("/livez: status %d", got.status)
			}
		})
	}
	if err := refusedAtStart(t, "CLERK_PUBLISHABLE_KEY="); err == nil {
		t.Error("it starts without an instance")
	}
}
