package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/route"
	"github.com/manageros/authproxy/jwks"
)

// Load reads the configuration and compiles what it only names (paths, mapping,
// claims), so that every mistake of both is reported at once.
func Load(environ []string) (*config.Config, error) {
	cfg, err := config.Load(environ)
	_, more := compile(cfg)
	return cfg, errors.Join(err, more)
}

// Check reports what else is wrong with a loaded configuration, by wiring
// everything and starting nothing.
func Check(cfg *config.Config) error {
	_, err := New(cfg, Options{})
	return err
}

// compiled are the settings that are small languages.
type compiled struct {
	routes   *route.Table
	mapping  *headers.Mapping
	required []headers.Path
	owner    *headers.Owner

	organizations *route.Organizations
}

func compile(cfg *config.Config) (compiled, error) {
	var c compiled
	var mistakes []error
	note := func(name string, err error) {
		for _, e := range Mistakes(err) {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", name, e))
		}
	}
	var err error
	c.routes, err = route.Parse(cfg.Public.Paths)
	note("AUTHPROXY_PUBLIC_PATHS", err)
	if err == nil {
		err = cfg.CheckSignIn(func(path string) bool { return c.routes.Match(path) == authproxy.RoutePublic })
		mistakes = append(mistakes, Mistakes(err)...) // names its setting itself
	}
	for _, s := range cfg.Session.RequiredClaims {
		path, err := headers.ParsePath(s)
		note("AUTHPROXY_REQUIRED_CLAIMS", err)
		c.required = append(c.required, path)
	}
	_, err = route.ParsePatterns(cfg.Session.OrganizationPatterns, nil)
	note("AUTHPROXY_ORGANIZATION_PATTERNS", err)
	_, err = route.ParsePatterns(nil, cfg.Session.PersonalPatterns)
	note("AUTHPROXY_PERSONAL_ACCOUNT_PATTERNS", err)
	c.organizations, _ = route.ParsePatterns(cfg.Session.OrganizationPatterns, cfg.Session.PersonalPatterns) // each was judged just now
	if pem := cfg.Clerk.JWTKey; pem != "" {
		_, err = jwks.ParsePEM([]byte(pem.Reveal()))
		note("CLERK_JWT_KEY", err)
	}
	for _, o := range cfg.Public.Origins {
		if u := cfg.Upstream.URL; u != nil && o.String() == u.Scheme+"://"+strings.ToLower(u.Host) {
			note("AUTHPROXY_UPSTREAM", fmt.Errorf("%s is the public origin, so every request would come back here; name the application's own address", o))
		}
	}
	var mapped []string
	c.mapping, err = headers.ParseMapping(cfg.Headers.Mapping)
	note("AUTHPROXY_HEADERS", err)
	if err == nil {
		mapped = c.mapping.Headers()
	}
	_, err = headers.NewOwner(headers.OwnerConfig{Mapped: mapped, Pass: cfg.Headers.Pass})
	note("AUTHPROXY_PASS_HEADERS", err)
	_, err = headers.NewOwner(headers.OwnerConfig{Strip: cfg.Headers.Strip})
	note("AUTHPROXY_STRIP_HEADERS", err)
	if len(mistakes) == 0 {
		c.owner, err = headers.NewOwner(headers.OwnerConfig{Mapped: mapped, Pass: cfg.Headers.Pass, Strip: cfg.Headers.Strip})
		note("AUTHPROXY_STRIP_HEADERS", err)
	}
	return c, errors.Join(mistakes...)
}

// Mistakes takes joined errors apart, as deep as they are joined, so that each
// stands on a line of its own.
func Mistakes(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, Mistakes(e)...)
	}
	return all
}
