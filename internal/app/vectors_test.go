package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/session"
)

// vector is one request and what @clerk/backend 3.25.0 decides about it.
type vector struct {
	ID      string
	Method  string
	URL     string
	Headers map[string]string
	Now     int64
	Options struct {
		PublishableKey    string
		UseRemoteJwks     bool
		AuthorizedParties []string
		Issuer            string
		Audience          string
	}
	Expect struct {
		Status string
		Reason string
		Auth   *clerkAuth
	}
}

type clerkAuth struct {
	IsAuthenticated bool
	UserID          string
	SessionID       string
	SessionStatus   string
	OrgID           string
	OrgRole         string
	OrgSlug         string
	OrgPermissions  []string
	Actor           *struct{ Sub string }
}

// later are the vectors that another piece of work decides, and why.
func later(v vector) string {
	switch {
	case v.Expect.Status == "":
		return "the SDK throws: a configuration that is exit 2 here, or a secret key that is not needed to verify"
	case v.Expect.Status == "handshake":
		return "ends in a handshake"
	case strings.Contains(v.ID, "handshake") && !strings.Contains(v.ID, "bearer"):
		return "returns from a handshake"
	case strings.Contains(v.ID, "refresh ok"):
		return "needs the refresh call"
	case strings.HasPrefix(v.ID, "satellite"):
		return "a satellite"
	case strings.HasSuffix(v.ID, ", any"), strings.Contains(v.ID, "api_key"):
		return "accepts machine tokens"
	case strings.HasPrefix(v.ID, "JWKS "):
		return "keys through the Backend API, which is not used to verify"
	}
	return ""
}

func vectors(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/clerk/vectors.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if v.Method == "" {
			v.Method = http.MethodGet
		}
		all = append(all, v)
	}
	return all
}

// decided are the vectors of this piece of work; the others are counted by
// reason, so that none goes missing.
func decided(t *testing.T) []vector {
	t.Helper()
	all, left := vectors(t), map[string]int{}
	mine := slices.DeleteFunc(slices.Clone(all), func(v vector) bool {
		why := later(v)
		if why != "" {
			left[why]++
			t.Logf("left out: %s: %s", v.ID, why)
		}
		return why != ""
	})
	want := map[string]int{
		"ends in a handshake": 34, "returns from a handshake": 12, "needs the refresh call": 2, "a satellite": 3, "accepts machine tokens": 5,
		"keys through the Backend API, which is not used to verify":                                         2,
		"the SDK throws: a configuration that is exit 2 here, or a secret key that is not needed to verify": 3,
	}
	if len(all) != 144 || !maps.Equal(left, want) {
		t.Errorf("%d vectors, left out %v, want %v", len(all), left, want)
	}
	return mine
}

// environ is the configuration that asks what a vector's options ask.
func environ(v vector, jwksURL, upstream string) []string {
	env := []string{
		"CLERK_PUBLISHABLE_KEY=" + v.Options.PublishableKey,
		"AUTHPROXY_PUBLIC_URL=" + origin(v.URL),
		"AUTHPROXY_TRUSTED_PROXIES=127.0.0.0/8,192.0.2.0/24",
		"AUTHPROXY_UPSTREAM=" + upstream,
	}
	if v.Options.UseRemoteJwks {
		env = append(env, "AUTHPROXY_JWKS_URL="+jwksURL)
	} else {
		env = append(env, "CLERK_JWT_KEY="+minttest.Good().PEM)
	}
	if v.Options.Audience != "" {
		env = append(env, "AUTHPROXY_AUDIENCE="+v.Options.Audience)
	}
	return env
}

func origin(rawURL string) string {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// seen is how an application sees a request.
type seen struct{ header http.Header }

func recorder(t *testing.T) (*httptest.Server, chan seen) {
	t.Helper()
	got := make(chan seen, 64)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- seen{r.Header} }))
	t.Cleanup(s.Close)
	return s, got
}

func keyServer(t *testing.T, body []byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/.well-known/jwks.json"
}

