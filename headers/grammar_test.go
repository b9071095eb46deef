package headers_test

import (
	"strings"
	"testing"

	"github.com/manageros/authproxy/headers"
)

func TestMappingSpellings(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"x-auth-team=team":                            "X-Auth-Team=team",
		" X-A = a | b ; enc = raw ,\n X-B=b":          "X-A=a|b;enc=raw,X-B=b",
		"X-A=a;enc=percent":                           "X-A=a",
		`X-A="https://example.com/claim,1"|"a|b"`:     `X-A="https://example.com/claim,1"|"a|b"`,
		`X-A=a;default="b;c"`:                         `X-A=a;default="b;c"`,
		`X-A=a;default="plain"`:                       `X-A=a;default=plain`,
		`X-A=a;enc=json;default=" ""x"" "`:            `X-A=a;default=" ""x"" ";enc=json`,
		"Remote-User=sub":                             "Remote-User=sub",
		"X-A=größe":                                   "X-A=größe",
		"X-A=public_metadata.teams[0].ids[1][2].name": "X-A=public_metadata.teams[0].ids[1][2].name",
	} {
		if got := mapping(t, spec).String(); got != want {
			t.Errorf("%q compiles to %q, want %q", spec, got, want)
		}
		if got := mapping(t, want).String(); got != want {
			t.Errorf("%q is not stable: %q", want, got)
		}
	}
}

func TestMappingMistakes(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"X-A":                                   "must be Header=path",
		"X-A=a,":                                "must be Header=path",
		"+":                                     "must be Header=path",
		"X-A=a;default=b,c":                     `entry "c": it must be Header=path; a value with a comma or semicolon goes in double quotes`,
		"X-A=":                                  "a claim name is missing",
		"=a":                                    "the header name is empty",
		"X_A=a":                                 "letters, digits and hyphens only",
		"X.A=a":                                 "letters, digits and hyphens only",
		"X:Not:OK=a":                            "letters, digits and hyphens only",
		"X-Ä=a":                                 "letters, digits and hyphens only",
		`"X-A"=a`:                               "letters, digits and hyphens only",
		"-X=a":                                  "begin or end with a hyphen",
		"X-Auth-=a":                             "begin or end with a hyphen",
		"X-A=a||b":                              `path "": a claim name is missing`,
		"X-A=a..b":                              "a claim name is missing",
		"X-A=a[x]":                              "an index is [0]",
		"X-A=a[-1]":                             "an index is [0]",
		"X-A=a[01]":                             "an index is [0]",
		"X-A=a[0":                               "an index is [0]",
		"X-A=a[99999]":                          "an index is [0]",
		"X-A=a[0]b":                             `before "b"`,
		"X-A=[0]":                               "a claim name is missing",
		"X-A=a b":                               "' ' goes in double quotes",
		"X-A=a]":                                "']' goes in double quotes",
		`X-A=a\b`:                               "goes in double quotes",
		"X-A=a=b":                               "'=' goes in double quotes",
		`X-A=""`:                                "a claim name is missing",
		`X-A="a`:                                "not closed",
		`X-A="a"b`:                              `before "b"`,
		"X-A=\"a\tb\"":                          "control character U+0009",
		"X-A=\"a\u0085b\"":                      "control character U+0085",
		"X-A=\"\xff\"":                          "not valid UTF-8",
		"X-A=a;default=\xff":                    "not valid UTF-8",
		"X-A=a;enc=":                            "enc= is not known",
		"X-A=a;enc=hex":                         "there are [percent raw base64url rfc2047 json]",
		"X-A=a;Enc=raw":                         `"Enc" is not known`,
		"X-A=a;":                                `"" is not known`,
		"X-A=a;default=":                        "default= is empty",
		`X-A=a;default=""`:                      "default= is empty",
		`X-A=a;default="b"c`:                    "after the closing double quote",
		`X-A=a;default=5" x"`:                   "holds a double quote",
		"X-A=a;default=b;default=c":             "default= is there twice",
		"X-A=a;enc=raw;enc=raw":                 "enc= is there twice",
		"X-A=a;default=ü;enc=raw":               "printable ASCII",
		"X-A=a;default=b\x7fc":                  "control character U+007F",
		"X-A=a,x-a=b":                           `already set by "X-A=a"`,
		"+X-Auth-Role=org_role":                 "already set by",
		"X-A=" + strings.Repeat("a.", 32) + "a": "at most 32",
	} {
		_, err := headers.ParseMapping(spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", spec, err, want)
		}
	}
}

func TestMappingReportsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := headers.ParseMapping("X-A=a,X_B=b..c;enc=x;default=,Cookie=c,X-A=d")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`headers: mapping entry "X_B=b..c;enc=x;default=": the header name "X_B"`,
		`headers: mapping entry "X_B=b..c;enc=x;default=": path "b..c"`,
		`headers: mapping entry "X_B=b..c;enc=x;default=": enc=x`,
		`headers: mapping entry "X_B=b..c;enc=x;default=": default= is empty`,
		`headers: mapping entry "Cookie=c": the header Cookie cannot be mapped`,
		`headers: mapping entry "X-A=d": the header is already set`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != 6 {
		t.Errorf("%d lines, want one for each of 6 mistakes:\n%v", lines, err)
	}
}

func TestRefusedNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Host", "Content-Length", "Content-Type", "content-foo", "Expect",
		"Cookie", "Authorization", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-User", "X-Real-IP",
		"X-Request-Id", "traceparent", "tracestate", "X-Auth-User-Id", "x-auth-session-id", "X-AUTH-ACTOR", "X-Auth-Status",
		"X-Authproxy-Response", "X-Clerk-Auth-Status", "Clerk-Proxy-Url", "Proxy", "X-Original-URL", "X-Original-URI",
		"X-Rewrite-URL", "X-Accel-Redirect", "X-Middleware-Subrequest",
	} {
		if _, err := headers.ParseMapping(name + "=a"); err == nil || !strings.Contains(err.Error(), "cannot be mapped") {
			t.Errorf("mapping %s: %v", name, err)
		}
		if _, err := headers.NewOwner(headers.OwnerConfig{Mapped: []string{name}}); err == nil {
			t.Errorf("NewOwner owns %s as a mapped name", name)
		}
	}
	for _, name := range []string{"X-Auth-User", "X-Auth-User-Id-2", "Hostname", "Contents", "Remote-User", "X-Clerk", "Tea", "X-Org-Id"} {
		if _, err := headers.ParseMapping(name + "=a"); err != nil {
			t.Error(err)
		}
	}
}
