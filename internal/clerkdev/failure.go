package clerkdev

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Failure is an answer that goes wrong on purpose. Delay comes first; then an
// answer with Garbage, or with Status, or, with neither, the ordinary one, late.
type Failure struct {
	Path       string        // prefix of the request's path; "" is every request
	Times      int           // how many requests it meets; 0 is every one until Heal
	Delay      time.Duration // before anything is answered
	Status     int           // 429, 500, …; 0 with Garbage is 200
	RetryAfter time.Duration // header Retry-After, in whole seconds rounded up
	Garbage    bool          // a body that is neither JSON nor HTML
}

// Fail makes requests fail, on the Frontend and the Backend API. Of several
// failures that a request meets the one set first is used.
func (i *Instance) Fail(f Failure) { i.failures.add(f) }

// Heal ends every failure.
func (i *Instance) Heal() { i.failures.clear() }

// failures are the answers that go wrong on purpose.
type failures struct {
	mu   sync.Mutex
	list []Failure
}

func (f *failures) add(one Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, one)
}

func (f *failures) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

// next takes the failure that a request meets.
func (f *failures) next(path string) (Failure, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := slices.IndexFunc(f.list, func(one Failure) bool { return strings.HasPrefix(path, one.Path) })
	if n < 0 {
		return Failure{}, false
	}
	met := f.list[n]
	switch met.Times {
	case 0:
	case 1:
		f.list = slices.Delete(f.list, n, n+1)
	default:
		f.list[n].Times--
	}
	return met, true
}

// wrap puts the failures before a handler.
func (f *failures) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		met, found := f.next(r.URL.Path)
		if !found {
			next.ServeHTTP(w, r)
			return
		}
		if !wait(r, met.Delay) {
			return
		}
		if met.Status == 0 && !met.Garbage {
			next.ServeHTTP(w, r)
			return
		}
		met.answer(w)
	})
}

// wait reports whether anybody is still there after d.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (f Failure) answer(w http.ResponseWriter) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((f.RetryAfter+time.Second-1)/time.Second), 10))
	}
	if f.Garbage {
		w.Header().Set("Content-Type", "application/json")
		if f.Status != 0 {
			w.WriteHeader(f.Status)
		}
		fmt.Fprint(w, "\x1f\x8b{\"errors\":[{") // a gzip magic, then JSON that stops
		return
	}
	code := "internal_clerk_error"
	if f.Status == http.StatusTooManyRequests {
		code = "too_many_requests"
	}
	clerkError(w, f.Status, code, "The emulator fails on purpose")
}
