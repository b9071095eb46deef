package clerk_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy/internal/clerk"
)

// clerkKnows answers well for nonces that begin with good, and 404 for others.
func clerkKnows(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Query().Get("nonce"), "good") || !strings.HasSuffix(r.URL.Path, "payload") {
		good(w, r)
		return
	}
	refusing(404, "resource_not_found")(w, r)
}

// flood looks n random nonces up for each client.
func flood(t *testing.T, c *clerk.Client, n int, clients ...netip.Addr) {
	t.Helper()
	for i := range n {
		for k, client := range clients {
			if _, err := c.HandshakePayload(t.Context(), fmt.Sprintf("random-%d-%d-%d", i, k, time.Now().UnixNano()), client); err == nil {
				t.Fatal("answered")
			}
		}
	}
}

// A flood of nonces from one address leaves every other served, and costs Clerk
// little.
func TestANonceFloodFromOneAddress(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		attacker, neighbour, other netip.Addr
	}{
		"IPv4":       {netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("::ffff:198.51.100.1"), netip.MustParseAddr("198.51.100.2")},
		"IPv6":       {netip.MustParseAddr("2001:db8:0:1::1"), netip.MustParseAddr("2001:db8:0:1:ffff::2"), netip.MustParseAddr("2001:db8:0:2::1")},
		"IPv6, zone": {netip.MustParseAddr("fe80::1%a"), netip.MustParseAddr("fe80::1%b"), netip.MustParseAddr("2001:db8::1")},
		"unknown":    {netip.Addr{}, netip.Addr{}, netip.MustParseAddr("198.51.100.2")},
	} {
		for key, misses := range map[string]int{liveKey: 10, secretKey: 5} {
			synctest.Test(t, func(t *testing.T) {
				a := &api{reply: clerkKnows}
				c := client(t, a, clerk.Config{SecretKey: key})
				flood(t, c, 100, test.attacker)
				if n := len(a.asked()); n != misses {
					t.Errorf("%s: %d look-ups, want %d", name, n, misses)
				}
				_, err := c.HandshakePayload(t.Context(), "good-neighbour", test.neighbour)
				if e := refused(t, err); e.Code != clerk.CodeFetch || e.Status != 0 || !strings.HasSuffix(a.observed(), "handshake_payload budget") {
					t.Errorf("%s: %v, observed %q", name, e, a.observed())
				}
				if !c.NoncesWork(visitor) {
					t.Errorf("%s: one address stops nonces for all", name)
				}
				if _, err := c.HandshakePayload(t.Context(), "good", test.other); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := c.Refresh(t.Context(), question()); err != nil {
					t.Errorf("%s: refresh: %v", name, err)
				}
				wait(2 * time.Second)
				if _, err := c.HandshakePayload(t.Context(), "good-later", test.attacker); err != nil {
					t.Errorf("%s: forever: %v", name, err)
				}
			})
		}
	}
}

// Who finds something pays nothing, however much it is.
func TestLookUpsThatFindSomethingAreFree(t *testing.T) {
	t.Parallel()
	bubble(t, clerkKnows, func(t *testing.T, a *api, c *clerk.Client) {
		for i := range 55 {
			if _, err := c.HandshakePayload(t.Context(), fmt.Sprint("good", i), visitor); err != nil {
				t.Fatalf("number %d: %v", i, err)
			}
			wait(time.Second / 10) // what all together may ask is not the question here
		}
		flood(t, c, 20, visitor)
		if got := strings.Count(a.observed(), "404"); got != 5 && got != 10 {
			t.Errorf("%d misses", got)
		}
	})
}

