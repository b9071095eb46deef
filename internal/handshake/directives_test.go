package handshake_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/handshake"
	"github.com/manageros/authproxy/internal/minttest"
)

// The cookies of the two instances of the shared vectors.
const liveSession, liveUAT, liveRefresh = "__session_" + minttest.LiveSuff, "__client_uat_" + minttest.LiveSuff, "__refresh_" + minttest.LiveSuff

func instance(t testing.TB, key string) authproxy.Instance {
	t.Helper()
	i, err := authproxy.ParseInstance(key)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// at is a jar of the live instance for pages of the origin.
func at(t testing.TB, scheme, host string) handshake.Jar {
	return handshake.Jar{Instance: instance(t, minttest.LiveKey), Origin: authproxy.Origin{Scheme: scheme, Host: host}}
}

// TestDirectives are the lines that Clerk may send, and those that somebody may
// have its keys sign (threat HS-04). None is passed on as it is.
func TestDirectives(t *testing.T) {
	t.Parallel()
	live := at(t, "https", "app.example.com")
	plain := at(t, "http", "app.example.com")
	dev := handshake.Jar{Instance: instance(t, minttest.TestKey), Origin: authproxy.Origin{Scheme: "http", Host: "localhost:4180"}}
	sixth := at(t, "http", "[::1]:4180")
	for _, tt := range []struct {
		name, line string
		jar        handshake.Jar
		want       string // "" is none
	}{
		// What Clerk sends.
		{"session", "__session=t; Path=/; Secure; SameSite=Lax", live, "__session=t; Path=/; Secure; SameSite=Lax"},
		{"session, suffixed", liveSession + "=t; Path=/; Secure; SameSite=Lax", live, liveSession + "=t; Path=/; Secure; SameSite=Lax"},
		{"uat for the domain", "__client_uat=17; Path=/; Domain=example.com; Max-Age=315360000; Secure; SameSite=Lax", live, "__client_uat=17; Path=/; Domain=example.com; Max-Age=315360000; Secure; SameSite=Lax"},
		{"uat, suffixed", liveUAT + "=17; Domain=.example.com", live, liveUAT + "=17; Path=/; Domain=example.com; Secure; SameSite=Lax"},
		{"refresh", liveRefresh + "=r; Path=/; HttpOnly; Secure; Max-Age=604800; SameSite=Lax", live, liveRefresh + "=r; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Lax"},
		{"the end of a payload", "__clerk_handshake=; Path=/; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT", live, "__clerk_handshake=; Path=/; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; SameSite=Lax"},
		{"the end of a nonce", "__clerk_handshake_nonce=; Path=/; Max-Age=0", live, "__clerk_handshake_nonce=; Path=/; Max-Age=0; Secure; SameSite=Lax"},
		{"development browser", "__clerk_db_jwt=b; Path=/; SameSite=Lax", dev, "__clerk_db_jwt=b; Path=/; SameSite=Lax"},
		{"development browser, suffixed", "__clerk_db_jwt_" + minttest.TestSuff + "=b", dev, "__clerk_db_jwt_" + minttest.TestSuff + "=b; Path=/; SameSite=Lax"},
		{"domain localhost, with a port", "__client_uat=0; Domain=localhost", dev, "__client_uat=0; Path=/; Domain=localhost; SameSite=Lax"},
		{"a life that is over", "__session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", live, "__session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; SameSite=Lax"},
		{"a life of its own", "__session=t; Expires=Mon, 23 Nov 2026 00:00:00 GMT", live, "__session=t; Path=/; Expires=Mon, 23 Nov 2026 00:00:00 GMT; Secure; SameSite=Lax"},

		// Attributes are ours.
		{"HS-04 another path", "__session=t; Path=/x", live, "__session=t; Path=/; Secure; SameSite=Lax"},
		{"HS-04 no Secure", "__session=t", live, "__session=t; Path=/; Secure; SameSite=Lax"},
		{"Secure over http would be lost", "__session=t; Secure", plain, "__session=t; Path=/; SameSite=Lax"},
		{"a session of the whole domain", "__session=t; Domain=example.com", live, "__session=t; Path=/; Secure; SameSite=Lax"},
		{"a refresh token of the whole domain", liveRefresh + "=r; Domain=example.com; HttpOnly", live, liveRefresh + "=r; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"a refresh token for scripts", liveRefresh + "=r", live, liveRefresh + "=r; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"strict stays", "__client_uat=17; SameSite=Strict", live, "__client_uat=17; Path=/; Secure; SameSite=Strict"},
		{"none over https", "__session=t; SameSite=None; Secure; Partitioned", live, "__session=t; Path=/; Secure; SameSite=None; Partitioned"},
		{"none over http", "__session=t; SameSite=None; Secure; Partitioned", plain, "__session=t; Path=/; SameSite=Lax"},
		{"a word that is none", "__session=t; SameSite=Sometimes; Priority=High", live, "__session=t; Path=/; Secure; SameSite=Lax"},

		// Names.
		{"HS-04 the application's cookie", "csrftoken=x; Path=/", live, ""},
		{"HS-04 another instance's session", "__session_PpMs2Apk=t", live, ""},
		{"HS-04 a session in other letters", "__Session=t", live, ""},
		{"HS-04 what begins like one", "__sessions=t", live, ""},
		{"HS-04 host prefix", "__Host-__session=t; Secure; Path=/", live, ""},
		{"HS-04 no name", "=t", live, ""},
		{"HS-04 no cookie", "", live, ""},
		{"a refresh token without the suffix", "__refresh=r", live, ""},
		{"a client of Clerk's", "__client=c; HttpOnly", live, ""},
		{"development browser in production", "__clerk_db_jwt=b", live, ""},
		{"a payload that is set", "__clerk_handshake=x", live, ""},
		{"a nonce that is set", "__clerk_handshake_nonce=x; Domain=example.com", live, ""},
		{"a payload with a suffix", "__clerk_handshake_" + minttest.LiveSuff + "=; Max-Age=0", live, ""},
		{"our own count", "__clerk_redirect_count=; Max-Age=0", live, ""},

		// Domains.
		{"HS-04 foreign domain", "__client_uat=17; Domain=evil.example", live, ""},
		{"HS-04 foreign domain of a session", "__session=t; Domain=evil.example", live, ""},
		{"HS-04 a sibling", "__client_uat=17; Domain=other.example.com", live, ""},
		{"HS-04 a child", "__client_uat=17; Domain=x.app.example.com", live, ""},
		{"HS-04 not at a label", "__client_uat=17; Domain=le.com", live, ""},
		{"HS-04 a top-level domain", "__client_uat=17; Domain=com", live, ""},
		{"HS-04 nothing but a dot", "__client_uat=17; Domain=.", live, ""},
		{"HS-04 two dots", "__client_uat=17; Domain=..example.com", live, ""},
		{"the host itself", "__client_uat=17; Domain=APP.Example.com", live, "__client_uat=17; Path=/; Domain=APP.Example.com; Secure; SameSite=Lax"},
		{"HS-04 with a port", "__client_uat=17; Domain=example.com:443", live, ""},
		{"HS-04 of an IPv6 address", "__client_uat=17; Domain=[::1]", sixth, ""},
		{"HS-04 of a part of one", "__client_uat=17; Domain=1", sixth, ""},
		{"IPv6, of the host alone", "__client_uat=17", sixth, "__client_uat=17; Path=/; SameSite=Lax"},
		{"HS-04 localhost from elsewhere", "__client_uat=17; Domain=localhost", live, ""},

		// Bytes.
		{"HS-04 CR LF", "__session=t\r\nSet-Cookie: a=b", live, ""},
		{"HS-04 CR LF in an attribute", "__session=t; Path=/\r\nX: y", live, "__session=t; Path=/; Secure; SameSite=Lax"},
		{"HS-04 CR LF in the domain", "__client_uat=17; Domain=example.com\r\nX: y", live, "__client_uat=17; Path=/; Secure; SameSite=Lax"},
		{"NUL", "__session=a\x00b", live, ""},
		{"a comma, in net/http's own way", "__session=a,b", live, `__session="a,b"; Path=/; Secure; SameSite=Lax`},
		{"8 KiB", "__session=" + strings.Repeat("x", 8<<10), live, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.jar.Read([]string{tt.line}).SetCookies
			if want := strings.Fields(tt.want); len(want) == 0 && len(got) != 0 || len(want) > 0 && (len(got) != 1 || got[0] != tt.want) {
				t.Errorf("%q, expected %q", got, tt.want)
			}
		})
	}
}

