// Package gate decides: may this request pass, and as whom. [Gate.Decide] is the
// one page of this program that everyone must be able to recite.
//
// It takes a request apart in the order of the contract: is it well formed, is
// the path reserved or public, is the host ours, what credential is presented,
// is it genuine ([session.Verifier]) and acceptable now, may it be used across
// origins, and what does it assert to the upstream.
package gate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/route"
	"github.com/manageros/authproxy/internal/session"
)

// Access says what a reserved path needs.
type Access int

// The accesses of reserved paths.
const (
	NeedsSession Access = iota // as any protected path
	Open                       // only a host of ours
)

// Config is what a Gate decides by.
type Config struct {
	Verifier *session.Verifier // required
	// Generation numbers the key set in use; it fails while none can be
	// trusted. Required.
	Generation func() (uint64, error)
	Mapping    *headers.Mapping // required
	Required   []headers.Path   // claims without which a signed-in request is refused
	Routes     *route.Table     // required
	Reserved   map[string]Access

	// Origins are the public origins; empty takes whatever host the request
	// names, which only a development instance may do.
	Origins    []authproxy.Origin
	Parties    []string // serialised origins that may mint and call beside Origins
	ExtraHosts []string // accepted for bearers only

	Development       bool     // a development instance: its browser token is part of the table
	Optional          bool     // nobody may pass as nobody
	AllowAnyone       bool     // no cross-origin rule (AUTHPROXY_CSRF=off)
	KeepAuthorization bool     // the upstream gets the bearer that was the session (AUTHPROXY_PASS_AUTHORIZATION)
	SignInURL         *url.URL // nil: none known
	RenewURL          *url.URL // where a page load with a stale session goes to be renewed; nil: a page says so
	CacheEntries      int      // verified tokens kept; 0 is 8192
}

// Gate is the Decider.
type Gate struct {
	cfg      Config
	hosts    []route.Host // ExtraHosts
	parties  []string     // Origins and Parties, serialised
	verified *session.Cache[verified]
}

// verified is what a genuine token comes to, whatever request carries it.
type verified struct {
	identity *authproxy.Identity
	claims   []authproxy.Claim
	assert   []authproxy.Field
	unfit    *authproxy.Refusal // the claims cannot be passed on
	missing  []string           // of the claims that may be required, those that are not there
}

// New returns a Gate, or all that is wrong with cfg.
func New(cfg Config) (*Gate, error) {
	var mistakes []error
	if cfg.Verifier == nil || cfg.Generation == nil || cfg.Mapping == nil || cfg.Routes == nil {
		mistakes = append(mistakes, errors.New("gate: New: Verifier, Generation, Mapping and Routes are required"))
	}
	if cfg.CacheEntries == 0 {
		cfg.CacheEntries = 8192
	}
	g := &Gate{cfg: cfg, verified: session.NewCache[verified](cfg.CacheEntries)}
	for _, h := range cfg.ExtraHosts {
		host, err := route.ParseHost(h)
		if err != nil {
			mistakes = append(mistakes, errors.Join(errors.New("gate: extra host "+h), err))
		}
		g.hosts = append(g.hosts, host)
	}
	for _, o := range cfg.Origins {
		g.parties = append(g.parties, o.String())
	}
	g.parties = append(g.parties, cfg.Parties...)
	return g, errors.Join(mistakes...)
}

// Decide implements [authproxy.Decider].
func (g *Gate) Decide(ctx context.Context, r *authproxy.Request) authproxy.Decision {
	c := &question{gate: g, request: r}
	c.decision.Source = authproxy.SourceNone
	c.decision.Route = authproxy.RouteDefault

	refusal := c.findHost() // before everything, so that a page of ours can read why it was refused
	if refusal == nil {
		refusal = c.wellFormed()
	}
	if refusal != nil {
		return c.deny(refusal)
	}
	access := NeedsSession
	c.decision.Route = g.cfg.Routes.Match(r.Path)
	if c.decision.Route == authproxy.RouteReserved {
		var known bool
		if access, known = g.cfg.Reserved[r.Path]; !known {
			return c.deny(authproxy.Refuse(authproxy.NotFound, "no such path under %s", route.Prefix))
		}
	}
	switch {
	case r.Preflight():
		return c.preflight()
	case c.decision.Route == authproxy.RoutePublic:
		return c.public(ctx)
	case access == Open:
		return c.open()
	default:
		return c.protected(ctx)
	}
}

// protected is the way of every path that needs a session.
func (c *question) protected(ctx context.Context) authproxy.Decision {
	presented := c.gate.cfg.Verifier.Find(c.request)
	c.decision.Source = presented.Source
	if refusal := c.hostAllowed(presented.Source); refusal != nil {
		return c.deny(refusal)
	}
	v, refusal := c.authenticate(ctx, presented)
	switch {
	case refusal != nil && c.mayRenew(refusal): // in optional authentication, too
		return c.redirect(refusal, c.gate.cfg.RenewURL, "")
	case refusal != nil && c.passesAnyway(presented, refusal):
		return c.anonymous(refusal)
	case refusal != nil && c.mayRedirect(presented, refusal):
		return c.redirect(refusal, c.gate.cfg.SignInURL, "")
	case refusal != nil:
		return c.deny(refusal)
	}
	if refusal := c.crossOrigin(presented.Source); refusal != nil {
		if c.optional() {
			return c.anonymous(refusal)
		}
		c.decision.Identity = v.identity
		return c.deny(refusal)
	}
	if v.identity.Pending() {
		return c.pending(v)
	}
	return c.fit(v)
}

