package handshake_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/handshake"
)

var app = authproxy.Origin{Scheme: "https", Host: "app.example.com"}

// TestWay: the address of a handshake has these parameters, in this order
// (clerk.md, 2.8).
func TestWay(t *testing.T) {
	t.Parallel()
	id, personal := "org_1", ""
	ours := handshake.Way{
		Frontend: "https://clerk.example.com", Back: handshake.Address{Origin: app, Path: "/dash", Query: "a=1"},
		Reason: authproxy.SessionTokenIATBeforeUAT, Count: 1,
	}
	const (
		start = "https://clerk.example.com/v1/client/handshake?redirect_url=https%3A%2F%2Fapp.example.com%2Fdash%3Fa%3D1"
		count = "%26__clerk_redirect_count%3D"
		rest  = "&__clerk_api_version=2026-05-12&suffixed_cookies=false&__clerk_hs_reason=session-token-iat-before-client-uat&format=token"
	)
	for _, tt := range []struct {
		name   string
		change func(*handshake.Way)
		want   string
	}{
		{"production", func(*handshake.Way) {}, start + count + "1" + rest},
		{"for the third time", func(w *handshake.Way) { w.Count = 3 }, start + count + "3" + rest},
		{"with a secret key", func(w *handshake.Way) { w.Nonce = true }, start + count + "1" + strings.Replace(rest, "format=token", "format=nonce", 1)},
		{"suffixed", func(w *handshake.Way) { w.Suffixed = true }, start + count + "1" + strings.Replace(rest, "=false", "=true", 1)},
		{"below a proxy", func(w *handshake.Way) { w.Frontend = "https://app.example.com/__clerk/" }, strings.Replace(start, "clerk.example.com", "app.example.com/__clerk", 1) + count + "1" + rest},
		{"HS-10 no session token in production", func(w *handshake.Way) { w.Token, w.DevBrowser = "secret", "browser" }, start + count + "1" + rest},
		{"development", func(w *handshake.Way) { w.Token, w.DevBrowser, w.Development = "t.t.t", "dvb_1", true }, start + count + "1" + rest + "&__session=t.t.t&__clerk_db_jwt=dvb_1"},
		{"an organisation", func(w *handshake.Way) { w.Organization = &id }, start + count + "1" + rest + "&organization_id=org_1"},
		{"the personal account", func(w *handshake.Way) { w.Organization = &personal }, start + count + "1" + rest + "&organization_id="},
		{"Clerk's SDK", func(w *handshake.Way) { w.AsClerk, w.Token, w.Nonce = true, "t.t.t", true }, start + strings.Replace(rest, "format=token", "format=nonce", 1) + "&__session=t.t.t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			way := ours
			tt.change(&way)
			got := way.URL()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if u, err := url.Parse(got); err != nil || u.Fragment != "" || u.Host == "" {
				t.Errorf("%q is no address: %v", got, err)
			}
		})
	}
}

// TestWayBack: what stands in redirect_url comes back unchanged but for the traces
// of handshakes, however they are spelled.
func TestWayBack(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 9000)
	for _, tt := range []struct {
		name, path, query, want string
	}{
		{"no query", "/dash", "", "/dash?__clerk_redirect_count=2"},
		{"bytes are kept", "/a%20b", "q=%20+~'&&x;y=%zz&=&q", "/a%20b?q=%20+~'&&x;y=%zz&=&q&__clerk_redirect_count=2"},
		{"a path of two slashes", "//evil.example/", "", "//evil.example/?__clerk_redirect_count=2"},
		{"traces go", "/", "__clerk_handshake=h&a=1&__clerk_handshake_nonce=n&__clerk_help=x&__clerk_db_jwt=b&__dev_session=s", "/?a=1&__clerk_redirect_count=2"},
		{"nothing but traces", "/", "__clerk_handshake=h", "/?__clerk_redirect_count=2"},
		{"percent-encoded names", "/", "__clerk%5Fhandshake=h&%5f%5Fclerk_db_jwt=b&a=1", "/?a=1&__clerk_redirect_count=2"},
		{"names without values", "/", "__clerk_handshake&a", "/?a&__clerk_redirect_count=2"},
		{"twice", "/", "__clerk_db_jwt=b&__clerk_db_jwt=c", "/?__clerk_redirect_count=2"},
		{"an older count", "/", "__clerk_redirect_count=1&a=1&__clerk%5Fredirect_count=7", "/?a=1&__clerk_redirect_count=2"},
		{"what looks like a trace", "/", "x__clerk_handshake=h&__clerk_handshakes=h&a=__clerk_db_jwt=1", "/?x__clerk_handshake=h&__clerk_handshakes=h&a=__clerk_db_jwt=1&__clerk_redirect_count=2"},
		{"what satellites say stays", "/", "__clerk_synced=true", "/?__clerk_synced=true&__clerk_redirect_count=2"},
		{"a query that is too long is forgotten", "/dash", "q=" + long, "/dash?__clerk_redirect_count=2"},
		{"and so is a path", "/" + long, "", "/?__clerk_redirect_count=2"},
		{"traces do not make it too long", "/dash", "a=1&__clerk_handshake=" + long, "/dash?a=1&__clerk_redirect_count=2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := handshake.Address{Origin: app, Path: tt.path, Query: tt.query}
			u, err := url.Parse(handshake.Way{Frontend: "https://clerk.example.com", Back: address, Count: 2}.URL())
			if err != nil {
				t.Fatal(err)
			}
			if got := u.Query().Get("redirect_url"); got != app.String()+tt.want {
				t.Errorf("back to %.200s", got)
			}
			clean := strings.TrimRight(strings.TrimSuffix(app.String()+tt.want, "__clerk_redirect_count=2"), "?&")
			if got := address.Clean(0); strings.TrimRight(got, "?&") != clean {
				t.Errorf("the clean address is %.200s, expected %.200s", got, clean)
			}
		})
	}
}

