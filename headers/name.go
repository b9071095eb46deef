package headers

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// The fields that are set whatever the mapping says.
const (
	userIDHeader    = "X-Auth-User-Id"
	sessionIDHeader = "X-Auth-Session-Id"
	actorHeader     = "X-Auth-Actor"
	statusHeader    = "X-Auth-Status"
)

// Fold returns the form in which field names are compared: ASCII letters in
// lower case, digits as they are, "-" for every other character. Two names
// that some server could read as one and the same fold alike.
func Fold(name string) string {
	folded, _ := appendFold(nil, name)
	return string(folded)
}

// appendFold appends the folded name to dst and reports whether the name was
// made of letters, digits and hyphens to begin with.
func appendFold(dst []byte, name string) (folded []byte, hyphenated bool) {
	hyphenated = true
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
			dst = append(dst, c)
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		default:
			if c >= utf8.RuneSelf { // one "-" for a character, however many bytes it has
				_, size := utf8.DecodeRuneInString(name[i:])
				i += size - 1
			}
			dst = append(dst, '-')
			hyphenated = false
		}
	}
	return dst, hyphenated
}

// parseName returns the canonical spelling of a name of letters, digits and
// hyphens. RFC 9110 allows more in a token, and servers disagree about the rest.
func parseName(name string) (string, error) {
	switch _, hyphenated := appendFold(nil, name); {
	case name == "":
		return "", errors.New("the header name is empty")
	case !hyphenated:
		return "", fmt.Errorf("the header name %q may hold letters, digits and hyphens only", name)
	case strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-"):
		return "", fmt.Errorf("the header name %q may not begin or end with a hyphen", name)
	}
	return http.CanonicalHeaderKey(name), nil
}

// parseMappedName is parseName for a name that a claim may become.
func parseMappedName(name string) (string, error) {
	canonical, err := parseName(name)
	if err != nil {
		return "", err
	}
	folded := Fold(canonical)
	for _, r := range refused {
		if covers(r.name, folded) {
			return "", fmt.Errorf("the header %s cannot be mapped: %s", canonical, r.why)
		}
	}
	return canonical, nil
}

// covers reports whether a folded entry, a name or a beginning followed by "*",
// is about a folded name.
func covers(entry, folded string) bool {
	if beginning, found := strings.CutSuffix(entry, "*"); found {
		return strings.HasPrefix(folded, beginning)
	}
	return entry == folded
}

const (
	whyHop        = "it is about one connection (RFC 9110 section 7.6.1)"
	whyMessage    = "it says how the message itself is read"
	whyCredential = "it carries the client's own credentials"
	whyForwarding = "the proxy sets it itself"
	whyBuiltIn    = "it is built in"
	whyReserved   = "it is kept for the proxy and for Clerk"
	whyControl    = "some servers obey it"
)

// refused lists, folded, what a claim may never become.
var refused = []struct{ name, why string }{
	{"connection", whyHop}, {"keep-alive", whyHop}, {"proxy-*", whyHop}, {"te", whyHop}, {"trailer", whyHop},
	{"transfer-encoding", whyHop}, {"upgrade", whyHop}, {"http2-settings", whyHop},
	{"host", whyMessage}, {"content-*", whyMessage}, {"expect", whyMessage},
	{"cookie", whyCredential}, {"authorization", whyCredential},
	{"forwarded", whyForwarding}, {"x-forwarded-*", whyForwarding}, {"x-real-ip", whyForwarding},
	{"x-request-id", whyForwarding}, {"traceparent", whyForwarding}, {"tracestate", whyForwarding},
	{"x-auth-user-id", whyBuiltIn}, {"x-auth-session-id", whyBuiltIn}, {"x-auth-actor", whyBuiltIn}, {"x-auth-status", whyBuiltIn},
	{"x-authproxy-*", whyReserved}, {"x-clerk-*", whyReserved}, {"clerk-*", whyReserved},
	{"proxy", whyControl}, {"x-original-url", whyControl}, {"x-original-uri", whyControl},
	{"x-rewrite-url", whyControl}, {"x-accel-*", whyControl}, {"x-middleware-*", whyControl},
	{"script-name", whyControl}, {"path-info", whyControl},
}
