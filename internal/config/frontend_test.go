package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy/internal/minttest"
)

func TestAPIURL(t *testing.T) {
	t.Parallel()
	const name = "CLERK_API_URL="
	runBad(t, []bad{
		{"http", dev(name + "http://api.clerk.com"), []string{"CLERK_API_URL: is not https"}},
		{"not quite loopback", dev(name + "http://localhost.example"), []string{"CLERK_API_URL: is not https"}},
		{"with the version", dev(name + "https://api.clerk.com/v1"), []string{"CLERK_API_URL: write scheme and host only: https://api.clerk.com; /v1 is added"}},
		{"escaped slash", dev(name + "https://api.clerk.com/%2F"), []string{"CLERK_API_URL: has a path"}},
		{"query", dev(name + "https://api.clerk.com?x"), []string{"CLERK_API_URL: has a path or a query"}},
		{"empty query", dev(name + "https://api.clerk.com?"), []string{"CLERK_API_URL: has a path or a query"}},
		{"fragment", dev(name + "https://api.clerk.com#"), []string{"CLERK_API_URL: has a fragment"}},
		{"credentials", dev(name + "https://u:p@api.clerk.com"), []string{"CLERK_API_URL: holds credentials"}},
		{"no scheme", dev(name + "api.clerk.com"), []string{"CLERK_API_URL: write it with its scheme"}},
	})
	for text, want := range map[string]string{
		"": "https://api.clerk.com", "https://API.example.com:443/": "https://api.example.com",
		"http://127.0.0.1:8080": "http://127.0.0.1:8080", "http://localhost:80/": "http://localhost",
	} {
		if got := mustLoad(t, dev(name+text)).Clerk.APIURL.String(); got != want {
			t.Errorf("%q became %s, want %s", text, got, want)
		}
	}
}

func TestProxyURL(t *testing.T) {
	t.Parallel()
	const name = "CLERK_PROXY_URL="
	refused := func(why string, values ...string) (cases []bad) {
		for _, v := range values {
			cases = append(cases, bad{v, live(name + v), []string{"CLERK_PROXY_URL: " + why}})
		}
		return cases
	}
	runBad(t, slices.Concat(
		refused("is a whole origin", "/", "https://app.example.com", "https://app.example.com/", "https://APP.example.com:443/"), // HS-13
		refused("more than a plain path", "//", "///", "//x", "//evil.example/x", `/\evil.example`, "/a//b", // HS-12
			"/*", "/__clerk/*", "/a?b", "/a#b", "/a?", "/a#", "/..", "/a/../b", "/a/./b", "/.", "/%2e%2e/a", "/a%2Fb", "/a;b", "/..;/a",
			"/@evil.example", "/a:b", "/a b", "/ä", "https://app.example.com//", "https://app.example.com//evil.example",
			"https://app.example.com/a/../b", "https://proxy.example/a/..", "https://proxy.example/*", "https://proxy.example/a?b=c",
			"https://proxy.example?", "https://proxy.example?a/b", "https://proxy.example/#", "https://proxy.example#", "https://proxy.example//", "https://proxy.example/%61"),
		refused("is a path of the proxy's own", "/_authproxy", "/_authproxy/", "/_authproxy/clerk", "/_AUTHPROXY/clerk",
			"https://app.example.com/_authproxy/clerk"),
		refused("is not https", "http://app.example.com/__clerk", "http://proxy.example", "ftp://proxy.example/x", "javascript://proxy.example/x"),
		refused("holds credentials", "https://u@proxy.example/x", "https://u:p@app.example.com/x", "https://@evil.example/x"),
		refused("is not a URL", "__clerk", "@evil.example", "*", "https:x"),
		refused("names no host", "https:///x", "https://", "https:/x"),
		[]bad{
			{"whichever host is asked", dev(name + "https://proxy.example"), []string{"CLERK_PROXY_URL: is a whole origin"}},
			{"whichever host is asked, reserved", dev(name + "https://proxy.example/_authproxy/x"), []string{"CLERK_PROXY_URL: of the proxy's own"}},
			{"one mistake for one", []string{
				"CLERK_PUBLISHABLE_KEY=" + minttest.LiveKey, "AUTHPROXY_UPSTREAM=http://127.0.0.1:3000", "AUTHPROXY_PUBLIC_URL=x", name + "https://proxy.example",
			}, []string{"AUTHPROXY_PUBLIC_URL: is not a URL"}},
		},
	))
	for text, want := range map[string]string{
		"/__clerk": "/__clerk", "/__clerk/": "/__clerk", "/api/__Clerk-1.0~x//": "/api/__Clerk-1.0~x",
		"https://App.example.com:443/__clerk/": "https://app.example.com/__clerk",
		"https://proxy.example":                "https://proxy.example", "https://proxy.example/": "https://proxy.example",
		"https://proxy.example/_authproxy/x": "https://proxy.example/_authproxy/x",
		"http://localhost:5000/x/":           "http://localhost:5000/x", "http://[::1]:5000": "http://[::1]:5000",
		"https://app.example.com:8443": "https://app.example.com:8443", // another origin
	} {
		if got := mustLoad(t, live(name+text)).Clerk.ProxyURL; got == nil || got.String() != want {
			t.Errorf("%s became %v, want %s", text, got, want)
		}
	}
	for _, environ := range [][]string{live("AUTHPROXY_PUBLIC_URL=http://app.internal:8080", name+"http://app.internal:8080/x"), dev(name + "https://any.example/x")} {
		mustLoad(t, environ)
	}
	if got := mustLoad(t, live(name)).Clerk.ProxyURL; got != nil {
		t.Errorf("no proxy became %s", got)
	}
}

