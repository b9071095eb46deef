package config

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strconv"
)

// Secret is a value that must not be shown: it prints, logs and marshals as
// "[set]", and as nothing when it is empty.
type Secret string

const masked = "[set]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// Format implements fmt.Formatter: fmt asks String only for the verbs that
// print strings, and shows the value itself to complain about any other.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'q' || (verb == 'v' && f.Flag('#')) {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text) // fmt.State never fails
}

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// pasted is what people paste into the wrong variable: Clerk's secret keys and
// webhook secrets, key material, tokens, and URLs with a password.
var pasted = regexp.MustCompile(`(?s)(?:sk|ak)_(?:live|test)_\w\S*|whsec_\w\S*|-----BEGIN.*|\beyJ[\w-]*\.\S*|//[^\s/@:]*:[^\s/]*@`)

// userinfo is the same in a value that is refused anyway: everything up to the
// last "@", because a password may hold anything.
var userinfo = regexp.MustCompile(`(?s)^([a-zA-Z][a-zA-Z0-9+.-]*://)?.*@`)

// withoutSecrets takes out of a value what must not be shown, whichever
// variable it stands in.
func withoutSecrets(value string) string { return pasted.ReplaceAllString(value, "[hidden]") }

// quote shows a value in a message.
func quote(value string) string {
	const most = 120
	shown := []rune(userinfo.ReplaceAllString(withoutSecrets(value), "${1}[hidden]@"))
	if len(shown) > most {
		return strconv.Quote(string(shown[:most])) + "…"
	}
	return strconv.Quote(string(shown))
}
