package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/manageros/authproxy"
)

func (l *loader) public(s *settings, c *Config) {
	p := &c.Public
	l.origins(s, p)
	l.parties(s, p)
	for _, raw := range s.ExtraHosts {
		host, err := parseExtraHost(raw)
		if err != nil {
			l.addError("AUTHPROXY_EXTRA_HOSTS", err)
			continue
		}
		p.ExtraHosts = append(p.ExtraHosts, host)
	}
	l.set("AUTHPROXY_EXTRA_HOSTS", strings.Join(p.ExtraHosts, ","))
	l.trustedProxies(s, p)
	p.Paths = s.PublicPaths
}

func (l *loader) origins(s *settings, p *Public) {
	const name = "AUTHPROXY_PUBLIC_URL"
	if len(s.PublicURL) == 0 && !l.failed[name] {
		if !strings.HasPrefix(s.PublishableKey, "pk_test_") {
			l.add(name, "is not set, and only a pk_test_ key does without", "add the line "+name+"=https://app.example.com with the origin that browsers see")
		}
		l.set(name, "scheme and host of the request")
		return
	}
	var texts []string
	for _, raw := range s.PublicURL {
		// People copy it from the address bar, which ends it in a slash.
		if !strings.HasSuffix(raw, "//") {
			raw = strings.TrimSuffix(raw, "/")
		}
		origin, err := parseOrigin(raw, "http", "https")
		if err != nil {
			l.addError(name, err)
			continue
		}
		if !slices.Contains(p.Origins, origin) {
			p.Origins = append(p.Origins, origin)
			texts = append(texts, origin.String())
		}
	}
	l.set(name, strings.Join(texts, ","))
}

// parties reads origins that are compared with a claim, so that here a slash
// too many is a mistake and not a habit. Clerk documents browser extensions as
// parties ("chrome-extension://<id>").
func (l *loader) parties(s *settings, p *Public) {
	const name = "AUTHPROXY_AUTHORIZED_PARTIES"
	for _, raw := range s.AuthorizedParties {
		origin, err := parseOrigin(raw, "http", "https", "chrome-extension", "moz-extension", "safari-web-extension")
		if err != nil {
			l.addError(name, err)
			continue
		}
		if !slices.Contains(p.Parties, origin.String()) {
			p.Parties = append(p.Parties, origin.String())
		}
	}
	l.set(name, strings.Join(p.Parties, ","))
}

// parseOrigin reads a serialised origin (RFC 6454 section 6.2) of one of the
// schemes and returns it as browsers write it.
func parseOrigin(raw string, schemes ...string) (authproxy.Origin, error) {
	if strings.Contains(raw, "*") {
		return authproxy.Origin{}, wrong(quote(raw)+" has a wildcard", "list every origin by itself")
	}
	u, err := parseURL(raw)
	switch {
	case err != nil:
		return authproxy.Origin{}, err
	case !slices.Contains(schemes, u.Scheme):
		return authproxy.Origin{}, wrong(quote(raw)+" is neither http nor https", "write an origin, for example https://"+joinHost(u.Hostname(), ""))
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return authproxy.Origin{}, wrong(quote(raw)+" is more than an origin", "write scheme and host only: "+originOf(u).String())
	}
	return originOf(u), nil
}

// originOf takes the origin out of a URL that parseURL accepted.
func originOf(u *url.URL) authproxy.Origin {
	host, _ := plainHost(u.Hostname())
	port := u.Port()
	if (u.Scheme == "http" && port == "80") || (u.Scheme == "https" && port == "443") {
		port = ""
	}
	return authproxy.Origin{Scheme: u.Scheme, Host: joinHost(host, port)}
}

func parseExtraHost(raw string) (string, error) {
	if strings.Contains(raw, "/") {
		return "", wrong(quote(raw)+" is more than a host", "write host or host:port, without scheme and path")
	}
	return parseHost(raw)
}

func (l *loader) trustedProxies(s *settings, p *Public) {
	const name = "AUTHPROXY_TRUSTED_PROXIES"
	var texts []string
	for _, raw := range s.TrustedProxies {
		prefix, err := parsePrefix(raw)
		if err != nil {
			l.addError(name, err)
			continue
		}
		p.TrustedProxies = append(p.TrustedProxies, prefix)
		texts = append(texts, prefix.String())
	}
	l.set(name, strings.Join(texts, ","))
}

// parsePrefix reads a CIDR or a single address. IPv4 written inside IPv6 is
// IPv4, as addresses of peers are compared in that form.
func parsePrefix(raw string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(raw)
	if err != nil {
		ip, err := netip.ParseAddr(raw)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, wrong(quote(raw)+" is neither a CIDR nor an IP address", "write for example 10.0.0.0/8 or 192.0.2.7")
		}
		prefix = netip.PrefixFrom(ip, ip.BitLen())
	}
	if ip := prefix.Addr(); ip.Is4In6() {
		prefix = netip.PrefixFrom(ip.Unmap(), max(prefix.Bits()-96, 0))
	}
	// The widest private ranges are 10.0.0.0/8 and fc00::/7; a few wider ones
	// would be a way to write "everybody" without writing /0.
	widest := 7
	if prefix.Addr().Is4() {
		widest = 8
	}
	if prefix.Bits() < widest {
		return netip.Prefix{}, wrong(quote(raw)+" trusts everybody, or nearly", "anyone could then choose his address and the host; name the addresses of the proxies in front, for example 10.0.0.0/8")
	}
	return prefix.Masked(), nil
}
