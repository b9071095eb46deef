package clerkdev

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// handshakeLife is how long a handshake's nonce or token can be used.
const handshakeLife = 5 * time.Minute

// The names that carry a handshake back, in the query or in cookies.
const (
	handshakeToken = "__clerk_handshake"
	handshakeNonce = "__clerk_handshake_nonce"
)

// handshake is what waits for a nonce.
type handshake struct {
	directives []string // Set-Cookie lines
	madeAt     time.Time
}

// site is where a handshake leads: an origin of the application.
type site struct {
	origin string // as a browser writes it
	host   string // with its port, if it is no usual one
	secure bool
}

// handshake renews what a backend wants to know of the browser and sends it back
// (clerk-frontend.md, 7). It has no body.
func (b *browser) handshake() {
	query := b.r.URL.Query()
	back := query.Get("redirect_url")
	to, ok := b.i.mayReturn(back)
	if !ok {
		clerkError(b.w, http.StatusUnprocessableEntity, "form_param_value_invalid", "redirect_url is no address of the application")
		return
	}
	format := query.Get("format")
	if !slices.Contains([]string{"", "nonce", "token"}, format) {
		clerkError(b.w, http.StatusUnprocessableEntity, "form_param_value_invalid", "format is nonce or token")
		return
	}
	if b.token == "" && !b.i.cfg.Production {
		b.token = b.i.NewClient()
	}
	if wanted, ok := query["organization_id"]; ok {
		b.i.activate(b.token, wanted[0])
	}
	directives := b.i.directives(b.token, to, b.carrierDomain(to))
	name, value := handshakeToken, ""
	if format == "nonce" {
		name, value = handshakeNonce, b.i.keepHandshake(directives)
	} else {
		var err error
		if value, err = b.i.signHandshake(directives); err != nil {
			clerkError(b.w, http.StatusInternalServerError, "internal_clerk_error", "The handshake cannot be signed")
			return
		}
	}
	b.sendBack(back, to, name, value)
}

// sendBack carries the handshake in the address, or in production in a cookie.
func (b *browser) sendBack(back string, to site, name, value string) {
	if b.i.cfg.Production {
		c := crumb{name: name, value: value, domain: b.carrierDomain(to), maxAge: int(handshakeLife.Seconds()), hidden: true}
		http.SetCookie(b.w, c.cookie(to.secure))
		b.redirect(withoutOurs(back), http.StatusTemporaryRedirect)
		return
	}
	back = withoutOurs(back)
	separator := "?"
	if strings.Contains(back, "?") {
		separator = "&"
	}
	// The values are made of letters, digits and what needs no escape.
	b.redirect(back+separator+name+"="+value+"&"+browserCookie+"="+b.token, http.StatusTemporaryRedirect)
}

// withoutOurs takes a handshake that came before out of an address, because
// whoever reads it takes the first. The rest stays byte for byte: an address that
// comes back spelled differently may be another one to the application.
func withoutOurs(address string) string {
	base, query, found := strings.Cut(address, "?")
	if !found {
		return address
	}
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		return err == nil && slices.Contains([]string{handshakeToken, handshakeNonce, browserCookie}, name)
	})
	if len(kept) == 0 {
		return base
	}
	return base + "?" + strings.Join(kept, "&")
}