// Nor does Clerk's failing cost a visitor anything.
func TestClerksFailuresAreNotTheVisitors(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, a *api, c *clerk.Client) {
		for round := range 4 {
			a.now(refusing(500, "x"))
			for i := range 4 {
				_, _ = c.HandshakePayload(t.Context(), fmt.Sprint("good", round, "x", i), visitor)
			}
			a.now(clerkKnows)
			for i := range 10 { // enough for the breaker to stay closed
				if _, err := c.HandshakePayload(t.Context(), fmt.Sprint("good", round, "y", i), visitor); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
			}
			wait(2 * time.Second) // for what all together may ask
		}
	})
}

// Somebody with an expired token of his own and refresh tokens of his own making
// must not use up what refreshes the sessions of others.
func TestRefusedRefreshesCostTheSession(t *testing.T) {
	t.Parallel()
	bubble(t, refusing(401, "refresh_token_not_found"), func(t *testing.T, a *api, c *clerk.Client) {
		for i := range 100 {
			r := question()
			r.RefreshToken = fmt.Sprint("made-up-", i)
			_, _ = c.Refresh(t.Context(), r)
		}
		if n := len(a.asked()); n != 10 {
			t.Errorf("Clerk was asked %d times, want 10", n)
		}
		a.now(good)
		other := question()
		other.SessionID = "sess_other" // behind the same address
		if _, err := c.Refresh(t.Context(), other); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		wait(6 * time.Second)
		if _, err := c.Refresh(t.Context(), question()); err != nil {
			t.Errorf("seconds later: %v", err)
		}
	})
}

// Many people may be behind one address, a load balancer's even, and all of them
// come back after lunch.
func TestManyPeopleBehindOneAddress(t *testing.T) {
	t.Parallel()
	bubble(t, slowly(good), func(t *testing.T, _ *api, c *clerk.Client) {
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				r := another(i)
				r.ClientIP = visitor
				if _, err := c.Refresh(t.Context(), r); err != nil {
					t.Errorf("number %d: %v", i, err)
				}
			})
		}
		all.Wait()
	})
}

// Who has asked for too many nonces that nobody knows is sent for a token, and so
// is who shares the address; others are not.
func TestNoncesOfOneClient(t *testing.T) {
	t.Parallel()
	bubble(t, clerkKnows, func(t *testing.T, _ *api, c *clerk.Client) {
		flood(t, c, 20, visitor)
		if c.NoncesWork(visitor) || !c.NoncesWork(netip.MustParseAddr("203.0.113.77")) {
			t.Errorf("for the visitor %v, for another %v", c.NoncesWork(visitor), c.NoncesWork(netip.MustParseAddr("203.0.113.77")))
		}
	})
}

// Look-ups under way hold their place, so that a slow Clerk is not asked for more
// at once than a fast one.
func TestManyLookUpsAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, slowly(clerkKnows), func(t *testing.T, a *api, c *clerk.Client) {
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() { _, _ = c.HandshakePayload(t.Context(), fmt.Sprint("random", i), visitor) })
		}
		all.Wait()
		if n := len(a.asked()); n != 10 {
			t.Errorf("%d look-ups at once, want 10", n)
		}
		wait(20 * time.Second)
		for i := range 10 {
			all.Go(func() {
				if _, err := c.HandshakePayload(t.Context(), fmt.Sprint("good", i), visitor); err != nil {
					t.Errorf("a place was not given back: %v", err)
				}
			})
		}
		all.Wait()
	})
}

// TestEverythingStaysUnderHalfOfClerksQuota: in any ten seconds Clerk takes 1000
// requests for a production instance and 100 for a development one, from all that
// use its keys.
func TestEverythingStaysUnderHalfOfClerksQuota(t *testing.T) {
	t.Parallel()
	for key, quota := range map[string]int{liveKey: 1000, secretKey: 100, "sk_unheard_of": 100} {
		synctest.Test(t, func(t *testing.T) {
			a := &api{reply: clerkKnows}
			c := client(t, a, clerk.Config{SecretKey: key})
			start := time.Now()
			for second := 0; time.Since(start) <= 10*time.Second; second++ {
				for i := range 100 {
					from := netip.AddrFrom4([4]byte{198, 51, byte(second), byte(i)})
					_, _ = c.HandshakePayload(t.Context(), fmt.Sprint("random", second, "x", i), from)
					_, _ = c.Refresh(t.Context(), another(100*second+i))
				}
				wait(time.Second / 4)
			}
			if n := len(a.asked()); n >= quota/2 || n < quota/3 {
				t.Errorf("%d requests in 10 seconds, want just under %d", n, quota/2)
			}
		})
	}
}

