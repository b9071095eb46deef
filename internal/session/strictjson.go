package session

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a token's JSON. Clerk's own claims need two
// levels; the rest is for metadata that a custom claim carries.
const maxDepth = 32

// Why a header or payload is not the JSON that this package accepts. Each of
// them is text that two parsers may read differently (RFC 8259, sections 4, 8.2
// and 9), so what one of them verified the other might not obey.
var (
	errNotUTF8   = errors.New("not UTF-8")
	errNotJSON   = errors.New("not one JSON value")
	errNotObject = errors.New("not a JSON object")
	errDuplicate = errors.New("a JSON object has a name twice")
	errSurrogate = errors.New("a JSON string escapes half a character")
	errTooDeep   = errors.New("JSON nested too deeply")
)

// members is one JSON object: its names, unescaped and compared exactly, and
// the untouched text of their values.
type members map[string]string

// parseObject reads one JSON object and nothing beside it. The grammar is the
// standard library's; what that lets through is found by one walk over text
// known to be well formed. (Its decoder cannot be asked: it takes the last of
// two equal names and turns half a character into U+FFFD.)
func parseObject(data []byte) (members, error) {
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	if !json.Valid(data) {
		return nil, errNotJSON
	}
	w := walk{data: string(data)} // the members are parts of this one copy
	w.space()
	if w.next() != '{' {
		return nil, errNotObject
	}
	top := make(members, 16)
	if err := w.object(1, top); err != nil {
		return nil, err
	}
	return top, nil
}

// walk moves over valid JSON.
type walk struct {
	data string
	at   int
}

func (w *walk) next() byte { return w.data[w.at] }

func (w *walk) space() {
	for w.at < len(w.data) {
		switch w.data[w.at] {
		case ' ', '\t', '\r', '\n':
			w.at++
		default:
			return
		}
	}
}

// separator moves behind the one character of punctuation that comes next.
func (w *walk) separator() {
	w.space()
	w.at++
	w.space()
}

// ends reports whether the container ends here, and moves behind its end if so
// and behind a comma otherwise.
func (w *walk) ends(closing byte) bool {
	w.space()
	switch w.next() {
	case closing:
		w.at++
		return true
	case ',':
		w.separator()
	}
	return false
}

func (w *walk) value(depth int) error {
	switch w.next() {
	case '{':
		return w.object(depth, nil)
	case '[':
		return w.array(depth)
	case '"':
		return w.text()
	default:
		for w.at < len(w.data) && strings.IndexByte(",]} \t\r\n", w.next()) < 0 {
			w.at++
		}
		return nil
	}
}

func (w *walk) array(depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	w.separator()
	for !w.ends(']') {
		if err := w.value(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// object walks over one object and puts its members into keep unless that is nil.
func (w *walk) object(depth int, keep members) error {
	if depth > maxDepth {
		return errTooDeep
	}
	var room [16]string // enough for most, without an allocation
	names := room[:0]
	w.separator()
	for !w.ends('}') {
		name, err := w.name()
		if err != nil {
			return err
		}
		w.separator() // the colon
		start := w.at
		if err := w.value(depth + 1); err != nil {
			return err
		}
		names = append(names, name)
		if keep != nil {
			keep[name] = w.data[start:w.at]
		}
	}
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return errDuplicate
		}
	}
	return nil
}

func (w *walk) name() (string, error) {
	start := w.at
	if err := w.text(); err != nil {
		return "", err
	}
	return unquote(w.data[start:w.at]), nil
}

// text moves behind a string and looks at its escapes.
func (w *walk) text() error {
	w.at++ // the quote
	for w.next() != '"' {
		switch {
		case w.next() != '\\':
			w.at++
		case w.data[w.at+1] != 'u':
			w.at += 2
		default:
			if err := w.escape(); err != nil {
				return err
			}
		}
	}
	w.at++
	return nil
}

// escape moves behind \uHHHH, or behind the two of them that make one character.
func (w *walk) escape() error {
	switch unit := w.unit(); {
	case unit < 0xD800 || unit > 0xDFFF:
		w.at += 6
		return nil
	case unit >= 0xDC00: // the second half of nothing
		return errSurrogate
	}
	w.at += 6
	if w.next() != '\\' || w.data[w.at+1] != 'u' {
		return errSurrogate
	}
	if second := w.unit(); second < 0xDC00 || second > 0xDFFF {
		return errSurrogate
	}
	w.at += 6
	return nil
}

// unit is the number of the \uHHHH that comes next.
func (w *walk) unit() (n int) {
	for _, c := range []byte(w.data[w.at+2 : w.at+6]) {
		if c <= '9' {
			n = n<<4 + int(c-'0')
		} else {
			n = n<<4 + int(c|0x20-'a') + 10
		}
	}
	return n
}

// unquote returns what a JSON string says; anything else says nothing.
func unquote(raw string) string {
	switch {
	case raw == "" || raw[0] != '"':
		return ""
	case !strings.Contains(raw, `\`):
		return raw[1 : len(raw)-1]
	}
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return ""
	}
	return s
}
