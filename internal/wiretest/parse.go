package wiretest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var (
	// ErrIncomplete says that more bytes may make the message whole.
	ErrIncomplete = errors.New("message is incomplete")
	// ErrAmbiguous says that two readers could read the bytes differently.
	ErrAmbiguous = errors.New("message is ambiguous")
)

// ParseRequest reads one request from the front of b and returns how many bytes
// it takes. With ErrIncomplete the request is the head when that is there.
func ParseRequest(b []byte) (*Request, int, error) {
	head, n, err := parseHead(b)
	if err != nil {
		return nil, 0, err
	}
	r, err := requestHead(head)
	if err != nil {
		return nil, 0, err
	}
	frame, err := framingOf(r.Fields, r.Version)
	if err != nil {
		return nil, 0, err
	}
	body, trailers, m, err := frame.read(b[n:])
	if err != nil {
		return r, 0, err
	}
	r.Body, r.Trailers, r.Chunked, r.Raw = body, trailers, frame.chunked, b[:n+m]
	return r, n + m, nil
}

// ParseRequests reads as many whole requests as there are. The rest is what
// follows them; err is nil when it is empty.
func ParseRequests(b []byte) (requests []*Request, rest []byte, err error) {
	for len(b) > 0 {
		r, n, err := ParseRequest(b)
		if err != nil {
			return requests, b, err
		}
		requests, b = append(requests, r), b[n:]
	}
	return requests, nil, nil
}

// ParseResponse reads one response to a request with the given method from the
// front of b. With ended no more bytes will come, which ends a body without
// framing.
func ParseResponse(b []byte, method string, ended bool) (*Response, int, error) {
	r, n, err := finalHead(b)
	if err != nil {
		return nil, 0, err
	}
	if bodiless(method, r.Status) {
		return r, n, nil
	}
	frame, err := framingOf(r.Fields, r.Version)
	if err != nil {
		return nil, 0, err
	}
	if !frame.chunked && !frame.sized {
		r.ToEnd = true
		if !ended {
			return r, 0, ErrIncomplete
		}
		r.Body = b[n:]
		return r, len(b), nil
	}
	body, trailers, m, err := frame.read(b[n:])
	r.Body, r.Trailers = body, trailers
	return r, n + m, err
}

// finalHead reads a response head and the interim responses before it.
func finalHead(b []byte) (*Response, int, error) {
	var interim []int
	for at := 0; ; {
		head, n, err := parseHead(b[at:])
		if err != nil {
			return nil, 0, err
		}
		r, err := responseHead(head)
		if err != nil {
			return nil, 0, err
		}
		at += n
		if r.Status >= 200 || r.Status == 101 {
			r.Interim = interim
			return r, at, nil
		}
		interim = append(interim, r.Status)
	}
}

// bodiless lists the responses that never have a body (RFC 9112 section 6.3).
func bodiless(method string, status int) bool {
	return method == "HEAD" || status == 101 || status == 204 || status == 304
}

// parseHead splits the lines of a head. Lines end in CRLF and nothing else.
func parseHead(b []byte) ([]string, int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	head := b
	if end >= 0 {
		head = b[:end]
	}
	for _, line := range bytes.Split(head, []byte("\r\n")) {
		if i := bytes.IndexAny(line, "\r\n\x00"); i >= 0 && (i < len(line)-1 || end >= 0) {
			return nil, 0, fmt.Errorf("%w: a bare CR, LF or NUL in %q", ErrAmbiguous, line)
		}
	}
	if end < 0 {
		return nil, 0, ErrIncomplete
	}
	return strings.Split(string(head), "\r\n"), end + 4, nil
}

func requestHead(lines []string) (*Request, error) {
	parts := strings.Split(lines[0], " ")
	if len(parts) != 3 || !token(parts[0]) || !visible(parts[1]) || parts[2] != "HTTP/1.1" {
		return nil, fmt.Errorf("%w: request line %q", ErrAmbiguous, lines[0])
	}
	fields, err := parseFields(lines[1:])
	if err != nil {
		return nil, err
	}
	if n := count(fields, "Host"); n != 1 {
		return nil, fmt.Errorf("%w: %d Host fields", ErrAmbiguous, n)
	}
	return &Request{Method: parts[0], Target: parts[1], Version: parts[2], Fields: fields}, nil
}

