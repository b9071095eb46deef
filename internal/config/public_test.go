package config_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
)

func TestPublicURL(t *testing.T) {
	t.Parallel()
	const name = "AUTHPROXY_PUBLIC_URL="
	runBad(t, []bad{
		{"live without", live(name), []string{"AUTHPROXY_PUBLIC_URL: add the line AUTHPROXY_PUBLIC_URL=https://app.example.com"}},
		{"no key and without", []string{
			"AUTHPROXY_UPSTREAM=http://127.0.0.1:3000", "AUTHPROXY_ISSUER=https://a.example", "CLERK_JWT_KEY=" + minttest.Good().PEM,
		}, []string{"AUTHPROXY_PUBLIC_URL: is not set"}},
		{"path", live(name + "https://app.example.com/app"), []string{`AUTHPROXY_PUBLIC_URL: "https://app.example.com/app" is more than an origin; write scheme and host only: https://app.example.com`}},
		{"two slashes", live(name + "https://app.example.com//"), []string{"AUTHPROXY_PUBLIC_URL: is more than an origin"}},
		{"query", live(name + "https://app.example.com?x"), []string{"AUTHPROXY_PUBLIC_URL: is more than an origin"}},
		{"empty query", live(name + "https://app.example.com?"), []string{"AUTHPROXY_PUBLIC_URL: is more than an origin"}},
		{"fragment", live(name + "https://app.example.com#"), []string{"AUTHPROXY_PUBLIC_URL: is more than an origin"}},
		{"credentials", live(name + "https://user@app.example.com"), []string{"AUTHPROXY_PUBLIC_URL: holds credentials"}},
		{"no scheme", live(name + "app.example.com"), []string{"AUTHPROXY_PUBLIC_URL: for example https://app.example.com"}},
		{"no scheme, port", live(name + "localhost:8080"), []string{"AUTHPROXY_PUBLIC_URL: for example https://localhost:8080"}},
		{"other scheme", live(name + "ftp://app.example.com"), []string{"AUTHPROXY_PUBLIC_URL: is neither http nor https"}},
		{"extension", live(name + "chrome-extension://abc"), []string{"AUTHPROXY_PUBLIC_URL: is neither http nor https"}},
		{"wildcard", live(name + "https://*.example.com"), []string{"AUTHPROXY_PUBLIC_URL: has a wildcard; list every origin by itself"}},
		{"null", live(name + "null"), []string{"AUTHPROXY_PUBLIC_URL: is not a URL"}},
		{"no host", live(name + "https://"), []string{`AUTHPROXY_PUBLIC_URL: "https://" names no host`}},
		{"port", live(name + "https://app.example.com:0"), []string{"AUTHPROXY_PUBLIC_URL: a port that is none"}},
		{"port with zeros", live(name + "https://app.example.com:0443"), []string{"AUTHPROXY_PUBLIC_URL: a port that is none"}},
		{"beyond ASCII", live(name + "https://müller.example"), []string{"AUTHPROXY_PUBLIC_URL: xn--"}},
		{"final dot", live(name + "https://app.example.com."), []string{"AUTHPROXY_PUBLIC_URL: has a host that is neither"}},
		{"half an IP address", live(name + "https://10.1"), []string{"AUTHPROXY_PUBLIC_URL: has a host that is neither"}},
		{"zone", live(name + "https://[fe80::1%25eth0]"), []string{"AUTHPROXY_PUBLIC_URL: has a host that is neither"}},
		{"empty element", live(name + "https://app.example.com,"), []string{"AUTHPROXY_PUBLIC_URL: has an empty element"}},
		{"two mistakes", live(name + "a,https://app.example.com,b"), []string{`AUTHPROXY_PUBLIC_URL: "a" is not a URL`, `AUTHPROXY_PUBLIC_URL: "b" is not a URL`}},
	})
	c := mustLoad(t, live(name+" https://APP.Example.com:443/ , http://app.example.com:80,https://app.example.com,https://b:8443,http://[0:0::1]:80,http://[::1]:8080,http://10.0.0.1"))
	want := []authproxy.Origin{
		{Scheme: "https", Host: "app.example.com"}, {Scheme: "http", Host: "app.example.com"}, {Scheme: "https", Host: "b:8443"},
		{Scheme: "http", Host: "[::1]"}, {Scheme: "http", Host: "[::1]:8080"}, {Scheme: "http", Host: "10.0.0.1"},
	}
	if !slices.Equal(c.Public.Origins, want) {
		t.Errorf("got %v", c.Public.Origins)
	}
	if got := mustLoad(t, dev()).Public.Origins; got != nil {
		t.Errorf("a test key without a public URL has %v", got)
	}
}

