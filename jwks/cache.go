package jwks

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/manageros/authproxy"
)

// Config is what a Cache needs. Either URL or Static is given.
type Config struct {
	// URL of the key set: https, or http to a loopback address.
	URL string

	Refresh    time.Duration // between background refreshes, less up to a tenth, and never more than half of MaxStale; 0 is 5 minutes
	MinRefetch time.Duration // at least this long between refetches that requests cause; 0 is 10 seconds
	MaxStale   time.Duration // how long after the last successful fetch its keys are used; 0 is 24 hours
	MaxWait    time.Duration // how long a request waits for a refetch; 0 is 2 seconds
	Timeout    time.Duration // of one fetch, from the connection to the end of the body; 0 is 5 seconds

	// CacheFile keeps the last document over a restart; "" keeps none. It is
	// written with mode 0600 and refused when anybody else can write it, when
	// it was fetched from another URL, or when it is older than MaxStale.
	CacheFile string

	// HTTP makes the requests; nil is a client of our own, which honours
	// HTTPS_PROXY. Whatever it says, redirects are not followed.
	HTTP *http.Client

	// Static is a set that is given instead of a URL: nothing is fetched, and
	// it never grows stale.
	Static *Set

	// Log gets failures and changes; nil discards them.
	Log *slog.Logger

	// Observe is called for every Event, by the goroutine that caused it, and
	// should be quick; nil is nobody.
	Observe func(Event)
}

// Status is a Cache's state for people and readiness probes.
type Status struct {
	Ready       bool
	Keys        int       // usable keys held, fresh or not
	LastSuccess time.Time // of a fetch, possibly by the process that wrote the cache file; zero: never, or Static
	URL         string    // "" with Static
	Generation  uint64    // as in [Cache.Generation]; 0 when keys were never had
}

// Cache holds the current key set. It is safe for concurrent use.
type Cache struct {
	cfg     Config
	fetcher fetcher
	flights *flights
	held    atomic.Pointer[held] // nil until keys were had; written by New and Run only
	skipped []Skipped            // of the latest document, so that each is logged once; Run's only
}

// held is a key set and when it was known to be the current one.
type held struct {
	set        *Set
	generation uint64
	success    time.Time // with a monotonic reading; zero for Static
}

// New checks the configuration and loads the cache file, whose keys serve at
// once. Nothing is fetched before [Cache.Run]. A cache file that cannot be used
// is logged and no error.
func New(cfg Config) (*Cache, error) {
	cfg = withDefaults(cfg)
	if err := check(cfg); err != nil {
		return nil, err
	}
	c := &Cache{cfg: cfg, flights: newFlights(cfg.MinRefetch)}
	if cfg.Static != nil {
		c.held.Store(&held{set: cfg.Static, generation: 1})
		return c, nil
	}
	client := cfg.HTTP
	if client == nil {
		client = newClient(cfg.Timeout)
	}
	c.fetcher = fetcher{url: cfg.URL, client: withoutRedirects(client), timeout: cfg.Timeout}
	c.load()
	return c, nil
}

// Key returns the key that kid names. A token whose signature a key did not
// verify may be signed with a newer key under the same id: then failed is that
// key, and a different one is wanted.
//
// When the current set has the key it is returned at once. Otherwise the
// request joins the one fetch that is under way, or starts a refetch if none
// was started during the last MinRefetch, waits for it at most MaxWait or as
// long as ctx lasts, and is judged against what is there then. ctx does not end
// the fetch, which others wait for too.
//
// The error is authproxy.ErrKeyUnknown when there is a key set and it has no
// such or no other key, and authproxy.ErrKeysUnavailable, at once, when keys
// were never had or are too old.
func (c *Cache) Key(ctx context.Context, kid string, failed *rsa.PublicKey) (authproxy.Key, error) {
	key, err := c.find(kid, failed)
	if !errors.Is(err, authproxy.ErrKeyUnknown) || c.cfg.Static != nil || kid == "" || len(kid) > MaxKeyID {
		return key, err // an id that no key can have is not worth a fetch
	}
	return c.findAfterRefetch(ctx, kid, failed)
}

