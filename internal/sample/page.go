package sample

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page, its style and its script
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strings"
	"time"
)

//go:embed page.html
var pageHTML string

//go:embed style.css
var styleCSS string

//go:embed app.js
var appJS string

// contentPolicy lets the page have its own style and script, which stand in it,
// and nothing else. Assets with paths of their own would need a session, so
// that the page of somebody without one would have none.
func contentPolicy(style, script string) string {
	return fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		hashOf(style), hashOf(script))
}

// hashOf is a hash-source (CSP level 3 section 2.3.1).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// view is everything the template needs.
type view struct {
	Style  template.CSS
	Script template.JS
	Title  string

	SignIn, SignOut, Switch, Expire string

	Failure *failure // another page than the home page
	Who     who
	Life    *life // nil: no token was accepted
	Renewed *told // nil: the token that was sent was good, or there was none
	Fields  []identityField
	Kept    []kept
	Known   bool // what the client sent is known
	Token   *shownToken
	All     []field // everything that arrived
	Chips   []string
	Origin  string // for the curl command
}

type failure struct{ Heading, Text string }

type who struct {
	SignedIn                        bool
	Role, Organization, User, Actor string
}

// told is what the page says of a renewal.
type told struct {
	Ago       string
	Handshake bool
}

// life is how long the token is good, in seconds since 1970 where numbers.
type life struct {
	Issued, Expires, Now int64
	Left, Whole          int64 // seconds
	Until, UntilMachine  string
}

type shownToken struct {
	Parts           [3]string
	Header, Payload []line
	Accepted        bool
}

func (s *Sample) home(r *http.Request) view {
	x := s.compare(r)
	v := view{
		Title: "You are nobody", Fields: x.identity(), Kept: x.keptBack(), Known: x.sent != nil, Origin: origin(r),
		Chips: []string{"X-Auth-Role", "X_Auth_Role", "X.Auth.Role", "x-auth-role", "X-Auth_Role", "Remote-User", "X-Forwarded-User"},
	}
	if x.signedIn() {
		v.Who = who{
			SignedIn: true, Role: decoded(x.arrived.Get("X-Auth-Role")), Organization: decoded(x.arrived.Get("X-Auth-Organization-Name")),
			User: decoded(x.arrived.Get("X-Auth-User-Id")), Actor: decoded(x.arrived.Get("X-Auth-Actor")),
		}
		v.Title = "You are signed in"
	}
	for _, name := range names(x.arrived) {
		for _, value := range x.arrived[name] {
			v.All = append(v.All, field{name, value})
		}
	}
	if t := x.token; t != nil {
		v.Token = &shownToken{Parts: t.parts, Header: lines(t.header), Payload: lines(t.payload), Accepted: x.accepted}
		if x.accepted {
			v.Life = lifeOf(t, s.cfg.Now())
		}
	}
	if n := x.renewed; n != nil {
		v.Renewed = &told{n.ago(s.cfg.Now()), n.handshake}
	}
	return v
}

func lifeOf(t *token, now time.Time) *life {
	issued, expires := t.time("iat"), t.time("exp")
	if !expires.After(issued) || issued.IsZero() {
		return nil
	}
	return &life{
		Issued: issued.Unix(), Expires: expires.Unix(), Now: now.Unix(),
		Left: max(0, expires.Unix()-now.Unix()), Whole: expires.Unix() - issued.Unix(),
		Until: expires.Format("15:04:05"), UntilMachine: expires.Format(time.RFC3339),
	}
}

var plainHost = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$`)

// origin is where the person's shell finds the proxy. A host that a shell could
// read as more than a host is not repeated.
func origin(r *http.Request) string {
	scheme, host := "http", r.Host
	if strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	if !plainHost.MatchString(host) {
		host = "localhost"
	}
	return scheme + "://" + host
}

func notFound(*http.Request) view {
	return view{Title: "Nothing is here", Failure: &failure{"Nothing is here", "The sample app has one page. What you asked for went through the proxy and came to this application, which does not know it."}}
}

func notAllowed(*http.Request) view {
	return view{Title: "Only for looking", Failure: &failure{"Only for looking", "The sample app answers GET, nothing else."}}
}

// show renders v before it writes any of it, so that a fault is no half page.
func (s *Sample) show(w http.ResponseWriter, status int, v view) {
	v.SignIn, v.SignOut, v.Switch, v.Expire = s.cfg.SignInPath, s.cfg.SignOutPath, s.cfg.SwitchPath, s.cfg.ExpirePath
	v.Style, v.Script = template.CSS(styleCSS), template.JS(appJS) //nolint:gosec // our own embedded files, nothing from outside
	var b bytes.Buffer
	if err := s.page.Execute(&b, v); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	if status != http.StatusOK { // which need not be said, and may have been: see hear
		w.WriteHeader(status)
	}
	_, _ = b.WriteTo(w) // the client went away: nobody is left to be told
}
