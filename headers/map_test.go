package headers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

func mapping(t testing.TB, spec string) *headers.Mapping {
	t.Helper()
	m, err := headers.ParseMapping(spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// render compiles one entry and renders claims with it.
func render(t testing.TB, entry, claims string) (authproxy.Claim, error) {
	t.Helper()
	out, err := mapping(t, entry).Render(authproxy.Claims(claims))
	if err != nil {
		return authproxy.Claim{}, err
	}
	return out[0], nil
}

func wantReason(t testing.TB, err error, reason authproxy.Reason) {
	t.Helper()
	var refusal *authproxy.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != reason {
		t.Errorf("error %v, want a refusal %s", err, reason)
	}
}

// The table of contract section 5, literally.
func TestContractTable(t *testing.T) {
	t.Parallel()
	for claim, want := range map[string]string{
		`"manager"`:          `manager`,
		`"Acme, Inc"`:        `Acme, Inc`,
		`"Müller GmbH"`:      `M%C3%BCller%20GmbH`,
		`"100% Pure"`:        `100%25%20Pure`,
		`" padded "`:         `%20padded%20`,
		`["a","b, c",null]`:  `a,b%2C%20c`,
		`42`:                 `42`,
		`true`:               `true`,
		`{"id":"org_1"}`:     `{"id":"org_1"}`,
		`{"id": "org_1" }`:   `{"id":"org_1"}`,
		`"M\u00fcller GmbH"`: `M%C3%BCller%20GmbH`,
	} {
		got, err := render(t, "X-Auth-C=c", `{"c":`+claim+`}`)
		if err != nil || got.Value != want || got.Source != authproxy.ClaimFromToken {
			t.Errorf("%s: %+v, %v, want %s", claim, got, err, want)
		}
	}
	for _, claims := range []string{`{"c":null}`, `{"c":""}`, `{}`, `{"c":[]}`, `{"c":[ ]}`, `{"c":[null,""]}`} {
		got, err := render(t, "X-Auth-C=c", claims)
		if err != nil || got != (authproxy.Claim{Path: "c", Header: "X-Auth-C", Source: authproxy.ClaimAbsent}) {
			t.Errorf("%s: %+v, %v, want no header", claims, got, err)
		}
	}
}

func TestDefaultMapping(t *testing.T) {
	t.Parallel()
	want := "X-Auth-Manageros-User-Id=managerOSUserId,X-Auth-Organization-Id=organizationId," +
		"X-Auth-Organization-Name=organizationName,X-Auth-Organization-Slug=organizationSlug," +
		"X-Auth-Person-Id=personId,X-Auth-Role=role"
	for _, spec := range []string{"", " \n", want} {
		if got := mapping(t, spec).String(); got != want {
			t.Errorf("%q compiles to %s", spec, got)
		}
	}
	added := mapping(t, "+ X-Auth-Team=team")
	if got := added.String(); got != want+",X-Auth-Team=team" {
		t.Errorf("with +: %s", got)
	}
	names := added.Headers()
	if !slices.Equal(names[5:], []string{"X-Auth-Role", "X-Auth-Team"}) || len(names) != 7 {
		t.Errorf("Headers() = %v", names)
	}
	if got := mapping(t, "X-Auth-Team=team").String(); got != "X-Auth-Team=team" {
		t.Errorf("without +: %s", got)
	}
}

func TestRenderValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, claim, want string }{
		{"number in its own spelling", `1.0`, `1.0`},
		{"exponent", `1E400`, `1E400`},
		{"large integer", `9007199254740993`, `9007199254740993`},
		{"negative zero", `-0`, `-0`},
		{"false is a value", `false`, `false`},
		{"zero is a value", `0`, `0`},
		{"space only", `" "`, `%20`},
		{"leading space", `" a"`, `%20a`},
		{"tilde and quote stay", `"~\"'\\"`, `~"'\`},
		{"unreserved stays in an encoded value", `"ä-._~zZ09"`, `%C3%A4-._~zZ09`},
		{"four bytes", `"😀"`, `%F0%9F%98%80`},
		{"surrogate pair", `"\ud83d\ude00"`, `%F0%9F%98%80`},
		{"no-break space", `"\u00a0a"`, `%C2%A0a`},
		{"array of numbers", `[1, 2.50 ,true]`, `1,2.50,true`},
		{"array elements are encoded one by one", `["ä","a b"," c"]`, `%C3%A4,a b,%20c`},
		{"one element with a comma", `["a,b"]`, `a%2Cb`},
		{"array that holds an object", `["a", {"b": 1}]`, `["a",{"b":1}]`},
		{"array that holds an array keeps null", `[ null, [] ]`, `[null,[]]`},
		{"object with non-ASCII", `{"n":"ä"}`, `%7B%22n%22%3A%22%C3%A4%22%7D`},
		{"object with percent", `{"n":"%"}`, `%7B%22n%22%3A%22%25%22%7D`},
		{"object keeps the spelling of numbers and escapes", `{ "a" : 1.0, "b":"\u00e4" , "c":1e999 }`, `{"a":1.0,"b":"\u00e4","c":1e999}`},
		{"empty object", `{}`, `{}`},
		{"the word null is a string", `"null"`, `null`},
	} {
		got, err := render(t, "X-Auth-C=c", `{"c": `+c.claim+` }`)
		if err != nil || got.Value != c.want {
			t.Errorf("%s: %s becomes %q, %v, want %q", c.name, c.claim, got.Value, err, c.want)
		}
	}
}

func TestRenderSources(t *testing.T) {
	t.Parallel()
	const spec = `X-Auth-C=a|"b.c"|d[0].e;default=nobody`
	for claims, want := range map[string]authproxy.Claim{
		`{"a":"1","b.c":"2"}`:                {Path: "a", Value: "1", Source: authproxy.ClaimFromToken},
		`{"a":null,"b.c":"2"}`:               {Path: `"b.c"`, Value: "2", Source: authproxy.ClaimFromToken},
		`{"a":[null],"d":[{"e":3}]}`:         {Path: `d[0].e`, Value: "3", Source: authproxy.ClaimFromToken},
		`{"a":[],"b":{"c":1},"d":{"0":"x"}}`: {Path: "a", Value: "nobody", Source: authproxy.ClaimFromDefault},
		`{"A":"1"}`:                          {Path: "a", Value: "nobody", Source: authproxy.ClaimFromDefault},
	} {
		want.Header = "X-Auth-C"
		if got, err := render(t, spec, claims); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", claims, got, err, want)
		}
	}
	// A bad value is refused, not replaced by the next alternative.
	_, err := render(t, spec, `{"a":"\n","b.c":"2"}`)
	wantReason(t, err, authproxy.ClaimInvalid)
}

func TestDefaultValues(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		`default=guest`:             "guest",
		`default=a b`:               "a b",
		`default="a, b; c"`:         "a, b; c",
		`default="say ""hi"""`:      `say "hi"`,
		`default=" "`:               "%20",
		`default=Müller`:            "M%C3%BCller",
		`default=a=b|c`:             "a=b|c",
		`default=1;enc=json`:        `"1"`,
		`enc=json;default=<ü>`:      `"<\u00fc>"`,
		`default=ab;enc=base64url`:  "YWI",
		`default=raw;enc=raw`:       "raw",
		`default=ü;enc=rfc2047`:     "=?utf-8?q?=C3=BC?=",
		` default = x ; enc = raw `: "x",
	} {
		got, err := render(t, "X-Auth-C=c;"+spec, `{}`)
		if err != nil || got.Value != want || got.Source != authproxy.ClaimFromDefault {
			t.Errorf("%s: %+v, %v, want %s", spec, got, err, want)
		}
	}
}

func TestRenderRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	for _, claims := range []string{"", "null", "[]", `"a"`, "{", `{"c":1}x`} {
		_, err := mapping(t, "").Render(authproxy.Claims(claims))
		wantReason(t, err, authproxy.ClaimInvalid)
	}
}

func TestRefusalNamesClaimAndHeaderOnly(t *testing.T) {
	t.Parallel()
	_, err := render(t, "X-Auth-C=c", `{"c":"secret\u0000"}`)
	wantReason(t, err, authproxy.ClaimInvalid)
	var refusal *authproxy.Refusal
	if errors.As(err, &refusal) {
		if want := "the claim c cannot become X-Auth-C: it holds the control character U+0000"; refusal.Detail != want {
			t.Errorf("detail %q, want %q", refusal.Detail, want)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the refusal shows the value: %v", err)
	}
}
