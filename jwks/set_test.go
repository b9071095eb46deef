package jwks_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/jwks"
)

// keySet is a document with these keys.
func keySet(keys ...any) []byte {
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return body
}

// number is how a JWK spells an integer (RFC 7518 section 2).
func number(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

// modulus is an odd number of exactly bits bits.
func modulus(bits uint) string {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return number(n.SetBit(n, 0, 1))
}

func exponent(e int64) string { return number(big.NewInt(e)) }

// keyRules lists what makes a key usable: members that replace those of a good
// key, and why it is skipped then.
var keyRules = map[string]struct {
	over map[string]any
	why  string // "" when the key is usable
}{
	"as Clerk publishes it":       {nil, ""},
	"no alg":                      {map[string]any{"alg": nil}, ""},
	"RS384":                       {map[string]any{"alg": "RS384"}, ""},
	"RS512":                       {map[string]any{"alg": "RS512"}, ""},
	"no use":                      {map[string]any{"use": nil}, ""},
	"key_ops verify":              {map[string]any{"key_ops": []string{"encrypt", "verify"}}, ""},
	"key_ops with another":        {map[string]any{"key_ops": []string{"verify", "dance"}}, ""},
	"unknown member":              {map[string]any{"nbf": 1, "ext": true}, ""},
	"x5t":                         {map[string]any{"x5t": "AAAA"}, ""},
	"smallest modulus":            {map[string]any{"n": modulus(2048)}, ""},
	"largest modulus":             {map[string]any{"n": modulus(8192)}, ""},
	"largest exponent":            {map[string]any{"e": exponent(1<<31 - 1)}, ""},
	"longest key id":              {map[string]any{"kid": strings.Repeat("k", jwks.MaxKeyID)}, ""},
	"oct":                         {map[string]any{"kty": "oct", "k": "AAAA"}, "the key type is not RSA"},
	"EC":                          {map[string]any{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "the key type is not RSA"},
	"OKP":                         {map[string]any{"kty": "OKP"}, "the key type is not RSA"},
	"AKP":                         {map[string]any{"kty": "AKP"}, "the key type is not RSA"},
	"no kty":                      {map[string]any{"kty": nil}, "the key type is not RSA"},
	"kty in lower case":           {map[string]any{"kty": "rsa"}, "the key type is not RSA"},
	"kty under another spelling":  {map[string]any{"kty": nil, "KTY": "RSA"}, "the key type is not RSA"},
	"kty a number":                {map[string]any{"kty": 7}, "the key type is not RSA"},
	"a member like kty":           {map[string]any{"KTY": "oct"}, ""},
	"alg HS256":                   {map[string]any{"alg": "HS256"}, `"alg" is not RS256, RS384 or RS512`},
	"alg PS256":                   {map[string]any{"alg": "PS256"}, `"alg" is not RS256, RS384 or RS512`},
	"alg RSA-OAEP":                {map[string]any{"alg": "RSA-OAEP"}, `"alg" is not RS256, RS384 or RS512`},
	"alg none":                    {map[string]any{"alg": "none"}, `"alg" is not RS256, RS384 or RS512`},
	"alg empty":                   {map[string]any{"alg": ""}, `"alg" is not RS256, RS384 or RS512`},
	"alg in lower case":           {map[string]any{"alg": "rs256"}, `"alg" is not RS256, RS384 or RS512`},
	"use enc":                     {map[string]any{"use": "enc"}, `"use" is not "sig"`},
	"use empty":                   {map[string]any{"use": ""}, `"use" is not "sig"`},
	"key_ops encrypt":             {map[string]any{"key_ops": []string{"encrypt"}}, `"key_ops" does not have "verify"`},
	"key_ops sign":                {map[string]any{"key_ops": []string{"sign"}}, `"key_ops" does not have "verify"`},
	"key_ops empty":               {map[string]any{"key_ops": []string{}}, `"key_ops" does not have "verify"`},
	"key_ops a string":            {map[string]any{"key_ops": "verify"}, "not a well-formed RSA key"},
	"no key id":                   {map[string]any{"kid": nil}, "it has no key id"},
	"empty key id":                {map[string]any{"kid": ""}, "it has no key id"},
	"key id a number":             {map[string]any{"kid": 7}, "it has no key id"},
	"key id too long":             {map[string]any{"kid": strings.Repeat("k", jwks.MaxKeyID+1)}, "the key id is too long"},
	"private":                     {map[string]any{"d": "AQAB"}, "a private key was published; it must be replaced"},
	"private null":                {map[string]any{"d": json.RawMessage("null")}, "a private key was published; it must be replaced"},
	"only a prime":                {map[string]any{"p": "AQAB"}, "a private key was published; it must be replaced"},
	"only a CRT exponent":         {map[string]any{"dq": "AQAB"}, "a private key was published; it must be replaced"},
	"with a symmetric key":        {map[string]any{"k": "AQAB"}, "a private key was published; it must be replaced"},
	"no modulus":                  {map[string]any{"n": nil}, "not a well-formed RSA key"},
	"modulus not base64":          {map[string]any{"n": "!!!"}, "not a well-formed RSA key"},
	"no exponent":                 {map[string]any{"e": nil}, "not a well-formed RSA key"},
	"modulus zero":                {map[string]any{"n": "AA"}, "the modulus has less than 2048 bits"},
	"512 bits":                    {map[string]any{"n": modulus(512)}, "the modulus has less than 2048 bits"},
	"1024 bits":                   {map[string]any{"n": modulus(1024)}, "the modulus has less than 2048 bits"},
	"2047 bits":                   {map[string]any{"n": modulus(2047)}, "the modulus has less than 2048 bits"},
	"8193 bits":                   {map[string]any{"n": modulus(8193)}, "the modulus has more than 8192 bits"},
	"16384 bits":                  {map[string]any{"n": modulus(16384)}, "the modulus has more than 8192 bits"},
	"even modulus":                {map[string]any{"n": number(new(big.Int).Lsh(big.NewInt(1), 2047))}, "the modulus is even"},
	"exponent 0":                  {map[string]any{"e": "AA"}, badExponent},
	"exponent 1":                  {map[string]any{"e": "AQ"}, badExponent},
	"exponent 3":                  {map[string]any{"e": "Aw"}, badExponent},
	"exponent even":               {map[string]any{"e": exponent(65538)}, badExponent},
	"exponent just too large":     {map[string]any{"e": exponent(1<<31 + 1)}, badExponent},
	"exponent 65537 cut to 64bit": {map[string]any{"e": number(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(65537)))}, badExponent},
}

func TestParseTakesOnlyKeysThatMayVerify(t *testing.T) {
	t.Parallel()
	good := minttest.Good()
	for name, test := range keyRules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Beside a good key: one bad key must not cost the set.
			bystander := jwkOf(named(minttest.Evil(), "bystander"), nil)
			set, skipped, err := jwks.Parse(keySet(jwkOf(good, test.over), bystander))
			if err != nil {
				t.Fatal(err)
			}
			if test.why == "" {
				if len(skipped) != 0 || len(set.Keys()) != 2 {
					t.Errorf("skipped %v, want the key", skipped)
				}
				return
			}
			if len(skipped) != 1 || skipped[0].Why != test.why {
				t.Errorf("skipped %v, want %q", skipped, test.why)
			}
			if got := keyIDs(set.Keys()); !slices.Equal(got, []string{"bystander"}) {
				t.Errorf("keys %q", got)
			}
		})
	}
}

