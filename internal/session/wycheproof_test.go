package session_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/manageros/authproxy"
)

// The files of Wycheproof that hold JWS vectors.
var wycheproofFiles = []string{"json_web_crypto_test.json", "json_web_key_test.json", "json_web_signature_test.json"}

type wycheproofJWS struct {
	TestGroups []struct {
		Comment         string
		Public, Private *jwkSet
		Tests           []struct {
			TcID    int
			Comment string
			JWS     json.RawMessage
			Result  string
		}
	}
}

// jwkSet is one key, or several of them.
type jwkSet struct {
	jwk
	Keys []jwk
}

type jwk struct {
	Kty, Alg, Kid, Use, N, E string
	KeyOps                   []string `json:"key_ops"`
}

// keyring holds what a key source would keep of the set: RSA keys of at least
// 2048 bits for signatures with PKCS #1 v1.5.
func (s *jwkSet) keyring(t *testing.T) *keyring {
	t.Helper()
	ring := &keyring{}
	for _, j := range append(s.Keys, s.jwk) {
		signs := (j.Use == "" || j.Use == "sig") && (j.KeyOps == nil || slices.Contains(j.KeyOps, "verify"))
		if j.Kty != "RSA" || !signs || !slices.Contains([]string{"", "RS256", "RS384", "RS512"}, j.Alg) {
			continue
		}
		n, e := decoded(t, j.N), decoded(t, j.E)
		if n.BitLen() >= 2048 && e.Int64() > 1 {
			ring.keys = append(ring.keys, authproxy.Key{ID: j.Kid, Algorithm: j.Alg, Public: &rsa.PublicKey{N: n, E: int(e.Int64())}})
		}
	}
	return ring
}

// Wycheproof's JWS vectors, judged as far as the signature; their payloads are
// not sessions, so Verify as a whole has to refuse every one of them.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, name := range wycheproofFiles {
		data, err := fs.ReadFile(wycheproof.TestVectors, name)
		if err != nil {
			t.Fatal(err)
		}
		var vectors wycheproofJWS
		if err := json.Unmarshal(data, &vectors); err != nil {
			t.Fatal(err)
		}
		for _, group := range vectors.TestGroups {
			set := group.Public
			if set == nil {
				set = group.Private
			}
			if group.Comment == "jws_rsa_roca_key" { // the token is well made
				counts["a weak key of the key set, which is for package jwks to refuse"] += len(group.Tests)
				continue
			}
			v := verifier(t, keys(set.keyring(t)))
			for _, c := range group.Tests {
				if c.JWS == nil { // a JWE
					continue
				}
				token := unquoted(c.JWS)
				refusal := v.SignatureStep(t.Context(), token)
				if _, whole := v.Verify(t.Context(), token); whole == nil {
					t.Errorf("%s %d %s: accepted as a session", name, c.TcID, c.Comment)
				}
				switch {
				case refusal == nil && c.Result != "valid":
					t.Errorf("%s %d %s (%s): false accept", name, c.TcID, c.Comment, group.Comment)
				case refusal != nil && c.Result == "valid":
					why := falseReject(set)
					counts[why]++
					if why == "" {
						t.Errorf("%s %d %s (%s): false reject: %v", name, c.TcID, c.Comment, group.Comment, refusal)
					}
				default:
					counts["as expected"]++
				}
			}
		}
	}
	for why, n := range counts {
		t.Logf("%3d %s", n, why)
	}
	if counts["as expected"] < 400 {
		t.Errorf("only %d vectors were judged", counts["as expected"])
	}
}

// falseReject says why valid vectors of a key are refused on purpose.
func falseReject(set *jwkSet) string {
	keys := append(set.Keys, set.jwk)
	has := func(kty string) bool { return slices.ContainsFunc(keys, func(j jwk) bool { return j.Kty == kty }) }
	switch {
	case has("oct"):
		return "valid, refused: symmetric keys are never used"
	case has("EC"):
		return "valid, refused: Clerk signs with RSA, EC keys are never used"
	case strings.HasPrefix(set.Alg, "PS"):
		return "valid, refused: Clerk signs with PKCS #1 v1.5, RSA-PSS is never used"
	}
	return ""
}

// unquoted returns a vector as a client would send it: the text itself, or the
// JSON serialization as it is.
func unquoted(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// A file with JWS vectors that is added later is not forgotten.
func TestWycheproofFiles(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(wycheproof.TestVectors, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, name := range names {
		data, err := fs.ReadFile(wycheproof.TestVectors, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), `"jws"`) {
			files = append(files, name)
		}
	}
	if !slices.Equal(files, wycheproofFiles) {
		t.Errorf("got %v, want %v", files, wycheproofFiles)
	}
}

func decoded(t *testing.T, text string) *big.Int {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(raw)
}
