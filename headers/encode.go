package headers

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding is how a text becomes a field value.
type encoding string

const (
	encPercent encoding = "percent"
	encRaw     encoding = "raw"
	encBase64  encoding = "base64url"
	encRFC2047 encoding = "rfc2047"
	encJSON    encoding = "json"
)

func parseEncoding(name string) (encoding, error) {
	known := []encoding{encPercent, encRaw, encBase64, encRFC2047, encJSON}
	if !slices.Contains(known, encoding(name)) {
		return encPercent, fmt.Errorf("enc=%s is not known; there are %v", name, known)
	}
	return encoding(name), nil
}

// encode makes a field value of a text without control characters.
func (e encoding) encode(text string) (string, error) {
	switch e {
	case encRaw:
		if !isFieldValue(text) {
			return "", errors.New("enc=raw needs printable ASCII without space at the ends")
		}
		return text, nil
	case encBase64:
		return base64.RawURLEncoding.EncodeToString([]byte(text)), nil
	case encRFC2047:
		if isFieldValue(text) && !strings.Contains(text, "=?") {
			return text, nil
		}
		return encodedWords(text), nil
	default: // percent; json never comes here, see render
		if isFieldValue(text) && !strings.Contains(text, "%") {
			return text, nil
		}
		return percentEncoded(text), nil
	}
}

// encodeElement is encode for one element of a list.
func (e encoding) encodeElement(text string) (string, error) {
	if !strings.Contains(text, ",") {
		return e.encode(text)
	}
	switch e {
	case encRaw:
		return "", errors.New("with enc=raw a list element cannot hold a comma")
	case encRFC2047:
		return encodedWords(text), nil
	case encPercent:
		return percentEncoded(text), nil
	default:
		return e.encode(text)
	}
}

// isFieldValue reports whether every server reads text as it is: printable
// ASCII (0x20–0x7E) that no trimming can change. RFC 9110 section 5.5 allows
// more, and servers disagree about all of it.
func isFieldValue(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return text != "" && text[0] != ' ' && text[len(text)-1] != ' '
}

const hexDigits = "0123456789ABCDEF"

// percentEncoded writes every byte outside RFC 3986 section 2.3 "unreserved"
// as %XX.
func percentEncoded(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if c := text[i]; isAlphanumeric(c) || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// The frame of an encoded word, which is at most 75 bytes (RFC 2047 section 2).
const (
	wordStart = "=?utf-8?q?"
	wordEnd   = "?="
	wordMax   = 75 - len(wordStart) - len(wordEnd)
)

// encodedWords writes text as encoded words with a space between them, which a
// reader drops. mime.QEncoding is not used: it leaves alone what is printable,
// also where that begins with a space or reads like an encoded word. No
// character is split, and only what section 5 (3) allows in a phrase stays, so
// that a comma never does.
func encodedWords(text string) string {
	var b strings.Builder
	b.WriteString(wordStart)
	used := 0
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRuneInString(text[i:])
		char := qEncoded(text[i : i+size])
		if used += len(char); used > wordMax {
			b.WriteString(wordEnd + " " + wordStart)
			used = len(char)
		}
		b.WriteString(char)
		i += size
	}
	b.WriteString(wordEnd)
	return b.String()
}

func qEncoded(char string) string {
	switch c := char[0]; {
	case c == ' ':
		return "_"
	case isAlphanumeric(c) || strings.IndexByte("!*+-/", c) >= 0:
		return char
	}
	out := make([]byte, 0, 3*len(char))
	for i := 0; i < len(char); i++ {
		out = append(out, '=', hexDigits[char[i]>>4], hexDigits[char[i]&15])
	}
	return string(out)
}

// jsonText is the JSON value itself in ASCII. Escapes that the token has stay
// as they are.
func jsonText(value json.RawMessage) (string, error) {
	text, err := compact(value)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String(), nil
}
