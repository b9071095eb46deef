package wiretest

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

// FrameType is the type of an HTTP/2 frame (RFC 9113 section 6).
type FrameType byte

// The frame types.
const (
	FrameData FrameType = iota
	FrameHeaders
	FramePriority
	FrameReset
	FrameSettings
	FramePushPromise
	FramePing
	FrameGoAway
	FrameWindowUpdate
	FrameContinuation
)

// Flags of frames. Acknowledgement shares its bit with the end of a stream.
const (
	FlagEndStream  byte = 0x1
	FlagAck        byte = 0x1
	FlagEndHeaders byte = 0x4
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Stream is what the server said on one stream, and how it ended.
type Stream struct {
	Status   string  // ":status" of the final response; "" when there was none
	Fields   []Field // of the final response
	Body     []byte
	Trailers []Field
	Reset    *uint32 // error code of RST_STREAM
	GoAway   *uint32 // error code of GOAWAY, when the connection ended with one
	Closed   bool    // the connection ended before the stream did

	over bool
}

// Refused says whether the server answered with anything but a response: it
// reset the stream or gave the connection up.
func (s *Stream) Refused() bool {
	return s.Status == "" && (s.Reset != nil || s.GoAway != nil || s.Closed)
}

// H2 is a raw HTTP/2 connection. It has its own few lines of framing rather
// than those of x/net, which the server under test uses too; they write whatever
// they are told to, legal or not.
type H2 struct {
	t    testing.TB
	conn net.Conn

	writing sync.Mutex // also guards the encoder's table
	encoder *hpack.Encoder
	block   bytes.Buffer

	mu      sync.Mutex
	changed chan struct{}
	streams map[uint32]*Stream
	goAway  *uint32
	ended   bool
	pings   int

	decoder *hpack.Decoder // the reading goroutine's own
	pending []byte         // header block that CONTINUATION frames go on with
	last    bool           // nothing follows that block on its stream
}

// DialH2 speaks HTTP/2 by prior knowledge.
func DialH2(t testing.TB, addr string) *H2 {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	check(t, err)
	return newH2(t, conn)
}

// DialH2TLS speaks HTTP/2 on TLS; config must name "h2" as a protocol.
func DialH2TLS(t testing.TB, addr string, config *tls.Config) *H2 {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", addr, config)
	check(t, err)
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("the server chose %q, not h2", got)
	}
	return newH2(t, conn)
}

func newH2(t testing.TB, conn net.Conn) *H2 {
	c := &H2{t: t, conn: conn, streams: map[uint32]*Stream{}, changed: make(chan struct{}), decoder: hpack.NewDecoder(4096, nil)}
	c.encoder = hpack.NewEncoder(&c.block)
	t.Cleanup(func() { _ = conn.Close() })
	c.write([]byte(preface))
	c.Frame(FrameSettings, 0, 0, nil)
	go c.read()
	return c
}

// Frame sends one frame.
func (c *H2) Frame(kind FrameType, flags byte, stream uint32, payload []byte) {
	head := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(head, uint32(len(payload))<<8|uint32(kind))
	head[4] = flags
	binary.BigEndian.PutUint32(head[5:], stream)
	c.write(append(head, payload...))
}

// Block encodes a header list as it is: any name, any value, any order.
func (c *H2) Block(fields ...Field) []byte {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.block.Reset()
	for _, f := range fields {
		check(c.t, c.encoder.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value}))
	}
	return bytes.Clone(c.block.Bytes())
}

// Headers sends a header list, in CONTINUATION frames too when it is long.
func (c *H2) Headers(stream uint32, end bool, fields ...Field) {
	c.HeaderBlock(stream, end, c.Block(fields...))
}

// HeaderBlock is [H2.Headers] for a list that is encoded already.
func (c *H2) HeaderBlock(stream uint32, end bool, block []byte) {
	kind, flags := FrameHeaders, byte(0)
	if end {
		flags = FlagEndStream
	}
	for ; len(block) > 16<<10; kind, flags = FrameContinuation, 0 {
		c.Frame(kind, flags, stream, block[:16<<10])
		block = block[16<<10:]
	}
	c.Frame(kind, flags|FlagEndHeaders, stream, block)
}

// Data sends body bytes.
func (c *H2) Data(stream uint32, end bool, data string) {
	flags := byte(0)
	if end {
		flags = FlagEndStream
	}
	c.Frame(FrameData, flags, stream, []byte(data))
}

