package app_test

import (
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/minttest"
)

// differentialCases is how many requests are compared, but for the race detector,
// which makes everything slow and has little to see here.
const differentialCases = 20_000

// seedOf is the seed of the run: AUTHPROXY_TEST_SEED repeats one.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("AUTHPROXY_TEST_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("AUTHPROXY_TEST_SEED: %v", err)
	}
	return seed
}

// generated is one random request and what Clerk's SDK decides about it.
type generated struct {
	genes genes
	asked *asked
	clerk outcome
}

func (m mint) generate(seed uint64, n int) []*generated {
	all := make([]*generated, n)
	for i := range all {
		g := randomGenes(rand.New(rand.NewPCG(seed, uint64(i))))
		all[i] = &generated{genes: g, asked: g.build(strconv.Itoa(i), m)}
	}
	return all
}

// TestDifferential: random requests, and under Clerk's own rules not one
// difference from @clerk/backend; under ours, none that the rows of
// docs/verification.md do not foretell.
func TestDifferential(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("short: asks 20,000 questions")
	}
	o := startOracle(t)
	seed, started := seedOf(t), time.Now()
	t.Logf("AUTHPROXY_TEST_SEED=%d", seed)
	all := o.mint.generate(seed, differentialCases/slowdown)
	var asking sync.WaitGroup
	asking.Go(func() {
		o.decideAll(t, all)
		t.Logf("Clerk's SDK has decided after %v", time.Since(started))
	})
	asClerk, strict := newBench(t, true), newBench(t, false)
	theirs, ours := asClerk.decideAll(t, all), strict.decideAll(t, all)
	t.Logf("so have we, twice, after %v", time.Since(started))
	if asking.Wait(); t.Failed() {
		return
	}
	t.Run("under Clerk's rules", func(t *testing.T) {
		for i, g := range all {
			if sameAsClerk(g.clerk, theirs[i]) != "" {
				o.fail(t, g, func(g *generated) string {
					o.decideAll(t, []*generated{g})
					return sameAsClerk(g.clerk, asClerk.decideAll(t, []*generated{g})[0])
				})
			}
		}
	})
	t.Run("under our rules", func(t *testing.T) {
		fallen := map[string]int{}
		for i, x := range o.explain(t, all, ours) {
			for _, name := range x.under {
				fallen[name]++
			}
			if !gocmp.Equal(x.now, ours[i].forgetful()) {
				o.fail(t, all[i], func(g *generated) string {
					o.decideAll(t, []*generated{g})
					ours := strict.decideAll(t, []*generated{g})
					return gocmp.Diff(o.explain(t, []*generated{g}, ours)[0].now, ours[0].forgetful())
				})
			}
		}
		for _, r := range rows {
			t.Logf("%6d × %s", fallen[r.name], r.name)
			if fallen[r.name] == 0 && slowdown == 1 {
				t.Errorf("no request falls under %q", r.name)
			}
		}
	})
	t.Logf("%d requests, twice, and %d questions to Clerk's SDK: %v", len(all), o.asked, time.Since(started))
}

// TestDifferenceRows: what the tests know as a row stands in docs/verification.md.
func TestDifferenceRows(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "verification.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, r := range rows {
		names[r.name] = true
	}
	for _, v := range stricter {
		names[v.row] = true
	}
	for name := range names {
		if strings.Count(string(page), "\n| "+name+" | ") != 1 {
			t.Errorf("docs/verification.md has not one row %q", name)
		}
	}
}

// sameAsClerk is the difference; where the SDK throws, ours has a reason.
func sameAsClerk(clerk, ours outcome) string {
	if clerk.State == "error" && ours.Reason != "" {
		clerk.Reason = ours.Reason
	}
	return gocmp.Diff(clerk, ours)
}

// fail reports a request after everything was taken from it that does not matter
// for failing: diff says how it fails.
func (o *oracle) fail(t *testing.T, g *generated, diff func(*generated) string) {
	t.Helper()
	if o.failed++; o.failed > 5 {
		t.Fail()
		return
	}
	small := maps.Clone(g.genes)
	build := func() *generated { return &generated{genes: small, asked: small.build(g.asked.ID, o.mint)} }
	for _, d := range dimensions {
		choice, chosen := small[d.name]
		if !chosen {
			continue
		}
		if delete(small, d.name); diff(build()) == "" {
			small[d.name] = choice
		}
	}
	least := build()
	t.Errorf("%v -Clerk +ours\n%s\n%s", least.genes, diff(least), mustMarshal(least.asked))
}

// bench decides about requests with our program, under Clerk's rules or our own.
type bench struct {
	asClerk  bool
	jwksURL  string
	upstream string
	got      <-chan seen
	api      *fakeBackend

	made *app.App // for the options of the request before
	key  string
}

func newBench(t *testing.T, asClerk bool) *bench {
	t.Helper()
	upstream, got := recorder(t)
	return &bench{asClerk: asClerk, jwksURL: keyServer(t, minttest.JWKS(minttest.Good())), upstream: upstream.URL, got: got, api: newBackend(t)}
}

// decideAll decides in the order of the options, so that few programs are made.
func (b *bench) decideAll(t *testing.T, all []*generated) []outcome {
	order := make([]int, len(all))
	keys := make([]string, len(all))
	for i := range order {
		order[i], keys[i] = i, string(mustMarshal(all[i].asked.Options))
	}
	slices.SortStableFunc(order, func(i, j int) int { return strings.Compare(keys[i], keys[j]) })
	outcomes := make([]outcome, len(all))
	for _, i := range order {
		d, calls := b.decide(t, all[i].asked)
		outcomes[i] = outcomeOf(d, calls)
	}
	return outcomes
}

func (b *bench) environ(q *asked) []string {
	env := append(environ(q, b.jwksURL, b.api.URL), "AUTHPROXY_UPSTREAM="+b.upstream)
	if b.asClerk {
		return append(env, "AUTHPROXY_CSRF=off")
	}
	return append(env, "AUTHPROXY_AUTHORIZED_PARTIES="+strings.Join(q.Options.AuthorizedParties, ","))
}

func (b *bench) decide(t *testing.T, q *asked) (authproxy.Decision, []string) {
	t.Helper()
	b.api.play(q.Bapi)
	if key := string(mustMarshal(q.Options)); b.made == nil || b.key != key {
		opt := app.Options{Now: func() time.Time { return time.Unix(differentialNow, 0) }}
		if b.asClerk {
			opt.Rules = q.Options.clerkRules()
		}
		b.made, b.key = withKeys(t, newApp(t, b.environ(q), opt)), key
	}
	d := b.made.Decider().Decide(t.Context(), q.question())
	calls := slices.Clone(b.api.asked())
	w := httptest.NewRecorder()
	b.made.Data().ServeHTTP(w, q.request())
	checkAnswer(t, d, w.Result(), b.got)
	if len(calls) > 0 {
		b.made = nil // it remembers answers and has a budget
	}
	return d, calls
}
