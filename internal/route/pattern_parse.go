package route

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// This is path-to-regexp 6 (function names of its parse and tokensToRegexp in the
// comments), from a pattern's text to one anchored regular expression of Go.

// compilePattern reads one pattern.
func compilePattern(text string) (*pathPattern, error) {
	if i := strings.IndexFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }); i >= 0 {
		return nil, errors.New("it holds a space or a character beyond ASCII; write it as browsers send it, for example %20 or %C3%BC")
	}
	tokens, err := lexPattern(text)
	if err != nil {
		return nil, err
	}
	parser := patternParser{tokens: tokens}
	pieces, err := parser.parse()
	if err != nil {
		return nil, err
	}
	if len(pieces) == 0 || pieces[0].param == nil && !strings.HasPrefix(pieces[0].text, "/") {
		return nil, errors.New(`it matches no path; begin it with "/"`)
	}
	return buildPattern(pieces)
}

// piece is literal text or a parameter.
type piece struct {
	text  string
	param *param
}

// param is one group of a pattern: ":name", "(expression)", or "{...}" around
// either or neither.
type param struct {
	name           string // "" for one without a name
	prefix, suffix string
	expr           string // as Go's regexp; "" for literal text in braces
	modifier       string // "", "?", "*" or "+"
}

// buildPattern is tokensToRegexp with the options of Clerk's matcher: the whole
// path in any case, with or without a delimiter at its end.
func buildPattern(pieces []piece) (*pathPattern, error) {
	p := &pathPattern{}
	expr := "(?i)^"
	group := 0
	for _, piece := range pieces {
		if piece.param == nil {
			expr += regexp.QuoteMeta(piece.text)
			continue
		}
		if piece.param.expr != "" {
			group++
		}
		named := map[string]*[]int{"id": &p.id, "slug": &p.slug}[piece.param.name]
		if named != nil && strings.ContainsAny(piece.param.modifier, "*+") {
			return nil, fmt.Errorf("%q repeats, and an organisation has one name; remove the %q", ":"+piece.param.name, piece.param.modifier)
		} else if named != nil {
			*named = append(*named, group)
		}
		text, err := piece.param.regexp()
		if err != nil {
			return nil, err
		}
		expr += text
	}
	expr += "[/#?]?$"
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("it is no regular expression: %w", err)
	}
	if repeatsEmpty(tree) {
		return nil, errors.New("what ?, * or + repeats can be empty; let it hold at least one character")
	}
	p.expr, err = regexp.Compile(expr)
	return p, err
}

func (p *param) regexp() (string, error) {
	prefix, suffix := regexp.QuoteMeta(p.prefix), regexp.QuoteMeta(p.suffix)
	repeats := p.modifier == "*" || p.modifier == "+"
	switch {
	case p.expr == "":
		return "(?:" + prefix + suffix + ")" + p.modifier, nil
	case repeats && prefix+suffix == "":
		return "", fmt.Errorf("what %q repeats needs something around it that separates, for example {-:name}%s", p.modifier, p.modifier)
	case repeats:
		again := "(?:" + p.expr + ")"
		all := "(?:" + prefix + "(" + again + "(?:" + suffix + prefix + again + ")*)" + suffix + ")"
		return all + map[string]string{"*": "?"}[p.modifier], nil
	case prefix+suffix == "":
		return "(" + p.expr + ")" + p.modifier, nil
	default:
		return "(?:" + prefix + "(" + p.expr + ")" + suffix + ")" + p.modifier, nil
	}
}

// patternParser is path-to-regexp's parse.
type patternParser struct {
	tokens []patternToken // ends with tokenEnd
	pieces []piece
	text   string // literal text that is not a piece yet
}

func (p *patternParser) parse() ([]piece, error) {
	for p.tokens[0].kind != tokenEnd {
		if err := p.step(); err != nil {
			return nil, err
		}
	}
	p.flush()
	return p.pieces, nil
}

func (p *patternParser) step() error {
	char, isChar := p.take(tokenChar)
	name, isName := p.take(tokenName)
	expr, isExpr := p.take(tokenExpr)
	if isName || isExpr {
		prefix := char
		if !strings.Contains("./", char) { // only a dot or a slash belongs to the parameter behind it
			p.text += char
			prefix = ""
		}
		p.flush()
		return p.param(param{name: name, prefix: prefix, expr: expr})
	}
	if !isChar {
		char, isChar = p.take(tokenEscaped)
	}
	if isChar {
		p.text += char
		return nil
	}
	p.flush()
	if _, opened := p.take(tokenOpen); opened {
		return p.braces()
	}
	return p.unexpected()
}

// braces reads what follows a "{".
func (p *patternParser) braces() error {
	var group param
	var isName, isExpr bool
	group.prefix = p.literal()
	group.name, isName = p.take(tokenName)
	group.expr, isExpr = p.take(tokenExpr)
	group.suffix = p.literal()
	if _, closed := p.take(tokenClose); !closed {
		return p.unexpected()
	}
	if !isName && !isExpr {
		group.modifier, _ = p.take(tokenModifier)
		p.pieces = append(p.pieces, piece{param: &group})
		return nil
	}
	return p.param(group)
}

// param finishes a parameter: its own expression becomes Go's, and one without
// takes what its segment holds.
func (p *patternParser) param(group param) (err error) {
	if group.expr != "" {
		group.expr, err = translate(group.expr)
	} else {
		group.expr, err = p.segment(group.prefix)
	}
	group.modifier, _ = p.take(tokenModifier)
	p.pieces = append(p.pieces, piece{param: &group})
	return err
}

// segment is the expression of a parameter that has none: up to a delimiter, or
// up to the text that separates it from the parameter before it.
func (p *patternParser) segment(prefix string) (string, error) {
	before := prefix
	if n := len(p.pieces); n > 0 {
		if before == "" {
			before = p.pieces[n-1].text
		}
		if before == "" {
			return "", fmt.Errorf("there must be text between two parameters, after %q", ":"+p.pieces[n-1].param.name)
		}
	}
	switch {
	case before == "" || strings.ContainsAny(before, "/#?"):
		return "[^/#?]+?", nil
	case len(before) == 1:
		return "[^/#?" + classChar(before[0]) + "]+?", nil
	default: // a negative look-ahead to path-to-regexp
		return "", fmt.Errorf("behind %q write what the parameter may hold, for example :slug([^/]+)", before)
	}
}

func (p *patternParser) literal() (text string) {
	for {
		char, ok := p.take(tokenChar)
		if !ok {
			char, ok = p.take(tokenEscaped)
		}
		if !ok {
			return text
		}
		text += char
	}
}

func (p *patternParser) flush() {
	if p.text != "" {
		p.pieces = append(p.pieces, piece{text: p.text})
		p.text = ""
	}
}

func (p *patternParser) take(kind tokenKind) (string, bool) {
	if t := p.tokens[0]; t.kind == kind {
		p.tokens = p.tokens[1:]
		return t.text, true
	}
	return "", false
}

func (p *patternParser) unexpected() error {
	switch t := p.tokens[0]; t.kind {
	case tokenModifier:
		return fmt.Errorf("%q stands behind nothing that it could repeat; for any rest write (.*)", t.text)
	case tokenEnd:
		return errors.New(`a "{" is not closed`)
	default:
		return fmt.Errorf(`%q is not expected here; in front of it write "\" where it is meant as it stands`, t.text)
	}
}