const badExponent = "the public exponent is not an odd number from 65537 to 2147483647"

func TestParseKeepsWhatTheKeySays(t *testing.T) {
	t.Parallel()
	good, other := minttest.Good(), named(minttest.Evil(), "a")
	set, skipped, err := jwks.Parse(keySet(jwkOf(good, map[string]any{"alg": "RS384"}), jwkOf(other, map[string]any{"alg": nil})))
	if err != nil || len(skipped) != 0 {
		t.Fatal(skipped, err)
	}
	want := []authproxy.Key{
		{ID: good.KeyID, Algorithm: "RS384", Public: good.Public()},
		{ID: "a", Public: other.Public()},
	}
	for i, key := range set.Keys() {
		if key.ID != want[i].ID || key.Algorithm != want[i].Algorithm || !key.Public.Equal(want[i].Public) {
			t.Errorf("key %d is %+v, want %+v", i, key, want[i])
		}
		if found, ok := set.Key(key.ID); !ok || found != key {
			t.Errorf("Key(%q) = %+v, %v", key.ID, found, ok)
		}
	}
	for _, id := range []string{"", "b", "A"} {
		if key, ok := set.Key(id); ok {
			t.Errorf("Key(%q) = %+v", id, key)
		}
	}
	set.Keys()[0] = authproxy.Key{}
	if set.Keys()[0].ID != good.KeyID {
		t.Error("the result of Keys is the set's own slice")
	}
}

