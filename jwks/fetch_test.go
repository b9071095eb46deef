package jwks_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/jwks"
)

// firstFetch runs a cache until its first fetch ended.
func firstFetch(t *testing.T, cfg jwks.Config) (*jwks.Cache, jwks.Event) {
	t.Helper()
	events := make(chan jwks.Event, 100)
	cfg.Observe = func(e jwks.Event) { events <- e }
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute // a busy machine is no reason to fail
	}
	cache, err := jwks.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, cache)
	defer stop()
	return cache, <-events
}

// serve starts a key server that closes its connections at the end.
func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func TestFetchOutcomes(t *testing.T) {
	t.Parallel()
	keys := minttest.JWKS(minttest.Good())
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"key set":          {reply("application/jwk-set+json", keys), jwks.FetchOK},
		"as text":          {reply("text/plain; charset=utf-8", keys), jwks.FetchOK},
		"as a download":    {reply("application/octet-stream", keys), jwks.FetchOK},
		"just not too big": {reply("application/json", append(keys, bytes.Repeat([]byte(" "), jwks.MaxBody-len(keys))...)), jwks.FetchOK},
		"too big":          {reply("application/json", append(keys, bytes.Repeat([]byte(" "), jwks.MaxBody-len(keys)+1)...)), jwks.FetchTooLarge},
		"endless":          {endless, jwks.FetchTooLarge},
		"slow drip":        {drip, jwks.FetchNetwork},
		"no answer":        {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, jwks.FetchNetwork},
		"broken off":       {brokenOff, jwks.FetchNetwork},
		"closed":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, jwks.FetchNetwork},
		"huge head":        {hugeHead, jwks.FetchNetwork},
		"HTML":             {reply("text/html", []byte("<!DOCTYPE html><title>Sign in</title>")), jwks.FetchInvalid},
		"HTML as JSON":     {reply("application/json", []byte("<!DOCTYPE html><title>Sign in</title>")), jwks.FetchInvalid},
		"garbage":          {reply("application/json", bytes.Repeat([]byte{0xff, 0}, 1000)), jwks.FetchInvalid},
		"empty":            {reply("application/json", nil), jwks.FetchInvalid},
		"no content":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, jwks.FetchInvalid},
		"gzip bomb":        {bomb, jwks.FetchInvalid}, // not asked for, so not unpacked
		"problem":          {reply("application/json", []byte(`{"error":"no"}`)), jwks.FetchInvalid},
		"no keys":          {reply("application/json", []byte(`{"keys":[]}`)), jwks.FetchNoKeys},
		"400":              {fail(400), jwks.FetchHTTPStatus},
		"401":              {fail(401), jwks.FetchHTTPStatus},
		"404":              {fail(404), jwks.FetchHTTPStatus},
		"429":              {fail(429), jwks.FetchHTTPStatus},
		"500":              {fail(500), jwks.FetchHTTPStatus},
		"503":              {fail(503), jwks.FetchHTTPStatus},
		"304":              {fail(304), jwks.FetchHTTPStatus},
		"300 with keys":    {fail(300), jwks.FetchHTTPStatus},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, test.handler)
			timeout := time.Minute
			if name == "slow drip" || name == "no answer" {
				timeout = 300 * time.Millisecond
			}
			cache, event := firstFetch(t, jwks.Config{URL: server.URL, Timeout: timeout})
			if event.Kind != jwks.KindFetch || event.Outcome != test.want {
				t.Fatalf("event %+v, want outcome %s", event, test.want)
			}
			ok := test.want == jwks.FetchOK
			if cache.Ready() != ok || (event.Err == nil) != ok || (event.Keys == 1) != ok || event.At.IsZero() {
				t.Errorf("ready %v, event %+v", cache.Ready(), event)
			}
			if ok {
				return
			}
			text := event.Err.Error()
			if !strings.HasPrefix(text, "jwks: ") || len(text) > 260 || strings.Contains(text, server.URL) {
				t.Errorf("error %q", text)
			}
		})
	}
}

// SSRF-03 and JWT-12: keys come from the configured URL or not at all, with a
// client of ours and with any other.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		for name, client := range map[string]*http.Client{"own client": nil, "given client": {Transport: plainTransport(t)}} {
			t.Run(strconv.Itoa(code)+" "+name, func(t *testing.T) {
				t.Parallel()
				target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					t.Error("the redirect was followed")
					_, _ = w.Write(minttest.JWKS(minttest.Good()))
				})
				server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, code) })
				cache, event := firstFetch(t, jwks.Config{URL: server.URL, HTTP: client})
				if event.Outcome != jwks.FetchHTTPStatus || cache.Ready() {
					t.Errorf("event %+v", event)
				}
			})
		}
	}
}

// A client that is given may unpack what it gets; the bound holds for that.
func TestACompressedBodyIsBoundedByWhatItUnpacksTo(t *testing.T) {
	t.Parallel()
	server := serve(t, bomb)
	_, event := firstFetch(t, jwks.Config{URL: server.URL, HTTP: &http.Client{Transport: plainTransport(t)}})
	if event.Outcome != jwks.FetchTooLarge {
		t.Errorf("event %+v", event)
	}
}

