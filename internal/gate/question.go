package gate

import (
	"net/http"
	"slices"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/handshake"
	"github.com/manageros/authproxy/internal/route"
	"github.com/manageros/authproxy/internal/session"
)

// question is one request on its way through the gate, with what is known so
// far. It lives for one Decide.
type question struct {
	gate     *Gate
	request  *authproxy.Request
	host     route.Host
	decision authproxy.Decision

	ours          bool // the host is that of a public origin
	genuineBearer bool // the Authorization header holds a session of ours

	presented session.Presented
	facts     handshake.Input // all that was found out
	token     *verified       // the token presented, when it is genuine
	payload   handshake.Directives
	returned  *verified // the session in the payload
	fresh     handshake.Directives
	refreshed *verified // the session in fresh
}

// findHost reads the host and finds the request's public origin.
func (c *question) findHost() *authproxy.Refusal {
	var err error
	if c.host, err = route.ParseHost(c.request.Host); err != nil {
		return &authproxy.Refusal{Reason: authproxy.RequestAmbiguous, Detail: err.Error()}
	}
	c.findOrigin()
	return nil
}

// findOrigin names the public origin of the request: the entry whose host and
// port match, with that entry's scheme whatever the peer says. Only a host that
// is listed with both schemes leaves the choice to the request.
func (c *question) findOrigin() {
	if len(c.gate.cfg.Origins) == 0 {
		c.ours = true
		c.decision.Origin = authproxy.Origin{Scheme: c.request.Scheme, Host: c.host.Origin(c.request.Scheme)}
	}
	for _, o := range c.gate.cfg.Origins {
		if c.host.Is(o.Scheme, o.Host) && (!c.ours || o.Scheme == c.request.Scheme) {
			c.ours, c.decision.Origin = true, o
		}
	}
	if origin := c.request.Header.Get("Origin"); c.trusted(origin) {
		c.decision.TrustedOrigin = origin
	}
}

// parties are the origins whose pages may have asked Clerk for the token.
func (c *question) parties() []string {
	if len(c.gate.cfg.Origins) > 0 {
		return c.gate.parties
	}
	return append([]string{c.decision.Origin.String()}, c.gate.parties...)
}

func (c *question) trusted(origin string) bool {
	return origin != "" && slices.Contains(c.parties(), origin)
}

// hostAllowed refuses a host that is not ours, so that a name an attacker points
// at us gets nothing. Bearers may come by an extra host.
func (c *question) hostAllowed(source authproxy.Source) *authproxy.Refusal {
	if c.ours || (source == authproxy.SourceBearer && slices.ContainsFunc(c.gate.hosts, c.host.Same)) {
		return nil
	}
	return authproxy.Refuse(authproxy.HostNotAllowed, "the host %q is none of the public origins", c.host)
}

// sameOrigin reports whether the browser says that a page of ours made it send
// the request.
func (c *question) sameOrigin() bool {
	sites, origins := c.request.Header.Values("Sec-Fetch-Site"), c.request.Header.Values("Origin")
	switch {
	case len(sites) > 1 || len(origins) > 1:
		return false
	case len(sites) == 1:
		return sites[0] == "same-origin"
	default:
		return len(origins) == 1 && c.ours && origins[0] == c.decision.Origin.String()
	}
}

// crossOrigin keeps other sites from using a person's cookie for anything but
// looking (contract, section 6). Cookies are sent whoever asks; a bearer is not.
func (c *question) crossOrigin(source authproxy.Source) *authproxy.Refusal {
	if c.gate.cfg.AllowAnyone || source != authproxy.SourceCookie || c.request.SafeMethod() {
		return nil
	}
	sites, origins := c.request.Header.Values("Sec-Fetch-Site"), c.request.Header.Values("Origin")
	switch {
	case len(sites) > 1 || len(origins) > 1:
		return authproxy.Refuse(authproxy.CrossOrigin, "more than one Sec-Fetch-Site or Origin header")
	case len(sites) == 1 && (sites[0] == "same-origin" || sites[0] == "none"):
		return nil
	case len(origins) == 1 && c.trusted(origins[0]):
		return nil
	case len(sites) == 0 && len(origins) == 0:
		return nil // not a browser, or one from before 2020 that sends no Origin on a form
	}
	return authproxy.Refuse(authproxy.CrossOrigin, "%.20s with a session cookie, Sec-Fetch-Site %.20q, Origin %.100q; expected from %s",
		c.request.Method, c.request.Header.Get("Sec-Fetch-Site"), c.request.Header.Get("Origin"), c.decision.Origin)
}

// allow passes the request as the person the token speaks for.
func (c *question) allow(v *verified) authproxy.Decision {
	d := c.decision
	d.Action, d.Identity = authproxy.Allow, v.identity
	d.Assert, d.Claims, d.Missing = v.assert, v.claims, v.missing
	d.DropAuthorization = c.genuineBearer && !c.gate.cfg.KeepAuthorization
	return d
}

// anonymous passes the request as nobody, and keeps why.
func (c *question) anonymous(why *authproxy.Refusal) authproxy.Decision {
	d := c.decision
	d.Action, d.Reason, d.Detail, d.Cause = authproxy.Allow, why.Reason, why.Detail, why.Cause
	d.Assert = headers.Anonymous()
	// A bearer that is no session of ours may be the application's own and passes;
	// a genuine one that may not be used here is still a credential of Clerk's.
	d.DropAuthorization = c.genuineBearer && !c.gate.cfg.KeepAuthorization
	return d
}

// deny answers with the reason's row.
func (c *question) deny(why *authproxy.Refusal) authproxy.Decision {
	d := c.decision
	d.Action, d.Reason, d.Detail, d.Cause = authproxy.Deny, why.Reason, why.Detail, why.Cause
	if why.Reason.Status() == http.StatusServiceUnavailable {
		d.RetryAfter = 5 * time.Second
	}
	return d
}

// redirect sends the browser to a page that signs in, or below it, and back.
// Where nobody knows such a page, ours says so instead.
func (c *question) redirect(why *authproxy.Refusal, below string) authproxy.Decision {
	d := c.deny(why)
	if c.gate.cfg.SignInURL == nil {
		return d
	}
	d.Action = authproxy.Redirect
	d.Location = c.gate.signIn(c.presented.DevBrowser).Location(c.decision.Origin, below, c.returnURL())
	return d
}

// longestReturn bounds the Location header; a longer way back is forgotten
// rather than cut.
const longestReturn = 4096

// returnURL is the request's own URL on its public origin, without what Clerk
// puts into queries: those are credentials, and a redirect is no place for them.
func (c *question) returnURL() string {
	target := c.request.Path
	if query := route.WithoutClerk(c.request.Query); query != "" {
		target += "?" + query
	}
	if len(target) > longestReturn {
		target = "/"
	}
	return c.decision.Origin.String() + target
}
