package threats_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

func cookieThreats() []threat {
	return []threat{
		{"CK-02", func(t *testing.T) {
			t.Run("sessions", testCookieTossing)
			t.Run("refreshed", testRefreshOfAnother)
			t.Run("emulated", testSwappedRefreshTokens)
		}},
		{"CK-03", testCookieReadings},
		{"CK-04", testNoCookies},
		{"CK-05", testManyCookies},
		{"CK-06", testHugeCookies},
		{"CK-07", testCookieCrumbs},
	}
}

// A sibling domain's cookie holds a token that was made for the sibling.
func testCookieTossing(t *testing.T) {
	g := start(t, setup{})
	foreign := mint(map[string]any{"azp": "https://evil.example.com", "sub": "user_evil"})
	other := minttest.Good().Sign(minttest.Session(minttest.TestIss, noon, nil), nil)
	for name, c := range map[string]struct {
		cookies string
		status  int
	}{
		"foreign alone":          {uat + "; __session=" + foreign, 401},
		"foreign first":          {uat + "; __session=" + foreign + "; __session=" + ordinary(), 401},
		"foreign last":           {uat + "; __session=" + ordinary() + "; __session=" + foreign, 200},
		"foreign in plain":       {"__client_uat=1; __client_uat_naoXFJnI=1; __session=" + foreign + "; __session_naoXFJnI=" + ordinary(), 200},
		"another instance alone": {uat + "; __session=" + other, 401},
		"another's suffix":       {"__client_uat_GS7nYzmc=1; __session_GS7nYzmc=" + ordinary(), 401},
	} {
		got := sendHTTP1(t, g, call{lines: []string{"Cookie: " + c.cookies}})
		requests := g.fresh(t)
		if got.status != c.status || (len(requests) == 1) != (c.status == 200) {
			t.Errorf("%s: status %d %s, want %d", name, got.status, got.reason, c.status)
		}
		for _, r := range requests {
			carries(t, r, signedIn())
			keepsSecrets(t, r)
		}
	}
}

// readers are how servers find cookies in a Cookie header.
func readers() map[string]func(string) []string {
	names := func(separator string) func(string) []string {
		return func(s string) []string {
			var all []string
			for _, part := range regexp.MustCompile(separator).Split(s, -1) {
				name, _, _ := strings.Cut(part, "=")
				all = append(all, strings.Trim(name, " \t\"\v\f"))
			}
			return all
		}
	}
	return map[string]func(string) []string{
		"semicolons":            names(`;`),
		"semicolons and commas": names(`[;,]`),
		"space too":             names(`[;,\s]+`),
		"Django":                trimmed, // bytes are UTF-8, and whatever Unicode calls space is trimmed
		"Node": func(s string) []string { // bytes are Latin-1
			latin := make([]rune, len(s))
			for i := range len(s) {
				latin[i] = rune(s[i])
			}
			return trimmed(string(latin))
		},
		"Go": func(s string) []string {
			cookies, _ := http.ParseCookie(s)
			var all []string
			for _, c := range cookies {
				all = append(all, c.Name)
			}
			return all
		},
	}
}

func trimmed(s string) []string {
	var all []string
	for _, part := range strings.Split(s, ";") {
		name, _, _ := strings.Cut(part, "=")
		all = append(all, strings.TrimSpace(name))
	}
	return all
}

// However a server reads the cookies that arrive, none of them is a session.
func testCookieReadings(t *testing.T) {
	for _, p := range []protocol{http1(), http2()} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			token := ordinary()
			for _, cookies := range []string{
				`foo="bar; __session=` + token + `; x="`, `$Version=1; __session="` + token + `"`, `__session="` + token + `"`, `a=b,__session=` + token, `a=b, __session=` + token,
				`a=b;__session=` + token, `a=b;; __session =` + token, "a=b;\t__session=" + token, `a="b\"; __session=` + token, `__session=` + token + `,a=b`, `__session` + ` = ` + token,
				`"__session"=` + token, `a=b; $Path=/; __session=` + token, `a; __session=` + token, `=; __session=` + token, `a=b;__session_naoXFJnI=` + token, "a=b;\xa0__session=" + token, "a=b;\x85__session=" + token, "a=b;\u00a0__session=" + token, "a=b;\u3000__session\u2028=" + token,
				`__client_uat=1; a=b; __session=` + token + `; __refresh_naoXFJnI=eyJ`, `%5F%5Fsession=` + token, `a=b&__session=` + token, `__session=` + token[:len(token)-8],
			} {
				got := p.send(t, g, call{target: "/public/x", lines: []string{"Cookie: " + cookies}})
				requests := g.fresh(t)
				if got.status != 200 && got.status != 400 && got.status != 0 || (got.status == 200) != (len(requests) == 1) {
					t.Errorf("%.60q: status %d, %d requests at the upstream", cookies, got.status, len(requests))
				}
				for _, r := range requests {
					for reader, read := range readers() {
						for _, name := range read(r.Get("Cookie")) {
							if strings.HasPrefix(name, "__session") || strings.HasPrefix(name, "__client_uat") || strings.HasPrefix(name, "__refresh") {
								t.Errorf("%.60q arrives as %.80q, in which %s finds %s", cookies, r.Get("Cookie"), reader, name)
							}
						}
					}
				}
			}
		})
	}
}

