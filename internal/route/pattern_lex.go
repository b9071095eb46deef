package route

import (
	"errors"
	"fmt"
	"strings"
)

// tokenKind is what path-to-regexp's lexer tells apart.
type tokenKind int

const (
	tokenEnd      tokenKind = iota
	tokenChar               // a character that means itself
	tokenEscaped            // the same, behind a backslash
	tokenModifier           // ?, * or +
	tokenName               // :name, without the colon
	tokenExpr               // (expression), without the parentheses
	tokenOpen               // {
	tokenClose              // }
)

type patternToken struct {
	kind tokenKind
	text string
}

// lexPattern is path-to-regexp's lexer. The tokens end with tokenEnd.
func lexPattern(text string) ([]patternToken, error) {
	var all []patternToken
	for rest := text; rest != ""; {
		token, length, err := nextToken(rest)
		if err != nil {
			return nil, err
		}
		all = append(all, token)
		rest = rest[length:]
	}
	return append(all, patternToken{kind: tokenEnd}), nil
}

func nextToken(rest string) (token patternToken, length int, err error) {
	switch rest[0] {
	case '*', '+', '?':
		return patternToken{tokenModifier, rest[:1]}, 1, nil
	case '{':
		return patternToken{tokenOpen, "{"}, 1, nil
	case '}':
		return patternToken{tokenClose, "}"}, 1, nil
	case '\\':
		if len(rest) == 1 {
			return patternToken{}, 0, errors.New(`it ends in a "\"`)
		}
		return patternToken{tokenEscaped, rest[1:2]}, 2, nil
	case ':':
		name := rest[1 : len(rest)-len(strings.TrimLeft(rest[1:], wordCharacters))]
		if name == "" {
			return patternToken{}, 0, errors.New(`a ":" needs the name of a parameter, as in :slug`)
		}
		return patternToken{tokenName, name}, 1 + len(name), nil
	case '(':
		expr, err := lexExpression(rest[1:])
		return patternToken{tokenExpr, expr}, len(expr) + len("()"), err
	default:
		return patternToken{tokenChar, rest[:1]}, 1, nil
	}
}

const wordCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// lexExpression finds the end of an expression behind its "(". As to
// path-to-regexp a parenthesis counts inside [...] too.
func lexExpression(rest string) (string, error) {
	if strings.HasPrefix(rest, "?") {
		return "", errors.New(`an expression cannot begin with "?"`)
	}
	depth := 1
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '(':
			depth++
			if !strings.HasPrefix(rest[i:], "(?") {
				return "", errors.New("a group inside an expression must not capture; write (?:...)")
			}
		case ')':
			if depth--; depth > 0 {
				continue
			}
			if i == 0 {
				return "", errors.New("() is empty; for any rest write (.*)")
			}
			return rest[:i], nil
		}
	}
	return "", fmt.Errorf("%q is not closed (a comma ends a pattern, inside brackets too)", "("+rest)
}
