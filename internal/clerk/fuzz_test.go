package clerk_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/clerk"
)

// FuzzAnswer is Clerk saying anything: there is a list within its bounds, or an
// *Error that can be shown.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{ // with the status less 200
		`{"object":"cookies","cookies":["__session=a"],"directives":["__session=a"]}`,
		`{"cookies":[],"directives":null}`, `{"cookies":[null,1]}`, `{"COOKIES":["a"]}`, `{"id":"sess_2oracle","status":"revoked"}`,
		`{"errors":[{"code":"refresh_token_not_found","message":"m"}],"clerk_trace_id":"t"}`,
		`{"errors":[null]}`, `{"errors":[],"status":200}`, `{"errors":[{"code":"a\nb"}]}`, `{"errors":{}}`,
		``, `null`, `[]`, `{`, "\x1f\x8b", `<html>`, strings.Repeat("[", 20000),
	} {
		for _, status := range []int{0, 4, 102, 201, 204, 229, 300} {
			f.Add(status, "7", []byte(body))
		}
	}
	f.Add(229, "Mon, 01 Jan 2035 00:00:00 GMT", []byte("{}"))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		status = 200 + int(uint(status)%800) // net/http lets no other through
		a := &api{reply: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Retry-After"] = []string{retryAfter}
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}}
		for endpoint, ask := range asks(t, client(t, a, clerk.Config{})) {
			lines, err := ask()
			check(t, endpoint, status, lines, err)
		}
		for _, code := range strings.Split(a.observed(), ", ") {
			_, code, _ = strings.Cut(code, " ")
			if code != clerk.NotAnswered && code != fmt.Sprint(status) || len(code) > 5 {
				t.Errorf("observed %q for %d", code, status)
			}
		}
	})
}

func check(t *testing.T, endpoint string, status int, lines []string, err error) {
	t.Helper()
	if err == nil {
		total := len(strings.Join(lines, ""))
		if status > 299 || len(lines) > 64 || total > 64<<10 || (len(lines) == 0) != (endpoint == clerk.EndpointRevokeSession) {
			t.Errorf("%s: %d lines of %d bytes with status %d", endpoint, len(lines), total, status)
		}
		return
	}
	var e *clerk.Error
	if !errors.As(err, &e) || lines != nil || e.Code == "" || e.Endpoint != endpoint || e.Status != status && e.Status != 0 {
		t.Fatalf("%s: %q, %+v", endpoint, lines, err)
	}
	text := e.Error()
	if len(text) > 300 || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		t.Errorf("%s: %q", endpoint, text)
	}
}
