package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/manageros/authproxy/internal/minttest"
)

// dimension is one thing in which requests differ. The first choice is the one
// that matters least; how often the others are taken is share, in percent.
type dimension struct {
	name    string
	share   int
	choices []string
}

var uats = []string{"", "0", "before", "at", "after", "before expired", "at expired", "after expired", "abc", "12abc", "-1", "1e20", "empty"}

// dimensions span the requests. Those of the configuration come first.
var dimensions = []dimension{
	{"instance", 50, []string{"prod", "dev"}},
	{"topology", 20, []string{"", "satellite", "satellite auto", "satellite proxy"}},
	{"proxy", 15, []string{"", "absolute", "relative", "elsewhere"}},
	{"organizations", 25, []string{"", "slug", "id", "slug only"}},
	{"parties", 30, []string{"", "app", "other"}},
	{"audience", 10, []string{"", "mine"}},
	{"issuer", 10, []string{"", "instance"}},
	{"keys", 3, []string{"", "remote"}},

	{"path", 40, []string{"/dash", "/orgs/acme", "/orgs/beta/settings", "/me", "/me/x", "/", "/a%20b/c", "/organizations/org_acme", "/organizations/org_beta/x", "/orgs"}},
	{"query", 30, []string{"", "a=1", "a=b%20c&x=~&y", "a=1&a=2", "b+c=d+e", "u=https%3A%2F%2Fother.example%2F%3Fq%3D1", "__dev_session=x&z=1", "__clerk_help=1", "__clerk_status=verified"}},
	{"method", 20, []string{"GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"}},
	{"dest", 30, []string{"document", "iframe", "empty", "absent", "absent", "image"}},
	{"accept", 30, []string{"text/html", "text/html,*/*;q=0.8", "*/*", "application/xhtml+xml,text/html", "absent", "TEXT/HTML"}},
	{"site", 40, []string{"", "same-origin", "cross-site", "none", "same-site"}},
	{"purpose", 3, []string{"", "prefetch"}},

	{"plain", 70, append([]string{"", "ok", "ok", "ok", "ok", "ok", "ok", "ok", "expired", "expired", "expired", "expired", "expired", "org acme", "org acme"}, tokenKinds[1:]...)},
	{"suffixed", 45, append([]string{"", "ok", "ok", "ok", "ok", "ok", "ok", "expired", "expired", "expired", "older", "older"}, tokenKinds[1:]...)},
	{"plain uat", 80, append([]string{"", "before", "before", "before", "before", "before", "before", "before expired", "before expired", "before expired"}, uats[1:]...)},
	{"suffixed uat", 55, append([]string{"", "before", "before", "before", "before", "before", "before expired", "before expired", "0"}, uats[1:]...)},
	{"refresh", 40, []string{"", "suffixed", "suffixed", "suffixed", "suffixed", "plain", "both", "empty"}},
	{"refreshed", 70, []string{"", "ok", "ok", "ok", "ok suffixed", "known code", "unknown code", "unexpected_error", "500", "500 text", "empty list", "unverifiable", "expired", "no session", "pending", "no list", "429", "hostile"}},
	{"browser", 60, []string{"", "plain", "plain", "plain", "suffixed", "both", "query", "query and plain", "empty query"}},
	{"back", 12, []string{"", "token cookie", "token query", "nonce cookie", "nonce query", "token and nonce cookie", "token query, nonce cookie", "token query and cookie", "two token cookies"}},
	{"brought", 70, []string{"ok", "suffixed", "signed out", "bad signature", "malformed", "template", "empty list", "no list", "expired", "expired 2 days", "early", "session of a foreign key", "foreign iss", "pending", "unknown nonce", "old", "expired itself", "hostile", "azp foreign", "machine"}},

	{"count", 30, []string{"", "0", "1", "2", "3", "3", "4", "3.0", "abc"}},
	{"count in query", 5, []string{"", "1", "2", "3", "abc"}},
	{"referer", 30, []string{"", "https://app.example.com/x", "https://www.google.com/", "https://www.google.com/", "https://sat.com/x", "http://app.example.com/", "https://app.example.com:8443/", "https://APP.example.com:443/x",
		"https://accounts.example.com/sign-in", "https://clerk.example.com/", "https://foo-bar-13.accounts.dev/sign-in", "https://happy-otter-12.clerk.accounts.dev/x", "https://happy-otter-12.accounts.dev/", "https://accounts.app.lclclerk.com/", "https://evil.clerk.accounts.dev/",
		"https://proxy.example.net/x", "not a url", "android-app://com.example/", "about:blank"}},
	{"bearer", 8, []string{"", "ok", "ok", "expired", "expired", "bad signature", "x.y", "template", "pending", "no sid", "raw ok", "lower ok", "basic", "alone", "two spaces", "early", "azp foreign"}},
	{"synced", 15, []string{"", "true", "false", "other"}},
	{"redirect url", 10, []string{"", "https://sat.com/x", "https://sat.com/x?__clerk_synced=false&q=1", "https://app.example.com/y", "https://evil.example/z"}},
	{"extra", 10, []string{"", "other cookies", "session twice", "session percent-encoded"}},
}

