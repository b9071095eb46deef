package threats_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

// spelled writes every owned name with other separators: the n-th hyphen of a
// name becomes the n-th of separators, the last of which repeats.
func spelled(separators ...string) []string {
	var all []string
	for _, name := range owned() {
		var b strings.Builder
		for i, part := range strings.Split(name, "-") {
			if i > 0 {
				b.WriteString(separators[min(i, len(separators))-1])
			}
			b.WriteString(part)
		}
		all = append(all, b.String()+": "+forged)
	}
	return all
}

func recased(lines []string, change func(string) string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		all[i] = change(name) + ":" + value
	}
	return all
}

// otherSeparators are the characters beside letters, digits and the hyphen that
// a header name may hold (RFC 9110, section 5.6.2).
const otherSeparators = "!#$%&'*+.^_`|~"

func forgeryThreats() []threat {
	return []threat{
		{"HDR-02", func(t *testing.T) {
			everywhere(t, lines{name: "none"}, lines{name: "plain", lines: spelled("-")}, lines{name: "before", lines: spelled("-"), first: true})
			t.Run("optional", testOptional)
		}},
		{"HDR-03", testPreflight},
		{"HDR-06", func(t *testing.T) {
			attacks := []lines{
				{name: "lower case", lines: recased(spelled("_"), strings.ToLower)},
				{name: "upper case", lines: recased(spelled("_"), strings.ToUpper)},
			}
			for _, c := range otherSeparators {
				attacks = append(attacks, lines{name: "separator " + string(c), lines: spelled(string(c))})
			}
			everywhere(t, attacks...)
		}},
		{"HDR-07", func(t *testing.T) {
			everywhere(t, lines{name: "last", lines: spelled("-", "_")}, lines{name: "first", lines: spelled("_", "-")}, lines{name: "middle", lines: spelled("-", "_", "-")})
		}},
		{"HDR-08", func(t *testing.T) {
			everywhere(t, lines{name: "dots", lines: spelled(".")}, lines{name: "one dot", lines: spelled("-", ".", "-")},
				lines{name: "dot and underscore", lines: spelled("_", ".")}, lines{name: "underscore and dot", lines: spelled(".", "_")})
		}},
		{"HDR-11", testOperatorsSpelling},
		{"HDR-12", func(t *testing.T) {
			hyphens, others := spelled("-"), spelled("_")
			everywhere(t, lines{name: "before", lines: slices.Concat(others, hyphens)}, lines{name: "after", lines: slices.Concat(hyphens, others)},
				lines{name: "between", lines: slices.Concat(hyphens, others, hyphens)}, lines{name: "around", lines: slices.Concat(others, hyphens, others), first: true})
		}},
		{"HDR-14", func(t *testing.T) {
			var many []string
			for i := range 1000 {
				change := []func(string) string{strings.ToLower, strings.ToUpper, strings.Clone}[i%3]
				many = append(many, recased([]string{spelled("-", "_")[i%10]}, change)...)
			}
			everywhere(t, lines{name: "a thousand", lines: many})
		}},
		{"HDR-17", testImpossibleNames},
		{"HDR-19", testLongNames},
	}
}

// Where nobody may pass as nobody, nobody is still not somebody.
func testOptional(t *testing.T) {
	g := start(t, setup{env: []string{"AUTHPROXY_AUTH=optional"}})
	for name, c := range map[string]struct {
		lines  []string
		status int
		want   map[string]string
	}{
		"nothing":              {nil, 200, nobody()},
		"a cookie":             {[]string{cookie(ordinary())}, 200, signedIn()},
		"a bad cookie":         {[]string{cookie("a.b.c")}, 200, nobody()},
		"a bad bearer":         {[]string{bearer("a.b.c")}, 401, nil},
		"an upgrade":           {[]string{"Connection: Upgrade", upgrade}, 101, nobody()},
		"a cross-origin write": {[]string{cookie(ordinary()), "Connection: Upgrade", upgrade, "Origin: https://evil.example"}, 101, nobody()},
	} {
		got := sendHTTP1(t, g, call{lines: c.lines}.with(spelled("_")...).with(spelled("-")...))
		requests := g.fresh(t)
		if got.status != c.status || (len(requests) == 1) != (c.want != nil) {
			t.Errorf("%s: status %d %s, want %d", name, got.status, got.reason, c.status)
		}
		for _, r := range requests {
			carries(t, r, c.want)
			keepsSecrets(t, r)
		}
	}
}

