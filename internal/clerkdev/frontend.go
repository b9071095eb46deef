package clerkdev

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// FrontendPath is where the emulator's Frontend API is, on the origin of the
// application itself: a relative proxyUrl for clerk-js (clerk-frontend.md, 1).
const FrontendPath = "/__clerk/"

// The paths of the Frontend API.
const (
	JWKSPath    = FrontendPath + ".well-known/jwks.json"
	SignInPath  = FrontendPath + "sign-in"              // a page; with a POST, the act
	TasksPath   = SignInPath + "/tasks"                 // where a session goes that waits for a task
	SignOutPath = FrontendPath + "sign-out"             // POST
	TokenPath   = FrontendPath + "token"                // ?user=…[&organization=…]
	ScriptsPath = FrontendPath + "npm/@clerk/clerk-js@" // <version>/dist/<file>
)

// versionPath is before every path that clerk-js and backends ask.
const versionPath = FrontendPath + "v1/"

const maxForm = 64 << 10 // bytes of a form

// Frontend answers everything under [FrontendPath], for this machine only.
func (i *Instance) Frontend() http.Handler {
	return guard(i.failures.wrap(http.HandlerFunc(i.frontend)))
}

// frontend is no http.ServeMux, which redirects paths it finds unclean (RD-08).
func (i *Instance) frontend(w http.ResponseWriter, r *http.Request) {
	if path, ok := strings.CutPrefix(r.URL.Path, versionPath); ok {
		i.version1(w, r, path)
		return
	}
	if path, ok := strings.CutPrefix(r.URL.Path, ScriptsPath); ok {
		if allow(w, r, http.MethodGet, http.MethodHead) {
			i.serveScript(w, r, path)
		}
		return
	}
	switch r.URL.Path {
	case JWKSPath:
		if allow(w, r, http.MethodGet, http.MethodHead) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(i.JWKS())
		}
	case TokenPath:
		if allow(w, r, http.MethodGet) {
			i.serveToken(w, r)
		}
	case TasksPath:
		if allow(w, r, http.MethodGet, http.MethodHead) {
			i.browser(w, r).showPeople(http.StatusOK, "This session waits for a task. Choose anybody to go on.")
		}
	case SignInPath:
		if safe(r.Method) {
			i.browser(w, r).offerSignIn()
		} else if allow(w, r, http.MethodGet, http.MethodHead, http.MethodPost) && readForm(w, r) {
			i.browser(w, r).signIn()
		}
	case SignOutPath:
		if allow(w, r, http.MethodPost) && readForm(w, r) {
			i.browser(w, r).signOut()
		}
	case ExpirePath:
		if allow(w, r, http.MethodPost) && readForm(w, r) {
			i.browser(w, r).expire()
		}
	default:
		clerkError(w, http.StatusNotFound, "resource_not_found", "Nothing answers here")
	}
}

// allow answers 405 to any other method.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	clerkError(w, http.StatusMethodNotAllowed, "method_not_allowed", "The method is not allowed here")
	return false
}

func readForm(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		clerkError(w, http.StatusBadRequest, "request_body_invalid", "The form cannot be read")
		return false
	}
	return true
}

// serveToken is for curl: a session of its own for the user, and its token as
// plain text. Although it is a GET it starts something, so that a page of
// another site may not ask.
func (i *Instance) serveToken(w http.ResponseWriter, r *http.Request) {
	if !sameOrigin(r) {
		crossOrigin(w)
		return
	}
	query := r.URL.Query()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	matches := i.find(query.Get("user"))
	if len(matches) != 1 {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, "Not one person but %d: ask for ?user= with a name or an id of\n%s", len(matches), i.roll())
		return
	}
	token, err := i.curlToken(matches[0], query.Get("organization"), originOf(r))
	switch {
	case errors.Is(err, ErrSignInRefused):
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintln(w, err)
		return
	case err != nil:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintln(w, err)
		return
	}
	for _, warning := range token.Warnings {
		w.Header().Add("X-Clerkdev-Warning", warning)
	}
	fmt.Fprintln(w, token.JWT)
}

// curlToken makes a session for the user, in the organisation with that id or
// slug if one is asked for.
func (i *Instance) curlToken(u User, organization, azp string) (Token, error) {
	id := ""
	for _, o := range i.organizationsOf(u.ID) {
		if organization != "" && (o.ID == organization || o.Slug == organization) {
			id = o.ID
		}
	}
	if organization != "" && id == "" {
		return Token{}, fmt.Errorf("organization %q: %w", organization, ErrNotMember)
	}
	s, err := i.SignIn("", u.ID)
	if err != nil {
		return Token{}, err
	}
	if err := i.SetOrganization(s.ID, id); err != nil {
		return Token{}, err
	}
	return i.MintToken(s.ID, azp)
}

// find returns who has this id, or else this name, in any case.
func (i *Instance) find(name string) []User {
	if u, ok := i.User(name); ok {
		return []User{u}
	}
	return slices.DeleteFunc(i.Users(), func(u User) bool {
		return name == "" || !slices.ContainsFunc([]string{u.FullName(), u.FirstName, u.Username, u.Email}, func(own string) bool {
			return strings.EqualFold(own, name)
		})
	})
}

// roll lists everybody, one a line.
func (i *Instance) roll() string {
	var b strings.Builder
	for _, u := range i.Users() {
		fmt.Fprintf(&b, "  %s  %s\n", u.ID, u.FullName())
	}
	return b.String()
}
