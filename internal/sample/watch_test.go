package sample_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/manageros/authproxy/internal/sample"
)

const idHeader = "X-Dev-Request"

// watched returns the headers that the proxy gets.
func watched(app *sample.Sample, h http.Header) http.Header {
	var got http.Header
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = h
	app.Watch(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header })).ServeHTTP(httptest.NewRecorder(), r)
	return got
}

// TestWatchOwnsItsHeader: no spelling of X-Dev-Request comes from a client, who
// could have another's request shown with it.
func TestWatchOwnsItsHeader(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	victim := watched(b.app, http.Header{"X-Secret": {"CANARY"}}).Get(idHeader)
	for _, name := range []string{"X-Dev-Request", "x-dev-request", "X_Dev_Request", "X.Dev.Request", "X-dev_request", "X-DEV-REQUEST"} {
		got := watched(b.app, http.Header{name: {victim}, "Accept": {"*/*"}})
		if len(got) != 2 || len(got[idHeader]) != 1 || got.Get(idHeader) == victim || got.Get("Accept") != "*/*" {
			t.Errorf("%s: the proxy gets %v", name, got)
		}
		if w := b.get("/", name, victim); strings.Contains(w.Body.String(), "CANARY") {
			t.Errorf("%s shows another's request", name)
		}
	}
}

func TestWatchLeavesTheRequestAsItIs(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	h := http.Header{"X_dev_request": {"1"}, "Accept": {"*/*"}}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = h
	b.app.Watch(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	if len(h) != 2 || len(r.Header) != 2 || r.Header.Get(idHeader) != "" {
		t.Errorf("the client's own headers are now %v", r.Header)
	}
	first, second := watched(b.app, h), watched(b.app, h)
	if first.Get(idHeader) == second.Get(idHeader) || len(first.Get(idHeader)) < 26 {
		t.Errorf("ids %q and %q", first.Get(idHeader), second.Get(idHeader))
	}
	// What the proxy does to its copy is not what the client sent.
	a := b.echo("X-Auth-Role", "owner")
	if a.outcome("X-Auth-Role") != "kept back" {
		t.Error("the memory changes with the proxy's request")
	}
}

// known asks the application about a request the proxy had with h.
func known(app *sample.Sample, id ...string) bool {
	r := httptest.NewRequest("GET", "/echo", nil)
	r.Header[idHeader] = id
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return strings.Contains(w.Body.String(), `"known": true`)
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	remember := func(value string, n int) (remembered int) {
		app := newBench(t, "").app
		var ids []string
		for range n {
			ids = append(ids, watched(app, http.Header{"A": {value}}).Get(idHeader))
		}
		for i, id := range ids {
			if known(app, id) {
				remembered++
			} else if remembered > 0 {
				t.Errorf("request %d is forgotten before older ones", i)
			}
		}
		return remembered
	}
	if got := remember("", 300); got != 256 {
		t.Errorf("%d requests are remembered", got)
	}
	const kilo = 64 << 10 // as many bytes as the proxy lets through
	if got := remember(strings.Repeat("x", kilo), 80); got != 63 {
		t.Errorf("%d requests of 64 KiB are remembered", got)
	}
	if got := remember(strings.Repeat("x", 5<<20), 2); got != 0 {
		t.Errorf("%d requests that are too large are remembered", got)
	}
}

// TestTheIDIsNotShown: it is between the two sides.
func TestTheIDIsNotShown(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	for _, path := range []string{"/", "/echo"} {
		if strings.Contains(b.get(path).Body.String(), idHeader) {
			t.Errorf("%s shows the id", path)
		}
	}
}

// TestUnknown: what is not remembered is not guessed.
func TestUnknown(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	id := watched(b.app, http.Header{}).Get(idHeader)
	if !known(b.app, id) {
		t.Error("an empty request is not known")
	}
	for _, ids := range [][]string{nil, {""}, {"made-up"}, {id, id}} {
		if known(b.app, ids...) {
			t.Errorf("%v is known", ids)
		}
	}
	b.between = func(h http.Header) { h.Del(idHeader) } // Connection: X-Dev-Request
	page := b.get("/", "Cookie", cookieOf(ada)).Body.String()
	if !strings.Contains(page, "is not known") || strings.Contains(page, "nothing to keep") || strings.Contains(page, `class="alarm"`) {
		t.Error("the page says more than is known")
	}
	if !strings.Contains(page, "You are <em>manager</em>") {
		t.Error("what arrived is not shown")
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 20 {
				value := fmt.Sprintf("v%d-%d", n, i)
				if a := b.echo("X-Mine", value); a.outcome("X-Mine") != "passed" || !a.Known {
					t.Errorf("%s: %+v", value, a)
				}
			}
		})
	}
	all.Wait()
}
