package clerkdev_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/manageros/authproxy/internal/clerkdev"
)

// schedule is docs.svix.com/retries, written down a second time: how long after
// the failure of the one before each attempt follows.
var schedule = []time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute,
	2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

// attempts are the times of the attempts when each takes so long to fail.
func attempts(each time.Duration) []time.Duration {
	var list []time.Duration
	var at time.Duration
	for n, delay := range schedule {
		if n > 0 {
			at += each + delay
		}
		list = append(list, at)
	}
	return list
}

func TestWebhookSchedule(t *testing.T) {
	t.Parallel()
	slow := func(_ int, r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	slowBody := func(_ int, r *http.Request) (*http.Response, error) {
		a, err := answer(200, "")
		a.Body = io.NopCloser(endless{r.Context()})
		return a, err
	}
	refused := func(int, *http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }
	for name, c := range map[string]struct {
		answer func(int, *http.Request) (*http.Response, error)
		each   time.Duration
		status int
	}{
		"answers 500":           {always(500), 0, 500},
		"redirects":             {always(302), 0, 302},
		"cannot be reached":     {refused, 0, 0},
		"never answers":         {slow, 15 * time.Second, 0},
		"never ends its answer": {slowBody, 15 * time.Second, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, c.answer, func(i *clerkdev.Instance, m *mailbox) {
				i.Emit("user.created", nil)
				pass(72 * time.Hour)
				want := attempts(c.each)
				if diff := cmp.Diff(want, m.times()); diff != "" {
					t.Error(diff)
				}
				first := m.got()[0]
				for n, a := range m.got() {
					if a.id != first.id || a.body != first.body || a.url != here {
						t.Errorf("attempt %d: id %s, want %s", n+1, a.id, first.id)
					}
					if at := strconv.FormatInt(m.start.Add(want[n]).Unix(), 10); a.header.Get("svix-timestamp") != at {
						t.Errorf("attempt %d: timestamp %s, want its own, %s", n+1, a.header.Get("svix-timestamp"), at)
					}
				}
				for n, d := range i.Deliveries() {
					if d.Err == nil || d.Status != c.status || d.Attempt != n+1 || !d.At.Equal(m.start.Add(want[n])) || d.MessageID != first.id {
						t.Errorf("delivery %d: %+v", n, d)
					}
				}
				if e := i.Endpoints()[0]; e.Pending != 0 || e.Disabled {
					t.Errorf("afterwards: %+v", e)
				}
			})
		})
	}
}

// endless is a body that never ends.
type endless struct{ ctx context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}

// TestWebhookSuccess: 2xx ends the schedule, nothing else does, and nothing is
// followed anywhere.
func TestWebhookSuccess(t *testing.T) {
	t.Parallel()
	// The endpoint /503 answers 503 once, and then 200.
	byPath := func(_ int, r *http.Request) (*http.Response, error) {
		status, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil || r.Header.Get("svix-timestamp") != strconv.FormatInt(epoch, 10) {
			status = 200
		}
		return answer(status, "")
	}
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(byPath)
		i := newSender(t, m)
		want := map[string]int{} // URL → attempts
		for status, attempts := range map[int]int{
			200: 1, 201: 1, 202: 1, 204: 1, 299: 1,
			199: 2, 300: 2, 301: 2, 302: 2, 303: 2, 304: 2, 307: 2, 308: 2,
			400: 2, 401: 2, 404: 2, 410: 2, 429: 2, 500: 2, 503: 2,
		} {
			url := "http://localhost/" + strconv.Itoa(status)
			i.AddEndpoint(url)
			want[url] = attempts
		}
		defer run(t, i)()
		i.Emit("user.created", nil)
		pass(time.Hour)
		got := map[string]int{}
		for _, a := range m.got() {
			got[a.url]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, d := range i.Deliveries() {
			if delivered := d.Status/100 == 2; (d.Err == nil) != delivered || d.Attempt == 2 && !delivered {
				t.Errorf("%+v", d)
			}
		}
	})
}

// epoch is when every fake clock starts (testing/synctest), in Unix seconds.
const epoch = 946684800

// TestWebhookJustInTime: an answer within 15 s counts, whole.
func TestWebhookJustInTime(t *testing.T) {
	t.Parallel()
	bubble(t, func(_ int, r *http.Request) (*http.Response, error) {
		<-time.After(15*time.Second - time.Millisecond)
		return answer(200, "ok")
	}, func(i *clerkdev.Instance, m *mailbox) {
		i.Emit("user.created", nil)
		pass(time.Hour)
		if d := i.Deliveries(); len(d) != 1 || d[0].Err != nil {
			t.Errorf("%+v", d)
		}
	})
}

