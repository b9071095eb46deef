package session

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/manageros/authproxy"
)

// Presented is what a request brings along to say who asks, before anything of
// it is believed.
type Presented struct {
	Source authproxy.Source // where Token, or Malformed, comes from
	Token  string           // "" when none
	// Malformed says why the bearer cannot be read at all.
	Malformed *authproxy.Refusal

	ClientUAT          int64 // when the browser's sessions changed last, Unix seconds; 0 is signed out
	RefreshCookie      bool
	DevBrowser         bool // a development instance's browser token is there, in the query or a cookie
	DevBrowserInQuery  bool
	RedirectURLInQuery bool // __clerk_redirect_url
	Suffixed           bool // the suffixed cookies were chosen
}

// Find says what is presented. A bearer counts before the cookies, and a bad
// one never falls back to them (clerk.md, 2.2).
func (v *Verifier) Find(r *authproxy.Request) Presented {
	p := v.findInCookies(r.Header["Cookie"])
	p.DevBrowserInQuery = queryHas(r.Query, "__clerk_db_jwt")
	p.DevBrowser = p.DevBrowser || p.DevBrowserInQuery
	p.RedirectURLInQuery = queryHas(r.Query, "__clerk_redirect_url")

	read := bearer
	if v.clerk != nil {
		read = bearerAsClerk
	}
	if token, presented, refusal := read(r.Header["Authorization"]); presented {
		p.Source, p.Token, p.Malformed = authproxy.SourceBearer, token, refusal
	}
	return p
}

// bearer reads RFC 6750, section 2.1: one field, one space, one token; the
// scheme in any case (RFC 9110, section 11.1). A bare token and other schemes
// are not a credential of ours, Clerk's SDK takes the former. What starts as a
// bearer and cannot be read is refused: somebody else might read it.
func bearer(fields []string) (token string, presented bool, _ *authproxy.Refusal) {
	if len(fields) > 1 {
		return "", true, authproxy.Refuse(authproxy.TokenInvalid, "%d Authorization fields; there may be one", len(fields))
	}
	for _, field := range fields {
		scheme, rest := cutScheme(strings.Trim(field, " \t"))
		if !strings.EqualFold(scheme, "bearer") {
			continue
		}
		token, found := strings.CutPrefix(rest, " ")
		if !found || !b64token(token) {
			return "", true, authproxy.Refuse(authproxy.TokenInvalid, "the Authorization field is not \"Bearer\", one space and one token")
		}
		return token, true, nil
	}
	return "", false, nil
}

// cutScheme splits behind the auth-scheme, a token of RFC 9110, section 5.6.2.
func cutScheme(field string) (scheme, rest string) {
	if i := strings.IndexFunc(field, func(r rune) bool {
		return !letterOrDigit(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}); i >= 0 {
		return field[:i], field[i:]
	}
	return field, ""
}

// b64token is the token of RFC 6750, section 2.1.
func b64token(s string) bool {
	body := strings.TrimRight(s, "=")
	return body != "" && strings.IndexFunc(body, func(r rune) bool {
		return !letterOrDigit(r) && !strings.ContainsRune("-._~+/", r)
	}) < 0
}

func letterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// queryHas reports whether the first parameter of this name has a value. Only
// "&" separates, as the URL standard and hence Clerk's SDK has it.
func queryHas(query, name string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err == nil && key == name {
			return value != ""
		}
	}
	return false
}

// StripCookies removes Clerk's cookies from the Cookie fields of h, in whatever
// spelling some parser might read as one of them. Other cookies keep their
// bytes, and the field disappears when none is left. With keepClerk only the
// refresh token goes, which is for Clerk and the browser alone.
func StripCookies(h http.Header, keepClerk bool) {
	strip := clerkName
	if keepClerk {
		strip = refreshName
	}
	for field, lines := range h {
		if !strings.EqualFold(field, "Cookie") { // a surface may not have made the name canonical
			continue
		}
		var kept []string
		for _, line := range lines {
			if line = withoutCookies(line, strip); line != "" {
				kept = append(kept, line)
			}
		}
		if kept == nil {
			delete(h, field)
			continue
		}
		h[field] = kept
	}
}
