package session

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/manageros/authproxy"
)

// MaxTokenBytes is the length of the longest token that is looked at. Browsers
// keep about 4 KiB in a cookie (RFC 6265, section 6.1).
const MaxTokenBytes = 8 << 10

// Header is what we read of a token's JOSE header. Keys and addresses of keys in
// it (jwk, jku, x5u, x5c) are never read.
type Header struct {
	Algorithm string // alg
	KeyID     string // kid
	Type      string // typ
	Category  string // cat, Clerk's class of token
}

// compact is a token in compact serialization (RFC 7515, section 7.1), taken
// apart and not verified.
type compact struct {
	text    string
	header  Header
	names   members // of the header; nil only under Clerk's rules, for JSON null
	payload []byte
	claims  members // of the payload; likewise
}

// has reports whether the header has a parameter, whatever its value.
func (c *compact) has(name string) bool {
	_, ok := c.names[name]
	return ok
}

func (v *Verifier) open(token string) (*compact, *authproxy.Refusal) {
	if v.clerk != nil {
		return openAsClerk(token)
	}
	return open(token)
}

// open accepts exactly one spelling of a token: its parts decode strictly, so
// that nobody can make a second text with the same signature (threats JWT-16 and
// DOS-09), and its JSON means the same to every parser.
func open(token string) (*compact, *authproxy.Refusal) {
	return openWithin(token, MaxTokenBytes)
}

func openWithin(token string, longest int) (*compact, *authproxy.Refusal) {
	if len(token) > longest {
		return nil, malformed("it has %d bytes, at most %d are read", len(token), longest)
	}
	header, payload, refusal := segments(token)
	if refusal != nil {
		return nil, refusal
	}
	c := &compact{text: token, payload: payload}
	var err error
	if c.names, err = parseHeader(header); err != nil {
		return nil, malformed("header: %v", err)
	}
	if c.claims, err = parseObject(payload); err != nil {
		return nil, malformed("payload: %v", err)
	}
	if kid, present := c.names["kid"]; present && kid[0] != '"' {
		return nil, malformed("header kid is not a string")
	}
	c.header = readHeader(c.names)
	return c, nil
}

// segments decodes the three parts. The signature may be empty here: that is
// what alg "none" looks like, and it deserves its own reason.
func segments(token string) (header, payload []byte, _ *authproxy.Refusal) {
	if strings.Count(token, ".") != 2 {
		return nil, nil, malformed("it has %d parts, expected 3", strings.Count(token, ".")+1)
	}
	var parts [3][]byte
	for i, text := range strings.SplitN(token, ".", 3) {
		part, ok := decodeSegment(text)
		if !ok {
			return nil, nil, malformed("part %d is not base64url", i+1)
		}
		parts[i] = part
	}
	return parts[0], parts[1], nil
}

// decodeSegment takes base64url without padding only (RFC 7515, section 2). Go's
// decoder skips line breaks and, unless Strict, bits that belong to no byte.
func decodeSegment(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return decoded, err == nil
}

var errSpace = errors.New("it begins or ends with something else than a JSON object")

// parseHeader takes no white space around the header: jws.Verify drops it and
// computes the signature over the rest, so a valid token could be given a second
// spelling with it.
func parseHeader(data []byte) (members, error) {
	if len(data) > 0 && (data[0] != '{' || data[len(data)-1] != '}') {
		return nil, errSpace
	}
	return parseObject(data)
}

func readHeader(m members) Header {
	return Header{
		Algorithm: unquote(m["alg"]), KeyID: unquote(m["kid"]), Type: unquote(m["typ"]), Category: unquote(m["cat"]),
	}
}

func malformed(format string, args ...any) *authproxy.Refusal {
	r := authproxy.Refuse(authproxy.TokenInvalid, format, args...)
	r.Detail = "the token cannot be read: " + r.Detail
	return r
}

// The classes of token that one instance signs with one key (clerk.md, 3.1).
const (
	categorySession = "cl_B7d4PD111AAA"
	categoryMachine = "cl_B7d4PD333AAA"
	categoryIgnore  = "cl_I7d4PD111III" // the instance opted out: says nothing
)

// classOf refuses whatever is not a session token: JWT templates, whose claims a
// user may control and which survive the session (threat JWT-31), and the tokens
// of machines and OAuth clients (JWT-32). A token without cat is older than that
// parameter; whether it has a session is seen in its claims.
func classOf(c *compact) *authproxy.Refusal {
	switch cat := c.header.Category; {
	case strings.HasPrefix(unquote(c.claims["sub"]), "mch_"):
		return authproxy.Refuse(authproxy.TokenTypeMismatch, "the token is a machine's")
	case c.header.Type == "at+jwt" || c.header.Type == "application/at+jwt": // RFC 9068, section 2.1
		return authproxy.Refuse(authproxy.TokenTypeMismatch, "the token is an OAuth access token")
	case c.has("cat") && cat != categorySession && cat != categoryIgnore:
		return authproxy.Refuse(authproxy.TokenTypeMismatch, "header cat is %s, which is not that of a session", quote(cat))
	}
	return nil
}
