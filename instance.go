package authproxy

import (
	"crypto/sha1" //nolint:gosec // Clerk's cookie suffix is defined with SHA-1; nothing is protected by it
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Instance is one Clerk instance, as its publishable key names it.
type Instance struct {
	PublishableKey string // in the configured spelling: the cookie suffix hashes it
	FrontendAPI    string // host of the Frontend API, "clerk.example.com"
	Production     bool   // pk_live_; otherwise a development instance
}

// ErrPublishableKey is wrapped by every error of [ParseInstance].
var ErrPublishableKey = errors.New("not a Clerk publishable key")

// ParseInstance reads a publishable key: "pk_live_" or "pk_test_" and the
// base64 of "<frontend API host>$" (Clerk's shared/keys.ts).
func ParseInstance(key string) (Instance, error) {
	parts := strings.Split(key, "_")
	if len(parts) != 3 || parts[0] != "pk" || (parts[1] != "live" && parts[1] != "test") {
		return Instance{}, fmt.Errorf("%w: it must be pk_live_… or pk_test_…", ErrPublishableKey)
	}
	raw, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(parts[2], "="))
	if err != nil {
		return Instance{}, fmt.Errorf("%w: the part after %s_%s_ is not base64; copy the whole key", ErrPublishableKey, parts[0], parts[1])
	}
	host, found := strings.CutSuffix(string(raw), "$")
	if !found || strings.Contains(host, "$") || !strings.Contains(host, ".") || !plainHost(host) {
		return Instance{}, fmt.Errorf("%w: it does not name a Frontend API host; copy the whole key", ErrPublishableKey)
	}
	return Instance{PublishableKey: key, FrontendAPI: host, Production: parts[1] == "live"}, nil
}

// plainHost keeps a key that decodes to something else than a host out of the
// URLs that are built from it.
func plainHost(host string) bool {
	return strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:") == ""
}

// Issuer is the iss of the instance's tokens.
func (i Instance) Issuer() string { return "https://" + i.FrontendAPI }

// JWKSURL is where the instance publishes its keys.
func (i Instance) JWKSURL() string { return i.Issuer() + "/.well-known/jwks.json" }

// CookieSuffix is what the names of the instance's suffixed cookies end with:
// the first 8 characters of base64url(SHA-1(publishable key)).
func (i Instance) CookieSuffix() string {
	sum := sha1.Sum([]byte(i.PublishableKey)) //nolint:gosec // see the import
	return base64.RawURLEncoding.EncodeToString(sum[:])[:8]
}

// AccountPortal is the origin of the pages that Clerk hosts for the instance.
func (i Instance) AccountPortal() string {
	host := strings.Replace(i.FrontendAPI, "clerk.accountsstage.", "accountsstage.", 1)
	if strings.Contains(host, "clerk.accounts.") {
		host = strings.Replace(host, "clerk.accounts.", "accounts.", 1)
	} else {
		host = strings.Replace(host, "clerk.", "accounts.", 1)
	}
	return "https://" + host
}

// SignInURL is where people of the instance sign in unless configured otherwise.
func (i Instance) SignInURL() string { return i.AccountPortal() + "/sign-in" }

// FrontendURL is the base URL of the Frontend API for pages on the origin at: of
// the instance's own host, or of the proxy before it. A proxy that is only a path
// is on that origin. It does not end in a slash.
func (i Instance) FrontendURL(proxy *url.URL, at Origin) string {
	if proxy == nil {
		return i.Issuer()
	}
	base := *proxy
	if base.Host == "" {
		base.Scheme, base.Host = at.Scheme, at.Host
	}
	return strings.TrimRight(base.String(), "/")
}
