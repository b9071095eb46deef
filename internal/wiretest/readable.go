package wiretest

import (
	"slices"
	"strings"
	"unicode"
)

// Readable returns every value that some application could read for the header
// name, sorted and without repeats: under each way of comparing names that
// servers are known to have, the values one by one, joined by commas in order
// of arrival, and trimmed as widely as any server trims. A request that says
// exactly one thing about name has one readable value, a silent one has none.
// Trailers count: servers are known to merge them.
func (r *Request) Readable(name string) []string {
	var all []string
	for _, fold := range folds {
		want := fold(name)
		var values []string
		for _, f := range slices.Concat(r.Fields, r.Trailers) {
			if fold(f.Name) == want {
				values = append(values, f.Value)
			}
		}
		all = append(all, readings(values)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Announces says whether a field of the request lists a name that reads as name
// under any way of comparing: Connection, Trailer and the like.
func (r *Request) Announces(list, name string) bool {
	for _, member := range strings.Split(r.Get(list), ",") {
		for _, fold := range folds {
			if fold(strings.TrimSpace(member)) == fold(name) {
				return true
			}
		}
	}
	return false
}

// readings is what first-wins, last-wins and joining readers make of values.
func readings(values []string) []string {
	if len(values) == 0 {
		return nil
	}
	all := slices.Clone(values)
	all = append(all, strings.Join(values, ","), strings.Join(values, ", "))
	if len(values) == 1 {
		all = all[:1]
	}
	for _, v := range slices.Clone(all) {
		all = append(all, strings.TrimFunc(v, wideSpace))
	}
	return all
}

// wideSpace is what some server trims from a value: NEL and NBSP as single
// bytes too (wsgiref reads header values as Latin-1).
func wideSpace(r rune) bool {
	return unicode.IsSpace(r) || r == 0 || r == unicode.ReplacementChar
}

// folds are the ways of comparing header names: as HTTP does, as CGI does, as
// PHP does, and as somebody may who turns every separator into one or none.
var folds = []func(string) string{
	strings.ToLower,
	func(s string) string { return mapped(s, "-", '_') },
	func(s string) string { return mapped(s, "-. ", '_') },
	func(s string) string { return strings.Map(separatorTo('-'), strings.ToLower(s)) },
}

func mapped(s, separators string, to rune) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(separators, r) {
			return to
		}
		return r
	}, strings.ToLower(s))
}

func separatorTo(to rune) func(rune) rune {
	return func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return to
	}
}
