package route_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/route"
	"github.com/manageros/authproxy/internal/testneed"
)

// patternCase is some patterns and what they are asked.
type patternCase struct {
	Organization []string `json:"organization"`
	Personal     []string `json:"personal"`
	Paths        []string `json:"paths"`
}

// clerkAnswer is what Clerk's SDK says about one case.
type clerkAnswer struct {
	Error   string          `json:"error"`
	Targets []*route.Target `json:"targets"`
}

// askClerk asks npm's @clerk/shared, which .ci/run installs below .cache/npm with
// @clerk/backend.
func askClerk(t *testing.T, cases []patternCase) []clerkAnswer {
	t.Helper()
	node := testneed.Tool(t, "node")
	packages, err := filepath.Abs(filepath.Join("..", "..", ".cache", "npm", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(packages, "@clerk", "shared", "package.json")); err != nil {
		testneed.Missing(t, "needs npm's @clerk/shared below .cache/npm, not found (.ci/run install puts it there)")
	}
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "organisations.cjs"))
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &stdout, &stderr
	command.Env = append(os.Environ(), "NODE_PATH="+packages)
	if err := command.Run(); err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	var answers []clerkAnswer
	if err := json.Unmarshal(stdout.Bytes(), &answers); err != nil || len(answers) != len(cases) {
		t.Fatalf("%d answers for %d cases: %v", len(answers), len(cases), err)
	}
	return answers
}

// stricter are the mistakes that Clerk's SDK does not mind, each documented at
// ParsePatterns or translate.
func stricter() []string {
	return []string{
		`begin it with "/"`, "an organisation has one name", "write what the parameter may hold", "beyond ASCII", "look-around",
		"only (?:...)", "not supported", "can be empty", "is empty", `"{" counts`, "is not closed", "repeat count", "it ends in a",
	}
}

// TestPatternsAreThoseOfClerk generates patterns and paths and compares with
// Clerk's own matcher: the same targets, and never more patterns than it accepts.
func TestPatternsAreThoseOfClerk(t *testing.T) {
	t.Parallel()
	const seed = 20250807
	g := generator{rand.New(rand.NewPCG(seed, 1))}
	cases := make([]patternCase, 6000)
	for i := range cases {
		cases[i] = g.patternCase()
	}
	compiled, matched, refused := 0, 0, map[string]int{}
	for i, answer := range askClerk(t, cases) {
		c := cases[i]
		o, err := route.ParsePatterns(c.Organization, c.Personal)
		if err != nil {
			mind := slices.IndexFunc(stricter(), func(why string) bool { return strings.Contains(err.Error(), why) })
			if answer.Error == "" && mind < 0 {
				t.Errorf("seed %d: %q, %q: Clerk's SDK accepts them: %v", seed, c.Organization, c.Personal, err)
			} else if answer.Error == "" {
				refused[stricter()[mind]]++
			}
			continue
		}
		if answer.Error != "" {
			t.Errorf("seed %d: %q, %q are accepted; Clerk's SDK: %s", seed, c.Organization, c.Personal, answer.Error)
			continue
		}
		compiled++
		for j, path := range c.Paths {
			var want route.Target
			if answer.Targets[j] != nil {
				want = *answer.Targets[j]
				matched++
			}
			if got, _ := o.Target(path); got != want {
				t.Errorf("seed %d: %q, %q: %q is of %+v; Clerk's SDK: %+v", seed, c.Organization, c.Personal, path, got, want)
			}
		}
	}
	if compiled < len(cases)/2 || matched < len(cases)/2 {
		t.Errorf("only %d of %d cases compile, only %d paths match: they show little", compiled, len(cases), matched)
	}
	t.Logf("%d cases compile, %d paths match, refused though Clerk's SDK does not mind: %v", compiled, matched, refused)
}

