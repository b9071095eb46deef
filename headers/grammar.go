package headers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const hintQuotes = "a value with a comma or semicolon goes in double quotes"

// parseEntries reads a whole mapping and reports all mistakes together.
func parseEntries(spec string) ([]entry, error) {
	if !utf8.ValidString(spec) {
		return nil, errors.New("headers: the mapping is not valid UTF-8")
	}
	spec = strings.TrimSpace(spec)
	if added, plus := strings.CutPrefix(spec, "+"); plus {
		spec = defaultMapping + "," + added
	} else if spec == "" {
		spec = defaultMapping
	}
	texts, err := split(spec, ',')
	if err != nil {
		return nil, fmt.Errorf("headers: mapping: %w", err)
	}
	entries := make([]entry, 0, len(texts))
	firsts := map[string]string{} // folded name: the entry that has it
	var mistakes []error
	for _, text := range texts {
		note := func(err error) {
			mistakes = append(mistakes, fmt.Errorf("headers: mapping entry %q: %w", text, err))
		}
		e := parseEntry(text, note)
		if first, twice := firsts[Fold(e.header)]; twice {
			note(fmt.Errorf("the header is already set by %q; a mapping with a leading + cannot change an entry, one without it replaces all", first))
		}
		if e.header != "" {
			firsts[Fold(e.header)] = text
		}
		entries = append(entries, e)
	}
	return entries, errors.Join(mistakes...)
}

// parseEntry reads Header=path[|path…][;default=value][;enc=e]. The entry is
// good when nothing was noted.
func parseEntry(text string, note func(error)) entry {
	e := entry{enc: encPercent}
	name, rest, found := strings.Cut(text, "=")
	if text == "" || !found {
		note(errors.New("it must be Header=path; " + hintQuotes))
		return e
	}
	var err error
	if e.header, err = parseMappedName(strings.TrimSpace(name)); err != nil {
		note(err)
	}
	parts, err := split(rest, ';')
	if err != nil {
		note(err)
		return e
	}
	e.parsePaths(parts[0], note)
	e.parseParameters(parts[1:], note)
	return e
}

func (e *entry) parsePaths(text string, note func(error)) {
	texts, err := split(text, '|')
	if err != nil {
		note(err)
	}
	for _, t := range texts {
		steps, err := parseSteps(t)
		if err != nil {
			note(fmt.Errorf("path %q: %w", t, err))
		}
		e.paths = append(e.paths, Path{text: t, steps: steps})
	}
}

func (e *entry) parseParameters(texts []string, note func(error)) {
	seen := map[string]bool{}
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if seen[name] {
			note(fmt.Errorf("%s= is there twice", name))
		}
		seen[name] = true
		if err := e.setParameter(name, value); err != nil {
			note(err)
		}
	}
	if err := e.encodeDefault(); err != nil {
		note(fmt.Errorf("default=%s: %w", e.fallback, err))
	}
}

func (e *entry) setParameter(name, value string) (err error) {
	switch name {
	case "default":
		e.fallback, err = parseDefault(value)
	case "enc":
		e.enc, err = parseEncoding(value)
	default:
		err = fmt.Errorf("the parameter %q is not known; there are default= and enc=, and %s", name, hintQuotes)
	}
	return err
}

// encodeDefault renders the default as a claim with that string would be, once
// the encoding is known.
func (e *entry) encodeDefault() error {
	if e.fallback == "" {
		return nil
	}
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e.fallback); err != nil {
		return err
	}
	var err error
	e.encoded, err = e.enc.render(bytes.TrimSpace(quoted.Bytes()))
	return err
}

func parseDefault(value string) (string, error) {
	if strings.HasPrefix(value, `"`) {
		text, rest, err := parseQuoted(value)
		switch {
		case err != nil:
			return "", err
		case rest != "":
			return "", fmt.Errorf("default=%s goes on after the closing double quote", value)
		}
		value = text
	} else if strings.Contains(value, `"`) {
		return "", fmt.Errorf(`default=%s holds a double quote; write "…" around it and "" for each in it`, value)
	}
	if value == "" {
		return "", errors.New("default= is empty; leave it out for no header")
	}
	return value, nil
}

// quoteDefault undoes parseDefault.
func quoteDefault(value string) string {
	if strings.ContainsAny(value, `,;"`) || strings.TrimSpace(value) != value {
		return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
	}
	return value
}

// split cuts s at every separator that is outside double quotes and trims the
// parts. A doubled quote closes and opens again, so it needs no care.
func split(s string, separator byte) ([]string, error) {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	if quoted {
		return nil, errors.New("a double quote is not closed")
	}
	return append(parts, strings.TrimSpace(s[start:])), nil
}
