package session

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/manageros/authproxy"
)

// Presented is what a request brings along to say who asks, before anything of
// it is believed.
type Presented struct {
	Source authproxy.Source // where Token, or Malformed, comes from
	Token  string           // "" when none
	Cookie string           // the session cookie: Token, or beside a bearer
	// Malformed says why the bearer cannot be read at all.
	Malformed *authproxy.Refusal

	ClientUAT    int64  // when the browser's sessions changed last, Unix seconds; 0 is signed out
	RefreshToken string // "" when none
	DevBrowser   string // a development instance's browser token, from the query or a cookie
	Suffixed     bool   // the suffixed cookies were chosen

	DevBrowserInQuery bool
	RedirectURL       string // __clerk_redirect_url
	Synced            string // __clerk_synced

	// What a handshake brought back; the nonce counts before the token.
	Nonce     string
	Handshake string
	// More are further cookies of the same two names: another application of the
	// domain may have left its own before ours. "" is none.
	More [mostMore]Brought

	// Count is how many handshakes were made since one came to an end, as the
	// address or the cookie says; Counted, that the cookie is there at all, so that
	// the browser keeps cookies; CountInQuery, that the address says something.
	Count                 int
	Counted, CountInQuery bool
}

// Brought is what a handshake brought back, in one of its two forms.
type Brought struct {
	Nonce bool // a nonce to look up; else a token
	Value string
}

// Find says what is presented. A bearer counts before the cookies, and a bad
// one never falls back to them (clerk.md, 2.2).
func (v *Verifier) Find(r *authproxy.Request) Presented {
	p := v.findInCookies(r.Header["Cookie"])
	v.findInQuery(&p, r.Query)
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

// findInQuery reads Clerk's parameters. Of two with one name the first counts,
// and only "&" separates, as the URL standard and hence Clerk's SDK has it.
//
// Clerk's SDK reads what a handshake brings from the query in production, too,
// where anybody can write a link that signs its reader in as somebody else. Ours
// is read from cookies there, and from the query in development only.
func (v *Verifier) findInQuery(p *Presented, query string) {
	if v.instance == nil || query == "" {
		return
	}
	q := clerkParameters(query)
	if value, found := q["__clerk_db_jwt"]; found && (value != "" || v.clerk != nil) {
		p.DevBrowserInQuery = true
		if value != "" {
			p.DevBrowser = value
		}
	}
	p.RedirectURL, p.Synced = q["__clerk_redirect_url"], q["__clerk_synced"]
	switch {
	case v.clerk != nil:
		p.Nonce, p.Handshake = cmp.Or(q["__clerk_handshake_nonce"], p.Nonce), cmp.Or(q["__clerk_handshake"], p.Handshake)
		return
	case !v.instance.Production:
		p.Nonce, p.Handshake = q["__clerk_handshake_nonce"], q["__clerk_handshake"]
	}
	if text, found := q["__clerk_redirect_count"]; found {
		p.CountInQuery, p.Count = true, max(p.Count, count(text))
	}
}

// clerkParameters are the first values of the parameters of a query that are
// Clerk's.
func clerkParameters(query string) map[string]string {
	var found map[string]string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !strings.HasPrefix(name, "__clerk_") {
			continue
		}
		if _, twice := found[name]; twice {
			continue
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			value = decoded
		}
		if found == nil {
			found = map[string]string{}
		}
		found[name] = value
	}
	return found
}

// StripCookies removes Clerk's cookies from the Cookie fields of h, in whatever
// spelling some parser might read as one of them. Other cookies keep their
// bytes, and the field disappears when none is left.
func StripCookies(h http.Header) { dropCookies(h, clerkName) }

// RenewCookies leaves Clerk's cookies but for the refresh token, which is for
// Clerk and the browser alone, and gives those that the Set-Cookie lines in set
// change the value they will have.
func RenewCookies(h http.Header, set []string) {
	fresh, changed := map[string]string{}, map[string]bool{}
	for _, line := range set {
		if c, err := http.ParseSetCookie(line); err == nil && clerkName(fold(c.Name)) {
			changed[fold(c.Name)] = true
			if c.MaxAge >= 0 && (c.Expires.IsZero() || c.Expires.After(time.Unix(1, 0))) && !refreshName(fold(c.Name)) {
				fresh[c.Name] = c.Value
			} else {
				delete(fresh, c.Name)
			}
		}
	}
	dropCookies(h, func(folded string) bool { return changed[folded] || refreshName(folded) })
	for _, name := range slices.Sorted(maps.Keys(fresh)) {
		if fresh[name] == "" {
			continue
		}
		h["Cookie"] = []string{strings.Join(append(h["Cookie"], name+"="+fresh[name]), "; ")}
	}
}

func dropCookies(h http.Header, drop func(folded string) bool) {
	for field, lines := range h {
		if !strings.EqualFold(field, "Cookie") { // a surface may not have made the name canonical
			continue
		}
		var kept []string
		for _, line := range lines {
			if line = withoutCookies(line, drop); line != "" {
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
