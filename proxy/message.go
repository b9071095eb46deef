package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

// newRequest is the question in the Decider's words. Path and query are the
// text of the request target: a target that is no path (absolute-form,
// asterisk, an authority, an odd :path) is passed on as it is, so that the
// Decider refuses it.
func newRequest(r *http.Request, hop headers.Hop, secure bool) authproxy.Request {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	return authproxy.Request{
		Method:   r.Method,
		Path:     path,
		Query:    query,
		Host:     firstOf(hop.Host, r.Host),
		Scheme:   firstOf(hop.Proto, scheme(secure || r.TLS != nil)),
		Header:   r.Header,
		ClientIP: hop.Client,
		HasBody:  r.ContentLength != 0,
		Upgrade:  asksForWebSocket(r),
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// scheme is the connection's; what an HTTP/2 client calls its scheme is not
// asked (H2-10).
func scheme(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

// checkMessage refuses what net/http lets through although two readers could
// read it differently. It returns nil when there is nothing to refuse.
func checkMessage(r *http.Request) *authproxy.Refusal {
	if expect := r.Header["Expect"]; len(expect) > 1 || (len(expect) == 1 && !strings.EqualFold(expect[0], "100-continue")) {
		// net/http looks for the token anywhere; obscured expectations make
		// upstreams disagree about where the body ends (SMG-16).
		return authproxy.Refuse(authproxy.RequestAmbiguous, "the Expect header is something else than one 100-continue")
	}
	// HTTP/1.1 requests with these two were refused before; HTTP/2 takes the
	// first length and the :authority (H2-05, H2-08).
	if lengths := r.Header["Content-Length"]; len(lengths) > 1 {
		return authproxy.Refuse(authproxy.RequestAmbiguous, "there is more than one Content-Length")
	}
	if hosts := r.Header["Host"]; len(hosts) > 1 || (len(hosts) == 1 && hosts[0] != r.Host) {
		return authproxy.Refuse(authproxy.RequestAmbiguous, "the host is named twice, differently")
	}
	return nil
}

// outgoingURL is the URL whose request target is target, byte for byte, at the
// upstream that base names. It refuses what net/url or the request line cannot
// carry unchanged.
func outgoingURL(base url.URL, target string) (*url.URL, *authproxy.Refusal) {
	path, query, hasQuery := strings.Cut(target, "?")
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, RawQuery: query, ForceQuery: hasQuery}
	if strings.HasPrefix(path, "//") {
		// As Opaque this would be written as an absolute-form target, with an
		// authority of the client's choice.
		u.RawPath = path
		u.Path, _ = url.PathUnescape(path) // when this fails the comparison below does too
	} else {
		u.Opaque = path
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(target, isControlOrSpace) || u.RequestURI() != target {
		return nil, authproxy.Refuse(authproxy.RequestAmbiguous, "the request target cannot be sent on unchanged")
	}
	return u, nil
}

// isControlOrSpace reports what would end the request target, or the line.
func isControlOrSpace(r rune) bool { return r <= ' ' || r == 0x7f }
