package upstreamtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/upstreamtest"
)

// separators are the characters of a field name that are no letters or digits
// (RFC 9110 section 5.6.2, tchar).
const separators = "!#$%&'*+-.^_`|~"

// spellings are fields whose names differ from owned ones in separators and
// letter case only, all with values that hold "forged".
func spellings() []string {
	var fields []string
	for _, name := range upstreamtest.Names() {
		parts := strings.Split(name, "-")
		for _, sep := range separators {
			for i := 1; i < len(parts); i++ {
				fields = append(fields, strings.Join(parts[:i], "-")+string(sep)+strings.Join(parts[i:], "-"))
			}
			fields = append(fields, strings.Join(parts, string(sep)), strings.ToUpper(strings.Join(parts, string(sep))))
		}
		for i := range separators { // every separator with every other, as far as the name has room
			fields = append(fields, mixed(parts, i, 1), mixed(parts, i, 4), strings.ToLower(mixed(parts, i, 7)))
		}
	}
	slices.Sort(fields)
	fields = slices.Compact(fields)
	for i, name := range fields {
		fields[i] = fmt.Sprintf("%s: forged-%d", name, i)
	}
	return fields
}

// mixed joins parts by separators that change by step.
func mixed(parts []string, first, step int) string {
	name := parts[0]
	for i, part := range parts[1:] {
		name += string(separators[(first+i*step)%len(separators)]) + part
	}
	return name
}

// otherNames are fields whose names have a letter or digit in the place of a
// separator. They are other headers, and nobody may take them for ours.
func otherNames() []string {
	var fields []string
	for _, name := range upstreamtest.Names() {
		for i := range len(name) {
			if name[i] != '-' {
				continue
			}
			for c := byte(0x21); c <= 0x7e; c++ {
				if isAlphanumeric(c) {
					fields = append(fields, name[:i]+string(c)+name[i+1:]+": other")
				}
			}
		}
	}
	return fields
}

// illegal are fields with a byte that no name can hold: every one of printable
// ASCII in the place of every separator, and every byte there is in the place
// of one, and before and behind the name.
func illegal() []string {
	var fields []string
	for _, name := range upstreamtest.Names() {
		for i := range len(name) {
			for c := byte(0x21); name[i] == '-' && c <= 0x7e; c++ {
				if !isAlphanumeric(c) && !strings.ContainsRune(separators, rune(c)) {
					fields = append(fields, name[:i]+string(c)+name[i+1:]+": a")
				}
			}
		}
	}
	for c := range 256 {
		if b := byte(c); !isAlphanumeric(b) && !strings.ContainsRune(separators, rune(c)) {
			s := string([]byte{b})
			fields = append(fields, "X-Auth"+s+"Role: a", s+"X-Auth-Role: a", "X-Auth-Role"+s+": a")
		}
	}
	return fields
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// around is a set of fields before and behind those of a situation.
type around struct {
	name          string
	before, after []string
}

// copies are owned names as they are, many times and in every order with their
// other spellings.
func copies() []around {
	var exact, lower, under []string
	for _, name := range upstreamtest.Names() {
		exact = append(exact, name+": forged-exact")
		lower = append(lower, strings.ToLower(name)+": forged-lower")
		under = append(under, strings.ReplaceAll(name, "-", "_")+": forged-under")
	}
	thousand := make([]string, 1000)
	for i := range thousand {
		thousand[i] = fmt.Sprintf("X-Auth-Role: forged-%d", i)
	}
	return []around{
		{"exact before", exact, nil},
		{"exact behind", nil, exact},
		{"exact, underscore", exact, under},
		{"underscore, exact", under, exact},
		{"exact, underscore, exact", slices.Concat(exact, under), exact},
		{"underscore, exact, lower case", under, slices.Concat(exact, lower)},
		{"empty values", []string{"X-Auth-Role:", "X_Auth_Role:", "X-Auth-Status: "}, nil},
		{"a thousand", thousand, nil},
	}
}

// TestSpellings keeps the lists honest: each is about what it says.
func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"X_Auth-Role: ", "X.Auth.Role: ", "X-Auth~Role: ", "X_AUTH_ROLE: ", "Remote|User: ", "X|Auth~Manageros!User#Id: "} {
		if !slices.ContainsFunc(spellings(), func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("no spelling %s", want)
		}
	}
	for _, want := range []string{"X-AuthzRole: other", "X0Auth-Role: other"} {
		if !slices.Contains(otherNames(), want) {
			t.Errorf("no other name %s", want)
		}
	}
	for _, want := range []string{"X-Auth:Role: a", "X(Auth-Role: a", "X-Auth\x00Role: a", "X-Auth-Role\xa0: a", " X-Auth-Role: a"} {
		if !slices.Contains(illegal(), want) {
			t.Errorf("no illegal name %q", want)
		}
	}
}
