package clerk

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// maxRemembered is above what the budgets can bring while it is remembered.
const maxRemembered = 1024

// key stands for everything that two questions must have in common to have one
// answer.
type key [sha256.Size]byte

// keyOf puts the length before each part: no part can end where another begins.
func keyOf(parts ...string) key {
	var all []byte
	for _, part := range parts {
		all = binary.BigEndian.AppendUint64(all, uint64(len(part)))
		all = append(all, part...)
	}
	return sha256.Sum256(all)
}

// shared asks each question once at a time, and remembers answers. (The expirable
// cache of golang-lru has a goroutine that never ends, and a clock of its own.)
type shared struct {
	endpoint string
	now      func() time.Time
	life     func(*Error) time.Duration // of an answer; 0: not remembered
	flights  singleflight.Group
	kept     *lru.Cache[key, answer]
}

type answer struct {
	lines []string
	err   *Error
	until time.Time
}

func newShared(endpoint string, now func() time.Time, life func(*Error) time.Duration) *shared {
	return &shared{endpoint: endpoint, now: now, life: life, kept: newLRU[key, answer](maxRemembered)}
}

// get returns what ask came to, for this caller or for another one. ctx ends the
// waiting and not the asking.
func (s *shared) get(ctx context.Context, k key, ask func(context.Context) ([]string, *Error)) ([]string, error) {
	if a, ok := s.remembered(k); ok {
		return a.forOne()
	}
	if err := ctx.Err(); err != nil {
		return nil, s.gone(err)
	}
	result := s.flights.DoChan(string(k[:]), func() (any, error) {
		if a, ok := s.remembered(k); ok {
			return a, nil // the flight before this one landed just now
		}
		var a answer
		a.lines, a.err = ask(context.WithoutCancel(ctx))
		s.remember(k, a)
		return a, nil
	})
	select {
	case r := <-result:
		return r.Val.(answer).forOne()
	case <-ctx.Done():
		return nil, s.gone(ctx.Err())
	}
}

// gone is for a caller who does not wait any longer.
func (s *shared) gone(cause error) *Error {
	return &Error{Endpoint: s.endpoint, Code: CodeFetch, Cause: cause}
}

func (s *shared) remembered(k key) (answer, bool) {
	a, ok := s.kept.Get(k)
	return a, ok && s.now().Before(a.until)
}

func (s *shared) remember(k key, a answer) {
	if life := s.life(a.err); life > 0 {
		a.until = s.now().Add(life)
		s.kept.Add(k, a)
	}
}

// forOne is a copy that its caller may change.
func (a answer) forOne() ([]string, error) {
	if a.err != nil {
		e := *a.err
		return nil, &e
	}
	return slices.Clone(a.lines), nil
}
