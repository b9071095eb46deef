package browsertest_test

import (
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// script is how the pages of the application get clerk-js.
type script string

const (
	none   script = ""        // not at all
	oneTag script = "one tag" // <script src="/_authproxy/session.js">
	direct script = "direct"  // as Clerk's own documentation has it
)

// longestBody bounds what the application reads.
const longestBody = 16 << 20

// webApp is an application that knows nothing of Clerk but a script tag.
type webApp struct {
	*rig
	mux *http.ServeMux
}

func newWebApp(r *rig) http.Handler {
	a := &webApp{r, http.NewServeMux()}
	a.mux.HandleFunc("GET /welcome", a.page)
	a.mux.HandleFunc("GET /page/{name}", a.page)
	a.mux.HandleFunc("GET /frame", a.page)
	a.mux.HandleFunc("GET /who", a.who)
	a.mux.HandleFunc("POST /form", a.page)
	if r.through {
		a.mux.Handle(clerkdev.FrontendPath, r.Frontend())
	}
	return a
}

// ServeHTTP writes down what comes and gives every answer a cookie, and leave to be
// kept.
func (a *webApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, clerkdev.FrontendPath) && r.URL.Path != "/welcome" {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a.add(entry{arrival: arrived(r, string(body))})
		w.Header().Set("Set-Cookie", fmt.Sprintf("app_visit=%d; Path=/", len(a.all())))
		w.Header().Set("Cache-Control", "public, max-age=0")
		w.Header().Set("Vary", "Accept-Language")
		w.Header().Set("X-App", "yes")
	}
	a.mux.ServeHTTP(w, r)
}

func arrived(r *http.Request, body string) *arrival {
	h := r.Header
	return &arrival{
		method: r.Method, path: r.URL.RequestURI(), page: isPage(r),
		status: h.Get("X-Auth-Status"), user: h.Get("X-Auth-User-Id"), session: h.Get("X-Auth-Session-Id"), organization: h.Get(organizationHeader),
		cookies: strings.Join(h["Cookie"], "; "), contentType: h.Get("Content-Type"), body: body,
	}
}

func (a *webApp) who(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":%q,"user":%q,"organization":%q}`,
		r.Header.Get("X-Auth-Status"), r.Header.Get("X-Auth-User-Id"), r.Header.Get(organizationHeader))
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{.Path}}</title><link rel="icon" href="data:,">
{{.Script}}
<h1>{{.Path}}</h1>
<p id="user">{{.User}}</p>
<p id="organization">{{.Organization}}</p>
<p><a href="/page/next">next</a></p>
<form id="text" method="post" action="/form"><textarea name="text" aria-label="text"></textarea><button>Save</button></form>
<form id="file" method="post" action="/form" enctype="multipart/form-data"><input type="file" name="file" aria-label="file"><button>Upload</button></form>
`))

// page is every page of the application.
func (a *webApp) page(w http.ResponseWriter, r *http.Request) {
	tag, nonce := template.HTML(""), "n0nce"
	switch {
	case r.URL.Path == "/frame":
	case a.scripted == oneTag:
		tag = template.HTML(`<script nonce="` + nonce + `" src="/_authproxy/session.js"></script>`)
	case a.scripted == direct:
		tag = template.HTML(`<script nonce="` + nonce + `" src="/__clerk/npm/@clerk/clerk-js@6/dist/clerk.browser.js" data-clerk-publishable-key="` +
			a.Named().PublishableKey + `" data-clerk-proxy-url="/__clerk"></script><script nonce="` + nonce + `">Clerk.load()</script>`)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// What clerk-js needs, and no more (clerk-frontend.md, 1.1).
	w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'nonce-"+nonce+"'; worker-src blob:; img-src data:")
	_ = page.Execute(w, map[string]any{
		"Path": r.Method + " " + r.URL.Path, "Script": tag,
		"User": r.Header.Get("X-Auth-User-Id"), "Organization": strconv.Quote(r.Header.Get(organizationHeader)),
	})
}
