package clerkdev_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// TestWebhookSignature is the known answer of Svix's own libraries.
func TestWebhookSignature(t *testing.T) {
	t.Parallel()
	secret := key(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	got := clerkdev.EventSignature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// letter is one request at a real receiver.
type letter struct {
	method string
	header http.Header
	body   []byte
}

// receiver is a real HTTP server that hands over what arrives.
func receiver(t *testing.T) (url string, letters <-chan letter, stop func()) {
	t.Helper()
	c := make(chan letter, 16)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		c <- letter{r.Method, r.Header.Clone(), body}
		w.WriteHeader(http.StatusNoContent)
	}))
	return s.URL + "/webhooks/clerk", c, s.Close
}

// next is the next letter, or a failure after 10 s.
func next(t *testing.T, letters <-chan letter) letter {
	t.Helper()
	select {
	case l := <-letters:
		return l
	case <-time.After(10 * time.Second):
		t.Fatal("nothing arrived")
		return letter{}
	}
}

// verified is a receiver's check, with nothing of the sender's but its HMAC.
func verified(t *testing.T, secret string, l letter) bool {
	t.Helper()
	h := l.header
	return h.Get("svix-signature") == clerkdev.EventSignature(key(t, secret), h.Get("svix-id"), h.Get("svix-timestamp"), l.body)
}

// TestWebhookOnTheWire sends to a real server and leaves nothing running. It is
// not parallel because it counts goroutines.
func TestWebhookOnTheWire(t *testing.T) {
	url, letters, closeReceiver := receiver(t)
	defer closeReceiver()
	before := goleak.IgnoreCurrent() // the server, which is still there at the end: the sender must hang up
	i := newSender(t, nil)
	secret := i.AddEndpoint(strings.Replace(url, "127.0.0.1", "app.localhost", 1))
	stop := run(t, i)
	for _, kind := range []string{"user.created", "session.created", "user.deleted"} {
		i.Emit(kind, map[string]any{"id": "user_1", "first_name": "<Zoë & co>"})
		l := next(t, letters)
		if l.method != http.MethodPost || l.header.Get("content-type") != "application/json" || !verified(t, secret, l) {
			t.Errorf("%s: %s %v %s", kind, l.method, l.header, l.body)
		}
	}
	for start := time.Now(); len(i.Deliveries()) < 3 && time.Since(start) < 10*time.Second; {
		<-time.After(time.Millisecond) // the last answer is on its way: a stop now would break it off
	}
	stop()
	if n := len(i.Deliveries()); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
	for _, d := range i.Deliveries() {
		if d.Status != http.StatusNoContent || d.Err != nil || d.Attempt != 1 {
			t.Errorf("%+v", d)
		}
	}
	goleak.VerifyNone(t, before)
}

// TestWebhookStopsOnTheWire: the end of the context breaks off a delivery that
// hangs, at once.
func TestWebhookStopsOnTheWire(t *testing.T) {
	before := goleak.IgnoreCurrent()
	arrived := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices a client that leaves after that only
		close(arrived)
		<-r.Context().Done()
	}))
	i := newSender(t, nil)
	i.AddEndpoint(s.URL)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- i.RunWebhooks(ctx) }()
	i.Emit("user.created", nil)
	<-arrived
	start := time.Now()
	cancel(errors.New("the test is over"))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("stopping took %v", d)
	}
	if p := i.Endpoints()[0].Pending; p != 1 {
		t.Errorf("%d pending, want 1", p)
	}
	s.Close()
	goleak.VerifyNone(t, before)
}

// parts are those with a bit to flip.
func parts() []clerkdev.Part {
	return []clerkdev.Part{clerkdev.FlipBody, clerkdev.FlipID, clerkdev.FlipTimestamp, clerkdev.FlipSignature}
}

// TestWebhookFlip: a letter with a flipped bit does not verify, flipping that bit
// back is the one repair, and what is sent afterwards is genuine.
func TestWebhookFlip(t *testing.T) {
	t.Parallel()
	for _, part := range parts() {
		t.Run(string(part), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMailbox(always(200))
				i := newSender(t, m)
				secret := i.AddEndpoint(here)
				defer run(t, i)()
				i.Disturb(clerkdev.Disorder{Flip: part})
				i.Emit("user.created", map[string]any{"id": "user_1"})
				synctest.Wait()
				i.Disturb(clerkdev.Disorder{})
				if err := i.Replay(i.Deliveries()[0].MessageID); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				got := m.got()
				flipped, genuine := got[0].letter(), got[1].letter()
				if verified(t, secret, flipped) || !json.Valid(flipped.body) {
					t.Errorf("flipped: %v %s", flipped.header, flipped.body)
				}
				if n := repairs(t, secret, flipped, part); n != 1 {
					t.Errorf("%d single bits repair it, want 1", n)
				}
				if !verified(t, secret, genuine) || !bytes.HasSuffix(genuine.body, []byte(`"type":"user.created"}`)) {
					t.Errorf("afterwards: %v %s", genuine.header, genuine.body)
				}
			})
		})
	}
}

func (a arrival) letter() letter { return letter{http.MethodPost, a.header, []byte(a.body)} }

// repairs counts the single bits of part whose flip makes l verify.
func repairs(t *testing.T, secret string, l letter, part clerkdev.Part) (count int) {
	t.Helper()
	name := map[clerkdev.Part]string{
		clerkdev.FlipID: "svix-id", clerkdev.FlipTimestamp: "svix-timestamp", clerkdev.FlipSignature: "svix-signature",
	}[part]
	text := bytes.Clone(l.body)
	if name != "" {
		text = []byte(l.header.Get(name))
	}
	for n := range 8 * len(text) {
		text[n/8] ^= 1 << (n % 8)
		other := letter{l.method, l.header.Clone(), l.body}
		if name == "" {
			other.body = text
		} else {
			other.header.Set(name, string(text))
		}
		if verified(t, secret, other) {
			count++
		}
		text[n/8] ^= 1 << (n % 8)
	}
	return count
}
