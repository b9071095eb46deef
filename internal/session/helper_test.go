package session_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/session"
)

// now is the moment at which every test happens, between two seconds.
var now = time.Date(2026, 11, 22, 20, 33, 55, 400e6, time.UTC)

// keyring is a key source: the keys in order, of which the first of a kid is the
// current one. A key with an empty id matches every kid.
type keyring struct {
	keys  []authproxy.Key
	err   error // instead of any answer
	again error // instead of an answer about a failed key
	asked atomic.Int32
}

func (k *keyring) Generation() (uint64, error) { return 1, k.err }

func (k *keyring) Key(_ context.Context, kid string, failed *rsa.PublicKey) (authproxy.Key, error) {
	k.asked.Add(1)
	if k.err != nil {
		return authproxy.Key{}, k.err
	}
	if failed != nil && k.again != nil {
		return authproxy.Key{}, k.again
	}
	for _, key := range k.keys {
		if (key.ID == "" || key.ID == kid) && (failed == nil || !key.Public.Equal(failed)) {
			return key, nil
		}
	}
	return authproxy.Key{}, authproxy.ErrKeyUnknown
}

func published(signers ...minttest.Signer) *keyring {
	k := &keyring{}
	for _, s := range signers {
		k.keys = append(k.keys, authproxy.Key{ID: s.KeyID, Algorithm: "RS256", Public: s.Public()})
	}
	return k
}

func live(t testing.TB) *authproxy.Instance { return instance(t, minttest.LiveKey) }

func instance(t testing.TB, key string) *authproxy.Instance {
	t.Helper()
	i, err := authproxy.ParseInstance(key)
	if err != nil {
		t.Fatal(err)
	}
	return &i
}

// verifier returns the verifier of the live instance with our rules, changed by
// the given functions.
func verifier(t testing.TB, changes ...func(*session.Config)) *session.Verifier {
	t.Helper()
	cfg := session.Config{
		Keys: published(minttest.Good()), Instance: live(t), Issuers: []string{minttest.LiveIss},
		Skew: 5 * time.Second, Now: func() time.Time { return now },
	}
	for _, change := range changes {
		change(&cfg)
	}
	v, err := session.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func clerkRules(cfg *session.Config) { cfg.Rules.Clerk = &session.ClerkRules{} }

func keys(k session.Keys) func(*session.Config) {
	return func(cfg *session.Config) { cfg.Keys = k }
}

type m = map[string]any

// minted is an ordinary session token with some claims changed.
func minted(claims m) string {
	return minttest.Good().Sign(minttest.Session(minttest.LiveIss, now, claims), nil)
}

// judged is what the whole package says of a token: Verify, then Check.
func judged(t testing.TB, v *session.Verifier, token string) (*authproxy.Identity, authproxy.Reason) {
	t.Helper()
	id, refusal := v.Verify(t.Context(), token)
	if refusal == nil {
		refusal = v.Check(id, []string{minttest.App})
	}
	if refusal != nil {
		return nil, refusal.Reason
	}
	return id, ""
}

func wantReason(t testing.TB, v *session.Verifier, token string, want authproxy.Reason) {
	t.Helper()
	if _, got := judged(t, v, token); got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func wantFresh(t testing.TB, refusal *authproxy.Refusal, want authproxy.Reason) {
	t.Helper()
	var got authproxy.Reason
	if refusal != nil {
		got = refusal.Reason
	}
	if got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func enc(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func header(pairs ...string) http.Header {
	h := http.Header{}
	for pair := range slices.Chunk(pairs, 2) {
		h.Add(pair[0], pair[1])
	}
	return h
}

var errElse = errors.New("something else")
