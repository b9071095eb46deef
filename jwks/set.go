package jwks

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/manageros/authproxy"
)

// Bounds of a key set.
const (
	MaxBody  = 1 << 20 // bytes of a document
	MaxKeys  = 100     // keys in a document, usable or not
	MaxKeyID = 256     // bytes of a key id; no longer one is ever known
	MinBits  = 2048    // of an RSA modulus (NIST SP 800-131A)
	MaxBits  = 8192    // of an RSA modulus: what a verification may cost is bounded too
)

// ErrNoUsableKeys is wrapped by the error for a document that is a key set and
// holds no key that could verify a session token.
var ErrNoUsableKeys = errors.New("no usable key in the key set")

// Set is an immutable set of usable keys. What it returns is shared with every
// other reader: the public keys must not be changed.
type Set struct {
	keys   []authproxy.Key // in the document's order
	byID   map[string]authproxy.Key
	anyKID bool // one key given as PEM, which has no id of its own
}

// Skipped is a key of a document that is not in its Set.
type Skipped struct {
	KeyID string // as the document has it, cut to a length fit for a log line; may be ""
	Why   string // one of a few fixed sentences
}

// Parse reads a JSON Web Key Set (RFC 7517 section 5). The second result lists
// the keys that cannot be used; it is filled in beside an error that wraps
// [ErrNoUsableKeys] too. Other errors mean that body is no key set or beyond
// the bounds. No error repeats more than a character of body.
func Parse(body []byte) (*Set, []Skipped, error) {
	documents, err := keyDocuments(body)
	if err != nil {
		return nil, nil, fmt.Errorf("jwks: %w", err)
	}
	var keys []authproxy.Key
	var skipped []Skipped
	for _, document := range documents {
		key, why := readKey(document)
		if why != "" {
			skipped = append(skipped, skip(key.ID, why))
			continue
		}
		keys = append(keys, key)
	}
	set, clashes := newSet(keys)
	skipped = append(skipped, clashes...)
	if len(set.keys) == 0 {
		return nil, skipped, fmt.Errorf("jwks: %w%s", ErrNoUsableKeys, firstReason(skipped))
	}
	return set, skipped, nil
}

// Keys returns the usable keys in the document's order.
func (s *Set) Keys() []authproxy.Key { return slices.Clone(s.keys) }

// Key returns the key with the id kid. The key of a set made by [ParsePEM]
// answers to any kid.
func (s *Set) Key(kid string) (authproxy.Key, bool) {
	if s.anyKID {
		return s.keys[0], true
	}
	key, ok := s.byID[kid]
	return key, ok
}

// equal reports whether the same key ids stand for the same keys.
func (s *Set) equal(other *Set) bool { return maps.EqualFunc(s.byID, other.byID, sameKey) }

func sameKey(a, b authproxy.Key) bool {
	return a.ID == b.ID && a.Algorithm == b.Algorithm && a.Public.Equal(b.Public)
}

// keyDocuments splits a key set into its keys. jwk.Parse would read a document
// without "keys" as one bare key, and give up the whole set for one key that it
// cannot read; a key type of tomorrow must not take down today's keys (RFC 7517
// section 5: implementations should ignore keys they do not understand).
func keyDocuments(body []byte) ([]json.RawMessage, error) {
	if len(body) > MaxBody {
		return nil, fmt.Errorf("the document has more than %d bytes", MaxBody)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	var documents []json.RawMessage
	if err := json.Unmarshal(members["keys"], &documents); err != nil {
		return nil, errors.New(`not a key set: it has no array "keys"`)
	}
	if len(documents) > MaxKeys {
		return nil, fmt.Errorf("the key set has %d keys, more than %d", len(documents), MaxKeys)
	}
	return documents, nil
}

// readKey reads one key. why is "" when it is usable; the ID is set whenever
// the document has one.
func readKey(document json.RawMessage) (key authproxy.Key, why string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(document, &members) != nil || members == nil {
		return key, "not a JSON object"
	}
	key.ID = text(members["kid"])
	switch {
	case text(members["kty"]) != "RSA":
		return key, "the key type is not RSA"
	case holdsPrivate(members):
		return key, "a private key was published; it must be replaced"
	case key.ID == "":
		return key, "it has no key id"
	case len(key.ID) > MaxKeyID:
		return key, "the key id is too long"
	}
	parsed, err := jwk.ParseKey(document)
	public, ok := parsed.(jwk.RSAPublicKey)
	if err != nil || !ok {
		return key, "not a well-formed RSA key" // jwx's error repeats its input at any length
	}
	if why := misuse(members, public); why != "" {
		return key, why
	}
	key.Algorithm = text(members["alg"])
	key.Public, why = publicKey(new(big.Int).SetBytes(public.N()), new(big.Int).SetBytes(public.E()))
	return key, why
}

// text is the string that raw holds, "" when it holds none.
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // no string counts as no value
	return s
}