// What only looks like the session cookie is none.
func testNoCookies(t *testing.T) {
	g := start(t, setup{})
	for _, c := range []string{"=__session=", "__session", "__Session=", "__SESSION=", "_session=", "__session2=", "__session.x=", "__session_=", " =", "__Host-__session=", "__session_naoXFJnI_=", "__session_NAOXFJNI="} {
		got := sendHTTP1(t, g, call{lines: []string{"Cookie: " + uat + "; " + c + ordinary()}})
		if n := len(g.fresh(t)); got.status != 401 || n > 0 {
			t.Errorf("%q: status %d %s, %d requests at the upstream", c, got.status, got.reason, n)
		}
	}
}

// More cookies than a parser takes are answered, not silently nobody's.
func testManyCookies(t *testing.T) {
	g := start(t, setup{})
	for i, n := range []int{100, 3001, 6000, 100, 3001, 6000} {
		got := sendHTTP1(t, g, call{lines: []string{[]string{fetched, pageLoad}[i/3], "Cookie: " + strings.Repeat("a=b; ", n) + uat + "; __session=" + ordinary()}})
		requests := g.fresh(t)
		if got.status != 200 && got.status != 431 && got.status != 400 || (got.status == 200) != (len(requests) == 1) || n == 100 && got.status != 200 {
			t.Errorf("%d cookies: status %d %s, %d requests at the upstream", n, got.status, got.reason, len(requests))
		}
		for _, r := range requests {
			carries(t, r, signedIn())
			keepsSecrets(t, r)
		}
	}
}

func testHugeCookies(t *testing.T) {
	g := start(t, setup{})
	suffixes := uat + "; __session=" + ordinary()
	for i := range 500 {
		suffixes += fmt.Sprintf("; __session_%08d=x", i)
	}
	for name, cookies := range map[string]string{
		"64 kB of junk":       strings.Repeat("x", 64<<10),
		"a session of 60 kB":  uat + "; __session=" + strings.Repeat("e", 60<<10),
		"a session of dots":   uat + "; __session=" + strings.Repeat(".", 30<<10),
		"five hundred suffix": suffixes,
		"chunk counts":        "__session.0=a; __session.1=b; __session_chunks=999999999; " + uat,
		"a payload of 60 kB":  "__clerk_handshake=" + strings.Repeat("e", 60<<10),
		"a payload of dots":   "__clerk_handshake=" + strings.Repeat(".", 30<<10),
		"a long count":        "__clerk_redirect_count=" + strings.Repeat("9", 60<<10),
		"refresh tokens":      uat + "; __session=" + stale(nil) + strings.Repeat("; "+refreshCookie+"=r", 1000),
		"a refresh token":     uat + "; __session=" + stale(nil) + "; " + refreshCookie + "=" + strings.Repeat("r", 40<<10),
	} {
		got := sendHTTP1(t, g, call{lines: []string{fetched, "Cookie: " + cookies}})
		if ok := got.status == 200 && name == "five hundred suffix"; !ok && got.status != 401 && got.status != 431 && got.status != 400 {
			t.Errorf("%s: status %d %s", name, got.status, got.reason)
		}
		for _, r := range g.fresh(t) {
			keepsSecrets(t, r)
		}
	}
	testManyNonces(t)
	testManyGuesses(t)
}

// testManyNonces: each costs Clerk a call, and one request a few at most.
func testManyNonces(t *testing.T) {
	t.Helper()
	var cookies strings.Builder
	for i := range 500 {
		fmt.Fprintf(&cookies, "__clerk_handshake_nonce=nonce%d; __clerk_handshake=a.b.c; ", i)
	}
	g := start(t, setup{clerk: func(*wiretest.Request) wiretest.Reply {
		return respond("404 Not Found", `{"errors":[{"code":"resource_not_found","message":"x"}]}`)
	}})
	for _, p := range []protocol{http1(), http2()} {
		before := len(g.asked())
		if got := p.send(t, g, call{lines: []string{pageLoad, "Cookie: " + cookies.String() + uat + "; __session=" + ordinary()}}); got.status != 200 {
			t.Errorf("%s: status %d %s", p.name, got.status, got.reason)
		}
		if n := len(g.asked()) - before; n > 3 {
			t.Errorf("%s: one request is %d calls", p.name, n)
		}
	}
}

