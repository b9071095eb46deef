package sample

import (
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

// exchange is one request on both sides of the proxy.
type exchange struct {
	owner   *headers.Owner
	sent    http.Header // what the client sent; nil when that is not known
	arrived http.Header

	token    *token   // what the client presented, or got in its place; nil when nothing readable
	accepted bool     // the identity that arrived is this token's
	renewed  *renewal // how it took the place of one that had run out; nil when it did not
	claims   []authproxy.Claim
	asserted []authproxy.Field // what the proxy has to say, by the token
}

// compare finds what was sent with the request that arrived.
func (s *Sample) compare(r *http.Request) *exchange {
	x := &exchange{owner: s.cfg.Owner, arrived: r.Header.Clone(), asserted: headers.Anonymous()}
	delete(x.arrived, idHeader)
	if p, known := s.seen.get(r.Header); known {
		x.sent = p.sent
		x.choose(p, s.cfg.Now())
	}
	payload := authproxy.Claims("{}") // the claims' names, at least
	if x.accepted {
		payload = x.token.payload
	}
	claims, err := s.cfg.Mapping.Render(payload)
	if err != nil {
		return x // the proxy refuses such a token, so nothing of it can have arrived
	}
	x.claims = claims
	if x.accepted {
		if fields, err := s.cfg.Mapping.Assert(x.token.identity(), claims); err == nil {
			x.asserted = fields
		}
	}
	return x
}

// choose finds the token that the identity is of. One that the proxy got for the
// client comes before those that the client sent, and of these one that had not run
// out: another cookie of the same session may have been left behind.
func (x *exchange) choose(p *passage, now time.Time) {
	fresh, sent := p.heard(), tokens(p.sent)
	if n := slices.IndexFunc(fresh, x.speaksFor); n >= 0 {
		x.token, x.accepted = fresh[n], true
		if end, dead := deadSince(p.sent, fresh[n].text("sid"), now); dead {
			x.renewed = &renewal{ranOut: end}
		}
		return
	}
	n := slices.IndexFunc(sent, func(t *token) bool { return x.speaksFor(t) && !t.ranOut(now) })
	if n < 0 {
		n = slices.IndexFunc(sent, x.speaksFor)
	}
	switch {
	case n >= 0:
		x.token, x.accepted = sent[n], true
		if p.back != nil {
			x.renewed = &renewal{ranOut: p.back.ranOut, handshake: true}
		}
	case len(sent) > 0:
		x.token = sent[0]
	}
}

// identity is as much of one as becomes header fields.
func (t *token) identity() *authproxy.Identity {
	id := &authproxy.Identity{UserID: t.text("sub"), SessionID: t.text("sid")}
	if actor := t.text("act.sub"); actor != "" {
		id.Actor = &authproxy.Actor{UserID: actor}
	}
	return id
}

// speaksFor reports whether the identity that arrived is the token's.
func (x *exchange) speaksFor(t *token) bool {
	return x.signedIn() && x.arrived.Get("X-Auth-User-Id") == t.text("sub") && x.arrived.Get("X-Auth-Session-Id") == t.text("sid")
}

func (x *exchange) signedIn() bool {
	return slices.Equal(x.arrived["X-Auth-Status"], []string{"authenticated"})
}

// field is one header field and its value.
type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// identityField is one row about who the person is.
type identityField struct {
	Header string `json:"header"`
	Claim  string `json:"claim,omitempty"` // path in the token
	Value  string `json:"value"`           // decoded
	Raw    string `json:"raw,omitempty"`   // as it arrived, when that is different
	// Note says what there is to know: "absent", "default", "unexplained" (the
	// proxy did not set this), or nothing.
	Note string `json:"note,omitempty"`
}

// identity lists what the application is told about the person, the mapped
// headers first, absent ones too.
func (x *exchange) identity() []identityField {
	var rows []identityField
	listed := map[string]bool{}
	add := func(header, claim string, isDefault bool) {
		listed[header] = true
		row := identityField{Header: header, Claim: claim}
		value := strings.Join(x.arrived[header], ", ")
		row.Value = decoded(value)
		switch {
		case len(x.arrived[header]) == 0:
			row.Note = "absent"
		case x.unexplained(header):
			row.Note = "unexplained"
		case isDefault:
			row.Note = "default"
		}
		if row.Value != value {
			row.Raw = value
		}
		rows = append(rows, row)
	}
	for _, c := range x.claims {
		add(c.Header, c.Path, c.Source == authproxy.ClaimFromDefault)
	}
	add("X-Auth-User-Id", "sub", false)
	add("X-Auth-Session-Id", "sid", false)
	if len(x.arrived["X-Auth-Actor"]) > 0 {
		add("X-Auth-Actor", "act.sub", false)
	}
	add("X-Auth-Status", "", false)
	for _, name := range names(x.arrived) {
		if !listed[name] && x.ownedKind(name) == "identity" {
			add(name, "", false)
		}
	}
	return rows
}

// unexplained reports whether a header holds what the proxy has no reason to
// say. Without the client's side of the request nothing can be said.
func (x *exchange) unexplained(header string) bool {
	return x.sent != nil && slices.ContainsFunc(x.arrived[header], func(v string) bool {
		return !x.proxysOwn(field{header, v})
	})
}

// decoded undoes the encoding "percent", the one applications are told to undo.
// What would not be text for a page stays as it is.
func decoded(value string) string {
	text, err := url.PathUnescape(value)
	if err != nil || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return value
	}
	return text
}

