package gate

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/handshake"
	"github.com/manageros/authproxy/internal/session"
)

// dayOff is the clock skew that a development instance is forgiven on the way
// back from a handshake, as Clerk's SDK does: the answer is a redirect, so no
// upstream ever hears of the session.
const dayOff = 24 * time.Hour

// present finds what the request brings along.
func (c *question) present() {
	c.presented = c.gate.cfg.Verifier.Find(c.request)
	c.decision.Source = c.presented.Source
}

// input is what [handshake.Step] has to know of the request.
func (c *question) input() handshake.Input {
	r, p, how := c.request, &c.presented, &c.gate.cfg.Renewal
	in := handshake.Input{
		AsClerk: how.AsClerk, Satellite: how.Satellite, AutoSync: how.AutoSync,
		GET: r.Method == "GET", Document: r.Header.Get("Sec-Fetch-Dest") == "document",
		MayRefresh: how.AsClerk || r.SafeMethod() || c.sameOrigin(),
		Count:      p.Count,
		Bearer:     p.Source == authproxy.SourceBearer, Token: p.Token != "", ClientUAT: p.ClientUAT,
		DevBrowser: p.DevBrowser != "", DevBrowserInQuery: p.DevBrowserInQuery, Synced: p.Synced,
		RefreshToken: p.RefreshToken != "", BackendAPI: how.Clerk != nil,
	}
	if how.Instance == nil {
		return in
	}
	in.Development = !how.Instance.Production
	in.Navigation = r.PageLoad() && (how.AsClerk || !speculative(r))
	in.RedirectURLInQuery = p.RedirectURL != "" && c.mayFollow(p.RedirectURL)
	in.Returning = (p.Nonce != "" || p.Handshake != "") && (in.Navigation || how.AsClerk)
	in.Tidy = p.CountInQuery && p.Counted && in.Navigation
	in.CrossOriginReferer = handshake.ForeignReferer(r.Header.Get("Referer"), c.decision.Origin, *how.Instance, c.frontend())
	return in
}

// speculative reports whether the browser loads a page that nobody asked for yet:
// no reason to send it around the world.
func speculative(r *authproxy.Request) bool {
	return strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch")
}

// authenticate finds out what Clerk's state machine wants to know, until it ends.
func (c *question) authenticate(ctx context.Context, in handshake.Input) handshake.Action {
	if c.presented.Malformed != nil {
		c.facts = in
		return handshake.Action{Do: handshake.SignedOut, Refusal: c.presented.Malformed}
	}
	for {
		action := handshake.Step(&in)
		switch action.Do {
		case handshake.OpenPayload:
			in.Payload = c.openPayload(ctx)
		case handshake.VerifyPayload:
			in.Returned = &handshake.Verdict{Refusal: c.verifyPayload(ctx, in.Development)}
		case handshake.VerifyToken:
			in.Verdict = c.judge(ctx)
			in.OrganizationMismatch = c.otherOrganization()
		case handshake.RefreshToken:
			in.Refreshed = &handshake.Refreshed{Refusal: c.refresh(ctx)}
		default:
			c.facts = in
			return action
		}
	}
}

// accepted is whose session an action signs in.
func (c *question) accepted(action handshake.Action) *verified {
	switch action.Session {
	case handshake.InPayload:
		c.decision.Source = authproxy.SourceCookie
		c.renewed(c.payload, "", authproxy.RenewalReturned)
		return c.returned
	case handshake.InRefresh:
		c.renewed(c.fresh, authproxy.TokenExpired, authproxy.RenewalRefreshed)
		return c.refreshed
	default:
		return c.token
	}
}

// judge decides about the token that was presented.
func (c *question) judge(ctx context.Context) *handshake.Verdict {
	v, refusal := c.genuine(ctx)
	if refusal != nil {
		return &handshake.Verdict{Refusal: refusal}
	}
	return &handshake.Verdict{Pending: v.identity.Pending()}
}

