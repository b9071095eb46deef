package clerkdev_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// arrival is one request that reached an endpoint.
type arrival struct {
	after  time.Duration // since the mailbox was made
	url    string
	id     string
	header http.Header
	body   string
}

// mailbox is an endpoint in memory: it keeps what arrives and answers as told.
type mailbox struct {
	start  time.Time
	answer func(n int, r *http.Request) (*http.Response, error)

	mu       sync.Mutex
	arrivals []arrival
}

func newMailbox(answer func(n int, r *http.Request) (*http.Response, error)) *mailbox {
	return &mailbox{start: time.Now(), answer: answer}
}

// always answers every request with status.
func always(status int) func(int, *http.Request) (*http.Response, error) {
	return func(int, *http.Request) (*http.Response, error) { return answer(status, "") }
}

// statuses answers the nth request with its nth element, and then with the last.
func statuses(list ...int) func(int, *http.Request) (*http.Response, error) {
	return func(n int, _ *http.Request) (*http.Response, error) { return answer(list[min(n, len(list)-1)], "") }
}

func answer(status int, body string) (*http.Response, error) {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Location": {"http://localhost/elsewhere"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func (m *mailbox) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	n := len(m.arrivals)
	m.arrivals = append(m.arrivals, arrival{time.Since(m.start), r.URL.String(), r.Header.Get("svix-id"), r.Header.Clone(), string(body)})
	m.mu.Unlock()
	return m.answer(n, r)
}

func (m *mailbox) got() []arrival {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]arrival(nil), m.arrivals...)
}

// times are when the arrivals came.
func (m *mailbox) times() []time.Duration {
	var list []time.Duration
	for _, a := range m.got() {
		list = append(list, a.after)
	}
	return list
}

// types are the types of the events that arrived.
func (m *mailbox) types() []string {
	var list []string
	for _, a := range m.got() {
		_, kind, _ := strings.Cut(a.body, `"type":"`)
		list = append(list, strings.TrimSuffix(kind, `"}`))
	}
	return list
}

const here = "http://localhost:8080/webhooks"

func newSender(t *testing.T, m http.RoundTripper) *clerkdev.Instance {
	t.Helper()
	i, err := clerkdev.New(clerkdev.Config{WebhookTransport: m})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// run delivers in the background; the result stops it.
func run(t *testing.T, i *clerkdev.Instance) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- i.RunWebhooks(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("RunWebhooks: %v", err)
		}
	}
}

// bubble runs f where the clock is fake, with one endpoint that m answers for
// and deliveries running.
func bubble(t *testing.T, answer func(int, *http.Request) (*http.Response, error), f func(i *clerkdev.Instance, m *mailbox)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox(answer)
		i := newSender(t, m)
		if i.AddEndpoint(here) == "" {
			t.Fatal("no endpoint")
		}
		defer run(t, i)()
		f(i, m)
	})
}

// pass lets the fake clock run on by d.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
