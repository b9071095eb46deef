package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/jwks"
)

func TestANewKeyIsFoundByTheRequestThatNeedsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		added := named(minttest.Evil(), "ins_new")
		s.publish(minttest.Good(), added)
		wantKey(t, cache, added.KeyID, added) // right after the first fetch: that one is no refetch
		if s.fetches() != 2 {
			t.Errorf("%d fetches, want 2", s.fetches())
		}
		if got := s.outcomes(jwks.KindUnknownKey); !maps.Equal(got, map[string]int{jwks.UnknownKeyRefetch: 1}) {
			t.Errorf("unknown kid actions %v", got)
		}
	})
}

// JWT-08: ten thousand tokens, each with a key id of its own.
func TestForgedKeyIDsShareOneRefetchPerCoolDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		for round := range 3 {
			for i := range 10_000 {
				wantError(t, cache, fmt.Sprintf("forged-%d-%d", round, i), nil, authproxy.ErrKeyUnknown, 0)
			}
			wantKey(t, cache, kid, minttest.Good())
			if got, want := s.fetches(), 2+round; got != want {
				t.Fatalf("round %d: %d fetches, want %d", round, got, want)
			}
			pass(10*time.Second - time.Nanosecond)
			wantError(t, cache, "forged", nil, authproxy.ErrKeyUnknown, 0)
			if got, want := s.fetches(), 2+round; got != want {
				t.Fatalf("round %d: fetched again before the cool-down ended", round)
			}
			pass(time.Nanosecond)
		}
		want := map[string]int{jwks.UnknownKeyRefetch: 3, jwks.UnknownKeyCooldown: 3 * 10_000}
		if got := s.outcomes(jwks.KindUnknownKey); !maps.Equal(got, want) {
			t.Errorf("unknown kid actions %v, want %v", got, want)
		}
	})
}

// The same, all at once and with a slow key server.
func TestMissesDuringARefetchShareIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		added := named(minttest.Evil(), "ins_new")
		s.set(after(time.Second, document(minttest.JWKS(minttest.Good(), added))))
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() { wantError(t, cache, fmt.Sprint("forged-", i), nil, authproxy.ErrKeyUnknown, time.Second) })
			wg.Go(func() {
				if key, err := cache.Key(t.Context(), added.KeyID, nil); err != nil || !key.Public.Equal(added.Public()) {
					t.Errorf("the new key: %v, %v", key, err)
				}
			})
			wg.Go(func() { wantKey(t, cache, kid, minttest.Good()) })
		}
		wg.Wait()
		if s.fetches() != 2 {
			t.Errorf("%d fetches, want 2", s.fetches())
		}
	})
}

func TestAHangingKeyServerHoldsNobodyWhoseKeyIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		s.set(hang)
		var wg sync.WaitGroup
		wg.Go(func() { wantError(t, cache, "unknown", nil, authproxy.ErrKeyUnknown, 2*time.Second) }) // MaxWait
		wg.Go(func() {
			wantError(t, cache, kid, minttest.Good().Public(), authproxy.ErrKeyUnknown, 2*time.Second)
		})
		synctest.Wait()
		if s.fetches() != 2 {
			t.Fatalf("%d fetches, want the refetch to hang", s.fetches())
		}
		for range 100 {
			wantKey(t, cache, kid, minttest.Good())
		}
		wg.Wait()
		pass(5*time.Minute - 2*time.Second) // a background refresh hangs too
		for range 20 {
			wantKey(t, cache, kid, minttest.Good())
			pass(time.Second)
		}
	})
}

func TestARefetchOutlivesTheRequestThatStartedIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		added := named(minttest.Evil(), "ins_new")
		s.set(after(time.Second, document(minttest.JWKS(added))))

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if _, err := cache.Key(ctx, added.KeyID, nil); !errors.Is(err, authproxy.ErrKeyUnknown) {
			t.Errorf("Key: %v", err)
		}
		if waited := time.Since(begin); waited != 100*time.Millisecond {
			t.Errorf("waited %s, longer than the request lasted", waited)
		}
		pass(900 * time.Millisecond)
		wantKey(t, cache, added.KeyID, added)
		if s.fetches() != 2 {
			t.Errorf("%d fetches, want 2", s.fetches())
		}
	})
}

