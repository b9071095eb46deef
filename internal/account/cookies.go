package account

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/route"
)

// mostLabels is how many labels the Domain of a cookie of Clerk's may have: one
// more than the longest public suffixes. It bounds the answer's head, which
// servers in front of us read into a few kilobytes.
const mostLabels = 5

// crumb is one of Clerk's cookies, as far as removing it needs to know.
type crumb struct {
	name    string
	domains bool // may stand on a parent domain, too
	secure  bool // written with Secure even over http
}

// crumbs are the cookies that are a session or lead to one. __clerk_db_jwt is
// none of them: it says which browser this is, and the browser stays known.
func crumbs(instance *authproxy.Instance) []crumb {
	all := []crumb{
		// The server sets the former with a Domain, and a sibling of this host can
		// set the latter with one (CK-02).
		{name: "__client_uat", domains: true},
		{name: "__session", domains: true},
		// In production the Frontend API sets what a handshake brings for the
		// registrable domain (clerk-frontend.md, 7).
		{name: "__clerk_handshake", domains: true},
		{name: "__clerk_handshake_nonce", domains: true},
		{name: "__clerk_redirect_count"},
		// A browser would not let it be overwritten without Secure (5.1).
		{name: "clerk_active_context", secure: true},
	}
	if instance != nil {
		suffix := "_" + instance.CookieSuffix()
		all = append(all, crumb{name: "__client_uat" + suffix, domains: true},
			crumb{name: "__session" + suffix, domains: true}, crumb{name: "__refresh" + suffix})
	}
	return all
}

// expire removes Clerk's cookies from the browser.
func (p *Pages) expire(h http.Header, origin authproxy.Origin) {
	domains := domainsOf(origin.Host)
	for _, c := range crumbs(p.cfg.Instance) {
		line := c.name + "=; Path=/; Max-Age=0"
		if c.secure || origin.Scheme == "https" {
			line += "; Secure"
		}
		h.Add("Set-Cookie", line) // of this host alone
		if !c.domains {
			continue
		}
		for _, domain := range domains {
			h.Add("Set-Cookie", line+"; Domain="+domain)
		}
	}
}

// domainsOf lists the domains that a cookie sent to this host may have been set
// for: the host and its parents down to two labels, and localhost. Which of them
// are public suffixes the browser knows, and ignores those. An address has none.
func domainsOf(hostport string) []string {
	host, err := route.ParseHost(hostport)
	if _, isAddress := netip.ParseAddr(strings.Trim(host.Name, "[]")); err != nil || isAddress == nil {
		return nil
	}
	labels := strings.Split(strings.TrimSuffix(host.Name, "."), ".")
	if labels[len(labels)-1] == "localhost" { // clerk-js sets Domain=localhost (5.1)
		return []string{"localhost"}
	}
	var domains []string
	for n := 2; n <= min(len(labels), mostLabels); n++ {
		domains = append(domains, strings.Join(labels[len(labels)-n:], "."))
	}
	return domains
}