func TestDomain(t *testing.T) {
	t.Parallel()
	const name = "CLERK_DOMAIN="
	runBad(t, []bad{
		{"scheme", live(name + "https://satellite.example"), []string{"CLERK_DOMAIN: is more than a host"}},
		{"path", live(name + "satellite.example/x"), []string{"CLERK_DOMAIN: is more than a host"}},
		{"other host in disguise", live(name + "x@evil.example"), []string{"CLERK_DOMAIN: is more than a host"}},
		{"fragment", live(name + "evil.example#"), []string{"CLERK_DOMAIN: is more than a host"}},
		{"spaces", live(name + "a b"), []string{"CLERK_DOMAIN: is not a host name"}},
		{"port", live(name + "satellite.example:8443"), []string{"CLERK_DOMAIN: is not a host name alone"}},
		{"address", live(name + "192.0.2.1"), []string{"CLERK_DOMAIN: is not a host name alone"}},
		{"IPv6", live(name + "::1"), []string{"CLERK_DOMAIN: is not a host name alone"}},
	})
	for text, want := range map[string]string{"Satellite.Example": "satellite.example", "localhost:3001": "localhost:3001", "127.0.0.1": "127.0.0.1", "": ""} {
		if got := mustLoad(t, dev(name+text)).Clerk.Domain; got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	// Alone it means nothing, as in Clerk's SDKs.
	if c := mustLoad(t, live(name+"satellite.example")); c.Clerk.Instance.FrontendAPI != "clerk.example.com" || len(c.Keys.Issuers) != 1 {
		t.Errorf("without a satellite: %+v %q", c.Clerk.Instance, c.Keys.Issuers)
	}
}

func TestSatelliteNeeds(t *testing.T) {
	t.Parallel()
	const (
		yes, domain, auto = "CLERK_IS_SATELLITE=true", "CLERK_DOMAIN=satellite.example", "AUTHPROXY_SATELLITE_AUTO_SYNC=true"
		signIn            = "CLERK_SIGN_IN_URL="
		elsewhere         = signIn + "https://primary.example/sign-in"
	)
	runBad(t, []bad{
		{"nowhere to ask", live(yes), []string{"CLERK_DOMAIN: is not set, and a satellite needs it or CLERK_PROXY_URL"}},
		{"a domain that is none", live(yes, "CLERK_DOMAIN=a b"), []string{"CLERK_DOMAIN: is not a host name"}},
		{"development without a page", dev(yes, domain), []string{"CLERK_SIGN_IN_URL: is not set, and a satellite of a development"}},
		{"a path", dev(yes, domain, signIn+"/sign-in"), []string{"CLERK_SIGN_IN_URL: is on our own origin"}},
		{"a path, live", live(yes, domain, signIn+"/sign-in"), []string{"CLERK_SIGN_IN_URL: is on our own origin"}},
		{"our own", live(yes, domain, signIn+"https://APP.example.com:443/in"), []string{"CLERK_SIGN_IN_URL: is on our own origin"}},
		{"our own, development", dev(yes, domain, "AUTHPROXY_PUBLIC_URL=https://app.example.com", signIn+"https://app.example.com/in"), []string{"CLERK_SIGN_IN_URL: is on our own origin"}},
		{"said once", live(yes, domain, signIn+"sign-in"), []string{"CLERK_SIGN_IN_URL: is not a URL"}},
		{"automatic", live(auto), []string{"AUTHPROXY_SATELLITE_AUTO_SYNC: is for satellites only"}},
		{"automatic, and no answer", live(auto, "CLERK_IS_SATELLITE=yes"), []string{"CLERK_IS_SATELLITE: write true or false"}},
		{"all at once", dev(yes), []string{"CLERK_DOMAIN: is not set", "CLERK_SIGN_IN_URL: is not set"}},
	})
	for _, environ := range [][]string{
		live(yes, domain), live(yes, domain, elsewhere, auto), live(yes, "CLERK_PROXY_URL=/__clerk"), live("CLERK_IS_SATELLITE=false"),
		dev(yes, domain, elsewhere), dev(yes, "CLERK_DOMAIN=localhost:3001", signIn+"http://localhost:3000/sign-in", auto),
	} {
		c := mustLoad(t, environ)
		if slices.Contains(environ, yes) != c.Clerk.Satellite || slices.Contains(environ, auto) != c.Clerk.AutoSync {
			t.Errorf("%q: %+v", environ, c.Clerk)
		}
	}
}

// A live satellite is another host of the same instance: the cookies keep their
// suffix, the keys and the account portal their place.
func TestSatelliteHost(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, live("CLERK_IS_SATELLITE=true", "CLERK_DOMAIN=Satellite.example"))
	if i := c.Clerk.Instance; i.FrontendAPI != "clerk.satellite.example" || i.PublishableKey != minttest.LiveKey || !i.Production {
		t.Errorf("%+v", i)
	}
	if got := c.Clerk.SignInURL.String(); got != "https://accounts.example.com/sign-in" {
		t.Errorf("sign-in at %s", got)
	}
	if got := c.Keys.JWKSURL.String(); got != "https://clerk.example.com/.well-known/jwks.json" {
		t.Errorf("keys from %s", got)
	}
	development := mustLoad(t, dev("CLERK_IS_SATELLITE=true", "CLERK_DOMAIN=satellite.example", "CLERK_SIGN_IN_URL=https://primary.example/"))
	if got := development.Clerk.Instance.FrontendAPI; got != "happy-otter-12.clerk.accounts.dev" {
		t.Errorf("a development satellite's Frontend API is %s", got)
	}
}

