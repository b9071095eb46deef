package upstreamtest_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/testneed"
)

const manual = "../../docs/headers.md"

// programs say how the manual's code block of a language becomes a program:
// the block, and code of testdata/manual behind it or beside it. Each program
// reads lines "value <header>" and "list <header>", where the header is base64
// or "-" for none, and answers with what the block's function returns, base64
// again: a value or "-", or the elements each after a comma.
var programs = []struct {
	language string
	block    string // file of the block
	before   string // goes in front of it
	tail     string // goes behind it
	beside   []string
	compile  []string
	run      []string
	none     string // what no header is read as
}{
	{language: "python", block: "main.py", tail: "tail.py", run: []string{"python3", "main.py"}, none: "-"},
	{language: "ruby", block: "main.rb", tail: "tail.rb", run: []string{"ruby", "main.rb"}, none: "-"},
	{language: "php", block: "main.php", tail: "tail.php", run: []string{"php", "-n", "main.php"}, none: "-"},
	{language: "js", block: "main.js", tail: "tail.js", run: []string{"node", "main.js"}, none: "-"},
	{
		language: "java", block: "AuthHeaders.java", beside: []string{"Main.java", "HttpServletRequest.java"},
		compile: []string{"javac", "-d", ".", "AuthHeaders.java", "Main.java", "HttpServletRequest.java"},
		run:     []string{"java", "-cp", ".", "Main"}, none: "-",
	},
	{language: "go", block: "auth.go", before: "package main\n", beside: []string{"main.go"}, run: []string{"go", "run", "auth.go", "main.go"}},
}

// samples are header values as the encoding percent makes them, and what the
// claim held. A list's elements are joined by "|".
var samples = []struct{ kind, header, claim string }{
	{"value", "manager", "manager"},
	{"value", "Acme, Inc", "Acme, Inc"},
	{"value", "M%C3%BCller%20GmbH", "Müller GmbH"},
	{"value", "100%25%20Pure", "100% Pure"},
	{"value", "%20padded%20", " padded "},
	{"value", "ada+work@example.com", "ada+work@example.com"},
	{"value", "%2B%C3%BC%2B", "+ü+"},
	{"value", "100%2525", "100%25"},
	{"value", "%F0%9F%98%80%E2%80%AE%C2%A0", "😀\u202e\u00a0"},
	{"value", `{"id":"org_1"}`, `{"id":"org_1"}`},
	{"value", "a;b=c&d?e#f/g\\h'i\"j~k", "a;b=c&d?e#f/g\\h'i\"j~k"},
	{"list", "manager", "manager"},
	{"list", "a,b%2C%20c", "a|b, c"},
	{"list", "M%C3%BCller%20GmbH,x+y,100%25", "Müller GmbH|x+y|100%"},
	{"list", "org:sys_memberships:read,org:a b:c", "org:sys_memberships:read|org:a b:c"},
}

// TestManualExamples runs the examples of the manual.
func TestManualExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	var questions, answers []string
	for _, s := range samples {
		questions = append(questions, s.kind+" "+base64.StdEncoding.EncodeToString([]byte(s.header)))
		answers = append(answers, answer(s.kind, s.claim))
	}
	questions = append(questions, "value -", "list -")
	for _, p := range programs {
		t.Run(p.language, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, p.block, p.before+block(t, string(text), p.language)+companion(t, p.tail))
			for _, name := range p.beside {
				write(t, dir, name, companion(t, name))
			}
			if p.compile != nil {
				output(t, dir, "", p.compile)
			}
			got := strings.Split(output(t, dir, strings.Join(questions, "\n")+"\n", p.run), "\n")
			for i, want := range slices.Concat(answers, []string{p.none, ""}) {
				if i >= len(got) || got[i] != want {
					t.Errorf("%s: answers %q, want %q", questions[i], got[min(i, len(got)-1)], want)
				}
			}
		})
	}
}

func answer(kind, claim string) string {
	if kind == "value" {
		return base64.StdEncoding.EncodeToString([]byte(claim))
	}
	var b strings.Builder
	for element := range strings.SplitSeq(claim, "|") {
		b.WriteString("," + base64.StdEncoding.EncodeToString([]byte(element)))
	}
	return b.String()
}

// block returns the first code block of a language.
func block(t *testing.T, text, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n```"+language+"\n")
	code, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed {
		t.Fatalf("%s has no block in %s", manual, language)
	}
	return code + "\n"
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// companion returns a file of testdata/manual; no name is no text.
func companion(t *testing.T, name string) string {
	t.Helper()
	if name == "" {
		return ""
	}
	text, err := os.ReadFile(filepath.Join("testdata", "manual", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// output runs a program and returns what it prints.
func output(t *testing.T, dir, input string, command []string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), testneed.Tool(t, command[0]), command[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, strings.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, stderr.String())
	}
	return strings.TrimSuffix(string(out), "\n")
}
