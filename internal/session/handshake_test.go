package session_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/session"
)

// TestThreatHandshakeToken (HS-04, clerk.md 9.4): what a handshake brings is of
// our instance, of now, and a handshake.
func TestThreatHandshakeToken(t *testing.T) {
	t.Parallel()
	lines := []string{"__session=a; Path=/"}
	with := func(claims m) m {
		all := m{"handshake": lines}
		for name, value := range claims {
			all[name] = value
		}
		return all
	}
	at := now.Unix()
	for _, c := range []struct {
		name  string
		token string
		ours  authproxy.Reason
		clerk authproxy.Reason
	}{
		{"bare", minttest.Good().Sign(with(nil), nil), "", ""},
		{"with everything", minttest.Good().Sign(with(m{"iss": minttest.LiveIss, "iat": at, "nbf": at, "exp": at + 60}), m{"cat": "cl_B7d4PD111AAA"}), "", ""},
		{"another key", minttest.Evil().Sign(with(nil), nil), authproxy.TokenInvalidSignature, authproxy.TokenInvalidSignature},
		{"a template's token", minttest.Good().Sign(with(nil), m{"cat": "cl_B7d4PD222AAA"}), authproxy.TokenInvalid, authproxy.TokenInvalid},
		{"another issuer", minttest.Good().Sign(with(m{"iss": minttest.TestIss}), nil), authproxy.TokenInvalidIssuer, ""},
		{"expired", minttest.Good().Sign(with(m{"exp": at - 6}), nil), authproxy.TokenExpired, ""},
		{"too early", minttest.Good().Sign(with(m{"nbf": at + 7}), nil), authproxy.TokenNotActiveYet, ""},
		{"from the future", minttest.Good().Sign(with(m{"iat": at + 7}), nil), authproxy.TokenIATInTheFuture, ""},
		{"of five minutes ago", minttest.Good().Sign(with(m{"iat": at - 300}), nil), "", ""},
		{"of long ago", minttest.Good().Sign(with(m{"iat": at - 310}), nil), authproxy.TokenExpired, ""},
		{"times that are none", minttest.Good().Sign(with(m{"exp": "never"}), nil), authproxy.TokenVerificationFailed, ""},
		{"alg none", enc(`{"alg":"none","kid":"`+minttest.Good().KeyID+`"}`) + "." + enc(`{"handshake":["a=b"]}`) + ".", authproxy.TokenInvalidAlgorithm, authproxy.TokenInvalidAlgorithm},
		{"garbage", "x.y", authproxy.TokenInvalid, authproxy.TokenInvalid},
		{"no list", minttest.Good().Sign(m{"handshake": "a=b"}, nil), authproxy.TokenInvalid, ""},
		{"a list of something else", minttest.Good().Sign(m{"handshake": []int{1}}, nil), authproxy.TokenInvalid, ""},
		{"an ordinary session", minted(nil), authproxy.TokenInvalid, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, refusal := verifier(t).Handshake(t.Context(), c.token)
			wantFresh(t, refusal, c.ours)
			if c.ours == "" && !slices.Equal(got, lines) || c.ours != "" && got != nil {
				t.Errorf("directives %q", got)
			}
			_, refusal = verifier(t, clerkRules).Handshake(t.Context(), c.token)
			wantFresh(t, refusal, c.clerk)
		})
	}
}

// A handshake's token holds a session twice, and is longer than any session.
func TestHandshakeTokenLength(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]authproxy.Reason{20 << 10: "", 40 << 10: authproxy.TokenInvalid} {
		token := minttest.Good().Sign(m{"handshake": []string{"__session=" + strings.Repeat("a", size*3/4)}}, nil)
		_, refusal := verifier(t).Handshake(t.Context(), token)
		wantFresh(t, refusal, want)
	}
}

func TestHandshakeWithoutKeys(t *testing.T) {
	t.Parallel()
	v := verifier(t, keys(&keyring{err: authproxy.ErrKeysUnavailable}))
	_, refusal := v.Handshake(t.Context(), minttest.Good().Sign(m{"handshake": []string{"a=b"}}, nil))
	wantFresh(t, refusal, authproxy.KeysUnavailable)
}

