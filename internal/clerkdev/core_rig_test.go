package clerkdev_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/clerkdev"
	"github.com/manageros/authproxy/internal/session"
	"github.com/manageros/authproxy/jwks"
)

const app = "http://localhost:4180" // the origin of the tests' pages

// clock stands still until it is moved. It begins between two milliseconds.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 11, 22, 20, 33, 55, 400_300_000, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func emulator(t testing.TB, cfg clerkdev.Config) *clerkdev.Instance {
	t.Helper()
	i, err := clerkdev.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// standing is an emulator whose clock stands still, with the people of Demo.
func standing(t testing.TB) (*clerkdev.Instance, *clock) {
	t.Helper()
	c := newClock()
	i := emulator(t, clerkdev.Config{Template: clerkdev.DefaultTemplate, Now: c.Now})
	clerkdev.Demo(i)
	return i, c
}

func signedIn(t testing.TB, i *clerkdev.Instance, userID string) clerkdev.Session {
	t.Helper()
	s, err := i.SignIn("", userID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mint(t testing.TB, i *clerkdev.Instance, sessionID string) string {
	t.Helper()
	token, err := i.Mint(sessionID, app)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// decoded reads a token without verifying it.
func decoded(t testing.TB, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q has %d parts", token, len(parts))
	}
	for n, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// published is the emulator's key set as a source of keys.
type published struct{ set *jwks.Set }

func (p published) Generation() (uint64, error) { return 1, nil }

func (p published) Key(_ context.Context, kid string, failed *rsa.PublicKey) (authproxy.Key, error) {
	key, ok := p.set.Key(kid)
	if !ok || failed != nil {
		return authproxy.Key{}, authproxy.ErrKeyUnknown
	}
	return key, nil
}

func keySet(t testing.TB, i *clerkdev.Instance) *jwks.Set {
	t.Helper()
	set, skipped, err := jwks.Parse(i.JWKS())
	if err != nil || len(skipped) != 0 {
		t.Fatalf("jwks.Parse: %v, skipped %v", err, skipped)
	}
	return set
}

// judged is what the proxy's own verifier says of a token, with the keys the
// emulator publishes now.
func judged(t testing.TB, i *clerkdev.Instance, now func() time.Time, token string) (*authproxy.Identity, authproxy.Reason) {
	t.Helper()
	named := i.Named()
	v, err := session.New(session.Config{
		Keys: published{keySet(t, i)}, Instance: &named, Issuers: []string{named.Issuer()}, Skew: 5 * time.Second, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	id, refusal := v.Verify(t.Context(), token)
	if refusal == nil {
		refusal = v.Check(id, []string{app})
	}
	if refusal != nil {
		return nil, refusal.Reason
	}
	return id, ""
}
