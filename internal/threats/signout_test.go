package threats_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/minttest"
)

func signOutThreats() []threat {
	return []threat{
		{"CK-09", func(t *testing.T) {
			t.Run("count", testCountOfHandshakes)
			t.Run("planted", testPlantedCookies)
		}},
		{"WEB-02", func(t *testing.T) {
			t.Run("origins", testOriginsOfForms)
			t.Run("refresh", testRefreshByOthers)
			t.Run("sign-out", testSignOutByOthers)
			t.Run("out", testReallyOut)
		}},
	}
}

// The one cookie of our own counts handshakes: a small number, for this host and
// no script, which no one who writes it gets more from than a page to read.
func testCountOfHandshakes(t *testing.T) {
	g := start(t, setup{})
	for _, count := range []string{"0", "1", "2", "3", "4", "1000", "-1", "1e9", "NaN", "Infinity", "99999999999999999999", "0x3", "3; Path=/", `"3"`, " 3 ", forged, strings.Repeat("9", 5000)} {
		for _, lines := range [][]string{{cookieLine("__clerk_redirect_count="+count, uat)}, {cookieLine("__clerk_redirect_count="+count, cookie(ordinary())[len("Cookie: "):])}, {cookieLine(uat)}} {
			got := sendHTTP1(t, g, call{target: "/app?__clerk_redirect_count=" + escape(count), lines: append(lines, pageLoad)})
			if signed := strings.Contains(lines[0], "__session"); signed && got.status != 200 && got.status != 307 || !signed && got.status != 307 && got.status != 401 {
				t.Errorf("%.20q: status %d %s", count, got.status, got.reason)
			}
			if got.status == 307 && strings.HasPrefix(got.get("Location"), minttest.App) && got.get("Location") != minttest.App+"/app" {
				t.Errorf("%.20q: sent to %s", count, got.get("Location"))
			}
			for _, line := range got.cookies() {
				c, err := http.ParseSetCookie(line)
				if err != nil || c.Name != "__clerk_redirect_count" || !c.HttpOnly || !c.Secure || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || c.MaxAge > 120 || strings.Trim(c.Value, "0123456789") != "" {
					t.Errorf("%.20q: the browser gets %q", count, line)
				}
			}
		}
	}
	for _, person := range who(g.fresh(t)) {
		if person != me {
			t.Errorf("the upstream is told of %q", person)
		}
	}
	// A link with a full count costs its reader a page, and the way out of that
	// begins anew.
	got := sendHTTP1(t, g, call{target: "/app?__clerk_redirect_count=3&a=1", lines: []string{pageLoad, cookieLine(uat)}})
	if got.status != 401 || !strings.Contains(got.body, `href="/app?a=1"`) {
		t.Errorf("status %d\n%s", got.status, got.body)
	}
}

// What somebody planted before a person signs in or out is worth nothing to them
// afterwards.
func testPlantedCookies(t *testing.T) {
	planted := cookieLine("__clerk_redirect_count=3", "__clerk_handshake="+brought(nil, sessionLines(of("user_evil"))...), "__clerk_handshake_nonce=n0nce", refreshCookie+"=r", "__session="+of("user_evil"), uat, "state="+forged)
	g := start(t, setup{clerk: backend(sessionLines(of("user_evil"))...)})
	for _, c := range []call{{target: "/_authproxy/sign-in"}, {target: "/_authproxy/sign-in?redirect_url=/x", lines: []string{pageLoad}}, {target: "/_authproxy/sign-out", lines: []string{pageLoad}}, {target: "/_authproxy/session.js"}} {
		got := sendHTTP1(t, g, c.with(planted))
		if got.status != 200 && got.status != 302 || len(got.cookies()) > 0 || strings.Contains(got.get("Location"), "eyJ") {
			t.Errorf("%s: status %d %s to %s, %q", c.target, got.status, got.reason, got.get("Location"), got.cookies())
		}
	}
	got := sendHTTP1(t, g, form("/_authproxy/sign-out", "", sameOrigin, planted))
	for _, name := range []string{"__session", suffixedSession, "__client_uat", suffixedUAT, refreshCookie, "__clerk_handshake", "__clerk_handshake_nonce", "__clerk_redirect_count"} {
		if got.status != 303 || !removed(got, name) {
			t.Errorf("sign-out: status %d leaves %s: %q", got.status, name, got.cookies())
		}
	}
	if all := g.asked(); len(all) != 1 || all[0].Target != "/v1/sessions/sess_of_user_evil/revoke" {
		t.Errorf("Clerk was asked %d times", len(all))
	}
}

