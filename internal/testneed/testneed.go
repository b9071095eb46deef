// Package testneed says what a test needs beside Go. On a machine without it
// the test is skipped by name; where AUTHPROXY_TEST_REQUIRE is "ci" a missing
// tool is a failure, so that a gate cannot turn green by losing a tool.
package testneed

import (
	"os"
	"os/exec"
	"testing"
)

// Tool returns the path of the first of names that is installed.
func Tool(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, "needs %v, not found", names)
	return ""
}

// Missing skips the test for want of something, or fails it where everything is
// required.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("AUTHPROXY_TEST_REQUIRE") == "ci" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
