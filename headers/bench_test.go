package headers_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/manageros/authproxy"
)

// browserRequest is what a browser behind one proxy sends.
func browserRequest() http.Header {
	return http.Header{
		"Accept": {"text/html"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"de"}, "Cache-Control": {"no-cache"},
		"Cookie": {"__session=x"}, "Referer": {"https://app.example.com/"}, "Sec-Ch-Ua": {"x"}, "Sec-Fetch-Dest": {"document"},
		"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"}, "Upgrade-Insecure-Requests": {"1"}, "User-Agent": {"x"},
		"X-Forwarded-For": {"198.51.100.1"}, "X-Forwarded-Proto": {"https"}, "X-Requested-With": {"fetch"},
	}
}

func BenchmarkStrip(b *testing.B) {
	o := propertyOwner(b)
	h := browserRequest()
	forwarded := http.Header{"X-Forwarded-For": h["X-Forwarded-For"], "X-Forwarded-Proto": h["X-Forwarded-Proto"]}
	b.ReportAllocs()
	for b.Loop() {
		maps.Copy(h, forwarded)
		o.Strip(h)
	}
}

func BenchmarkRender(b *testing.B) {
	m := mapping(b, "")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Render(authproxy.Claims(product)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAssert(b *testing.B) {
	m := mapping(b, "")
	claims, err := m.Render(authproxy.Claims(product))
	if err != nil {
		b.Fatal(err)
	}
	id := &authproxy.Identity{UserID: "user_1", SessionID: "sess_1"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Assert(id, claims); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	p := peers("10.0.0.0/8")
	h := http.Header{"X-Forwarded-For": {"1.1.1.1, 198.51.100.1, 10.0.0.2"}, "X-Forwarded-Proto": {"https"}, "X-Request-Id": {"id"}}
	b.ReportAllocs()
	for b.Loop() {
		p.Resolve("10.0.0.1:1234", h)
	}
}

// A request without anything of ours costs no allocation, and neither does the
// removal of what a proxy in front of us sends.
func TestStripDoesNotAllocate(t *testing.T) {
	o := propertyOwner(t)
	for name, h := range map[string]http.Header{"browser": browserRequest(), "long": {"X-" + string(make([]byte, 60)): nil}} {
		if n := testing.AllocsPerRun(100, func() { o.Strip(h) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	var sink []string
	h := http.Header{}
	values := []string{"a"}
	if n := testing.AllocsPerRun(100, func() { h["X-Real-Ip"] = values; sink = o.Strip(h) }); n != 0 || sink != nil {
		t.Errorf("forwarding: %v allocations", n)
	}
}
