package threats_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

func handshakeThreats() []threat {
	return []threat{
		{"HS-04", func(t *testing.T) {
			t.Run("directives", testDirectives)
			t.Run("forged", testForgedPayloads)
			t.Run("carriers", testCarriersOfPayloads)
		}},
		{"HS-05", testOnlyPagesAreSentAway},
		{"HS-07", testReferers},
		{"HS-09", testNothingIsKept},
		{"HS-10", func(t *testing.T) {
			t.Run("addresses", testNoTokenInAddresses)
			t.Run("development", testTokensInDevelopment)
		}},
		{"HS-11", testDevelopmentIsNoProduction},
	}
}

// hostileLines are what somebody might have Clerk tell us to set.
func hostileLines() []string {
	return []string{
		"app_session=" + forged + "; Path=/", "__Host-session=" + forged + "; Path=/; Secure", "__Secure-x=" + forged, "csrf=" + forged, "__session_GS7nYzmc=" + forged, "__session_" + minttest.LiveSuff + "x=" + forged,
		"__SESSION=" + forged, "__client=" + forged, "__clerk_db_jwt=" + forged, "__clerk_handshake=" + forged, "__clerk_redirect_count=" + forged, "__refresh=" + forged, "=" + forged, "__session", " ", "",
		"__client_uat=5; Domain=evil.com", "__client_uat=6; Domain=com", "__client_uat=7; Domain=app.example.com.evil.com", "__client_uat=8; Domain=ample.com", "__client_uat=9; Domain=.", "__client_uat=10; Domain=other.example.com",
		"__session=x\r\nX-Evil: " + forged, "__session=x\nX-Evil: " + forged, "__client_uat=1; Path=/\r\nSet-Cookie: app=" + forged, "__session=x\x00",
	}
}

// Whatever is signed or looked up, only Clerk's cookies of this instance are set,
// for this host and the whole of it, and the upstream hears of no others.
func testDirectives(t *testing.T) {
	odd := []string{"__session=" + ordinary() + "; Path=/x; Domain=example.com; HttpOnly; Max-Age=99999999999", "__client_uat=1; Path=/x; Domain=example.com", refreshCookie + "=r; Path=/x; Domain=.example.com"}
	hostile, many := hostileLines(), make([]string, 50)
	for i := range many {
		many[i] = fmt.Sprintf("%s=r%d", refreshCookie, i)
	}
	for _, nonce := range []bool{true, false} {
		for _, c := range [][]string{odd, hostile, slices.Concat(odd, hostile), slices.Concat(hostile[16:], odd), slices.Concat(odd, many), slices.Concat(odd, []string{"__session=" + strings.Repeat("A", 9<<10)})} {
			g := start(t, setup{clerk: backend(c...), env: []string{"AUTHPROXY_PASS_CLERK_COOKIES=true"}})
			carrier := "__clerk_handshake=" + brought(nil, c...)
			if nonce {
				carrier = "__clerk_handshake_nonce=n0nce"
			}
			got := sendHTTP1(t, g, call{lines: []string{pageLoad, cookieLine("theme=dark", carrier)}})
			for _, r := range g.fresh(t) {
				carries(t, r, signedIn())
				if strings.Contains(r.Get("Cookie"), forged) || strings.Contains(r.Get("Cookie"), "__refresh") {
					t.Errorf("the upstream got %q", r.Get("Cookie"))
				}
			}
			if signed := strings.Contains(strings.Join(c, ""), ordinary()); signed != (got.status == 200) {
				t.Errorf("nonce %v, %.60q: status %d %s", nonce, c, got.status, got.reason)
			}
			if got.get("X-Evil") != "" {
				t.Errorf("a directive became a header: %q", got.headers)
			}
			onlyClerks(t, got)
		}
	}
}

