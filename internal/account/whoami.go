package account

import (
	_ "embed" // the page
	"encoding/json"
	"html/template"
	"net/http"
	"time"

	"github.com/manageros/authproxy"
)

// whoami is what the upstream is told about a person, for that person to see.
// It holds mapped values only, never the token.
type whoami struct {
	Status    string            `json:"status"`
	UserID    string            `json:"user_id"`
	SessionID string            `json:"session_id"`
	Actor     string            `json:"actor,omitempty"`
	ExpiresAt time.Time         `json:"expires_at"`
	Claims    map[string]claim  `json:"claims"`
	Missing   []string          `json:"missing,omitempty"` // required claims that are not there
	rows      []authproxy.Claim // in mapping order, for the page
}

type claim struct {
	Header string                `json:"header"`
	Value  string                `json:"value"`
	Source authproxy.ClaimSource `json:"source"`
}

//go:embed whoami.html
var whoamiHTML string

var whoamiPage = template.Must(template.New("whoami").Parse(whoamiHTML))

// pageCSP lets the page have its own style and nothing else.
const pageCSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (p *Pages) whoami(w http.ResponseWriter, r *http.Request, d authproxy.Decision) {
	answer := describe(d)
	h := w.Header()
	own(h)
	h.Set("Vary", "Cookie, Authorization, Accept, Sec-Fetch-Dest")
	request := authproxy.Request{Method: r.Method, Header: r.Header}
	if !request.WantsPage() {
		h.Set("Content-Type", "application/json")
		body := json.NewEncoder(w)
		body.SetIndent("", "  ")
		_ = body.Encode(answer) // the client went away: nobody is left to be told
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pageCSP)
	h.Set("Referrer-Policy", "no-referrer")
	_ = whoamiPage.Execute(w, map[string]any{"Who": answer, "Rows": answer.rows, "Missing": answer.Missing}) // as above
}

func describe(d authproxy.Decision) whoami {
	id := d.Identity
	answer := whoami{
		Status: "authenticated", UserID: id.UserID, SessionID: id.SessionID, ExpiresAt: id.ExpiresAt.UTC(),
		Claims: make(map[string]claim, len(d.Claims)), Missing: d.Missing, rows: d.Claims,
	}
	if id.Actor != nil {
		answer.Actor = id.Actor.UserID
	}
	for _, c := range d.Claims {
		answer.Claims[c.Path] = claim{c.Header, c.Value, c.Source}
	}
	return answer
}
