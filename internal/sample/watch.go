package sample

import (
	"crypto/rand"
	"net/http"
	"slices"
	"sync"

	"github.com/manageros/authproxy/headers"
)

// idHeader tells the application which remembered request it has before it. It
// passes the proxy, which owns no such name.
const idHeader = "X-Dev-Request"

// What is remembered is bounded in number and in bytes, because anybody who
// reaches the port decides both.
const (
	maxRemembered      = 256
	maxRememberedBytes = 4 << 20
)

// Watch stands in front of the proxy. It remembers the header fields the client
// sent and gives the request the id by which the application finds them.
func (s *Sample) Watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := r.Header.Clone()
		if sent == nil {
			sent = http.Header{}
		}
		// In any spelling: a server behind might read X_Dev_Request as ours, and
		// then somebody could have another request's fields shown as his own.
		for name := range sent {
			if headers.Fold(name) == headers.Fold(idHeader) {
				delete(sent, name)
			}
		}
		watched := r.WithContext(r.Context()) // a handler leaves its request as it is
		watched.Header = sent.Clone()
		watched.Header.Set(idHeader, s.seen.add(sent))
		next.ServeHTTP(w, watched)
	})
}

// memory holds what clients sent lately.
type memory struct {
	mu    sync.Mutex
	byID  map[string]http.Header
	order []string // oldest first
	bytes int
}

func newMemory() *memory { return &memory{byID: map[string]http.Header{}} }

// add remembers h, which nobody changes afterwards, under a new id.
func (m *memory) add(h http.Header) string {
	id := rand.Text() // unguessable: it opens what somebody sent
	m.mu.Lock()
	defer m.mu.Unlock()
	m.byID[id] = h
	m.order = append(m.order, id)
	m.bytes += size(h)
	for len(m.order) > maxRemembered || m.bytes > maxRememberedBytes {
		m.bytes -= size(m.byID[m.order[0]])
		delete(m.byID, m.order[0])
		m.order = slices.Delete(m.order, 0, 1)
	}
	return id
}

// get returns what was sent with the request that arrived with h, if it is
// still known. A client can hide its id from the proxy (Connection:
// X-Dev-Request), and then nothing is known.
func (m *memory) get(h http.Header) (http.Header, bool) {
	ids := h[idHeader]
	if len(ids) != 1 {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	sent, known := m.byID[ids[0]]
	return sent, known
}

func size(h http.Header) int {
	const field = 128 // what a map entry and a slice cost beside the text
	total := 0
	for name, values := range h {
		total += field
		for _, v := range values {
			total += field/4 + len(name) + len(v)
		}
	}
	return total
}
