package session_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/session"
)

func TestStripCookies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"nothing of Clerk's", "a=1; b=2;c=\"x y\";  d", "a=1; b=2;c=\"x y\";  d"},
		{"odd bytes stay", "a=%zz; b=1,2; =x; ;c=", "a=%zz; b=1,2; =x; ;c="},
		{"alone", "__session=x", ""},
		{"first", "__session=x; a=1;b=2", "a=1;b=2"},
		{"last", "a=1; __session=x", "a=1"},
		{"between", "a=1; __session=x; b=2", "a=1; b=2"},
		{"every one", "__session=a; __session_naoXFJnI=b; __client_uat=1; __client_uat_naoXFJnI=2; __refresh_naoXFJnI=c; " +
			"__clerk_db_jwt=d; __clerk_handshake=e; __clerk_redirect_count=f; __clerk_anything=g; __client=h", ""},
		{"names that only start alike", "__sessionid=1; __client_uatx=2; _session=3; session=4; __clerk=5; __clients=6", "__sessionid=1; __client_uatx=2; _session=3; session=4; __clerk=5; __clients=6"},
		{"the word in a value", "msg=__session is here; next=/x?__session=1", "msg=__session is here; next=/x?__session=1"},

		{"CK-03 inside quotes", `foo="bar; __session=evil; x="; a=1`, `foo="bar; x="; a=1`},
		{"CK-03 a quoted value with a semicolon", `$Version=1; __session="a; b"`, `$Version=1; b"`},
		{"CK-03 a quoted name", `"__session"=x; a=1`, "a=1"},
		{"CK-03 behind a closing quote", `a="b"__session=x; c=1`, "c=1"},
		{"CK-03 dollar", "$__session=x; a=1", "a=1"},
		{"CK-03 comma", "a=1,__session=x; b=2", "b=2"},
		{"CK-03 white space separates", "a=1 __session=x; b=2", "b=2"},
		{"CK-03 white space before the equals sign", "__session \t=x; b=2", "b=2"},
		{"CK-03 percent-encoded name", "__%73ession=x; b=2", "b=2"},
		{"CK-03 encoded twice", "__%2573ession=x; b=2", "b=2"},
		{"CK-03 encoded beside rubbish", "__%73ession%zz=x; %zz__%73ession=1; %5F_session=%zz; b=2", "__%73ession%zz=x; %zz__%73ession=1; b=2"},
		{"CK-03 decoded before it is split", "a=1%3B%20__session=x; b=2", "b=2"},
		{"CK-03 decoded equals sign", "__session%3Dx; b=2", "b=2"},
		{"CK-03 NUL ends a name", "__session%00y=x; b=2", "b=2"},
		{"CK-03 PHP dot", "..session=x; __client.uat=1; b=2", "b=2"},
		{"CK-03 PHP space", "__client uat=x; b=2", "b=2"},
		{"CK-03 PHP plus", "__client+uat=x; +__session=1; b=2", "b=2"},
		{"CK-03 PHP bracket", "__session[a]=x; __client[uat=1; __session%5Ba=2; b=2", "b=2"},
		{"CK-03 Latin-1 white space", "\x85__session=x; __session\xa0=1; \xa0 __client_uat=1; b=2", "b=2"},
		{"CK-03 Unicode white space", "\u3000__session\u2028=x; \ufeff__client_uat=1; __session\x1f=2; a=\u3000b; c=2", "a=\u3000b; c=2"},
		{"CK-04 nameless", "=__session=x; = __client_uat=2; b=2", "b=2"},
		{"CK-04 without a value", "__session; b=2", "b=2"},
		{"CK-04 another case", "__Session=x; __CLIENT_UAT=1; b=2", "b=2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := header("Cookie", c.in, "X-Other", "__session=stays")
			session.StripCookies(h)
			if got := h.Get("Cookie"); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if _, present := h["Cookie"]; present != (c.want != "") {
				t.Errorf("Cookie field present: %v", present)
			}
			if h.Get("X-Other") != "__session=stays" {
				t.Error("another field changed")
			}
		})
	}
}

func TestStripCookiesFields(t *testing.T) {
	t.Parallel()
	odd := strings.ToLower("Cookie")
	h := http.Header{"Cookie": {"__session=x", "a=1", "b=2; __client_uat=3", ""}, odd: {"__session=y"}}
	session.StripCookies(h)
	if got := strings.Join(h["Cookie"], "|"); got != "a=1|b=2" {
		t.Errorf("CK-07: got %q", got)
	}
	if _, present := h[odd]; present {
		t.Error("a field whose name is not canonical was left alone")
	}
}

func TestStripCookiesKeepClerk(t *testing.T) {
	t.Parallel()
	h := header("Cookie", "__session=x; __refresh_naoXFJnI=r; __client=c; a=1; __REFRESH_x=1; _%5Frefresh.x=2; __client_uat=3")
	session.RenewCookies(h, nil)
	if got, want := h.Get("Cookie"), "__session=x; a=1; __client_uat=3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// CK-06, CK-07: the work is linear in the size of the field.
func TestThreatStripIsLinear(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"=", "= ", "%25", "a=", "__session", ",", "\"", "[", "%2525", "%zz"} {
		h := header("Cookie", strings.Repeat(unit, 1<<20/len(unit)))
		session.StripCookies(h) // quadratic work would take minutes
	}
}

func BenchmarkStripCookies(b *testing.B) {
	line := "theme=dark; _ga=GA1.1.123; __session=" + minted(nil) + "; __session_naoXFJnI=" + minted(nil) + "; __client_uat=1; csrf=abc"
	b.ReportAllocs()
	for b.Loop() {
		session.StripCookies(http.Header{"Cookie": {line}})
	}
}
