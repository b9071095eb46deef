package proxy

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/route"
)

// Problem is an answer of ours that says no: a problem document (RFC 9457) for
// programs, the data of the page for people.
type Problem struct {
	Type      string           `json:"type"`
	Title     string           `json:"title"` // what happened
	Status    int              `json:"status"`
	Detail    string           `json:"detail"` // what was seen and expected, else what to do
	Reason    authproxy.Reason `json:"reason"`
	RequestID string           `json:"request_id"`

	Advice  string `json:"-"` // what to do about it
	Shown   string `json:"-"` // Detail, where it says more than Advice
	Retry   string `json:"-"` // links, "" for none; this one leads to the same page
	SignIn  string `json:"-"`
	SignOut string `json:"-"`
}

// longestReturn bounds the links back to the page that was asked for.
const longestReturn = 2048

// Respond answers with a refusal or a redirect of the Decision's; an Allow is an
// internal error here. It is for what answers reserved paths: a response writer
// of the Handler's own keeps the request's id and tells the hooks.
func (h *Handler) Respond(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
	if own, is := w.(*writer); is && own.pass != nil {
		own.pass.render(d)
		return
	}
	x := &pass{h: h, r: r, w: h.newWriter(w, r), hop: h.cfg.Peers.Resolve(r.RemoteAddr, r.Header)}
	x.request = newRequest(r, x.hop, h.cfg.Secure)
	x.report.RequestID = requestID(x.hop)
	x.render(d)
}

func (h *Handler) respond(w http.ResponseWriter, r *http.Request, request *authproxy.Request, id string, d authproxy.Decision) {
	header := w.Header()
	own(header, id)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", bareCSP)
	reason := reasonOf(d)
	setClerk(header, d, reason)
	if status, valid := redirection(d); valid {
		header.Set("Location", d.Location)
		header.Set("Content-Length", "0")
		w.WriteHeader(status)
		return
	}
	p := h.problem(request, id, d, reason)
	setRefusal(header, d, p)
	if !request.WantsPage() {
		writeProblem(w, r, p)
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", h.page.csp)
	if h.cfg.Page != nil {
		h.cfg.Page(w, r, p)
		return
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		h.page.write(w, p)
	}
}

// own marks an answer as ours. Nobody may keep it: it depends on a session.
func own(h http.Header, id string) {
	h.Set("X-Authproxy-Response", "true")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Request-Id", id)
}

// reasonOf is the Decision's reason if it can be rendered. What cannot is our
// own fault: a reason outside the closed set, an Allow, a redirect to nowhere or
// to something that is not one header value.
func reasonOf(d authproxy.Decision) authproxy.Reason {
	_, sends := redirection(d)
	if sends || d.Action == authproxy.Deny && slices.Contains(authproxy.Reasons(), d.Reason) {
		return d.Reason
	}
	return authproxy.InternalError
}

// redirection is the status of a Decision that sends the browser elsewhere, and
// whether it can: its Location is one header value.
func redirection(d authproxy.Decision) (status int, valid bool) {
	switch d.Action {
	case authproxy.Redirect:
		status = http.StatusFound
	case authproxy.Handshake:
		status = http.StatusTemporaryRedirect // as Clerk's own servers
	default:
		return 0, false
	}
	return status, d.Location != "" && !strings.ContainsFunc(d.Location, isControlOrSpace)
}

// setClerk says what Clerk's own servers say, in their header names.
func setClerk(h http.Header, d authproxy.Decision, reason authproxy.Reason) {
	_, sends := redirection(d)
	status := "signed-out"
	switch {
	case sends && d.Action == authproxy.Handshake:
		status = "handshake"
	case reason == "":
		return
	case d.Identity != nil && reason.Status() != http.StatusUnauthorized:
		status = "signed-in"
	}
	h.Set("X-Clerk-Auth-Status", status)
	if reason != "" {
		h.Set("X-Clerk-Auth-Reason", string(reason))
	}
}

// sendAgain is for a form that came with a session nobody could renew: loading its
// answer again would send it with the same one.
const sendAgain = "Nothing was sent on. Open this application in another tab, which renews your session; then go back here and send the form again."

func (h *Handler) problem(r *authproxy.Request, id string, d authproxy.Decision, reason authproxy.Reason) Problem {
	p := Problem{
		Type:      "urn:authproxy:reason:" + string(reason),
		Title:     reason.Title(),
		Status:    reason.Status(),
		Detail:    d.Detail,
		Reason:    reason,
		RequestID: id,
		Advice:    reason.Advice(),
		Shown:     d.Detail,
	}
	if p.Detail == "" {
		p.Detail = p.Advice
	}
	if p.Status == http.StatusUnauthorized {
		page := pageOf(r)
		p.SignIn, p.SignOut = h.signInLink(page), h.cfg.SignOutPath
		again := reason.Advice() == authproxy.TokenExpired.Advice() // reload
		if again && r.WantsPage() && !r.SafeMethod() {
			p.Advice = sendAgain
		}
		if again || d.Stopped() {
			p.Retry = page
		}
	}
	return p
}

// pageOf is the page that was asked for, without what Clerk put there, so that
// following it begins anew. It is "" when no page was asked for, or one whose
// address is not plainly a path of ours (RD-01).
func pageOf(r *authproxy.Request) string {
	target := r.Path
	if query := route.WithoutClerk(r.Query); query != "" {
		target += "?" + query
	}
	ours := strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") && !strings.HasPrefix(target, `/\`)
	if !r.PageLoad() || !ours || len(target) > longestReturn {
		return ""
	}
	return target
}

// signInLink leads back to page; "" is no page.
func (h *Handler) signInLink(page string) string {
	if h.cfg.SignInPath == "" || page == "" {
		return h.cfg.SignInPath
	}
	return h.cfg.SignInPath + "?redirect_url=" + url.QueryEscape(page)
}

// setRefusal sets the headers that depend on why.
func setRefusal(h http.Header, d authproxy.Decision, p Problem) {
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge(d, p.Title))
	case http.StatusMethodNotAllowed:
		if h.Get("Allow") == "" { // RFC 9110 section 15.5.6 wants one; a reserved path says its own
			h.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		}
	}
	if d.RetryAfter > 0 {
		seconds := (d.RetryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if d.TrustedOrigin != "" {
		h.Set("Access-Control-Allow-Origin", d.TrustedOrigin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "X-Clerk-Auth-Reason, X-Clerk-Auth-Status, X-Request-Id, WWW-Authenticate")
		h.Add("Vary", "Origin")
	}
}

// challenge is the WWW-Authenticate of RFC 6750 section 3, which has no error
// when nothing was presented.
func challenge(d authproxy.Decision, title string) string {
	if d.Source == authproxy.SourceNone || d.Source == "" {
		return "Bearer"
	}
	return `Bearer error="invalid_token", error_description="` + title + `"`
}

func writeProblem(w http.ResponseWriter, r *http.Request, p Problem) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte("{}") // strings and a number: never
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
