package handshake

import (
	"net/url"
	"slices"
	"strings"

	"github.com/manageros/authproxy"
)

// ForeignReferer reports whether a page of another origin links to origin, one
// that is none of Clerk's: it may be a satellite domain where the person has
// signed in, or out, a moment ago. frontend is the base URL of the Frontend API.
func ForeignReferer(referer string, origin authproxy.Origin, instance authproxy.Instance, frontend string) bool {
	if referer == "" || strings.HasPrefix(referer, origin.String()+"/") {
		return false
	}
	from, err := url.Parse(referer)
	if err != nil || from.Scheme == "" {
		return false
	}
	return originOf(from) != origin.String() && !ofClerk(from, instance, frontend)
}

// originOf is the serialised origin as the URL standard has it, without the
// scheme's own port.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch strings.ToLower(u.Scheme) {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "null"
	}
	return strings.ToLower(u.Scheme) + "://" + host
}

// ofClerk knows the Frontend API, the account portal of this very instance, and
// in development those of all: anybody can have one, so they mean nothing in
// production (threat HS-07).
func ofClerk(from *url.URL, instance authproxy.Instance, frontend string) bool {
	host := strings.ToLower(from.Hostname())
	api, err := url.Parse(frontend)
	if err == nil && host == strings.ToLower(api.Hostname()) {
		return true
	}
	if !instance.Production && developmentPortal(host) {
		return true
	}
	return frontend == instance.Issuer() && originOf(from) == instance.AccountPortal()
}

// developmentPortal knows the two forms of Clerk's hosts, today's and the former.
func developmentPortal(host string) bool {
	return slices.ContainsFunc([]string{".accounts.dev", ".accountsstage.dev", ".accounts.lclclerk.com"}, func(suffix string) bool {
		return strings.HasSuffix(host, suffix) && !strings.HasSuffix(host, ".clerk"+suffix)
	}) || strings.HasPrefix(host, "accounts.") && slices.ContainsFunc([]string{".lcl.dev", ".lclstage.dev", ".lclclerk.com"}, func(suffix string) bool {
		return strings.HasSuffix(host, suffix)
	})
}