// removed reports whether every cookie of that name is taken from the browser.
func removed(a answer, name string) bool {
	found := false
	for _, line := range a.cookies() {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == name {
			if c.Value != "" || c.MaxAge >= 0 {
				return false
			}
			found = true
		}
	}
	return found
}

// strangers is what a browser says of a request that a page of ours did not make.
func strangers() [][]string {
	return [][]string{
		{crossSite, "Origin: https://evil.example"}, {crossSite}, {"Sec-Fetch-Site: same-site", "Origin: https://other.example.com"}, {"Origin: https://evil.example"}, {"Origin: null"}, {crossSite, "Origin: null"},
		{"Origin: http://app.example.com"}, {"Origin: https://app.example.com:8443"}, {"Origin: https://app.example.com.evil.example"}, {"Origin: https://evil.example/https://app.example.com"}, {"Origin: https://app.example.com@evil.example"}, {"Origin: https://xapp.example.com"},
		{"Origin: HTTPS://APP.EXAMPLE.COM"}, {"Origin: https://app.example.com/"}, {"Origin:"}, {"Origin: app.example.com"}, {sameOrigin, crossSite}, {"Origin: https://app.example.com", "Origin: https://evil.example"},
		{"Sec-Fetch-Site: Same-Origin"}, {"Sec-Fetch-Site: evil"}, {"Sec-Fetch-Site:"}, {"Origin: https://app.example.com https://evil.example"}, {"Origin: https://app.example.com, https://evil.example"},
	}
}

// A form of another site is not sent as the person, by whatever path and whatever
// else it says; the scheme is part of a site.
func testOriginsOfForms(t *testing.T) {
	for _, p := range []protocol{http1(), http2()} {
		g := start(t, setup{})
		for _, stranger := range strangers() {
			for _, target := range []string{"/app", "/app//", "/public/../app", "/public%2f../app", "/app?origin=https://app.example.com"} {
				for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "post", "QUERY"} {
					got := p.send(t, g, call{method: method, target: target, lines: append([]string{cookie(ordinary()), nothing, "Referer: https://app.example.com/", "X-Forwarded-Host: evil.example", "X-Requested-With: XMLHttpRequest"}, stranger...)})
					if got.status != 403 && got.status != 400 || len(g.fresh(t)) > 0 {
						t.Errorf("%s %s %s, %q: status %d %s", p.name, method, target, stranger, got.status, got.reason)
					}
				}
			}
			public := p.send(t, g, call{method: "POST", target: "/public/x", lines: append([]string{cookie(ordinary()), nothing}, stranger...)})
			if public.status != 200 {
				t.Errorf("%s, public, %q: status %d %s", p.name, stranger, public.status, public.reason)
			}
			g.only(t, fmt.Sprint("public ", stranger), "")
		}
	}
}

// Who makes a browser send a form does not make the session fresh for it either.
func testRefreshByOthers(t *testing.T) {
	for _, env := range [][]string{nil, {"AUTHPROXY_AUTH=optional"}, {"AUTHPROXY_CSRF=off"}, {"AUTHPROXY_AUTHORIZED_PARTIES=https://evil.example"}} {
		g := start(t, setup{env: env, clerk: backend(sessionLines(ordinary())...)})
		expired := cookieLine(uat, "__session="+stale(nil), refreshCookie+"=r")
		for _, stranger := range append(strangers(), nil, []string{"Sec-Fetch-Site: none"}) {
			for name, c := range map[string]call{
				"form":      {method: "POST", lines: []string{pageLoad, nothing}},
				"fetch":     {method: "DELETE", lines: []string{fetched, nothing}},
				"WebSocket": {lines: []string{"Sec-Fetch-Dest: websocket", "Connection: Upgrade", upgrade}},
				"public":    {method: "POST", target: "/public/x", lines: []string{nothing}},
			} {
				got := sendHTTP1(t, g, c.with(append(stranger, expired)...))
				if got.sets("__") || got.get("Location") != "" {
					t.Errorf("%v %s of %q: status %d %s, %q", env, name, stranger, got.status, got.reason, got.cookies())
				}
				if people := who(g.fresh(t)); slices.Contains(people, me) {
					t.Errorf("%v %s of %q passes as %q", env, name, stranger, people)
				}
			}
		}
		if all := g.asked(); len(all) > 0 {
			t.Errorf("%v: Clerk is asked\n%s", env, all[0].Raw)
		}
		got := sendHTTP1(t, g, call{method: "POST", lines: []string{sameOrigin, expired, "Content-Length: 4"}, body: "text"})
		if got.status != 200 || !got.sets("__session") || len(g.asked()) != 1 {
			t.Errorf("%v, a form of ours: status %d %s, %d calls", env, got.status, got.reason, len(g.asked()))
		}
		g.only(t, "a form of ours", me)
	}
}

