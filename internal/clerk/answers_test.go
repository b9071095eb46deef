package clerk_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manageros/authproxy/internal/clerk"
)

// TestAnswers: every endpoint makes the same of an answer that is none.
func TestAnswers(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat(" ", 1<<20)
	for name, test := range map[string]struct {
		reply  http.HandlerFunc
		code   string
		status int
		call   string // as observed
	}{
		"Clerk's refusal":    {refusing(401, "refresh_token_not_found"), "refresh_token_not_found", 401, "401"},
		"not found":          {refusing(404, "resource_not_found"), "resource_not_found", 404, "404"},
		"too many":           {refusing(429, "too_many_requests"), "too_many_requests", 429, "429"},
		"Clerk's failure":    {refusing(500, "internal_clerk_error"), "internal_clerk_error", 500, "500"},
		"as the SDK says it": {refusing(500, "unexpected_error"), clerk.CodeFetch, 500, "500"},
		"another status inside": {
			answering(404, `{"errors":[{"code":"resource_not_found"}],"status":200}`), "resource_not_found", 404, "404",
		},
		"a code that is none": {refusing(400, "no such\\u000athing"), clerk.CodeUnexpected, 400, "400"},
		"an endless code":     {refusing(400, strings.Repeat("a", 101)), clerk.CodeUnexpected, 400, "400"},
		"a trace that is none": {
			answering(400, `{"errors":[{"code":"some_code"}],"clerk_trace_id":"`+strings.Repeat("Canary ", 100)+`"}`), "some_code", 400, "400",
		},
		"no code":                {answering(400, `{"errors":[{}]}`), clerk.CodeUnexpected, 400, "400"},
		"no errors":              {answering(400, `{"errors":[]}`), clerk.CodeUnexpected, 400, "400"},
		"errors in a success":    {answering(200, `{"errors":[{"code":"resource_not_found"}],"cookies":7,"directives":7,"id":7}`), clerk.CodeUnexpected, 200, "error"},
		"HTML, 502":              {answering(502, "<!DOCTYPE html><title>Canary</title>"), clerk.CodeUnexpected, 502, "502"},
		"HTML, 403":              {answering(403, "<!DOCTYPE html><title>Canary</title>"), clerk.CodeUnexpected, 403, "403"},
		"HTML, 200":              {answering(200, "<!DOCTYPE html><title>Canary</title>"), clerk.CodeUnexpected, 200, "error"},
		"garbage":                {answering(200, "\x1f\x8b{\"errors\":[{"), clerk.CodeUnexpected, 200, "error"},
		"an array":               {answering(200, `["__session=Canary"]`), clerk.CodeUnexpected, 200, "error"},
		"numbers":                {answering(200, `{"cookies":[1],"directives":[1],"id":1}`), clerk.CodeUnexpected, 200, "error"},
		"a text":                 {answering(200, `{"cookies":"a","directives":"a","id":{}}`), clerk.CodeUnexpected, 200, "error"},
		"too many lines":         {answering(200, `{"cookies":[""`+strings.Repeat(`,""`, 64)+`],"directives":[""`+strings.Repeat(`,""`, 64)+`]}`), clerk.CodeUnexpected, 200, "error"},
		"long lines":             {answering(200, `{"cookies":["`+strings.Repeat("a", 65<<10)+`"],"directives":["`+strings.Repeat("a", 65<<10)+`"]}`), clerk.CodeUnexpected, 200, "error"},
		"a huge body":            {answering(200, `{"cookies":["a=b"],"directives":["a=b"],"id":"sess_2oracle","status":"revoked"}`+huge), clerk.CodeUnexpected, 200, "error"},
		"a huge refusal":         {answering(404, huge+`{"errors":[{"code":"resource_not_found"}]}`), clerk.CodeUnexpected, 404, "404"},
		"a redirect that is one": {answering(302, `{"cookies":["a=b"],"directives":["a=b"],"id":"sess_2oracle","status":"revoked"}`), clerk.CodeUnexpected, 302, "302"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &api{reply: test.reply}
			for endpoint, ask := range asks(t, client(t, a, clerk.Config{})) {
				lines, err := ask()
				e := refused(t, err)
				if e.Code != test.code || e.Status != test.status || e.Endpoint != endpoint || lines != nil {
					t.Errorf("%s: got %+v and %q, want %s, %d", endpoint, e, lines, test.code, test.status)
				}
				if want := endpoint + " " + test.call; !strings.HasSuffix(a.observed(), want) {
					t.Errorf("observed %q, want %q", a.observed(), want)
				}
				if text := e.Error(); strings.Contains(text, "Canary") || len(text) > 300 || !strings.HasPrefix(text, "clerk: "+endpoint) {
					t.Error(text)
				}
			}
		})
	}
}