// Only what the Fetch standard calls a preflight passes without a session, and
// it passes as nobody and without a body.
func testPreflight(t *testing.T) {
	origin, method := "Origin: "+minttest.App, "Access-Control-Request-Method: PUT"
	forgeries := spelled("-")
	for name, c := range map[string]struct {
		call   call
		status int
		passes bool
	}{
		"preflight":               {call{lines: []string{origin, method}}, 200, true},
		"foreign preflight":       {call{lines: []string{"Origin: https://evil.example", method}}, 200, true},
		"no method":               {call{lines: []string{origin}}, 401, false},
		"empty method":            {call{lines: []string{origin, "Access-Control-Request-Method:"}}, 401, false},
		"no origin":               {call{lines: []string{method}}, 401, false},
		"with a body":             {call{lines: []string{origin, method, "Content-Length: 2"}, body: "hi"}, 401, false},
		"with a chunked body":     {call{lines: []string{origin, method, "Transfer-Encoding: chunked"}, body: "2\r\nhi\r\n0\r\n\r\n"}, 401, false},
		"with an upgrade":         {call{lines: []string{origin, method, "Connection: Upgrade", upgrade}}, 200, true}, // and without the upgrade
		"not OPTIONS":             {call{method: "GET", lines: []string{origin, method}}, 401, false},
		"method in another case":  {call{method: "options", lines: []string{origin, method}}, 401, false},
		"with a session's bearer": {call{lines: []string{origin, method, bearer(ordinary())}}, 200, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			if c.call.method == "" {
				c.call.method = "OPTIONS"
			}
			if got := sendHTTP1(t, g, c.call.with(forgeries...)); got.status != c.status {
				t.Errorf("status %d %s, want %d", got.status, got.reason, c.status)
			}
			requests := g.fresh(t)
			if (len(requests) == 1) != c.passes {
				t.Fatalf("the upstream got %d requests", len(requests))
			}
			if c.passes {
				carries(t, requests[0], nobody())
				if len(requests[0].Body) > 0 || requests[0].Has("Upgrade") {
					t.Errorf("more than a preflight passed\n%s", requests[0].Raw)
				}
			}
		})
	}
}

