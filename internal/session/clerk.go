package session

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/manageros/authproxy"
)

// ClerkRules asks for the behaviour of @clerk/backend 3.25.0, looseness
// included, so that its recorded decisions can be compared with ours. The fields
// are that SDK's options; an empty one is not checked.
//
// This file is the whole of it, but for one thing: an iat that is not a number
// is not coerced to one. Nothing here is reachable with the zero [Rules].
type ClerkRules struct{ AuthorizedParties, Issuers, Audience []string }

// bearerAsClerk is parseAuthorizationHeader: a lone word is the token, the
// scheme is case-sensitive, and several fields are joined.
func bearerAsClerk(fields []string) (token string, presented bool, _ *authproxy.Refusal) {
	words := strings.SplitN(strings.Join(fields, ", "), " ", 3)
	switch {
	case len(words) == 1 || words[1] == "":
		return words[0], words[0] != "", nil
	case words[0] == "Bearer":
		return words[1], true, nil
	}
	return "", false, nil
}

// decodeURIComponent decodes a cookie's value, or leaves it when it cannot.
func decodeURIComponent(s string) string {
	decoded, err := url.PathUnescape(s)
	if err != nil || !utf8.ValidString(decoded) {
		return s
	}
	return decoded
}

// openAsClerk is decodeJwt: padding is tolerated, the last of two equal names
// counts, and header and payload may be any JSON value.
func openAsClerk(token string) (*compact, *authproxy.Refusal) {
	texts := strings.Split(token, ".")
	if len(texts) != 3 {
		return nil, malformed("it has %d parts, expected 3", len(texts))
	}
	var parts [3][]byte
	for i, text := range texts {
		part, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
		if err != nil || strings.ContainsAny(text, "\r\n") {
			return nil, malformed("part %d is not base64url", i+1)
		}
		parts[i] = part
	}
	// jws.Verify is not as tolerant of the padding of a signature.
	c := &compact{text: strings.TrimRight(token, "="), payload: parts[1]}
	var ok bool
	if c.names, ok = parseAsClerk(parts[0]); !ok {
		return nil, malformed("the header is not JSON")
	}
	if c.claims, ok = parseAsClerk(parts[1]); !ok {
		return nil, malformed("the payload is not JSON")
	}
	c.header = readHeader(c.names)
	return c, nil
}

// parseAsClerk is JSON.parse followed by reading properties: null is nil, and
// what is no object has none.
func parseAsClerk(data []byte) (m members, ok bool) {
	if !json.Valid(data) {
		return nil, false
	}
	if strings.TrimSpace(string(data)) == "null" {
		return nil, true
	}
	var object map[string]json.RawMessage
	m = members{}
	if json.Unmarshal(data, &object) == nil {
		for name, raw := range object {
			m[name] = string(raw)
		}
	}
	return m, true
}

// classAsClerk is what verifyToken asks by itself: its callers look at the class of
// a token that is presented, and at no other's.
func classAsClerk(c *compact) *authproxy.Refusal {
	if c.header.Category == categoryMachine {
		return malformed("header cat is that of a machine's token")
	}
	return nil
}

// identityAsClerk requires a sub that is a string, and takes the rest as it is.
func identityAsClerk(c *compact) (*authproxy.Identity, *authproxy.Refusal) {
	if c.claims == nil {
		return nil, authproxy.Refuse(authproxy.UnexpectedError, "the payload is null")
	}
	if sub := c.claims["sub"]; sub == "" || sub[0] != '"' {
		return nil, wrong("sub is missing or not a string")
	}
	id := &authproxy.Identity{
		UserID: unquote(c.claims["sub"]), SessionID: unquote(c.claims["sid"]), SessionStatus: "active",
		Issuer: unquote(c.claims["iss"]), AuthorizedParty: unquote(c.claims["azp"]),
		FactorAges: factorAges(c.claims["fva"]), Claims: c.payload,
	}
	if sts := unquote(c.claims["sts"]); sts != "" {
		id.SessionStatus = sts
	}
	for name, t := range map[string]*time.Time{"exp": &id.ExpiresAt, "nbf": &id.NotBefore, "iat": &id.IssuedAt} {
		if at, ok := seconds(c.claims[name]); ok {
			*t = time.Unix(at, 0).UTC()
		}
	}
	id.Actor, _ = actor(c.claims)
	id.Organization, _ = organization(c.claims, asClerk)
	return id, nil
}

// checkAsClerk reads the claims anew, for the types of those that are checked
// are part of the order in which the SDK finds fault. What it says about the
// organisation comes last: there the SDK throws while it builds its answer.
func (v *Verifier) checkAsClerk(id *authproxy.Identity, skew time.Duration) *authproxy.Refusal {
	claims, _ := parseAsClerk(id.Claims)
	if !audienceAsClerk(claims["aud"], v.clerk.Audience) {
		return wrong("aud does not hold %s", quoteAll(v.clerk.Audience))
	}
	if p := v.clerk.AuthorizedParties; len(p) > 0 && (id.AuthorizedParty == "" || !slices.Contains(p, id.AuthorizedParty)) {
		return authproxy.Refuse(authproxy.TokenInvalidParties, "azp is %s, expected %s", quote(id.AuthorizedParty), quoteAll(p))
	}
	if i := v.clerk.Issuers; len(i) > 0 && !slices.Contains(i, id.Issuer) {
		return authproxy.Refuse(authproxy.TokenInvalidIssuer, "iss is %s, expected %s", quote(id.Issuer), quoteAll(i))
	}
	if refusal := v.timesAsClerk(claims, skew); refusal != nil {
		return refusal
	}
	if _, err := organization(claims, asClerk); err != nil {
		return &authproxy.Refusal{Reason: authproxy.UnexpectedError, Detail: "the organisation cannot be read", Cause: err}
	}
	return nil
}

// audienceAsClerk lets pass what is neither a string nor a list of strings.
func audienceAsClerk(raw string, audience []string) bool {
	if len(audience) == 0 || falsy(raw) {
		return true
	}
	if raw[0] == '"' {
		return slices.Contains(audience, unquote(raw))
	}
	list := stringsOf(raw)
	return strings.Join(list, "") == "" ||
		slices.ContainsFunc(list, func(a string) bool { return slices.Contains(audience, a) })
}

// timesAsClerk compares what JavaScript's Date makes of the claims: whole
// seconds, and a number too large for it is neither early nor late.
func (v *Verifier) timesAsClerk(claims members, tolerance time.Duration) *authproxy.Refusal {
	now, skew := float64(v.now().UnixMilli()), float64(tolerance.Milliseconds())
	for _, claim := range []struct {
		name   string
		wrong  func(ms float64) bool
		reason authproxy.Reason
	}{
		{"exp", func(ms float64) bool { return ms <= now-skew }, authproxy.TokenExpired},
		{"nbf", func(ms float64) bool { return ms > now+skew }, authproxy.TokenNotActiveYet},
		{"iat", func(ms float64) bool { return ms > now+skew }, authproxy.TokenIATInTheFuture},
	} {
		raw, present := claims[claim.name]
		if !present && claim.name != "exp" {
			continue
		}
		at, ok := number(raw)
		if !ok {
			return wrong("%s is missing or no number", claim.name)
		}
		ms := math.Trunc(at) * 1000
		if math.Abs(ms) <= 8.64e15 && claim.wrong(ms) { // ECMA-262, TimeClip
			return authproxy.Refuse(claim.reason, "%s is %s", claim.name, raw)
		}
	}
	return nil
}