// genes are what was chosen in each dimension; one that is missing is the first.
type genes map[string]string

// plausible are requests that lead far into Clerk's rules; few things are changed
// about them.
var plausible = []genes{
	{"plain": "ok", "plain uat": "before"},
	{"plain": "ok", "plain uat": "before", "instance": "dev", "browser": "plain"},
	{"suffixed": "ok", "suffixed uat": "before", "referer": "https://www.google.com/"},
	{"plain": "expired", "plain uat": "before expired", "refresh": "suffixed", "refreshed": "ok"},
	{"suffixed": "expired", "suffixed uat": "before expired", "refresh": "suffixed", "refreshed": "ok suffixed", "method": "POST", "site": "same-origin"},
	{"plain": "expired", "plain uat": "before expired", "suffixed": "older", "suffixed uat": "0", "refresh": "suffixed", "refreshed": "ok"},
	{"plain": "org beta", "plain uat": "before", "organizations": "slug", "path": "/orgs/acme"},
	{"plain": "org acme", "plain uat": "before", "organizations": "id", "path": "/organizations/org_beta/x", "count": "1"},
	{"back": "token cookie", "brought": "suffixed"},
	{"back": "nonce cookie", "plain uat": "before"},
	{"back": "nonce query", "instance": "dev", "browser": "plain"},
	{"back": "token query", "instance": "dev", "browser": "both", "count": "1", "count in query": "1"},
	{"topology": "satellite", "plain": "ok", "plain uat": "before"},
	{"topology": "satellite auto", "instance": "dev", "browser": "plain"},
	{"bearer": "ok", "dest": "empty"},
	{"plain": "fea malformed", "plain uat": "before", "referer": "https://www.google.com/"},
}

// randomGenes changes everything about nothing, or a little about something
// plausible.
func randomGenes(r *rand.Rand) genes {
	g, little := genes{}, 1
	if r.IntN(3) > 0 {
		g, little = maps.Clone(plausible[r.IntN(len(plausible))]), 4
	}
	for _, d := range dimensions {
		if r.IntN(100*little) < d.share {
			g[d.name] = d.choices[r.IntN(len(d.choices))]
		}
	}
	return g
}

func (g genes) get(name string) string {
	if choice, chosen := g[name]; chosen {
		return choice
	}
	i := slices.IndexFunc(dimensions, func(d dimension) bool { return d.name == name })
	return dimensions[i].choices[0]
}

// builder makes a request of genes.
type builder struct {
	genes
	mint    mint
	asked   asked
	issuer  string // of the instance's tokens
	suffix  string
	cookies []string
	query   []string
}

func (g genes) build(id string, m mint) *asked {
	b := &builder{genes: g, mint: m, asked: asked{ID: id, Now: differentialNow, Method: g.get("method"), Headers: map[string]string{"host": "app.example.com", "x-forwarded-proto": "https"}}}
	b.options()
	b.headers()
	if q := b.get("query"); q != "" {
		b.query = append(b.query, q)
	}
	b.sessions()
	b.renewal()
	if g.get("extra") == "other cookies" {
		b.cookies = append(append([]string{"a=b", "__other=1"}, b.cookies...), `q="x;y"`)
	}
	if len(b.cookies) > 0 {
		b.asked.Headers["cookie"] = strings.Join(b.cookies, "; ")
	}
	b.asked.URL = "https://app.example.com" + b.get("path")
	if len(b.query) > 0 {
		b.asked.URL += "?" + strings.Join(b.query, "&")
	}
	return &b.asked
}

