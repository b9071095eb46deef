package authproxy_test

import (
	"errors"
	"testing"

	"github.com/manageros/authproxy"
)

func TestParseInstance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key, host, suffix, signIn string
		production                bool
	}{
		{"pk_live_Y2xlcmsuZXhhbXBsZS5jb20k", "clerk.example.com", "naoXFJnI", "https://accounts.example.com/sign-in", true},
		{"pk_test_aGFwcHktb3R0ZXItMTIuY2xlcmsuYWNjb3VudHMuZGV2JA==", "happy-otter-12.clerk.accounts.dev", "GS7nYzmc", "https://happy-otter-12.accounts.dev/sign-in", false},
		{"pk_live_Y2xlcmsuYXBwLmRldiQ", "clerk.app.dev", "NaFojUJW", "https://accounts.app.dev/sign-in", true},
		{"pk_test_ZXhhbXBsZS5hY2NvdW50cy5kZXYk", "example.accounts.dev", "PXVV4PZn", "https://example.accounts.dev/sign-in", false},
		{"pk_live_Y2xlcmsudDEwOC5leGFtcGxlLmNvbSQ=", "clerk.t108.example.com", "dzg5-2__", "https://accounts.t108.example.com/sign-in", true},
	} {
		i, err := authproxy.ParseInstance(tt.key)
		if err != nil {
			t.Errorf("%s: %v", tt.key, err)
			continue
		}
		if i.FrontendAPI != tt.host || i.CookieSuffix() != tt.suffix || i.Production != tt.production || i.SignInURL() != tt.signIn ||
			i.Issuer() != "https://"+tt.host || i.JWKSURL() != "https://"+tt.host+"/.well-known/jwks.json" {
			t.Errorf("%s: %+v, suffix %s, sign-in %s", tt.key, i, i.CookieSuffix(), i.SignInURL())
		}
	}
	for _, key := range []string{
		"", "pk_live_", "pk_live_!!!", "sk_live_Y2xlcmsuZXhhbXBsZS5jb20k", "pk_prod_Y2xlcmsuZXhhbXBsZS5jb20k",
		"pk_live_Y2xlcmsuZXhhbXBsZS5jb20", "pk_live_bG9jYWxob3N0JA", "pk_live_Y2xlcmsuZXhhbXBsZS5jb20kJA",
		"pk_live_Y2xlcmsuZXhhbXBsZS5jb20k_x", "pk_live_ZXZpbC5jb20vcGF0aCQ", " pk_live_Y2xlcmsuZXhhbXBsZS5jb20k",
	} {
		if i, err := authproxy.ParseInstance(key); !errors.Is(err, authproxy.ErrPublishableKey) {
			t.Errorf("%q: %+v, %v", key, i, err)
		}
	}
}
