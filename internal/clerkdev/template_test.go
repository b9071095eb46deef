package clerkdev_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// somebody has data of every JSON type.
func somebody() clerkdev.User {
	return clerkdev.User{
		ID: "user_1", ExternalID: "ext_1", Username: "zoe", FirstName: "Zoë", LastName: "Müller", Email: "zoe@acme.example", Verified: true,
		PublicMetadata: json.RawMessage(`{"role":"manager","n":1.50,"big":12345678901234567890,"yes":true,"no":false,
			"none":null,"empty":"","list":["a",1],"deep":{"er":{"x":"y"}},"0":"zero"}`),
		UnsafeMetadata:  json.RawMessage(`{"theme":"dark"}`),
		PrivateMetadata: json.RawMessage(`{"secret":"s"}`),
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	active := &clerkdev.Organization{ID: "org_1", Name: "Acme, Inc.", Slug: "acme", PublicMetadata: json.RawMessage(`{"plan":{"tier":3}}`)}
	for _, c := range []struct{ value, want string }{
		// what is no shortcode stays
		{`"plain"`, `"plain"`}, {`""`, `""`}, {`1.50`, `1.50`}, {`true`, `true`}, {`null`, `null`},
		{`[1, "{{user.id}}", {"a": "{{user.username}}"}]`, `[1,"user_1",{"a":"zoe"}]`},
		{`"} }} {"`, `"} }} {"`},
		// every shortcode
		{`"{{user.id}}"`, `"user_1"`},
		{`"{{user.external_id}}"`, `"ext_1"`},
		{`"{{user.primary_email_address}}"`, `"zoe@acme.example"`},
		{`"{{user.email_verified}}"`, `true`},
		{`"{{user.first_name}}"`, `"Zoë"`},
		{`"{{user.last_name}}"`, `"Müller"`},
		{`"{{user.full_name}}"`, `"Zoë Müller"`},
		{`"{{user.username}}"`, `"zoe"`},
		{`"{{user.unsafe_metadata}}"`, `{"theme":"dark"}`},
		{`"{{user.unsafe_metadata.theme}}"`, `"dark"`},
		{`"{{org.id}}"`, `"org_1"`}, {`"{{org.name}}"`, `"Acme, Inc."`}, {`"{{org.slug}}"`, `"acme"`}, {`"{{org.role}}"`, `"org:admin"`},
		{`"{{org.public_metadata.plan.tier}}"`, `3`}, {`"{{org.public_metadata}}"`, `{"plan":{"tier":3}}`},
		// exactly one shortcode keeps its type
		{`"{{user.public_metadata.n}}"`, `1.50`},
		{`"{{user.public_metadata.big}}"`, `12345678901234567890`},
		{`"{{user.public_metadata.yes}}"`, `true`}, {`"{{user.public_metadata.no}}"`, `false`},
		{`"{{user.public_metadata.list}}"`, `["a",1]`},
		{`"{{user.public_metadata.deep}}"`, `{"er":{"x":"y"}}`},
		{`"{{user.public_metadata.deep.er.x}}"`, `"y"`},
		{`"{{user.public_metadata.0}}"`, `"zero"`},
		{`"{{user.public_metadata.empty}}"`, `""`},
		{`"{{ user.id }}"`, `"user_1"`}, {`"{{\tuser.id\t}}"`, `"user_1"`},
		// missing data and unknown shortcodes are null
		{`"{{user.public_metadata.nothing}}"`, `null`}, {`"{{user.public_metadata.none}}"`, `null`},
		{`"{{user.public_metadata.role.deeper}}"`, `null`}, {`"{{user.public_metadata.list.0}}"`, `null`},
		{`"{{user.nothing}}"`, `null`}, {`"{{whatever.x}}"`, `null`}, {`"{{user.id.x}}"`, `null`}, {`"{{user..id}}"`, `null`},
		// nor does a word alone give everything away
		{`"{{user}}"`, `null`}, {`"{{org}}"`, `null`}, {`"{{null}}"`, `null`},
		// private metadata cannot be reached
		{`"{{user.private_metadata}}"`, `null`}, {`"{{user.private_metadata.secret}}"`, `null`},
		{`"{{org.private_metadata}}"`, `null`},
		// inside a longer string everything is text
		{`"id={{user.id}}"`, `"id=user_1"`}, {`"{{user.first_name}} {{user.last_name}}"`, `"Zoë Müller"`},
		{`"{{user.id}}{{user.id}}"`, `"user_1user_1"`}, {`" {{user.public_metadata.n}}"`, `" 1.50"`},
		{`"{{user.public_metadata.yes}}!"`, `"true!"`}, {`"{{user.public_metadata.list}}!"`, `"[\"a\",1]!"`},
		{`"x {{user.nothing}} y"`, `"x null y"`}, {`"{{user.public_metadata.empty}}!"`, `"!"`},
		// fallbacks: the first that is neither null nor false, else the last
		{`"{{user.nothing || user.id}}"`, `"user_1"`}, {`"{{user.nothing||user.id}}"`, `"user_1"`},
		{`"{{user.public_metadata.no || 'x'}}"`, `"x"`}, {`"{{user.public_metadata.empty || 'x'}}"`, `""`},
		{`"{{user.nothing || user.public_metadata.no}}"`, `false`}, {`"{{user.public_metadata.no || user.nothing}}"`, `null`},
		{`"{{user.id || 'x'}}"`, `"user_1"`}, {`"{{user.a || user.b || 'c'}}"`, `"c"`},
		{`"{{user.a || 1.50}}"`, `1.50`}, {`"{{user.a || -2e3}}"`, `-2e3`}, {`"{{user.a || true}}"`, `true`}, {`"{{user.a || false}}"`, `false`},
		{`"{{user.a || 0}}"`, `0`}, {`"{{user.a || ''}}"`, `""`}, {`"{{'a || b }} c'}}"`, `"a || b }} c"`},
		{`"hello {{user.a || 'you'}}"`, `"hello you"`}, {`"{{1x || 'no number'}}"`, `"no number"`},
	} {
		got, err := clerkdev.Render(`{"claim": `+c.value+`}`, somebody(), active, "org:admin")
		if want := `{"claim":` + c.want + `}`; err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", c.value, got, err, want)
		}
	}
}