// TestDirectivesSession: which session a list signs in.
func TestDirectivesSession(t *testing.T) {
	t.Parallel()
	live := at(t, "https", "app.example.com")
	asClerk := handshake.Jar{AsClerk: true}
	for _, tt := range []struct {
		name  string
		jar   handshake.Jar
		lines []string
		want  string
	}{
		{"plain", live, []string{"__session=a", "__client_uat=1"}, "a"},
		{"suffixed", live, []string{liveSession + "=a"}, "a"},
		{"the last counts", live, []string{"__session=a", liveSession + "=b"}, "b"},
		{"another instance's does not", live, []string{"__session=a", "__session_PpMs2Apk=b"}, "a"},
		{"signed out: empty", live, []string{"__session="}, ""},
		{"signed out: no life", live, []string{"__session=a; Max-Age=0"}, ""},
		{"signed out: negative", live, []string{"__session=a; Max-Age=-1"}, ""},
		{"signed out: a date", live, []string{"__session=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, ""},
		{"a life beats a date", live, []string{"__session=a; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, "a"},
		{"signed out last", live, []string{"__session=a", "__session=; Max-Age=0"}, ""},
		{"none", live, nil, ""},
		{"Clerk's SDK: up to the second equals sign", asClerk, []string{"__session=a=b; Path=/"}, "a"},
		{"Clerk's SDK: whatever begins so", asClerk, []string{"__sessionfoo=c; Path=/x"}, "c"},
		{"Clerk's SDK: no value", asClerk, []string{"__session=a", "__session"}, ""},
		{"Clerk's SDK: a date means nothing", asClerk, []string{"__session=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.jar.Read(tt.lines)
			if got.Session != tt.want {
				t.Errorf("%q, expected %q", got.Session, tt.want)
			}
			if tt.jar.AsClerk && !slices.Equal(got.SetCookies, tt.lines) {
				t.Errorf("Clerk's SDK sets every line as it is, not %q", got.SetCookies)
			}
		})
	}
}

// TestDirectivesAreBounded is HS-04: fifty cookies, and a hundred kilobytes.
func TestDirectivesAreBounded(t *testing.T) {
	t.Parallel()
	jar := at(t, "https", "app.example.com")
	var many, long []string
	for n := range 50 {
		many = append(many, fmt.Sprintf("__client_uat=%d", n))
	}
	if got := jar.Read(many).SetCookies; len(got) != 32 {
		t.Errorf("%d of 50 cookies are set", len(got))
	}
	for range 13 {
		long = append(long, "__session="+strings.Repeat("x", 8<<10)+"; Path=/")
	}
	if got := jar.Read(long); len(got.SetCookies) != 0 || got.Session != "" {
		t.Errorf("%d cookies of 8 KiB each are set", len(got.SetCookies))
	}
}

// FuzzDirectives: whatever the lines are, what is set is a cookie of the instance
// for the host of the request, or for a domain that has it.
func FuzzDirectives(f *testing.F) {
	for _, line := range []string{
		"__session=t; Path=/; Secure; SameSite=Lax", liveUAT + "=17; Domain=.example.com; Max-Age=9", liveRefresh + "=r",
		"__clerk_handshake=; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "__session=\"q\"; Partitioned; SameSite=None",
		"__client_uat=1; Domain=example.com; Domain=evil.example", "a=b\r\n__session=t", "__session=t;;; ;=; Path", "__client_uat=17; Domain=[::1]",
	} {
		f.Add(line, "__session=u", "app.example.com", true)
		f.Add(line, "", "[::1]:4180", false)
	}
	names := []string{"__session", liveSession, "__client_uat", liveUAT, liveRefresh, "__clerk_handshake", "__clerk_handshake_nonce"}
	f.Fuzz(func(t *testing.T, first, second, host string, secure bool) {
		jar := at(t, "http", strings.ToLower(host))
		if secure {
			jar.Origin.Scheme = "https"
		}
		name := jar.Origin.Host
		if i := strings.LastIndex(name, ":"); i >= 0 {
			name = name[:i]
		}
		got := jar.Read([]string{first, second})
		session := ""
		for _, line := range got.SetCookies {
			c, err := http.ParseSetCookie(line)
			if err != nil || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Fatalf("%q is no Set-Cookie line: %v", line, err)
			}
			domain := strings.ToLower(c.Domain)
			switch {
			case !slices.Contains(names, c.Name):
				t.Fatalf("%q sets %s", line, c.Name)
			case c.Path != "/" || c.Secure != secure || c.SameSite == http.SameSiteDefaultMode:
				t.Fatalf("%q has attributes of its own", line)
			case domain != "" && (name != domain && !strings.HasSuffix(name, "."+domain) || strings.Contains(c.Name, "__session") || c.Name == liveRefresh):
				t.Fatalf("%q on %q", line, host)
			case c.Name == liveRefresh && !c.HttpOnly:
				t.Fatalf("%q is open to scripts", line)
			}
			if strings.HasPrefix(c.Name, "__session") {
				session = c.Value
				if c.MaxAge < 0 || c.MaxAge == 0 && c.RawExpires != "" && c.Expires.Before(time.Unix(1, 0)) {
					session = ""
				}
			}
		}
		if diff := cmp.Diff(session, got.Session); diff != "" {
			t.Fatalf("the session is not that of the cookies: %s", diff)
		}
	})
}
