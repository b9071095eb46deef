package handshake

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/manageros/authproxy"
)

// apiVersion is the one that @clerk/backend 3.25.0 names.
const apiVersion = "2026-05-12"

// countParameter is the name of the parameter that counts handshakes; the cookie
// that counts has it too. Clerk's SDK has the cookie only, which a browser may not
// keep, and which lives for two seconds, less than a handshake over a slow link.
const countParameter = "__clerk_redirect_count"

// longestAddress bounds the way back, in bytes; of a longer one the query is
// forgotten rather than cut. It has to be the request line of somebody else.
const longestAddress = 8000

// Address is the address of the request, as the browser sees it.
type Address struct {
	Origin      authproxy.Origin
	Path, Query string
}

// Way is what the address of a handshake is made of.
type Way struct {
	AsClerk      bool
	Frontend     string // base URL of the Frontend API
	Back         Address
	Suffixed     bool
	Reason       authproxy.Reason
	Development  bool
	Token        string  // the session token presented; "" when none
	DevBrowser   string  // "" when none
	Nonce        bool    // a nonce can be looked up; else the payload has to come as a token
	Organization *string // the one the page is of; nil when any, "" is the personal account
	Count        int     // with this handshake
}

// URL is where the browser asks Clerk for a fresh session (clerk.md, 2.8).
func (w Way) URL() string {
	format := "token"
	if w.Nonce {
		format = "nonce"
	}
	pairs := []string{
		"redirect_url", w.back(),
		"__clerk_api_version", apiVersion,
		"suffixed_cookies", fmt.Sprint(w.Suffixed),
		"__clerk_hs_reason", string(w.Reason),
		"format", format,
	}
	// A session token in production is a credential, and an address is no place
	// for one (threat HS-10). Clerk knows the browser by its own cookie.
	if w.Token != "" && (w.Development || w.AsClerk) {
		pairs = append(pairs, "__session", w.Token)
	}
	if w.Development && w.DevBrowser != "" {
		pairs = append(pairs, "__clerk_db_jwt", w.DevBrowser)
	}
	if w.Organization != nil {
		pairs = append(pairs, "organization_id", *w.Organization)
	}
	return strings.TrimRight(w.Frontend, "/") + "/v1/client/handshake?" + form(pairs)
}

func form(pairs []string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
	}
	return b.String()
}

func (w Way) back() string {
	if w.AsClerk {
		return w.Back.String("__clerk_db_jwt", "__dev_session")
	}
	return w.Back.Clean(w.Count)
}

// String is the address without some parameters, the others as they are.
func (a Address) String(without ...string) string {
	target := a.Path
	if query := dropParameters(a.Query, without); query != "" {
		target += "?" + query
	}
	return a.Origin.String() + target
}

// Clean is the address without the traces of a handshake. With a count it says
// how many were made: for a browser that does not keep the cookie.
func (a Address) Clean(count int) string {
	clean := a.String("__clerk_db_jwt", "__dev_session", "__clerk_handshake", "__clerk_handshake_nonce", "__clerk_help", countParameter)
	if len(clean) > longestAddress {
		if clean = a.Origin.String() + a.Path; len(clean) > longestAddress {
			clean = a.Origin.String() + "/"
		}
	}
	if count == 0 {
		return clean
	}
	separator := "?"
	if strings.Contains(clean, "?") {
		separator = "&"
	}
	return clean + separator + fmt.Sprintf("%s=%d", countParameter, count)
}

// WithoutPayload is a query without what a handshake brings; one that has nothing of
// it is as it was.
func WithoutPayload(query string) string {
	return dropParameters(query, []string{"__clerk_handshake", "__clerk_handshake_nonce"})
}

// Synchronised is the address of a satellite that has heard from the primary: it
// says so, where it said that it still has to ask.
func (a Address) Synchronised() Address {
	pairs := strings.Split(a.Query, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil && decoded == "__clerk_synced" && value == "false" {
			pairs[i] = name + "=true"
		}
	}
	a.Query = strings.Join(pairs, "&")
	return a
}

func dropParameters(query string, names []string) string {
	if query == "" {
		return ""
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		drop := false
		for _, n := range names {
			drop = drop || err == nil && decoded == n
		}
		if !drop {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// Counter is the Set-Cookie line that counts handshakes; 0 shows at the next one
// that the browser keeps cookies, and -1 removes it.
func Counter(count int, secure, asClerk bool) string {
	switch {
	case asClerk:
		return fmt.Sprintf("%s=%d; SameSite=Lax; HttpOnly; Max-Age=2", countParameter, count)
	case count < 0:
		return countParameter + "=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax" + secureAttribute(secure)
	}
	// Longer than any handshake takes, over whatever link.
	return fmt.Sprintf("%s=%d; Path=/; Max-Age=120; HttpOnly; SameSite=Lax", countParameter, count) + secureAttribute(secure)
}

func secureAttribute(secure bool) string {
	if secure {
		return "; Secure"
	}
	return ""
}
