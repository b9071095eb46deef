package route

import (
	"net/url"
	"slices"
	"strings"

	"github.com/manageros/authproxy"
)

// SignInLocation is where a browser signs in, on the way back to returnTo: the
// sign-in URL, below it where that is not "", with redirect_url. A sign-in URL
// without a host is on the request's own origin.
func SignInLocation(signIn *url.URL, origin authproxy.Origin, below, returnTo string) string {
	to := *signIn
	if to.Host == "" {
		to.Scheme, to.Host = origin.Scheme, origin.Host
	}
	if below != "" {
		to = *to.JoinPath(below)
	}
	query := to.Query()
	query.Set("redirect_url", returnTo)
	to.RawQuery = query.Encode()
	return to.String()
}

// ReturnTo reads a redirect_url that anybody may have written: a path, which is
// taken on the origin here, or an absolute URL on one of allowed. Anything else
// gives "/" of the first of allowed. The test is on the text and not on a parsed
// URL, because browsers (WHATWG URL) and net/url parse differently; it holds
// after decoding once and twice, too.
func ReturnTo(raw string, here authproxy.Origin, allowed []authproxy.Origin) string {
	if staysHere(raw) {
		return here.String() + raw
	}
	on := func(o authproxy.Origin) bool {
		rest, ok := strings.CutPrefix(raw, o.String())
		return ok && (rest == "" || staysHere(rest) || staysHere("/"+rest) && strings.IndexByte("?#", rest[0]) >= 0)
	}
	if slices.ContainsFunc(allowed, on) {
		return raw
	}
	return allowed[0].String() + "/"
}

// staysHere reports whether every browser reads s as a path of the origin it is
// resolved on.
func staysHere(s string) bool {
	for range 3 {
		if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
			return false
		}
		if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' && c < 0xa0 || c == '\\' }) {
			return false
		}
		if i := strings.IndexAny(s, " \u00a0\u2028\u2029\ufeff"); i >= 0 && i < 3 {
			return false
		}
		decoded, ok := decode(s)
		if !ok {
			return true // an escape that decodes to nothing stays as it is
		}
		s = decoded
	}
	return true
}
