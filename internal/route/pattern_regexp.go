package route

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// translate writes a regular expression of JavaScript (ECMAScript, without the
// flag u) in the words of Go. It knows what both have and read alike on ASCII, and
// refuses the rest: an expression that means something else here would take people
// to another organisation than Clerk's SDK does.
func translate(expr string) (string, error) {
	t := translator{rest: expr}
	for t.rest != "" {
		if err := t.step(); err != nil {
			return "", fmt.Errorf("in (%s): %w", expr, err)
		}
	}
	if _, err := syntax.Parse(t.out.String(), syntax.Perl); err != nil { // by itself, so that nothing of it reaches into what is around it
		return "", fmt.Errorf("in (%s): %w", expr, err)
	}
	return t.out.String(), nil
}

type translator struct {
	rest string
	out  strings.Builder
}

func (t *translator) step() error {
	c := t.rest[0]
	switch c {
	case '\\':
		atom, _, err := t.escape()
		t.out.WriteString(atom)
		return err
	case '[':
		return t.class()
	case '(':
		if !strings.HasPrefix(t.rest, "(?:") {
			return errors.New("only (?:...) may stand inside an expression; look-around and named groups are not supported")
		}
		t.copy(len("(?:"))
	case '{':
		length := len(counted.FindString(t.rest))
		if length == 0 {
			return errors.New(`"{" counts repetitions, as in {2,5}; write "\{" where it is meant as it stands`)
		}
		t.copy(length)
	case '*', '+', '?', '|', ')', '^', '$', '.':
		t.copy(1)
	default:
		t.rest = t.rest[1:]
		t.out.WriteString(regexp.QuoteMeta(string(c)))
	}
	return nil
}

var counted = regexp.MustCompile(`^\{[0-9]+(?:,[0-9]*)?\}`)

func (t *translator) copy(length int) {
	t.out.WriteString(t.rest[:length])
	t.rest = t.rest[length:]
}

// escape reads an escape outside of a class: it returns Go's and, for one that
// stands for a single character, that.
func (t *translator) escape() (atom string, single int, err error) {
	if len(t.rest) < 2 {
		return "", 0, errors.New(`it ends in a "\"`)
	}
	c := t.rest[1]
	digits := map[byte]int{'x': 2, 'u': 4}[c]
	if strings.IndexByte(wordCharacters, c) < 0 {
		t.rest = t.rest[2:]
		return classChar(c), int(c), nil
	}
	if i := strings.IndexByte("tnvfr", c); i >= 0 {
		t.rest = t.rest[2:]
		return `\` + string(c), int("\t\n\v\f\r"[i]), nil
	}
	if strings.IndexByte("dDwWsSbB", c) >= 0 {
		t.rest = t.rest[2:]
		return `\` + string(c), -1, nil
	}
	if digits > 0 && len(t.rest) >= 2+digits {
		value, err := strconv.ParseUint(t.rest[2:2+digits], 16, 16)
		if err == nil && value < 0x80 {
			t.rest = t.rest[2+digits:]
			return classChar(byte(value)), int(value), nil
		}
	}
	return "", 0, fmt.Errorf("%q is not supported", `\`+string(c))
}

// class reads a [...].
func (t *translator) class() error {
	t.copy(1)
	if strings.HasPrefix(t.rest, "^") {
		t.copy(1)
	}
	if strings.HasPrefix(t.rest, "]") {
		return errors.New("a [] is empty")
	}
	for t.rest != "" {
		if t.rest[0] == ']' {
			t.copy(1)
			return nil
		}
		if err := t.classRange(); err != nil {
			return err
		}
	}
	return errors.New("a [ is not closed (a comma ends a pattern, inside brackets too)")
}

// classRange reads a character, or what "-" makes of two of them.
func (t *translator) classRange() error {
	from, first, err := t.classAtom()
	if err != nil {
		return err
	}
	t.out.WriteString(from)
	if len(t.rest) < 2 || t.rest[0] != '-' || t.rest[1] == ']' {
		return nil
	}
	t.rest = t.rest[1:]
	to, last, err := t.classAtom()
	switch {
	case err != nil:
		return err
	case first < 0 || last < 0: // ECMAScript annex B.1.4: both of them, and the hyphen
		t.out.WriteString(`\-` + to)
	case first > last:
		return fmt.Errorf("the range %c-%c runs backwards", first, last)
	default:
		t.out.WriteString("-" + to)
	}
	return nil
}

func (t *translator) classAtom() (atom string, single int, err error) {
	if strings.HasPrefix(t.rest, `\b`) || strings.HasPrefix(t.rest, `\B`) {
		return "", 0, fmt.Errorf("%q is not supported in [...]", t.rest[:2])
	}
	if t.rest[0] == '\\' {
		return t.escape()
	}
	c := t.rest[0]
	t.rest = t.rest[1:]
	return classChar(c), int(c), nil
}

// classChar writes a character so that it means itself, in a class or out of it.
func classChar(c byte) string {
	if strings.IndexByte(wordCharacters, c) >= 0 {
		return string(c)
	}
	return fmt.Sprintf(`\x%02x`, c)
}

// repeatsEmpty reports whether a repetition could go round without a character.
// JavaScript ends such a round as a failure and Go as a success, so that the two
// would share a path out among the parameters differently.
func repeatsEmpty(tree *syntax.Regexp) bool {
	switch tree.Op { //nolint:exhaustive // the repetitions
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		if canBeEmpty(tree.Sub[0]) {
			return true
		}
	}
	return slices.ContainsFunc(tree.Sub, repeatsEmpty)
}

func canBeEmpty(tree *syntax.Regexp) bool {
	some := func() bool { return slices.ContainsFunc(tree.Sub, canBeEmpty) }
	switch tree.Op { //nolint:exhaustive // the rest takes a character
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		return some()
	case syntax.OpRepeat:
		return tree.Min == 0 || some()
	case syntax.OpConcat:
		return !slices.ContainsFunc(tree.Sub, func(sub *syntax.Regexp) bool { return !canBeEmpty(sub) })
	}
	return false
}