func TestParseRefusesKeysThatShareAnID(t *testing.T) {
	t.Parallel()
	good, evil := minttest.Good(), minttest.Evil() // under one id
	third, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	thirdJWK := map[string]any{"kty": "RSA", "kid": good.KeyID, "n": number(third.N), "e": "AQAB"}
	bystander := jwkOf(named(evil, "bystander"), nil)
	for name, test := range map[string]struct {
		keys    []any
		want    []string
		skipped int
	}{
		"two":             {[]any{jwkOf(good, nil), bystander, jwkOf(evil, nil)}, []string{"bystander"}, 2},
		"three":           {[]any{jwkOf(good, nil), jwkOf(evil, nil), bystander, thirdJWK}, []string{"bystander"}, 3},
		"again the first": {[]any{jwkOf(good, nil), jwkOf(evil, nil), jwkOf(good, nil), bystander}, []string{"bystander"}, 3},
		"same key twice":  {[]any{jwkOf(good, nil), jwkOf(good, nil), bystander}, []string{"bystander", good.KeyID}, 0},
		"two algorithms":  {[]any{jwkOf(good, nil), jwkOf(good, map[string]any{"alg": "RS512"}), bystander}, []string{"bystander"}, 2},
		"one unusable":    {[]any{jwkOf(good, nil), jwkOf(evil, map[string]any{"use": "enc"}), bystander}, []string{"bystander", good.KeyID}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, skipped, err := jwks.Parse(keySet(test.keys...))
			if err != nil {
				t.Fatal(err)
			}
			if got := keyIDs(set.Keys()); !slices.Equal(got, test.want) {
				t.Errorf("keys %q, want %q", got, test.want)
			}
			if len(skipped) != test.skipped {
				t.Errorf("skipped %v, want %d", skipped, test.skipped)
			}
			if _, ok := set.Key(good.KeyID); ok != slices.Contains(test.want, good.KeyID) {
				t.Errorf("Key(%q) is there: %v", good.KeyID, ok)
			}
		})
	}
}

func TestParseRefusesWhatIsNoKeySet(t *testing.T) {
	t.Parallel()
	good := jwkOf(minttest.Good(), nil)
	many := make([]any, jwks.MaxKeys+1)
	for i := range many {
		many[i] = jwkOf(named(minttest.Good(), fmt.Sprint("k", i)), nil)
	}
	if set, _, err := jwks.Parse(keySet(many[:jwks.MaxKeys]...)); err != nil || len(set.Keys()) != jwks.MaxKeys {
		t.Fatal("as many keys as allowed:", err)
	}
	for name, test := range map[string]struct {
		body   []byte
		noKeys bool // a key set all the same
	}{
		"nothing":            {nil, false},
		"HTML":               {[]byte("<!DOCTYPE html><title>Sign in</title>"), false},
		"null":               {[]byte("null"), false},
		"array":              {[]byte("[]"), false},
		"string":             {[]byte(`"keys"`), false},
		"cut off":            {minttest.JWKS(minttest.Good())[:200], false},
		"something behind":   {append(minttest.JWKS(minttest.Good()), "{}"...), false},
		"one bare key":       {must(json.Marshal(good)), false},
		"other spelling":     {bytes.Replace(minttest.JWKS(minttest.Good()), []byte(`"keys"`), []byte(`"Keys"`), 1), false},
		"keys an object":     {[]byte(`{"keys":{}}`), false},
		"keys a string":      {[]byte(`{"keys":"x"}`), false},
		"too many keys":      {keySet(many...), false},
		"too large":          {append(bytes.Repeat([]byte(" "), jwks.MaxBody), minttest.JWKS(minttest.Good())...), false},
		"deep":               {[]byte(`{"keys":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`), false},
		"deep in a key":      {[]byte(`{"keys":[{"kty":"RSA","kid":"x","x":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}]}`), true},
		"keys null":          {[]byte(`{"keys":null}`), true},
		"no keys":            {[]byte(`{"keys":[]}`), true},
		"keys of null":       {[]byte(`{"keys":[null,1,"x",[]]}`), true},
		"symmetric only":     {[]byte(`{"keys":[{"kty":"oct","kid":"x","k":"AAAA"}]}`), true},
		"an id for two keys": {keySet(good, jwkOf(minttest.Evil(), nil)), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, _, err := jwks.Parse(test.body)
			if err == nil || set != nil {
				t.Fatalf("Parse = %v, %v", set, err)
			}
			if errors.Is(err, jwks.ErrNoUsableKeys) != test.noKeys {
				t.Errorf("error %v, want ErrNoUsableKeys: %v", err, test.noKeys)
			}
			if !strings.HasPrefix(err.Error(), "jwks: ") || len(err.Error()) > 256 {
				t.Errorf("error %q", err)
			}
		})
	}
}

// What a document says must not fill the log.
func TestSkippedIsShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("€", 50_000)
	_, skipped, err := jwks.Parse(keySet(
		jwkOf(minttest.Good(), map[string]any{"kid": long}),
		jwkOf(minttest.Good(), map[string]any{"kty": long}),
		jwkOf(minttest.Good(), map[string]any{"alg": long}),
		jwkOf(minttest.Good(), map[string]any{"n": long}),
	))
	if !errors.Is(err, jwks.ErrNoUsableKeys) || len(skipped) != 4 || len(err.Error()) > 256 {
		t.Fatal(len(skipped), err)
	}
	for _, s := range skipped {
		if len(s.KeyID) > 70 || len(s.Why) > 100 {
			t.Errorf("skipped %+v", s)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
