package clerkdev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// answerTimeout is how long an endpoint has for its whole answer (Svix).
const answerTimeout = 15 * time.Second

// RunWebhooks delivers events until ctx ends, and returns nil then. There is one
// delivery at a time for each endpoint, so that a slow one holds up only itself.
// What was under way at the end is pending again, and delivered by the next
// RunWebhooks: at least once, as at Svix. Only one can run.
func (i *Instance) RunWebhooks(ctx context.Context) error {
	h := &i.hooks
	wake, err := h.start()
	if err != nil {
		return err
	}
	defer h.stop()
	client, closeIdle := i.webhookClient()
	defer closeIdle()
	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	for ctx.Err() == nil {
		jobs, next := h.take(time.Now(), i.cfg.Now())
		for _, j := range jobs {
			deliveries.Go(func() { i.deliver(ctx, client, j) })
		}
		waitDue(ctx, wake, next)
	}
	return nil
}

// waitDue returns at the time next, when woken, or when ctx ends.
func waitDue(ctx context.Context, wake <-chan struct{}, next time.Time) {
	var due <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-due:
	}
}

// start makes the channel here and not in New, so that it belongs to the
// synctest bubble that runs the deliveries.
func (h *webhooks) start() (<-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wake != nil {
		return nil, errors.New("clerkdev: RunWebhooks: already running")
	}
	h.wake = make(chan struct{}, 1)
	return h.wake, nil
}

func (h *webhooks) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wake = nil
}

// deliver makes one attempt.
func (i *Instance) deliver(ctx context.Context, client *http.Client, j hookJob) {
	at := i.cfg.Now()
	status, err := postEvent(ctx, client, j, at)
	if err != nil && ctx.Err() != nil {
		i.hooks.giveBack(j) // we broke it off: that says nothing about the endpoint
		return
	}
	i.hooks.settle(j, Delivery{j.message.id, j.message.kind, j.endpoint.url, j.number, status, at, err})
}

// postEvent sends the event; an answer that is not 2xx, or not whole in time, is an
// error.
func postEvent(ctx context.Context, client *http.Client, j hookJob, at time.Time) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	// The second of the attempt, not of the event: a retry must still be young
	// enough for the receiver's tolerance of five minutes.
	header := signedHeader(j.endpoint.key, j.message.id, strconv.FormatInt(at.Unix(), 10), j.body)
	body := j.flip.flip(header, j.body)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, j.endpoint.url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("clerkdev: webhook: %w", err)
	}
	r.Header = header
	answer, err := client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("clerkdev: webhook: %w", err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)); err != nil {
		return answer.StatusCode, fmt.Errorf("clerkdev: webhook: answer: %w", err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return answer.StatusCode, fmt.Errorf("clerkdev: webhook: the endpoint answered %s", answer.Status)
	}
	return answer.StatusCode, nil
}

// webhookClient follows no redirect, has no cookies and uses no proxy. The
// second result ends its idle connections.
func (i *Instance) webhookClient() (*http.Client, func()) {
	transport := i.cfg.WebhookTransport
	closeIdle := func() {}
	if transport == nil {
		plain := &http.Transport{DialContext: dialLoopback, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 30 * time.Second}
		transport, closeIdle = plain, plain.CloseIdleConnections
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, closeIdle
}
