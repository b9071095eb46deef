package clerkdev

import (
	"cmp"
	"slices"
	"time"
)

// retryDelays returns Svix's schedule: the attempt n+1 follows the failure of the
// attempt n after element n-1 (docs.svix.com/retries). Svix varies each by a
// fifth at random; here they are exact, so that tests can be.
func retryDelays() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
	}
}

// disableAfter is how long an endpoint may fail without one success.
const disableAfter = 5 * 24 * time.Hour

// hookEndpoint is one endpoint. webhooks.mu guards it.
type hookEndpoint struct {
	url          string
	key          []byte
	queue        []hookAttempt // in order of their turn
	busy         bool          // an attempt is under way
	disabled     bool
	failingSince time.Time // the first failure after the last success; zero: none
	window       time.Time // when the events held by Disorder.Reverse go out
}

// hookAttempt is a delivery that is to be made.
type hookAttempt struct {
	message     *hookMessage
	number      int // 0 is a replay
	due         time.Time
	newestFirst bool
	rank        int64 // order among those due at the same time
}

func (a hookAttempt) compare(b hookAttempt) int {
	return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.rank, b.rank))
}

// hookJob is an attempt that is under way.
type hookJob struct {
	hookAttempt
	endpoint *hookEndpoint
	body     []byte
	flip     Part
}

// enqueue gives a its place in the queue of e, or records that there was none.
func (h *webhooks) enqueue(e *hookEndpoint, a hookAttempt, at time.Time) bool {
	if e.disabled {
		return false
	}
	if len(e.queue) >= maxPending {
		h.record(Delivery{a.message.id, a.message.kind, e.url, a.number, 0, at, ErrQueueFull})
		return false
	}
	h.rank++
	a.rank = h.rank
	if a.newestFirst {
		a.rank = -a.rank
	}
	e.insert(a)
	return true
}

func (e *hookEndpoint) insert(a hookAttempt) {
	n, _ := slices.BinarySearchFunc(e.queue, a, hookAttempt.compare)
	e.queue = slices.Insert(e.queue, n, a)
}

// take hands out what is due now, at most one attempt for each endpoint that has
// none under way, and says when the next is due: the zero Time is not known.
func (h *webhooks) take(now, at time.Time) (jobs []hookJob, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.endpoints {
		h.forget(e, at)
		switch {
		case e.busy || len(e.queue) == 0:
		case e.queue[0].due.After(now):
			if next.IsZero() || e.queue[0].due.Before(next) {
				next = e.queue[0].due
			}
		default:
			a := e.queue[0]
			e.queue[0] = hookAttempt{} // lets the message go with it
			e.queue = e.queue[1:]
			e.busy = true
			jobs = append(jobs, hookJob{a, e, a.message.body, h.disorder.Flip})
		}
	}
	return jobs, next
}

// forget drops the attempts next in turn whose event was forgotten.
func (h *webhooks) forget(e *hookEndpoint, at time.Time) {
	for len(e.queue) > 0 && e.queue[0].message.body == nil {
		a := e.queue[0]
		e.queue = e.queue[1:]
		h.record(Delivery{a.message.id, a.message.kind, e.url, a.number, 0, at, ErrForgotten})
	}
}

// settle records how a job ended and queues what follows from it.
func (h *webhooks) settle(j hookJob, d Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := j.endpoint
	e.busy = false
	h.record(d)
	switch {
	case d.Err == nil:
		e.failingSince = time.Time{}
		if j.number == 0 {
			e.queue = slices.DeleteFunc(e.queue, func(a hookAttempt) bool { return a.message == j.message })
		}
	case j.number > 0: // a replay is neither retried nor held against the endpoint
		h.retry(j, d.At)
	}
	h.signal()
}

// retry queues the next attempt, if there is one left and the endpoint has not
// been failing for too long.
func (h *webhooks) retry(j hookJob, at time.Time) {
	e, now := j.endpoint, time.Now()
	if e.failingSince.IsZero() {
		e.failingSince = now
	}
	if now.Sub(e.failingSince) >= disableAfter {
		e.disabled, e.queue = true, nil
		return
	}
	if delays := retryDelays(); j.number <= len(delays) {
		h.enqueue(e, hookAttempt{message: j.message, number: j.number + 1, due: now.Add(delays[j.number-1])}, at)
	}
}

// giveBack makes a job pending again whose attempt was broken off.
func (h *webhooks) giveBack(j hookJob) {
	h.mu.Lock()
	defer h.mu.Unlock()
	j.endpoint.busy = false
	if !j.endpoint.disabled {
		j.endpoint.insert(j.hookAttempt)
	}
}
