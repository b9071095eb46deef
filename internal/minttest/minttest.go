// Package minttest mints tokens for tests with two fixed key pairs: one that
// the key set publishes and one that it does not.
package minttest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed" // the keys
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"sync"
	"time"
)

//go:embed keys.json
var keysJSON []byte

// The instances of shared test vectors.
const (
	LiveKey  = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"                         // clerk.example.com
	TestKey  = "pk_test_aGFwcHktb3R0ZXItMTIuY2xlcmsuYWNjb3VudHMuZGV2JA==" // happy-otter-12.clerk.accounts.dev
	LiveIss  = "https://clerk.example.com"
	TestIss  = "https://happy-otter-12.clerk.accounts.dev"
	App      = "https://app.example.com"
	LiveSuff = "naoXFJnI"
	TestSuff = "GS7nYzmc"
)

// Signer signs tokens with one key.
type Signer struct {
	KeyID string
	Key   *rsa.PrivateKey
	PEM   string // SPKI
	JWK   map[string]any
}

type keyFile struct {
	KID        string
	Good, Evil struct {
		PrivatePem string
		PublicPem  string
		JWK        map[string]any
	}
}

var load = sync.OnceValue(func() [2]Signer {
	var f keyFile
	if err := json.Unmarshal(keysJSON, &f); err != nil {
		panic(err)
	}
	mk := func(private, public string, jwk map[string]any) Signer {
		block, _ := pem.Decode([]byte(private))
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		return Signer{KeyID: f.KID, Key: key.(*rsa.PrivateKey), PEM: public, JWK: jwk}
	}
	return [2]Signer{
		mk(f.Good.PrivatePem, f.Good.PublicPem, f.Good.JWK),
		mk(f.Evil.PrivatePem, f.Evil.PublicPem, f.Evil.JWK),
	}
})

// Good signs with the published key.
func Good() Signer { return load()[0] }

// Evil signs with another key under the same key id.
func Evil() Signer { return load()[1] }

// Public is the verifying half.
func (s Signer) Public() *rsa.PublicKey { return &s.Key.PublicKey }

// Sign makes a compact JWS of claims. Entries of header replace the default
// alg, kid and typ; a nil one removes it.
func (s Signer) Sign(claims, header map[string]any) string {
	return s.SignRaw(mustJSON(merge(map[string]any{"alg": "RS256", "kid": s.KeyID, "typ": "JWT"}, header)), mustJSON(claims))
}

// SignRaw signs the exact bytes of a header and a payload. The hash follows the
// header's alg when that is RS384 or RS512.
func (s Signer) SignRaw(header, payload []byte) string {
	var h struct{ Alg string }
	_ = json.Unmarshal(header, &h) // a header that is no JSON is signed as RS256
	hash := crypto.SHA256
	switch h.Alg {
	case "RS384":
		hash = crypto.SHA384
	case "RS512":
		hash = crypto.SHA512
	}
	input := enc(header) + "." + enc(payload)
	digest := hash.New()
	digest.Write([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.Key, hash, digest.Sum(nil))
	if err != nil {
		panic(err)
	}
	return input + "." + enc(sig)
}

// Session returns the claims of an ordinary session token of the instance with
// issuer iss, minted at now. Entries of over replace claims; a nil one removes.
func Session(iss string, now time.Time, over map[string]any) map[string]any {
	return merge(map[string]any{
		"azp": App, "exp": now.Unix() + 60, "fva": []int{1, -1}, "iat": now.Unix(), "iss": iss,
		"jti": "a1b2c3d4e5f60718293a", "nbf": now.Unix() - 10, "sid": "sess_2oracle", "sub": "user_2oracle",
		"sts": "active", "v": 2,
	}, over)
}

// Product returns the custom claims of the default mapping.
func Product() map[string]any {
	return map[string]any{
		"managerOSUserId": "mos_1", "organizationId": "org_acme", "organizationName": "Müller GmbH",
		"organizationSlug": "acme", "personId": "person_7", "role": "manager",
	}
}

// JWKS is the document that publishes the keys of signers.
func JWKS(signers ...Signer) []byte {
	keys := make([]map[string]any, len(signers))
	for i, s := range signers {
		keys[i] = merge(s.JWK, map[string]any{"kid": s.KeyID, "alg": "RS256", "use": "sig"})
	}
	return mustJSON(map[string]any{"keys": keys})
}

func merge(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	for k, v := range over {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func enc(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
