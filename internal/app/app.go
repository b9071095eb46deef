// Package app is the one place where the pieces meet: it hands each package its
// own small configuration, runs what has to run, and drains it.
package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/account"
	"github.com/manageros/authproxy/internal/clerk"
	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/gate"
	"github.com/manageros/authproxy/internal/handshake"
	"github.com/manageros/authproxy/internal/reqlog"
	"github.com/manageros/authproxy/internal/session"
	"github.com/manageros/authproxy/jwks"
	"github.com/manageros/authproxy/proxy"
)

// Options are what a program decides and an operator does not.
type Options struct {
	Log     *slog.Logger     // nil discards
	Version string           // for build_info
	Now     func() time.Time // nil is time.Now; judges tokens only
	Rules   session.Rules    // tests ask for Clerk's own; there is no setting for it
}

// App is the wired program.
type App struct {
	cfg         *config.Config
	log         *slog.Logger
	keys        *jwks.Cache
	clerk       *clerk.Client // nil without a secret key
	gate        *gate.Gate
	handler     *proxy.Handler
	metrics     *metrics
	certificate *certificate                    // nil without TLS
	front       func(http.Handler) http.Handler // what dev puts before the proxy; nil elsewhere

	bound, draining    atomic.Bool
	inFlight, upgraded atomic.Int64
}

// New wires the program without starting anything.
func New(cfg *config.Config, opt Options) (*App, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	a := &App{cfg: cfg, log: opt.Log, metrics: newMetrics(opt.Version)}
	parts, err := compile(cfg)
	if err != nil {
		return nil, err
	}
	if a.keys, err = a.newKeys(); err != nil {
		return nil, fmt.Errorf("app: keys: %w", err)
	}
	a.metrics.keySet(a.keys.Status)
	if file := cfg.Listen.TLSCertFile; file != "" {
		if a.certificate, err = newCertificate(file, cfg.Listen.TLSKeyFile, a.log, a.metrics.certificateRenewed); err != nil {
			return nil, err
		}
	}
	if a.clerk, err = a.newClerk(opt); err != nil {
		return nil, err
	}
	if a.gate, err = a.newGate(opt, parts); err != nil {
		return nil, err
	}
	if a.handler, err = a.newProxy(parts.owner); err != nil {
		return nil, err
	}
	return a, nil
}

// Data is the handler of the data listener.
func (a *App) Data() http.Handler {
	if a.front != nil {
		return a.front(a.handler)
	}
	return a.handler
}

// Admin is the handler of the admin listener.
func (a *App) Admin() http.Handler { return a.adminHandler() }

// Decider is what every surface asks.
func (a *App) Decider() authproxy.Decider { return a.gate }

// Keys is the key set; whoever does not call Run runs it.
func (a *App) Keys() *jwks.Cache { return a.keys }

func (a *App) newKeys() (*jwks.Cache, error) {
	c := a.cfg.Keys
	cfg := jwks.Config{
		Refresh: c.Refresh, MinRefetch: c.MinRefetch, MaxStale: c.MaxStale, CacheFile: c.CacheFile,
		Log: a.log, Observe: a.metrics.keys,
	}
	if pem := a.cfg.Clerk.JWTKey; pem != "" {
		set, err := jwks.ParsePEM([]byte(pem.Reveal()))
		if err != nil {
			return nil, err
		}
		cfg.Static = set
	} else if c.JWKSURL != nil {
		cfg.URL = c.JWKSURL.String()
	}
	return jwks.New(cfg)
}

// newClerk is the client of the Backend API, on the instance's secret key.
func (a *App) newClerk(opt Options) (*clerk.Client, error) {
	if a.cfg.Clerk.SecretKey == "" {
		return nil, nil
	}
	return clerk.New(clerk.Config{
		SecretKey: a.cfg.Clerk.SecretKey.Reveal(), URL: a.cfg.Clerk.APIURL.String(), Now: opt.Now, Observe: a.metrics.clerkCall,
	})
}

// instance is whose browsers come here. Tokens of another issuer than the
// publishable key's are not Clerk's own cookies: the suffix, the development
// browser and the handshake mean nothing for them.
func (a *App) instance() *authproxy.Instance {
	i, proxy := a.cfg.Clerk.Instance, a.cfg.Clerk.ProxyURL
	if i == nil || slices.Contains(a.cfg.Keys.Issuers, i.Issuer()) {
		return i
	}
	for _, o := range a.cfg.Public.Origins { // a proxied instance says its proxy's address
		if proxy != nil && slices.Contains(a.cfg.Keys.Issuers, i.FrontendURL(proxy, o)) {
			return i
		}
	}
	return nil
}

func (a *App) newGate(opt Options, parts compiled) (*gate.Gate, error) {
	cfg, instance := a.cfg, a.instance()
	verifier, err := session.New(session.Config{
		Keys: a.keys, Instance: instance, Issuers: cfg.Keys.Issuers, Audience: cfg.Session.Audience,
		Skew: cfg.Session.ClockSkew, Now: opt.Now, Rules: opt.Rules,
	})
	if err != nil {
		return nil, err
	}
	reserved := map[string]gate.Access{account.SignInPath: gate.Open, account.SignOutPath: gate.Known, account.SessionScriptPath: gate.Open}
	if cfg.Session.Whoami {
		reserved[account.WhoamiPath] = gate.NeedsSession
	}
	return gate.New(gate.Config{
		Verifier: verifier, Generation: a.keys.Generation, Mapping: parts.mapping, Required: parts.required, Routes: parts.routes, Reserved: reserved,
		Origins: cfg.Public.Origins, Parties: cfg.Public.Parties, ExtraHosts: cfg.Public.ExtraHosts,
		Optional: cfg.Session.Optional, AllowAnyone: !cfg.Session.CSRF, SignInURL: cfg.Clerk.SignInURL,
		KeepAuthorization: cfg.Headers.PassAuthorization,
		Renewal: gate.Renewal{
			AsClerk: opt.Rules.Clerk != nil, Instance: instance, Clerk: a.clerk, ProxyURL: cfg.Clerk.ProxyURL,
			Satellite: cfg.Clerk.Satellite, AutoSync: cfg.Clerk.AutoSync, Organizations: parts.organizations,
		},
	})
}

