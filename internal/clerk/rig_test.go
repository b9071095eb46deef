package clerk_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/manageros/authproxy/internal/clerk"
)

// What must never be in an error.
const (
	secretKey    = "sk_test_Canary0123456789"
	liveKey      = "sk_live_Canary0123456789"
	expiredToken = "eyJhbGciOiJSUzI1NiJ9.eyJDYW5hcnkiOjF9.Q2FuYXJ5"
	refreshToken = "rt_Canary9876543210"
	nonce        = "Canary-nonce_1.2~3"
	sessionID    = "sess_2oracle"
)

var visitor = netip.MustParseAddr("203.0.113.7")

func question() clerk.Refresh {
	return clerk.Refresh{
		SessionID: sessionID, ExpiredToken: expiredToken, RefreshToken: refreshToken,
		Origin: "https://app.example.com", Suffixed: true, ClientIP: visitor,
	}
}

// api is Clerk's side: it keeps what it was asked and answers with reply.
type api struct {
	mu    sync.Mutex
	reply http.HandlerFunc
	seen  []asked
	calls []clerk.Call
}

type asked struct {
	method, uri, body string
	header            http.Header
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.seen = append(a.seen, asked{r.Method, r.URL.RequestURI(), string(body), r.Header.Clone()})
	reply := a.reply
	a.mu.Unlock()
	reply(w, r)
}

// now makes it answer differently from here on.
func (a *api) now(reply http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reply = reply
}

func (a *api) asked() []asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]asked(nil), a.seen...)
}

func (a *api) observe(c clerk.Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, c)
}

// observed are the codes of the calls so far, with their endpoints.
func (a *api) observed() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, c := range a.calls {
		all = append(all, c.Endpoint+" "+c.Code)
	}
	return strings.Join(all, ", ")
}

// wire ends at a handler of this process, so that a test can move the time.
type wire struct{ http.Handler }

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, done := httptest.NewRecorder(), make(chan struct{})
	inner := r.Clone(r.Context())
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	go func() {
		defer close(done)
		w.ServeHTTP(answer, inner)
	}()
	select {
	case <-done:
		return answer.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// client asks a, without a network.
func client(t testing.TB, a *api, cfg clerk.Config) *clerk.Client {
	t.Helper()
	cfg.Transport = wire{a}
	if cfg.SecretKey == "" {
		cfg.SecretKey = secretKey
	}
	cfg.URL, cfg.Observe = "https://api.clerk.test", a.observe
	c, err := clerk.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// socket asks whatever listens at the address, over a network.
func socket(t testing.TB, a *api, url string, cfg clerk.Config) *clerk.Client {
	t.Helper()
	cfg.SecretKey, cfg.URL, cfg.Observe = secretKey, url, a.observe
	c, err := clerk.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func refusing(status int, code string) http.HandlerFunc {
	return answering(status, `{"errors":[{"code":"`+code+`","message":"m","long_message":"l","meta":{}}],"clerk_trace_id":"tr-1"}`)
}

// good answers everything well.
func good(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/refresh"):
		answering(200, `{"object":"cookies","cookies":["__session=new; Path=/","__refresh_x=rt; Path=/; HttpOnly"]}`)(w, r)
	case strings.HasSuffix(r.URL.Path, "/revoke"):
		id := strings.Split(r.URL.Path, "/")[3]
		answering(200, `{"object":"session","id":"`+id+`","status":"revoked"}`)(w, r)
	default:
		answering(200, `{"directives":["__session=new; Path=/","__client_uat=1; Path=/"]}`)(w, r)
	}
}

// hangs answers nothing as long as anybody waits.
func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// refused is the error of a call that failed.
func refused(t testing.TB, err error) *clerk.Error {
	t.Helper()
	var e *clerk.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *clerk.Error", err)
	}
	return e
}

// asks are the three questions, each with its endpoint.
func asks(t testing.TB, c *clerk.Client) map[string]func() ([]string, error) {
	return map[string]func() ([]string, error){
		clerk.EndpointRefresh:          func() ([]string, error) { return c.Refresh(t.Context(), question()) },
		clerk.EndpointHandshakePayload: func() ([]string, error) { return c.HandshakePayload(t.Context(), nonce, visitor) },
		clerk.EndpointRevokeSession:    func() ([]string, error) { return nil, c.RevokeSession(t.Context(), sessionID) },
	}
}

func endpoints() []string {
	return []string{clerk.EndpointRefresh, clerk.EndpointHandshakePayload, clerk.EndpointRevokeSession}
}
