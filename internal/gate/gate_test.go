package gate_test

import (
	"context"
	"crypto/rsa"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/gate"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/route"
	"github.com/manageros/authproxy/internal/session"
	"github.com/manageros/authproxy/jwks"
)

var now = time.Unix(1795371235, 0)

// newGate decides for the production instance at https://app.example.com, with
// the changes a test wants.
func newGate(t testing.TB, change func(*gate.Config, *session.Config)) *gate.Gate {
	t.Helper()
	set, _, err := jwks.Parse(minttest.JWKS(minttest.Good()))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwks.New(jwks.Config{Static: set})
	if err != nil {
		t.Fatal(err)
	}
	instance, err := authproxy.ParseInstance(minttest.LiveKey)
	if err != nil {
		t.Fatal(err)
	}
	routes, err := route.Parse([]string{"/healthz", "/static/*"})
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := headers.ParseMapping("")
	if err != nil {
		t.Fatal(err)
	}
	signIn, err := url.Parse(instance.SignInURL())
	if err != nil {
		t.Fatal(err)
	}
	sc := session.Config{Keys: keys, Instance: &instance, Issuers: []string{minttest.LiveIss}, Skew: 5 * time.Second, Now: func() time.Time { return now }}
	gc := gate.Config{
		Generation: keys.Generation, Mapping: mapping, Routes: routes, SignInURL: signIn,
		Reserved:   map[string]gate.Access{"/_authproxy/whoami": gate.NeedsSession, "/_authproxy/sign-in": gate.Open},
		Origins:    []authproxy.Origin{{Scheme: "https", Host: "app.example.com"}},
		Parties:    []string{"https://spa.example.com"},
		ExtraHosts: []string{"authproxy.internal:4180", "svc.internal:80"},
	}
	if change != nil {
		change(&gc, &sc)
	}
	gc.Renewal.Instance = sc.Instance
	if gc.Verifier, err = session.New(sc); err != nil {
		t.Fatal(err)
	}
	g, err := gate.New(gc)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// token mints a session with the product's claims, changed by over.
func token(over map[string]any) string {
	claims := minttest.Product()
	maps.Copy(claims, over)
	return minttest.Good().Sign(minttest.Session(minttest.LiveIss, now, claims), nil)
}

// page is a page load; api is what a program sends.
func page(path string, h ...string) *authproxy.Request {
	r := api("GET", path, h...)
	r.Header.Set("Sec-Fetch-Dest", "document")
	return r
}

func api(method, path string, h ...string) *authproxy.Request {
	r := &authproxy.Request{Method: method, Host: "app.example.com", Scheme: "http", Header: http.Header{}}
	r.Path, r.Query, _ = strings.Cut(path, "?")
	for i := 0; i < len(h); i += 2 {
		r.Header.Add(h[i], h[i+1])
	}
	return r
}

func cookies(token string) string {
	return "__session=" + token + "; __client_uat=" + "1795371200"
}

func with(r *authproxy.Request, change func(*authproxy.Request)) *authproxy.Request {
	change(r)
	return r
}

func assertions(d authproxy.Decision) string {
	var list []string
	for _, f := range d.Assert {
		list = append(list, strings.TrimPrefix(f.Name, "X-Auth-")+"="+f.Value)
	}
	return strings.Join(list, " ")
}

const signedIn = "Manageros-User-Id=mos_1 Organization-Id=org_acme Organization-Name=M%C3%BCller%20GmbH Organization-Slug=acme Person-Id=person_7 Role=manager User-Id=user_2oracle Session-Id=sess_2oracle Status=authenticated"

func TestDecide(t *testing.T) {
	t.Parallel()
	ok, expired := token(nil), token(map[string]any{"exp": now.Unix() - 30, "iat": now.Unix() - 90, "nbf": now.Unix() - 100})
	forged := minttest.Evil().Sign(minttest.Session(minttest.LiveIss, now, nil), nil)
	foreign := token(map[string]any{"azp": "https://evil.example"})
	pending := token(map[string]any{"sts": "pending"})
	dirty := token(map[string]any{"role": "a\nb"})
	huge := token(map[string]any{"role": strings.Repeat("ü", 1500)})
	other := func(r *authproxy.Request) { r.Host = "evil.example" }
	inside := func(r *authproxy.Request) { r.Host = "authproxy.internal:4180" }
	upgrade := func(r *authproxy.Request) { r.Upgrade = true }

	for _, tt := range []struct {
		name     string
		request  *authproxy.Request
		action   authproxy.Action
		reason   authproxy.Reason
		asserted string // what the upstream is told; "" is nobody
		route    authproxy.Route
	}{
		{"session cookie", page("/x", "Cookie", cookies(ok)), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"bearer", api("POST", "/x", "Authorization", "Bearer "+ok), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"JWT-42 bearer counts before the cookie", api("GET", "/x", "Authorization", "Bearer "+forged, "Cookie", cookies(ok)), authproxy.Deny, authproxy.TokenInvalidSignature, "", authproxy.RouteDefault},
		{"malformed bearer", api("GET", "/x", "Authorization", "Bearer  "+ok), authproxy.Deny, authproxy.TokenInvalid, "", authproxy.RouteDefault},
		{"another scheme is no credential", api("GET", "/x", "Authorization", "Basic Zm9v", "Cookie", cookies(ok)), authproxy.Allow, "", signedIn, authproxy.RouteDefault},

		{"nobody loads a page", page("/x?a=1"), authproxy.Redirect, authproxy.SessionTokenAndUATMissing, "", authproxy.RouteDefault},
		{"nobody calls", api("GET", "/x"), authproxy.Deny, authproxy.SessionTokenAndUATMissing, "", authproxy.RouteDefault},
		{"HS-05 nobody posts a form", with(page("/x"), func(r *authproxy.Request) { r.Method = "POST" }), authproxy.Deny, authproxy.SessionTokenAndUATMissing, "", authproxy.RouteDefault},
		{"row 8", page("/x", "Cookie", "__session="+ok), authproxy.Handshake, authproxy.SessionTokenButNoClientUAT, "", authproxy.RouteDefault},
		{"row 9", page("/x", "Cookie", "__client_uat=1795371200"), authproxy.Handshake, authproxy.ClientUATButNoSessionToken, "", authproxy.RouteDefault},
		{"row 10", page("/x", "Cookie", cookies("x.y")), authproxy.Deny, authproxy.TokenInvalid, "", authproxy.RouteDefault},
		{"row 12", page("/x", "Cookie", "__session="+ok+"; __client_uat=1795371236"), authproxy.Handshake, authproxy.SessionTokenIATBeforeUAT, "", authproxy.RouteDefault},
		{"an invalid session is never redirected", page("/x", "Cookie", cookies(forged)), authproxy.Deny, authproxy.TokenInvalidSignature, "", authproxy.RouteDefault},
		{"expired, page", page("/x", "Cookie", "__session="+expired+"; __client_uat=1795371100"), authproxy.Handshake, authproxy.SessionExpiredNoRefresh, "", authproxy.RouteDefault},
		{"expired, POST", api("POST", "/x", "Cookie", "__session="+expired+"; __client_uat=1795371100"), authproxy.Deny, authproxy.SessionExpiredNonGET, "", authproxy.RouteDefault},
		{"azp of another origin", page("/x", "Cookie", cookies(foreign)), authproxy.Deny, authproxy.TokenInvalidParties, "", authproxy.RouteDefault},
		{"pending, page", page("/x", "Cookie", cookies(pending)), authproxy.Redirect, authproxy.SessionPending, "", authproxy.RouteDefault},
		{"pending, call", api("GET", "/x", "Cookie", cookies(pending)), authproxy.Deny, authproxy.SessionPending, "", authproxy.RouteDefault},
		{"HDR-36 claim with a line end", page("/x", "Cookie", cookies(dirty)), authproxy.Deny, authproxy.ClaimInvalid, "", authproxy.RouteDefault},
		{"HDR-42 claims too large", page("/x", "Cookie", cookies(huge)), authproxy.Deny, authproxy.ClaimTooLarge, "", authproxy.RouteDefault},

		{"WEB cross-site form", api("POST", "/x", "Cookie", cookies(ok), "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"), authproxy.Deny, authproxy.CrossOrigin, "", authproxy.RouteDefault},
		{"sibling site", api("POST", "/x", "Cookie", cookies(ok), "Sec-Fetch-Site", "same-site"), authproxy.Deny, authproxy.CrossOrigin, "", authproxy.RouteDefault},
		{"same origin", api("POST", "/x", "Cookie", cookies(ok), "Sec-Fetch-Site", "same-origin", "Origin", "https://app.example.com"), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"origin of a party", api("POST", "/x", "Cookie", cookies(ok), "Sec-Fetch-Site", "same-site", "Origin", "https://spa.example.com"), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"WEB-02 origin with the other scheme", api("POST", "/x", "Cookie", cookies(ok), "Origin", "http://app.example.com"), authproxy.Deny, authproxy.CrossOrigin, "", authproxy.RouteDefault},
		{"null origin", api("DELETE", "/x", "Cookie", cookies(ok), "Origin", "null"), authproxy.Deny, authproxy.CrossOrigin, "", authproxy.RouteDefault},
		{"two origins", api("POST", "/x", "Cookie", cookies(ok), "Origin", "https://app.example.com", "Origin", "https://evil.example"), authproxy.Deny, authproxy.CrossOrigin, "", authproxy.RouteDefault},
		{"no browser", api("POST", "/x", "Cookie", cookies(ok)), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"a bearer may come from anywhere", api("POST", "/x", "Authorization", "Bearer "+ok, "Origin", "https://evil.example"), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"looking is no crime", api("GET", "/x", "Cookie", cookies(ok), "Sec-Fetch-Site", "cross-site"), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"WS-04 foreign upgrade", with(api("GET", "/ws", "Cookie", cookies(ok), "Origin", "https://app.example.com.evil"), upgrade), authproxy.Deny, authproxy.CrossOrigin, "", authproxy.RouteDefault},
		{"upgrade", with(api("GET", "/ws", "Cookie", cookies(ok), "Origin", "https://app.example.com"), upgrade), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"WS-05 upgrade of nobody", with(api("GET", "/ws"), upgrade), authproxy.Deny, authproxy.SessionTokenAndUATMissing, "", authproxy.RouteDefault},

		{"foreign host", with(page("/x", "Cookie", cookies(ok)), other), authproxy.Deny, authproxy.HostNotAllowed, "", authproxy.RouteDefault},
		{"extra host, bearer", with(api("GET", "/x", "Authorization", "Bearer "+ok), inside), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"extra host without its port", with(api("GET", "/x", "Authorization", "Bearer "+ok), func(r *authproxy.Request) { r.Host = "svc.internal" }), authproxy.Allow, "", signedIn, authproxy.RouteDefault},
		{"extra host, cookie", with(api("GET", "/x", "Cookie", cookies(ok)), inside), authproxy.Deny, authproxy.HostNotAllowed, "", authproxy.RouteDefault},
		{"bad host", with(page("/x"), func(r *authproxy.Request) { r.Host = "a,b" }), authproxy.Deny, authproxy.RequestAmbiguous, "", authproxy.RouteDefault},
		{"no host", with(page("/healthz"), func(r *authproxy.Request) { r.Host = "" }), authproxy.Deny, authproxy.RequestAmbiguous, "", authproxy.RouteDefault},

		{"public, nobody", page("/healthz"), authproxy.Allow, authproxy.SessionTokenAndUATMissing, "Status=anonymous", authproxy.RoutePublic},
		{"public, signed in", page("/static/a", "Cookie", cookies(ok)), authproxy.Allow, "", signedIn, authproxy.RoutePublic},
		{"public, forged", page("/static/a", "Cookie", cookies(forged)), authproxy.Allow, authproxy.TokenInvalidSignature, "Status=anonymous", authproxy.RoutePublic},
		{"public, malformed bearer", api("GET", "/static/a", "Authorization", "Bearer"), authproxy.Allow, authproxy.TokenInvalid, "Status=anonymous", authproxy.RoutePublic},
		{"public, foreign host", with(page("/static/a", "Cookie", cookies(ok)), other), authproxy.Allow, authproxy.HostNotAllowed, "Status=anonymous", authproxy.RoutePublic},
		{"public, cross-site post", api("POST", "/static/a", "Cookie", cookies(ok), "Sec-Fetch-Site", "cross-site"), authproxy.Allow, authproxy.CrossOrigin, "Status=anonymous", authproxy.RoutePublic},
		{"public, pending", page("/static/a", "Cookie", cookies(pending)), authproxy.Allow, authproxy.SessionPending, "Status=anonymous", authproxy.RoutePublic},
		{"public, unfit claim", page("/static/a", "Cookie", cookies(dirty)), authproxy.Allow, authproxy.ClaimInvalid, "Status=anonymous", authproxy.RoutePublic},
		{"public, ambiguous path", page("/static/../x"), authproxy.Deny, authproxy.RequestAmbiguous, "", authproxy.RouteDefault},

		{"HDR-03 preflight", api("OPTIONS", "/x", "Origin", "https://spa.example.com", "Access-Control-Request-Method", "PUT", "Cookie", cookies(ok)), authproxy.Allow, "", "Status=anonymous", authproxy.RouteDefault},
		{"OPTIONS with a body is none", with(api("OPTIONS", "/x", "Origin", "https://spa.example.com", "Access-Control-Request-Method", "PUT"), func(r *authproxy.Request) { r.HasBody = true }), authproxy.Deny, authproxy.SessionTokenAndUATMissing, "", authproxy.RouteDefault},
		{"preflight for a foreign host", with(api("OPTIONS", "/x", "Origin", "https://a", "Access-Control-Request-Method", "PUT"), other), authproxy.Deny, authproxy.HostNotAllowed, "", authproxy.RouteDefault},
		{"CONNECT", api("CONNECT", "/healthz"), authproxy.Deny, authproxy.MethodNotAllowed, "", authproxy.RouteDefault},
		{"TRACE", api("TRACE", "/healthz"), authproxy.Deny, authproxy.MethodNotAllowed, "", authproxy.RouteDefault},
		{"absolute form", api("GET", "http://evil/admin"), authproxy.Deny, authproxy.RequestAmbiguous, "", authproxy.RouteDefault},
		{"asterisk", api("OPTIONS", "*"), authproxy.Deny, authproxy.RequestAmbiguous, "", authproxy.RouteDefault},

		{"whoami", page("/_authproxy/whoami", "Cookie", cookies(ok)), authproxy.Allow, "", signedIn, authproxy.RouteReserved},
		{"whoami of nobody", api("GET", "/_authproxy/whoami"), authproxy.Deny, authproxy.SessionTokenAndUATMissing, "", authproxy.RouteReserved},
		{"sign in", page("/_authproxy/sign-in"), authproxy.Allow, "", "Status=anonymous", authproxy.RouteReserved},
		{"sign in on a foreign host", with(page("/_authproxy/sign-in"), other), authproxy.Deny, authproxy.HostNotAllowed, "", authproxy.RouteReserved},
		{"reserved, unknown", page("/_authproxy/x", "Cookie", cookies(ok)), authproxy.Deny, authproxy.NotFound, "", authproxy.RouteReserved},
		{"reserved, another spelling", page("/_authproxy//whoami", "Cookie", cookies(ok)), authproxy.Deny, authproxy.NotFound, "", authproxy.RouteReserved},
		{"reserved, escaped", page("/%5fauthproxy/whoami", "Cookie", cookies(ok)), authproxy.Deny, authproxy.NotFound, "", authproxy.RouteReserved},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, nil)
			for _, round := range []string{"first", "cached"} {
				d := g.Decide(context.Background(), tt.request)
				if d.Action != tt.action || d.Reason != tt.reason || assertions(d) != tt.asserted || d.Route != tt.route {
					t.Errorf("%s: action %d reason %q route %s asserts %q (%s)\nwant action %d reason %q route %s asserts %q",
						round, d.Action, d.Reason, d.Route, assertions(d), d.Detail, tt.action, tt.reason, tt.route, tt.asserted)
				}
				if d.Action != authproxy.Allow && len(d.Assert) > 0 {
					t.Errorf("%s: a refusal asserts %v", round, d.Assert)
				}
				if strings.Contains(d.Detail+d.Location, "eyJ") {
					t.Errorf("%s: a token in %q or %q", round, d.Detail, d.Location)
				}
			}
		})
	}
}

