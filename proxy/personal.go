package proxy

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// errUnsayable is a fault of whoever decided. It does not show the line, which
// may hold a session.
var errUnsayable = errors.New("proxy: a Set-Cookie line of the decision is no header value")

// takeCookies notes what the answer has to set. A line that is no header value
// (RFC 9110 section 5.5) could become a header of its own and is dropped. One
// that is noted already comes with a Decision that was handed on.
func (x *pass) takeCookies(lines []string) {
	for _, line := range lines {
		switch {
		case line == "" || strings.ContainsFunc(line, isControl):
			x.unsayable = true
		case !slices.Contains(x.w.cookies, line):
			x.w.cookies = append(x.w.cookies, line)
		}
	}
}

// isControl reports what no field value may hold.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// personal makes an answer that sets the cookies of a renewed session one
// person's alone: no cache keeps it, whatever the upstream says about that
// (threats HS-09, WEB-04).
//
// What comes last wins in the browser. That is the renewed session where the
// upstream sets cookies, which may have been renewing it too, and a page of
// ours where that does: one that signs out means it.
func personal(h http.Header, cookies []string, forwarded bool) {
	if len(cookies) == 0 {
		return
	}
	for name := range h {
		if tellsCaches(name) {
			delete(h, name)
		}
	}
	if forwarded {
		h.Set("Cache-Control", "private, no-store")
		h["Set-Cookie"] = slices.Concat(h["Set-Cookie"], cookies)
	} else {
		h.Set("Cache-Control", "no-store")
		h["Set-Cookie"] = slices.Concat(cookies, h["Set-Cookie"])
	}
	if vary := h["Vary"]; !lists(vary, "cookie") && !lists(vary, "*") {
		h.Add("Vary", "Cookie")
	}
}

// tellsCaches reports whether a field says whether an answer may be kept: to all
// caches, to those of one kind (RFC 9213 and its older relatives) or of one
// maker.
func tellsCaches(name string) bool {
	switch name {
	case "Cache-Control", "Expires", "Pragma", "Surrogate-Control", "Edge-Control", "X-Accel-Expires":
		return true
	}
	return strings.HasSuffix(name, "-Cache-Control") // CDN-Cache-Control, and "Name-CDN-Cache-Control" for one network
}
