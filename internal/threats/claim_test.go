package threats_test

import (
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
)

func claimThreats() []threat {
	return []threat{
		{"JWT-20", testCaseOfClaims},
		{"JWT-25", rejected(bad{"no exp", good(map[string]any{"exp": nil}), ""})},
		{"JWT-26", rejected(expiries()...)},
		{"JWT-27", testClocks},
		{"JWT-28", rejected(issuers()...)},
		{"JWT-29", rejected(parties()...)},
		{"JWT-31", rejected(
			bad{"template", headed(map[string]any{"cat": "cl_B7d4PD222AAA"}), "token-type-mismatch"}, bad{"empty class", headed(map[string]any{"cat": ""}), ""},
			bad{"unknown class", headed(map[string]any{"cat": "cl_B7d4PD999AAA"}), ""}, bad{"class in capitals", headed(map[string]any{"cat": "CL_B7D4PD111AAA"}), ""}, bad{"class that is no text", headed(map[string]any{"cat": 1}), ""},
			bad{"template without class", minttest.Good().Sign(claims(map[string]any{"sid": nil, "sts": nil, "v": nil, "fva": nil, "role": forged}), nil), ""})},
		{"JWT-32", rejected(
			bad{"machine", minttest.Good().Sign(claims(map[string]any{"sub": "mch_1", "sid": nil}), map[string]any{"cat": "cl_B7d4PD333AAA"}), ""}, bad{"machine without class", good(map[string]any{"sub": "mch_1"}), ""},
			bad{"oauth", headed(map[string]any{"typ": "at+jwt"}), ""}, bad{"oauth, long", headed(map[string]any{"typ": "application/at+jwt"}), ""}, bad{"typ in lower case", headed(map[string]any{"typ": "jwt"}), "token-invalid"},
			bad{"opaque machine", "mt_0123456789abcdef", ""}, bad{"opaque oauth", "oat_0123456789abcdef", ""}, bad{"api key", "ak_0123456789abcdef", ""})},
		{"JWT-34", testPending},
		{"JWT-35", func(t *testing.T) {
			actor := func(name string, act any, header string) claimed {
				return claimed{name, mint(map[string]any{"act": act}), 200, "", map[string]string{"X-Auth-Actor": header}}
			}
			judged(t, actor("a person", map[string]any{"sub": "user_admin", "sid": "sess_x", "iss": "https://dashboard.clerk.com"}, "user_admin"), actor("an agent", map[string]any{"sub": "agent_1", "type": "agent"}, "agent_1"))
			t.Run("unreadable", func(t *testing.T) {
				g := start(t, setup{})
				for _, act := range []any{"user_admin", []string{"user_admin"}, 1, map[string]any{"sub": 1}, map[string]any{}, map[string]any{"sub": ""}, map[string]any{"sub": "a\r\nX: y"}} {
					got := sendHTTP1(t, g, call{lines: []string{bearer(mint(map[string]any{"act": act}))}})
					if n := len(g.fresh(t)); got.status != 401 && got.status != 403 || n > 0 {
						t.Errorf("act %v: status %d %s; an impersonation became invisible", act, got.status, got.reason)
					}
				}
			})
		}},
	}
}

// Names of claims are compared as they are, and the built-in ones too.
func testCaseOfClaims(t *testing.T) {
	judged(t, claimed{"in capitals beside", mintRaw(`"ROLE":"evil","role":"manager"`), 200, "", nil}, claimed{"in capitals behind", mintRaw(`"role":"manager","Role":"evil","PERSONID":"evil"`), 200, "", nil},
		claimed{"kelvin sign", mintRaw(`"role":"manager","\u212aid":"evil","SUB":"evil","Exp":1,"\u017fub":"evil"`), 200, "", nil}, claimed{"in capitals only", mintRaw(`"Role":"evil"`), 200, "", map[string]string{"X-Auth-Role": ""}})
	rejected(bad{"Sub", respelt("sub", "Sub"), ""}, bad{"EXP", respelt("exp", "EXP"), ""}, bad{"Iss", respelt("iss", "Iss"), ""}, bad{"AZP", respelt("azp", "AZP"), ""}, bad{"SID", respelt("sid", "SID"), ""},
		bad{"long s", respelt("sub", "\u017fub"), ""}, bad{"Alg", headedRaw(`{"Alg":"RS256","kid":"` + minttest.Good().KeyID + `"}`), ""})(t)
}

func respelt(name, other string) string {
	value := claims(nil)[name]
	return good(map[string]any{name: nil, other: value})
}

func expiries() []bad {
	var all []bad
	for _, v := range []string{`"1800000060"`, `null`, `true`, `[1800000060]`, `{}`, `-1`, `0`, `""`, `1.0e3`, `1e400`, `-1e300`, `1799999000`} {
		body := strings.Replace(string(payload(map[string]any{"exp": "EXP"})), `"EXP"`, v, 1)
		all = append(all, bad{v, minttest.Good().SignRaw([]byte(`{"alg":"RS256","kid":"`+minttest.Good().KeyID+`"}`), []byte(body)), ""})
	}
	return all
}