func TestOptional(t *testing.T) {
	t.Parallel()
	ok, forged := token(nil), minttest.Evil().Sign(minttest.Session(minttest.LiveIss, now, nil), nil)
	g := newGate(t, func(c *gate.Config, _ *session.Config) { c.Optional = true })
	for _, tt := range []struct {
		name    string
		request *authproxy.Request
		action  authproxy.Action
		reason  authproxy.Reason
	}{
		{"signed in", page("/x", "Cookie", cookies(ok)), authproxy.Allow, ""},
		{"nobody", page("/x"), authproxy.Allow, authproxy.SessionTokenAndUATMissing},
		{"invalid cookie", page("/x", "Cookie", cookies(forged)), authproxy.Allow, authproxy.TokenInvalidSignature},
		{"invalid bearer", api("GET", "/x", "Authorization", "Bearer "+forged), authproxy.Deny, authproxy.TokenInvalidSignature},
		{"malformed bearer", api("GET", "/x", "Authorization", "Bearer"), authproxy.Deny, authproxy.TokenInvalid},
		{"cross-site", api("POST", "/x", "Cookie", cookies(ok), "Origin", "https://evil.example"), authproxy.Allow, authproxy.CrossOrigin},
		{"pending", page("/x", "Cookie", cookies(token(map[string]any{"sts": "pending"}))), authproxy.Allow, authproxy.SessionPending},
		{"unfit claim", page("/x", "Cookie", cookies(token(map[string]any{"role": "\x7f"}))), authproxy.Deny, authproxy.ClaimInvalid},
		{"foreign host", with(page("/x"), func(r *authproxy.Request) { r.Host = "evil.example" }), authproxy.Deny, authproxy.HostNotAllowed},
		{"whoami of nobody", api("GET", "/_authproxy/whoami"), authproxy.Deny, authproxy.SessionTokenAndUATMissing},
	} {
		d := g.Decide(context.Background(), tt.request)
		if d.Action != tt.action || d.Reason != tt.reason {
			t.Errorf("%s: action %d reason %q, want %d %q", tt.name, d.Action, d.Reason, tt.action, tt.reason)
		}
		if d.Action == authproxy.Allow && tt.reason != "" && assertions(d) != "Status=anonymous" {
			t.Errorf("%s: asserts %q", tt.name, assertions(d))
		}
	}
}

