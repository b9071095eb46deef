package authproxy

import (
	"crypto/rsa"
	"errors"
	"time"
)

// Identity is who a verified session token speaks for. It holds only what the
// token's signature covers, so one Identity may serve many requests; whether
// the token is acceptable for a request (times, authorized party) is decided
// anew each time.
type Identity struct {
	UserID        string // claim sub, "user_…"
	SessionID     string // claim sid, "sess_…"
	SessionStatus string // claim sts: "active" or "pending"; "active" when the token has none

	Issuer          string // claim iss
	AuthorizedParty string // claim azp: the origin whose page asked Clerk for the token; "" when absent

	IssuedAt  time.Time // claim iat; zero when absent
	NotBefore time.Time // claim nbf; zero when absent
	ExpiresAt time.Time // claim exp

	Actor        *Actor        // claim act: somebody impersonates the user; nil otherwise
	Organization *Organization // the active organisation, version 1 or 2 claims; nil when there is none
	FactorAges   []int         // claim fva: minutes since the first and second factor, -1 for never; nil when absent or malformed

	Claims Claims // the payload
}

// Pending reports whether Clerk still wants something of the person (choose an
// organisation, set up a second factor) before the session counts.
func (id *Identity) Pending() bool { return id.SessionStatus == "pending" }

// Actor is the person behind an impersonated session (claim act).
type Actor struct {
	UserID    string // act.sub
	SessionID string // act.sid; "" when absent
	Issuer    string // act.iss; "" when absent
	Type      string // act.type, for example "agent"; "" when absent
}

// Organization is Clerk's active organisation as the token states it. It is
// Clerk's own notion; a product's organizationId is a custom claim.
type Organization struct {
	ID          string
	Slug        string
	Role        string   // with its "org:" prefix
	Permissions []string // "org:<feature>:<permission>", in the token's order
}

// Claims is the payload of a verified token, byte for byte: one JSON object of
// valid UTF-8 without duplicate names. The bytes are kept because header values
// use the token's own spelling of numbers.
type Claims []byte

// Key is one public key that may have signed a session token.
type Key struct {
	ID        string // kid; "" for a key given as PEM, which any kid matches
	Algorithm string // "RS256", "RS384", "RS512", or "" when the key set names none
	Public    *rsa.PublicKey
}

// Errors of a key source.
var (
	// ErrKeyUnknown says that the key set is there and has no such key.
	ErrKeyUnknown = errors.New("no key with this id in the key set")
	// ErrKeysUnavailable says that no key set can be trusted now: none was
	// ever had, or the last one is older than its maximum age.
	ErrKeysUnavailable = errors.New("no usable key set")
)
