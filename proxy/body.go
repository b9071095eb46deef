package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

var (
	errTooLarge = errors.New("the body is larger than the limit")
	errStopped  = errors.New("the exchange is over")
)

// lingerTime is how long a client may go on sending what nobody will read,
// before its connection is closed.
const lingerTime = time.Second

// body is the request's body on its way to the upstream. It counts and limits,
// bounds every wait for the client while the upstream has not answered, and
// remembers what the client did wrong, so that the client is blamed for it.
//
// The transport reads in a goroutine of its own that can outlive the handler;
// stop ends that.
type body struct {
	src   io.ReadCloser
	rc    *http.ResponseController
	limit int64 // 0: none
	idle  time.Duration

	reading sync.Mutex // held while a Read is under way

	mu       sync.Mutex // guards the rest, and every use of the deadline
	n        int64
	eof      bool
	err      error // what the client did wrong
	answered bool  // the response head is there
	stopped  bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if err := b.arm(); err != nil {
		return 0, err
	}
	n, err := b.src.Read(p)
	return b.note(n, err)
}

// Close does nothing: the server closes what it made.
func (b *body) Close() error { return nil }

// arm sets the deadline of one Read.
func (b *body) arm() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.eof:
		return io.EOF // the server may have closed the body; it does when the answer begins
	case b.stopped:
		return errStopped
	case b.err != nil:
		return b.err
	case !b.answered:
		_ = b.rc.SetReadDeadline(time.Now().Add(b.idle)) // the Read says what is wrong
	}
	return nil
}

// note books one Read and takes its deadline back: the server waits on the same
// connection for the client to go away, and that wait has no end.
func (b *body) note(n int, err error) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return n, errStopped
	}
	b.n += int64(n)
	if b.limit > 0 && b.n > b.limit {
		n, err = max(0, n-int(b.n-b.limit)), errTooLarge
	}
	if errors.Is(err, io.EOF) {
		b.eof = true
	} else if err != nil {
		b.err = err
	}
	if !b.answered {
		_ = b.rc.SetReadDeadline(time.Time{}) // a connection that is gone needs none
	}
	return n, err
}

// answer notes that the response head is there: from now on the client may take
// its time. It reports whether the body has been read to its end.
func (b *body) answer() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.answered && !b.eof && !b.stopped {
		_ = b.rc.SetReadDeadline(time.Time{}) // see note
	}
	b.answered = true
	return b.eof
}

// stop ends the Read that is under way, waits for it and allows no other. Of an
// unread rest the server reads what comes within linger and closes the
// connection (see writer.WriteHeader).
func (b *body) stop(linger time.Duration) {
	b.mu.Lock()
	b.stopped = true
	unread := !b.eof
	interrupted := !unread || b.rc.SetReadDeadline(time.Unix(1, 0)) == nil
	b.mu.Unlock()
	if !interrupted {
		return // a connection that is gone, or none (a recorder): nothing to wait for
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	if unread && linger > 0 {
		_ = b.rc.SetReadDeadline(time.Now().Add(linger))
	}
}

// fault is what the client did wrong, nil for nothing.
func (b *body) fault() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *body) count() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}