// Wait waits until the stream is over, one way or another.
func (c *H2) Wait(stream uint32) *Stream {
	c.t.Helper()
	var got Stream
	c.await(fmt.Sprintf("the end of stream %d", stream), func() bool {
		s := c.streams[stream]
		if s != nil {
			got = *s
		}
		got.GoAway, got.Closed = c.goAway, c.ended && !got.over
		return got.over || c.ended
	})
	return &got
}

// Ping waits for the answer to a PING: the server has then read everything
// before it. It reports whether the connection still lives.
func (c *H2) Ping() bool {
	c.t.Helper()
	c.mu.Lock()
	before := c.pings
	c.mu.Unlock()
	c.Frame(FramePing, 0, 0, make([]byte, 8))
	c.await("the answer to PING", func() bool { return c.pings > before || c.ended })
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended
}

// Close hangs up.
func (c *H2) Close() { _ = c.conn.Close() }

// Request sends a whole request on stream 1 of a connection and waits.
func (c *H2) Request(body string, fields ...Field) *Stream {
	c.t.Helper()
	c.Headers(1, body == "", fields...)
	if body != "" {
		c.Data(1, true, body)
	}
	return c.Wait(1)
}

func (c *H2) await(what string, holds func() bool) {
	c.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		c.mu.Lock()
		changed, done := c.changed, holds()
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			c.t.Fatalf("waited for %s", what)
		}
	}
}

func (c *H2) write(b []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	_, _ = c.conn.Write(b) // a server that hung up has said why, which is read
}

func (c *H2) read() {
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(c.conn, head); err != nil {
			break
		}
		payload := make([]byte, binary.BigEndian.Uint32(head)>>8)
		if _, err := io.ReadFull(c.conn, payload); err != nil {
			break
		}
		c.handle(FrameType(head[3]), head[4], binary.BigEndian.Uint32(head[5:])&(1<<31-1), payload)
	}
	c.change(func() { c.ended = true })
}

func (c *H2) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *H2) handle(kind FrameType, flags byte, id uint32, payload []byte) {
	switch kind {
	case FrameSettings:
		if flags&FlagAck == 0 {
			c.Frame(FrameSettings, FlagAck, 0, nil)
		}
	case FramePing:
		if flags&FlagAck == 0 {
			c.Frame(FramePing, FlagAck, 0, payload)
			return
		}
		c.change(func() { c.pings++ })
	case FrameGoAway:
		code := binary.BigEndian.Uint32(payload[4:])
		c.change(func() { c.goAway = &code })
	case FrameReset:
		code := binary.BigEndian.Uint32(payload)
		c.change(func() { s := c.stream(id); s.Reset, s.over = &code, true })
	case FrameData:
		c.change(func() {
			s := c.stream(id)
			s.Body = append(s.Body, payload...)
			s.over = s.over || flags&FlagEndStream != 0
		})
		c.credit(id, len(payload))
	case FrameHeaders, FrameContinuation:
		c.headers(kind, flags, id, payload)
	default: // the server has no other frame to send that matters here
	}
}

// credit gives the server back what it used of both windows.
func (c *H2) credit(id uint32, n int) {
	if n == 0 {
		return
	}
	increment := binary.BigEndian.AppendUint32(nil, uint32(n))
	c.Frame(FrameWindowUpdate, 0, 0, increment)
	c.Frame(FrameWindowUpdate, 0, id, increment)
}

func (c *H2) headers(kind FrameType, flags byte, id uint32, payload []byte) {
	if kind == FrameHeaders {
		c.pending, c.last = nil, flags&FlagEndStream != 0
	}
	c.pending = append(c.pending, payload...)
	if flags&FlagEndHeaders == 0 {
		return
	}
	list, err := c.decoder.DecodeFull(c.pending)
	if err != nil {
		c.t.Errorf("the server's header block: %v", err)
	}
	c.change(func() { c.stream(id).note(list, c.last) })
}

// note reads a header list: an interim response, the response or its trailers.
func (s *Stream) note(list []hpack.HeaderField, end bool) {
	s.over = s.over || end
	var status string
	var fields []Field
	for _, f := range list {
		if f.Name == ":status" {
			status = f.Value
			continue
		}
		fields = append(fields, Field{f.Name, f.Value})
	}
	switch {
	case len(status) == 3 && status[0] == '1':
	case status == "":
		s.Trailers = fields
	default:
		s.Status, s.Fields = status, fields
	}
}

// Get returns the values of every field called name, joined.
func (s *Stream) Get(name string) string { return get(s.Fields, name) }

// stream is called with the lock held.
func (c *H2) stream(id uint32) *Stream {
	if c.streams[id] == nil {
		c.streams[id] = &Stream{}
	}
	return c.streams[id]
}
