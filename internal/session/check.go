package session

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/manageros/authproxy"
)

// Check decides whether a verified identity is acceptable now, for the origins
// in parties: what Verify leaves out because it depends on the clock or on the
// request. It has to be asked every time, for an identity out of a cache too.
// The order is Clerk's (clerk.md, 2.6): aud, azp, iss, exp, nbf, iat. No
// parties accept no one.
func (v *Verifier) Check(id *authproxy.Identity, parties []string) *authproxy.Refusal {
	return v.CheckWithin(id, parties, v.skew)
}

// CheckWithin is [Verifier.Check] with another clock skew than the configured
// one.
func (v *Verifier) CheckWithin(id *authproxy.Identity, parties []string, skew time.Duration) *authproxy.Refusal {
	if v.clerk != nil {
		return v.checkAsClerk(id, skew)
	}
	if refusal := v.checkAudience(id.Claims); refusal != nil {
		return refusal
	}
	// Clerk's SDK accepts any party when none is configured. An absent azp is
	// refused: leaving it out would be the way around the rule (threat JWT-29).
	if id.AuthorizedParty == "" || !slices.Contains(parties, id.AuthorizedParty) {
		return authproxy.Refuse(authproxy.TokenInvalidParties, "azp is %s, expected %s", quote(id.AuthorizedParty), quoteAll(parties))
	}
	if refusal := v.checkIssuer(id); refusal != nil {
		return refusal
	}
	return v.checkTimes(id, skew)
}

func (v *Verifier) checkIssuer(id *authproxy.Identity) *authproxy.Refusal {
	if id.Issuer == "" || !slices.Contains(v.issuers, id.Issuer) {
		return authproxy.Refuse(authproxy.TokenInvalidIssuer, "iss is %s, expected %s", quote(id.Issuer), quoteAll(v.issuers))
	}
	return nil
}

// checkAudience looks at aud only when the token has it and an audience is
// configured: Clerk's session tokens have none unless customised. In any shape
// but RFC 7519's (section 4.1.3) it names nobody.
func (v *Verifier) checkAudience(payload authproxy.Claims) *authproxy.Refusal {
	if len(v.audience) == 0 {
		return nil
	}
	claims, err := parseObject(payload)
	if err != nil {
		return malformed("payload: %v", err)
	}
	raw, present := claims["aud"]
	if !present {
		return nil
	}
	audiences := []string{unquote(raw)}
	if raw[0] == '[' {
		audiences = stringsOf(raw)
	}
	if slices.ContainsFunc(audiences, func(a string) bool { return a != "" && slices.Contains(v.audience, a) }) {
		return nil
	}
	return authproxy.Refuse(authproxy.TokenVerificationFailed, "aud does not hold %s", quoteAll(v.audience))
}

// checkTimes compares milliseconds as Clerk's SDK does: a token is dead when
// exp + skew is reached, and not early while nbf - skew is.
func (v *Verifier) checkTimes(id *authproxy.Identity, tolerance time.Duration) *authproxy.Refusal {
	now, skew := v.now().UnixMilli(), tolerance.Milliseconds()
	switch {
	case id.ExpiresAt.UnixMilli() <= now-skew:
		return authproxy.Refuse(authproxy.TokenExpired, "the token expired at %s", instant(id.ExpiresAt))
	case !id.NotBefore.IsZero() && id.NotBefore.UnixMilli() > now+skew:
		return authproxy.Refuse(authproxy.TokenNotActiveYet, "the token is valid from %s", instant(id.NotBefore))
	case !id.IssuedAt.IsZero() && id.IssuedAt.UnixMilli() > now+skew:
		return authproxy.Refuse(authproxy.TokenIATInTheFuture, "the token was issued at %s", instant(id.IssuedAt))
	}
	return nil
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// quote shows what a token says to a person: printable ASCII of bounded length.
func quote(s string) string {
	switch {
	case s == "":
		return "missing or no string"
	case len(s) > 100:
		return fmt.Sprintf("%+.100q…", s)
	}
	return fmt.Sprintf("%+q", s)
}

func quoteAll(list []string) string {
	if len(list) == 0 {
		return "none at all"
	}
	const shown = 5
	var quoted []string
	for _, s := range list[:min(len(list), shown)] {
		quoted = append(quoted, quote(s))
	}
	if len(list) > shown {
		quoted = append(quoted, fmt.Sprintf("%d more", len(list)-shown))
	}
	return strings.Join(quoted, " or ")
}
