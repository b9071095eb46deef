package route_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/route"
)

func TestReturnTo(t *testing.T) {
	t.Parallel()
	app := authproxy.Origin{Scheme: "https", Host: "app.example.com"}
	other := authproxy.Origin{Scheme: "https", Host: "other.example.com:8443"}
	origins := []authproxy.Origin{app, other}
	for in, want := range map[string]string{
		"/":                                      "https://other.example.com:8443/",
		"/a?b=c#d":                               "https://other.example.com:8443/a?b=c#d",
		"/M%C3%BCller":                           "https://other.example.com:8443/M%C3%BCller",
		"/search?q=a%0Ab%5Cc":                    "https://other.example.com:8443/search?q=a%0Ab%5Cc",
		"/a%2520b":                               "https://other.example.com:8443/a%2520b",
		"/a;b":                                   "https://other.example.com:8443/a;b",
		"https://app.example.com:443/y":          "https://app.example.com/y",
		"HTTPS://APP.example.com/y":              "https://app.example.com/y",
		"/x?__clerk_db_jwt=SECRET&a=1#b":         "https://other.example.com:8443/x?a=1#b",
		"https://app.example.com":                "https://app.example.com",
		"https://app.example.com/x":              "https://app.example.com/x",
		"https://app.example.com?x=1":            "https://app.example.com?x=1",
		"https://other.example.com:8443/x#y":     "https://other.example.com:8443/x#y",
		"/search?next=https://evil.example//x/y": "https://other.example.com:8443/search?next=https://evil.example//x/y",
	} {
		if got := route.ReturnTo(in, other, origins); got != want {
			t.Errorf("ReturnTo(%q) = %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{
		"", "evil", "//evil", `/\evil`, "/\t/evil", "\t//evil", "/%09/evil", "/ /evil", `/./\evil`, `\/evil`, "///evil", // RD-01
		"/%2f%2fevil", "/%5cevil", "/%2Fevil", "/%252fevil", "/%255cevil", "/\u00a0/evil", "/\u2028evil",
		"https://badexample.com", "https://app.example.com.evil.com", "https://evil.com/https://app.example.com", // RD-02
		"https://app.example.com@evil.com", `https://evil.com\@app.example.com`, "https://app.example.com%40evil.com", // RD-03
		"https:evil.com", "https:/evil.com", "https:///evil.com", "http://app.example.com/", "https://app.example.com:444/",
		"https://app.example.com//evil", `https://app.example.com\evil`,
		"javascript:alert(1)", "data:text/html,x", "/a\r\nSet-Cookie: x", "/a\x00", // RD-06
	} {
		if got := route.ReturnTo(in, other, origins); got != "https://app.example.com/" {
			t.Errorf("ReturnTo(%q) = %q, want the first origin", in, got)
		}
	}
}

func TestSignInLocation(t *testing.T) {
	t.Parallel()
	app := authproxy.Origin{Scheme: "https", Host: "app.example.com"}
	parse := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, tt := range []struct{ signIn, below, want string }{
		{"https://accounts.example.com/sign-in", "", "https://accounts.example.com/sign-in?redirect_url=https%3A%2F%2Fapp.example.com%2Fx"},
		{"https://accounts.example.com/sign-in", "/tasks", "https://accounts.example.com/sign-in/tasks?redirect_url=https%3A%2F%2Fapp.example.com%2Fx"},
		{"/login?a=b", "", "https://app.example.com/login?a=b&redirect_url=https%3A%2F%2Fapp.example.com%2Fx"},
	} {
		if got := route.SignInLocation(parse(tt.signIn), app, tt.below, "https://app.example.com/x"); got != tt.want {
			t.Errorf("SignInLocation(%s) = %s, want %s", tt.signIn, got, tt.want)
		}
	}
}

// FuzzReturnTo: wherever it leads, a parser finds one of our hosts there.
func FuzzReturnTo(f *testing.F) {
	for _, s := range []string{"/x", "//evil", `/\evil`, "https://app.example.com/x", "https://app.example.com@evil"} {
		f.Add(s)
	}
	app := authproxy.Origin{Scheme: "https", Host: "app.example.com"}
	f.Fuzz(func(t *testing.T, raw string) {
		got := route.ReturnTo(raw, app, []authproxy.Origin{app})
		if !strings.HasPrefix(got, app.String()) {
			t.Fatalf("%q leads to %q", raw, got)
		}
		if u, err := url.Parse(got); err == nil && (u.Host != app.Host || u.User != nil) {
			t.Errorf("%q leads to %q on %q", raw, got, u.Host)
		}
		if rest := strings.TrimPrefix(got, app.String()); rest != "" && !strings.ContainsRune("/?#", rune(rest[0])) {
			t.Errorf("%q leads to %q", raw, got)
		}
	})
}