func TestKeysUnavailable(t *testing.T) {
	t.Parallel()
	keys, err := jwks.New(jwks.Config{URL: "http://127.0.0.1:1/jwks"}) // never run
	if err != nil {
		t.Fatal(err)
	}
	for _, optional := range []bool{false, true} {
		g := newGate(t, func(g *gate.Config, s *session.Config) {
			g.Generation, g.Optional, s.Keys = keys.Generation, optional, keys
		})
		d := g.Decide(context.Background(), page("/x", "Cookie", cookies(token(nil))))
		if d.Action != authproxy.Deny || d.Reason != authproxy.KeysUnavailable || d.RetryAfter == 0 {
			t.Errorf("optional %v: %+v", optional, d)
		}
		d = g.Decide(context.Background(), page("/healthz", "Cookie", cookies(token(nil))))
		if d.Action != authproxy.Allow || assertions(d) != "Status=anonymous" {
			t.Errorf("optional %v, public: %+v", optional, d)
		}
	}
}

func TestRequiredClaims(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(c *gate.Config, _ *session.Config) {
		for _, name := range []string{"organizationId", "team.id"} {
			p, err := headers.ParsePath(name)
			if err != nil {
				t.Fatal(err)
			}
			c.Required = append(c.Required, p)
		}
	})
	lacking := cookies(token(map[string]any{"organizationId": ""}))
	d := g.Decide(context.Background(), page("/x", "Cookie", lacking))
	if d.Action != authproxy.Deny || d.Reason != authproxy.ClaimMissing || len(d.Missing) != 2 || d.Identity == nil || !strings.Contains(d.Detail, "organizationId, team.id") {
		t.Errorf("%+v", d)
	}
	for _, path := range []string{"/static/x", "/_authproxy/whoami"} {
		if d := g.Decide(context.Background(), page(path, "Cookie", lacking)); !d.SignedIn() || len(d.Missing) != 2 {
			t.Errorf("%s: %+v", path, d)
		}
	}
	having := cookies(token(map[string]any{"team": map[string]any{"id": 7}}))
	if d := g.Decide(context.Background(), page("/x", "Cookie", having)); !d.SignedIn() {
		t.Errorf("%+v", d)
	}
}

