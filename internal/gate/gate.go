// Package gate decides: may this request pass, and as whom. [Gate.Decide] is the
// one page of this program that everyone must be able to recite.
//
// It takes a request apart in the order of the contract: is it well formed, is
// the path reserved or public, is the host ours, what credential is presented,
// is it genuine ([session.Verifier]) and acceptable now or can it be renewed
// ([handshake.Step]), may it be used across origins, and what does it assert to
// the upstream.
package gate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/clerk"
	"github.com/manageros/authproxy/internal/handshake"
	"github.com/manageros/authproxy/internal/route"
	"github.com/manageros/authproxy/internal/session"
)

// Access says what a reserved path needs.
type Access int

// The accesses of reserved paths.
const (
	NeedsSession Access = iota // as any protected path
	Open                       // only a host of ours
	Known                      // nobody in particular; but the Decision names who asks, even when the session has just run out
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

	Optional          bool     // nobody may pass as nobody
	AllowAnyone       bool     // no cross-origin rule (AUTHPROXY_CSRF=off)
	KeepAuthorization bool     // the upstream gets the bearer that was the session (AUTHPROXY_PASS_AUTHORIZATION)
	SignInURL         *url.URL // nil: none known
	CacheEntries      int      // verified tokens kept; 0 is 8192

	Renewal Renewal
}

// Renewal says how sessions are renewed.
type Renewal struct {
	// AsClerk follows @clerk/backend to the letter; only tests set it.
	AsClerk bool
	// Instance is whose browsers they are; nil: nobody's, and nothing is renewed.
	Instance *authproxy.Instance
	Clerk    *clerk.Client // the Backend API; nil without a secret key
	// ProxyURL is where the Frontend API is, when it is not on the instance's own
	// host; a path is on the origin of the request. Requests under it pass as they
	// are when it is on an origin of ours.
	ProxyURL      *url.URL
	Satellite     bool // the hosts are of a satellite domain
	AutoSync      bool // which asks the primary on the first visit, too
	Organizations *route.Organizations
}

// Gate is the Decider.
type Gate struct {
	cfg      Config
	hosts    []route.Host // ExtraHosts
	parties  []string     // Origins and Parties, serialised
	verified *session.Cache[verified]
	frontend *route.Table // the Frontend API's paths, when they are on an origin of ours; else nil
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
	// A Frontend API that is a whole host is no path of the application.
	if proxy := cfg.Renewal.ProxyURL; proxy != nil && strings.Trim(proxy.Path, "/") != "" {
		var err error
		if g.frontend, err = route.Parse([]string{strings.TrimRight(proxy.EscapedPath(), "/") + "/*"}); err != nil {
			mistakes = append(mistakes, errors.Join(errors.New("gate: proxy URL "+proxy.String()), err))
		}
	}
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
	case c.isFrontend():
		return c.passAsItIs()
	case r.Preflight():
		return c.preflight()
	case c.decision.Route == authproxy.RoutePublic:
		return c.public(ctx)
	case access == Open:
		return c.open()
	case access == Known:
		return c.known(ctx)
	default:
		return c.protected(ctx)
	}
}

// SignInLocation is the address of the page where the sender of r, which is for
// the public origin at, signs in, or of a page below it, on the way back to
// returnTo. Only for a Gate that knows such a page.
func (g *Gate) SignInLocation(at authproxy.Origin, r *http.Request, below, returnTo string) string {
	devBrowser := g.cfg.Verifier.Find(&authproxy.Request{Header: r.Header, Query: r.URL.RawQuery}).DevBrowser
	return g.signIn(devBrowser).Location(at, below, returnTo)
}

func (g *Gate) signIn(devBrowser string) route.SignIn {
	to := route.SignIn{URL: g.cfg.SignInURL, Satellite: g.cfg.Renewal.Satellite}
	if i := g.cfg.Renewal.Instance; i != nil && !i.Production {
		to.DevBrowser = devBrowser
	}
	return to
}

