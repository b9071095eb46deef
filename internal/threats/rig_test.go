package threats_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

const (
	host    = "app.example.com"
	canary  = "sk_live_canaryOfTheSecretKey0123456789"
	forged  = "evil" // every value that an attacker writes holds it
	uat     = "__client_uat=1"
	upgrade = "Upgrade: websocket"
)

// noon is when every token of these tests is minted and judged.
var noon = time.Unix(1_800_000_000, 0)

// setup says how a proxy differs from the ordinary one.
type setup struct {
	env    []string // NAME=value, in place of the ordinary value; "NAME=" removes it
	answer func(*wiretest.Request) wiretest.Reply
	clerk  func(*wiretest.Request) wiretest.Reply // Clerk's Backend API; nil: nobody answers there
	now    func() time.Time
	tls    bool
}

// rig is a whole proxy between raw clients and a recording upstream.
type rig struct {
	t        *testing.T
	addr     string
	admin    string                // address of the admin listener
	cert     *wiretest.Certificate // nil without TLS
	upstream *wiretest.Upstream
	clerk    *wiretest.Upstream // nil without setup.clerk
	journal  *journal
	seen     int // connections that were judged before
}

func start(t *testing.T, s setup) *rig {
	t.Helper()
	if s.answer == nil {
		s.answer = accommodating
	}
	if s.now == nil {
		s.now = func() time.Time { return noon }
	}
	g := &rig{t: t, upstream: wiretest.NewUpstream(t, s.answer)}
	env := []string{
		"CLERK_PUBLISHABLE_KEY=" + minttest.LiveKey, "CLERK_JWT_KEY=" + minttest.Good().PEM, "CLERK_SECRET_KEY=" + canary,
		"AUTHPROXY_UPSTREAM=" + g.upstream.URL(), "AUTHPROXY_LISTEN=127.0.0.1:0", "AUTHPROXY_ADMIN_LISTEN=127.0.0.1:0",
		"CLERK_API_URL=http://127.0.0.1:9", "AUTHPROXY_PUBLIC_URL=" + minttest.App, "AUTHPROXY_PUBLIC_PATHS=/public/*,/healthz,/key", "AUTHPROXY_SHUTDOWN_DELAY=0s",
	}
	if s.tls {
		g.cert = wiretest.NewCertificate(t, host)
		env = append(env, "AUTHPROXY_TLS_CERT_FILE="+g.cert.CertFile, "AUTHPROXY_TLS_KEY_FILE="+g.cert.KeyFile)
	}
	if s.clerk != nil {
		g.clerk = wiretest.NewUpstream(t, s.clerk)
		env = replaced(env, []string{"CLERK_API_URL=" + g.clerk.URL()})
	}
	cfg, err := config.Load(replaced(env, s.env))
	if err != nil {
		t.Fatal(err)
	}
	g.journal = newJournal()
	a, err := app.New(cfg, app.Options{Log: slog.New(g.journal), Now: s.now})
	if err != nil {
		t.Fatal(err)
	}
	g.run(a)
	return g
}

// run serves until the test ends and notes the addresses.
func (g *rig) run(a *app.App) {
	ctx, stop := context.WithCancel(context.Background())
	now, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- a.Run(ctx, now) }()
	g.t.Cleanup(func() {
		stop()
		close(now) // nobody waits for the connections that a test left open
		if err := <-done; err != nil && !errors.Is(err, app.ErrCutShort) {
			g.t.Errorf("the proxy stopped: %v", err)
		}
		g.journal.keepsSecrets(g.t)
	})
	select {
	case addresses := <-g.journal.serving:
		g.addr, g.admin = addresses[0], addresses[1]
	case err := <-done:
		g.t.Fatalf("the proxy does not start: %v", err)
	}
}

func replaced(env, other []string) []string {
	for _, entry := range other {
		name, value, _ := strings.Cut(entry, "=")
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if value != "" {
			env = append(env, entry)
		}
	}
	return env
}