// onlyClerks judges the Set-Cookie lines of an answer of the live instance.
func onlyClerks(t *testing.T, got answer) {
	t.Helper()
	if n := len(got.cookies()); n > 34 {
		t.Errorf("%d cookies", n)
	}
	for _, line := range got.cookies() {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		wide := strings.HasPrefix(c.Name, "__client_uat")
		known := slices.Contains([]string{"__session", suffixedSession, "__client_uat", suffixedUAT, refreshCookie, "__clerk_redirect_count"}, c.Name)
		if !known || !c.Secure || c.Path != "/" || c.SameSite != http.SameSiteLaxMode || c.Domain != "" && (!wide || c.Domain != "example.com") || c.Name == refreshCookie && !c.HttpOnly {
			t.Errorf("the browser is told %q", line)
		}
		if strings.Contains(c.Value, forged) {
			t.Errorf("the browser gets a value of the attacker's: %q", line)
		}
	}
}

// A payload that Clerk did not make for this instance just now is as good as none.
func testForgedPayloads(t *testing.T) {
	evil := sessionLines(of("user_evil"))
	g := start(t, setup{})
	for name, token := range map[string]string{
		"another key":            minttest.Evil().Sign(map[string]any{"iss": minttest.LiveIss, "iat": noon.Unix(), "handshake": evil}, nil),
		"not signed":             unsignedPayload(evil),
		"another issuer":         brought(map[string]any{"iss": minttest.TestIss}, evil...),
		"of six minutes ago":     brought(map[string]any{"iat": noon.Unix() - 360, "exp": noon.Unix() + 999}, evil...),
		"run out":                brought(map[string]any{"exp": noon.Unix() - 60}, evil...),
		"of the future":          brought(map[string]any{"iat": noon.Unix() + 60}, evil...),
		"times that are none":    brought(map[string]any{"iat": "now"}, evil...),
		"a session token":        of("user_evil"),
		"of another class":       minttest.Good().Sign(map[string]any{"iss": minttest.LiveIss, "iat": noon.Unix(), "handshake": evil}, map[string]any{"cat": "cl_B7d4PD222AAA"}),
		"an access token":        minttest.Good().Sign(map[string]any{"iss": minttest.LiveIss, "iat": noon.Unix(), "handshake": evil}, map[string]any{"typ": "at+jwt"}),
		"no list":                brought(map[string]any{"handshake": strings.Join(evil, ",")}),
		"a list of lists":        brought(map[string]any{"handshake": [][]string{evil}}),
		"nothing":                brought(nil),
		"a foreign party inside": brought(nil, sessionLines(mint(map[string]any{"sub": "user_evil", "azp": "https://evil.example.com"}))...),
		"a dead session inside":  brought(nil, sessionLines(stale(map[string]any{"sub": "user_evil"}))...),
		"a forged one inside":    brought(nil, sessionLines(minttest.Evil().Sign(claims(map[string]any{"sub": "user_evil"}), nil))...),
		"a pending one, no sid":  brought(nil, sessionLines(mint(map[string]any{"sub": "user_evil", "sid": nil}))...),
		"60 kB":                  strings.Repeat("e", 50<<10),
		"dots":                   "..", "one dot": ".", "no token": "x",
	} {
		for _, session := range []bool{true, false} {
			pairs := []string{"__clerk_handshake=" + token}
			want, person := 302, "-"
			if session {
				pairs = append(pairs, uat, "__session="+ordinary())
				want, person = 200, me
			}
			got := sendHTTP1(t, g, call{lines: []string{pageLoad, cookieLine(pairs...)}})
			if got.status != want || got.sets("__") {
				t.Errorf("%s, with a session %v: status %d %s, %q", name, session, got.status, got.reason, got.cookies())
			}
			g.only(t, name, person)
		}
	}
}

func unsignedPayload(directives []string) string {
	signed := brought(nil, directives...)
	return encoded(`{"alg":"none","kid":"`+minttest.Good().KeyID+`","typ":"JWT"}`) + "." + strings.Split(signed, ".")[1] + "."
}

