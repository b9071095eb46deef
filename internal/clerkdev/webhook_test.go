package clerkdev_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/manageros/authproxy/internal/clerkdev"
)

// TestWebhookEnvelope holds an event against Clerk's envelope.
func TestWebhookEnvelope(t *testing.T) {
	t.Parallel()
	bubble(t, always(204), func(i *clerkdev.Instance, m *mailbox) {
		pass(90 * time.Minute)
		now := time.Now()
		i.Emit("user.created", map[string]any{"id": "user_1", "object": "user"})
		synctest.Wait()
		got := m.got()
		if len(got) != 1 {
			t.Fatalf("%d arrivals, want 1", len(got))
		}
		var envelope map[string]any
		if err := json.Unmarshal([]byte(got[0].body), &envelope); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"object": "event", "type": "user.created",
			"data":        map[string]any{"id": "user_1", "object": "user"},
			"timestamp":   float64(now.UnixMilli()),
			"instance_id": i.InstanceID(),
			"event_attributes": map[string]any{
				"http_request": map[string]any{"client_ip": "127.0.0.1", "user_agent": ""},
			},
		}
		if diff := cmp.Diff(want, envelope); diff != "" {
			t.Error(diff)
		}
		h := got[0].header
		if !regexp.MustCompile(`^msg_[0-9A-Za-z]{27}$`).MatchString(h.Get("svix-id")) {
			t.Errorf("svix-id %q", h.Get("svix-id"))
		}
		if h.Get("svix-timestamp") != fmt.Sprint(now.Unix()) || h.Get("content-type") != "application/json" {
			t.Errorf("header %v", h)
		}
		if !regexp.MustCompile(`^ins_[0-9A-Za-z]{27}$`).MatchString(i.InstanceID()) {
			t.Errorf("instance id %q", i.InstanceID())
		}
		for name := range h {
			if strings.HasPrefix(strings.ToLower(name), "webhook-") {
				t.Errorf("%s: Clerk sends svix- names only", name)
			}
		}
	})
}

// TestWebhookTakesDataAsItIs: what the caller does to data after emit returned
// does not reach the event.
func TestWebhookTakesDataAsItIs(t *testing.T) {
	t.Parallel()
	bubble(t, always(200), func(i *clerkdev.Instance, m *mailbox) {
		data := map[string]any{"id": "user_1"}
		i.Emit("user.created", data)
		data["id"] = "user_2"
		synctest.Wait()
		if got := m.got(); len(got) != 1 || !strings.Contains(got[0].body, "user_1") {
			t.Errorf("%+v", got)
		}
	})
}

func TestWebhookDataThatIsNotJSON(t *testing.T) {
	t.Parallel()
	bubble(t, always(200), func(i *clerkdev.Instance, m *mailbox) {
		i.Emit("user.created", map[string]any{"id": func() {}})
		synctest.Wait()
		if d := i.Deliveries(); len(m.got()) != 0 || len(d) != 1 || d[0].Err == nil || d[0].Type != "user.created" {
			t.Errorf("arrivals %v, deliveries %+v", m.got(), d)
		}
	})
}

// TestWebhookEveryEndpointHasTheSameID: one id for an event, a secret for each
// endpoint, also when both have the same URL.
func TestWebhookEveryEndpointHasTheSameID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(always(200))
		i := newSender(t, m)
		one, two := i.AddEndpoint(here), i.AddEndpoint(here)
		if one == two {
			t.Error("two endpoints share a secret")
		}
		defer run(t, i)()
		i.Emit("user.created", nil)
		synctest.Wait()
		got := m.got()
		if len(got) != 2 || got[0].id != got[1].id || got[0].body != got[1].body {
			t.Fatalf("%+v", got)
		}
		var want []string
		for _, secret := range []string{one, two} {
			want = append(want, clerkdev.EventSignature(key(t, secret), got[0].id, got[0].header.Get("svix-timestamp"), []byte(got[0].body)))
		}
		signatures := []string{got[0].header.Get("svix-signature"), got[1].header.Get("svix-signature")}
		slices.Sort(want)
		slices.Sort(signatures)
		if diff := cmp.Diff(want, signatures); diff != "" {
			t.Error(diff)
		}
	})
}

// key reads a secret as a receiver does.
func key(t *testing.T, secret string) []byte {
	t.Helper()
	text, ok := strings.CutPrefix(secret, "whsec_")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) < 24 {
		t.Fatalf("secret %q: %d bytes, %v", secret, len(raw), err)
	}
	return raw
}

// TestWebhookRemoveEndpoint: nothing more is sent, not even what was waiting.
func TestWebhookRemoveEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(always(500))
		i := newSender(t, m)
		gone, stays := i.AddEndpoint("http://127.0.0.1/gone"), i.AddEndpoint("http://127.0.0.1/stays")
		defer run(t, i)()
		i.Emit("user.created", nil)
		synctest.Wait()
		if !i.RemoveEndpoint(gone) || i.RemoveEndpoint(gone) || i.RemoveEndpoint("") {
			t.Error("RemoveEndpoint does not say whether there was one")
		}
		i.Emit("user.updated", nil)
		pass(time.Minute)
		for _, a := range m.got()[2:] {
			if a.url != "http://127.0.0.1/stays" {
				t.Errorf("%s was sent to after its end", a.url)
			}
		}
		if got := i.Endpoints(); len(got) != 1 || got[0].URL != "http://127.0.0.1/stays" || !i.RemoveEndpoint(stays) {
			t.Errorf("%+v", got)
		}
	})
}

