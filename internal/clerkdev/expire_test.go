package clerkdev_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/clerkdev"
)

// TestExpire: the token of the session that is there ran out a minute ago, and
// nothing else about the browser says so.
func TestExpire(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	zoe, j := i.Users()[2], jar{}
	j.ask(i, form(clerkdev.SignInPath, "user", zoe.ID))
	alive, refresh := j["__session"].Value, j["__refresh"+suffix(i)].Value
	got := j.ask(i, form(clerkdev.ExpirePath, "redirect_url", "/a?b=c"))
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/a?b=c" {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	wantSessionCookies(t, i, got.Cookies())
	dead := j["__session"].Value
	if _, reason := judged(t, i, c.Now, dead); reason != authproxy.TokenExpired {
		t.Errorf("the token is %q", reason)
	}
	// Two minutes ago it was a good one.
	id, reason := judged(t, i, func() time.Time { return c.Now().Add(-2 * time.Minute) }, dead)
	if reason != "" || id.UserID != zoe.ID || id.Organization == nil || id.Organization.Slug != "nordlicht" || id.AuthorizedParty != app {
		t.Fatalf("%q %+v", reason, id)
	}
	_, before := decoded(t, alive)
	_, after := decoded(t, dead)
	if now := float64(c.Now().Unix()); after["exp"] != now-60 || after["iat"] != now-120 || after["sid"] != before["sid"] || after["jti"] == before["jti"] {
		t.Errorf("at %v: %v", now, after)
	}
	// The cookie rules would find a newer change of who is signed in.
	if uat := j["__client_uat"].Value; uat != strconv.FormatInt(id.IssuedAt.Unix(), 10) {
		t.Errorf("uat %s, iat %v", uat, id.IssuedAt)
	}
	if kept := j["__refresh"+suffix(i)]; kept == nil || kept.Value != refresh {
		t.Errorf("refresh cookie %v", kept)
	}
	// Whoever is signed in stays so, and comes back to life.
	if s := i.Sessions(zoe.ID); len(s) != 1 || s[0].Status != "active" {
		t.Errorf("%+v", s)
	}
	j.ask(i, get(clerkdev.SignInPath))
	if _, reason := judged(t, i, c.Now, j["__session"].Value); reason != "" {
		t.Errorf("the next token is %q", reason)
	}
}

// TestExpireOldSession: a __client_uat that is earlier than the dead token stays.
func TestExpireOldSession(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	j := jar{}
	j.ask(i, form(clerkdev.SignInPath, "user", i.Users()[0].ID))
	uat := j["__client_uat"].Value
	c.move(time.Hour)
	j.ask(i, form(clerkdev.ExpirePath))
	if got := j["__client_uat"].Value; got != uat {
		t.Errorf("uat %s, was %s", got, uat)
	}
}

func TestExpireForgetsTheRefreshCookie(t *testing.T) {
	t.Parallel()
	for value, gone := range map[string]bool{"1": true, "0": false, "": false} {
		i, _ := standing(t)
		j := jar{}
		j.ask(i, form(clerkdev.SignInPath, "user", i.Users()[0].ID))
		j.ask(i, form(clerkdev.ExpirePath, "forget_refresh", value))
		if kept := j["__refresh"+suffix(i)] != nil; kept == gone {
			t.Errorf("forget_refresh=%q: kept %v", value, kept)
		}
		// The next one is whole again.
		j.ask(i, form(clerkdev.ExpirePath))
		if j["__refresh"+suffix(i)] == nil {
			t.Errorf("forget_refresh=%q: forgotten for good", value)
		}
	}
}

