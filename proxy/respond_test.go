package proxy_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/proxy"
)

// asked is the request of a browser for a page, or of a program.
func asked(method, target string, page bool) *http.Request {
	r := httptest.NewRequest(method, "http://app.example.com/", nil)
	r.RequestURI = target
	if page {
		r.Header.Set("Sec-Fetch-Dest", "document")
	}
	return r
}

// respond is what Respond answers, without a listener.
func respond(t *testing.T, r *http.Request, d authproxy.Decision, edit func(*proxy.Config)) *http.Response {
	t.Helper()
	owner, err := headers.NewOwner(headers.OwnerConfig{})
	check(t, err)
	cfg := proxy.Config{Decider: decide(allow), Owner: owner, SignInPath: "/_authproxy/sign-in", SignOutPath: "/_authproxy/sign-out"}
	if edit != nil {
		edit(&cfg)
	}
	h, err := proxy.New(cfg)
	check(t, err)
	w := httptest.NewRecorder()
	h.Respond(w, r, d)
	return w.Result()
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	check(t, err)
	return string(body)
}

func TestRespond(t *testing.T) {
	t.Parallel()
	deny := func(reason authproxy.Reason, more ...func(*authproxy.Decision)) authproxy.Decision {
		d := authproxy.Decision{Action: authproxy.Deny, Reason: reason}
		for _, f := range more {
			f(&d)
		}
		return d
	}
	bearer := func(d *authproxy.Decision) { d.Source = authproxy.SourceBearer }
	person := func(d *authproxy.Decision) { d.Identity = &authproxy.Identity{UserID: "user_1"} }
	cases := []struct {
		name string
		d    authproxy.Decision
		want map[string]string // "" is absent
	}{
		{"nothing presented", deny(authproxy.SessionTokenAndUATMissing), map[string]string{
			"status": "401", "Www-Authenticate": "Bearer", "X-Clerk-Auth-Status": "signed-out", "X-Clerk-Auth-Reason": "session-token-and-uat-missing",
			"X-Authproxy-Response": "true", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Type": "application/problem+json", "Access-Control-Allow-Origin": "", "Vary": "", "Retry-After": "", "Location": "",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		}},
		{"an expired token", deny(authproxy.TokenExpired, bearer), map[string]string{
			"status": "401", "Www-Authenticate": `Bearer error="invalid_token", error_description="The session token has run out."`,
		}},
		{"pending", deny(authproxy.SessionPending, bearer, person), map[string]string{"status": "401", "X-Clerk-Auth-Status": "signed-out"}},
		{"a claim is missing", deny(authproxy.ClaimMissing, bearer, person), map[string]string{"status": "403", "X-Clerk-Auth-Status": "signed-in", "Www-Authenticate": ""}},
		{"no keys", deny(authproxy.KeysUnavailable, func(d *authproxy.Decision) { d.RetryAfter = 1500 * time.Millisecond }), map[string]string{"status": "503", "Retry-After": "2"}},
		{"trace", deny(authproxy.MethodNotAllowed), map[string]string{"status": "405", "Allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}},
		{"another host", deny(authproxy.HostNotAllowed), map[string]string{"status": "421"}},
		{"a trusted origin", deny(authproxy.CrossOrigin, func(d *authproxy.Decision) { d.TrustedOrigin = "https://spa.example.com" }), map[string]string{
			"status": "403", "Access-Control-Allow-Origin": "https://spa.example.com", "Access-Control-Allow-Credentials": "true", "Vary": "Origin",
			"Access-Control-Expose-Headers": "X-Clerk-Auth-Reason, X-Clerk-Auth-Status, X-Request-Id, WWW-Authenticate",
		}},
		{"a redirect", authproxy.Decision{Action: authproxy.Redirect, Reason: authproxy.SessionTokenMissing, Location: "https://accounts.example.com/sign-in?redirect_url=x", TrustedOrigin: "https://spa.example.com"}, map[string]string{
			"status": "302", "Location": "https://accounts.example.com/sign-in?redirect_url=x", "X-Clerk-Auth-Status": "signed-out", "X-Clerk-Auth-Reason": "session-token-missing",
			"Cache-Control": "no-store", "X-Authproxy-Response": "true", "Access-Control-Allow-Origin": "",
		}},
		{"a redirect without reason", authproxy.Decision{Action: authproxy.Redirect, Location: "/x"}, map[string]string{"status": "302", "X-Clerk-Auth-Status": ""}},
		{"RD-06: a redirect that is two headers", authproxy.Decision{Action: authproxy.Redirect, Location: "/x\r\nSet-Cookie: a=b"}, map[string]string{"status": "500", "Location": ""}},
		{"a redirect to nowhere", authproxy.Decision{Action: authproxy.Redirect}, map[string]string{"status": "500", "Location": ""}},
		{"a handshake", authproxy.Decision{Action: authproxy.Handshake, Reason: authproxy.SessionTokenNBF, Location: "https://clerk.example.com/v1/client/handshake?a=b", Identity: &authproxy.Identity{}}, map[string]string{
			"status": "307", "Location": "https://clerk.example.com/v1/client/handshake?a=b", "X-Clerk-Auth-Status": "handshake", "X-Clerk-Auth-Reason": "session-token-nbf",
			"Cache-Control": "no-store", "X-Authproxy-Response": "true", "Referrer-Policy": "no-referrer", "Content-Length": "0", "Www-Authenticate": "", "Vary": "",
		}},
		{"a handshake without reason", authproxy.Decision{Action: authproxy.Handshake, Location: "/x"}, map[string]string{"status": "307", "X-Clerk-Auth-Status": "handshake", "X-Clerk-Auth-Reason": ""}},
		{"RD-06: a handshake that is two headers", authproxy.Decision{Action: authproxy.Handshake, Reason: authproxy.InternalError, Location: "/x\nSet-Cookie: a=b"}, map[string]string{"status": "500", "Location": "", "X-Clerk-Auth-Status": "signed-out"}},
		{"a handshake to nowhere", authproxy.Decision{Action: authproxy.Handshake, Reason: authproxy.DevBrowserMissing}, map[string]string{"status": "500", "Location": "", "X-Clerk-Auth-Status": "signed-out", "X-Clerk-Auth-Reason": "internal-error"}},
		{"after failed handshakes", deny(authproxy.SessionTokenNBF), map[string]string{"status": "401", "X-Clerk-Auth-Status": "signed-out"}},
		{"an action that is none", authproxy.Decision{Action: 99, Reason: authproxy.NotFound, Location: "/x"}, map[string]string{"status": "500", "Location": ""}},
		{"a renewal for a trusted origin", deny(authproxy.CrossOrigin, func(d *authproxy.Decision) { d.TrustedOrigin, d.SetCookies = "https://spa.example.com", ours }), map[string]string{
			"status": "403", "Set-Cookie": ours[0], "Cache-Control": "no-store",
		}},
		{"an allow", authproxy.Decision{Action: authproxy.Allow, Reason: authproxy.SessionTokenMissing}, map[string]string{"status": "500"}},
		{"a strange reason", deny("strange"), map[string]string{"status": "500", "X-Clerk-Auth-Reason": "internal-error"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res := respond(t, asked("GET", "/", false), c.d, nil)
			if !headers.ValidRequestID(res.Header.Get("X-Request-Id")) {
				t.Error("there is no request id")
			}
			for name, want := range c.want {
				got := res.Header.Get(name)
				if name == "status" {
					got = res.Status[:3]
				}
				equal(t, name, got, want)
			}
		})
	}
}

func TestProblemDocument(t *testing.T) {
	t.Parallel()
	d := authproxy.Decision{Action: authproxy.Deny, Reason: authproxy.TokenInvalidParties, Detail: `azp is "https://a", expected "https://b"`}
	res := respond(t, asked("POST", "/", false), d, nil)
	var got map[string]any
	check(t, json.Unmarshal([]byte(text(t, res)), &got))
	want := map[string]any{
		"type": "urn:authproxy:reason:token-invalid-authorized-parties", "title": "The session token was made for another origin.", "status": 401.0,
		"detail": d.Detail, "reason": "token-invalid-authorized-parties", "request_id": res.Header.Get("X-Request-Id"),
	}
	equal(t, "members", len(got), len(want))
	for name, value := range want {
		equal(t, name, got[name], value)
	}
	d.Detail = ""
	if body := text(t, respond(t, asked("POST", "/", false), d, nil)); !strings.Contains(body, `"detail":"If that origin`) {
		t.Errorf("without a detail there is no advice: %s", body)
	}
}

func TestHeadHasNoBody(t *testing.T) {
	t.Parallel()
	for _, page := range []bool{false, true} {
		if body := text(t, respond(t, asked("HEAD", "/", page), authproxy.Decision{Reason: authproxy.NotFound}, nil)); body != "" {
			t.Errorf("page %v: %q", page, body)
		}
	}
}

// TestThreatWEB07: the page is one document that loads nothing, cannot be framed
// and allows exactly the style it has.
func TestThreatWEB07(t *testing.T) {
	t.Parallel()
	res := respond(t, asked("GET", "/", true), authproxy.Decision{Reason: authproxy.ClaimMissing, Detail: "organizationId is missing"}, nil)
	body, csp := text(t, res), res.Header.Get("Content-Security-Policy")
	equal(t, "type", res.Header.Get("Content-Type"), "text/html; charset=utf-8")
	_, rest, _ := strings.Cut(body, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy lacks %s: %s", want, csp)
		}
	}
	for _, want := range []string{
		"<h1>Your account lacks something this application needs.</h1>", "Ask the people who run this application", "organizationId is missing",
		"<dd>claim-missing</dd>", "<dd>" + res.Header.Get("X-Request-Id") + "</dd>", "prefers-color-scheme: dark", `lang="en"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, never := range []string{"http://", "https://", "src=", "url(", "<script", "style=", "onclick", "@import", "Sign in"} {
		if strings.Contains(body, never) {
			t.Errorf("the page has %s", never)
		}
	}
	if len(style) < 100 || strings.Contains(style, "ZgotmplZ") {
		t.Errorf("the style is %q", style)
	}
}

// TestThreatWEB08: nothing of the request is markup.
func TestThreatWEB08(t *testing.T) {
	t.Parallel()
	evil := `"><script>alert(1)</script><a href='javascript:x`
	res := respond(t, asked("GET", "/"+evil+"?"+evil, true), authproxy.Decision{Reason: authproxy.TokenInvalid, Source: authproxy.SourceCookie, Detail: evil}, nil)
	body := text(t, res)
	if strings.Contains(body, "<script>") || strings.Contains(body, evil) {
		t.Error(body)
	}
	if !strings.Contains(body, "&lt;script&gt;") {
		t.Error("the detail is not there")
	}
	program := text(t, respond(t, asked("GET", "/", false), authproxy.Decision{Reason: authproxy.TokenInvalid, Detail: evil}, nil))
	if strings.Contains(program, "<script>") {
		t.Error(program)
	}
}

func TestSignInLinks(t *testing.T) {
	t.Parallel()
	d := authproxy.Decision{Reason: authproxy.TokenExpired, Source: authproxy.SourceCookie}
	iframe := asked("POST", "/form", true)
	for _, c := range []struct {
		r    *http.Request
		link string
	}{
		{asked("GET", "/a/b?c=d&e", true), `href="/_authproxy/sign-in?redirect_url=%2Fa%2Fb%3Fc%3Dd%26e"`},
		{asked("GET", "//evil", true), `href="/_authproxy/sign-in"`},
		{asked("GET", `/\evil`, true), `href="/_authproxy/sign-in"`},
		{asked("GET", "https://evil/", true), `href="/_authproxy/sign-in"`},
		{asked("GET", "/"+strings.Repeat("x", 3000), true), `href="/_authproxy/sign-in"`},
		{iframe, `href="/_authproxy/sign-in"`},
	} {
		body := text(t, respond(t, c.r, d, nil))
		if !strings.Contains(body, c.link) || !strings.Contains(body, `href="/_authproxy/sign-out"`) {
			t.Errorf("%.40s: %s", c.r.RequestURI, body)
		}
	}
	none := text(t, respond(t, asked("GET", "/", true), d, func(cfg *proxy.Config) { cfg.SignInPath, cfg.SignOutPath = "", "" }))
	if strings.Contains(none, "Sign ") || strings.Contains(none, "/_authproxy/") {
		t.Error("there is a link although none is configured")
	}
}

// TestRetryLink: a page whose advice is to reload has a link that does, without
// the parameters that would make it the same failure again.
func TestRetryLink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r      *http.Request
		reason authproxy.Reason
		link   string // "" for none
	}{
		{asked("GET", "/a%2Fb?c=d&__clerk_handshake=x.y.z&e&__clerk_handshake_nonce=n&__session=t", true), authproxy.SessionExpiredNonGET, `<a href="/a%2Fb?c=d&amp;e">Try again</a>`},
		{asked("GET", "/?__clerk_db_jwt=secret", true), authproxy.SessionTokenIATBeforeUAT, `<a href="/">Try again</a>`},
		{asked("GET", "/a", true), authproxy.SatelliteNeedsSyncing, `<a href="/a">Try again</a>`},
		{asked("GET", "/a", true), authproxy.TokenInvalidSignature, ""},
		{asked("GET", "/a", true), authproxy.SessionTokenMissing, ""},
		{asked("GET", "/a", true), authproxy.KeysUnavailable, ""},
		{asked("POST", "/a", true), authproxy.TokenExpired, ""},
		{asked("HEAD", "/a", true), authproxy.TokenExpired, ""},
		{asked("GET", "/"+strings.Repeat("x", 3000), true), authproxy.TokenExpired, ""},
		{asked("GET", "//evil/x", true), authproxy.TokenExpired, ""},
		{asked("GET", `/\evil`, true), authproxy.TokenExpired, ""},
		{asked("GET", "https://evil/", true), authproxy.TokenExpired, ""},
		{asked("GET", "javascript:alert(1)", true), authproxy.TokenExpired, ""},
		{asked("GET", `/"><script>`, true), authproxy.TokenExpired, `<a href="/%22%3e%3cscript%3e">Try again</a>`},
	} {
		none := func(cfg *proxy.Config) { cfg.SignInPath, cfg.SignOutPath = "", "" }
		body := text(t, respond(t, c.r, authproxy.Decision{Reason: c.reason, Source: authproxy.SourceCookie}, none))
		if c.link == "" && strings.Contains(body, "<a ") || !strings.Contains(body, c.link) || strings.Contains(body, "secret") {
			t.Errorf("%.60s: %s", c.r.RequestURI, body)
		}
	}
	program := text(t, respond(t, asked("GET", "/a", false), authproxy.Decision{Reason: authproxy.TokenExpired}, nil))
	if strings.Contains(strings.ToLower(program), "retry") {
		t.Error(program)
	}
}

// TestAdviceForForms: what was typed is still in the page one goes back to.
func TestAdviceForForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method string
		reason authproxy.Reason
		again  bool
	}{
		{"POST", authproxy.SessionExpiredNoClient, true}, {"GET", authproxy.SessionExpiredNoClient, false}, {"POST", authproxy.TokenInvalid, false},
	} {
		body := text(t, respond(t, asked(tt.method, "/a", true), authproxy.Decision{Reason: tt.reason, Source: authproxy.SourceCookie}, nil))
		if strings.Contains(body, "send the form again") != tt.again {
			t.Errorf("%s %s: %s", tt.method, tt.reason, body)
		}
	}
}

func TestOwnPage(t *testing.T) {
	t.Parallel()
	res := respond(t, asked("GET", "/", true), authproxy.Decision{Reason: authproxy.NotFound}, func(cfg *proxy.Config) {
		cfg.Page = func(w http.ResponseWriter, _ *http.Request, p proxy.Problem) {
			w.WriteHeader(p.Status)
			_, _ = w.Write([]byte(p.Reason))
		}
	})
	equal(t, "status", res.StatusCode, 404)
	equal(t, "body", text(t, res), "not-found")
	equal(t, "Cache-Control", res.Header.Get("Cache-Control"), "no-store")
}
