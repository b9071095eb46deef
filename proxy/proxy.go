// Package proxy is the HTTP surface: it turns what a client sent into an
// authproxy.Request, asks the Decider, and renders the Decision: it forwards the
// request with the identity headers the Decision holds, or answers itself.
//
// What is forwarded is what was judged: method, path and query byte for byte.
// Headers are removed and set on the outgoing copy only, the request as
// received is never changed. Nothing is buffered, in either direction; every
// wait is bounded by progress, not by size.
package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

// Config says where requests go and what bounds them.
type Config struct {
	// Decider answers for every request. Required.
	Decider authproxy.Decider

	// Upstream is "http://host:port", "https://host:port" or "unix:///path",
	// never reached through a proxy of the environment. Nil: everything that
	// is not reserved is 404 not-found.
	Upstream    *url.URL
	UpstreamTLS *tls.Config // for https; nil: the system's authorities

	Owner *headers.Owner // which client headers never arrive. Required.
	Peers *headers.Peers // whose forwarding headers are believed; nil: nobody's

	// StripCookies removes the session's cookies from h, the header of the
	// outgoing request; nil removes none. set are the Set-Cookie lines that the
	// answer will carry: a cookie that stays has its new value already.
	StripCookies func(h http.Header, set []string)

	// StripQuery takes out of the query what must not reach the upstream; nil
	// leaves it as it is. What it returns unchanged is sent byte for byte.
	StripQuery func(query string) string

	// Reserved answers a request on RouteReserved that the Decision allows; nil
	// is 404. It may hand a refusal to Handler.Respond.
	Reserved func(w http.ResponseWriter, r *http.Request, d authproxy.Decision)

	// Secure says that clients speak TLS, for a listener whose connections do
	// not show it in http.Request.TLS.
	Secure bool

	MaxBodyBytes int64 // of a request; 0: no limit

	// UpstreamTimeout bounds connecting, the time from the end of the request to
	// the response head, and each write to the upstream. Zero: 60 s.
	UpstreamTimeout time.Duration
	// IdleTimeout bounds every wait for the client to send or to take the next
	// piece. Zero: 120 s.
	IdleTimeout time.Duration
	// StreamMaxAge ends an exchange, however busy. Zero: 12 h.
	StreamMaxAge time.Duration

	// Links of the 401 page; "" shows none.
	SignInPath, SignOutPath string
	// Page writes the page for people, all headers being set; nil is the
	// built-in one.
	Page func(w http.ResponseWriter, r *http.Request, p Problem)

	Now   func() time.Time // nil: time.Now
	Hooks Hooks
}

// Hooks report what happens; each may be nil.
type Hooks struct {
	Started  func()                                     // a request arrived
	Upgraded func(delta int)                            // a tunnel began (1) or ended (-1)
	Stripped func(kinds []string, r *authproxy.Request) // headers were kept from the upstream
	Done     func(*Exchange)                            // exactly once for every Started
}

// Handler is the proxy. It is safe for concurrent use.
type Handler struct {
	cfg       Config
	transport *http.Transport // nil without an upstream
	base      url.URL         // scheme and authority of the outgoing URL
	page      *page
	buffers   buffers
	silent    *log.Logger // errors go to the report, not to a log
}

// New returns the Handler for a Config.
func New(cfg Config) (*Handler, error) {
	if cfg.Decider == nil || cfg.Owner == nil {
		return nil, errors.New("proxy: a Decider and an Owner are needed")
	}
	if cfg.Peers == nil {
		cfg.Peers = headers.NewPeers(nil)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.UpstreamTimeout = orDefault(cfg.UpstreamTimeout, 60*time.Second)
	cfg.IdleTimeout = orDefault(cfg.IdleTimeout, 120*time.Second)
	cfg.StreamMaxAge = orDefault(cfg.StreamMaxAge, 12*time.Hour)
	h := &Handler{cfg: cfg, silent: log.New(io.Discard, "", 0)}
	var err error
	if h.page, err = newPage(); err != nil {
		return nil, fmt.Errorf("proxy: page: %w", err)
	}
	if cfg.Upstream != nil {
		if h.transport, h.base, err = newTransport(cfg); err != nil {
			return nil, fmt.Errorf("proxy: upstream: %w", err)
		}
	}
	return h, nil
}

// ServeHTTP asks, then passes the request on or answers it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.begin(w, r)
	defer x.end()

	d := h.cfg.Decider.Decide(r.Context(), &x.request)
	x.report.Decision = d
	x.takeCookies(d.SetCookies)
	refusal := checkMessage(r)
	switch {
	case d.Action != authproxy.Allow:
		x.render(d)
	case refusal != nil:
		x.refuse(refusal)
	case d.Route == authproxy.RouteReserved:
		x.reserved(d)
	default:
		x.forward()
	}
}

// CloseIdleConnections closes the connections to the upstream that nothing uses.
func (h *Handler) CloseIdleConnections() {
	if h.transport != nil {
		h.transport.CloseIdleConnections()
	}
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return d
}
