package config

//go:generate go test -run ^TestExampleEnv$ -update .

// settings is the environment as text that has been read but not yet judged.
// The comment of a field is what the manual says about it; the tags are
//
//   - env: the variable's name;
//   - envDefault: the default, which the manual states by itself;
//   - alias: another name for the same value;
//   - example: a value for the manual where there is no default;
//   - section: on a blank field, the heading of the fields that follow.
//
// A Secret may also be given as NAME_FILE.
type settings struct {
	// Clerk's names are those of its dashboard and its SDKs.
	_ struct{} `section:"Clerk"`

	// The publishable key of the Clerk instance. It names the issuer, the
	// address of the public keys, the suffix of the cookies, the sign-in page,
	// and whether this is production (pk_live_) or development (pk_test_).
	// With CLERK_JWT_KEY, or with AUTHPROXY_JWKS_URL, it can be left out;
	// then AUTHPROXY_ISSUER is needed.
	PublishableKey string `env:"CLERK_PUBLISHABLE_KEY" alias:"NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY" example:"pk_test_aGFwcHktb3R0ZXItMTIuY2xlcmsuYWNjb3VudHMuZGV2JA=="`

	// The secret key of the same instance, of the same kind (live or test) as
	// the publishable key. Verifying sessions does not need it. With it an
	// expired session is renewed without sending the browser to Clerk and
	// back, and signing out ends the session at Clerk too.
	SecretKey Secret `env:"CLERK_SECRET_KEY" example:"sk_test_..."`

	// The instance's public key (RSA, at least 2048 bits) as PEM, or the
	// base64 inside the PEM on one line. With it sessions are verified without
	// any network, and no key set is fetched.
	JWTKey Secret `env:"CLERK_JWT_KEY" example:"MIIBIjANBgkqhkiG9w0BAQEFAAOC..."`

	// Where people sign in: an https URL (http for a loopback address or an
	// origin of AUTHPROXY_PUBLIC_URL), or a path beginning with one "/" on the
	// origin of the request. On an origin of our own the page must be among
	// AUTHPROXY_PUBLIC_PATHS.
	// Default: the account portal of the instance; without a publishable key,
	// none: a page load without a session is then answered with a 401 page.
	SignInURL string `env:"CLERK_SIGN_IN_URL" example:"https://accounts.example.com/sign-in"`

	// The Backend API, where CLERK_SECRET_KEY is sent to: an https URL, or
	// http with a loopback address; no path ("/v1" is added). HTTPS_PROXY is
	// honoured.
	APIURL string `env:"CLERK_API_URL" envDefault:"https://api.clerk.com"`

	// Where browsers reach the Frontend API when it is not on the instance's
	// own host: an https URL (http for a loopback address or an origin of
	// AUTHPROXY_PUBLIC_URL), or a path beginning with one "/" on the origin of
	// the request. Its path is of letters, digits and -._~ between single
	// slashes; a final "/" is dropped. On an origin of our own, requests under
	// that path are forwarded to the upstream without a session, with Clerk's
	// cookies and Authorization as they came; so there it may be neither "/"
	// nor a path of the proxy's own.
	// Default: none: browsers reach Clerk directly.
	ProxyURL string `env:"CLERK_PROXY_URL" example:"https://app.example.com/__clerk"`

	// The domain of a satellite application: a host name; with a pk_test_ key
	// host:port too. With a pk_live_ key the Frontend API is then
	// clerk.<domain>. Without CLERK_IS_SATELLITE only Clerk's JavaScript is
	// told of it.
	// Default: none.
	Domain string `env:"CLERK_DOMAIN" example:"satellite.example"`

	// true: this application is on another domain than the one where people
	// sign in. It needs CLERK_DOMAIN or CLERK_PROXY_URL, and with a pk_test_
	// key CLERK_SIGN_IN_URL. The sign-in page is then on the primary domain,
	// never on an origin of our own. With a pk_test_ key it must need a
	// session if authproxy stands before it, which answers the satellite then
	// and names its origin in AUTHPROXY_AUTHORIZED_PARTIES.
	Satellite flag `env:"CLERK_IS_SATELLITE" envDefault:"false"`

	// true: a satellite asks the primary domain on a browser's first visit
	// whether somebody is signed in there. false: only on the way back from
	// the sign-in page.
	SatelliteAutoSync flag `env:"AUTHPROXY_SATELLITE_AUTO_SYNC" envDefault:"false"`

	_ struct{} `section:"Upstream"`

	// The application behind the proxy, required: http://host:port,
	// https://host:port or unix:///path of a socket. No path, query or
	// credentials; a final "/" is tolerated. An http upstream is never reached
	// through HTTP_PROXY.
	Upstream string `env:"AUTHPROXY_UPSTREAM" example:"http://127.0.0.1:3000"`

	// PEM file with the certificates of a private CA that an https upstream's
	// certificate is checked against.
	// Default: the system's CAs.
	UpstreamCAFile string `env:"AUTHPROXY_UPSTREAM_CA_FILE" example:"/etc/authproxy/upstream-ca.pem"`

	// An address is host:port, or :port for every address of the machine. The
	// host is an IP address or a name; port 0 takes any free port.
	_ struct{} `section:"Listeners"`

	// User traffic.
	Listen string `env:"AUTHPROXY_LISTEN" envDefault:":4180"`

	// /livez, /readyz, /startupz and /metrics. Nothing of it is reachable on
	// the other listener; keep it away from the outside.
	AdminListen string `env:"AUTHPROXY_ADMIN_LISTEN" envDefault:"127.0.0.1:4181"`

	// Certificate chain and private key (PEM) for TLS on AUTHPROXY_LISTEN;
	// both or neither. They are read again when the files change.
	// Default: no TLS.
	TLSCertFile string `env:"AUTHPROXY_TLS_CERT_FILE" example:"/etc/authproxy/tls.crt"`

	// See AUTHPROXY_TLS_CERT_FILE.
	TLSKeyFile string `env:"AUTHPROXY_TLS_KEY_FILE" example:"/etc/authproxy/tls.key"`

	_ struct{} `section:"How the outside sees us"`

	// The origin or origins that browsers see, scheme included, separated by
	// commas. Required with a pk_live_ key, or with no publishable key. No
	// path; a final "/" is tolerated. Case and the scheme's own port do not
	// matter.
	// Default, with a pk_test_ key only: scheme and host of the request.
	PublicURL list `env:"AUTHPROXY_PUBLIC_URL" example:"https://app.example.com"`

	// Further origins whose pages may have asked Clerk for the session token
	// (claim azp), beside those of AUTHPROXY_PUBLIC_URL: an application whose
	// pages come from another origin than its API. Origins exactly, without
	// even a final "/"; browser extensions (chrome-extension://id) too.
	// Default: none.
	AuthorizedParties list `env:"AUTHPROXY_AUTHORIZED_PARTIES" example:"https://spa.example.com"`

	// Further hosts that are served for bearer tokens only, for example the
	// name of the Service inside a cluster: host or host:port.
	// Default: none.
	ExtraHosts list `env:"AUTHPROXY_EXTRA_HOSTS" example:"app.default.svc.cluster.local"`

	// The addresses (CIDR, or single) of the proxies in front of this one
	// whose X-Forwarded-* headers are believed. Never everybody: 0.0.0.0/0,
	// ::/0 and anything wider than an IPv4 /8 or an IPv6 /7 is refused.
	// Default: none.
	TrustedProxies list `env:"AUTHPROXY_TRUSTED_PROXIES" example:"10.0.0.0/8"`

	// Paths that pass without a session. A path is exact, or ends in "/*" for
	// everything below: /static/* is /static/ and below, not /static.
	// Default: none.
	PublicPaths list `env:"AUTHPROXY_PUBLIC_PATHS" example:"/healthz,/static/*"`

	_ struct{} `section:"Keys"`

	// What the claim iss of a session token must be, byte for byte: an https
	// URL, or http with a loopback address, without a final "/".
	// Default: as the publishable key says; beside it, when they are set,
	// https://clerk.<CLERK_DOMAIN> of a live satellite, and CLERK_PROXY_URL (a
	// path on every origin of AUTHPROXY_PUBLIC_URL). With an issuer that is
	// none of these, sessions are verified and not renewed, and only cookies
	// without a suffix are read.
	Issuer string `env:"AUTHPROXY_ISSUER" example:"https://clerk.example.com"`

	// Where the key set is fetched: an https URL, or http with a loopback
	// address; HTTPS_PROXY is honoured. Not used with CLERK_JWT_KEY.
	// Default: as the publishable key says; below CLERK_PROXY_URL when that is
	// on another origin than ours.
	JWKSURL string `env:"AUTHPROXY_JWKS_URL" example:"https://clerk.example.com/.well-known/jwks.json"`

	// How often the key set is fetched anew, 100ms to 24h.
	JWKSRefresh duration `env:"AUTHPROXY_JWKS_REFRESH" envDefault:"5m"`

	// A token with an unknown key causes at most one more fetch in this time,
	// 100ms to 24h.
	JWKSMinRefetch duration `env:"AUTHPROXY_JWKS_MIN_REFETCH" envDefault:"10s"`

	// How old a key set may be when it cannot be fetched anew; then sessions
	// are answered 503. At least AUTHPROXY_JWKS_REFRESH, at most 720h.
	JWKSMaxStale duration `env:"AUTHPROXY_JWKS_MAX_STALE" envDefault:"24h"`

	// A file that keeps the key set over a restart. It is refused when others
	// can write it.
	// Default: none.
	JWKSCacheFile string `env:"AUTHPROXY_JWKS_CACHE_FILE" example:"/var/cache/authproxy/jwks.json"`

	_ struct{} `section:"Sessions"`

	// required: every path but the public ones needs a session. optional: a
	// request without one passes as anonymous.
	Auth string `env:"AUTHPROXY_AUTH" envDefault:"required"`

	// Values of the claim aud, one of which a session token must have when it
	// has the claim at all.
	// Default: none: aud is not looked at.
	Audience list `env:"AUTHPROXY_AUDIENCE" example:"https://api.example.com"`

	// How far the clocks of Clerk and of this machine may differ, 0s to 60s.
	ClockSkew duration `env:"AUTHPROXY_CLOCK_SKEW" envDefault:"5s"`

	// Claims without which a signed-in request is refused.
	// Default: none.
	RequiredClaims list `env:"AUTHPROXY_REQUIRED_CLAIMS" example:"organizationId,personId"`

	// on: unsafe methods and upgrades that are authenticated by the cookie are
	// refused when they come from another site.
	CSRF toggle `env:"AUTHPROXY_CSRF" envDefault:"on"`

	// on: /_authproxy/whoami shows a signed-in person the mapped claims.
	// Default: on with a pk_test_ key, else off.
	Whoami toggle `env:"AUTHPROXY_WHOAMI" example:"on"`

	// Paths that belong to one organisation, as in organizationSyncOptions of
	// Clerk's SDKs: when such a page is loaded while another organisation is
	// active, Clerk is asked to activate the page's own first. :slug and :id
	// stand for one segment and name the organisation (:id counts when both
	// are there), (.*) stands for any rest. The first pattern that matches
	// decides; one without :slug and :id exempts its paths. Case does not
	// matter. A comma ends a pattern, inside brackets too.
	// Default: none.
	OrganizationPatterns list `env:"AUTHPROXY_ORGANIZATION_PATTERNS" example:"/orgs/:slug,/orgs/:slug/(.*)"`

	// Paths of the personal account, in the same way: no organisation is to be
	// active there. What AUTHPROXY_ORGANIZATION_PATTERNS say comes first.
	// Default: none.
	PersonalPatterns list `env:"AUTHPROXY_PERSONAL_ACCOUNT_PATTERNS" example:"/me,/me/(.*)"`

	_ struct{} `section:"What the upstream gets"`

	// Which claims become which headers: Header=claim[|claim...]
	// [;default=value][;enc=encoding], separated by commas. Replaces the
	// built-in mapping; with a leading "+" it adds to it.
	// Default: X-Auth-Manageros-User-Id, X-Auth-Organization-Id, -Name and
	// -Slug, X-Auth-Person-Id and X-Auth-Role from the claims
	// managerOSUserId, organizationId, organizationName, organizationSlug,
	// personId and role.
	Headers string `env:"AUTHPROXY_HEADERS" example:"+X-Auth-Plan=plan;default=free"`

	// Exact names beginning with X-Auth- that clients may send through; never
	// one that the proxy itself sets.
	// Default: none.
	PassHeaders list `env:"AUTHPROXY_PASS_HEADERS" example:"X-Auth-Token"`

	// Identity headers of other products that never arrive; a final * stands
	// for any rest. Replaces the built-in list.
	// Default: X-Forwarded-User, -Email, -Groups and -Preferred-Username,
	// Remote-*, X-Remote-*, X-Webauth-*, X-Goog-Authenticated-*,
	// Cf-Access-*, X-Amzn-Oidc-*, X-Authentik-*, X-Pomerium-*,
	// Tailscale-User-*, Impersonate-*.
	StripHeaders list `env:"AUTHPROXY_STRIP_HEADERS" example:"Remote-*,X-Remote-*"`

	// true: the Authorization header that was used as the session reaches the
	// upstream.
	PassAuthorization flag `env:"AUTHPROXY_PASS_AUTHORIZATION" envDefault:"false"`

	// true: Clerk's cookies reach the upstream (never __refresh).
	PassClerkCookies flag `env:"AUTHPROXY_PASS_CLERK_COOKIES" envDefault:"false"`

	// A size is a number of bytes, or one with KiB, MiB or GiB.
	_ struct{} `section:"Limits"`

	// The head of a request, 1KiB to 16MiB.
	MaxHeaderBytes size `env:"AUTHPROXY_MAX_HEADER_BYTES" envDefault:"64KiB"`

	// The body of a request; none (or 0) for no limit.
	MaxBodyBytes size `env:"AUTHPROXY_MAX_BODY_BYTES" envDefault:"none"`

	// Until the head of a request has arrived, up to 10m.
	ReadHeaderTimeout duration `env:"AUTHPROXY_READ_HEADER_TIMEOUT" envDefault:"10s"`

	// How long a connection is kept between requests, up to 24h.
	IdleTimeout duration `env:"AUTHPROXY_IDLE_TIMEOUT" envDefault:"120s"`

	// Until the head of the upstream's answer has arrived, up to 24h. It never
	// cuts an upload or a stream.
	UpstreamTimeout duration `env:"AUTHPROXY_UPSTREAM_TIMEOUT" envDefault:"60s"`

	// The longest life of a stream or an upgraded connection, up to 720h.
	StreamMaxAge duration `env:"AUTHPROXY_STREAM_MAX_AGE" envDefault:"12h"`

	// How long requests are still accepted after the signal to stop, while
	// load balancers notice; less than AUTHPROXY_SHUTDOWN_TIMEOUT, may be 0s.
	ShutdownDelay duration `env:"AUTHPROXY_SHUTDOWN_DELAY" envDefault:"5s"`

	// From the signal to the end, the delay included, up to 1h. At its end
	// upgraded connections are cut.
	ShutdownTimeout duration `env:"AUTHPROXY_SHUTDOWN_TIMEOUT" envDefault:"25s"`

	_ struct{} `section:"Operation"`

	// debug, info, warn or error.
	LogLevel string `env:"AUTHPROXY_LOG_LEVEL" envDefault:"info"`

	// json or text.
	// Default: text on a terminal, else json.
	LogFormat string `env:"AUTHPROXY_LOG_FORMAT" example:"json"`

	// true: /debug/pprof/ on the admin listener.
	PProf flag `env:"AUTHPROXY_PPROF" envDefault:"false"`
}
