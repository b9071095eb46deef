// Package upstreamtest runs real applications for tests: a WSGI application on
// gunicorn and on wsgiref, a PHP one, a Rack one on Puma, a Node one and a Go
// one. Each answers every request with one document that says what code in that
// language would read, because that, and not the bytes on the wire, is what a
// forged header has to change.
package upstreamtest

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/testneed"
)

//go:embed apps
var apps embed.FS

// Kind names one server with its application.
type Kind string

// The kinds of upstream.
const (
	Gunicorn Kind = "gunicorn"
	WSGIRef  Kind = "wsgiref"
	PHP      Kind = "php"
	Puma     Kind = "puma"
	Node     Kind = "node"
	Go       Kind = "go"
)

// Kinds returns every kind.
func Kinds() []Kind { return []Kind{Gunicorn, WSGIRef, PHP, Puma, Node, Go} }

// Upgrades reports whether the kind answers a WebSocket request with 101; the
// others answer it like any request, as a server may (RFC 9110 section 7.8).
func (k Kind) Upgrades() bool { return k == Puma || k == Node || k == Go }

// programs holds, for each kind that is a process, the programs that can run it
// and their arguments. All of them choose the port themselves and say which, so
// that two test runs on one machine cannot meet.
var programs = map[Kind]struct{ names, args []string }{
	// Threads, because a sync worker waits for the first byte of every idle
	// connection that a client's transport opened ahead of need.
	Gunicorn: {[]string{"gunicorn", "gunicorn3"}, []string{"--bind", "127.0.0.1:0", "--worker-class", "gthread", "--threads", "4", "wsgi:application"}},
	WSGIRef:  {[]string{"python3"}, []string{"wsgi.py"}},
	PHP:      {[]string{"php"}, []string{"-n", "-S", "127.0.0.1:0", "index.php"}},
	Puma:     {[]string{"puma"}, []string{"--environment", "production", "--threads", "1:4", "--bind", "tcp://127.0.0.1:0", "config.ru"}},
	Node:     {[]string{"node", "nodejs"}, []string{"server.js"}},
}

// startTimeout bounds the wait for a server; a loaded machine is slow to load
// an interpreter.
const startTimeout = 60 * time.Second

// Start runs the kind's server until the test ends and returns its base URL,
// "http://127.0.0.1:port". It skips the test when the server is not installed
// (see [testneed.Tool]).
func Start(t testing.TB, kind Kind) string {
	t.Helper()
	if kind == Go {
		server := httptest.NewServer(Handler())
		t.Cleanup(server.Close)
		return server.URL
	}
	program, known := programs[kind]
	if !known {
		t.Fatalf("upstreamtest: no kind %q", kind)
	}
	url := run(t, testneed.Tool(t, program.names...), program.args)
	awaitAnswer(t, url)
	return url
}

// Names returns the header names that the applications look up.
func Names() []string { return slices.Clone(names()) }

var names = sync.OnceValue(func() []string {
	text, err := apps.ReadFile("apps/names.json")
	var list []string
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		panic(err)
	}
	return list
})

// listening matches what the servers print once the port is open.
var listening = regexp.MustCompile(`http://127\.0\.0\.1:[1-9][0-9]*`)

// leashed is a shell program that becomes the server and leaves somebody behind
// who ends it when file 3 does: a test that panics or is killed runs no
// cleanups, and servers would outlive it.
const leashed = `{ read -r _ <&3; kill $$; } >/dev/null 2>&1 & exec "$@" 3<&-`

func run(t testing.TB, path string, args []string) string {
	t.Helper()
	held, leash, err := os.Pipe()
	if err != nil {
		t.Fatalf("upstreamtest: pipe: %v", err)
	}
	out := &output{found: make(chan string, 1)}
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", leashed, "sh", path}, args...)...)
	cmd.ExtraFiles = []*os.File{held}
	cmd.Dir = writeApps(t)
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = leash.Close
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("upstreamtest: start %s: %v", path, err)
	}
	_ = held.Close() // the child has its own
	var ended error
	exited := make(chan struct{})
	go func() { ended = cmd.Wait(); close(exited) }()
	// The context of the test ends just before its cleanups run.
	t.Cleanup(func() { <-exited })
	select {
	case url := <-out.found:
		return url
	case <-exited:
		t.Fatalf("upstreamtest: %s ended (%v) and said:\n%s", path, ended, out)
	case <-time.After(startTimeout):
		t.Fatalf("upstreamtest: %s names no address after %v and said:\n%s", path, startTimeout, out)
	}
	return ""
}

// awaitAnswer polls because a server may print its address before it can answer.
func awaitAnswer(t testing.TB, url string) {
	t.Helper()
	client := &http.Client{Timeout: startTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.After(startTimeout)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		_, err := Get(client, url)
		if err == nil {
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("upstreamtest: no answer from %s: %v", url, err)
		}
	}
}

// writeApps puts the applications where interpreters can read them.
func writeApps(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	files, err := fs.Sub(apps, "apps")
	if err == nil {
		err = os.CopyFS(dir, files)
	}
	if err != nil {
		t.Fatalf("upstreamtest: write the applications: %v", err)
	}
	return dir
}

// environment is ours without what would read like a header: HTTP_PROXY is an
// environment variable to curl and a header to CGI.
func environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(strings.ToUpper(entry), "HTTP_") {
			env = append(env, entry)
		}
	}
	return append(env, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1")
}

// output keeps what a server prints and sends the first address in it to found.
type output struct {
	mu    sync.Mutex
	text  strings.Builder
	done  bool
	found chan string
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() < 1<<16 {
		o.text.Write(p)
	}
	// A line that is still being written may hold half a port.
	text, _, _ := cutLast(o.text.String(), "\n")
	if url := listening.FindString(text); url != "" && !o.done {
		o.done = true
		o.found <- url
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}