// A success without what was asked for is none.
func TestAnswersWithoutContent(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{ // of the revocation
		"":     clerk.CodeUnexpected,
		"null": clerk.CodeUnexpected,
		"{}":   clerk.CodeUnexpected,
		`{"cookies":[],"directives":[],"id":"sess_2oracle","status":"active"}`:                   clerk.CodeUnexpected,
		`{"cookies":null,"directives":null,"id":"sess_2other","status":"revoked"}`:               clerk.CodeUnexpected,
		`{"object":"cookies","cookies":[],"directives":[],"id":"sess_2oracle"}`:                  clerk.CodeUnexpected,
		`{"object":"session","cookies":[],"directives":[],"id":"sess_2oracle","status":"ended"}`: "",
	} {
		a := &api{reply: answering(200, body)}
		for endpoint, ask := range asks(t, client(t, a, clerk.Config{})) {
			_, err := ask()
			if endpoint == clerk.EndpointRevokeSession {
				if want == "" && err == nil {
					continue
				}
				if e := refused(t, err); e.Code != want {
					t.Errorf("%s of %s: %v", endpoint, body, e)
				}
				continue
			}
			if e := refused(t, err); e.Code != clerk.CodeNothing || e.Status != 200 {
				t.Errorf("%s of %s: %v", endpoint, body, e)
			}
			if want := endpoint + " 200"; !strings.HasSuffix(a.observed(), want) {
				t.Errorf("observed %q, want %q", a.observed(), want)
			}
		}
	}
}

// Nobody waits longer than the time limit, whatever Clerk does with its time.
func TestNobodyWaitsLongerThanTheTimeLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[time.Duration]time.Duration{0: 3 * time.Second, time.Second: time.Second} {
		for _, endpoint := range endpoints() {
			synctest.Test(t, func(t *testing.T) {
				a := &api{reply: hangs}
				ask := asks(t, client(t, a, clerk.Config{Timeout: limit}))[endpoint]
				start := time.Now()
				_, err := ask()
				if e := refused(t, err); e.Code != clerk.CodeFetch || e.Status != 0 || !errors.Is(e, context.DeadlineExceeded) {
					t.Errorf("%s: %v", endpoint, e)
				}
				if took := time.Since(start); took != want || a.observed() != endpoint+" error" {
					t.Errorf("%s took %v, observed %q", endpoint, took, a.observed())
				}
			})
		}
	}
}

