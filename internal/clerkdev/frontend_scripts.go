package clerkdev

import (
	_ "embed" // for the stand-in
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed standin.js
var standIn []byte

// serveScript answers with a file of clerk-js; rest is "<version>/dist/<file>" with
// any version: there is one.
func (i *Instance) serveScript(w http.ResponseWriter, r *http.Request, rest string) {
	_, name, found := strings.Cut(rest, "/dist/")
	text, ok := []byte(nil), false
	if found {
		text, ok = i.script(name)
	}
	if !ok {
		clerkError(w, http.StatusNotFound, "resource_not_found", "There is no such file")
		return
	}
	kind := "text/javascript; charset=utf-8"
	if path.Ext(name) == ".map" {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) //nolint:gosec // a script on purpose, of a directory that the program names
	}
}

func (i *Instance) script(name string) ([]byte, bool) {
	if i.cfg.Scripts == nil {
		return standIn, name == "clerk.browser.js"
	}
	switch path.Ext(name) {
	case ".js", ".mjs", ".map":
		text, err := fs.ReadFile(i.cfg.Scripts, name) // refuses what leads out (fs.ValidPath)
		return text, err == nil
	}
	return nil, false
}
