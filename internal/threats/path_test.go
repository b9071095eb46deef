package threats_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/wiretest"
)

// verdict is what becomes of a target.
type verdict int

const (
	protected verdict = iota // needs a session, and is then forwarded as it is
	refused                  // 400, session or not
	open                     // public
	unknown                  // protected or refused, but never public
)

// target is one request target and its verdict.
type target struct {
	raw     string
	verdict verdict
}

// targets sends each target without and with a session over each protocol.
func targets(all ...target) func(*testing.T) {
	return func(t *testing.T) {
		for _, p := range []protocol{http1(), http2()} {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{})
				for _, x := range all {
					t.Run(x.raw[:min(len(x.raw), 80)], func(t *testing.T) { aim(t, g, p, x) })
				}
			})
		}
	}
}

func aim(t *testing.T, g *rig, p protocol, x target) {
	t.Helper()
	without := p.send(t, g, call{target: x.raw})
	stray := g.fresh(t)
	with := p.send(t, g, call{target: x.raw, lines: []string{cookie(ordinary())}})
	requests := g.fresh(t)
	public := len(stray) > 0
	if public != (x.verdict == open) {
		t.Errorf("without a session: status %d, %d requests at the upstream", without.status, len(stray))
	}
	// A bare 0 is HTTP/2 for a request that is no request.
	bad := func(a answer) bool { return a.status == 400 || a.status == 0 && p.name == "HTTP2" }
	switch x.verdict {
	case refused:
		if !bad(without) || !bad(with) || len(requests) > 0 {
			t.Errorf("status %d %s and %d %s, %d requests at the upstream; want 400", without.status, without.reason, with.status, with.reason, len(requests))
		}
	case unknown:
		isRefused, isProtected := bad(without) && bad(with) && len(requests) == 0, without.status == 401 && with.status == 200
		if !isRefused && !isProtected {
			t.Errorf("status %d and %d", without.status, with.status)
		}
	case protected:
		if without.status != 401 || with.status != 200 {
			t.Errorf("status %d and %d %s, want 401 and 200", without.status, with.status, with.reason)
		}
	case open:
		if without.status != 200 || with.status != 200 {
			t.Errorf("status %d and %d, want 200", without.status, with.status)
		}
	}
	for _, r := range requests {
		if r.Target != x.raw {
			t.Errorf("the upstream got the target %q, judged was %q", r.Target, x.raw)
		}
		carries(t, r, signedIn())
	}
}

