package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/route"
	"github.com/manageros/authproxy/internal/sample"
)

// DevConfig says what `authproxy dev` was asked.
type DevConfig struct {
	Listen   string   // "host:port" of the data listener; loopback
	Upstream string   // the developer's own app on loopback; "" is the sample app
	Environ  []string // other settings, for example AUTHPROXY_HEADERS
	// NewLog makes the logger from the settings; nil discards.
	NewLog  func(level, format string) *slog.Logger
	Version string
}

// Dev is the same proxy wired to a Clerk emulator in this process.
type Dev struct {
	*App
	clerk    *clerkdev.Instance
	upstream string
	ignored  []string // settings that dev decides itself
	servers  []*http.Server
	listen   []net.Listener
}

// paths of the emulator on the data listener.
const (
	emulator   = "/__clerk/"
	devSignIn  = emulator + "sign-in"
	devSignOut = emulator + "sign-out"
)

// NewDev starts the emulator's own listeners and wires the proxy to it. Both
// sides are loopback only: what it signs in is nobody.
func NewDev(ctx context.Context, cfg DevConfig) (*Dev, error) {
	if err := checkDev(cfg); err != nil {
		return nil, err
	}
	d := &Dev{upstream: cfg.Upstream}
	var err error
	if d.clerk, err = clerkdev.New(clerkdev.Config{Template: clerkdev.DefaultTemplate}); err != nil {
		return nil, err
	}
	clerkdev.Demo(d.clerk)
	api, err := d.serve(ctx, apiHandler(d.clerk))
	if err != nil {
		return nil, err
	}
	var page *sample.Sample // made when the settings are known; nothing is served before Run
	if d.upstream == "" {
		d.upstream, err = d.serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { page.ServeHTTP(w, r) }))
		if err != nil {
			return nil, err
		}
	}
	settings, err := Load(devEnviron(cfg, d, api))
	if err != nil {
		return nil, err
	}
	watch := func(next http.Handler) http.Handler { return next }
	if cfg.Upstream == "" {
		if page, err = newSample(settings); err != nil {
			return nil, err
		}
		watch = page.Watch
	}
	var log *slog.Logger
	if cfg.NewLog != nil {
		log = cfg.NewLog(settings.Operation.LogLevel, settings.Operation.LogFormat)
	}
	if d.App, err = New(settings, Options{Log: log, Version: cfg.Version}); err != nil {
		return nil, err
	}
	d.front = func(proxy http.Handler) http.Handler { return d.frontHandler(watch(proxy)) }
	return d, nil
}

// Clerk is the emulator.
func (d *Dev) Clerk() *clerkdev.Instance { return d.clerk }

// Run serves until ctx ends.
func (d *Dev) Run(ctx context.Context, now <-chan struct{}) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for i, s := range d.servers {
		running.Go(func() { _ = s.Serve(d.listen[i]) }) // ends with Close
	}
	running.Go(func() { _ = d.clerk.RunWebhooks(background) }) // ends with its context
	err := d.App.Run(ctx, now)
	if errors.Is(err, ErrCutShort) {
		err = nil // somebody pressed Ctrl-C with a page open
	}
	stop()
	for _, s := range d.servers {
		_ = s.Close()
	}
	running.Wait()
	return err
}

// serve opens a loopback port for a part of the emulator.
func (d *Dev) serve(ctx context.Context, h http.Handler) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("app: dev: %w", err)
	}
	d.listen = append(d.listen, l)
	d.servers = append(d.servers, &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second})
	return "http://" + l.Addr().String(), nil
}

// newSample is the sample app, which knows what the proxy removes and sets.
func newSample(settings *config.Config) (*sample.Sample, error) {
	parts, err := compile(settings)
	if err != nil {
		return nil, err
	}
	return sample.New(sample.Config{
		Mapping: parts.mapping, Owner: parts.owner,
		SignInPath: devSignIn, SignOutPath: devSignOut, SwitchPath: devSignIn + "?switch=1",
	})
}

// apiHandler is what Clerk has at its own hosts: the Backend API and the key set.
func apiHandler(clerk *clerkdev.Instance) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", clerk.Backend())
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(clerk.JWKS())
	})
	return mux
}

// frontHandler answers the emulator's paths before the proxy sees them, and only
// to loopback hosts: a page elsewhere that finds a name for this machine gets
// nothing.
func (d *Dev) frontHandler(proxy http.Handler) http.Handler {
	frontend := d.clerk.Frontend()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, err := route.ParseHost(r.Host)
		switch {
		case err != nil || !loopback(host.Name):
			http.Error(w, "authproxy dev answers on loopback names only", http.StatusMisdirectedRequest)
		case strings.HasPrefix(r.URL.Path, emulator):
			frontend.ServeHTTP(w, r)
		default:
			proxy.ServeHTTP(w, r)
		}
	})
}

