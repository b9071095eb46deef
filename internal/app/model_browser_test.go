package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// modelCookie is one that a browser keeps (RFC 6265, section 5.3).
type modelCookie struct {
	name, value, host, path    string
	hostOnly, secure, httpOnly bool
	sameSite                   string    // "lax", "strict" or "none"
	expires                    time.Time // zero: when the browser ends
}

// modelHabits are what a browser does with cookies beside keeping them all.
type modelHabits struct {
	nothing    bool     // keeps none
	loses      []string // keeps none whose name begins so
	small      int      // keeps none whose name and value are longer; 0 is 4096 bytes
	noHostOnly bool     // keeps none of the host alone
	noDomain   bool     // keeps none with a Domain
}

// healthy reports whether the browser keeps what browsers keep.
func (h modelHabits) healthy() bool {
	return !h.nothing && len(h.loses) == 0 && h.small == 0 && !h.noHostOnly && !h.noDomain
}

func (h modelHabits) keeps(c modelCookie) bool {
	lost := h.nothing || h.noHostOnly && c.hostOnly || h.noDomain && !c.hostOnly ||
		slices.ContainsFunc(h.loses, func(prefix string) bool { return strings.HasPrefix(c.name, prefix) })
	longest := 4096
	if h.small > 0 {
		longest = h.small
	}
	return !lost && len(c.name)+len(c.value) <= longest
}

// modelBrowser keeps and sends cookies, and says of its requests what browsers say.
type modelBrowser struct {
	now      func() time.Time
	habits   modelHabits
	deaf     bool // keeps nothing new from now on
	ancient  bool // no Sec-Fetch fields, and SameSite means nothing to it
	careless bool // does not obey a redirect's Referrer-Policy
	jar      []modelCookie
}

// keep takes the Set-Cookie lines of an answer (RFC 6265, sections 5.2 and 5.3).
func (b *modelBrowser) keep(answer http.Header, trip *modelTrip) {
	for _, line := range answer["Set-Cookie"] {
		c, ok := b.read(line, trip.target)
		if !ok || b.deaf || !b.habits.keeps(c) {
			continue
		}
		if c.sameSite != "none" && trip.crossSite() && trip.dest != "document" && !b.ancient {
			continue // in a frame of another site
		}
		b.put(c)
	}
}

// read takes a Set-Cookie line apart, as a browser does.
func (b *modelBrowser) read(line string, from *url.URL) (modelCookie, bool) {
	parts := strings.Split(line, ";")
	name, value, found := strings.Cut(parts[0], "=")
	c := modelCookie{name: strings.TrimSpace(name), value: strings.TrimSpace(value), host: from.Hostname(), path: "/", hostOnly: true, sameSite: "lax"}
	if i := strings.LastIndexByte(from.Path, '/'); i > 0 {
		c.path = from.Path[:i]
	}
	aged := false
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "path":
			if strings.HasPrefix(value, "/") {
				c.path = value
			}
		case "domain":
			domain := strings.ToLower(strings.TrimPrefix(value, "."))
			switch {
			case domain == "" || domain == c.host && !strings.Contains(domain, "."):
				// a public suffix that is the host itself is of the host alone
			case !strings.Contains(domain, ".") || domain != from.Hostname() && !strings.HasSuffix(from.Hostname(), "."+domain):
				return c, false
			default:
				c.host, c.hostOnly = domain, false
			}
		case "max-age":
			if seconds, err := strconv.Atoi(value); err == nil {
				aged, c.expires = true, b.now().Add(time.Duration(max(seconds, 0))*time.Second)
			}
		case "expires":
			if at, err := http.ParseTime(value); err == nil && !aged {
				c.expires = at
			}
		case "secure":
			c.secure = true
		case "httponly":
			c.httpOnly = true
		case "samesite":
			if value = strings.ToLower(value); value == "strict" || value == "none" {
				c.sameSite = value
			}
		}
	}
	return c, found && c.name != "" && (c.sameSite != "none" || c.secure)
}

// put replaces the cookie of the same name, host and path in its place.
func (b *modelBrowser) put(c modelCookie) {
	i := slices.IndexFunc(b.jar, func(old modelCookie) bool {
		return old.name == c.name && old.host == c.host && old.hostOnly == c.hostOnly && old.path == c.path
	})
	dead := !c.expires.IsZero() && !c.expires.After(b.now())
	switch {
	case i >= 0 && dead:
		b.jar = slices.Delete(b.jar, i, i+1)
	case i >= 0:
		b.jar[i] = c
	case !dead:
		b.jar = append(b.jar, c)
	}
}

// script is what document.cookie = … does on a page of the address.
func (b *modelBrowser) script(at *url.URL, line string) {
	b.keep(http.Header{"Set-Cookie": {line}}, &modelTrip{target: at, dest: "document"})
}