func TestIssuers(t *testing.T) {
	t.Parallel()
	const satellite, domain, proxy, own = "CLERK_IS_SATELLITE=true", "CLERK_DOMAIN=satellite.example", "CLERK_PROXY_URL=", "https://clerk.example.com"
	for _, c := range []struct {
		name    string
		environ []string
		issuers []string
		jwks    string
	}{
		{"alone", live(), []string{own}, own},
		{"satellite", live(satellite, domain), []string{own, "https://clerk.satellite.example"}, own},
		{"satellite behind a proxy", live(satellite, domain, proxy+"https://proxy.example/c/"),
			[]string{own, "https://clerk.satellite.example", "https://proxy.example/c"}, "https://proxy.example/c"},
		{"proxy on a host of its own", live(proxy + "https://proxy.example/"), []string{own, "https://proxy.example"}, "https://proxy.example"},
		{"proxy here", live(proxy + "https://app.example.com/__clerk"), []string{own, "https://app.example.com/__clerk"}, own},
		{"a path", live("AUTHPROXY_PUBLIC_URL=https://a.example,https://b.example:8443", proxy+"/__clerk"),
			[]string{own, "https://a.example/__clerk", "https://b.example:8443/__clerk"}, own},
		{"the same", live(proxy + own), []string{own}, own},
		{"said", live(satellite, domain, proxy+"https://proxy.example/c", "AUTHPROXY_ISSUER=https://a.example"), []string{"https://a.example"}, "https://proxy.example/c"},
		{"a path on any host", dev(proxy + "/__clerk"), []string{minttest.TestIss}, minttest.TestIss},
		{"perhaps here", dev(proxy + "https://proxy.example/c"), []string{minttest.TestIss, "https://proxy.example/c"}, minttest.TestIss},
		{"keys said", live(proxy+"https://proxy.example/c", "AUTHPROXY_JWKS_URL=https://k.example/.well-known/jwks.json"),
			[]string{own, "https://proxy.example/c"}, "https://k.example"},
	} {
		keys := mustLoad(t, c.environ).Keys
		if diff := cmp.Diff(c.issuers, keys.Issuers); diff != "" || keys.Issuer != c.issuers[0] {
			t.Errorf("%s: %q first\n%s", c.name, keys.Issuer, diff)
		}
		if got := keys.JWKSURL.String(); got != c.jwks+"/.well-known/jwks.json" {
			t.Errorf("%s: keys from %s", c.name, got)
		}
	}
	if c := mustLoad(t, live(proxy+"https://proxy.example", "CLERK_JWT_KEY="+minttest.Good().PEM)); c.Keys.JWKSURL != nil {
		t.Error("a key set beside a PEM")
	}
}

