package threats_test

import (
	"strings"
	"testing"
)

// sentAway are requests that are answered with an address of ours.
func sentAway() map[string]call {
	return map[string]call{
		"sign-in":   {lines: []string{pageLoad}},
		"handshake": {lines: []string{pageLoad, cookieLine(uat)}},
		"pending":   {lines: []string{pageLoad, cookie(mint(map[string]any{"sts": "pending"}))}},
		"link":      {target: "/_authproxy/sign-in?redirect_url=/app"},
		"clean":     {target: "/app?__clerk_redirect_count=1", lines: []string{pageLoad, cookieLine("__clerk_redirect_count=1", uat, "__session="+ordinary())}},
		"sign-out":  form("/_authproxy/sign-out", "redirect_url=/app", sameOrigin),
	}
}

// hostileForwarding is what a proxy in front might be told to say.
func hostileForwarding() []string {
	return []string{
		"X-Forwarded-Prefix: //evil.com", "X-Forwarded-Prefix: https://evil.com", `X-Forwarded-Prefix: /\evil.com`, "X-Forwarded-Prefix: /x/../..//evil.com", "X-Forwarded-Prefix: /%2fevil.com", "X-Forwarded-Prefix: /evil.com?", "X-Forwarded-Prefix: /evil.com",
		"X-Forwarded-Host: evil.com", "X-Forwarded-Host: app.example.com, evil.com", "X-Forwarded-Host: app.example.com@evil.com", "X-Forwarded-Host: evil.com#app.example.com", "X-Forwarded-Host: app.example.com.evil.com", "X-Forwarded-Host: app.example.com:8443",
		"X-Forwarded-Proto: http", "X-Forwarded-Proto: javascript", "X-Forwarded-Proto: https://evil.com/", "X-Forwarded-Port: 8443", "X-Forwarded-Server: evil.com", "Forwarded: host=evil.com;proto=http", "X-Original-Host: evil.com", "X-Host: evil.com", "X-Forwarded-Scheme: http", "Front-End-Https: off", "X-Original-URL: //evil.com", "X-Rewrite-URL: //evil.com",
	}
}

// What a request says about how it came never becomes a part of an address: of an
// untrusted peer it changes nothing at all, and of a trusted one another host is
// refused, not believed.
func testForwardedAddresses(t *testing.T) {
	for _, env := range [][]string{nil, {"AUTHPROXY_TRUSTED_PROXIES=127.0.0.1/32"}} {
		g := start(t, setup{env: env, clerk: backend()})
		for name, c := range sentAway() {
			plain := sendHTTP1(t, g, c)
			if plain.get("Location") == "" || !strings.Contains(plain.get("Location"), "app.example.com") {
				t.Fatalf("%s: status %d %s to %q", name, plain.status, plain.reason, plain.get("Location"))
			}
			for _, line := range hostileForwarding() {
				got := sendHTTP1(t, g, c.with(line))
				refused := env != nil && strings.HasPrefix(line, "X-Forwarded-Host:") && (got.status == 421 || got.status == 400)
				if got.get("Location") != plain.get("Location") && !refused || refused && got.get("Location") != "" {
					t.Errorf("%v, %s, %s: status %d %s to %q, else %q", env, name, line, got.status, got.reason, got.get("Location"), plain.get("Location"))
				}
			}
		}
		g.fresh(t)
	}
	// A development instance without a public URL is at the host that it is asked
	// for, which is for the client's own connection to say.
	g := start(t, develop("AUTHPROXY_PUBLIC_URL="))
	for _, line := range hostileForwarding() {
		got := sendHTTP1(t, g, call{host: "localhost:4180", lines: []string{pageLoad, line}})
		if back := parameter(t, got.get("Location"), "redirect_url"); got.status != 307 || !strings.HasPrefix(back, "http://localhost:4180/app") {
			t.Errorf("%s: status %d to %q", line, got.status, got.get("Location"))
		}
	}
}

// Nothing is cleaned, completed or moved: a path is forwarded as it is, refused, or
// answered with the way to sign in.
func testNoOtherRedirects(t *testing.T) {
	g := start(t, setup{})
	for _, p := range []protocol{http1(), http2()} {
		for _, target := range []string{
			"//evil.com/..", `/\evil.com//a`, "//evil.com/%2e%2e", "//evil.com/%2f..", "//evil.com//", `/\\evil.com/`, "/public", "/public/", "/public//", "/public/./", "/public/x/..", "/public/x/../", "//public/x", "/%2fevil.com", "/%5cevil.com", "/%09/evil.com", "/.//evil.com", "/..//evil.com", "/healthz/", "/HEALTHZ",
			"/_authproxy", "/_authproxy/", "/_authproxy//evil.com", "/_authproxy/sign-in/", "/_authproxy/sign-in//evil.com", "/_authproxy/sign-out/..", "/_authproxy/../app", `/_authproxy/\evil.com`, "/_authproxy/whoami/", "/app;//evil.com", "/@evil.com", "/evil.com:80/", "/?//evil.com", "/app?next=//evil.com", "//evil.com?x", "///evil.com",
		} {
			for name, lines := range map[string][]string{"nobody": {}, "a page": {pageLoad}, "signed in": {cookie(ordinary())}, "a page, signed in": {pageLoad, cookie(ordinary())}, "stale": {pageLoad, cookieLine(uat)}} {
				got := p.send(t, g, call{target: target, lines: lines})
				if got.status == 301 || got.status == 308 || got.status == 303 || got.status >= 500 || strings.Contains(got.get("Refresh"), "evil") {
					t.Errorf("%s %s, %s: status %d to %q", p.name, target, name, got.status, got.get("Location"))
				}
				leadsHome(t, target, got)
				for _, r := range g.fresh(t) {
					if r.Target != target {
						t.Errorf("%s %s, %s: arrives as %s", p.name, target, name, r.Target)
					}
				}
			}
		}
	}
}
