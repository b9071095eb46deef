package clerkdev

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
)

// Rotate makes a new signing key. Under the same kid, which is what Clerk can do
// because its kid is the id of the instance (clerk.md, 4), the old key is gone at
// once; under a new kid both are published until the next rotation or
// [Instance.EndOverlap].
func (i *Instance) Rotate(sameKid bool) error {
	kid := newID("ins")
	if sameKid {
		kid = i.keys.current().id
	}
	if err := i.keys.rotate(kid); err != nil {
		return fmt.Errorf("clerkdev: Rotate: %w", err)
	}
	return nil
}

// EndOverlap stops publishing every key but the one that signs.
func (i *Instance) EndOverlap() { i.keys.retire() }

// JWKS is the key set document (RFC 7517) with every published key.
func (i *Instance) JWKS() []byte { return i.keys.document() }

// PublicKeyPEM is the public half of the key that signs, as CLERK_JWT_KEY wants
// it: SubjectPublicKeyInfo in PEM.
func (i *Instance) PublicKeyPEM() string {
	der, err := x509.MarshalPKIXPublicKey(&i.keys.current().private.PublicKey)
	if err != nil {
		return "" // only for a kind of key that the keyring never makes
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// keyring holds the instance's signing keys. They live in memory only.
type keyring struct {
	mu   sync.Mutex
	keys []signingKey // all are published; the last one signs; no two have one id
}

type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

// rotate makes a new key under kid the one that signs.
func (k *keyring) rotate(kid string) error {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("making an RSA key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var kept []signingKey
	if n := len(k.keys); n > 0 && k.keys[n-1].id != kid {
		kept = k.keys[n-1:]
	}
	k.keys = append(slices.Clone(kept), signingKey{kid, private})
	return nil
}

func (k *keyring) retire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = slices.Clone(k.keys[len(k.keys)-1:])
}

func (k *keyring) current() signingKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[len(k.keys)-1]
}

// sign makes a compact JWS with the current key (RFC 7515, 7.1); header entries
// are added to alg, kid and typ, which they cannot replace.
func (k *keyring) sign(header, claims map[string]any) (string, error) {
	key := k.current()
	full := maps.Clone(header)
	if full == nil {
		full = map[string]any{}
	}
	full["alg"], full["kid"], full["typ"] = "RS256", key.id, "JWT"
	input, err := signingInput(full, claims)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key.private, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// verify opens a token that a published key signed; nothing is said of its times.
// The algorithm is RS256, whatever the header says.
func (k *keyring) verify(token string) (header, claims map[string]any, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || !decodePart(parts[0], &header) || !decodePart(parts[1], &claims) {
		return nil, nil, false
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return nil, nil, false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		if rsa.VerifyPKCS1v15(&key.private.PublicKey, crypto.SHA256, sum[:], signature) == nil {
			return header, claims, true
		}
	}
	return nil, nil, false
}

func decodePart(part string, to *map[string]any) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return err == nil && json.Unmarshal(raw, to) == nil && *to != nil
}

func signingInput(header, claims map[string]any) (string, error) {
	head, err := compactJSON(header)
	if err != nil {
		return "", fmt.Errorf("header: %w", err)
	}
	payload, err := compactJSON(claims)
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(payload), nil
}

// compactJSON writes characters as they are: json.Marshal's \u003c for "<" would
// make a token longer than Clerk's.
func compactJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

type jsonWebKey struct {
	Use       string `json:"use"`
	KeyType   string `json:"kty"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
}

func (k *keyring) document() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	set := struct {
		Keys []jsonWebKey `json:"keys"`
	}{}
	for _, key := range k.keys {
		set.Keys = append(set.Keys, jsonWebKey{
			"sig", "RSA", key.id, "RS256",
			base64.RawURLEncoding.EncodeToString(key.private.N.Bytes()),
			base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.private.E)).Bytes()),
		})
	}
	body, _ := json.Marshal(set) // strings only: cannot fail
	return body
}