func issuers() []bad {
	var all []bad
	for _, v := range []any{"https://clerk.evil.com", "http://clerk.example.com", "https://clerk.example.com/", "HTTPS://CLERK.EXAMPLE.COM", "https://clerk.example.com.evil.com", "https://u@clerk.example.com", "clerk.example.com", "https://x.clerk.accounts.dev", ""} {
		all = append(all, bad{v.(string), good(map[string]any{"iss": v}), "token-invalid-issuer"})
	}
	return append(all, bad{"missing", good(map[string]any{"iss": nil}), ""}, bad{"a list", good(map[string]any{"iss": []string{minttest.LiveIss}}), ""}, bad{"a number", good(map[string]any{"iss": 1}), ""})
}

func parties() []bad {
	var all []bad
	for _, v := range []any{"", "https://app.example.com.evil.com", "https://app.example.com:8443", "https://app.example.com/", "http://app.example.com", "HTTPS://APP.EXAMPLE.COM", "https://evil.example", "null", "https://app.example.com,https://evil.example", "*"} {
		all = append(all, bad{v.(string), good(map[string]any{"azp": v}), "token-invalid-authorized-parties"})
	}
	return append(all, bad{"missing", good(map[string]any{"azp": nil}), "token-invalid-authorized-parties"}, bad{"a list", good(map[string]any{"azp": []string{minttest.App}}), ""}, bad{"an object", good(map[string]any{"azp": map[string]any{"a": minttest.App}}), ""})
}

// The skew is five seconds to the second, on both sides, and old tokens are old.
func testClocks(t *testing.T) {
	g := start(t, setup{})
	now := noon.Unix()
	for _, c := range []struct {
		name   string
		over   map[string]any
		status int
	}{
		{"expired a second ago", map[string]any{"exp": now - 1}, 200}, {"expired within the skew", map[string]any{"exp": now - 4}, 200},
		{"expired at the skew", map[string]any{"exp": now - 5}, 401}, {"expired behind it", map[string]any{"exp": now - 6}, 401},
		{"expired a day ago", map[string]any{"exp": now - 86400}, 401},
		{"from the skew's future", map[string]any{"nbf": now + 5}, 200}, {"from behind it", map[string]any{"nbf": now + 6}, 401},
		{"minted in the skew's future", map[string]any{"iat": now + 5}, 200}, {"minted behind it", map[string]any{"iat": now + 6}, 401},
		{"minted tomorrow", map[string]any{"iat": now + 86400, "exp": now + 86460}, 401},
		{"minted ten years ago and expired", map[string]any{"iat": now - 315360000, "exp": now - 315359940}, 401},
	} {
		for _, credential := range []string{bearer(good(c.over)), cookie(good(c.over))} {
			got := sendHTTP1(t, g, call{lines: []string{credential}})
			if n := len(g.fresh(t)); got.status != c.status || (n == 1) != (c.status == 200) {
				t.Errorf("%s, %.6s: status %d %s, want %d", c.name, credential, got.status, got.reason, c.status)
			}
		}
	}
}

// A session with open tasks is nobody's.
func testPending(t *testing.T) {
	g := start(t, setup{})
	pending := mint(map[string]any{"sts": "pending"})
	for _, c := range []struct {
		call     call
		status   int
		upstream map[string]string
	}{
		{call{lines: []string{cookie(pending)}}, 401, nil},
		{call{lines: []string{bearer(pending)}}, 401, nil},
		{call{lines: []string{cookie(pending), "Sec-Fetch-Dest: document"}}, 302, nil},
		{call{target: "/public/x", lines: []string{cookie(pending)}}, 200, nobody()},
	} {
		got := sendHTTP1(t, g, c.call)
		requests := g.fresh(t)
		if got.status != c.status || (len(requests) == 1) != (c.upstream != nil) || c.status == 401 && got.reason != "session-pending" {
			t.Errorf("status %d %s, want %d", got.status, got.reason, c.status)
		}
		for _, r := range requests {
			carries(t, r, c.upstream)
		}
		if c.status == 302 && !strings.HasPrefix(got.get("Location"), "https://accounts.example.com/sign-in/tasks?") {
			t.Errorf("sent to %q", got.get("Location"))
		}
	}
	for _, sts := range []any{"Active", "", "other", 1, []string{"active"}} {
		got := sendHTTP1(t, g, call{lines: []string{bearer(mint(map[string]any{"sts": sts}))}})
		if got.status != 401 {
			t.Errorf("sts %v: status %d", sts, got.status)
		}
	}
	g.fresh(t)
}
