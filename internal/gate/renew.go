package gate

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/clerk"
	"github.com/manageros/authproxy/internal/handshake"
	"github.com/manageros/authproxy/internal/route"
	"github.com/manageros/authproxy/internal/session"
)

// frontend is the base URL of Clerk's Frontend API for this request.
func (c *question) frontend() string {
	how := &c.gate.cfg.Renewal
	return how.Instance.FrontendURL(how.ProxyURL, c.decision.Origin)
}

func (c *question) address() handshake.Address {
	return handshake.Address{Origin: c.decision.Origin, Path: c.request.Path, Query: c.request.Query}
}

func (c *question) secure() bool { return c.decision.Origin.Scheme == "https" }

// openPayload fetches or verifies what a handshake brought. Clerk's SDK looks at
// the nonce only when there is one, and at the first cookie of a name. Either may be
// of another application of the domain, so here the others count when it is no good.
func (c *question) openPayload(ctx context.Context) (p *handshake.Payload) {
	for _, b := range c.brought() {
		p = c.openOne(ctx, b)
		if p.Refusal == nil || p.Refusal.Reason == authproxy.KeysUnavailable {
			break
		}
	}
	if p.Refusal != nil {
		c.note(p.Refusal.Reason, authproxy.RenewalFailed)
	}
	return p
}

// brought is what to open, in order; never nothing.
func (c *question) brought() []session.Brought {
	p := &c.presented
	first := []session.Brought{{Nonce: true, Value: p.Nonce}, {Value: p.Handshake}}
	if p.Nonce == "" {
		first = first[1:]
	}
	switch {
	case c.gate.cfg.Renewal.AsClerk:
		return first[:1]
	case p.Handshake == "":
		first = first[:1]
	}
	for _, b := range p.More {
		if b.Value != "" {
			first = append(first, b)
		}
	}
	return first
}

// openOne fetches or verifies one of them.
func (c *question) openOne(ctx context.Context, b session.Brought) *handshake.Payload {
	how := &c.gate.cfg.Renewal
	p := &handshake.Payload{Token: !b.Nonce}
	var lines []string
	switch {
	case p.Token:
		lines, p.Refusal = c.gate.cfg.Verifier.Handshake(ctx, b.Value)
	case how.Clerk == nil:
		p.Refusal = authproxy.Refuse(authproxy.SessionTokenMissing, "there is a handshake's nonce, but no CLERK_SECRET_KEY to look it up with")
	default:
		var err error
		if lines, err = how.Clerk.HandshakePayload(ctx, b.Value, c.request.ClientIP); err != nil && !how.AsClerk {
			p.Refusal = &authproxy.Refusal{Reason: authproxy.SessionTokenMissing, Detail: "the handshake's nonce: " + codeOf(err), Cause: err}
		}
	}
	if p.Refusal == nil {
		c.payload = c.jar().Read(lines)
		if len(c.payload.SetCookies) == 0 && !how.AsClerk {
			p.Refusal = authproxy.Refuse(authproxy.SessionTokenMissing, "the handshake brought nothing")
		}
	}
	p.Session = c.payload.Session != ""
	return p
}

func (c *question) jar() handshake.Jar {
	how := &c.gate.cfg.Renewal
	return handshake.Jar{AsClerk: how.AsClerk, Instance: *how.Instance, Origin: c.decision.Origin}
}

// verifyPayload decides about the session in a handshake's payload.
func (c *question) verifyPayload(ctx context.Context, development bool) *authproxy.Refusal {
	v, refusal := c.verify(ctx, c.payload.Session, nil)
	if refusal != nil {
		return refusal
	}
	c.returned = v
	refusal = c.gate.cfg.Verifier.Check(v.identity, c.parties())
	if refusal != nil && development && ofTime(refusal) {
		return c.gate.cfg.Verifier.CheckWithin(v.identity, c.parties(), dayOff)
	}
	return refusal
}

func ofTime(r *authproxy.Refusal) bool {
	return slices.Contains([]authproxy.Reason{authproxy.TokenExpired, authproxy.TokenNotActiveYet, authproxy.TokenIATInTheFuture}, r.Reason)
}

