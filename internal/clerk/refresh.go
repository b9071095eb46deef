package clerk

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	sdk "github.com/clerk/clerk-sdk-go/v2"
)

// Refresh is a token that has run out, and what shows that a fresh one may be had.
type Refresh struct {
	SessionID    string // the sid of the token
	ExpiredToken string
	RefreshToken string
	Origin       string      // the public origin of the request; Clerk compares it with the token's azp
	Suffixed     bool        // the browser's cookies have the instance's suffix
	Header       http.Header // of the request; a few fields go to Clerk, see [Client.Refresh]
	ClientIP     netip.Addr  // may be invalid: nothing is said about it then
}

// sessionForm is wider than Clerk's ids and has nothing in it that a path could
// take for its own.
var sessionForm = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// refreshForm reports whether a cookie may hold a refresh token: whoever writes
// something else into it must not make us send it.
func refreshForm(token string) bool {
	return token != "" && len(token) <= 4096 && !strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' })
}

// check returns nil, or what Clerk's JavaScript SDK calls it when something is
// missing.
func (r *Refresh) check() error {
	code := ""
	switch {
	case r.ExpiredToken == "":
		code = CodeNoToken
	case !refreshForm(r.RefreshToken):
		code = CodeNoRefreshToken
	case !sessionForm.MatchString(r.SessionID):
		code = CodeNoSession
	default:
		return nil
	}
	return &Error{Endpoint: EndpointRefresh, Code: code}
}

// key has the refresh token in it: who has somebody's expired token, and not what
// goes with it, must not be handed the answer for the one who has both.
func (r *Refresh) key() key {
	return keyOf(r.SessionID, r.ExpiredToken, r.RefreshToken, r.Origin, strconv.FormatBool(r.Suffixed))
}

func (r *Refresh) path() string {
	path := "/sessions/" + url.PathEscape(r.SessionID) + "/refresh"
	if r.Suffixed {
		path += "?suffixed_cookies=true"
	}
	return path
}

// refreshParams is the body of a refresh (clerk.md, 2.7).
type refreshParams struct {
	sdk.APIParams  `json:"-"`
	Format         string              `json:"format"`
	ExpiredToken   string              `json:"expired_token"`
	RefreshToken   string              `json:"refresh_token"`
	RequestOrigin  string              `json:"request_origin"`
	RequestHeaders map[string][]string `json:"request_headers"`
	OriginatingIP  string              `json:"request_originating_ip,omitempty"`
}

func (r *Refresh) params() *refreshParams {
	p := &refreshParams{
		Format: "cookie", ExpiredToken: r.ExpiredToken, RefreshToken: r.RefreshToken,
		RequestOrigin: r.Origin, RequestHeaders: r.told(),
	}
	if r.ClientIP.IsValid() {
		p.OriginatingIP = r.address()
	}
	return p
}

// longestField bounds what of a client's field goes to Clerk.
const longestField = 1024

// told is what Clerk gets to know about the request. Clerk's own SDKs send every
// field, the cookies of other applications included; these are the ones that say
// something about the client.
func (r *Refresh) told() map[string][]string {
	all := map[string][]string{}
	tell := func(name, value string) {
		if value != "" && len(value) <= longestField {
			all[name] = []string{value}
		}
	}
	tell("user-agent", r.Header.Get("User-Agent"))
	tell("accept-language", r.Header.Get("Accept-Language"))
	tell("origin", originOf(r.Header.Get("Origin")))
	tell("referer", originOf(r.Header.Get("Referer"))) // the path may be a secret, and is none of Clerk's business
	if r.ClientIP.IsValid() {
		tell("x-forwarded-for", r.address())
	}
	return all
}

// address is the client's without the zone, which is a name on this machine.
func (r *Refresh) address() string { return r.ClientIP.Unmap().WithZone("").String() }

// originOf is the origin of a web address; "" is none.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
