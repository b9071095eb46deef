package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/minttest"
)

// backendAPI stands in for Clerk's Backend API where it has to be slow or broken.
type backendAPI struct {
	*httptest.Server
	calls atomic.Int32
}

func newBackendAPI(t *testing.T, answer http.HandlerFunc) *backendAPI {
	t.Helper()
	b := &backendAPI{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

func cookiesOf(tokens ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var lines []string
		for _, token := range tokens {
			lines = append(lines, `"__session=`+token+`; Path=/; Secure; SameSite=Lax"`)
		}
		fmt.Fprintf(w, `{"object":"cookies","cookies":[%s]}`, strings.Join(lines, ","))
	}
}

func clerkAnswers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// sessionOf is a token of the live instance that ends in life, or has ended.
func sessionOf(life time.Duration, over map[string]any) string {
	at := time.Now().Add(life - time.Minute)
	return minttest.Good().Sign(minttest.Session(minttest.LiveIss, at, over), nil)
}

func renewing(t *testing.T, apiURL string, more ...string) (*app.App, chan seen) {
	t.Helper()
	upstream, got := recorder(t)
	return newApp(t, append([]string{
		"CLERK_PUBLISHABLE_KEY=" + minttest.LiveKey, "CLERK_JWT_KEY=" + minttest.Good().PEM,
		"CLERK_SECRET_KEY=sk_live_renewal", "CLERK_API_URL=" + apiURL,
		"AUTHPROXY_PUBLIC_URL=" + minttest.App, "AUTHPROXY_UPSTREAM=" + upstream.URL,
	}, more...), app.Options{}), got
}

// stale is a request of a browser whose session token has run out.
func stale(method, token string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "/orders", nil)
	r.Host = "app.example.com"
	r.Header.Set("Cookie", "theme=dark; __session="+token+"; __client_uat=1; __refresh_"+minttest.LiveSuff+"=r1")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func answered(a *app.App, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	a.Data().ServeHTTP(w, r)
	return w.Result()
}

// TestOneRefresh: a page wakes up and sends everything at once with a dead token;
// Clerk, which lets it be used once, is asked once, and everything is answered.
func TestOneRefresh(t *testing.T) {
	t.Parallel()
	fresh, dead := sessionOf(time.Minute, nil), sessionOf(-time.Minute, nil)
	api := newBackendAPI(t, cookiesOf(fresh))
	a, got := renewing(t, api.URL, "AUTHPROXY_PASS_CLERK_COOKIES=true")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			res := answered(a, stale(http.MethodGet, dead))
			if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Set-Cookie"), "__session="+fresh+";") {
				t.Errorf("%s, sets %q", res.Status, res.Header.Get("Set-Cookie"))
			}
			if res.Header.Get("Cache-Control") != "private, no-store" || res.Header.Get("Vary") != "Cookie" {
				t.Errorf("may be kept: %q, varies on %q", res.Header.Get("Cache-Control"), res.Header.Get("Vary"))
			}
		})
	}
	all.Wait()
	if n := api.calls.Load(); n != 1 {
		t.Errorf("%d refreshes for one token", n)
	}
	for range 50 {
		h := (<-got).header
		if h.Get("X-Auth-Session-Id") != "sess_2oracle" || h.Get("Cookie") != "theme=dark; __client_uat=1; __session="+fresh {
			t.Fatalf("the upstream is told %v", h)
		}
	}
}

