package clerkdev

import (
	"bytes"
	_ "embed" // for the page
	"encoding/json"
	"errors"
	htmltemplate "html/template"
	"net/http"
	"strings"
	"unicode/utf8"
)

//go:embed signin.html
var signInSource string

// signInPage needs nothing but itself: nothing is loaded from anywhere, and its few
// lines of script only read what clerk-js puts behind the "#", redirect_url.
var signInPage = htmltemplate.Must(htmltemplate.New("sign-in").Parse(signInSource))

// offerSignIn mints anew for a browser that is still signed in, which is how an
// expired session token is renewed without a script; ?switch=1 or ?prompt=1 asks
// for the page.
func (b *browser) offerSignIn() {
	query := b.r.URL.Query()
	if ticket := query.Get("__clerk_ticket"); ticket != "" {
		b.signInByTicket(ticket)
		return
	}
	s, ok := b.i.signedIn(b.token)
	if !ok || query.Get("switch") == "1" || query.Get("prompt") == "1" {
		b.showPeople(http.StatusOK, "")
		return
	}
	b.enter(s.ID, query.Get("redirect_url"), http.StatusFound)
}

// signIn signs in the chosen person, in the organisation of that person if there
// is exactly one.
func (b *browser) signIn() {
	b.meet()
	s, err := b.i.SignIn(b.token, b.r.Form.Get("user"))
	switch {
	case errors.Is(err, ErrSignInRefused):
		b.showPeople(http.StatusForbidden, "This person may not sign in now.")
		return
	case err != nil: // an id from before the emulator was started anew
		b.showPeople(http.StatusUnprocessableEntity, "That person is not here any more. Choose again.")
		return
	}
	if of := b.i.organizationsOf(s.UserID); len(of) == 1 {
		_ = b.i.SetOrganization(s.ID, of[0].ID) // a member a moment ago; if no longer, the session stays personal
	}
	b.enter(s.ID, b.r.Form.Get("redirect_url"), http.StatusSeeOther)
}

// signInByTicket is what the address of a sign-in token leads to.
func (b *browser) signInByTicket(ticket string) {
	userID, err := b.i.takeTicket(ticket)
	if err != nil {
		b.showPeople(http.StatusBadRequest, "This link has been used already, or its time is over. Choose somebody.")
		return
	}
	b.meet()
	s, err := b.i.SignIn(b.token, userID)
	if err != nil {
		b.showPeople(http.StatusForbidden, "This person may not sign in now.")
		return
	}
	b.enter(s.ID, b.r.URL.Query().Get("redirect_url"), http.StatusFound)
}

// enter hands the browser a fresh token and sends it on.
func (b *browser) enter(sessionID, redirectURL string, status int) {
	origin := originOf(b.r)
	token, err := b.i.MintToken(sessionID, origin)
	switch {
	case err != nil: // the session ended in between
		b.showPeople(http.StatusConflict, "The session has ended. Choose again.")
		return
	case token.TooLong: // the browser would come back here for ever
		b.showPeople(http.StatusInternalServerError, "Nobody could stay signed in: "+strings.Join(token.Warnings, "; ")+".")
		return
	}
	b.signedInWith(sessionID, token)
	b.redirect(here(redirectURL, origin), status)
}

// signOut ends the session of the browser.
func (b *browser) signOut() {
	b.i.SignOut(b.token)
	b.signedOut()
	b.redirect(here(b.r.Form.Get("redirect_url"), originOf(b.r)), http.StatusSeeOther)
}

// redirect writes the Location as it was judged; http.Redirect would clean it.
func (b *browser) redirect(to string, status int) {
	b.w.Header().Set("Location", to)
	b.w.WriteHeader(status)
}

// choice is one button of the page.
type choice struct {
	ID, Name, Initials string
	Role, Organization string // from public metadata; "" when there is none
	Here               bool   // signed in now
	Refused            string // why not: "banned", "locked", or ""
	Colour             int
}

type signInView struct {
	Nonce, Notice, RedirectURL, Application, Path string
	People                                        []choice
}

// showPeople writes the page.
func (b *browser) showPeople(status int, notice string) {
	b.meet()
	raw := b.r.URL.Query().Get("redirect_url")
	if !safe(b.r.Method) {
		raw = b.r.Form.Get("redirect_url")
	}
	view := signInView{
		Nonce: randomText(22), Notice: notice, RedirectURL: here(raw, originOf(b.r)),
		Application: b.r.Host, Path: SignInPath, People: b.i.choices(b.token),
	}
	var page bytes.Buffer
	if err := signInPage.Execute(&page, view); err != nil {
		clerkError(b.w, http.StatusInternalServerError, "internal_clerk_error", "The page cannot be shown")
		return
	}
	h := b.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// No form-action: Chromium applies it to the redirects behind the form, too, and
	// an app may send people on to another origin.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+view.Nonce+"'; script-src 'nonce-"+view.Nonce+"'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin") // not no-referrer, which makes the form's Origin null
	b.w.WriteHeader(status)
	_, _ = b.w.Write(page.Bytes())
}

func (i *Instance) choices(clientToken string) []choice {
	s, signedIn := i.signedIn(clientToken)
	var list []choice
	for n, u := range i.Users() {
		c := choice{ID: u.ID, Name: nameOf(u), Colour: n % 6, Here: signedIn && u.ID == s.UserID}
		c.Initials = initials(c.Name)
		c.Role, c.Organization = shown(u.PublicMetadata, "role"), shown(u.PublicMetadata, "organizationName")
		switch {
		case u.Banned:
			c.Refused = "banned"
		case u.Locked:
			c.Refused = "locked"
		}
		list = append(list, c)
	}
	return list
}

// nameOf is what to call somebody who may have no name.
func nameOf(u User) string {
	for _, name := range []string{u.FullName(), u.Username, u.Email} {
		if name != "" {
			return name
		}
	}
	return u.ID
}

// initials are the first letters of the first two words.
func initials(name string) string {
	var b strings.Builder
	for n, word := range strings.Fields(name) {
		if first, _ := utf8.DecodeRuneInString(word); n < 2 {
			b.WriteRune(first)
		}
	}
	return strings.ToUpper(b.String())
}

// shown is a string of public metadata; anything else is nothing to show.
func shown(public json.RawMessage, name string) string {
	s, _ := metadata(public)[name].(string)
	return s
}
