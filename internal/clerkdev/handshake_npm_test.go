package clerkdev_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// shifted is the real clock, which node has, moved by so many nanoseconds.
type shifted struct{ by atomic.Int64 }

func (s *shifted) Now() time.Time { return time.Now().Add(time.Duration(s.by.Load())) }

// npmBrowser visits a page that npm's @clerk/backend guards, and keeps cookies.
type npmBrowser struct {
	*apiRig
	options map[string]any
	cookies map[string]string
}

func newNPMBrowser(t *testing.T, cfg clerkdev.Config) *npmBrowser {
	t.Helper()
	return &npmBrowser{newAPI(t, cfg), map[string]any{"proxyUrl": apiOrigin + "/__clerk", "authorizedParties": []string{apiOrigin}}, map[string]string{}}
}

// visit asks for one page; directives become cookies.
func (b *npmBrowser) visit(target string) npmVisit {
	b.t.Helper()
	r := navigation(b.cookies)
	r.URL, r.Options = target, maps.Clone(b.options)
	got := askNPM(b.t, b.apiRig, map[string]any{"visits": map[string]npmRequest{"page": r}}).Visits["page"]
	b.take(got.Cookies)
	return got
}

func (b *npmBrowser) take(lines []string) {
	for _, c := range cookieLines(b.t, lines) {
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
}

// follow goes to the emulator's handshake and back and returns where it leads.
func (b *npmBrowser) follow(location string) string {
	b.t.Helper()
	to, err := url.Parse(location)
	if err != nil || to.Path != handshakePath {
		b.t.Fatalf("location %q", location)
	}
	r := get(to.RequestURI())
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	got := serve(b.Instance, r)
	for _, c := range got.Cookies() {
		b.take([]string{c.Raw})
	}
	returned(b.t, got)
	return got.Header.Get("Location")
}

// shakes goes through a handshake that must happen for the reason, with the clean
// address at its end, and returns the last answer.
func (b *npmBrowser) shakes(target, reason string) npmVisit {
	b.t.Helper()
	first := b.visit(target)
	if first.Status != "handshake" || first.Reason != reason {
		b.t.Fatalf("%+v", first)
	}
	back := b.visit(b.follow(first.Location))
	if back.Location != target {
		b.t.Fatalf("led to %q, not %q: %+v", back.Location, target, back)
	}
	return b.visit(back.Location)
}

// TestNPMHandshakes: Clerk's own library and the emulator come to an end together.
func TestNPMHandshakes(t *testing.T) {
	t.Parallel()
	b := newNPMBrowser(t, clerkdev.Config{Now: time.Now})
	target := apiOrigin + "/dash?a=1&b=%2F"
	if got := b.shakes(target, "dev-browser-missing"); got.Status != "signed-out" || got.Reason != "session-token-and-uat-missing" || b.cookies["__client_uat"] != "0" {
		t.Fatalf("%+v %v", got, b.cookies)
	}
	browser := b.cookies["__clerk_db_jwt"]
	u, _, s, _ := signedInByAPI(t, b.apiRig, browser)
	b.cookies["__client_uat"] = fmt.Sprint(s.CreatedAt.Unix())
	b.cookies["__client_uat"+suffix(b.Instance)] = fmt.Sprint(s.CreatedAt.Unix())
	if got := b.shakes(target, "client-uat-but-no-session-token"); got.Status != "signed-in" || got.UserID != u.ID || got.OrgSlug != "acme" {
		t.Fatalf("%+v %v", got, slices.Sorted(maps.Keys(b.cookies)))
	}
	if b.cookies["__clerk_db_jwt"] != browser || b.cookies["__refresh"+suffix(b.Instance)] == "" || b.cookies["__session"] != b.cookies["__session"+suffix(b.Instance)] {
		t.Errorf("%v", slices.Sorted(maps.Keys(b.cookies)))
	}
	if err := b.EndSession(s.ID, "revoked"); err != nil {
		t.Fatal(err)
	}
	delete(b.cookies, "__session")
	delete(b.cookies, "__session"+suffix(b.Instance))
	if got := b.shakes(target, "client-uat-but-no-session-token"); got.Status != "signed-out" || b.cookies["__client_uat"] != "0" {
		t.Errorf("%+v", got)
	}
}

// TestNPMHandshakesWithATokenForm: backends accept it, too, though they ask for a
// nonce.
func TestNPMHandshakesWithATokenForm(t *testing.T) {
	t.Parallel()
	b := newNPMBrowser(t, clerkdev.Config{Now: time.Now})
	browser := b.NewClient()
	u, _, s, _ := signedInByAPI(t, b.apiRig, browser)
	b.cookies = map[string]string{"__clerk_db_jwt": browser, "__client_uat": fmt.Sprint(s.CreatedAt.Unix())}
	first := b.visit(apiOrigin + "/")
	back := b.visit(b.follow(strings.Replace(first.Location, "format=nonce", "format=token", 1)))
	if got := b.visit(back.Location); got.Status != "signed-in" || got.UserID != u.ID {
		t.Errorf("%+v, %+v", back, got)
	}
}

func TestNPMHandshakesInProduction(t *testing.T) {
	t.Parallel()
	b := newNPMBrowser(t, clerkdev.Config{Now: time.Now, Production: true, FrontendAPI: "clerk.example.com"})
	client := b.NewClient()
	u, _, s, _ := signedInByAPI(t, b.apiRig, client)
	b.cookies = map[string]string{"__client": client, "__client_uat": fmt.Sprint(s.CreatedAt.Unix())}
	first := b.visit(apiOrigin + "/dash")
	if first.Status != "handshake" {
		t.Fatalf("%+v", first)
	}
	back := b.follow(first.Location)
	if got := b.visit(back); back != apiOrigin+"/dash" || got.Status != "signed-in" || got.UserID != u.ID {
		t.Fatalf("%q %+v", back, got)
	}
	if b.cookies["__clerk_handshake_nonce"] != "" {
		t.Error("the nonce is still there")
	}
	if got := b.visit(back); got.Status != "signed-in" {
		t.Errorf("%+v", got)
	}
}

// TestNPMRefreshes: an expired token becomes a new one without a redirect, once.
func TestNPMRefreshes(t *testing.T) {
	t.Parallel()
	clock := &shifted{}
	clock.by.Store(int64(-10 * time.Minute))
	b := newNPMBrowser(t, clerkdev.Config{Now: clock.Now})
	browser := b.NewClient()
	u, _, s, token := signedInByAPI(t, b.apiRig, browser)
	uat, refresh := fmt.Sprint(s.CreatedAt.Unix()), refreshOf(t, b.apiRig, browser)
	for name, value := range map[string]string{"__clerk_db_jwt": browser, "__client_uat": uat, "__session": token} {
		b.cookies[name], b.cookies[name+suffix(b.Instance)] = value, value
	}
	b.cookies["__refresh"+suffix(b.Instance)] = refresh
	before := maps.Clone(b.cookies)
	clock.by.Store(0)
	got := b.visit(apiOrigin + "/dash")
	if got.Status != "signed-in" || got.UserID != u.ID || len(got.Cookies) != 3 || b.cookies["__session"] == token || b.cookies["__refresh"+suffix(b.Instance)] != refresh {
		t.Fatalf("%+v", got)
	}
	b.cookies = before
	if got := b.visit(apiOrigin + "/dash"); got.Status != "handshake" || got.Reason != "session-token-expired-refresh-session_refresh_expired_session_token_consumed" {
		t.Errorf("%+v", got)
	}
}
