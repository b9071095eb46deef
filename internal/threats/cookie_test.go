package threats_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
)

func cookieThreats() []threat {
	return []threat{
		{"CK-02", testCookieTossing},
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
	for _, n := range []int{100, 3001, 6000} {
		got := sendHTTP1(t, g, call{lines: []string{"Cookie: " + strings.Repeat("a=b; ", n) + uat + "; __session=" + ordinary()}})
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
	} {
		got := sendHTTP1(t, g, call{lines: []string{"Cookie: " + cookies}})
		if ok := got.status == 200 && name == "five hundred suffix"; !ok && got.status != 401 && got.status != 431 && got.status != 400 {
			t.Errorf("%s: status %d %s", name, got.status, got.reason)
		}
		for _, r := range g.fresh(t) {
			keepsSecrets(t, r)
		}
	}
}