func responseHead(lines []string) (*Response, error) {
	version, rest, _ := strings.Cut(lines[0], " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || (version != "HTTP/1.1" && version != "HTTP/1.0") {
		return nil, fmt.Errorf("%w: status line %q", ErrAmbiguous, lines[0])
	}
	fields, err := parseFields(lines[1:])
	return &Response{Version: version, Status: status, Fields: fields}, err
}

func parseFields(lines []string) ([]Field, error) {
	fields := make([]Field, 0, len(lines))
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found || !token(name) { // a folded line begins with a space and is no token either
			return nil, fmt.Errorf("%w: field line %q", ErrAmbiguous, line)
		}
		value = strings.Trim(value, " \t")
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("%w: control character in %q", ErrAmbiguous, line)
		}
		fields = append(fields, Field{name, value})
	}
	return fields, nil
}

// framing says how long a body is.
type framing struct {
	chunked, sized bool
	size           int
}

// framingOf refuses everything that RFC 9112 section 6.3 lets a reader choose.
func framingOf(fields []Field, version string) (framing, error) {
	sizes, codings := count(fields, "Content-Length"), count(fields, "Transfer-Encoding")
	switch {
	case codings+sizes > 1:
		return framing{}, fmt.Errorf("%w: %d Content-Length and %d Transfer-Encoding fields", ErrAmbiguous, sizes, codings)
	case codings == 1:
		if v := get(fields, "Transfer-Encoding"); v != "chunked" || version != "HTTP/1.1" {
			return framing{}, fmt.Errorf("%w: Transfer-Encoding %q in %s", ErrAmbiguous, v, version)
		}
		return framing{chunked: true}, nil
	case sizes == 1:
		v := get(fields, "Content-Length")
		n, err := strconv.Atoi(v)
		if err != nil || strconv.Itoa(n) != v || n < 0 {
			return framing{}, fmt.Errorf("%w: Content-Length %q", ErrAmbiguous, v)
		}
		return framing{sized: true, size: n}, nil
	}
	return framing{}, nil
}

func (f framing) read(b []byte) (body []byte, trailers []Field, n int, err error) {
	if f.chunked {
		return readChunks(b)
	}
	if len(b) < f.size {
		return nil, nil, 0, ErrIncomplete
	}
	return b[:f.size], nil, f.size, nil
}

// readChunks accepts no chunk extension and no spare zero: nothing that this
// project writes has one.
func readChunks(b []byte) (body []byte, trailers []Field, n int, err error) {
	for {
		line, _, found := bytes.Cut(b[n:], []byte("\r\n"))
		if !found {
			return nil, nil, 0, incompleteLine(line)
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil || !strings.EqualFold(strconv.FormatUint(size, 16), string(line)) {
			return nil, nil, 0, fmt.Errorf("%w: chunk size %q", ErrAmbiguous, line)
		}
		n += len(line) + 2
		if size == 0 {
			trailers, m, err := readTrailers(b[n:])
			return body, trailers, n + m, err
		}
		if len(b) < n+int(size)+2 {
			return nil, nil, 0, ErrIncomplete
		}
		body = append(body, b[n:n+int(size)]...)
		n += int(size)
		if string(b[n:n+2]) != "\r\n" {
			return nil, nil, 0, fmt.Errorf("%w: chunk ends in %q", ErrAmbiguous, b[n:n+2])
		}
		n += 2
	}
}

func incompleteLine(line []byte) error {
	if bytes.ContainsAny(line, "\n\x00") || len(line) > 16 {
		return fmt.Errorf("%w: chunk size %q", ErrAmbiguous, line)
	}
	return ErrIncomplete
}

func readTrailers(b []byte) ([]Field, int, error) {
	if bytes.HasPrefix(b, []byte("\r\n")) {
		return nil, 2, nil
	}
	lines, n, err := parseHead(b)
	if err != nil {
		return nil, 0, err
	}
	fields, err := parseFields(lines)
	return fields, n, err
}

func count(fields []Field, name string) int {
	n := 0
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			n++
		}
	}
	return n
}

func token(s string) bool {
	return s != "" && strings.Trim(s, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

// visible is what a request target may consist of. Bytes above ASCII are let
// through: whether they may be sent is not a question of framing.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}
