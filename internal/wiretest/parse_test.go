package wiretest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/wiretest"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	const host = "Host: a\r\n"
	for name, c := range map[string]struct {
		in       string
		requests int
		err      error
		rest     string
	}{
		"no body":               {"GET / HTTP/1.1\r\n" + host + "\r\n", 1, nil, ""},
		"two":                   {strings.Repeat("GET / HTTP/1.1\r\n"+host+"\r\n", 2), 2, nil, ""},
		"sized":                 {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc", 1, nil, ""},
		"sized, bytes behind":   {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabcd", 1, wiretest.ErrIncomplete, "d"},
		"chunked":               {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 1, nil, ""},
		"chunked with trailers": {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", 1, nil, ""},
		"head incomplete":       {"GET / HTTP/1.1\r\nHost: a\r", 0, wiretest.ErrIncomplete, "GET / HTTP/1.1\r\nHost: a\r"},
		"body incomplete":       {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nab", 0, wiretest.ErrIncomplete, "POST"},
		"chunk incomplete":      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nab", 0, wiretest.ErrIncomplete, "POST"},
		"size incomplete":       {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3", 0, wiretest.ErrIncomplete, "POST"},
		"end incomplete":        {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r", 0, wiretest.ErrIncomplete, "POST"},
		"both framings":         {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, wiretest.ErrAmbiguous, "POST"},
		"two lengths":           {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 0, wiretest.ErrAmbiguous, "POST"},
		"a list of lengths":     {"POST / HTTP/1.1\r\n" + host + "Content-Length: 3, 3\r\n\r\nabc", 0, wiretest.ErrAmbiguous, "POST"},
		"signed length":         {"POST / HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\nabc", 0, wiretest.ErrAmbiguous, "POST"},
		"padded length":         {"POST / HTTP/1.1\r\n" + host + "Content-Length: 03\r\n\r\nabc", 0, wiretest.ErrAmbiguous, "POST"},
		"negative length":       {"POST / HTTP/1.1\r\n" + host + "Content-Length: -3\r\n\r\nabc", 0, wiretest.ErrAmbiguous, "POST"},
		"other coding":          {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, wiretest.ErrAmbiguous, "POST"},
		"coding in capitals":    {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 0, wiretest.ErrAmbiguous, "POST"},
		"chunk extension":       {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n", 0, wiretest.ErrAmbiguous, "POST"},
		"chunk with bare LF":    {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 0, wiretest.ErrAmbiguous, "POST"},
		"chunk too long":        {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", 0, wiretest.ErrAmbiguous, "POST"},
		"chunk zero padded":     {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n03\r\nabc\r\n0\r\n\r\n", 0, wiretest.ErrAmbiguous, "POST"},
		"bare LF":               {"GET / HTTP/1.1\nHost: a\n\n", 0, wiretest.ErrAmbiguous, "GET"},
		"bare CR":               {"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"NUL":                   {"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"folded line":           {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"space before colon":    {"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"control in value":      {"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"no colon":              {"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"no host":               {"GET / HTTP/1.1\r\nX: a\r\n\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"two hosts":             {"GET / HTTP/1.1\r\n" + host + host + "\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"other version":         {"GET / HTTP/1.0\r\n" + host + "\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"space in target":       {"GET /a b HTTP/1.1\r\n" + host + "\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"tab in target":         {"GET /a\tb HTTP/1.1\r\n" + host + "\r\n", 0, wiretest.ErrAmbiguous, "GET"},
		"method no token":       {"G(T / HTTP/1.1\r\n" + host + "\r\n", 0, wiretest.ErrAmbiguous, "G"},
		"empty line first":      {"\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 0, wiretest.ErrAmbiguous, "\r"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests, rest, err := wiretest.ParseRequests([]byte(c.in))
			if len(requests) != c.requests || !errors.Is(err, c.err) || !strings.HasPrefix(string(rest), c.rest) || (c.rest == "") != (len(rest) == 0) {
				t.Errorf("got %d requests, rest %q, %v; want %d, %q, %v", len(requests), rest, err, c.requests, c.rest, c.err)
			}
		})
	}
}

func TestParseRequestContent(t *testing.T) {
	t.Parallel()
	in := "POST /p?q HTTP/1.1\r\nhOst: a\r\nX-Y:  b c \t\r\nx-y: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\nrest"
	r, n, err := wiretest.ParseRequest([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if r.Method != "POST" || r.Target != "/p?q" || r.Path() != "/p" || string(r.Body) != "abc0123456789" || !r.Chunked || in[n:] != "rest" || string(r.Raw)+"rest" != in {
		t.Errorf("got %+v, %d bytes", r, n)
	}
	if want := []wiretest.Field{{"hOst", "a"}, {"X-Y", "b c"}, {"x-y", "d"}, {"Transfer-Encoding", "chunked"}}; !slices.Equal(r.Fields, want) {
		t.Errorf("fields %q, want %q", r.Fields, want)
	}
	if want := []wiretest.Field{{"T", "u"}}; !slices.Equal(r.Trailers, want) {
		t.Errorf("trailers %q, want %q", r.Trailers, want)
	}
	if got := r.Get("X-y"); got != "b c, d" || !r.Has("host") || r.Has("z") {
		t.Errorf("Get = %q", got)
	}
}

// A request is the same wherever the bytes were cut, and never there early.
func TestParseRequestAtEveryLength(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n",
	} {
		for i := range len(in) {
			if _, _, err := wiretest.ParseRequest([]byte(in[:i])); !errors.Is(err, wiretest.ErrIncomplete) {
				t.Errorf("%q: %v", in[:i], err)
			}
		}
	}
}

func TestParseResponse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in, method string
		ended      bool
		status     int
		body       string
		err        error
		rest       string
	}{
		"sized":             {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP", "GET", false, 200, "ok", nil, "HTTP"},
		"head has no body":  {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nHTTP", "HEAD", false, 200, "", nil, "HTTP"},
		"204 has no body":   {"HTTP/1.1 204 No Content\r\n\r\nHTTP", "GET", false, 204, "", nil, "HTTP"},
		"304 has no body":   {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", false, 304, "", nil, ""},
		"interim first":     {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", false, 200, "", nil, ""},
		"101 ends the head": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\ntunnel", "GET", false, 101, "", nil, "tunnel"},
		"chunked":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "GET", false, 200, "ok", nil, ""},
		"to the end":        {"HTTP/1.1 200 OK\r\n\r\nok", "GET", true, 200, "ok", nil, ""},
		"not at the end":    {"HTTP/1.1 200 OK\r\n\r\nok", "GET", false, 0, "", wiretest.ErrIncomplete, ""},
		"cut short":         {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "GET", true, 0, "", wiretest.ErrIncomplete, ""},
		"two lengths":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "GET", true, 0, "", wiretest.ErrAmbiguous, ""},
		"no status":         {"HTTP/1.1 OK\r\n\r\n", "GET", true, 0, "", wiretest.ErrAmbiguous, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, n, err := wiretest.ParseResponse([]byte(c.in), c.method, c.ended)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err == nil && (r.Status != c.status || string(r.Body) != c.body || c.in[n:] != c.rest) {
				t.Errorf("got %+v, rest %q", r, c.in[n:])
			}
		})
	}
}

func TestParseResponseKeepsInterim(t *testing.T) {
	t.Parallel()
	r, _, err := wiretest.ParseResponse([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\nX: y\r\n\r\n"), "GET", false)
	if err != nil || !slices.Equal(r.Interim, []int{100, 103}) || r.Get("x") != "y" || !r.Has("X") {
		t.Errorf("got %+v, %v", r, err)
	}
}
