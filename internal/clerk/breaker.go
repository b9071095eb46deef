package clerk

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// failuresInARow open the breaker, whatever the time between them: where few
	// people are, each of them would wait for the time limit otherwise.
	failuresInARow = 5
	// So does half of at least this many during the window.
	enoughCalls = 10
	window      = 10 * time.Second
	// openFor is the time until one call is tried again.
	openFor = 5 * time.Second
	// longestPause bounds what Clerk may ask for with Retry-After: a slip must not
	// end renewals for hours.
	longestPause = time.Minute
)

// breaker stops calls while Clerk fails. Answers that refuse something are none of
// its concern: visitors can cause them.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	pause   deadline // what Clerk asked for
	inARow  int      // failures; guarded by the circuit's own lock
}

func newBreaker() *breaker {
	b := &breaker{}
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         "clerk",
		MaxRequests:  1,
		Interval:     window,
		BucketPeriod: time.Second,
		Timeout:      openFor,
		IsSuccessful: b.tally,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			ended := n.TotalSuccesses + n.TotalFailures // Requests has those under way, too
			return b.inARow >= failuresInARow || ended >= enoughCalls && n.TotalFailures*2 >= ended
		},
	})
	return b
}

// tally counts failures in a row by itself: the circuit forgets its own count with
// the window.
func (b *breaker) tally(err error) bool {
	var e *Error
	if err == nil || errors.As(err, &e) && e.refused() {
		b.inARow = 0
		return true
	}
	b.inARow++
	return false
}

// try reports what f came to, and whether it was tried at all.
func (b *breaker) try(f func() *Error) (failed *Error, tried bool) {
	_, err := b.circuit.Execute(func() (struct{}, error) {
		tried = true
		if failed = f(); failed != nil {
			return struct{}{}, failed
		}
		return struct{}{}, nil
	})
	_ = err // the same as failed, or that nothing was tried
	return failed, tried
}

// blocks reports whether nothing is to be sent now.
func (b *breaker) blocks(now time.Time) bool {
	switch b.circuit.State() {
	case gobreaker.StateOpen:
		return true
	case gobreaker.StateHalfOpen:
		return b.pause.ahead(now)
	default:
		// One answer 429 is about one thing, and must not stop all others.
		return false
	}
}

// obey remembers how long Clerk wants to be left alone.
func (b *breaker) obey(x *exchange) {
	if x.status == http.StatusTooManyRequests {
		now := time.Now()
		b.pause.extend(now.Add(min(retryAfter(x.retryAfter, now), longestPause)))
	}
}

// deadline is a time that only moves on.
type deadline struct {
	mu sync.Mutex
	at time.Time
}

func (d *deadline) extend(to time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if to.After(d.at) {
		d.at = to
	}
}

func (d *deadline) ahead(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return now.Before(d.at)
}
