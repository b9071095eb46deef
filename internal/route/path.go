// Package route decides what class a path is of, and refuses the paths on which
// two programs could disagree.
//
// Nothing here rewrites a path: what was judged is what is sent (threats,
// invariant I3). A path that is unusual in any way is never public, so that an
// upstream which reads it differently can only land in the protected class.
package route

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrAmbiguous is wrapped by every error of [CheckPath] and [ParseHost].
var ErrAmbiguous = errors.New("can be read in more than one way")

func ambiguous(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrAmbiguous)...)
}

// CheckPath refuses a path that holds, decoded once, a dot segment, a backslash,
// a control character or invalid UTF-8, one with an invalid escape or a raw
// space, and a query with a raw control character or space. The path is in its
// original text and must begin with "/", which also refuses the absolute and the
// asterisk form (RFC 9112 section 3.2). The error never repeats the path.
func CheckPath(path, query string) error {
	if !strings.HasPrefix(path, "/") {
		return ambiguous("the request target is not a path")
	}
	if strings.Contains(path, " ") {
		return ambiguous("the path holds a space") // it would end the request line
	}
	decoded, ok := decode(path)
	if !ok {
		return ambiguous("the path holds an invalid escape")
	}
	if !utf8.ValidString(decoded) {
		return ambiguous("the path is not UTF-8")
	}
	if strings.ContainsFunc(decoded, unicode.IsControl) {
		return ambiguous("the path holds a control character")
	}
	if strings.Contains(decoded, `\`) {
		return ambiguous("the path holds a backslash")
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == "." || segment == ".." {
			return ambiguous("the path holds a dot segment")
		}
	}
	for i := range len(query) {
		if query[i] <= ' ' || query[i] == 0x7f {
			return ambiguous("the query holds a control character or a space")
		}
	}
	return nil
}

// decode undoes percent-encoding once.
func decode(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			var ok bool
			if c, ok = escaped(s[i:]); !ok {
				return "", false
			}
			i += 2
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// escaped is the byte that the escape at the beginning of s stands for.
func escaped(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	var c [1]byte
	_, err := hex.Decode(c[:], []byte(s[1:3]))
	return c[0], err == nil
}

// plain reports whether a path is written the one ordinary way: only then may
// it be public. It returns the path decoded once.
func plain(path string) (string, bool) {
	if strings.Contains(path, "//") {
		return "", false
	}
	for i := range len(path) {
		switch c := path[i]; {
		case c == ';' || c == '#' || c >= utf8.RuneSelf:
			return "", false
		case c == '%':
			if c, ok := escaped(path[i:]); !ok || oddEscape(c) {
				return "", false
			}
		}
	}
	return decode(path)
}

// oddEscape reports whether nobody writes this byte escaped with good
// intentions: separators that a second decoding would bring to life, and the
// unreserved characters (RFC 3986 section 2.3), which need no escape.
func oddEscape(c byte) bool {
	return strings.IndexByte(`/\%;?#`, c) >= 0 || unreserved(c)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
