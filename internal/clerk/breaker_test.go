package clerk_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy/internal/clerk"
)

// another is a question that was not asked before.
func another(n int) clerk.Refresh {
	r := question()
	r.ExpiredToken += strconv.Itoa(n)
	r.SessionID += strconv.Itoa(n)
	r.ClientIP = netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	return r
}

// bubble is a client, its Clerk and a time that moves when everybody waits. The
// budgets are those of production: they are not what is tested.
func bubble(t *testing.T, reply http.HandlerFunc, test func(*testing.T, *api, *clerk.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &api{reply: reply}
		test(t, a, client(t, a, clerk.Config{SecretKey: liveKey}))
	})
}

// wait moves the time of a bubble.
func wait(d time.Duration) { <-time.After(d) }

// fails asks n questions that were not asked before and wants them all to fail.
func fails(t *testing.T, c *clerk.Client, n int) {
	t.Helper()
	for i := range n {
		if _, err := c.Refresh(t.Context(), another(i)); err == nil {
			t.Fatalf("question %d was answered", i)
		}
	}
}

func tooMany(retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", retryAfter)
		refusing(429, "too_many_requests")(w, r)
	}
}

// Every way to fail counts, and five in a row stop everything at once.
func TestFiveFailuresInARowOpenTheBreaker(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]http.HandlerFunc{
		"500":      refusing(500, "internal_clerk_error"),
		"502 HTML": answering(502, "<html>"),
		"429":      refusing(429, "too_many_requests"),
		"hanging":  hangs,
		"garbage":  answering(200, "{"),
		"redirect": answering(302, ""),
	} {
		bubble(t, reply, func(t *testing.T, a *api, c *clerk.Client) {
			fails(t, c, 4)
			if !c.NoncesWork(visitor) {
				t.Errorf("%s: closed after four failures", name)
			}
			fails(t, c, 1)
			if c.NoncesWork(visitor) {
				t.Errorf("%s: nonces work while nothing is sent", name)
			}
			a.now(good)
			start := time.Now()
			for endpoint, ask := range asks(t, c) {
				_, err := ask()
				if e := refused(t, err); e.Code != clerk.CodeFetch || e.Status != 0 || e.Endpoint != endpoint {
					t.Errorf("%s: %s: %v", name, endpoint, e)
				}
				if want := endpoint + " open"; !strings.HasSuffix(a.observed(), want) {
					t.Errorf("%s: observed %q, want %q", name, a.observed(), want)
				}
			}
			if n := len(a.asked()); n != 5 || time.Since(start) != 0 {
				t.Errorf("%s: %d requests, waited %v", name, n, time.Since(start))
			}
			wait(5*time.Second + 1)
			if _, err := c.Refresh(t.Context(), question()); err != nil || !c.NoncesWork(visitor) {
				t.Errorf("%s: still open: %v", name, err)
			}
			if _, err := c.Refresh(t.Context(), another(99)); err != nil {
				t.Errorf("%s: not closed by a success: %v", name, err)
			}
		})
	}
}

// Where few people are the failures are far apart, and would make each of them
// wait.
func TestFailuresFarApartOpenTheBreaker(t *testing.T) {
	t.Parallel()
	bubble(t, hangs, func(t *testing.T, a *api, c *clerk.Client) {
		for i := range 5 {
			if _, err := c.Refresh(t.Context(), another(i)); err == nil {
				t.Fatal("answered")
			}
			wait(map[bool]time.Duration{true: time.Minute, false: 0}[i < 4])
		}
		fails(t, c, 1)
		if got := a.observed(); !strings.HasSuffix(got, "open") || len(a.asked()) != 5 {
			t.Errorf("observed %q", got)
		}
	})
}

func TestHalfOfTenOpensTheBreaker(t *testing.T) {
	t.Parallel()
	bubble(t, good, func(t *testing.T, a *api, c *clerk.Client) {
		ask := func(i int, reply http.HandlerFunc) {
			a.now(reply)
			_, _ = c.Refresh(t.Context(), another(i))
			wait(time.Second / 2)
		}
		for i := range 9 { // never two in a row
			ask(i, []http.HandlerFunc{refusing(500, "x"), good}[i%2])
		}
		ask(50, good)
		if strings.Contains(a.observed(), "open") {
			t.Fatal("open after five of nine")
		}
		wait(12 * time.Second) // forgotten
		for i := range 10 {
			ask(100+i, []http.HandlerFunc{good, refusing(500, "x")}[i%2])
		}
		ask(200, good)
		if got := a.observed(); !strings.HasSuffix(got, "500, refresh open") {
			t.Errorf("observed %q", got)
		}
	})
}

// Visitors can make Clerk refuse things; that must not stop it for others.
func TestRefusalsNeverOpenTheBreaker(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404, 410, 422} {
		bubble(t, refusing(status, "refresh_token_not_found"), func(t *testing.T, a *api, c *clerk.Client) {
			for round := range 10 {
				for i := range 10 {
					_, _ = c.Refresh(t.Context(), another(100*round+i))
				}
				wait(time.Second)
			}
			if got := a.observed(); strings.Contains(got, "open") || strings.Contains(got, "budget") || !c.NoncesWork(visitor) {
				t.Errorf("%d: observed %q", status, got)
			}
			fails(t, c, 1)
			a.now(refusing(500, "x"))
			for i := range 4 {
				_, _ = c.Refresh(t.Context(), another(5000+i))
			}
			a.now(refusing(status, "resource_not_found")) // ends the row
			_, _ = c.Refresh(t.Context(), another(6000))
			a.now(refusing(500, "x"))
			_, _ = c.Refresh(t.Context(), another(6001))
			a.now(good)
			if _, err := c.Refresh(t.Context(), another(6002)); err != nil {
				t.Errorf("%d: %v", status, err)
			}
		})
	}
}

