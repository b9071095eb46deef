// Package account answers the reserved paths that people and their applications
// use: who am I, and sign me in.
package account

import (
	"net/http"
	"net/url"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/route"
)

// The reserved paths this package answers.
const (
	WhoamiPath = route.Prefix + "whoami"
	SignInPath = route.Prefix + "sign-in"
)

// Config says what the pages need to know.
type Config struct {
	SignInURL *url.URL           // nil: none known
	Origins   []authproxy.Origin // the public origins; empty: the request's own
	// Respond renders a Decision that refuses or redirects. Required.
	Respond func(http.ResponseWriter, *http.Request, authproxy.Decision)
}

// Pages answers the reserved paths.
type Pages struct{ cfg Config }

// New returns the pages.
func New(cfg Config) *Pages { return &Pages{cfg} }

// Serve answers a request on a reserved path that the Decider let through as d.
func (p *Pages) Serve(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		p.refuse(w, r, d, authproxy.MethodNotAllowed, "GET and HEAD only")
		return
	}
	switch r.URL.Path {
	case WhoamiPath:
		p.whoami(w, r, d)
	case SignInPath:
		p.signIn(w, r, d)
	default:
		p.refuse(w, r, d, authproxy.NotFound, "nothing answers here")
	}
}

// signIn sends the browser to Clerk and back to redirect_url.
func (p *Pages) signIn(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
	if p.cfg.SignInURL == nil {
		p.refuse(w, r, d, authproxy.NotFound, "no sign-in page is known; set CLERK_SIGN_IN_URL")
		return
	}
	origins := p.cfg.Origins
	if len(origins) == 0 {
		origins = []authproxy.Origin{d.Origin}
	}
	back := route.ReturnTo(route.Parameter(r.URL.RawQuery, "redirect_url"), d.Origin, origins)
	d.Action, d.Location = authproxy.Redirect, route.SignInLocation(p.cfg.SignInURL, d.Origin, "", back)
	p.cfg.Respond(w, r, d)
}

func (p *Pages) refuse(w http.ResponseWriter, r *http.Request, d authproxy.Decision, reason authproxy.Reason, detail string) {
	d.Action, d.Reason, d.Detail = authproxy.Deny, reason, detail
	p.cfg.Respond(w, r, d)
}
