// Package config turns an environment into one immutable [Config] and says
// everything that is wrong with it at once. It is the only package that knows
// how the settings are spelled: the comments and tags of the fields in
// settings.go are the manual, from which config.example.env is generated.
package config

import (
	"net/netip"
	"net/url"
	"time"

	"github.com/manageros/authproxy"
)

// Config is everything that can be configured, checked and with its defaults.
// It does not change after Load.
type Config struct {
	Clerk     Clerk
	Upstream  Upstream
	Listen    Listen
	Public    Public
	Keys      Keys
	Session   Session
	Headers   Headers
	Limits    Limits
	Operation Operation

	effective []effective // in the order of the manual, secrets already masked; for Print
}

// Clerk names the instance.
type Clerk struct {
	Instance  *authproxy.Instance // nil without a publishable key; of a production satellite with a domain the Frontend API is clerk.<Domain>
	SecretKey Secret
	JWTKey    Secret   // PEM
	SignInURL *url.URL // nil: none known; may be a path, resolved on the request's public origin
	APIURL    *url.URL // base of the Backend API: scheme and host only
	ProxyURL  *url.URL // the Frontend API's other address, without a final slash; nil: none; a path alone is on the request's public origin
	Domain    string   // of the satellite, host or host:port; "" when not set
	Satellite bool
	AutoSync  bool // a satellite asks the primary domain on the first visit, too
}

// Upstream is the application.
type Upstream struct {
	URL    *url.URL // http, https or unix
	CAFile string
}

// Listen says where connections are accepted.
type Listen struct {
	Data        string
	Admin       string
	TLSCertFile string
	TLSKeyFile  string
}

// Public is how the outside sees us.
type Public struct {
	Origins        []authproxy.Origin // empty: whatever host the request names (pk_test only)
	Parties        []string           // serialised origins beside Origins
	ExtraHosts     []string
	TrustedProxies []netip.Prefix
	Paths          []string
}

// Keys says where the key set comes from.
type Keys struct {
	Issuer     string   // the first of Issuers: as the publishable key or AUTHPROXY_ISSUER says; "" when neither does
	Issuers    []string // iss must be one of them
	JWKSURL    *url.URL
	Refresh    time.Duration
	MinRefetch time.Duration
	MaxStale   time.Duration
	CacheFile  string
}

// Session says which sessions are accepted and what they need.
type Session struct {
	Optional       bool // AUTHPROXY_AUTH=optional
	Audience       []string
	ClockSkew      time.Duration
	RequiredClaims []string
	CSRF           bool
	Whoami         bool

	// Patterns of organisation sync as they were written; route compiles them.
	OrganizationPatterns []string
	PersonalPatterns     []string
}

// Headers says what the upstream gets.
type Headers struct {
	Mapping           string // AUTHPROXY_HEADERS, checked
	Pass              []string
	Strip             []string // nil: the built-in list
	PassAuthorization bool
	PassClerkCookies  bool
}

// Limits bound time and memory.
type Limits struct {
	MaxHeaderBytes    int
	MaxBodyBytes      int64 // 0: none
	ReadHeaderTimeout time.Duration
	IdleTimeout       time.Duration
	UpstreamTimeout   time.Duration
	StreamMaxAge      time.Duration
	ShutdownDelay     time.Duration
	ShutdownTimeout   time.Duration
}

// Operation is about the people who run it.
type Operation struct {
	LogLevel  string
	LogFormat string // "json", "text", or "" for text on a terminal and json elsewhere
	PProf     bool
}
