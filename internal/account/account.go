// Package account answers the reserved paths that people and their applications
// use: who am I, sign me in, sign me out, and keep my session fresh.
package account

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/route"
)

// The reserved paths this package answers.
const (
	WhoamiPath        = route.Prefix + "whoami"
	SignInPath        = route.Prefix + "sign-in"
	SignOutPath       = route.Prefix + "sign-out"
	SessionScriptPath = route.Prefix + "session.js"
)

// Config says what the pages need to know.
type Config struct {
	// SignInURL is the sign-in page as configured; nil: none known. A satellite's
	// clerk-js is told of it, too.
	SignInURL *url.URL
	// SignIn is where a browser signs in on the public origin, below the sign-in
	// page where that is not "", on the way back to returnTo; "" is nowhere. It
	// takes precedence over SignInURL; nil: SignInURL says it.
	SignIn  func(origin authproxy.Origin, r *http.Request, below, returnTo string) string
	Origins []authproxy.Origin // the public origins; empty: the request's own

	// Revoke ends a session at Clerk. An error that wraps [ErrSessionOver] says
	// that there is nothing to end any more; any other that it may be alive. nil:
	// there is no secret key, and the browser has to do it with clerk-js.
	Revoke func(ctx context.Context, sessionID string) error
	// Instance is the Clerk instance; nil: not known, so that only cookies
	// without a suffix are its own, and there is no clerk-js.
	Instance *authproxy.Instance
	// FrontendURL is the base URL of the Frontend API for pages of a public
	// origin, without a slash at its end; "" is none. nil: there is none.
	FrontendURL func(authproxy.Origin) string
	ProxyURL    string // of the Frontend API, as configured: absolute, a path, or ""
	Domain      string // of a satellite; "" for none
	Satellite   bool

	Log *slog.Logger // nil: discard
	// Respond renders a Decision that refuses or redirects. Required.
	Respond func(http.ResponseWriter, *http.Request, authproxy.Decision)
}

// Pages answers the reserved paths.
type Pages struct{ cfg Config }

// New returns the pages.
func New(cfg Config) *Pages {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Pages{cfg}
}

// Serve answers a request on a reserved path that the Decider let through as d.
func (p *Pages) Serve(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
	var answer func(http.ResponseWriter, *http.Request, authproxy.Decision)
	methods := []string{http.MethodGet, http.MethodHead}
	switch r.URL.Path {
	case WhoamiPath:
		answer = p.whoami
	case SignInPath:
		answer = p.signIn
	case SignOutPath:
		answer, methods = p.signOut, append(methods, http.MethodPost)
	case SessionScriptPath:
		answer = p.sessionScript
	default:
		answer = func(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
			p.refuse(w, r, d, authproxy.NotFound, "nothing answers here")
		}
	}
	if slices.Contains(methods, r.Method) {
		answer(w, r, d)
		return
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	p.refuse(w, r, d, authproxy.MethodNotAllowed, strings.Join(methods, ", ")+" only")
}

// signIn sends the browser to Clerk and back to redirect_url.
func (p *Pages) signIn(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
	to := p.signInLocation(r, d.Origin, p.back(d, route.Parameter(r.URL.RawQuery, returnField)))
	if to == "" {
		p.refuse(w, r, d, authproxy.NotFound, "no sign-in page is known; set CLERK_SIGN_IN_URL")
		return
	}
	d.Action, d.Location = authproxy.Redirect, to
	p.cfg.Respond(w, r, d)
}

func (p *Pages) signInLocation(r *http.Request, origin authproxy.Origin, returnTo string) string {
	switch {
	case p.cfg.SignIn != nil:
		return p.cfg.SignIn(origin, r, "", returnTo)
	case p.cfg.SignInURL != nil:
		return route.SignInLocation(p.cfg.SignInURL, origin, "", returnTo)
	default:
		return ""
	}
}

// returnField is the parameter that says where to go afterwards.
const returnField = "redirect_url"

// longestReturn bounds the Location header; a longer way back is forgotten
// rather than cut.
const longestReturn = 4096

// back is where the browser goes afterwards: to raw, if that is on a public
// origin (threats, RD rows).
func (p *Pages) back(d authproxy.Decision, raw string) string {
	origins := p.cfg.Origins
	if len(origins) == 0 {
		origins = []authproxy.Origin{d.Origin}
	}
	here := d.Origin
	if here == (authproxy.Origin{}) { // a bearer may come by a host that is none of the origins
		here = origins[0]
	}
	if len(raw) > longestReturn {
		raw = ""
	}
	return route.ReturnTo(raw, here, origins)
}

func (p *Pages) refuse(w http.ResponseWriter, r *http.Request, d authproxy.Decision, reason authproxy.Reason, detail string) {
	d.Action, d.Reason, d.Detail = authproxy.Deny, reason, detail
	p.cfg.Respond(w, r, d)
}

// own marks an answer as ours. Another origin may send the person's cookie here;
// it may not read what comes back.
func own(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Authproxy-Response", "true")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
