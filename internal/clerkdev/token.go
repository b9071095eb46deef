package clerkdev

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

// sessionClass is the header cat of session tokens, and of handshake tokens
// (clerk.md, 3.1).
const sessionClass = "cl_B7d4PD111AAA"

// The sizes of clerk.md, 3.2, in bytes.
const (
	longestCookie = 4096 // of name and value together; a browser drops a longer one without a word
	longestClaims = 1200 // what Clerk asks custom claims to stay below
)

// Token is a session token and what is to be known about it.
type Token struct {
	JWT       string
	IssuedAt  time.Time // claim iat, a whole second
	ExpiresAt time.Time // claim exp
	// Warnings say, each in a sentence, why the token may be lost on its way.
	Warnings []string
	// TooLong says that no browser keeps the token as a cookie, so that a page
	// that waits for it would wait for ever.
	TooLong bool
}

// Mint makes a session token as Clerk does for a page of the origin azp. ""
// leaves azp out, as Clerk does when the page says no origin.
func (i *Instance) Mint(sessionID, azp string) (string, error) {
	token, err := i.MintToken(sessionID, azp)
	return token.JWT, err
}

// MintToken is [Instance.Mint] with what is to be known about the token. The
// errors are those of an unknown ([ErrNotFound]) or ended ([ErrSessionEnded])
// session.
func (i *Instance) MintToken(sessionID, azp string) (Token, error) {
	return i.mintIn(sessionID, azp, nil)
}

// mintIn is [Instance.MintToken] in another organisation than the active one, as
// for speakerIn; [ErrNotMember] is one more error.
func (i *Instance) mintIn(sessionID, azp string, organizationID *string) (Token, error) {
	return i.mintAt(i.now(), sessionID, azp, organizationID)
}

// mintAt is mintIn at another time than the present.
func (i *Instance) mintAt(now time.Time, sessionID, azp string, organizationID *string) (Token, error) {
	who, err := i.speakerIn(sessionID, organizationID)
	if err != nil {
		return Token{}, fmt.Errorf("clerkdev: Mint: %w", err)
	}
	custom := i.template.render(who.user, who.organization, who.membership.Role)
	now = now.Truncate(time.Second)
	token := Token{IssuedAt: now, ExpiresAt: now.Add(i.cfg.TokenLifetime.Truncate(time.Second))}
	token.Warnings, err = claimWarnings(custom)
	if err != nil {
		return Token{}, fmt.Errorf("clerkdev: Mint: %w", err)
	}
	maps.Copy(custom, i.sessionClaims(who, token, azp)) // whatever a template says, Clerk's own claims stand
	token.JWT, err = i.keys.sign(map[string]any{"cat": sessionClass, "oiat": now.Unix()}, custom)
	if err != nil {
		return Token{}, fmt.Errorf("clerkdev: Mint: %w", err)
	}
	if size := len("__session_"+i.named.CookieSuffix()) + len(token.JWT); size > longestCookie {
		token.TooLong = true
		token.Warnings = append(token.Warnings, fmt.Sprintf("the session cookie is %d bytes; a browser drops one of more than %d", size, longestCookie))
	}
	return token, nil
}

// sessionClaims are the default claims of clerk.md, 3.1, version 2.
func (i *Instance) sessionClaims(who speaker, token Token, azp string) map[string]any {
	claims := map[string]any{
		"iss": i.named.Issuer(), "sub": who.user.ID, "sid": who.session.ID, "jti": tokenID(),
		"iat": token.IssuedAt.Unix(), "exp": token.ExpiresAt.Unix(), "nbf": token.IssuedAt.Unix() - 10,
		"fva": []int{minutesSince(who.session.CreatedAt.Truncate(time.Second), token.IssuedAt), -1},
		"sts": who.session.Status, "v": 2,
	}
	if azp != "" {
		claims["azp"] = azp
	}
	if who.session.Actor != "" {
		claims["act"] = i.actorClaim(who)
	}
	if who.organization != nil {
		claims["o"] = organizationClaim(who, claims)
	}
	return claims
}

// actorClaim is what tells an impersonated session from the user's own.
func (i *Instance) actorClaim(who speaker) map[string]any {
	act := map[string]any{"iss": i.named.Issuer(), "sub": who.session.Actor}
	if who.actorSession != "" {
		act["sid"] = who.actorSession
	}
	return act
}

// organizationClaim is claim o. The features, which o.fpm is aligned with, are
// a claim of their own beside it (fea).
func organizationClaim(who speaker, claims map[string]any) map[string]any {
	o := map[string]any{
		"id": who.organization.ID, "slg": who.organization.Slug,
		"rol": strings.TrimPrefix(who.membership.Role, "org:"),
	}
	if fea, per, fpm := packPermissions(who.membership.Permissions); fea != "" {
		claims["fea"], o["per"], o["fpm"] = fea, per, fpm
	}
	return o
}

// packPermissions writes "org:<feature>:<permission>" in Clerk's packed form:
// the features, the permissions, and for each feature the bits of the
// permissions it has, least significant first. Both lists are sorted, as in the
// example of Clerk's page on session tokens. System permissions ("org:sys_…") are
// not part of a token.
func packPermissions(permissions []string) (fea, per, fpm string) {
	features := map[string][]string{}
	var names []string
	for _, p := range permissions {
		feature, name, ok := strings.Cut(strings.TrimPrefix(p, "org:"), ":")
		if !ok || strings.HasPrefix(feature, "sys_") {
			continue
		}
		features[feature] = append(features[feature], name)
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var scoped, masks []string
	for _, feature := range sortedKeys(features) {
		mask := new(big.Int) // more than 64 permissions are possible
		for bit, name := range names {
			if slices.Contains(features[feature], name) {
				mask.SetBit(mask, bit, 1)
			}
		}
		scoped = append(scoped, "o:"+feature)
		masks = append(masks, mask.String())
	}
	return strings.Join(scoped, ","), strings.Join(names, ","), strings.Join(masks, ",")
}

// claimWarnings measures the custom claims as the token carries them.
func claimWarnings(custom map[string]any) ([]string, error) {
	text, err := compactJSON(custom)
	if err != nil {
		return nil, fmt.Errorf("custom claims: %w", err)
	}
	if len(text) <= longestClaims {
		return nil, nil
	}
	return []string{fmt.Sprintf("the custom claims are %d bytes; keep them below %d", len(text), longestClaims)}, nil
}

// tokenID is a jti of Clerk's form: 20 hexadecimal digits.
func tokenID() string {
	raw := make([]byte, 10)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	return hex.EncodeToString(raw)
}

func minutesSince(then, now time.Time) int { return max(0, int(now.Sub(then)/time.Minute)) }
