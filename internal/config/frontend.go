package config

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/manageros/authproxy"
)

// frontend reads how browsers reach Clerk when it is not at the instance's own
// host: through a proxy, or under the domain of a satellite. It needs the public
// origins.
func (l *loader) frontend(s *settings, c *Config) {
	if s.ProxyURL != "" {
		// Without AUTHPROXY_PUBLIC_URL every host is ours that a request names.
		anyHost := len(s.PublicURL) == 0 && !l.failed["AUTHPROXY_PUBLIC_URL"]
		u, err := parseProxyURL(s.ProxyURL, c.Public.Origins, anyHost)
		if err != nil {
			l.addError("CLERK_PROXY_URL", err)
		} else {
			c.Clerk.ProxyURL = u
			l.set("CLERK_PROXY_URL", u.String())
		}
	}
	if s.Domain != "" {
		domain, err := parseDomain(s.Domain, strings.HasPrefix(s.PublishableKey, "pk_live_"))
		if err != nil {
			l.addError("CLERK_DOMAIN", err)
		}
		c.Clerk.Domain = domain
		l.set("CLERK_DOMAIN", domain)
	}
	c.Clerk.Satellite, c.Clerk.AutoSync = bool(s.Satellite), bool(s.SatelliteAutoSync)
	l.needsInstance(s)
}

// needsInstance refuses what has no meaning without an instance, rather than to
// ignore it.
func (l *loader) needsInstance(s *settings) {
	if s.PublishableKey != "" {
		return
	}
	for _, setting := range []struct {
		name string
		set  bool
	}{
		{"CLERK_PROXY_URL", s.ProxyURL != ""},
		{"CLERK_DOMAIN", s.Domain != ""},
		{"CLERK_IS_SATELLITE", bool(s.Satellite)},
		{"AUTHPROXY_ORGANIZATION_PATTERNS", len(s.OrganizationPatterns) > 0},
		{"AUTHPROXY_PERSONAL_ACCOUNT_PATTERNS", len(s.PersonalPatterns) > 0},
	} {
		if setting.set && !l.failed[setting.name] {
			l.add(setting.name, "needs a publishable key", "add the line CLERK_PUBLISHABLE_KEY=pk_... from \"API keys\" in Clerk's dashboard")
		}
	}
}

// parseProxyURL reads CLERK_PROXY_URL. On our own origins its path is a hole in
// the wall: what is below it passes without a session and with every credential.
// So there is one spelling of it and no other reading.
func parseProxyURL(raw string, ours []authproxy.Origin, anyHost bool) (*url.URL, error) {
	var origin authproxy.Origin
	path, mayBeOurs := raw, true
	if !strings.HasPrefix(raw, "/") {
		u, err := parseURL(raw)
		if err != nil {
			return nil, err
		}
		var isOurs bool
		if origin, isOurs = ourOrigin(u, ours); u.Scheme != "https" && (u.Scheme != "http" || (!isOurs && !loopback(u.Hostname()))) {
			return nil, wrong(quote(raw)+" is not https", "http is for a loopback address or an origin of AUTHPROXY_PUBLIC_URL")
		}
		mayBeOurs = isOurs || anyHost
		_, path, _ = strings.Cut(raw, "://") // as it is written, query and fragment too
		path = path[strings.IndexAny(path+"/", "/?#"):]
	}
	trimmed := strings.TrimRight(path, "/")
	switch {
	case path != "" && path != "/" && !plainPath(trimmed):
		return nil, wrong(quote(raw)+" has more than a plain path", "write letters, digits and -._~ between single slashes, for example /__clerk; no dot segments, no query")
	case mayBeOurs && trimmed == "":
		return nil, wrong(quote(raw)+" is a whole origin of our own, and nothing on it would need a session", "add a path, for example /__clerk")
	case mayBeOurs && underReserved(trimmed):
		return nil, wrong(quote(raw)+" is a path of the proxy's own", "write another one, for example /__clerk")
	}
	return &url.URL{Scheme: origin.Scheme, Host: origin.Host, Path: trimmed}, nil
}

