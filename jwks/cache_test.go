package jwks_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/jwks"
)

const kid = "ins_oracle0001"

// wantKey fails unless the cache has want under kid, without a moment passing.
func wantKey(t *testing.T, cache *jwks.Cache, kid string, want minttest.Signer) {
	t.Helper()
	begin := time.Now()
	key, err := cache.Key(t.Context(), kid, nil)
	if err != nil || !key.Public.Equal(want.Public()) {
		t.Errorf("Key(%q) = %v, %v; want the key", kid, key, err)
		return
	}
	if waited := time.Since(begin); waited != 0 {
		t.Errorf("Key(%q) waited %s for a key that is there", kid, waited)
	}
}

// wantError fails unless Key answers with want after waiting exactly wait.
func wantError(t *testing.T, cache *jwks.Cache, kid string, failed *rsa.PublicKey, want error, wait time.Duration) {
	t.Helper()
	begin := time.Now()
	if _, err := cache.Key(t.Context(), kid, failed); !errors.Is(err, want) {
		t.Errorf("Key(%q) = %v, want %v", kid, err, want)
	}
	if waited := time.Since(begin); waited != wait {
		t.Errorf("Key(%q) waited %s, want %s", kid, waited, wait)
	}
}

func TestKeysServeFromTheFirstFetchOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.set(after(time.Second, document(minttest.JWKS(minttest.Good()))))
		cache, _ := s.start(t, jwks.Config{})

		if cache.Ready() {
			t.Error("ready before the first fetch ended")
		}
		wantError(t, cache, kid, nil, authproxy.ErrKeysUnavailable, 0)
		if _, err := cache.Generation(); !errors.Is(err, authproxy.ErrKeysUnavailable) {
			t.Errorf("Generation: %v", err)
		}
		if got := cache.Status(); got != (jwks.Status{URL: keysURL}) {
			t.Errorf("Status = %+v", got)
		}

		pass(time.Second)
		wantKey(t, cache, kid, minttest.Good())
		generation, err := cache.Generation()
		if err != nil || generation != 1 {
			t.Errorf("Generation = %d, %v", generation, err)
		}
		want := jwks.Status{Ready: true, Keys: 1, LastSuccess: time.Now(), URL: keysURL, Generation: 1}
		if got := cache.Status(); got != want {
			t.Errorf("Status = %+v, want %+v", got, want)
		}
	})
}

func TestBackgroundRefreshHasJitterAndIsNeverLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		s.start(t, jwks.Config{})
		pass(2 * time.Hour)

		seen := make(map[time.Duration]bool)
		for _, gap := range s.gaps() {
			if seen[gap] = true; gap <= 270*time.Second-time.Millisecond || gap > 5*time.Minute {
				t.Errorf("refreshed after %s, want 4m30s to 5m", gap)
			}
		}
		if len(seen) < 10 {
			t.Errorf("%d different intervals in two hours: no jitter", len(seen))
		}
	})
}

// JWT-09: use must not keep a withdrawn key alive.
func TestAWithdrawnKeyIsRefusedAfterOneRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		other := named(minttest.Evil(), "ins_other")
		s.publish(minttest.Good(), other)
		cache, _ := s.start(t, jwks.Config{})
		s.publish(minttest.Good())

		deadline := time.Now().Add(5 * time.Minute)
		for time.Now().Before(deadline) {
			_, _ = cache.Key(t.Context(), other.KeyID, nil) // in use all the time
			pass(time.Second)
		}
		wantKey(t, cache, kid, minttest.Good())
		if generation, _ := cache.Generation(); generation != 2 {
			t.Errorf("Generation = %d after a key was withdrawn, want 2", generation)
		}
		if _, err := cache.Key(t.Context(), other.KeyID, nil); !errors.Is(err, authproxy.ErrKeyUnknown) {
			t.Errorf("withdrawn key: %v", err)
		}
	})
}

func TestRetriesBackOff(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		keysFirst bool
		limit     time.Duration // of the interval between two retries
	}{
		"with keys at hand": {true, 5 * time.Minute},
		"without any keys":  {false, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &keyServer{}
				s.set(status(http.StatusBadGateway, nil))
				if test.keysFirst {
					s.publish(minttest.Good())
				}
				s.start(t, jwks.Config{})
				s.set(status(http.StatusBadGateway, nil))
				pass(3 * time.Hour)

				gaps := s.gaps()
				if test.keysFirst {
					gaps = gaps[1:] // to the first failure
				}
				for i, gap := range gaps {
					full := min(time.Second<<min(i, 20), test.limit)
					if gap < full/2 || gap > full {
						t.Fatalf("retry %d after %s, want %s to %s", i+1, gap, full/2, full)
					}
				}
				if len(gaps) < 20 {
					t.Errorf("only %d retries in three hours", len(gaps))
				}
			})
		})
	}
}

func TestASuccessEndsTheBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, n := &keyServer{}, -1
		s.set(func(r *http.Request) (*http.Response, error) {
			if n++; n%4 == 0 {
				return document(minttest.JWKS(minttest.Good()))(r)
			}
			return nil, errors.New("connection refused") // three times in a row
		})
		s.start(t, jwks.Config{})
		pass(time.Hour)
		for i, gap := range s.gaps() {
			longest := []time.Duration{5 * time.Minute, time.Second, 2 * time.Second, 4 * time.Second}[i%4]
			if gap > longest || gap < longest/2 {
				t.Errorf("fetch %d after %s, want at most %s", i+1, gap, longest)
			}
		}
		if s.fetches() < 40 {
			t.Errorf("%d fetches", s.fetches())
		}
	})
}

// JWT-10: boot and later.
func TestTheLastGoodSetServesUntilMaxStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{MaxStale: time.Hour})
		s.set(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })

		pass(time.Hour - time.Nanosecond)
		wantKey(t, cache, kid, minttest.Good())
		pass(time.Nanosecond)
		wantError(t, cache, kid, nil, authproxy.ErrKeysUnavailable, 0)
		if _, err := cache.Generation(); !errors.Is(err, authproxy.ErrKeysUnavailable) {
			t.Errorf("Generation of keys that are too old: %v", err)
		}
		if !cache.Ready() || cache.Status().Keys != 1 {
			t.Errorf("Status = %+v: readiness must not depend on the age of the keys", cache.Status())
		}

		s.publish(minttest.Good())
		pass(5 * time.Minute)
		wantKey(t, cache, kid, minttest.Good())
		if generation, err := cache.Generation(); err != nil || generation != 1 {
			t.Errorf("Generation = %d, %v after the same keys came back, want 1", generation, err)
		}
		if got := s.outcomes(jwks.KindFetch); got[jwks.FetchNetwork] == 0 || got[jwks.FetchOK] < 2 || len(got) != 2 {
			t.Errorf("fetch outcomes %v", got)
		}
	})
}

func TestOutageShorterThanMaxStaleAtShortIntervals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{Refresh: time.Hour, MaxStale: time.Minute})
		for range 600 {
			wantKey(t, cache, kid, minttest.Good()) // refreshed before it is too old
			pass(time.Second)
		}
	})
}

func TestADocumentWithoutUsableKeysIsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		s.set(document([]byte(`{"keys":[{"kty":"oct","kid":"ins_oracle0001","k":"AAAA"}]}`)))
		pass(time.Hour)
		wantKey(t, cache, kid, minttest.Good())
		if got := s.outcomes(jwks.KindFetch)[jwks.FetchNoKeys]; got == 0 {
			t.Errorf("fetch outcomes %v", s.outcomes(jwks.KindFetch))
		}
		pass(23*time.Hour + time.Minute)
		wantError(t, cache, kid, nil, authproxy.ErrKeysUnavailable, 0)
	})
}

func TestGenerationChangesWithTheUsableKeysOnly(t *testing.T) {
	t.Parallel()
	good, other := minttest.Good(), named(minttest.Evil(), "ins_other")
	steps := []struct {
		name       string
		document   []byte
		generation uint64
	}{
		{"first", minttest.JWKS(good), 1},
		{"same", minttest.JWKS(good), 1},
		{"other spelling", append([]byte("\n "), minttest.JWKS(good)...), 1},
		{"one that cannot be used", keySet(jwkOf(good, nil), map[string]any{"kty": "oct", "kid": "x", "k": "AAAA"}), 1},
		{"one more", minttest.JWKS(good, other), 2},
		{"other order", minttest.JWKS(other, good), 2},
		{"one less", minttest.JWKS(good), 3},
		{"another key under the id", minttest.JWKS(minttest.Evil()), 4},
		{"another algorithm", keySet(jwkOf(minttest.Evil(), map[string]any{"alg": "RS512"})), 5},
		{"the first again", minttest.JWKS(good), 6},
	}
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.set(document(steps[0].document))
		cache, _ := s.start(t, jwks.Config{})
		for _, step := range steps {
			s.set(document(step.document))
			pass(5 * time.Minute)
			if got, err := cache.Generation(); err != nil || got != step.generation {
				t.Errorf("%s: Generation = %d, %v, want %d", step.name, got, err, step.generation)
			}
		}
	})
}

