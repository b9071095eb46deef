package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
)

const canary = "canaryBird42"

func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, dev("CLERK_SECRET_KEY=sk_test_"+canary))
	if got := c.Clerk.SecretKey.Reveal(); got != "sk_test_"+canary {
		t.Fatalf("Reveal gives %q", got)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", c.Clerk.SecretKey, "all", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", c.Clerk.SecretKey, "all", c, "clerk", c.Clerk)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	log.Write(text)
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%t", "%f", "%08.3o", "%U"} {
		fmt.Fprintf(&log, verb+"\n", c.Clerk.SecretKey)
		fmt.Fprintf(&log, verb+"\n", c)
		fmt.Fprintf(&log, verb+"\n", *c)
		fmt.Fprintf(&log, verb+"\n", []config.Secret{c.Clerk.SecretKey})
	}
	fmt.Fprintln(&log, c.Clerk.SecretKey, c.Clerk)
	for _, shown := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if strings.Contains(log.String(), shown) {
			t.Errorf("the secret shows: %s", log.String())
		}
	}
	if got := fmt.Sprintf("%s %v %q %#v", c.Clerk.SecretKey, c.Clerk.SecretKey, c.Clerk.SecretKey, c.Clerk.SecretKey); got != `[set] [set] "[set]" "[set]"` {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprintf("%s|%q|%v", config.Secret(""), config.Secret(""), config.Secret("").LogValue()); got != `|""|` {
		t.Errorf("an empty secret is %s", got)
	}
}

// Secrets that stand where they do not belong show neither in the report nor
// in the effective configuration.
func TestSecretsInTheWrongPlace(t *testing.T) {
	t.Parallel()
	anywhere := []string{
		"sk_live_" + canary, "ak_test_" + canary, "whsec_" + canary, "x sk_test_" + canary + " y",
		"eyJhbGciOiJSUzI1NiJ9." + canary + ".x", "-----BEGIN PRIVATE KEY-----\n" + canary,
		"https://user:" + canary + "@app.example.com", "https://app.example.com/sk_live_" + canary,
		"http://127.0.0.1:3000?key=sk_live_" + canary, "/sk_live_" + canary,
		"https://clerk.example.com/.well-known/jwks.json?sk_live_" + canary,
	}
	refused := []string{"user:" + canary + "@app.example.com", "https://u:" + canary + "#?/@x@host/"}
	spellings := append(names(t), "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "CLERK_SECRET_KEY_FILE", "CLERK_JWT_KEY_FILE",
		"AUTHPROXY_ADMIN_TOKEN", "AUTHPROXY_NONSENSE", "CLERK_DOMAIN")
	for _, name := range spellings {
		for _, value := range append(anywhere, refused...) {
			c, err := config.Load(live(name + "=" + value))
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%s=%s: %v", name, value, err)
			}
			if shown := printed(t, c); slices.Contains(anywhere, value) && strings.Contains(shown, canary) {
				t.Errorf("%s=%s: %s", name, value, shown)
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", strings.Join(dev(), "\n"), strings.Join(live("AUTHPROXY_TRUSTED_PROXIES=10.0.0.0/8,::1"), "\n"),
		"AUTHPROXY_UPSTREAM=unix:///x\nAUTHPROXY_ISSUER=http://[::1]:1/\nAUTHPROXY_JWKS_URL=https://x/%zz",
		"AUTHPROXY_PUBLIC_URL=https://a.example:443/,HTTP://[::FFFF:1.2.3.4]\nAUTHPROXY_CLOCK_SKEW=-1s",
		"AUTHPROXY_MAX_BODY_BYTES=9223372036854775807GiB\nAUTHPROXY_LISTEN=:\xff\nCLERK_JWT_KEY=-----BEGIN PUBLIC KEY-----",
		"CLERK_SIGN_IN_URL=/\\evil\nAUTHPROXY_EXTRA_HOSTS=[::1]:1,a:b:c\nAUTHPROXY_X\x00=1\nCLERK_JWT_KEY=" + minttest.Good().PEM,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, canary) || strings.Contains(text, "_FILE") { // files of this machine are no input
			return
		}
		environ := append(strings.Split(text, "\n"), "CLERK_SECRET_KEY=sk_live_"+canary)
		c, err := config.Load(environ)
		shown := printed(t, c)
		if err != nil {
			shown += err.Error()
			if len(config.Mistakes(err)) == 0 {
				t.Errorf("an error that names nothing: %v", err)
			}
		}
		if strings.Contains(shown, canary) {
			t.Errorf("the secret shows: %s", shown)
		}
		if err == nil {
			checkInvariants(t, c)
		}
	})
}

// checkInvariants holds for every environment that is accepted.
func checkInvariants(t *testing.T, c *config.Config) {
	t.Helper()
	if c.Upstream.URL == nil || c.Keys.Issuer == "" || (c.Keys.JWKSURL == nil && c.Clerk.JWTKey == "") {
		t.Error("accepted without an upstream, an issuer or keys")
	}
	if len(c.Public.Origins) == 0 && (c.Clerk.Instance == nil || c.Clerk.Instance.Production) {
		t.Error("production without a public origin")
	}
	for _, p := range c.Public.TrustedProxies {
		if p.Bits() < 7 || p != p.Masked() {
			t.Errorf("trusts %v", p)
		}
	}
	for _, o := range c.Public.Origins {
		if o.String() != strings.ToLower(o.String()) || strings.ContainsAny(o.Host, "/?#@ ") {
			t.Errorf("origin %v", o)
		}
	}
	if c.Session.ClockSkew < 0 || c.Session.ClockSkew.Seconds() > 60 || c.Limits.ShutdownDelay >= c.Limits.ShutdownTimeout {
		t.Errorf("durations: %+v %+v", c.Session, c.Limits)
	}
}
