package app_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// The pages that people go to.
var modelPaths = []string{"/", "/a%20b?x=1&y=~'", "/orgs/acme/x", "/orgs/beta/", "/orgs/none/", "/me", "/open", "/long?" + strings.Repeat("q", 3000)}

// who draws a visitor.
func (w *modelWorld) who(t *rapid.T) *modelVisitor {
	return modelPick(t, "who", w.visitors...)
}

// start goes somewhere: typed, from a page of the application, from another site, in a frame.
func (w *modelWorld) start(t *rapid.T) (*modelVisitor, int) {
	return w.startAs(t, w.who(t))
}

// startAs is start of this visitor.
func (w *modelWorld) startAs(t *rapid.T, v *modelVisitor) (*modelVisitor, int) {
	n, target := modelPick(t, "tab", 0, 1), w.at(modelPick(t, "path", modelPaths...))
	evil, dest := &url.URL{Scheme: "https", Host: "evil.test", Path: "/page"}, "document"
	var from *url.URL
	switch modelPick(t, "how", "typed", "typed", "link", "link", "again", "again", "from another site", "in another site") {
	case "link":
		from = v.page
	case "from another site":
		from = evil
	case "again":
		if v.page != nil {
			target = v.page
		}
	case "in another site":
		from, dest = evil, "iframe"
	}
	w.begin(v, n, target, from, dest)
	return v, n
}

// load goes somewhere and waits for the end.
func (w *modelWorld) load(t *rapid.T, v *modelVisitor) {
	v, n := w.startAs(t, v)
	for v.tabs[n] != nil {
		w.clock.pass(modelPick(t, "delay", 0, 100*time.Millisecond, 3*time.Second))
		w.hop(v, n)
	}
}

// step is one thing that somebody does.
func (w *modelWorld) step(t *rapid.T) {
	load := func(t *rapid.T) { w.load(t, w.who(t)) }
	start := func(t *rapid.T) { w.hop(w.start(t)) }
	steps := []struct {
		often int
		what  string
		do    func(*rapid.T)
	}{
		{6, "load a page", load}, {3, "start to load", start}, {6, "go on", w.goOn},
		{3, "form", w.form}, {3, "call", w.call}, {5, "leave the page alone", w.leave}, {4, "time", w.time},
		{2, "sign in", w.signInAt}, {1, "sign out", w.signOutAt}, {1, "sign out here", w.signOutHere}, {1, "revoke", w.revoke},
		{1, "task", w.task},
		{1, "organisation", w.switchTo}, {1, "clerk-js", w.script}, {3, "another app", w.otherApp}, {1, "trouble", w.makeTrouble},
		{1, "no more cookies", w.deafen},
	}
	var names []string
	all := map[string]func(*rapid.T){}
	for _, s := range steps {
		names = append(names, slices.Repeat([]string{s.what}, s.often)...)
		all[s.what] = s.do
	}
	all[modelPick(t, "step", names...)](t)
}

// deafen lets the odd browser keep nothing new from now on, though seldom.
func (w *modelWorld) deafen(t *rapid.T) {
	w.visitors[0].deaf = w.visitors[0].deaf || modelPick(t, "deaf", true, false, false, false)
}

// goOn is the next answer for a page that is being loaded, after however long.
func (w *modelWorld) goOn(t *rapid.T) {
	v, n := w.who(t), modelPick(t, "tab", 0, 1)
	if v.tabs[n] == nil {
		t.Skip("nothing is under way")
	}
	w.clock.pass(modelPick(t, "delay", 0, 0, time.Second, time.Second, 30*time.Second, 90*time.Second, 4*time.Minute, 6*time.Minute))
	w.hop(v, n)
}

// time passes.
func (w *modelWorld) time(t *rapid.T) {
	w.clock.pass(modelPick(t, "time", time.Second, 20*time.Second, 70*time.Second, 70*time.Second, 70*time.Second, 5*time.Minute, 5*time.Minute, time.Hour))
}

// leave a page alone for minutes, and then send what was typed there.
func (w *modelWorld) leave(t *rapid.T) {
	v := w.who(t)
	if v.page == nil {
		t.Skip("no page is there")
	}
	w.clock.pass(modelPick(t, "alone", 70*time.Second, 2*time.Minute, 5*time.Minute))
	w.post(v, v.page)
}

