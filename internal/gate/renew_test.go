package gate_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/clerk"
	"github.com/manageros/authproxy/internal/gate"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/route"
	"github.com/manageros/authproxy/internal/session"
)

// backendAPI is Clerk's Backend API without a network: the Set-Cookie lines of a
// refresh, and those under each nonce.
type backendAPI struct {
	cookies []string
	nonces  map[string][]string
	calls   atomic.Int32
}

// RoundTrip implements http.RoundTripper.
func (a *backendAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	a.calls.Add(1)
	name, lines, known := "cookies", a.cookies, true
	if strings.HasSuffix(r.URL.Path, "/handshake_payload") {
		name = "directives"
		lines, known = a.nonces[r.URL.Query().Get("nonce")]
	}
	status, body := 200, fmt.Sprintf(`{%q:["%s"]}`, name, strings.Join(lines, `","`))
	if !known {
		status, body = 404, `{"errors":[{"code":"resource_not_found","message":"m"}]}`
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// withAPI has the gate ask a.
func withAPI(t testing.TB, a *backendAPI) func(*gate.Config, *session.Config) {
	t.Helper()
	c, err := clerk.New(clerk.Config{SecretKey: "sk_live_gate", URL: "https://api.clerk.test", Transport: a})
	if err != nil {
		t.Fatal(err)
	}
	return func(g *gate.Config, _ *session.Config) { g.Renewal.Clerk = c }
}

func line(token string) string { return "__session=" + token + "; Path=/; Secure; SameSite=Lax" }

// staleCookies are those of a browser whose token, changed by over, ran out.
func staleCookies(over map[string]any) string {
	claims := map[string]any{"exp": now.Unix() - 30, "iat": now.Unix() - 90, "nbf": now.Unix() - 100}
	for name, value := range over {
		claims[name] = value
	}
	return "__session=" + token(claims) + "; __client_uat=1795371100; __refresh_" + minttest.LiveSuff + "=r1"
}

// TestThreatRefresh: a fresh token is judged like any other, and it has to be of
// the session that ran out. Else nothing of the answer is used.
func TestThreatRefresh(t *testing.T) {
	t.Parallel()
	refused := authproxy.SessionExpiredInvalid
	for _, tt := range []struct {
		name    string
		cookies []string
		reason  authproxy.Reason // "" passes
	}{
		{"the same session", []string{line(token(nil)), "theme=evil; Path=/"}, ""},
		{"another session", []string{line(token(map[string]any{"sid": "sess_other"}))}, refused},
		{"another person", []string{line(token(map[string]any{"sub": "user_other"}))}, refused},
		{"forged", []string{line(minttest.Evil().Sign(minttest.Session(minttest.LiveIss, now, nil), nil))}, refused},
		{"another issuer", []string{line(token(map[string]any{"iss": minttest.TestIss}))}, refused},
		{"for another origin", []string{line(token(map[string]any{"azp": "https://evil.example"}))}, refused},
		{"expired", []string{line(token(map[string]any{"exp": now.Unix() - 30}))}, refused},
		{"only the application's cookie", []string{"theme=evil; Path=/"}, refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, withAPI(t, &backendAPI{cookies: tt.cookies}))
			d := g.Decide(context.Background(), api("GET", "/x", "Cookie", staleCookies(nil)))
			if d.Reason != tt.reason || (d.Action == authproxy.Allow) != (tt.reason == "") {
				t.Fatalf("%+v", d)
			}
			want := []string(nil)
			if tt.reason == "" {
				want = tt.cookies[:1]
			}
			if !slices.Equal(d.SetCookies, want) {
				t.Errorf("sets %q", d.SetCookies)
			}
		})
	}
}

