package threats_test

import (
	"encoding/json"
	"html"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/testneed"
)

func redirectThreats() []threat {
	return []threat{
		{"RD-01", func(t *testing.T) { leadHome(t, elsewhereByPath()) }},
		{"RD-02", func(t *testing.T) {
			leadHome(t, elsewhereByLabel())
			t.Run("satellites", testWhereSatellitesAreAnswered)
		}},
		{"RD-03", func(t *testing.T) { leadHome(t, elsewhereByAuthority()) }},
		{"RD-05", testSignOutLeadsHome},
		{"RD-06", testNoSplitAnswers},
		{"RD-07", testForwardedAddresses},
		{"RD-08", testNoOtherRedirects},
		{"RD-10", testAsBrowsersRead},
	}
}

// elsewhereByPath are redirect_urls that look like a path and are, to some parser
// or after some decoding, another host.
func elsewhereByPath() []string {
	all := []string{`\evil.com`, "evil.com", "./evil.com", "..//evil.com", "?//evil.com", "#//evil.com", ""}
	for _, before := range []string{
		"//", "///", "////", `/\`, `\/`, `\\`, `/\/`, `\//`, `//\`, "/\t/", "\t//", "/\n/", "\n//", "/\r/", " //", "/ /", "/\v/", "/\f/", "/\x00/", "\x00//", "/\x01//", "\x1f//",
		"/\u00a0/", "/\u2028/", "/\ufeff/", "\u3000//", "/\u0085/", "\xa0//", "/%2f", "/%2F", "%2f%2f", "%2f/", "/%5c", "/%5C%5c", "%5c%5c", "/%09/", "/%0a/", "/%0d/", "/%20/", "/%00/", "/%c2%a0/", "/%e2%80%a8/",
		"/%252f", "/%255c", "/%2509/", `/.\`, `/./\`, `/..\`, `/x\..\..\`, `/\x/../`, "/\t\t/\t/", "/%2f%2f", "/%5c%5c", "/%2f%5c", "/\\\t/", "//\t/", "/\u2215\u2215\\", "/%ef%bc%8f\\", "//;@", "///;/",
	} {
		all = append(all, before+"evil.com", before+"evil.com/%2e%2e", before+"evil.com:443/?x#y", before+"[::1]/", before+"2130706433/", before+"app.example.com@evil.com")
	}
	return all
}

// elsewhereByLabel are hosts that end, begin or look like one of ours.
func elsewhereByLabel() []string {
	var all []string
	for _, host := range []string{
		"badexample.com", "xapp.example.com", "bad-app.example.com", "app.example.com.evil.com", "app.example.comevil.com", "app.example.com.", "example.com", "www.app.example.com", "app-example.com", "app.example.co", "app.example.com:444", "app.example.com:80", "app.example.com:4430", "app.example.com:",
		"app.example.com:0443", "app.example.com:+443", "app.example.com:443:80", "app.example.com%2eevil.com", "app.example.com。evil.com", "app.example.com．evil.com", "app.example.com\u200b", "\u00adapp.example.com", "app.exämple.com", "xn--app-.example.com", "app.example.com\x00.evil.com", "app.example.com%00.evil.com",
		"app.example.com;evil.com", "app.example.com,evil.com", "app.example.com evil.com", "127.0.0.1", "[::1]", "[app.example.com]", "0x7f.1", "accounts.example.com", "clerk.example.com", "localhost", "", "{app.example.com}", "app_example.com",
	} {
		all = append(all, "https://"+host, "https://"+host+"/x", "https://"+host+"?x", "https://"+host+"#x", `https://`+host+`\x`)
	}
	return append(all, "http://app.example.com", "http://app.example.com:443/", "ftp://app.example.com/", "ws://app.example.com/", "blob:https://app.example.com/x", "view-source:https://app.example.com/", "filesystem:https://app.example.com/x", "intent://app.example.com/")
}