// form is posted from a page of the application, or of another site.
func (w *modelWorld) form(t *rapid.T) {
	v := w.who(t)
	from := v.page
	if foreign := modelPick(t, "foreign", false, true); foreign || from == nil {
		from = &url.URL{Scheme: "https", Host: "evil.test", Path: "/page"}
	}
	w.post(v, from)
}

// post sends a form of the page from.
func (w *modelWorld) post(v *modelVisitor, from *url.URL) {
	trip := newModelTrip(http.MethodPost, w.at("/orders?x=1"), from, "document")
	trip.body = "typed=" + strings.Repeat("for an hour ", 20)
	before := w.refreshes.Load()
	answer := w.fetch(v, trip)
	arrivals := w.arrived()
	w.t.Logf("%s: form from %s: %d %s", v.name, from, answer.Code, answer.Header().Get("X-Clerk-Auth-Reason"))
	w.checkAnswer(v, trip, answer, arrivals)
	if trip.crossSite() {
		if len(arrivals) > 0 && arrivals[0].header.Get("X-Auth-Session-Id") != "" {
			w.t.Fatal("another site used a person's session")
		}
		if w.refreshes.Load() != before {
			w.t.Fatal("another site renewed a person's session")
		}
		return
	}
	if !w.mustPass(v) {
		return
	}
	w.tally.forms++
	if w.refreshes.Load() != before {
		w.tally.silent++
	}
	if len(arrivals) != 1 || arrivals[0].method != http.MethodPost || arrivals[0].body != trip.body || arrivals[0].header.Get("X-Auth-Session-Id") != v.session {
		w.t.Fatalf("what %s typed is lost: %d %s", v.name, answer.Code, answer.Header().Get("X-Clerk-Auth-Reason"))
	}
}

// mustPass reports whether a request that is no page load has to arrive signed in:
// its browser has what it takes to refresh the session.
func (w *modelWorld) mustPass(v *modelVisitor) bool {
	return w.sure(v) && w.live(v) && v.known == v.changes && v.holds == v.session && w.secretKey && !w.trouble && !w.spent() && v.has("__refresh")
}

// call is what a script of the application sends.
func (w *modelWorld) call(t *rapid.T) {
	v := w.who(t)
	if v.page == nil {
		t.Skip("no page is there")
	}
	trip := newModelTrip(modelPick(t, "method", "GET", "POST", "DELETE", "HEAD"), w.at("/api?x"), v.page, "empty")
	answer := w.fetch(v, trip)
	arrivals := w.arrived()
	w.t.Logf("%s: call: %d %s", v.name, answer.Code, answer.Header().Get("X-Clerk-Auth-Reason"))
	w.checkAnswer(v, trip, answer, arrivals)
	if w.mustPass(v) && (len(arrivals) != 1 || arrivals[0].header.Get("X-Auth-Session-Id") != v.session) {
		w.t.Fatalf("%s is signed in and a script of the page gets %d %s", v.name, answer.Code, answer.Header().Get("X-Clerk-Auth-Reason"))
	}
}

// signInAt signs in at Clerk. A second passes before: a token of the same second is
// not older than the change.
func (w *modelWorld) signInAt(t *rapid.T) {
	w.signInAs(t, w.who(t))
}

// signInAs is signInAt by this visitor.
func (w *modelWorld) signInAs(t *rapid.T, v *modelVisitor) {
	user := w.people[modelPick(t, "as", 0, 1)]
	w.signOutOf(v, false)
	w.clock.pass(2 * time.Second)
	u, _ := w.own.User(user)
	var trip *modelTrip
	if w.proxied {
		page := w.at("/__clerk/sign-in")
		trip = newModelTrip(http.MethodPost, page, page, "document")
		trip.body = url.Values{"user": {user}, "redirect_url": {"/"}}.Encode()
	} else {
		target := w.clerk.JoinPath("v1/client/sign_ins")
		trip = newModelTrip(http.MethodPost, target, target, "empty")
		trip.body = url.Values{"strategy": {"password"}, "identifier": {u.Username}, "password": {"clerkdev"}}.Encode()
	}
	answer := w.fetch(v, trip)
	if answer.Code != http.StatusOK && answer.Code != http.StatusSeeOther {
		w.t.Fatalf("signing in: %d %s", answer.Code, answer.Body)
	}
	all := w.own.Sessions(user)
	v.session, v.since, v.pending, v.asked = all[len(all)-1].ID, w.clock.now(), false, time.Time{}
	v.users[v.session], v.foreign = user, false
	w.changed(v)
	if w.proxied {
		v.holds = v.session
	}
	w.t.Logf("%s signs in as %s: %s", v.name, u.Username, v.session)
}

