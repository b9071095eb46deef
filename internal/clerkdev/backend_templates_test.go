package clerkdev_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestTemplateLifeByAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	made := a.ok("POST", "/v1/jwt_templates", `{"name":"crm","claims":{"aud":"crm","role":"{{user.public_metadata.role}}"}}`)
	id := made["id"].(string)
	want := `{"allowed_clock_skew":5,"claims":{"aud":"crm","role":"{{user.public_metadata.role}}"},` +
		`"created_at":1788264000000,"custom_signing_key":false,"id":"` + id + `","lifetime":60,"name":"crm",` +
		`"object":"jwt_template","signing_algorithm":"RS256","updated_at":1788264000000}`
	if got := compactly(t, made); got != want {
		t.Errorf("made %s\nwant %s", got, want)
	}
	a.clock.Advance(time.Second)
	other := a.ok("POST", "/v1/jwt_templates", `{"name":"b-i_2","claims":{},"lifetime":30,"allowed_clock_skew":300,"custom_signing_key":false}`)
	changed := a.ok("PATCH", "/v1/jwt_templates/"+id, `{"name":"crm","claims":{"a":1},"lifetime":null,"allowed_clock_skew":0}`)
	if changed["lifetime"] != 60.0 || changed["allowed_clock_skew"] != 0.0 || compactly(t, changed["claims"]) != `{"a":1}` {
		t.Errorf("changed %v", changed)
	}
	if got := a.ok("GET", "/v1/jwt_templates/"+id, ""); compactly(t, got) != compactly(t, changed) {
		t.Errorf("got %v", got)
	}
	both := []string{other["id"].(string), id}
	if got := a.do("GET", "/v1/jwt_templates", ""); !slices.Equal(got.ids(), both) || !strings.HasPrefix(got.raw, "[") {
		t.Errorf("list %s", got.raw)
	}
	if got := a.do("GET", "/v1/jwt_templates?paginated=true&limit=1", ""); !slices.Equal(got.ids(), both[:1]) || got.body["total_count"] != 2.0 {
		t.Errorf("page %s", got.raw)
	}
	if got := a.ok("DELETE", "/v1/jwt_templates/"+id, ""); got["deleted"] != true || got["object"] != "jwt_template" {
		t.Errorf("deleted %v", got)
	}
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		a.refused(method, "/v1/jwt_templates/"+id, "", http.StatusNotFound, "resource_not_found")
	}
}

func TestTemplateRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	id := a.ok("POST", "/v1/jwt_templates", `{"name":"own","claims":{"a":1}}`)["id"].(string)
	a.ok("POST", "/v1/jwt_templates", `{"name":"taken","claims":{}}`)
	cases := map[string]struct {
		body   string
		status int
		code   string
	}{
		"nothing":       {`{}`, 422, "form_param_missing"},
		"no name":       {`{"claims":{}}`, 422, "form_param_missing"},
		"no claims":     {`{"name":"x"}`, 422, "form_param_missing"},
		"null claims":   {`{"name":"x","claims":null}`, 422, "form_param_missing"},
		"claims a text": {`{"name":"x","claims":"{}"}`, 422, "form_param_value_invalid"},
		"claims a list": {`{"name":"x","claims":[]}`, 422, "form_param_value_invalid"},
		"shortcode":     {`{"name":"x","claims":{"a":"{{user.id"}}`, 422, "form_param_value_invalid"},
		"empty name":    {`{"name":"","claims":{}}`, 422, "form_param_format_invalid"},
		"name":          {`{"name":"a/b","claims":{}}`, 422, "form_param_format_invalid"},
		"taken":         {`{"name":"taken","claims":{}}`, 422, "form_already_exists"},
		"short":         {`{"name":"x","claims":{},"lifetime":29}`, 422, "form_param_value_invalid"},
		"long":          {`{"name":"x","claims":{},"lifetime":315360001}`, 422, "form_param_value_invalid"},
		"skew":          {`{"name":"x","claims":{},"allowed_clock_skew":301}`, 422, "form_param_value_invalid"},
		"negative skew": {`{"name":"x","claims":{},"allowed_clock_skew":-1}`, 422, "form_param_value_invalid"},
		"own key":       {`{"name":"x","claims":{},"custom_signing_key":true}`, 402, "unsupported_subscription_plan_features"},
		"algorithm":     {`{"name":"x","claims":{},"signing_algorithm":"HS256"}`, 422, "form_conditional_param_disallowed"},
		"unknown":       {`{"name":"x","claims":{},"ttl":60}`, 422, "form_param_unknown"},
	}
	for _, claim := range []string{"azp", "exp", "iat", "iss", "jti", "nbf", "sub"} {
		cases["reserved "+claim] = struct {
			body   string
			status int
			code   string
		}{`{"name":"x","claims":{"` + claim + `":"{{user.id}}"}}`, 400, "jwt_template_reserved_claim"}
	}
	for _, c := range cases {
		a.refused("POST", "/v1/jwt_templates", c.body, c.status, c.code)
		a.refused("PATCH", "/v1/jwt_templates/"+id, c.body, c.status, c.code)
	}
	if got := a.ok("GET", "/v1/jwt_templates/"+id, ""); got["name"] != "own" || compactly(t, got["claims"]) != `{"a":1}` {
		t.Errorf("a refused change was kept: %v", got)
	}
}

