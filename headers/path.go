package headers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/manageros/authproxy"
)

// Path names one claim: `a.b` is member b of claim a, `"a.b"` the claim whose
// name holds a dot, `a[0]` the first element of an array. Names are compared
// byte for byte.
type Path struct {
	text  string
	steps []step
}

// step is one name, or one index when name is "".
type step struct {
	name  string
	index int
}

// The bounds of a path: far more than any token has.
const (
	maxSteps       = 32
	maxIndexDigits = 4
)

// ParsePath reads a path of the mapping grammar.
func ParsePath(s string) (Path, error) {
	steps, err := parseSteps(s)
	if err != nil {
		return Path{}, fmt.Errorf("headers: path %q: %w", s, err)
	}
	return Path{text: s, steps: steps}, nil
}

// Value returns the claim's JSON as the token spells it, without space around
// it. It reports false when there is nothing to send: the claim is absent (or
// something on the way to it is not an object or array), null, "", or an array
// with nothing but null and "" in it. Clerk writes null for a shortcode without
// data, so null and absent are the same to us.
func (p Path) Value(claims authproxy.Claims) (json.RawMessage, bool) {
	top, err := members(json.RawMessage(claims))
	if err != nil {
		return nil, false
	}
	return p.find(top)
}

// String returns the path as it was written.
func (p Path) String() string { return p.text }

func (p Path) find(top map[string]json.RawMessage) (json.RawMessage, bool) {
	if len(p.steps) == 0 {
		return nil, false
	}
	value, found := top[p.steps[0].name]
	for _, s := range p.steps[1:] {
		if !found {
			return nil, false
		}
		value, found = s.from(value)
	}
	value = bytes.TrimSpace(value)
	return value, found && hasValue(value)
}

func (s step) from(value json.RawMessage) (json.RawMessage, bool) {
	if s.name != "" {
		object, err := members(value)
		if err != nil {
			return nil, false
		}
		member, found := object[s.name]
		return member, found
	}
	list, err := elements(value)
	if err != nil || s.index >= len(list) {
		return nil, false
	}
	return list[s.index], true
}

// members reads an object into a map because encoding/json matches the fields
// of a struct without regard to case ("ROLE", and "ſ" for "s"); map keys are
// exact.
func members(value json.RawMessage) (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	err := json.Unmarshal(value, &object)
	return object, err
}

func elements(value json.RawMessage) ([]json.RawMessage, error) {
	var list []json.RawMessage
	err := json.Unmarshal(value, &list)
	return list, err
}

func hasValue(value json.RawMessage) bool {
	if isEmpty(value) {
		return false
	}
	if value[0] != '[' {
		return true
	}
	list, err := elements(value)
	for _, e := range list {
		if !isEmpty(e) {
			return true
		}
	}
	return err != nil // let the rendering refuse it
}

func isEmpty(value json.RawMessage) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", `""`:
		return true
	default:
		return false
	}
}

func parseSteps(s string) (steps []step, err error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("it is not valid UTF-8")
	}
	for rest, more := s, true; more; {
		var name string
		if name, rest, err = parseStepName(rest); err != nil {
			return nil, err
		}
		steps = append(steps, step{name: name})
		for strings.HasPrefix(rest, "[") {
			var index int
			if index, rest, err = parseIndex(rest[1:]); err != nil {
				return nil, err
			}
			steps = append(steps, step{index: index})
		}
		if rest == "" {
			break
		}
		if rest, more = strings.CutPrefix(rest, "."); !more {
			return nil, fmt.Errorf("a dot or an index belongs before %q", rest)
		}
	}
	if len(steps) > maxSteps {
		return nil, fmt.Errorf("it has %d steps, at most %d are possible", len(steps), maxSteps)
	}
	return steps, nil
}

func parseStepName(s string) (name, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		if name, rest, err = parseQuoted(s); err != nil {
			return "", "", err
		}
	} else {
		end := strings.IndexAny(s, ".[")
		if end < 0 {
			end = len(s)
		}
		name, rest = s[:end], s[end:]
		if i := strings.IndexFunc(name, needsQuotes); i >= 0 {
			r, _ := utf8.DecodeRuneInString(name[i:])
			return "", "", fmt.Errorf("a name with %q goes in double quotes", r)
		}
	}
	if name == "" {
		return "", "", errors.New("a claim name is missing")
	}
	return name, rest, nil
}

func needsQuotes(r rune) bool {
	return strings.ContainsRune(`.[]"|;,=\`, r) || unicode.IsSpace(r) || unicode.IsControl(r)
}

func parseIndex(s string) (index int, rest string, err error) {
	digits, rest, found := strings.Cut(s, "]")
	if !found || digits == "" || len(digits) > maxIndexDigits || strings.Trim(digits, "0123456789") != "" || (digits[0] == '0' && digits != "0") {
		return 0, "", fmt.Errorf("an index is [0], [1] and so on, up to %d digits", maxIndexDigits)
	}
	index, err = strconv.Atoi(digits)
	return index, rest, err
}

// parseQuoted reads a text in double quotes at the beginning of s; a double
// quote in it is written twice.
func parseQuoted(s string) (text, rest string, err error) {
	var b strings.Builder
	for s = s[1:]; ; {
		part, after, found := strings.Cut(s, `"`)
		if !found {
			return "", "", errors.New("a double quote is not closed")
		}
		b.WriteString(part)
		if s, found = strings.CutPrefix(after, `"`); !found {
			break
		}
		b.WriteByte('"')
	}
	if r, found := control(b.String()); found {
		return "", "", fmt.Errorf("the control character %U is not possible", r)
	}
	return b.String(), s, nil
}