// signOutAt signs out at Clerk; clerk-js on a page of the application removes the
// cookies there, or the person did it elsewhere.
func (w *modelWorld) signOutAt(t *rapid.T) {
	v := w.who(t)
	if v.session == "" {
		t.Skip("nobody is signed in")
	}
	w.signOutOf(v, rapid.Bool().Draw(t, "with clerk-js"))
}

// signOutOf is signOutAt by this visitor.
func (w *modelWorld) signOutOf(v *modelVisitor, here bool) {
	w.t.Logf("%s signs out", v.name)
	if w.proxied {
		page := w.at("/__clerk/sign-in")
		w.fetch(v, newModelTrip(http.MethodPost, w.at("/__clerk/sign-out"), page, "document"))
	} else {
		target := w.clerk.JoinPath("v1/client/sessions")
		target.RawQuery = "_method=DELETE"
		w.fetch(v, newModelTrip(http.MethodPost, target, target, "empty"))
	}
	for _, name := range []string{"__session", "__session_" + w.own.Named().CookieSuffix()} {
		if here {
			v.script(w.app, name+"=; Path=/; Max-Age=0")
		}
	}
	w.learn(v)
}

// learn looks at Clerk whether the browser's session lives.
func (w *modelWorld) learn(v *modelVisitor) {
	if !w.live(v) {
		return
	}
	for _, s := range w.own.Sessions(v.users[v.session]) {
		if s.ID == v.session && s.Status != "active" && s.Status != "pending" {
			w.ends(v)
			w.changed(v)
		}
	}
}

// signOutHere is the proxy's own page.
func (w *modelWorld) signOutHere(t *rapid.T) {
	v := w.who(t)
	if v.page == nil {
		t.Skip("no page is there")
	}
	trip := newModelTrip(http.MethodPost, w.at("/_authproxy/sign-out"), v.page, "document")
	certain := w.mustPass(v)
	answer := w.fetch(v, trip)
	w.t.Logf("%s signs out here: %d", v.name, answer.Code)
	w.learn(v)
	if len(w.arrived()) != 0 {
		w.t.Fatal("signing out reaches the application")
	}
	if certain && (answer.Code != http.StatusSeeOther || w.live(v)) {
		w.t.Fatalf("%s is not signed out: %d", v.name, answer.Code)
	}
	if answer.Code == http.StatusSeeOther {
		w.changed(v)
	}
}

// revoke ends the session at Clerk, unknown to the browser.
func (w *modelWorld) revoke(t *rapid.T) {
	v := w.who(t)
	if !w.live(v) {
		t.Skip("nobody is signed in")
	}
	if err := w.own.EndSession(v.session, "revoked"); err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("the session of %s is revoked", v.name)
	w.learn(v)
}

// task stands between the person and the session, or no longer does.
func (w *modelWorld) task(t *rapid.T) {
	v := w.who(t)
	if !w.live(v) {
		t.Skip("nobody is signed in")
	}
	v.pending, v.asked = !v.pending, w.clock.now()
	if err := w.own.SetPending(v.session, v.pending); err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("%s has a task: %v", v.name, v.pending)
	w.changed(v)
}

// switchTo makes another organisation the active one, elsewhere.
func (w *modelWorld) switchTo(t *rapid.T) {
	v := w.who(t)
	if !w.live(v) {
		t.Skip("nobody is signed in")
	}
	id := w.organizations[modelPick(t, "organisation", "acme", "beta", "")]
	target := w.clerk.JoinPath("v1/client/sessions/" + v.session + "/touch")
	trip := newModelTrip(http.MethodPost, target, target, "empty")
	trip.body = "active_organization_id=" + id
	w.clock.pass(time.Second)
	answer := w.fetch(v, trip)
	w.t.Logf("%s switches to %q: %d", v.name, id, answer.Code)
	w.changed(v)
}

