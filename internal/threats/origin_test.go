package threats_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

func originThreats() []threat {
	return []threat{
		{"WEB-03", testReflectedOrigins},
		{"WEB-05", testDeceivedCaches},
		{"WEB-06", testUnkeyedInput},
	}
}

// An answer of ours may be read by the origins that were named, to the letter, and
// by no other; what the application says to a preflight is the application's.
func testReflectedOrigins(t *testing.T) {
	g := start(t, setup{env: []string{"AUTHPROXY_AUTHORIZED_PARTIES=https://spa.example.com"}})
	refused := []call{
		{}, {lines: []string{cookie("a.b.c")}}, {method: "POST", lines: []string{cookie(ordinary()), nothing}}, {target: "/_authproxy/x"}, {target: "/a/../b"}, {method: "TRACE"}, {lines: []string{cookieLine(uat, "__session="+stale(nil))}},
		{target: "/_authproxy/sign-out", method: "POST", lines: []string{nothing}}, {target: "/_authproxy/session.js"}, {target: "/_authproxy/sign-in"}, {target: "/_authproxy/sign-out"}, {lines: []string{pageLoad}}, {lines: []string{pageLoad, cookieLine(uat)}},
	}
	for _, p := range []protocol{http1(), http2()} {
		for _, origin := range []string{
			"null", "https://evil.com", "https://app.example.com.evil.com", "https://xapp.example.com", "http://app.example.com", "https://app.example.com:8443", "https://app.example.com/", "HTTPS://app.example.com", "https://APP.example.com", "https://app.example.com@evil.com", "https://app.example.com%00.evil.com", "https://app.example.com, https://evil.com",
			"https://spa.example.com.evil.com", "https://spa-example.com", "https://spaxexample.com", "https://x.example.net", "https://*.example.net.evil.com", "https://3f2504e0-4f89-11d3-9a0c-0305e82c3301.example.com", "chrome-extension://x", "file://", "*", "https://app.example.com https://evil.com",
		} {
			for _, c := range refused {
				got := p.send(t, g, c.with("Origin: "+origin))
				for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
					if value := got.get(name); value != "" {
						t.Errorf("%s, %s %s for %q: status %d, %s: %s", p.name, c.method, c.target, origin, got.status, name, value)
					}
				}
			}
			preflight := p.send(t, g, call{method: "OPTIONS", lines: []string{"Origin: " + origin, "Access-Control-Request-Method: PUT", cookie(ordinary())}})
			if preflight.get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s, a preflight for %q: %q", p.name, origin, preflight.headers)
			}
		}
		for _, origin := range []string{minttest.App, "https://spa.example.com"} {
			got := p.send(t, g, call{lines: []string{"Origin: " + origin}})
			if got.get("Access-Control-Allow-Origin") != origin || !strings.Contains(got.get("Vary"), "Origin") {
				t.Errorf("%s, %s may not read why: %q", p.name, origin, got.headers)
			}
		}
	}
	for _, person := range who(g.fresh(t)) {
		if person != "" {
			t.Errorf("a preflight is %q's", person)
		}
	}
}