// genuine verifies the token, or finds that it was verified before, and then
// applies everything that depends on the request and the clock.
func (c *question) genuine(ctx context.Context) (*verified, *authproxy.Refusal) {
	p := &c.presented
	c.decision.Token.Bytes = len(p.Token)
	v, refusal := c.verify(ctx, p.Token, c.beforeSignature)
	if refusal != nil {
		return nil, refusal
	}
	c.token, c.genuineBearer = v, p.Source == authproxy.SourceBearer
	if p.Source == authproxy.SourceCookie && !v.identity.IssuedAt.IsZero() && v.identity.IssuedAt.Unix() < p.ClientUAT {
		return nil, olderThanUAT() // row 12, for a token that was in the cache
	}
	if refusal := c.gate.cfg.Verifier.Check(v.identity, c.parties()); refusal != nil {
		return nil, refusal
	}
	return v, nil
}

// verify returns what the token's signature covers. One that Clerk made just now
// has nothing that is asked before. Only success is cached: a
// refusal may be mended by the next key set, and an attacker has as many wrong
// tokens as he likes.
func (c *question) verify(ctx context.Context, token string, before func() *authproxy.Refusal) (*verified, *authproxy.Refusal) {
	facts := &c.decision.Token
	generation, err := c.gate.cfg.Generation()
	verifier, key := c.gate.cfg.Verifier.Verify, session.FingerprintOf(token, generation)
	if before == nil {
		verifier = c.gate.cfg.Verifier.VerifyMade
		if c.gate.cfg.Renewal.AsClerk { // asks less of such a token than of one that is presented
			key = session.FingerprintOf("made "+token, generation)
		}
	}
	if err == nil {
		facts.Looked = true
		if v, ok := c.gate.verified.Get(key); ok {
			facts.Cached = true
			return &v, nil
		}
	}
	if before != nil {
		if refusal := before(); refusal != nil {
			return nil, refusal
		}
	}
	started := time.Now()
	id, refusal := verifier(ctx, token)
	facts.Verify = time.Since(started)
	if refusal != nil {
		return nil, refusal
	}
	v := c.gate.render(id)
	// The key set may have changed while this token was verified; what was
	// verified with one set is never filed under another.
	if now, err := c.gate.cfg.Generation(); err == nil && now == generation {
		c.gate.verified.Add(key, v)
	}
	return &v, nil
}

// beforeSignature is what Clerk decides on the unverified token of a cookie
// (rows 10 to 12): the shape, the class, and whether it is older than the last
// change the browser knows of.
func (c *question) beforeSignature() *authproxy.Refusal {
	p := &c.presented
	if p.Source != authproxy.SourceCookie {
		return nil
	}
	token, refusal := c.gate.cfg.Verifier.Inspect(p.Token)
	switch {
	case refusal != nil:
		return refusal
	case !token.Session:
		return authproxy.Refuse(authproxy.TokenTypeMismatch, "the cookie holds a token of another class")
	case token.HasIssuedAt && token.IssuedAt < p.ClientUAT:
		return olderThanUAT()
	}
	return nil
}

func olderThanUAT() *authproxy.Refusal {
	return authproxy.Refuse(authproxy.SessionTokenIATBeforeUAT, "the session token is older than __client_uat")
}

// render turns an identity into what the upstream is told, once per token.
func (g *Gate) render(id *authproxy.Identity) verified {
	v := verified{identity: id}
	var err error
	if v.claims, err = g.cfg.Mapping.Render(id.Claims); err == nil {
		v.assert, err = g.cfg.Mapping.Assert(id, v.claims)
	}
	if err != nil {
		v.unfit = asRefusal(err)
		return v
	}
	for _, path := range g.cfg.Required {
		if _, ok := path.Value(id.Claims); !ok {
			v.missing = append(v.missing, path.String())
		}
	}
	return v
}

func asRefusal(err error) *authproxy.Refusal {
	var refusal *authproxy.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return &authproxy.Refusal{Reason: authproxy.InternalError, Detail: "the claims could not be rendered", Cause: err}
}
