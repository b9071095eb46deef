package clerkdev_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func get(target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = "localhost:4180"
	return r
}

// form is a POST of names and values.
func form(target string, pairs ...string) *http.Request {
	values := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		values.Set(pair[0], pair[1])
	}
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(values.Encode()))
	r.Host = "localhost:4180"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func serve(i *clerkdev.Instance, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	i.Frontend().ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, got *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// jar is a browser's memory: what Set-Cookie left, by name.
type jar map[string]*http.Cookie

func (j jar) take(got *http.Response) {
	for _, c := range got.Cookies() {
		if c.MaxAge < 0 {
			delete(j, c.Name)
		} else {
			j[c.Name] = c
		}
	}
}

func (j jar) ask(i *clerkdev.Instance, r *http.Request) *http.Response {
	for _, c := range j {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	got := serve(i, r)
	j.take(got)
	return got
}

func suffix(i *clerkdev.Instance) string {
	named := i.Named()
	return "_" + named.CookieSuffix()
}

func TestKeysOverHTTP(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	got := serve(i, get(clerkdev.JWKSPath))
	if text := body(t, got); got.StatusCode != 200 || text != string(i.JWKS()) || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", got.StatusCode, text)
	}
}

func TestSignInPage(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	hostile := i.AddUser(clerkdev.User{FirstName: "<script>alert(1)</script>", PublicMetadata: json.RawMessage(`{"role":["x"],"organizationName":"<b>\"'"}`)})
	banned := i.AddUser(clerkdev.User{Username: "gone", Banned: true})
	bare := i.AddUser(clerkdev.User{Locked: true})
	got := serve(i, get(clerkdev.SignInPath+"?redirect_url="+url.QueryEscape(`/a?b="<x>`)))
	page := body(t, got)
	if got.StatusCode != 200 || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	for _, want := range []string{
		`<html lang="en">`, "<h1>", "<main>", "Zoë Müller", "manager · Nördlicht GmbH", "admin · Acme, Inc.",
		`<form method="post" action="/__clerk/sign-in">`, `name="redirect_url" value="/a?b=&#34;&lt;x&gt;"`,
		`<button name="user" value="` + i.Users()[0].ID + `">`, "&lt;script&gt;", "&lt;b&gt;",
		`value="` + banned.ID + `" disabled`, ">banned<", `value="` + bare.ID + `" disabled`, ">locked<", ">gone<", ">" + bare.ID + "<",
		"prefers-color-scheme: dark", "width=device-width",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, bad := range []string{"<script>", "<b>", "http://", "https://", "src=", "url(", "@import", `value="` + hostile.ID + `" disabled`} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	policy := got.Header.Get("Content-Security-Policy")
	nonce := regexp.MustCompile(`<style nonce="([0-9A-Za-z]{22})">`).FindStringSubmatch(page)
	if nonce == nil || policy != "default-src 'none'; style-src 'nonce-"+nonce[1]+"'; script-src 'nonce-"+nonce[1]+"'; base-uri 'none'; frame-ancestors 'none'" {
		t.Errorf("policy %q", policy)
	}
	if again := body(t, serve(i, get(clerkdev.SignInPath))); nonce != nil && strings.Contains(again, nonce[1]) {
		t.Error("one nonce was used twice")
	}
	if got.Header.Get("Referrer-Policy") != "same-origin" {
		t.Error("a stricter policy would make the form's Origin null")
	}
}

func TestNewBrowserGetsItsToken(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	r := get(clerkdev.SignInPath)
	r.AddCookie(&http.Cookie{Name: "__clerk_db_jwt", Value: "dvb_planted"})
	cookies := serve(i, r).Cookies()
	if len(cookies) != 2 || cookies[0].Name != "__clerk_db_jwt" || cookies[1].Name != "__clerk_db_jwt"+suffix(i) || cookies[0].Value != cookies[1].Value {
		t.Fatalf("%v", cookies)
	}
	for _, c := range cookies {
		if c.Value == "dvb_planted" || !regexp.MustCompile(`^dvb_[0-9A-Za-z]{27}$`).MatchString(c.Value) {
			t.Errorf("token %q", c.Value)
		}
		if c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || c.HttpOnly || c.Secure || c.MaxAge != 3600 {
			t.Errorf("%s", c.Raw)
		}
	}
	known := get(clerkdev.SignInPath)
	known.AddCookie(cookies[0])
	if again := serve(i, known); len(again.Cookies()) != 0 {
		t.Errorf("a known browser got %v", again.Cookies())
	}
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	zoe, j := i.Users()[2], jar{}
	j.ask(i, get(clerkdev.SignInPath))
	got := j.ask(i, form(clerkdev.SignInPath, "user", zoe.ID, "redirect_url", "/a?b=c"))
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/a?b=c" {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	wantSessionCookies(t, i, got.Cookies())
	id, reason := judged(t, i, c.Now, j["__session"].Value)
	if reason != "" || id.UserID != zoe.ID || id.Organization == nil || id.Organization.Slug != "nordlicht" {
		t.Errorf("%q %+v", reason, id)
	}
	if uat := j["__client_uat"].Value; uat != strconv.FormatInt(id.IssuedAt.Unix(), 10) {
		t.Errorf("uat %s, iat %v", uat, id.IssuedAt)
	}
	if page := body(t, j.ask(i, get(clerkdev.SignInPath+"?prompt=1"))); strings.Count(page, "signed in<") != 1 {
		t.Error("the page does not say who is signed in")
	}

	got = j.ask(i, form(clerkdev.SignOutPath, "redirect_url", "//evil.example"))
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	if j["__session"] != nil || j["__session"+suffix(i)] != nil || j["__refresh"+suffix(i)] != nil || j["__client_uat"].Value != "0" || j["__client_uat"+suffix(i)].Value != "0" || j["__clerk_db_jwt"] == nil {
		t.Errorf("%v", j)
	}
	if s := i.Sessions(zoe.ID); s[0].Status != "removed" {
		t.Errorf("%+v", s)
	}
	if got := j.ask(i, get(clerkdev.SignInPath)); got.StatusCode != 200 || j["__session"] != nil {
		t.Errorf("signed out and let in: %d", got.StatusCode)
	}
}

// TestThreatRedirectOnTheWayIn: RD-05, at every place that reads redirect_url.
func TestThreatRedirectOnTheWayIn(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	j, evil := jar{}, "?redirect_url="+url.QueryEscape("https://evil.example/x")
	if page := body(t, j.ask(i, get(clerkdev.SignInPath+evil))); !strings.Contains(page, `name="redirect_url" value="/"`) {
		t.Error("the page carries a foreign URL")
	}
	for _, r := range []*http.Request{
		form(clerkdev.SignInPath, "user", i.Users()[0].ID, "redirect_url", "https://evil.example/x"),
		form(clerkdev.SignInPath+evil, "user", i.Users()[0].ID),
		get(clerkdev.SignInPath + evil),
		form(clerkdev.SignOutPath, "redirect_url", "https://evil.example/x"), form(clerkdev.SignOutPath + evil),
	} {
		if got := j.ask(i, r); got.StatusCode/100 != 3 || got.Header.Get("Location") != "/" {
			t.Errorf("%s %s: %d to %q", r.Method, r.URL.Path, got.StatusCode, got.Header.Get("Location"))
		}
	}
}

func wantSessionCookies(t *testing.T, i *clerkdev.Instance, cookies []*http.Cookie) {
	t.Helper()
	values := map[string]string{}
	for _, c := range cookies {
		name := strings.TrimSuffix(c.Name, suffix(i))
		if before, twin := values[name]; twin && before != c.Value {
			t.Errorf("%s has two values", name)
		}
		values[name] = c.Value
		attributes := fmt.Sprint(c.Path, c.Domain, c.SameSite, c.HttpOnly, c.Secure, c.MaxAge)
		want := map[string]string{
			"__session":    fmt.Sprint("/", "", http.SameSiteLaxMode, false, false, 3600),
			"__client_uat": fmt.Sprint("/", "localhost", http.SameSiteLaxMode, false, false, 3600),
			"__refresh":    fmt.Sprint("/", "", http.SameSiteLaxMode, true, false, 3600),
		}[name]
		if attributes != want {
			t.Errorf("%s", c.Raw)
		}
	}
	if len(cookies) != 5 || len(values) != 3 { // __refresh is suffixed only
		t.Errorf("%d cookies %v", len(cookies), cookies)
	}
}

func TestMintsAnewForWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	zoe, j := i.Users()[2], jar{}
	j.ask(i, form(clerkdev.SignInPath, "user", zoe.ID))
	first := j["__session"].Value
	c.move(10 * time.Minute)
	got := j.ask(i, get(clerkdev.SignInPath+"?redirect_url=/back"))
	if got.StatusCode != http.StatusFound || got.Header.Get("Location") != "/back" || j["__session"].Value == first {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	wantSessionCookies(t, i, got.Cookies())
	id, reason := judged(t, i, c.Now, j["__session"].Value)
	if reason != "" || id.UserID != zoe.ID || !slices.Equal(id.FactorAges, []int{10, -1}) {
		t.Errorf("%q %+v", reason, id)
	}
	for _, query := range []string{"?switch=1", "?prompt=1"} {
		if got := j.ask(i, get(clerkdev.SignInPath+query)); got.StatusCode != 200 {
			t.Errorf("%s: %d", query, got.StatusCode)
		}
	}
	// another person takes the place of the first
	j.ask(i, form(clerkdev.SignInPath, "user", i.Users()[0].ID))
	if s := i.Sessions(zoe.ID); len(s) != 1 || s[0].Status != "removed" {
		t.Errorf("%+v", s)
	}
	// the suffixed cookie alone is enough, and it wins over another emulator's plain one
	delete(j, "__clerk_db_jwt")
	j["__clerk_db_jwt"] = &http.Cookie{Name: "__clerk_db_jwt", Value: "dvb_of_another_port"}
	if got := j.ask(i, get(clerkdev.SignInPath)); got.StatusCode != http.StatusFound {
		t.Errorf("suffixed cookie: %d", got.StatusCode)
	}
	if err := i.EndSession(i.Sessions(i.Users()[0].ID)[0].ID, "revoked"); err != nil {
		t.Fatal(err)
	}
	if got := j.ask(i, get(clerkdev.SignInPath)); got.StatusCode != 200 {
		t.Errorf("revoked and let in: %d", got.StatusCode)
	}
}

// TestUATIsNeverAfterTheToken: clerk-frontend.md, 8.6, with a clock that goes on
// between two looks at it, and one that goes back.
func TestUATIsNeverAfterTheToken(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{300 * time.Millisecond, 1700 * time.Millisecond, -700 * time.Millisecond} {
		c := newClock()
		i := emulator(t, clerkdev.Config{Now: func() time.Time { c.move(step); return c.Now() }})
		u, j := i.AddUser(clerkdev.User{}), jar{}
		for n := range 12 {
			r := get(clerkdev.SignInPath)
			if n%3 == 0 {
				r = form(clerkdev.SignInPath, "user", u.ID)
			}
			j.ask(i, r)
			_, claims := decoded(t, j["__session"].Value)
			if uat, err := strconv.ParseFloat(j["__client_uat"].Value, 64); err != nil || uat > claims["iat"].(float64) || uat == 0 {
				t.Errorf("step %v: uat %v, iat %v", step, uat, claims["iat"])
			}
		}
	}
}

func TestProductionCookies(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{Production: true})
	u, j := i.AddUser(clerkdev.User{}), jar{}
	r := form(clerkdev.SignInPath, "user", u.ID)
	r.TLS = &tls.ConnectionState{}
	j.ask(i, r)
	for name, want := range map[string]string{
		"__client":                   fmt.Sprint("", http.SameSiteLaxMode, true, true, 315360000),
		"__session":                  fmt.Sprint("", http.SameSiteLaxMode, false, true, 31536000),
		"__session" + suffix(i):      fmt.Sprint("", http.SameSiteLaxMode, false, true, 31536000),
		"__client_uat":               fmt.Sprint("localhost", http.SameSiteLaxMode, false, true, 315360000),
		"__client_uat" + suffix(i):   fmt.Sprint("localhost", http.SameSiteLaxMode, false, true, 315360000),
		"__refresh" + suffix(i):      fmt.Sprint("", http.SameSiteLaxMode, true, true, 604800),
		"__clerk_db_jwt":             "",
		"__clerk_db_jwt" + suffix(i): "",
	} {
		got := ""
		if c := j[name]; c != nil {
			got = fmt.Sprint(c.Domain, c.SameSite, c.HttpOnly, c.Secure, c.MaxAge)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, claims := decoded(t, j["__session"].Value); claims["azp"] != "https://localhost:4180" {
		t.Errorf("azp %v", claims["azp"])
	}
	if got := j.ask(i, get(clerkdev.SignInPath)); got.StatusCode != http.StatusFound {
		t.Errorf("%d", got.StatusCode)
	}
}

func TestSignInThatCannotBe(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	banned := i.AddUser(clerkdev.User{Banned: true})
	for _, c := range []struct {
		user   string
		status int
		says   string
	}{
		{"user_of_yesterday", http.StatusUnprocessableEntity, "not here any more"},
		{"", http.StatusUnprocessableEntity, "not here any more"},
		{banned.ID, http.StatusForbidden, "may not sign in"},
	} {
		got := serve(i, form(clerkdev.SignInPath, "user", c.user, "redirect_url", "/later"))
		page := body(t, got)
		if got.StatusCode != c.status || !strings.Contains(page, c.says) || !strings.Contains(page, `value="/later"`) || len(got.Cookies()) != 2 {
			t.Errorf("%q: %d %v", c.user, got.StatusCode, got.Cookies())
		}
	}
	if got := serve(i, form(clerkdev.SignInPath, "user", strings.Repeat("x", 65<<10))); got.StatusCode != http.StatusBadRequest {
		t.Errorf("a large form: %d", got.StatusCode)
	}
}

// TestTokenNoCookieCanHold: sending the browser on would bring it back for ever.
func TestTokenNoCookieCanHold(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{Template: `{"x":"{{user.public_metadata}}"}`})
	public, _ := json.Marshal(map[string]string{"x": strings.Repeat("x", 4000)})
	u := i.AddUser(clerkdev.User{PublicMetadata: public})
	got := serve(i, form(clerkdev.SignInPath, "user", u.ID))
	if page := body(t, got); got.StatusCode != http.StatusInternalServerError || !strings.Contains(page, "the session cookie is") || len(got.Cookies()) != 2 {
		t.Errorf("%d %v", got.StatusCode, got.Cookies())
	}
}

func TestPendingSessionsTask(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	if got := serve(i, get(clerkdev.TasksPath+"?redirect_url=/x")); got.StatusCode != 200 || !strings.Contains(body(t, got), "waits for a task") {
		t.Errorf("%d", got.StatusCode)
	}
}

func TestTokenForCurl(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	zoe := i.Users()[2]
	for _, name := range []string{zoe.ID, "zoë", "ZOË MÜLLER", "zoe", "zoe@nordlicht.example"} {
		got := serve(i, get(clerkdev.TokenPath+"?user="+url.QueryEscape(name)))
		text := body(t, got)
		id, reason := judged(t, i, c.Now, strings.TrimSuffix(text, "\n"))
		if got.StatusCode != 200 || got.Header.Get("Content-Type") != "text/plain; charset=utf-8" || reason != "" || id.UserID != zoe.ID || id.Organization != nil || len(got.Cookies()) != 0 {
			t.Errorf("%s: %d %q %q", name, got.StatusCode, reason, text)
		}
	}
	if n := len(i.Sessions(zoe.ID)); n != 5 {
		t.Errorf("%d sessions", n)
	}
	for _, organization := range []string{"nordlicht", organizationOf(t, i, zoe.ID)} {
		text := body(t, serve(i, get(clerkdev.TokenPath+"?user=zoe&organization="+organization)))
		if id, _ := judged(t, i, c.Now, strings.TrimSpace(text)); id == nil || id.Organization == nil || id.Organization.Slug != "nordlicht" {
			t.Errorf("%s: %+v", organization, id)
		}
	}
}

// organizationOf asks a token for the organisation, as an application would.
func organizationOf(t *testing.T, i *clerkdev.Instance, userID string) string {
	t.Helper()
	_, claims := decoded(t, strings.TrimSpace(body(t, serve(i, get(clerkdev.TokenPath+"?organization=nordlicht&user="+userID)))))
	o, _ := claims["o"].(map[string]any)
	id, _ := o["id"].(string)
	return id
}

func TestTokenForNobody(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	i.AddUser(clerkdev.User{FirstName: "Ada", Banned: true})
	for _, c := range []struct {
		query  string
		status int
		says   []string
	}{
		{"", 404, []string{"Ada Okafor", "Zoë Müller", i.Users()[3].ID}},
		{"?user=nobody", 404, []string{"0", "Kenji Sato"}},
		{"?user=Ada", 404, []string{"2", "Ada Okafor"}}, // two have that name
		{"?user=zoe&organization=acme", 404, []string{"not a member"}},
		{"?user=" + i.Users()[4].ID, 403, []string{"may not sign in"}},
	} {
		got := serve(i, get(clerkdev.TokenPath+c.query))
		text := body(t, got)
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %s: %s", c.query, want, text)
			}
		}
		if got.StatusCode != c.status {
			t.Errorf("%s: %d", c.query, got.StatusCode)
		}
	}
	if s := i.Sessions(i.Users()[2].ID); s != nil {
		t.Errorf("a refused token left %v", s)
	}
}

