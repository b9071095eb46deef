package session

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clerkName and refreshName are about folded names. What a refresh name holds is for
// Clerk and the browser alone: the refresh token, and the client, which is on our
// host when the Frontend API is.
func clerkName(name string) bool {
	return name == "__session" || strings.HasPrefix(name, "__session_") ||
		name == "__client_uat" || strings.HasPrefix(name, "__client_uat_") ||
		strings.HasPrefix(name, "__clerk_") || name == "clerk_active_context" || refreshName(name)
}

func refreshName(name string) bool {
	return name == "__refresh" || strings.HasPrefix(name, "__refresh_") || name == "__client" ||
		name == "__clerk_handshake" || name == "__clerk_handshake_nonce" // a handshake holds a refresh token
}

// withoutCookies drops the pieces of one Cookie field in which some parser may
// see a cookie whose name match wants gone.
func withoutCookies(line string, match func(folded string) bool) string {
	var kept []string
	dropped := false
	for piece := range strings.SplitSeq(line, ";") {
		if readsAs(piece, match) {
			dropped = true
			continue
		}
		kept = append(kept, piece)
	}
	if !dropped {
		return line
	}
	return strings.Trim(strings.Join(kept, ";"), " \t;")
}

// readsAs reports whether a piece between two semicolons may be read as a
// cookie with a matching name. The readers in mind: RFC 6265 and JavaScript
// (white space around "="), RFC 2109 (comma separates, "$" begins an attribute),
// Python's SimpleCookie (white space and a closing quote separate too), PHP
// (".", " " and "[" are "_" in a name, and names were percent-decoded once),
// ASP.NET (any case), and readers that decode the whole field before they split
// it, as @clerk/backend did up to 3.9.0. Nobody decodes more than twice.
func readsAs(piece string, match func(string) bool) bool {
	for range 3 {
		if names(piece, match) {
			return true
		}
		decoded := percentDecode(piece)
		if decoded == piece {
			return false
		}
		piece = decoded
	}
	return false
}

func names(piece string, match func(string) bool) bool {
	for part := range strings.FieldsFuncSeq(blank(piece), func(r rune) bool { return r == ';' || r == ',' }) {
		// The name as it stands, inner spaces and all, or the whole part when
		// there is no "=": some readers take that for a name, too.
		whole, _, _ := strings.Cut(strings.TrimLeft(part, edge), "=")
		if match(fold(whole)) {
			return true
		}
		if wordBefore(part, match) {
			return true
		}
	}
	return false
}

// edge is what readers take away around a name: white space, quotes, "$", and
// the "=" of a cookie without a name, which browsers send without it.
const edge = "\x00 \"'$="

// blank turns into a space whatever some reader counts as white space: control
// characters (Python), Unicode's (Django and JavaScript decode the field), and
// 0x85 and 0xA0 alone, which are white space in Latin-1.
func blank(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1 && (s[0] == 0x85 || s[0] == 0xA0), unicode.IsSpace(r), r == '\ufeff', 0 < r && r < ' ':
			b.WriteByte(' ')
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// wordBefore looks at the word in front of every "=", wherever the reader began
// the cookie.
func wordBefore(part string, match func(string) bool) bool {
	word, start := "", -1
	for i := range len(part) {
		if strings.IndexByte(edge, part[i]) < 0 {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			word, start = part[start:i], -1
		}
		if part[i] == '=' {
			if match(fold(word)) {
				return true
			}
			word = ""
		}
	}
	return false
}

// fold turns a name into the form in which the loosest reader compares it. A "+"
// is a space that is not decoded yet, and NUL ends a string in C.
func fold(name string) string {
	name, _, _ = strings.Cut(strings.Trim(name, edge+"+"), "\x00")
	return strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(" .[+", r):
			return '_'
		case 'A' <= r && r <= 'Z':
			return r | 0x20
		}
		return r
	}, name)
}

// percentDecode decodes what can be decoded and leaves the rest, as loose
// readers do.
func percentDecode(s string) string {
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	var b strings.Builder
	for len(s) > 0 {
		if len(s) >= 3 && s[0] == '%' {
			if decoded, err := url.PathUnescape(s[:3]); err == nil {
				b.WriteString(decoded)
				s = s[3:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}
