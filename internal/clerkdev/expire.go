package clerkdev

import (
	"net/http"
	"time"
)

// ExpirePath lets the session token of a browser die (POST). Clerk has no such
// path: it is there to be watched by, because a minute is long.
const ExpirePath = FrontendPath + "expire"

// longDead is how long ago the token ran out, by the time it is set: more than any
// clock skew that a backend lets pass.
const longDead = time.Minute

// expire puts a token of the same session that has run out in the place of the
// browser's. With forget_refresh=1 in the form the refresh cookie goes too, so that
// nothing but a handshake renews the session. A browser that is signed out is sent
// back as it is.
func (b *browser) expire() {
	if s, ok := b.i.signedIn(b.token); ok {
		b.outlive(s, b.r.Form.Get("forget_refresh") == "1")
	}
	if mode := b.r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		b.w.WriteHeader(http.StatusNoContent) // a script would follow a redirect, and use up the page load that is to be watched
		return
	}
	b.redirect(here(b.r.Form.Get("redirect_url"), originOf(b.r)), http.StatusSeeOther)
}

// outlive sets what a browser has that was left alone: a dead token, and a
// __client_uat that is not later than the token, or the rules would find a change of
// who is signed in, and no token that ran out.
func (b *browser) outlive(s Session, forget bool) {
	life := b.i.cfg.TokenLifetime.Truncate(time.Second)
	token, err := b.i.mintAt(b.i.now().Add(-longDead-life), s.ID, originOf(b.r), nil)
	if err != nil {
		return // it ended in between, and the next page load says so
	}
	refresh := b.i.refreshCrumb(s.refresh)
	if forget {
		refresh.value, refresh.maxAge = "", -1
	}
	b.both(crumb{name: sessionCookie, value: token.JWT, maxAge: b.life()})
	b.set(refresh)
	b.uat(min(b.i.clientUpdated(b.token), token.IssuedAt.Unix()))
}