// TestExpiredTokenIsRefreshed: the Backend API takes it for what it is, with the
// refresh cookie beside it.
func TestExpiredTokenIsRefreshed(t *testing.T) {
	t.Parallel()
	s := newStale(t, clerkdev.Config{TokenLifetime: 15 * time.Second})
	j := jar{}
	j.ask(s.Instance, form(clerkdev.SignInPath, "user", s.user.ID))
	j.ask(s.Instance, form(clerkdev.ExpirePath))
	_, claims := decoded(t, j["__session"].Value)
	if claims["exp"].(float64)-claims["iat"].(float64) != 15 {
		t.Errorf("%v", claims)
	}
	s.session.ID = claims["sid"].(string)
	got := s.ask("", "expired_token", j["__session"].Value, "refresh_token", j["__refresh"+suffix(s.Instance)].Value, "request_origin", app)
	if got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.raw)
	}
}

// TestExpireAnswers: a form is sent on, on this origin (RD-05); a script is not,
// because it would follow.
func TestExpireAnswers(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	j := jar{}
	j.ask(i, form(clerkdev.SignInPath, "user", i.Users()[0].ID))
	for _, c := range []struct{ mode, back, want string }{
		{"", "/x", "/x"}, {"navigate", "/x", "/x"}, {"navigate", "", "/"}, {"navigate", "https://evil.example/x", "/"}, {"navigate", "//evil.example", "/"},
		{"cors", "/x", ""}, {"same-origin", "", ""}, {"no-cors", "/x", ""},
	} {
		before := j["__session"].Value
		r, status := form(clerkdev.ExpirePath, "redirect_url", c.back), http.StatusSeeOther
		if c.mode != "" {
			r.Header.Set("Sec-Fetch-Mode", c.mode)
		}
		if c.want == "" {
			status = http.StatusNoContent
		}
		if got := j.ask(i, r); got.StatusCode != status || got.Header.Get("Location") != c.want || j["__session"].Value == before {
			t.Errorf("%+v: %d to %q", c, got.StatusCode, got.Header.Get("Location"))
		}
	}
	r := form(clerkdev.ExpirePath+"?redirect_url="+url.QueryEscape("https://evil.example/"), "redirect_url", "")
	if got := j.ask(i, r); got.Header.Get("Location") != "/" {
		t.Errorf("to %q", got.Header.Get("Location"))
	}
}

// TestExpireNobody: there is nothing to let die.
func TestExpireNobody(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	stranger := form(clerkdev.ExpirePath)
	stranger.AddCookie(&http.Cookie{Name: "__clerk_db_jwt", Value: "dvb_planted"})
	out := jar{}
	out.ask(i, form(clerkdev.SignInPath, "user", i.Users()[0].ID))
	out.ask(i, form(clerkdev.SignOutPath))
	for _, got := range []*http.Response{serve(i, form(clerkdev.ExpirePath)), serve(i, stranger), out.ask(i, form(clerkdev.ExpirePath))} {
		if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/" || len(got.Cookies()) != 0 {
			t.Errorf("%d %v", got.StatusCode, got.Header)
		}
	}
}

// TestExpireGuard: no other site does this to somebody, and no link.
func TestExpireGuard(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	j := jar{}
	j.ask(i, form(clerkdev.SignInPath, "user", i.Users()[0].ID))
	for _, c := range crossing() {
		r := form(clerkdev.ExpirePath)
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		got := j.ask(i, r)
		if allowed := got.StatusCode == http.StatusSeeOther; allowed != c.want || (len(got.Cookies()) > 0) != c.want {
			t.Errorf("%v: %d", c.header, got.StatusCode)
		}
	}
	if got := j.ask(i, get(clerkdev.ExpirePath)); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "POST" || len(got.Cookies()) != 0 {
		t.Errorf("GET: %d %v", got.StatusCode, got.Header)
	}
	rebound := form(clerkdev.ExpirePath)
	rebound.Host = "rebound.example.com:4180"
	if got := j.ask(i, rebound); got.StatusCode != http.StatusMisdirectedRequest || len(got.Cookies()) != 0 {
		t.Errorf("another host: %d", got.StatusCode)
	}
}
