package jwks_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/jwks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const keysURL = "https://keys.example.com/.well-known/jwks.json"

// keyServer is the network of a bubble: it answers every request for the key
// set, and records when it was asked.
type keyServer struct {
	mu     sync.Mutex
	answer func(*http.Request) (*http.Response, error)
	asked  []time.Time
	events []jwks.Event
}

func (s *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, time.Now())
	answer := s.answer
	s.mu.Unlock()
	return answer(r)
}

func (s *keyServer) set(answer func(*http.Request) (*http.Response, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *keyServer) publish(signers ...minttest.Signer) { s.set(document(minttest.JWKS(signers...))) }

// fetches is how often the key set was asked for.
func (s *keyServer) fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// gaps are the times between one request and the next.
func (s *keyServer) gaps() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var gaps []time.Duration
	for i := 1; i < len(s.asked); i++ {
		gaps = append(gaps, s.asked[i].Sub(s.asked[i-1]))
	}
	return gaps
}

func (s *keyServer) observe(e jwks.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// outcomes counts the events of a kind.
func (s *keyServer) outcomes(kind string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := make(map[string]int)
	for _, e := range s.events {
		if e.Kind == kind {
			count[e.Outcome]++
		}
	}
	return count
}

func (s *keyServer) config(cfg jwks.Config) jwks.Config {
	cfg.URL = keysURL
	cfg.HTTP = &http.Client{Transport: s}
	cfg.Observe = s.observe
	return cfg
}

// start runs a cache until the bubble ends, and returns after its first fetch
// unless that one hangs.
func (s *keyServer) start(t *testing.T, cfg jwks.Config) (cache *jwks.Cache, stop func()) {
	t.Helper()
	cache, err := jwks.New(s.config(cfg))
	if err != nil {
		t.Fatal(err)
	}
	stop = run(t, cache)
	synctest.Wait()
	return cache, stop
}

// run runs a cache until stop is called or the test ends.
func run(t *testing.T, cache *jwks.Cache) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- cache.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("Run:", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// document answers with body.
func document(body []byte) func(*http.Request) (*http.Response, error) {
	return status(http.StatusOK, body)
}

func status(code int, body []byte) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
	}
}

// hang never answers.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// after answers when d has passed.
func after(d time.Duration, answer func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return answer(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// pass lets the time of a bubble pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// named gives a signer's key another id.
func named(s minttest.Signer, kid string) minttest.Signer {
	s.KeyID = kid
	return s
}

// jwkOf is a signer's key as the key set has it, with some members replaced; a
// nil one is removed.
func jwkOf(s minttest.Signer, over map[string]any) map[string]any {
	key := maps.Clone(s.JWK)
	key["kid"], key["alg"], key["use"] = s.KeyID, "RS256", "sig"
	for name, value := range over {
		if value == nil {
			delete(key, name)
		} else {
			key[name] = value
		}
	}
	return key
}

func keyIDs(keys []authproxy.Key) []string {
	ids := []string{}
	for _, key := range keys {
		ids = append(ids, key.ID)
	}
	slices.Sort(ids)
	return ids
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
