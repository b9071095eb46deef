package sample_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/sample"
)

// until is a token of Ada's session that runs out so many seconds from now; what
// tells one from another is the role.
func until(seconds int64, role string) string {
	exp := at.Unix() + seconds
	return fmt.Sprintf(`{"sub":"user_ada","sid":"sess_ada","iat":%d,"exp":%d,"role":%q}`, exp-60, exp, role)
}

const (
	silently = "The proxy fetched a fresh one from Clerk and passed this page on: no redirect, no login."
	around   = "The browser went to Clerk and back for a fresh one: a few redirects, no login."
)

// TestRefreshedOnTheWay: what is shown is the token that was accepted, and what
// happened to the one that was sent.
func TestRefreshedOnTheWay(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	b.fresh = until(60, "manager")
	page := b.get("/", "Cookie", cookieOf(until(-61, "employee"))).Body.String()
	for _, want := range []string{
		"Your token had run out 61 seconds ago. " + silently, "It is the fresh one.",
		"You are <em>manager</em>", `<b>&#34;role&#34;</b>: &#34;manager&#34;`,
		fmt.Sprintf(`data-now="%d" data-issued="%d" data-expires="%d"`, at.Unix(), at.Unix(), at.Unix()+60), "<strong>60</strong>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"employee", `class="alarm"`, "did not accept"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
}

// TestRefreshedForPrograms: what the fresh token says is no forgery, and nothing
// of it is in the answer.
func TestRefreshedForPrograms(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	b.fresh = until(60, "manager")
	fields := []string{"Cookie", cookieOf(until(-61, "employee")), "X-Auth-Role", "owner"}
	a := b.echo(fields...)
	if a.RanOut == nil || *a.RanOut != 61 || !a.SignedIn || a.outcome("X-Auth-Role") != "kept back" {
		t.Errorf("%+v", a)
	}
	for _, f := range a.Received {
		if f.Note == "unexplained" || f.Header == "X-Auth-Role" && f.Value != "manager" {
			t.Errorf("%+v", f)
		}
	}
	w := b.get("/echo", fields...)
	if strings.Contains(w.Body.String(), mint(b.fresh)) || strings.Contains(w.Body.String(), strings.Split(mint(b.fresh), ".")[1]) {
		t.Error("the answer holds the token")
	}
	if w.Header().Get("Content-Type") != "application/json" || w.Code != http.StatusOK {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// TestForgeryBesideARefresh: a proxy with a fault is still found out.
func TestForgeryBesideARefresh(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	b.fresh = until(60, "manager")
	b.between = func(h http.Header) { h.Set("X-Auth-Role", "owner") }
	fields := []string{"Cookie", cookieOf(until(-61, "owner")), "X-Auth-Role", "owner"}
	if a := b.echo(fields...); a.outcome("X-Auth-Role") != "forged" {
		t.Errorf("what the dead token said is %s", a.outcome("X-Auth-Role"))
	}
	if !strings.Contains(b.get("/", fields...).Body.String(), `class="alarm"`) {
		t.Error("no alarm")
	}
}

// TestNothingToTell: an ordinary page load, and what only looks like a renewal.
func TestNothingToTell(t *testing.T) {
	t.Parallel()
	other := strings.ReplaceAll(until(-61, "x"), "sess_ada", "sess_other")
	for name, c := range map[string]struct{ cookie, fresh string }{
		"a good token":            {cookieOf(until(30, "x")), ""},
		"no token":                {"theme=calm", ""},
		"let pass, a little late": {cookieOf(until(-3, "x")), ""},
		"a token without an end":  {cookieOf(`{"sub":"user_ada","sid":"sess_ada"}`), until(60, "x")},
		"a new one for a good":    {cookieOf(until(30, "x")), until(60, "x")},
		"another session's ended": {cookieOf(other), until(60, "x")},
		"one cookie left behind":  {cookieOf(until(-90, "old")) + "; __session_suffix00=" + mint(until(30, "x")), ""},
		"somebody else's":         {cookieOf(until(30, "x")), `{"sub":"user_x","sid":"sess_x"}`},
	} {
		b := newBench(t, "")
		b.fresh = c.fresh
		page := b.get("/", "Cookie", c.cookie).Body.String()
		if strings.Contains(page, `id="renewed"`) || strings.Contains(page, "the fresh one") || strings.Contains(page, "&#34;old&#34;") || strings.Contains(page, `class="alarm"`) {
			t.Errorf("%s: the page tells of a renewal, or shows another token", name)
		}
		if a := b.echo("Cookie", c.cookie); a.RanOut != nil {
			t.Errorf("%s: %d seconds", name, *a.RanOut)
		}
	}
}

// TestLittleLate: a token that the proxy lets pass after its end is shown as it is.
func TestLittleLate(t *testing.T) {
	t.Parallel()
	page := newBench(t, "").get("/", "Cookie", cookieOf(until(-3, "employee"))).Body.String()
	if !strings.Contains(page, "<strong>0</strong>") || !strings.Contains(page, "You are <em>employee</em>") {
		t.Error("the accepted token is not shown")
	}
}

// TestHowLongAgo is in the unit a person would use.
func TestHowLongAgo(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]string{
		0: "0 seconds ago", 1: "1 second ago", 2: "2 seconds ago", 119: "119 seconds ago", 120: "2 minutes ago", 7199: "119 minutes ago", 7200: "2 hours ago", 90000: "25 hours ago",
	} {
		b := newBench(t, "")
		b.fresh = until(60, "x")
		if page := b.get("/", "Cookie", cookieOf(until(-seconds, "x"))).Body.String(); !strings.Contains(page, "had run out "+want+".") {
			t.Errorf("%d seconds: no %q", seconds, want)
		}
	}
}

// step is one request of a browser and the answer of the proxy, without an
// application behind: a redirect.
func step(app *sample.Sample, target, cookie, location string, set ...string) {
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("Cookie", cookie)
	app.Watch(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, cookie := range set {
			w.Header().Add("Set-Cookie", cookie+"; Path=/")
		}
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// TestRenewedByAHandshake: the page is told at the end of the redirects, once.
func TestRenewedByAHandshake(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	dead, fresh := until(-61, "x"), until(60, "x")
	step(b.app, "/", cookieOf(dead), "http://localhost:4180/__clerk/v1/client/handshake?redirect_url=x")
	step(b.app, "/?__clerk_redirect_count=1&__clerk_handshake_nonce=n", cookieOf(dead), "http://localhost:4180/?__clerk_redirect_count=1", cookieOf(fresh))
	step(b.app, "/?__clerk_redirect_count=1", cookieOf(fresh), "http://localhost:4180/")
	if a := b.echo("Cookie", cookieOf(fresh)); a.RanOut != nil {
		t.Error("another request is told")
	}
	page := b.get("/", "Cookie", cookieOf(fresh)).Body.String()
	if !strings.Contains(page, "Your token had run out 61 seconds ago. "+around) || !strings.Contains(page, "It is the fresh one.") {
		t.Error("the page does not tell of the handshake")
	}
	if page := b.get("/", "Cookie", cookieOf(fresh)).Body.String(); strings.Contains(page, `id="renewed"`) {
		t.Error("the next page load tells of it again")
	}
}

// TestNoHandshake: what leads to the page without one, and where it leads elsewhere.
func TestNoHandshake(t *testing.T) {
	t.Parallel()
	const back = "/?__clerk_handshake=t"
	dead, fresh := until(-61, "x"), until(60, "x")
	for name, c := range map[string]struct {
		target, cookie, location string
		set                      []string
	}{
		"refreshed before a redirect": {"/_authproxy/x", cookieOf(dead), "/", []string{cookieOf(fresh)}},
		"a good token":                {back, cookieOf(until(30, "x")), "/", []string{cookieOf(fresh)}},
		"no token":                    {back, "theme=calm", "/", []string{cookieOf(fresh)}},
		"another cookie":              {back, cookieOf(dead), "/", []string{"theme=" + mint(fresh)}},
		"nothing set":                 {back, cookieOf(dead), "/", nil},
		"elsewhere":                   {back, cookieOf(dead), "/nothing-here", []string{cookieOf(fresh)}},
		"nowhere":                     {back, cookieOf(dead), "http://a b/%zz", []string{cookieOf(fresh)}},
		"no redirect":                 {back, cookieOf(dead), "", []string{cookieOf(fresh)}},
		"another token":               {back, cookieOf(dead), "/", []string{cookieOf(until(59, "x"))}},
	} {
		b := newBench(t, "")
		step(b.app, c.target, c.cookie, c.location, c.set...)
		if page := b.get("/", "Cookie", cookieOf(fresh)).Body.String(); strings.Contains(page, `id="renewed"`) || !strings.Contains(page, "You are <em>x</em>") {
			t.Errorf("%s: the page tells of a handshake", name)
		}
	}
}

// TestTripsAreBounded: of many that never arrive the latest are awaited.
func TestTripsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	const many = 40
	for n := range int64(many) {
		step(b.app, "/?__clerk_handshake=t", cookieOf(until(-61, "x")), "/", cookieOf(until(100+n, "x")))
	}
	told := 0
	for n := range int64(many) {
		if page := b.get("/", "Cookie", cookieOf(until(100+n, "x"))).Body.String(); strings.Contains(page, around) {
			told++
		} else if told > 0 {
			t.Errorf("trip %d is forgotten before older ones", n)
		}
	}
	if told != 32 {
		t.Errorf("%d are awaited", told)
	}
}

// TestHearsOverTheNetwork: the head of the answer passes before the application has
// anything to say.
func TestHearsOverTheNetwork(t *testing.T) {
	t.Parallel()
	app, err := sample.New(sample.Config{Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(app)
	t.Cleanup(behind.Close)
	front := httptest.NewServer(app.Watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, _ := http.NewRequestWithContext(r.Context(), "GET", behind.URL+r.URL.Path, nil)
		out.Header = r.Header.Clone()
		out.Header.Del("Cookie")
		for name, value := range map[string]string{"X-Auth-Status": "authenticated", "X-Auth-User-Id": "user_ada", "X-Auth-Session-Id": "sess_ada", "X-Auth-Role": "manager"} {
			out.Header.Set(name, value)
		}
		answer, err := http.DefaultClient.Do(out)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		w.WriteHeader(http.StatusEarlyHints) // says nothing yet
		w.Header().Set("Set-Cookie", cookieOf(until(60, "manager")))
		w.WriteHeader(answer.StatusCode)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		_, _ = fmt.Fprint(w, body(t, answer))
	})))
	t.Cleanup(front.Close)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", front.URL+"/", nil)
	r.Header.Set("Cookie", cookieOf(until(-61, "employee")))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if page := body(t, answer); !strings.Contains(page, silently) || strings.Contains(page, "employee") || answer.Header.Get("Set-Cookie") == "" {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
}

// TestTheWaitEnds: with the client, or when the proxy is done without an answer.
func TestTheWaitEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	gone, leave := context.WithCancel(t.Context())
	leave()
	var arrived *http.Request
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", cookieOf(until(-61, "x")))
	b.app.Watch(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived = r
		b.app.ServeHTTP(httptest.NewRecorder(), r.WithContext(gone))
	})).ServeHTTP(httptest.NewRecorder(), r)
	b.app.ServeHTTP(httptest.NewRecorder(), arrived)
}

func body(t *testing.T, answer *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
