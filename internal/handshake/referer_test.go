package handshake_test

import (
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/handshake"
	"github.com/manageros/authproxy/internal/minttest"
)

// TestForeignReferer are the pages that link to us: those of other sites may be of
// a satellite domain, and Clerk's own are not. Whose pages are Clerk's is HS-07.
func TestForeignReferer(t *testing.T) {
	t.Parallel()
	const live, dev = minttest.LiveKey, minttest.TestKey
	for _, tt := range []struct {
		name, referer, key, frontend string // frontend "" is the instance's own
		foreign                      bool
	}{
		{"none", "", live, "", false},
		{"our own", "https://app.example.com/a?b", live, "", false},
		{"our own, only the origin", "https://app.example.com", live, "", false},
		{"our own, with the port", "https://app.example.com:443/", live, "", false},
		{"our own, in capitals", "HTTPS://APP.example.com/", live, "", false},
		{"another site", "https://other.example/", live, "", true},
		{"another scheme", "http://app.example.com/", live, "", true},
		{"another port", "https://app.example.com:8443/", live, "", true},
		{"a sibling", "https://www.example.com/", live, "", true},
		{"what begins like ours", "https://app.example.com.evil.example/", live, "", true},
		{"what has ours before an at sign", "https://app.example.com@evil.example/", live, "", true},
		{"an app of a telephone", "android-app://com.example/", live, "", true},
		{"no address", "://", live, "", false},
		{"no address either", "app.example.com", live, "", false},
		{"a control character", "https://evil.example/\x00", live, "", false},

		{"the Frontend API", "https://clerk.example.com/x", live, "", false},
		{"the Frontend API, with a port", "https://clerk.example.com:8443/x", live, "", false},
		{"the account portal", "https://accounts.example.com/sign-in", live, "", false},
		{"the account portal over http", "http://accounts.example.com/", live, "", true},
		{"HS-07 anybody's account portal", "https://accounts.attacker.com/", live, "", true},
		{"HS-07 an account portal below the attacker's", "https://accounts.example.com.attacker.com/", live, "", true},
		{"HS-07 a development portal", "https://x.accounts.dev/", live, "", true},
		{"HS-07 a staging portal", "https://x.accountsstage.dev/", live, "", true},
		{"HS-07 a former development portal", "https://accounts.x.lcl.dev/", live, "", true},

		{"behind a proxy, the proxy", "https://fapi.example.net/x", live, "https://fapi.example.net/__clerk", false},
		{"behind a proxy, the instance's host is another", "https://clerk.example.com/", live, "https://fapi.example.net", true},
		{"behind a proxy, there is no portal", "https://accounts.example.com/", live, "https://fapi.example.net", true},

		{"development: the portal", "https://happy-otter-12.accounts.dev/", dev, "", false},
		{"development: anybody's portal", "https://x.accounts.dev/", dev, "", false},
		{"development: staging", "https://x.accountsstage.dev/", dev, "", false},
		{"development: local", "https://x.accounts.lclclerk.com/", dev, "", false},
		{"development: the former form", "https://accounts.x.lcl.dev/", dev, "", false},
		{"development: the former form of staging", "https://accounts.x.lclstage.dev/", dev, "", false},
		{"development: somebody's Frontend API", "https://x.clerk.accounts.dev/", dev, "", true},
		{"development: our Frontend API", "https://happy-otter-12.clerk.accounts.dev/", dev, "", false},
		{"development: what ends like one", "https://accounts.dev/", dev, "", true},
		{"development: what has one in it", "https://x.accounts.dev.evil.example/", dev, "", true},
		{"development: another site", "https://evil.example/", dev, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := instance(t, tt.key)
			frontend := tt.frontend
			if frontend == "" {
				frontend = i.Issuer()
			}
			if got := handshake.ForeignReferer(tt.referer, app, i, frontend); got != tt.foreign {
				t.Errorf("foreign: %v", got)
			}
		})
	}
	if handshake.ForeignReferer("http://localhost/", authproxy.Origin{Scheme: "http", Host: "localhost"}, instance(t, dev), "http://localhost/__clerk") {
		t.Error("a page of ours is foreign")
	}
}
