package clerkdev_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// apiClock is a clock that stands until it is moved.
type apiClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *apiClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *apiClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// apiRig is an instance and its Backend API.
type apiRig struct {
	*clerkdev.Instance
	t     *testing.T
	clock *apiClock
	api   http.Handler
}

func newAPI(t *testing.T, cfg clerkdev.Config) *apiRig {
	t.Helper()
	clock := &apiClock{at: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	if cfg.Now == nil {
		cfg.Now = clock.Now
	}
	i, err := clerkdev.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &apiRig{Instance: i, t: t, clock: clock, api: i.Backend()}
}

// apiAnswer is an answer; body is nil unless it is an object.
type apiAnswer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// request is one with the secret key and a JSON body.
func (a *apiRig) request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:4180"
	r.Header.Set("Authorization", "Bearer "+a.SecretKey())
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (a *apiRig) send(r *http.Request) apiAnswer {
	a.t.Helper()
	w := httptest.NewRecorder()
	a.api.ServeHTTP(w, r)
	out := apiAnswer{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		a.t.Errorf("%s %s: Content-Type %q; @clerk/backend wants exactly application/json", r.Method, r.URL, got)
	}
	if !json.Valid(w.Body.Bytes()) {
		a.t.Errorf("%s %s: not JSON: %q", r.Method, r.URL, out.raw)
	}
	_ = json.Unmarshal(w.Body.Bytes(), &out.body)
	return out
}

func (a *apiRig) do(method, target, body string) apiAnswer {
	a.t.Helper()
	return a.send(a.request(method, target, body))
}

// ok is do that must succeed.
func (a *apiRig) ok(method, target, body string) map[string]any {
	a.t.Helper()
	got := a.do(method, target, body)
	if got.status != http.StatusOK {
		a.t.Fatalf("%s %s %s: %d %s", method, target, body, got.status, got.raw)
	}
	return got.body
}

// refused is do that must be refused like that; it checks the shape of the error.
func (a *apiRig) refused(method, target, body string, status int, code string) apiAnswer {
	a.t.Helper()
	got := a.do(method, target, body)
	a.checkError(got, status, code)
	return got
}

func (a *apiRig) checkError(got apiAnswer, status int, code string) {
	a.t.Helper()
	var e struct {
		Errors []struct {
			Code        string          `json:"code"`
			Message     string          `json:"message"`
			LongMessage string          `json:"long_message"`
			Meta        *map[string]any `json:"meta"`
		} `json:"errors"`
		Trace string `json:"clerk_trace_id"`
	}
	if err := json.Unmarshal([]byte(got.raw), &e); err != nil || len(e.Errors) == 0 {
		a.t.Fatalf("%d %s is no error of Clerk's shape", got.status, got.raw)
	}
	if got.status != status || e.Errors[0].Code != code {
		a.t.Errorf("got %d %s, want %d %s", got.status, got.raw, status, code)
	}
	for _, one := range e.Errors {
		if one.Message == "" || one.LongMessage == "" || one.Meta == nil {
			a.t.Errorf("incomplete: %s", got.raw)
		}
	}
	if e.Trace == "" || e.Trace != got.header.Get("Clerk-Trace-Id") {
		a.t.Errorf("trace %q and header %q", e.Trace, got.header.Get("Clerk-Trace-Id"))
	}
}

// param is the parameter that the first error names.
func (a apiAnswer) param() string {
	list, _ := a.body["errors"].([]any)
	first, _ := list[0].(map[string]any)
	meta, _ := first["meta"].(map[string]any)
	name, _ := meta["param_name"].(string)
	return name
}

// ids lists the ids of a bare array or of data.
func (a apiAnswer) ids() []string {
	var list []struct{ ID string }
	if json.Unmarshal([]byte(a.raw), &list) != nil {
		var page struct{ Data []struct{ ID string } }
		_ = json.Unmarshal([]byte(a.raw), &page)
		list = page.Data
	}
	ids := []string{}
	for _, one := range list {
		ids = append(ids, one.ID)
	}
	return ids
}

// compactly is v as JSON with sorted keys.
func compactly(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// events receives an instance's webhooks and tells their types apart.
type apiEvents struct {
	mu   sync.Mutex
	seen []string
	data map[string]map[string]any // the last one of a type
}

// listen sends every event of the rig to the list; the caller waits for them.
func (a *apiRig) listen() *apiEvents {
	e := &apiEvents{data: map[string]map[string]any{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event struct {
			Type string
			Data map[string]any
		}
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &event)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.seen = append(e.seen, event.Type)
		e.data[event.Type] = event.Data
	}))
	a.t.Cleanup(server.Close)
	a.AddEndpoint(server.URL)
	go func() { _ = a.RunWebhooks(a.t.Context()) }()
	return e
}

// wait waits until an event of the type was there and returns its data.
func (e *apiEvents) wait(t *testing.T, kind string) map[string]any {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for {
		e.mu.Lock()
		data, ok := e.data[kind]
		seen := fmt.Sprint(e.seen)
		e.mu.Unlock()
		if ok {
			return maps.Clone(data)
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no %s, only %s", kind, seen)
		}
	}
}