// TestRefreshOfOtherMethods: a form is as good as a page load, unless another site
// made the browser send it.
func TestRefreshOfOtherMethods(t *testing.T) {
	t.Parallel()
	dead := sessionOf(-time.Minute, nil)
	for _, tt := range []struct {
		name   string
		method string
		header []string
		reason string // "" passes
	}{
		{"form of a page of ours", "POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", minttest.App}, ""},
		{"an older browser's", "POST", []string{"Origin", minttest.App}, ""},
		{"HEAD", "HEAD", nil, ""},
		{"OPTIONS, not a preflight", "OPTIONS", nil, ""},
		{"PUT", "PUT", []string{"Sec-Fetch-Site", "same-origin"}, ""},
		{"PATCH", "PATCH", []string{"Sec-Fetch-Site", "same-origin"}, ""},
		{"DELETE", "DELETE", []string{"Sec-Fetch-Site", "same-origin"}, ""},
		{"a form of another site", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, "session-token-expired-refresh-non-eligible-non-get"},
		{"of a sibling", "PUT", []string{"Sec-Fetch-Site", "same-site"}, "session-token-expired-refresh-non-eligible-non-get"},
		{"of nobody knows whom", "POST", nil, "session-token-expired-refresh-non-eligible-non-get"},
	} {
		api := newBackendAPI(t, cookiesOf(sessionOf(time.Minute, nil)))
		a, got := renewing(t, api.URL)
		r := stale(tt.method, dead, tt.header...)
		r.Body = io.NopCloser(strings.NewReader("typed=a+lot"))
		res := answered(a, r)
		if reason := res.Header.Get("X-Clerk-Auth-Reason"); reason != tt.reason || (res.StatusCode == http.StatusOK) != (tt.reason == "") {
			t.Errorf("%s: %s %s", tt.name, res.Status, reason)
		}
		if passed := len(got) > 0; passed != (tt.reason == "") || passed != (api.calls.Load() == 1) {
			t.Errorf("%s: at the upstream %v, %d refreshes", tt.name, passed, api.calls.Load())
		}
	}
}

// TestBrokenClerk: whatever is wrong with Clerk's Backend API, nothing hangs, the
// reason is right, a page load takes the way through the browser, and who has a
// live token notices nothing.
func TestBrokenClerk(t *testing.T) {
	t.Parallel()
	const prefix = "session-token-expired-refresh-"
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc // nil: nobody is there
		reason string
	}{
		{"down", nil, "fetch-error"},
		{"hanging", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that nobody waits any more
			<-r.Context().Done()
		}, "fetch-error"},
		{"500", clerkAnswers(500, `{"errors":[]}`), "unexpected-bapi-error"},
		{"429", clerkAnswers(429, `{"errors":[{"code":"too_many_requests","message":"m"}]}`), "too_many_requests"},
		{"garbage", clerkAnswers(200, `{"object":`), "unexpected-bapi-error"},
		{"a page", clerkAnswers(502, `<html>Bad Gateway`), "unexpected-bapi-error"},
		{"no cookies", cookiesOf(), "unexpected-sdk-error"},
		{"a code nobody knows", clerkAnswers(401, `{"errors":[{"code":"something_new","message":"m"}]}`), "unexpected-bapi-error"},
		{"consumed", clerkAnswers(401, `{"errors":[{"code":"session_refresh_expired_session_token_consumed","message":"m"}]}`), "session_refresh_expired_session_token_consumed"},
		{"a dead token", cookiesOf(sessionOf(-time.Hour, nil)), "invalid-session-token"},
		{"a forged token", cookiesOf(minttest.Evil().Sign(minttest.Session(minttest.LiveIss, time.Now(), nil), nil)), "invalid-session-token"},
		{"somebody else's session", cookiesOf(sessionOf(time.Minute, map[string]any{"sid": "sess_other"})), "invalid-session-token"},
		{"somebody else", cookiesOf(sessionOf(time.Minute, map[string]any{"sub": "user_other"})), "invalid-session-token"},
		{"for another origin", cookiesOf(sessionOf(time.Minute, map[string]any{"azp": "https://evil.example"})), "invalid-session-token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := "http://127.0.0.1:1"
			if tt.answer != nil {
				address = newBackendAPI(t, tt.answer).URL
			}
			a, got := renewing(t, address)
			dead := sessionOf(-time.Minute, nil)
			pending := make(chan *http.Response, 1)
			go func() { pending <- answered(a, stale(http.MethodGet, dead)) }()
			if res := answered(a, stale(http.MethodGet, sessionOf(time.Minute, nil))); res.StatusCode != http.StatusOK {
				t.Errorf("a live token: %s %s", res.Status, res.Header.Get("X-Clerk-Auth-Reason"))
			}
			if res := <-pending; res.StatusCode != http.StatusUnauthorized || res.Header.Get("X-Clerk-Auth-Reason") != prefix+tt.reason {
				t.Errorf("a call: %s %s", res.Status, res.Header.Get("X-Clerk-Auth-Reason"))
			}
			page := answered(a, stale(http.MethodGet, dead, "Sec-Fetch-Dest", "document"))
			if page.StatusCode != http.StatusTemporaryRedirect || !strings.HasPrefix(page.Header.Get("Location"), "https://clerk.example.com/v1/client/handshake?") {
				t.Errorf("a page: %s %s", page.Status, page.Header.Get("Location"))
			}
			if len(got) != 1 {
				t.Errorf("%d requests at the upstream, expected the live one", len(got))
			}
		})
	}
}

