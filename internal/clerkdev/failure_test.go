package clerkdev_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestFailures(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	status := func(path string) int { return serve(i, get(path)).StatusCode }
	i.Fail(clerkdev.Failure{Path: clerkdev.JWKSPath, Times: 2, Status: 503})
	i.Fail(clerkdev.Failure{Path: clerkdev.JWKSPath, Status: 500})
	for n, want := range []int{503, 503, 500, 500, 500} {
		if got := status(clerkdev.JWKSPath); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
	if got := status(clerkdev.SignInPath); got != 200 {
		t.Errorf("another path: %d", got)
	}
	i.Heal()
	if got := status(clerkdev.JWKSPath); got != 200 {
		t.Errorf("after Heal: %d", got)
	}
	i.Fail(clerkdev.Failure{Status: 500})
	foreign := get(clerkdev.JWKSPath)
	foreign.Host = "example.com"
	if got := serve(i, foreign).StatusCode; got != http.StatusMisdirectedRequest {
		t.Errorf("a foreign host saw a failure: %d", got)
	}
}

func TestFailureAnswers(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	for _, c := range []struct {
		failure     clerkdev.Failure
		status      int
		retry, code string
	}{
		{clerkdev.Failure{Status: 429, RetryAfter: 2500 * time.Millisecond}, 429, "3", "too_many_requests"},
		{clerkdev.Failure{Status: 500}, 500, "", "internal_clerk_error"},
		{clerkdev.Failure{Garbage: true}, 200, "", ""},
		{clerkdev.Failure{Garbage: true, Status: 502}, 502, "", ""},
	} {
		c.failure.Times = 1
		i.Fail(c.failure)
		got := serve(i, get(clerkdev.JWKSPath))
		var shape struct{ Errors []struct{ Code string } }
		err := json.NewDecoder(got.Body).Decode(&shape)
		if got.StatusCode != c.status || got.Header.Get("Retry-After") != c.retry || (err != nil) != c.failure.Garbage {
			t.Errorf("%+v: %d %v %v", c.failure, got.StatusCode, got.Header, err)
		}
		if err == nil && shape.Errors[0].Code != c.code {
			t.Errorf("%+v: %+v", c.failure, shape)
		}
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{}) // outside the bubble: the key takes real time
	synctest.Test(t, func(t *testing.T) {
		i.Fail(clerkdev.Failure{Delay: time.Minute, Times: 2})
		start := time.Now()
		if got := serve(i, get(clerkdev.JWKSPath)); got.StatusCode != 200 || time.Since(start) != time.Minute {
			t.Errorf("%d after %v", got.StatusCode, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		w := httptest.NewRecorder()
		i.Frontend().ServeHTTP(w, get(clerkdev.JWKSPath).WithContext(ctx))
		if time.Since(start) != time.Second || w.Body.Len() != 0 {
			t.Errorf("a client that left was kept for %v and got %q", time.Since(start), w.Body)
		}
	})
}