func (b *builder) options() {
	o := &b.asked.Options
	*o = options{PublishableKey: minttest.LiveKey, SecretKey: "sk_live_oracle"}
	b.issuer, b.suffix = minttest.LiveIss, minttest.LiveSuff
	if b.get("instance") == "dev" {
		*o = options{PublishableKey: minttest.TestKey, SecretKey: "sk_test_oracle"}
		b.issuer, b.suffix = minttest.TestIss, minttest.TestSuff
	}
	switch b.get("proxy") {
	case "absolute":
		o.ProxyURL = "https://app.example.com/__clerk"
	case "relative":
		o.ProxyURL = "/__clerk"
	case "elsewhere":
		o.ProxyURL = "https://proxy.example.net/clerk"
	}
	if topology := b.get("topology"); topology != "" {
		o.IsSatellite, o.SatelliteAutoSync = true, topology == "satellite auto"
		if topology == "satellite proxy" {
			o.ProxyURL = "https://proxy.example.net/clerk"
		} else if o.Domain = "sat.com"; o.production() {
			b.issuer = "https://clerk.sat.com"
		}
		if !o.production() {
			o.SignInURL = "https://primary.example.com/sign-in?x=1"
		}
	}
	switch b.get("organizations") {
	case "slug":
		o.OrganizationSyncOptions = &organizationOptions{[]string{"/orgs/:slug", "/orgs/:slug/(.*)"}, []string{"/me", "/me/(.*)"}}
	case "id":
		o.OrganizationSyncOptions = &organizationOptions{[]string{"/organizations/:id", "/organizations/:id/(.*)"}, []string{"/dash"}}
	case "slug only":
		o.OrganizationSyncOptions = &organizationOptions{OrganizationPatterns: []string{"/orgs{/:slug}?/(.*)?"}}
	}
	switch b.get("parties") {
	case "app":
		o.AuthorizedParties = []string{minttest.App}
	case "other":
		o.AuthorizedParties = []string{"https://other.example.com"}
	case "app and other":
		o.AuthorizedParties = []string{minttest.App, "https://other.example.com"}
	}
	o.Audience = b.get("audience")
	switch b.get("issuer") {
	case "instance":
		o.Issuer = oneOrMore{b.issuer}
	case "all of ours":
		o.Issuer = oneOrMore{minttest.LiveIss, minttest.TestIss, b.issuer}
	}
	o.UseRemoteJwks = b.get("keys") == "remote"
}

func (b *builder) headers() {
	set := func(name, value string) {
		if value != "" && value != "absent" {
			b.asked.Headers[name] = value
		}
	}
	set("sec-fetch-dest", b.get("dest"))
	set("accept", b.get("accept"))
	set("sec-fetch-site", b.get("site"))
	set("sec-purpose", b.get("purpose"))
	set("referer", b.get("referer"))
	token := func(kind string) string { return b.mint.token(kind, "bearer", b.issuer) }
	switch kind := b.get("bearer"); kind {
	case "":
	case "raw ok":
		set("authorization", token("ok"))
	case "lower ok":
		set("authorization", "bearer "+token("ok"))
	case "basic":
		set("authorization", "Basic eDp5")
	case "alone":
		set("authorization", "Bearer")
	case "two spaces":
		set("authorization", "Bearer  "+token("ok"))
	default:
		set("authorization", "Bearer "+token(kind))
	}
}

func (b *builder) cookie(name, value string) { b.cookies = append(b.cookies, name+"="+value) }

