// Package sample is the application that `authproxy dev` puts behind its proxy
// when there is no other: it shows what an application is told about a person,
// what it is spared, and that a forged identity header does not arrive.
//
// It stands on both sides. [Sample.Watch] sits in front of the proxy and
// remembers what the client sent; the application itself, behind the proxy, only
// receives, and compares the two. It is for development: it shows the session
// token, which a real application behind this proxy never gets.
package sample

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/manageros/authproxy/headers"
)

// Config says what the pages need to know. The zero Config is that of
// `authproxy dev`.
type Config struct {
	// Mapping is the one the proxy uses; nil is the default mapping.
	Mapping *headers.Mapping
	// Owner is the one the proxy uses, when its lists are not the default ones:
	// what it lets pass is no forgery. nil is the default lists with the Mapping.
	Owner *headers.Owner
	// Paths on the application's own origin, each beginning with one "/": "" is
	// /__clerk/sign-in, /__clerk/sign-out (POST), /__clerk/sign-in?switch=1 and
	// /__clerk/expire (POST).
	SignInPath, SignOutPath, SwitchPath, ExpirePath string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Sample is the application and the watch in front of its proxy. It is safe for
// concurrent use.
type Sample struct {
	cfg    Config
	seen   *memory
	trips  trips
	page   *template.Template
	policy string // Content-Security-Policy
}

// New returns the sample app. The error names the setting that cannot be used.
func New(cfg Config) (*Sample, error) {
	var err error
	if cfg.Mapping == nil {
		if cfg.Mapping, err = headers.ParseMapping(""); err != nil {
			return nil, fmt.Errorf("sample: mapping: %w", err)
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for _, p := range []struct {
		name     string
		path     *string
		fallback string
	}{
		{"SignInPath", &cfg.SignInPath, "/__clerk/sign-in"},
		{"SignOutPath", &cfg.SignOutPath, "/__clerk/sign-out"},
		{"SwitchPath", &cfg.SwitchPath, "/__clerk/sign-in?switch=1"},
		{"ExpirePath", &cfg.ExpirePath, "/__clerk/expire"},
	} {
		if *p.path, err = andBack(*p.path, p.fallback); err != nil {
			return nil, fmt.Errorf("sample: %s: %w", p.name, err)
		}
	}
	if cfg.Owner == nil {
		if cfg.Owner, err = headers.NewOwner(headers.OwnerConfig{Mapped: cfg.Mapping.Headers()}); err != nil {
			return nil, fmt.Errorf("sample: mapping: %w", err)
		}
	}
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("sample: page: %w", err)
	}
	return &Sample{cfg: cfg, seen: newMemory(), page: page, policy: contentPolicy(styleCSS, appJS)}, nil
}

// andBack adds to a path of our own the way back to the page.
func andBack(path, fallback string) (string, error) {
	if path == "" {
		path = fallback
	}
	u, err := url.Parse(path)
	if err != nil {
		return "", fmt.Errorf("%q is no path: %w", path, err)
	}
	// "//host" and "/\host" are another origin's to a browser.
	if u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, `/\`) {
		return "", fmt.Errorf("%q is not a path on this origin", path)
	}
	query := u.Query()
	query.Set("redirect_url", "/")
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// ServeHTTP is the application behind the proxy: GET / is the page, GET /echo
// the same for programs.
func (s *Sample) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// What is shown is a person's; no other site may include it.
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", s.policy)
	// Not no-referrer: with that a browser sends "Origin: null" with the page's
	// forms, which no cross-origin rule can let through.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Type", "text/html; charset=utf-8")
	switch {
	case r.URL.Path != "/" && r.URL.Path != "/echo":
		s.show(w, http.StatusNotFound, notFound(r))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		s.show(w, http.StatusMethodNotAllowed, notAllowed(r))
	case r.URL.Path == "/echo":
		h.Set("Content-Type", "application/json")
		s.hear(w, r)
		body := json.NewEncoder(w)
		body.SetIndent("", "  ")
		_ = body.Encode(s.compare(r).echo(s.cfg.Now())) // the client went away: nobody is left to be told
	default:
		s.hear(w, r)
		s.show(w, http.StatusOK, s.home(r))
	}
}
