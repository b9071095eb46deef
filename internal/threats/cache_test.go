package threats_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/testneed"
	"github.com/manageros/authproxy/internal/wiretest"
)

func cacheThreats() []threat {
	return []threat{{"WEB-04", testSharedCache}}
}

// cacheEverything is a cache as people set it up who mean well: it keeps what may
// be kept, and whatever says nothing about it for ten minutes, cookies or not.
const cacheEverything = `daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;
events {}
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  proxy_cache_path cache keys_zone=all:1m;
  server {
    listen unix:%s;
    location / {
      proxy_pass http://%s; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection "";
      proxy_cache all; proxy_cache_key $request_uri; proxy_cache_valid any 10m; proxy_cache_methods GET HEAD POST; proxy_ignore_headers Set-Cookie Vary;
      add_header X-Cache $upstream_cache_status always;
    }
  }
}
`

// cache runs nginx before a proxy until the test ends, and returns its socket.
func cache(t *testing.T, addr string) string {
	t.Helper()
	nginx := testneed.Tool(t, "nginx")
	dir, err := os.MkdirTemp("", "cache") //nolint:usetesting // t.TempDir is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "front")
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, cacheEverything, socket, addr), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	server := exec.CommandContext(t.Context(), nginx, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	server.Stderr = &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }()
	t.Cleanup(func() { _ = server.Process.Kill(); <-ended })
	late := time.After(10 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if conn, err := net.Dial("unix", socket); err == nil {
			_ = conn.Close()
			return socket
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("nginx does not start: %s", &said)
		case <-late:
			t.Fatal("nginx does not answer")
		}
	}
}

// through asks by way of the cache.
func through(t *testing.T, socket string, c call) answer {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	client := wiretest.NewClient(t, conn)
	client.Send(c.raw())
	r := client.Response(c.defaults().method)
	if r == nil {
		t.Fatalf("%s %s: no answer", c.method, c.target)
	}
	client.Close()
	return answer{r.Status, r.Get("X-Clerk-Auth-Reason"), r.Fields, string(r.Body)}
}

// cacheable is an application that has everything kept that it says, to everybody.
func cacheable(r *wiretest.Request) wiretest.Reply {
	body := "this is for " + r.Get("X-Auth-User-Id")
	return wiretest.Reply{Bytes: fmt.Sprintf("HTTP/1.1 200 OK\r\nCache-Control: public, max-age=600, s-maxage=600, immutable\r\nExpires: Thu, 01 Jan 2037 00:00:00 GMT\r\nX-Accel-Expires: 600\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nETag: \"1\"\r\nContent-Length: %d\r\n\r\n%s", len(body), body)}
}

// Behind a cache that keeps whatever it may, nobody gets what was said to somebody
// whose session was renewed on the way, nor their cookies, nor an answer of ours
// that was meant for another.
func testSharedCache(t *testing.T) {
	g := start(t, setup{answer: cacheable, clerk: backend(sessionLines(ordinary())...)})
	socket := cache(t, g.addr)
	for range 2 {
		through(t, socket, call{target: "/public/logo.css"})
	}
	if got := through(t, socket, call{target: "/public/logo.css"}); got.get("X-Cache") != "HIT" {
		t.Fatalf("the cache keeps nothing: %q", got.headers)
	}
	refreshed := cookieLine(uat, "__session="+stale(nil), refreshCookie+"=r")
	for name, c := range map[string]call{
		"refreshed":      {target: "/refreshed", lines: []string{refreshed}},
		"style sheet":    {target: "/refreshed/x.css", lines: []string{refreshed, "Sec-Fetch-Dest: style"}},
		"form":           {method: "POST", target: "/form", lines: []string{refreshed, sameOrigin, nothing}},
		"handshake":      {target: "/returned", lines: []string{pageLoad, cookieLine("__clerk_handshake=" + brought(nil, sessionLines(ordinary())...))}},
		"nonce":          {target: "/nonce", lines: []string{pageLoad, cookieLine("__clerk_handshake_nonce=n0nce")}},
		"tidied":         {target: "/tidied?__clerk_redirect_count=1", lines: []string{pageLoad, cookieLine("__clerk_redirect_count=1", "__clerk_handshake="+brought(nil, sessionLines(ordinary())...))}},
		"counted":        {target: "/counted", lines: []string{pageLoad, cookieLine("__clerk_redirect_count=1", uat, "__session="+ordinary())}},
		"sent to Clerk":  {target: "/stale", lines: []string{pageLoad, cookieLine(uat)}},
		"sent to sign":   {target: "/nobody", lines: []string{pageLoad}},
		"refused":        {target: "/refused", lines: []string{cookie("a.b.c")}},
		"script":         {target: "/_authproxy/session.js", lines: []string{cookie(ordinary())}},
		"sign-in":        {target: "/_authproxy/sign-in", lines: []string{pageLoad}},
		"sign-out":       {target: "/_authproxy/sign-out", lines: []string{pageLoad}},
		"really out":     {method: "POST", target: "/_authproxy/sign-out", lines: []string{sameOrigin, nothing, cookie(ordinary())}},
		"no such method": {method: "HEAD", target: "/_authproxy/nothing"},
	} {
		first := through(t, socket, c)
		stranger := through(t, socket, call{target: c.target, lines: []string{"Accept: application/json"}})
		if cached := stranger.get("X-Cache"); cached != "MISS" && cached != "" || strings.Contains(stranger.body, me) || len(stranger.cookies()) > 0 {
			t.Errorf("%s (status %d, Cache-Control %q): then a stranger gets status %d from the cache (%s), %q, %s", name, first.status, first.get("Cache-Control"), stranger.status, cached, stranger.cookies(), stranger.body)
		}
		if again := through(t, socket, c); again.get("X-Cache") == "HIT" {
			t.Errorf("%s: the cache keeps it", name)
		}
	}
}
