package handshake

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/manageros/authproxy"
)

// Limits of what Clerk may have us set.
const (
	maxDirectives = 32
	maxDirective  = 8 << 10 // bytes
)

// Jar says which cookies Clerk may have us set, and for whom.
type Jar struct {
	AsClerk  bool // whatever it is
	Instance authproxy.Instance
	Origin   authproxy.Origin // of the request
}

// Directives are the Set-Cookie lines that Clerk asks for.
type Directives struct {
	SetCookies []string
	Session    string // the session token in them; "" when nobody is signed in
}

// Read takes Clerk's lines apart. Only cookies of the instance pass, written anew:
// whoever can have Clerk's keys sign a list must not be able to set the
// application's own cookies, for other hosts or for parts of ours (threat HS-04).
// Clerk's SDK sets every line as it is.
func (j Jar) Read(lines []string) Directives {
	if j.AsClerk {
		return readAsClerk(lines)
	}
	var d Directives
	for _, line := range lines[:min(len(lines), maxDirectives)] {
		c, ok := j.read(line)
		if !ok {
			continue
		}
		d.SetCookies = append(d.SetCookies, c.String())
		if c.Name == "__session" || c.Name == "__session_"+j.Instance.CookieSuffix() {
			d.Session = c.Value
			if removes(c) {
				d.Session = ""
			}
		}
	}
	return d
}

// readAsClerk takes the last cookie whose name begins "__session", and what is
// between the first two equals signs of its line.
func readAsClerk(lines []string) Directives {
	d := Directives{SetCookies: slices.Clone(lines)}
	for _, line := range lines {
		pair, _, _ := strings.Cut(line, ";")
		parts := strings.Split(pair, "=")
		if strings.HasPrefix(parts[0], "__session") {
			d.Session = ""
			if len(parts) > 1 {
				d.Session = parts[1]
			}
		}
	}
	return d
}

func (j Jar) read(line string) (*http.Cookie, bool) {
	if len(line) > maxDirective {
		return nil, false
	}
	c, err := http.ParseSetCookie(line)
	if err != nil {
		return nil, false
	}
	base, suffixed := strings.CutSuffix(c.Name, "_"+j.Instance.CookieSuffix())
	wide := false // may be for the whole domain
	switch {
	case base == "__session":
	case base == "__client_uat":
		wide = true
	case base == "__refresh" && suffixed:
		c.HttpOnly = true
	case base == "__clerk_db_jwt" && !j.Instance.Production:
	case (base == "__clerk_handshake" || base == "__clerk_handshake_nonce") && !suffixed && removes(c):
		wide = true
	default:
		return nil, false
	}
	if c.Domain != "" && !covers(strings.TrimPrefix(c.Domain, "."), j.Origin.Host) {
		return nil, false
	}
	if !wide {
		c.Domain = ""
	}
	c.Path, c.Secure = "/", j.Origin.Scheme == "https"
	if c.SameSite != http.SameSiteStrictMode && (c.SameSite != http.SameSiteNoneMode || !c.Secure) {
		c.SameSite = http.SameSiteLaxMode
	}
	c.Partitioned = c.Partitioned && c.Secure
	c.Raw, c.Unparsed = "", nil
	return c, c.Valid() == nil
}

// removes reports whether a browser drops the cookie at once.
func removes(c *http.Cookie) bool {
	return c.MaxAge < 0 || c.Value == "" || c.MaxAge == 0 && !c.Expires.IsZero() && c.Expires.Before(time.Unix(1, 0))
}

// covers reports whether a cookie of domain is for host, which may have a port:
// the same name or one above it, at the border of a label. A name of one label
// is a top-level domain, but for localhost.
func covers(domain, host string) bool {
	host, _, _ = strings.Cut(host, ":")
	domain = strings.ToLower(domain)
	return (strings.Contains(domain, ".") || domain == "localhost") &&
		(host == domain || strings.HasSuffix(host, "."+domain))
}
