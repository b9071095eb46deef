package route

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/manageros/authproxy"
)

// SignIn is where people sign in.
type SignIn struct {
	URL *url.URL // without a host it is on the request's own origin
	// Satellite: the page is on the primary domain, and what comes back from there
	// has to be synchronised.
	Satellite bool
	// DevBrowser is what a development instance knows the browser by, for a page on
	// another origin; "" when it does not.
	DevBrowser string
}

// Location is the address of the sign-in page, or of a page below it, on the way
// back to returnTo.
func (s SignIn) Location(origin authproxy.Origin, below, returnTo string) string {
	to := *s.URL
	if to.Host == "" {
		to.Scheme, to.Host = origin.Scheme, origin.Host
	}
	if below != "" {
		to = *to.JoinPath(below)
	}
	query := to.Query()
	if elsewhere := to.Scheme != origin.Scheme || !strings.EqualFold(to.Host, origin.Host); elsewhere {
		if s.Satellite {
			returnTo = addParameter(returnTo, "__clerk_synced=false")
		}
		if s.DevBrowser != "" {
			query.Set("__clerk_db_jwt", s.DevBrowser)
		}
	}
	query.Set("redirect_url", returnTo)
	to.RawQuery = query.Encode()
	return to.String()
}

func addParameter(target, pair string) string {
	target, fragment, marked := strings.Cut(target, "#")
	if strings.Contains(target, "?") {
		target += "&" + pair
	} else {
		target += "?" + pair
	}
	if marked {
		target += "#" + fragment
	}
	return target
}

// SignInLocation is where a browser signs in, on the way back to returnTo.
func SignInLocation(signIn *url.URL, origin authproxy.Origin, below, returnTo string) string {
	return SignIn{URL: signIn}.Location(origin, below, returnTo)
}

// ReturnTo reads a redirect_url that anybody may have written: a path, which is
// taken on the origin here, or an absolute URL on one of allowed. Anything else
// gives "/" of the first of allowed. The test is on the text and not on a parsed
// URL, because browsers (WHATWG URL) and net/url parse differently; it holds
// after decoding once and twice, too.
func ReturnTo(raw string, here authproxy.Origin, allowed []authproxy.Origin) string {
	if staysHere(raw) {
		return here.String() + stripClerk(raw)
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	authority := rest
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		authority, rest = rest[:i], rest[i:]
	} else {
		rest = ""
	}
	host, err := ParseHost(authority)
	for _, o := range allowed {
		if err == nil && strings.ToLower(scheme) == o.Scheme && host.Is(o.Scheme, o.Host) &&
			(rest == "" || staysHere(rest) || rest[0] != '/' && staysHere("/"+rest)) {
			return o.String() + stripClerk(rest)
		}
	}
	return allowed[0].String() + "/"
}

// staysHere reports whether every browser reads s as a path of the origin it is
// resolved on, decoded or not. Behind the path anything printable may stand.
func staysHere(s string) bool {
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' && c < 0xa0 || c == '\\' }) {
		return false
	}
	path := s
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		path = s[:i]
	}
	for range 3 {
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") ||
			strings.ContainsFunc(path, func(c rune) bool { return unicode.IsControl(c) || c == '\\' }) ||
			len(path) > 1 && strings.ContainsAny(firstRune(path[1:]), " \u00a0\u2028\u2029\ufeff") {
			return false
		}
		decoded, ok := decode(path)
		if !ok {
			return true // an escape that decodes to nothing stays as it is
		}
		path = decoded
	}
	return true
}

func firstRune(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}

// stripClerk takes Clerk's parameters out of the query of a path.
func stripClerk(target string) string {
	path, query, found := strings.Cut(target, "?")
	if !found {
		return target
	}
	query, fragment, marked := strings.Cut(query, "#")
	if query = WithoutClerk(query); query != "" {
		path += "?" + query
	}
	if marked {
		path += "#" + fragment
	}
	return path
}

// WithoutClerk drops from a query what Clerk puts there: those are credentials,
// and a redirect is no place for them (threats, invariant I7). The rest keeps its
// bytes.
func WithoutClerk(query string) string {
	if query == "" {
		return ""
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil &&
			(strings.HasPrefix(decoded, "__clerk_") || decoded == "__dev_session" || decoded == "__session") {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

// Parameter is the first parameter of this name in a query, "&" being the only
// separator: net/url drops what holds a ";".
func Parameter(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key == name {
			if decoded, err := url.QueryUnescape(value); err == nil {
				return decoded
			}
		}
	}
	return ""
}
