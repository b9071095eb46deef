package app_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy/internal/testneed"
)

// clerkBackend is the version of npm's @clerk/backend whose decisions count; .ci/run
// installs it below .cache/npm.
const clerkBackend = "3.25.0"

// oracle is npm's @clerk/backend, which testdata/clerk/oracle.mjs asks:
// AUTHPROXY_TEST_ORACLE names another copy of that program.
type oracle struct {
	mint   mint
	failed int
	asked  int
	in     *bufio.Writer
	out    *bufio.Scanner
}

// startOracle runs until the test ends.
func startOracle(t *testing.T) *oracle {
	t.Helper()
	node := testneed.Tool(t, "node")
	packages, err := filepath.Abs(filepath.Join("..", "..", ".cache", "npm", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	about, err := os.ReadFile(filepath.Join(packages, "@clerk", "backend", "package.json"))
	if err != nil || !strings.Contains(string(about), `"version": "`+clerkBackend+`"`) {
		testneed.Missing(t, "needs npm's @clerk/backend %s below .cache/npm, not found (.ci/run install puts it there)", clerkBackend)
	}
	dir := t.TempDir() // the program looks beside itself for its keys and packages
	program := cmp.Or(os.Getenv("AUTHPROXY_TEST_ORACLE"), filepath.Join("testdata", "clerk", "oracle.mjs"))
	for from, to := range map[string]string{program: "oracle.mjs", filepath.Join("..", "minttest", "keys.json"): "keys.json"} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(packages, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(dir, "oracle.mjs"), "--stdin")
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "NODE_ENV=test", "NO_PROXY=127.0.0.1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	o := &oracle{mint: mint{}, in: bufio.NewWriterSize(in, 1<<16), out: bufio.NewScanner(out)}
	o.out.Buffer(nil, 1<<20)
	return o
}

// decideAll asks what the SDK decides, while others decide too.
func (o *oracle) decideAll(t *testing.T, all []*generated) {
	var asking sync.WaitGroup
	asking.Go(func() { // a failure shows as an answer that never comes
		for _, g := range all {
			_, _ = o.in.Write(append(mustMarshal(g.asked), '\n'))
		}
		_ = o.in.Flush()
	})
	defer asking.Wait()
	o.asked += len(all)
	for _, g := range all {
		var d clerkDecision
		if !o.out.Scan() {
			t.Errorf("the oracle ends before %s: %v", g.asked.ID, o.out.Err())
			return
		}
		if err := json.Unmarshal(o.out.Bytes(), &d); err != nil || d.ID != g.asked.ID {
			t.Errorf("the oracle answers %.200q to %s: %v", o.out.Text(), g.asked.ID, err)
			return
		}
		g.clerk = outcomeOfClerk(d)
	}
}

// explain takes requests through the rows, those that are decided as Clerk's SDK
// does after the last ones at once.
func (o *oracle) explain(t *testing.T, all []*generated, ours []outcome) []*explained {
	done := make([]*explained, len(all))
	var left []*explained
	for i, g := range all {
		done[i] = &explained{generated: g, genes: maps.Clone(g.genes), now: g.clerk.forgetful()}
		if done[i].finish(); !gocmp.Equal(done[i].now, ours[i].forgetful()) {
			done[i] = &explained{generated: g, genes: maps.Clone(g.genes), now: g.clerk.forgetful()}
			left = append(left, done[i])
		}
	}
	for i := range rows {
		o.rewrite(t, &rows[i], left)
	}
	for _, x := range left {
		x.finish()
	}
	for i, x := range done {
		if x.now.State == "error" && x.now.Reason == "" {
			x.now.Reason = ours[i].Reason // the SDK throws without one
		}
	}
	return done
}

// rewrite asks about the requests that a row makes of others.
func (o *oracle) rewrite(t *testing.T, r *row, all []*explained) {
	if r.rewrite == nil {
		return
	}
	var asking []*explained
	var questions []*generated
	for _, x := range all {
		before := string(mustMarshal(x.genes.build(x.asked.ID, o.mint)))
		r.rewrite(x)
		if q := x.genes.build(x.asked.ID, o.mint); string(mustMarshal(q)) != before {
			asking, questions = append(asking, x), append(questions, &generated{asked: q})
		}
	}
	o.decideAll(t, questions)
	for i, x := range asking {
		o := questions[i].clerk
		if len(x.calls) > 0 {
			o.Calls = append(slices.Clone(x.calls), o.Calls...)
		}
		x.becomes(o, r)
	}
}
