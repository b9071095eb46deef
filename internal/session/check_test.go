package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/session"
)

// At now, which lies between two seconds, and exactly at the second before.
func TestThreatTimes(t *testing.T) {
	t.Parallel()
	second := now.Truncate(time.Second)
	at := func(d int64) int64 { return second.Unix() + d }
	for _, c := range []struct {
		id     string
		claims m
		want   authproxy.Reason
	}{
		{"JWT-27 expired within the skew", m{"exp": at(-4)}, ""},
		{"JWT-27 expired by the skew", m{"exp": at(-5)}, authproxy.TokenExpired},
		{"JWT-27 expired long ago", m{"exp": at(-3600)}, authproxy.TokenExpired},
		{"JWT-27 nbf ahead by the skew", m{"nbf": at(5)}, ""},
		{"JWT-27 nbf ahead by more", m{"nbf": at(6)}, authproxy.TokenNotActiveYet},
		{"JWT-27 iat ahead by the skew", m{"iat": at(5)}, ""},
		{"JWT-27 iat ahead by more", m{"iat": at(6)}, authproxy.TokenIATInTheFuture},
		{"no nbf, no iat", m{"nbf": nil, "iat": nil}, ""},
		{"iat and nbf in 1970", m{"nbf": 0, "iat": 0}, ""},
		{"exp before nbf before iat", m{"exp": at(-5), "nbf": at(9), "iat": at(9)}, authproxy.TokenExpired},
		{"nbf before iat", m{"nbf": at(9), "iat": at(9)}, authproxy.TokenNotActiveYet},
		{"azp before exp", m{"exp": at(-5), "azp": "https://evil.example"}, authproxy.TokenInvalidParties},
		{"iss before exp", m{"exp": at(-5), "iss": "https://evil.example"}, authproxy.TokenInvalidIssuer},
		{"azp before iss", m{"azp": "https://evil.example", "iss": "https://evil.example"}, authproxy.TokenInvalidParties},
	} {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			exact := verifier(t, func(cfg *session.Config) { cfg.Now = func() time.Time { return second } })
			wantReason(t, exact, minted(c.claims), c.want)
			clerk := verifier(t, func(cfg *session.Config) {
				cfg.Now = func() time.Time { return second }
				cfg.Rules.Clerk = &session.ClerkRules{AuthorizedParties: []string{minttest.App}, Issuers: []string{minttest.LiveIss}}
			})
			wantReason(t, clerk, minted(c.claims), c.want)
		})
	}
}

// The clock is compared in milliseconds, not rounded to seconds.
func TestThreatTimesToTheMillisecond(t *testing.T) {
	t.Parallel()
	second := now.Truncate(time.Second)
	for _, c := range []struct {
		late time.Duration
		exp  int64
		want authproxy.Reason
	}{
		{-time.Millisecond, -5, ""},
		{0, -5, authproxy.TokenExpired},
		{999 * time.Millisecond, -4, ""},
		{time.Second, -4, authproxy.TokenExpired},
	} {
		v := verifier(t, func(cfg *session.Config) { cfg.Now = func() time.Time { return second.Add(c.late) } })
		wantReason(t, v, minted(m{"exp": second.Unix() + c.exp}), c.want)
	}
}

// A verified identity is judged by the clock each time it is used.
func TestThreatCheckEveryTime(t *testing.T) {
	t.Parallel()
	clock := now
	v := verifier(t, func(cfg *session.Config) { cfg.Now = func() time.Time { return clock } })
	id, refusal := v.Verify(t.Context(), minted(nil))
	if refusal != nil {
		t.Fatal(refusal)
	}
	wantFresh(t, v.Check(id, []string{minttest.App}), "")
	wantFresh(t, v.Check(id, []string{"https://other.example.com"}), authproxy.TokenInvalidParties) // JWT-45: another route
	wantFresh(t, v.Check(id, nil), authproxy.TokenInvalidParties)
	clock = clock.Add(time.Minute + 5*time.Second)
	wantFresh(t, v.Check(id, []string{minttest.App}), authproxy.TokenExpired)
	clock = clock.Add(-time.Hour)
	wantFresh(t, v.Check(id, []string{minttest.App}), authproxy.TokenNotActiveYet)
}

func TestThreatParties(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	for id, azp := range map[string]any{
		"JWT-29 absent": nil, "JWT-29 empty": "", "JWT-29 number": 1, "JWT-29 list": []string{minttest.App},
		"JWT-29 suffix": minttest.App + ".evil.com", "JWT-29 port": minttest.App + ":8443", "JWT-29 scheme": "http://app.example.com",
		"JWT-29 case": "https://APP.example.com", "JWT-29 slash": minttest.App + "/", "JWT-29 object": m{"x": minttest.App},
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			wantReason(t, v, minted(m{"azp": azp}), authproxy.TokenInvalidParties)
		})
	}
	t.Run("JWT-29 null", func(t *testing.T) {
		t.Parallel()
		payload := `{"sub":"user_1","sid":"sess_1","exp":9999999999,"iss":"https://clerk.example.com","azp":null}`
		wantReason(t, v, minttest.Good().SignRaw([]byte(`{"alg":"RS256","kid":"ins_oracle0001"}`), []byte(payload)), authproxy.TokenInvalidParties)
	})
	t.Run("an empty party in the list matches nothing", func(t *testing.T) {
		t.Parallel()
		id, refusal := v.Verify(t.Context(), minted(m{"azp": nil}))
		if refusal != nil {
			t.Fatal(refusal)
		}
		wantFresh(t, v.Check(id, []string{""}), authproxy.TokenInvalidParties)
	})
}

