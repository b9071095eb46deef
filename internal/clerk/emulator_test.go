package clerk_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/clerk"
	"github.com/manageros/authproxy/internal/clerkdev"
)

const origin = "http://localhost:4180"

// emulated is somebody signed in, in a browser that has come back from a
// handshake.
type emulated struct {
	*clerkdev.Instance
	api     string // URL of the Backend API
	session clerkdev.Session
	nonce   string
}

func emulate(t *testing.T) *emulated {
	t.Helper()
	i, err := clerkdev.New(clerkdev.Config{})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(i.Backend())
	t.Cleanup(api.Close)
	browser := i.NewClient()
	s, err := i.SignIn(browser, i.AddUser(clerkdev.User{}).ID)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"redirect_url": {origin + "/page"}, "format": {"nonce"}, "__clerk_db_jwt": {browser}}
	r := httptest.NewRequest(http.MethodGet, "/__clerk/v1/client/handshake?"+q.Encode(), nil)
	r.Host = "localhost:4180"
	w := httptest.NewRecorder()
	i.Frontend().ServeHTTP(w, r)
	back, err := url.Parse(w.Header().Get("Location"))
	if err != nil || back.Query().Get("__clerk_handshake_nonce") == "" {
		t.Fatalf("the handshake: %d %q %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	return &emulated{i, api.URL, s, back.Query().Get("__clerk_handshake_nonce")}
}

// replica is a client that remembers nothing of the others.
func (e *emulated) replica(t *testing.T, key string) *clerk.Client {
	t.Helper()
	c, err := clerk.New(clerk.Config{SecretKey: key, URL: e.api})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cookie is the value that the last of the lines for a name sets.
func cookie(t *testing.T, lines []string, prefix string) string {
	t.Helper()
	for _, line := range slices.Backward(lines) {
		if c, err := http.ParseSetCookie(line); err == nil && strings.HasPrefix(c.Name, prefix) && c.Value != "" {
			return c.Value
		}
	}
	t.Fatalf("no cookie %s in %q", prefix, lines)
	return ""
}

func wantCode(t *testing.T, err error, status int, code string) {
	t.Helper()
	if e := refused(t, err); e.Code != code || e.Status != status {
		t.Errorf("got %v, want %d %s", e, status, code)
	}
}

// TestTheEmulator plays a session from its handshake to its end.
func TestTheEmulator(t *testing.T) {
	t.Parallel()
	e := emulate(t)
	c, ctx := e.replica(t, e.SecretKey()), t.Context()
	directives, err := c.HandshakePayload(ctx, e.nonce, visitor)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.HandshakePayload(ctx, e.nonce, netip.Addr{}); err != nil || !slices.Equal(again, directives) {
		t.Errorf("another tab: %q, %v", again, err)
	}
	_, err = e.replica(t, e.SecretKey()).HandshakePayload(ctx, e.nonce, visitor)
	wantCode(t, err, http.StatusNotFound, "resource_not_found")

	r := clerk.Refresh{
		SessionID: e.session.ID, ExpiredToken: cookie(t, directives, "__session"), RefreshToken: cookie(t, directives, "__refresh_"),
		Origin: origin, Suffixed: true, Header: http.Header{"User-Agent": {"Firefox"}, "Referer": {origin + "/x"}}, ClientIP: visitor,
	}
	wrong := r
	wrong.RefreshToken = "guessed"
	_, err = c.Refresh(ctx, wrong)
	wantCode(t, err, http.StatusUnauthorized, "refresh_token_not_found")
	elsewhere := r
	elsewhere.Origin = "https://elsewhere.example"
	_, err = c.Refresh(ctx, elsewhere)
	wantCode(t, err, http.StatusUnauthorized, "refresh_request_origin_azp_mismatch")

	lines, err := c.Refresh(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	fresh := cookie(t, lines, "__session_")
	if fresh == r.ExpiredToken {
		t.Error("the token is the old one")
	}
	if again, err := c.Refresh(ctx, r); err != nil || !slices.Equal(again, lines) {
		t.Errorf("another request with the same cookies: %q, %v", again, err)
	}
	_, err = e.replica(t, e.SecretKey()).Refresh(ctx, r)
	wantCode(t, err, http.StatusUnauthorized, "session_refresh_expired_session_token_consumed")

	if err := c.RevokeSession(ctx, e.session.ID); err != nil {
		t.Fatal(err)
	}
	if got := e.Sessions(e.session.UserID); len(got) != 1 || got[0].Status != "revoked" {
		t.Errorf("sessions %+v", got)
	}
	r.ExpiredToken = fresh
	_, err = c.Refresh(ctx, r)
	wantCode(t, err, http.StatusUnauthorized, "session_refresh_inactive_session")
	wantCode(t, c.RevokeSession(ctx, "sess_2unknown"), http.StatusNotFound, "resource_not_found")
}

func TestTheEmulatorWithAnotherKey(t *testing.T) {
	t.Parallel()
	e := emulate(t)
	c := e.replica(t, secretKey)
	for endpoint, ask := range asks(t, c) {
		_, err := ask()
		wantCode(t, err, http.StatusUnauthorized, "clerk_key_invalid")
		if endpoint == clerk.EndpointHandshakePayload && c.NoncesWork(visitor) {
			t.Error("nonces work with a key that Clerk does not know")
		}
	}
}

func TestTheEmulatorFails(t *testing.T) {
	t.Parallel()
	e := emulate(t)
	for _, test := range []struct {
		failure clerkdev.Failure
		status  int
		code    string
	}{
		{clerkdev.Failure{Times: 1, Status: 500}, 500, "internal_clerk_error"},
		{clerkdev.Failure{Times: 1, Status: 429, RetryAfter: 1}, 429, "too_many_requests"},
		{clerkdev.Failure{Times: 1, Garbage: true}, 200, clerk.CodeUnexpected},
		{clerkdev.Failure{Times: 1, Status: 503, Garbage: true}, 503, clerk.CodeUnexpected},
	} {
		e.Fail(test.failure)
		_, err := e.replica(t, e.SecretKey()).HandshakePayload(t.Context(), "nonce", visitor)
		wantCode(t, err, test.status, test.code)
	}
	if _, err := e.replica(t, e.SecretKey()).HandshakePayload(t.Context(), e.nonce, visitor); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