func pathThreats() []threat {
	return []threat{
		{"PATH-01", targets(target{"/admin?x=/public/", protected}, target{"/admin?/public/x", protected}, target{"/private?path=/status", protected},
			target{"/admin?", protected}, target{"/?/public/../public/x", protected}, target{"/public/x?y", open})},
		{"PATH-04", targets(target{"/public/../admin", refused}, target{"/public/./x", refused}, target{"/./public/x", refused}, target{"/public/..", refused},
			target{"/public/.", refused}, target{"/../public/x", refused}, target{"/public/x/../../admin", refused}, target{"/public/...", open}, target{"/public/.x", open})},
		{"PATH-05", targets(target{"/public/%2e%2e/admin", refused}, target{"/public/.%2e/admin", refused}, target{"/public/%2E./admin", refused},
			target{"/public/%2E%2E/admin", refused}, target{"/public/%2e/x", refused}, target{"/public/%2e%2e", refused})},
		{"PATH-06", targets(target{"/public/..%2fadmin", refused}, target{"/public%2f..%2fadmin", refused}, target{"/public%2F..%2Fadmin", refused},
			target{"/public/..%2Fadmin", refused}, target{"/public/%2e%2e%2fadmin", refused}, target{"/public/..%5cadmin", refused}, target{"/public/..\\admin", refused})},
		{"PATH-07", targets(target{"/public/a%2fb", protected}, target{"/public/a%2Fb", protected}, target{"/public/a%5cb", refused}, target{"/public/a%5Cb", refused},
			target{"/public/a%3bb", protected}, target{"/public/a%3Bb", protected}, target{"/public/a%3f", protected}, target{"/public/a%3F", protected},
			target{"/p%75blic/x", protected}, target{"/%70ublic/x", protected}, target{"/public%2fx", protected}, target{"/public%2Fx", protected})},
		{"PATH-11", targets(target{"/public/%252e%252e/admin", protected}, target{"/public/%25%32%65%25%32%65/admin", protected}, target{"/public/%25", protected}, target{"/public/%252f", protected})},
		{"PATH-12", targets(target{"/public;/../admin", refused}, target{"/admin;.css", protected}, target{"/admin;jsessionid=1", protected}, target{"/public/..;/admin", unknown},
			target{"/public/x;y", protected}, target{"/public;/x", protected}, target{"/public/.;/x", unknown}, target{"/public/..%3b/admin", unknown})},
		{"PATH-13", targets(target{"/admin%00", refused}, target{"/admin%00.png", refused}, target{"/public/%00/../admin", refused}, target{"/public/x%00", refused},
			target{"/public/%0a", refused}, target{"/public/%7f", refused}, target{"/public/%c2%85", refused})},
		{"PATH-15", targets(target{"/admin/", protected}, target{"/admin/.", refused}, target{"/admin./", protected}, target{"/admin%20", protected}, target{"/admin.json", protected},
			target{"/admin%09", refused}, target{"/healthz/", protected}, target{"/healthz%20", protected}, target{"/healthz.", protected})},
		{"PATH-16", targets(target{"/publicadmin", protected}, target{"/public-admin", protected}, target{"/public%2fadmin", protected}, target{"/public", protected},
			target{"/Public/x", protected}, target{"/PUBLIC/x", protected}, target{"/healthzx", protected}, target{"//public/x", protected}, target{"/public//x", protected},
			target{"/x/public/x", protected}, target{"/public/", open}, target{"/healthz", open})},
		{"PATH-17", targets(target{"/public../admin", protected}, target{"/public./admin", protected}, target{"/public/..;/admin", unknown}, target{"/public../../admin", refused})},
		{"PATH-19", func(t *testing.T) {
			for _, base := range []string{"/base", "/base/", "/../x", "?x=y", "#x", "/%2e%2e"} {
				if err := refusedAtStart(t, "AUTHPROXY_UPSTREAM=http://127.0.0.1:1"+base); err == nil {
					t.Errorf("an upstream with %q is accepted", base)
				}
			}
		}},
		{"PATH-22", testForeignTargets},
		{"PATH-23", targets(target{"/public/%c0%ae%c0%ae/admin", refused}, target{"/public/%c0%af", refused}, target{"/public/%ff", refused}, target{"/public/%ef%bc%8f..%ef%bc%8fadmin", open},
			target{"/．．／public/x", unknown}, target{"/adm%C4%B1n", protected}, target{"/%E2%84%AAey", protected}, target{"/ｐublic/x", unknown}, target{"/key", open},
			target{"/public/é", unknown}, target{"/%ef%bd%90ublic/x", protected}, target{"/public/%", refused}, target{"/public/%zz", refused}, target{"/public/%u002e", refused})},
		{"PATH-24", testRawBytes},
		{"PATH-25", targets(target{"/admin?a=1;role=admin", protected}, target{"/admin?x=%zz", protected}, target{"/admin?a=1;b=2&c=%zz&d=%", protected}, target{"/admin?a=1&a=2&A=3", protected},
			target{"/admin?" + strings.Repeat("a=1&", 10000) + "role=admin", protected}, target{"/admin?a=b?c=d#", unknown}, target{"/admin?q=%00", protected}, target{"/admin?[x]={y}|^\"<>`'", protected},
			target{"/public/x?a=1;role=admin&b=%zz", open})},
		{"PATH-28", func(t *testing.T) {
			for _, paths := range []string{"public", "/a*b", "/*/x", "/a/**", "/x,,/y", "/a/../b", "/a%2fb", "/_authproxy/*", "//x", "/a;b", "^/public$", "(?i)/public", "/a?b"} {
				if err := refusedAtStart(t, "AUTHPROXY_PUBLIC_PATHS="+paths); err == nil {
					t.Errorf("the public paths %q are accepted", paths)
				}
			}
		}},
		{"PATH-34", targets(target{"/page.rsc", protected}, target{"/_next/data/build/page.json", protected}, target{"/page?_rsc=1", protected}, target{"/index.html.gz", protected}, target{"/page/__nextjs", protected})},
		{"PATH-35", func(t *testing.T) {
			started := time.Now()
			targets(target{strings.Repeat("/..", 20000), refused}, target{"/public" + strings.Repeat("/%2e%2e", 8000), refused}, target{strings.Repeat("/", 60000), protected})(t)
			if took := time.Since(started); took > 30*time.Second {
				t.Errorf("took %s", took)
			}
		}},
	}
}

