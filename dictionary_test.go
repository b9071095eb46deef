package authproxy_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
)

func TestZeroDecisionDenies(t *testing.T) {
	t.Parallel()
	var d authproxy.Decision
	if d.Action != authproxy.Deny || d.SignedIn() {
		t.Errorf("the zero Decision is %v, signed in %v", d.Action, d.SignedIn())
	}
	if got := d.Reason.Status(); got != http.StatusInternalServerError {
		t.Errorf("a decision without a reason answers %d", got)
	}
}

// TestReasonsAreAClosedSet: every word has a row that can be shown to a person,
// and no two rows are the same word.
func TestReasonsAreAClosedSet(t *testing.T) {
	t.Parallel()
	seen := map[authproxy.Reason]bool{}
	for _, r := range authproxy.Reasons() {
		if seen[r] {
			t.Errorf("%s has two rows", r)
		}
		seen[r] = true
		// Only the codes of Clerk's Backend API have underscores.
		ours := strings.TrimPrefix(string(r), "session-token-expired-refresh-")
		if strings.ToLower(string(r)) != string(r) || strings.Contains(string(r), " ") || ours == string(r) && strings.Contains(ours, "_") {
			t.Errorf("%q is not spelled like a reason", r)
		}
		if r.Status() < 400 || r.Status() > 599 || !strings.HasSuffix(r.Title(), ".") || !strings.HasSuffix(r.Advice(), ".") {
			t.Errorf("%s: %d %q %q", r, r.Status(), r.Title(), r.Advice())
		}
	}
}

func TestRefusalKeepsItsCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("inside")
	err := error(&authproxy.Refusal{Reason: authproxy.TokenInvalid, Detail: "outside", Cause: cause})
	if !errors.Is(err, cause) || err.Error() != "token-invalid: outside: inside" {
		t.Errorf("%v", err)
	}
}

func TestPageLoad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, dest, accept string
		page, html           bool
	}{
		{"GET", "document", "", true, true},
		{"GET", "iframe", "*/*", true, true},
		{"GET", "", "text/html,*/*", true, true},
		{"POST", "document", "text/html", false, true},
		{"HEAD", "document", "", false, true},
		{"GET", "empty", "text/html", false, false},
		{"GET", "", "*/*", false, false},
		{"GET", "", "TEXT/HTML", false, false},
		{"GET", "", "application/xhtml+xml,text/html", false, false},
		{"get", "document", "", false, true},
	} {
		r := authproxy.Request{Method: tt.method, Header: http.Header{}}
		if tt.dest != "" {
			r.Header.Set("Sec-Fetch-Dest", tt.dest)
		}
		if tt.accept != "" {
			r.Header.Set("Accept", tt.accept)
		}
		if r.PageLoad() != tt.page || r.WantsPage() != tt.html {
			t.Errorf("%+v: page load %v, wants page %v", tt, r.PageLoad(), r.WantsPage())
		}
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	preflight := func(change func(*authproxy.Request)) bool {
		r := &authproxy.Request{Method: "OPTIONS", Header: http.Header{"Origin": {"https://a"}, "Access-Control-Request-Method": {"PUT"}}}
		change(r)
		return r.Preflight()
	}
	if !preflight(func(*authproxy.Request) {}) {
		t.Error("a preflight is none")
	}
	for name, change := range map[string]func(*authproxy.Request){
		"another method":     func(r *authproxy.Request) { r.Method = "POST" },
		"a body":             func(r *authproxy.Request) { r.HasBody = true },
		"an upgrade":         func(r *authproxy.Request) { r.Upgrade = true },
		"no origin":          func(r *authproxy.Request) { r.Header.Del("Origin") },
		"no method asked of": func(r *authproxy.Request) { r.Header.Del("Access-Control-Request-Method") },
	} {
		if preflight(change) {
			t.Errorf("with %s it is still a preflight", name)
		}
	}
}
