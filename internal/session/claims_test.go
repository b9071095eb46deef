package session_test

import (
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/session"
)

func TestThreatStatus(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	for _, c := range []struct {
		id   string
		sts  any
		want string
	}{
		{"absent", nil, "active"},
		{"active", "active", "active"},
		{"JWT-34 pending", "pending", "pending"},
		{"JWT-34 unknown", "frozen", "pending"},
		{"JWT-34 another case", "Active", "pending"},
		{"JWT-34 empty", "", "pending"},
		{"JWT-34 number", 1, "pending"},
		{"JWT-34 list", []string{"active"}, "pending"},
	} {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			id, refusal := v.Verify(t.Context(), minted(m{"sts": c.sts}))
			if refusal != nil {
				t.Fatal(refusal)
			}
			if id.SessionStatus != c.want || id.Pending() != (c.want == "pending") {
				t.Errorf("status %q, want %q", id.SessionStatus, c.want)
			}
		})
	}
	id, refusal := v.Verify(t.Context(), signed(plainHeader, with(plainPayload, `"sts":null`)))
	if refusal != nil || !id.Pending() {
		t.Errorf("JWT-34 null: %+v, %v; want pending", id, refusal)
	}
}

func TestThreatActor(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	const failed = authproxy.TokenVerificationFailed
	for _, c := range []struct {
		id   string
		act  string
		want *authproxy.Actor
		why  authproxy.Reason
	}{
		{"JWT-35 a person", `{"sub":"user_2","sid":"sess_2","iss":"https://dashboard.clerk.com"}`,
			&authproxy.Actor{UserID: "user_2", SessionID: "sess_2", Issuer: "https://dashboard.clerk.com"}, ""},
		{"JWT-35 an agent", `{"sub":"agent_1","type":"agent"}`, &authproxy.Actor{UserID: "agent_1", Type: "agent"}, ""},
		{"JWT-35 somebody acting through somebody", `{"sub":"user_2","act":{"sub":"user_3"}}`, &authproxy.Actor{UserID: "user_2"}, ""},
		{"JWT-35 empty object", `{}`, nil, failed},
		{"JWT-35 empty sub", `{"sub":""}`, nil, failed},
		{"JWT-35 sub a number", `{"sub":1}`, nil, failed},
		{"JWT-35 Sub", `{"Sub":"user_2"}`, nil, failed},
		{"JWT-35 string", `"user_2"`, nil, failed},
		{"JWT-35 list", `[{"sub":"user_2"}]`, nil, failed},
		{"JWT-35 null", `null`, nil, failed},
		{"JWT-35 false", `false`, nil, failed},
	} {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			id, refusal := v.Verify(t.Context(), signed(plainHeader, with(plainPayload, `"act":`+c.act)))
			wantFresh(t, refusal, c.why)
			if refusal == nil && !reflect.DeepEqual(id.Actor, c.want) {
				t.Errorf("actor %+v, want %+v", id.Actor, c.want)
			}
		})
	}
}

func TestFactorAges(t *testing.T) {
	t.Parallel()
	v := verifier(t)
	for fva, want := range map[string][]int{
		`[1,-1]`: {1, -1}, ` [ 0 , 600 ] `: {0, 600}, `[-2,0]`: nil, `[1]`: nil, `[1,2,3]`: nil, `[1.5,0]`: nil, `["1",0]`: nil,
		`null`: nil, `{}`: nil, `"x"`: nil, `[null,null]`: nil, `[1e1,0]`: nil,
	} {
		id, refusal := v.Verify(t.Context(), signed(plainHeader, with(plainPayload, `"fva":`+fva)))
		if refusal != nil {
			t.Errorf("%s: %v", fva, refusal)
		} else if !reflect.DeepEqual(id.FactorAges, want) {
			t.Errorf("%s: %v, want %v", fva, id.FactorAges, want)
		}
	}
}

