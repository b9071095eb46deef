package authproxy_test

import (
	"encoding/json"
	"go/version"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/config"
	"github.com/manageros/authproxy/internal/minttest"
)

// This test holds the pages to what they say: links lead somewhere, names exist,
// and what a reader copies works.

// otherNames are names in the pages that are no settings of this version: of
// later ones, of Clerk's for applications, and the gate's own.
var otherNames = []string{
	"AUTHPROXY_ACCEPT", "AUTHPROXY_ASSERTION_KEY", "AUTHPROXY_DIRECTORY_URL", "AUTHPROXY_FALLBACK",
	"AUTHPROXY_POLICY", "AUTHPROXY_ROUTES_FILE", "AUTHPROXY_SYNC", "AUTHPROXY_TEST_REQUIRE", "AUTHPROXY_TEST_SEED",
	"CLERK_WEBHOOK_SIGNING_SECRET",
}

// notReasons are hyphenated words in backticks that are no reasons.
var notReasons = []string{"clerk-js"}

var (
	fenced      = regexp.MustCompile("(?ms)^ *```(\\w*)\n(.*?)^ *```$")
	link        = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	inBackticks = regexp.MustCompile("`([^`\n]+)`")
	settingName = regexp.MustCompile(`\b(?:AUTHPROXY|CLERK)_[A-Z0-9_]*[A-Z0-9]\b`)
	reasonWord  = regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)
	threatID    = regexp.MustCompile(`^TestThreat/([A-Z0-9]+-[0-9]+)$`)
	yamlPair    = regexp.MustCompile(`(?m)(?:name: (\w+), value: |^ *((?:AUTHPROXY|CLERK)_\w+): )"?([^\s"}]+)`)
	shellPair   = regexp.MustCompile(`\b((?:AUTHPROXY|CLERK)_\w+)=(?:'([^']*)'|(\S+))`)
)

// pages returns the text of every page by its name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", filepath.Join("docs", "*.md")} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			all[name] = text(t, name)
		}
	}
	if all["README.md"] == "" || all["SECURITY.md"] == "" || all[filepath.Join("docs", "headers.md")] == "" {
		t.Fatalf("pages are missing; there are %v", slices.Sorted(maps.Keys(all)))
	}
	return all
}

func text(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for name, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(withoutCode(page), -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %s: %v", name, m[1], err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			target := name
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(name), filepath.FromSlash(u.Path))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", name, m[1])
				continue
			}
			if u.Fragment != "" && !slices.Contains(anchors(text(t, target)), u.Fragment) {
				t.Errorf("%s: the link to %s: no such heading", name, m[1])
			}
		}
	}
}

// withoutCode drops what is shown as it stands, where brackets are no links.
func withoutCode(page string) string {
	return inBackticks.ReplaceAllString(fenced.ReplaceAllString(page, ""), "")
}

// anchors are the fragments of a page's headings, as GitHub makes them.
func anchors(page string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', '0' <= r && r <= '9', 'a' <= r && r <= 'z':
				return r
			default:
				return -1
			}
		}, strings.ToLower(m[1])))
	}
	return all
}

func TestSettingsInThePagesExist(t *testing.T) {
	t.Parallel()
	known := settingName.FindAllString(authproxy.ExampleEnv(), -1)
	for name, page := range pages(t) {
		for _, setting := range settingName.FindAllString(page, -1) {
			if !slices.Contains(known, setting) && !slices.Contains(otherNames, setting) {
				t.Errorf("%s: there is no setting %s", name, setting)
			}
		}
	}
	for _, name := range otherNames {
		if slices.Contains(known, name) {
			t.Errorf("%s is a setting now; take it off the list", name)
		}
	}
}

func TestReasonsInThePagesExist(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"README.md", "SECURITY.md"} {
		for _, m := range inBackticks.FindAllStringSubmatch(fenced.ReplaceAllString(text(t, name), ""), -1) {
			if word := m[1]; reasonWord.MatchString(word) && !slices.Contains(authproxy.Reasons(), authproxy.Reason(word)) && !slices.Contains(notReasons, word) {
				t.Errorf("%s: there is no reason %s", name, word)
			}
		}
	}
}

