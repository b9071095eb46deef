package authproxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// Request is one question to a [Decider], in the same words whichever surface
// asks. A surface fills it from what it received and from nothing else.
type Request struct {
	Method string // in its original spelling
	Path   string // the path in its original text, escapes and all; always starts with "/" on a well-formed request
	Query  string // the text after the first "?", unparsed; "" when there is none

	// Host is the effective host, with its port if it has one: what a trusted
	// peer says in X-Forwarded-Host, else the Host the client sent.
	Host string
	// Scheme is "http" or "https" as a trusted peer says in X-Forwarded-Proto,
	// else as the connection is. It matters only where the configuration does
	// not already say which scheme the host is served with.
	Scheme string

	Header http.Header // as received; a Decider never changes it

	ClientIP netip.Addr // the resolved client; invalid when the surface cannot know
	HasBody  bool       // a body is announced
	Upgrade  bool       // asks to become a WebSocket
}

// PageLoad reports whether a browser is loading a page or a frame, so that the
// answer may be a redirect (Clerk's handshake eligibility, and no wider: a POST or
// an upgrade must never be redirected).
func (r *Request) PageLoad() bool {
	return r.Method == http.MethodGet && !r.Upgrade && r.wantsDocument()
}

// WantsPage reports whether an answer of ours is better an HTML page than a
// problem document. Unlike [Request.PageLoad] it does not look at the method.
func (r *Request) WantsPage() bool { return r.wantsDocument() }

func (r *Request) wantsDocument() bool {
	switch dest := r.Header.Get("Sec-Fetch-Dest"); dest {
	case "document", "iframe":
		return true
	case "":
		return strings.HasPrefix(r.Header.Get("Accept"), "text/html")
	default:
		return false
	}
}

// Preflight reports whether the request is a CORS preflight (Fetch standard,
// "CORS-preflight request"): it carries no credentials by definition.
func (r *Request) Preflight() bool {
	return r.Method == http.MethodOptions && !r.HasBody && !r.Upgrade &&
		r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// SafeMethod reports whether the method is defined as safe (RFC 9110 section
// 9.2.1) and the request does not ask for a long-lived connection.
func (r *Request) SafeMethod() bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return !r.Upgrade
	default:
		return false
	}
}