func TestThreatIssuers(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	for id, iss := range map[string]any{
		"JWT-28 prefix": "https://clerk.evil.com", "JWT-28 scheme": "http://clerk.example.com", "JWT-28 slash": minttest.LiveIss + "/",
		"JWT-28 case": "https://Clerk.example.com", "JWT-28 userinfo": "https://x@clerk.example.com", "JWT-28 missing": nil,
		"JWT-28 empty": "", "JWT-28 list": []string{minttest.LiveIss}, "JWT-28 number": 1, "JWT-07 another instance": minttest.TestIss,
		"JWT-28 contains": "https://evil.clerk.accounts.dev.evil.com", "JWT-12 address": "http://169.254.169.254/",
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			wantReason(t, v, minted(m{"iss": iss}), authproxy.TokenInvalidIssuer)
		})
	}
	two := verifier(t, func(cfg *session.Config) { cfg.Issuers = []string{"https://a.example", minttest.LiveIss} })
	wantReason(t, two, minted(nil), "")
}

func TestAudience(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		audience    []string
		aud         any
		ours, clerk authproxy.Reason
	}{
		{"not configured", nil, "https://x", "", ""},
		{"absent", []string{"api"}, nil, "", ""},
		{"equal", []string{"api"}, "api", "", ""},
		{"one of ours", []string{"web", "api"}, "api", "", ""},
		{"other", []string{"api"}, "web", authproxy.TokenVerificationFailed, authproxy.TokenVerificationFailed},
		{"case", []string{"api"}, "API", authproxy.TokenVerificationFailed, authproxy.TokenVerificationFailed},
		{"list with it", []string{"api"}, []string{"web", "api"}, "", ""},
		{"list without it", []string{"api"}, []string{"web"}, authproxy.TokenVerificationFailed, authproxy.TokenVerificationFailed},
		{"empty list", []string{"api"}, []string{}, authproxy.TokenVerificationFailed, ""},
		{"empty string", []string{"api"}, "", authproxy.TokenVerificationFailed, ""},
		{"an empty audience matches nothing", []string{""}, "", authproxy.TokenVerificationFailed, ""},
		{"mixed list", []string{"api"}, []any{"api", 1}, authproxy.TokenVerificationFailed, ""},
		{"number", []string{"api"}, 1, authproxy.TokenVerificationFailed, ""},
		{"object", []string{"api"}, m{"x": "api"}, authproxy.TokenVerificationFailed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ours := verifier(t, func(cfg *session.Config) { cfg.Audience = c.audience })
			wantReason(t, ours, minted(m{"aud": c.aud}), c.ours)
			clerk := verifier(t, func(cfg *session.Config) { cfg.Rules.Clerk = &session.ClerkRules{Audience: c.audience} })
			wantReason(t, clerk, minted(m{"aud": c.aud}), c.clerk)
		})
	}
	v := verifier(t, func(cfg *session.Config) { cfg.Audience = []string{"api"} })
	wantReason(t, v, minted(m{"aud": "web", "azp": "https://evil.example"}), authproxy.TokenVerificationFailed) // aud before azp
}

// What a refusal tells is bounded, printable and says both sides.
func TestRefusalDetail(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	for _, azp := range []string{"https://evil.example", strings.Repeat("é", 2000), "a\r\nSet-Cookie: x"} {
		id, refusal := v.Verify(t.Context(), minted(m{"azp": azp}))
		if refusal != nil {
			t.Fatal(refusal)
		}
		refusal = v.Check(id, []string{minttest.App, "https://b.example", "c", "d", "e", "f", "g"})
		if len(refusal.Detail) > 2000 || strings.ContainsFunc(refusal.Detail, func(r rune) bool { return r < ' ' || r > '~' && r != '…' }) {
			t.Errorf("detail of %d bytes: %.200q", len(refusal.Detail), refusal.Detail)
		}
		for _, want := range []string{`"` + minttest.App + `"`, "2 more"} {
			if !strings.Contains(refusal.Detail, want) {
				t.Errorf("detail %.300q does not hold %s", refusal.Detail, want)
			}
		}
	}
	id, _ := v.Verify(t.Context(), minted(m{"iss": "https://clerk.evil.com"}))
	if d := v.Check(id, []string{minttest.App}).Detail; d != `iss is "https://clerk.evil.com", expected "https://clerk.example.com"` {
		t.Errorf("detail %q", d)
	}
}