func (a *App) newProxy(owner *headers.Owner) (*proxy.Handler, error) {
	cfg := a.cfg
	upstreamTLS, err := upstreamTLS(cfg.Upstream.CAFile)
	if err != nil {
		return nil, err
	}
	strip := func(h http.Header, _ []string) { session.StripCookies(h) }
	if cfg.Headers.PassClerkCookies {
		strip = session.RenewCookies
	}
	var handler *proxy.Handler
	pages := account.New(a.accountConfig(func(w http.ResponseWriter, r *http.Request, d authproxy.Decision) { handler.Respond(w, r, d) }))
	hints := &hints{log: a.log}
	signIn := ""
	if cfg.Clerk.SignInURL != nil {
		signIn = account.SignInPath
	}
	line := reqlog.New(a.log)
	handler, err = proxy.New(proxy.Config{
		Decider: a.gate, Upstream: cfg.Upstream.URL, UpstreamTLS: upstreamTLS,
		Owner: owner, Peers: headers.NewPeers(cfg.Public.TrustedProxies), StripCookies: strip,
		StripQuery: a.stripQuery(),
		Reserved:   pages.Serve, SignInPath: signIn, SignOutPath: account.SignOutPath,
		MaxBodyBytes: cfg.Limits.MaxBodyBytes, UpstreamTimeout: cfg.Limits.UpstreamTimeout,
		IdleTimeout: cfg.Limits.IdleTimeout, StreamMaxAge: cfg.Limits.StreamMaxAge,
		Hooks: proxy.Hooks{
			Started:  func() { a.inFlight.Add(1); a.metrics.inFlight.Inc() },
			Upgraded: func(delta int) { a.upgraded.Add(int64(delta)); a.metrics.upgrades.Add(float64(delta)) },
			Stripped: func(kinds []string, r *authproxy.Request) { a.metrics.strip(kinds); hints.stripped(kinds) },
			Done: func(x *proxy.Exchange) {
				a.metrics.done(x)
				line.Write(x)
				a.inFlight.Add(-1) // last: a program that ends waits for it, and for the line
			},
		},
	})
	return handler, err
}

// stripQuery keeps what a handshake brings from a Clerk SDK behind us: it would read
// it in production, too, where anybody can write a link with it.
func (a *App) stripQuery() func(string) string {
	if i := a.instance(); i == nil || !i.Production {
		return nil
	}
	return handshake.WithoutPayload
}

// accountConfig is what the pages under /_authproxy/ need to know.
func (a *App) accountConfig(respond func(http.ResponseWriter, *http.Request, authproxy.Decision)) account.Config {
	cfg, instance := &a.cfg.Clerk, a.instance()
	pages := account.Config{
		Origins: a.cfg.Public.Origins, Respond: respond,
		Instance: instance, Domain: cfg.Domain, Satellite: cfg.Satellite, SignInURL: cfg.SignInURL, Log: a.log,
	}
	if instance != nil {
		pages.FrontendURL = func(at authproxy.Origin) string { return instance.FrontendURL(cfg.ProxyURL, at) }
	}
	if cfg.ProxyURL != nil {
		pages.ProxyURL = cfg.ProxyURL.String()
	}
	if a.clerk != nil {
		pages.Revoke = a.revoke
	}
	if cfg.SignInURL != nil {
		pages.SignIn = a.gate.SignInLocation
	}
	return pages
}

// revoke ends a session at Clerk. What Clerk says about the session itself means
// that there is none any more; anything else, that nobody knows.
func (a *App) revoke(ctx context.Context, sessionID string) error {
	err := a.clerk.RevokeSession(ctx, sessionID)
	var refused *clerk.Error
	if errors.As(err, &refused) && slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity}, refused.Status) {
		return fmt.Errorf("%w: %w", account.ErrSessionOver, err)
	}
	return err
}

// upstreamTLS trusts a private authority and nothing else.
func upstreamTLS(file string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("app: AUTHPROXY_UPSTREAM_CA_FILE: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("app: AUTHPROXY_UPSTREAM_CA_FILE: %s holds no PEM certificate", file)
	}
	return cfg, nil
}

// announce says that the program is up and where.
func (a *App) announce(data, admin net.Addr) {
	attrs := []any{"listen", data.String(), "admin", admin.String(), "access", "required"}
	if a.cfg.Session.Optional {
		attrs[5] = "optional"
	}
	if a.cfg.Upstream.URL != nil {
		attrs = append(attrs, "upstream", a.cfg.Upstream.URL.String())
	}
	if a.cfg.Clerk.Instance != nil {
		attrs = append(attrs, "instance", a.cfg.Clerk.Instance.FrontendAPI, "production", a.cfg.Clerk.Instance.Production)
	}
	a.log.Info("serving", attrs...)
}
