package wiretest

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// OK is the answer of an upstream that was told nothing else.
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// Reply is what the upstream does about one request.
type Reply struct {
	Bytes  string          // sent as they are; "" is [OK], or its head for HEAD
	Early  bool            // answer when the head is there, not when the body is
	Close  bool            // close the connection behind the answer
	Tunnel bool            // what follows the request belongs to no message; it is echoed
	Mute   bool            // answer nothing
	After  <-chan struct{} // nil: answer at once; else when this is closed
}

// Connection is what one connection to the upstream carried.
type Connection struct {
	Bytes    []byte     // everything
	Requests []*Request // the whole requests, in order
	Partial  *Request   // the head of a request whose body did not arrive whole; nil otherwise
	Leftover []byte     // what follows the whole requests and is no tunnel
	Tunnel   []byte     // what followed a request that was answered with Tunnel
	Err      error      // why Leftover is no request; ErrIncomplete when it could become one
	Ended    bool
}

// Upstream is an HTTP server on a raw listener that records what it is sent.
type Upstream struct {
	t        testing.TB
	listener net.Listener
	answer   func(*Request) Reply

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
	conns   []*wire
	closing bool
	serving sync.WaitGroup
}

// wire is one connection and its record.
type wire struct {
	net.Conn
	record Connection // guarded by Upstream.mu
	parsed int        // bytes that whole requests took
	asked  *Reply     // for the request that is being read, since its head is there
	tunnel bool
}

// NewUpstream starts an upstream on a loopback port; it ends with the test.
// answer is asked once per request, when its head is there, and must not ask
// the upstream anything; nil answers [OK].
func NewUpstream(t testing.TB, answer func(*Request) Reply) *Upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	if answer == nil {
		answer = func(*Request) Reply { return Reply{} }
	}
	u := &Upstream{t: t, listener: listener, answer: answer, changed: make(chan struct{})}
	u.serving.Add(1)
	go u.accept()
	t.Cleanup(u.close)
	return u
}

// Addr is host and port.
func (u *Upstream) Addr() string { return u.listener.Addr().String() }

// URL is what the proxy is configured with.
func (u *Upstream) URL() string { return "http://" + u.Addr() }

// Snapshot returns what was received up to now, connection by connection.
func (u *Upstream) Snapshot() []Connection {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]Connection, len(u.conns))
	for i, c := range u.conns {
		all[i] = c.record
	}
	return all
}

// Await waits until the condition holds for what was received.
func (u *Upstream) Await(what string, holds func([]Connection) bool) []Connection {
	u.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		u.mu.Lock()
		changed := u.changed
		u.mu.Unlock()
		if all := u.Snapshot(); holds(all) {
			return all
		}
		select {
		case <-changed:
		case <-late.C:
			u.t.Fatalf("waited for %s; the upstream has %+v", what, u.Snapshot())
		}
	}
}

// Settle says on every connection that no more answers come, waits until the
// proxy has hung up on all of them, and returns everything they carried. It is
// the proof that nothing is still under way, so ask when the clients are done.
func (u *Upstream) Settle() []Connection {
	u.t.Helper()
	return u.Await("the proxy to close its connections", func(all []Connection) bool {
		open := false
		for i, c := range all {
			if !c.Ended {
				open = true
				u.hangUp(i)
			}
		}
		return !open
	})
}

// Requests settles and returns all whole requests in order of connection. It
// fails the test when a connection carried anything else.
func (u *Upstream) Requests() []*Request {
	u.t.Helper()
	var all []*Request
	for _, c := range u.Settle() {
		if len(c.Leftover) > 0 {
			u.t.Errorf("the upstream got bytes that are no request (%v): %q", c.Err, c.Leftover)
		}
		all = append(all, c.Requests...)
	}
	return all
}

func (u *Upstream) hangUp(i int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if half, ok := u.conns[i].Conn.(*net.TCPConn); ok {
		_ = half.CloseWrite() // again and again does no harm
	}
}