func newApp(t testing.TB, env []string, opt app.Options) *app.App {
	t.Helper()
	cfg, err := config.Load(env)
	if err != nil {
		t.Fatal(err)
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	a, err := app.New(cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// withKeys runs the key set until the test ends and waits for the first one.
func withKeys(t *testing.T, a *app.App) *app.App {
	t.Helper()
	go func() { _ = a.Keys().Run(t.Context()) }()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !a.Keys().Ready() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("no keys")
		}
	}
	return a
}

// TestVectors: under Clerk's own rules, Clerk's state and reason.
func TestVectors(t *testing.T) {
	t.Parallel()
	jwksURL := keyServer(t, minttest.JWKS(minttest.Good()))
	for _, v := range decided(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			upstream, got := recorder(t)
			rules := &session.ClerkRules{AuthorizedParties: v.Options.AuthorizedParties}
			if v.Options.Issuer != "" {
				rules.Issuers = []string{v.Options.Issuer}
			}
			if v.Options.Audience != "" {
				rules.Audience = []string{v.Options.Audience}
			}
			a := withKeys(t, newApp(t, environ(v, jwksURL, upstream.URL), app.Options{
				Now: func() time.Time { return time.Unix(v.Now, 0) }, Rules: session.Rules{Clerk: rules},
			}))
			w := httptest.NewRecorder()
			a.Data().ServeHTTP(w, v.request())
			v.compare(t, w.Result(), got)
			if v.Expect.Auth != nil && v.Expect.Auth.IsAuthenticated {
				v.compareIdentity(t, a)
			}
		})
	}
}

func (v vector) request() *http.Request {
	r := httptest.NewRequest(v.Method, v.URL, nil)
	r.RequestURI = r.URL.RequestURI() // what a client sends
	r.TLS = nil
	for name, value := range v.Headers {
		if name == "host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	return r
}

// compare holds an answer to Clerk's decision.
func (v vector) compare(t *testing.T, answer *http.Response, got <-chan seen) {
	t.Helper()
	reason := answer.Header.Get("X-Clerk-Auth-Reason")
	defer func() {
		for len(got) > 0 {
			<-got // of a case that went wrong
		}
	}()
	switch {
	case v.Expect.Status == "signed-in" && v.Expect.Auth.IsAuthenticated:
		select {
		case s := <-got:
			if s.header.Get("X-Auth-User-Id") != v.Expect.Auth.UserID || s.header.Get("X-Auth-Session-Id") != v.Expect.Auth.SessionID {
				t.Errorf("the upstream is told %v, want %+v", s.header, v.Expect.Auth)
			}
		default:
			t.Errorf("Clerk lets %s in; we answer %d %s", v.Expect.Auth.UserID, answer.StatusCode, reason)
		}
	case v.Expect.Status == "signed-in":
		// The SDK's state is signed-in, but its auth object is signed out
		// because the session is pending.
		if reason != string(authproxy.SessionPending) || v.Expect.Auth.SessionStatus != "pending" {
			t.Errorf("reason %q for the session status %q", reason, v.Expect.Auth.SessionStatus)
		}
	default:
		if reason != v.Expect.Reason || answer.StatusCode < 300 || len(got) > 0 {
			t.Errorf("status %d, reason %q, %d requests at the upstream; Clerk says %s %q", answer.StatusCode, reason, len(got), v.Expect.Status, v.Expect.Reason)
		}
	}
}

// compareIdentity holds what was read from the claims to Clerk's auth object.
func (v vector) compareIdentity(t *testing.T, a *app.App) {
	t.Helper()
	r := v.request()
	d := a.Decider().Decide(t.Context(), &authproxy.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host, Scheme: "https", Header: r.Header,
	})
	want := v.Expect.Auth
	id := d.Identity
	if id == nil {
		t.Fatalf("no identity: %+v", d)
	}
	org := authproxy.Organization{}
	if id.Organization != nil {
		org = *id.Organization
	}
	if org.ID != want.OrgID || org.Role != want.OrgRole || org.Slug != want.OrgSlug || !slices.Equal(org.Permissions, want.OrgPermissions) {
		t.Errorf("organisation %+v, Clerk reads %s %s %s %v", org, want.OrgID, want.OrgRole, want.OrgSlug, want.OrgPermissions)
	}
	if (id.Actor != nil) != (want.Actor != nil) || id.Actor != nil && id.Actor.UserID != want.Actor.Sub {
		t.Errorf("actor %+v, Clerk reads %+v", id.Actor, want.Actor)
	}
	if want.SessionStatus != "" && id.SessionStatus != want.SessionStatus {
		t.Errorf("session status %q, Clerk reads %q", id.SessionStatus, want.SessionStatus)
	}
}