// TestThreatRefreshForOthers: what another site made the browser send renews
// nothing: it would be the way to use a session that nobody is using.
func TestThreatRefreshForOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		request *authproxy.Request
		asks    bool
	}{
		{"form of a page of ours", api("POST", "/x", "Sec-Fetch-Site", "same-origin", "Origin", "https://app.example.com"), true},
		{"an older browser", api("POST", "/x", "Origin", "https://app.example.com"), true},
		{"a call of ours", api("GET", "/x", "Sec-Fetch-Site", "same-origin"), true},
		{"another site", api("POST", "/x", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"), false},
		{"a sibling", api("POST", "/x", "Sec-Fetch-Site", "same-site", "Origin", "https://www.example.com"), false},
		{"a party, whose page has Clerk's JavaScript", api("POST", "/x", "Origin", "https://spa.example.com"), false},
		{"nobody says", api("POST", "/x"), false},
		{"two say", api("POST", "/x", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"), false},
		{"an upgrade of another site", with(api("GET", "/x", "Origin", "https://evil.example"), func(r *authproxy.Request) { r.Upgrade = true }), false},
		{"a public path", api("GET", "/static/x", "Sec-Fetch-Site", "same-origin"), false},
	} {
		a := &backendAPI{cookies: []string{line(token(nil))}}
		g := newGate(t, withAPI(t, a))
		tt.request.Header.Set("Cookie", staleCookies(nil))
		if d := g.Decide(context.Background(), tt.request); (a.calls.Load() == 1) != tt.asks || d.SignedIn() != tt.asks {
			t.Errorf("%s: %d calls, %+v", tt.name, a.calls.Load(), d)
		}
	}
}

// TestThreatPayload: what a handshake brings counts on a page load only, in
// production from cookies only, and not for another origin.
func TestThreatPayload(t *testing.T) {
	t.Parallel()
	payload := func(lines ...string) string {
		return minttest.Good().Sign(map[string]any{"handshake": lines, "iat": now.Unix()}, nil)
	}
	good := "__clerk_handshake=" + payload(line(token(nil)))
	foreign := "__clerk_handshake=" + payload(line(token(map[string]any{"azp": "https://evil.example"})))
	for _, tt := range []struct {
		name    string
		request *authproxy.Request
		taken   bool
	}{
		{"page load", page("/x", "Cookie", good), true},
		{"in the address", page("/x?" + good), false},
		{"a call", api("GET", "/x", "Cookie", good), false},
		{"a form", with(page("/x", "Cookie", good), func(r *authproxy.Request) { r.Method = "POST" }), false},
		{"a prefetch", page("/x", "Cookie", good, "Sec-Purpose", "prefetch"), false},
		{"a public path", page("/static/x", "Cookie", good), false},
		{"a session for another origin", page("/x", "Cookie", foreign), false},
	} {
		d := newGate(t, nil).Decide(context.Background(), tt.request)
		if d.SignedIn() != tt.taken || (len(d.SetCookies) > 0) != tt.taken {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}

// TestMorePayloads: another application of the domain has left a payload of its own
// under the same name, which comes first. Ours counts all the same.
func TestMorePayloads(t *testing.T) {
	t.Parallel()
	lines := []string{line(token(nil))}
	ours := minttest.Good().Sign(map[string]any{"handshake": lines, "iat": now.Unix()}, nil)
	theirs := minttest.Evil().Sign(map[string]any{"handshake": lines, "iat": now.Unix()}, nil)
	for _, tt := range []struct {
		name, cookie string
		asked        int32
	}{
		{"a nonce of theirs, a token of ours", "__clerk_handshake_nonce=n2; __clerk_handshake=" + ours, 1},
		{"two nonces", "__clerk_handshake_nonce=n2; __clerk_handshake_nonce=n1", 2},
		{"two tokens", "__clerk_handshake=" + theirs + "; __clerk_handshake=" + ours, 0},
		{"ours before theirs", "__clerk_handshake_nonce=n1; __clerk_handshake_nonce=n2; __clerk_handshake=" + theirs, 1},
	} {
		a := &backendAPI{nonces: map[string][]string{"n1": lines}}
		d := newGate(t, withAPI(t, a)).Decide(context.Background(), page("/x", "Cookie", tt.cookie))
		if !d.SignedIn() || a.calls.Load() != tt.asked {
			t.Errorf("%s: %d calls, %+v", tt.name, a.calls.Load(), d)
		}
	}
	var many []string
	for n := range 20 {
		many = append(many, fmt.Sprintf("__clerk_handshake_nonce=m%d", n))
	}
	a := &backendAPI{nonces: map[string][]string{}}
	if d := newGate(t, withAPI(t, a)).Decide(context.Background(), page("/x", "Cookie", strings.Join(many, "; "))); d.SignedIn() || a.calls.Load() != 3 {
		t.Errorf("%d look-ups for one request: %+v", a.calls.Load(), d)
	}
	d := newGate(t, nil).Decide(context.Background(), page("/x", "Cookie", "__clerk_handshake_nonce=n2; __clerk_handshake="+ours))
	if !d.SignedIn() {
		t.Errorf("without a secret key: %+v", d)
	}
}

// TestCountGoes: the count leaves the address when the browser keeps cookies, and
// the cookie remembers it, so that nothing is asked for twice; it goes with the end
// of a page load.
func TestCountGoes(t *testing.T) {
	t.Parallel()
	const counted = "; __clerk_redirect_count=0"
	payload := "__clerk_handshake=" + minttest.Good().Sign(map[string]any{"handshake": []string{line(token(nil))}, "iat": now.Unix()}, nil)
	for _, tt := range []struct {
		name     string
		request  *authproxy.Request
		action   authproxy.Action
		location string
		counter  string // the last Set-Cookie line begins so
	}{
		{"with a payload", page("/x?a=%20&__clerk_redirect_count=1", "Cookie", payload+counted), authproxy.Handshake, "https://app.example.com/x?a=%20", "__clerk_redirect_count=1; Path=/; Max-Age=120;"},
		{"with a token", page("/x?__clerk_redirect_count=2", "Cookie", cookies(token(nil))+counted), authproxy.Handshake, "https://app.example.com/x", "__clerk_redirect_count=2; Path=/; Max-Age=120;"},
		{"with nothing", page("/x?__clerk_redirect_count=1", "Cookie", "a=b"+counted), authproxy.Handshake, "https://app.example.com/x", "__clerk_redirect_count=1; Path=/; Max-Age=120;"},
		{"without the cookie", page("/x?__clerk_redirect_count=1", "Cookie", cookies(token(nil))), authproxy.Allow, "", ""},
		{"at the end", page("/x", "Cookie", cookies(token(nil))+counted), authproxy.Allow, "", "__clerk_redirect_count=; Path=/; Max-Age=0;"},
		{"on a public path", page("/static/x?__clerk_redirect_count=1", "Cookie", cookies(token(nil))+counted), authproxy.Allow, "", ""},
		{"on the page to sign out", page("/_authproxy/sign-out?__clerk_redirect_count=1", "Cookie", cookies(token(nil))+counted), authproxy.Allow, "", ""},
	} {
		g := newGate(t, func(c *gate.Config, _ *session.Config) { c.Reserved["/_authproxy/sign-out"] = gate.Known })
		d := g.Decide(context.Background(), tt.request)
		last := ""
		if n := len(d.SetCookies); n > 0 {
			last = d.SetCookies[n-1]
		}
		if d.Action != tt.action || d.Location != tt.location || !strings.HasPrefix(last, tt.counter) || tt.counter == "" && last != "" {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}

// TestThreatSatelliteReply: the primary domain of a development instance answers a
// satellite at known origins only: the answer holds the browser's token.
func TestThreatSatelliteReply(t *testing.T) {
	t.Parallel()
	g := newGate(t, func(c *gate.Config, s *session.Config) {
		i, err := authproxy.ParseInstance(minttest.TestKey)
		if err != nil {
			t.Fatal(err)
		}
		s.Instance, s.Issuers = &i, []string{minttest.TestIss}
	})
	for _, tt := range []struct {
		to    string
		known bool
	}{
		{"https://spa.example.com/x", true},
		{"https://app.example.com/", true},
		{"https://SPA.example.com:443/x", true},
		{"https://evil.example/", false},
		{"https://spa.example.com.evil.example/", false},
		{"https://spa.example.com@evil.example/", false},
		{"https://x@spa.example.com/", false},
		{"http://spa.example.com/", false},
		{"https://spa.example.com:8443/", false},
		{"//spa.example.com/", false},
		{"/x", false},
		{"javascript://spa.example.com/%0aalert(1)", false},
		{"", false},
	} {
		d := g.Decide(context.Background(), page("/?__clerk_redirect_url="+url.QueryEscape(tt.to), "Cookie", "__clerk_db_jwt=dvb_secret"))
		answered := d.Action == authproxy.Handshake && d.Reason == authproxy.PrimaryRespondsToSyncing
		if answered != tt.known || answered && !strings.Contains(d.Location, "__clerk_db_jwt=dvb_secret") || strings.Contains(d.Location, "evil") {
			t.Errorf("%s: %+v", tt.to, d)
		}
	}
}

// TestThreatHandshakeAddress (HS-10): no session token is in an address in
// production, not even in one of Clerk's.
func TestThreatHandshakeAddress(t *testing.T) {
	t.Parallel()
	for _, request := range []*authproxy.Request{
		page("/x", "Cookie", staleCookies(nil)),
		page("/x", "Cookie", "__session="+token(nil)),
		page("/x", "Cookie", cookies(token(nil)), "Referer", "https://news.example/"),
	} {
		if d := newGate(t, nil).Decide(context.Background(), request); d.Action != authproxy.Handshake || strings.Contains(d.Location, "eyJ") {
			t.Errorf("%+v", d)
		}
	}
}

// TestExplanation: the fourth handshake is a page that says why, whoever counts.
func TestExplanation(t *testing.T) {
	t.Parallel()
	for _, request := range []*authproxy.Request{
		page("/x?__clerk_redirect_count=3", "Cookie", "__client_uat=1795371100"),
		page("/x", "Cookie", "__client_uat=1795371100; __clerk_redirect_count=3"),
		page("/x?__clerk_redirect_count=1", "Cookie", "__client_uat=1795371100; __clerk_redirect_count=7"),
	} {
		d := newGate(t, nil).Decide(context.Background(), request)
		if d.Action != authproxy.Deny || d.Reason != authproxy.ClientUATButNoSessionToken || !d.Stopped() || !strings.Contains(d.Detail, "browser") {
			t.Errorf("%+v", d)
		}
		optional := newGate(t, func(c *gate.Config, _ *session.Config) { c.Optional = true })
		if d := optional.Decide(context.Background(), request); d.Action != authproxy.Allow || d.SignedIn() || !d.Stopped() {
			t.Errorf("optional: %+v", d)
		}
	}
}

// TestOrganizationOnce: the page's organisation is made active, and not tried again
// when that did not help.
func TestOrganizationOnce(t *testing.T) {
	t.Parallel()
	patterns, err := route.ParsePatterns([]string{"/orgs/:slug/(.*)"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(t, func(c *gate.Config, _ *session.Config) { c.Renewal.Organizations = patterns })
	d := g.Decide(context.Background(), page("/orgs/acme/x", "Cookie", cookies(token(nil))))
	if d.Action != authproxy.Handshake || d.Reason != authproxy.OrganizationMismatch || !strings.HasSuffix(d.Location, "&organization_id=acme") {
		t.Errorf("%+v", d)
	}
	for _, tried := range []*authproxy.Request{
		page("/orgs/acme/x", "Cookie", cookies(token(nil))+"; __clerk_redirect_count=1"),
		page("/orgs/acme/x?__clerk_redirect_count=1", "Cookie", cookies(token(nil))),
		page("/orgs/acme/x?__clerk_redirect_count=1", "Cookie", cookies(token(nil))+"; __clerk_redirect_count=0"),
	} {
		if d := g.Decide(context.Background(), tried); d.Action != authproxy.Allow || !d.SignedIn() {
			t.Errorf("%+v", d)
		}
	}
	mine := token(map[string]any{"o": map[string]any{"id": "org_1", "slg": "acme", "rol": "admin"}})
	if d := g.Decide(context.Background(), page("/orgs/acme/x", "Cookie", cookies(mine))); d.Action != authproxy.Allow {
		t.Errorf("the session's own: %+v", d)
	}
}

// TestDevelopmentForgivesTime: on the way back from a handshake a development
// instance's session may be of another time, because the answer is a redirect; a
// token of that time is not accepted.
func TestDevelopmentForgivesTime(t *testing.T) {
	t.Parallel()
	for _, production := range []bool{false, true} {
		g := newGate(t, func(c *gate.Config, s *session.Config) {
			if !production {
				i, err := authproxy.ParseInstance(minttest.TestKey)
				if err != nil {
					t.Fatal(err)
				}
				s.Instance, s.Issuers = &i, []string{minttest.TestIss}
			}
		})
		issuer := map[bool]string{true: minttest.LiveIss, false: minttest.TestIss}[production]
		late := minttest.Good().Sign(minttest.Session(issuer, now.Add(-time.Hour), nil), nil)
		payload := minttest.Good().Sign(map[string]any{"handshake": []string{line(late)}}, nil)
		r := page("/x?__clerk_handshake="+payload, "Cookie", "__clerk_db_jwt=dvb_1")
		if production {
			r = page("/x", "Cookie", "__clerk_handshake="+payload)
		}
		if d := g.Decide(context.Background(), r); (d.Action == authproxy.Handshake && len(d.SetCookies) > 0) == production || d.SignedIn() {
			t.Errorf("production %v: %+v", production, d)
		}
	}
}

// TestFrontendIsOnItsOwnOrigin: only the paths of the Frontend API pass as they are,
// on its own origin, scheme and all; a whole host never does.
func TestFrontendIsOnItsOwnOrigin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		proxy, path string
		passes      bool
	}{
		{"/__clerk", "/__clerk/v1/client", true},
		{"https://app.example.com/__clerk", "/__clerk/v1/client", true},
		{"https://app.example.com:443/__clerk", "/__clerk/v1/client", true},
		{"http://app.example.com/__clerk", "/__clerk/v1/client", false},
		{"https://clerk.example.com/__clerk", "/__clerk/v1/client", false},
		{"https://app.example.com", "/admin", false},
		{"/__clerk", "/admin", false},
		{"/__clerk", "/__clerk/%2e%2e/admin", false},
	} {
		proxy, err := url.Parse(tt.proxy)
		if err != nil {
			t.Fatal(err)
		}
		g := newGate(t, func(c *gate.Config, _ *session.Config) { c.Renewal.ProxyURL = proxy })
		if d := g.Decide(context.Background(), api("GET", tt.path)); d.KeepCredentials != tt.passes || (d.Action == authproxy.Allow) != tt.passes {
			t.Errorf("%s %s: %+v", tt.proxy, tt.path, d)
		}
	}
}
