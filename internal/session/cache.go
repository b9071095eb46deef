package session

import (
	"crypto/sha256"
	"encoding/binary"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Fingerprint stands for one token verified with one key set.
type Fingerprint [sha256.Size]byte

// FingerprintOf covers every byte of the token and the generation of the key
// set, so that a token never answers for another and nothing outlives the keys
// it was verified with (threat JWT-45). The generation has a fixed width: no
// token can end where another's generation begins.
func FingerprintOf(token string, generation uint64) Fingerprint {
	buf := make([]byte, 8, 8+len(token))
	binary.BigEndian.PutUint64(buf, generation)
	return sha256.Sum256(append(buf, token...))
}

// Cache keeps what verified tokens came to, the least recently used going first.
// It is bounded by its number of entries, each of which comes from a token of at
// most [MaxTokenBytes]. Nothing in it may depend on a request or on the clock,
// and refusals do not belong in it.
type Cache[V any] struct{ lru *lru.Cache[Fingerprint, V] }

// NewCache returns a cache of at most this many entries, at least one.
func NewCache[V any](entries int) *Cache[V] {
	c, err := lru.New[Fingerprint, V](max(entries, 1))
	if err != nil {
		panic("session: lru.New refuses a positive size: " + err.Error()) // its only error is a size below one
	}
	return &Cache[V]{lru: c}
}

// Get returns what was added for fp.
func (c *Cache[V]) Get(fp Fingerprint) (V, bool) { return c.lru.Get(fp) }

// Add keeps v for fp.
func (c *Cache[V]) Add(fp Fingerprint, v V) { c.lru.Add(fp, v) }

// Len returns the number of entries.
func (c *Cache[V]) Len() int { return c.lru.Len() }