// In production a payload is read from cookies, where Clerk puts it, and of page
// loads, which are all that a handshake comes back with. Else any link, form or
// script could make its reader somebody else.
func testCarriersOfPayloads(t *testing.T) {
	g := start(t, setup{clerk: backend(sessionLines(of("user_evil"))...)})
	token, session := brought(nil, sessionLines(of("user_evil"))...), cookie(ordinary())
	inQuery := []string{"/app?__clerk_handshake=" + token, "/app?__clerk_handshake_nonce=n0nce", "/app?%5F_clerk_handshake=" + token, "/app?a=1&__clerk_handshake_nonce=n0nce&__clerk_handshake=" + token}
	for _, target := range inQuery {
		for _, lines := range [][]string{{pageLoad}, {pageLoad, session}, {pageLoad, cookieLine(uat, "__session="+stale(nil))}} {
			got := sendHTTP1(t, g, call{target: target, lines: lines})
			if got.sets("__session") || strings.Contains(got.get("Location"), token) || strings.Contains(got.get("Location"), "n0nce") {
				t.Errorf("%.60s: status %d to %s, %q", target, got.status, got.get("Location"), got.cookies())
			}
			if slices.Contains(who(g.fresh(t)), "user_evil") {
				t.Errorf("%.60s: a link makes somebody else of its reader", target)
			}
		}
	}
	for _, carrier := range []string{"__clerk_handshake=" + token, "__clerk_handshake_nonce=n0nce"} {
		for name, c := range map[string]call{
			"POST of a form": {method: "POST", lines: []string{pageLoad, sameOrigin, nothing}},
			"POST of a site": {method: "POST", lines: []string{pageLoad, crossSite, nothing}},
			"fetch":          {lines: []string{fetched}},
			"image":          {lines: []string{"Sec-Fetch-Dest: image", crossSite}},
			"HEAD":           {method: "HEAD", lines: []string{pageLoad}},
			"a program":      {lines: []string{"Accept: */*"}},
			"prefetch":       {lines: []string{pageLoad, "Sec-Purpose: prefetch"}},
			"WebSocket":      {lines: []string{"Sec-Fetch-Dest: websocket", sameOrigin, "Connection: Upgrade", upgrade}},
			"preflight":      {method: "OPTIONS", lines: []string{"Origin: https://evil.example", "Access-Control-Request-Method: GET"}},
			"public page":    {target: "/public/x", lines: []string{pageLoad}},
			"sign-in page":   {target: "/_authproxy/sign-in", lines: []string{pageLoad}},
			"with a bearer":  {lines: []string{pageLoad, bearer(ordinary())}},
			"a bad bearer":   {lines: []string{pageLoad, bearer("a.b.c")}},
		} {
			got := sendHTTP1(t, g, c.with(cookieLine(carrier)))
			if got.sets("__session") || slices.Contains(who(g.fresh(t)), "user_evil") {
				t.Errorf("%s, %.24s: status %d %s, %q", name, carrier, got.status, got.reason, got.cookies())
			}
		}
	}
	if all := g.asked(); len(all) > 0 {
		t.Errorf("Clerk is asked: %s", all[0].Raw)
	}
	got := sendHTTP1(t, g, call{lines: []string{pageLoad, cookieLine("__clerk_handshake_nonce=n0nce")}})
	if got.status != 200 || !got.sets("__session") || len(g.asked()) != 1 {
		t.Errorf("a page load: status %d %s, %d calls", got.status, got.reason, len(g.asked()))
	}
	g.only(t, "a page load", "user_evil") // whose nonce it is; the others were told apart by what carried them
	for _, nonce := range []string{"../users", "a%2f..%2fusers", "a?b=c", "a&limit=1", "a#b", "a/b", `a"b`, strings.Repeat("n", 513)} {
		sendHTTP1(t, g, call{lines: []string{pageLoad, cookieLine("__clerk_handshake_nonce=" + nonce)}})
	}
	for _, r := range g.asked()[1:] {
		if r.Method != "GET" || r.Path() != "/v1/clients/handshake_payload" {
			t.Errorf("a nonce asks for %s %s", r.Method, r.Target)
		}
	}
}