// plainPath reports whether every program reads this path alike.
func plainPath(path string) bool {
	segments := strings.Split(path, "/")
	if segments[0] != "" || len(segments) < 2 {
		return false
	}
	for _, s := range segments[1:] {
		if s == "" || s == "." || s == ".." ||
			strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~") != "" {
			return false
		}
	}
	return true
}

// underReserved takes capitals for small letters, as route does.
func underReserved(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.EqualFold(first, "_authproxy")
}

// parseDomain reads CLERK_DOMAIN. A live satellite's Frontend API is at
// clerk.<domain>, so that it must be a name; in development it is only told to
// clerk-js, and people write localhost:3001.
func parseDomain(raw string, live bool) (string, error) {
	const hint = "write it without scheme and path, for example satellite.example"
	if strings.ContainsAny(raw, "/?#@") {
		return "", wrong(quote(raw)+" is more than a host", hint)
	}
	host, err := parseHost(raw)
	if err != nil {
		return "", wrong(quote(raw)+" is not a host name", hint)
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); live && (err == nil || strings.Contains(host, ":")) {
		return "", wrong(quote(raw)+" is not a host name alone", "with a pk_live_ key the Frontend API is at clerk.<domain>; "+hint)
	}
	return host, nil
}

// proxyElsewhere reports whether CLERK_PROXY_URL is surely not this proxy, so
// that it can be asked before requests are served here.
func (c *Config) proxyElsewhere() bool {
	u := c.Clerk.ProxyURL
	if u == nil || u.Host == "" || len(c.Public.Origins) == 0 {
		return false
	}
	_, isOurs := ourOrigin(u, c.Public.Origins)
	return !isOurs
}

// satelliteHost returns the Frontend API's host of a satellite (clerk.md 1.6:
// of a production instance, with a domain).
func (c *Config) satelliteHost() (string, bool) {
	ok := c.Clerk.Satellite && c.Clerk.Domain != "" && c.Clerk.Instance != nil && c.Clerk.Instance.Production
	return "clerk." + c.Clerk.Domain, ok
}

// satellite checks what Clerk's SDKs ask of a satellite, and tells the instance
// its host. It comes when all is derived that is still of the key's own host:
// the sign-in page and the key set.
func (l *loader) satellite(s *settings, c *Config) {
	if !c.Clerk.Satellite {
		if c.Clerk.AutoSync && !l.failed["CLERK_IS_SATELLITE"] {
			l.add("AUTHPROXY_SATELLITE_AUTO_SYNC", "is for satellites only", "add the line CLERK_IS_SATELLITE=true, or remove this one")
		}
		return
	}
	if s.Domain == "" && s.ProxyURL == "" {
		l.add("CLERK_DOMAIN", "is not set, and a satellite needs it or CLERK_PROXY_URL", "add for example the line CLERK_DOMAIN=satellite.example")
	}
	if err := satelliteSignIn(s, c); err != nil {
		l.addError("CLERK_SIGN_IN_URL", err)
	}
	if host, ok := c.satelliteHost(); ok {
		instance := *c.Clerk.Instance
		instance.FrontendAPI = host
		c.Clerk.Instance = &instance
	}
}

// satelliteSignIn refuses a page of our own: nobody can sign in on a satellite,
// and the redirect would come back here.
func satelliteSignIn(s *settings, c *Config) error {
	const hint = "write the absolute URL of the sign-in page on the primary domain"
	if s.SignInURL == "" {
		if strings.HasPrefix(s.PublishableKey, "pk_test_") {
			return wrong("is not set, and a satellite of a development instance needs it", hint)
		}
		return nil
	}
	if u := c.Clerk.SignInURL; u != nil {
		if _, isOurs := ourOrigin(u, c.Public.Origins); u.Host == "" || isOurs {
			return wrong(quote(s.SignInURL)+" is on our own origin, which is a satellite's", hint)
		}
	}
	return nil
}
