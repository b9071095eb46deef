package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"strings"

	"github.com/manageros/authproxy"
)

const (
	fromPublishableKey = "derived from CLERK_PUBLISHABLE_KEY"
	dashboard          = "copy it from \"API keys\" in Clerk's dashboard"
)

func (l *loader) clerk(s *settings, c *Clerk) {
	if s.PublishableKey != "" && !l.failed["CLERK_PUBLISHABLE_KEY"] {
		c.Instance = l.instance(s.PublishableKey)
	}
	if s.SecretKey != "" {
		c.SecretKey = l.secretKey(s)
	}
	if s.JWTKey != "" {
		key, err := parseJWTKey(s.JWTKey.Reveal())
		if err != nil {
			l.addError("CLERK_JWT_KEY", err)
		}
		c.JWTKey = key
	}
	c.APIURL = l.apiURL(s.APIURL)
}

func (l *loader) instance(key string) *authproxy.Instance {
	const name = "CLERK_PUBLISHABLE_KEY"
	if strings.HasPrefix(key, "sk_") {
		l.add(name, "is a secret key", "that one belongs into CLERK_SECRET_KEY; if this variable is public anywhere, replace the key in Clerk's dashboard")
		return nil
	}
	instance, err := authproxy.ParseInstance(key)
	if err != nil {
		l.add(name, "is wrong: "+err.Error(), dashboard)
		return nil
	}
	if _, err := parseURL(instance.Issuer()); err != nil {
		l.add(name, "does not name a Frontend API host", dashboard)
		return nil
	}
	return &instance
}

// secretKey checks the pair: keys of two kinds are of two instances, and then
// every call to Clerk would be about other people.
func (l *loader) secretKey(s *settings) Secret {
	const name = "CLERK_SECRET_KEY"
	secret := s.SecretKey.Reveal()
	live, test := strings.HasPrefix(secret, "sk_live_"), strings.HasPrefix(secret, "sk_test_")
	switch {
	case strings.HasPrefix(secret, "pk_"):
		l.add(name, "is a publishable key", "that one belongs into CLERK_PUBLISHABLE_KEY")
	case !live && !test:
		l.add(name, "does not begin with sk_live_ or sk_test_", dashboard)
	case test && strings.HasPrefix(s.PublishableKey, "pk_live_"):
		l.add(name, "is a test key (sk_test_) beside a live publishable key (pk_live_)", "take both keys from the same instance")
	case live && strings.HasPrefix(s.PublishableKey, "pk_test_"):
		l.add(name, "is a live key (sk_live_) beside a test publishable key (pk_test_)", "take both keys from the same instance")
	default:
		return s.SecretKey
	}
	return ""
}

// apiURL reads where the secret key is sent to: never anywhere without TLS.
func (l *loader) apiURL(raw string) *url.URL {
	const name = "CLERK_API_URL"
	u, err := clerkURL(raw)
	if err == nil && (strings.Trim(u.EscapedPath(), "/") != "" || u.RawQuery != "" || u.ForceQuery) {
		err = wrong(quote(raw)+" has a path or a query", "write scheme and host only: "+originOf(u).String()+"; /v1 is added")
	}
	if err != nil {
		l.addError(name, err)
		return nil
	}
	base := originOf(u)
	l.set(name, base.String())
	return &url.URL{Scheme: base.Scheme, Host: base.Host}
}

const (
	pemBegin    = "-----BEGIN PUBLIC KEY-----"
	pemEnd      = "-----END PUBLIC KEY-----"
	jwtKeyHint  = "copy the \"JWKS Public Key\" (PEM) from \"API keys\" in Clerk's dashboard"
	smallestRSA = 2048 // bits; RFC 7518 section 3.3
)