func TestAuthorizedParties(t *testing.T) {
	t.Parallel()
	const name = "AUTHPROXY_AUTHORIZED_PARTIES="
	runBad(t, []bad{
		{"path", dev(name + "https://spa.example.com/app"), []string{"AUTHPROXY_AUTHORIZED_PARTIES: write scheme and host only: https://spa.example.com"}},
		{"final slash", dev(name + "https://spa.example.com/"), []string{"AUTHPROXY_AUTHORIZED_PARTIES: write scheme and host only: https://spa.example.com"}},
		{"wildcard", dev(name + "*"), []string{"AUTHPROXY_AUTHORIZED_PARTIES: has a wildcard"}},
		{"null", dev(name + "null"), []string{"AUTHPROXY_AUTHORIZED_PARTIES: is not a URL"}},
		{"other scheme", dev(name + "htps://spa.example.com"), []string{"AUTHPROXY_AUTHORIZED_PARTIES: is neither http nor https"}},
		{"credentials", dev(name + "https://u:p@spa.example.com"), []string{"AUTHPROXY_AUTHORIZED_PARTIES: holds credentials"}},
		{"empty element", dev(name + "https://a.example,,https://b.example"), []string{"AUTHPROXY_AUTHORIZED_PARTIES: has an empty element"}},
	})
	c := mustLoad(t, dev(name+"https://SPA.example.com:443, http://localhost:5173,https://spa.example.com,chrome-extension://abcdef"))
	if want := []string{"https://spa.example.com", "http://localhost:5173", "chrome-extension://abcdef"}; !slices.Equal(c.Public.Parties, want) {
		t.Errorf("got %q", c.Public.Parties)
	}
}

