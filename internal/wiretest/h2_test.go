package wiretest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

func h2Fields(path string, more ...wiretest.Field) []wiretest.Field {
	return append([]wiretest.Field{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", path}}, more...)
}

func TestH2(t *testing.T) {
	t.Parallel()
	cert := wiretest.NewCertificate(t)
	addr := serve(t, http.HandlerFunc(echo), nil)
	secure := serve(t, http.HandlerFunc(echo), cert)
	for name, dial := range map[string]func(*testing.T) *wiretest.H2{
		"prior knowledge": func(t *testing.T) *wiretest.H2 { return wiretest.DialH2(t, addr) },
		"tls":             func(t *testing.T) *wiretest.H2 { return wiretest.DialH2TLS(t, secure, cert.Client("", "h2")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t)
			s := c.Request("hi", wiretest.Field{":method", "POST"}, wiretest.Field{":scheme", "http"}, wiretest.Field{":authority", "x"}, wiretest.Field{":path", "/h2"})
			if s.Status != "200" || string(s.Body) != "got:hi" || s.Get("x-seen") != "POST /h2" || s.Refused() {
				t.Errorf("got %+v", s)
			}
			c.Headers(3, true, h2Fields("/second")...)
			if s := c.Wait(3); s.Get("x-seen") != "GET /second" {
				t.Errorf("second stream: %+v", s)
			}
			if !c.Ping() {
				t.Error("the connection ended")
			}
		})
	}
}

func TestH2Illegal(t *testing.T) {
	t.Parallel()
	addr := serve(t, http.HandlerFunc(echo), nil)
	for name, send := range map[string]func(*wiretest.H2){
		"upper-case name": func(c *wiretest.H2) { c.Headers(1, true, h2Fields("/", wiretest.Field{"X-Y", "z"})...) },
		"newline":         func(c *wiretest.H2) { c.Headers(1, true, h2Fields("/", wiretest.Field{"x-y", "a\r\nb: c"})...) },
		"even stream":     func(c *wiretest.H2) { c.Headers(2, true, h2Fields("/")...) },
		"bad block":       func(c *wiretest.H2) { c.HeaderBlock(1, true, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) },
		"lone continuation": func(c *wiretest.H2) {
			c.Frame(wiretest.FrameContinuation, wiretest.FlagEndHeaders, 1, c.Block(h2Fields("/")...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := wiretest.DialH2(t, addr)
			send(c)
			if s := c.Wait(1); !s.Refused() {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestH2Long(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 50<<10)
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", r.Header.Get("X-Long"))
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = w.Write([]byte(strings.Repeat("y", 200<<10))) // more than the first windows hold
		w.Header().Set("X-Sum", "z")
	}), nil)
	c := wiretest.DialH2(t, addr)
	s := c.Request("", h2Fields("/", wiretest.Field{"x-long", long})...)
	if s.Status != "200" || s.Get("x-long") != long || len(s.Body) != 200<<10 {
		t.Errorf("status %q, %d bytes of field, %d of body", s.Status, len(s.Get("x-long")), len(s.Body))
	}
	if len(s.Trailers) != 1 || s.Trailers[0] != (wiretest.Field{"x-sum", "z"}) {
		t.Errorf("trailers %q", s.Trailers)
	}
}

func TestH2ConnectionEnds(t *testing.T) {
	t.Parallel()
	u := wiretest.NewUpstream(t, func(*wiretest.Request) wiretest.Reply { return wiretest.Reply{Close: true} })
	c := wiretest.DialH2(t, u.Addr()) // speaks no HTTP/2 and never answers
	c.Close()
	if s := c.Wait(1); !s.Refused() || !s.Closed {
		t.Errorf("got %+v", s)
	}
	if c.Ping() {
		t.Error("a closed connection answers")
	}
}
