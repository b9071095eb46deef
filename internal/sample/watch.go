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

// passage is one request, as it looks in front of the proxy.
type passage struct {
	sent http.Header // nobody changes it afterwards
	back *trip       // the browser was sent to Clerk and comes back; nil when it does not

	headed chan struct{} // closed when the head of the answer went by, or there is none
	fresh  []*token      // the session tokens that it sets; not to be read before
}

// Watch stands in front of the proxy. It remembers the header fields the client
// sent and gives the request the id by which the application finds them. Of the
// answer it remembers a session token in it, with which the proxy renewed the
// client's.
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
		p := &passage{sent: sent, back: s.trips.end(r), headed: make(chan struct{})}
		watched := r.WithContext(r.Context()) // a handler leaves its request as it is
		watched.Header = sent.Clone()
		watched.Header.Set(idHeader, s.seen.add(p))
		answer := &answer{ResponseWriter: w}
		answer.head = sync.OnceFunc(func() {
			p.fresh = freshTokens(w.Header())
			s.trips.begin(r, p, w.Header(), s.cfg.Now())
			close(p.headed)
		})
		defer answer.head()
		next.ServeHTTP(answer, watched)
	})
}

// answer is the way back to the client.
type answer struct {
	http.ResponseWriter
	head func() // looks at the head, once
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK { // not an interim one
		a.head()
	}
	a.ResponseWriter.WriteHeader(status)
}

// memory holds the requests of late.
type memory struct {
	mu    sync.Mutex
	byID  map[string]*passage
	order []string // oldest first
	bytes int
}

func newMemory() *memory { return &memory{byID: map[string]*passage{}} }

// add remembers p under a new id.
func (m *memory) add(p *passage) string {
	id := rand.Text() // unguessable: it opens what somebody sent
	m.mu.Lock()
	defer m.mu.Unlock()
	m.byID[id] = p
	m.order = append(m.order, id)
	m.bytes += size(p.sent)
	for len(m.order) > maxRemembered || m.bytes > maxRememberedBytes {
		m.bytes -= size(m.byID[m.order[0]].sent)
		delete(m.byID, m.order[0])
		m.order = slices.Delete(m.order, 0, 1)
	}
	return id
}

// get returns the request that arrived with h as it was sent, if that is still
// known. A client can hide its id from the proxy (Connection: X-Dev-Request), and
// then nothing is known.
func (m *memory) get(h http.Header) (*passage, bool) {
	ids := h[idHeader]
	if len(ids) != 1 {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, known := m.byID[ids[0]]
	return p, known
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
