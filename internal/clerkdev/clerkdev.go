// Package clerkdev is Clerk, small and in memory: enough of its Frontend API,
// Backend API and webhooks to sign people in, mint their session tokens and keep
// their metadata, without an account and without a network.
//
// It is strict, so that what works against it works against Clerk, and it is
// hostile to production: keys and ids are new at every start, it answers only to
// loopback hosts, and it forgets everything at the end.
package clerkdev

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/manageros/authproxy"
)

// Config says what an Instance is like. The zero Config is a development
// instance with nobody in it.
type Config struct {
	// Production makes an instance of the pk_live kind, for tests: no development
	// browser, no query forms.
	Production bool
	// FrontendAPI is the host in the publishable key. "" makes up one that no
	// real instance can have.
	FrontendAPI string
	// Template is the JSON of "Customize session token", with {{shortcodes}}.
	// "" adds no claims.
	Template string
	// TokenLifetime is how long a session token lives; zero is Clerk's 60 s.
	TokenLifetime time.Duration
	// Scripts is the dist directory of npm's @clerk/clerk-js, which pages load from
	// below [ScriptsPath]. nil: there is only a small stand-in for clerk.browser.js.
	Scripts fs.FS
	// AllowedOrigins are where a handshake may lead, beside loopback; each is a
	// scheme, "://" and a host, as a browser writes an origin.
	AllowedOrigins []string
	// Now is the clock; nil is time.Now.
	Now              func() time.Time
	WebhookTransport http.RoundTripper // nil: a plain one, for tests
}

// Instance is one Clerk instance. It is safe for concurrent use.
type Instance struct {
	cfg       Config
	named     authproxy.Instance
	secretKey string // sk_test_… or sk_live_…
	template  *template

	mu    sync.Mutex
	state state

	keys     keyring
	failures failures
	hooks    webhooks
}

// New makes an instance with new keys and ids.
func New(cfg Config) (*Instance, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.TokenLifetime == 0 {
		cfg.TokenLifetime = 60 * time.Second
	}
	kind := "test"
	if cfg.Production {
		kind = "live"
	}
	if cfg.FrontendAPI == "" {
		cfg.FrontendAPI = "authproxy-emulator-" + strings.ToLower(randomText(6)) + ".clerk.accounts.dev"
	}
	named, err := authproxy.ParseInstance("pk_" + kind + "_" + base64.RawStdEncoding.EncodeToString([]byte(cfg.FrontendAPI+"$")))
	if err != nil {
		return nil, fmt.Errorf("clerkdev: New: %w", err)
	}
	i := &Instance{cfg: cfg, named: named, secretKey: "sk_" + kind + "_" + randomText(40), state: newState()}
	if i.template, err = parseTemplate(cfg.Template); err != nil {
		return nil, fmt.Errorf("clerkdev: New: template: %w", err)
	}
	if err := i.keys.rotate(i.InstanceID()); err != nil {
		return nil, fmt.Errorf("clerkdev: New: key: %w", err)
	}
	return i, nil
}

// Named is what the publishable key says.
func (i *Instance) Named() authproxy.Instance { return i.named }

// SecretKey opens the Backend API.
func (i *Instance) SecretKey() string { return i.secretKey }

// newID makes an id of Clerk's form: a prefix, "_" and 27 letters and digits.
func newID(prefix string) string { return prefix + "_" + randomText(27) }

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomText is unguessable: five bits and more a character.
func randomText(n int) string {
	var b strings.Builder
	raw := make([]byte, 1)
	for b.Len() < n {
		_, _ = rand.Read(raw) // never fails (crypto/rand)
		if raw[0] < 248 {     // 4 × 62: every character as likely as the other
			b.WriteByte(alphabet[raw[0]%62])
		}
	}
	return b.String()
}