// fit refuses a person whose claims cannot be passed on or do not suffice here.
// The reserved paths ask for no claims: whoami is where one looks for the claim
// that is missing.
func (c *question) fit(v *verified) authproxy.Decision {
	refusal := v.unfit
	if refusal == nil && len(v.missing) > 0 && c.decision.Route == authproxy.RouteDefault {
		refusal = authproxy.Refuse(authproxy.ClaimMissing, "the session of %s has no claim %s", v.identity.UserID, strings.Join(v.missing, ", "))
	}
	if refusal == nil {
		return c.allow(v)
	}
	c.decision.Identity, c.decision.Claims, c.decision.Missing = v.identity, v.claims, v.missing
	return c.deny(refusal)
}

// optional reports whether nobody may pass as nobody here. Reserved paths that
// need a session need it all the same.
func (c *question) optional() bool {
	return c.gate.cfg.Optional && c.decision.Route == authproxy.RouteDefault
}

// passesAnyway reports whether optional authentication lets nobody through
// instead of refusing: an explicit bearer that is wrong is told so, and keys
// that are missing are nobody's fault but ours.
func (c *question) passesAnyway(p session.Presented, refusal *authproxy.Refusal) bool {
	return c.optional() && p.Source != authproxy.SourceBearer && refusal.Reason != authproxy.KeysUnavailable
}

// mayRedirect reports whether a refusal sends the browser to sign in. Only
// nobody at all is sent: an invalid session would come back with the same cookie
// and loop.
func (c *question) mayRedirect(p session.Presented, refusal *authproxy.Refusal) bool {
	return c.request.PageLoad() && p.Token == "" && p.Malformed == nil &&
		(refusal.Reason == authproxy.SessionTokenAndUATMissing || refusal.Reason == authproxy.SessionTokenMissing)
}

// mayRenew reports whether a refusal is one that Clerk answers with a handshake:
// the session is only stale. Where nothing renews it the page says so.
func (c *question) mayRenew(refusal *authproxy.Refusal) bool {
	switch refusal.Reason {
	case authproxy.SessionTokenButNoClientUAT, authproxy.ClientUATButNoSessionToken, authproxy.SessionTokenIATBeforeUAT,
		authproxy.SessionExpiredNoRefresh, authproxy.SessionExpiredNoClient:
		return c.gate.cfg.RenewURL != nil && c.request.PageLoad()
	default:
		return false
	}
}

// pending treats a session with open tasks as signed out (clerk.md, 2.13).
func (c *question) pending(v *verified) authproxy.Decision {
	refusal := authproxy.Refuse(authproxy.SessionPending, "the session of %s has open tasks", v.identity.UserID)
	switch {
	case c.optional():
		return c.anonymous(refusal)
	case c.request.PageLoad():
		return c.redirect(refusal, c.gate.cfg.SignInURL, "/tasks")
	default:
		return c.deny(refusal)
	}
}

// public passes always, and asserts an identity only when nothing at all speaks
// against it.
func (c *question) public(ctx context.Context) authproxy.Decision {
	presented := c.gate.cfg.Verifier.Find(c.request)
	c.decision.Source = presented.Source
	if refusal := c.hostAllowed(presented.Source); refusal != nil {
		return c.anonymous(refusal)
	}
	// Nobody waits here for a key that may be new: a public path is fast or
	// anonymous. The shared refetch is started all the same.
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	v, refusal := c.authenticate(ctx, presented)
	if refusal == nil {
		refusal = c.crossOrigin(presented.Source)
	}
	if refusal == nil && v.identity.Pending() {
		refusal = authproxy.Refuse(authproxy.SessionPending, "the session has open tasks")
	}
	// A missing required claim does not matter here; one that cannot be
	// rendered does.
	if refusal == nil {
		refusal = v.unfit
	}
	if refusal != nil {
		return c.anonymous(refusal)
	}
	return c.allow(v)
}

// preflight lets a CORS preflight through as nobody: it carries no credentials,
// and the application knows its own CORS rules.
func (c *question) preflight() authproxy.Decision {
	if c.decision.Route == authproxy.RoutePublic {
		return c.anonymous(&authproxy.Refusal{})
	}
	if refusal := c.hostAllowed(authproxy.SourceBearer); refusal != nil {
		return c.deny(refusal)
	}
	return c.anonymous(&authproxy.Refusal{})
}

// open is the way of the reserved paths that need no session.
func (c *question) open() authproxy.Decision {
	if refusal := c.hostAllowed(authproxy.SourceNone); refusal != nil {
		return c.deny(refusal)
	}
	return c.anonymous(&authproxy.Refusal{})
}

// wellFormed refuses what no surface may pass on, before anything else is asked.
func (c *question) wellFormed() *authproxy.Refusal {
	switch c.request.Method {
	case http.MethodConnect, http.MethodTrace, "TRACK":
		return authproxy.Refuse(authproxy.MethodNotAllowed, "CONNECT and TRACE are never forwarded")
	}
	if err := route.CheckPath(c.request.Path, c.request.Query); err != nil {
		return &authproxy.Refusal{Reason: authproxy.RequestAmbiguous, Detail: err.Error()}
	}
	return nil
}