func (u *Upstream) close() {
	_ = u.listener.Close()
	u.mu.Lock()
	u.closing = true
	for _, c := range u.conns {
		_ = c.Close()
	}
	u.mu.Unlock()
	u.serving.Wait()
}

func (u *Upstream) accept() {
	defer u.serving.Done()
	for {
		conn, err := u.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				u.t.Errorf("the upstream accepts no more: %v", err)
			}
			return
		}
		c := &wire{Conn: conn}
		u.mu.Lock()
		if u.closing {
			_ = conn.Close()
		}
		u.conns = append(u.conns, c)
		u.serving.Add(1)
		u.mu.Unlock()
		go u.serve(c)
	}
}

func (u *Upstream) serve(c *wire) {
	defer u.serving.Done()
	chunk := make([]byte, 32<<10)
	for {
		n, err := c.Read(chunk)
		for _, r := range u.note(c, chunk[:n], err != nil) {
			if !u.send(c, r) {
				err = net.ErrClosed
			}
		}
		if err != nil {
			_ = c.Close()
			u.note(c, nil, true)
			return
		}
	}
}

// note records bytes and returns the answers that are due now.
func (u *Upstream) note(c *wire, b []byte, ended bool) []Reply {
	u.mu.Lock()
	defer u.mu.Unlock()
	defer func() { close(u.changed); u.changed = make(chan struct{}) }()
	c.record.Bytes = append(c.record.Bytes, b...)
	c.record.Ended = ended
	if c.tunnel {
		c.record.Tunnel = append(c.record.Tunnel, b...)
		return []Reply{{Bytes: string(b), Mute: len(b) == 0}}
	}
	return u.read(c)
}

// read takes as many requests out of the recorded bytes as there are.
func (u *Upstream) read(c *wire) []Reply {
	var due []Reply
	for {
		rest := c.record.Bytes[c.parsed:]
		r, n, err := ParseRequest(rest)
		c.record.Partial, c.record.Leftover, c.record.Err = nil, rest, err
		if r != nil && c.asked == nil {
			reply := u.answer(r)
			if reply.Bytes == "" && r.Method == "HEAD" {
				reply.Bytes = strings.TrimSuffix(OK, "ok")
			}
			c.asked = &reply
			due = append(due, atHead(r, err, reply)...)
		}
		if err != nil {
			c.record.Partial = r
			return due
		}
		reply := *c.asked
		c.parsed, c.asked = c.parsed+n, nil
		c.record.Requests = append(c.record.Requests, r)
		c.record.Leftover, c.record.Err = nil, nil
		if !reply.Early {
			due = append(due, reply)
		}
		if reply.Tunnel {
			c.tunnel = true
			c.record.Tunnel = append(c.record.Tunnel, rest[n:]...)
			return append(due, Reply{Bytes: string(rest[n:]), Mute: len(rest) == n})
		}
		if len(rest) == n {
			return due
		}
	}
}

// atHead is what is sent before the body is there.
func atHead(r *Request, err error, reply Reply) []Reply {
	if reply.Early {
		return []Reply{reply}
	}
	if err != nil && strings.EqualFold(r.Get("Expect"), "100-continue") {
		return []Reply{{Bytes: "HTTP/1.1 100 Continue\r\n\r\n"}}
	}
	return nil
}

// send carries out one reply and reports whether the connection goes on. A
// reply that waits does so beside the reading, so that what arrives meanwhile is
// on record.
func (u *Upstream) send(c *wire, r Reply) bool {
	if r.After == nil {
		return write(c, r)
	}
	u.serving.Add(1)
	go func() {
		defer u.serving.Done()
		select {
		case <-r.After:
			if !write(c, r) {
				_ = c.Close()
			}
		case <-u.t.Context().Done(): // the test is over
		}
	}()
	return true
}

func write(c *wire, r Reply) bool {
	if r.Mute {
		return !r.Close
	}
	if r.Bytes == "" {
		r.Bytes = OK
	}
	if _, err := c.Write([]byte(r.Bytes)); err != nil {
		return true // reading goes on: what is still under way must be recorded
	}
	return !r.Close
}
