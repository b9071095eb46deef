package jwks

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// firstRetry is how long the first retry after a failed fetch waits; each
// further one waits twice as long as the one before.
const firstRetry = time.Second

// Run fetches the key set at once, then every Refresh, and whenever requests
// ask for a refetch. It returns nil when ctx ends; then nothing of it runs any
// more. All fetches are made here, one at a time.
func (c *Cache) Run(ctx context.Context) error {
	if c.cfg.Static != nil {
		<-ctx.Done()
		return nil
	}
	if !c.flights.open() {
		return errors.New("jwks: the cache is running already")
	}
	defer c.flights.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due, failures := time.Now(), 0; ; {
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-c.flights.asked:
		}
		f := c.flights.begin()
		err := c.refresh(ctx, f)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failures = 0
		case f.refetch:
			continue // forged tokens must not postpone the refresh
		default:
			failures++
		}
		due = time.Now().Add(c.pause(failures))
	}
}

// refresh makes one fetch and puts its result in place. Those who wait for it
// go on before anything is written or logged.
func (c *Cache) refresh(ctx context.Context, f *flight) error {
	body, set, skipped, err := c.fetch(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // the end of Run says nothing about the key server
	}
	at := time.Now()
	changed := err == nil && c.install(set, at)
	c.flights.end(f)
	if body != nil {
		c.reportSkipped(skipped)
	}
	if err != nil {
		c.reportFailure(err)
		return err
	}
	c.reportSuccess(changed)
	c.save(body, at)
	return nil
}

func (c *Cache) fetch(ctx context.Context) (body []byte, set *Set, skipped []Skipped, err error) {
	if body, err = c.fetcher.get(ctx); err == nil {
		set, skipped, err = Parse(body)
	}
	return body, set, skipped, err
}

// install makes set the current one. The generation moves only when the keys
// do, so that what was verified with the same keys stays good.
func (c *Cache) install(set *Set, at time.Time) (changed bool) {
	next := &held{set: set, generation: 1, success: at}
	if old := c.held.Load(); old != nil {
		next.generation = old.generation
		if !old.set.equal(set) {
			next.generation++
		}
		changed = next.generation != old.generation
	} else {
		changed = true
	}
	c.held.Store(next)
	return changed
}

// pause is the time to the next background refresh. Jitter only shortens it,
// so that a withdrawn key is never used for longer than Refresh; replicas that
// started together still part.
func (c *Cache) pause(failures int) time.Duration {
	limit := min(c.cfg.Refresh, c.cfg.MaxStale/2) // keys are not to grow too old between two fetches that succeed
	if failures == 0 {
		return jitter(limit, limit/10)
	}
	if _, err := c.fresh(); err != nil {
		// Nobody can be let in: ask as often as unknown keys would be allowed to.
		limit = min(limit, max(c.cfg.MinRefetch, firstRetry))
	}
	wait := min(firstRetry<<min(failures-1, 30), limit)
	return jitter(wait, wait/2)
}

// jitter returns longest less a random part of at most spread.
func jitter(longest, spread time.Duration) time.Duration {
	if spread <= 0 {
		return longest
	}
	return longest - rand.N(spread) //nolint:gosec // spreads load; nothing is protected by it
}

func (c *Cache) reportFailure(err error) {
	outcome := FetchInvalid
	var failed *fetchError
	switch {
	case errors.As(err, &failed):
		outcome = failed.outcome
	case errors.Is(err, ErrNoUsableKeys):
		outcome = FetchNoKeys
	}
	c.cfg.Log.Warn("key set not fetched", "url", c.cfg.URL, "outcome", outcome, "error", err,
		"keys", c.Status().Keys, "last_success", c.Status().LastSuccess)
	c.observe(KindFetch, outcome, err)
}

func (c *Cache) reportSuccess(changed bool) {
	if status := c.Status(); changed {
		c.cfg.Log.Info("key set changed", "url", c.cfg.URL, "keys", status.Keys, "generation", status.Generation)
	}
	c.observe(KindFetch, FetchOK, nil)
}

// reportSkipped logs each skipped key when it appears, not at every refresh.
func (c *Cache) reportSkipped(skipped []Skipped) {
	for _, s := range skipped {
		if !slices.Contains(c.skipped, s) {
			c.cfg.Log.Warn("key skipped", "url", c.cfg.URL, "kid", s.KeyID, "why", s.Why)
		}
	}
	c.skipped = skipped
}

// load takes the keys of the cache file, with their age.
func (c *Cache) load() {
	if c.cfg.CacheFile == "" {
		return
	}
	body, age, err := readCacheFile(c.cfg.CacheFile, c.cfg.URL, c.cfg.MaxStale)
	if err == nil {
		var set *Set
		if set, _, err = Parse(body); err == nil {
			c.install(set, time.Now().Add(-age)) // from here on the monotonic clock counts
			c.cfg.Log.Info("key set taken from the cache file", "file", c.cfg.CacheFile, "age", age, "keys", len(set.keys))
			return
		}
	}
	c.cfg.Log.Warn("key set cache file not used", "file", c.cfg.CacheFile, "error", err)
}

// save writes the cache file. Failing to is no reason to refuse the keys.
func (c *Cache) save(body []byte, at time.Time) {
	if c.cfg.CacheFile == "" {
		return
	}
	err := writeCacheFile(c.cfg.CacheFile, snapshot{URL: c.cfg.URL, FetchedAt: at.UTC(), Body: body})
	if err != nil {
		c.cfg.Log.Warn("key set cache file not written", "file", c.cfg.CacheFile, "error", err)
	}
}
