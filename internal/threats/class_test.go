package threats_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/minttest"
	"github.com/manageros/authproxy/internal/wiretest"
)

// class is a kind of request as the proxy tells them apart. Every forgery is
// tried on all of them, because most published fixes were forgotten on one.
type class struct {
	name      string
	call      call
	status    int               // without an attack
	upstream  map[string]string // what the upstream can read; nil when nothing may reach it
	http1Only bool
}

func classes() []class {
	session, origin := cookie(ordinary()), "Origin: "+minttest.App
	return []class{
		{"protected with a cookie", call{lines: []string{session}}, 200, signedIn(), false},
		{"protected with a bearer", call{method: "POST", lines: []string{bearer(ordinary()), "Content-Length: 0"}}, 200, signedIn(), false},
		{"protected with nothing", call{}, 401, nil, false},
		{"protected page with nothing", call{lines: []string{"Sec-Fetch-Dest: document"}}, 302, nil, false},
		{"public with a cookie", call{target: "/public/x", lines: []string{session}}, 200, signedIn(), false},
		{"public with nothing", call{target: "/public/x"}, 200, nobody(), false},
		{"public with a bad cookie", call{target: "/public/x", lines: []string{cookie("a.b.c")}}, 200, nobody(), false},
		{"health", call{target: "/healthz"}, 200, nobody(), false},
		{"HEAD", call{method: "HEAD", target: "/public/x"}, 200, nobody(), false},
		{"preflight", call{method: "OPTIONS", lines: []string{origin, "Access-Control-Request-Method: PUT", session}}, 200, nobody(), false},
		{"OPTIONS that is none", call{method: "OPTIONS"}, 401, nil, false},
		{"reserved", call{target: "/_authproxy/nothing", lines: []string{session}}, 404, nil, false},
		{"upgrade with a cookie", call{lines: []string{session, origin, "Connection: Upgrade", upgrade}}, 101, signedIn(), true},
		{"upgrade with nothing", call{lines: []string{origin, "Connection: Upgrade", upgrade}}, 401, nil, true},
		{"public upgrade", call{target: "/public/x", lines: []string{"Connection: Upgrade", upgrade}}, 101, nobody(), true},
	}
}

// lines is something an attacker adds to a request.
type lines struct {
	name  string
	lines []string
	gone  []string // names of which the upstream may read no value, beside the owned ones
	first bool     // put it before the other lines
	keeps bool     // what is added may arrive, only not as an identity
	http1 bool     // other protocols cannot say it
}

// everywhere sends each of attacks with every class of request over every
// protocol: the answer is the one without the attack, and the upstream reads
// what the token says and nothing else.
func everywhere(t *testing.T, attacks ...lines) {
	t.Helper()
	for _, p := range []struct {
		protocol
		tls bool
	}{{http1(), false}, {http2(), false}, {protocol{"HTTP1-TLS", sendHTTP1}, true}, {protocol{"HTTP2-TLS", sendHTTP2}, true}} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, setup{tls: p.tls})
			for _, a := range attacks {
				for _, c := range classes() {
					if strings.HasPrefix(p.name, "HTTP1") || !a.http1 && !c.http1Only {
						t.Run(a.name+"/"+c.name, func(t *testing.T) { try(t, g, p.protocol, c, a) })
					}
				}
			}
		})
	}
}

func try(t *testing.T, g *rig, p protocol, c class, a lines) {
	t.Helper()
	sent := c.call.with(a.lines...)
	if a.first {
		sent.lines = slices.Concat(a.lines, c.call.lines)
	}
	got := p.send(t, g, sent)
	if got.status != c.status {
		t.Errorf("status %d %s, want %d", got.status, got.reason, c.status)
	}
	requests := g.fresh(t)
	if c.upstream == nil {
		if len(requests) > 0 {
			t.Errorf("the upstream got %s", requests[0].Raw)
		}
		return
	}
	if len(requests) != 1 {
		t.Fatalf("the upstream got %d requests", len(requests))
	}
	r := requests[0]
	carries(t, r, c.upstream)
	absent(t, r, a.gone...)
	if !a.keeps && bytes.Contains(r.Raw, []byte(forged)) {
		t.Errorf("something of the forgery arrived\n%s", r.Raw)
	}
	keepsSecrets(t, r)
}

func absent(t *testing.T, r *wiretest.Request, names ...string) {
	t.Helper()
	for _, name := range names {
		if got := r.Readable(name); len(got) > 0 {
			t.Errorf("the upstream can read %q for %s\n%s", got, name, r.Raw)
		}
	}
}
