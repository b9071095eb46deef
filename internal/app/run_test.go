package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/manageros/authproxy/internal/minttest"
)

// served are the settings of a proxy that verifies with a key from a file and
// lets everything under /open through.
func served(upstream string) []string {
	return []string{
		"CLERK_PUBLISHABLE_KEY=" + minttest.TestKey, "CLERK_JWT_KEY=" + minttest.Good().PEM,
		"AUTHPROXY_UPSTREAM=" + upstream, "AUTHPROXY_PUBLIC_PATHS=/open/*",
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

func wait(t *testing.T, p *process) int {
	t.Helper()
	done := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(done) }()
	select {
	case <-done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		t.Fatal("the program does not end")
		return -1
	}
}

// TestDrain (OPS-07): on SIGTERM readiness drops first, new requests are still
// answered during the delay, a request under way finishes, an upgraded
// connection lives until the deadline, and the exit is clean.
func TestDrain(t *testing.T) {
	t.Parallel()
	release, arrived := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/open/slow":
			close(arrived)
			<-release
			fmt.Fprint(w, "finished")
		case "/open/ws":
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			_, _, _ = c.Read(r.Context()) // until somebody ends it
		}
	}))
	t.Cleanup(upstream.Close)
	p := startBinary(t, append(served(upstream.URL), "AUTHPROXY_SHUTDOWN_DELAY=1s", "AUTHPROXY_SHUTDOWN_TIMEOUT=3s"))

	tunnel, _, err := websocket.Dial(t.Context(), "ws://"+p.data+"/open/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tunnel.CloseNow() }()
	slow := make(chan string, 1)
	go func() {
		_, body := get(t, "http://"+p.data+"/open/slow")
		slow <- body
	}()
	<-arrived
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(t, "draining")
	if status, body := get(t, "http://"+p.admin+"/readyz?verbose"); status != http.StatusServiceUnavailable || !strings.Contains(body, "serving: failed") {
		t.Errorf("while draining readyz says %d %s", status, body)
	}
	if status, _ := get(t, "http://"+p.admin+"/livez"); status != http.StatusOK {
		t.Errorf("while draining livez says %d", status)
	}
	if status, body := get(t, "http://"+p.data+"/open/now"); status != http.StatusOK {
		t.Errorf("during the delay a new request gets %d %s", status, body)
	}
	close(release)
	if body := <-slow; body != "finished" {
		t.Errorf("the request under way got %q", body)
	}
	if code := wait(t, p); code != 0 {
		t.Errorf("exit code %d", code)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	// What was cut is in the log too.
	line := p.await(t, "request")
	for line["path"] != "/open/ws" {
		line = p.await(t, "request")
	}
	if line["upgraded"] != true {
		t.Errorf("%v", line)
	}
	if _, _, err := tunnel.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the tunnel is still open: %v", err)
	}
}

// TestSecondSignal: somebody cannot wait.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	hold := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-hold
	}))
	t.Cleanup(upstream.Close)
	t.Cleanup(func() { close(hold) })
	p := startBinary(t, append(served(upstream.URL), "AUTHPROXY_SHUTDOWN_DELAY=20s", "AUTHPROXY_SHUTDOWN_TIMEOUT=60s"))
	go func() { _, _ = get(t, "http://"+p.data+"/open/x") }()
	<-arrived
	for range 2 {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if p.cmd.ProcessState == nil {
			select {
			case <-p.lines: // "draining", or what follows
			case <-time.After(10 * time.Second):
				t.Fatal("no word after a signal")
			}
		}
	}
	if code := wait(t, p); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}

// TestAdminIsElsewhere (OBS-05): nothing of the admin listener is on the data
// listener, however it is spelled, and profiles are off.
func TestAdminIsElsewhere(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(upstream.Close)
	p := startBinary(t, served(upstream.URL))
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	health := exec.Command(path, "healthcheck")
	health.Env = append(served(upstream.URL), "AUTHPROXY_ADMIN_LISTEN="+p.admin)
	if out, err := health.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("healthcheck: %v %s", err, out)
	}
	for _, path := range []string{"/metrics", "//metrics", "/metrics%2f", "/livez", "/readyz", "/debug/pprof/", "/debug/vars"} {
		c, err := net.Dial("tcp", p.data)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = c.Close()
		if answer.StatusCode != http.StatusUnauthorized || strings.Contains(string(body), "authproxy_") {
			t.Errorf("%s: %d %.200s", path, answer.StatusCode, body)
		}
	}
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/startupz?verbose": 200, "/metrics": 200, "/debug/pprof/": 404, "/debug/pprof/cmdline": 404, "/sync": 404, "/": 404,
	} {
		if status, _ := get(t, "http://"+p.admin+path); status != want {
			t.Errorf("admin %s: %d, want %d", path, status, want)
		}
	}
}

// TestNotReadyWithoutKeys (JWT-10, HS-14): never had keys is not ready and 503.
func TestNotReadyWithoutKeys(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(upstream.Close)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(broken.Close)
	a := newApp(t, []string{
		"AUTHPROXY_ISSUER=" + minttest.LiveIss, "AUTHPROXY_JWKS_URL=" + broken.URL, "AUTHPROXY_PUBLIC_URL=" + minttest.App,
		"AUTHPROXY_UPSTREAM=" + upstream.URL,
	}, appOptions())
	go func() { _ = a.Keys().Run(t.Context()) }()
	w := httptest.NewRecorder()
	a.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz?verbose", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "keys: failed") || strings.Contains(w.Body.String(), "127.0.0.1") {
		t.Errorf("readyz: %d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	r.Host = "app.example.com"
	r.Header.Set("Authorization", "Bearer "+minttest.Good().Sign(minttest.Session(minttest.LiveIss, time.Now(), nil), nil))
	w = httptest.NewRecorder()
	a.Data().ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("X-Clerk-Auth-Reason") != "keys-unavailable" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