// TestSameTokenTwoHosts: what is cached does not depend on the request, and what
// does is judged each time.
func TestSameTokenTwoHosts(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(c *gate.Config, s *session.Config) {
		c.Origins, c.Parties = nil, nil
		instance, _ := authproxy.ParseInstance(minttest.TestKey)
		s.Instance, s.Issuers = &instance, []string{minttest.TestIss}
	})
	tok := minttest.Good().Sign(minttest.Session(minttest.TestIss, now, nil), nil)
	ask := func(host string) authproxy.Decision {
		return g.Decide(context.Background(), with(page("/", "Cookie", cookies(tok)+"; __clerk_db_jwt=d"), func(r *authproxy.Request) { r.Host, r.Scheme = host, "https" }))
	}
	if d := ask("app.example.com"); !d.SignedIn() || d.Token.Cached {
		t.Errorf("own host: %+v", d)
	}
	if d := ask("evil.example"); d.Action != authproxy.Deny || d.Reason != authproxy.TokenInvalidParties || !d.Token.Cached {
		t.Errorf("another host: %+v", d)
	}
	if d := ask("app.example.com"); !d.SignedIn() || !d.Token.Cached {
		t.Errorf("own host again: %+v", d)
	}
}

// TestCachedTokenExpires: an entry is no longer-lived than the token.
func TestCachedTokenExpires(t *testing.T) {
	t.Parallel()
	clock := now
	g := newGate(t, func(_ *gate.Config, s *session.Config) { s.Now = func() time.Time { return clock } })
	request := page("/", "Cookie", cookies(token(nil)))
	for _, tt := range []struct {
		after time.Duration
		in    bool
	}{{0, true}, {64 * time.Second, true}, {65 * time.Second, false}, {0, true}} {
		clock = now.Add(tt.after)
		if d := g.Decide(context.Background(), request); d.SignedIn() != tt.in {
			t.Errorf("after %v: %+v", tt.after, d)
		}
	}
}

