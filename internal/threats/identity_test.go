package threats_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
)

func identityThreats() []threat {
	return []threat{
		{"HS-01", testOneIdentity},
		{"HS-16", testChoiceOfCookies},
		{"HS-18", testHostless},
		{"HS-19", testMetadataOfUsers},
	}
}

// carrier is a place in a request that can hold somebody's identity.
type carrier struct {
	user  string
	lines []string // of the request
	pairs []string // of its cookies
}

var carriers = sync.OnceValue(func() []carrier {
	return []carrier{
		{user: "user_bearer", lines: []string{bearer(of("user_bearer"))}},
		{user: "user_payload", pairs: []string{"__clerk_handshake=" + brought(nil, sessionLines(of("user_payload"))...)}},
		{user: "user_suffixed", pairs: []string{suffixedUAT + "=1", suffixedSession + "=" + of("user_suffixed")}},
		{user: "user_plain", pairs: []string{uat, "__session=" + of("user_plain")}},
	}
})

// believed is who may be asserted for the carriers of a subset: the first of them,
// but that a payload is read of page loads only.
func believed(subset []carrier, page bool) string {
	for _, c := range subset {
		if page || c.user != "user_payload" {
			return c.user
		}
	}
	return ""
}

// A request that says several things about who asks is one person's, the same
// over every protocol, in every order, for every kind of request; what the query
// and other headers say is nobody's word.
func testOneIdentity(t *testing.T) {
	all := carriers()
	query := "?__session=" + of("user_query") + "&__clerk_handshake=" + brought(nil, sessionLines(of("user_query"))...) + "&token=" + of("user_query") + "&access_token=" + of("user_query")
	claimed := []string{"X-Auth-User-Id: user_header", "X-Clerk-Auth-Token: " + of("user_header"), "X-Clerk-Auth-Status: signed-in", "X-Middleware-Auth: user_header", "X-Access-Token: " + of("user_header")}
	for _, p := range []struct {
		protocol
		tls bool
	}{{http1(), false}, {http2(), false}, {http1(), true}, {http2(), true}} {
		t.Run(fmt.Sprint(p.name, p.tls), func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{tls: p.tls})
			for n := range 1 << len(all) {
				var subset []carrier
				for i, c := range all {
					if n&(1<<i) != 0 {
						subset = append(subset, c)
					}
				}
				for _, c := range []call{{lines: []string{pageLoad}}, {lines: []string{fetched}}, {method: "POST", lines: []string{sameOrigin, nothing}}} {
					c.target = "/app" + query
					ordered := presentedBy(subset)
					reversed := slices.Clone(ordered)
					slices.Reverse(reversed)
					want := believed(subset, c.lines[0] == pageLoad)
					for _, lines := range [][]string{append(slices.Clone(claimed), ordered...), append(reversed, claimed...)} {
						isOne(t, g, p.protocol, c.with(lines...), want)
					}
				}
			}
		})
	}
}

// presentedBy are the header lines of carriers, each cookie in a field of its own.
func presentedBy(subset []carrier) []string {
	var lines []string
	for _, c := range subset {
		lines = append(lines, c.lines...)
		for _, pair := range c.pairs {
			lines = append(lines, cookieLine(pair))
		}
	}
	return lines
}

func isOne(t *testing.T, g *rig, p protocol, c call, want string) {
	t.Helper()
	got := p.send(t, g, c)
	requests := g.fresh(t)
	if want == "" {
		if got.status != 401 && got.status != 302 || len(requests) > 0 {
			t.Errorf("nobody is there: status %d %s, the upstream is told of %q", got.status, got.reason, who(requests))
		}
		return
	}
	if got.status != 200 || len(requests) != 1 {
		t.Fatalf("%s: status %d %s, %d requests at the upstream", want, got.status, got.reason, len(requests))
	}
	r := requests[0]
	expected := signedIn()
	expected["X-Auth-User-Id"], expected["X-Auth-Session-Id"] = want, "sess_of_"+want
	carries(t, r, expected)
	if r.Has("Authorization") || r.Has("Cookie") {
		t.Errorf("%s: a credential arrived\n%s", want, r.Raw)
	}
	for _, other := range carriers() { // the browser is told of nobody else either
		if other.user != want && strings.Contains(strings.Join(got.cookies(), ""), other.user) {
			t.Errorf("%s: the browser gets cookies of %s", want, other.user)
		}
	}
}

