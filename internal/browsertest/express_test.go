package browsertest_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/account"
	"github.com/manageros/authproxy/internal/clerkdev"
	"github.com/manageros/authproxy/internal/testneed"
)

// who is signed in, as somebody sees it. Ids; "" is nobody.
type who struct{ User, Session, Organization, Actor string }

// opinion is what the application answers.
type opinion struct {
	SDK, Proxy              who
	Status, Cookies, Method string
	answer                  *http.Response
}

// TestSecondSDK: an application with Clerk's own Express SDK gets Clerk's cookies
// passed on. On every request it agrees with our headers about who is signed in, so
// that an application can move from one to the other, or have both.
func TestSecondSDK(t *testing.T) {
	t.Parallel()
	for _, production := range []bool{false, true} {
		t.Run(fmt.Sprintf("production=%v", production), func(t *testing.T) {
			t.Parallel()
			agreeing(t, production)
		})
	}
}

func agreeing(t *testing.T, production bool) {
	var sdk string
	r := start(t, site{
		production: production, template: clerkdev.DefaultTemplate,
		environ:  []string{"AUTHPROXY_AUTH=optional", "AUTHPROXY_PASS_CLERK_COOKIES=true", "AUTHPROXY_PASS_AUTHORIZATION=true"},
		upstream: func(r *rig) string { sdk = express(t, r); return sdk },
	})
	c := newCaller(t, r, sdk)
	ada := r.user(t, "ada").ID
	nobody := who{}

	c.page("/first").is("a first visit", nobody)
	c.signIn(ada)
	session := r.Sessions(ada)[0]
	hers := who{User: ada, Session: session.ID}
	c.page("/").is("a page load with a fresh session", hers)
	c.call(http.MethodGet).is("a fetch with a fresh session", hers)
	c.call(http.MethodPost).is("a form with a fresh session", hers)

	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		c.later()
		c.call(method).is("a silent refresh by "+method, hers).renewed()
	}
	c.later()
	c.page("/x?a=b").is("a silent refresh by a page load", hers).renewed()

	for _, organization := range []string{r.harbour, r.quarry} {
		if err := r.SetOrganization(session.ID, organization); err != nil {
			t.Fatal(err)
		}
		hers.Organization = organization
		c.later()
		c.call(http.MethodPost).is("another organisation, after a silent refresh", hers).renewed()
	}
	c.later()
	c.forget("__refresh_" + r.Named().CookieSuffix())
	before := r.handshakes()
	c.page("/after?a=b").is("after a handshake", hers)
	if r.handshakes() != before+1 {
		t.Errorf("%d handshakes", r.handshakes()-before)
	}
	c.page("/").is("after that", hers)

	c.elsewhere().is("the plain cookie of another instance", hers)

	c.later()
	c.forget("__refresh_" + r.Named().CookieSuffix())
	c.call(http.MethodPost).is("expired, with nothing to renew it by", nobody)
	c.page("/again").is("and renewed by a page load", hers)

	if err := r.SetPending(session.ID, true); err != nil {
		t.Fatal(err)
	}
	c.later()
	c.page("/pending").is("a task is open", nobody)
	if err := r.SetPending(session.ID, false); err != nil {
		t.Fatal(err)
	}
	c.later()
	c.page("/done").is("the task is done", hers)

	c.bearer(ada, session.ID).is("a bearer", who{User: ada, Session: session.ID, Organization: hers.Organization})
	c.signOut()
	c.page("/").is("signed out", nobody)
	c.call(http.MethodPost).is("signed out, a form", nobody)
	c.asActor(ada)
	c.ownRedirects()
	t.Logf("%d requests, of which %d page loads, were of one opinion", c.asked, c.pages)
	if t.Failed() {
		t.Log(r.journal)
	}
}

// express starts the application and returns its address.
func express(t *testing.T, r *rig) string {
	t.Helper()
	node := testneed.Tool(t, "node")
	run := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "express.mjs"))
	run.Env = append(os.Environ(), "MODULES="+modules(t, "@clerk/express", "express"), "PUBLISHABLE_KEY="+r.Named().PublishableKey,
		"SECRET_KEY="+r.SecretKey(), "JWT_KEY="+r.PublicKeyPEM(), "API="+r.api, "BASE="+r.base, "CLERK_TELEMETRY_DISABLED=1")
	stderr := &strings.Builder{}
	run.Stderr = stderr
	stdin, err := run.StdinPipe() // which ends with this process, whatever becomes of it
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := run.StdoutPipe()
	if err == nil {
		err = run.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = run.Wait() })
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the application does not start: %v\n%s", err, stderr)
	}
	return strings.TrimSpace(address)
}

// caller is a browser as far as cookies and redirects go.
type caller struct {
	*rig
	t            *testing.T
	sdk          string
	jar          *cookiejar.Jar
	client       *http.Client
	asked, pages int
}

func newCaller(t *testing.T, r *rig, sdk string) *caller {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{rig: r, t: t, sdk: sdk, jar: jar, client: &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}}
}

