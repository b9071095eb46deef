package clerkdev_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestScripts(t *testing.T) {
	t.Parallel()
	dist := fstest.MapFS{
		"clerk.browser.js": {Data: []byte("/* real */")}, "vendors_1.js": {Data: []byte("/* part */")}, "clerk.no-rhc.mjs": {Data: []byte("export {}")},
		"package.json": {Data: []byte("{}")}, "deep/x.js": {Data: []byte("/* deep */")},
	}
	own, real := emulator(t, clerkdev.Config{}), emulator(t, clerkdev.Config{Scripts: dist})
	for _, c := range []struct {
		i      *clerkdev.Instance
		path   string
		status int
		says   string
	}{
		{own, "6/dist/clerk.browser.js", 200, "stand-in"}, {own, "6.40.0/dist/clerk.browser.js", 200, "stand-in"}, {own, "6/dist/clerk.js", 404, ""},
		{real, "6/dist/clerk.browser.js", 200, "/* real */"}, {real, "latest/dist/vendors_1.js", 200, "/* part */"}, {real, "6/dist/clerk.no-rhc.mjs", 200, "export"},
		{real, "6/dist/deep/x.js", 200, "/* deep */"}, {real, "6/dist/", 404, ""}, {real, "6/dist/deep", 404, ""}, {real, "6/dist/package.json", 404, ""},
		{real, "6/dist/../x.js", 404, ""}, {real, "6/dist//etc/x.js", 404, ""}, {real, "6/x.js", 404, ""}, {real, "", 404, ""}, {real, "6/dist/nothing.js", 404, ""},
	} {
		r := get("/")
		r.URL.Path = clerkdev.ScriptsPath + c.path
		got := serve(c.i, r)
		text := body(t, got)
		if got.StatusCode != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %.40s", c.path, got.StatusCode, text)
		}
		if c.status == 200 && (got.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || got.Header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s: %v", c.path, got.Header)
		}
	}
	for method, status := range map[string]int{http.MethodHead: 200, http.MethodPost: 405} {
		r := get(clerkdev.ScriptsPath + "6/dist/clerk.browser.js")
		r.Method = method
		if got := serve(own, r); got.StatusCode != status || method == http.MethodHead && body(t, got) != "" {
			t.Errorf("%s: %d", method, got.StatusCode)
		}
	}
}