// flaw is a session that a page load would have renewed.
type flaw struct {
	name  string
	lines []string
}

func flaws() []flaw {
	return []flaw{
		{"expired", []string{cookieLine(uat, "__session="+stale(nil))}},
		{"early", []string{cookieLine(uat, "__session="+mint(map[string]any{"iat": noon.Unix() + 600, "nbf": noon.Unix() + 600, "exp": noon.Unix() + 660}))}},
		{"no session", []string{cookieLine(uat)}},
		{"no uat", []string{cookieLine("__session=" + ordinary())}},
		{"older than uat", []string{cookieLine(fmt.Sprintf("__client_uat=%d", noon.Unix()+1), "__session="+ordinary())}},
		{"a link of another site", []string{cookie(ordinary()), "Referer: https://evil.example/"}},
	}
}

// Only a browser that loads a page or a frame is sent to Clerk, and never one that
// says who it is by itself.
func testOnlyPagesAreSentAway(t *testing.T) {
	g := start(t, setup{})
	never := map[string]call{
		"POST of a page":  {method: "POST", lines: []string{pageLoad, sameOrigin, nothing}},
		"PUT of a page":   {method: "PUT", lines: []string{pageLoad, sameOrigin, nothing}},
		"HEAD of a page":  {method: "HEAD", lines: []string{pageLoad}},
		"OPTIONS":         {method: "OPTIONS", lines: []string{pageLoad}},
		"fetch":           {lines: []string{fetched}},
		"fetch of HTML":   {lines: []string{fetched, "Accept: text/html"}},
		"image":           {lines: []string{"Sec-Fetch-Dest: image"}},
		"script":          {lines: []string{"Sec-Fetch-Dest: script"}},
		"embedded":        {lines: []string{"Sec-Fetch-Dest: embed"}},
		"JSON":            {lines: []string{"Accept: application/json"}},
		"JSON before":     {lines: []string{"Accept: application/json, text/html"}},
		"program":         {},
		"WebSocket":       {lines: []string{"Sec-Fetch-Dest: websocket", sameOrigin, "Connection: Upgrade", upgrade}},
		"events":          {lines: []string{fetched, "Accept: text/event-stream"}},
		"gRPC":            {method: "POST", lines: []string{"Content-Type: application/grpc", "TE: trailers", nothing}},
		"another word":    {lines: []string{"Sec-Fetch-Dest: Document", "Accept: text/html"}},
		"method override": {method: "POST", lines: []string{pageLoad, "X-HTTP-Method-Override: GET", nothing}},
	}
	for _, f := range flaws() {
		for name, c := range never {
			got := sendHTTP1(t, g, c.with(f.lines...))
			link := f.name == "a link of another site" // a flaw for page loads only
			if got.get("Location") != "" || got.sets("__") || !link && got.status != 401 || link && got.status != 200 && got.status != 101 {
				t.Errorf("%s, %s: status %d %s to %q", f.name, name, got.status, got.reason, got.get("Location"))
			}
			g.fresh(t)
		}
		for _, lines := range [][]string{{pageLoad}, {"Accept: text/html,*/*"}, {pageLoad, "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1"}} {
			got := sendHTTP1(t, g, call{lines: append(append(slices.Clone(lines), "Sec-Fetch-Mode: navigate"), f.lines...)})
			if want := "https://clerk.example.com/v1/client/handshake?"; got.status != 307 && (lines[0] == pageLoad || f.name != "a link of another site") || got.status == 307 && !strings.HasPrefix(got.get("Location"), want) {
				t.Errorf("%s, a page load: status %d %s to %q", f.name, got.status, got.reason, got.get("Location"))
			}
			g.fresh(t)
		}
	}
	testBearersStay(t, g)
}

