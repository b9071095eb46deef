package threats_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
)

func pageThreats() []threat {
	return []threat{
		{"WEB-07", testPagesStandAlone},
		{"WEB-08", func(t *testing.T) {
			t.Run("reflected", testNothingIsReflected)
			t.Run("explained", testExplanationsAreEscaped)
			t.Run("claims", testClaimsAreEscaped)
			t.Run("script", testSessionScript)
		}},
	}
}

// ownPages are all answers of ours that a browser shows.
func ownPages() map[string]call {
	return map[string]call{
		"sign-in": {lines: []string{pageLoad}}, "handshake": {lines: []string{pageLoad, cookieLine(uat)}}, "refused": {lines: []string{pageLoad, cookie("a.b.c")}}, "problem": {lines: []string{cookie("a.b.c")}}, "cross-origin": {method: "POST", lines: []string{pageLoad, cookie(ordinary()), crossSite, nothing}},
		"too often": {lines: []string{pageLoad, cookieLine(uat, "__clerk_redirect_count=3")}}, "missing": {target: "/_authproxy/x", lines: []string{pageLoad}}, "ambiguous": {target: "/a/../b", lines: []string{pageLoad}}, "foreign host": {host: "evil.example", lines: []string{pageLoad}}, "method": {method: "TRACE", lines: []string{pageLoad}},
		"sign-out": {target: "/_authproxy/sign-out", lines: []string{pageLoad}}, "signed out": form("/_authproxy/sign-out", "", sameOrigin), "script": {target: "/_authproxy/session.js"}, "whoami": {target: "/_authproxy/whoami", lines: []string{pageLoad, cookie(ordinary())}}, "whoami data": {target: "/_authproxy/whoami", lines: []string{cookie(ordinary())}},
	}
}

// Our pages are in no frame, load nothing from elsewhere, are what they say they
// are, and tell nobody where they were.
func testPagesStandAlone(t *testing.T) {
	for _, env := range [][]string{{"AUTHPROXY_WHOAMI=on"}, {"AUTHPROXY_WHOAMI=on", "CLERK_SECRET_KEY="}} {
		g := start(t, setup{env: env, clerk: backend()})
		for _, p := range []protocol{http1(), http2()} {
			for name, c := range ownPages() {
				if c.body != "" || p.name == "HTTP2" && c.method != "" {
					continue // a body is for HTTP/1.1 to frame
				}
				got := p.send(t, g, c)
				kind, policy := got.get("Content-Type"), got.get("Content-Security-Policy")
				if got.get("X-Authproxy-Response") != "true" || got.body != "" && got.get("X-Content-Type-Options") != "nosniff" || got.status != 303 && got.status != 101 && !strings.Contains(got.get("Cache-Control"), "no-store") {
					t.Errorf("%s %s: status %d, %q", p.name, name, got.status, got.headers)
				}
				if strings.HasPrefix(kind, "text/html") && (!strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "base-uri 'none'") || strings.Contains(policy, "script-src 'unsafe")) {
					t.Errorf("%s %s: policy %q", p.name, name, policy)
				}
				if want := []string{"no-referrer", "same-origin"}; strings.HasPrefix(kind, "text/html") && !slices.Contains(want, got.get("Referrer-Policy")) {
					t.Errorf("%s %s: Referrer-Policy %q", p.name, name, got.get("Referrer-Policy"))
				}
				for _, outside := range []string{"src=\"http", "href=\"http", "url(", "@import", "<iframe", "<img"} {
					if strings.HasPrefix(kind, "text/html") && strings.Contains(got.body, outside) {
						t.Errorf("%s %s: %s in\n%s", p.name, name, outside, got.body)
					}
				}
			}
		}
		g.fresh(t)
	}
}