// Versions 1 and 2 of the organisation claims (clerk.md, 3.1). The second want
// is what Clerk's SDK makes of it where that differs; "!" is unexpected-error.
func TestOrganization(t *testing.T) {
	t.Parallel()
	v, clerk := verifier(t), verifier(t, clerkRules)
	none := func() *authproxy.Organization { return nil }
	bare := func(permissions ...string) func() *authproxy.Organization {
		return func() *authproxy.Organization {
			return &authproxy.Organization{ID: "org_1", Slug: "acme", Role: "org:admin", Permissions: permissions}
		}
	}
	broken := func() *authproxy.Organization { return &authproxy.Organization{ID: "!"} }
	v2 := func(fea, per, fpm string) string {
		return `"v":2,"fea":` + fea + `,"o":{"id":"org_1","slg":"acme","rol":"admin","per":` + per + `,"fpm":` + fpm + `}`
	}
	high := new(big.Int).Lsh(big.NewInt(1), 99).String()
	verbs := strings.TrimSuffix(strings.Repeat("x,", 99), ",") + ",last"

	for _, c := range []struct {
		name   string
		claims string
		want   func() *authproxy.Organization
		clerk  func() *authproxy.Organization // nil: the same
	}{
		{"no organisation, v2", `"v":2`, none, nil},
		{"o null", `"v":2,"o":null`, none, nil},
		{"o without id", `"v":2,"o":{"rol":"admin"}`, none, nil},
		{"o a string", `"v":2,"o":"org_1"`, none, nil},
		{"v2", v2(`"o:dashboard,o:teams"`, `"manage,read"`, `"3,2"`), bare("org:dashboard:manage", "org:dashboard:read", "org:teams:read"), nil},
		{"v 2.0", strings.Replace(v2(`"o:a"`, `"x"`, `"1"`), `"v":2`, `"v":2.0`, 1), bare("org:a:x"), nil},
		{"scopes u, ou, uo", v2(`"ou:a,u:b,uo:c"`, `"x"`, `"1,1,0"`), bare("org:a:x", "org:c:x"), bare("org:a:x", "org:c:x")},
		{"aligned to the features of organisations", v2(`"u:beta,o:dashboard"`, `"manage,read"`, `"3"`), bare("org:dashboard:manage", "org:dashboard:read"), nil},
		{"as many bitmasks as features of all scopes", v2(`"ou:x,u:y"`, `"a,b"`, `"3,0"`), bare("org:x:a", "org:x:b"), nil},
		{"more bitmasks than features", v2(`"o:a"`, `"x"`, `"1,1"`), bare(), bare("org:a:x")},
		{"fewer bitmasks than features", v2(`"o:a,o:b"`, `"x"`, `"1"`), bare(), bare("org:a:x")},
		{"spaces", v2(`" o:a , o:b "`, `" x , y "`, `" 1 , 2 "`), bare("org:a:x", "org:b:y"), nil},
		{"a bit beyond per", v2(`"o:a"`, `"x"`, `"7"`), bare("org:a:x"), nil},
		{"a bitmask of 100 bits", v2(`"o:a"`, `"`+verbs+`"`, `"`+high+`"`), bare("org:a:last"), nil},
		{"a bitmask that is none", v2(`"o:a,o:b,o:c,o:d"`, `"x"`, `"-1,0x1,,1"`), bare("org:d:x"), nil},
		{"a colon in a feature", v2(`"o:a:b"`, `"x"`, `"1"`), bare("org:a:b:x"), nil},
		{"no per", `"v":2,"fea":"o:a","o":{"id":"org_1","slg":"acme","rol":"admin","fpm":"1"}`, bare(), nil},
		{"no fpm", `"v":2,"fea":"o:a","o":{"id":"org_1","slg":"acme","rol":"admin","per":"x"}`, bare(), nil},
		{"no fea", v2(`null`, `"x"`, `"1"`), bare(), nil},
		{"fea without a colon", v2(`"dashboard"`, `"x"`, `"1"`), broken, nil},
		{"fea with an empty element", v2(`"o:a,"`, `"x"`, `"1"`), broken, nil},
		{"fea a list", v2(`["o:a"]`, `"x"`, `"1"`), broken, nil},
		{"per a list", v2(`"o:a"`, `["x"]`, `"1"`), broken, nil},
		{"fpm a number", v2(`"o:a"`, `"x"`, `1`), broken, nil},
		{"fpm 0", v2(`"o:a"`, `"x"`, `0`), bare(), nil},
		{"fea without a colon, no organisation", `"v":2,"fea":"dashboard"`, none, nil},
		{"v1 claims beside v 2", `"v":2,"org_id":"org_1"`, none, nil},

		{"v1", `"org_id":"org_1","org_slug":"acme","org_role":"org:admin","org_permissions":["org:a:read","org:b:x"]`, bare("org:a:read", "org:b:x"), nil},
		{"v1 without permissions", `"org_id":"org_1","org_slug":"acme","org_role":"org:admin"`, bare(), nil},
		{"v1 with a permission that is a number", `"org_id":"org_1","org_slug":"acme","org_role":"org:admin","org_permissions":["a",1]`, bare(), nil},
		{"v1 id null", `"org_id":null,"org_role":"org:admin"`, none, nil},
		{"v a string", `"v":"2","org_id":"org_1","org_slug":"acme","org_role":"org:admin","o":{"id":"org_2"}`, bare(), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			token := signed(plainHeader, with(plainPayload, c.claims))
			if c.clerk == nil {
				c.clerk = c.want
			}
			for _, rules := range []struct {
				v    *session.Verifier
				want *authproxy.Organization
			}{{v, c.want()}, {clerk, c.clerk()}} {
				id, reason := judged(t, rules.v, token)
				switch {
				case rules.want != nil && rules.want.ID == "!":
					if reason != authproxy.UnexpectedError {
						t.Errorf("reason %q, want unexpected-error", reason)
					}
				case reason != "":
					t.Errorf("refused: %s", reason)
				case !reflect.DeepEqual(id.Organization, rules.want):
					t.Errorf("got  %+v\nwant %+v", id.Organization, rules.want)
				}
			}
		})
	}
}
