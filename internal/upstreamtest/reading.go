package upstreamtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reading is what an application read from one request.
type Reading struct {
	Server string `json:"server"` // name and version, as the server calls itself
	Method string `json:"method"`
	Path   string `json:"path"` // as the application is told it, escapes decoded
	Query  string `json:"query"`
	Body   int    `json:"body"` // bytes
	// Read has, for each of [Names], the values under every idiom of the
	// language, spelled as its code; no values where the idiom finds nothing.
	Read map[string]map[string][]string `json:"read"`
	// Cookies has, for each way of the language to read them, value by name.
	Cookies map[string]map[string]string `json:"cookies"`
	// Dump has every variable that a header can set, whatever its name.
	Dump []Variable `json:"dump"`
}

// Variable is one entry of a table the application can look into.
type Variable struct {
	From  string `json:"from"` // the table: "environ", "$_SERVER", "req.rawHeaders"
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Anything is a wanted value that nobody can know beforehand, such as a request
// id: one value, whichever.
const Anything = "\x00anything"

// Differences says where the application reads something else than want, which
// holds the values by header name; a name of [Names] that want lacks must not be
// readable at all. Beside the idioms it looks at every variable whose name is
// the header's when letter case and separators do not count.
func (r Reading) Differences(want map[string]string) []string {
	var found []string
	for _, name := range names() {
		value, wanted := want[name]
		for _, idiom := range slices.Sorted(maps.Keys(r.Read[name])) {
			found = append(found, compare(idiom, r.Read[name][idiom], value, wanted, absentWhere(r.Server, idiom))...)
		}
	}
	for _, v := range r.Dump {
		name, owned := ownedName(v)
		if value, wanted := want[name]; owned && (!wanted || value != Anything && v.Value != value) {
			found = append(found, fmt.Sprintf("%s[%q] is %q, want %q", v.From, v.Name, v.Value, value))
		}
	}
	return found
}

func compare(idiom string, got []string, want string, wanted, mayLack bool) []string {
	switch {
	case !wanted && len(got) == 0, len(got) == 0 && mayLack:
		return nil
	case wanted && len(got) == 1 && (got[0] == want || want == Anything):
		return nil
	case !wanted:
		return []string{fmt.Sprintf("%s is %q, want nothing", idiom, got)}
	default:
		return []string{fmt.Sprintf("%s is %q, want %q", idiom, got, want)}
	}
}

// absentWhere reports whether the idiom finds nothing even when the header is
// there: REMOTE_USER is the server's own word and no header sets it, getenv
// reads the process where PHP is its own server, and PHP hides HTTP_PROXY
// (httpoxy, CVE-2016-5385).
func absentWhere(server, idiom string) bool {
	return strings.Contains(idiom, "'REMOTE_") || strings.HasPrefix(server, "PHP") &&
		(strings.HasPrefix(idiom, "getenv(") || idiom == "$_SERVER['HTTP_PROXY']")
}

// Holding returns the variables whose name or value contains text.
func (r Reading) Holding(text string) []Variable {
	var found []Variable
	for _, v := range r.Dump {
		if strings.Contains(v.Name, text) || strings.Contains(v.Value, text) {
			found = append(found, v)
		}
	}
	return found
}

// ownedName finds the header of [Names] that a lenient reader could take the
// variable for.
func ownedName(v Variable) (string, bool) {
	folded := fold(strings.TrimPrefix(strings.ToUpper(v.Name), "HTTP_"))
	for _, name := range names() {
		if fold(name) == folded {
			return name, true
		}
	}
	return "", false
}

// fold is written apart from headers.Fold on purpose: it judges it.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789", r) {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}