// breakouts are what ends an attribute, an element, a script or a string.
func breakouts() []string {
	return []string{`"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, `</script><script>alert(1)//`, `--><svg onload=alert(1)>`, `{{.}}`, `${alert(1)}`, `\u003cscript\u003e`, `javascript:alert(1)`, `&lt;script&gt;`}
}

// raw fails the test when a page holds markup that an attacker wrote.
func raw(t *testing.T, what string, got answer) {
	t.Helper()
	kind := got.get("Content-Type")
	for _, markup := range []string{"<script>alert", "<img", "<svg", "onerror=alert(1)>", `"><`, `'><`, `href="javascript:`, "--><"} {
		if strings.HasPrefix(kind, "text/html") && strings.Contains(got.body, markup) {
			t.Errorf("%s: %s is in the page\n%s", what, markup, got.body)
		}
	}
	if strings.Contains(kind, "json") && !json.Valid([]byte(got.body)) {
		t.Errorf("%s: no JSON\n%s", what, got.body)
	}
}

// What anybody writes into a request comes back escaped or not at all.
func testNothingIsReflected(t *testing.T) {
	for _, env := range [][]string{{"AUTHPROXY_WHOAMI=on"}, {"CLERK_SECRET_KEY="}} {
		g := start(t, setup{env: env})
		for _, evil := range breakouts() {
			e := escape(evil)
			for _, c := range []call{
				{target: "/app?" + e}, {target: "/app/" + strings.ReplaceAll(e, "+", "%20")}, {target: "/app?a=" + strings.ReplaceAll(strings.ReplaceAll(evil, " ", "+"), "#", "")}, {target: "/" + strings.NewReplacer(" ", "", "\\", "").Replace(evil)}, {target: "/_authproxy/" + strings.ReplaceAll(e, "+", "%20")}, {target: "/_authproxy/sign-out?redirect_url=/x%3f" + e}, {target: "/_authproxy/sign-out?redirect_url=" + e},
				{target: "/_authproxy/sign-in?redirect_url=/x%3f" + e}, {target: "/_authproxy/session.js?x=" + e}, {host: "evil.example", lines: []string{"Referer: https://evil.example/" + evil}}, {lines: []string{"X-Request-Id: " + evil, "User-Agent: " + evil, "Traceparent: " + evil}},
				{method: "POST", lines: []string{cookie(ordinary()), "Origin: https://evil.example/" + evil, "Sec-Fetch-Site: " + evil, nothing}}, {lines: []string{cookie(evil)}}, {lines: []string{"Authorization: Bearer " + evil}}, {lines: []string{cookieLine(uat, "__clerk_redirect_count=3", "a="+evil), "Referer: " + evil}},
				form("/_authproxy/sign-out", "redirect_url=/x%3f"+e, sameOrigin), form("/_authproxy/sign-out", "redirect_url=/x%3f"+e, "Origin: "+evil),
			} {
				raw(t, fmt.Sprintf("%q as %s", evil, c.target), sendHTTP1(t, g, c))
				raw(t, fmt.Sprintf("%q as a page, %s", evil, c.target), sendHTTP1(t, g, c.with(pageLoad)))
			}
		}
		g.fresh(t)
	}
}

// The page that says why handshakes do not come to an end repeats what is wrong
// with tokens that anybody can have written.
func testExplanationsAreEscaped(t *testing.T) {
	g := start(t, develop())
	live := start(t, setup{})
	explained := 0
	for _, evil := range breakouts() {
		for _, over := range []map[string]any{{"iss": evil}, {"aud": evil}, {"azp": evil}, {"sub": evil}, {"iat": evil, "exp": evil, "nbf": evil}, {evil: evil}} {
			explained += explain(t, g, live, over, nil)
		}
		for _, header := range []map[string]any{{"kid": evil}, {"alg": evil}, {"typ": evil}, {"cat": evil}, {evil: evil}} {
			explained += explain(t, g, live, nil, header)
		}
	}
	if explained == 0 {
		t.Error("nothing was explained")
	}
	g.fresh(t)
	live.fresh(t)
}

// explain has tokens with these claims or this header explained, in development
// and in production, and counts the explanations.
func explain(t *testing.T, g, live *rig, over, header map[string]any) (explained int) {
	t.Helper()
	what := fmt.Sprint(over, header)
	lines := []string{"__session=" + minttest.Good().Sign(minttest.Session(minttest.TestIss, noon, over), nil)}
	for _, token := range []string{
		minttest.Good().Sign(map[string]any{"iss": minttest.TestIss, "iat": noon.Unix(), "handshake": lines}, header),
		minttest.Evil().Sign(map[string]any{"iss": over["iss"], "handshake": lines}, header),
	} {
		got := sendHTTP1(t, g, call{target: "/app?__clerk_redirect_count=3&__clerk_handshake=" + token, lines: []string{pageLoad, cookieLine("__clerk_db_jwt=dvb", uat)}})
		raw(t, what, got)
		explained += strings.Count(got.body, "Probably")
	}
	token := minttest.Good().Sign(minttest.Session(minttest.LiveIss, noon, over), header)
	raw(t, what+", live", sendHTTP1(t, live, call{lines: []string{pageLoad, cookieLine(uat, "__clerk_redirect_count=3", "__session="+token)}}))
	raw(t, what+", problem", sendHTTP1(t, live, call{lines: []string{bearer(token)}}))
	return explained
}

// A claim is text, on the page and in the data that show it to the person.
func testClaimsAreEscaped(t *testing.T) {
	g := start(t, setup{env: []string{"AUTHPROXY_WHOAMI=on", "AUTHPROXY_REQUIRED_CLAIMS=absent"}})
	for _, evil := range breakouts() {
		token := mint(map[string]any{"role": evil, "organizationName": evil, "personId": evil, "act": map[string]any{"sub": evil}, "sid": "sess_1"})
		for _, lines := range [][]string{{pageLoad}, {fetched}, {"Accept: text/html"}} {
			raw(t, evil, sendHTTP1(t, g, call{target: "/_authproxy/whoami", lines: append(lines, cookie(token))}))
			raw(t, evil, sendHTTP1(t, g, call{lines: append(lines, cookie(token))}))
		}
	}
	g.fresh(t)
}

// loaded is what session.js starts clerk-js with.
func loaded(t *testing.T, script string) (source string, options map[string]any) {
	t.Helper()
	found := regexp.MustCompile(`(?m)^  load\((\{.*\})\)\.catch`).FindStringSubmatch(script)
	if found == nil {
		t.Fatalf("nothing is loaded:\n%s", script)
	}
	var settings struct {
		Source  string         `json:"source"`
		Options map[string]any `json:"options"`
	}
	if err := json.Unmarshal([]byte(found[1]), &settings); err != nil {
		t.Fatal(err)
	}
	return settings.Source, settings.Options
}

// The script is the operator's settings and nothing of the request's, and no
// setting is more than a string in it.
func testSessionScript(t *testing.T) {
	const clerkJS = "/npm/@clerk/clerk-js@6/dist/clerk.browser.js"
	for _, evil := range breakouts() {
		signIn := "https://primary.example/sign-in?x=" + strings.NewReplacer(" ", "%20", `\`, "%5C").Replace(evil)
		g := start(t, setup{env: []string{"CLERK_IS_SATELLITE=true", "CLERK_DOMAIN=app.example.com", "CLERK_SIGN_IN_URL=" + signIn, "CLERK_SECRET_KEY="}})
		got := sendHTTP1(t, g, call{target: "/_authproxy/session.js"})
		source, options := loaded(t, got.body)
		if want := "https://clerk.app.example.com" + clerkJS; source != want || fmt.Sprint(options["signInUrl"]) == "" || strings.Contains(got.body, "</script") || strings.Contains(got.body, "<svg") {
			t.Errorf("%q: %s, %v\n%s", evil, source, options, got.body)
		}
		page := sendHTTP1(t, g, form("/_authproxy/sign-out", "", sameOrigin)) // the same in a page
		if strings.Count(page.body, "</script") != 1 || strings.Contains(page.body, "<svg") || strings.Contains(page.body, "-->") {
			t.Errorf("%q ends the page's script early\n%s", evil, page.body)
		}
	}
	g := start(t, setup{})
	for _, lines := range [][]string{nil, {"Referer: https://evil.com/"}, {"X-Forwarded-Host: evil.com"}, {cookie(ordinary())}, {cookieLine("__clerk_publishable_key=evil")}, {"Origin: https://evil.com", crossSite}} {
		got := sendHTTP1(t, g, call{target: "/_authproxy/session.js?src=https://evil.com/x.js&__clerk_proxy_url=//evil.com&publishableKey=pk_live_evil", lines: lines})
		if source, _ := loaded(t, got.body); source != minttest.LiveIss+clerkJS || strings.Contains(got.body, "evil") || strings.Contains(got.body, canary) || got.get("Cross-Origin-Resource-Policy") != "same-origin" || got.get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("%q: %s", lines, got.body)
		}
	}
	// A development instance's script is of the host that it is asked for, which is
	// a host and nothing else.
	dev := start(t, develop("AUTHPROXY_PUBLIC_URL=", "CLERK_PROXY_URL=/__clerk"))
	for _, host := range []string{"localhost:4180", "evil.com"} {
		got := sendHTTP1(t, dev, call{host: host, target: "/_authproxy/session.js"})
		if source, _ := loaded(t, got.body); source != "http://"+host+"/__clerk"+clerkJS || !strings.Contains(got.get("Cache-Control"), "no-store") {
			t.Errorf("%s: %s", host, source)
		}
	}
	for _, host := range []string{`x"});alert(1);({"`, "x'", "x</script>", "u@x", "x/y", "x y"} {
		if got := sendHTTP1(t, dev, call{host: host, target: "/_authproxy/session.js"}); got.status != 400 {
			t.Errorf("%q: status %d\n%s", host, got.status, got.body)
		}
	}
}
