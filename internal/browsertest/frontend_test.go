package browsertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// TestRealFrontend: somebody signs in with npm's clerk-js, works, sleeps, switches
// organisation and leaves. Between signing in and signing out no page load arrives
// as nobody, and none is sent to sign in.
func TestRealFrontend(t *testing.T) {
	t.Parallel()
	var plays sync.WaitGroup
	for name, s := range map[string]site{
		"development, one tag":                     {scripted: oneTag, template: clerkdev.DefaultTemplate},
		"development, its own clerk-js, no secret": {scripted: direct, noSecret: true, through: true, template: clerkdev.DefaultTemplate},
		"production, its own clerk-js":             {scripted: direct, production: true, template: clerkdev.DefaultTemplate},
		// Without the product's claims: see TestTooLargeForACookie.
		"production, one tag, no secret": {scripted: oneTag, noSecret: true, production: true},
	} {
		// All at once, however few tests may run in parallel: they wait, mostly.
		plays.Go(func() {
			t.Run(name, func(t *testing.T) {
				s.lifetime, s.signIn = 15*time.Second, "/welcome"
				r := start(t, s)
				secret := "yes"
				if s.noSecret {
					secret = "no"
				}
				r.play(t, "frontend.mjs", "HARBOUR="+r.harbour, "QUARRY="+r.quarry, "SECRET="+secret)
				judge(t, r)
			})
		})
	}
	plays.Wait()
}

// judge reads the journal of a play in which Ada was signed in twice.
func judge(t *testing.T, r *rig) {
	t.Helper()
	ada := r.user(t, "ada").ID
	spans := r.between(t, "signed in", "signing out")
	if len(spans) != 2 {
		t.Fatalf("signed in %d times:\n%s", len(spans), r.journal)
	}
	var all counted
	for _, span := range spans {
		all.add(signedIn(t, span, ada))
	}
	renewed := bothSides(t, r.all())
	mints := 0
	for _, e := range r.all() {
		if a := e.answer; a != nil && a.method == http.MethodPost && strings.HasPrefix(a.path, clerkdev.FrontendPath) && strings.Contains(a.path, "/tokens") {
			mints++
		}
		if a := e.arrival; a != nil && strings.Contains(a.cookies, "__") {
			t.Errorf("%s %s brings the application %s", a.method, a.path, a.cookies)
		}
	}
	if all.pages < 10 || mints < 4 {
		t.Errorf("too little happened: %d page loads, %d tokens", all.pages, mints)
	}
	if !r.noSecret && (all.refreshes == 0 || renewed == 0) {
		t.Errorf("nothing was refreshed: %s", all)
	}
	if !r.noSecret {
		formKept(t, spans[0])
	}
	t.Logf("%s; %d tokens were fetched by clerk-js; %d answers brought cookies of both sides", all, mints, renewed)
	if t.Failed() {
		t.Log(r.journal)
	}
}

// formKept: what somebody typed before the tab was frozen arrives as it was.
func formKept(t *testing.T, span []entry) {
	t.Helper()
	for _, e := range span {
		if a := e.arrival; a != nil && a.method == http.MethodPost {
			arrivedWhole(t, a, "kept whole: "+strings.Repeat("äöü\n", 2000))
			return
		}
	}
	t.Error("no form arrived")
}

// arrivedWhole: a form brings the text that was typed.
func arrivedWhole(t *testing.T, a *arrival, typed string) {
	t.Helper()
	form, err := url.ParseQuery(a.body)
	if got := strings.ReplaceAll(form.Get("text"), "\r\n", "\n"); err != nil || got != typed {
		t.Errorf("%d characters were typed, and %d arrived (%v)", len(typed), len(got), err)
	}
}