// TestWebhookReplay: the same id again, to every endpoint; a failure is final.
func TestWebhookReplay(t *testing.T) {
	t.Parallel()
	bubble(t, statuses(200, 500, 200), func(i *clerkdev.Instance, m *mailbox) {
		i.Emit("user.created", nil)
		synctest.Wait()
		id := m.got()[0].id
		for range 2 {
			if err := i.Replay(id); err != nil {
				t.Fatal(err)
			}
			pass(48 * time.Hour)
		}
		want := []time.Duration{0, 0, 48 * time.Hour}
		if diff := cmp.Diff(want, m.times()); diff != "" {
			t.Error(diff)
		}
		for n, d := range i.Deliveries() {
			if attempt := []int{1, 0, 0}[n]; d.MessageID != id || d.Attempt != attempt {
				t.Errorf("delivery %d: %+v, want attempt %d", n, d, attempt)
			}
		}
		if err := i.Replay("msg_other"); err == nil || !strings.Contains(err.Error(), "msg_other") {
			t.Errorf("Replay of nothing: %v", err)
		}
	})
}

// TestWebhookReplayEndsRetries: a replay that arrives makes the retries needless,
// and only those of its own event.
func TestWebhookReplayEndsRetries(t *testing.T) {
	t.Parallel()
	bubble(t, statuses(500, 500, 200), func(i *clerkdev.Instance, m *mailbox) {
		i.Emit("user.created", nil)
		synctest.Wait()
		i.Emit("user.updated", nil)
		synctest.Wait()
		if err := i.Replay(m.got()[0].id); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		if diff := cmp.Diff([]string{"user.created", "user.updated", "user.created", "user.updated"}, m.types()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestWebhookEmitWaitsForNobody: neither for an endpoint that hangs nor for who
// holds the state, and deliveries do not need the state either.
func TestWebhookEmitWaitsForNobody(t *testing.T) {
	t.Parallel()
	bubble(t, func(_ int, r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}, func(i *clerkdev.Instance, m *mailbox) {
		i.WhileLocked(func() {
			start := time.Now()
			for range 1000 {
				i.Emit("user.updated", nil)
			}
			if d := time.Since(start); d != 0 {
				t.Errorf("emitting took %v", d)
			}
			synctest.Wait()
			if n := len(m.got()); n != 1 {
				t.Errorf("%d requests under way, want 1", n)
			}
			if p := i.Endpoints()[0].Pending; p != 999 {
				t.Errorf("%d pending, want 999", p)
			}
			pass(16 * time.Second)
			if n := len(i.Deliveries()); n != 1 {
				t.Errorf("%d deliveries, want 1", n)
			}
		})
	})
}

func TestWebhookBounds(t *testing.T) {
	t.Parallel()
	i := newSender(t, newMailbox(always(200))) // nothing runs: everything waits
	for range clerkdev.MaxEndpoints {
		if i.AddEndpoint(here) == "" {
			t.Fatal("refused too early")
		}
	}
	if i.AddEndpoint(here) != "" || len(i.Endpoints()) != clerkdev.MaxEndpoints {
		t.Errorf("%d endpoints", len(i.Endpoints()))
	}

	i = newSender(t, newMailbox(always(200)))
	i.AddEndpoint(here)
	for range clerkdev.MaxPending + 2*clerkdev.MaxDeliveries {
		i.Emit("user.updated", nil)
	}
	if p := i.Endpoints()[0].Pending; p != clerkdev.MaxPending {
		t.Errorf("%d pending, want %d", p, clerkdev.MaxPending)
	}
	dropped := i.Deliveries()
	if len(dropped) != clerkdev.MaxDeliveries || !errors.Is(dropped[0].Err, clerkdev.ErrQueueFull) || dropped[0].Endpoint != here {
		t.Errorf("%d deliveries, %+v", len(dropped), dropped[0])
	}
	if events, _ := i.Kept(); events > clerkdev.MaxPending {
		t.Errorf("%d events kept", events)
	}
}

// TestWebhookForgetsTheOldest: bodies are bounded, and what waited for one that
// is gone says so instead of being sent empty.
func TestWebhookForgetsTheOldest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(always(200))
		i := newSender(t, m)
		i.AddEndpoint(here)
		large := map[string]any{"large": strings.Repeat("x", clerkdev.MaxKeptBytes/4)}
		for n := range 6 {
			i.Emit(fmt.Sprintf("user.%c", 'a'+n), large)
		}
		if events, bytes := i.Kept(); events != 3 || bytes > clerkdev.MaxKeptBytes {
			t.Errorf("%d events of %d bytes kept", events, bytes)
		}
		defer run(t, i)()
		synctest.Wait()
		if diff := cmp.Diff([]string{"user.d", "user.e", "user.f"}, m.types()); diff != "" {
			t.Error(diff)
		}
		var forgotten []string
		for _, d := range i.Deliveries() {
			if errors.Is(d.Err, clerkdev.ErrForgotten) {
				forgotten = append(forgotten, d.Type)
			}
		}
		if diff := cmp.Diff([]string{"user.a", "user.b", "user.c"}, forgotten); diff != "" {
			t.Error(diff)
		}
		if err := i.Replay(i.Deliveries()[0].MessageID); err == nil {
			t.Error("a forgotten event was replayed")
		}
	})
}