func (b *builder) sessions() {
	plain, suffixed := b.mint.token(b.get("plain"), "plain", b.issuer), b.mint.token(b.get("suffixed"), "suffixed", b.issuer)
	if plain != "" {
		switch b.get("extra") {
		case "session percent-encoded":
			plain = strings.ReplaceAll(plain, ".", "%2E")
		case "session percent-encoded twice":
			plain = strings.ReplaceAll(plain, ".", "%252E")
		}
		b.cookie("__session", plain)
	}
	if b.get("extra") == "session twice" {
		b.cookie("__session", b.mint.token("ok", "second", b.issuer))
	}
	if uat, there := uatOf(b.get("plain uat")); there {
		b.cookie("__client_uat", uat)
	}
	if suffixed != "" {
		b.cookie("__session_"+b.suffix, suffixed)
	}
	if uat, there := uatOf(b.get("suffixed uat")); there {
		b.cookie("__client_uat_"+b.suffix, uat)
	}
	switch b.get("refresh") {
	case "suffixed":
		b.cookie("__refresh_"+b.suffix, "rt_1")
	case "plain":
		b.cookie("__refresh", "rt_0")
	case "both":
		b.cookie("__refresh", "rt_0")
		b.cookie("__refresh_"+b.suffix, "rt_1")
	case "empty":
		b.cookie("__refresh_"+b.suffix, "")
	}
	if count := b.get("count"); count != "" {
		b.cookie("__clerk_redirect_count", count)
	}
}

// uatOf is a __client_uat; the tokens are issued 20 and, expired, 90 seconds ago.
func uatOf(choice string) (value string, there bool) {
	const fresh, expired = differentialNow - 20, differentialNow - 90
	at, known := map[string]int{
		"before": fresh - 1, "at": fresh, "after": fresh + 1, "before expired": expired - 1, "at expired": expired, "after expired": expired + 1,
	}[choice]
	switch {
	case known:
		return fmt.Sprint(at), true
	case choice == "empty":
		return "", true
	}
	return choice, choice != ""
}

// renewal adds what a handshake and a refresh go by.
func (b *builder) renewal() {
	switch choice := b.get("browser"); choice {
	case "plain", "both", "query and plain":
		b.cookie("__clerk_db_jwt", "dvb_plain")
	}
	switch b.get("browser") {
	case "suffixed", "both":
		b.cookie("__clerk_db_jwt_"+b.suffix, "dvb_suffixed")
	case "query", "query and plain":
		b.query = append(b.query, "__clerk_db_jwt=dvb_query")
	case "empty query":
		b.query = append(b.query, "__clerk_db_jwt=")
	}
	for _, p := range [][2]string{{"synced", "__clerk_synced"}, {"count in query", "__clerk_redirect_count"}, {"redirect url", "__clerk_redirect_url"}} {
		if value := b.get(p[0]); value != "" {
			b.query = append(b.query, p[1]+"="+url.QueryEscape(value))
		}
	}
	if back := b.get("back"); back != "" {
		b.handshake(back)
	}
	if b.get("refreshed") != "" && b.get("refresh") != "" {
		b.bapi().Refresh = b.refreshed(b.get("refreshed"))
	}
}

func (b *builder) bapi() *scenario {
	if b.asked.Bapi == nil {
		b.asked.Bapi = &scenario{}
	}
	return b.asked.Bapi
}

// lines are the Set-Cookie lines of a session of this kind; "" is nobody's.
func (b *builder) lines(kind, who string, suffixed bool) []string {
	const attributes = "; Path=/; Secure; SameSite=Lax"
	uat := fmt.Sprint(differentialNow - 20)
	token := b.mint.token(kind, who, b.issuer)
	if kind == "" {
		uat, token = "0", ""
	}
	lines := []string{
		"__client_uat=" + uat + "; Path=/; Domain=example.com; Max-Age=315360000; Secure; SameSite=Lax",
		"__session=" + token + attributes,
		"__clerk_handshake=; Path=/; Domain=example.com; Max-Age=0",
	}
	if suffixed {
		lines = append(lines, "__session_"+b.suffix+"="+token+attributes, "__client_uat_"+b.suffix+"="+uat+"; Path=/; Domain=example.com; Secure; SameSite=Lax",
			"__refresh_"+b.suffix+"=rt_2; Path=/; HttpOnly; Secure; SameSite=Lax")
	}
	return lines
}

var hostileLines = []string{"app_session=evil; Path=/", "__client_uat=1; Domain=evil.example; Path=/"}