// accommodating upgrades who asks for it and answers everybody else.
func accommodating(r *wiretest.Request) wiretest.Reply {
	if r.Has("Upgrade") {
		return wiretest.Reply{Tunnel: true, Bytes: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"}
	}
	return wiretest.Reply{}
}

// mint signs the claims of an ordinary session with changes.
func mint(over map[string]any) string {
	claims := minttest.Product()
	for k, v := range over {
		claims[k] = v
	}
	return minttest.Good().Sign(minttest.Session(minttest.LiveIss, noon, claims), nil)
}

var ordinary = sync.OnceValue(func() string { return mint(nil) })

func cookie(token string) string { return "Cookie: " + uat + "; __session=" + token }
func bearer(token string) string { return "Authorization: Bearer " + token }

// signedIn and nobody are what the upstream must be able to read, and nothing else.
func signedIn() map[string]string {
	return map[string]string{
		"X-Auth-Manageros-User-Id": "mos_1", "X-Auth-Organization-Id": "org_acme", "X-Auth-Organization-Name": "M%C3%BCller%20GmbH",
		"X-Auth-Organization-Slug": "acme", "X-Auth-Person-Id": "person_7", "X-Auth-Role": "manager",
		"X-Auth-User-Id": "user_2oracle", "X-Auth-Session-Id": "sess_2oracle", "X-Auth-Status": "authenticated",
	}
}

func nobody() map[string]string { return map[string]string{"X-Auth-Status": "anonymous"} }

// owned lists every identity header there is.
func owned() []string {
	return []string{
		"X-Auth-Manageros-User-Id", "X-Auth-Organization-Id", "X-Auth-Organization-Name", "X-Auth-Organization-Slug", "X-Auth-Person-Id",
		"X-Auth-Role", "X-Auth-User-Id", "X-Auth-Session-Id", "X-Auth-Actor", "X-Auth-Status",
	}
}

// carries fails the test when a request says anything else about who asks than
// want, under any way of reading header names.
func carries(t *testing.T, r *wiretest.Request, want map[string]string) {
	t.Helper()
	for _, name := range owned() {
		expected := []string{want[name]}
		if want[name] == "" {
			expected = nil
		}
		if got := r.Readable(name); !slices.Equal(got, expected) {
			t.Errorf("the upstream can read %q for %s, want %q\n%s", got, name, expected, r.Raw)
		}
		for _, list := range []string{"Connection", "Trailer"} {
			if r.Announces(list, name) {
				t.Errorf("%s of the upstream's request lists %s\n%s", list, name, r.Raw)
			}
		}
	}
}

// keepsSecrets fails the test when the upstream got what is nobody's but ours.
func keepsSecrets(t *testing.T, r *wiretest.Request) {
	t.Helper()
	for _, secret := range []string{canary, "eyJ", "__session", "__client_uat"} {
		if strings.Contains(string(r.Raw), secret) {
			t.Errorf("the upstream got %q\n%s", secret, r.Raw)
		}
	}
}

// fresh settles and returns the requests since the last time. Whatever else
// arrived fails the test.
func (g *rig) fresh(t *testing.T) []*wiretest.Request {
	t.Helper()
	var requests []*wiretest.Request
	for _, c := range g.connections() {
		if len(c.Leftover) > 0 {
			t.Errorf("the upstream got bytes that are no request (%v): %q", c.Err, c.Leftover)
		}
		requests = append(requests, c.Requests...)
	}
	return requests
}

// connections settles and returns the connections since the last time.
func (g *rig) connections() []wiretest.Connection {
	all := g.upstream.Settle()
	fresh := all[g.seen:]
	g.seen = len(all)
	return fresh
}

// call is one request in the words of every protocol.
type call struct {
	method, target, host string   // "" is GET, /app and the application's host
	lines                []string // header lines as HTTP/1.1 writes them
	body                 string   // with its framing, HTTP/1.1 only
}

func (c call) defaults() call {
	for field, value := range map[*string]string{&c.method: "GET", &c.target: "/app", &c.host: host} {
		if *field == "" {
			*field = value
		}
	}
	return c
}

func (c call) raw() string {
	c = c.defaults()
	lines := append([]string{fmt.Sprintf("%s %s HTTP/1.1", c.method, c.target), "Host: " + c.host}, c.lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + c.body
}

func (c call) fields(scheme string) []wiretest.Field {
	c = c.defaults()
	fields := []wiretest.Field{{Name: ":method", Value: c.method}, {Name: ":scheme", Value: scheme}, {Name: ":authority", Value: c.host}, {Name: ":path", Value: c.target}}
	for _, line := range c.lines {
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, wiretest.Field{Name: strings.ToLower(name), Value: strings.TrimPrefix(value, " ")})
	}
	return fields
}

// with adds header lines.
func (c call) with(lines ...string) call {
	c.lines = slices.Concat(c.lines, lines)
	return c
}

// answer is what a client got.
type answer struct {
	status  int // 0 when the connection or the stream ended without a response
	reason  string
	headers []wiretest.Field
	body    string
}

func (a answer) get(name string) string {
	return (&wiretest.Response{Fields: a.headers}).Get(name)
}

// protocol is a way to send a call.
type protocol struct {
	name string
	send func(*testing.T, *rig, call) answer
}

func http1() protocol { return protocol{"HTTP1", sendHTTP1} }
func http2() protocol { return protocol{"HTTP2", sendHTTP2} }

func sendHTTP1(t *testing.T, g *rig, c call) answer {
	t.Helper()
	client := g.dial(t)
	client.Send(c.raw())
	r := client.Response(c.defaults().method)
	if r == nil {
		return answer{}
	}
	if r.Status == 101 {
		client.Send("ping")
		if got := client.Read(4); got != "ping" {
			t.Errorf("the tunnel echoes %q", got)
		}
	}
	client.Finish()
	return answer{r.Status, r.Get("X-Clerk-Auth-Reason"), r.Fields, string(r.Body)}
}

func (g *rig) dial(t *testing.T) *wiretest.Client {
	t.Helper()
	if g.cert != nil {
		return wiretest.DialTLS(t, g.addr, g.cert.Client(host, "http/1.1"))
	}
	return wiretest.Dial(t, g.addr)
}

func sendHTTP2(t *testing.T, g *rig, c call) answer {
	t.Helper()
	client := g.dialH2(t)
	defer client.Close()
	return h2Answer(t, client.Request("", c.fields(g.scheme())...))
}

func (g *rig) dialH2(t *testing.T) *wiretest.H2 {
	t.Helper()
	if g.cert != nil {
		return wiretest.DialH2TLS(t, g.addr, g.cert.Client(host, "h2"))
	}
	return wiretest.DialH2(t, g.addr)
}

func (g *rig) scheme() string {
	if g.cert != nil {
		return "https"
	}
	return "http"
}

func h2Answer(t *testing.T, s *wiretest.Stream) answer {
	t.Helper()
	a := answer{reason: s.Get("x-clerk-auth-reason"), headers: s.Fields, body: string(s.Body)}
	if s.Status != "" {
		if _, err := fmt.Sscan(s.Status, &a.status); err != nil {
			t.Errorf("status %q: %v", s.Status, err)
		}
	}
	return a
}