func TestTemplateOfNobody(t *testing.T) {
	t.Parallel()
	source := `{"a":"{{user.external_id}}","b":"{{user.username}}","c":"{{user.first_name}}","d":"{{user.full_name}}",
		"e":"{{user.primary_email_address}}","f":"{{user.email_verified}}","g":"{{user.public_metadata}}","h":"{{org.id}}",
		"i":"{{org.public_metadata}}","j":"{{user.last_name}}"}`
	want := `{"a":null,"b":null,"c":null,"d":null,"e":null,"f":false,"g":{},"h":null,"i":null,"j":null}`
	if got, err := clerkdev.Render(source, clerkdev.User{ID: "user_1", Verified: true}, nil, ""); err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := clerkdev.Render(" ", clerkdev.User{}, nil, ""); err != nil || got != "{}" {
		t.Errorf("no template: %s, %v", got, err)
	}
}

func TestTemplateMistakes(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		`x`, `null`, `[]`, `"s"`, `{} {}`, `{"a":1}}`, `{"a":`,
		`{"a":"{{user.id"}`, `{"a":"{{user.id}"}`, `{"a":"{{}}"}`, `{"a":"{{ }}"}`, `{"a":"{{user.id ||}}"}`, `{"a":"{{|| user.id}}"}`,
		`{"a":"{{user.id | user.id}}"}`, `{"a":"{{user id}}"}`, `{"a":"{{'x}}"}`, `{"a":"{{user.id 'x'}}"}`, `{"a":"{{a{{b}}}}"}`,
		`{"a":["{{"]}`, `{"a":{"b":"{{"}}`,
	} {
		if got, err := clerkdev.Render(source, somebody(), nil, ""); err == nil || errors.Is(err, clerkdev.ErrReserved) {
			t.Errorf("%s: %s, %v", source, got, err)
		}
	}
	_, err := clerkdev.New(clerkdev.Config{Template: `{"here":"{{user.id"}`})
	if err == nil || !strings.Contains(err.Error(), `claim "here"`) {
		t.Errorf("the mistake is not where it is: %v", err)
	}
	for _, name := range strings.Fields("iss sub sid jti azp iat exp nbf fva sts v o fea pla act") {
		if _, err := clerkdev.Render(`{"`+name+`":"x"}`, somebody(), nil, ""); !errors.Is(err, clerkdev.ErrReserved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"aud", "role", "Iss"} {
		if _, err := clerkdev.Render(`{"`+name+`":"x"}`, somebody(), nil, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzTemplate: whatever compiles renders to JSON with the same names, and shows
// nothing private.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		`{"a":"{{user.id || 'x' || 1 || true}} b"}`, `{"a":["{{user.public_metadata.deep}}"],"b":{"c":null}}`, `{"a":"{{'}}'}}"}`,
		`{"a":"{{user.private_metadata.secret}}"}`, `{"a":"{{"}`, clerkdev.DefaultTemplate, `{"a":"{{-}}{{0x}}{{.}}"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		u := somebody()
		u.PrivateMetadata = json.RawMessage(`{"secret":"never to be seen"}`)
		got, err := clerkdev.Render(source, u, nil, "")
		if err != nil || strings.TrimSpace(source) == "" {
			return
		}
		var in, out map[string]any
		if err := json.Unmarshal([]byte(got), &out); err != nil {
			t.Fatalf("%q renders to %q: %v", source, got, err)
		}
		if err := json.Unmarshal([]byte(source), &in); err == nil && len(in) != len(out) {
			t.Errorf("%q has %d claims, %q has %d", source, len(in), got, len(out))
		}
		if strings.Contains(got, "never to be seen") && !strings.Contains(source, "never") {
			t.Errorf("%q shows private metadata", source)
		}
	})
}
