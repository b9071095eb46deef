package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
)

func TestPublishableKey(t *testing.T) {
	t.Parallel()
	const alias = "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY="
	runBad(t, []bad{
		{"secret key", dev("CLERK_PUBLISHABLE_KEY=sk_test_canary"), []string{
			"AUTHPROXY_PUBLIC_URL: is not set", "CLERK_PUBLISHABLE_KEY: is a secret key; that one belongs into CLERK_SECRET_KEY",
		}},
		{"no key", live("CLERK_PUBLISHABLE_KEY=x"), []string{"CLERK_PUBLISHABLE_KEY: not a Clerk publishable key"}},
		{"cut off", live("CLERK_PUBLISHABLE_KEY=pk_live_Y2xlcms"), []string{"CLERK_PUBLISHABLE_KEY: copy the whole key"}},
		{"cut off test key", dev("CLERK_PUBLISHABLE_KEY=pk_test_Y2xlcms"), []string{"CLERK_PUBLISHABLE_KEY: copy the whole key"}},
		{"a host that is none", dev("CLERK_PUBLISHABLE_KEY=pk_test_" + base64.StdEncoding.EncodeToString([]byte("a.b:c$"))), []string{"CLERK_PUBLISHABLE_KEY: does not name"}},
		{"two names that differ", dev(alias + minttest.LiveKey), []string{"CLERK_PUBLISHABLE_KEY: is not the same as NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"}},
	})
	for _, environ := range [][]string{
		dev(alias + minttest.TestKey), dev(alias), dev("CLERK_PUBLISHABLE_KEY=", alias+minttest.TestKey),
	} {
		if got := mustLoad(t, environ).Clerk.Instance; got.PublishableKey != minttest.TestKey {
			t.Errorf("%q: %+v", environ, got)
		}
	}
}

func TestSecretKeyMatchesThePublishableKey(t *testing.T) {
	t.Parallel()
	runBad(t, []bad{
		{"live beside test", dev("CLERK_SECRET_KEY=sk_live_a"), []string{"CLERK_SECRET_KEY: live key (sk_live_) beside a test"}},
		{"test beside live", live("CLERK_SECRET_KEY=sk_test_a"), []string{"CLERK_SECRET_KEY: test key (sk_test_) beside a live"}},
		{"publishable key", dev("CLERK_SECRET_KEY=" + minttest.TestKey), []string{"CLERK_SECRET_KEY: is a publishable key"}},
		{"something else", dev("CLERK_SECRET_KEY=a"), []string{"CLERK_SECRET_KEY: does not begin with sk_live_ or sk_test_"}},
	})
	mustLoad(t, dev("CLERK_SECRET_KEY=sk_test_a"))
	mustLoad(t, live("CLERK_SECRET_KEY=sk_live_a"))
	mustLoad(t, noKey("CLERK_SECRET_KEY=sk_live_a", "AUTHPROXY_ISSUER=https://a.example", "AUTHPROXY_JWKS_URL=https://a.example/keys"))
}

// spki returns the PEM of a public key.
func spki(t *testing.T, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestJWTKeySpellings(t *testing.T) {
	t.Parallel()
	want := minttest.Good().PEM
	body := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(want), "-----BEGIN PUBLIC KEY-----"), "-----END PUBLIC KEY-----")
	for name, text := range map[string]string{
		"PEM":                     want,
		"PEM with CRLF":           strings.ReplaceAll(want, "\n", "\r\n"),
		"PEM with escaped breaks": strings.ReplaceAll(want, "\n", `\n`),
		"PEM on one line":         strings.ReplaceAll(want, "\n", ""),
		"PEM with spaces":         strings.ReplaceAll(want, "\n", " "),
		"body":                    body,
		"body on one line":        strings.ReplaceAll(body, "\n", ""),
	} {
		c := mustLoad(t, dev("CLERK_JWT_KEY="+text))
		if got := c.Clerk.JWTKey.Reveal(); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s: got\n%s", name, got)
		}
		if c.Keys.JWKSURL != nil || c.Keys.Issuer != minttest.TestIss {
			t.Errorf("%s: %+v", name, c.Keys)
		}
	}
}