// TestKeyChangeEndsCachedTokens (JWT-09, JWT-45): a token verified with one key
// set is not in the cache of the next.
func TestKeyChangeEndsCachedTokens(t *testing.T) {
	t.Parallel()
	generation := uint64(1)
	g := newGate(t, func(c *gate.Config, _ *session.Config) {
		c.Generation = func() (uint64, error) { return generation, nil }
	})
	request := page("/", "Cookie", cookies(token(nil)))
	for i, want := range []bool{false, true, true} {
		if d := g.Decide(context.Background(), request); !d.SignedIn() || d.Token.Cached != want {
			t.Errorf("request %d: %+v", i, d)
		}
	}
	generation++
	if d := g.Decide(context.Background(), request); d.Token.Cached {
		t.Errorf("another key set: %+v", d)
	}
}

func TestDevelopmentCalls(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(_ *gate.Config, s *session.Config) {
		instance, _ := authproxy.ParseInstance(minttest.TestKey)
		s.Instance, s.Issuers = &instance, []string{minttest.TestIss}
	})
	in := cookies(minttest.Good().Sign(minttest.Session(minttest.TestIss, now, nil), nil))
	for _, tt := range []struct {
		name    string
		request *authproxy.Request
		reason  authproxy.Reason
	}{
		{"call without a dev browser", api("GET", "/x", "Cookie", in), authproxy.DevBrowserMissing},
		{"call with one", api("GET", "/x", "Cookie", in+"; __clerk_db_jwt=d"), ""},
		{"call that brings one", api("GET", "/x?__clerk_db_jwt=d", "Cookie", in), authproxy.DevBrowserSync},
		{"call that syncs", api("GET", "/x?__clerk_redirect_url=https://spa.example.com/a", "Cookie", in), authproxy.PrimaryRespondsToSyncing},
		{"RD-05 call that syncs with anybody", api("GET", "/x?__clerk_redirect_url=https://evil.example/a", "Cookie", in+"; __clerk_db_jwt=d"), ""},
		{"page load without", page("/x", "Cookie", in), authproxy.DevBrowserMissing},
	} {
		d := g.Decide(context.Background(), tt.request)
		if d.Reason != tt.reason || d.SignedIn() != (tt.reason == "") {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, path, signIn, want string }{
		{"comes back", "/a%2Fb?c=d&e", "https://accounts.example.com/sign-in", "https://accounts.example.com/sign-in?redirect_url=https%3A%2F%2Fapp.example.com%2Fa%252Fb%3Fc%3Dd%26e"},
		{"I7 Clerk's credentials stay behind", "/a?__clerk_db_jwt=SECRET&x=1&__clerk_handshake=SECRET&%5F_session=SECRET", "https://accounts.example.com/sign-in", "https://accounts.example.com/sign-in?redirect_url=https%3A%2F%2Fapp.example.com%2Fa%3Fx%3D1"},
		{"own sign-in page", "/a", "/login", "https://app.example.com/login?redirect_url=https%3A%2F%2Fapp.example.com%2Fa"},
		{"too long to carry", "/" + strings.Repeat("a", 5000), "/login", "https://app.example.com/login?redirect_url=https%3A%2F%2Fapp.example.com%2F"},
		{"RD-08 two slashes", "//evil.example/x", "/login", "https://app.example.com/login?redirect_url=https%3A%2F%2Fapp.example.com%2F%2Fevil.example%2Fx"},
	} {
		signIn, err := url.Parse(tt.signIn)
		if err != nil {
			t.Fatal(err)
		}
		g := newGate(t, func(c *gate.Config, _ *session.Config) { c.SignInURL = signIn })
		if d := g.Decide(context.Background(), page(tt.path)); d.Action != authproxy.Redirect || d.Location != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, d.Location, tt.want)
		}
	}
	g := newGate(t, func(c *gate.Config, _ *session.Config) { c.SignInURL = nil })
	if d := g.Decide(context.Background(), page("/")); d.Action != authproxy.Deny || d.Reason != authproxy.SessionTokenAndUATMissing {
		t.Errorf("without a sign-in page: %+v", d)
	}
}