// However the operator writes a name, it is one header, and no spelling of it
// comes from a client.
func testOperatorsSpelling(t *testing.T) {
	for _, p := range []protocol{http1(), http2()} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{env: []string{"AUTHPROXY_HEADERS=x-USER-name=role,remote-thing=personId"}})
			forgeries := []string{"X-User-Name: " + forged, "x_user_name: " + forged, "X.User.Name: " + forged, "REMOTE_THING: " + forged, "Remote-Thing: " + forged}
			for _, c := range []struct {
				call             call
				name, remoteName []string
			}{
				{call{lines: []string{cookie(ordinary())}}, []string{"manager"}, []string{"person_7"}},
				{call{target: "/public/x"}, nil, nil},
			} {
				if got := p.send(t, g, c.call.with(forgeries...)); got.status != 200 {
					t.Fatalf("status %d %s", got.status, got.reason)
				}
				for _, r := range g.fresh(t) {
					if got := r.Readable("X-User-Name"); !slices.Equal(got, c.name) {
						t.Errorf("X-User-Name reads %q, want %q\n%s", got, c.name, r.Raw)
					}
					if got := r.Readable("Remote-Thing"); !slices.Equal(got, c.remoteName) {
						t.Errorf("Remote-Thing reads %q, want %q\n%s", got, c.remoteName, r.Raw)
					}
				}
			}
		})
	}
	t.Run("passed on", func(t *testing.T) {
		t.Parallel()
		g := start(t, setup{env: []string{"AUTHPROXY_PASS_HEADERS=X-Auth-Token"}})
		for _, name := range []string{"X_Auth_Token", "X-Auth_Token", "X.Auth.Token", "X-Auth-Token-2", "X-Auth-Role"} {
			sendHTTP1(t, g, call{target: "/public/x", lines: []string{"x-auth-TOKEN: mine", name + ": " + forged}})
			for _, r := range g.fresh(t) {
				carries(t, r, nobody())
				if got := r.Readable("X-Auth-Token"); !slices.Equal(got, []string{"mine"}) || strings.Contains(string(r.Raw), forged) {
					t.Errorf("X-Auth-Token reads %q\n%s", got, r.Raw)
				}
			}
		}
		for _, name := range []string{"X-Auth-Role", "X-Auth-Status", "x-auth-user-id", "X-Auth-*", "X_Auth_Token"} {
			if err := refusedAtStart(t, "AUTHPROXY_PASS_HEADERS="+name); err == nil {
				t.Errorf("%s may be passed on", name)
			}
		}
	})
	t.Run("refused at start", func(t *testing.T) {
		t.Parallel()
		for _, mapping := range []string{"X:Not:OK=role", "X_Under=role", "X-A=role,x-a=personId", "Connection=role", "X-Auth-Status=role", "X Y=role", "=role"} {
			if err := refusedAtStart(t, "AUTHPROXY_HEADERS="+mapping); err == nil {
				t.Errorf("the mapping %q is accepted", mapping)
			}
		}
	})
}

// A name with a byte that no name may hold is refused; one with a byte that it
// may hold is no way around either.
func testImpossibleNames(t *testing.T) {
	for _, p := range []protocol{http1(), http2()} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			for b := range 256 {
				if b == ':' { // ends the name
					continue
				}
				name := "X-Auth-Role" + string([]byte{byte(b)})
				got := p.send(t, g, call{target: "/public/x", lines: []string{name + ": " + forged}})
				requests := g.fresh(t)
				if possible := isTokenByte(byte(b)); !possible {
					if got.status == 200 || len(requests) > 0 || got.status >= 500 {
						t.Errorf("%q: status %d, %d requests at the upstream", name, got.status, len(requests))
					}
					continue
				}
				if got.status != 200 || len(requests) != 1 {
					t.Fatalf("%q: status %d, %d requests at the upstream", name, got.status, len(requests))
				}
				carries(t, requests[0], nobody())
			}
		})
	}
}

func isTokenByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '-' || strings.IndexByte(otherSeparators, b) >= 0
}

func testLongNames(t *testing.T) {
	for _, p := range []protocol{http1(), http2()} {
		for _, size := range []int{80 << 10, 1 << 20} {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{})
				got := p.send(t, g, call{target: "/public/x", lines: []string{"X-" + strings.Repeat("a", size) + ": b"}})
				if got.status != 431 && got.status != 400 && got.status != 0 || got.status == 0 && p.name == "HTTP1" {
					t.Errorf("status %d for a name of %d bytes", got.status, size)
				}
				if n := len(g.fresh(t)); n > 0 {
					t.Errorf("%d requests at the upstream", n)
				}
			})
		}
	}
}

// refusedAtStart returns why a proxy with this setting does not start.
func refusedAtStart(t *testing.T, entry string) error {
	t.Helper()
	u := wiretest.NewUpstream(t, nil)
	cfg, err := config.Load(replaced([]string{
		"CLERK_PUBLISHABLE_KEY=" + minttest.LiveKey, "CLERK_JWT_KEY=" + minttest.Good().PEM,
		"AUTHPROXY_UPSTREAM=" + u.URL(), "AUTHPROXY_PUBLIC_URL=" + minttest.App,
	}, []string{entry}))
	if err != nil {
		return err
	}
	return checked(cfg)
}
