package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestTableFollowsTheCode: every defence of the table stands in its file, once.
// Removing them takes minutes (make defences); this takes none.
func TestTableFollowsTheCode(t *testing.T) {
	t.Parallel()
	if n := len(defences()); n < 20 {
		t.Errorf("only %d defences", n)
	}
	names := map[string]bool{}
	for _, d := range defences() {
		source, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(d.file)))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(source, []byte(d.text)); n != 1 {
			t.Errorf("%s: the text stands in %s %d times", d.name, d.file, n)
		}
		if names[d.name] || d.without == d.text || d.test == "" {
			t.Errorf("%s: twice, or it removes nothing, or it names no test", d.name)
		}
		names[d.name] = true
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	got := failures("--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b (0.1s)\n")
	if len(got) != 2 || got[0] != "TestA/b" {
		t.Errorf("%v", got)
	}
	if got := failures("panic: x"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