// A link, an image, a prefetch or a form of another site signs nobody out.
func testSignOutByOthers(t *testing.T) {
	for _, env := range [][]string{nil, {"AUTHPROXY_CSRF=off"}, {"AUTHPROXY_AUTH=optional"}, {"AUTHPROXY_AUTHORIZED_PARTIES=https://evil.example,https://other.example.com"}} {
		e := emulate(t, setup{env: env})
		b := e.signedInBrowser(t, "alice")
		calls := []call{{target: "/_authproxy/sign-out", lines: []string{pageLoad}}, {target: "/_authproxy/sign-out?redirect_url=/&ended=1", lines: []string{"Sec-Fetch-Dest: image", crossSite}}, {method: "HEAD", target: "/_authproxy/sign-out"}}
		for _, method := range []string{"PUT", "DELETE", "OPTIONS", "PATCH", "post", "QUERY"} {
			calls = append(calls, call{method: method, target: "/_authproxy/sign-out", lines: []string{sameOrigin, nothing, "X-HTTP-Method-Override: POST"}})
		}
		for _, stranger := range append(strangers(), []string{crossSite, "Origin: https://app.example.com"}) {
			calls = append(calls, form("/_authproxy/sign-out", "ended=1&_method=POST", stranger...))
		}
		for _, path := range []string{"/_authproxy/sign-out/", "/_authproxy//sign-out", "/_AUTHPROXY/sign-out", "/_authproxy/sign%2dout", "/_authproxy/sign-out;x"} {
			calls = append(calls, form(path, "", sameOrigin))
		}
		for _, c := range calls {
			if got := b.send(t, c); len(got.cookies()) > 0 || got.status == 303 {
				t.Errorf("%v %s %q: status %d %s, %q", env, c.method, c.lines, got.status, got.reason, got.cookies())
			}
		}
		if got := b.send(t, call{}); got.status != 200 || !slices.Equal(b.statuses(), []string{"active"}) {
			t.Errorf("%v: status %d %s, sessions %v", env, got.status, got.reason, b.statuses())
		}
		b.only(t, "still there", b.user.ID)
	}
}

// Who signs out is out: a reload does not bring the session back, nor Clerk, nor
// the cookies that somebody kept; whatever state the session was in.
func testReallyOut(t *testing.T) {
	for name, before := range map[string]func(*browser){
		"fresh":       func(*browser) {},
		"expired":     func(b *browser) { b.passes(10 * time.Minute) },
		"no refresh":  func(b *browser) { b.passes(10 * time.Minute); delete(b.jar, refreshCookie) },
		"plain alone": func(b *browser) { delete(b.jar, suffixedSession); delete(b.jar, suffixedUAT) },
		"older than uat": func(b *browser) {
			later := fmt.Sprint(noon.Unix() + 1)
			b.jar["__client_uat"], b.jar[suffixedUAT] = later, later
		},
		"uat says nobody": func(b *browser) { b.jar["__client_uat"], b.jar[suffixedUAT] = "0", "0" },
		"without uat":     func(b *browser) { delete(b.jar, "__client_uat"); delete(b.jar, suffixedUAT) },
	} {
		e := emulate(t, setup{})
		b := e.signedInBrowser(t, "alice")
		before(b)
		stolen := &browser{emulated: e, client: b.client, user: b.user, jar: map[string]string{}}
		for name, value := range b.jar {
			stolen.jar[name] = value
		}
		got := b.leave(t, sameOrigin)
		if got.status != 303 || got.get("Location") != minttest.App+"/public/bye" || !slices.Equal(b.statuses(), []string{"revoked"}) {
			t.Errorf("%s: status %d %s to %s, sessions %v", name, got.status, got.reason, got.get("Location"), b.statuses())
		}
		e.passes(time.Minute + 6*time.Second) // the longest that a token of before is good
		for _, one := range []*browser{b, stolen} {
			for _, target := range []string{"/app", "/public/x"} {
				got := one.visit(t, target)
				if people := who(e.fresh(t)); slices.Contains(people, b.user.ID) || target == "/app" && got.status != 302 {
					t.Errorf("%s, %s after signing out: status %d %s, the upstream is told of %q", name, target, got.status, got.reason, people)
				}
			}
			if got := one.send(t, call{method: "POST", lines: []string{sameOrigin, nothing}}); got.status != 401 {
				t.Errorf("%s, a form after signing out: status %d %s", name, got.status, got.reason)
			}
		}
	}
}