// Neither of the two can use up what is the other's, and nonces say when they are
// used up.
func TestBudgetsAreApart(t *testing.T) {
	t.Parallel()
	bubble(t, clerkKnows, func(t *testing.T, a *api, c *clerk.Client) {
		for i := range 100 {
			_, _ = c.HandshakePayload(t.Context(), fmt.Sprint("good", i), netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
		}
		if n := len(a.asked()); n != 20 || c.NoncesWork(visitor) {
			t.Errorf("%d look-ups, want 20; nonces work: %v", n, c.NoncesWork(visitor))
		}
		if got := a.observed(); !strings.HasSuffix(got, "handshake_payload budget") {
			t.Errorf("observed %q", got)
		}
		if _, err := c.Refresh(t.Context(), question()); err != nil {
			t.Errorf("refresh: %v", err)
		}
		wait(time.Second)
		if _, err := c.HandshakePayload(t.Context(), "good-later", visitor); err != nil || !c.NoncesWork(visitor) {
			t.Errorf("a second later: %v", err)
		}
	})
	bubble(t, clerkKnows, func(t *testing.T, a *api, c *clerk.Client) {
		for i := range 100 {
			_, _ = c.Refresh(t.Context(), another(i))
		}
		if got := a.observed(); !strings.HasSuffix(got, "refresh budget") || strings.Contains(got, "open") {
			t.Errorf("observed %q", got)
		}
		if _, err := c.HandshakePayload(t.Context(), "good", visitor); err != nil {
			t.Errorf("payload: %v", err)
		}
		for i := range 20 { // who wants to be out is let out
			if err := c.RevokeSession(t.Context(), fmt.Sprint("sess_", i)); err != nil {
				t.Fatalf("revocation: %v", err)
			}
		}
		for i := range 100 { // one session after the other, again and again
			_ = c.RevokeSession(t.Context(), fmt.Sprint("sess_more_", i))
			_ = c.RevokeSession(t.Context(), "sess_0")
		}
		if n := strings.Count(a.observed(), "revoke_session 2"); n != 20 {
			t.Errorf("%d revocations, want 20", n)
		}
	})
}

// A budget that is used up is no failure of Clerk's.
func TestBudgetsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	bubble(t, clerkKnows, func(t *testing.T, a *api, c *clerk.Client) {
		for i := range 1000 {
			_, _ = c.Refresh(t.Context(), another(i))
		}
		flood(t, c, 1000, visitor)
		wait(time.Second)
		if _, err := c.Refresh(t.Context(), question()); err != nil || strings.Contains(a.observed(), "open") {
			t.Errorf("%v", err)
		}
	})
}

// DOS-09: clients that are told apart are bounded. Nobody is forgotten while they
// are not more than that.
func TestClientsToldApartAreBounded(t *testing.T) {
	t.Parallel()
	for others, want := range map[int]int{4000: 1, 4100: 10} {
		bubble(t, clerkKnows, func(t *testing.T, a *api, c *clerk.Client) {
			flood(t, c, 10, visitor)
			for i := range others {
				_, _ = c.HandshakePayload(t.Context(), fmt.Sprint("random", i), netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
			}
			wait(time.Second)
			before := len(a.asked())
			flood(t, c, 10, visitor)
			if n := len(a.asked()) - before; n != want {
				t.Errorf("%d look-ups after %d other clients, want %d", n, others, want)
			}
		})
	}
}