// testBearersStay: a bearer decides alone, whatever cookies come with it.
func testBearersStay(t *testing.T, g *rig) {
	t.Helper()
	for name, token := range map[string]string{"expired": stale(nil), "garbage": "a.b.c", "forged": minttest.Evil().Sign(claims(nil), nil), "early": mint(map[string]any{"nbf": noon.Unix() + 600, "iat": noon.Unix() + 600, "exp": noon.Unix() + 700})} {
		for _, cookies := range []string{cookieLine("a=b"), cookieLine(uat, refreshCookie+"=r"), cookie(ordinary()), cookieLine(uat, "__clerk_handshake="+brought(nil, sessionLines(ordinary())...))} {
			got := sendHTTP1(t, g, call{lines: []string{pageLoad, cookies, bearer(token)}})
			if got.status != 401 || got.get("Location") != "" || got.sets("__") || len(g.fresh(t)) > 0 {
				t.Errorf("%s bearer, %.40s: status %d %s to %q", name, cookies, got.status, got.reason, got.get("Location"))
			}
		}
	}
}

// Which site links here is no more than a reason to ask Clerk once. Only the hosts
// of this very instance are no reason.
func testReferers(t *testing.T) {
	g := start(t, setup{})
	for referer, want := range map[string]int{
		"https://clerk.example.com/x": 200, "https://accounts.example.com/sign-in": 200, "https://app.example.com/x": 200,
		"https://accounts.attacker.com/": 307, "https://clerk.attacker.com/": 307, "https://x.accounts.dev/": 307, "https://accounts.lcl.dev/": 307, "https://accounts.example.com.evil.com/": 307,
		"https://evil.com/https://accounts.example.com/": 307, "https://accounts.example.com@evil.com/": 307, "http://accounts.example.com/": 307, "https://accounts.example.com:8443/": 307,
		"https://xaccounts.example.com/": 307, "https://app.example.com.evil.com/": 307, "https://app.example.com@evil.com/": 307, "http://app.example.com/": 307, "https://evil.com/?https://app.example.com/": 307,
		"": 200, "evil": 200, "//evil.com/": 200, "about:blank": 307, "::": 200, "https://[::1/": 200,
	} {
		got := sendHTTP1(t, g, call{lines: []string{pageLoad, cookie(ordinary()), "Referer: " + referer}})
		if got.status != want {
			t.Errorf("%q: status %d %s, want %d", referer, got.status, got.reason, want)
		}
		g.fresh(t)
		if got.status != 307 {
			continue
		}
		back := parameter(t, got.get("Location"), "redirect_url")
		if !strings.HasPrefix(back, minttest.App+"/app?") || strings.Contains(got.get("Location"), "evil") {
			t.Errorf("%q: sent to %s", referer, got.get("Location"))
		}
		// Back from there, the same page with the same Referer is not sent again.
		again := sendHTTP1(t, g, call{target: strings.TrimPrefix(back, minttest.App), lines: []string{pageLoad, cookie(ordinary()), "Referer: " + referer}})
		if again.status != 200 {
			t.Errorf("%q, back again: status %d %s", referer, again.status, again.reason)
		}
		g.only(t, referer, me)
	}
}

