package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/testneed"
)

// startDev runs dev in this process until the test ends and returns its address.
func startDev(t *testing.T, upstream string, environ ...string) (*app.Dev, string) {
	t.Helper()
	// A port that was free a moment ago: dev prints the address before it listens.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	d, err := app.NewDev(t.Context(), app.DevConfig{Listen: address, Upstream: upstream, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Run(t.Context(), nil) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	base := "http://" + address
	deadline := time.Now().Add(20 * time.Second)
	for !d.Keys().Ready() || !answers(base) {
		if time.Now().After(deadline) {
			t.Fatal("dev is not ready")
		}
	}
	return d, base
}

func answers(base string) bool {
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// person is a browser as far as cookies and redirects go.
func person(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 20 * time.Second}
}

func visit(t *testing.T, c *http.Client, method, target string, form url.Values) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Dest", "document")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// signIn picks the first person on the page that asks.
func signIn(t *testing.T, c *http.Client, base, path string) (*http.Response, string) {
	t.Helper()
	answer, page := visit(t, c, http.MethodGet, base+path, nil)
	if !strings.HasPrefix(answer.Request.URL.Path, "/__clerk/sign-in") {
		t.Fatalf("nobody is asked to sign in at %s: %d %s", answer.Request.URL, answer.StatusCode, page)
	}
	form := url.Values{"redirect_url": {answer.Request.URL.Query().Get("redirect_url")}}
	value := regexp.MustCompile(`name="user" value="([^"]+)"`).FindStringSubmatch(page)
	if value == nil {
		t.Fatalf("nobody to pick:\n%s", page)
	}
	form.Set("user", value[1])
	return visit(t, c, http.MethodPost, base+"/__clerk/sign-in", form)
}

// TestDevSignIn: a page load leads to a choice of people, and back as one of
// them; signing out ends it.
func TestDevSignIn(t *testing.T) {
	t.Parallel()
	_, base := startDev(t, "")
	browser := person(t)
	answer, page := signIn(t, browser, base, "/?x=1")
	if answer.StatusCode != http.StatusOK || answer.Request.URL.RequestURI() != "/?x=1" || !strings.Contains(page, "X-Auth-User-Id") {
		t.Fatalf("%d at %s:\n%s", answer.StatusCode, answer.Request.URL, page)
	}
	answer, text := visit(t, browser, http.MethodGet, base+"/_authproxy/whoami", nil)
	if answer.StatusCode != http.StatusOK || !strings.Contains(text, "X-Auth-Organization-Id") {
		t.Errorf("whoami: %d", answer.StatusCode)
	}
	visit(t, browser, http.MethodPost, base+"/__clerk/sign-out", url.Values{"redirect_url": {"/"}})
	if answer, _ := visit(t, browser, http.MethodGet, base+"/", nil); !strings.HasPrefix(answer.Request.URL.Path, "/__clerk/sign-in") {
		t.Errorf("after signing out %s answers", answer.Request.URL)
	}
}