// parseJWTKey reads CLERK_JWT_KEY as Clerk's SDKs do: PEM, however its lines
// were broken or glued on the way (a ".env" file keeps "\n" as two characters),
// or the base64 inside it alone. It returns proper PEM.
func parseJWTKey(text string) (Secret, error) {
	body := strings.ReplaceAll(text, `\n`, "\n")
	if begin, end := strings.HasPrefix(body, pemBegin), strings.HasSuffix(strings.TrimSpace(body), pemEnd); begin != end {
		return "", wrong("is only a part of a PEM", jwtKeyHint+", whole")
	}
	body = strings.TrimSuffix(strings.TrimSpace(strings.TrimPrefix(body, pemBegin)), pemEnd)
	if strings.Contains(body, "PRIVATE KEY") {
		return "", wrong("is a private key", "nobody but Clerk may have that; "+jwtKeyHint)
	}
	der, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		return "", wrong("is neither a PEM of a public key nor the base64 inside one", jwtKeyHint)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	key, isRSA := public.(*rsa.PublicKey)
	switch {
	case err != nil:
		return "", wrong("holds no public key (SubjectPublicKeyInfo)", jwtKeyHint)
	case !isRSA:
		return "", wrong("is not an RSA key", jwtKeyHint)
	case key.N.BitLen() < smallestRSA:
		return "", wrong("is an RSA key of less than 2048 bits", jwtKeyHint)
	}
	return Secret(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

// signIn reads where people sign in. It needs the public origins.
func (l *loader) signIn(s *settings, c *Config) *url.URL {
	const name = "CLERK_SIGN_IN_URL"
	if s.SignInURL == "" {
		if c.Clerk.Instance == nil {
			return nil
		}
		l.derive(name, c.Clerk.Instance.SignInURL(), fromPublishableKey)
		u, _ := url.Parse(c.Clerk.Instance.SignInURL()) // the host is one: see instance
		return u
	}
	u, err := parseSignIn(s.SignInURL, c.Public.Origins)
	if err != nil {
		l.addError(name, err)
		return nil
	}
	return u
}

func parseSignIn(raw string, ours []authproxy.Origin) (*url.URL, error) {
	const hint = "write an https URL, or a path beginning with one /"
	if strings.HasPrefix(raw, "/") {
		u, err := url.Parse(raw)
		// A browser takes "//host" and "/\host" for another host.
		if err != nil || u.Host != "" || strings.HasPrefix(raw, "//") || strings.Contains(raw, `\`) {
			return nil, wrong(quote(raw)+" is neither a URL nor a path", hint)
		}
		return notReserved(u)
	}
	u, err := parseURL(raw)
	if err != nil {
		return nil, err
	}
	origin, isOurs := ourOrigin(u, ours)
	if origin.Scheme != "https" && (origin.Scheme != "http" || (!isOurs && !loopback(u.Hostname()))) {
		return nil, wrong(quote(raw)+" is not https", "http is for a loopback address or an origin of AUTHPROXY_PUBLIC_URL")
	}
	if isOurs {
		return notReserved(u)
	}
	return u, nil
}

// notReserved refuses our own redirect to the sign-in page, which would be a
// loop.
func notReserved(u *url.URL) (*url.URL, error) {
	if strings.HasPrefix(u.Path, "/_authproxy/") || u.Path == "/_authproxy" {
		return nil, wrong("is a path of the proxy's own", "name the page that people sign in on, not what redirects to it")
	}
	return u, nil
}

func ourOrigin(u *url.URL, ours []authproxy.Origin) (authproxy.Origin, bool) {
	origin := originOf(u)
	for _, o := range ours {
		if o == origin {
			return origin, true
		}
	}
	return origin, false
}

// CheckSignIn returns a [*Mistake] when people would need a session to reach
// the page they sign in on: when that page is a path on an origin of our own
// that public does not say to be public. public is asked with the path in its
// escaped form.
func (c *Config) CheckSignIn(public func(path string) bool) error {
	u := c.Clerk.SignInURL
	if u == nil {
		return nil
	}
	if _, isOurs := ourOrigin(u, c.Public.Origins); u.Host != "" && !isOurs {
		return nil
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	// A session with open tasks is sent to the steps below the page, see the
	// contract on session-pending.
	if public(path) && public(strings.TrimSuffix(path, "/")+"/tasks") {
		return nil
	}
	line, what := append([]string{}, c.Public.Paths...), "which"
	if public(path) {
		what = "the steps of which, as /tasks below it,"
	} else {
		line = append(line, path)
	}
	if !strings.HasSuffix(path, "/") { // Clerk's components have steps below their page; below "/" is everything
		line = append(line, path+"/*")
	} else if public(path) {
		line = append(line, path+"tasks")
	}
	return &Mistake{
		Name:    "CLERK_SIGN_IN_URL",
		Problem: "is " + quote(path) + " on our own origin, " + what + " nobody can reach without a session",
		Hint:    "make it public: AUTHPROXY_PUBLIC_PATHS=" + strings.Join(line, ","),
	}
}
