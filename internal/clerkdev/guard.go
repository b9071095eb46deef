package clerkdev

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// guard answers nobody but this machine. The Host is looked at because the peer
// is not enough: a page of any site can have its own name point to 127.0.0.1 and
// then read what is there (DNS rebinding). No header invites another origin
// (CORS): the browser's library is on the same one.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !isLoopback(r.Host) {
			clerkError(w, http.StatusMisdirectedRequest, "host_invalid", "The emulator answers only to localhost, *.localhost and loopback addresses")
			return
		}
		if !safe(r.Method) && !sameOrigin(r) {
			crossOrigin(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func crossOrigin(w http.ResponseWriter) {
	clerkError(w, http.StatusForbidden, "origin_invalid", "Another site asked for this")
}

// isLoopback reports whether a Host header names this machine, with a port or
// without. Whatever is spelled unusually does not.
func isLoopback(hostport string) bool {
	host := hostport
	if name, port, err := net.SplitHostPort(hostport); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		host = name
	} else if bare, ok := strings.CutPrefix(hostport, "["); ok {
		if host, ok = strings.CutSuffix(bare, "]"); !ok {
			return false
		}
	}
	if strings.Contains(host, ":") != strings.HasPrefix(hostport, "[") || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return false
	}
	if strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "" {
		return false
	}
	return len(loopbackAddresses(host)) > 0
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// sameOrigin reports whether a request comes from a page of its own origin or
// from no page. Sec-Fetch-Site is the browser's word and Origin is for browsers
// without it; a program that sends neither has no cookies to be abused
// (clerk-frontend.md, 8.9).
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Values("Sec-Fetch-Site"); len(site) > 0 {
		return len(site) == 1 && (site[0] == "same-origin" || site[0] == "none")
	}
	origin := r.Header.Values("Origin")
	return len(origin) == 0 || len(origin) == 1 && origin[0] == originOf(r)
}

// originOf is the origin that a browser would say the request goes to.
func originOf(r *http.Request) string {
	scheme, port := "http", ":80"
	if r.TLS != nil {
		scheme, port = "https", ":443"
	}
	return scheme + "://" + strings.TrimSuffix(strings.ToLower(r.Host), port)
}

// here reads a redirect_url that anybody may have written: a path, or an
// absolute URL on the origin. Anything else is "/".
func here(raw, origin string) string {
	if staysHere(raw) {
		return raw
	}
	if rest, ok := strings.CutPrefix(raw, origin); ok && staysHere(rest) {
		return raw
	}
	return "/"
}

// staysHere reports whether every browser reads s as a path of the origin it is
// on. It asks of the path again after decoding once and twice, because others
// decode before they redirect. Control characters and backslashes are in no honest
// path: browsers drop the former and read the latter as slashes. What is escaped in
// a query is the application's business.
func staysHere(s string) bool {
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' && c < 0xa0 || c == '\\' }) {
		return false
	}
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	for range 3 {
		if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.HasPrefix(s, "/ ") {
			return false
		}
		if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' && c < 0xa0 || c == '\\' }) {
			return false
		}
		s = decodePercent(s)
	}
	return true
}

// decodePercent decodes every %XX and leaves what is none.
func decodePercent(s string) string {
	var b strings.Builder
	for s != "" {
		if len(s) > 2 && s[0] == '%' {
			if n, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				s = s[3:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// clerkError answers in the shape of Clerk's errors.
func clerkError(w http.ResponseWriter, status int, code, message string) {
	body, _ := json.Marshal(map[string]any{ // strings only: cannot fail
		"errors":         []any{map[string]any{"code": code, "message": message, "long_message": message, "meta": map[string]any{}}},
		"clerk_trace_id": tokenID(),
	})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
