package account_test

import (
	"encoding/json"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/internal/account"
	"github.com/manageros/authproxy/internal/testneed"
)

// call is what load.js is called with.
type call struct {
	Source     string            `json:"source"`
	Attributes map[string]string `json:"attributes"`
	Options    map[string]any    `json:"options"`
}

func script(t *testing.T, k *desk) (string, call) {
	t.Helper()
	text := body(t, k.ask(somebody(), "GET", account.SessionScriptPath, ""))
	found := regexp.MustCompile(`(?m)^  load\((\{.*\})\)\.catch`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("nothing is loaded:\n%s", text)
	}
	var c call
	if err := json.Unmarshal([]byte(found[1]), &c); err != nil {
		t.Fatal(err)
	}
	return text, c
}

func TestSessionScript(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	answer := k.ask(somebody(), "GET", account.SessionScriptPath, "")
	for name, want := range map[string]string{
		"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"X-Authproxy-Response": "true", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	_, got := script(t, k)
	if got.Source != "https://clerk.example.com/npm/@clerk/clerk-js@6/dist/clerk.browser.js" || len(got.Attributes) != 1 ||
		got.Attributes["data-clerk-publishable-key"] != k.cfg.Instance.PublishableKey || len(got.Options) != 1 || got.Options["telemetry"] != false {
		t.Errorf("%+v", got)
	}

	k.cfg.ProxyURL, k.cfg.Domain, k.cfg.Satellite = "/__clerk", "sat.example", true
	k.cfg.FrontendURL = func(o authproxy.Origin) string { return o.String() + "/__clerk" }
	k.cfg.SignInURL = &url.URL{Scheme: "https", Host: "primary.example", Path: "/sign-in"}
	_, got = script(t, k)
	if got.Source != "https://app.example.com/__clerk/npm/@clerk/clerk-js@6/dist/clerk.browser.js" ||
		got.Attributes["data-clerk-proxy-url"] != "/__clerk" || got.Attributes["data-clerk-domain"] != "sat.example" ||
		got.Options["isSatellite"] != true || got.Options["signInUrl"] != "https://primary.example/sign-in" {
		t.Errorf("%+v", got)
	}
}

// TestSessionScriptIsEscaped: WEB-08, though the settings are the operator's.
func TestSessionScriptIsEscaped(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	k.cfg.ProxyURL = "</script><!--&\u2028'\"\\"
	text, got := script(t, k)
	if got.Attributes["data-clerk-proxy-url"] != k.cfg.ProxyURL {
		t.Errorf("%q", got.Attributes)
	}
	k.cfg.Revoke = nil
	page := body(t, k.post(""))
	if strings.Count(page, "</script>") != 1 { // its own end
		t.Errorf("the page's script ends early:\n%s", page)
	}
	for _, unwanted := range []string{"<!--", "\u2028"} {
		if strings.Contains(text, unwanted) || strings.Contains(text, "</script>") || strings.Contains(page, unwanted) {
			t.Errorf("%q as it is in\n%s\n%s", unwanted, text, page)
		}
	}
}

// TestSignOutPageIsEscaped: WEB-08, what anybody may write into a link.
func TestSignOutPageIsEscaped(t *testing.T) {
	t.Parallel()
	k := newDesk(t)
	k.cfg.Revoke = nil
	value := "redirect_url=" + url.QueryEscape(`/x?"><script>alert(1)</script>`)
	for _, text := range []string{
		body(t, k.ask(somebody(), "GET", account.SignOutPath+"?"+value, "")), body(t, k.post(value)),
	} {
		if strings.Contains(text, "<script>alert") || !strings.Contains(text, "&lt;script&gt;alert") {
			t.Errorf("not escaped:\n%s", text)
		}
	}
}

// TestSessionScriptRuns it in a page of nothing, as the browsers do that the
// other test has not got: once, with the page's nonce, and not beside a frontend.
func TestSessionScriptRuns(t *testing.T) {
	t.Parallel()
	node := testneed.Tool(t, "node")
	text, _ := script(t, newDesk(t))
	const page = `
const vm = require("vm");
const text = require("fs").readFileSync(0, "utf8");
function run(world, times) {
  const added = [], warned = [];
  const document = {
    currentScript: { nonce: "n0" }, head: { appendChild: (e) => added.push(e) },
    createElement: () => ({ attributes: {}, setAttribute(n, v) { this.attributes[n] = v; } }),
    querySelector: (s) => added.find((e) => s === "script[data-clerk-publishable-key]" && e.attributes["data-clerk-publishable-key"]) || null,
  };
  const window = { ...world };
  for (let i = 0; i < times; i++) vm.runInNewContext(text, { window, document, console: { warn: (...a) => warned.push(a) } });
  return { added, warned, window };
}
const assert = require("assert");
(async () => {
  assert.equal(run({ Clerk: {} }, 1).added.length, 0, "beside a frontend");
  const { added, window, warned } = run({}, 2);
  assert.equal(added.length, 1, "twice");
  const [script] = added;
  assert.deepEqual([script.nonce, script.async, script.crossOrigin], ["n0", true, "anonymous"]);
  assert.match(script.src, /^https:\/\/clerk\.example\.com\//);
  let options;
  window.Clerk = { load: async (o) => { options = o; } };
  script.onload();
  assert.equal(JSON.stringify(options), '{"telemetry":false}');
  await new Promise(setImmediate);
  assert.equal(warned.length, 0);
  for (const fail of [(s) => s.onerror(), (s) => s.onload(), (s, w) => { w.Clerk = { load: async () => { throw new Error("no"); } }; s.onload(); }]) {
    const r = run({}, 1);
    fail(r.added[0], r.window);
    await new Promise(setImmediate);
    assert.equal(r.warned.length, 1, "a failure is told");
  }
})().catch((e) => { console.error(e); process.exit(1); });
`
	run := exec.Command(node, "-e", page)
	run.Stdin = strings.NewReader(text[strings.Index(text, "(function"):])
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestNoSessionScript: where there is no clerk-js there is no script.
func TestNoSessionScript(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*account.Config){
		"no instance":             func(c *account.Config) { c.Instance = nil },
		"no Frontend API":         func(c *account.Config) { c.FrontendURL = nil },
		"not for this origin":     func(c *account.Config) { c.FrontendURL = func(authproxy.Origin) string { return "" } },
		"no instance, satellite":  func(c *account.Config) { c.Instance, c.Satellite = nil, true },
		"no instance, proxied":    func(c *account.Config) { c.Instance, c.ProxyURL = nil, "/__clerk" },
		"no instance, no secrets": func(c *account.Config) { c.Instance, c.Revoke = nil, nil },
	} {
		k := newDesk(t)
		change(&k.cfg)
		k.ask(somebody(), "GET", account.SessionScriptPath, "")
		if k.responded.Action != authproxy.Deny || k.responded.Reason != authproxy.NotFound {
			t.Errorf("%s: %+v", name, k.responded)
		}
	}
}