// testManyGuesses: whoever has an expired token of his own may try refresh tokens,
// a few; the others' sessions are renewed meanwhile.
func testManyGuesses(t *testing.T) {
	t.Helper()
	var guesses atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(string(body), "guess") {
			guesses.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"errors":[{"code":"refresh_token_not_found","message":"x"}]}`)
			return
		}
		fmt.Fprintf(w, `{"object":"cookies","cookies":["__session=%s"]}`, ordinary())
	}))
	t.Cleanup(api.Close)
	g := start(t, setup{env: []string{"AUTHPROXY_TRUSTED_PROXIES=127.0.0.1/32", "CLERK_API_URL=" + api.URL}})
	own, expired := "__session="+stale(map[string]any{"sid": "sess_guesser"}), "__session="+stale(nil)
	for i := range 300 {
		got := sendHTTP1(t, g, call{lines: []string{"X-Forwarded-For: 203.0.113.66", cookieLine(uat, own, fmt.Sprintf("%s=guess%d", refreshCookie, i))}})
		if got.status != 401 {
			t.Fatalf("a guess: status %d %s", got.status, got.reason)
		}
	}
	if n := guesses.Load(); n > 60 {
		t.Errorf("300 guesses are %d calls", n)
	}
	if got := sendHTTP1(t, g, call{lines: []string{"X-Forwarded-For: 203.0.113.7", cookieLine(uat, expired, refreshCookie+"=right")}}); got.status != 200 {
		t.Errorf("somebody else meanwhile: status %d %s", got.status, got.reason)
	}
	g.only(t, "somebody else", me)
}

// Whatever a refresh brings, it is the session that the person had, or none.
func testRefreshOfAnother(t *testing.T) {
	for name, lines := range map[string][]string{
		"somebody else":      sessionLines(of("user_evil")),
		"another session":    sessionLines(mint(map[string]any{"sid": "sess_evil"})),
		"another person":     sessionLines(mint(map[string]any{"sub": "user_evil"})),
		"another party":      sessionLines(mint(map[string]any{"azp": "https://evil.example.com"})),
		"another instance":   sessionLines(minttest.Good().Sign(minttest.Session(minttest.TestIss, noon, nil), nil)),
		"forged":             sessionLines(minttest.Evil().Sign(claims(nil), nil)),
		"expired":            sessionLines(stale(nil)),
		"of another class":   sessionLines(minttest.Good().Sign(claims(nil), map[string]any{"cat": "cl_B7d4PD222AAA"})),
		"nothing":            {},
		"signed out":         {"__session=; Path=/; Max-Age=0"},
		"hostile lines":      hostileLines(),
		"the other is later": append(sessionLines(ordinary()), sessionLines(of("user_evil"))...),
	} {
		g := start(t, setup{clerk: backend(lines...)})
		expired := cookieLine(uat, "__session="+stale(nil), refreshCookie+"=eyJof_somebody", "theme=dark")
		for _, c := range []call{{lines: []string{fetched}}, {method: "POST", lines: []string{sameOrigin, nothing}}, {lines: []string{pageLoad}}} {
			got := sendHTTP1(t, g, c.with(expired, "X-Forwarded-Host: evil.com", "X-Forwarded-Proto: http"))
			if want := c.lines[0] == pageLoad; got.status != 401 && !want || got.status != 307 && want || got.sets("__session") || got.sets("__refresh") {
				t.Errorf("%s: status %d %s, %q", name, got.status, got.reason, got.cookies())
			}
			g.only(t, name, "-")
		}
		for _, r := range g.asked() {
			if strings.Contains(string(r.Raw), "theme") || !strings.Contains(string(r.Body), `"request_origin":"`+minttest.App+`"`) {
				t.Errorf("Clerk is told\n%s", r.Raw)
			}
		}
	}
}

// With a sibling's refresh token one's own expired session stays expired, and with
// one's own the sibling's does.
func testSwappedRefreshTokens(t *testing.T) {
	e := emulate(t, setup{})
	alice, mallory := e.signedInBrowser(t, "alice"), e.signedInBrowser(t, "mallory")
	e.passes(10 * time.Minute)
	alice.jar[refreshCookie], mallory.jar[refreshCookie] = mallory.jar[refreshCookie], alice.jar[refreshCookie]
	for _, b := range []*browser{alice, mallory} {
		for _, c := range []call{{lines: []string{fetched}}, {method: "POST", lines: []string{sameOrigin, nothing}}} {
			if got := b.send(t, c); got.status != 401 || got.sets("__") {
				t.Errorf("%s: status %d %s, %q", b.user.Username, got.status, got.reason, got.cookies())
			}
		}
		e.only(t, b.user.Username, "-")
		if got := b.visit(t, "/app"); got.status != 200 {
			t.Errorf("%s, a page load: status %d %s", b.user.Username, got.status, got.reason)
		}
		e.only(t, b.user.Username, b.user.ID)
	}
	mallory.jar["__session"], mallory.jar[suffixedSession] = alice.jar["__session"], alice.jar[suffixedSession]
	e.passes(10 * time.Minute)
	if got := mallory.send(t, call{lines: []string{fetched}}); got.status != 401 {
		t.Errorf("somebody else's expired token: status %d %s", got.status, got.reason)
	}
	e.only(t, "somebody else's expired token", "-")
}
