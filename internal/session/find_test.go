package session_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/session"
)

func find(v *session.Verifier, query string, h http.Header) session.Presented {
	return v.Find(&authproxy.Request{Method: "GET", Path: "/", Query: query, Header: h})
}

func TestThreatAuthorization(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	const none, bad = "", "(malformed)"
	for _, c := range []struct {
		id     string
		fields []string
		want   string // the token, none or bad
	}{
		{"JWT-40 as RFC 6750 says", []string{"Bearer a.b.c"}, "a.b.c"},
		{"JWT-40 lower case", []string{"bearer a.b.c"}, "a.b.c"},
		{"JWT-40 upper case", []string{"BEARER a.b.c"}, "a.b.c"},
		{"JWT-40 an opaque token is a token", []string{"Bearer ak_x+/~-_.="}, "ak_x+/~-_.="},
		{"JWT-40 two spaces", []string{"Bearer  a.b.c"}, bad},
		{"JWT-40 tab", []string{"Bearer\ta.b.c"}, bad},
		{"JWT-40 tab behind the space", []string{"Bearer \ta.b.c"}, bad},
		{"JWT-40 two tokens", []string{"Bearer a.b.c d.e.f"}, bad},
		{"JWT-40 joined fields", []string{"Bearer a.b.c, Bearer d.e.f"}, bad},
		{"JWT-40 comma for a space", []string{"Bearer,a.b.c"}, bad},
		{"JWT-40 slash for a space", []string{"Bearer/a.b.c"}, bad},
		{"JWT-40 colon for a space", []string{"Bearer:a.b.c"}, bad},
		{"JWT-40 folded", []string{"Bearer a.b.c\r\n d"}, bad},
		{"JWT-40 quoted", []string{`Bearer "a.b.c"`}, bad},
		{"JWT-40 a parameter", []string{"Bearer token=a.b.c"}, bad},
		{"JWT-40 no token", []string{"Bearer"}, bad},
		{"JWT-41 empty token", []string{"Bearer "}, bad},
		{"JWT-41 padding alone", []string{"Bearer =="}, bad},
		{"JWT-41 empty field", []string{""}, none},
		{"JWT-40 two bearers", []string{"Bearer a.b.c", "Bearer a.b.c"}, bad},
		{"JWT-40 basic, then bearer", []string{"Basic eDp5", "Bearer a.b.c"}, bad},
		{"JWT-40 bearer, then basic", []string{"bearer a.b.c", "Basic eDp5"}, bad},
		{"JWT-40 bearer, then nothing", []string{"Bearer a.b.c", ""}, bad},
		{"JWT-40 two others", []string{"Basic eDp5", "Digest x"}, bad},
		{"JWT-40 another scheme", []string{"Basic eDp5"}, none},
		{"JWT-40 another scheme that starts alike", []string{"BearerX a.b.c"}, none},
		{"JWT-40 a bearer inside another scheme", []string{"Basic Bearer a.b.c"}, none},
		{"JWT-40 bare token", []string{"a.b.c"}, none},
		{"JWT-40 space around the field", []string{" Bearer a.b.c\t"}, "a.b.c"},
	} {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			h := http.Header{"Authorization": c.fields, "Cookie": {"__session=from-cookie"}}
			p := find(v, "", h)
			switch {
			case c.want == none:
				if p.Source != authproxy.SourceCookie || p.Token != "from-cookie" || p.Malformed != nil {
					t.Errorf("got %+v, want the cookie", p)
				}
			case p.Source != authproxy.SourceBearer:
				t.Errorf("source %q, want bearer", p.Source)
			case c.want == bad:
				// JWT-42: an explicit bearer that is wrong never falls back to the cookie.
				wantFresh(t, p.Malformed, authproxy.TokenInvalid)
				if p.Token != "" {
					t.Errorf("token %q with a malformed bearer", p.Token)
				}
			case p.Token != c.want || p.Malformed != nil:
				t.Errorf("got %q, %v; want %q", p.Token, p.Malformed, c.want)
			}
		})
	}
}

