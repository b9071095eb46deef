package clerkdev

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Endpoint is where events go, as Clerk's dashboard would list it.
type Endpoint struct {
	URL string
	// Disabled says that it failed for five days and is sent nothing more.
	Disabled bool
	// Pending counts the deliveries that are still to be made, retries included.
	Pending int
}

// Delivery is one attempt to deliver an event, or the reason why none was made.
type Delivery struct {
	MessageID string // svix-id: one for each event, the same at every endpoint and attempt
	Type      string // "user.created"
	Endpoint  string // its URL
	Attempt   int    // from 1 to 8; 0 is a replay
	Status    int    // of the answer; 0 when there was none
	At        time.Time
	Err       error // nil: delivered
}

// Errors of a [Delivery] that was given up without an attempt.
var (
	ErrQueueFull = errors.New("clerkdev: webhook dropped: too many wait for this endpoint")
	ErrForgotten = errors.New("clerkdev: webhook dropped: too many newer ones")
)

// AddEndpoint sends every event from now on to url and returns the secret
// ("whsec_…") that the deliveries are signed with. It is "" when [CheckEndpoint]
// refuses url, or when there are 32 endpoints. The same url may be added again:
// Clerk's way to rotate a secret is a second endpoint, and both deliver.
func (i *Instance) AddEndpoint(url string) (secret string) {
	if CheckEndpoint(url) != nil {
		return ""
	}
	h := &i.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.endpoints) >= maxEndpoints {
		return ""
	}
	key := make([]byte, 24) // what Svix makes; verifiers refuse less
	_, _ = rand.Read(key)   // never fails (crypto/rand)
	h.endpoints = append(h.endpoints, &hookEndpoint{url: url, key: key})
	return webhookSecret(key)
}

// RemoveEndpoint ends the endpoint that was added with secret, retries included.
// It reports whether there was one.
func (i *Instance) RemoveEndpoint(secret string) bool {
	h := &i.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	before := len(h.endpoints)
	h.endpoints = slices.DeleteFunc(h.endpoints, func(e *hookEndpoint) bool { return webhookSecret(e.key) == secret })
	return len(h.endpoints) < before
}

// Endpoints lists the endpoints in the order in which they were added.
func (i *Instance) Endpoints() []Endpoint {
	h := &i.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Endpoint, 0, len(h.endpoints))
	for _, e := range h.endpoints {
		list = append(list, Endpoint{URL: e.url, Disabled: e.disabled, Pending: len(e.queue)})
	}
	return list
}

// Deliveries are the last 1000, oldest first.
func (i *Instance) Deliveries() []Delivery {
	h := &i.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.history)
}

// Replay sends an event once more to every endpoint that is not disabled, under
// its old id. As at Svix, a replay that fails is not retried, and one that
// succeeds ends the retries that were still to come.
func (i *Instance) Replay(messageID string) error {
	h := &i.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	n := slices.IndexFunc(h.kept, func(m *hookMessage) bool { return m.id == messageID })
	if n < 0 {
		return fmt.Errorf("clerkdev: Replay: no message %q is kept", messageID)
	}
	for _, e := range h.endpoints {
		h.enqueue(e, hookAttempt{message: h.kept[n], due: time.Now()}, i.cfg.Now())
	}
	h.signal()
	return nil
}

// InstanceID is the instance_id of every event.
func (i *Instance) InstanceID() string {
	i.hooks.mu.Lock()
	defer i.hooks.mu.Unlock()
	if i.hooks.instanceID == "" {
		i.hooks.instanceID = newID("ins")
	}
	return i.hooks.instanceID
}

// The bounds of what is remembered.
const (
	maxEndpoints  = 32
	maxPending    = 1 << 14  // for each endpoint
	maxKept       = 1 << 14  // events
	maxKeptBytes  = 32 << 20 // of their bodies
	maxDeliveries = 1000
)

// webhooks is what the sender remembers. It has a mutex of its own, held for
// moments only, so that delivering needs nothing of the rest and emitting waits
// for nobody.
type webhooks struct {
	mu         sync.Mutex
	instanceID string
	endpoints  []*hookEndpoint
	kept       []*hookMessage // oldest first
	keptBytes  int
	history    []Delivery // oldest first
	disorder   Disorder
	rank       int64         // of the attempt that was queued last
	wake       chan struct{} // of RunWebhooks; nil while it is not running
}

// hookMessage is one event. Its body is nil once it was forgotten.
type hookMessage struct {
	id   string
	kind string
	body []byte
}

// hookEvent is the envelope. The order of the members is Clerk's.
type hookEvent struct {
	Data       map[string]any `json:"data"`
	Attributes hookAttributes `json:"event_attributes"`
	InstanceID string         `json:"instance_id"`
	Object     string         `json:"object"`
	Timestamp  int64          `json:"timestamp"` // ms
	Type       string         `json:"type"`
}

type hookAttributes struct {
	HTTPRequest struct {
		ClientIP  string `json:"client_ip"`
		UserAgent string `json:"user_agent"`
	} `json:"http_request"`
}

// emit queues an event for every endpoint. It never waits for a delivery, and
// takes data as it is now.
func (i *Instance) emit(kind string, data map[string]any) {
	e := hookEvent{Data: data, InstanceID: i.InstanceID(), Object: "event", Timestamp: i.cfg.Now().UnixMilli(), Type: kind}
	e.Attributes.HTTPRequest.ClientIP = "127.0.0.1" // nobody else can reach the emulator
	body, err := json.Marshal(e)
	h, m := &i.hooks, &hookMessage{id: newID("msg"), kind: kind, body: body}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.record(Delivery{MessageID: m.id, Type: kind, At: i.cfg.Now(), Err: fmt.Errorf("clerkdev: webhook: %w", err)})
		return
	}
	h.keep(m)
	for _, e := range h.endpoints {
		h.announce(e, m, i.cfg.Now())
	}
	h.signal()
}

// announce queues the first attempt at m, disturbed as [Instance.Disturb] wants.
func (h *webhooks) announce(e *hookEndpoint, m *hookMessage, at time.Time) {
	a := hookAttempt{message: m, number: 1, due: time.Now()}
	if w := h.disorder.Reverse; w > 0 {
		if a.due.After(e.window) {
			e.window = a.due.Add(w)
		}
		a.due, a.newestFirst = e.window, true
	}
	for range 1 + max(0, h.disorder.Copies) {
		if !h.enqueue(e, a, at) {
			return
		}
	}
}

// keep remembers m for replays, and forgets the oldest events for it. What still
// waits for one of those is dropped when its turn comes.
func (h *webhooks) keep(m *hookMessage) {
	h.kept = append(h.kept, m)
	h.keptBytes += len(m.body)
	for len(h.kept) > maxKept || h.keptBytes > maxKeptBytes {
		oldest := h.kept[0]
		h.keptBytes -= len(oldest.body)
		oldest.body, h.kept[0] = nil, nil
		h.kept = h.kept[1:]
	}
}

// record adds to the history, which forgets its beginning.
func (h *webhooks) record(d Delivery) {
	h.history = append(h.history, d)
	if over := len(h.history) - maxDeliveries; over > 0 {
		h.history = slices.Delete(h.history, 0, over)
	}
}

// signal tells RunWebhooks, if it is running, to look again.
func (h *webhooks) signal() {
	select {
	case h.wake <- struct{}{}: // a nil channel is never ready
	default: // it was told already
	}
}