// checkDev refuses what would let anybody but this machine in or out.
func checkDev(cfg DevConfig) error {
	var mistakes []error
	if host, _, err := net.SplitHostPort(cfg.Listen); err != nil || !loopback(host) {
		mistakes = append(mistakes, fmt.Errorf("--listen %q: dev listens on loopback only, for example 127.0.0.1:4180", cfg.Listen))
	}
	if cfg.Upstream != "" {
		u, err := url.Parse(cfg.Upstream)
		if err != nil || u.Scheme != "unix" && !loopback(u.Hostname()) {
			mistakes = append(mistakes, fmt.Errorf("--upstream %q: dev stands before an app of this machine only, for example http://127.0.0.1:3000", cfg.Upstream))
		}
	}
	for _, name := range []string{"CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "CLERK_SECRET_KEY"} {
		if strings.Contains(setting(cfg.Environ, name)+fromFile(setting(cfg.Environ, name+"_FILE")), "k_live_") {
			mistakes = append(mistakes, fmt.Errorf("%s: is a live key; dev has keys of its own and never runs beside a live one: unset it here", name))
		}
	}
	return errors.Join(mistakes...)
}

// fromFile is what a NAME_FILE setting names; "" when there is nothing to read.
func fromFile(name string) string {
	text, err := os.ReadFile(name) //nolint:gosec // the developer names the file
	if err != nil {
		return ""
	}
	return string(text)
}

// loopback reports whether a host can only be this machine (RFC 6761 section 6.3).
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.Unmap().IsLoopback()
}

func setting(environ []string, name string) string {
	value := ""
	for _, entry := range environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// devEnviron is the configuration of the proxy: the developer's, but for what dev
// decides itself.
func devEnviron(cfg DevConfig, d *Dev, api string) []string {
	public := []string{emulator + "*"}
	if own := setting(cfg.Environ, "AUTHPROXY_PUBLIC_PATHS"); own != "" {
		public = append(public, own)
	}
	defaults := []string{
		"AUTHPROXY_ADMIN_LISTEN=127.0.0.1:0",
		"AUTHPROXY_SHUTDOWN_DELAY=1ms",
		"AUTHPROXY_SHUTDOWN_TIMEOUT=500ms", // a page that is open keeps a stream open
	}
	ours := []string{
		"CLERK_PUBLISHABLE_KEY=" + d.clerk.Named().PublishableKey,
		"CLERK_SECRET_KEY=" + d.clerk.SecretKey(),
		"CLERK_API_URL=" + api,
		"CLERK_PROXY_URL=" + strings.TrimSuffix(emulator, "/"),
		"CLERK_SIGN_IN_URL=" + devSignIn,
		"AUTHPROXY_JWKS_URL=" + api + "/.well-known/jwks.json",
		"AUTHPROXY_UPSTREAM=" + d.upstream,
		"AUTHPROXY_LISTEN=" + cfg.Listen,
		"AUTHPROXY_PUBLIC_PATHS=" + strings.Join(public, ","),
	}
	environ := slices.DeleteFunc(slices.Clone(cfg.Environ), func(entry string) bool {
		name, value, _ := strings.Cut(entry, "=")
		decided := strings.HasPrefix(name, "CLERK_") || strings.HasPrefix(name, "NEXT_PUBLIC_CLERK_") || slices.Contains(decidedByDev, name)
		if decided && value != "" {
			d.ignored = append(d.ignored, name)
		}
		return decided || name == "AUTHPROXY_PUBLIC_PATHS"
	})
	return append(append(defaults, environ...), ours...)
}

// decidedByDev are settings that would break the wiring to the emulator, or its
// promise to stay on this machine. What is set and not used is named in the banner.
var decidedByDev = []string{
	"AUTHPROXY_UPSTREAM", "AUTHPROXY_UPSTREAM_CA_FILE", "AUTHPROXY_LISTEN", "AUTHPROXY_ISSUER", "AUTHPROXY_JWKS_URL", "AUTHPROXY_JWKS_CACHE_FILE",
	"AUTHPROXY_PUBLIC_URL", "AUTHPROXY_TLS_CERT_FILE", "AUTHPROXY_TLS_KEY_FILE",
}

// Banner says what runs, where to open it and how to stop it.
func (d *Dev) Banner() string {
	address := strings.Replace(d.cfg.Listen.Data, "127.0.0.1:", "localhost:", 1)
	app := d.upstream
	if len(d.servers) > 1 {
		app = "the sample app"
	}
	ignored := ""
	if len(d.ignored) > 0 {
		slices.Sort(d.ignored)
		ignored = "\n  ignored " + strings.Join(d.ignored, ", ") + " (dev decides these itself)"
	}
	return fmt.Sprintf(`
%s
  open    http://%s
  app     %s
  curl    curl -H "Authorization: Bearer $(curl -s 'http://%s/__clerk/token?user=%s')" http://%s/
  clerk   CLERK_API_URL=%s CLERK_SECRET_KEY=%s
  stop    Ctrl-C%s

`, d.clerk.Banner(), address, app, address, d.clerk.Users()[0].Username, address, "http://"+d.listen[0].Addr().String(), d.clerk.SecretKey(), ignored)
}
