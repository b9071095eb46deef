package clerkdev_test

import (
	"net/http"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// oracles are the libraries that receivers use, each made from a secret.
func oracles(t *testing.T, secret string) map[string]func(letter) error {
	t.Helper()
	official, err := svix.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	standard, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func(letter) error{
		"svix": func(l letter) error { return official.Verify(l.body, l.header) },
		"standard-webhooks": func(l letter) error { // it reads the webhook- names only
			h := http.Header{}
			for name, values := range l.header {
				h[strings.Replace(name, "Svix-", "Webhook-", 1)] = values
			}
			return standard.Verify(l.body, h)
		},
	}
}

// TestWebhookOracles sends to a real server, where the official libraries verify
// every delivery, and none after one flipped bit or with another secret.
func TestWebhookOracles(t *testing.T) {
	t.Parallel()
	url, letters, closeReceiver := receiver(t)
	defer closeReceiver()
	i := newSender(t, nil)
	secret := i.AddEndpoint(url)
	defer run(t, i)()
	stranger := newSender(t, nil).AddEndpoint(url)
	for _, part := range append(parts(), clerkdev.FlipNothing) {
		i.Disturb(clerkdev.Disorder{Flip: part})
		i.Emit("user.updated", map[string]any{"id": "user_1", "first_name": "<Zoë & co>"})
		l := next(t, letters)
		for name, verify := range oracles(t, secret) {
			if err := verify(l); (err == nil) != (part == clerkdev.FlipNothing) {
				t.Errorf("%s, %q flipped: %v", name, part, err)
			}
		}
		for name, verify := range oracles(t, stranger) {
			if verify(l) == nil {
				t.Errorf("%s: verified with a secret of another endpoint", name)
			}
		}
	}
}

// TestWebhookOraclesEveryBit flips every bit of one genuine delivery, one after
// the other: body, id, timestamp and signature.
func TestWebhookOraclesEveryBit(t *testing.T) {
	t.Parallel()
	url, letters, closeReceiver := receiver(t)
	defer closeReceiver()
	i := newSender(t, nil)
	secret := i.AddEndpoint(url)
	defer run(t, i)()
	i.Emit("user.created", map[string]any{"id": "user_1"})
	l := next(t, letters)
	for name, verify := range oracles(t, secret) {
		if err := verify(l); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range 8 * len(l.body) {
			if verify(letter{l.method, l.header, flipped(l.body, n)}) == nil {
				t.Errorf("%s: verified with bit %d of the body flipped", name, n)
			}
		}
		for _, field := range []string{"Svix-Id", "Svix-Timestamp", "Svix-Signature"} {
			value := l.header.Get(field)
			for n := range 8 * len(value) {
				other := letter{l.method, l.header.Clone(), l.body}
				other.header.Set(field, string(flipped([]byte(value), n)))
				if verify(other) == nil {
					t.Errorf("%s: verified with bit %d of %s flipped", name, n, field)
				}
			}
		}
	}
}

// flipped is a copy of text with one bit flipped.
func flipped(text []byte, bit int) []byte {
	text = append([]byte(nil), text...)
	text[bit/8] ^= 1 << (bit % 8)
	return text
}
