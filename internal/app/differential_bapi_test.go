package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
)

// scenario is what Clerk's Backend API answers: what oracle.mjs reads under the
// same names.
type scenario struct {
	Nonce   map[string][]string `json:"nonce,omitempty"`   // the directives
	Refresh *bapiReply          `json:"refresh,omitempty"` // nil: it knows no such refresh token
}

type bapiReply struct {
	Status int             `json:"status,omitempty"` // 0 is 200
	Body   json.RawMessage `json:"body"`
}

// fakeBackend answers as oracle.mjs does.
type fakeBackend struct {
	URL string

	mu    sync.Mutex
	asks  *scenario
	calls []string
}

func newBackend(t testing.TB) *fakeBackend {
	t.Helper()
	b := &fakeBackend{asks: &scenario{}}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	b.URL = s.URL
	return b
}

// play makes the server answer what s says.
func (b *fakeBackend) play(s *scenario) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asks = s; s == nil {
		b.asks = &scenario{}
	}
	b.calls = nil
}

// asked returns the calls since play, in the oracle's spelling.
func (b *fakeBackend) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

func (b *fakeBackend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	send := func(status int, body []byte) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
	refuse := func(status int, code string) {
		body, _ := json.Marshal(map[string]any{"errors": []any{map[string]string{"code": code, "message": code, "long_message": code}}, "clerk_trace_id": "trace_oracle"})
		send(status, body)
	}
	if r.URL.Path == "/v1/jwks" {
		send(http.StatusOK, minttest.JWKS(minttest.Good()))
		return
	}
	b.calls = append(b.calls, r.Method+" "+r.URL.RequestURI())
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/v1/clients/handshake_payload":
		directives, known := b.asks.Nonce[r.URL.Query().Get("nonce")]
		if !known {
			refuse(http.StatusNotFound, "resource_not_found")
			return
		}
		body, _ := json.Marshal(map[string]any{"directives": directives})
		send(http.StatusOK, body)
	case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/sessions/") && strings.HasSuffix(r.URL.Path, "/refresh"):
		switch reply := b.asks.Refresh; {
		case reply == nil:
			refuse(http.StatusUnauthorized, "refresh_token_not_found")
		case reply.Status == 0:
			send(http.StatusOK, reply.Body)
		default:
			send(reply.Status, reply.Body)
		}
	default:
		refuse(http.StatusNotFound, "resource_not_found")
	}
}
