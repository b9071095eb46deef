package authproxy

import (
	"context"
	"slices"
	"time"
)

// Decider answers the one question of this program. Implementations are safe
// for concurrent use and never change the Request.
type Decider interface {
	Decide(ctx context.Context, r *Request) Decision
}

// Action is what a surface does with a request.
type Action int

// The actions. The zero Action denies, so that a forgotten field fails closed.
const (
	Deny      Action = iota // answer with the Reason's row
	Allow                   // forward, with Assert as the only identity headers
	Redirect                // send the browser to Location, to sign in (302)
	Handshake               // send the browser to Location, to renew the session or back from there (307)
)

// Route is the class of a path, the closed set behind the metric label.
type Route string

// The routes that exist without a routes file.
const (
	RouteDefault  Route = "default"  // a session is needed
	RoutePublic   Route = "public"   // passes without a session; an identity is asserted when there is one
	RouteReserved Route = "reserved" // answered by the proxy itself, never forwarded
)

// Source says where the credential that was judged came from.
type Source string

// The sources of a credential.
const (
	SourceNone   Source = "none"
	SourceCookie Source = "cookie"
	SourceBearer Source = "bearer"
)

// Origin is a scheme and a host, as a browser compares them.
type Origin struct {
	Scheme string // "http" or "https"
	Host   string // lower case; with the port unless it is the scheme's own
}

// String returns the serialised origin, "https://app.example.com".
func (o Origin) String() string { return o.Scheme + "://" + o.Host }

// Field is one header field that is set on the request to the upstream.
type Field struct {
	Name  string // canonical spelling
	Value string // visible ASCII and inner spaces only
}

// Claim is one mapped claim of a signed-in request and the header it became.
type Claim struct {
	Path   string // as the mapping writes it; the first alternative when none has a value
	Header string
	Value  string // as the header carries it; "" when Source is ClaimAbsent
	Source ClaimSource
}

// ClaimSource says where a claim's value came from.
type ClaimSource string

// The sources of a claim.
const (
	ClaimFromToken   ClaimSource = "token"
	ClaimFromDefault ClaimSource = "default"
	ClaimAbsent      ClaimSource = "absent"
)

// Decision is what was decided about one Request: a value, complete in itself,
// that a surface only renders. The zero Decision denies.
type Decision struct {
	Action Action
	// Reason is why. It is empty when a session was accepted and nothing is
	// worth saying; an anonymous Allow keeps the reason nobody was signed in.
	Reason Reason
	// Detail says what was seen and what was expected, for the person who has
	// to mend it. It never holds a token or any other secret.
	Detail string
	// Cause is for the log line only.
	Cause error

	Route  Route
	Source Source // of the credential that was judged

	// Identity is who asks; nil is nobody, which the upstream is told too.
	Identity *Identity
	// Assert holds every identity header the upstream gets, X-Auth-Status
	// among them. Set only with Allow.
	Assert []Field
	// Claims lists the mapped claims of a signed-in request in mapping order.
	Claims []Claim

	// Missing names the required claims that the identity lacks.
	Missing []string
	// Token is what judging the credential took.
	Token TokenFacts

	// Location is where a Redirect or a Handshake sends the browser.
	Location string
	// SetCookies are Set-Cookie lines for the answer, whatever it is and whoever
	// makes it: the session was renewed on the way. Such an answer is for one
	// person alone, and the upstream is told of the session in them.
	SetCookies []string
	// Renewals are what was done about a session that was not fresh, in order.
	Renewals []Renewal
	// RetryAfter is when a Deny for want of something is worth another try;
	// zero says nothing.
	RetryAfter time.Duration

	// Origin is the public origin of the request; zero when its host is none
	// of ours.
	Origin Origin
	// TrustedOrigin is the request's Origin header when it is one of ours, for
	// the CORS headers of an answer of our own; else "".
	TrustedOrigin string
	// DropAuthorization says that the Authorization header was the session and
	// must not reach the upstream.
	DropAuthorization bool
	// KeepCredentials says that Clerk's cookies and the Authorization header go
	// upstream as they came: the path is that of Clerk's own Frontend API.
	KeepCredentials bool
}

// Renewal is one thing done about a session that was not fresh.
type Renewal struct {
	Reason  Reason // why; "" when a session came back and nobody knows any more
	Outcome RenewalOutcome
}

// RenewalOutcome is how far a renewal came, a closed set for a metric label.
type RenewalOutcome string

// The outcomes of a renewal.
const (
	RenewalStarted   RenewalOutcome = "started"   // a handshake began
	RenewalReturned  RenewalOutcome = "returned"  // one came back with a session, or with the news that there is none
	RenewalFailed    RenewalOutcome = "failed"    // one came back with nothing that could be used
	RenewalStopped   RenewalOutcome = "stopped"   // too many in a row
	RenewalRefreshed RenewalOutcome = "refreshed" // no redirect was needed
)

// TokenFacts are for metrics and log lines.
type TokenFacts struct {
	Bytes  int           // length of the token; 0 when none was presented
	Looked bool          // the verified tokens were consulted
	Cached bool          // and it was among them
	Verify time.Duration // how long verifying took when it was not
}

// Stopped reports whether renewing was given up, so that only a person can begin
// anew.
func (d Decision) Stopped() bool {
	return slices.ContainsFunc(d.Renewals, func(r Renewal) bool { return r.Outcome == RenewalStopped })
}

// SignedIn reports whether the request passes with an identity.
func (d Decision) SignedIn() bool { return d.Action == Allow && d.Identity != nil }
