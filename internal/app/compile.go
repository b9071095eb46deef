package app

import (
	"errors"
	"fmt"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/route"
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
}

func compile(cfg *config.Config) (compiled, error) {
	var c compiled
	var mistakes []error
	note := func(name string, err error) {
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", name, err))
		}
	}
	var err error
	c.routes, err = route.Parse(cfg.Public.Paths)
	note("AUTHPROXY_PUBLIC_PATHS", err)
	if err == nil {
		err = cfg.CheckSignIn(func(path string) bool { return c.routes.Match(path) == authproxy.RoutePublic })
		if err != nil {
			mistakes = append(mistakes, err) // names its setting itself
		}
	}
	for _, s := range cfg.Session.RequiredClaims {
		path, err := headers.ParsePath(s)
		note("AUTHPROXY_REQUIRED_CLAIMS", err)
		c.required = append(c.required, path)
	}
	c.mapping, err = headers.ParseMapping(cfg.Headers.Mapping)
	note("AUTHPROXY_HEADERS", err)
	if err == nil {
		c.owner, err = headers.NewOwner(headers.OwnerConfig{Mapped: c.mapping.Headers(), Pass: cfg.Headers.Pass, Strip: cfg.Headers.Strip})
		note("AUTHPROXY_PASS_HEADERS or AUTHPROXY_STRIP_HEADERS", err)
	}
	return c, errors.Join(mistakes...)
}