// mayReturn reads a redirect_url: an absolute address on this machine or on an
// origin of [Config.AllowedOrigins]. What browsers read otherwise than net/url does
// is refused (RD-03, RD-10): control characters, spaces, backslashes, user names.
func (i *Instance) mayReturn(raw string) (site, bool) {
	base, _, _ := strings.Cut(raw, "?")
	if strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c > '~' || c == '#' }) || strings.Contains(base, `\`) {
		return site{}, false
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return site{}, false
	}
	to := site{host: strings.ToLower(u.Host), secure: u.Scheme == "https"}
	if to.secure {
		to.host = strings.TrimSuffix(to.host, ":443")
	} else {
		to.host = strings.TrimSuffix(to.host, ":80")
	}
	to.origin = u.Scheme + "://" + to.host
	return to, isLoopback(to.host) || slices.Contains(i.cfg.AllowedOrigins, to.origin)
}

// carrierDomain is the Domain of the cookie that carries a handshake: none on the
// application's own host, which is where a proxied Frontend API is.
func (b *browser) carrierDomain(to site) string {
	if sameHost(b.r.Host, to.host) {
		return ""
	}
	return registrable(to.host)
}

func sameHost(a, b string) bool {
	first, second := url.URL{Host: strings.ToLower(a)}, url.URL{Host: b}
	return first.Hostname() == second.Hostname()
}

// directives are the cookies that a handshake leaves, as Set-Cookie lines. The
// first one drops a __client_uat that was written without a Domain.
func (i *Instance) directives(clientToken string, to site, carrier string) []string {
	crumbs := []crumb{{name: uatCookie, gone: true}}
	crumbs = append(crumbs, i.sessionCrumbs(clientToken, to)...)
	if i.cfg.Production {
		crumbs = append(crumbs,
			crumb{name: handshakeToken, domain: carrier, gone: true, hidden: true},
			crumb{name: handshakeNonce, domain: carrier, gone: true, hidden: true})
	} else {
		crumbs = append(crumbs, i.twice(crumb{name: browserCookie, value: clientToken, maxAge: oneHour})...)
	}
	var lines []string
	for _, c := range crumbs {
		lines = append(lines, c.cookie(to.secure).String())
	}
	return lines
}

// sessionCrumbs are the cookies of the browser's session, or of none. In production
// __session lasts as long as the browser is open.
func (i *Instance) sessionCrumbs(clientToken string, to site) []crumb {
	s, ok := i.signedIn(clientToken)
	token, err := Token{}, error(nil)
	if ok {
		token, err = i.MintToken(s.ID, to.origin)
	}
	if !ok || err != nil { // err: it ended in between
		return append(append(i.twice(i.uatCrumb(0, to.host)), i.twice(crumb{name: sessionCookie, gone: true})...),
			crumb{name: i.suffixed(refreshCookie), gone: true, hidden: true})
	}
	updated := min(i.clientUpdated(clientToken), token.IssuedAt.Unix()) // see signedInWith
	return append(append(i.twice(i.uatCrumb(updated, to.host)), i.twice(i.sessionCrumb(token.JWT))...), i.refreshCrumb(s.refresh))
}

// sessionCrumb is __session as Clerk's server sets it.
func (i *Instance) sessionCrumb(jwt string) crumb {
	c := crumb{name: sessionCookie, value: jwt, maxAge: oneHour}
	if i.cfg.Production {
		c.maxAge = 0
	}
	return c
}

// activate makes the organisation with that id or slug the active one of the
// browser's session; "" is none. What the person is no member of changes nothing.
func (i *Instance) activate(clientToken, wanted string) {
	s, ok := i.signedIn(clientToken)
	if !ok {
		return
	}
	if wanted == "" && s.OrganizationID != "" {
		_ = i.SetOrganization(s.ID, "") // a session that ends in between has none
	}
	for _, o := range i.organizationsOf(s.UserID) {
		if (o.ID == wanted || o.Slug == wanted) && o.ID != s.OrganizationID {
			_ = i.SetOrganization(s.ID, o.ID) // as above; a membership that ends in between is none
			return
		}
	}
}

// keepHandshake stores directives under a new nonce.
func (i *Instance) keepHandshake(directives []string) string {
	nonce := randomText(40)
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	for old, h := range i.state.handshakes {
		if now.Sub(h.madeAt) > handshakeLife {
			delete(i.state.handshakes, old)
		}
	}
	i.state.handshakes[nonce] = handshake{directives, now}
	return nonce
}

// takeHandshake is what was kept under the nonce, once.
func (i *Instance) takeHandshake(nonce string) ([]string, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	h, ok := i.state.handshakes[nonce]
	delete(i.state.handshakes, nonce)
	return h.directives, ok && i.now().Sub(h.madeAt) <= handshakeLife
}

// signHandshake is the token form.
func (i *Instance) signHandshake(directives []string) (string, error) {
	now := i.now().Truncate(time.Second)
	return i.keys.sign(map[string]any{"cat": sessionClass}, map[string]any{
		"iss": i.named.Issuer(), "iat": now.Unix(), "exp": now.Add(handshakeLife).Unix(), "handshake": directives,
	})
}
