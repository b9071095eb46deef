package jwks_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/jwks"
)

// The log says each thing when it begins, not at every refresh.
func TestWhatIsLogged(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		mixed := keySet(jwkOf(minttest.Good(), nil), map[string]any{"kty": "oct", "kid": "shared", "k": "c2VjcmV0"})
		s.set(document(mixed))
		_, stop := s.start(t, jwks.Config{
			CacheFile: filepath.Join(dir, "keys.json"),
			Log:       slog.New(slog.NewTextHandler(&text, nil)),
		})
		pass(time.Hour)
		s.set(status(503, nil))
		pass(5 * time.Minute) // after this the same key is still no news
		s.set(document(mixed))
		pass(time.Hour)
		s.publish(minttest.Evil())
		pass(time.Hour)
		stop()
	})
	got := text.String()
	for message, want := range map[string]int{
		`level=WARN msg="key set cache file not used"`:                            1, // there was none yet
		`level=INFO msg="key set changed"`:                                        2,
		`level=WARN msg="key skipped"`:                                            1,
		`kid=shared why="the key type is not RSA"`:                                1,
		`outcome=http-status error="jwks: http-status: the key server answered 5`: strings.Count(got, "key set not fetched"),
		"c2VjcmV0": 0,
	} {
		if n := strings.Count(got, message); n != want {
			t.Errorf("%q is there %d times, want %d", message, n, want)
		}
	}
	if n := strings.Count(got, "key set not fetched"); n == 0 || n > 10 {
		t.Errorf("%d failures logged", n)
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestEventsKeepToTheClosedSets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		s.publish(minttest.Good())
		cache, _ := s.start(t, jwks.Config{})
		_, _ = cache.Key(t.Context(), "forged", nil)
		_, _ = cache.Key(t.Context(), "forged", nil)
		s.set(document([]byte(`{"keys":[]}`)))
		pass(6 * time.Minute)

		words := map[string][]string{jwks.KindFetch: jwks.FetchOutcomes(), jwks.KindUnknownKey: jwks.UnknownKeyActions()}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range s.events {
			known := false
			for _, word := range words[e.Kind] {
				known = known || word == e.Outcome
			}
			if !known || e.Keys != 1 || e.At.IsZero() {
				t.Errorf("event %+v", e)
			}
			if (e.Outcome == jwks.FetchNoKeys) != errors.Is(e.Err, jwks.ErrNoUsableKeys) {
				t.Errorf("event %+v: the cause", e)
			}
		}
		if len(s.events) < 5 {
			t.Errorf("%d events", len(s.events))
		}
	})
}