// What became of a field that the client sent.
const (
	keptBack = "kept back" // the application did not get it
	passed   = "passed"    // it did, and may: the proxy does not own the name
	forged   = "forged"    // it did, and must not
)

// outcome says what became of a field that the client sent.
func (x *exchange) outcome(name string, values []string) string {
	if x.ownedKind(name) == "" {
		if slices.Equal(x.arrived[name], values) {
			return passed
		}
		return keptBack
	}
	for _, f := range x.alike(name) {
		if x.proxysOwn(f) {
			continue
		}
		for _, v := range values {
			if f.Value == v || v != "" && strings.Contains(f.Value, v) {
				return forged
			}
		}
	}
	return keptBack
}

// alike lists the fields that arrived under any spelling of name.
func (x *exchange) alike(name string) []field {
	found := []field{}
	for _, arrived := range names(x.arrived) {
		if headers.Fold(arrived) != headers.Fold(name) {
			continue
		}
		for _, v := range x.arrived[arrived] {
			found = append(found, field{arrived, v})
		}
	}
	return found
}

// proxysOwn reports whether the proxy itself set the field: alone under its
// name, in that spelling, and with the value it has to have.
func (x *exchange) proxysOwn(f field) bool {
	if len(x.arrived[f.Name]) != 1 {
		return false
	}
	switch f.Name {
	case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Real-Ip", "X-Request-Id":
		return true // written anew for every request, whatever they hold
	}
	return slices.Contains(x.asserted, authproxy.Field{Name: f.Name, Value: f.Value})
}

// ownedKind is why a client may not bring this field ("identity", "product",
// "control" or "forwarding"), "" when it may.
func (x *exchange) ownedKind(name string) string {
	switch {
	case !x.owner.Owns(name), strings.EqualFold(name, "Traceparent"), strings.EqualFold(name, "Tracestate"):
		return "" // a valid trace passes from anybody
	}
	if kinds := x.owner.Strip(http.Header{name: {""}}); len(kinds) > 0 {
		return kinds[0]
	}
	return "forwarding"
}

// kept is one thing that the client sent and the application did not get.
type kept struct {
	Name  string `json:"name"`
	Part  string `json:"part,omitempty"`  // the cookie, or the scheme
	Value string `json:"value,omitempty"` // "" for what is secret
	Why   string `json:"why"`
}

