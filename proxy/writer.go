package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/manageros/authproxy/headers"
)

// writer is the way back to the client. It keeps our own header names out of
// what the upstream says, bounds every write, and counts.
type writer struct {
	http.ResponseWriter
	rc       *http.ResponseController
	idle     time.Duration
	pass     *pass // whose answer this is; nil for none
	body     *body // of a request that is being forwarded; nil for none
	upgraded func(delta int)

	// cookies are Set-Cookie lines that the answer carries, whoever makes it;
	// forwarded says that the upstream does.
	cookies   []string
	forwarded bool

	http1   bool
	waits   bool // the client waits for 100 Continue
	status  int  // 0: no final head yet
	written int64
	err     error // the client did not take it
	tunnel  *tunnel
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends an interim or the final head.
func (w *writer) WriteHeader(code int) {
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
		w.inform(code)
		return
	}
	if w.status != 0 {
		return
	}
	w.status = code
	personal(w.Header(), w.cookies, w.forwarded)
	if w.body != nil && !w.body.answer() && w.http1 {
		// The upstream answers before it has read the body. On a connection that
		// is kept net/http would first drain the body, so that the two directions
		// could not stream; on one that ends it does not. EnableFullDuplex would
		// let them stream too, but net/http then neither notices when draining
		// fails, so that the rest is read as the next request (SMG-15), nor
		// survives when it succeeds (its wait for the client meets the next read).
		closeAfterReply(w.ResponseWriter)
	}
	w.arm()
	w.ResponseWriter.WriteHeader(code)
	w.disarm()
}

// inform sends an interim head.
func (w *writer) inform(code int) {
	switch {
	case w.status != 0:
		return
	case code == http.StatusContinue:
		w.waits = false
	case w.waits:
		// net/http may be writing its own 100 Continue at this moment, from the
		// goroutine that reads the body, and guards it against another 100 only.
		return
	}
	stripAnswer(w.Header())
	w.arm()
	w.ResponseWriter.WriteHeader(code)
	w.disarm()
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.arm()
	n, err := w.ResponseWriter.Write(p)
	w.disarm()
	w.written += int64(n)
	if err != nil {
		w.err = err
	}
	return n, err
}

// FlushError is for http.ResponseController.
func (w *writer) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.arm()
	err := w.rc.Flush()
	w.disarm()
	if err != nil {
		w.err = err
	}
	return err
}

// arm gives the next write its deadline.
func (w *writer) arm() { _ = w.rc.SetWriteDeadline(time.Now().Add(w.idle)) }

// disarm takes the deadline back where it is not one of writes: that of an
// HTTP/2 stream ends the stream even when nothing is being written.
func (w *writer) disarm() {
	if !w.http1 {
		_ = w.rc.SetWriteDeadline(time.Time{})
	}
}

// finish bounds what the server still has to write when the handler is done.
func (w *writer) finish() {
	if w.tunnel == nil {
		w.arm()
	}
}

// Hijack hands the connection over to a tunnel. What the client sent behind its
// request is in the server's buffer, and the tunnel begins with it (WS-03).
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.rc.Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := rw.Peek(rw.Reader.Buffered())
	if err != nil {
		return nil, nil, err
	}
	w.status = http.StatusSwitchingProtocols
	w.tunnel = &tunnel{Conn: conn, early: slices.Clone(early), idle: w.idle}
	if w.upgraded != nil {
		w.upgraded(1)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(w.idle)) // of the head, which is written past the tunnel
	return w.tunnel, rw, nil
}

// closeAfterReply makes the server close the connection behind this answer and
// say so if it still can. http.MaxBytesReader is the only door to that which
// works at any time, and the one with the wait that keeps a reset from
// overtaking the answer.
func closeAfterReply(w http.ResponseWriter) {
	for {
		inner, wrapped := w.(interface{ Unwrap() http.ResponseWriter })
		if !wrapped {
			break
		}
		w = inner.Unwrap()
	}
	over := http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0)
	_, _ = over.Read(make([]byte, 1)) // reads more than nothing, which is the point
}

// stripAnswer removes from what the upstream says the names only we say.
func stripAnswer(h http.Header) {
	for name := range h {
		if saysOurs(strings.TrimPrefix(name, http.TrailerPrefix)) {
			delete(h, name)
		}
	}
}

func saysOurs(name string) bool {
	if name == "" || name[0]|0x20 != 'x' {
		return false
	}
	folded := headers.Fold(name)
	return strings.HasPrefix(folded, "x-authproxy-") || strings.HasPrefix(folded, "x-clerk-auth-")
}
