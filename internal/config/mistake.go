package config

import (
	"cmp"
	"errors"
	"slices"
)

// Mistake is one thing that is wrong with the environment. [Load] returns all
// of them joined.
type Mistake struct {
	Name    string // of the variable
	Problem string // what is wrong with it, as the rest of a sentence that the name begins; shows no secret
	Hint    string // what to do about it, often the line to add; may be ""
}

// Error implements error.
func (m *Mistake) Error() string {
	s := m.Name + ": " + m.Problem
	if m.Hint != "" {
		s += "; " + m.Hint
	}
	return s
}

// Mistakes returns every Mistake that err holds, sorted by name.
func Mistakes(err error) []*Mistake {
	var all []*Mistake
	collect(err, &all)
	slices.SortStableFunc(all, func(a, b *Mistake) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Problem, b.Problem))
	})
	return all
}

func collect(err error, all *[]*Mistake) {
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself, because errors.As stops at the first
	case nil:
	case *Mistake:
		*all = append(*all, e)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			collect(inner, all)
		}
	default:
		collect(errors.Unwrap(err), all)
	}
}

// join returns nil when there are none.
func join(mistakes []*Mistake) error {
	list := make([]error, len(mistakes))
	for i, m := range mistakes {
		list[i] = m
	}
	return errors.Join(list...)
}

// problem is what a parser of one value says: it does not know the name.
type problem struct{ text, hint string }

// Error implements error.
func (p *problem) Error() string { return p.text }

func wrong(text, hint string) error { return &problem{text, hint} }
