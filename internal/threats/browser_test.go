package threats_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
	"github.com/manageros/authproxy/internal/minttest"
)

// emulated is a proxy with the emulator for Clerk, as a production instance.
type emulated struct {
	*rig
	instance *clerkdev.Instance
	front    string // URL of the Frontend API
	past     *atomic.Int64
}

func emulate(t *testing.T, s setup) *emulated {
	t.Helper()
	e := &emulated{past: new(atomic.Int64)}
	s.now = func() time.Time { return noon.Add(time.Duration(e.past.Load())) }
	var err error
	e.instance, err = clerkdev.New(clerkdev.Config{Production: true, FrontendAPI: "clerk.example.com", AllowedOrigins: []string{minttest.App}, Now: s.now})
	if err != nil {
		t.Fatal(err)
	}
	api, front := httptest.NewServer(e.instance.Backend()), httptest.NewServer(e.instance.Frontend())
	t.Cleanup(api.Close)
	t.Cleanup(front.Close)
	s.env = append([]string{"CLERK_JWT_KEY=" + e.instance.PublicKeyPEM(), "CLERK_SECRET_KEY=" + e.instance.SecretKey(), "CLERK_API_URL=" + api.URL}, s.env...)
	e.rig, e.front = start(t, s), front.URL
	return e
}

// passes lets time go by.
func (e *emulated) passes(d time.Duration) { e.past.Add(int64(d)) }

// browser is somebody's, with the cookies that it sends to the application and to
// Clerk.
type browser struct {
	*emulated
	client string // what Clerk knows it by
	user   clerkdev.User
	jar    map[string]string
}

// signedInBrowser has just come back from signing in.
func (e *emulated) signedInBrowser(t *testing.T, name string) *browser {
	t.Helper()
	b := &browser{emulated: e, client: e.instance.NewClient(), user: e.instance.AddUser(clerkdev.User{Username: name}), jar: map[string]string{}}
	if _, err := e.instance.SignIn(b.client, b.user.ID); err != nil {
		t.Fatal(err)
	}
	b.jar["__client_uat"] = fmt.Sprint(noon.Unix()) // Clerk's, for the whole domain
	if got := b.visit(t, "/app"); got.status != 200 || b.jar["__session"] == "" || b.jar[refreshCookie] == "" {
		t.Fatalf("the first visit: status %d %s, jar %v", got.status, got.reason, slices.Sorted(maps.Keys(b.jar)))
	}
	b.only(t, "the first visit", b.user.ID)
	return b
}

// send makes one request with the jar's cookies.
func (b *browser) send(t *testing.T, c call) answer {
	t.Helper()
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(b.jar)) {
		pairs = append(pairs, name+"="+b.jar[name])
	}
	got := sendHTTP1(t, b.rig, c.with(cookieLine(pairs...)))
	b.keep(got.cookies())
	return got
}

// keep does what Set-Cookie lines say.
func (b *browser) keep(lines []string) {
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		switch {
		case err != nil:
		case c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(noon):
			delete(b.jar, c.Name)
		default:
			b.jar[c.Name] = c.Value
		}
	}
}

// visit loads a page, and goes to Clerk and back as often as it is sent there.
func (b *browser) visit(t *testing.T, target string) answer {
	t.Helper()
	got := b.send(t, call{target: target, lines: []string{pageLoad}})
	for n := 0; got.status == 307; n++ {
		if n == 8 {
			t.Fatalf("%s: for ever", target)
		}
		next := got.get("Location")
		if handshake, ok := strings.CutPrefix(next, "https://clerk.example.com"); ok {
			next = b.asks(t, handshake)
		}
		back, ok := strings.CutPrefix(next, minttest.App)
		if !ok {
			t.Fatalf("%s: sent to %s", target, next)
		}
		got = b.send(t, call{target: back, lines: []string{pageLoad}})
	}
	return got
}

// asks goes to Clerk and returns where that sends the browser.
func (b *browser) asks(t *testing.T, target string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.front+"/__clerk"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "__client", Value: b.client})
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b.keep(answer.Header["Set-Cookie"])
	return answer.Header.Get("Location")
}

// leave posts the form of the sign-out page.
func (b *browser) leave(t *testing.T, lines ...string) answer {
	t.Helper()
	return b.send(t, form("/_authproxy/sign-out", "redirect_url=%2Fpublic%2Fbye", lines...))
}

// form is a POST of one.
func form(target, body string, lines ...string) call {
	return call{method: "POST", target: target, body: body, lines: append([]string{"Content-Type: application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d", len(body))}, lines...)}
}

// statuses are those of somebody's sessions at Clerk.
func (b *browser) statuses() []string {
	var all []string
	for _, s := range b.instance.Sessions(b.user.ID) {
		all = append(all, s.Status)
	}
	return all
}

func escape(s string) string { return url.QueryEscape(s) }