// TestWebhookDisabled: five days of nothing but failures end an endpoint; one
// success in between starts the count again.
func TestWebhookDisabled(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	t.Run("after five days", func(t *testing.T) {
		t.Parallel()
		bubble(t, always(500), func(i *clerkdev.Instance, m *mailbox) {
			for range 5 {
				i.Emit("user.updated", nil)
				pass(day)
			}
			if i.Endpoints()[0].Disabled {
				t.Error("disabled too early")
			}
			i.Emit("user.updated", nil)
			synctest.Wait()
			sent := len(m.got())
			if e := i.Endpoints()[0]; !e.Disabled || e.Pending != 0 {
				t.Errorf("%+v", e)
			}
			i.Emit("user.updated", nil)
			if err := i.Replay(m.got()[0].id); err != nil {
				t.Error(err)
			}
			pass(10 * day)
			if n := len(m.got()); n != sent {
				t.Errorf("%d requests to a disabled endpoint", n-sent)
			}
		})
	})
	t.Run("not after a success", func(t *testing.T) {
		t.Parallel()
		var healthy atomic.Bool
		bubble(t, func(int, *http.Request) (*http.Response, error) {
			if healthy.Load() {
				return answer(200, "")
			}
			return answer(500, "")
		}, func(i *clerkdev.Instance, _ *mailbox) {
			for n := range 12 {
				healthy.Store(n == 4 || n == 8)
				i.Emit("user.updated", nil)
				synctest.Wait()
				healthy.Store(false)
				pass(day)
			}
			if i.Endpoints()[0].Disabled {
				t.Error("disabled")
			}
		})
	})
	t.Run("not by failed replays", func(t *testing.T) {
		t.Parallel()
		bubble(t, statuses(200, 500), func(i *clerkdev.Instance, m *mailbox) {
			i.Emit("user.updated", nil)
			synctest.Wait()
			for range 7 {
				if err := i.Replay(m.got()[0].id); err != nil {
					t.Fatal(err)
				}
				pass(day)
			}
			if i.Endpoints()[0].Disabled {
				t.Error("disabled")
			}
		})
	})
}

// TestWebhookSlowEndpoint holds up itself only.
func TestWebhookSlowEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(func(_ int, r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/slow" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return answer(200, "")
		})
		i := newSender(t, m)
		i.AddEndpoint("http://localhost/slow")
		i.AddEndpoint("http://localhost/fast")
		defer run(t, i)()
		for range 10 {
			i.Emit("user.updated", nil)
		}
		synctest.Wait()
		var fast int
		for _, a := range m.got() {
			if a.url == "http://localhost/fast" {
				fast++
			}
		}
		if n := len(m.got()); fast != 10 || n != 11 {
			t.Errorf("%d fast deliveries of %d, want 10 of 11", fast, n)
		}
	})
}

// TestWebhookStop: what was under way is delivered by the next run, as the same
// attempt, and only one runs at a time.
func TestWebhookStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(func(n int, r *http.Request) (*http.Response, error) {
			if n == 0 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return answer(200, "")
		})
		i := newSender(t, m)
		i.AddEndpoint(here)
		i.Emit("user.created", nil)
		stop := run(t, i)
		synctest.Wait()
		if err := i.RunWebhooks(t.Context()); err == nil {
			t.Error("two run at once")
		}
		stop()
		if d := i.Deliveries(); len(d) != 0 || i.Endpoints()[0].Pending != 1 {
			t.Errorf("after the stop: %+v, %+v", d, i.Endpoints())
		}
		i.Emit("user.updated", nil)
		defer run(t, i)()
		synctest.Wait()
		if diff := cmp.Diff([]string{"user.created", "user.created", "user.updated"}, m.types()); diff != "" {
			t.Error(diff)
		}
		for _, d := range i.Deliveries() {
			if d.Attempt != 1 || d.Err != nil {
				t.Errorf("%+v", d)
			}
		}
	})
}

// TestWebhookDisorder plays each disturbance.
func TestWebhookDisorder(t *testing.T) {
	t.Parallel()
	t.Run("copies", func(t *testing.T) {
		t.Parallel()
		bubble(t, always(200), func(i *clerkdev.Instance, m *mailbox) {
			i.Disturb(clerkdev.Disorder{Copies: 2})
			i.Emit("user.created", nil)
			pass(time.Hour)
			got := m.got()
			if len(got) != 3 || got[0].id != got[1].id || got[0].id != got[2].id || got[0].body != got[2].body {
				t.Errorf("%+v", got)
			}
			i.Disturb(clerkdev.Disorder{Copies: -3})
			i.Emit("user.created", nil)
			pass(time.Hour)
			if n := len(m.got()); n != 4 {
				t.Errorf("%d arrivals after the end of the disorder, want 4", n)
			}
		})
	})
	t.Run("reverse", func(t *testing.T) {
		t.Parallel()
		bubble(t, always(200), func(i *clerkdev.Instance, m *mailbox) {
			i.Disturb(clerkdev.Disorder{Reverse: time.Minute})
			for _, kind := range []string{"user.a", "user.b", "user.c"} {
				i.Emit(kind, nil)
				pass(10 * time.Second)
			}
			if n := len(m.got()); n != 0 {
				t.Errorf("%d arrived early", n)
			}
			pass(time.Hour)
			i.Emit("user.d", nil)
			pass(time.Hour)
			if diff := cmp.Diff([]string{"user.c", "user.b", "user.a", "user.d"}, m.types()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(time.Minute, m.times()[0]); diff != "" {
				t.Error(diff)
			}
		})
	})
	t.Run("in order without", func(t *testing.T) {
		t.Parallel()
		bubble(t, always(200), func(i *clerkdev.Instance, m *mailbox) {
			var want []string
			for n := range 20 {
				want = append(want, "user."+strconv.Itoa(n))
				i.Emit(want[n], nil)
			}
			synctest.Wait()
			if !slices.Equal(want, m.types()) {
				t.Errorf("%v", m.types())
			}
		})
	})
}