func TestJWTKeyMistakes(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)}))
	good := minttest.Good().PEM
	der, _ := pem.Decode([]byte(good))
	with := func(text string) []string { return dev("CLERK_JWT_KEY=" + text) }
	runBad(t, []bad{
		{"1024 bits", with(spki(t, small.Public())), []string{"CLERK_JWT_KEY: less than 2048 bits"}},
		{"elliptic", with(spki(t, curve.Public())), []string{"CLERK_JWT_KEY: is not an RSA key"}},
		{"private", with(private), []string{"CLERK_JWT_KEY: is a private key"}},
		{"no base64", with("key"), []string{"CLERK_JWT_KEY: is neither a PEM"}},
		{"no key", with("AAAA"), []string{"CLERK_JWT_KEY: holds no public key"}},
		{"PKCS 1", with(base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&small.PublicKey))), []string{"CLERK_JWT_KEY: holds no public key"}},
		{"two keys", with(good + good), []string{"CLERK_JWT_KEY: is neither a PEM"}},
		{"something behind", with(base64.StdEncoding.EncodeToString(append(der.Bytes, 0, 0, 0))), []string{"CLERK_JWT_KEY: holds no public key"}},
		{"the first line lost", with(strings.TrimPrefix(good, "-----BEGIN PUBLIC KEY-----\n")), []string{"CLERK_JWT_KEY: is only a part"}},
		{"the first line only", with("-----BEGIN PUBLIC KEY-----"), []string{"CLERK_JWT_KEY: is only a part"}},
		{"no issuer", noKey("CLERK_JWT_KEY=" + good), []string{"AUTHPROXY_ISSUER: is not set, and without a publishable key"}},
	})
	c := mustLoad(t, noKey("CLERK_JWT_KEY="+good, "AUTHPROXY_ISSUER=https://clerk.example.com"))
	if c.Keys.Issuer != "https://clerk.example.com" || c.Keys.JWKSURL != nil || c.Clerk.Instance != nil || c.Clerk.SignInURL != nil {
		t.Errorf("%+v %+v", c.Keys, c.Clerk)
	}
}