// keptBack compares the two sides: cookies by name, Authorization by scheme, the
// rest with its values.
func (x *exchange) keptBack() []kept {
	rows := x.keptCookies()
	for _, name := range names(x.sent) {
		switch {
		case name == "Cookie" || aboutTheConnection(name):
		case x.outcome(name, x.sent[name]) != keptBack:
		case name == "Authorization":
			scheme, _, _ := strings.Cut(x.sent.Get(name), " ")
			rows = append(rows, kept{Name: name, Part: scheme, Why: "It was the session. The app needs to know who you are, not how you proved it."})
		default:
			rows = append(rows, kept{Name: name, Value: strings.Join(x.sent[name], ", "), Why: x.why(name)})
		}
	}
	return rows
}

func (x *exchange) keptCookies() []kept {
	var rows []kept
	done := map[string]bool{}
	for _, c := range cookies(x.arrived) {
		done[c.name] = true
	}
	plain := map[string]bool{}
	for _, c := range cookies(x.sent) {
		plain[c.name] = true
	}
	for _, c := range cookies(x.sent) {
		if !done[c.name] {
			done[c.name] = true
			rows = append(rows, kept{Name: "Cookie", Part: c.name, Why: whyCookie(c.name, plain)})
		}
	}
	return rows
}

func whyCookie(name string, sent map[string]bool) string {
	for _, c := range []struct{ beginning, why string }{
		{"__session", "The session token: whoever has it is you."},
		{"__client_uat", "When Clerk last changed who is signed in here."},
		{"__clerk_db_jwt", "Names this browser to Clerk’s development instance."},
		{"__refresh", "Renews the session token."},
		{"__client", "Clerk’s own memory of this browser."},
	} {
		switch suffixed := strings.HasPrefix(name, c.beginning+"_"); {
		case suffixed && sent[c.beginning]:
			return "The same, under this Clerk instance’s own name."
		case suffixed || name == c.beginning:
			return c.why
		}
	}
	return "Between your browser and Clerk."
}

func (x *exchange) why(name string) string {
	switch x.ownedKind(name) {
	case "identity":
		return "Only the proxy may say who you are."
	case "product":
		return "Another product’s identity header: some apps believe it."
	case "control":
		return "Some servers obey it."
	case "forwarding":
		return "The proxy writes it itself."
	default:
		return "Not for this app."
	}
}

// aboutTheConnection lists what no proxy forwards (RFC 9110 section 7.6.1). It
// says nothing about the person.
func aboutTheConnection(name string) bool {
	return slices.Contains([]string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings"}, name)
}

// trial is one field that the client sent, and what became of it.
type trial struct {
	Name    string   `json:"name"`
	Values  []string `json:"values"`
	Outcome string   `json:"outcome"`
	Arrived []field  `json:"arrived"` // what the application has under any spelling of the name
}

// echo is the answer for programs. No token and no cookie's value is in it.
type echo struct {
	Known    bool            `json:"known"` // what the client sent is known
	SignedIn bool            `json:"signed_in"`
	RanOut   *int64          `json:"ran_out,omitempty"` // the token had, that many seconds ago, and was renewed on the way
	Received []identityField `json:"received"`
	Sent     []trial         `json:"sent"`
	KeptBack []kept          `json:"kept_back"`
}

func (x *exchange) echo(now time.Time) echo {
	e := echo{Known: x.sent != nil, SignedIn: x.signedIn(), Received: x.identity(), Sent: []trial{}, KeptBack: []kept{}}
	e.KeptBack = append(e.KeptBack, x.keptBack()...)
	if x.renewed != nil {
		seconds := x.renewed.seconds(now)
		e.RanOut = &seconds
	}
	for _, name := range names(x.sent) {
		if name != "Cookie" && name != "Authorization" {
			e.Sent = append(e.Sent, trial{name, x.sent[name], x.outcome(name, x.sent[name]), x.alike(name)})
		}
	}
	return e
}

func names(h http.Header) []string {
	list := make([]string, 0, len(h))
	for name := range h {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}