// TestHandshake: a page load with a stale session goes to Clerk and comes back;
// what is not stale but wrong never does, nor does a call.
func TestHandshake(t *testing.T) {
	t.Parallel()
	g := newGate(t, nil)
	optional := newGate(t, func(c *gate.Config, _ *session.Config) { c.Optional = true })
	ok, expired := token(nil), token(map[string]any{"exp": now.Unix() - 30})
	forged := minttest.Evil().Sign(minttest.Session(minttest.LiveIss, now, map[string]any{"exp": now.Unix() - 30}), nil)
	for _, tt := range []struct {
		name    string
		request *authproxy.Request
		action  authproxy.Action
		reason  authproxy.Reason
	}{
		{"expired", page("/x?y", "Cookie", cookies(expired)), authproxy.Handshake, authproxy.SessionExpiredNoRefresh},
		{"no uat", page("/x", "Cookie", "__session="+ok), authproxy.Handshake, authproxy.SessionTokenButNoClientUAT},
		{"no token", page("/x", "Cookie", "__client_uat=1795371200"), authproxy.Handshake, authproxy.ClientUATButNoSessionToken},
		{"older than uat", page("/x", "Cookie", "__session="+ok+"; __client_uat=1795371236"), authproxy.Handshake, authproxy.SessionTokenIATBeforeUAT},
		{"another site links here", page("/x", "Cookie", cookies(ok), "Referer", "https://news.example/"), authproxy.Handshake, authproxy.PrimaryCrossOriginSync},
		{"a page of ours links here", page("/x", "Cookie", cookies(ok), "Referer", "https://app.example.com/"), authproxy.Allow, ""},
		{"expired and forged", page("/x", "Cookie", cookies(forged)), authproxy.Deny, authproxy.TokenInvalidSignature},
		{"expired call", api("GET", "/x", "Cookie", cookies(expired)), authproxy.Deny, authproxy.SessionExpiredNoRefresh},
		{"expired bearer", page("/x", "Authorization", "Bearer "+expired), authproxy.Deny, authproxy.SessionExpiredNoRefresh},
		{"nobody asked for the page yet", page("/x", "Cookie", cookies(expired), "Sec-Purpose", "prefetch"), authproxy.Deny, authproxy.SessionExpiredNoRefresh},
		{"an upgrade", with(api("GET", "/x", "Cookie", cookies(expired), "Accept", "text/html"), func(r *authproxy.Request) { r.Upgrade = true }), authproxy.Deny, authproxy.SessionExpiredNoRefresh},
		{"three already", page("/x", "Cookie", cookies(expired)+"; __clerk_redirect_count=3"), authproxy.Deny, authproxy.SessionExpiredNoRefresh},
		{"three already, says the address", page("/x?__clerk_redirect_count=3", "Cookie", cookies(expired)), authproxy.Deny, authproxy.SessionExpiredNoRefresh},
	} {
		d := g.Decide(context.Background(), tt.request)
		if d.Action != tt.action || d.Reason != tt.reason {
			t.Errorf("%s: %+v", tt.name, d)
		}
		if tt.action == authproxy.Handshake && !strings.HasPrefix(d.Location, "https://clerk.example.com/v1/client/handshake?redirect_url=https%3A%2F%2Fapp.example.com%2Fx%3F") {
			t.Errorf("%s: goes to %s", tt.name, d.Location)
		}
		if d := optional.Decide(context.Background(), tt.request); tt.action == authproxy.Handshake && d.Action != tt.action {
			t.Errorf("%s, optional: %+v", tt.name, d)
		}
	}
}

