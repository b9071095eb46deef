package clerkdev_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// stale is a browser whose token is expired: what it can be refreshed with.
type stale struct {
	*apiRig
	user    clerkdev.User
	session clerkdev.Session
	body    map[string]any
}

func newStale(t *testing.T, cfg clerkdev.Config) *stale {
	t.Helper()
	a := newAPI(t, cfg)
	client := a.NewClient()
	u, _, s, token := signedInByAPI(t, a, client)
	a.clock.Advance(10 * time.Minute)
	return &stale{a, u, s, map[string]any{
		"format": "cookie", "expired_token": token, "refresh_token": refreshOf(t, a, client), "request_origin": apiOrigin,
		"request_headers": map[string][]string{"user-agent": {"x"}}, "request_originating_ip": "127.0.0.1",
	}}
}

// refreshOf learns a browser's refresh token as a browser does.
func refreshOf(t *testing.T, a *apiRig, client string) string {
	t.Helper()
	name := "__clerk_db_jwt"
	if !strings.HasPrefix(client, "dvb_") {
		name = "__client"
	}
	got := serve(a.Instance, withCookies(get(clerkdev.SignInPath), name, client))
	for _, c := range got.Cookies() {
		if c.Name == "__refresh"+suffix(a.Instance) {
			return c.Value
		}
	}
	t.Fatalf("no refresh cookie: %d %v", got.StatusCode, got.Header)
	return ""
}

func withCookies(r *http.Request, pairs ...string) *http.Request {
	for pair := range slices.Chunk(pairs, 2) {
		r.AddCookie(&http.Cookie{Name: pair[0], Value: pair[1]})
	}
	return r
}

// ask refreshes with a body in which some members are others; nil leaves one out.
func (s *stale) ask(query string, pairs ...any) apiAnswer {
	s.t.Helper()
	body := maps.Clone(s.body)
	for pair := range slices.Chunk(pairs, 2) {
		body[pair[0].(string)] = pair[1]
		if pair[1] == nil {
			delete(body, pair[0].(string))
		}
	}
	return s.do("POST", "/v1/sessions/"+s.session.ID+"/refresh"+query, compactly(s.t, body))
}

