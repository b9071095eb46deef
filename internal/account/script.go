package account

import (
	"bytes"
	_ "embed" // the scripts
	"encoding/json"
	"net/http"
	"text/template"

	"github.com/manageros/authproxy"
)

// The scripts. The page that signs out needs the first, too.
var (
	//go:embed load.js
	loadJS string
	//go:embed session.js
	sessionJS string
)

var sessionScript = template.Must(template.Must(template.New("load").Parse(loadJS)).New("session").Parse(sessionJS))

// settings are what load.js is called with.
type settings struct {
	Source string `json:"source"` // of clerk-js
	// Attributes of the script element, which is where clerk-js finds its key
	// (clerk-frontend.md, 1.1).
	Attributes map[string]string `json:"attributes"`
	Options    options           `json:"options"`
}

// options are those of Clerk.load.
type options struct {
	Telemetry bool   `json:"telemetry"` // false: nobody was asked, and it goes to another host
	Satellite bool   `json:"isSatellite,omitempty"`
	SignInURL string `json:"signInUrl,omitempty"` // of the primary domain; a satellite does not start without
}

// clerkJS is where SDKs look for clerk-js below the Frontend API.
const clerkJS = "/npm/@clerk/clerk-js@6/dist/clerk.browser.js"

// settings reports false where there is no clerk-js to be loaded.
func (p *Pages) settings(origin authproxy.Origin) (settings, bool) {
	if p.cfg.Instance == nil || p.cfg.FrontendURL == nil {
		return settings{}, false
	}
	base := p.cfg.FrontendURL(origin)
	if base == "" {
		return settings{}, false
	}
	s := settings{Source: base + clerkJS, Attributes: map[string]string{"data-clerk-publishable-key": p.cfg.Instance.PublishableKey}}
	if p.cfg.ProxyURL != "" {
		s.Attributes["data-clerk-proxy-url"] = p.cfg.ProxyURL
	}
	if p.cfg.Domain != "" {
		s.Attributes["data-clerk-domain"] = p.cfg.Domain
	}
	if p.cfg.Satellite {
		s.Options.Satellite = true
		if p.cfg.SignInURL != nil {
			s.Options.SignInURL = p.cfg.SignInURL.String()
		}
	}
	return s, true
}

// sessionScript is for pages without a Clerk frontend of their own: it loads the
// instance's clerk-js, which keeps the session cookie fresh while a page is open.
func (p *Pages) sessionScript(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
	s, ok := p.settings(d.Origin)
	if !ok {
		p.refuse(w, r, d, authproxy.NotFound, "no Frontend API is known; set CLERK_PUBLISHABLE_KEY")
		return
	}
	values, err := json.Marshal(s) // escapes <, > and &
	var script bytes.Buffer
	if err == nil {
		err = sessionScript.Execute(&script, string(values))
	}
	if err != nil { // strings and two booleans: never
		p.refuse(w, r, d, authproxy.InternalError, "the script cannot be written")
		return
	}
	h := w.Header()
	own(h)
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	send(w, r, http.StatusOK, script.Bytes())
}
