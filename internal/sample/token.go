package sample

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

// token is a session token for people to look at. Nothing is verified here: the
// proxy did that, and a token that it did not accept is shown as such.
type token struct {
	parts   [3]string
	header  []byte
	payload authproxy.Claims
}

// readToken reads the compact form (RFC 7519 section 3).
func readToken(text string) (*token, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, false
	}
	t := &token{parts: [3]string(parts)}
	var ok bool
	if t.header, ok = object(parts[0]); !ok {
		return nil, false
	}
	t.payload, ok = object(parts[1])
	return t, ok
}

func object(part string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	var members map[string]json.RawMessage
	if err != nil || !utf8.Valid(raw) || json.Unmarshal(raw, &members) != nil || members == nil {
		return nil, false
	}
	return raw, true
}

// tokens lists the session tokens a client sent, the bearer before the cookies,
// since the proxy asks it first. There may be several cookies, plain and
// suffixed, and on localhost another instance's too: cookies know no ports.
func tokens(sent http.Header) []*token {
	var texts []string
	for _, line := range sent["Authorization"] {
		if scheme, text, _ := strings.Cut(line, " "); strings.EqualFold(scheme, "Bearer") {
			texts = append(texts, text)
		}
	}
	for _, c := range cookies(sent) {
		if sessionCookie(c.name) {
			texts = append(texts, c.value)
		}
	}
	var found []*token
	for _, text := range texts {
		if t, ok := readToken(text); ok {
			found = append(found, t)
		}
	}
	return found
}

// sessionCookie reports whether a cookie of that name holds a session token, of this
// instance or of another.
func sessionCookie(name string) bool {
	return name == "__session" || strings.HasPrefix(name, "__session_")
}

type cookie struct{ name, value string }

// cookies reads the Cookie fields by hand: http.Request.Cookies leaves out names
// that are no tokens, and what is left out could not be shown as kept back.
func cookies(h http.Header) []cookie {
	var all []cookie
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); name != "" {
				all = append(all, cookie{name, value})
			}
		}
	}
	return all
}

// text is the claim's string, "" when it has none. The path is a constant.
func (t *token) text(path string) string {
	var s string
	if raw, found := t.claim(path); found {
		_ = json.Unmarshal(raw, &s) // no string is no text
	}
	return s
}

// time is the claim's moment (RFC 7519 section 2, NumericDate); zero when it has
// none.
func (t *token) time(path string) time.Time {
	var seconds float64
	raw, found := t.claim(path)
	if !found || json.Unmarshal(raw, &seconds) != nil || seconds <= 0 || seconds > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// ranOut reports whether the token's time was over. The proxy is not that exact: it
// lets clocks differ by a few seconds.
func (t *token) ranOut(now time.Time) bool {
	end := t.time("exp")
	return !end.IsZero() && !end.After(now)
}

func (t *token) claim(path string) (json.RawMessage, bool) {
	p, err := headers.ParsePath(path)
	if err != nil {
		return nil, false
	}
	return p.Value(t.payload)
}

// line is one line of pretty JSON, cut so that a page can colour it.
type line struct{ Indent, Key, Rest string }

// lines writes JSON for people, in the token's own order and spelling.
func lines(raw []byte) []line {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return []line{{Rest: string(raw)}}
	}
	var out []line
	for text := range strings.SplitSeq(b.String(), "\n") {
		rest := strings.TrimLeft(text, " ")
		l := line{Indent: text[:len(text)-len(rest)], Rest: rest}
		if end := keyEnd(rest); end > 0 {
			l.Key, l.Rest = rest[:end], rest[end:]
		}
		out = append(out, l)
	}
	return out
}

// keyEnd returns where the name at the beginning of a line ends; 0 when the line
// begins with a value.
func keyEnd(text string) int {
	if !strings.HasPrefix(text, `"`) {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			if strings.HasPrefix(text[i+1:], ": ") {
				return i + 1
			}
			return 0
		}
	}
	return 0
}
