package app_test

import (
	"cmp"
	"encoding/json"
	"log/slog"
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
	asked
	Expect clerkDecision
	text   string // the line it was read from
}

// exceptions are the vectors that Clerk's rules cannot be asked for here, and why.
var exceptions = map[string]string{
	"bearer OAuth at+jwt, any":                    machines,
	"bearer M2M JWT, any":                         machines,
	"bearer ak_ opaque, api_key ok":               machines,
	"bearer ak_ opaque, api_key 404":              machines,
	"array accepts api_key only, cookies present": machines,
	"JWKS 401 clerk_key_invalid":                  "keys come from the Frontend API, which asks for no secret key",
	"JWKS empty":                                  "a key set without keys is no reason to throw the last one away: keys-unavailable",
	"bad publishable key":                         "a configuration that is exit 2",
	"missing secret key":                          "no secret key is needed to verify a token",
	"invalid x-forwarded-host falls back":         "it falls back to the host of the connection, which is none of ours: host-not-allowed",
}

const machines = "accepts tokens of machines, which are no sessions"

func vectors(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/clerk/vectors.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for line := range strings.Lines(string(text)) {
		all = append(all, readVector(t, line))
	}
	return all
}

func readVector(t *testing.T, line string) vector {
	t.Helper()
	v := vector{text: line}
	var id struct{ ID string }
	if json.Unmarshal([]byte(line), &id) == nil && exceptions[id.ID] != "" {
		v.ID = id.ID // its options are of other shapes
		return v
	}
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("%s: %v", id.ID, err)
	}
	v.Method = cmp.Or(v.Method, http.MethodGet)
	return v
}

// decided are the vectors without the exceptions.
func decided(t *testing.T) []vector {
	t.Helper()
	all := vectors(t)
	mine := slices.DeleteFunc(slices.Clone(all), func(v vector) bool { return exceptions[v.ID] != "" })
	if len(all) != 144 || len(exceptions) > 10 || len(mine) != len(all)-len(exceptions) {
		t.Errorf("%d vectors, %d of them compared, %d exceptions", len(all), len(mine), len(exceptions))
	}
	return mine
}

// environ is the configuration that asks what the options ask. An upstream is
// added by whoever has one.
func environ(q *asked, jwksURL, api string) []string {
	o := &q.Options
	env := []string{
		"CLERK_PUBLISHABLE_KEY=" + o.PublishableKey,
		"CLERK_SECRET_KEY=" + o.SecretKey,
		"CLERK_API_URL=" + api,
		"AUTHPROXY_PUBLIC_URL=" + q.publicOrigin(),
		"AUTHPROXY_TRUSTED_PROXIES=127.0.0.0/8,192.0.2.0/24",
		"AUTHPROXY_PASS_CLERK_COOKIES=true",
	}
	set := func(name, value string) {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	if o.UseRemoteJwks {
		set("AUTHPROXY_JWKS_URL", jwksURL)
	} else {
		set("CLERK_JWT_KEY", minttest.Good().PEM)
	}
	set("AUTHPROXY_AUDIENCE", o.Audience)
	set("CLERK_PROXY_URL", o.ProxyURL)
	if o.IsSatellite {
		set("CLERK_IS_SATELLITE", "true")
		set("CLERK_DOMAIN", o.Domain)
		if o.SatelliteAutoSync {
			set("AUTHPROXY_SATELLITE_AUTO_SYNC", "true")
		}
	}
	// In production it is no part of any decision, and our own origin is none for a
	// satellite's.
	if !o.production() {
		set("CLERK_SIGN_IN_URL", o.SignInURL)
	}
	if patterns := o.OrganizationSyncOptions; patterns != nil {
		set("AUTHPROXY_ORGANIZATION_PATTERNS", strings.Join(patterns.OrganizationPatterns, ","))
		set("AUTHPROXY_PERSONAL_ACCOUNT_PATTERNS", strings.Join(patterns.PersonalAccountPatterns, ","))
	}
	return env
}

// clerkRules asks for what the options ask, and nothing more.
func (o *options) clerkRules() session.Rules {
	rules := &session.ClerkRules{AuthorizedParties: o.AuthorizedParties, Issuers: o.Issuer}
	if o.Audience != "" {
		rules.Audience = []string{o.Audience}
	}
	return session.Rules{Clerk: rules}
}

// publicOrigin is the one that the SDK takes the request for.
func (q *asked) publicOrigin() string {
	scheme, rest, _ := strings.Cut(q.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	if h := q.Headers["x-forwarded-host"]; h != "" {
		host, _, _ = strings.Cut(h, ",")
		scheme, _, _ = strings.Cut(q.Headers["x-forwarded-proto"], ",")
	}
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

// TestVectors: under Clerk's own rules, Clerk's decisions.
func TestVectors(t *testing.T) {
	t.Parallel()
	jwksURL := keyServer(t, minttest.JWKS(minttest.Good()))
	for _, v := range decided(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			upstream, got := recorder(t)
			api := newBackend(t)
			api.play(v.Bapi)
			env := append(environ(&v.asked, jwksURL, api.URL), "AUTHPROXY_UPSTREAM="+upstream.URL)
			a := withKeys(t, newApp(t, env, app.Options{
				Now: func() time.Time { return time.Unix(v.Now, 0) }, Rules: v.Options.clerkRules(),
			}))
			d := a.Decider().Decide(t.Context(), v.question())
			if diff := sameAsClerk(outcomeOfClerk(v.Expect), outcomeOf(d, api.asked())); diff != "" {
				t.Errorf("-Clerk +ours\n%s", diff)
			}
			w := httptest.NewRecorder()
			a.Data().ServeHTTP(w, v.request())
			checkAnswer(t, d, w.Result(), got)
			if d.SignedIn() {
				v.compareIdentity(t, d.Identity)
			}
		})
	}
}

// request is what arrives at the data listener.
func (q *asked) request() *http.Request {
	r := httptest.NewRequest(q.Method, q.URL, nil)
	r.RequestURI = r.URL.RequestURI() // what a client sends
	r.TLS = nil
	for name, value := range q.Headers {
		if name == "host" {
			r.Host = value
			continue
		}
		if strings.HasPrefix(name, "x-forwarded-") {
			// Of a list the SDK takes the first element, whoever wrote it, and ours
			// the last, which the peer did.
			value, _, _ = strings.Cut(value, ",")
		}
		r.Header.Set(name, value)
	}
	return r
}

// question is what the data listener asks the gate.
func (q *asked) question() *authproxy.Request {
	r := q.request()
	scheme, host, _ := strings.Cut(q.publicOrigin(), "://")
	return &authproxy.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: host, Scheme: scheme, Header: r.Header,
	}
}

// compareIdentity holds what was read from the claims to Clerk's auth object.
func (v vector) compareIdentity(t *testing.T, id *authproxy.Identity) {
	t.Helper()
	want := v.Expect.Auth
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