// The unverified tokens decide which set of cookies is read and nothing more:
// whoever is let in has a token of ours, whatever stands beside it.
func testChoiceOfCookies(t *testing.T) {
	forge := func(over map[string]any) string {
		return minttest.Evil().Sign(claims(over), nil) // with another key under our key's name
	}
	odd := map[string]string{
		"none": "", "forged, newer": forge(map[string]any{"sub": "user_evil", "iat": noon.Unix() + 5}), "foreign iss": forge(map[string]any{"iss": "https://clerk.evil.com"}), "list iss": forge(map[string]any{"iss": []string{minttest.LiveIss}}),
		"number iss": forge(map[string]any{"iss": 7}), "object iss": forge(map[string]any{"iss": map[string]string{"a": minttest.LiveIss}}), "null iss": forge(map[string]any{"iss": nil}), "schemes in iss": forge(map[string]any{"iss": "https://http://clerk.https://example.com"}),
		"huge iat": forge(map[string]any{"iat": 1e300}), "text iat": forge(map[string]any{"iat": "9999999999"}), "no times": forge(map[string]any{"iat": nil, "exp": nil}), "deep": forge(map[string]any{"iss": strings.Repeat("[", 20)}),
		"garbage": "a.b.c", "no dots": "x", "dots": "....", "null payload": encoded(`{}`) + "." + encoded(`null`) + ".x", "other instance": minttest.Good().Sign(minttest.Session(minttest.TestIss, noon, map[string]any{"sub": "user_evil"}), nil),
		"good": ordinary(), "foreign party": mint(map[string]any{"azp": "https://evil.example.com", "sub": "user_evil"}), "expired": stale(nil),
	}
	g := start(t, setup{})
	for plainName, plain := range odd {
		for suffixedName, suffixed := range odd {
			if !slices.ContainsFunc([]string{"good", "none", "expired"}, func(usual string) bool { return plainName == usual || suffixedName == usual }) {
				continue
			}
			for _, uats := range []string{"__client_uat=1", "__client_uat=0; " + suffixedUAT + "=1", suffixedUAT + "=1", "__client_uat=1; " + suffixedUAT + "=0", "__client_uat=NaN; " + suffixedUAT + "=-1", ""} {
				sent := cookieLine(uats, "__session="+plain, suffixedSession+"="+suffixed)
				for _, kind := range []string{fetched, pageLoad} {
					got := sendHTTP1(t, g, call{target: "/app", lines: []string{kind, sent}})
					if good := plainName == "good" || suffixedName == "good"; got.status != 200 && got.status != 401 && got.status != 307 && got.status != 302 || got.status == 200 && !good {
						t.Errorf("%s and %s, %q: status %d %s", plainName, suffixedName, uats, got.status, got.reason)
					}
				}
			}
		}
	}
	for _, r := range g.fresh(t) {
		carries(t, r, signedIn())
		keepsSecrets(t, r)
	}
}

// A target without a host, or with more than one, is a path or a bad request, and
// never our own fault.
func testHostless(t *testing.T) {
	g := start(t, setup{})
	for _, p := range []protocol{http1(), http2()} {
		for _, target := range []string{"//", "///", "//?", "//#", "//x", "///evil.com/", "//evil.com/..", "//u:p@evil.com/", "//:80/", "//[::1]/", "//[", "//%", "//%zz", "/?//", "http://", "http:///", "http://u:p@" + host + "/", "https://" + host, "http:", "://", "*"} {
			for _, lines := range [][]string{{}, {pageLoad}, {cookie(ordinary())}, {pageLoad, cookieLine(uat)}} {
				got := p.send(t, g, call{target: target, lines: lines})
				if got.status >= 500 || got.status == 0 && p.name == "HTTP1" {
					t.Errorf("%s %q, %.30q: status %d %s", p.name, target, lines, got.status, got.reason)
				}
				leadsHome(t, target, got)
				for _, r := range g.fresh(t) {
					if r.Target != target && r.Target+"?" != target && !strings.HasPrefix(target, r.Target) || r.Get("Host") != host {
						t.Errorf("%s %q arrives as %q at %q", p.name, target, r.Target, r.Get("Host"))
					}
				}
			}
		}
	}
}

// leadsHome fails the test when an answer sends the browser anywhere but to Clerk
// and from there back to the application.
func leadsHome(t *testing.T, what string, got answer) {
	t.Helper()
	location := got.get("Location")
	if location == "" {
		return
	}
	clerks := strings.HasPrefix(location, "https://accounts.example.com/sign-in?redirect_url=") || strings.HasPrefix(location, "https://clerk.example.com/v1/client/handshake?redirect_url=")
	if back := parameter(t, location, "redirect_url"); !clerks || !strings.HasPrefix(back, minttest.App+"/") || got.status != 302 && got.status != 307 {
		t.Errorf("%q: status %d to %s", what, got.status, location)
	}
}

// What users may write about themselves is read by no mapping that does not ask
// for it by name.
func testMetadataOfUsers(t *testing.T) {
	evil := map[string]any{}
	for claim := range minttest.Product() {
		evil[claim] = forged
	}
	over := map[string]any{"unsafe_metadata": evil, "unsafeMetadata": evil, "metadata": evil, "user": map[string]any{"unsafe_metadata": evil}, "unsafe_metadata.personId": forged}
	for claim := range minttest.Product() {
		over["unsafe_metadata."+claim], over[strings.ToUpper(claim)] = forged, forged
	}
	g := start(t, setup{})
	if got := sendHTTP1(t, g, call{lines: []string{bearer(mint(over))}}); got.status != 200 {
		t.Errorf("status %d %s", got.status, got.reason)
	}
	for _, r := range g.fresh(t) {
		carries(t, r, signedIn())
	}
	for claim := range minttest.Product() {
		over[claim] = nil
	}
	if got := sendHTTP1(t, g, call{lines: []string{bearer(good(over))}}); got.status != 200 {
		t.Errorf("status %d %s", got.status, got.reason)
	}
	for _, r := range g.fresh(t) {
		if strings.Contains(string(r.Raw), forged) {
			t.Errorf("the user's own word arrived\n%s", r.Raw)
		}
	}
}
