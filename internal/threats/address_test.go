package threats_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
)

// parameter is a parameter of an address.
func parameter(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("%q: %v", address, err)
	}
	return u.Query().Get(name)
}

// In production no address that we send a browser to holds a credential, wherever
// the browser had it, and our pages tell no other site where they were.
func testNoTokenInAddresses(t *testing.T) {
	g := start(t, setup{env: []string{"AUTHPROXY_ORGANIZATION_PATTERNS=/orgs/:slug"}})
	secrets := []string{"eyJ", "dvb_s3cret", "n0nce", "r3fresh"}
	query := "?__clerk_db_jwt=dvb_s3cret&__dev_session=dvb_s3cret&__clerk_handshake=" + brought(nil) + "&__clerk_handshake_nonce=n0nce&a=1"
	browser := []string{"__clerk_db_jwt=dvb_s3cret", "__clerk_db_jwt_" + minttest.LiveSuff + "=dvb_s3cret", refreshCookie + "=r3fresh"}
	lines := map[string][]string{
		"nobody": nil, "uat alone": {uat}, "expired": {uat, "__session=" + stale(nil)}, "no uat": {"__session=" + ordinary()},
		"pending": {uat, "__session=" + mint(map[string]any{"sts": "pending"})}, "invalid": {uat, "__session=a.b.c"}, "signed out at Clerk": {"__clerk_handshake=" + brought(nil, "__session=; Max-Age=0")},
		"another organisation": {uat, "__session=" + ordinary()}, "counting": {uat, "__clerk_redirect_count=1"}, "too often": {uat, "__clerk_redirect_count=3"},
	}
	for name, pairs := range lines {
		for _, target := range []string{"/app" + query, "/orgs/evil" + query, "/_authproxy/sign-in" + query + "&redirect_url=" + url.QueryEscape("/x"+query), "/_authproxy/sign-out" + query + "&redirect_url=" + url.QueryEscape("/x"+query)} {
			got := sendHTTP1(t, g, call{target: target, lines: []string{pageLoad, cookieLine(append(pairs, browser...)...), "Referer: https://evil.example/" + query}})
			g.fresh(t)
			for _, secret := range secrets {
				if strings.Contains(got.get("Location"), secret) || strings.Contains(got.body, secret) && got.get("X-Authproxy-Response") != "" {
					t.Errorf("%s, %.30s: status %d shows %q: %s", name, target, got.status, secret, got.get("Location"))
				}
			}
			if policy := got.get("Referrer-Policy"); got.get("X-Authproxy-Response") != "" && policy != "no-referrer" && policy != "same-origin" {
				t.Errorf("%s, %.30s: status %d, Referrer-Policy %q", name, target, got.status, policy)
			}
		}
	}
	for _, secret := range secrets {
		if strings.Contains(g.journal.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// develop is a development instance of the shared keys.
func develop(env ...string) setup {
	return setup{env: append([]string{"CLERK_PUBLISHABLE_KEY=" + minttest.TestKey, "CLERK_SECRET_KEY="}, env...)}
}

// ofDevelopment is a token of the development instance.
func ofDevelopment(at time.Time, over map[string]any) string {
	return minttest.Good().Sign(minttest.Session(minttest.TestIss, at, over), nil)
}

// The development instance's browser token goes to Clerk's hosts, as its protocol
// wants, and nowhere else; and what Clerk sends back in the address is gone from
// it before any page can link elsewhere.
func testTokensInDevelopment(t *testing.T) {
	g := start(t, develop())
	session := ofDevelopment(noon, nil)
	lines := []string{"__session=" + session + "; Path=/", "__client_uat=1; Path=/", "__clerk_db_jwt=dvb_s3cret; Path=/"}
	payload := minttest.Good().Sign(map[string]any{"iss": minttest.TestIss, "iat": noon.Unix(), "exp": noon.Unix() + 300, "handshake": lines}, nil)
	got := sendHTTP1(t, g, call{target: "/app?a=1&__clerk_handshake=" + payload + "&__clerk_db_jwt=dvb_s3cret", lines: []string{pageLoad}})
	if got.status != 307 || strings.Contains(got.get("Location"), "eyJ") || strings.Contains(got.get("Location"), "dvb_s3cret") || got.get("Referrer-Policy") != "no-referrer" {
		t.Errorf("back from Clerk: status %d %s to %s", got.status, got.reason, got.get("Location"))
	}
	for name, location := range map[string]string{
		"handshake": sendHTTP1(t, g, call{lines: []string{pageLoad, cookieLine("__clerk_db_jwt=dvb_s3cret", uat)}}).get("Location"),
		"sign-in":   sendHTTP1(t, g, call{lines: []string{pageLoad, cookieLine("__clerk_db_jwt=dvb_s3cret")}}).get("Location"),
	} {
		u, err := url.Parse(location)
		if err != nil || u.Scheme != "https" || u.Host != "happy-otter-12.clerk.accounts.dev" && u.Host != "happy-otter-12.accounts.dev" || strings.Contains(u.Query().Get("redirect_url"), "dvb_s3cret") {
			t.Errorf("%s: sent to %s", name, location)
		}
	}
	if n := len(g.fresh(t)); n > 0 {
		t.Errorf("%d requests at the upstream", n)
	}
}

// A development key is no production key with less care: both keys are of one
// kind, nothing but the way back from Clerk forgives a wrong clock, and no
// upstream hears of a session that was forgiven. The log says what kind it is.
func testDevelopmentIsNoProduction(t *testing.T) {
	for _, pair := range [][2]string{{minttest.TestKey, "sk_live_x"}, {minttest.LiveKey, "sk_test_x"}, {minttest.TestKey, "x"}, {"pk_test_x", "sk_test_x"}} {
		_, err := config.Load([]string{"CLERK_PUBLISHABLE_KEY=" + pair[0], "CLERK_SECRET_KEY=" + pair[1], "AUTHPROXY_UPSTREAM=http://127.0.0.1:1", "AUTHPROXY_PUBLIC_URL=" + minttest.App})
		if err == nil {
			t.Errorf("%s starts beside %s", pair[0], pair[1])
		}
	}
	g := start(t, develop())
	if !strings.Contains(g.journal.String(), `"production":false`) {
		t.Errorf("the log does not say that this is development: %s", g.journal)
	}
	live := start(t, setup{})
	for _, off := range []time.Duration{-23 * time.Hour, -time.Hour, -2 * time.Minute, 23 * time.Hour, time.Minute} {
		token, browser := ofDevelopment(noon.Add(off), nil), "__clerk_db_jwt=dvb"
		for _, lines := range [][]string{{pageLoad}, {fetched}, {bearer(token)}} {
			got := sendHTTP1(t, g, call{lines: append(lines, cookieLine(browser, uat, "__session="+token))})
			if got.status != 401 && got.status != 307 {
				t.Errorf("%v off: status %d %s", off, got.status, got.reason)
			}
		}
		payload := minttest.Good().Sign(map[string]any{"iss": minttest.TestIss, "handshake": []string{"__session=" + token}}, nil)
		if got := sendHTTP1(t, g, call{target: "/app?__clerk_handshake=" + payload, lines: []string{pageLoad, cookieLine(browser)}}); got.status != 307 && got.status != 401 {
			t.Errorf("%v off, back from Clerk: status %d %s", off, got.status, got.reason)
		}
		g.only(t, fmt.Sprint(off), "-")
		token = minttest.Good().Sign(minttest.Session(minttest.LiveIss, noon.Add(off), nil), nil)
		got := sendHTTP1(t, live, call{lines: []string{pageLoad, cookieLine("__clerk_handshake=" + brought(nil, sessionLines(token)...))}})
		if got.status != 302 || got.sets("__session") {
			t.Errorf("%v off, in production: status %d %s, %q", off, got.status, got.reason, got.cookies())
		}
		live.only(t, fmt.Sprint(off), "-")
	}
}
