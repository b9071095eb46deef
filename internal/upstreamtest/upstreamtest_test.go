package upstreamtest_test

import (
	"bufio"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/upstreamtest"
)

// raw sends exactly these lines and reads the answer. The line after an empty
// one is the body.
func raw(t *testing.T, base, requestLine string, fields ...string) (upstreamtest.Reading, *http.Response) {
	t.Helper()
	reading, res, err := try(t, base, requestLine, fields...)
	if err != nil {
		t.Fatal(err)
	}
	return reading, res
}

func try(t *testing.T, base, requestLine string, fields ...string) (upstreamtest.Reading, *http.Response, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	head := requestLine + " HTTP/1.1\r\nHost: app.example.com\r\n" + strings.Join(fields, "\r\n")
	if !slices.Contains(fields, "") { // else what follows is the body
		head += "\r\n\r\n"
	}
	if _, err := conn.Write([]byte(head)); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(requestLine, " ")
	return upstreamtest.Read(bufio.NewReader(conn), method)
}

// each runs a test against every kind of upstream.
func each(t *testing.T, test func(t *testing.T, kind upstreamtest.Kind, base string)) {
	t.Helper()
	for _, kind := range upstreamtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, kind, upstreamtest.Start(t, kind))
		})
	}
}

func TestPlainHeaders(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ upstreamtest.Kind, base string) {
		want := map[string]string{}
		var fields []string
		for _, name := range upstreamtest.Names() {
			// X-Forwarded-Proto must not contradict what the server may know,
			// and gunicorn takes it into account.
			want[name] = "https"
			fields = append(fields, name+": https")
		}
		reading, _ := raw(t, base, "GET /a%20b/c?d=e%2F", append(fields, "Connection: close")...)
		if diff := reading.Differences(want); len(diff) > 0 {
			t.Errorf("%s:\n%s", reading.Server, strings.Join(diff, "\n"))
		}
		if reading.Method != "GET" || reading.Query != "d=e%2F" || reading.Body != 0 {
			t.Errorf("read %s ?%s with %d bytes", reading.Method, reading.Query, reading.Body)
		}
		for _, name := range upstreamtest.Names() {
			if len(reading.Read[name]) == 0 {
				t.Errorf("%s is not looked up", name)
			}
		}
	})
}

func TestNothingSentNothingRead(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ upstreamtest.Kind, base string) {
		reading, _ := raw(t, base, "GET /", "Connection: close")
		if diff := reading.Differences(nil); len(diff) > 0 {
			t.Error(strings.Join(diff, "\n"))
		}
	})
}

func TestMethodsAndBodies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ upstreamtest.Kind, base string) {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
			fields := []string{"X-Auth-Role: member", "Connection: close"}
			body := 0
			if method == "POST" {
				body = 5
				fields = append(fields, "Content-Length: 5", "", "hello")
			}
			reading, _ := raw(t, base, method+" /", fields...)
			diff := reading.Differences(map[string]string{"X-Auth-Role": "member"})
			if len(diff) > 0 || reading.Method != method || reading.Body != body {
				t.Errorf("%s: read %s with %d bytes, %v", method, reading.Method, reading.Body, diff)
			}
		}
	})
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind upstreamtest.Kind, base string) {
		reading, res := raw(t, base, "GET /socket", "X-Auth-Role: member", "Connection: Upgrade", "Upgrade: websocket",
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
		if diff := reading.Differences(map[string]string{"X-Auth-Role": "member"}); len(diff) > 0 {
			t.Error(strings.Join(diff, "\n"))
		}
		// The example of RFC 6455 section 1.3.
		upgraded := res.StatusCode == http.StatusSwitchingProtocols && res.Header.Get("Sec-Websocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
		if upgraded != kind.Upgrades() {
			t.Errorf("status %d, accept %q", res.StatusCode, res.Header.Get("Sec-Websocket-Accept"))
		}
	})
}
