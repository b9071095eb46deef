package headers_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

// TestThreat holds one case for each row of the threat list that this package
// answers.
func TestThreat(t *testing.T) {
	t.Parallel()
	for id, test := range map[string]func(*testing.T){
		"HDR-05": func(t *testing.T) { // an empty claim is never somebody's default
			for _, claim := range []string{`""`, `null`, `[]`, `[""]`} {
				noField(t, "X-Auth-C=c", claim)
			}
			wantValue(t, "X-Auth-C=c", `" "`, "%20") // white space is a value, and stays one
		},
		"HDR-06": func(t *testing.T) { stripped(t, "X_Auth_Role", "X_Org_Id", "x_org_id", "X_ORG_ID") },
		"HDR-07": func(t *testing.T) { stripped(t, "X-Auth_Role", "X_Auth-Role", "X-Org_Id", "X_Org-Id") },
		"HDR-08": func(t *testing.T) { stripped(t, "X.Auth.Role", "X.Org.Id", "X.Org-Id", "X_Org.Id") },
		"HDR-11": func(t *testing.T) { // configured in another case than it is sent
			o := owner(t, headers.OwnerConfig{Mapped: mapping(t, "x-user=sub").Headers()})
			h := http.Header{"X-User": {"admin"}, "x-user": {"admin"}}
			if o.Strip(h); len(h) != 0 {
				t.Errorf("%v is left", h)
			}
			if got, err := render(t, "x-user=sub", `{"sub":"a"}`); err != nil || got.Header != "X-User" {
				t.Errorf("%+v, %v", got, err)
			}
			if _, err := headers.ParseMapping("X:Not:OK=sub"); err == nil {
				t.Error("X:Not:OK is taken")
			}
		},
		"HDR-12": func(t *testing.T) { stripped(t, "X_Org_Id", "X-Org-Id", "X.Org.Id") },
		"HDR-14": threatCopies,
		"HDR-25": ownsEverySpelling, // in Trailer and Connection lists
		"HDR-26": ownsEverySpelling,
		"HDR-30": func(t *testing.T) { stripped(t, "Proxy", "PROXY", "proxy") },
		"HDR-31": func(t *testing.T) {
			stripped(t, "X-Original-Url", "X-Rewrite-Url", "X-Original-Uri", "X-Accel-Redirect", "X-Accel-Mapping", "X_Accel_Redirect")
			stripped(t, "SCRIPT_NAME", "Script-Name", "PATH_INFO", "path.info", "Content_Length", "Content.Type", "Transfer_Encoding")
			kept := http.Header{"Content-Length": {"1"}, "Content-Type": {"a/b"}, "Transfer-Encoding": {"chunked"}}
			if o, err := headers.NewOwner(headers.OwnerConfig{}); err != nil || o.Strip(kept) != nil || len(kept) != 3 {
				t.Errorf("what frames the message is gone: %v, %v", kept, err)
			}
		},
		"HDR-32": func(t *testing.T) {
			stripped(t, "X-Middleware-Subrequest", "X-Clerk-Auth-Status", "X-Clerk-Auth-Token", "X-Clerk-Clerk-Url", "Clerk-Secret-Key", "Clerk-Proxy-Url")
		},
		"HDR-33": func(t *testing.T) {
			stripped(t, "X-Webauth-User", "Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Auth-Request-User",
				"Cf-Access-Authenticated-User-Email", "X-Goog-Authenticated-User-Id", "X-Amzn-Oidc-Identity", "Impersonate-Group",
				"X-Pomerium-Claim-Email", "Tailscale-User-Name", "X-Authentik-Email")
		},
		"HDR-36": func(t *testing.T) { // a claim never ends the line
			for _, claim := range []string{`"org_A\r\nX-Role: admin"`, `"a\r"`, `"\n"`, `"\u0000"`, `["a","\r"]`, `{"a":"\n"}`} {
				_, err := render(t, "X-Auth-C=c", `{"c":`+claim+`}`)
				wantReason(t, err, authproxy.ClaimInvalid)
			}
		},
		"HDR-37": func(t *testing.T) { // one documented form, reversible
			for _, text := range []string{"José", "😀", "\u202e", "\u2028", "e\u0301", "\U0010ffff"} {
				got := wantASCII(t, "X-Auth-C=c", `"`+text+`"`)
				if back, err := url.PathUnescape(got); err != nil || back != text {
					t.Errorf("%q comes back as %q, %v", text, back, err)
				}
			}
		},
		"HDR-40": func(t *testing.T) { // no server's trimming changes a value
			for _, text := range []string{"\u00a0admin", "admin\u00a0", " admin", "admin ", "\u3000admin\ufeff"} {
				wantASCII(t, "X-Auth-C=c", `"`+text+`"`)
			}
			for _, text := range []string{`\u0085admin`, `admin\t`, `\u000badmin`} {
				_, err := render(t, "X-Auth-C=c", `{"c":"`+text+`"}`)
				wantReason(t, err, authproxy.ClaimInvalid)
			}
		},
		"HDR-42": func(t *testing.T) { // refused here, not by the application's server
			list := strings.TrimSuffix(strings.Repeat(`"org:a:b",`, 5000), ",")
			for _, claim := range []string{`"` + strings.Repeat("r", 70_000) + `"`, "[" + list + "]"} {
				_, err := assert(t, mapping(t, "X-Auth-C=c"), &authproxy.Identity{UserID: "user_1"}, `{"c":`+claim+`}`)
				wantReason(t, err, authproxy.ClaimTooLarge)
			}
		},
		"SSRF-05": threatPeers,
		"DOS-15":  threatTrace,
		"RD-07": func(t *testing.T) {
			for _, prefix := range []string{"//evil.com", "https://evil.com", `/\evil.com`, "/\t/evil.com", "/a//evil.com"} {
				h := http.Header{"X-Forwarded-Prefix": {prefix}}
				if hop := peers("10.0.0.0/8").Resolve("10.0.0.1:1", h); hop.Prefix != "" {
					t.Errorf("prefix %q", hop.Prefix)
				}
			}
			h := http.Header{"X-Forwarded-Prefix": {"/app"}}
			if hop := peers("10.0.0.0/8").Resolve("11.0.0.1:1", h); hop.Prefix != "" {
				t.Errorf("an untrusted peer's prefix %q", hop.Prefix)
			}
		},
		"OBS-10": func(t *testing.T) { // values are data, in tokens and in settings
			for _, text := range []string{"{env.CLERK_SECRET_KEY}", "${HOME}", "$(id)", "{{.Secret}}", "@file"} {
				wantValue(t, "X-Auth-C=c", `"`+text+`"`, text)
				wantValue(t, "X-Auth-C=x;default="+text, `null`, text)
			}
			wantValue(t, "X-Auth-C=c", `"%(HOME)s"`, "%25%28HOME%29s")
			wantValue(t, "X-Auth-C=c", `"%2541"`, "%252541")
		},
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func stripped(t *testing.T, names ...string) {
	t.Helper()
	h := http.Header{"Accept": {"*/*"}}
	for _, name := range names {
		h[name] = []string{"evil"}
	}
	propertyOwner(t).Strip(h)
	if left := slices.Sorted(maps.Keys(h)); !slices.Equal(left, []string{"Accept"}) {
		t.Errorf("left: %v", left)
	}
}

func threatCopies(t *testing.T) {
	h := http.Header{}
	for i := range 1000 {
		name := []byte("x-org-id")
		for bit := range len(name) {
			if i>>bit&1 == 1 && name[bit] != '-' {
				name[bit] -= 'a' - 'A'
			}
		}
		h[string(name)] = append(h[string(name)], fmt.Sprint("evil", i))
	}
	propertyOwner(t).Strip(h)
	if len(h) != 0 {
		t.Errorf("%d names are left", len(h))
	}
}

func ownsEverySpelling(t *testing.T) {
	o := propertyOwner(t)
	for _, name := range []string{"X-Org-Id", "x-org-id", "x_org_id", "X.Org.Id", "X-Auth-Role", "x_auth_role"} {
		if !o.Owns(name) {
			t.Errorf("%s is not owned", name)
		}
	}
}

func threatPeers(t *testing.T) {
	p := peers("10.0.0.0/8", "fe80::/10")
	h := http.Header{"X-Forwarded-For": {"198.51.100.1"}, "X-Forwarded-Proto": {"https"}}
	for remote, trusted := range map[string]bool{
		"10.0.0.1:1": true, "[::ffff:10.0.0.1]:1": true, "[::ffff:0a00:1]:1": true, "[fe80::1%eth0]:1": true,
		"[::ffff:203.0.113.9]:1": false, "[::10.0.0.1]:1": false, "[64:ff9b::10.0.0.1]:1": false, "@": false, "": false,
		"10.0.0.1.evil:1": false, "[2001:db8::1%10.0.0.1]:1": false,
	} {
		hop := p.Resolve(remote, h)
		if hop.Trusted != trusted || (hop.Client.String() == "198.51.100.1") != trusted || (hop.Proto == "https") != trusted {
			t.Errorf("%s: %+v, want trusted %v", remote, hop, trusted)
		}
		if hop.Client.Is4In6() || hop.Client.Zone() != "" {
			t.Errorf("%s: client %v", remote, hop.Client)
		}
	}
}

func threatTrace(t *testing.T) {
	many := slices.Repeat([]string{"a=" + strings.Repeat("x", 500)}, 1000)
	got := headers.ParseTrace(http.Header{"Traceparent": {parent}, "Tracestate": many})
	if got != (headers.Trace{Parent: parent}) {
		t.Errorf("%d bytes of tracestate", len(got.State))
	}
	for _, lines := range [][]string{slices.Repeat([]string{parent}, 1000), {strings.Repeat("0", 1<<16)}, {"cc" + parent[2:] + "-" + strings.Repeat("a", 1<<16)}} {
		if got := headers.ParseTrace(http.Header{"Traceparent": lines}); got != (headers.Trace{}) {
			t.Errorf("%d bytes of traceparent", len(got.Parent))
		}
	}
}

func wantValue(t *testing.T, entry, claim, want string) {
	t.Helper()
	if got, err := render(t, entry, `{"c":`+claim+`}`); err != nil || got.Value != want {
		t.Errorf("%s of %s is %q, %v, want %q", entry, claim, got.Value, err, want)
	}
}

func noField(t *testing.T, entry, claim string) {
	t.Helper()
	fields, err := assert(t, mapping(t, entry), &authproxy.Identity{UserID: "user_1"}, `{"c":`+claim+`}`)
	if err != nil || len(fields) != 2 {
		t.Errorf("%s: %v, %v", claim, fields, err)
	}
}

func wantASCII(t *testing.T, entry, claim string) string {
	t.Helper()
	got, err := render(t, entry, `{"c":`+claim+`}`)
	if err != nil || !printable(got.Value) {
		t.Errorf("%s becomes %q, %v", claim, got.Value, err)
	}
	return got.Value
}

// printable is what every value must be, written down once more.
func printable(value string) bool {
	return value != "" && value == strings.Trim(value, " ") &&
		strings.IndexFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}
