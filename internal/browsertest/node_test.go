package browsertest_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/testneed"
)

// modules is the directory that holds npm's node_modules, with these packages in
// it.
func modules(t *testing.T, names ...string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", ".cache", "npm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", filepath.FromSlash(name))); err != nil {
			testneed.Missing(t, "needs npm's %s in .cache/npm (.ci/run install)", name)
		}
	}
	return dir
}

// scripts is clerk-js as its package has it.
func scripts(t *testing.T) fs.FS {
	t.Helper()
	return os.DirFS(filepath.Join(modules(t, "@clerk/clerk-js"), "node_modules", "@clerk", "clerk-js", "dist"))
}

// longestPlay bounds what a browser is given to do.
const longestPlay = 5 * time.Minute

var figures = regexp.MustCompile(`(?m)^FIGURES .*$`)

// play drives Chromium through the site by a script of testdata.
func (r *rig) play(t *testing.T, name string, environ ...string) {
	t.Helper()
	node, chromium := testneed.Tool(t, "node"), testneed.Tool(t, "chromium")
	ctx, cancel := context.WithTimeout(t.Context(), longestPlay)
	defer cancel()
	run := exec.CommandContext(ctx, node, filepath.Join("testdata", name))
	run.Env = append(os.Environ(), "BASE="+r.base, "CONTROL="+r.control, "CHROMIUM="+chromium, "MODULES="+modules(t, "playwright-core"),
		"SUFFIX="+r.Named().CookieSuffix(), "ADA="+r.user(t, "ada").ID, "OUT="+t.TempDir(), "PIN="+r.pin)
	run.Env = append(run.Env, environ...)
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) } // takes Chromium along
	run.WaitDelay = 10 * time.Second
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, r.journal)
	}
	t.Logf("%s", strings.Join(figures.FindAllString(string(out), -1), "\n"))
}