func TestTemplateTokens(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{Template: `{"from_session":"x"}`})
	u := a.AddUser(clerkdev.User{PublicMetadata: []byte(`{"role":"owner"}`)})
	o := a.AddOrganization(clerkdev.Organization{Name: "Acme"})
	if _, err := a.AddMembership(clerkdev.Membership{UserID: u.ID, OrganizationID: o.ID, Role: "org:admin"}); err != nil {
		t.Fatal(err)
	}
	s, err := a.SignIn("", u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetOrganization(s.ID, o.ID); err != nil {
		t.Fatal(err)
	}
	a.ok("POST", "/v1/jwt_templates", `{"name":"crm","lifetime":3600,"allowed_clock_skew":7,
		"claims":{"aud":"crm","role":"{{user.public_metadata.role}}","org":"{{org.slug}}","none":"{{user.public_metadata.none}}"}}`)
	path := "/v1/sessions/" + s.ID + "/tokens/crm"
	for body, life := range map[string]int64{"": 3600, `{"expires_in_seconds":45}`: 45} {
		header, claims := tokenParts(t, a.ok("POST", path, body)["jwt"].(string))
		if header["cat"] != "cl_B7d4PD222AAA" || header["alg"] != "RS256" || header["kid"] == nil {
			t.Errorf("header %v", header)
		}
		if got := slices.Sorted(maps.Keys(claims)); !slices.Equal(got, []string{"aud", "exp", "iat", "iss", "jti", "nbf", "none", "org", "role", "sub"}) {
			t.Errorf("claims %v", got)
		}
		now := float64(a.clock.Now().Unix())
		if claims["iat"] != now || claims["nbf"] != now-7 || claims["exp"] != now+float64(life) {
			t.Errorf("times %v", claims)
		}
		if claims["sub"] != u.ID || claims["role"] != "owner" || claims["org"] != "acme" || claims["none"] != nil || claims["iss"] != a.Named().Issuer() {
			t.Errorf("claims %v", claims)
		}
	}
	a.refused("POST", "/v1/sessions/"+s.ID+"/tokens/none", "", http.StatusNotFound, "resource_not_found")
	a.refused("POST", path, `{"expires_in_seconds":1}`, http.StatusUnprocessableEntity, "form_param_value_invalid")
	if err := a.EndSession(s.ID, "removed"); err != nil {
		t.Fatal(err)
	}
	a.refused("POST", path, "", http.StatusNotFound, "resource_not_found")
}