// The limit holds for the body, too.
func TestABodyThatDrips(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"cookies":["a=b"`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	a := &api{}
	_, err := socket(t, a, server.URL, clerk.Config{Timeout: 100 * time.Millisecond}).Refresh(t.Context(), question())
	if e := refused(t, err); e.Code != clerk.CodeFetch || e.Status != 0 || a.observed() != "refresh error" {
		t.Errorf("%v, observed %q", e, a.observed())
	}
}

// SSRF-03: the secret key goes to the configured address or nowhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("SSRF-03: the redirect was followed, with %q", r.Header.Get("Authorization"))
		good(w, r)
	}))
	t.Cleanup(target.Close)
	for _, code := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target.URL+r.URL.Path, code)
		}))
		t.Cleanup(server.Close)
		for name, own := range map[string]http.RoundTripper{"ours": nil, "another": &http.Transport{}} {
			a := &api{}
			for endpoint, ask := range asks(t, socket(t, a, server.URL, clerk.Config{Transport: own})) {
				_, err := ask()
				if e := refused(t, err); e.Code != clerk.CodeUnexpected || e.Status != code {
					t.Errorf("%s, %s transport, %d: %v", endpoint, name, code, e)
				}
			}
		}
	}
}

// An error never repeats what was sent, although a server may: it names no token,
// nonce or key.
func TestErrorsNameNoSecret(t *testing.T) {
	t.Parallel()
	echo := func(format string) func(net.Conn, *http.Request) {
		return func(c net.Conn, r *http.Request) {
			dump, _ := httputil.DumpRequest(r, true)
			flat := strings.NewReplacer("\r", " ", "\n", " ").Replace(string(dump))
			fmt.Fprintf(c, format, flat)
		}
	}
	for name, answer := range map[string]func(net.Conn, *http.Request){
		"an echo that is no HTTP": echo("%s\r\n\r\n"),
		"an echo as status":       echo("HTTP/1.1 200 %s\r\nContent-Length: 0\r\n\r\n"),
		"an echo as field":        echo("HTTP/1.1 200 OK\r\n%s\r\n\r\n"),
		"an echo as length":       echo("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n"),
		"an echo as coding":       echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n"),
		"an echo as chunk":        echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s"),
		"an echo as success":      echo("HTTP/1.1 200 OK\r\n\r\n%s"),
		"an echo as failure":      echo("HTTP/1.1 500 Oops\r\n\r\n%s"),
		"an echo as code":         echo("HTTP/1.1 400 Oops\r\n\r\n{\"errors\":[{\"code\":\"%[1]q\",\"message\":%[1]q}],\"clerk_trace_id\":%[1]q}"),
		"an echo as redirect":     echo("HTTP/1.1 302 Found\r\nLocation: http://localhost/%s\r\n\r\n"),
		"nothing":                 func(net.Conn, *http.Request) {},
		"half a head":             func(c net.Conn, _ *http.Request) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Le") },
		"half a body":             func(c net.Conn, _ *http.Request) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{") },
		"a reset":                 func(c net.Conn, _ *http.Request) { _ = c.(*net.TCPConn).SetLinger(0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &api{}
			for endpoint, ask := range asks(t, socket(t, a, listen(t, answer), clerk.Config{})) {
				_, err := ask()
				e := refused(t, err)
				for inner := error(e); inner != nil; inner = errors.Unwrap(inner) {
					text := fmt.Sprintf("%v %+v", inner, inner)
					for _, secret := range []string{"Canary", secretKey, expiredToken, refreshToken, nonce, sessionID} {
						if strings.Contains(text, secret) {
							t.Errorf("%s: %s", endpoint, text)
						}
					}
				}
				t.Logf("%s: %v", endpoint, e)
			}
		})
	}
}

// listen answers every request with answer, and then closes the connection.
func listen(t *testing.T, answer func(net.Conn, *http.Request)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					body, _ := io.ReadAll(r.Body)
					r.Body = io.NopCloser(strings.NewReader(string(body)))
					answer(c, r)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	_ = l.Close()
	a := &api{}
	_, err = socket(t, a, url, clerk.Config{}).Refresh(t.Context(), question())
	if e := refused(t, err); e.Code != clerk.CodeFetch || !strings.Contains(e.Error(), "refused") {
		t.Error(e)
	}
}

// A certificate that nobody vouches for is said to be one.
func TestAnUnknownCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(good))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	a := &api{}
	_, err := socket(t, a, server.URL, clerk.Config{}).Refresh(t.Context(), question())
	if e := refused(t, err); e.Code != clerk.CodeFetch || !strings.Contains(e.Error(), "certificate") {
		t.Error(e)
	}
}