// holdsPrivate looks for the members of private and symmetric keys (RFC 7518
// sections 6.3.2 and 6.4.1) itself: jwx looks at "d" only.
func holdsPrivate(members map[string]json.RawMessage) bool {
	return slices.ContainsFunc([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}, func(name string) bool {
		_, there := members[name]
		return there
	})
}

// misuse says why a key is not meant to verify RS256, RS384 or RS512 (RFC 7517
// sections 4.2 to 4.4). A member that is there and empty is not absent.
func misuse(members map[string]json.RawMessage, key jwk.RSAPublicKey) string {
	if _, there := members["use"]; there && key.KeyUsage() != string(jwk.ForSignature) {
		return `"use" is not "sig"`
	}
	if _, there := members["key_ops"]; there && !slices.Contains(key.KeyOps(), jwk.KeyOpVerify) {
		return `"key_ops" does not have "verify"`
	}
	if _, there := members["alg"]; there && !slices.Contains([]string{"RS256", "RS384", "RS512"}, text(members["alg"])) {
		return `"alg" is not RS256, RS384 or RS512`
	}
	return ""
}

// publicKey checks the numbers of a key. They are taken as big integers since
// jwx's own conversion cuts an exponent to 64 bits.
func publicKey(n, e *big.Int) (key *rsa.PublicKey, why string) {
	const minExponent, maxExponent = 1<<16 + 1, 1<<31 - 1 // the upper one is crypto/rsa's
	switch {
	case n.BitLen() < MinBits:
		return nil, fmt.Sprintf("the modulus has less than %d bits", MinBits)
	case n.BitLen() > MaxBits:
		return nil, fmt.Sprintf("the modulus has more than %d bits", MaxBits)
	case n.Bit(0) == 0:
		return nil, "the modulus is even"
	case !e.IsInt64() || e.Int64() < minExponent || e.Int64() > maxExponent || e.Bit(0) == 0:
		return nil, fmt.Sprintf("the public exponent is not an odd number from %d to %d", minExponent, maxExponent)
	case roca(n):
		return nil, "the modulus is of a kind that can be factored (CVE-2017-15361)"
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, ""
}

// newSet indexes keys. RFC 7517 section 4.5 wants different keys to have
// different ids; where they have not, picking one would leave the choice to
// the order of the document, so none of them is taken.
func newSet(keys []authproxy.Key) (*Set, []Skipped) {
	byID := make(map[string]authproxy.Key, len(keys))
	clash := make(map[string]bool)
	for _, key := range keys {
		if other, there := byID[key.ID]; there && !sameKey(key, other) {
			clash[key.ID] = true
		}
		byID[key.ID] = key
	}
	set := &Set{byID: byID}
	var skipped []Skipped
	for _, key := range keys {
		switch {
		case clash[key.ID]:
			skipped = append(skipped, skip(key.ID, "different keys have this key id"))
			delete(byID, key.ID)
		case !slices.ContainsFunc(set.keys, func(k authproxy.Key) bool { return k.ID == key.ID }):
			set.keys = append(set.keys, key)
		}
	}
	return set, skipped
}

func skip(kid, why string) Skipped { return Skipped{KeyID: clip(kid, 64), Why: why} }

func firstReason(skipped []Skipped) string {
	if len(skipped) == 0 {
		return ": it is empty"
	}
	return fmt.Sprintf(": %d skipped, the first because %s", len(skipped), skipped[0].Why)
}

// clip cuts what others wrote to a length fit for a log line.
func clip(s string, length int) string {
	if len(s) <= length {
		return s
	}
	return strings.ToValidUTF8(s[:length], "") + "…"
}