// handshake adds what a handshake brought, in a token or under a nonce.
func (b *builder) handshake(back string) {
	what := b.get("brought")
	kind := map[string]string{
		"ok": "ok", "suffixed": "ok", "expired": "expired", "expired 2 days": "expired long ago", "early": "early", "session of a foreign key": "bad signature",
		"foreign iss": "foreign iss", "pending": "pending", "azp foreign": "azp foreign", "machine": "machine", "hostile": "ok",
		"bad signature": "ok", "template": "ok", "old": "ok", "expired itself": "ok",
	}[what]
	lines := b.lines(kind, "handshake", what == "suffixed")
	switch what {
	case "empty list":
		lines = []string{}
	case "hostile":
		lines = append(lines, hostileLines...)
	}
	token := b.mint.once(strings.Join([]string{what, b.issuer}, "\n"), func() string { return handshakeToken(what, lines) })
	// A nonce is remembered by those who look it up.
	nonce := "n_" + strings.NewReplacer(" ", "-").Replace(b.asked.ID)
	if what != "unknown nonce" && strings.Contains(back, "nonce") {
		b.bapi().Nonce = map[string][]string{nonce: lines}
	}
	if back == "two token cookies" {
		b.cookie("__clerk_handshake", b.mint.once("of another application", func() string { return handshakeToken("bad signature", lines) }))
	}
	for place := range strings.SplitSeq(back, ",") {
		for _, p := range [][3]string{{"token", "__clerk_handshake", token}, {"nonce", "__clerk_handshake_nonce", nonce}} {
			if strings.Contains(place, p[0]) && strings.Contains(place, "query") {
				b.query = append(b.query, p[1]+"="+p[2])
			}
			if strings.Contains(place, p[0]) && strings.Contains(place, "cookie") {
				b.cookie(p[1], p[2])
			}
		}
	}
}

func handshakeToken(what string, lines []string) string {
	const now = differentialNow
	signer, header, claims := minttest.Good(), map[string]any{}, map[string]any{"handshake": lines}
	switch what {
	case "malformed":
		return "x.y"
	case "bad signature":
		signer = minttest.Evil()
	case "template":
		header["cat"] = "cl_B7d4PD222AAA"
	case "no list":
		claims["handshake"] = "x"
	case "old":
		claims["iat"] = now - 4000
	case "expired itself":
		claims["exp"], claims["iat"] = now-60, now-120
	}
	return signer.Sign(claims, header)
}

// refreshed is what the Backend API answers to a refresh.
func (b *builder) refreshed(choice string) *bapiReply {
	cookies := func(lines []string) *bapiReply {
		return &bapiReply{Body: mustMarshal(map[string]any{"object": "cookies", "cookies": lines})}
	}
	failure := func(status int, code string) *bapiReply {
		return &bapiReply{status, mustMarshal(map[string]any{"errors": []any{map[string]string{"code": code, "message": "m", "long_message": "m"}}})}
	}
	who := "plain"
	if b.get("suffixed") != "" {
		who = "suffixed"
	}
	switch choice {
	case "ok", "ok suffixed":
		return cookies(b.lines("ok", who, choice == "ok suffixed"))
	case "known code":
		return failure(http.StatusUnauthorized, "session_refresh_expired_session_token_consumed")
	case "unknown code":
		return failure(http.StatusUnprocessableEntity, "some_new_code")
	case "unexpected_error":
		return failure(http.StatusInternalServerError, "unexpected_error")
	case "500":
		return failure(http.StatusInternalServerError, "internal_clerk_error")
	case "500 text":
		return &bapiReply{http.StatusInternalServerError, json.RawMessage(`"down"`)}
	case "empty list":
		return cookies([]string{})
	case "unverifiable":
		return cookies(b.lines("bad signature", who, false))
	case "expired":
		return cookies(b.lines("expired", who, false))
	case "no session":
		return cookies([]string{"__client_uat=0; Path=/"})
	case "pending":
		return cookies(b.lines("pending", who, false))
	case "no list":
		return &bapiReply{http.StatusOK, json.RawMessage(`{"object":"cookies"}`)}
	case "429":
		return failure(http.StatusTooManyRequests, "too_many_requests")
	case "hostile":
		return cookies(append(b.lines("ok", who, false), hostileLines...))
	}
	return nil
}

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
