package clerk_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy/internal/clerk"
)

// together runs ask n times at once and counts what was answered well.
func together(n int, ask func() ([]string, error)) int {
	var all sync.WaitGroup
	var well atomic.Int32
	for range n {
		all.Go(func() {
			if lines, err := ask(); err == nil && len(lines) == 2 {
				well.Add(1)
			}
		})
	}
	all.Wait()
	return int(well.Load())
}

// slowly answers after a second.
func slowly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(time.Second):
			next(w, r)
		case <-r.Context().Done():
		}
	}
}

func TestFiftyMakeOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &api{reply: slowly(good)}
		c := client(t, a, clerk.Config{})
		if n := together(50, func() ([]string, error) { return c.Refresh(t.Context(), question()) }); n != 50 {
			t.Errorf("%d of 50 refreshes", n)
		}
		if n := together(50, func() ([]string, error) { return c.HandshakePayload(t.Context(), nonce, visitor) }); n != 50 {
			t.Errorf("%d of 50 payloads", n)
		}
		if got := a.observed(); got != "refresh 200, handshake_payload 200" || len(a.asked()) != 2 {
			t.Errorf("observed %q", got)
		}
	})
}

// Who has somebody's expired token and not the refresh token that goes with it is
// not handed the answer for the one who has both, neither while it is under way
// nor afterwards.
func TestNobodyGetsAnothersAnswer(t *testing.T) {
	t.Parallel()
	owner := question()
	for name, change := range map[string]func(*clerk.Refresh){
		"refresh token": func(r *clerk.Refresh) { r.RefreshToken = "stolen" },
		"expired token": func(r *clerk.Refresh) { r.ExpiredToken = "stolen" },
		"session":       func(r *clerk.Refresh) { r.SessionID = "stolen" },
		"origin":        func(r *clerk.Refresh) { r.Origin = "https://stolen.example" },
		"a byte moved": func(r *clerk.Refresh) {
			r.ExpiredToken, r.RefreshToken = r.ExpiredToken+r.RefreshToken[:1], r.RefreshToken[1:]
		},
	} {
		thief := owner
		change(&thief)
		synctest.Test(t, func(t *testing.T) {
			a := &api{reply: slowly(good)}
			c := client(t, a, clerk.Config{})
			var both sync.WaitGroup
			for _, r := range []clerk.Refresh{owner, thief} {
				both.Go(func() { _, _ = c.Refresh(t.Context(), r) })
			}
			both.Wait()
			if n := len(a.asked()); n != 2 {
				t.Errorf("%s: %d requests at once, want 2", name, n)
			}
			a.now(refusing(401, "refresh_token_not_found"))
			late := owner
			late.RefreshToken = "late"
			if _, err := c.Refresh(t.Context(), late); err == nil {
				t.Errorf("%s: a remembered answer for somebody else", name)
			}
			if _, err := c.Refresh(t.Context(), owner); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// TestWhatIsRemembered asks, asks just before an answer has grown old, and just
// after.
func TestWhatIsRemembered(t *testing.T) {
	t.Parallel()
	empty := answering(200, `{"cookies":[],"directives":[]}`)
	for name, test := range map[string]struct {
		endpoint string
		reply    http.HandlerFunc
		life     time.Duration
	}{
		"refresh":                  {clerk.EndpointRefresh, good, 20 * time.Second},
		"refresh refused":          {clerk.EndpointRefresh, refusing(401, "refresh_token_not_found"), 5 * time.Second},
		"refresh refused as HTML":  {clerk.EndpointRefresh, answering(403, "<html>"), 5 * time.Second},
		"refresh without cookies":  {clerk.EndpointRefresh, empty, 5 * time.Second},
		"refresh failed":           {clerk.EndpointRefresh, refusing(500, "internal_clerk_error"), 0},
		"refresh too many":         {clerk.EndpointRefresh, refusing(429, "too_many_requests"), 0},
		"refresh garbage":          {clerk.EndpointRefresh, answering(200, "{"), 0},
		"payload":                  {clerk.EndpointHandshakePayload, good, 10 * time.Second},
		"payload not found":        {clerk.EndpointHandshakePayload, refusing(404, "resource_not_found"), 10 * time.Second},
		"payload empty":            {clerk.EndpointHandshakePayload, empty, 10 * time.Second},
		"payload, key refused":     {clerk.EndpointHandshakePayload, refusing(401, "clerk_key_invalid"), 0},
		"payload failed":           {clerk.EndpointHandshakePayload, refusing(503, "maintenance_mode"), 0},
		"revocation":               {clerk.EndpointRevokeSession, good, time.Minute},
		"revocation of no session": {clerk.EndpointRevokeSession, refusing(404, "resource_not_found"), time.Minute},
		"revocation failed":        {clerk.EndpointRevokeSession, refusing(503, "maintenance_mode"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
			a := &api{reply: test.reply}
			ask := asks(t, client(t, a, clerk.Config{Now: func() time.Time { return at }}))[test.endpoint]
			first, firstErr := ask()
			same := func(when string, requests int) {
				t.Helper()
				lines, err := ask()
				if !slices.Equal(lines, first) || (err == nil) != (firstErr == nil) || err != nil && err.Error() != firstErr.Error() {
					t.Errorf("%s: %q, %v; first %q, %v", when, lines, err, first, firstErr)
				}
				if n := len(a.asked()); n != requests {
					t.Errorf("%s: %d requests, want %d", when, n, requests)
				}
			}
			if test.life > 0 {
				at = at.Add(test.life - time.Nanosecond)
				same("just before", 1)
				at = at.Add(time.Nanosecond)
			}
			same("just after", 2)
		})
	}
}

// Callers may change what they get.
func TestAnswersAreCopies(t *testing.T) {
	t.Parallel()
	a := &api{reply: good}
	c := client(t, a, clerk.Config{})
	first, err := c.Refresh(t.Context(), question())
	if err != nil {
		t.Fatal(err)
	}
	first[0] = "changed"
	if second, err := c.Refresh(t.Context(), question()); err != nil || second[0] != "__session=new; Path=/" {
		t.Errorf("got %q, %v", second, err)
	}
}

// The first caller's leaving ends nothing but its own waiting.
func TestTheFirstCallerLeaves(t *testing.T) {
	t.Parallel()
	for _, endpoint := range endpoints() {
		synctest.Test(t, func(t *testing.T) {
			a := &api{reply: slowly(good)}
			c := client(t, a, clerk.Config{})
			ctx, leave := context.WithCancel(t.Context())
			start, gone := time.Now(), make(chan error)
			go func() {
				_, err := asWith(ctx, c, endpoint)
				gone <- err
			}()
			synctest.Wait() // the call is under way
			stays := make(chan error)
			go func() {
				_, err := asWith(t.Context(), c, endpoint)
				stays <- err
			}()
			synctest.Wait()
			leave()
			if e := refused(t, <-gone); !errors.Is(e, context.Canceled) || e.Code != clerk.CodeFetch || e.Endpoint != endpoint || time.Since(start) != 0 {
				t.Errorf("%s: %v after %v", endpoint, e, time.Since(start))
			}
			if err := <-stays; err != nil || len(a.asked()) != 1 {
				t.Errorf("%s: %v after %d requests", endpoint, err, len(a.asked()))
			}
			// What is remembered is there for who has left.
			if _, err := asWith(ctx, c, endpoint); err != nil || len(a.asked()) != 1 {
				t.Errorf("%s: %v after %d requests", endpoint, err, len(a.asked()))
			}
			if got := a.observed(); strings.Contains(got, "error") {
				t.Errorf("observed %q", got)
			}
		})
	}
}

func asWith(ctx context.Context, c *clerk.Client, endpoint string) ([]string, error) {
	switch endpoint {
	case clerk.EndpointRefresh:
		return c.Refresh(ctx, question())
	case clerk.EndpointHandshakePayload:
		return c.HandshakePayload(ctx, nonce, visitor)
	default:
		return nil, c.RevokeSession(ctx, sessionID)
	}
}

// A session is revoked even though the browser closed the page at once.
func TestARevocationGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &api{reply: slowly(good)}
		c := client(t, a, clerk.Config{})
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { gone <- c.RevokeSession(ctx, sessionID) }()
		synctest.Wait()
		leave()
		<-gone
		<-time.After(time.Second) // of the bubble: the call ends
		synctest.Wait()
		if got := a.observed(); got != "revoke_session 200" {
			t.Errorf("observed %q", got)
		}
	})
}