// generator makes patterns, and paths that have a chance to match them.
type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) patternCase() patternCase {
	var c patternCase
	for range 1 + g.IntN(2) {
		c.Organization = append(c.Organization, g.pattern())
	}
	for range g.IntN(2) {
		c.Personal = append(c.Personal, g.pattern())
	}
	for range 12 {
		c.Paths = append(c.Paths, g.path())
	}
	for _, p := range slices.Concat(c.Organization, c.Personal) {
		c.Paths = append(c.Paths, g.filled(p), g.filled(p))
	}
	// What the proxy refuses before it asks: a browser's URL has no dot segments.
	c.Paths = slices.DeleteFunc(c.Paths, func(path string) bool { return route.CheckPath(path, "") != nil })
	return c
}

func (g generator) pattern() string {
	var b strings.Builder
	if g.IntN(30) > 0 {
		b.WriteString("/")
	}
	for range 1 + g.IntN(5) {
		b.WriteString(g.pieceOfPattern())
		b.WriteString(g.one("/", "/", "/", "/", "/", "-", ".", "_", "x", "--", ""))
	}
	pattern := b.String()
	if pattern != "" && g.IntN(15) == 0 { // something went wrong on the way
		i := 1 + g.IntN(len(pattern))
		pattern = pattern[:i] + g.one("(", ")", "{", "}", ":", "*", "?", "+", `\`, "(?!b)", "([])", "]", "|", " ", "\u017f") + pattern[i:]
	}
	return pattern
}

func (g generator) pieceOfPattern() string {
	name := g.one(":slug", ":slug", ":id", ":id", ":rest", "")
	modifier := g.one("", "", "", "", "", "", "", "?", "?", "*", "+")
	if name == ":id" || name == ":slug" {
		modifier = strings.Trim(modifier, "*+")
	}
	switch g.IntN(9) {
	case 0, 1, 2, 3:
		return g.one("orgs", "o", "a", "b", "Acme", "k", "s", "%20", "^", "|", "$", "x.y", "")
	case 4, 5:
		return name + "(" + g.expression() + ")" + modifier
	case 6:
		return "{" + g.one("/", "-", ".", "ab", "", "/o/") + name + g.one("", "", "("+g.expression()+")") + g.one("", "", "/", "-", "b") + "}" + modifier
	default:
		if name == "" {
			modifier = ""
		}
		return name + modifier
	}
}

func (g generator) expression() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.one("a", "b", "k", "s", "org_", ".", "[^/]", "[a-c]", "[K-s]", "[^b-]", `\d`, `\w`, `[\w-]`, `[\d-b]`, `\W`, `[^\Wa]`, `\S`, "/", "-", `\.`, `\/`, `\x61`,
			`\u004b`, "(?:a|b)", "(?:a|bc)", "(?:/a)", `\ba`, "]", "^", "$", "(?:ab?)", "a|", "|b", "(?:[ab]|-)"))
		b.WriteString(g.one("", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{1,}"))
	}
	return b.String()
}

func (g generator) path() string {
	var b strings.Builder
	for range g.IntN(5) {
		b.WriteString("/" + g.segment())
	}
	b.WriteString(g.one("/", "", "", "//", "#", "/#x"))
	if !strings.HasPrefix(b.String(), "/") {
		return "/"
	}
	return b.String()
}

func (g generator) segment() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.one("orgs", "o", "a", "b", "c", "ab", "bc", "acme", "ACME", "k", "K", "s", "1", "42", "org_", "-", ".x", "_", "%20", "%C3%BC", "\u00fc", "\u212a", "\u017f", "^", "|", "$", "'", "\"", "x.y", "~"))
	}
	return b.String()
}

// filled is a path in the shape of a pattern.
func (g generator) filled(pattern string) string {
	var b strings.Builder
	for rest := pattern; rest != ""; rest = rest[1:] {
		switch rest[0] {
		case ':', '(':
			b.WriteString(g.one(g.segment(), g.one("a", "b", "ab", "org_", "1", "K", "a/b")))
			if end := strings.IndexAny(rest, "/-.?{"); rest[0] == ':' && end > 0 {
				rest = rest[end-1:]
			} else if end := strings.LastIndexByte(rest, ')'); rest[0] == '(' && end > 0 {
				rest = rest[end:]
			}
		case '{', '}', '?', '*', '+', '\\', ')':
		default:
			b.WriteByte(rest[0])
		}
	}
	return "/" + strings.TrimPrefix(b.String(), "/")
}
