package session

import (
	"context"
	"encoding/json"
	"time"

	"github.com/manageros/authproxy"
)

// maxHandshakeBytes is the length of the longest handshake token that is looked
// at. It holds a session token twice, encoded once more.
const maxHandshakeBytes = 4 * MaxTokenBytes

// freshHandshake is how old a handshake token may be: it comes straight from
// Clerk, over however slow a link.
const freshHandshake = 5 * time.Minute

// Handshake verifies what a handshake brought back in its token form and returns
// the Set-Cookie lines in it. Clerk's SDK looks at the signature only; ours must
// be of our issuer, if it names one, and of now, if it has times: else an old one
// could be planted in somebody's browser (clerk.md, 9.4).
func (v *Verifier) Handshake(ctx context.Context, token string) ([]string, *authproxy.Refusal) {
	c, refusal := v.openHandshake(token)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := classOf(c); refusal != nil {
		return nil, &authproxy.Refusal{Reason: authproxy.TokenInvalid, Detail: refusal.Detail}
	}
	if c.names == nil {
		return nil, malformed("the header is null")
	}
	if refusal := v.authentic(ctx, c); refusal != nil {
		return nil, refusal
	}
	if v.clerk == nil {
		if refusal := v.sane(c); refusal != nil {
			return nil, refusal
		}
	}
	var directives []string
	if err := json.Unmarshal([]byte(c.claims["handshake"]), &directives); err != nil && v.clerk == nil {
		return nil, malformed("handshake is not a list of strings")
	}
	return directives, nil
}

func (v *Verifier) openHandshake(token string) (*compact, *authproxy.Refusal) {
	if v.clerk != nil {
		return openAsClerk(token)
	}
	return openWithin(token, maxHandshakeBytes)
}

// sane decides what the times and the issuer of a handshake token, each of which
// may be absent, say against it.
func (v *Verifier) sane(c *compact) *authproxy.Refusal {
	id := &authproxy.Identity{Issuer: unquote(c.claims["iss"]), ExpiresAt: v.now().Add(time.Minute)}
	for name, t := range map[string]*time.Time{"exp": &id.ExpiresAt, "nbf": &id.NotBefore, "iat": &id.IssuedAt} {
		if raw, present := c.claims[name]; present {
			at, ok := seconds(raw)
			if !ok {
				return wrong("%s is not a time in seconds", name)
			}
			*t = time.Unix(at, 0).UTC()
		}
	}
	if _, present := c.claims["iss"]; present {
		if refusal := v.checkIssuer(id); refusal != nil {
			return refusal
		}
	}
	if refusal := v.checkTimes(id, v.skew); refusal != nil {
		return refusal
	}
	if !id.IssuedAt.IsZero() && v.now().Sub(id.IssuedAt) > freshHandshake+v.skew {
		return authproxy.Refuse(authproxy.TokenExpired, "the handshake is of %s", instant(id.IssuedAt))
	}
	return nil
}
