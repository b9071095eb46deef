package gate

import (
	"context"
	"errors"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/session"
)

// authenticate says whose session the presented credential is, or in Clerk's
// words why it is nobody's (clerk.md, 2.2 to 2.7).
func (c *question) authenticate(ctx context.Context, p session.Presented) (*verified, *authproxy.Refusal) {
	if p.Malformed != nil {
		return nil, p.Malformed
	}
	if p.Source == authproxy.SourceBearer {
		return c.genuine(ctx, p)
	}
	if refusal := c.signedOut(p); refusal != nil {
		return nil, refusal
	}
	return c.genuine(ctx, p)
}

// signedOut is the part of Clerk's cookie table that looks at the cookies
// beside the session (clerk.md, 2.5). Page loads skip rows 2 to 6, 14 and 15,
// which belong to the handshake.
func (c *question) signedOut(p session.Presented) *authproxy.Refusal {
	if c.gate.cfg.Development && !c.request.PageLoad() {
		switch {
		case p.RedirectURLInQuery: // row 4
			return authproxy.Refuse(authproxy.PrimaryRespondsToSyncing, "the query asks for a synchronisation")
		case p.DevBrowserInQuery: // row 5
			return authproxy.Refuse(authproxy.DevBrowserSync, "the query brings a development browser")
		case !p.DevBrowser: // row 6
			return authproxy.Refuse(authproxy.DevBrowserMissing, "no __clerk_db_jwt cookie; development instances need one")
		}
	}
	switch {
	case p.Token == "" && p.ClientUAT == 0: // row 7
		return authproxy.Refuse(authproxy.SessionTokenAndUATMissing, "no session cookie and no bearer token")
	case p.ClientUAT == 0: // row 8
		return authproxy.Refuse(authproxy.SessionTokenButNoClientUAT, "a session cookie, but __client_uat is missing or 0")
	case p.Token == "": // row 9
		return authproxy.Refuse(authproxy.ClientUATButNoSessionToken, "__client_uat says signed in, but there is no session cookie")
	}
	return nil
}

// genuine verifies the token, or finds that it was verified before, and then
// applies everything that depends on the request and the clock.
func (c *question) genuine(ctx context.Context, p session.Presented) (*verified, *authproxy.Refusal) {
	v, refusal := c.verify(ctx, p)
	if refusal != nil {
		return nil, refusal
	}
	c.genuineBearer = p.Source == authproxy.SourceBearer
	if p.Source == authproxy.SourceCookie && !v.identity.IssuedAt.IsZero() && v.identity.IssuedAt.Unix() < p.ClientUAT {
		return nil, olderThanUAT() // row 12, for a token that was in the cache
	}
	if refusal := c.gate.cfg.Verifier.Check(v.identity, c.parties()); refusal != nil {
		return nil, c.inClerksWords(refusal, p)
	}
	return v, nil
}

// verify returns what the token's signature covers. Only success is cached: a
// refusal may be mended by the next key set, and an attacker has as many wrong
// tokens as he likes.
func (c *question) verify(ctx context.Context, p session.Presented) (*verified, *authproxy.Refusal) {
	facts := &c.decision.Token
	facts.Bytes = len(p.Token)
	generation, err := c.gate.cfg.Generation()
	key := session.FingerprintOf(p.Token, generation)
	if err == nil {
		facts.Looked = true
		if v, ok := c.gate.verified.Get(key); ok {
			facts.Cached = true
			return &v, nil
		}
	}
	if refusal := c.beforeSignature(p); refusal != nil {
		return nil, refusal
	}
	started := time.Now()
	id, refusal := c.gate.cfg.Verifier.Verify(ctx, p.Token)
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
func (c *question) beforeSignature(p session.Presented) *authproxy.Refusal {
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

// inClerksWords gives errors of time the reasons that Clerk's state machine
// gives them (clerk.md, 2.7).
func (c *question) inClerksWords(r *authproxy.Refusal, p session.Presented) *authproxy.Refusal {
	switch r.Reason {
	case authproxy.TokenExpired:
		r.Reason = authproxy.SessionExpiredNoRefresh
		switch {
		case c.request.Method != "GET":
			r.Reason = authproxy.SessionExpiredNonGET
		case p.RefreshCookie:
			r.Reason = authproxy.SessionExpiredNoClient
		}
	case authproxy.TokenNotActiveYet:
		r.Reason = authproxy.SessionTokenNBF
	case authproxy.TokenIATInTheFuture:
		r.Reason = authproxy.SessionTokenIATInTheFuture
	default: // every other reason is final
	}
	return r
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