// After the pause one call is tried, and the others do not wait for it.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	bubble(t, refusing(500, "x"), func(t *testing.T, a *api, c *clerk.Client) {
		fails(t, c, 5)
		wait(5*time.Second + 1)
		a.now(slowly(refusing(500, "x")))
		done := make(chan error)
		go func() {
			_, err := c.Refresh(t.Context(), another(100))
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		fails(t, c, 3)
		if n := len(a.asked()); n != 6 || time.Since(start) != 0 {
			t.Errorf("%d requests, waited %v", n, time.Since(start))
		}
		<-done
		fails(t, c, 3) // open again
		if n := len(a.asked()); n != 6 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	date := func(d time.Duration) string { return "date+" + d.String() }
	for field, want := range map[string]time.Duration{
		"":                     5 * time.Second,
		"1":                    5 * time.Second,
		"5":                    5 * time.Second,
		"20":                   20 * time.Second,
		"3600":                 time.Minute, // a slip must not end renewals for an hour
		"99999999999999999":    5 * time.Second,
		"-20":                  5 * time.Second,
		"soon":                 5 * time.Second,
		date(20 * time.Second): 20 * time.Second,
		date(-time.Hour):       5 * time.Second,
	} {
		bubble(t, nil, func(t *testing.T, a *api, c *clerk.Client) {
			value := field
			if after, ok := strings.CutPrefix(field, "date+"); ok {
				d, _ := time.ParseDuration(after)
				value = time.Now().Add(d).UTC().Format(http.TimeFormat)
			}
			a.now(tooMany(value))
			fails(t, c, 5)
			a.now(good)
			wait(want - 1)
			fails(t, c, 1) // not yet
			if c.NoncesWork(visitor) {
				t.Errorf("Retry-After %q: nonces work too early", value)
			}
			wait(2)
			if _, err := c.Refresh(t.Context(), another(7)); err != nil {
				t.Errorf("Retry-After %q: %v after %v", value, err, want)
			}
		})
	}
}

// A shorter pause does not end a longer one.
func TestTheLongestPauseCounts(t *testing.T) {
	t.Parallel()
	bubble(t, tooMany("20"), func(t *testing.T, a *api, c *clerk.Client) {
		fails(t, c, 1)
		a.now(tooMany("1"))
		fails(t, c, 4)
		a.now(good)
		wait(19 * time.Second)
		fails(t, c, 1)
		wait(time.Second)
		if _, err := c.Refresh(t.Context(), another(7)); err != nil {
			t.Error(err)
		}
	})
}

// One answer 429 is about one session or client, and must not stop all others.
func TestOne429StopsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, tooMany("60"), func(t *testing.T, a *api, c *clerk.Client) {
		fails(t, c, 1)
		a.now(good)
		if _, err := c.Refresh(t.Context(), another(7)); err != nil || !c.NoncesWork(visitor) {
			t.Errorf("%v, observed %q", err, a.observed())
		}
	})
}

// A nonce that could not be looked up is enough for the next handshake to do
// without: its browser would come back into the same trouble.
func TestNoncesInTrouble(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		works  bool
	}{
		{200, true},
		{400, true},
		{404, true},
		{422, true},
		{401, false}, // our key
		{403, false},
		{429, false},
		{500, false},
		{503, false},
	} {
		bubble(t, refusing(test.status, "code"), func(t *testing.T, a *api, c *clerk.Client) {
			if test.status == 200 {
				a.now(answering(200, `{"directives":[]}`))
			}
			if _, err := c.HandshakePayload(t.Context(), nonce, visitor); err == nil {
				t.Fatal("answered")
			}
			if c.NoncesWork(visitor) != test.works {
				t.Errorf("%d: nonces work: %v", test.status, c.NoncesWork(visitor))
			}
			wait(10*time.Second - 1)
			if c.NoncesWork(visitor) != test.works {
				t.Errorf("%d: nonces work a little later: %v", test.status, c.NoncesWork(visitor))
			}
			wait(1)
			if !c.NoncesWork(visitor) {
				t.Errorf("%d: nonces never work again", test.status)
			}
		})
	}
	bubble(t, hangs, func(t *testing.T, _ *api, c *clerk.Client) {
		_, _ = c.Refresh(t.Context(), question())
		if !c.NoncesWork(visitor) {
			t.Error("a refresh that failed is not about nonces")
		}
		_, _ = c.HandshakePayload(t.Context(), nonce, visitor)
		if c.NoncesWork(visitor) {
			t.Error("nonces work while Clerk hangs")
		}
	})
}

// While nothing is sent, that does not make the pause longer.
func TestWhatIsNotSentIsNoTrouble(t *testing.T) {
	t.Parallel()
	bubble(t, refusing(500, "x"), func(t *testing.T, _ *api, c *clerk.Client) {
		fails(t, c, 5)
		wait(4 * time.Second)
		for i := range 20 {
			_, _ = c.HandshakePayload(t.Context(), fmt.Sprint(nonce, i), visitor)
		}
		wait(time.Second + 1)
		if !c.NoncesWork(visitor) {
			t.Error("nonces that were not looked up are held against Clerk")
		}
	})
}
