package session

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/manageros/authproxy"
)

// The cookies that are read, by their place in a jar.
const (
	plainSession = iota
	suffixedSession
	plainUAT
	suffixedUAT
	plainBrowser
	suffixedBrowser
	refreshToken   // only ever suffixed
	handshakeToken // this and the rest only ever plain
	handshakeNonce
	redirectCount
	jarSize
)

// jar holds the values of Clerk's cookies; an empty value is no cookie.
type jar [jarSize]string

// cookieNames are the names of the cookies in a jar. Without an instance there
// is no suffix, and the suffixed ones have no name.
func cookieNames(instance *authproxy.Instance) (names [jarSize]string) {
	names[plainSession], names[plainUAT], names[plainBrowser] = "__session", "__client_uat", "__clerk_db_jwt"
	if instance != nil {
		names[handshakeToken], names[handshakeNonce], names[redirectCount] = "__clerk_handshake", "__clerk_handshake_nonce", "__clerk_redirect_count"
		suffix := "_" + instance.CookieSuffix()
		for plain, suffixed := range map[int]int{plainSession: suffixedSession, plainUAT: suffixedUAT, plainBrowser: suffixedBrowser} {
			names[suffixed] = names[plain] + suffix
		}
		names[refreshToken] = "__refresh" + suffix
	}
	return names
}

// readCookies reads all Cookie fields as one (HTTP/2 may send a field for each
// cookie, RFC 9113, section 8.2.3). Of two cookies with one name the first
// counts, which is the one with the longest path (RFC 6265, section 5.4), and
// quotes are part of a value; both as Clerk's SDK has it.
func (v *Verifier) readCookies(lines []string) (j jar, more [mostMore]Brought) {
	var seen [jarSize]bool
	further := 0
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, found := strings.Cut(pair, "=")
			name = strings.Trim(name, " \t")
			if !found || !strings.HasPrefix(name, "__") {
				continue
			}
			for i, known := range v.cookieNames {
				switch {
				case name != known:
				case !seen[i]:
					seen[i], j[i] = true, v.cookieValue(value)
				case (i == handshakeNonce || i == handshakeToken) && further < mostMore:
					more[further] = Brought{i == handshakeNonce, v.cookieValue(value)}
					further++
				}
			}
		}
	}
	return j, more
}

// mostMore bounds what else is looked at of what handshakes brought: a look-up or a
// signature each.
const mostMore = 2

func (v *Verifier) cookieValue(text string) string {
	text = strings.Trim(text, " \t")
	if v.clerk != nil {
		return decodeURIComponent(text)
	}
	return text
}

func (v *Verifier) findInCookies(lines []string) Presented {
	j, more := v.readCookies(lines)
	p := Presented{Source: authproxy.SourceNone, Suffixed: v.choosesSuffixed(&j), RefreshToken: j[refreshToken]}
	session, uat, browser := j[plainSession], j[plainUAT], j[plainBrowser]
	if p.Suffixed {
		session, uat, browser = j[suffixedSession], j[suffixedUAT], j[suffixedBrowser]
	}
	if session != "" {
		p.Source, p.Token, p.Cookie = authproxy.SourceCookie, session, session
	}
	p.ClientUAT, p.DevBrowser = parseInt(uat), browser
	p.Counted, p.Count = j[redirectCount] != "", count(j[redirectCount])
	// In development the payload comes in the address; a cookie would be that of
	// another app of the same host.
	if v.clerk != nil || v.instance != nil && v.instance.Production {
		p.Nonce, p.Handshake, p.More = j[handshakeNonce], j[handshakeToken], more
	}
	return p
}

// count reads a small number that anybody may have written. Clerk's SDK takes it
// for a JavaScript number, "3.0" and all.
func count(text string) int {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= 1000) {
		return 0
	}
	return int(n)
}

// choosesSuffixed decides between the two sets of cookies that clerk-js keeps:
// the eight steps of clerk.md, 1.6. It reads unverified tokens; the choice
// grants nothing, for only a verified token counts (threat HS-16).
func (v *Verifier) choosesSuffixed(j *jar) bool {
	if v.instance == nil {
		return false
	}
	if j[plainSession] != "" {
		issuer, decodable := v.peek(j[plainSession]).issuer()
		switch {
		case !decodable || falsy(issuer): // 1
			return false
		case !v.issuedHere(unquote(issuer)): // 2
			return true
		}
	}
	if j[suffixedUAT] == "" && j[suffixedSession] == "" { // 3
		return false
	}
	suffixedIn, plainIn := j[suffixedUAT] != "0", j[plainUAT] != "0"
	plain, suffixed := v.peek(j[plainSession]), v.peek(j[suffixedSession])
	switch {
	case suffixedIn && plainIn && plain.number("iat") > suffixed.number("iat"): // 4
		return false
	case !suffixedIn && plainIn: // 5
		return false
	case !v.instance.Production && suffixedIn && !plainIn && suffixed.expired(v.now().Unix()): // 6
		return false
	case j[suffixedUAT] == "" && j[suffixedSession] != "": // 7
		return false
	}
	return true // 8
}

// schemes is removed from an issuer wherever it stands, as Clerk's SDK does.
var schemes = regexp.MustCompile(`(?i)https?://`)

func (v *Verifier) issuedHere(issuer string) bool {
	return schemes.ReplaceAllLiteralString(issuer, "") == v.instance.FrontendAPI
}

// peeked holds the unverified claims of a cookie; nil when it cannot be decoded.
type peeked members

func (v *Verifier) peek(token string) peeked {
	if token == "" {
		return nil
	}
	c, refusal := v.open(token)
	if refusal != nil {
		return nil
	}
	return peeked(c.claims)
}

func (p peeked) issuer() (raw string, decodable bool) { return p["iss"], p != nil }

// number is the claim as JavaScript compares it, 0 when it is none.
func (p peeked) number(name string) float64 {
	n, ok := number(p[name])
	if !ok {
		return 0
	}
	return n
}

func (p peeked) expired(now int64) bool {
	exp, ok := number(p["exp"])
	if !ok { // JavaScript compares a text as the number that it says
		exp, ok = number(unquote(p["exp"]))
	}
	return ok && exp <= float64(now)
}

// falsy is JavaScript's notion of a value that is as good as none.
func falsy(raw string) bool {
	switch raw {
	case "", "null", "false", `""`:
		return true
	}
	n, ok := number(raw)
	return ok && n == 0
}

// parseInt is JavaScript's parseInt(s) || 0, which Clerk reads __client_uat
// with: the leading integer, hexadecimal after 0x, no error.
func parseInt(s string) (n int64) {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '\uFEFF' })
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	base := int64(10)
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		base, s = 16, s[2:]
	}
	for _, r := range s {
		digit := int64(strings.IndexRune("0123456789abcdef", unicode.ToLower(r)))
		if digit < 0 || digit >= base {
			break
		}
		if n > (math.MaxInt64-digit)/base {
			n = math.MaxInt64 // further than any clock
			break
		}
		n = n*base + digit
	}
	if negative {
		return -n
	}
	return n
}