func TestTokenWarnsInAHeader(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{Template: `{"x":"{{user.public_metadata}}"}`})
	public, _ := json.Marshal(map[string]string{"x": strings.Repeat("x", 4000)})
	i.AddUser(clerkdev.User{FirstName: "A", PublicMetadata: public})
	if got := serve(i, get(clerkdev.TokenPath+"?user=a")); got.StatusCode != 200 || len(got.Header.Values("X-Clerkdev-Warning")) != 2 {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/__clerk/", 404, ""}, {"GET", "/__clerk/v1/nothing", 404, ""}, {"GET", "/__clerk/v1/client/", 404, ""}, {"GET", "/__clerk/v1/client/sessions//touch", 404, ""},
		{"PUT", "/__clerk/v1/client", 405, "GET, DELETE"}, {"POST", "/__clerk/v1/client/handshake", 405, "GET"}, {"POST", "/__clerk/v1/client?_method=patch", 405, "GET, DELETE"}, {"POST", "/__clerk/x", 404, ""}, {"GET", "/__clerk/sign-in/", 404, ""},
		{"GET", "/__clerk//sign-in", 404, ""}, {"GET", "/__clerk/../x", 404, ""}, {"GET", "/__clerk/Sign-In", 404, ""},
		{"GET", clerkdev.SignOutPath, 405, "POST"}, {"PUT", clerkdev.SignInPath, 405, "GET, HEAD, POST"},
		{"POST", clerkdev.TokenPath, 405, "GET"}, {"HEAD", clerkdev.TokenPath, 405, "GET"},
		{"POST", clerkdev.JWKSPath, 405, "GET, HEAD"}, {"DELETE", clerkdev.TasksPath, 405, "GET, HEAD"},
	} {
		r := httptest.NewRequest(c.method, c.path, bytes.NewReader(nil))
		r.Host = "localhost:4180"
		got := serve(i, r)
		var shape struct {
			Errors []struct {
				Code, Message string
				LongMessage   string `json:"long_message"`
				Meta          map[string]any
			}
			TraceID string `json:"clerk_trace_id"`
		}
		err := json.NewDecoder(got.Body).Decode(&shape)
		if got.StatusCode != c.status || got.Header.Get("Allow") != c.allow || got.Header.Get("Location") != "" {
			t.Errorf("%s %s: %d %v", c.method, c.path, got.StatusCode, got.Header)
		}
		if err != nil || len(shape.Errors) != 1 || shape.Errors[0].Code == "" || shape.Errors[0].Message == "" || shape.Errors[0].LongMessage == "" ||
			reflect.ValueOf(shape.Errors[0].Meta).IsNil() || shape.TraceID == "" || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v %+v", c.method, c.path, err, shape)
		}
	}
}
