package threats_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

// What a browser sends with a page load, and a page with fetch().
const (
	pageLoad   = "Sec-Fetch-Dest: document"
	fetched    = "Sec-Fetch-Dest: empty"
	sameOrigin = "Sec-Fetch-Site: same-origin"
	crossSite  = "Sec-Fetch-Site: cross-site"
	nothing    = "Content-Length: 0"
)

// The cookies of the live instance that have its suffix.
const (
	suffixedSession = "__session_" + minttest.LiveSuff
	suffixedUAT     = "__client_uat_" + minttest.LiveSuff
	refreshCookie   = "__refresh_" + minttest.LiveSuff
)

// cookieLine is one Cookie field of pairs.
func cookieLine(pairs ...string) string { return "Cookie: " + strings.Join(pairs, "; ") }

// of is a token of somebody else than the ordinary person.
func of(user string) string {
	return mint(map[string]any{"sub": user, "sid": "sess_of_" + user})
}

// stale is a session token that ran out five minutes ago; over changes its claims.
func stale(over map[string]any) string {
	claims := map[string]any{"iat": noon.Unix() - 360, "nbf": noon.Unix() - 370, "exp": noon.Unix() - 300}
	for k, v := range over {
		claims[k] = v
	}
	return mint(claims)
}

// brought is a handshake's payload in its token form.
func brought(over map[string]any, directives ...string) string {
	claims := map[string]any{"iss": minttest.LiveIss, "iat": noon.Unix(), "exp": noon.Unix() + 300, "handshake": directives}
	for k, v := range over {
		claims[k] = v
	}
	return minttest.Good().Sign(claims, nil)
}

// sessionLines are the Set-Cookie lines that make a browser somebody's.
func sessionLines(token string) []string {
	return []string{
		"__client_uat=1; Path=/; Domain=example.com; Max-Age=315360000; Secure; SameSite=Lax",
		"__session=" + token + "; Path=/; Secure; SameSite=Lax",
		suffixedSession + "=" + token + "; Path=/; Secure; SameSite=Lax",
	}
}

// backend answers nonces and refreshes with these Set-Cookie lines, and ends what
// is to be ended.
func backend(lines ...string) func(*wiretest.Request) wiretest.Reply {
	return func(r *wiretest.Request) wiretest.Reply {
		body := map[string]any{"directives": lines}
		path := strings.Split(r.Path(), "/")
		switch path[len(path)-1] {
		case "refresh":
			body = map[string]any{"object": "cookies", "cookies": lines}
		case "revoke":
			body = map[string]any{"object": "session", "id": path[len(path)-2], "status": "revoked"}
		}
		text, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		return respond("200 OK", string(text))
	}
}

// asked is what Clerk's Backend API was asked so far.
func (g *rig) asked() []*wiretest.Request {
	var all []*wiretest.Request
	for _, c := range g.clerk.Snapshot() {
		all = append(all, c.Requests...)
	}
	return all
}

// cookies are the Set-Cookie lines of an answer.
func (a answer) cookies() []string {
	var lines []string
	for _, f := range a.headers {
		if strings.EqualFold(f.Name, "Set-Cookie") {
			lines = append(lines, f.Value)
		}
	}
	return lines
}

// sets reports whether the answer gives the browser a cookie whose name begins so,
// and does not take it away.
func (a answer) sets(prefix string) bool {
	for _, line := range a.cookies() {
		c, err := http.ParseSetCookie(line)
		if err == nil && strings.HasPrefix(c.Name, prefix) && c.MaxAge >= 0 && c.Value != "" && (c.Expires.IsZero() || c.Expires.After(time.Unix(1, 0))) {
			return true
		}
	}
	return false
}

// who is the person that the upstream was told of, for each of requests; "" is
// nobody.
func who(requests []*wiretest.Request) []string {
	all := make([]string, len(requests))
	for i, r := range requests {
		all[i] = r.Get("X-Auth-User-Id")
	}
	return all
}

// only fails the test when the upstream did not get exactly one request of this
// person ("" is nobody), or, with "-", got any.
func (g *rig) only(t *testing.T, what, person string) {
	t.Helper()
	got := who(g.fresh(t))
	if person == "-" && len(got) == 0 || len(got) == 1 && got[0] == person {
		return
	}
	t.Errorf("%s: the upstream got requests of %q, want %q", what, got, person)
}