// elsewhereByAuthority confuse user information, host and scheme.
func elsewhereByAuthority() []string {
	return []string{
		"https://app.example.com@evil.com", "https://app.example.com:443@evil.com/", "https://u:p@app.example.com/", "https://@app.example.com/", "https://app.example.com@evil.com@app.example.com/", `https://evil.com\@app.example.com`, `https://app.example.com\@evil.com`,
		"https://app.example.com%40evil.com", "https://evil.com%40app.example.com", "https://evil.com#@app.example.com", "https://evil.com?@app.example.com", "https://evil.com/@app.example.com", "https://evil.com;@app.example.com/", "https://app.example.com;@evil.com/",
		"https:evil.com", "https:/evil.com", "https:///evil.com", "https:////evil.com", `https:\\evil.com`, `https:/\evil.com`, `https:\/evil.com`, "https:app.example.com", "https:/app.example.com", "https:///app.example.com", `https:\\app.example.com`, "https://\tevil.com", "ht\ntps://evil.com", "\thttps://evil.com", " https://evil.com", "\x00https://evil.com",
		"https://[app.example.com]@evil.com", "https://app.example.com[@evil.com", "https://app.example.com]@evil.com", "https://[::1]app.example.com", "https://app.example.com:@evil.com", "https://app.example.com:x@evil.com/", "https://app.example.com:443:@evil.com", "https://app.example.com://evil.com", "https://app.example.com:/evil.com",
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "javascript://app.example.com/%0aalert(1)", "data:text/html,x", "vbscript:x", "about:blank", "file:///etc/passwd", "mailto:x@app.example.com", "//app.example.com@evil.com", "//u@app.example.com", "://evil.com", "https", "https:", "https://", ":", "@evil.com", "https://app.example.com/\\evil", "https://app.example.com//evil.com", `https://app.example.com/\/evil.com`,
	}
}

// led is where a redirect_url leads from the pages that take one.
type led struct{ signIn, signOut, byQuery, shown string }

// lead asks all of them.
func lead(t *testing.T, g *rig, raw string) led {
	t.Helper()
	query := "redirect_url=" + escape(raw)
	shown := sendHTTP1(t, g, call{target: "/_authproxy/sign-out?" + query})
	value := regexp.MustCompile(`name="redirect_url" value="([^"]*)"`).FindStringSubmatch(shown.body)
	if value == nil {
		t.Fatalf("%q: the sign-out page shows nothing: status %d\n%s", raw, shown.status, shown.body)
	}
	signIn := sendHTTP1(t, g, call{target: "/_authproxy/sign-in?" + query}).get("Location")
	if !strings.HasPrefix(signIn, "https://accounts.example.com/sign-in?redirect_url=") {
		t.Errorf("%q: sign-in leads to %s", raw, signIn)
	}
	return led{
		signIn: parameter(t, signIn, "redirect_url"), shown: html.UnescapeString(value[1]),
		signOut: sendHTTP1(t, g, form("/_authproxy/sign-out", query, sameOrigin)).get("Location"),
		byQuery: sendHTTP1(t, g, call{method: "POST", target: "/_authproxy/sign-out?" + query, lines: []string{sameOrigin, nothing}}).get("Location"),
	}
}

func (l led) all() []string { return []string{l.signIn, l.signOut, l.byQuery, l.shown} }

// leadHome expects that none of these redirect_urls leads anywhere but to the first
// page of the application.
func leadHome(t *testing.T, hostile []string) {
	t.Helper()
	g := start(t, setup{env: []string{"AUTHPROXY_PUBLIC_URL=" + minttest.App + ",https://other.example.com:8443", "AUTHPROXY_AUTHORIZED_PARTIES=https://evil.com"}})
	for _, raw := range hostile {
		for i, location := range lead(t, g, raw).all() {
			if location != minttest.App+"/" {
				t.Errorf("%q leads to %q (%d)", raw, location, i)
			}
		}
	}
	for raw, want := range map[string]string{"/x?a=1#b": minttest.App + "/x?a=1#b", "https://other.example.com:8443/y": "https://other.example.com:8443/y", minttest.App: minttest.App} {
		for i, location := range lead(t, g, raw).all() {
			if location != want {
				t.Errorf("%q leads to %q (%d)", raw, location, i)
			}
		}
	}
}