// cookies are those that go with a request (RFC 6265, section 5.4).
func (b *modelBrowser) cookies(t *modelTrip) []modelCookie {
	var list []modelCookie
	for _, c := range b.jar {
		host, path := t.target.Hostname(), t.target.Path
		topLevelLook := t.dest == "document" && t.method == http.MethodGet
		switch {
		case !c.expires.IsZero() && !c.expires.After(b.now()):
		case c.host != host && (c.hostOnly || !strings.HasSuffix(host, "."+c.host)):
		case c.path != path && !strings.HasPrefix(path, strings.TrimSuffix(c.path, "/")+"/"):
		case c.secure && t.target.Scheme != "https" && host != "localhost":
		case t.crossSite() && !b.ancient && (c.sameSite == "strict" || c.sameSite == "lax" && !topLevelLook):
		default:
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b modelCookie) int { return len(b.path) - len(a.path) })
	return list
}

// has reports whether a live cookie of that name, or with what follows it, is kept.
func (b *modelBrowser) has(name string) bool {
	return slices.ContainsFunc(b.jar, func(c modelCookie) bool {
		return strings.HasPrefix(c.name, name) && (c.expires.IsZero() || c.expires.After(b.now()))
	})
}

// modelTrip is a request and the redirects behind it.
type modelTrip struct {
	method, body string
	target       *url.URL
	dest         string   // Sec-Fetch-Dest: "document", "iframe", "empty"
	from         *url.URL // the page that caused it; nil: the person
	referer      string
	worst        int // 0 same-origin, 1 same-site, 2 cross-site: of all addresses so far
	hops         int
}

// newModelTrip begins a trip.
func newModelTrip(method string, target, from *url.URL, dest string) *modelTrip {
	t := &modelTrip{method: method, from: from, dest: dest}
	if from != nil {
		t.referer = from.String()
	}
	t.to(target)
	return t
}

// to is the next address.
func (t *modelTrip) to(target *url.URL) {
	t.target = target
	if t.from != nil {
		switch {
		case modelOrigin(t.from) == modelOrigin(target):
		case modelSite(t.from) == modelSite(target):
			t.worst = max(t.worst, 1)
		default:
			t.worst = 2
		}
	}
}

func (t *modelTrip) crossSite() bool { return t.worst == 2 }

func (t *modelTrip) pageLoad() bool { return t.method == http.MethodGet && t.dest != "empty" }

// follow takes the redirect of an answer; false: there is none.
func (t *modelTrip) follow(answer *httptest.ResponseRecorder, b *modelBrowser) bool {
	location := answer.Header().Get("Location")
	if answer.Code < 300 || answer.Code > 399 || location == "" {
		return false
	}
	next, err := t.target.Parse(location)
	if err != nil {
		return false
	}
	if answer.Code != http.StatusTemporaryRedirect && answer.Code != http.StatusPermanentRedirect {
		t.method, t.body = http.MethodGet, ""
	}
	if policy := answer.Header().Get("Referrer-Policy"); policy == "no-referrer" && !b.careless {
		t.referer = ""
	}
	t.to(next)
	return true
}

// request is what the browser sends.
func (b *modelBrowser) request(t *modelTrip) *http.Request {
	r := httptest.NewRequest(t.method, t.target.RequestURI(), strings.NewReader(t.body))
	r.Host = t.target.Host
	if t.target.Scheme == "https" {
		r.TLS = modelTLS
	}
	for _, c := range b.cookies(t) {
		// One field, as in HTTP/1.1.
		r.Header["Cookie"] = []string{strings.TrimPrefix(r.Header.Get("Cookie")+"; "+c.name+"="+c.value, "; ")}
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if t.dest == "empty" {
		r.Header.Set("Accept", "*/*")
	}
	if t.referer != "" {
		referer, _ := url.Parse(t.referer)
		if modelOrigin(referer) != modelOrigin(t.target) { // strict-origin-when-cross-origin
			t.referer = modelOrigin(referer) + "/"
		}
		r.Header.Set("Referer", t.referer)
	}
	if t.method != http.MethodGet && t.from != nil {
		r.Header.Set("Origin", modelOrigin(t.from))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if !b.ancient {
		r.Header.Set("Sec-Fetch-Dest", t.dest)
		r.Header.Set("Sec-Fetch-Site", "none")
		if t.from != nil {
			r.Header.Set("Sec-Fetch-Site", []string{"same-origin", "same-site", "cross-site"}[t.worst])
		}
	}
	return r
}

func modelOrigin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// siteOf is the scheme and the registrable domain: here the last two labels.
func modelSite(u *url.URL) string {
	labels := strings.Split(u.Hostname(), ".")
	return u.Scheme + "://" + strings.Join(labels[max(0, len(labels)-2):], ".")
}
