// Command defences removes one defence at a time and shows which named test
// fails. A defence that can be removed unnoticed is reported and fails the run.
//
//	go run ./internal/defences [NAME…]
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// defence is one rule: the text that makes it, what is left without it, and the
// test that must notice.
type defence struct {
	name    string
	file    string
	text    string // stands once in file
	without string
	pkg     string // of the test
	test    string // -run pattern
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "defences:", err)
		os.Exit(1)
	}
}

func run(only []string) error {
	dir, err := os.MkdirTemp("", "defences")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var unnoticed []string
	tried := 0
	for _, d := range defences() {
		if len(only) > 0 && !slices.Contains(only, d.name) {
			continue
		}
		tried++
		started := time.Now()
		failed, err := d.remove(dir)
		switch {
		case err != nil:
			unnoticed = append(unnoticed, d.name)
			fmt.Printf("WRONG     %-34s %v\n", d.name, err)
		case len(failed) == 0:
			unnoticed = append(unnoticed, d.name)
			fmt.Printf("UNNOTICED %-34s %s\n", d.name, d.test)
		default:
			fmt.Printf("noticed   %-34s by %s (%.0fs)\n", d.name, failed[0], time.Since(started).Seconds())
		}
	}
	if len(unnoticed) > 0 {
		return fmt.Errorf("not shown to be needed: %s", strings.Join(unnoticed, ", "))
	}
	fmt.Printf("%d defences removed, each noticed\n", tried)
	return nil
}

// remove tests the program without the defence and returns the tests that fail.
// The source on disk is not touched: the go command is given an overlay.
func (d defence) remove(dir string) ([]string, error) {
	source, err := os.ReadFile(d.file)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(source, []byte(d.text)); n != 1 {
		return nil, fmt.Errorf("%s holds the text %d times; it has to hold it once:\n%s", d.file, n, d.text)
	}
	file, err := filepath.Abs(d.file)
	if err != nil {
		return nil, err
	}
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	//nolint:gosec // the program's own folder
	if err := os.WriteFile(changed, bytes.Replace(source, []byte(d.text), []byte(d.without), 1), 0o600); err != nil {
		return nil, err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	//nolint:gosec // the words come from the table beside
	out, err := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-vet=off", "-timeout", "2m", "-run", d.test, d.pkg).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &exit):
		return nil, err
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		return nil, fmt.Errorf("without it the program does not build:\n%s", out)
	}
	return failures(string(out)), nil
}

// failures are the names behind "--- FAIL:", the most precise first. A panic or
// a timeout is a failure without a name.
func failures(out string) []string {
	var names []string
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			name, _, _ := strings.Cut(rest, " (")
			names = append(names, name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	if len(names) == 0 {
		names = append(names, "a crash of the test")
	}
	return names
}