// TestStatusesOfReasons: the README's table says the status that is answered.
func TestStatusesOfReasons(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile("(?m)^\\| (`[a-z-]+`(?:, `[a-z-]+`)*) \\| ([^|]+) \\|")
	rows := row.FindAllStringSubmatch(text(t, "README.md"), -1)
	if len(rows) < 10 {
		t.Fatalf("the table of refusals has %d rows", len(rows))
	}
	for _, m := range rows {
		for _, word := range inBackticks.FindAllStringSubmatch(m[1], -1) {
			if status := http.StatusText(authproxy.Reason(word[1]).Status()); !slices.ContainsFunc(regexp.MustCompile(`\d+`).FindAllString(m[2], -1), func(n string) bool {
				return n == statusOf(word[1])
			}) {
				t.Errorf("%s is answered %s %s, not %s", word[1], statusOf(word[1]), status, m[2])
			}
		}
	}
}

func statusOf(reason string) string {
	b, _ := json.Marshal(authproxy.Reason(reason).Status())
	return string(b)
}

// TestPromisesAreHeld: every test that SECURITY.md names is there.
func TestPromisesAreHeld(t *testing.T) {
	t.Parallel()
	_, rows, _ := strings.Cut(text(t, "SECURITY.md"), "| promise | held by |")
	rows, _, _ = strings.Cut(rows, "\n## ")
	threats, promises := testText(t, filepath.Join("internal", "threats")), 0
	for row := range strings.Lines(rows) {
		cells := strings.Split(row, "|")
		if len(cells) != 4 || strings.Contains(cells[1], "---") {
			continue
		}
		promises++
		tests, where := 0, ""
		for _, m := range inBackticks.FindAllStringSubmatch(cells[2], -1) {
			name := m[1]
			id := threatID.FindStringSubmatch(name)
			switch {
			case id != nil && !strings.Contains(threats, `{"`+id[1]+`",`):
				t.Errorf("internal/threats has no %s", name)
			case name == "authproxy":
				where = testText(t, ".")
				continue
			case id == nil && !strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Fuzz"):
				where = testText(t, filepath.FromSlash(name))
				continue
			case id == nil && !strings.Contains(where, "\nfunc "+name+"("):
				t.Errorf("there is no %s where SECURITY.md says", name)
			}
			tests++
		}
		if tests == 0 {
			t.Errorf("no test holds the promise %q", strings.TrimSpace(cells[1]))
		}
	}
	if promises == 0 {
		t.Error("SECURITY.md promises nothing")
	}
}

// testText is the text of a package's tests.
func testText(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(names) == 0 {
		t.Errorf("%s has no tests: %v", dir, err)
	}
	var all strings.Builder
	for _, name := range names {
		all.WriteString(text(t, name))
	}
	return all.String()
}

// block returns the fenced text of the README in language that holds word.
func block(t *testing.T, language, word string) string {
	t.Helper()
	for _, m := range fenced.FindAllStringSubmatch(text(t, "README.md"), -1) {
		if m[1] == language && strings.Contains(m[2], word) {
			return m[2]
		}
	}
	t.Fatalf("the README has no %s block with %s", language, word)
	return ""
}

// filled is an environment of a block with real keys for the ones left open.
func filled(pairs [][2]string) []string {
	var environ []string
	for _, p := range pairs {
		value := strings.NewReplacer("pk_test_…", minttest.TestKey, "pk_live_…", minttest.LiveKey).Replace(p[1])
		environ = append(environ, p[0]+"="+value)
	}
	return environ
}

func fromShell(block string) []string {
	var pairs [][2]string
	for _, m := range shellPair.FindAllStringSubmatch(block, -1) {
		pairs = append(pairs, [2]string{m[1], m[2] + m[3]})
	}
	return filled(pairs)
}

func fromYAML(block string) []string {
	var pairs [][2]string
	for _, m := range yamlPair.FindAllStringSubmatch(block, -1) {
		pairs = append(pairs, [2]string{m[1] + m[2], m[3]})
	}
	return filled(pairs)
}

