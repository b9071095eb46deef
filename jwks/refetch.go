package jwks

import (
	"sync"
	"time"
)

// flight is one fetch that requests may wait for.
type flight struct {
	done    chan struct{} // closed when the fetch ended and its result is in place
	refetch bool          // asked for by a request; otherwise a background refresh
}

// flights is the bookkeeping of fetches: at most one is under way, and requests
// cause at most one per interval. Its lock is never held during a fetch.
type flights struct {
	interval time.Duration // Config.MinRefetch
	asked    chan struct{} // capacity 1; holds an element while a refetch is asked for and not begun

	mu      sync.Mutex
	running bool
	current *flight   // under way or asked for
	latest  time.Time // when the latest refetch was asked for
}

func newFlights(interval time.Duration) *flights {
	return &flights{interval: interval, asked: make(chan struct{}, 1)}
}

// open reports false when the flights are open already.
func (f *flights) open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	opened := !f.running
	f.running = true
	return opened
}

// close sends home everybody who waits. Nobody will wait after it.
func (f *flights) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = false
	f.land()
}

// join returns the flight that a request with a miss can wait for; nil during
// the cool-down, and when nothing runs that could fetch. The interval is
// counted from one refetch to the next, not from background refreshes: a key
// that is published right after one of these is found at its first use.
func (f *flights) join() *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.current != nil:
		return f.current
	case !f.running || !f.latest.IsZero() && time.Since(f.latest) < f.interval:
		return nil
	}
	f.latest = time.Now()
	f.current = &flight{done: make(chan struct{}), refetch: true}
	f.asked <- struct{}{} // there is room: without a current flight nothing is asked for
	return f.current
}

// begin is called before a fetch and returns its flight.
func (f *flights) begin() *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unask()
	if f.current == nil {
		f.current = &flight{done: make(chan struct{})}
	}
	return f.current
}

// end is called when the result of the fetch is in place. Those who join after
// it get a new flight.
func (f *flights) end(ended *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == ended {
		f.land()
	}
}

func (f *flights) land() {
	f.unask()
	if f.current != nil {
		close(f.current.done)
		f.current = nil
	}
}

func (f *flights) unask() {
	select {
	case <-f.asked:
	default:
	}
}
