package headers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/headers"
)

func owner(t testing.TB, c headers.OwnerConfig) *headers.Owner {
	t.Helper()
	o, err := headers.NewOwner(c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestFold(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                  "",
		"X-Auth-Role":       "x-auth-role",
		"x_AUTH.role":       "x-auth-role",
		"X~Auth Role":       "x-auth-role",
		"X‐Auth\u00adRole":  "x-auth-role", // one "-" for a character of several bytes
		"X\xffAuth\xc3Role": "x-auth-role",
		"Naïve9":            "na-ve9",
		"\u212aey":          "-ey", // KELVIN SIGN is not k
	} {
		if got := headers.Fold(name); got != want {
			t.Errorf("Fold(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestStrip(t *testing.T) {
	t.Parallel()
	o := owner(t, headers.OwnerConfig{Mapped: []string{"X-Org-Id", "Remote-Person"}, Pass: []string{"x-auth-token"}})
	for _, c := range []struct {
		name  string
		kinds string // "-" for a field that passes
	}{
		{"X-Org-Id", "identity"}, {"x_org_id", "identity"}, {"X.Org_Id", "identity"}, {"Remote_Person", "identity"},
		{"X-Auth-Role", "identity"}, {"X-Auth-Anything", "identity"}, {"x_auth_status", "identity"}, {"X-Auth-", "identity"},
		{"X-Auth_Token", "identity"}, {"X_Auth-Token", "identity"}, {"X-Auth-Tokens", "identity"}, {"X-Auth-Token-", "identity"},
		{"X-Auth-Token", "-"}, {"x-AUTH-token", "-"},
		{"X-Auth", "-"}, {"X-Authority", "-"}, {"X-Org-Idx", "-"}, {"X-Org", "-"}, {"XOrgId", "-"}, {"X--Org-Id", "-"},

		{"X-Forwarded-User", "product"}, {"x_forwarded_email", "product"}, {"X-Forwarded-Groups", "product"},
		{"X-Forwarded-Preferred-Username", "product"}, {"Remote-User", "product"}, {"REMOTE_USER", "product"},
		{"Remote-Groups", "product"}, {"X-Remote-User", "product"}, {"X-Webauth-User", "product"}, {"X-WEBAUTH-EMAIL", "product"},
		{"X-Goog-Authenticated-User-Email", "product"}, {"Cf-Access-Jwt-Assertion", "product"}, {"X-Amzn-Oidc-Data", "product"},
		{"X-Authentik-Username", "product"}, {"X-Pomerium-Jwt-Assertion", "product"}, {"Tailscale-User-Login", "product"},
		{"Impersonate-User", "product"}, {"Impersonate-Extra-Scopes", "product"},

		{"Proxy", "control"}, {"X-Original-URL", "control"}, {"X-Original-Uri", "control"}, {"X_Rewrite_Url", "control"},
		{"X-Accel-Redirect", "control"}, {"X-Middleware-Subrequest", "control"}, {"X-Clerk-Auth-Token", "control"},
		{"Clerk-Secret-Key", "control"}, {"clerk_proxy_url", "control"},

		{"X-Forwarded-For", ""}, {"X-Forwarded-Host", ""}, {"x-forwarded-anything", ""}, {"Forwarded", ""}, {"X-Real-Ip", ""},
		{"X-Request-Id", ""}, {"Traceparent", ""}, {"tracestate", ""},
		{"X_Forwarded_For", "forwarding"}, {"X.Real.Ip", "forwarding"}, {"X-Request_Id", "forwarding"},

		{"Accept", "-"}, {"Cookie", "-"}, {"Authorization", "-"}, {"User-Agent", "-"}, {"X-Http-Method-Override", "-"},
		{"Proxy-Foo", "-"}, {"Baggage", "-"}, {"Remote", "-"}, {"Clerk", "-"}, {"X-Requested-With", "-"}, {"", "-"}, {"_", "-"},
	} {
		h := http.Header{c.name: {"evil", "evil"}, "Accept-Language": {"de"}}
		got := strings.Join(o.Strip(h), ",")
		_, there := h[c.name]
		if want := c.kinds == "-"; there != want || o.Owns(c.name) == want || want && got != "" || !want && got != c.kinds {
			t.Errorf("%s: there %v, kinds %q, want %q", c.name, there, got, c.kinds)
		}
		if len(h["Accept-Language"]) != 1 {
			t.Errorf("%s took another field with it", c.name)
		}
	}
}

func TestStripKinds(t *testing.T) {
	t.Parallel()
	o := owner(t, headers.OwnerConfig{})
	h := http.Header{
		"X_real_ip": {"1"}, "Proxy": {"a"}, "Remote-User": {"a"}, "X-Auth-Role": {"a"}, "X_auth_role": {"b"}, "Traceparent": {"c"},
	}
	if got := o.Strip(h); !slices.Equal(got, []string{"identity", "product", "control", "forwarding"}) || len(h) != 0 {
		t.Errorf("kinds %v, left %v", got, h)
	}
	if got := o.Strip(http.Header{"Accept": {"*/*"}}); got != nil {
		t.Errorf("kinds %v of nothing", got)
	}
}

func TestStripListIsReplaced(t *testing.T) {
	t.Parallel()
	o := owner(t, headers.OwnerConfig{Strip: []string{"X-My-*", "X-Legacy", "Sso*"}})
	for name, owned := range map[string]bool{
		"X-My-User": true, "X_my_user": true, "X-My": false, "X-Legacy": true, "X-Legacy-2": false, "Ssouser": true, "SSO_User": true,
		"Remote-User": false, "X-Auth-Role": true, "Proxy": true,
		"X-Forwarded-User": true, // one of the forwarding family all the same
	} {
		if o.Owns(name) != owned {
			t.Errorf("Owns(%s) = %v", name, !owned)
		}
	}
	if none := owner(t, headers.OwnerConfig{Strip: []string{}}); none.Owns("Remote-User") || !none.Owns("X-Auth-Role") {
		t.Error("an empty list is not the default list, and nothing else changes")
	}
}

func TestOwnerMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config headers.OwnerConfig
		want   string
	}{
		{headers.OwnerConfig{Pass: []string{"X-Auth-Role"}, Mapped: []string{"x-auth-role"}}, "mapped"},
		{headers.OwnerConfig{Pass: []string{"x-auth-user-id"}}, "built in"},
		{headers.OwnerConfig{Pass: []string{"X-Auth-Session-Id"}}, "built in"},
		{headers.OwnerConfig{Pass: []string{"X-Auth-Actor"}}, "built in"},
		{headers.OwnerConfig{Pass: []string{"X-Auth-Status"}}, "built in"},
		{headers.OwnerConfig{Pass: []string{"X-Auth_Token"}}, "letters, digits and hyphens"},
		{headers.OwnerConfig{Pass: []string{"X-Auth-*"}}, "letters, digits and hyphens"},
		{headers.OwnerConfig{Pass: []string{"X-Auth-"}}, "hyphen"},
		{headers.OwnerConfig{Pass: []string{"X-Other"}}, "only names under X-Auth-"},
		{headers.OwnerConfig{Pass: []string{""}}, "empty"},
		{headers.OwnerConfig{Strip: []string{"*"}}, "empty"},
		{headers.OwnerConfig{Strip: []string{""}}, "empty"},
		{headers.OwnerConfig{Strip: []string{"X-*-User"}}, "letters, digits and hyphens"},
		{headers.OwnerConfig{Strip: []string{"X_User"}}, "letters, digits and hyphens"},
		{headers.OwnerConfig{Mapped: []string{"X_User"}}, "letters, digits and hyphens"},
		{headers.OwnerConfig{Mapped: []string{"Cookie"}}, "cannot be mapped"},
	} {
		o, err := headers.NewOwner(c.config)
		if err == nil || o != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want an error with %q", c.config, err, c.want)
		}
	}
	_, err := headers.NewOwner(headers.OwnerConfig{Mapped: []string{"Host"}, Pass: []string{"A", "B"}, Strip: []string{"*"}})
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("not all of four mistakes: %v", err)
	}
}

func TestDefaultStripIsACopy(t *testing.T) {
	t.Parallel()
	headers.DefaultStrip()[0] = "changed"
	if headers.DefaultStrip()[0] != "X-Forwarded-User" {
		t.Error("a caller changed the list")
	}
}
