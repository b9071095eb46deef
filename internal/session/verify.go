package session

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/manageros/authproxy"
)

// Keys is where the public keys come from; jwks.Cache is one.
type Keys interface {
	// Generation numbers the key set in use.
	Generation() (uint64, error)
	// Key returns the key for kid. With failed, which did not verify a
	// signature, it returns a different one: Clerk's kid is the id of the
	// instance, so a rotated key comes under the kid of the old one
	// (clerk.md, 4). Its errors are authproxy.ErrKeyUnknown and
	// authproxy.ErrKeysUnavailable.
	Key(ctx context.Context, kid string, failed *rsa.PublicKey) (authproxy.Key, error)
}

// Rules chooses between our rules (the zero value) and Clerk's.
type Rules struct {
	// Clerk makes everything as loose as @clerk/backend, to be compared with
	// it. Only tests set it.
	Clerk *ClerkRules
}

// Config is what a Verifier needs.
type Config struct {
	Keys     Keys                // required
	Instance *authproxy.Instance // nil: plain cookie names only
	Issuers  []string            // iss must equal one of them; required
	Audience []string            // aud must hold one of them when the token has aud; empty: unchecked
	Skew     time.Duration       // between our clock and Clerk's; not negative
	Now      func() time.Time    // nil: time.Now
	Rules    Rules
}

// Verifier decides whether a token is a genuine session of the instance. It is
// immutable and safe for concurrent use.
type Verifier struct {
	keys        Keys
	instance    *authproxy.Instance
	issuers     []string
	audience    []string
	skew        time.Duration
	now         func() time.Time
	clerk       *ClerkRules
	cookieNames [jarSize]string
}