func TestConfigurationsOfTheREADME(t *testing.T) {
	t.Parallel()
	start := fromShell(block(t, "sh", "CLERK_PUBLISHABLE_KEY=pk_test_"))
	for name, tt := range map[string]struct {
		environ []string
		count   int
	}{
		"with your instance": {start, 2},
		"signing in":         {append(fromShell(block(t, "sh", "CLERK_SIGN_IN_URL")), start...), 4},
		"sidecar":            {fromYAML(block(t, "yaml", "initContainers")), 3},
		"gateway":            {fromYAML(block(t, "yaml", "services")), 4},
	} {
		if len(tt.environ) != tt.count {
			t.Errorf("%s: %d settings are read, expected %d: %v", name, len(tt.environ), tt.count, tt.environ)
		}
		cfg, err := config.Load(tt.environ)
		if err == nil {
			err = app.Check(cfg)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// quickStart runs the quick start of the README in-process, with a key instead of
// the network, and returns what asks it as the client of one request.
func quickStart(t *testing.T, log *slog.Logger) func(path string, header ...string) *http.Response {
	t.Helper()
	environ := fromShell(block(t, "sh", "CLERK_PUBLISHABLE_KEY=pk_test_"))
	cfg, err := config.Load(append(environ, "CLERK_JWT_KEY="+minttest.Good().PEM, "CLERK_SECRET_KEY="+canary, "CLERK_API_URL=http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(cfg, app.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return func(path string, header ...string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		r.Host = "localhost:4180"
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		a.Data().ServeHTTP(w, r)
		return w.Result()
	}
}

// canary is a secret that must not be seen anywhere.
const canary = "sk_test_canaryOfTheSecretKey0123456789"

// sessionFrom is a session token that a page of origin was given.
func sessionFrom(origin string) string {
	return minttest.Good().Sign(minttest.Session(minttest.TestIss, time.Now(), map[string]any{"azp": origin}), nil)
}

// TestLogsHoldNoSecret is a promise of SECURITY.md: whatever becomes of a request,
// its token, cookies and query are not logged, nor is the secret key.
func TestLogsHoldNoSecret(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	ask := quickStart(t, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	good, foreign := sessionFrom("http://localhost:4180"), sessionFrom("http://localhost:3000")
	const cookies = "; __clerk_db_jwt=canary-browser; __client_uat=1; __refresh_GS7nYzmc=canary-refresh; app=canary-cookie"
	expired := minttest.Good().Sign(minttest.Session(minttest.TestIss, time.Now().Add(-time.Hour), map[string]any{"azp": "http://localhost:4180"}), nil)
	requests := 0
	for _, path := range []string{"/", "/_authproxy/whoami", "/_authproxy/sign-in", "/_authproxy/none", "/a/%2e%2e/b"} {
		for _, header := range [][]string{
			{"Authorization", "Bearer " + good},
			{"Authorization", "Bearer " + foreign},
			{"Authorization", "Bearer canary-garbage." + good},
			{"Authorization", "Basic canary-basic"},
			{"Cookie", "__session=" + good + cookies},
			{"Cookie", "__session=" + foreign + cookies, "Accept", "text/html"},
			{"Cookie", "__session=" + expired + cookies},
			{"X_Auth_Role", "canary-header", "Accept", "text/html"},
		} {
			ask(path+"?q=canary-query&redirect_url=/canary-back&__clerk_db_jwt=canary-jwt&__clerk_handshake_nonce=canary-nonce", header...)
			requests++
		}
	}
	logged := log.String()
	if n := strings.Count(logged, "msg=request "); n != requests {
		t.Errorf("%d lines for %d requests", n, requests)
	}
	for _, secret := range []string{"canary", good, foreign, good[len(good)-40:], foreign[len(foreign)-40:]} {
		if i := strings.Index(logged, secret); i >= 0 {
			t.Errorf("the log holds %.20q: …%s", secret, logged[max(0, i-200):min(len(logged), i+40)])
		}
	}
}

// lockedBuffer is written by whoever logs.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestQuickStart plays what the README says one sees.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	ask := quickStart(t, slog.New(slog.DiscardHandler))
	if r := ask("/", "Accept", "text/html"); r.StatusCode != http.StatusTemporaryRedirect || !strings.HasPrefix(r.Header.Get("Location"), "https://happy-otter-12.clerk.accounts.dev/v1/client/handshake?") {
		t.Errorf("a browser gets %s, %s", r.Status, r.Header.Get("Location"))
	}
	if r := ask("/", "Accept", "text/html", "Cookie", "__clerk_db_jwt=known"); r.StatusCode != http.StatusFound || !strings.HasPrefix(r.Header.Get("Location"), "https://happy-otter-12.accounts.dev/sign-in?") {
		t.Errorf("a browser that Clerk knows gets %s, %s", r.Status, r.Header.Get("Location"))
	}
	if r := ask("/", "Accept", "*/*"); r.StatusCode != http.StatusUnauthorized || r.Header.Get("X-Clerk-Auth-Reason") != "dev-browser-missing" {
		t.Errorf("curl gets %s, %s", r.Status, r.Header.Get("X-Clerk-Auth-Reason"))
	}
	r := ask("/_authproxy/whoami", "Authorization", "Bearer "+sessionFrom("http://localhost:4180"))
	var who struct{ Status string }
	if err := json.NewDecoder(r.Body).Decode(&who); err != nil || r.StatusCode != http.StatusOK || who.Status != "authenticated" {
		t.Errorf("whoami: %s, %+v, %v", r.Status, who, err)
	}
	if r := ask("/_authproxy/whoami", "Authorization", "Bearer "+sessionFrom("http://localhost:3000")); r.Header.Get("X-Clerk-Auth-Reason") != "token-invalid-authorized-parties" {
		t.Errorf("a token of another origin: %s, %s", r.Status, r.Header.Get("X-Clerk-Auth-Reason"))
	}
}

// TestClaimsOfTheREADME: the JSON for Clerk's dashboard gives every mapped claim
// a value, and none that users write themselves.
func TestClaimsOfTheREADME(t *testing.T) {
	t.Parallel()
	template := block(t, "json", "managerOSUserId")
	mapping, err := headers.ParseMapping("")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := mapping.Render(authproxy.Claims(template))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range claims {
		if want := "{{user.public_metadata." + c.Path + "}}"; c.Value != want && c.Value != url.PathEscape(want) {
			t.Errorf("%s is %s, expected %s", c.Path, c.Value, want)
		}
	}
	var all map[string]string
	if err := json.Unmarshal([]byte(template), &all); err != nil || len(all) != len(claims) {
		t.Errorf("%d claims in the JSON, %d in the mapping; %v", len(all), len(claims), err)
	}
}

// TestOneGo: image and workflow build with the same Go, and not an older one than
// the module wants.
func TestOneGo(t *testing.T) {
	t.Parallel()
	image := regexp.MustCompile(`golang:(\d+\.\d+\.\d+-\w+)`)
	docker := image.FindStringSubmatch(text(t, "Dockerfile"))
	workflow := image.FindStringSubmatch(text(t, filepath.Join(".github", "workflows", "ci.yml")))
	wants := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(text(t, "go.mod"))
	if docker == nil || workflow == nil || wants == nil || docker[1] != workflow[1] {
		t.Fatalf("Dockerfile %v, workflow %v, go.mod %v", docker, workflow, wants)
	}
	if built, _, _ := strings.Cut(docker[1], "-"); version.Compare("go"+built, "go"+wants[1]) < 0 {
		t.Errorf("the image is built with Go %s, and the module wants %s", built, wants[1])
	}
}

// TestTestsOfVerificationExist: a row of docs/verification.md names a test, and
// there is one of that name, or of that beginning where the name ends in "…".
func TestTestsOfVerificationExist(t *testing.T) {
	t.Parallel()
	var all []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != "." {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)`).FindAllStringSubmatch(text(t, name), -1) {
			all = append(all, m[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w*)(…?)`").FindAllStringSubmatch(text(t, filepath.Join("docs", "verification.md")), -1) {
		found := slices.ContainsFunc(all, func(name string) bool { return name == m[1] || m[2] != "" && strings.HasPrefix(name, m[1]) })
		if !found {
			t.Errorf("docs/verification.md names %s, and there is no such test", m[1])
		}
	}
}
