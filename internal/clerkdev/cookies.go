package clerkdev

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The life that clerk-js and Clerk's server give their cookies, in seconds. A
// development instance gives an hour: it forgets everything at its end and has a
// new suffix at every start, so that the cookies of dead ones would fill the jar
// that all ports of localhost share.
const oneHour, oneYear, tenYears = 60 * 60, 365 * 24 * 60 * 60, 315360000

// The names of Clerk's cookies; each is also written with "_" and the suffix of
// the instance, because all ports of localhost share one jar and only suffixed
// names are of this instance (clerk-frontend.md, 8.5).
const (
	sessionCookie = "__session"
	uatCookie     = "__client_uat"
	browserCookie = "__clerk_db_jwt" // development
	clientCookie  = "__client"       // production; never suffixed, not for scripts
	refreshCookie = "__refresh"      // only suffixed, not for scripts
)

// browser is the one who asks, as its cookies say.
type browser struct {
	i     *Instance
	w     http.ResponseWriter
	r     *http.Request
	token string // of the client; "" is a browser this instance does not know
}

func (i *Instance) browser(w http.ResponseWriter, r *http.Request) *browser {
	b := &browser{i: i, w: w, r: r}
	names := []string{clientCookie}
	if !i.cfg.Production {
		names = []string{i.suffixed(browserCookie), browserCookie}
	}
	for _, name := range names {
		if c, err := r.Cookie(name); err == nil && i.known(c.Value) {
			b.token = c.Value
			return b
		}
	}
	return b
}

func (i *Instance) suffixed(name string) string { return name + "_" + i.named.CookieSuffix() }

// meet gives a browser that is not known a client of its own. The token is
// always made here: one that came with the request might be known to others.
func (b *browser) meet() {
	if b.token != "" {
		return
	}
	b.token = b.i.NewClient()
	if b.i.cfg.Production {
		b.set(crumb{name: clientCookie, value: b.token, maxAge: tenYears, hidden: true})
		return
	}
	b.both(crumb{name: browserCookie, value: b.token, maxAge: oneHour})
}

// signedInWith sets the cookies of a fresh token. __client_uat must never be
// later than the token: backends would think the token older than the last
// change (clerk-frontend.md, 8.6).
func (b *browser) signedInWith(sessionID string, token Token) {
	b.both(crumb{name: sessionCookie, value: token.JWT, maxAge: b.life()})
	b.set(b.i.refreshCrumb(b.i.refreshToken(sessionID)))
	b.uat(min(b.i.clientUpdated(b.token), token.IssuedAt.Unix()))
}

func (b *browser) life() int {
	if b.i.cfg.Production {
		return oneYear
	}
	return oneHour
}

func (b *browser) signedOut() {
	b.both(crumb{name: sessionCookie, maxAge: -1})
	b.set(crumb{name: b.i.suffixed(refreshCookie), maxAge: -1, hidden: true})
	b.uat(0)
}

// uat writes __client_uat as the server does (5.2, 7): Lax. clerk-js makes it
// Strict in development, which a handshake answers when somebody follows a link
// from another site; without one that would be a redirect for ever.
func (b *browser) uat(seconds int64) {
	b.both(b.i.uatCrumb(seconds, b.r.Host))
}

func (i *Instance) uatCrumb(seconds int64, host string) crumb {
	c := crumb{name: uatCookie, value: strconv.FormatInt(seconds, 10), domain: registrable(host), maxAge: oneHour}
	if i.cfg.Production {
		c.maxAge = tenYears
	}
	return c
}

// refreshCrumb is the cookie that a backend renews an expired session token with.
func (i *Instance) refreshCrumb(value string) crumb {
	c := crumb{name: i.suffixed(refreshCookie), value: value, maxAge: oneHour, hidden: true}
	if i.cfg.Production {
		c.maxAge = int(sessionLife.Seconds())
	}
	return c
}

// crumb is what tells one of these cookies from another.
type crumb struct {
	name, value, domain string // domain "" is host-only
	maxAge              int    // seconds; 0 is until the browser ends; negative removes
	gone                bool   // removed by a date, as in a handshake's directives
	hidden              bool   // HttpOnly
}

// both writes a cookie under its plain and its suffixed name.
func (b *browser) both(c crumb) {
	for _, one := range b.i.twice(c) {
		b.set(one)
	}
}

func (i *Instance) twice(c crumb) []crumb {
	suffixed := c
	suffixed.name = i.suffixed(c.name)
	return []crumb{c, suffixed}
}

// set writes a cookie.
func (b *browser) set(c crumb) { http.SetCookie(b.w, c.cookie(b.r.TLS != nil)) }

// cookie is what clerk-js would write. Scripts can read and overwrite all but
// __client and __refresh: with HttpOnly on __session the plain cookie would go stale while the
// suffixed one moves on (clerk-frontend.md, 5.2). Over http there is no Secure.
func (c crumb) cookie(secure bool) *http.Cookie {
	k := &http.Cookie{ //nolint:gosec // see above
		Name: c.name, Value: c.value, Domain: c.domain, Path: "/", MaxAge: c.maxAge,
		Secure: secure, HttpOnly: c.hidden, SameSite: http.SameSiteLaxMode,
	}
	if c.gone {
		k.Expires = time.Unix(0, 0)
	}
	return k
}

// registrable is the Domain that clerk-js finds for a host by trying: the last
// two labels, localhost itself, and none for an address.
func registrable(hostport string) string {
	host := strings.ToLower(hostport)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.Trim(host, "0123456789.:[]") == "" || strings.Contains(host, ":") {
		return ""
	}
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}