// TestRenewalsAreCounted: every step, a failed one too.
func TestRenewalsAreCounted(t *testing.T) {
	t.Parallel()
	api := newBackendAPI(t, clerkAnswers(404, `{"errors":[{"code":"resource_not_found","message":"m"}]}`))
	a, _ := renewing(t, api.URL)
	dead := sessionOf(-time.Minute, nil)
	answered(a, stale(http.MethodGet, dead))
	page := stale(http.MethodGet, dead, "Sec-Fetch-Dest", "document")
	page.Header.Set("Cookie", "__client_uat=1; __clerk_handshake_nonce=unknown")
	answered(a, page)
	page = page.Clone(t.Context())
	page.Header.Set("Cookie", "__client_uat=1; __clerk_redirect_count=3")
	answered(a, page)
	w := httptest.NewRecorder()
	a.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`authproxy_handshakes_total{outcome="failed",reason="session-token-missing"} 1`,
		`authproxy_handshakes_total{outcome="started",reason="client-uat-but-no-session-token"} 1`,
		`authproxy_handshakes_total{outcome="stopped",reason="client-uat-but-no-session-token"} 1`,
		`authproxy_clerk_api_requests_total{code="404",endpoint="refresh"} 1`,
		`authproxy_clerk_api_requests_total{code="404",endpoint="handshake_payload"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestSatelliteComesToRest: what is renewed on a satellite domain leaves no trace in
// the address that would have it renewed again.
func TestSatelliteComesToRest(t *testing.T) {
	t.Parallel()
	fresh := minttest.Good().Sign(minttest.Session("https://clerk.app.example.com", time.Now(), nil), nil)
	token := minttest.Good().Sign(map[string]any{"handshake": []string{"__session=" + fresh + "; Path=/", "__client_uat=7; Path=/"}}, nil)
	a, _ := renewing(t, "http://127.0.0.1:1", "CLERK_SECRET_KEY=", "CLERK_IS_SATELLITE=true", "CLERK_DOMAIN=app.example.com", "CLERK_SIGN_IN_URL=https://primary.example/sign-in")
	r := httptest.NewRequest(http.MethodGet, "/orders?a=1&__clerk_synced=false&__clerk_redirect_count=1", nil)
	r.Host = "app.example.com"
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Cookie", "__clerk_redirect_count=0; __clerk_handshake="+token)
	res := answered(a, r)
	if got := res.Header.Get("Location"); res.StatusCode != http.StatusTemporaryRedirect || got != "https://app.example.com/orders?a=1&__clerk_synced=true" {
		t.Errorf("%s %s %s", res.Status, got, res.Header.Get("X-Clerk-Auth-Reason"))
	}
}

// TestPayloadsInTheAddressStayHere: in production a Clerk SDK behind us would take
// a handshake out of a link that anybody wrote.
func TestPayloadsInTheAddressStayHere(t *testing.T) {
	t.Parallel()
	var target string
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { target = r.RequestURI }))
	t.Cleanup(upstream.Close)
	a, _ := renewing(t, "http://127.0.0.1:1", "AUTHPROXY_UPSTREAM="+upstream.URL)
	for asked, want := range map[string]string{
		"/orders?a=%20&__clerk_handshake=x&b;c&%5F_clerk_handshake_nonce=n": "/orders?a=%20&b;c",
		"/orders?__clerk_handshake=x":                                       "/orders?",
		"/orders?a=1&__clerk_handshakes=x&&":                                "/orders?a=1&__clerk_handshakes=x&&",
	} {
		r := stale(http.MethodGet, sessionOf(time.Minute, nil))
		r.RequestURI = asked
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(asked, "?")
		if res := answered(a, r); res.StatusCode != http.StatusOK || target != want {
			t.Errorf("%s: %s, the upstream is asked for %s", asked, res.Status, target)
		}
	}
}

// TestHandshakeBack: the request that comes back with a payload is served with the
// session in it; without a way to look a nonce up, the payload is asked for as a
// token.
func TestHandshakeBack(t *testing.T) {
	t.Parallel()
	fresh := sessionOf(time.Minute, nil)
	directives := []string{"__session=" + fresh + "; Path=/; SameSite=Lax", "theme=evil; Path=/", "__client_uat=7; Path=/; Domain=example.com", "__clerk_handshake_nonce=; Path=/; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}
	api := newBackendAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("nonce") != "n1" {
			clerkAnswers(404, `{"errors":[{"code":"resource_not_found","message":"m"}]}`)(w, r)
			return
		}
		fmt.Fprintf(w, `{"directives":[%q,%q,%q,%q]}`, directives[0], directives[1], directives[2], directives[3])
	})
	token := minttest.Good().Sign(map[string]any{"handshake": directives, "iat": time.Now().Unix()}, nil)
	for _, tt := range []struct {
		name, cookie string
		with, here   bool // a secret key; the payload is taken
		format       string
	}{
		{"a nonce", "__clerk_handshake_nonce=n1", true, true, ""},
		{"a token", "__clerk_handshake=" + token, false, true, ""},
		{"a nonce and no key", "__clerk_handshake_nonce=n1; __client_uat=1", false, false, "token"},
		{"an unknown nonce", "__clerk_handshake_nonce=n2; __client_uat=1", true, false, "nonce"},
	} {
		t.Run(tt.name, func(t *testing.T) { // at once: the token lives for a minute
			more := []string{}
			if !tt.with {
				more = append(more, "CLERK_SECRET_KEY=")
			}
			a, got := renewing(t, api.URL, more...)
			r := httptest.NewRequest(http.MethodGet, "/orders?a=1", nil)
			r.Host = "app.example.com"
			r.Header.Set("Sec-Fetch-Dest", "document")
			r.Header.Set("Cookie", tt.cookie)
			res := answered(a, r)
			if !tt.here {
				if res.StatusCode != http.StatusTemporaryRedirect || !strings.Contains(res.Header.Get("Location"), "&format="+tt.format) {
					t.Errorf("%s %s", res.Status, res.Header.Get("Location"))
				}
				return
			}
			if res.StatusCode != http.StatusOK || len(got) != 1 || (<-got).header.Get("X-Auth-User-Id") != "user_2oracle" {
				t.Errorf("%s %s", res.Status, res.Header.Get("X-Clerk-Auth-Reason"))
			}
			if set := strings.Join(res.Header.Values("Set-Cookie"), "\n"); strings.Contains(set, "theme") || strings.Count(set, "\n") != 2 || strings.Count(set, "; Secure") != 3 {
				t.Errorf("the browser is told\n%s", set)
			}
		})
	}
}