// A satellite of a development instance is answered at an origin that was named,
// and in production none is: the answer holds the browser's token.
func testWhereSatellitesAreAnswered(t *testing.T) {
	g := start(t, develop("AUTHPROXY_AUTHORIZED_PARTIES=https://sat.example,chrome-extension://abc"))
	live := start(t, setup{env: []string{"AUTHPROXY_AUTHORIZED_PARTIES=https://sat.example"}})
	browser := cookieLine("__clerk_db_jwt=dvb_s3cret", "__client_uat=0")
	for _, raw := range append(slices.Concat(elsewhereByPath(), elsewhereByLabel(), elsewhereByAuthority()),
		"https://sat.example.evil.com/", "https://xsat.example/", "http://sat.example/", "https://sat.example:8443/", "https://u@sat.example/", `https://sat.example\.evil.com/`, "https://sat.example%2eevil.com/", "chrome-extension://abc/x", "/x", "//sat.example/x", "sat.example") {
		got := sendHTTP1(t, g, call{target: "/app?__clerk_redirect_url=" + escape(raw), lines: []string{pageLoad, browser}})
		if got.status == 307 && strings.Contains(got.get("Location"), "dvb_s3cret") && !strings.HasPrefix(got.get("Location"), minttest.App+"/") && !strings.HasPrefix(got.get("Location"), minttest.App+"?") {
			t.Errorf("%q is answered at %s", raw, got.get("Location"))
		}
	}
	got := sendHTTP1(t, g, call{target: "/app?__clerk_redirect_url=" + escape("https://sat.example/x?a=1&__clerk_synced=false"), lines: []string{pageLoad, browser}})
	if want := "https://sat.example/x?__clerk_db_jwt=dvb_s3cret&__clerk_synced=true&a=1"; got.status != 307 || got.get("Location") != want || got.get("Referrer-Policy") != "no-referrer" {
		t.Errorf("a satellite: status %d to %s, want %s", got.status, got.get("Location"), want)
	}
	for _, raw := range []string{"https://sat.example/x", "https://evil.com/"} {
		got := sendHTTP1(t, live, call{target: "/app?__clerk_redirect_url=" + escape(raw), lines: []string{pageLoad, browser}})
		if !strings.HasPrefix(got.get("Location"), "https://accounts.example.com/sign-in?") || strings.Contains(got.get("Location"), "evil") || strings.Contains(got.get("Location"), "sat.example") {
			t.Errorf("%q in production: status %d to %s", raw, got.status, got.get("Location"))
		}
	}
}

// Signing out leads where signing in does, in whatever state one is, and however
// the address is sent.
func testSignOutLeadsHome(t *testing.T) {
	for _, env := range [][]string{nil, {"CLERK_SECRET_KEY="}, {"AUTHPROXY_CSRF=off"}} {
		g := start(t, setup{env: env, clerk: backend()})
		for _, raw := range []string{"https://evil.com", "//evil.com", `/\evil.com`, "https://app.example.com@evil.com/", "javascript:alert(1)"} {
			field := "redirect_url=" + escape(raw)
			for name, c := range map[string]call{
				"twice":         form("/_authproxy/sign-out?"+field, field+"&redirect_url=/x&ended=1", sameOrigin),
				"form wins":     form("/_authproxy/sign-out?redirect_url=/x", field+"&ended=1", sameOrigin),
				"other names":   form("/_authproxy/sign-out?return_to="+escape(raw)+"&next="+escape(raw)+"&Redirect_URL="+escape(raw), "ended=1&redirect%5Furl="+escape(raw)+"&url="+escape(raw), sameOrigin),
				"encoded twice": form("/_authproxy/sign-out", "ended=1&redirect_url="+escape(escape(raw)), sameOrigin),
				"headers":       form("/_authproxy/sign-out", "ended=1", sameOrigin, "Referer: "+raw, "X-Redirect-Url: "+raw, "X-Forwarded-Host: evil.com"),
				"by nobody":     form("/_authproxy/sign-out", "ended=1&"+field),
				"by a bearer":   form("/_authproxy/sign-out", "ended=1&"+field, bearer(ordinary())),
			} {
				if got := sendHTTP1(t, g, c); got.status != 303 || got.get("Location") != minttest.App+"/" {
					t.Errorf("%v, %s, %q: status %d to %q", env, name, raw, got.status, got.get("Location"))
				}
			}
		}
	}
}

