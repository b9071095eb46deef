package route_test

import (
	"net/url"
	"path"
	"strings"
)

// normalisers are how upstreams read a path: the oracles that a public path must
// not surprise.
func normalisers() map[string]func(string) string {
	return map[string]func(string) string{
		"decode once and clean (Go, WSGI)": func(s string) string { return path.Clean(decoded(s)) + "/" },
		"merge slashes (nginx)": func(s string) string {
			for strings.Contains(s, "//") {
				s = strings.ReplaceAll(s, "//", "/")
			}
			return path.Clean(decoded(s)) + "/"
		},
		"cut parameters (Tomcat)": func(s string) string {
			segments := strings.Split(s, "/")
			for i := range segments {
				segments[i], _, _ = strings.Cut(segments[i], ";")
			}
			return path.Clean(decoded(strings.Join(segments, "/"))) + "/"
		},
		"decode twice, backslash is a slash (IIS)": func(s string) string {
			return path.Clean(strings.ReplaceAll(decoded(decoded(s)), `\`, "/")) + "/"
		},
	}
}

func decoded(s string) string {
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}
