package config

import (
	"net/url"
	"slices"
	"strings"
)

// keys finds out whose tokens are accepted and where their keys come from.
func (l *loader) keys(s *settings, c *Config) {
	k := &c.Keys
	hasKey := s.JWTKey != "" || l.failed["CLERK_JWT_KEY"]
	l.issuer(s, c, hasKey)
	if len(k.Issuers) > 0 {
		k.Issuer = k.Issuers[0]
	}
	l.keySource(s, c, hasKey)
	k.Refresh = l.between("AUTHPROXY_JWKS_REFRESH", s.JWKSRefresh, shortest, day)
	k.MinRefetch = l.between("AUTHPROXY_JWKS_MIN_REFETCH", s.JWKSMinRefetch, shortest, day)
	k.MaxStale = l.between("AUTHPROXY_JWKS_MAX_STALE", s.JWKSMaxStale, shortest, month)
	if k.MaxStale < k.Refresh && !l.failed["AUTHPROXY_JWKS_MAX_STALE"] {
		l.add("AUTHPROXY_JWKS_MAX_STALE", "is less than AUTHPROXY_JWKS_REFRESH", "every key set would be too old before it is fetched anew")
	}
	k.CacheFile = s.JWKSCacheFile
}

func (l *loader) issuer(s *settings, c *Config, hasKey bool) {
	const name = "AUTHPROXY_ISSUER"
	switch {
	case s.Issuer != "":
		if err := checkIssuer(s.Issuer); err != nil {
			l.addError(name, err)
			return
		}
		c.Keys.Issuers = []string{s.Issuer}
	case c.Clerk.Instance != nil:
		var from string
		c.Keys.Issuers, from = issuers(c)
		l.derive(name, strings.Join(c.Keys.Issuers, ","), from)
	case s.PublishableKey == "" && (hasKey || s.JWKSURL != ""):
		l.add(name, "is not set, and without a publishable key nothing says whose tokens are accepted",
			"add for example "+name+"=https://clerk.example.com")
	}
}

// issuers returns what iss may be when nobody says it, and where that came from.
// Clerk writes the address that the browser asked: the host of a satellite, or
// the proxy's URL.
func issuers(c *Config) ([]string, string) {
	all, from := []string{c.Clerk.Instance.Issuer()}, fromPublishableKey
	add := func(name string, more ...string) {
		from += ", " + name
		for _, issuer := range more {
			if !slices.Contains(all, issuer) {
				all = append(all, issuer)
			}
		}
	}
	if host, ok := c.satelliteHost(); ok {
		add("CLERK_DOMAIN", "https://"+host)
	}
	switch proxy := c.Clerk.ProxyURL; {
	case proxy == nil:
	case proxy.Host != "":
		add("CLERK_PROXY_URL", proxy.String())
	default:
		for _, origin := range c.Public.Origins {
			add("CLERK_PROXY_URL", origin.String()+proxy.Path)
		}
	}
	return all, from
}

// checkIssuer is strict because iss is compared byte for byte: a spelling that
// Clerk never uses would refuse everybody.
func checkIssuer(raw string) error {
	u, err := clerkURL(raw)
	if err != nil {
		return err
	}
	if base, found := keySetBase(u); found {
		return wrong("is the address of a key set", "write AUTHPROXY_ISSUER="+base+" and AUTHPROXY_JWKS_URL="+raw)
	}
	if u.RawQuery != "" || u.ForceQuery {
		return wrong("has a query", "an issuer is what the claim iss of the tokens says")
	}
	if strings.HasSuffix(raw, "/") {
		return wrong("ends in /", "the claim iss is compared byte for byte and Clerk's has none: write "+strings.TrimRight(raw, "/"))
	}
	return nil
}

// keySetBase recognises the addresses that issuers publish things at.
func keySetBase(u *url.URL) (string, bool) {
	origin := u.Scheme + "://" + u.Host
	if before, _, found := strings.Cut(u.Path, "/.well-known/"); found {
		return origin + before, true
	}
	if strings.HasSuffix(u.Path, ".json") || strings.HasSuffix(u.Path, "/jwks") {
		return origin, true
	}
	return "", false
}

func (l *loader) keySource(s *settings, c *Config, hasKey bool) {
	const name = "AUTHPROXY_JWKS_URL"
	if s.JWKSURL != "" {
		u, err := clerkURL(s.JWKSURL)
		if err != nil {
			l.addError(name, err)
			return
		}
		c.Keys.JWKSURL = u
	}
	switch {
	case hasKey: // as in Clerk's SDKs the PEM takes precedence
		c.Keys.JWKSURL = nil
		l.derive(name, "", "not used with CLERK_JWT_KEY")
	case s.JWKSURL != "":
	case c.proxyElsewhere():
		c.Keys.JWKSURL = c.Clerk.ProxyURL.JoinPath(".well-known", "jwks.json")
		l.derive(name, c.Keys.JWKSURL.String(), "derived from CLERK_PROXY_URL")
	case c.Clerk.Instance != nil:
		c.Keys.JWKSURL, _ = url.Parse(c.Clerk.Instance.JWKSURL()) // the host is one: see instance
		l.derive(name, c.Clerk.Instance.JWKSURL(), fromPublishableKey)
	case s.PublishableKey == "" && s.Issuer != "" && !l.failed["AUTHPROXY_ISSUER"]:
		l.add(name, "is not set, and there is no other source of keys", "add for example "+name+"="+s.Issuer+"/.well-known/jwks.json")
	case s.PublishableKey == "":
		l.add("CLERK_PUBLISHABLE_KEY", "is not set, and there is no other source of keys",
			"add the line CLERK_PUBLISHABLE_KEY=pk_... from \"API keys\" in Clerk's dashboard; or set AUTHPROXY_ISSUER with CLERK_JWT_KEY or AUTHPROXY_JWKS_URL")
	}
}

// clerkURL reads a URL of Clerk or of keys. What is fetched or redirected to
// without TLS is anybody's on the way, except on this very machine.
func clerkURL(raw string) (*url.URL, error) {
	u, err := parseURL(raw)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, wrong(quote(raw)+" is not https", "http is accepted for a loopback address only")
	case strings.Contains(raw, "#"):
		return nil, wrong(quote(raw)+" has a fragment", "remove what begins with #")
	}
	return u, nil
}
