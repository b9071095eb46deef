package jwks_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/jwks"
)

// Whatever a key server sends: no panic, and no key beyond the rules.
func FuzzParse(f *testing.F) {
	good, evil := minttest.Good(), minttest.Evil()
	for _, seed := range [][]byte{
		nil,
		[]byte(`{"keys":[]}`),
		[]byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"x"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"y"}]}`),
		[]byte(`{"keys":[{"kty":"RSA","kid":"x","n":"AQAB","e":"AQ"}],"keys":null}`),
		minttest.JWKS(good),
		minttest.JWKS(good, evil),
		minttest.JWKS(good, named(evil, "other")),
		keySet(jwkOf(good, map[string]any{"key_ops": []string{"verify"}, "x5c": []string{"AA=="}, "use": nil})),
		keySet(jwkOf(good, map[string]any{"e": exponent(3)}), jwkOf(evil, map[string]any{"n": modulus(16384)})),
	} {
		f.Add(seed)
	}
	for _, file := range []string{"json_web_key_test.json", "json_web_signature_test.json"} {
		f.Add(must(fs.ReadFile(wycheproof.TestVectors, file)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		set, skipped, err := jwks.Parse(body)
		if (set == nil) == (err == nil) {
			t.Fatalf("Parse = %v, %v", set, err)
		}
		if err != nil {
			if len(err.Error()) > 256 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
			return
		}
		keys := set.Keys()
		if len(keys) == 0 || len(keys)+len(skipped) > jwks.MaxKeys {
			t.Fatalf("%d keys, %d skipped", len(keys), len(skipped))
		}
		for _, key := range keys {
			bits, e := key.Public.N.BitLen(), key.Public.E
			if bits < jwks.MinBits || bits > jwks.MaxBits || e < 65537 || e%2 == 0 || key.Public.N.Bit(0) == 0 {
				t.Errorf("a key of %d bits with exponent %d", bits, e)
			}
			if key.ID == "" || len(key.ID) > jwks.MaxKeyID || !slices.Contains([]string{"", "RS256", "RS384", "RS512"}, key.Algorithm) {
				t.Errorf("a key with id %q and algorithm %q", key.ID, key.Algorithm)
			}
			if found, ok := set.Key(key.ID); !ok || found != key {
				t.Errorf("Key(%q) = %+v, %v", key.ID, found, ok)
			}
		}
	})
}

func FuzzParsePEM(f *testing.F) {
	f.Add(minttest.Good().PEM)
	f.Add(strings.ReplaceAll(minttest.Good().PEM, "\n", `\n`))
	f.Add(minttest.Evil().PEM[27:])
	f.Add("-----BEGIN PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := jwks.ParsePEM([]byte(text))
		if (set == nil) == (err == nil) {
			t.Fatalf("ParsePEM = %v, %v", set, err)
		}
		if err == nil && set.Keys()[0].Public.N.BitLen() < jwks.MinBits {
			t.Error("a short key")
		}
	})
}
