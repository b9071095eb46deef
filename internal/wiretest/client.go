package wiretest

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// Client is a TCP or TLS connection that says exactly what it is told to.
type Client struct {
	t    testing.TB
	conn net.Conn
	buf  []byte // read and not yet given out
	done bool   // the server will send no more
}

// Dial connects to addr; the connection ends with the test.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatalf("dial %s: %v", addr, err)
	}
	return NewClient(t, conn)
}

// DialTLS is [Dial] with TLS.
func DialTLS(t testing.TB, addr string, config *tls.Config) *Client {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", addr, config)
	if err != nil {
		t.Fatalf("dial %s: %v", addr, err)
	}
	return NewClient(t, conn)
}

// NewClient speaks on a connection that is there already.
func NewClient(t testing.TB, conn net.Conn) *Client {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	return &Client{t: t, conn: conn}
}

// Send writes the segments, each with a write of its own. A server that has
// hung up already is no failure: what it said is still to be read.
func (c *Client) Send(segments ...string) {
	c.t.Helper()
	for _, s := range segments {
		_ = c.conn.SetDeadline(time.Now().Add(patience)) // a closed connection is found out below
		if _, err := c.conn.Write([]byte(s)); errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Fatalf("the server does not read")
		}
	}
}

// Response reads the next response to a request with this method. It is nil
// when the connection ended before one began.
func (c *Client) Response(method string) *Response {
	c.t.Helper()
	for {
		r, n, err := ParseResponse(c.buf, method, c.done)
		switch {
		case err == nil:
			c.buf = c.buf[n:]
			return r
		case !errors.Is(err, ErrIncomplete):
			c.t.Fatalf("response: %v\n%q", err, c.buf)
		case c.done && len(c.buf) == 0:
			return nil
		case c.done:
			c.t.Fatalf("the connection ended inside a response: %q", c.buf)
		}
		c.more()
	}
}

// Cut reads to the end of the connection and reports whether it ended inside a
// response, which is how a proxy says that the upstream broke off.
func (c *Client) Cut(method string) bool {
	c.t.Helper()
	_, _, err := ParseResponse(c.End(), method, true)
	return errors.Is(err, ErrIncomplete)
}

// Read returns exactly n bytes, for tunnels.
func (c *Client) Read(n int) string {
	c.t.Helper()
	for len(c.buf) < n && !c.done {
		c.more()
	}
	n = min(n, len(c.buf))
	s := string(c.buf[:n])
	c.buf = c.buf[n:]
	return s
}

// HalfClose says that nothing more will be sent.
func (c *Client) HalfClose() {
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// Close hangs up.
func (c *Client) Close() { _ = c.conn.Close() }

// End reads until the server has closed the connection and returns what was
// not given out yet.
func (c *Client) End() []byte {
	c.t.Helper()
	for !c.done {
		c.more()
	}
	return c.buf
}

// Finish half-closes, waits for the server to close and fails the test when it
// still had something to say. After it every handler of the connection has
// returned.
func (c *Client) Finish() {
	c.t.Helper()
	c.HalfClose()
	if rest := c.End(); len(rest) > 0 {
		c.t.Errorf("the server sent more than was asked for: %q", rest)
	}
}

// Exchange sends raw and reads one response for each of methods.
func (c *Client) Exchange(raw string, methods ...string) []*Response {
	c.t.Helper()
	c.Send(raw)
	responses := make([]*Response, 0, len(methods))
	for _, m := range methods {
		if r := c.Response(m); r != nil {
			responses = append(responses, r)
		}
	}
	return responses
}

func (c *Client) more() {
	c.t.Helper()
	chunk := make([]byte, 16<<10)
	_ = c.conn.SetDeadline(time.Now().Add(patience)) // as in Send
	n, err := c.conn.Read(chunk)
	c.buf = append(c.buf, chunk[:n]...)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("the server neither answers nor closes; so far it said %q", c.buf)
	}
	if err != nil {
		c.done = true
		_ = c.conn.Close() // nobody is there to be told; and a long test opens many
	}
}