// TestFindHandshake: in production only a cookie brings a payload, in development
// only the address; Clerk's SDK takes both everywhere.
func TestFindHandshake(t *testing.T) {
	t.Parallel()
	development := func(cfg *session.Config) { cfg.Instance = instance(t, minttest.TestKey) }
	none := func(cfg *session.Config) { cfg.Instance = nil }
	const query, cookie = "a=1&__clerk_handshake_nonce=nq&__clerk_handshake=tq", "__clerk_handshake_nonce=nc; __clerk_handshake=tc"
	for _, c := range []struct {
		name          string
		rules         []func(*session.Config)
		query, cookie string
		nonce, token  string
	}{
		{"production, cookie", nil, "", cookie, "nc", "tc"},
		{"production, query", nil, query, "", "", ""},
		{"production, both", nil, query, cookie, "nc", "tc"},
		{"development, cookie", []func(*session.Config){development}, "", cookie, "", ""},
		{"development, query", []func(*session.Config){development}, query, "", "nq", "tq"},
		{"development, both", []func(*session.Config){development}, query, cookie, "nq", "tq"},
		{"Clerk's SDK, both", []func(*session.Config){clerkRules}, query, cookie, "nq", "tq"},
		{"Clerk's SDK, cookie", []func(*session.Config){clerkRules}, "", cookie, "nc", "tc"},
		{"no instance", []func(*session.Config){none}, query, cookie, "", ""},
	} {
		p := find(verifier(t, c.rules...), c.query, header("Cookie", c.cookie))
		if p.Nonce != c.nonce || p.Handshake != c.token {
			t.Errorf("%s: nonce %q token %q, want %q %q", c.name, p.Nonce, p.Handshake, c.nonce, c.token)
		}
	}
}

func TestFindCount(t *testing.T) {
	t.Parallel()
	v, clerk := verifier(t), verifier(t, clerkRules)
	for _, c := range []struct {
		query, cookie    string
		count            int
		counted, inQuery bool
		asClerk          int
	}{
		{"", "", 0, false, false, 0},
		{"", "__clerk_redirect_count=0", 0, true, false, 0},
		{"", "__clerk_redirect_count=3.0", 3, true, false, 3},
		{"", "__clerk_redirect_count=-1", 0, true, false, 0},
		{"", "__clerk_redirect_count=NaN", 0, true, false, 0},
		{"", "__clerk_redirect_count=1e300", 0, true, false, 0},
		{"__clerk_redirect_count=2", "", 2, false, true, 0},
		{"__clerk_redirect_count=2", "__clerk_redirect_count=1", 2, true, true, 1},
		{"x=1&__clerk_redirect_count=1", "__clerk_redirect_count=2", 2, true, true, 2},
		{"__clerk_redirect_count=abc", "", 0, false, true, 0},
	} {
		h := header("Cookie", c.cookie)
		if p := find(v, c.query, h); p.Count != c.count || p.Counted != c.counted || p.CountInQuery != c.inQuery {
			t.Errorf("%+v: %+v", c, p)
		}
		if p := find(clerk, c.query, h); p.Count != c.asClerk {
			t.Errorf("%+v as Clerk: %d", c, p.Count)
		}
	}
}

// TestRenewCookies: an application that keeps Clerk's cookies sees those of the
// new session, and never the refresh token.
func TestRenewCookies(t *testing.T) {
	t.Parallel()
	const suffix = "_" + minttest.LiveSuff
	for _, c := range []struct {
		name, in string
		set      []string
		want     string
	}{
		{"nothing new", "a=1; __session=old", nil, "a=1; __session=old"},
		{"a new session", "a=1; __session=old; __client_uat=1; __refresh" + suffix + "=r; b=2",
			[]string{"__session=new; Path=/; Secure", "__client_uat=5; Domain=example.com", "__refresh" + suffix + "=r2; HttpOnly"}, "a=1; b=2; __client_uat=5; __session=new"},
		{"suffixed", "__session" + suffix + "=old; __SESSION" + suffix + "=x", []string{"__session" + suffix + "=new"}, "__session" + suffix + "=new"},
		{"none was there", "", []string{"__session=new"}, "__session=new"},
		{"signed out", "a=1; __session=old; __client_uat=7", []string{"__session=; Max-Age=0", "__client_uat=0; Path=/", "__session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, "a=1; __client_uat=0"},
		{"removed, then set", "__client_uat=7", []string{"__client_uat=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "__client_uat=9; Domain=example.com"}, "__client_uat=9"},
		{"the application's own is not touched", "a=1; theme=dark", []string{"a=2", "theme=light", "not a cookie"}, "a=1; theme=dark"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			if c.in != "" {
				h.Set("Cookie", c.in)
			}
			session.RenewCookies(h, c.set)
			if got := h.Get("Cookie"); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestCheckWithin(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	id, refusal := v.Verify(t.Context(), minted(m{"exp": now.Unix() - 3600, "iat": now.Unix() - 3660, "nbf": now.Unix() - 3670}))
	if refusal != nil {
		t.Fatal(refusal)
	}
	wantFresh(t, v.Check(id, []string{minttest.App}), authproxy.TokenExpired)
	wantFresh(t, v.CheckWithin(id, []string{minttest.App}, 2*60*60*1e9), "")
	wantFresh(t, v.CheckWithin(id, []string{"https://elsewhere.example"}, 2*60*60*1e9), authproxy.TokenInvalidParties)
}