func TestStaticKeysNeverGrowOldAndNothingIsFetched(t *testing.T) {
	t.Parallel()
	set, _, err := jwks.Parse(minttest.JWKS(minttest.Good()))
	if err != nil {
		t.Fatal(err)
	}
	pemSet, err := jwks.ParsePEM([]byte(minttest.Good().PEM))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		for _, static := range []*jwks.Set{set, pemSet} {
			cache, err := jwks.New(jwks.Config{Static: static, HTTP: &http.Client{Transport: s}, Observe: s.observe})
			if err != nil {
				t.Fatal(err)
			}
			run(t, cache)
			if !cache.Ready() {
				t.Error("not ready with static keys")
			}
			pass(1000 * time.Hour)
			wantKey(t, cache, kid, minttest.Good())
			wantError(t, cache, kid, minttest.Good().Public(), authproxy.ErrKeyUnknown, 0)
			if generation, err := cache.Generation(); err != nil || generation != 1 {
				t.Errorf("Generation = %d, %v", generation, err)
			}
			if got := cache.Status(); !got.Ready || got.Keys != 1 || got.URL != "" || !got.LastSuccess.IsZero() {
				t.Errorf("Status = %+v", got)
			}
		}
		if s.fetches() != 0 || len(s.events) != 0 {
			t.Errorf("%d fetches, events %v", s.fetches(), s.events)
		}
	})
}

func TestTwoRunsAtOnceAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, stop := s.start(t, jwks.Config{})
		if err := cache.Run(t.Context()); err == nil {
			t.Error("a second Run at the same time returned nil")
		}
		stop()
		run(t, cache)
		synctest.Wait()
		if s.fetches() != 2 {
			t.Errorf("%d fetches, want one for each Run", s.fetches())
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	set, _, err := jwks.Parse(minttest.JWKS(minttest.Good()))
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]jwks.Config{
		"nothing":            {},
		"both":               {URL: keysURL, Static: set},
		"http":               {URL: "http://keys.example.com/jwks.json"},
		"http to an address": {URL: "http://169.254.169.254/jwks.json"},
		"loopback lookalike": {URL: "http://127.0.0.1.example.com/"},
		"file":               {URL: "file:///etc/passwd"},
		"ftp":                {URL: "ftp://keys.example.com/jwks.json"},
		"relative":           {URL: "/jwks.json"},
		"no host":            {URL: "https:///jwks.json"},
		"only a port":        {URL: "https://:443/jwks.json"},
		"password":           {URL: "https://user:secret@keys.example.com/"},
		"fragment":           {URL: keysURL + "#x"},
		"unparseable":        {URL: "https://secret example.com/"},
		"negative":           {URL: keysURL, Refresh: -1},
		"negative wait":      {URL: keysURL, MaxWait: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cache, err := jwks.New(cfg)
			if err == nil || cache != nil {
				t.Fatal("accepted")
			}
			if !strings.HasPrefix(err.Error(), "jwks: ") || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q", err)
			}
		})
	}
	for _, url := range []string{"https://10.0.0.1/x?y=z", "http://127.0.0.1:8080/", "http://[::1]/x", "http://localhost:1/x"} {
		if _, err := jwks.New(jwks.Config{URL: url}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A reader in parallel with refreshes, for the race detector, and outside of a
// bubble so that goroutines really run at once.
func TestReadersDuringRefreshes(t *testing.T) {
	t.Parallel()
	s := &keyServer{}
	s.publish(minttest.Good())
	cache, err := jwks.New(s.config(jwks.Config{Refresh: time.Millisecond, MinRefetch: time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, cache)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done := make(chan error)
	for i := range 4 {
		go func() {
			var err error
			for n := 0; ctx.Err() == nil && err == nil; n++ {
				_, _ = cache.Generation()
				_ = cache.Status()
				_, _ = cache.Key(ctx, fmt.Sprint("forged-", i, n), nil)
				if _, e := cache.Key(ctx, kid, nil); cache.Ready() && e != nil && !errors.Is(e, authproxy.ErrKeysUnavailable) {
					err = e
				}
				if i == 0 {
					s.publish([]minttest.Signer{minttest.Good(), minttest.Evil()}[n%2])
				}
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	set, _, err := jwks.Parse(minttest.JWKS(minttest.Good(), named(minttest.Evil(), "ins_other")))
	if err != nil {
		b.Fatal(err)
	}
	cache, err := jwks.New(jwks.Config{Static: set})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := cache.Key(ctx, kid, nil); err != nil {
				b.Error(err)
			}
		}
	})
}
