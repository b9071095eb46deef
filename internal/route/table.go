package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/manageros/authproxy"
)

// Prefix is where the reserved paths live.
const Prefix = "/_authproxy/"

// Table knows which paths are public. It does not change after Parse.
type Table struct {
	exact    []string
	prefixes []string // each ends in "/"
}

// Parse compiles AUTHPROXY_PUBLIC_PATHS: exact paths, or paths whose last
// segment is "*" for any rest ("/static/*" is "/static/" and all below it, not
// "/static"). Patterns are written decoded. All mistakes are reported, each with
// its pattern.
func Parse(patterns []string) (*Table, error) {
	t := &Table{}
	var mistakes []error
	for _, p := range patterns {
		if err := checkPattern(p); err != nil {
			mistakes = append(mistakes, fmt.Errorf("route: public path %q: %w", p, err))
			continue
		}
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			t.prefixes = append(t.prefixes, prefix)
		} else {
			t.exact = append(t.exact, p)
		}
	}
	return t, errors.Join(mistakes...)
}

// checkPattern refuses what could never match, and what would match more than
// it seems to.
func checkPattern(p string) error {
	rest := strings.TrimSuffix(p, "/*")
	switch {
	case !strings.HasPrefix(p, "/"):
		return errors.New(`it must begin with "/"`)
	case strings.Contains(rest, "*"):
		return errors.New(`"*" stands alone as the last segment, as in "/static/*"`)
	case strings.Contains(p, "%"):
		return errors.New("write it decoded: requests are compared after decoding once")
	case strings.ContainsAny(p, ";?#"):
		return errors.New("a path with one of ;?# is never public")
	case strings.Contains(p, "//"):
		return errors.New(`a path with "//" is never public`)
	case Reserved(p):
		return fmt.Errorf("%s belongs to the proxy itself", Prefix)
	}
	return CheckPath(strings.ReplaceAll(p, " ", "%20"), "")
}

// Match returns the class of a path in its original text. It does not check the
// path; see [CheckPath].
func (t *Table) Match(path string) authproxy.Route {
	if Reserved(path) {
		return authproxy.RouteReserved
	}
	decoded, ok := plain(path)
	if !ok {
		return authproxy.RouteDefault
	}
	under := func(prefix string) bool { return strings.HasPrefix(decoded, prefix) }
	if slices.Contains(t.exact, decoded) || slices.ContainsFunc(t.prefixes, under) {
		return authproxy.RoutePublic
	}
	return authproxy.RouteDefault
}

// Reserved reports whether a path is under [Prefix] in any spelling: escaped,
// with more slashes than it needs, or in capitals. Only the exact spelling of a
// reserved path is answered; the others are kept from the upstream.
func Reserved(path string) bool {
	if !mayBeReserved(path) {
		return false
	}
	decoded, ok := decode(path)
	if !ok {
		return false
	}
	folded := strings.ToLower(strings.ReplaceAll(decoded, `\`, "/"))
	first, _, _ := strings.Cut(strings.TrimLeft(folded, "/"), "/")
	first, _, _ = strings.Cut(first, ";") // Tomcat's path parameters
	return strings.TrimSpace(first) == strings.Trim(Prefix, "/")
}

// mayBeReserved spares the ordinary path the work: nothing reserved starts
// otherwise than with a slash and one of these.
func mayBeReserved(path string) bool {
	return len(path) > 1 && strings.IndexByte(`_%/\`, path[1]) >= 0
}