// refresh asks Clerk for a fresh token in the place of the expired one. Nil: it is
// there.
func (c *question) refresh(ctx context.Context) *authproxy.Refusal {
	old, token, id := c.token.identity, c.presented.Token, c.token.identity.SessionID
	if c.gate.cfg.Renewal.AsClerk && c.presented.Cookie != "" { // whatever it is that expired
		token = c.presented.Cookie
		cookie, refusal := c.gate.cfg.Verifier.Inspect(token)
		if refusal != nil && refusal.Reason == authproxy.TokenInvalid {
			return &authproxy.Refusal{Reason: authproxy.RefreshReason("expired-session-token-decode-failed")}
		}
		id = cookie.SessionID
	}
	lines, err := c.gate.cfg.Renewal.Clerk.Refresh(ctx, clerk.Refresh{
		SessionID: id, ExpiredToken: token, RefreshToken: c.presented.RefreshToken,
		Origin: c.decision.Origin.String(), Suffixed: c.presented.Suffixed, Header: c.request.Header, ClientIP: c.request.ClientIP,
	})
	if err != nil {
		return &authproxy.Refusal{Reason: authproxy.RefreshReason(codeOf(err)), Detail: "the token expired and was not refreshed: " + codeOf(err), Cause: err}
	}
	c.fresh = c.jar().Read(lines)
	v, refusal := c.verify(ctx, c.fresh.Session, nil)
	if refusal == nil {
		refusal = c.gate.cfg.Verifier.Check(v.identity, c.parties())
	}
	if refusal == nil && !c.gate.cfg.Renewal.AsClerk && (v.identity.UserID != old.UserID || v.identity.SessionID != old.SessionID || actorOf(v.identity) != actorOf(old)) {
		refusal = authproxy.Refuse(authproxy.TokenInvalid, "the fresh token is of another session")
	}
	if refusal != nil {
		return &authproxy.Refusal{Reason: authproxy.SessionExpiredInvalid, Detail: "the fresh token: " + refusal.Error(), Cause: refusal}
	}
	c.refreshed = v
	return nil
}

// actorOf is who impersonates; "" is nobody.
func actorOf(id *authproxy.Identity) string {
	if id.Actor == nil {
		return ""
	}
	return id.Actor.UserID
}

// codeOf is what Clerk's Backend API calls an error of it.
func codeOf(err error) string {
	var e *clerk.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "fetch-error"
}

// renewed notes the cookies of a session that was renewed, or is over.
func (c *question) renewed(d handshake.Directives, reason authproxy.Reason, outcome authproxy.RenewalOutcome) {
	c.decision.SetCookies = append(c.decision.SetCookies, d.SetCookies...)
	c.note(reason, outcome)
}

func (c *question) note(reason authproxy.Reason, outcome authproxy.RenewalOutcome) {
	c.decision.Renewals = append(c.decision.Renewals, authproxy.Renewal{Reason: reason, Outcome: outcome})
}

// keepCount takes the count of handshakes away when a page load comes to an end.
func (c *question) keepCount(action handshake.Action) {
	over := action.Do == handshake.SignedIn || action.Do == handshake.SignedOut || action.Do == handshake.Explain
	if over && c.facts.Navigation && c.presented.Counted && !c.facts.AsClerk {
		c.decision.SetCookies = append(c.decision.SetCookies, handshake.Counter(-1, c.secure(), false))
	}
	if action.Do == handshake.SignedOut && action.Session == handshake.InPayload {
		c.renewed(c.payload, action.Refusal.Reason, authproxy.RenewalReturned)
	}
}

// askClerk sends the browser to have its session renewed.
func (c *question) askClerk(action handshake.Action) authproxy.Decision {
	how := &c.gate.cfg.Renewal
	count := c.presented.Count + 1
	c.note(action.Refusal.Reason, authproxy.RenewalStarted)
	d := c.deny(action.Refusal)
	d.Action = authproxy.Handshake
	d.Location = c.way(action.Refusal.Reason, count)
	switch {
	case how.AsClerk:
		d.SetCookies = append(d.SetCookies, handshake.Counter(count, false, true))
	case !c.presented.Counted:
		d.SetCookies = append(d.SetCookies, handshake.Counter(0, c.secure(), false))
	}
	return d
}

// longestOrganization bounds what a path puts into the address as an organisation's
// id or slug, in bytes; Clerk's are far shorter.
const longestOrganization = 256