func TestExtraHosts(t *testing.T) {
	t.Parallel()
	const name = "AUTHPROXY_EXTRA_HOSTS="
	runBad(t, []bad{
		{"URL", dev(name + "http://app"), []string{"AUTHPROXY_EXTRA_HOSTS: is more than a host"}},
		{"path", dev(name + "app/x"), []string{"AUTHPROXY_EXTRA_HOSTS: is more than a host"}},
		{"wildcard", dev(name + "*.internal"), []string{"AUTHPROXY_EXTRA_HOSTS: is neither a host nor host:port"}},
		{"credentials", dev(name + "u@app"), []string{"AUTHPROXY_EXTRA_HOSTS: is neither a host nor host:port"}},
		{"port", dev(name + "app:http"), []string{"AUTHPROXY_EXTRA_HOSTS: is neither a host nor host:port"}},
		{"empty port", dev(name + "app:"), []string{"AUTHPROXY_EXTRA_HOSTS: is neither a host nor host:port"}},
		{"space", dev(name + "app internal"), []string{"AUTHPROXY_EXTRA_HOSTS: is neither a host nor host:port"}},
	})
	c := mustLoad(t, dev(name+"App.default.svc, app:4180,10.0.0.1,::1,[::1],[::1]:4180"))
	if want := []string{"app.default.svc", "app:4180", "10.0.0.1", "[::1]", "[::1]", "[::1]:4180"}; !slices.Equal(c.Public.ExtraHosts, want) {
		t.Errorf("got %q", c.Public.ExtraHosts)
	}
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	const name = "AUTHPROXY_TRUSTED_PROXIES="
	var cases []bad
	for _, everybody := range []string{
		"0.0.0.0/0", "::/0", "10.0.0.0/0", "::ffff:0.0.0.0/96", "::ffff:0:0/0", "0.0.0.0/1", "128.0.0.0/1", "::/1", "2000::/3", "11.0.0.0/7",
	} {
		cases = append(cases, bad{everybody, dev(name + "10.0.0.0/8," + everybody), []string{"AUTHPROXY_TRUSTED_PROXIES: \"" + everybody + "\" trusts everybody"}})
	}
	for _, nonsense := range []string{"*", "10.0.0.0/33", "10.0.0/8", "10.0.0.*", "proxy.internal", "fe80::1%eth0", "10.0.0.1:80", "10.0.0.0/08"} {
		cases = append(cases, bad{nonsense, dev(name + nonsense), []string{"AUTHPROXY_TRUSTED_PROXIES: is neither a CIDR nor an IP address"}})
	}
	runBad(t, cases)
	c := mustLoad(t, dev(name+"10.1.2.3/8, 192.0.2.7,2001:db8::1,fc00::/7,::ffff:192.0.2.0/120"))
	want := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::1/128"),
		netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("192.0.2.0/24"),
	}
	if !slices.Equal(c.Public.TrustedProxies, want) {
		t.Errorf("got %v", c.Public.TrustedProxies)
	}
}

// Lists that other packages understand are split here and nothing else.
func TestListsAreSplit(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, dev(
		"AUTHPROXY_PUBLIC_PATHS=/healthz, /static/*", "AUTHPROXY_REQUIRED_CLAIMS=organizationId, o.id",
		"AUTHPROXY_PASS_HEADERS=X-Auth-Token", "AUTHPROXY_STRIP_HEADERS=Remote-*,X-A", "AUTHPROXY_AUDIENCE=a, b",
		"AUTHPROXY_HEADERS=X-A=a|b;default=x, X-B=c",
	))
	for what, pair := range map[string][2][]string{
		"paths":    {c.Public.Paths, {"/healthz", "/static/*"}},
		"claims":   {c.Session.RequiredClaims, {"organizationId", "o.id"}},
		"pass":     {c.Headers.Pass, {"X-Auth-Token"}},
		"strip":    {c.Headers.Strip, {"Remote-*", "X-A"}},
		"audience": {c.Session.Audience, {"a", "b"}},
		"mapping":  {{c.Headers.Mapping}, {"X-A=a|b;default=x, X-B=c"}},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: got %q, want %q", what, pair[0], pair[1])
		}
	}
	if c := mustLoad(t, dev()); c.Headers.Strip != nil || c.Headers.Mapping != "" {
		t.Errorf("the defaults are not left to their owners: %+v", c.Headers)
	}
	var cases []bad
	for _, name := range []string{
		"AUTHPROXY_PUBLIC_PATHS", "AUTHPROXY_REQUIRED_CLAIMS", "AUTHPROXY_PASS_HEADERS", "AUTHPROXY_STRIP_HEADERS",
		"AUTHPROXY_AUDIENCE", "AUTHPROXY_EXTRA_HOSTS", "AUTHPROXY_TRUSTED_PROXIES",
	} {
		for _, value := range []string{",", "a,", " ,a", "a, ,b"} {
			want := []string{name + ": has an empty element"}
			if name == "AUTHPROXY_TRUSTED_PROXIES" && value != "," && value != " ,a" {
				want = append([]string{name + `: "a" is neither`}, want...)
			}
			cases = append(cases, bad{name + value, dev(name + "=" + value), want})
		}
	}
	runBad(t, cases)
}
