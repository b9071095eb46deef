package clerkdev

import (
	"sync"
	"time"
)

// limiter counts what was done in the last ten seconds, for each key. Its zero
// value needs now only.
type limiter struct {
	now  func() time.Time
	mu   sync.Mutex
	done map[string][]time.Time // oldest first
}

// limitWindow is what all of Clerk's Backend API limits are counted over.
const limitWindow = 10 * time.Second

// metadataLimit is Clerk's for writes to one user, organisation or membership.
const metadataLimit = 10

// take counts one more for key, or says when there is room again. What is refused is
// not counted, so that a client that keeps knocking gets in.
func (l *limiter) take(key string, limit int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	times := l.done[key]
	for len(times) > 0 && now.Sub(times[0]) >= limitWindow {
		times = times[1:]
	}
	if len(times) >= limit {
		return errTooMany(limitWindow - now.Sub(times[0]))
	}
	if l.done == nil {
		l.done = map[string][]time.Time{}
	}
	l.done[key] = append(times, now)
	return nil
}