// Clerk's key id is the instance's id, so a rotated key can have the old id.
func TestAKeyRotatedUnderTheSameIDIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		before, now := minttest.Good(), minttest.Evil()
		s.publish(before)
		cache, _ := s.start(t, jwks.Config{})
		s.publish(now)
		wantKey(t, cache, kid, before)

		key, err := cache.Key(t.Context(), kid, before.Public())
		if err != nil || !key.Public.Equal(now.Public()) {
			t.Fatalf("Key = %v, %v, want the rotated key", key, err)
		}
		if generation, _ := cache.Generation(); generation != 2 || s.fetches() != 2 {
			t.Errorf("Generation %d, %d fetches", generation, s.fetches())
		}
		// A request that read the old key before the rotation gets the new one
		// without a fetch; one that saw the new one fail is in the cool-down.
		if key, err = cache.Key(t.Context(), kid, before.Public()); err != nil || !key.Public.Equal(now.Public()) {
			t.Errorf("Key = %v, %v", key, err)
		}
		wantError(t, cache, kid, now.Public(), authproxy.ErrKeyUnknown, 0)
		if s.fetches() != 2 {
			t.Errorf("%d fetches, want 2", s.fetches())
		}
	})
}

func TestForgedSignaturesShareTheCoolDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		for range 1000 {
			wantError(t, cache, kid, minttest.Good().Public(), authproxy.ErrKeyUnknown, 0)
			wantError(t, cache, "forged", nil, authproxy.ErrKeyUnknown, 0)
		}
		if s.fetches() != 2 {
			t.Errorf("%d fetches, want 2", s.fetches())
		}
	})
}

func TestAnIDThatNoKeyCanHaveIsNotLookedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		for _, id := range []string{"", strings.Repeat("x", jwks.MaxKeyID+1)} {
			wantError(t, cache, id, nil, authproxy.ErrKeyUnknown, 0)
		}
		if s.fetches() != 1 {
			t.Errorf("%d fetches, want 1", s.fetches())
		}
	})
}

func TestErrorsDoNotRepeatTheKeyID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		if _, err := cache.Key(t.Context(), "attacker", nil); err == nil || strings.Contains(err.Error(), "attacker") {
			t.Errorf("error %v", err)
		}
	})
}

// A miss that finds a background refresh under way waits for it; since that one
// may have been answered before the key was published, it may still ask itself.
func TestAMissDuringABackgroundRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		added := named(minttest.Evil(), "ins_new")
		s.set(after(time.Minute/60, func(r *http.Request) (*http.Response, error) {
			s.publish(minttest.Good(), added) // too late for the answer below
			return document(minttest.JWKS(minttest.Good()))(r)
		}))
		for s.fetches() < 2 {
			pass(100 * time.Millisecond)
		}
		key, err := cache.Key(t.Context(), added.KeyID, nil)
		if err != nil || !key.Public.Equal(added.Public()) {
			t.Errorf("Key = %v, %v", key, err)
		}
		if s.fetches() != 3 {
			t.Errorf("%d fetches, want 3", s.fetches())
		}
		if got := s.outcomes(jwks.KindUnknownKey); !maps.Equal(got, map[string]int{jwks.UnknownKeyRefetch: 1}) {
			t.Errorf("unknown kid actions %v", got)
		}
	})
}

// Somebody who sends forged tokens all the time must neither keep a withdrawn
// key alive nor, when refetches fail, put the refresh off.
func TestFailedRefetchesDoNotPostponeTheRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		s.set(status(http.StatusServiceUnavailable, nil))
		for range 24 { // until 4m: a failure each
			pass(10 * time.Second)
			wantError(t, cache, "forged", nil, authproxy.ErrKeyUnknown, 0)
		}
		before := s.fetches()
		s.publish(minttest.Evil())
		pass(time.Minute)
		if s.fetches() != before+1 {
			t.Errorf("%d fetches in the minute of the refresh, want 1", s.fetches()-before)
		}
		wantKey(t, cache, kid, minttest.Evil())
	})
}

func TestTheEndOfRunSendsWaitersHome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, stop := s.start(t, jwks.Config{MaxWait: time.Hour, Timeout: time.Hour})
		s.set(hang)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { wantError(t, cache, fmt.Sprint(i), nil, authproxy.ErrKeyUnknown, time.Second) })
		}
		pass(time.Second)
		stop()
		wg.Wait()

		pass(time.Minute)
		wantError(t, cache, "later", nil, authproxy.ErrKeyUnknown, 0)
		wantKey(t, cache, kid, minttest.Good())
		if got := s.outcomes(jwks.KindFetch); !maps.Equal(got, map[string]int{jwks.FetchOK: 1}) {
			t.Errorf("fetch outcomes %v: the end of Run is no failure of the key server", got)
		}
		if s.fetches() != 2 {
			t.Errorf("%d fetches, want 2", s.fetches())
		}
	})
}
