package proxy

import (
	"net/netip"
	"time"

	"github.com/manageros/authproxy"
)

// Exchange is what became of one request: everything a log line and metrics
// want to know, and nothing that must not be shown (no query, no cookie, no
// token).
type Exchange struct {
	Time      time.Time // when the request's head had been read
	RequestID string    // what the upstream and the answer carry as X-Request-Id
	TraceID   string    // of a valid traceparent; "" without one

	Method   string // as received: an unbounded set
	Host     string // the effective host, as received
	Path     string // in its original text, without the query
	Protocol string // "HTTP/1.1", "HTTP/2.0"
	ClientIP netip.Addr

	// Decision is what was decided; zero when the request was refused before
	// anybody was asked.
	Decision authproxy.Decision
	// Reason is why the answer is what it is: a failure's, else the
	// decision's. It is empty when nothing is worth saying.
	Reason authproxy.Reason
	Detail string // what was seen, what was expected; for the person who mends it
	Err    error  // what lies behind a failure; may be nil
	Panic  []byte // the stack, when the failure is a panic of ours

	// Status is what was sent; authproxy.StatusClientClosed when the client was
	// gone before anything could be.
	Status   int
	Upgraded bool // became a tunnel
	// Cut says that the answer was broken off behind its head; Reason says
	// whose fault it was.
	Cut bool

	BytesIn  int64 // of the request's body, and of what came through the tunnel
	BytesOut int64 // of the answer's body, and of what went through the tunnel

	Duration time.Duration
	// UpstreamDuration is the time until the upstream's response head was
	// there, or until it was given up; zero when it was not asked.
	UpstreamDuration time.Duration

	Stripped []string // the kinds of headers that were kept from the upstream
}

// The results of judging a request.
const (
	ResultAuthenticated = "authenticated" // passes with an identity
	ResultAnonymous     = "anonymous"     // passes as nobody
	ResultRefused       = "refused"
	ResultRedirected    = "redirected" // to sign in, or to renew the session
)

// Result is the outcome of the decision, of the closed set above. A failure
// behind an Allow does not change it.
func (e *Exchange) Result() string {
	switch e.Decision.Action {
	case authproxy.Allow:
		if e.Decision.SignedIn() {
			return ResultAuthenticated
		}
		return ResultAnonymous
	case authproxy.Redirect, authproxy.Handshake:
		return ResultRedirected
	default:
		return ResultRefused
	}
}

// Route is the route of the decision, RouteDefault when there was none.
func (e *Exchange) Route() authproxy.Route {
	if e.Decision.Route == "" {
		return authproxy.RouteDefault
	}
	return e.Decision.Route
}

// Source says where the credential was, SourceNone when nobody was asked.
func (e *Exchange) Source() authproxy.Source {
	if e.Decision.Source == "" {
		return authproxy.SourceNone
	}
	return e.Decision.Source
}

// UserID is the sub of the session; "" for nobody.
func (e *Exchange) UserID() string {
	if id := e.Decision.Identity; id != nil {
		return id.UserID
	}
	return ""
}

// ActorID is who impersonates the user; "" for nobody.
func (e *Exchange) ActorID() string {
	if id := e.Decision.Identity; id != nil && id.Actor != nil {
		return id.Actor.UserID
	}
	return ""
}

// OrganizationID is the mapped claim organizationId as its header carries it.
func (e *Exchange) OrganizationID() string {
	for _, c := range e.Decision.Claims {
		if c.Path == "organizationId" {
			return c.Value
		}
	}
	return ""
}
