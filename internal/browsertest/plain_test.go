package browsertest_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// typed is what plain.mjs types.
var typed = strings.Repeat("What I typed: “ä & = + %41” \n and more.\n", 200)

// TestNoFrontend: on an application without any script of Clerk's, pages are left
// alone for five minutes at a time. Links, forms and files arrive signed in and
// whole all the same, the first thing after the break or not.
func TestNoFrontend(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]site{"development": {}, "production": {production: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.template = clerkdev.DefaultTemplate
			r := start(t, s)
			r.play(t, "plain.mjs", "SECRET=yes")
			spans := r.between(t, "signed in", "leaving")
			var all counted
			for _, span := range spans {
				all.add(signedIn(t, span, r.user(t, "ada").ID))
			}
			if len(spans) != 2 || all.refreshes != 4 || all.handshakes != 0 || bothSides(t, r.all()) != 4 {
				t.Errorf("%d people; %s", len(spans), all)
			}
			if n := r.textsArrived(t, spans); n != 2 {
				t.Errorf("%d forms arrived", n)
			}
			r.fileArrived(t, spans[0])
			t.Log(all)
			if t.Failed() {
				t.Log(r.journal)
			}
		})
	}
}

// TestNoFrontendNoSecret: without a secret key a link survives by a handshake. A
// form does not: it is refused with a reason, what was typed is still there behind
// the Back button, and any page that is loaded in between renews the session.
func TestNoFrontendNoSecret(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]site{"development": {}, "production": {production: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.noSecret = true
			r := start(t, s)
			r.play(t, "plain.mjs", "SECRET=no")
			ada := r.user(t, "ada").ID
			all := signedIn(t, r.span(t, "signed in", "typing"), ada)
			after := r.span(t, "renewed elsewhere", "leaving")
			all.add(signedIn(t, after, ada))
			if all.handshakes != 1 || all.refreshes != 0 {
				t.Errorf("by the link: %s", all)
			}
			if n := r.textsArrived(t, [][]entry{after}); n != 1 {
				t.Errorf("%d forms arrived", n)
			}
			r.refusedOnce(t, "session-token-expired-")
			if t.Failed() {
				t.Log(r.journal)
			}
		})
	}
}

// TestTooLargeForACookie: without a secret key a production instance brings its
// answer in a cookie with the session token in it twice. One that carries the
// product's claims does not fit, and the page says so. Signing in leads on.
func TestTooLargeForACookie(t *testing.T) {
	t.Parallel()
	r := start(t, site{production: true, noSecret: true, template: clerkdev.DefaultTemplate})
	r.play(t, "plain.mjs", "SECRET=no", "TOO_LARGE=yes")
	r.refusedOnce(t, "session-token-expired-")
	if t.Failed() {
		t.Log(r.journal)
	}
}

// refusedOnce: exactly one request was refused, for such a reason, and nothing
// reached the application as nobody's.
func (r *rig) refusedOnce(t *testing.T, reason string) {
	t.Helper()
	var got []string
	for _, e := range r.all() {
		if a := e.answer; a != nil && a.status == http.StatusUnauthorized {
			got = append(got, a.header.Get("X-Clerk-Auth-Reason"))
		}
		if a := e.arrival; a != nil && a.status != "authenticated" {
			t.Errorf("%s %s arrives as %s", a.method, a.path, a.status)
		}
	}
	if len(got) != 1 || !strings.HasPrefix(got[0], reason) {
		t.Errorf("refused with %q", got)
	}
}

// textsArrived counts the forms that arrived, which must be whole.
func (r *rig) textsArrived(t *testing.T, spans [][]entry) (n int) {
	t.Helper()
	for _, span := range spans {
		for _, e := range span {
			if a := e.arrival; a != nil && a.method == http.MethodPost && a.contentType == "application/x-www-form-urlencoded" {
				arrivedWhole(t, a, typed)
				n++
			}
		}
	}
	return n
}

// fileArrived: five megabytes arrive as they were sent.
func (r *rig) fileArrived(t *testing.T, span []entry) {
	t.Helper()
	want := bytes.Repeat([]byte("authproxy "), 5<<20/10+1)[:5<<20]
	for _, e := range span {
		a := e.arrival
		if a == nil || !strings.HasPrefix(a.contentType, "multipart/form-data") {
			continue
		}
		_, parameters, err := mime.ParseMediaType(a.contentType)
		if err != nil {
			t.Fatal(err)
		}
		part, err := multipart.NewReader(strings.NewReader(a.body), parameters["boundary"]).NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(part); err != nil || !bytes.Equal(got, want) || part.FileName() != "five megabytes.bin" {
			t.Errorf("%d bytes of %q arrived (%v)", len(got), part.FileName(), err)
		}
		return
	}
	t.Error("no file arrived")
}
