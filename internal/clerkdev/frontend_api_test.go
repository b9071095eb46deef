package clerkdev_test

import (
	"crypto/tls"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// page is a browser with clerk-js in it.
type page struct {
	t     testing.TB
	i     *clerkdev.Instance
	token string // of the development browser
	jar   jar
}

func newPage(t testing.TB, i *clerkdev.Instance) *page {
	return &page{t: t, i: i, token: i.NewClient(), jar: jar{}}
}

// ask sends what clerk-js would: other methods than GET and POST are in the query.
func (p *page) ask(method, path string, pairs ...string) (int, map[string]any) {
	p.t.Helper()
	target := "/__clerk/v1/" + path + "?__clerk_api_version=2026-08-20&_clerk_js_version=6.40.0"
	if p.token != "" {
		target += "&__clerk_db_jwt=" + p.token
	}
	r := get(target)
	if method != http.MethodGet {
		if method != http.MethodPost {
			target += "&_method=" + method
		}
		r = form(target, pairs...)
		r.Header.Set("Origin", app)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	got := p.jar.ask(p.i, r)
	var answer map[string]any
	if err := json.NewDecoder(got.Body).Decode(&answer); err != nil || got.Header.Get("Content-Type") != "application/json" {
		p.t.Fatalf("%s %s: %d %v", method, path, got.StatusCode, err)
	}
	return got.StatusCode, answer
}

func (p *page) ok(method, path string, pairs ...string) map[string]any {
	p.t.Helper()
	status, answer := p.ask(method, path, pairs...)
	if status != http.StatusOK {
		p.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	return answer
}

func (p *page) refused(status int, code, method, path string, pairs ...string) {
	p.t.Helper()
	got, answer := p.ask(method, path, pairs...)
	if said := dig(answer, "errors", "0", "code"); got != status || said != code {
		p.t.Errorf("%s %s %v: %d %v, want %d %s", method, path, pairs, got, said, status, code)
	}
}

// signIn signs somebody in by password and returns the session's id.
func (p *page) signIn(name string) string {
	p.t.Helper()
	answer := p.ok("POST", "client/sign_ins", "strategy", "password", "identifier", name, "password", "clerkdev", "locale", "en-US", "timezone", "UTC")
	id, _ := dig(answer, "response", "created_session_id").(string)
	if dig(answer, "response", "status") != "complete" || id == "" {
		p.t.Fatalf("%v", answer)
	}
	return id
}

// dig follows names and indices; nil is what is not there.
func dig(v any, path ...string) any {
	for _, step := range path {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(at) {
				return nil
			}
			v = at[n]
		default:
			return nil
		}
	}
	return v
}

// organizationIn is claim o.id of a token.
func organizationIn(t testing.TB, jwt any) string {
	t.Helper()
	text, _ := jwt.(string)
	_, claims := decoded(t, text)
	id, _ := dig(claims, "o", "id").(string)
	return id
}

func TestNewDevelopmentBrowser(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	p := &page{t: t, i: i, jar: jar{}}
	p.refused(401, "dev_browser_unauthenticated", "GET", "client")
	id, _ := p.ok("POST", "dev_browser")["id"].(string)
	if !strings.HasPrefix(id, "dvb_") {
		t.Fatalf("%q", id)
	}
	p.token = id
	if answer := p.ok("GET", "client"); answer["response"] != nil || answer["client"] != nil {
		t.Errorf("%v", answer)
	}
	p.token = "dvb_of_yesterday"
	for _, path := range []string{"client", "client/sign_ins/x"} {
		p.refused(401, "dev_browser_unauthenticated", "GET", path)
	}
	p.refused(401, "dev_browser_unauthenticated", "DELETE", "client/sessions")
	p.ok("GET", "environment")
}

// TestEnvironment: both methods; without the commerce settings, of which half would
// be worse than none (clerk-frontend.md, 3.1).
func TestEnvironment(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	p := newPage(t, i)
	for _, method := range []string{"GET", "PATCH"} {
		answer := p.ok(method, "environment")
		if dig(answer, "display_config", "instance_environment_type") != "development" || dig(answer, "auth_config", "single_session_mode") != true ||
			dig(answer, "display_config", "sign_in_url") != app+clerkdev.SignInPath || answer["commerce_settings"] != nil || dig(answer, "organization_settings", "enabled") != true {
			t.Errorf("%s: %v", method, answer)
		}
	}
	live := newPage(t, emulator(t, clerkdev.Config{Production: true}))
	if answer := live.ok("GET", "environment"); dig(answer, "display_config", "instance_environment_type") != "production" {
		t.Errorf("%v", answer)
	}
}

func TestClientShowsTheSession(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	private, err := i.UpdateUser(i.Users()[2].ID, func(u *clerkdev.User) { u.PrivateMetadata = []byte(`{"secret":"hidden"}`) })
	if err != nil {
		t.Fatal(err)
	}
	p := newPage(t, i)
	id := p.signIn("zoe")
	c.move(time.Hour)
	answer := p.ok("GET", "client")
	raw, _ := json.Marshal(answer)
	if strings.Contains(string(raw), "private_metadata") || strings.Contains(string(raw), "hidden") {
		t.Error("a browser sees private metadata")
	}
	if strings.Contains(string(raw), p.token) {
		t.Error("the answer holds the browser's token")
	}
	session := dig(answer, "response", "sessions", "0")
	for path, want := range map[string]any{
		"id": id, "status": "active", "last_active_organization_id": nil, "tasks": nil, "user.id": private.ID, "user.first_name": "Zoë",
		"user.organization_memberships.0.role": "org:admin", "user.organization_memberships.0.organization.slug": "nordlicht",
		"user.organization_memberships.0.organization.members_count": 2.0, "public_user_data.identifier": "zoe@nordlicht.example",
		"factor_verification_age.0": 60.0, "last_active_token.object": "token",
	} {
		if got := dig(session, strings.Split(path, ".")...); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if dig(answer, "response", "last_active_session_id") != id || dig(answer, "response", "sign_in") != nil || !strings.HasPrefix(dig(answer, "response", "id").(string), "client_") {
		t.Errorf("%v", answer)
	}
	identity, reason := judged(t, i, c.Now, dig(session, "last_active_token", "jwt").(string))
	if reason != "" || identity.AuthorizedParty != app || identity.SessionID != id {
		t.Errorf("%q %+v", reason, identity)
	}
}

func TestPendingSession(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	p := newPage(t, i)
	if err := i.SetPending(p.signIn("ada"), true); err != nil {
		t.Fatal(err)
	}
	session := dig(p.ok("GET", "client"), "response", "sessions", "0")
	if dig(session, "status") != "pending" || dig(session, "tasks", "0", "key") != "choose-organization" {
		t.Errorf("%v", session)
	}
}

// TestTouch: it makes an organisation active, and no uat is after the token that
// comes with it (clerk-frontend.md, 8.6).
func TestTouch(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	p := newPage(t, i)
	id := p.signIn("zoe")
	organization := organizationOf(t, i, i.Users()[2].ID)
	before := dig(p.ok("GET", "client"), "response", "updated_at")
	for _, step := range []struct {
		pairs   []string
		want    string
		changed bool
	}{
		{[]string{"intent", "focus"}, "", false},
		{[]string{"active_organization_id", "", "intent", "select_session"}, "", false},
		{[]string{"active_organization_id", organization, "intent", "select_org"}, organization, true},
		{[]string{"active_organization_id", organization, "intent", "focus"}, organization, false},
		{[]string{"intent", "focus"}, organization, false},
		{[]string{"active_organization_id", "", "intent", "select_org"}, "", true},
	} {
		c.move(time.Minute)
		answer := p.ok("POST", "client/sessions/"+id+"/touch", step.pairs...)
		for _, session := range []any{answer["response"], dig(answer, "client", "sessions", "0")} {
			jwt := dig(session, "last_active_token", "jwt")
			if got := organizationIn(t, jwt); got != step.want || dig(session, "id") != id {
				t.Errorf("%v: %q", step.pairs, got)
			}
			_, claims := decoded(t, jwt.(string))
			if claims["iat"].(float64) < math.Floor(dig(answer, "client", "updated_at").(float64)/1000) {
				t.Errorf("%v: the token is older than the client", step.pairs)
			}
		}
		if changed := dig(answer, "client", "updated_at") != before; changed != step.changed {
			t.Errorf("%v: changed %v", step.pairs, changed)
		}
		before = dig(answer, "client", "updated_at")
	}
	p.refused(403, "organization_not_found_or_unauthorized", "POST", "client/sessions/"+id+"/touch", "active_organization_id", "org_nothing")
	p.refused(401, "signed_out", "POST", "client/sessions/sess_other/touch")
}

func TestSessionTokens(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	p := newPage(t, i)
	id := p.signIn("zoe")
	organization := organizationOf(t, i, i.Users()[2].ID)
	path := "client/sessions/" + id + "/tokens"
	for _, step := range []struct {
		pairs []string
		want  string
	}{{nil, ""}, {[]string{"organization_id", organization, "tab_state", "focused"}, organization}, {nil, ""}, {[]string{"organization_id", ""}, ""}} {
		answer := p.ok("POST", path, step.pairs...)
		identity, reason := judged(t, i, c.Now, answer["jwt"].(string))
		if got := organizationIn(t, answer["jwt"]); got != step.want || reason != "" || identity.AuthorizedParty != app || answer["object"] != "token" {
			t.Errorf("%v: %q %q", step.pairs, got, reason)
		}
	}
	p.ok("POST", "client/sessions/"+id+"/touch", "active_organization_id", organization)
	if got := organizationIn(t, p.ok("POST", path)["jwt"]); got != organization {
		t.Errorf("the active organisation: %q", got)
	}
	if got := organizationIn(t, p.ok("POST", path, "organization_id", "")["jwt"]); got != "" {
		t.Errorf("none: %q", got)
	}
	p.refused(403, "organization_not_found_or_unauthorized", "POST", path, "organization_id", "org_nothing")

	// another browser's session is nobody's
	other := newPage(t, i)
	other.refused(401, "signed_out", "POST", path)
	other.signIn("ada")
	other.refused(401, "signed_out", "POST", path)
	if err := i.EndSession(id, "revoked"); err != nil {
		t.Fatal(err)
	}
	p.refused(401, "signed_out", "POST", path)
	if answer := p.ok("GET", "client"); answer["response"] != nil {
		t.Errorf("%v", answer)
	}
}

// TestAZP is the page's origin, and the request's for a browser that says none.
func TestAZP(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	p := newPage(t, i)
	id := p.signIn("ada")
	for _, c := range []struct {
		header map[string]string
		tls    bool
		want   string
	}{
		{nil, false, app}, {nil, true, "https://localhost:4180"}, {map[string]string{"Origin": app}, false, app},
		{map[string]string{"Origin": "https://localhost:4180", "Sec-Fetch-Site": "same-origin"}, false, "https://localhost:4180"}, // TLS ends before us
		{map[string]string{"Origin": "null", "Sec-Fetch-Site": "same-origin"}, false, app},
	} {
		r := form("/__clerk/v1/client/sessions/" + id + "/tokens?__clerk_db_jwt=" + p.token)
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		var answer struct{ JWT string }
		if err := json.Unmarshal([]byte(body(t, serve(i, r))), &answer); err != nil {
			t.Fatal(err)
		}
		if _, claims := decoded(t, answer.JWT); claims["azp"] != c.want {
			t.Errorf("%v: %v", c, claims["azp"])
		}
	}
}

func TestFrontendTemplateTokens(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	a.AddUser(clerkdev.User{Username: "ada"})
	a.ok("POST", "/v1/jwt_templates", `{"name":"crm","claims":{"who":"{{user.username}}"}}`)
	p := newPage(t, a.Instance)
	id := p.signIn("ada")
	jwt, _ := p.ok("POST", "client/sessions/"+id+"/tokens/crm")["jwt"].(string)
	header, claims := decoded(t, jwt)
	if claims["who"] != "ada" || claims["azp"] != app || header["cat"] != "cl_B7d4PD222AAA" {
		t.Errorf("%v %v", header, claims)
	}
	p.refused(404, "resource_not_found", "POST", "client/sessions/"+id+"/tokens/nothing")
	p.refused(401, "signed_out", "POST", "client/sessions/x/tokens/crm")
}

func TestWaysOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, path, status string }{
		{"DELETE", "client/sessions", "removed"}, {"DELETE", "client", "removed"},
		{"POST", "client/sessions/*/remove", "removed"}, {"POST", "client/sessions/*/end", "ended"},
	} {
		i, _ := standing(t)
		p := newPage(t, i)
		id := p.signIn("zoe")
		answer := p.ok(c.method, strings.Replace(c.path, "*", id, 1))
		if answer["client"] != nil {
			t.Errorf("%s: %v", c.path, answer)
		}
		if strings.Contains(c.path, "*") && (dig(answer, "response", "status") != c.status || dig(answer, "response", "last_active_token") != nil) {
			t.Errorf("%s: %v", c.path, answer)
		}
		if s := i.Sessions(i.Users()[2].ID); s[0].Status != c.status {
			t.Errorf("%s: %+v", c.path, s)
		}
		if answer := p.ok("GET", "client"); answer["response"] != nil {
			t.Errorf("%s: %v", c.path, answer)
		}
		p.refused(401, "signed_out", "POST", "client/sessions/"+id+"/end")
		p.signIn("ada") // the browser is known as before
	}
}

// TestThreatOtherSitesSignNobodyOut: clerk-frontend.md, 8.9; the forms of clerk-js
// are what any site may send.
func TestThreatOtherSitesSignNobodyOut(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	p := newPage(t, i)
	id := p.signIn("zoe")
	for _, target := range []string{"client/sessions?_method=DELETE", "client?_method=DELETE", "client/sign_ins", "client/sessions/" + id + "/end"} {
		for _, header := range []map[string]string{{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}} {
			r := form("/__clerk/v1/" + target)
			for name, value := range header {
				r.Header.Set(name, value)
			}
			if got := serve(i, withCookies(r, "__clerk_db_jwt", p.token)); got.StatusCode != 403 {
				t.Errorf("%s %v: %d", target, header, got.StatusCode)
			}
		}
	}
	if s := i.Sessions(i.Users()[2].ID); s[0].Status != "active" {
		t.Errorf("%+v", s)
	}
}

// TestPagesDoNotReadTheQuery: a link with somebody else's browser in it changes
// nothing about who one is on the sign-in page.
func TestPagesDoNotReadTheQuery(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	token, _ := signedInBrowser(t, i, "zoe")
	if got := serve(i, get(clerkdev.SignInPath+"?__clerk_db_jwt="+token)); got.StatusCode != 200 {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
}

// TestProductionFrontend: the browser is its cookie, and every answer says when it
// changed last (clerk-frontend.md, 5.2).
func TestProductionFrontend(t *testing.T) {
	t.Parallel()
	c := newClock()
	i := emulator(t, clerkdev.Config{Production: true, Now: c.Now})
	clerkdev.Demo(i)
	p := &page{t: t, i: i, jar: jar{}}
	p.refused(400, "request_invalid_for_environment", "POST", "dev_browser")
	uat := func(want string) {
		t.Helper()
		for _, name := range []string{"__client_uat", "__client_uat" + suffix(i)} {
			if k := p.jar[name]; k == nil || k.Value != want || k.MaxAge != 315360000 || k.Domain != "localhost" {
				t.Errorf("%s: %v, want %s", name, k, want)
			}
		}
		p.jar = jar{"__client": p.jar["__client"]}
		if p.jar["__client"] == nil {
			p.jar = jar{}
		}
	}
	now := func() string { return strconv.FormatInt(c.Now().Unix(), 10) }
	if answer := p.ok("GET", "client"); answer["response"] != nil {
		t.Errorf("%v", answer)
	}
	uat("0")
	id := p.signIn("zoe")
	if k := p.jar["__client"]; k == nil || !k.HttpOnly || k.Value == "" || k.Path != "/" {
		t.Fatalf("%v", p.jar)
	}
	uat(now())
	since := now()
	c.move(time.Hour)
	p.ok("POST", "client/sessions/"+id+"/tokens")
	uat(since)
	p.ok("POST", "client/sessions/"+id+"/touch", "active_organization_id", organizationOf(t, i, i.Users()[2].ID))
	uat(now())
	p.ok("DELETE", "client/sessions")
	uat("0")
	p.refused(401, "signed_out", "POST", "client/sessions/"+id+"/tokens")
	client := p.jar["__client"].Value
	if err := i.SetPending(p.signIn("zoe"), false); err != nil {
		t.Fatal(err)
	}
	thief := &page{t: t, i: i, token: client, jar: jar{}} // an address gets around, a cookie does not
	if answer := thief.ok("GET", "client"); answer["response"] != nil {
		t.Error("the query says who the browser is")
	}
	p.ok("DELETE", "client")
	if p.jar["__client"] != nil {
		t.Error("the browser is remembered")
	}
	p.jar["__client"] = &http.Cookie{Name: "__client", Value: client}
	p.signIn("ada")
	if p.jar["__client"].Value == client {
		t.Error("a browser that was forgotten is known")
	}
	if slices.ContainsFunc(serve(i, get("/__clerk/v1/environment")).Cookies(), func(*http.Cookie) bool { return true }) {
		t.Error("the environment sets cookies")
	}
}

// TestRouting: several methods of one path, and none.
func TestRouting(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	p := newPage(t, i)
	p.refused(404, "resource_not_found", "GET", "me")
	p.refused(405, "method_not_allowed", "PUT", "client")
	p.refused(405, "method_not_allowed", "GET", "client/sign_ins")
	r := form("/__clerk/v1/client/sessions?_method=delete&__clerk_db_jwt="+p.token, "x", strings.Repeat("x", 65<<10))
	if got := serve(i, r); got.StatusCode != 400 {
		t.Errorf("a large body: %d", got.StatusCode)
	}
	i.Fail(clerkdev.Failure{Path: "/__clerk/v1/client", Status: 500, Times: 1})
	if status, _ := p.ask("GET", "client"); status != 500 {
		t.Errorf("a failure on purpose: %d", status)
	}
	real := get("/__clerk/v1/client/sessions?__clerk_db_jwt=" + p.token)
	real.Method = http.MethodDelete
	if got := serve(i, real); got.StatusCode != 200 {
		t.Errorf("a real DELETE: %d", got.StatusCode)
	}
}
