package sample_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/sample"
)

func TestNewRefusesPathsOfOthers(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"https://elsewhere.example/", "//elsewhere.example/", `/\elsewhere.example/`, "sign-in", "/%zz"} {
		for name, cfg := range map[string]sample.Config{
			"SignInPath": {SignInPath: path}, "SignOutPath": {SignOutPath: path}, "SwitchPath": {SwitchPath: path}, "ExpirePath": {ExpirePath: path},
		} {
			if _, err := sample.New(cfg); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %q: error %v", name, path, err)
			}
		}
	}
}

func TestZeroConfig(t *testing.T) {
	t.Parallel()
	app, err := sample.New(sample.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	app.Watch(app).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if !strings.Contains(w.Body.String(), `href="/__clerk/sign-in?redirect_url=%2F"`) {
		t.Error("the zero Config has no way to sign in")
	}
}

func TestNobody(t *testing.T) {
	t.Parallel()
	w := newBench(t, "").get("/", "Accept", "text/html")
	page := w.Body.String()
	if w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	for _, want := range []string{"You are <em>nobody</em>", `href="/__clerk/sign-in?redirect_url=%2F"`, "X-Auth-Role", "no header", "anonymous", "there was nothing to keep"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of nobody lacks %q", want)
		}
	}
	for _, not := range []string{"Sign out", "The session token</h2>", "Let the token die", `id="renewed"`, `class="life"`, `class="alarm"`} {
		if strings.Contains(page, not) {
			t.Errorf("the page of nobody has %q", not)
		}
	}
}

func TestSomebody(t *testing.T) {
	t.Parallel()
	page := newBench(t, "").get("/", "Cookie", cookieOf(ada)+"; theme=calm").Body.String()
	for _, want := range []string{
		"You are <em>manager</em> at <em>Müller GmbH</em>",
		`arrived as</span> <code>M%C3%BCller%20GmbH</code>`,
		`action="/__clerk/sign-out?redirect_url=%2F"`, `href="/__clerk/sign-in?redirect_url=%2F&amp;switch=1"`,
		`<b>&#34;role&#34;</b>: &#34;manager&#34;`,
		strings.Split(mint(ada), ".")[2],
		`data-now="1795383600" data-issued="1795383570" data-expires="1795383630"`, "<strong>30</strong>", ">21:40:30</time>",
		"<b>__session</b>", `method="post" action="/__clerk/expire?redirect_url=%2F"`, `name="forget_refresh" value="1"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "acting for you") {
		t.Error("somebody is acting for nobody")
	}
}

func TestImpersonation(t *testing.T) {
	t.Parallel()
	page := newBench(t, "").get("/", "Cookie", cookieOf(`{"sub":"user_ada","sid":"sess_ada","act":{"sub":"user_support"}}`)).Body.String()
	for _, want := range []string{`<em class="id">user_ada</em>`, "<b>user_support</b> is acting for you", "act.sub"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, `class="alarm"`) {
		t.Error("the actor is taken for a forgery")
	}
}

// TestEscaping: header names, values, claims and the token's own text are shown
// as text, whoever wrote them.
func TestEscaping(t *testing.T) {
	t.Parallel()
	const evil = `<img src=x onerror=alert(1)>"'`
	b := newBench(t, "")
	page := b.get("/",
		"Cookie", cookieOf(`{"sub":"user_1","sid":"sess_1","role":"<img src=x onerror=alert(1)>","<img src=x>":"</pre>"}`)+"; <img/src=x>=1",
		"X-Auth-Role", evil, "User-Agent", evil, "X-<img>", evil).Body.String()
	if i := strings.Index(page, "<img"); i >= 0 {
		t.Errorf("a value is markup: %s", page[max(0, i-80):i+80])
	}
	if strings.Count(page, "<pre") != strings.Count(page, "</pre>") {
		t.Error("a claim ends the block it stands in")
	}
	for _, want := range []string{"&lt;img src=x onerror=alert(1)&gt;", "&lt;img/src=x&gt;", "X-&lt;img&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestHostIsNotAShellCommand: the curl line is meant to be copied.
func TestHostIsNotAShellCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	for host, want := range map[string]string{
		"localhost:4180": "curl http://localhost:4180/echo", "app.localhost": "curl http://app.localhost/echo",
		"a;id": "curl http://localhost/echo", "$(id)": "curl http://localhost/echo", "a b": "curl http://localhost/echo",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		b.app.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("host %q: no %q", host, want)
		}
	}
}

// TestPolicyMatches: the browser runs exactly what the page holds.
func TestPolicyMatches(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	for _, path := range []string{"/", "/nowhere"} {
		w := b.get(path, "Cookie", cookieOf(ada))
		policy := w.Header().Get("Content-Security-Policy")
		for _, tag := range []string{"style", "script"} {
			blocks := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(w.Body.String(), -1)
			if len(blocks) != 1 {
				t.Fatalf("%s has %d %s blocks", path, len(blocks), tag)
			}
			sum := sha256.Sum256([]byte(blocks[0][1]))
			if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %q", path, policy, want)
			}
		}
		for _, want := range []string{"default-src 'none'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %q", path, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
	}
}

// TestNothingFromElsewhere: no assets, no inline handlers or styles, which the
// policy would refuse anyway.
func TestNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	page := newBench(t, "").get("/", "Cookie", cookieOf(ada)).Body.String()
	if found := regexp.MustCompile(`(?i)\s(style|on[a-z]+)=|\ssrc=|@import|url\(`).FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	for _, link := range regexp.MustCompile(`(?:href|action)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !regexp.MustCompile(`^(/[^/]?|#|data:image/svg)`).MatchString(link[1]) {
			t.Errorf("the page points at %q", link[1])
		}
	}
}

func TestAnswerHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	for path, kind := range map[string]string{"/": "text/html; charset=utf-8", "/echo": "application/json", "/nowhere": "text/html; charset=utf-8"} {
		h := b.get(path).Header()
		for name, want := range map[string]string{
			"Content-Type": kind, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "same-origin",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q, not %q", path, name, h.Get(name), want)
			}
		}
	}
}

func TestNothingElse(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	for _, path := range []string{"/nowhere", "/echo/", "/index.html"} {
		if w := b.get(path, "Cookie", cookieOf(ada)); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "Nothing is here") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	b.app.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("x")))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST /: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// TestPageIsForEverybody holds what axe cannot see from outside: names for
// tables and forms, regions with headings, and a way past the top.
func TestPageIsForEverybody(t *testing.T) {
	t.Parallel()
	page := newBench(t, "").get("/", "Cookie", cookieOf(ada)).Body.String()
	if tables, captions := strings.Count(page, "<table"), strings.Count(page, "<caption"); tables != 2 || captions != tables {
		t.Errorf("%d tables, %d captions", tables, captions)
	}
	for _, id := range regexp.MustCompile(`(?:for|aria-labelledby)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+id[1]+`"`) {
			t.Errorf("nothing has the id %q", id[1])
		}
	}
	for _, want := range []string{`<html lang="en">`, `<a class="skip" href="#main">`, "<main id=\"main\"", `<nav aria-label=`, `role="status" aria-live="polite"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	style, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"prefers-color-scheme: dark", "prefers-reduced-motion: reduce", ":focus-visible"} {
		if !strings.Contains(string(style), want) {
			t.Errorf("the style lacks %q", want)
		}
	}
}

// TestBrowserScriptKnowsTheSpellings: what the page offers is what the browser
// check tries.
func TestBrowserScriptKnowsTheSpellings(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("testdata/browser/check.mjs")
	if err != nil {
		t.Fatal(err)
	}
	var tried []string
	list := regexp.MustCompile(`const spellings = \[(.*)\]`).FindStringSubmatch(string(script))
	if list == nil {
		t.Fatal("the script tries nothing")
	}
	for _, name := range regexp.MustCompile(`'([^']+)'`).FindAllStringSubmatch(list[1], -1) {
		tried = append(tried, name[1])
	}
	var offered []string
	for _, chip := range regexp.MustCompile(`data-name="([^"]+)"`).FindAllStringSubmatch(newBench(t, "").get("/").Body.String(), -1) {
		offered = append(offered, chip[1])
	}
	if !slices.Equal(tried, offered) {
		t.Errorf("offered %v, tried %v", offered, tried)
	}
}
