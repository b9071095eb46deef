package clerkdev

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// text is one string of a template, compiled: characters and shortcodes in turn.
type text []piece

// piece is either literal characters or, with choices, one {{shortcode}}.
type piece struct {
	literal string
	choices []operand
}

// operand is one side of "||": a shortcode's path or a literal.
type operand struct {
	path    []string // nil for a literal
	literal any      // string, json.Number or bool
}

// parseText compiles one string: {{operand || operand …}} among other text.
func parseText(s string) (text, error) {
	var t text
	for {
		before, rest, found := strings.Cut(s, "{{")
		if before != "" || !found && len(t) == 0 {
			t = append(t, piece{literal: before})
		}
		if !found {
			return t, nil
		}
		choices, after, err := parseChoices(rest)
		if err != nil {
			return nil, fmt.Errorf("shortcode in %q: %w", s, err)
		}
		t, s = append(t, piece{choices: choices}), after
		if s == "" {
			return t, nil
		}
	}
}

// parseChoices reads operands up to the closing "}}" and returns what is after.
func parseChoices(s string) (choices []operand, after string, err error) {
	for {
		var one operand
		if one, s, err = parseOperand(strings.TrimLeft(s, " \t")); err != nil {
			return nil, "", err
		}
		choices = append(choices, one)
		s = strings.TrimLeft(s, " \t")
		if after, closed := strings.CutPrefix(s, "}}"); closed {
			return choices, after, nil
		}
		rest, more := strings.CutPrefix(s, "||")
		if !more {
			return nil, "", errors.New("expected || or }}")
		}
		s = rest
	}
}

func parseOperand(s string) (one operand, rest string, err error) {
	if quoted, ok := strings.CutPrefix(s, "'"); ok {
		value, rest, closed := strings.Cut(quoted, "'")
		if !closed {
			return operand{}, "", errors.New("a quote is not closed")
		}
		return operand{literal: value}, rest, nil
	}
	end := strings.IndexAny(s, " \t|{}'")
	if end < 0 {
		return operand{}, "", errors.New("it is not closed with }}")
	}
	word, rest := s[:end], s[end:]
	switch {
	case word == "":
		return operand{}, "", errors.New("a name or a value is missing")
	case word == "true", word == "false":
		return operand{literal: word == "true"}, rest, nil
	case strings.Contains("-0123456789", word[:1]) && json.Valid([]byte(word)):
		return operand{literal: json.Number(word)}, rest, nil
	}
	return operand{path: strings.Split(word, ".")}, rest, nil
}

// render keeps the JSON type of a value that is exactly one shortcode; in a
// longer string everything becomes text.
func (t text) render(data map[string]any) any {
	if len(t) == 1 && t[0].choices != nil {
		return choose(t[0].choices, data)
	}
	var b strings.Builder
	for _, p := range t {
		if p.choices == nil {
			b.WriteString(p.literal)
		} else {
			b.WriteString(asText(choose(p.choices, data)))
		}
	}
	return b.String()
}

// choose picks the first operand that is neither null nor false, else the last,
// whatever it is (clerk.md, 3.2).
func choose(choices []operand, data map[string]any) any {
	var value any
	for _, c := range choices {
		value = c.literal
		if c.path != nil {
			value = lookUp(c.path, data)
		}
		if value != nil && value != false {
			return value
		}
	}
	return value
}

// lookUp is null for whatever is not there. A single word is no shortcode: it
// would give away everything known of the user.
func lookUp(path []string, data map[string]any) any {
	if len(path) < 2 {
		return nil
	}
	var value any = data
	for _, word := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[word]
	}
	return value
}

// asText is a value inside a longer string; a missing one is the word null.
func asText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := compactJSON(v)
	if err != nil {
		return "null" // what was decoded from JSON can be written again
	}
	return string(raw)
}
