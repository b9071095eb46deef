package session_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/manageros/authproxy/internal/session"
)

func TestThreatFingerprint(t *testing.T) {
	t.Parallel()
	token := minted(nil)
	seen := map[session.Fingerprint]string{}
	put := func(what, token string, generation uint64) {
		fp := session.FingerprintOf(token, generation)
		if other, taken := seen[fp]; taken {
			t.Errorf("JWT-45: %s has the fingerprint of %s", what, other)
		}
		seen[fp] = what
		if again := session.FingerprintOf(token, generation); again != fp {
			t.Errorf("%s has two fingerprints", what)
		}
	}
	put("the token", token, 1)
	put("another generation", token, 2)
	put("a generation with the same last byte", token, 257)
	put("a far generation", token, 1<<63)
	put("empty", "", 1)
	for i := range token { // every byte counts
		changed := []byte(token)
		changed[i] ^= 1
		put(fmt.Sprintf("byte %d changed", i), string(changed), 1)
		put(fmt.Sprintf("cut at %d", i), token[:i]+"\x00", 1)
	}
	// Bytes that move between generation and token change nothing into each other.
	next := binary.BigEndian.AppendUint64(nil, 1)
	put("a token that begins like a generation", string(next)+token, 1)
	put("a token that ends like a generation", token+string(next), 1)
	if fp := session.FingerprintOf(token, 1); bytes.Contains([]byte(token), fp[:4]) {
		t.Error("the fingerprint shows the token")
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	c := session.NewCache[string](2)
	a, b, d := session.FingerprintOf("a", 1), session.FingerprintOf("b", 1), session.FingerprintOf("d", 1)
	c.Add(a, "A")
	c.Add(b, "B")
	if got, ok := c.Get(a); !ok || got != "A" {
		t.Errorf("got %q, %v; want A", got, ok)
	}
	c.Add(d, "D") // b goes: it was used least recently
	if _, ok := c.Get(b); ok {
		t.Error("the least recently used entry is still there")
	}
	if got, ok := c.Get(a); !ok || got != "A" {
		t.Errorf("got %q, %v; want A", got, ok)
	}
	if _, ok := c.Get(session.FingerprintOf("a", 2)); ok {
		t.Error("JWT-45: an entry answers for another key set")
	}
	if c.Len() != 2 {
		t.Errorf("%d entries, want 2", c.Len())
	}
	if small := session.NewCache[int](0); small == nil || small.Len() != 0 {
		t.Error("a size of 0 is one entry")
	}
}

// DOS-09: whatever is thrown at it, the cache stays within its bound.
func TestThreatCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := session.NewCache[int](100)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 1000 {
				fp := session.FingerprintOf(fmt.Sprint(worker, i), 1)
				c.Add(fp, i)
				if got, ok := c.Get(fp); ok && got != i {
					t.Errorf("got %d, want %d", got, i)
				}
			}
		})
	}
	all.Wait()
	if c.Len() > 100 {
		t.Errorf("%d entries, want at most 100", c.Len())
	}
}