// way is where a session with this flaw is renewed.
func (c *question) way(reason authproxy.Reason, count int) string {
	how, back := &c.gate.cfg.Renewal, c.address()
	switch {
	case reason == authproxy.SatelliteNeedsSyncing && !how.Instance.Production:
		to := *c.gate.cfg.SignInURL // the configuration makes sure of it
		if how.AsClerk {
			return withParameters(to, "__clerk_redirect_url", back.String())
		}
		return withParameters(to, "__clerk_redirect_url", back.Clean(count))
	case reason == authproxy.PrimaryRespondsToSyncing:
		if to, err := url.Parse(c.presented.RedirectURL); err == nil {
			query := to.Query()
			query.Del("__clerk_synced")
			to.RawQuery = query.Encode()
			if c.presented.DevBrowser != "" {
				return withParameters(*to, "__clerk_db_jwt", c.presented.DevBrowser, "__clerk_synced", "true")
			}
			return withParameters(*to, "__clerk_synced", "true")
		}
	}
	token := c.presented.Token
	if how.AsClerk && c.presented.Cookie != "" {
		token = c.presented.Cookie
	}
	way := handshake.Way{
		AsClerk: how.AsClerk, Frontend: c.frontend(), Back: back, Suffixed: c.presented.Suffixed, Reason: reason,
		Development: !how.Instance.Production, Token: token, DevBrowser: c.presented.DevBrowser,
		Nonce: how.AsClerk || how.Clerk != nil && how.Clerk.NoncesWork(c.request.ClientIP), Count: count,
	}
	if target, ok := how.Organizations.Target(c.request.Path); ok {
		if id := target.Query(); len(id) <= longestOrganization || how.AsClerk {
			way.Organization = &id
		}
	}
	return way.URL()
}

func withParameters(to url.URL, pairs ...string) string {
	query := to.Query()
	for pair := range slices.Chunk(pairs, 2) {
		query.Add(pair[0], pair[1])
	}
	to.RawQuery = query.Encode()
	return to.String()
}

// tidy ends a handshake: the cookies are set, and the browser comes again by the
// address that the person knows. Where it does not seem to keep cookies the
// address goes on counting. A payload that came in the address, in development, says
// nothing of cookies: there the address forgets once the next request shows them.
func (c *question) tidy(action handshake.Action) authproxy.Decision {
	if action.Session == handshake.InPayload {
		c.renewed(c.payload, reasonOf(action.Refusal), authproxy.RenewalReturned)
	}
	d := c.decision
	d.Action = authproxy.Handshake
	count, address := c.presented.Count, c.address()
	if c.facts.Satellite && !c.facts.AsClerk {
		address = address.Synchronised()
	}
	switch {
	case c.facts.AsClerk:
		d.Location = address.String("__clerk_handshake", "__clerk_help", "__clerk_db_jwt", "__clerk_handshake_nonce")
	case c.presented.Counted && (!c.facts.Development || action.Session != handshake.InPayload):
		d.Location = address.Clean(0)
		if count > 0 { // else what was not to be had would be asked for again, and again
			d.SetCookies = append(d.SetCookies, handshake.Counter(count, c.secure(), false))
		}
	default:
		d.Location = address.Clean(count)
	}
	return d
}

func reasonOf(r *authproxy.Refusal) authproxy.Reason {
	if r == nil {
		return ""
	}
	return r.Reason
}

// explain ends a chain of handshakes that leads nowhere.
func (c *question) explain(action handshake.Action) authproxy.Decision {
	refusal := *action.Refusal
	c.note(refusal.Reason, authproxy.RenewalStopped)
	if c.passesAnyway(&refusal) {
		return c.anonymous(&refusal)
	}
	refusal.Detail = handshake.Cause(&c.facts, refusal.Reason)
	return c.deny(&refusal)
}

// otherOrganization reports whether the path is of another organisation than the
// session.
func (c *question) otherOrganization() bool {
	if c.token == nil {
		return false
	}
	target, ok := c.gate.cfg.Renewal.Organizations.Target(c.request.Path)
	return ok && target.Differs(c.token.identity.Organization)
}

// mayFollow reports whether a satellite may be answered at an address that came in
// the query. Clerk's SDK answers at any; ours at a public origin or an authorized
// party, because the answer holds the development browser's token.
func (c *question) mayFollow(raw string) bool {
	to, err := url.Parse(raw)
	if err != nil || to.Host == "" || to.User != nil {
		return false
	}
	if c.gate.cfg.Renewal.AsClerk {
		return true
	}
	host, err := route.ParseHost(to.Host)
	if err != nil || to.Scheme != "https" && to.Scheme != "http" {
		return false
	}
	return c.trusted(authproxy.Origin{Scheme: to.Scheme, Host: host.Origin(to.Scheme)}.String())
}
