package app_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/minttest"
)

// TestIsolation: 1,000 people at once, forged and expired tokens among them,
// and the keys rotate in between. No request ever carries another's header
// (threats, invariant I10, FA-24).
func TestIsolation(t *testing.T) {
	t.Parallel()
	const people, rounds = 1000, 2
	var rotated atomic.Bool
	good, next := minttest.Good(), minttest.Evil() // the next key comes under the same kid
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if rotated.Load() {
			_, _ = w.Write(minttest.JWKS(next))
			return
		}
		_, _ = w.Write(minttest.JWKS(good))
	}))
	t.Cleanup(keys.Close)
	// The application says back whom it was told, and who the request said it was.
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s %s", r.URL.Path[1:], r.Header.Get("X-Auth-User-Id"), r.Header.Get("X-Auth-Person-Id"), r.Header.Get("X-Auth-Organization-Id"))
	}))
	t.Cleanup(upstream.Close)
	a := withKeys(t, newApp(t, []string{
		"AUTHPROXY_ISSUER=" + minttest.LiveIss, "AUTHPROXY_JWKS_URL=" + keys.URL, "AUTHPROXY_PUBLIC_URL=" + minttest.App,
		"AUTHPROXY_UPSTREAM=" + upstream.URL, "AUTHPROXY_JWKS_MIN_REFETCH=100ms",
	}, app.Options{}))
	front := httptest.NewServer(a.Data())
	t.Cleanup(front.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64}, Timeout: time.Minute}
	t.Cleanup(client.CloseIdleConnections)

	ask := func(i int, signer minttest.Signer, over map[string]any) (int, string) {
		claims := map[string]any{"sub": fmt.Sprintf("user_%d", i), "personId": fmt.Sprintf("person_%d", i), "organizationId": fmt.Sprintf("org_%d", i)}
		for k, v := range over {
			claims[k] = v
		}
		token := signer.Sign(minttest.Session(minttest.LiveIss, time.Now(), claims), nil)
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+fmt.Sprintf("/%d", i), nil)
		r.Host = "app.example.com"
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Auth-User-Id", "user_forged")
		answer, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(body)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range people * rounds {
		if i == people*rounds/2 {
			wg.Wait()
			rotated.Store(true)
			awaitRotation(t, func() int { status, _ := ask(0, next, nil); return status })
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			current, other := good, next
			if rotated.Load() {
				current, other = next, good
			}
			person := i % people
			switch rand.IntN(4) {
			case 0:
				if status, body := ask(person, other, nil); status != http.StatusUnauthorized {
					t.Errorf("forged: %d %q", status, body)
				}
			case 1:
				if status, body := ask(person, current, map[string]any{"exp": time.Now().Unix() - 60}); status != http.StatusUnauthorized {
					t.Errorf("expired: %d %q", status, body)
				}
			default:
				if status, body := ask(person, current, nil); status != http.StatusOK || body != expected(person) {
					t.Errorf("person %d: %d %q", person, status, body)
				}
			}
		})
	}
	wg.Wait()
}

// awaitRotation asks until the new key is known: the first request with it starts
// the shared refetch, unless the cool-down of an earlier one is on.
func awaitRotation(t *testing.T, ask func() int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for ask() != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("the new key was never taken")
		}
	}
}

func expected(i int) string { return fmt.Sprintf("%d user_%d person_%d org_%d", i, i, i, i) }