func TestWhatTheKeyServerIsTold(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r
		_, _ = w.Write(minttest.JWKS(minttest.Good()))
	})
	firstFetch(t, jwks.Config{URL: server.URL + "/keys?v=1"})
	r := <-got
	if r.Method != http.MethodGet || r.RequestURI != "/keys?v=1" || r.UserAgent() != "authproxy" {
		t.Errorf("%s %s by %q", r.Method, r.RequestURI, r.UserAgent())
	}
	if accept := r.Header.Get("Accept"); accept != "application/jwk-set+json, application/json" {
		t.Errorf("Accept: %s", accept)
	}
	for _, name := range []string{"Authorization", "Cookie", "Referer"} {
		if value, there := r.Header[name]; there {
			t.Errorf("%s: %s", name, value)
		}
	}
}

func TestAKeyServerThatCannotBeTrustedOrReached(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewUnstartedServer(reply("application/json", minttest.JWKS(minttest.Good())))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	closed := "https://" + listener.Addr().String()
	check(t, listener.Close())
	for name, url := range map[string]string{"unknown authority": untrusted.URL, "connection refused": closed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if cache, event := firstFetch(t, jwks.Config{URL: url}); event.Outcome != jwks.FetchNetwork || cache.Ready() {
				t.Errorf("event %+v", event)
			}
		})
	}
	if event := trusted(t, untrusted); event.Outcome != jwks.FetchOK {
		t.Errorf("the counter-check with the authority trusted: %+v", event)
	}
}

// An idle connection would outlive Run.
func TestTheConnectionIsClosedAfterTheFetch(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(reply("application/json", minttest.JWKS(minttest.Good())))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	if _, event := firstFetch(t, jwks.Config{URL: server.URL}); event.Outcome != jwks.FetchOK {
		t.Errorf("event %+v", event)
	}
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open")
	}
}

func trusted(t *testing.T, server *httptest.Server) jwks.Event {
	t.Helper()
	client := server.Client()
	t.Cleanup(client.CloseIdleConnections)
	_, event := firstFetch(t, jwks.Config{URL: server.URL, HTTP: client})
	return event
}

// The text of a network error may hold what a server sent, at any length.
func TestErrorsOfTheNetworkAreShort(t *testing.T) {
	t.Parallel()
	cause := errors.New("first " + strings.Repeat("\xff\u20ac", 100_000))
	transport := &keyServer{answer: func(*http.Request) (*http.Response, error) { return nil, cause }}
	_, event := firstFetch(t, jwks.Config{URL: keysURL, HTTP: &http.Client{Transport: transport}})
	if text := event.Err.Error(); len(text) > 260 || !strings.HasPrefix(text, "jwks: network: first ") {
		t.Errorf("error of %d bytes: %.50q", len(text), text)
	}
	if !errors.Is(event.Err, cause) {
		t.Error("the cause is lost")
	}
}

// net/http reads the proxy's environment once per process, so this one starts
// itself again with the variable set.
func TestHTTPSProxyIsHonoured(t *testing.T) {
	t.Parallel()
	if os.Getenv("AUTHPROXY_TEST_CHILD") == "1" {
		_, event := firstFetch(t, jwks.Config{URL: "https://keys.example.com/jwks.json"})
		if event.Outcome != jwks.FetchNetwork {
			t.Errorf("event %+v", event)
		}
		return
	}
	connected := make(chan string, 10)
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		connected <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusBadGateway)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHTTPSProxyIsHonoured$")
	child.Env = append(os.Environ(), "AUTHPROXY_TEST_CHILD=1", "HTTPS_PROXY="+proxy.URL, "https_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	select {
	case got := <-connected:
		if got != "CONNECT keys.example.com:443" {
			t.Errorf("the proxy was asked for %q", got)
		}
	default:
		t.Error("the proxy was not asked")
	}
}

func plainTransport(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func reply(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	}
}

// fail answers with keys, which must not be taken from it.
func fail(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		if code != http.StatusNotModified {
			_, _ = w.Write(minttest.JWKS(minttest.Good()))
		}
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte(`{"keys":["`))
	for chunk := bytes.Repeat([]byte("x"), 64<<10); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func drip(w http.ResponseWriter, r *http.Request) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, _ = w.Write([]byte(" "))
		w.(http.Flusher).Flush()
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

func brokenOff(w http.ResponseWriter, _ *http.Request) {
	body := minttest.JWKS(minttest.Good())
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	_, _ = w.Write(body)
}

func hugeHead(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Filler", strings.Repeat("x", 128<<10))
	_, _ = w.Write(minttest.JWKS(minttest.Good()))
}

// bomb is 8 MB of spaces and a key set in a few kilobytes.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(compressed())
}

var compressed = sync.OnceValue(func() []byte {
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 8*jwks.MaxBody))
	_, _ = z.Write(minttest.JWKS(minttest.Good()))
	_ = z.Close()
	return body.Bytes()
})