// A line break that comes by any way stays out of the answer's head.
func testNoSplitAnswers(t *testing.T) {
	g := start(t, setup{})
	for _, evil := range []string{"%0d%0aX-Evil:%201", "%0aX-Evil:%201", "%0dX-Evil:%201", "%00", "%e5%98%8a%e5%98%8dX-Evil:%201", "%250d%250aX-Evil:%201", "%c4%8d%c4%8aX-Evil:%201", "%0b", "%7f", "%c2%85X-Evil:%201"} {
		for _, c := range []call{
			{target: "/_authproxy/sign-in?redirect_url=/x" + evil}, {target: "/_authproxy/sign-in?redirect_url=" + escape(minttest.App) + "/?" + evil}, {target: "/_authproxy/sign-in?redirect_url=/x%23" + evil},
			form("/_authproxy/sign-out", "redirect_url=/x?"+evil, sameOrigin), form("/_authproxy/sign-out?redirect_url="+evil, "", sameOrigin), form("/_authproxy/sign-out", "redirect_url=/x%23"+evil, sameOrigin),
			{target: "/app" + evil, lines: []string{pageLoad}}, {target: "/app?a=" + evil, lines: []string{pageLoad}}, {target: "/app?a=" + evil, lines: []string{pageLoad, cookieLine(uat)}},
			{target: "/app", lines: []string{pageLoad, cookieLine(uat, "__session=a"+evil+".b.c")}}, {target: "/app?__clerk_redirect_url=" + evil + "&__clerk_redirect_count=" + evil, lines: []string{pageLoad, cookieLine(uat)}},
		} {
			got := sendHTTP1(t, g, c)
			if got.get("X-Evil") != "" || strings.ContainsFunc(got.get("Location"), func(r rune) bool { return r <= ' ' || r > '~' }) || got.status >= 500 || got.status == 0 {
				t.Errorf("%s: status %d, %q", c.target, got.status, got.headers)
			}
		}
	}
}

// asBrowsersRead says how the URL standard reads addresses on a page of the
// application: the origin, and all of it.
func asBrowsersRead(t *testing.T, addresses []string) [][2]string {
	t.Helper()
	const program = `const all = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(all.map((a) => { try { const u = new URL(a, "https://app.example.com/page"); return [u.origin, u.href]; } catch { return ["", ""]; } })));`
	in, err := json.Marshal(addresses)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), testneed.Tool(t, "node"), "-e", program)
	node.Stdin = strings.NewReader(string(in))
	out, err := node.Output()
	if err != nil {
		t.Fatal(err)
	}
	var read [][2]string
	if err := json.Unmarshal(out, &read); err != nil || len(read) != len(addresses) {
		t.Fatalf("%d of %d: %v", len(read), len(addresses), err)
	}
	return read
}

// Wherever we lead, a browser is on the application then; and what is accepted of a
// redirect_url is what a browser would have made of it.
func testAsBrowsersRead(t *testing.T) {
	testneed.Tool(t, "node")
	g := start(t, setup{})
	hostile := slices.Concat(elsewhereByPath(), elsewhereByLabel(), elsewhereByAuthority())
	for _, path := range []string{"/", "/x", "/x/../y", "/x?a=b", "/x#y", "/x?u=https://evil.com//", "/x?u=\\\\evil.com", "/x;y", "/é", "/x%20y", "/%e2%82%ac", "/x:y", "/@evil.com", "/x@evil.com", "/:80", "/.", "/..", "/.evil.com", "/x//y", "/~x", "/x|y", "/x'\"<>`{}^", "/%zz", "/%", "/x?%", "/%25252fevil.com", "/%a0/evil.com", "?x", "#x"} {
		hostile = append(hostile, path, minttest.App+path)
	}
	r := seeded(10)
	pieces := []string{"/", "//", `\`, "\t", "\n", " ", "%2f", "%5c", "%09", ".", "..", "@", ":", "?", "#", "evil.com", "app.example.com", "https:", "https://", "http://", "%00", "\u00a0", "\u2028", "。", ";", "x", "%25", "[::1]", "HTTPS://APP.EXAMPLE.COM"}
	for range 400 {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(pick(r, pieces))
		}
		hostile = append(hostile, b.String())
	}
	var locations []string
	for _, raw := range hostile {
		l := lead(t, g, raw)
		if l.shown != l.signOut && asASCII(l.shown) != l.signOut || l.signIn != l.shown || l.byQuery != l.signOut {
			t.Errorf("%q leads to %q", raw, l.all())
		}
		locations = append(locations, l.signOut)
	}
	meant, read := asBrowsersRead(t, hostile), asBrowsersRead(t, locations)
	for i, raw := range hostile {
		if read[i][0] != minttest.App {
			t.Errorf("%q: the browser reads %q as %q", raw, locations[i], read[i][1])
		}
		trailing := strings.TrimRight(locations[i], "%20") // which browsers cut off, and the answer escapes
		if locations[i] != minttest.App+"/" && meant[i] != read[i] && (meant[i][0] != minttest.App || !strings.HasPrefix(meant[i][1], trailing)) {
			t.Errorf("%q means %q and leads to %q", raw, meant[i][1], read[i][1])
		}
	}
}

// asASCII is the address as a header can hold it.
func asASCII(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > ' ' && c <= '~' {
			b.WriteByte(c)
		} else {
			b.WriteString(url.PathEscape(s[i : i+1]))
		}
	}
	return b.String()
}
