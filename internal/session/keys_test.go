package session_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
)

func TestThreatKeys(t *testing.T) {
	t.Parallel()
	good, evil := minttest.Good(), minttest.Evil()
	byGood, byEvil := minted(nil), evil.Sign(minttest.Session(minttest.LiveIss, now, nil), nil)
	key := func(id, alg string, s minttest.Signer) authproxy.Key {
		return authproxy.Key{ID: id, Algorithm: alg, Public: s.Public()}
	}
	ring := func(keys ...authproxy.Key) *keyring { return &keyring{keys: keys} }
	rs := func(alg string) string { return signed(strings.Replace(plainHeader, "RS256", alg, 1), plainPayload) }
	for _, c := range []struct {
		id    string
		keys  *keyring
		token string
		want  authproxy.Reason
		asked int32
	}{
		{"the current key", ring(key("ins_oracle0001", "RS256", good)), byGood, "", 1},
		{"rotated under the same kid", ring(key("ins_oracle0001", "RS256", good), key("ins_oracle0001", "RS256", evil)), byEvil, "", 2},
		{"rotated, and the signature is wrong all the same", ring(key("ins_oracle0001", "RS256", evil), key("ins_oracle0001", "RS256", evil)), byGood, authproxy.TokenInvalidSignature, 2},
		{"rotated, and neither key made the signature", ring(key("ins_oracle0001", "RS256", good), key("ins_oracle0001", "RS256", evil)),
			signedAs(plainHeader, "RS256", strings.Split(byGood, ".")[2]), authproxy.TokenInvalidSignature, 2},
		{"rotated to another algorithm", ring(key("ins_oracle0001", "RS256", good), key("ins_oracle0001", "RS512", evil)), byEvil, authproxy.TokenInvalidSignature, 2},
		{"JWT-08 unknown kid", ring(key("x", "RS256", good)), byGood, authproxy.JWKKidMismatch, 1},
		{"a PEM key matches any kid", ring(key("", "RS256", good)), byGood, "", 1},
		{"a PEM key is for RS256", ring(key("", "", good)), rs("RS512"), authproxy.TokenVerificationFailed, 1},
		{"a PEM key without algorithm", ring(key("", "", good)), byGood, "", 1},
		{"JWT-03 a key without algorithm takes RS384", ring(key("ins_oracle0001", "", good)), rs("RS384"), "", 1},
		{"JWT-03 a key without algorithm takes RS512", ring(key("ins_oracle0001", "", good)), rs("RS512"), "", 1},
		{"JWT-03 a key without algorithm takes no PS256", ring(key("ins_oracle0001", "", good)), signedAs(plainHeader, "PS256", "AAAA"), authproxy.TokenInvalidAlgorithm, 1},
		{"JWT-03 RS256 with an RS512 key", ring(key("ins_oracle0001", "RS512", good)), byGood, authproxy.TokenVerificationFailed, 1},
		{"JWT-10 no key set", &keyring{err: authproxy.ErrKeysUnavailable}, byGood, authproxy.KeysUnavailable, 1},
		{"JWT-10 another error", &keyring{err: errElse}, byGood, authproxy.KeysUnavailable, 1},
		{"JWT-10 the key set is lost when asked again", &keyring{keys: ring(key("ins_oracle0001", "RS256", good)).keys, again: authproxy.ErrKeysUnavailable}, byEvil, authproxy.KeysUnavailable, 2},
		{"a key without a key", ring(authproxy.Key{ID: "ins_oracle0001"}), byGood, authproxy.JWKKidMismatch, 1},
	} {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, keys(c.keys))
			wantReason(t, v, c.token, c.want)
			if got := c.keys.asked.Load(); got != c.asked {
				t.Errorf("asked for keys %d times, want %d", got, c.asked)
			}
		})
	}
}

// renaming answers with keys that were not asked for.
type renaming struct{ *keyring }

func (r renaming) Key(ctx context.Context, kid string, failed *rsa.PublicKey) (authproxy.Key, error) {
	key, err := r.keyring.Key(ctx, kid, failed)
	key.ID = "ins_other"
	return key, err
}

func TestKeyOfAnotherID(t *testing.T) {
	t.Parallel()
	k := &keyring{keys: []authproxy.Key{{ID: "", Algorithm: "RS256", Public: minttest.Good().Public()}}}
	v := verifier(t, keys(renaming{k}))
	wantReason(t, v, minted(nil), authproxy.JWKKidMismatch)
}

// What the key source says is for the log alone.
func TestKeysUnavailableCause(t *testing.T) {
	t.Parallel()
	v := verifier(t, keys(&keyring{err: errElse}))
	_, refusal := v.Verify(t.Context(), minted(nil))
	if !errors.Is(refusal, errElse) || strings.Contains(refusal.Detail, errElse.Error()) {
		t.Errorf("refusal %+v, want the error as its cause only", refusal)
	}
}
