package clerk

import (
	"net/netip"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// bucket holds tokens: this many at most, filled at this rate.
type bucket struct {
	perSecond rate.Limit
	burst     int
}

func (b bucket) limiter() *rate.Limiter { return rate.NewLimiter(b.perSecond, b.burst) }

// quota is what may be asked of Clerk.
type quota struct {
	refreshes, nonces bucket // everybody together
	revocations       bucket // everybody together
	misses            bucket // look-ups without a result, of one client
	session           bucket // refreshes of one session, which needs one a minute
}

// quotaOf leaves more than half of what Clerk allows to others that use the same
// key: 1000 requests in 10 seconds to a production instance, 100 to a development
// one. In any 10 seconds at most the burst and ten times the rate is spent. Most is
// for refreshes: without one a form is lost, while a handshake does without nonces.
func quotaOf(secretKey string) quota {
	if strings.HasPrefix(secretKey, "sk_live_") {
		return quota{refreshes: bucket{27, 30}, nonces: bucket{10, 20}, revocations: bucket{5, 20}, misses: bucket{1, 10}, session: bucket{0.2, 10}}
	}
	return quota{refreshes: bucket{2, 12}, nonces: bucket{0.5, 6}, revocations: bucket{0.3, 3}, misses: bucket{0.5, 5}, session: bucket{0.2, 10}}
}

// maxVisitors bounds how many clients are told apart.
const maxVisitors = 4096

// visitors keeps what each of them may still miss: each client, or each session. The place of a look-up is taken
// while it is under way and given back when it finds something, so that many may
// not start together what only a few may do.
type visitors[K comparable] struct {
	each bucket
	mu   sync.Mutex
	seen *lru.Cache[K, *visitor]
}

type visitor struct {
	misses *rate.Limiter
	asking int // questions under way; guarded by visitors.mu
}

func newVisitors[K comparable](each bucket) *visitors[K] {
	return &visitors[K]{each: each, seen: newLRU[K, *visitor](maxVisitors)}
}

// enter takes a place, which leave gives back, or spends when the question missed.
func (v *visitors[K]) enter(who K) (leave func(missed bool), ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	one, known := v.seen.Get(who)
	if !known {
		one = &visitor{misses: v.each.limiter()}
		v.seen.Add(who, one)
	}
	if !one.welcome() {
		return nil, false
	}
	one.asking++
	return func(missed bool) {
		v.mu.Lock()
		defer v.mu.Unlock()
		one.asking--
		if missed {
			one.misses.Allow()
		}
	}, true
}

// welcomes reports whether enter would take who in.
func (v *visitors[K]) welcomes(who K) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	one, known := v.seen.Get(who)
	return !known || one.welcome()
}

func (v *visitor) welcome() bool { return v.misses.Tokens()-float64(v.asking) >= 1 }

// prefixOf is what one client has for itself: an address of IPv4, a network of
// IPv6. Clients without an address are one.
func prefixOf(client netip.Addr) netip.Prefix {
	client = client.Unmap()
	bits := 32
	if client.Is6() {
		bits = 64
	}
	prefix, err := client.Prefix(bits) // without a zone
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

func newLRU[K comparable, V any](entries int) *lru.Cache[K, V] {
	c, err := lru.New[K, V](entries)
	if err != nil {
		panic("clerk: lru.New refuses a positive size: " + err.Error()) // its only error is a size below one
	}
	return c
}