// TestDevTokenDies: with a token that has run out the page load survives, and the page
// says how; so does a request that is none, unless only a page load could help.
func TestDevTokenDies(t *testing.T) {
	t.Parallel()
	_, base := startDev(t, "")
	browser := person(t)
	var way []string
	browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		way = append(way, r.URL.Path)
		return nil
	}
	signIn(t, browser, base, "/")
	session := regexp.MustCompile(`sess_[0-9A-Za-z]{27}`)
	_, page := visit(t, browser, http.MethodGet, base+"/", nil)
	before := session.FindString(page)
	const handshake = "/__clerk/v1/client/handshake"
	for _, c := range []struct {
		forget, told string
		way          []string
		echo         int
	}{
		{"0", "The proxy fetched a fresh one from Clerk and passed this page on: no redirect, no login.", nil, http.StatusOK},
		{"1", "The browser went to Clerk and back for a fresh one: a few redirects, no login.", []string{handshake, "/", "/", "/"}, http.StatusUnauthorized},
	} {
		expire := func(form url.Values) {
			form.Set("forget_refresh", c.forget)
			visit(t, browser, http.MethodPost, base+"/__clerk/expire", form)
		}
		way = nil
		expire(url.Values{"redirect_url": {"/"}})
		if len(way) == 0 || way[0] != "/" || !slices.Equal(way[1:], c.way) {
			t.Errorf("forget %s: the form leads by %v", c.forget, way)
		}
		expire(url.Values{"redirect_url": {"/__clerk/.well-known/jwks.json"}})
		way = nil
		answer, page := visit(t, browser, http.MethodGet, base+"/", nil)
		if answer.StatusCode != http.StatusOK || !slices.Equal(way, c.way) || !regexp.MustCompile(`had run out 6\d seconds ago\. `+regexp.QuoteMeta(c.told)).MatchString(page) {
			t.Errorf("forget %s: %d by %v", c.forget, answer.StatusCode, way)
		}
		if session.FindString(page) != before || strings.Contains(page, `class="alarm"`) {
			t.Errorf("forget %s: another session, or headers that the token does not explain", c.forget)
		}
		if _, page := visit(t, browser, http.MethodGet, base+"/", nil); strings.Contains(page, `id="renewed"`) {
			t.Errorf("forget %s: the next page load tells of it, too", c.forget)
		}
		expire(url.Values{"redirect_url": {"/__clerk/.well-known/jwks.json"}})
		answer, text := echo(t, browser, base)
		if answer.StatusCode != c.echo || strings.Contains(text, `"ran_out": 6`) != (c.echo == http.StatusOK) {
			t.Errorf("forget %s: the page's own request: %d %s", c.forget, answer.StatusCode, answer.Header.Get("X-Clerk-Auth-Reason"))
		}
	}
}

