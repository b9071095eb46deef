package jwks_test

import (
	"crypto"
	"crypto/rsa"
	_ "crypto/sha256" // RS256
	_ "crypto/sha512" // RS384, RS512
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/manageros/authproxy/jwks"
)

// group is a test group of Wycheproof's JSON Web Crypto files, or of one that
// has a key as JWK.
type group struct {
	Comment         string
	Public, Private json.RawMessage
	PublicKeyJWK    json.RawMessage `json:"publicKeyJwk"`
	PrivateKeyJWK   json.RawMessage `json:"privateKeyJwk"`
	KeyJWK          json.RawMessage `json:"keyJwk"`
	KeySize         int
	Tests           []struct {
		TcID    int
		Comment string
		JWS     any // a string, or an object in JSON serialisation
		Result  string
	}
}

func groups(t *testing.T, file string) []group {
	t.Helper()
	var content struct{ TestGroups []group }
	if err := json.Unmarshal(must(fs.ReadFile(wycheproof.TestVectors, file)), &content); err != nil {
		t.Fatal(file, err)
	}
	return content.TestGroups
}

// document is the key set of a group: the public one where there is one.
func (g group) document() []byte {
	key := g.Public
	if key == nil {
		key = g.Private
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(key, &members) == nil && members["keys"] != nil {
		return key
	}
	return keySet(key)
}

// accepts verifies a compact JWS with nothing but what Parse let through.
func accepts(body []byte, jws string) bool {
	set, _, err := jwks.Parse(body)
	parts := strings.Split(jws, ".")
	if err != nil || len(parts) != 3 {
		return false
	}
	var header struct{ Alg, Kid string }
	text, err := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	if err != nil || json.Unmarshal(text, &header) != nil {
		return false
	}
	hash, known := map[string]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512}[header.Alg]
	key, found := set.Key(header.Kid)
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || !known || !found || key.Algorithm != "" && key.Algorithm != header.Alg {
		return false
	}
	digest := hash.New()
	digest.Write([]byte(parts[0] + "." + parts[1]))
	return rsa.VerifyPKCS1v15(key.Public, hash, digest.Sum(nil), signature) == nil
}

// JWT-11 and JWT-14. No invalid vector is accepted. The valid ones that are not
// accepted are all of keys that no session token is signed with, and the reason
// is the one that Parse gives.
func TestWycheproofJSONWebKeys(t *testing.T) {
	t.Parallel()
	const notRSA, notRS = "the key type is not RSA", `"alg" is not RS256, RS384 or RS512`
	for file, want := range map[string]map[string]int{
		"json_web_key_test.json":       {"accepted": 1, notRSA: 4},              // 2, 13, 14, 15: HS256 to HS512
		"json_web_signature_test.json": {"accepted": 16, notRSA: 14, notRS: 16}, // HS256, ES256, ES512; PS256 to PS512
		"json_web_crypto_test.json":    {"accepted": 1, notRSA: 5},              // HS256, ES256; 50 and 67 are encrypted
	} {
		got := make(map[string]int)
		for _, g := range groups(t, file) {
			for _, test := range g.Tests {
				jws, compact := test.JWS.(string)
				accepted := compact && accepts(g.document(), jws)
				switch {
				case accepted && test.Result == "invalid":
					t.Errorf("%s %d (%s, %s): false accept", file, test.TcID, g.Comment, test.Comment)
				case accepted:
					got["accepted"]++
				case test.Result == "valid":
					_, skipped, err := jwks.Parse(g.document())
					if err == nil || len(skipped) == 0 {
						t.Errorf("%s %d (%s, %s): false reject with a usable key", file, test.TcID, g.Comment, test.Comment)
						continue
					}
					got[skipped[0].Why]++
				}
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", file, got, want)
		}
	}
}

// Every JWK of the other files: which are usable follows from type, algorithm
// and size alone.
func TestWycheproofKeysOfOtherFiles(t *testing.T) {
	t.Parallel()
	var usable, skipped int
	files := slices.Concat(
		must(fs.Glob(wycheproof.TestVectors, "rsa_*sig*_test.json")),
		must(fs.Glob(wycheproof.TestVectors, "rsa_pss_2048_*_test.json")),
		[]string{"rsa_oaep_misc_test.json", "ed25519_test.json", "ecdsa_secp256r1_sha256_p1363_test.json"},
	)
	for _, file := range files {
		for _, g := range groups(t, file) {
			for _, key := range []json.RawMessage{g.PublicKeyJWK, g.KeyJWK, g.PrivateKeyJWK} {
				if len(key) == 0 || string(key) == "null" {
					continue
				}
				var jwk struct{ Kty, Alg, D, E, N string }
				if err := json.Unmarshal(key, &jwk); err != nil {
					t.Fatal(file, err)
				}
				bits := new(big.Int).SetBytes(must(base64.RawURLEncoding.DecodeString(jwk.N))).BitLen()
				want := jwk.Kty == "RSA" && strings.HasPrefix(jwk.Alg, "RS") && jwk.D == "" && jwk.E == "AQAB" && bits >= 2048
				set, _, err := jwks.Parse(keySet(key))
				if got := err == nil; got != want {
					t.Errorf("%s: %s %s, %d bits, e %s, private %v: usable is %v (%v)", file, jwk.Kty, jwk.Alg, bits, jwk.E, jwk.D != "", got, err)
				}
				if set == nil {
					skipped++
					continue
				}
				usable++
				if n := set.Keys()[0].Public.N; number(n) != jwk.N {
					t.Errorf("%s: another modulus", file)
				}
			}
		}
	}
	if usable < 20 || skipped < 200 {
		t.Errorf("%d usable, %d skipped: the vectors are not what they were", usable, skipped)
	}
}