func (c *caller) send(method, path string, header ...string) *http.Response {
	c.t.Helper()
	q, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	q.Header.Set("Accept", "text/html")
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	answer, err := c.client.Do(q)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// judged is an opinion that somebody is about to compare.
type judged struct {
	*caller
	opinion
}

func (c *caller) ask(method, path string, header ...string) *judged {
	c.t.Helper()
	answer := c.send(method, path, header...)
	defer answer.Body.Close()
	j := &judged{c, opinion{answer: answer}}
	if err := json.NewDecoder(answer.Body).Decode(&j.opinion); err != nil {
		c.t.Errorf("%s %s is answered with %d %s (%v)\n%s", method, path, answer.StatusCode, answer.Request.URL, err, c.journal)
	}
	c.asked++
	return j
}

func (c *caller) page(path string) *judged {
	c.t.Helper()
	c.pages++
	j := c.ask(http.MethodGet, path, "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate")
	if got := j.answer.Request.URL.RequestURI(); got != path {
		c.t.Errorf("%s ends at %s", path, got)
	}
	return j
}

func (c *caller) call(method string) *judged {
	c.t.Helper()
	return c.ask(method, "/call", "Sec-Fetch-Dest", "empty", "Origin", c.base)
}

// is compares both opinions with what is so.
func (j *judged) is(what string, want who) *judged {
	j.t.Helper()
	if j.SDK != want || j.Proxy != want {
		j.t.Errorf("%s: the SDK says %+v, the proxy %+v; it is %+v", what, j.SDK, j.Proxy, want)
	}
	if status := map[bool]string{true: "anonymous", false: "authenticated"}[want.User == ""]; j.Status != status {
		j.t.Errorf("%s: X-Auth-Status is %q", what, j.Status)
	}
	if strings.Contains(j.Cookies, "__refresh") || strings.Contains(j.Cookies, "__client=") {
		j.t.Errorf("%s: the application gets %s", what, j.Cookies)
	}
	return j
}

// renewed: the session was renewed in this very request.
func (j *judged) renewed() {
	j.t.Helper()
	if !renews(j.answer.Header) || bothSides(j.t, []entry{{answer: &answer{header: j.answer.Header}}}) != 1 {
		j.t.Errorf("nothing was renewed: %q", j.answer.Header)
	}
}

// later moves every clock by five minutes.
func (c *caller) later() {
	c.t.Helper()
	c.advance(5 * time.Minute)
	q, err := http.NewRequestWithContext(c.t.Context(), http.MethodPut, fmt.Sprintf("%s/ahead/%d", c.sdk, time.Duration(c.ahead.Load()).Milliseconds()), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = answer.Body.Close()
}

func (c *caller) here() *url.URL {
	u, err := url.Parse(c.base)
	if err != nil {
		c.t.Fatal(err)
	}
	return u
}

func (c *caller) forget(name string) {
	c.jar.SetCookies(c.here(), []*http.Cookie{{Name: name, Path: "/", MaxAge: -1}})
}

// signIn chooses somebody on the emulator's page.
func (c *caller) signIn(user string) {
	c.t.Helper()
	form := url.Values{"user": {user}, "redirect_url": {"/in"}}
	q, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+clerkdev.SignInPath, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := c.client.Do(q)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = answer.Body.Close()
}

func (c *caller) signOut() {
	c.t.Helper()
	answer := c.send(http.MethodPost, account.SignOutPath, "Sec-Fetch-Dest", "document", "Origin", c.base)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK { // where it leads
		c.t.Errorf("signing out is answered with %d", answer.StatusCode)
	}
}

// elsewhere asks with the cookies of another application on this host beside ours:
// they share the plain names.
func (c *caller) elsewhere() *judged {
	c.t.Helper()
	other, err := clerkdev.New(clerkdev.Config{Production: c.production, FrontendAPI: map[bool]string{true: "clerk.other.example.com"}[c.production], Now: c.now})
	if err != nil {
		c.t.Fatal(err)
	}
	stranger := other.AddUser(clerkdev.User{Username: "stranger"})
	s, err := other.SignIn("", stranger.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	token, err := other.MintToken(s.ID, c.base)
	if err != nil {
		c.t.Fatal(err)
	}
	plain := func(value string) {
		c.jar.SetCookies(c.here(), []*http.Cookie{{Name: "__session", Path: "/", Value: value}})
	}
	var ours string
	for _, k := range c.jar.Cookies(c.here()) {
		if k.Name == "__session" {
			ours = k.Value
		}
	}
	plain(token.JWT)
	defer plain(ours)
	return c.page("/shared")
}

func (c *caller) bearer(_, session string) *judged {
	c.t.Helper()
	token, err := c.MintToken(session, c.base)
	if err != nil {
		c.t.Fatal(err)
	}
	program := newCaller(c.t, c.rig, c.sdk)
	return program.ask(http.MethodGet, "/api", "Authorization", "Bearer "+token.JWT)
}

// asActor: somebody is signed in as somebody else.
func (c *caller) asActor(user string) {
	c.t.Helper()
	ben := c.user(c.t, "ben").ID
	s, err := c.Impersonate("", ben, user)
	if err != nil {
		c.t.Fatal(err)
	}
	c.bearer(user, s.ID).is("impersonation", who{User: user, Session: s.ID, Actor: ben})
}

func (r *rig) handshakes() (n int) {
	for _, e := range r.all() {
		if a := e.answer; a != nil && strings.Contains(a.header.Get("Location"), "/v1/client/handshake?") {
			n++
		}
	}
	return n
}

// ownRedirects: whoever redirected, it was never the SDK.
func (c *caller) ownRedirects() {
	c.t.Helper()
	for _, e := range c.all() {
		a := e.answer
		if a != nil && a.status/100 == 3 && !strings.HasPrefix(a.path, clerkdev.FrontendPath) && a.header.Get("X-Authproxy-Response") != "true" {
			c.t.Errorf("the application redirects %s to %s", a.path, a.header.Get("Location"))
		}
	}
}