func TestAuthorizationAsClerk(t *testing.T) {
	t.Parallel()
	v := verifier(t, clerkRules)
	for field, want := range map[string]string{
		"Bearer a.b.c":   "a.b.c",
		"Bearer a.b.c d": "a.b.c",
		"a.b.c":          "a.b.c",
		"Bearer":         "Bearer",
		"Bearer  a.b.c":  "Bearer",
		"bearer a.b.c":   "",
		"Basic a":        "",
		"":               "",
	} {
		if p := find(v, "", header("Authorization", field)); p.Token != want {
			t.Errorf("%q: token %q, want %q", field, p.Token, want)
		}
	}
	two := http.Header{"Authorization": {"Bearer a.b.c", "Bearer d.e.f"}}
	if p := find(v, "", two); p.Token != "a.b.c," {
		t.Errorf("two fields: token %q, want what is no token", p.Token)
	}
}

// The eight steps of clerk.md, 1.6, each with its neighbours.
func TestSuffixedOrPlain(t *testing.T) {
	t.Parallel()
	token := func(iss any, age time.Duration, live time.Duration) string {
		at := now.Add(-age)
		return minttest.Good().Sign(m{"iss": iss, "iat": at.Unix(), "exp": at.Add(live).Unix()}, nil)
	}
	ours := func(age time.Duration) string { return token(minttest.LiveIss, age, time.Minute) }
	devs := func(age time.Duration) string { return token(minttest.TestIss, age, time.Minute) }
	foreign := func(iss any) string { return token(iss, 0, time.Minute) }
	const plain, suffixed = false, true
	for _, c := range []struct {
		name         string
		key          string // publishable key; "" is live
		p, pu, s, su string
		want         bool
	}{
		{"1 plain undecodable", "", "x.y", "", ours(0), "5", plain},
		{"1 plain not base64url", "", "x.y.z", "", ours(0), "5", plain},
		{"1 plain without iss", "", foreign(nil), "", ours(0), "5", plain},
		{"1 plain with empty iss", "", foreign(""), "", ours(0), "5", plain},
		{"1 plain with iss null", "", minttest.Good().SignRaw([]byte(`{"alg":"RS256"}`), []byte(`{"iss":null}`)), "", ours(0), "5", plain},
		{"1 plain with iss 0", "", foreign(0), "", ours(0), "5", plain},
		{"1 plain with iss false", "", foreign(false), "", ours(0), "5", plain},
		{"2 plain of another instance", "", foreign(minttest.TestIss), "5", "", "", suffixed},
		{"2 plain with iss a list", "", foreign([]string{minttest.LiveIss}), "5", "", "", suffixed},
		{"2 plain with iss a number", "", foreign(7), "5", "", "", suffixed},
		{"2 plain with a trailing slash", "", foreign(minttest.LiveIss + "/"), "5", "", "", suffixed},
		{"2 plain over http is ours", "", foreign("HTTP://clerk.example.com"), "5", "", "", plain},
		{"3 nothing at all", "", "", "", "", "", plain},
		{"3 only plain", "", ours(0), "5", "", "", plain},
		{"4 plain newer", "", ours(0), "5", ours(time.Second), "5", plain},
		{"4 plain newer, no uat at all", "", ours(0), "", ours(time.Second), "", plain},
		{"4 same age", "", ours(0), "5", ours(0), "5", suffixed},
		{"4 suffixed newer", "", ours(time.Second), "5", ours(0), "5", suffixed},
		{"4 plain newer, but signed out", "", ours(0), "0", ours(time.Second), "5", suffixed},
		{"4 suffixed undecodable", "", ours(0), "5", "x", "5", plain},
		{"5 suffixed signed out", "", ours(time.Second), "5", ours(0), "0", plain},
		{"5 suffixed signed out, plain uat absent", "", "", "", ours(0), "0", plain},
		{"5 both signed out", "", "", "0", ours(0), "0", suffixed},
		{"6 dev, suffixed expired, plain signed out", minttest.TestKey, "", "0", devs(time.Hour), "5", plain},
		{"6 dev, suffixed expires this second", minttest.TestKey, "", "0", devs(time.Minute), "5", plain},
		{"6 dev, suffixed not expired", minttest.TestKey, "", "0", devs(59 * time.Second), "5", suffixed},
		{"6 live, suffixed expired, plain signed out", "", "", "0", ours(time.Hour), "5", suffixed},
		{"6 dev, suffixed without exp", minttest.TestKey, "", "0", minttest.Good().Sign(m{"iat": 1}, nil), "5", suffixed},
		{"7 suffixed without its uat", "", "", "5", ours(0), "", plain},
		{"8 only the suffixed pair", "", "", "", ours(0), "5", suffixed},
		{"8 only the suffixed uat", "", "", "", "", "5", suffixed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key := c.key
			if key == "" {
				key = minttest.LiveKey
			}
			in := instance(t, key)
			cookies := ""
			for name, value := range map[string]string{
				"__session": c.p, "__client_uat": c.pu,
				"__session_" + in.CookieSuffix(): c.s, "__client_uat_" + in.CookieSuffix(): c.su,
			} {
				if value != "" {
					cookies += name + "=" + value + "; "
				}
			}
			for _, rules := range []func(*session.Config){func(*session.Config) {}, clerkRules} {
				p := find(verifier(t, rules, func(cfg *session.Config) { cfg.Instance = in }), "", header("Cookie", cookies))
				want := c.p
				if c.want == suffixed {
					want = c.s
				}
				if p.Suffixed != c.want || p.Token != want {
					t.Errorf("suffixed %v, token %.20q; want %v, %.20q", p.Suffixed, p.Token, c.want, want)
				}
			}
		})
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	live := verifier(t)
	suffix := "_" + minttest.LiveSuff
	for _, c := range []struct {
		name  string
		lines []string
		want  session.Presented
	}{
		{"none", nil, session.Presented{}},
		{"JWT-41 empty session", []string{"__session="}, session.Presented{}},
		{"the first of two counts", []string{"__session=a; __session=b"}, session.Presented{Token: "a"}},
		{"the first of two counts when empty", []string{"__session=; __session=b"}, session.Presented{}},
		{"CK-07 one field per cookie", []string{"a=1", "__client_uat=7", "__session=a"}, session.Presented{Token: "a", ClientUAT: 7}},
		{"the first of two fields counts", []string{"__session=a", "__session=b"}, session.Presented{Token: "a"}},
		{"no space behind the semicolon", []string{"x=1;__session=a;y=2"}, session.Presented{Token: "a"}},
		{"white space around name and value", []string{"\t__session = a "}, session.Presented{Token: "a"}},
		{"equals signs in a value", []string{"__session=a=b="}, session.Presented{Token: "a=b="}},
		{"CK-03 quotes are not separators", []string{`foo="bar; __session=a; x="`}, session.Presented{Token: "a"}},
		{"CK-03 quotes are part of a value", []string{`$Version=1; __session="a"`}, session.Presented{Token: `"a"`}},
		{"CK-04 without a name", []string{"=__session=a"}, session.Presented{}},
		{"CK-04 without a value", []string{"__session; __session=a"}, session.Presented{Token: "a"}},
		{"CK-04 another case", []string{"__Session=a; __SESSION=b"}, session.Presented{}},
		{"no percent-decoding", []string{"__session=a%2Eb; __%73ession=b"}, session.Presented{Token: "a%2Eb"}},
		{"another instance's suffix", []string{"__session_AAAAAAAA=a; __client_uat_AAAAAAAA=9"}, session.Presented{}},
		{"suffixed refresh", []string{"__refresh" + suffix + "=r"}, session.Presented{RefreshToken: "r"}},
		{"plain refresh is none", []string{"__refresh=r"}, session.Presented{}},
		{"dev browser", []string{"__clerk_db_jwt=d"}, session.Presented{DevBrowser: "d"}},
		{"suffixed dev browser beside plain cookies", []string{"__clerk_db_jwt" + suffix + "=d"}, session.Presented{}},
		{"suffixed all", []string{"__client_uat" + suffix + "=8; __session" + suffix + "=a; __clerk_db_jwt" + suffix + "=d"},
			session.Presented{Token: "a", ClientUAT: 8, DevBrowser: "d", Suffixed: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.want.Source = authproxy.SourceNone
			if c.want.Token != "" {
				c.want.Source = authproxy.SourceCookie
			}
			c.want.Cookie = c.want.Token
			if got := find(live, "", http.Header{"Cookie": c.lines}); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestCookiesWithoutInstance(t *testing.T) {
	t.Parallel()
	v := verifier(t, func(cfg *session.Config) { cfg.Instance = nil })
	foreign := minttest.Good().Sign(m{"iss": "https://login.example.org"}, nil)
	h := header("Cookie", "__session="+foreign+"; __session_"+minttest.LiveSuff+"=b; __client_uat_"+minttest.LiveSuff+"=9; __refresh_=c; __refresh=d")
	if p := find(v, "", h); p.Token != foreign || p.Suffixed || p.RefreshToken != "" || p.ClientUAT != 0 {
		t.Errorf("got %+v, want the plain session alone", p)
	}
}

func TestCookiesAsClerk(t *testing.T) {
	t.Parallel()
	v := verifier(t, clerkRules)
	for line, want := range map[string]string{
		"__session=a%2Eb":               "a.b",
		"__session=a%ZZ":                "a%ZZ",
		"__session=%FF":                 "%FF",
		"x=1%3B__session=a":             "", // split first, decoded after
		"__session=a%3B__client_uat%3D": "a;__client_uat=",
	} {
		if p := find(v, "", header("Cookie", line)); p.Token != want {
			t.Errorf("%s: token %q, want %q", line, p.Token, want)
		}
	}
}

func TestClientUAT(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	for text, want := range map[string]int64{
		"1700000000": 1700000000, "12abc": 12, "abc": 0, "-1": -1, "+7": 7, "1e20": 1, "0x1F": 31, "0xZ": 0, "1.9": 1,
		" 5": 5, "\u00a0\ufeff6": 6, "-": 0, "": 0, "007": 7, "99999999999999999999": 1<<63 - 1, "-99999999999999999999": -(1<<63 - 1),
	} {
		if p := find(v, "", header("Cookie", "__client_uat="+text)); p.ClientUAT != want {
			t.Errorf("%q: %d, want %d", text, p.ClientUAT, want)
		}
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	type facts struct{ browser, redirect bool }
	for query, want := range map[string]facts{
		"":                                    {},
		"a=1&__clerk_db_jwt=x":                {browser: true},
		"__clerk_db_jwt=":                     {},
		"__clerk_db_jwt":                      {},
		"__clerk_db_jwt=&__clerk_db_jwt=x":    {}, // the first counts
		"%5F_clerk_db_jwt=x":                  {browser: true},
		"a=1;__clerk_db_jwt=x":                {},
		"%zz&__clerk_redirect_url=https%3A//": {redirect: true},
	} {
		p := find(v, query, nil)
		if got := (facts{p.DevBrowserInQuery, p.RedirectURL != ""}); got != want || (p.DevBrowser != "") != want.browser {
			t.Errorf("%q: %+v, dev browser %v; want %+v", query, got, p.DevBrowser, want)
		}
	}
}

// CK-05, CK-06: what is read of a Cookie field does not depend on how much else
// is in it.
func TestThreatManyCookies(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	many := strings.Repeat("a=b; ", 4000) + strings.Repeat("__session_x=y; ", 500)
	if p := find(v, "", header("Cookie", many+"__session=a")); p.Token != "a" {
		t.Errorf("CK-05: token %q behind 4500 cookies", p.Token)
	}
}
