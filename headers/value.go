package headers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// render makes a field value of the JSON of a claim that has a value. The error says what
// is wrong with the claim and never shows it.
func (e encoding) render(value json.RawMessage) (string, error) {
	switch {
	case e == encJSON:
		return jsonText(value)
	case value[0] == '{':
		return e.whole(value)
	case value[0] == '[':
		return e.list(value)
	default:
		text, err := scalar(value)
		if err != nil {
			return "", err
		}
		return e.encode(text)
	}
}

// list encodes an array of scalars element by element. An element with a comma
// must not read as two, whatever the encoding.
func (e encoding) list(value json.RawMessage) (string, error) {
	list, err := elements(value)
	if err != nil {
		return "", errNotJSON
	}
	if slices.ContainsFunc(list, isNested) {
		return e.whole(value)
	}
	out := make([]string, 0, len(list))
	for _, element := range list {
		if isEmpty(element) {
			continue
		}
		text, err := scalar(element)
		if err == nil {
			text, err = e.encodeElement(text)
		}
		if err != nil {
			return "", err
		}
		out = append(out, text)
	}
	return strings.Join(out, ","), nil
}

func isNested(element json.RawMessage) bool { return element[0] == '{' || element[0] == '[' }

// whole encodes JSON as a string.
func (e encoding) whole(value json.RawMessage) (string, error) {
	text, err := compact(value)
	if err != nil {
		return "", err
	}
	return e.encode(text)
}

// scalar returns a string's characters, and the token's own spelling of a
// number or boolean: 1.0 is not 1, and 2^53+1 keeps its last digit.
func scalar(value json.RawMessage) (string, error) {
	if value[0] != '"' {
		return string(value), nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", errNotJSON
	}
	return text, refuseControl(text)
}

// compact returns the token's bytes without insignificant space, once no
// string in them, names included, holds a control character.
func compact(value json.RawMessage) (string, error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber() // 1e999 is a number, though no float64
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", errNotJSON
		}
		if text, ok := token.(string); ok {
			if err := refuseControl(text); err != nil {
				return "", err
			}
		}
	}
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return "", errNotJSON
	}
	return b.String(), nil
}

// What can be wrong with a claim beside its characters.
var (
	errNotJSON = errors.New("it is not valid JSON")
	errEmpty   = errors.New("it is empty")
)

// refuseControl refuses what could end or split a field on the way: CR, LF and
// NUL, but also NEL and the other C1 characters that some servers trim or turn
// into line ends.
func refuseControl(text string) error {
	if r, found := control(text); found {
		return fmt.Errorf("it holds the control character %U", r)
	}
	return nil
}

func control(text string) (rune, bool) {
	for _, r := range text {
		if unicode.IsControl(r) {
			return r, true
		}
	}
	return 0, false
}