// Generation returns a number that changes whenever the usable keys change, and
// only then. The error is authproxy.ErrKeysUnavailable as in [Cache.Key].
func (c *Cache) Generation() (uint64, error) {
	h, err := c.fresh()
	if err != nil {
		return 0, err
	}
	return h.generation, nil
}

// Ready reports whether keys were had once. It never becomes false again: the
// key server's troubles must not take every replica out at once.
func (c *Cache) Ready() bool { return c.held.Load() != nil }

// Status reports the state of the cache.
func (c *Cache) Status() Status {
	h := c.held.Load()
	if h == nil {
		return Status{URL: c.cfg.URL}
	}
	return Status{Ready: true, Keys: len(h.set.keys), LastSuccess: h.success, URL: c.cfg.URL, Generation: h.generation}
}

// fresh returns the held keys unless they are too old.
func (c *Cache) fresh() (*held, error) {
	h := c.held.Load()
	if h == nil || c.cfg.Static == nil && time.Since(h.success) >= c.cfg.MaxStale {
		return nil, authproxy.ErrKeysUnavailable
	}
	return h, nil
}

// find judges by the current set alone. It returns the plain errors: a flood of
// forged tokens comes through here, with key ids of the attacker's choice.
func (c *Cache) find(kid string, failed *rsa.PublicKey) (authproxy.Key, error) {
	h, err := c.fresh()
	if err != nil {
		return authproxy.Key{}, err
	}
	key, ok := h.set.Key(kid)
	if !ok || failed != nil && key.Public.Equal(failed) {
		return authproxy.Key{}, authproxy.ErrKeyUnknown
	}
	return key, nil
}

func (c *Cache) findAfterRefetch(ctx context.Context, kid string, failed *rsa.PublicKey) (authproxy.Key, error) {
	f := c.flights.join()
	if f == nil {
		c.observe(KindUnknownKey, UnknownKeyCooldown, nil)
		return authproxy.Key{}, authproxy.ErrKeyUnknown
	}
	c.observe(KindUnknownKey, UnknownKeyRefetch, nil)
	limit := time.NewTimer(c.cfg.MaxWait)
	defer limit.Stop()
	for f != nil {
		select {
		case <-f.done:
		case <-limit.C:
			return c.find(kid, failed)
		case <-ctx.Done():
			return c.find(kid, failed)
		}
		key, err := c.find(kid, failed)
		if !errors.Is(err, authproxy.ErrKeyUnknown) || f.refetch {
			return key, err
		}
		// A background refresh had been under way since before this miss, and
		// may have brought what the key server had then.
		f = c.flights.join()
	}
	return authproxy.Key{}, authproxy.ErrKeyUnknown
}

func (c *Cache) observe(kind, outcome string, err error) {
	if c.cfg.Observe != nil {
		c.cfg.Observe(Event{Kind: kind, Outcome: outcome, Keys: c.Status().Keys, At: time.Now(), Err: err})
	}
}

func withDefaults(cfg Config) Config {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&cfg.Refresh, 5 * time.Minute},
		{&cfg.MinRefetch, 10 * time.Second},
		{&cfg.MaxStale, 24 * time.Hour},
		{&cfg.MaxWait, 2 * time.Second},
		{&cfg.Timeout, 5 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func check(cfg Config) error {
	var errs []error
	if (cfg.URL == "") == (cfg.Static == nil) {
		errs = append(errs, errors.New("jwks: give either a URL or a static key set"))
	} else if cfg.Static == nil {
		if err := checkURL(cfg.URL); err != nil {
			errs = append(errs, fmt.Errorf("jwks: the URL of the key set: %w", err))
		}
	}
	if min(cfg.Refresh, cfg.MinRefetch, cfg.MaxStale, cfg.MaxWait, cfg.Timeout) < 0 {
		errs = append(errs, errors.New("jwks: a duration is negative"))
	}
	return errors.Join(errs...)
}
