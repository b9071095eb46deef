package threats_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/minttest"
)

func credentialThreats() []threat {
	return []threat{
		{"JWT-40", testSpellingsOfBearer},
		{"JWT-41", testEmptyCredentials},
		{"JWT-42", testTwoCredentials},
		{"JWT-45", testVerifiedTokens},
	}
}

// presented is a request with credentials and what becomes of it.
type presented struct {
	name          string
	lines         []string
	status        int
	user          string // whom the upstream is told; "" when it is not asked
	authorization string // what of Authorization arrives
}

func present(t *testing.T, g *rig, p protocol, cases ...presented) {
	t.Helper()
	for _, c := range cases {
		got := p.send(t, g, call{lines: c.lines})
		requests := g.fresh(t)
		if got.status != c.status || (len(requests) == 1) != (c.user != "") {
			t.Errorf("%s %s: status %d %s, want %d; %d requests at the upstream", p.name, c.name, got.status, got.reason, c.status, len(requests))
		}
		for _, r := range requests {
			want := signedIn()
			want["X-Auth-User-Id"] = c.user
			carries(t, r, want)
			if got := r.Get("Authorization"); got != c.authorization {
				t.Errorf("%s %s: Authorization arrived as %.40q, want %.40q", p.name, c.name, got, c.authorization)
			}
		}
	}
}

const me = "user_2oracle"

// One field, the scheme in any case, one space, one token; what is no bearer at
// all is the application's business.
func testSpellingsOfBearer(t *testing.T) {
	token, session := ordinary(), cookie(ordinary())
	refusedBearers := []string{
		"Bearer  " + token, "Bearer\t" + token, "Bearer " + token + ", Bearer " + token, "Bearer " + token + " x", "Bearer " + token + ",", "Bearer \"" + token + "\"",
		"Bearer token=" + token, "Bearer " + token + ";x", "Bearer", "Bearer x", "bearer\t" + token, "Bearer \xa0" + token, "Bearer " + token + "\xa0",
	}
	g := start(t, setup{})
	for _, p := range []protocol{http1(), http2()} {
		present(t, g, p,
			presented{"as written", []string{"Authorization: Bearer " + token}, 200, me, ""}, presented{"lower case", []string{"Authorization: bearer " + token}, 200, me, ""},
			presented{"capitals", []string{"AUTHORIZATION: BEARER " + token}, 200, me, ""}, presented{"mixed", []string{"authorization: bEaReR " + token}, 200, me, ""},
			presented{"Basic alone", []string{"Authorization: Basic dTpw"}, 401, "", ""}, presented{"Basic and a cookie", []string{"Authorization: Basic dTpw", session}, 200, me, "Basic dTpw"},
			presented{"no scheme", []string{"Authorization: " + token}, 401, "", ""}, presented{"Digest and a cookie", []string{"Authorization: Digest username=\"Bearer x\"", session}, 200, me, "Digest username=\"Bearer x\""},
			presented{"two fields", []string{bearer(token), bearer(token)}, 401, "", ""}, presented{"two fields and a cookie", []string{bearer(token), bearer(token), session}, 401, "", ""},
			presented{"Basic and a bearer", []string{"Authorization: Basic dTpw", bearer(token), session}, 401, "", ""}, presented{"bearer and Basic", []string{bearer(token), "Authorization: Basic dTpw"}, 401, "", ""},
			presented{"under another name", []string{"X-Authorization: Bearer " + token}, 401, "", ""}, presented{"with an underscore", []string{"Proxy_Authorization: Bearer " + token}, 401, "", ""})
		for _, v := range refusedBearers {
			present(t, g, p, presented{fmt.Sprintf("%.30q", v), []string{"Authorization: " + v}, 401, "", ""}, presented{fmt.Sprintf("%.30q and a cookie", v), []string{"Authorization: " + v, session}, 401, "", ""})
		}
	}
	got := sendHTTP1(t, g, call{target: "/app?token=" + token + "&__session=" + token + "&access_token=" + token})
	if got.status != 401 || len(g.fresh(t)) > 0 {
		t.Errorf("a token in the query: status %d", got.status)
	}
}

func testEmptyCredentials(t *testing.T) {
	g := start(t, setup{})
	for _, p := range []protocol{http1(), http2()} {
		present(t, g, p, presented{"bearer of nothing", []string{"Authorization: Bearer "}, 401, "", ""}, presented{"bearer of nothing and a cookie", []string{"Authorization: Bearer ", cookie(ordinary())}, 401, "", ""},
			presented{"nothing", []string{"Authorization:"}, 401, "", ""}, presented{"cookie of nothing", []string{cookie("")}, 401, "", ""}, presented{"quoted nothing", []string{cookie(`""`)}, 401, "", ""},
			presented{"no cookies", []string{"Cookie:"}, 401, "", ""}, presented{"nothing everywhere", []string{"Authorization:", "Cookie: __session=; __client_uat="}, 401, "", ""})
	}
}