func (s *stale) again() string {
	s.t.Helper()
	token, err := s.Mint(s.session.ID, apiOrigin)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func (s *stale) sign(claims map[string]any) string {
	s.t.Helper()
	token, err := s.Sign(map[string]any{"cat": "cl_B7d4PD111AAA"}, claims)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]string{
		"?suffixed_cookies=true": {
			"__session=JWT; Path=/; Max-Age=3600; SameSite=Lax", "__session_S=JWT; Path=/; Max-Age=3600; SameSite=Lax",
			"__refresh_S=REFRESH; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax",
		},
		"": {"__session=JWT; Path=/; Max-Age=3600; SameSite=Lax", "__refresh_S=REFRESH; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
	} {
		s := newStale(t, clerkdev.Config{})
		got := s.ask(query)
		var lines []string
		list, _ := got.body["cookies"].([]any)
		for _, line := range list {
			lines = append(lines, line.(string))
		}
		if got.status != 200 || got.body["object"] != "cookies" || lines == nil {
			t.Fatalf("%d %s", got.status, got.raw)
		}
		jwt := cookieLines(t, lines)[0].Value
		if got := shapes(s.Instance, lines, map[string]string{jwt: "JWT", s.body["refresh_token"].(string): "REFRESH"}); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		id, reason := judged(t, s.Instance, s.clock.Now, jwt)
		if reason != "" || id.UserID != s.user.ID || id.SessionID != s.session.ID || id.AuthorizedParty != apiOrigin || id.Organization == nil {
			t.Errorf("%q %+v", reason, id)
		}
	}
}

func TestRefreshForms(t *testing.T) {
	t.Parallel()
	s := newStale(t, clerkdev.Config{})
	if got := s.ask("", "format", "token"); got.status != 200 || got.body["object"] != "token" || got.body["jwt"] == "" {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if got := s.ask("", "format", "xml"); got.status != 422 {
		t.Errorf("%d %s", got.status, got.raw)
	}
	for _, missing := range []string{"expired_token", "refresh_token", "request_origin"} {
		s.checkError(s.ask("", missing, nil), 422, "form_param_missing")
	}
	s.checkError(s.ask("", "password", "x"), 422, "form_param_unknown")

	secure := newStale(t, clerkdev.Config{Production: true, TokenLifetime: 15 * time.Second})
	token, err := secure.Mint(secure.session.ID, "https://app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	got := secure.ask("?suffixed_cookies=true", "expired_token", token, "request_origin", "https://app.example.com")
	lines := got.body["cookies"].([]any)
	for n, attributes := range []string{"; Path=/; Secure; SameSite=Lax", "; Path=/; Secure; SameSite=Lax", "; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Lax"} {
		if !strings.HasSuffix(lines[n].(string), attributes) {
			t.Errorf("%s", lines[n])
		}
	}
	_, claims := decoded(t, cookieLines(t, []string{lines[0].(string)})[0].Value)
	if claims["exp"].(float64)-claims["iat"].(float64) != 15 {
		t.Errorf("%v", claims)
	}
}

// TestRefreshRefuses: clerk.md, 2.7; every one is a 401.
func TestRefreshRefuses(t *testing.T) {
	t.Parallel()
	s := newStale(t, clerkdev.Config{})
	other := newStale(t, clerkdev.Config{})
	iat := s.clock.Now().Unix()
	claims := func(without string) string {
		c := map[string]any{"azp": apiOrigin, "sid": s.session.ID, "iat": iat, "sub": s.user.ID}
		delete(c, without)
		return s.sign(c)
	}
	noAZP, err := s.Mint(s.session.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	template, err := s.Sign(map[string]any{"cat": "cl_B7d4PD222AAA"}, map[string]any{"azp": apiOrigin, "sid": s.session.ID, "iat": iat})
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(s.body["expired_token"].(string), ".")
	for _, c := range []struct {
		code  string
		pairs []any
	}{
		{"refresh_request_origin_invalid", []any{"request_origin", "localhost:4180"}},
		{"refresh_request_origin_invalid", []any{"request_origin", "null"}},
		{"refresh_request_origin_invalid", []any{"request_origin", apiOrigin + "/x"}},
		{"refresh_request_origin_invalid", []any{"request_origin", "http://[::1"}},
		{"refresh_request_origin_azp_mismatch", []any{"request_origin", "http://localhost:4181"}},
		{"refresh_request_origin_azp_mismatch", []any{"request_origin", "https://localhost:4180"}},
		{"expired_session_token_missing_azp", []any{"expired_token", noAZP}},
		{"expired_session_token_missing_azp", []any{"expired_token", claims("azp")}},
		{"expired_session_token_missing_sid", []any{"expired_token", claims("sid")}},
		{"session_refresh_expired_session_token_missing_iat", []any{"expired_token", claims("iat")}},
		{"session_refresh_expired_session_token_too_old", []any{"expired_token", s.sign(map[string]any{"azp": apiOrigin, "sid": s.session.ID, "iat": iat - 7*86400 - 1})}},
		{"refresh_sid_mismatch", []any{"expired_token", s.sign(map[string]any{"azp": apiOrigin, "sid": "sess_other", "iat": iat})}},
		{"expired_session_token_invalid", []any{"expired_token", "x"}},
		{"expired_session_token_invalid", []any{"expired_token", "a.b.c"}},
		{"expired_session_token_invalid", []any{"expired_token", parts[0] + "." + parts[1] + "."}},
		{"expired_session_token_invalid", []any{"expired_token", parts[0] + "." + strings.Split(claims(""), ".")[1] + "." + parts[2]}},
		{"expired_session_token_invalid", []any{"expired_token", other.body["expired_token"]}}, // another instance's
		{"expired_session_token_invalid", []any{"expired_token", template}},
		{"refresh_token_not_found", []any{"refresh_token", "x"}},
		{"refresh_token_not_found", []any{"refresh_token", ""}},
		{"refresh_token_not_found", []any{"refresh_token", other.body["refresh_token"]}},
	} {
		s.clock.Advance(10 * time.Second) // the Backend API's own limit
		s.checkError(s.ask("", c.pairs...), 401, c.code)
	}
	s.clock.Advance(10 * time.Second)
	if got := s.ask(""); got.status != 200 {
		t.Errorf("what was refused has consumed the token: %d %s", got.status, got.raw)
	}
	s.checkError(s.ask(""), 401, "session_refresh_expired_session_token_consumed")
}

// TestRefreshOfADeadSession: a refresh token dies with its session.
func TestRefreshOfADeadSession(t *testing.T) {
	t.Parallel()
	ended := newStale(t, clerkdev.Config{})
	if err := ended.EndSession(ended.session.ID, "removed"); err != nil {
		t.Fatal(err)
	}
	ended.checkError(ended.ask(""), 401, "session_refresh_inactive_session")
	if ended.Consumed() != 0 {
		t.Error("a refusal consumed the token")
	}

	deleted := newStale(t, clerkdev.Config{})
	if err := deleted.DeleteUser(deleted.user.ID); err != nil {
		t.Fatal(err)
	}
	deleted.checkError(deleted.ask(""), 401, "session_refresh_session_not_found")

	nobody := newStale(t, clerkdev.Config{})
	nobody.Forget(nobody.user.ID)
	nobody.checkError(nobody.ask(""), 401, "session_refresh_user_not_found")

	banned := newStale(t, clerkdev.Config{})
	if _, err := banned.UpdateUser(banned.user.ID, func(u *clerkdev.User) { u.Banned = true }); err != nil {
		t.Fatal(err)
	}
	banned.checkError(banned.ask(""), 401, "session_refresh_inactive_session")
}

func TestRefreshAfterARotation(t *testing.T) {
	t.Parallel()
	s := newStale(t, clerkdev.Config{})
	if err := s.Rotate(false); err != nil {
		t.Fatal(err)
	}
	if got := s.ask(""); got.status != 200 {
		t.Errorf("a key that is still published: %d %s", got.status, got.raw)
	}
	s.EndOverlap()
	s.checkError(s.ask(""), 401, "expired_session_token_invalid")
}

// TestRefreshConsumesOnce: of many requests with one token one comes through.
func TestRefreshConsumesOnce(t *testing.T) {
	t.Parallel()
	s := newStale(t, clerkdev.Config{})
	var through sync.Map
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			if got := s.ask(""); got.status == 200 {
				through.Store(n, true)
			}
		})
	}
	all.Wait()
	count := 0
	through.Range(func(any, any) bool { count++; return true })
	if count != 1 {
		t.Errorf("%d came through", count)
	}
	s.clock.Advance(6 * 24 * time.Hour)
	next := s.again()
	s.clock.Advance(2 * 24 * time.Hour)
	if got := s.ask("", "expired_token", next); got.status != 200 || s.Consumed() != 1 {
		t.Errorf("%d %s, %d are remembered", got.status, got.raw, s.Consumed())
	}
}