// Only a path is a target (and "*" is none of ours).
func testForeignTargets(t *testing.T) {
	for _, x := range []string{"http://evil.example/admin", "https://app.example.com/public/x", "*", "", "admin", "?x", "public/x", "//", "evil.example:80", "/%", "\\public\\x"} {
		for _, lines := range [][]string{nil, {cookie(ordinary())}} {
			t.Run("HTTP2/"+x, func(t *testing.T) {
				t.Parallel()
				g := start(t, setup{})
				client := g.dialH2(t)
				fields := call{lines: lines}.fields("http")
				for i := range fields {
					if fields[i].Name == ":path" {
						fields[i].Value = x
					}
				}
				got := h2Answer(t, client.Request("", fields...))
				statuses, passes := []int{400, 0}, false
				if x == "//" { // an odd path, but a path
					statuses, passes = []int{401}, lines != nil
				}
				if passes {
					statuses = []int{200}
				}
				if n := len(g.fresh(t)); (n > 0) != passes || !slices.Contains(statuses, got.status) {
					t.Errorf("status %d %s, %d requests at the upstream", got.status, got.reason, n)
				}
			})
		}
		if x == "" || x == "//" {
			continue
		}
		t.Run("HTTP1/"+x, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			got := sendHTTP1(t, g, call{target: x, lines: []string{cookie(ordinary())}})
			if n := len(g.fresh(t)); got.status != 400 || n > 0 {
				t.Errorf("status %d %s, %d requests at the upstream", got.status, got.reason, n)
			}
		})
	}
}

// Raw bytes that no target may hold are refused on both protocols; those above
// ASCII are never public.
func testRawBytes(t *testing.T) {
	for _, p := range []protocol{http1(), http2()} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{})
			for b := range 256 {
				if b > ' ' && b < 0x7f || p.name == "HTTP1" && b == '\n' {
					continue
				}
				for _, raw := range []string{"/public/a" + string([]byte{byte(b)}) + "b", "/public/x?a" + string([]byte{byte(b)}) + "b"} {
					got := p.send(t, g, call{target: raw})
					requests := g.fresh(t)
					switch {
					case len(requests) == 0 && (got.status == 400 || got.status == 0):
					case b >= 0x80 && strings.Contains(raw, "?") && len(requests) == 1 && requests[0].Target == raw: // the query is opaque
					default:
						t.Errorf("%q: status %d, the upstream got %q", raw, got.status, paths(requests))
					}
				}
			}
		})
	}
}

// at is a request for path over HTTP/1.1, for tests that write it themselves.
func at(path string) string { return call{target: path}.raw() }

func paths(requests []*wiretest.Request) []string {
	var all []string
	for _, r := range requests {
		all = append(all, r.Target)
	}
	return all
}