// A path that a cache takes for a picture or a style sheet is as protected as the
// one that the application takes it for.
func testDeceivedCaches(t *testing.T) {
	g := start(t, setup{env: []string{"AUTHPROXY_PUBLIC_PATHS=/public/*,/static/*,/favicon.ico"}, clerk: backend(sessionLines(ordinary())...)})
	for _, p := range []protocol{http1(), http2()} {
		for _, path := range []string{
			"/account/x.css", "/account.css", "/account%2f.js", "/account%2Fx.js", "/account;.css", "/account;/x.css", "/account%3b.css", "/account%3f.css", "/account%23.css", "/account%00.css", "/account%0a.css", "/account\u00e9.css", "/account/%2e%2e/static/x.css", "/account/..%2fstatic%2fx.css", "/static/..%2faccount", "/static/%2e%2e/account", "/static/../account.css",
			"/static%2f..%2faccount", "/static/..;/account", "/static//../account", "/static/x/..%5c..%5caccount", "//static/x.css", "/STATIC/x.css", "/static", "/static%2fx.css", "/favicon.ico/account", "/favicon.ico%2faccount", "/favicon.ico;account", "/favicon.ico%3faccount", "/favicon.ico%00", "/account?x=/static/x.css", "/account/favicon.ico", "/account~/static/x.css", "/account$/static.css",
		} {
			for name, lines := range map[string][]string{"nobody": {}, "a picture": {"Sec-Fetch-Dest: image"}, "a style": {"Sec-Fetch-Dest: style", "Accept: text/css"}} {
				got := p.send(t, g, call{target: path, lines: lines})
				if got.status != 401 && got.status != 400 && got.status != 0 || got.status == 401 && !strings.Contains(got.get("Cache-Control"), "no-store") {
					t.Errorf("%s %s, %s: status %d, Cache-Control %q", p.name, path, name, got.status, got.get("Cache-Control"))
				}
			}
			renewed := p.send(t, g, call{target: path, lines: []string{cookieLine(uat, "__session="+stale(nil), refreshCookie+"=r")}})
			if renewed.status == 200 && (renewed.get("Cache-Control") != "private, no-store" || !renewed.sets("__session")) {
				t.Errorf("%s %s, renewed: Cache-Control %q, %q", p.name, path, renewed.get("Cache-Control"), renewed.cookies())
			}
			for _, r := range g.fresh(t) {
				carries(t, r, signedIn())
			}
		}
	}
}

// What a cache does not look at changes nothing: not what the application is asked
// and not what we answer, but for the request's number.
func testUnkeyedInput(t *testing.T) {
	unkeyed := append(hostileForwarding(), append(forgedForwarding(), append(spelled("-"), spelled("_")...)...)...)
	unkeyed = append(unkeyed, "X-HTTP-Method-Override: DELETE", "X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9", "X-Request-Id: chosen", "X-Clerk-Auth-Reason: evil", "Clerk-Proxy-Url: https://evil.com", "X-Accel-Redirect: /evil", "X-Authproxy-Response: evil")
	g := start(t, setup{})
	for name, c := range map[string]call{
		"public": {target: "/public/x"}, "signed in": {lines: []string{cookie(ordinary())}}, "sign-in": {lines: []string{pageLoad}}, "handshake": {lines: []string{pageLoad, cookieLine(uat)}}, "refused": {}, "page": {lines: []string{pageLoad, cookie("a.b.c")}},
		"sign-in path": {target: "/_authproxy/sign-in?redirect_url=/x"}, "sign-out": {target: "/_authproxy/sign-out?redirect_url=/x"}, "script": {target: "/_authproxy/session.js"}, "missing": {target: "/_authproxy/x"},
	} {
		want := sendHTTP1(t, g, c)
		upstream := anonymised(g.fresh(t))
		for _, line := range unkeyed {
			if strings.HasPrefix(line, "X-HTTP-Method-Override") && len(upstream) > 0 {
				continue // the application's own business
			}
			got := sendHTTP1(t, g, c.with(line))
			if got.status != want.status || got.get("Location") != want.get("Location") || steady(want, want.body) != steady(got, got.body) {
				t.Errorf("%s with %q: status %d to %q\n%s", name, line, got.status, got.get("Location"), got.body)
			}
			foreign := slices.Contains([]string{"X-Host", "X-Original-Host", "Front-End-Https", "trace_parent", "X-Authproxy-Response"}, strings.Split(line, ":")[0])
			if now := anonymised(g.fresh(t)); now != upstream && !foreign { // foreign names are the application's
				t.Errorf("%s with %q: the upstream gets\n%s\nand else\n%s", name, line, now, upstream)
			}
		}
	}
}

// anonymised is what the upstream got, without the request's number.
func anonymised(requests []*wiretest.Request) string {
	var b strings.Builder
	for _, r := range requests {
		b.WriteString(strings.ReplaceAll(string(r.Raw), r.Get("X-Request-Id"), "ID"))
	}
	return b.String()
}

// steady is a body without what is new in every answer.
func steady(a answer, body string) string {
	body = strings.ReplaceAll(body, a.get("X-Request-Id"), "ID")
	_, nonce, found := strings.Cut(a.get("Content-Security-Policy"), "'nonce-")
	if nonce, _, _ = strings.Cut(nonce, "'"); found {
		body = strings.ReplaceAll(body, nonce, "NONCE")
	}
	return body
}