// An explicit bearer decides alone, for better or worse.
func testTwoCredentials(t *testing.T) {
	other := mint(map[string]any{"sub": "user_other"})
	g := start(t, setup{})
	for _, p := range []protocol{http1(), http2()} {
		present(t, g, p, presented{"both good", []string{bearer(other), cookie(ordinary())}, 200, "user_other", ""}, presented{"both good, cookie first", []string{cookie(ordinary()), bearer(other)}, 200, "user_other", ""},
			presented{"bad bearer", []string{bearer("a.b.c"), cookie(ordinary())}, 401, "", ""}, presented{"forged bearer", []string{bearer(minttest.Evil().Sign(claims(nil), nil)), cookie(ordinary())}, 401, "", ""},
			presented{"expired bearer", []string{bearer(good(map[string]any{"exp": noon.Unix() - 60})), cookie(ordinary())}, 401, "", ""}, presented{"bad cookie", []string{bearer(other), cookie("a.b.c")}, 200, "user_other", ""},
			presented{"opaque bearer", []string{bearer("opaque"), cookie(ordinary())}, 401, "", ""})
	}
}

// What was verified once is judged again for every request: the clock, the
// carrier, the host, and only for the very same bytes.
func testVerifiedTokens(t *testing.T) {
	now := new(atomic.Int64)
	g := start(t, setup{now: func() time.Time { return noon.Add(time.Duration(now.Load())) }, env: []string{"AUTHPROXY_EXTRA_HOSTS=internal:8080", "AUTHPROXY_REQUIRED_CLAIMS=role"}})
	token := ordinary()
	warm := func() {
		t.Helper()
		if got := sendHTTP1(t, g, call{lines: []string{bearer(token)}}); got.status != 200 {
			t.Fatalf("status %d %s", got.status, got.reason)
		}
	}
	expect := func(what string, c call, status int) {
		t.Helper()
		if got := sendHTTP1(t, g, c); got.status != status {
			t.Errorf("%s: status %d %s, want %d", what, got.status, got.reason, status)
		}
	}
	warm()
	expect("another signature", call{lines: []string{bearer(token[:len(token)-8] + "AAAAAAAA")}}, 401)
	expect("another spelling", call{lines: []string{bearer(token + "=")}}, 401)
	expect("as a cookie, newer change", call{lines: []string{fmt.Sprintf("Cookie: __client_uat=%d; __session=%s", noon.Unix()+1, token)}}, 401)
	expect("as a cookie alone", call{lines: []string{"Cookie: __session=" + token}}, 401)
	expect("as a cookie elsewhere", call{host: "internal:8080", lines: []string{cookie(token)}}, 421)
	expect("as a bearer elsewhere", call{host: "internal:8080", lines: []string{bearer(token)}}, 200)
	expect("at a foreign host", call{host: "evil.example", lines: []string{bearer(token)}}, 421)
	lacking := mint(map[string]any{"role": nil})
	expect("public first", call{target: "/public/x", lines: []string{bearer(lacking)}}, 200)
	expect("then where the claim is required", call{lines: []string{bearer(lacking)}}, 403)
	now.Store(int64(64 * time.Second)) // a minute of life, and less than the skew
	warm()
	now.Store(int64(65 * time.Second))
	expect("when it has run out", call{lines: []string{bearer(token)}}, 401)
	expect("on a public path then", call{target: "/public/x", lines: []string{bearer(token)}}, 200)
	now.Store(int64(-11 * time.Second)) // nbf is ten seconds before noon, iat noon itself
	expect("before it begins", call{lines: []string{bearer(token)}}, 401)
	now.Store(0)
	warm()
	for _, r := range g.fresh(t) {
		if status := r.Get("X-Auth-Status"); status == "anonymous" {
			carries(t, r, nobody())
		}
		keepsSecrets(t, r)
	}
	manyAtOnce(t, g)
}

// manyAtOnce gives everybody their own identity, the first time and the second.
func manyAtOnce(t *testing.T, g *rig) {
	t.Helper()
	var running sync.WaitGroup
	for i := range 24 {
		running.Go(func() {
			token := mint(map[string]any{"sub": fmt.Sprintf("user_%d", i), "personId": fmt.Sprintf("person_%d", i)})
			for range 4 {
				if got := sendHTTP1(t, g, call{target: fmt.Sprintf("/of/%d", i), lines: []string{bearer(token)}}); got.status != 200 {
					t.Errorf("status %d %s", got.status, got.reason)
				}
			}
		})
	}
	running.Wait()
	requests := g.fresh(t)
	if len(requests) != 24*4 {
		t.Errorf("%d requests at the upstream", len(requests))
	}
	for _, r := range requests {
		i := strings.TrimPrefix(r.Target, "/of/")
		want := signedIn()
		want["X-Auth-User-Id"], want["X-Auth-Person-Id"] = "user_"+i, "person_"+i
		carries(t, r, want)
	}
}