func TestIssuersArePrintedWithWhereTheyCameFrom(t *testing.T) {
	t.Parallel()
	text := strings.Join(strings.Fields(printed(t, mustLoad(t, live("CLERK_IS_SATELLITE=true", "CLERK_DOMAIN=Satellite.example", "CLERK_PROXY_URL=https://Proxy.example/c/")))), " ")
	for _, want := range []string{
		"AUTHPROXY_ISSUER https://clerk.example.com,https://clerk.satellite.example,https://proxy.example/c derived from CLERK_PUBLISHABLE_KEY, CLERK_DOMAIN, CLERK_PROXY_URL",
		"AUTHPROXY_JWKS_URL https://proxy.example/c/.well-known/jwks.json derived from CLERK_PROXY_URL",
		"CLERK_PROXY_URL https://proxy.example/c environment", "CLERK_DOMAIN satellite.example environment",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestWhatNeedsAPublishableKey(t *testing.T) {
	t.Parallel()
	rest := []string{"CLERK_JWT_KEY=" + minttest.Good().PEM, "AUTHPROXY_ISSUER=https://a.example"}
	for name, value := range map[string]string{
		"CLERK_PROXY_URL": "/__clerk", "CLERK_DOMAIN": "satellite.example",
		"AUTHPROXY_ORGANIZATION_PATTERNS": "/orgs/:slug", "AUTHPROXY_PERSONAL_ACCOUNT_PATTERNS": "/me",
	} {
		runBad(t, []bad{{name, noKey(append(rest, name+"="+value)...), []string{name + ": needs a publishable key"}}})
	}
	runBad(t, []bad{
		{"satellite", noKey(append(rest, "CLERK_IS_SATELLITE=true", "CLERK_PROXY_URL=/__clerk")...),
			[]string{"CLERK_IS_SATELLITE: needs a publishable key", "CLERK_PROXY_URL: needs a publishable key"}},
		{"said once", noKey(append(rest, "CLERK_PROXY_URL=//")...), []string{"CLERK_PROXY_URL: more than a plain path"}},
		{"a key that is wrong", live("CLERK_PUBLISHABLE_KEY=pk_live_x", "CLERK_PROXY_URL=/__clerk"), []string{"CLERK_PUBLISHABLE_KEY: not a Clerk"}},
		{"two keys", live("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY="+minttest.TestKey, "CLERK_PROXY_URL=/__clerk"), []string{"CLERK_PUBLISHABLE_KEY: is not the same"}},
	})
	mustLoad(t, noKey(append(rest, "CLERK_IS_SATELLITE=false", "CLERK_API_URL=https://api.example")...))
}

func TestOrganizationPatterns(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, dev("AUTHPROXY_ORGANIZATION_PATTERNS=/orgs/:slug, /orgs/:slug/(.*)", "AUTHPROXY_PERSONAL_ACCOUNT_PATTERNS=/me"))
	if diff := cmp.Diff([]string{"/orgs/:slug", "/orgs/:slug/(.*)"}, c.Session.OrganizationPatterns); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/me"}, c.Session.PersonalPatterns); diff != "" {
		t.Error(diff)
	}
	runBad(t, []bad{{"two commas", dev("AUTHPROXY_ORGANIZATION_PATTERNS=/a,,/b"), []string{"AUTHPROXY_ORGANIZATION_PATTERNS: has an empty element"}}})
}