func TestAuthorizationGoesWhereItBelongs(t *testing.T) {
	t.Parallel()
	ok := "Bearer " + token(nil)
	for _, tt := range []struct {
		name string
		keep bool
		path string
		auth string
		drop bool
	}{
		{"used as the session", false, "/x", ok, true},
		{"used and kept on demand", true, "/x", ok, false},
		{"public, used", false, "/static/x", ok, true},
		{"public, the application's own", false, "/static/x", "Bearer app-token", false},
		{"another scheme", false, "/static/x", "Basic Zm9v", false},
	} {
		g := newGate(t, func(c *gate.Config, _ *session.Config) { c.KeepAuthorization = tt.keep })
		d := g.Decide(context.Background(), api("GET", tt.path, "Authorization", tt.auth))
		if d.Action != authproxy.Allow || d.DropAuthorization != tt.drop {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}

func TestTrustedOrigin(t *testing.T) {
	t.Parallel()
	g := newGate(t, nil)
	for origin, want := range map[string]string{
		"https://app.example.com": "https://app.example.com", "https://spa.example.com": "https://spa.example.com",
		"https://evil.example": "", "null": "", "": "",
	} {
		if d := g.Decide(context.Background(), api("GET", "/x", "Origin", origin)); d.TrustedOrigin != want {
			t.Errorf("%q: %q", origin, d.TrustedOrigin)
		}
	}
}

// TestOriginIsKnownEarly: a page of ours can read why it was refused, whatever
// the reason.
func TestOriginIsKnownEarly(t *testing.T) {
	t.Parallel()
	g := newGate(t, nil)
	for _, r := range []*authproxy.Request{
		api("GET", "/a/../b", "Origin", "https://app.example.com"),
		api("TRACE", "/", "Origin", "https://app.example.com"),
		api("GET", "/_authproxy/x", "Origin", "https://app.example.com"),
	} {
		if d := g.Decide(context.Background(), r); d.Action != authproxy.Deny || d.TrustedOrigin != "https://app.example.com" {
			t.Errorf("%s %s: %+v", r.Method, r.Path, d)
		}
	}
}

// TestPreflightIsNobody: on a public path too, and with a session.
func TestPreflightIsNobody(t *testing.T) {
	t.Parallel()
	g := newGate(t, nil)
	for _, path := range []string{"/x", "/static/x"} {
		d := g.Decide(context.Background(), api("OPTIONS", path, "Origin", "https://a.example", "Access-Control-Request-Method", "PUT", "Authorization", "Bearer "+token(nil)))
		if d.Action != authproxy.Allow || assertions(d) != "Status=anonymous" {
			t.Errorf("%s: %+v", path, d)
		}
	}
}

// TestPublicPathsDoNotWait: a token with an unknown key does not make a public
// path wait for the key set.
func TestPublicPathsDoNotWait(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(_ *gate.Config, s *session.Config) { s.Keys = waiting{} })
	if d := g.Decide(context.Background(), page("/healthz", "Authorization", "Bearer "+token(nil))); assertions(d) != "Status=anonymous" || d.Reason != authproxy.JWKKidMismatch {
		t.Errorf("%+v", d)
	}
}

// waiting is a key source that has no key and waits for as long as it may.
type waiting struct{}

func (waiting) Generation() (uint64, error) { return 1, nil }

func (waiting) Key(ctx context.Context, _ string, _ *rsa.PublicKey) (authproxy.Key, error) {
	<-ctx.Done() // the test hangs if nothing ends it
	return authproxy.Key{}, authproxy.ErrKeyUnknown
}

// TestCrossOriginNamesThePerson: the session is good, the request is not.
func TestCrossOriginNamesThePerson(t *testing.T) {
	t.Parallel()
	d := newGate(t, nil).Decide(context.Background(), api("POST", "/x", "Cookie", cookies(token(nil)), "Origin", "https://evil.example"))
	if d.Action != authproxy.Deny || d.Identity == nil || d.Identity.UserID != "user_2oracle" {
		t.Errorf("%+v", d)
	}
}

func TestOriginOfTwoSchemes(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(c *gate.Config, _ *session.Config) {
		c.Origins = append(c.Origins, authproxy.Origin{Scheme: "http", Host: "app.example.com"}, authproxy.Origin{Scheme: "http", Host: "plain.example.com"})
	})
	for _, tt := range []struct{ host, scheme, want string }{
		{"app.example.com", "http", "http://app.example.com"},
		{"app.example.com", "https", "https://app.example.com"},
		{"plain.example.com", "https", "http://plain.example.com"},
		{"app.example.com:443", "http", "https://app.example.com"},
	} {
		d := g.Decide(context.Background(), with(api("GET", "/x"), func(r *authproxy.Request) { r.Host, r.Scheme = tt.host, tt.scheme }))
		if d.Origin.String() != tt.want {
			t.Errorf("%+v: %s", tt, d.Origin)
		}
	}
}

func TestNewReportsMistakes(t *testing.T) {
	t.Parallel()
	if _, err := gate.New(gate.Config{ExtraHosts: []string{"a/b"}}); err == nil || !strings.Contains(err.Error(), "required") || !strings.Contains(err.Error(), "a/b") {
		t.Errorf("%v", err)
	}
}

func BenchmarkDecide(b *testing.B) {
	g := newGate(b, nil)
	request := page("/x", "Cookie", cookies(token(nil)))
	ctx := context.Background()
	b.Run("warm", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if d := g.Decide(ctx, request); !d.SignedIn() {
				b.Fatal(d.Detail)
			}
		}
	})
	b.Run("nobody", func(b *testing.B) {
		nobody := page("/x")
		b.ReportAllocs()
		for b.Loop() {
			g.Decide(ctx, nobody)
		}
	})
}