// keptForEver is an application that has everything kept; a path of a number is
// answered with that status, and 0 with none.
func keptForEver(r *wiretest.Request) wiretest.Reply {
	status, body := 200, "\r\nok"
	if _, err := fmt.Sscanf(r.Target, "/%d", &status); err == nil && status == 0 {
		return wiretest.Reply{Bytes: "\r", Close: true}
	}
	head := "HTTP/1.1 %d X\r\nCache-Control: public, max-age=600\r\nExpires: Thu, 01 Jan 2037 00:00:00 GMT\r\nSurrogate-Control: max-age=600\r\nCDN-Cache-Control: max-age=600\r\nX-Accel-Expires: 600\r\nETag: \"1\"\r\n"
	if r.Has("Upgrade") {
		return wiretest.Reply{Tunnel: true, Bytes: fmt.Sprintf(head, 101) + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"}
	}
	if status == 304 {
		return wiretest.Reply{Bytes: fmt.Sprintf(head, status) + "\r\n"}
	}
	return wiretest.Reply{Bytes: fmt.Sprintf(head, status) + "Content-Length: 2\r\n" + body}
}

// Nobody keeps an answer that is ours, or that holds somebody's session.
func testNothingIsKept(t *testing.T) {
	g := start(t, setup{clerk: backend(sessionLines(ordinary())...), answer: keptForEver})
	renewed := cookieLine(uat, "__session="+stale(nil), refreshCookie+"=r")
	for name, c := range map[string]struct {
		call   call
		status int
	}{
		"unchanged":        {call{target: "/304", lines: []string{renewed, `If-None-Match: "1"`}}, 304},
		"not there":        {call{target: "/404", lines: []string{renewed}}, 404},
		"moved":            {call{target: "/301", lines: []string{renewed}}, 301},
		"a fault of it":    {call{target: "/500", lines: []string{renewed}}, 500},
		"out of reach":     {call{target: "/0", lines: []string{renewed}}, 502},
		"WebSocket":        {call{lines: []string{renewed, sameOrigin, "Connection: Upgrade", upgrade}}, 101},
		"sign-in":          {call{lines: []string{pageLoad}}, 302},
		"handshake":        {call{lines: []string{pageLoad, cookieLine(uat)}}, 307},
		"refused":          {call{}, 401},
		"refused page":     {call{lines: []string{pageLoad, cookie("a.b.c")}}, 401},
		"cross-origin":     {call{method: "POST", lines: []string{cookie(ordinary()), crossSite, nothing}}, 403},
		"nothing there":    {call{target: "/_authproxy/x"}, 404},
		"foreign host":     {call{host: "evil.example"}, 421},
		"ambiguous":        {call{target: "/a/../b"}, 400},
		"no such method":   {call{method: "TRACE"}, 405},
		"sign-in path":     {call{target: "/_authproxy/sign-in"}, 302},
		"sign-out page":    {call{target: "/_authproxy/sign-out"}, 200},
		"signed out":       {call{method: "POST", target: "/_authproxy/sign-out", lines: []string{nothing}}, 303},
		"script":           {call{target: "/_authproxy/session.js"}, 200},
		"refreshed":        {call{lines: []string{renewed}}, 200},
		"refreshed POST":   {call{method: "POST", lines: []string{renewed, sameOrigin, nothing}}, 200},
		"back from Clerk":  {call{lines: []string{pageLoad, cookieLine("__clerk_handshake=" + brought(nil, sessionLines(ordinary())...))}}, 200},
		"signed out there": {call{lines: []string{pageLoad, cookieLine("__clerk_handshake=" + brought(nil, "__session=; Max-Age=0", "__client_uat=0"))}}, 302},
	} {
		got := sendHTTP1(t, g, c.call)
		if got.status != c.status || !strings.Contains(got.get("Cache-Control"), "no-store") || strings.Contains(got.get("Cache-Control"), "public") {
			t.Errorf("%s: status %d %s, want %d; Cache-Control %q", name, got.status, got.reason, c.status, got.get("Cache-Control"))
		}
		for _, other := range []string{"Expires", "Surrogate-Control", "CDN-Cache-Control", "X-Accel-Expires"} {
			if got.get(other) != "" {
				t.Errorf("%s: %s: %s", name, other, got.get(other))
			}
		}
		session := strings.Contains(strings.Join(c.call.lines, ""), renewed)
		if session != got.sets("__session") && name != "back from Clerk" || len(got.cookies()) > 0 && c.status == 200 && !strings.Contains(got.get("Vary"), "Cookie") {
			t.Errorf("%s: status %d, Vary %q, %q", name, got.status, got.get("Vary"), got.cookies())
		}
	}
}