func TestIssuerAndKeySource(t *testing.T) {
	t.Parallel()
	const issuer, jwks = "AUTHPROXY_ISSUER=", "AUTHPROXY_JWKS_URL="
	runBad(t, []bad{
		{"none", noKey(), []string{"CLERK_PUBLISHABLE_KEY: no other source of keys"}},
		{"issuer alone", noKey(issuer + "https://a.example"), []string{"AUTHPROXY_JWKS_URL: AUTHPROXY_JWKS_URL=https://a.example/.well-known/jwks.json"}},
		{"key set alone", noKey(jwks + "https://a.example/jwks"), []string{"AUTHPROXY_ISSUER: AUTHPROXY_ISSUER=https://clerk.example.com"}},
		{"key set as issuer", dev(issuer + "https://a.example/x/.well-known/jwks.json"), []string{"AUTHPROXY_ISSUER: write AUTHPROXY_ISSUER=https://a.example/x and AUTHPROXY_JWKS_URL=https://a.example/x/.well-known/jwks.json"}},
		{"other key set as issuer", dev(issuer + "https://api.example/v1/jwks"), []string{"AUTHPROXY_ISSUER: is the address of a key set"}},
		{"final slash", dev(issuer + "https://a.example/"), []string{"AUTHPROXY_ISSUER: ends in /; the claim iss is compared byte for byte and Clerk's has none: write https://a.example"}},
		{"http issuer", dev(issuer + "http://a.example"), []string{`AUTHPROXY_ISSUER: "http://a.example" is not https`}},
		{"http key set", dev(jwks + "http://10.0.0.1/jwks"), []string{"AUTHPROXY_JWKS_URL: is not https"}},
		{"not quite loopback", dev(jwks + "http://localhost.example/jwks"), []string{"AUTHPROXY_JWKS_URL: is not https"}},
		{"other scheme", dev(jwks + "file://localhost/etc/jwks"), []string{"AUTHPROXY_JWKS_URL: is not https"}},
		{"no scheme", dev(issuer + "clerk.example.com"), []string{"AUTHPROXY_ISSUER: write it with its scheme, for example https://clerk.example.com"}},
		{"no host", dev(jwks + "https:///jwks"), []string{"AUTHPROXY_JWKS_URL: names no host"}},
		{"query", dev(issuer + "https://a.example?x"), []string{"AUTHPROXY_ISSUER: has a query"}},
		{"fragment", dev(jwks + "https://a.example/jwks#x"), []string{"AUTHPROXY_JWKS_URL: has a fragment"}},
		{"credentials", dev(jwks + "https://u:p@a.example/jwks"), []string{"AUTHPROXY_JWKS_URL: holds credentials"}},
		{"port", dev(jwks + "https://a.example:99999/jwks"), []string{"AUTHPROXY_JWKS_URL: a port that is none"}},
		{"empty port", dev(jwks + "https://a.example:/jwks"), []string{"AUTHPROXY_JWKS_URL: a port that is none"}},
		{"host", dev(jwks + "https://a_b..example/jwks"), []string{"AUTHPROXY_JWKS_URL: neither a name nor an IP address"}},
		{"broken issuer only", noKey(issuer + "x"), []string{"AUTHPROXY_ISSUER: is not a URL", "CLERK_PUBLISHABLE_KEY: no other source"}},
	})
	for _, environ := range [][]string{
		noKey(issuer+"https://a.example", jwks+"https://a.example/jwks"),
		dev(issuer+"http://127.0.0.1:8080", jwks+"http://[::1]:8080/keys?x=1"),
		dev(issuer+"https://app.example.com/__clerk", jwks+"http://localhost/"),
	} {
		c := mustLoad(t, environ)
		if text := strings.Join(environ, "\n"); !strings.Contains(text, issuer+c.Keys.Issuer) || !strings.HasSuffix(text, jwks+c.Keys.JWKSURL.String()) {
			t.Errorf("%q: %+v", environ, c.Keys)
		}
	}
	// As in Clerk's SDKs the PEM takes precedence.
	if c := mustLoad(t, dev(jwks+"https://a.example/jwks", "CLERK_JWT_KEY="+minttest.Good().PEM)); c.Keys.JWKSURL != nil {
		t.Error("a key set beside a PEM")
	}
}

func TestSignInURL(t *testing.T) {
	t.Parallel()
	const name = "CLERK_SIGN_IN_URL="
	runBad(t, []bad{
		{"http elsewhere", dev(name + "http://accounts.example.com"), []string{"CLERK_SIGN_IN_URL: is not https"}},
		{"other scheme", dev(name + "javascript://a.example/x"), []string{"CLERK_SIGN_IN_URL: is not https"}},
		{"script", dev(name + "javascript:alert(1)"), []string{"CLERK_SIGN_IN_URL: is not a URL"}},
		{"other host in disguise", dev(name + "//evil.example/"), []string{"CLERK_SIGN_IN_URL: neither a URL nor a path"}},
		{"three slashes", dev(name + "///evil.example/"), []string{"CLERK_SIGN_IN_URL: neither a URL nor a path"}},
		{"backslash", dev(name + `/\evil.example/`), []string{"CLERK_SIGN_IN_URL: neither a URL nor a path"}},
		{"no slash", dev(name + "sign-in"), []string{"CLERK_SIGN_IN_URL: is not a URL"}},
		{"bad escape", dev(name + "/%zz"), []string{"CLERK_SIGN_IN_URL: neither a URL nor a path"}},
		{"our own redirect", dev(name + "/_authproxy/sign-in"), []string{"CLERK_SIGN_IN_URL: is a path of the proxy's own"}},
		{"our own redirect, with host", live(name + "https://app.example.com/_authproxy/sign-in"), []string{"CLERK_SIGN_IN_URL: is a path of the proxy's own"}},
		{"credentials", dev(name + "https://u@a.example"), []string{"CLERK_SIGN_IN_URL: holds credentials"}},
	})
	for _, text := range []string{
		"https://accounts.example.com/sign-in?x=1#/y", "http://localhost:3000/sign-in", "http://127.0.0.1/x", "/sign-in", "/", "/a/b?c=d",
		"https://other.example/_authproxy/sign-in",
	} {
		if got := mustLoad(t, live(name+text)).Clerk.SignInURL; got.String() != text {
			t.Errorf("%s became %s", text, got)
		}
	}
	mustLoad(t, live("AUTHPROXY_PUBLIC_URL=http://app.internal:8080", name+"http://app.internal:8080/sign-in"))
	if got := mustLoad(t, live()).Clerk.SignInURL.String(); got != "https://accounts.example.com/sign-in" {
		t.Errorf("the default is %s", got)
	}
}

func TestCheckSignIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, url, public string // public is the only public path, with what is below it
		hint              string // "" for no mistake
	}{
		{"another origin", "https://accounts.example.com/sign-in", "", ""},
		{"a path that is public", "/sign-in", "/sign-in", ""},
		{"a path that is not", "/sign-in", "/other", "AUTHPROXY_PUBLIC_PATHS=/a,/sign-in,/sign-in/*"},
		{"our own origin", "https://app.example.com/in?x#y", "", "AUTHPROXY_PUBLIC_PATHS=/a,/in,/in/*"},
		{"our own origin in another spelling", "https://APP.example.com:443/in", "", "AUTHPROXY_PUBLIC_PATHS=/a,/in,/in/*"},
		{"our own origin, public", "https://app.example.com/in", "/in", ""},
		{"our own origin without a path", "https://app.example.com", "", "AUTHPROXY_PUBLIC_PATHS=/a,/"},
		{"another port", "https://app.example.com:8443/in", "", ""},
		{"escapes stay", "/sign%20in", "/sign in", "AUTHPROXY_PUBLIC_PATHS=/a,/sign%20in,/sign%20in/*"},
	} {
		cfg := mustLoad(t, live("CLERK_SIGN_IN_URL="+c.url, "AUTHPROXY_PUBLIC_PATHS=/a"))
		got := config.Mistakes(cfg.CheckSignIn(func(path string) bool {
			return path == c.public || c.public != "" && strings.HasPrefix(path, c.public+"/")
		}))
		switch {
		case c.hint == "" && got != nil:
			t.Errorf("%s: %v", c.name, got)
		case c.hint != "" && (len(got) != 1 || got[0].Name != "CLERK_SIGN_IN_URL" || !strings.HasSuffix(got[0].Hint, " "+c.hint)):
			t.Errorf("%s: got %v, want the line %s", c.name, got, c.hint)
		}
	}
	// A session with open tasks is sent below the page.
	for page, hint := range map[string]string{"/sign-in": "AUTHPROXY_PUBLIC_PATHS=/sign-in/*", "/in/": "AUTHPROXY_PUBLIC_PATHS=/in/tasks"} {
		cfg := mustLoad(t, live("CLERK_SIGN_IN_URL="+page))
		got := config.Mistakes(cfg.CheckSignIn(func(path string) bool { return path == page }))
		if len(got) != 1 || !strings.Contains(got[0].Problem, "/tasks") || !strings.HasSuffix(got[0].Hint, hint) {
			t.Errorf("%s is public and the tasks below it are not: %v", page, got)
		}
	}
	none := mustLoad(t, noKey("CLERK_JWT_KEY="+minttest.Good().PEM, "AUTHPROXY_ISSUER=https://a.example"))
	if err := none.CheckSignIn(func(string) bool { return false }); err != nil {
		t.Errorf("no sign-in URL: %v", err)
	}
}