// protected is the way of every path that needs a session.
func (c *question) protected(ctx context.Context) authproxy.Decision {
	c.present()
	if refusal := c.hostAllowed(c.presented.Source); refusal != nil {
		return c.deny(refusal)
	}
	action := c.authenticate(ctx, c.input())
	c.keepCount(action)
	switch action.Do {
	case handshake.Redirect:
		return c.askClerk(action)
	case handshake.ToCleanURL:
		return c.tidy(action)
	case handshake.Explain:
		return c.explain(action)
	case handshake.SignedOut:
		return c.refuse(action.Refusal)
	default: // signed in: authenticate leaves nothing to be found out
	}
	v := c.accepted(action)
	if refusal := c.crossOrigin(c.decision.Source); refusal != nil {
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

// refuse answers that nobody is signed in.
func (c *question) refuse(refusal *authproxy.Refusal) authproxy.Decision {
	switch {
	case c.passesAnyway(refusal):
		return c.anonymous(refusal)
	case c.mayRedirect(refusal):
		return c.redirect(refusal, "")
	default:
		return c.deny(refusal)
	}
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
func (c *question) passesAnyway(refusal *authproxy.Refusal) bool {
	return c.optional() && c.presented.Source != authproxy.SourceBearer && refusal.Reason != authproxy.KeysUnavailable
}

// mayRedirect reports whether a refusal sends the browser to sign in. Only
// nobody at all is sent, or who Clerk has just said is nobody: an invalid session
// would come back with the same cookie and loop.
func (c *question) mayRedirect(refusal *authproxy.Refusal) bool {
	if !c.request.PageLoad() || c.presented.Malformed != nil {
		return false
	}
	return refusal.Reason == authproxy.SessionTokenMissing ||
		refusal.Reason == authproxy.SessionTokenAndUATMissing && c.presented.Token == ""
}

// pending treats a session with open tasks as signed out (clerk.md, 2.13).
func (c *question) pending(v *verified) authproxy.Decision {
	refusal := authproxy.Refuse(authproxy.SessionPending, "the session of %s has open tasks", v.identity.UserID)
	switch {
	case c.optional():
		return c.anonymous(refusal)
	case c.request.PageLoad():
		return c.redirect(refusal, "/tasks")
	default:
		return c.deny(refusal)
	}
}

// public passes always, and asserts an identity only when nothing at all speaks
// against it.
func (c *question) public(ctx context.Context) authproxy.Decision {
	c.present()
	if refusal := c.hostAllowed(c.presented.Source); refusal != nil {
		return c.anonymous(refusal)
	}
	v, refusal := c.lookOnly(ctx)
	if refusal == nil {
		refusal = c.crossOrigin(c.presented.Source)
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

// lookOnly says whose session is presented, without renewing anything and
// without waiting for a key that may be new: a public path is fast or anonymous.
// The shared refetch is started all the same.
func (c *question) lookOnly(ctx context.Context) (*verified, *authproxy.Refusal) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	in := c.input()
	in.Navigation, in.Returning, in.Tidy, in.BackendAPI, in.MayRefresh = false, false, false, false, true
	action := c.authenticate(ctx, in)
	if action.Do != handshake.SignedIn {
		return nil, action.Refusal
	}
	return c.accepted(action), nil
}

// known passes whoever asks, and says who it is: to sign out one need not be
// freshly signed in.
func (c *question) known(ctx context.Context) authproxy.Decision {
	c.present()
	if refusal := c.hostAllowed(c.presented.Source); refusal != nil {
		return c.deny(refusal)
	}
	v, refusal := c.lookOnly(ctx)
	if v == nil {
		var unknown *authproxy.Refusal
		if v, unknown = c.speaker(ctx); unknown != nil && unknown.Reason == authproxy.KeysUnavailable {
			refusal = unknown
		}
	}
	if refusal == nil {
		refusal = &authproxy.Refusal{}
	}
	d := c.anonymous(refusal)
	if v != nil {
		d.Identity = v.identity
	}
	return d
}

// speaker says whose the token is, although something speaks against its session:
// it ran out less than a day ago, or __client_uat is of another moment. Who signs out
// has to be out at Clerk, in whatever state the browser's cookies are.
func (c *question) speaker(ctx context.Context) (*verified, *authproxy.Refusal) {
	if c.presented.Token == "" {
		return nil, nil
	}
	v, refusal := c.verify(ctx, c.presented.Token, nil)
	if refusal == nil {
		refusal = c.gate.cfg.Verifier.CheckWithin(v.identity, c.parties(), dayOff)
	}
	if refusal != nil {
		return nil, refusal
	}
	return v, nil
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

// isFrontend reports whether the request is for Clerk's Frontend API, which the
// application passes on under a path of ours (CLERK_PROXY_URL).
func (c *question) isFrontend() bool {
	proxy := c.gate.cfg.Renewal.ProxyURL
	return c.gate.frontend != nil && c.ours && (proxy.Host == "" || isOrigin(c.decision.Origin, proxy)) &&
		c.gate.frontend.Match(c.request.Path) == authproxy.RoutePublic
}

// isOrigin reports whether u is on the origin o, scheme included.
func isOrigin(o authproxy.Origin, u *url.URL) bool {
	host, err := route.ParseHost(u.Host)
	return err == nil && u.Scheme == o.Scheme && host.Origin(u.Scheme) == o.Host
}

// passAsItIs is the way of the Frontend API: signing in must not need a session,
// and the credentials are Clerk's to see.
func (c *question) passAsItIs() authproxy.Decision {
	c.decision.Route = authproxy.RoutePublic
	d := c.anonymous(&authproxy.Refusal{})
	d.KeepCredentials = true
	return d
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