// TestWayBackAsClerk: Clerk's SDK leaves the rest of its own traces.
func TestWayBackAsClerk(t *testing.T) {
	t.Parallel()
	address := handshake.Address{Origin: app, Path: "/", Query: "__clerk_handshake=h&__clerk_db_jwt=b&__dev_session=s&a=%20"}
	u, err := url.Parse(handshake.Way{AsClerk: true, Back: address, Count: 2}.URL())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := u.Query().Get("redirect_url"), "https://app.example.com/?__clerk_handshake=h&a=%20"; got != want {
		t.Errorf("back to %s, expected %s", got, want)
	}
	if got, want := address.String("__dev_session"), "https://app.example.com/?__clerk_handshake=h&__clerk_db_jwt=b&a=%20"; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
}

// FuzzAddress: no trace of a handshake is left that any parser of queries sees, the
// count is there once, and the rest keeps its bytes and its order.
func FuzzAddress(f *testing.F) {
	for _, query := range []string{"", "a=1&__clerk_handshake=h&b", "%5f_clerk_db_jwt=%", "&&=&__clerk_redirect_count", "__clerk%5Fhelp=1;a=2", "__clerk_redirect_count=3&__clerk_redirect_count=4"} {
		f.Add("/x", query, 1)
	}
	f.Fuzz(func(t *testing.T, path, query string, count int) {
		if len(path)+len(query) > 3000 || strings.ContainsAny(path, "?") {
			return // cut, or no path
		}
		got := handshake.Address{Origin: app, Path: path, Query: query}.Clean(count)
		rest, ok := strings.CutPrefix(got, app.String()+path)
		if !ok {
			t.Fatalf("%q begins otherwise than %q", got, path)
		}
		counts, at := 0, 0
		for pair := range strings.SplitSeq(strings.TrimPrefix(rest, "?"), "&") {
			name, value, _ := strings.Cut(pair, "=")
			decoded, err := url.QueryUnescape(name)
			if err != nil {
				decoded = name
			}
			switch decoded {
			case "__clerk_handshake", "__clerk_handshake_nonce", "__clerk_db_jwt", "__dev_session", "__clerk_help":
				t.Fatalf("%q still has %s", got, decoded)
			case "__clerk_redirect_count":
				if counts++; value == "" {
					t.Fatalf("%q counts nothing", got)
				}
				continue
			}
			next := strings.Index(query[at:], pair)
			if next < 0 {
				t.Fatalf("%q is not of %q", pair, query)
			}
			at += next + len(pair)
		}
		if want := min(1, max(count, -count)); counts != want && count != 0 || count == 0 && counts != 0 {
			t.Fatalf("%q counts %d times", got, counts)
		}
	})
}

// TestCounter: the cookie outlives a slow link, is for all paths, and goes.
func TestCounter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		count           int
		secure, asClerk bool
		want            string
	}{
		{0, true, false, "__clerk_redirect_count=0; Path=/; Max-Age=120; HttpOnly; SameSite=Lax; Secure"},
		{3, false, false, "__clerk_redirect_count=3; Path=/; Max-Age=120; HttpOnly; SameSite=Lax"},
		{-1, true, false, "__clerk_redirect_count=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"},
		{-1, false, false, "__clerk_redirect_count=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
		{2, true, true, "__clerk_redirect_count=2; SameSite=Lax; HttpOnly; Max-Age=2"},
	} {
		got := handshake.Counter(tt.count, tt.secure, tt.asClerk)
		if got != tt.want {
			t.Errorf("%q, expected %q", got, tt.want)
		}
		if _, err := http.ParseSetCookie(got); err != nil {
			t.Errorf("%q: %v", got, err)
		}
	}
}