// script is clerk-js on a page of the application: it writes a fresh token.
func (w *modelWorld) script(t *rapid.T) {
	v := w.who(t)
	if !w.live(v) || v.page == nil {
		t.Skip("nobody is signed in, or no page is there")
	}
	jwt, err := w.own.Mint(v.session, modelOrigin(w.app))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("clerk-js writes a token for %s", v.name)
	for _, name := range []string{"__session", "__session_" + w.own.Named().CookieSuffix()} {
		v.script(w.app, name+"="+jwt+"; Path=/; Max-Age=31536000; SameSite=Lax"+map[bool]string{true: "; Secure"}[w.production])
	}
}

// otherApp is a visit to an application of another instance on the same domain. Its
// cookies have names that ours have too, and a handshake of it may still be on the
// way.
func (w *modelWorld) otherApp(t *rapid.T) {
	v := w.who(t)
	clerk := w.other.JoinPath("__clerk/")
	if w.production {
		clerk = &url.URL{Scheme: "https", Host: "clerk-two.example.localhost", Path: "/"}
	}
	if rapid.Bool().Draw(t, "signs in there") {
		target := clerk.JoinPath("v1/client/sign_ins")
		if !w.production {
			v.visitDevelopment(w, clerk)
		}
		trip := newModelTrip(http.MethodPost, target, target, "empty")
		u, _ := w.foreign.User(w.people[0])
		trip.body = url.Values{"strategy": {"password"}, "identifier": {u.Username}, "password": {"clerkdev"}}.Encode()
		w.fetch(v, trip) // refused when somebody is signed in there
	}
	// Where hosts differ by their port only, the cookies are the same. When Clerk's rule
	// then takes the plain ones, those of the other one count (clerk.md, 1.6, step 6).
	v.foreign = !w.production
	target := clerk.JoinPath("v1/client/handshake")
	format := modelPick(t, "format", "nonce", "token")
	target.RawQuery = url.Values{"redirect_url": {w.other.String()}, "format": {format}}.Encode()
	trip := newModelTrip(http.MethodGet, target, nil, "document")
	answer := w.fetch(v, trip)
	w.t.Logf("%s is at another app: %d %s", v.name, answer.Code, format)
	if format == "token" && rapid.Bool().Draw(t, "arrives") {
		for _, line := range modelDirectives(v, trip, answer) {
			v.script(w.other, line)
		}
	}
}

// visitDevelopment has the other emulator know the browser.
func (v *modelVisitor) visitDevelopment(w *modelWorld, clerk *url.URL) {
	target := clerk.JoinPath("sign-in")
	w.fetch(v, newModelTrip(http.MethodGet, target, nil, "document"))
}

// modelDirectives reads a handshake's token, as the other application does.
func modelDirectives(v *modelVisitor, trip *modelTrip, answer *httptest.ResponseRecorder) []string {
	text := ""
	if back, err := url.Parse(answer.Header().Get("Location")); err == nil {
		text = back.Query().Get("__clerk_handshake")
	}
	for _, c := range v.jar {
		if c.name == "__clerk_handshake" {
			text = c.value
		}
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil
	}
	var claims struct{ Handshake []string }
	if raw, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
		_ = json.Unmarshal(raw, &claims) // another's, then
	}
	return claims.Handshake
}

// makeTrouble lets the Backend API fail.
func (w *modelWorld) makeTrouble(t *rapid.T) {
	if !w.secretKey {
		t.Skip("nobody asks it")
	}
	w.trouble = true
	switch modelPick(t, "trouble", "500", "garbage", "429", "none") {
	case "500":
		w.own.Fail(clerkdev.Failure{Path: "/v1/", Times: modelPick(t, "times", 1, 2, 3), Status: http.StatusInternalServerError})
	case "garbage":
		w.own.Fail(clerkdev.Failure{Path: "/v1/", Times: 1, Garbage: true})
	case "429":
		w.own.Fail(clerkdev.Failure{Path: "/v1/", Status: http.StatusTooManyRequests, RetryAfter: time.Second})
	default:
		w.own.Heal()
	}
}