// echo is a request of the page's script.
func echo(t *testing.T, c *http.Client, base string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Accept": "application/json", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"} {
		r.Header.Set(name, value)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

// TestDevTokenForCurl: what the banner shows works.
func TestDevTokenForCurl(t *testing.T) {
	t.Parallel()
	d, base := startDev(t, "")
	if b := d.Banner(); !strings.Contains(b, "/__clerk/token?user=") || !strings.Contains(b, "Ctrl-C") || strings.Count(b, "open ") != 1 {
		t.Errorf("the banner:\n%s", b)
	}
	_, token := visit(t, person(t), http.MethodGet, base+"/__clerk/token?user="+d.Clerk().Users()[0].Username, nil)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/_authproxy/whoami", nil)
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var who struct {
		UserID string `json:"user_id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&who); err != nil || who.UserID != d.Clerk().Users()[0].ID {
		t.Errorf("%d %+v %v", answer.StatusCode, who, err)
	}
}

// TestDevBeforeAnApp: --upstream puts the same before the developer's own app.
func TestDevBeforeAnApp(t *testing.T) {
	t.Parallel()
	upstream, got := recorder(t)
	_, base := startDev(t, upstream.URL, "AUTHPROXY_HEADERS=+X-Auth-Team=role", "CLERK_PUBLISHABLE_KEY=pk_test_ignored")
	answer, page := signIn(t, person(t), base, "/x")
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", answer.StatusCode, page)
	}
	s := <-got
	for _, name := range []string{"X-Auth-User-Id", "X-Auth-Role", "X-Auth-Organization-Id", "X-Auth-Team"} {
		if s.header.Get(name) == "" {
			t.Errorf("the app gets no %s: %v", name, s.header)
		}
	}
	if strings.Contains(s.header.Get("Cookie"), "__session") {
		t.Errorf("the app gets %s", s.header.Get("Cookie"))
	}
}

// TestDevOnLoopbackOnly: another name for this machine gets nothing.
func TestDevOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	_, base := startDev(t, "")
	for host, want := range map[string]int{
		"localhost": http.StatusOK, "app.localhost:4180": http.StatusOK, "127.0.0.1": http.StatusOK,
		"evil.example": http.StatusMisdirectedRequest, "127.0.0.1.evil.example": http.StatusMisdirectedRequest, "localhost.evil.example": http.StatusMisdirectedRequest,
	} {
		for _, path := range []string{"/__clerk/sign-in?prompt=1", "/__clerk/.well-known/jwks.json", "/"} {
			want := want
			if path == "/" && want == http.StatusOK {
				want = http.StatusUnauthorized // nobody, and not a page load
			}
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
			r.Host = host
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("%s as %s: %d, want %d", path, host, answer.StatusCode, want)
			}
		}
	}
}

// TestDevStopsWithAPageOpen: somebody presses Ctrl-C while a stream is open. That
// is no failure.
func TestDevStopsWithAPageOpen(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		close(arrived)
		<-r.Context().Done()
	}))
	t.Cleanup(upstream.Close)
	d, err := app.NewDev(t.Context(), app.DevConfig{
		Listen: "127.0.0.1:0", Upstream: upstream.URL,
		Environ: []string{"AUTHPROXY_PUBLIC_PATHS=/open", "AUTHPROXY_UPSTREAM=http://127.0.0.1:1", "CLERK_SECRET_KEY=sk_test_x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(d.Banner(), "ignored AUTHPROXY_UPSTREAM, CLERK_SECRET_KEY ") || strings.Contains(d.Banner(), "sk_test_x") {
		t.Errorf("the banner does not say what is ignored:\n%s", d.Banner())
	}
	front := httptest.NewServer(d.Data())
	t.Cleanup(front.Close)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, nil) }()
	go func() {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, front.URL+"/open", nil)
		if answer, err := http.DefaultClient.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
	}()
	<-arrived
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("dev does not stop")
	}
}

func TestDevRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, listen, upstream, environ, want string
	}{
		{"all addresses", "0.0.0.0:4180", "", "", "--listen"},
		{"no host", ":4180", "", "", "--listen"},
		{"another machine's app", "127.0.0.1:4180", "http://192.0.2.1:80", "", "--upstream"},
		{"a name that only looks local", "127.0.0.1:4180", "http://localhost.evil.example", "", "--upstream"},
		{"a live key", "127.0.0.1:4180", "", "CLERK_PUBLISHABLE_KEY=pk_live_Y2xlcmsuZXhhbXBsZS5jb20k", "CLERK_PUBLISHABLE_KEY"},
		{"a live secret in a file", "127.0.0.1:4180", "", "CLERK_SECRET_KEY_FILE=testdata/dev/live.secret", "CLERK_SECRET_KEY"},
		{"a live secret", "127.0.0.1:4180", "", "CLERK_SECRET_KEY=sk_live_x", "CLERK_SECRET_KEY"},
		{"a mistake", "127.0.0.1:4180", "", "AUTHPROXY_AUTH=maybe", "AUTHPROXY_AUTH"},
	} {
		_, err := app.NewDev(t.Context(), app.DevConfig{Listen: tt.listen, Upstream: tt.upstream, Environ: []string{tt.environ}})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sk_live_x") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestDevInBrowser plays the whole thing in headless Chromium: sign in, read the
// headers, switch person, attack, let the token die, sign out, dark, narrow, without
// JavaScript, and axe on the pages whose markup differs. The pictures stay in artifacts.
func TestDevInBrowser(t *testing.T) {
	t.Parallel()
	node, chromium := testneed.Tool(t, "node"), testneed.Tool(t, "chromium")
	modules, err := filepath.Abs(filepath.Join("..", "..", ".cache", "npm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "node_modules", "playwright-core")); err != nil {
		testneed.Missing(t, "needs npm's playwright-core and axe-core in .cache/npm (.ci/run install)")
	}
	pictures, err := filepath.Abs(filepath.Join("..", "..", "artifacts", "browser"))
	if err != nil {
		t.Fatal(err)
	}
	_, base := startDev(t, "")
	run := exec.Command(node, filepath.Join("..", "sample", "testdata", "browser", "check.mjs"))
	run.Env = append(os.Environ(), "BASE_URL="+strings.Replace(base, "127.0.0.1", "localhost", 1), "OUT_DIR="+pictures, "CHROMIUM="+chromium, "MODULES="+modules)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
