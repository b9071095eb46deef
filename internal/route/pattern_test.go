package route_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/route"
)

func organizations(t testing.TB, organization, personal []string) *route.Organizations {
	t.Helper()
	o, err := route.ParsePatterns(organization, personal)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTarget(t *testing.T) {
	t.Parallel()
	type target = route.Target
	var none target
	for _, group := range []struct {
		organization, personal string // separated by spaces
		want                   map[string]target
	}{
		{"/orgs/:slug /orgs/:slug/(.*)", "/me /me/(.*)", map[string]target{
			"/orgs/beta":               {Slug: "beta"},
			"/orgs/beta/":              {Slug: "beta"},
			"/ORGS/Beta/settings/x":    {Slug: "Beta"},
			"/orgs/org_1":              {Slug: "org_1"}, // a slug is what the pattern calls one
			"/orgs/a%20b":              {Slug: "a%20b"}, // not decoded
			"/orgs/M\u00fcller":        {Slug: "M%C3%BCller"},
			"/orgs/a|b^c'd":            {Slug: "a|b^c'd"},
			`/orgs/a"b`:                {Slug: "a%22b"},
			"/orgs/a#/b":               {Slug: "a"},
			"/orgs/":                   none,
			"/orgs":                    none,
			"/orgs//beta":              none,
			"/xorgs/beta":              none,
			"/x/orgs/beta":             none,
			"/":                        none,
			"":                         none,
			"/me":                      {Personal: true},
			"/me/":                     {Personal: true},
			"/Me/x":                    {Personal: true},
			"/meow":                    none,
			"/\u212a":                  none,
			"/orgs/\xff":               {Slug: "%FF"},
			"/orgs/beta/" + longPath(): {Slug: "beta"},
		}},
		{"/:id /:slug/x", "", map[string]target{"/org_1": {ID: "org_1"}, "/a/x": {Slug: "a"}, "/a/y": none}},
		{"/o/:slug/:id", "", map[string]target{"/o/acme/org_1": {ID: "org_1"}}}, // an id beats a slug
		{"/o/:slug/:id?", "", map[string]target{"/o/acme": {Slug: "acme"}, "/o/a/b": {ID: "b"}}},
		{"/:id/:id", "", map[string]target{"/a/b": {ID: "b"}}},                           // the last one
		{"/:id/:id?", "", map[string]target{"/a": {ID: "a"}}},                            // the last one that is there
		{"/:id(.*)", "/", map[string]target{"/": {Personal: true}, "/a/b": {ID: "a/b"}}}, // an empty id is none
		{"/orgs/new /orgs/:slug", "", map[string]target{"/orgs/new": none, "/orgs/x": {Slug: "x"}}},
		{"/orgs/new /orgs/:slug", "/orgs/(.*)", map[string]target{"/orgs/new": {Personal: true}, "/orgs/x": {Slug: "x"}}},
		{"", "(.*)", map[string]target{"/x": {Personal: true}, "": {Personal: true}}},
		{"/:id-:slug", "", map[string]target{"/a-b": {ID: "a"}, "/a-b-c": {ID: "a-b"}, "/a_b": none, "/a-": none}},
		{"/x:slug([0-9]+) /y/:slug(a|b)", "", map[string]target{"/x12": {Slug: "12"}, "/x1a": none, "/y/B": {Slug: "B"}, "/y/c": none}},
		{"/a{-:slug}?/x", "", map[string]target{"/a/x": none, "/a-b/x": {Slug: "b"}, "/a-b-c/x": none}},
		{"/files{/:part}*/of/:slug", "", map[string]target{"/files/of/x": {Slug: "x"}, "/files/1/2/of/x": {Slug: "x"}}},
		{`/\:slug/\(x\)/:id`, "", map[string]target{"/:slug/(x)/a": {ID: "a"}, "/b/x/a": none}},
		{"/:slug.json", "", map[string]target{"/acme.json": {Slug: "acme"}, "/acmexjson": none}},
		{"/never/:slug", "/me", map[string]target{"/x": none}}, // harmless
	} {
		o := organizations(t, strings.Fields(group.organization), strings.Fields(group.personal))
		for path, want := range group.want {
			got, ok := o.Target(path)
			if got != want || ok != (want != none) {
				t.Errorf("%q, %q: %q is of %+v, %v; want %+v", group.organization, group.personal, path, got, ok, want)
			}
		}
	}
	for name, o := range map[string]*route.Organizations{"nil": nil, "empty": organizations(t, nil, []string{})} {
		if got, ok := o.Target("/orgs/a"); ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func longPath() string { return strings.Repeat("a/", 1<<10) }

func TestTargetDiffers(t *testing.T) {
	t.Parallel()
	acme := &authproxy.Organization{ID: "org_1", Slug: "acme"}
	for _, tt := range []struct {
		target  route.Target
		active  *authproxy.Organization
		query   string
		differs bool
	}{
		{route.Target{Slug: "acme"}, acme, "acme", false},
		{route.Target{Slug: "Acme"}, acme, "Acme", true},
		{route.Target{Slug: "acme"}, nil, "acme", true},
		{route.Target{Slug: "org_1"}, acme, "org_1", true},
		{route.Target{ID: "org_1"}, acme, "org_1", false},
		{route.Target{ID: "org_2"}, acme, "org_2", true},
		{route.Target{ID: "org_1"}, nil, "org_1", true},
		{route.Target{ID: "acme"}, acme, "acme", true},
		{route.Target{Personal: true}, acme, "", true},
		{route.Target{Personal: true}, nil, "", false},
	} {
		if got := tt.target.Differs(tt.active); got != tt.differs || tt.target.Query() != tt.query {
			t.Errorf("%+v of %+v: differs %v, query %q", tt.target, tt.active, got, tt.target.Query())
		}
	}
}

func TestParsePatternsRefuses(t *testing.T) {
	t.Parallel()
	for pattern, why := range map[string]string{
		"":                          `begin it with "/"`,
		"orgs/:slug":                `begin it with "/"`,
		"/orgs/*":                   "for any rest write (.*)",
		"/orgs/**":                  "for any rest write (.*)",
		"*":                         "for any rest",
		"/orgs/:":                   "needs the name",
		"https://x/:slug":           "needs the name",
		"/orgs/()":                  "is empty",
		"/orgs/:slug(":              "is not closed",
		"/orgs/:slug([0-9]{2":       "is not closed",
		"/orgs/:slug((a))":          "must not capture",
		"/orgs/:slug(?:a)":          `cannot begin with "?"`,
		"/orgs/{a":                  `"{" is not closed`,
		"/orgs/a}":                  "not expected",
		"/orgs/{a{b}}":              "not expected",
		"/orgs/:slug??":             "repeat",
		`/orgs\`:                    `ends in a "\"`,
		`/orgs/(a\`:                 "is not closed",
		"/:a:b":                     "text between two parameters",
		"/:id-and-:slug":            "write what the parameter may hold",
		"/:id{and:slug}":            "write what the parameter may hold",
		"/orgs/:slug+":              "an organisation has one name",
		"/orgs/:id*":                "an organisation has one name",
		"/orgs/:x(a)y(b)*":          "needs something around it",
		"/a b":                      "%20",
		"/M\u00fcller/:slug":        "%C3%BC",
		"/:slug(\u212a)":            "beyond ASCII",
		"/a\x00":                    "beyond ASCII",
		"/:slug(\\u017f)":           `"\\u" is not supported`,
		"/:slug(\\x8)":              "not supported",
		"/:slug([)])":               "a [ is not closed", // to path-to-regexp the expression is "["
		"/:slug([^/)":               "a [ is not closed",
		"/:slug([])":                "a [] is empty",
		"/:slug([^])":               "a [] is empty",
		"/:slug(a(?:[)]b)([(?:]c))": "missing closing", // balanced only together
		"/:slug([z-a])":             "runs backwards",
		"/:slug([\\b])":             "not supported in [...]",
		"/:slug(a(?=b))":            "look-around",
		"/:slug(a(?!b).*)":          "look-around",
		"/:slug(a(?<=a)b)":          "look-around",
		"/:slug(a(?<n>b))":          "look-around and named groups",
		"/:slug(a(?i:b))":           "only (?:...)",
		"/:slug(a(?P<n>b))":         "only (?:...)",
		"/:slug(\\1)":               "not supported",
		"/:slug(\\0)":               "not supported",
		"/:slug(\\cA)":              "not supported",
		"/:slug(\\pL)":              "not supported",
		"/:slug(\\Aa\\z)":           "not supported",
		"/:slug(\\Qa\\E)":           "not supported",
		"/:slug(\\k<n>)":            "not supported",
		"/:slug(a{,2})":             `"{" counts`,
		"/:slug(a{1001})":           "repeat count",
		"/:slug(a{2}{3})":           "nested repetition",
		"/:slug(a++)":               "nested repetition",
		"/:slug(+a)":                "missing argument",
		"/:slug((?:a|)*b)":          "can be empty",
		"/:slug((?:a?){2}b)":        "can be empty",
		"/:slug((?:^)*a)":           "can be empty",
		"/:slug(\\b+a)":             "can be empty",
		"/:slug((?:\\Ba*)?b)":       "can be empty",
		"/x:slug(a*?)?:id(.*)":      "can be empty",
	} {
		_, err := route.ParsePatterns([]string{pattern}, nil)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want %s", pattern, err, why)
		}
	}
	_, err := route.ParsePatterns([]string{"/ok", "one"}, []string{"two", "/:"})
	for _, want := range []string{`organisation pattern "one": `, `personal account pattern "two": `, `personal account pattern "/:": `} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
}

// Each construct that the two languages share, on what only one reading matches.
func TestExpressions(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{ // the values that match, out of candidates
		`[a-c]{2}`:       "ab BC bc",
		`a|b?c`:          "a c BC bc",
		`(?:a|b){2,}?`:   "ab",
		`\d{1,3}`:        "7 42",
		`\w+`:            "a c ab BC bc 7 42 a_b 8f",
		`\W`:             "- . ]",
		`[\W]`:           "- . ]",
		`[^\w]`:          "- . ]",
		`[\d-a-f]{1,2}`:  "a 7 42 8f -", // annex B: digits, a hyphen, a, and then "-f"
		`[\w-.]`:         "a c 7 - .",
		`[.-\d]`:         "7 - .",
		`[a-]`:           "a -",
		`[-a]`:           "a -",
		`[\]]`:           "]",
		`]`:              "]",
		`\.`:             ".",
		`a.b`:            "a_b a-b",
		`a[_\-]b`:        "a_b a-b",
		`\x61[\u005f]b`:  "a_b",
		`a\bb|a\b-\bb`:   "a-b",
		`[\S]{3}`:        "a_b a-b",
		`[^\s]-b`:        "a-b",
		`a$`:             "a",
		`[A-_]`:          "a c ]", // from A over [\]^ to _, and what has these in the other case
		`[[:alpha:]]`:    "",      // a class of [:alph and then "]"
		`a_{0,1}b`:       "ab a_b",
		`\-|\/`:          "-",
		`(?:8|\t)[f\n]`:  "8f",
		`a(?:_|-)(?:b)?`: "a_b a-b",
	} {
		o := organizations(t, []string{"/:slug(" + expr + ")"}, nil)
		var got []string
		for value := range strings.FieldsSeq("a c ab BC bc 7 42 a_b a-b 8f - . ]") {
			if _, ok := o.Target("/" + value); ok {
				got = append(got, value)
			}
		}
		if diff := cmp.Diff(strings.Fields(want), got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:\n%s", expr, diff)
		}
	}
}

// FuzzPatterns: whatever somebody writes is refused or compiles, and names only
// what stands in the path.
func FuzzPatterns(f *testing.F) {
	for _, s := range []string{"/orgs/:slug", "/orgs/:slug/(.*)", "/:id-:slug", "/a{-:id}?", `/\:x/:slug([\w-.]{1,3}|a)`, "/x{/:p}*/:id", "/(", "/:"} {
		f.Add(s, "/orgs/acme/x")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		o, err := route.ParsePatterns([]string{pattern}, []string{pattern})
		if err != nil {
			if !strings.Contains(err.Error(), "organisation pattern") || !strings.Contains(err.Error(), "personal account pattern") {
				t.Errorf("the two lists differ about %q: %v", pattern, err)
			}
			return
		}
		target, ok := o.Target(path)
		if ok == (target == route.Target{}) || target.Personal && target.Query() != "" || target.ID != "" && target.Slug != "" {
			t.Errorf("%q on %q: %+v, %v", pattern, path, target, ok)
		}
		if printable := !strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("\"<>`{}", c) }); printable && !strings.Contains(path, target.Query()) {
			t.Errorf("%q on %q: %+v is not in the path", pattern, path, target)
		}
	})
}
