package account

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed" // the page
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/route"
)

// ErrSessionOver says that a session need not be ended: Clerk does not know it,
// or it has ended before.
var ErrSessionOver = errors.New("the session is over")

//go:embed signout.html
var signOutHTML string

var signOutPage = template.Must(template.Must(template.New("load").Parse(loadJS)).New("sign-out").Parse(signOutHTML))

// longestForm bounds what is read of a form: a return address, escaped.
const longestForm = 3*longestReturn + 1024

// patience bounds how long Clerk may take to end a session.
const patience = 10 * time.Second

// endedField says that clerk-js has ended the session and only our cookies are left.
const endedField = "ended"

// signOutView is what the page shows.
type signOutView struct {
	Nonce, Path, Back string
	Notice            string    // why the last attempt failed; "" for none
	Clerk             *settings // the page signs out with clerk-js; nil: it only asks
}

// signOut asks by GET and does it by POST, so that a link, an image or a prefetch
// signs nobody out.
func (p *Pages) signOut(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
	if r.Method == http.MethodPost {
		p.leave(w, r, d)
		return
	}
	back := p.back(d, route.Parameter(r.URL.RawQuery, returnField))
	p.showSignOut(w, r, d, http.StatusOK, signOutView{Back: back})
}

// leave ends the session at Clerk, then here: without the former the next
// handshake would bring it back.
func (p *Pages) leave(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
	// Whatever the proxy lets other sites do: signing somebody out is no use of the
	// application.
	if !sameOrigin(r.Header, d.Origin) {
		p.refuse(w, r, d, authproxy.CrossOrigin, fmt.Sprintf("signing out with Sec-Fetch-Site %.20q, Origin %.100q; expected from %s",
			r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin"), d.Origin))
		return
	}
	form, refusal := readForm(r)
	if refusal != nil {
		p.refuse(w, r, d, refusal.Reason, refusal.Detail)
		return
	}
	raw := route.Parameter(form, returnField)
	if raw == "" {
		raw = route.Parameter(r.URL.RawQuery, returnField)
	}
	back := p.back(d, raw)
	// Somebody may be signed in, and the proxy cannot say with which session: Clerk
	// can.
	elsewhere := d.Identity == nil && !slices.Contains([]authproxy.Reason{"", authproxy.SessionTokenAndUATMissing, authproxy.KeysUnavailable}, d.Reason)
	if (p.cfg.Revoke == nil || elsewhere) && route.Parameter(form, endedField) == "" {
		if s, ok := p.settings(d.Origin); ok {
			p.showSignOut(w, r, d, http.StatusOK, signOutView{Back: back, Clerk: &s})
			return
		}
	}
	err := p.revoke(r.Context(), d.Identity)
	if p.cfg.Revoke != nil && d.Identity == nil && d.Reason == authproxy.KeysUnavailable {
		err = errWhose
	}
	if err != nil {
		p.cfg.Log.Warn("a session could not be ended at Clerk", "error", err)
		w.Header().Set("Retry-After", "5")
		p.showSignOut(w, r, d, http.StatusServiceUnavailable, signOutView{Back: back,
			Notice: "Clerk could not be reached, so your session could not be ended: you are still signed in."})
		return
	}
	h := w.Header()
	own(h)
	p.expire(h, d.Origin)
	h.Set("Location", inASCII(back))
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusSeeOther)
}

// errWhose says that a session is presented and nobody can say whose it is.
var errWhose = errors.New("account: there are no keys to verify the session with")

// revoke ends the session of a person at Clerk. It goes on when the browser does
// not wait for it: a tab that is closed must not keep a session alive.
func (p *Pages) revoke(ctx context.Context, id *authproxy.Identity) error {
	if p.cfg.Revoke == nil || id == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := p.cfg.Revoke(ctx, id.SessionID); err != nil && !errors.Is(err, ErrSessionOver) {
		return fmt.Errorf("account: revoke: %w", err)
	}
	return nil
}

// showSignOut writes the page.
func (p *Pages) showSignOut(w http.ResponseWriter, r *http.Request, d authproxy.Decision, status int, view signOutView) {
	view.Nonce, view.Path = rand.Text(), SignOutPath
	var page bytes.Buffer
	if err := signOutPage.Execute(&page, view); err != nil {
		p.refuse(w, r, d, authproxy.InternalError, "the page cannot be shown")
		return
	}
	h := w.Header()
	own(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", view.policy())
	h.Set("Referrer-Policy", "same-origin") // not no-referrer, which makes the form's Origin null
	send(w, r, status, page.Bytes())
}

// policy is the page's Content-Security-Policy. It has no form-action: Chromium
// applies that to the redirects behind the form, too, and they lead to other
// origins. clerk-js loads parts of itself, works in a worker that it makes from a
// blob, and talks to the Frontend API alone.
func (v signOutView) policy() string {
	policy := "default-src 'none'; style-src 'nonce-" + v.Nonce + "'; base-uri 'none'; frame-ancestors 'none'"
	if v.Clerk == nil {
		return policy
	}
	policy += "; script-src 'nonce-" + v.Nonce + "' 'strict-dynamic'; worker-src blob:; connect-src 'self'"
	if u, err := url.Parse(v.Clerk.Source); err == nil && u.Host != "" && !strings.ContainsAny(u.Host, ";, '\"") {
		policy += " " + u.Scheme + "://" + u.Host
	}
	return policy
}

// sameOrigin reports whether a request comes from a page of the origin here, or
// from no page. Sec-Fetch-Site is the browser's word and Origin is for browsers
// without it; what sends neither is no browser, or one from before 2020.
func sameOrigin(h http.Header, here authproxy.Origin) bool {
	sites, origins := h.Values("Sec-Fetch-Site"), h.Values("Origin")
	switch {
	case len(sites) > 1 || len(origins) > 1:
		return false
	case len(sites) == 1:
		return sites[0] == "same-origin" || sites[0] == "none"
	case len(origins) == 1:
		return here != (authproxy.Origin{}) && origins[0] == here.String()
	default:
		return true
	}
}

// readForm returns the text of a form, and nothing for a body of another kind.
func readForm(r *http.Request) (string, *authproxy.Refusal) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return "", nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, longestForm+1)) //nolint:forbidigo // longestForm is the bound
	switch {
	case err != nil:
		return "", &authproxy.Refusal{Reason: authproxy.BodyInvalid, Detail: "the form cannot be read"}
	case len(body) > longestForm:
		return "", authproxy.Refuse(authproxy.RequestTooLarge, "the form is longer than %d bytes", longestForm)
	}
	return string(body), nil
}

// inASCII escapes what a browser would escape and a header value cannot hold.
func inASCII(location string) string {
	var b strings.Builder
	for i := range len(location) {
		if c := location[i]; c <= ' ' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// send writes an answer; a client that went away is told nothing.
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