// New returns a Verifier, or what is wrong with cfg.
func New(cfg Config) (*Verifier, error) {
	switch {
	case cfg.Keys == nil:
		return nil, errors.New("session: New: no key source")
	case len(cfg.Issuers) == 0 && cfg.Rules.Clerk == nil:
		return nil, errors.New("session: New: no issuer")
	case cfg.Skew < 0:
		return nil, fmt.Errorf("session: New: clock skew %v is negative", cfg.Skew)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Verifier{
		keys: cfg.Keys, instance: cfg.Instance, issuers: cfg.Issuers, audience: cfg.Audience,
		skew: cfg.Skew, now: cfg.Now, clerk: cfg.Rules.Clerk, cookieNames: cookieNames(cfg.Instance),
	}, nil
}

// Unverified is what a token says before anybody checked its signature. Nothing
// may be granted for it.
type Unverified struct {
	Header      Header
	IssuedAt    int64 // claim iat, whole Unix seconds
	HasIssuedAt bool
	Session     bool // the class is that of a session token
	SessionID   string
}

// Inspect reads a token without verifying it: whether it has the shape of one
// ([authproxy.TokenInvalid]) and the class of a session
// ([authproxy.TokenTypeMismatch], with the rest filled in).
func (v *Verifier) Inspect(token string) (Unverified, *authproxy.Refusal) {
	c, refusal := v.open(token)
	if refusal != nil {
		return Unverified{}, refusal
	}
	u := Unverified{Header: c.header, SessionID: unquote(c.claims["sid"])}
	u.IssuedAt, u.HasIssuedAt = seconds(c.claims["iat"])
	refusal = classOf(c)
	u.Session = refusal == nil
	return u, refusal
}

// Verify decides whether the token is genuine: everything that depends on
// neither the request nor the clock. An Identity that it returns may be kept for
// as long as the key set stays the same, and is worth nothing without
// [Verifier.Check]. The order is Clerk's (clerk.md, 2.6), so that of several
// faults the one is named that Clerk's SDK would name.
func (v *Verifier) Verify(ctx context.Context, token string) (*authproxy.Identity, *authproxy.Refusal) {
	return v.verify(ctx, token, classOf)
}

// VerifyMade is [Verifier.Verify] for a token that Clerk has just made: that of a
// handshake's payload, or of a refresh. Clerk's SDK asks less of it.
func (v *Verifier) VerifyMade(ctx context.Context, token string) (*authproxy.Identity, *authproxy.Refusal) {
	if v.clerk != nil {
		return v.verify(ctx, token, classAsClerk)
	}
	return v.Verify(ctx, token)
}

func (v *Verifier) verify(ctx context.Context, token string, class func(*compact) *authproxy.Refusal) (*authproxy.Identity, *authproxy.Refusal) {
	c, refusal := v.open(token)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := class(c); refusal != nil {
		return nil, refusal
	}
	if c.names == nil { // only under Clerk's rules, which throw here
		return nil, authproxy.Refuse(authproxy.UnexpectedError, "the header is null")
	}
	if refusal := v.authentic(ctx, c); refusal != nil {
		return nil, refusal
	}
	if v.clerk != nil {
		return identityAsClerk(c)
	}
	return identity(c)
}

// authentic decides whether a key of the instance signed the token: key, typ,
// alg, crit, signature.
func (v *Verifier) authentic(ctx context.Context, c *compact) *authproxy.Refusal {
	key, refusal := v.key(ctx, c.header.KeyID, nil)
	if refusal != nil {
		return refusal
	}
	if c.has("typ") && c.header.Type != "JWT" {
		return authproxy.Refuse(authproxy.TokenInvalid, "header typ is %s, expected \"JWT\"", quote(c.header.Type))
	}
	alg, ok := algorithm(c.header.Algorithm)
	if !ok {
		return authproxy.Refuse(authproxy.TokenInvalidAlgorithm, "header alg is %s, expected RS256, RS384 or RS512", quote(c.header.Algorithm))
	}
	// An extension that has to be understood is one that is not understood here
	// (RFC 7515, section 4.1.11), and b64 changes what is signed (RFC 7797).
	// Clerk sends neither; its SDK ignores both.
	if v.clerk == nil && (c.has("crit") || c.has("b64")) {
		return authproxy.Refuse(authproxy.TokenInvalid, "the header has crit or b64")
	}
	if !boundTo(key, alg) {
		return authproxy.Refuse(authproxy.TokenVerificationFailed, "header alg is %s, but the key is for %s", alg, key.Algorithm)
	}
	if c.signedBy(alg, key.Public) {
		return nil
	}
	// The key may have been rotated under the same kid; ask once.
	switch other, refusal := v.key(ctx, c.header.KeyID, key.Public); {
	case refusal != nil && refusal.Reason == authproxy.KeysUnavailable:
		return refusal
	case refusal == nil && boundTo(other, alg) && c.signedBy(alg, other.Public):
		return nil
	}
	return authproxy.Refuse(authproxy.TokenInvalidSignature, "no key of the key set made this signature")
}

// key asks the key source and does not take every answer.
func (v *Verifier) key(ctx context.Context, kid string, failed *rsa.PublicKey) (authproxy.Key, *authproxy.Refusal) {
	key, err := v.keys.Key(ctx, kid, failed)
	switch {
	case errors.Is(err, authproxy.ErrKeyUnknown) || err == nil && (key.Public == nil || key.ID != "" && key.ID != kid):
		return key, authproxy.Refuse(authproxy.JWKKidMismatch, "the key set has no key %s", quote(kid))
	case err != nil:
		return key, &authproxy.Refusal{Reason: authproxy.KeysUnavailable, Detail: "no key set can be trusted now", Cause: err}
	}
	return key, nil
}

// algorithm is the closed list: RSA with PKCS #1 v1.5 padding, which is what
// Clerk signs with. The token chooses among these three and nothing else.
func algorithm(name string) (jwa.SignatureAlgorithm, bool) {
	switch name {
	case "RS256":
		return jwa.RS256, true
	case "RS384":
		return jwa.RS384, true
	case "RS512":
		return jwa.RS512, true
	}
	return "", false
}

// boundTo reports whether the key may be used with alg (RFC 8725, section 3.1).
// A key given as PEM is an RS256 key for Clerk (its loadClerkJwkFromPem).
func boundTo(key authproxy.Key, alg jwa.SignatureAlgorithm) bool {
	if key.Algorithm == "" {
		return key.ID != "" || alg == jwa.RS256
	}
	return key.Algorithm == alg.String()
}

// signedBy checks the signature with a bare key and an algorithm that we chose,
// so that nothing in the header can bring a key along (jwk, jku, x5c, x5u). The
// error is dropped: its text holds what the sender wrote.
func (c *compact) signedBy(alg jwa.SignatureAlgorithm, key *rsa.PublicKey) bool {
	payload, err := jws.Verify([]byte(c.text), jws.WithKey(alg, key), jws.WithCompact())
	return err == nil && bytes.Equal(payload, c.payload)
}
