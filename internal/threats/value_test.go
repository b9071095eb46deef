package threats_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
)

func checked(cfg *config.Config) error { return app.Check(cfg) }

// claimed is a token with one unusual claim and what becomes of it.
type claimed struct {
	name   string
	token  string
	status int
	reason string
	want   map[string]string // differences from an ordinary session; "" is no header
}

// role makes a token whose role is value.
func role(name string, value any, status int, reason, header string) claimed {
	return claimed{name, mint(map[string]any{"role": value}), status, reason, map[string]string{"X-Auth-Role": header}}
}

func judged(t *testing.T, cases ...claimed) {
	t.Helper()
	for _, p := range []protocol{http1(), http2()} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					got := p.send(t, g, call{lines: []string{bearer(c.token)}}.with(spelled("-")...))
					if got.status != c.status || got.reason != c.reason {
						t.Errorf("status %d %s, want %d %s", got.status, got.reason, c.status, c.reason)
					}
					requests := g.fresh(t)
					if (len(requests) == 1) != (c.status == 200) {
						t.Fatalf("%d requests at the upstream", len(requests))
					}
					want := signedIn()
					for name, value := range c.want {
						want[name] = value
					}
					for _, r := range requests {
						carries(t, r, want)
						keepsSecrets(t, r)
					}
				})
			}
		})
	}
}

func valueThreats() []threat {
	return []threat{
		{"HDR-05", func(t *testing.T) {
			judged(t, role("empty", "", 200, "", ""), role("nothing", []any{}, 200, "", ""), role("a list of nothing", []any{"", nil}, 200, "", ""),
				role("space", " ", 200, "", "%20"), claimed{"null", mintRaw(`"role":null`), 200, "", map[string]string{"X-Auth-Role": ""}},
				claimed{"absent", mint(map[string]any{"role": nil}), 200, "", map[string]string{"X-Auth-Role": ""}})
		}},
		{"HDR-36", func(t *testing.T) {
			var cases []claimed
			for _, v := range []string{"a\r\nX-Auth-Role: evil", "a\rb", "a\nb", "a\x00b", "a\tb", "a\x7fb", "a\u0085b", "\r", "a\x1bb"} {
				cases = append(cases, role(url.QueryEscape(v), v, 403, "claim-invalid", ""), role("in a list "+url.QueryEscape(v), []any{"x", v}, 403, "claim-invalid", ""))
			}
			judged(t, cases...)
		}},
		{"HDR-37", testNonASCII},
		{"HDR-38", func(t *testing.T) {
			judged(t, claimed{"0xff", mintRaw("\"role\":\"org_\xff\""), 401, "token-invalid", nil}, claimed{"0xfe", mintRaw("\"role\":\"org_\xfe\""), 401, "token-invalid", nil},
				claimed{"overlong", mintRaw("\"role\":\"\xc0\xae\""), 401, "token-invalid", nil}, claimed{"lone surrogate", mintRaw(`"role":"\ud800"`), 401, "token-invalid", nil},
				claimed{"in a name", mintRaw("\"ro\xffle\":\"x\""), 401, "token-invalid", nil})
		}},
		{"HDR-40", func(t *testing.T) {
			judged(t, role("spaces", "  a  ", 200, "", "%20%20a%20%20"), role("no-break spaces", "\u00a0a\u00a0", 200, "", "%C2%A0a%C2%A0"),
				role("one end", "a ", 200, "", "a%20"), role("wide space", "\u3000a", 200, "", "%E3%80%80a"), role("next line", "\u0085a", 403, "claim-invalid", ""),
				role("form feed", "\fa", 403, "claim-invalid", ""), role("line separator", "\u2028a", 200, "", "%E2%80%A8a"))
		}},
		{"HDR-42", func(t *testing.T) {
			judged(t, role("three times too long", strings.Repeat("ü", 1500), 403, "claim-too-large", ""),
				role("longer than a token may be", strings.Repeat("a", 8000), 401, "token-invalid", ""), role("long", strings.Repeat("a", 3000), 200, "", strings.Repeat("a", 3000)))
			t.Run("seventy thousand", func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{})
				got := sendHTTP1(t, g, call{lines: []string{bearer(mint(map[string]any{"role": strings.Repeat("a", 70000)}))}})
				if got.status != 431 && got.status != 401 && got.status != 403 {
					t.Errorf("status %d", got.status)
				}
				if n := len(g.fresh(t)); n > 0 {
					t.Errorf("%d requests at the upstream", n)
				}
			})
		}},
	}
}

// mintRaw signs an ordinary payload with members added as they are.
func mintRaw(members string) string {
	payload := `{"azp":"` + minttest.App + `","exp":1800000060,"iat":1800000000,"nbf":1799999990,"iss":"` + minttest.LiveIss + `","sid":"sess_2oracle","sub":"user_2oracle","v":2,` +
		`"managerOSUserId":"mos_1","organizationId":"org_acme","organizationName":"M\u00fcller GmbH","organizationSlug":"acme","personId":"person_7",` + members + `}`
	return minttest.Good().SignRaw([]byte(`{"alg":"RS256","kid":"`+minttest.Good().KeyID+`","typ":"JWT"}`), []byte(payload))
}

// Every value arrives in ASCII and can be turned back into what it was.
func testNonASCII(t *testing.T) {
	g := start(t, setup{})
	for _, v := range []string{"José", "😀", "a\u202eb", "a\u2028b", "日本語", "e\u0301", "100%", "%41", "a%zz", "\ufeffx", "\U0010ffff", "ﬀ", "ſ", "K"} {
		if got := sendHTTP1(t, g, call{lines: []string{bearer(mint(map[string]any{"role": v}))}}); got.status != 200 {
			t.Errorf("%q: status %d %s", v, got.status, got.reason)
			continue
		}
		for _, r := range g.fresh(t) {
			header := r.Get("X-Auth-Role")
			if strings.ContainsFunc(header, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Errorf("%q arrives as %q", v, header)
			}
			if back, err := url.PathUnescape(header); err != nil || back != v {
				t.Errorf("%q arrives as %q, which is %q (%v)", v, header, back, err)
			}
		}
	}
}
