package app_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/manageros/authproxy/internal/app"
	"github.com/manageros/authproxy/internal/clerkdev"
)

// The model plays browsers, the proxy and the emulator against each other, on a
// clock of its own: whatever a browser does with cookies, however slow the links
// are, every page load ends, and who is signed in stays so.

// The bounds of a page load: handshakes in a row, and answers until its end.
const modelHandshakes, modelHops = 3, 12

var modelTLS = &tls.ConnectionState{}

// modelClock is what everybody's time is.
type modelClock struct{ nanos atomic.Int64 }

func (c *modelClock) now() time.Time       { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *modelClock) pass(d time.Duration) { c.nanos.Add(int64(d)) }

// modelPlace is a domain with an application, its Clerk instance and an application
// of another instance.
type modelPlace struct {
	production, proxied bool // proxied: the Frontend API is below the application
	app, clerk, other   *url.URL
	signIn              string // where the proxy sends people
	settings            []string

	clock                   *modelClock
	own, foreign            *clerkdev.Instance
	frontend, otherFrontend http.Handler
	api                     *httptest.Server // the Backend API, and what was asked of it
	refreshes, payloads     atomic.Int32
	upstream                *httptest.Server
	played                  int // worlds so far

	mu       sync.Mutex
	arrivals []modelArrival
}

// modelArrival is what reached the application.
type modelArrival struct {
	method, uri, body string
	header            http.Header
}

func newModelPlace(t *testing.T, production, proxied bool) *modelPlace {
	t.Helper()
	p := &modelPlace{production: production, proxied: proxied, clock: &modelClock{}}
	p.clock.nanos.Store(1795371235 * int64(time.Second))
	address := func(raw string) *url.URL {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	own := clerkdev.Config{Production: production, Now: p.clock.now, Template: `{"organizationSlug":"{{org.slug}}"}`}
	foreign := own
	if production {
		own.FrontendAPI, foreign.FrontendAPI = "clerk.example.localhost", "clerk-two.example.localhost"
		p.app, p.other = address("https://app.example.localhost/"), address("https://other.example.localhost/")
		p.settings = []string{"AUTHPROXY_PUBLIC_URL=https://app.example.localhost"}
	} else {
		p.app, p.other = address("http://localhost:4180/"), address("http://localhost:5000/")
	}
	for at, cfg := range map[**clerkdev.Instance]clerkdev.Config{&p.own: own, &p.foreign: foreign} {
		var err error
		if *at, err = clerkdev.New(cfg); err != nil {
			t.Fatal(err)
		}
	}
	p.signIn, p.clerk = "https://accounts.example.localhost/sign-in", address("https://clerk.example.localhost/")
	if proxied {
		p.signIn, p.clerk = p.app.String()+"__clerk/sign-in", p.app.JoinPath("__clerk/")
		p.settings = append(p.settings, "CLERK_PROXY_URL=/__clerk", "CLERK_SIGN_IN_URL=/__clerk/sign-in")
	}
	p.frontend, p.otherFrontend = p.own.Frontend(), p.foreign.Frontend()
	backend := p.own.Backend()
	p.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/refresh") {
			p.refreshes.Add(1)
		} else {
			p.payloads.Add(1)
		}
		backend.ServeHTTP(w, r)
	}))
	p.upstream = httptest.NewServer(http.HandlerFunc(p.arrive))
	t.Cleanup(p.upstream.Close)
	t.Cleanup(p.api.Close)
	return p
}

// arrive is the application: it notes what comes and sets a cookie of its own.
func (p *modelPlace) arrive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrivals = append(p.arrivals, modelArrival{r.Method, r.RequestURI, string(body), r.Header.Clone()})
	w.Header().Set("Set-Cookie", "app=1; Path=/")
	w.Header().Set("X-Page", "of the app")
}

// arrived takes what has arrived since the last time.
func (p *modelPlace) arrived() []modelArrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.arrivals
	p.arrivals = nil
	return list
}

// modelWorld is one run: a proxy with its settings, and people with their browsers.
type modelWorld struct {
	*modelPlace
	t                             *rapid.T
	skew                          time.Duration // of the proxy's clock
	secretKey, optional, patterns bool
	trouble                       bool // the Backend API failed in this run
	proxy                         http.Handler
	people                        []string // user ids
	organizations                 map[string]string
	visitors                      []*modelVisitor
	tally                         *modelTally
}

// modelTally shows that the properties were about something.
type modelTally struct{ loads, pages, signIns, explanations, sure, forms, silent, out, organizations int }

// modelVisitor is a person at a browser.
type modelVisitor struct {
	*modelBrowser
	name    string
	session string               // that is live as far as the browser's person knows; "" is none
	since   time.Time            // when it began
	users   map[string]string    // of every session this browser ever had
	over    map[string]time.Time // when sessions ended
	pending bool                 // a task is open
	asked   time.Time            // when that changed, which tokens say that were made before
	tabs    [2]*modelTab
	page    *url.URL // that was loaded last
	changes int      // of the session
	known   int      // as many changes when the application last saw who it is
	holds   string   // the session that the refresh cookie is of: clerk-js cannot write that one
	foreign bool     // another application of this machine has written cookies of the same names
	murky   bool     // something that was under way before the last change may still come back
}

// modelTab is a page load under way.
type modelTab struct {
	*modelTrip
	path       string
	started    time.Time
	changes    int
	count      int // in the address it begins with
	murky      bool
	shared     bool // another tab moved meanwhile, or what it was loading is still on the way
	handshakes int
	tooLarge   bool  // the payload was, for a cookie
	refreshes  int32 // that were made before
}

func newModelWorld(t *rapid.T, p *modelPlace, tally *modelTally) *modelWorld {
	w := &modelWorld{modelPlace: p, t: t, tally: tally, organizations: map[string]string{}}
	w.clock.nanos.Store(w.clock.now().Truncate(time.Hour).Add(24 * time.Hour).UnixNano())
	w.own.Heal()
	w.arrived()
	w.refreshes.Store(0)
	w.payloads.Store(0)
	w.secretKey, w.optional = rapid.Bool().Draw(t, "secret key"), modelPick(t, "optional", false, false, false, true)
	w.patterns = rapid.Bool().Draw(t, "patterns")
	w.skew = modelPick(t, "skew", 0, 0, 0, 0, 0, 0, 10*time.Minute, -10*time.Minute)
	environ := append([]string{
		"CLERK_PUBLISHABLE_KEY=" + w.own.Named().PublishableKey, "CLERK_JWT_KEY=" + w.own.PublicKeyPEM(),
		"CLERK_API_URL=" + w.api.URL, "AUTHPROXY_UPSTREAM=" + w.upstream.URL,
	}, w.settings...)
	public := "AUTHPROXY_PUBLIC_PATHS=/open"
	if w.proxied {
		public += ",/__clerk/*"
	}
	environ = append(environ, public)
	if w.secretKey {
		environ = append(environ, "CLERK_SECRET_KEY="+w.own.SecretKey())
	}
	if w.optional {
		environ = append(environ, "AUTHPROXY_AUTH=optional")
	}
	if w.patterns {
		environ = append(environ, "AUTHPROXY_ORGANIZATION_PATTERNS=/orgs/:slug/(.*)", "AUTHPROXY_PERSONAL_ACCOUNT_PATTERNS=/me")
	}
	cfg, err := app.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(cfg, app.Options{Now: func() time.Time { return w.clock.now().Add(w.skew) }})
	if err != nil {
		t.Fatal(err)
	}
	w.proxy = a.Data()
	w.populate()
	for _, v := range w.visitors {
		if modelPick(t, "is there", true, true, true, false) {
			w.signInAs(t, v)
			w.load(t, v)
		}
	}
	return w
}

// populate makes two people who are members of two organisations, and a browser for
// each of them.
func (w *modelWorld) populate() {
	for _, slug := range []string{"acme", "beta"} {
		w.organizations[slug] = w.own.AddOrganization(clerkdev.Organization{Name: slug, Slug: slug}).ID
	}
	for n, name := range []string{"ada", "bob"} {
		name = fmt.Sprintf("%s%d", name, w.played)
		u := w.own.AddUser(clerkdev.User{Username: name, FirstName: name})
		w.foreign.AddUser(clerkdev.User{ID: u.ID, Username: name, FirstName: name})
		for _, id := range w.organizations {
			if _, err := w.own.AddMembership(clerkdev.Membership{UserID: u.ID, OrganizationID: id, Role: "org:admin"}); err != nil {
				w.t.Fatal(err)
			}
		}
		w.people = append(w.people, u.ID)
		v := &modelVisitor{name: name, users: map[string]string{}, over: map[string]time.Time{}, known: -1}
		v.modelBrowser = &modelBrowser{now: w.clock.now}
		if n == 0 {
			v.habits = drawModelHabits(w.t)
			v.ancient, v.careless = rapid.Bool().Draw(w.t, "ancient"), rapid.Bool().Draw(w.t, "careless")
		}
		w.visitors = append(w.visitors, v)
	}
	w.played++
}

// drawModelHabits is half the time what a browser should do.
func drawModelHabits(t *rapid.T) modelHabits {
	names := []string{"__session", "__client_uat", "__refresh", "__clerk_handshake", "__clerk_redirect_count", "__clerk_db_jwt", "__client"}
	switch modelPick(t, "habits", "healthy", "healthy", "healthy", "nothing", "loses", "loses", "small", "one kind") {
	case "nothing":
		return modelHabits{nothing: true}
	case "loses":
		return modelHabits{loses: []string{modelPick(t, "loses", names...), modelPick(t, "and", names...)}}
	case "small":
		return modelHabits{small: modelPick(t, "small", 200, 1000, 2000)}
	case "one kind":
		domain := rapid.Bool().Draw(t, "domain")
		return modelHabits{noHostOnly: domain, noDomain: !domain}
	default:
		return modelHabits{}
	}
}

// modelPick draws one of the choices, each as likely: what rapid draws itself is mostly
// small.
func modelPick[V any](t *rapid.T, label string, choices ...V) V {
	return choices[rapid.Custom(func(t *rapid.T) int {
		n := 0
		for range 8 {
			n *= 2
			if rapid.Bool().Draw(t, "") {
				n++
			}
		}
		return n % len(choices)
	}).Draw(t, label)]
}

// live reports whether Clerk says that the browser's session lives.
func (w *modelWorld) live(v *modelVisitor) bool {
	_, ended := v.over[v.session]
	return v.session != "" && !ended
}

// sure reports whether nothing excuses the proxy: the browser keeps cookies, the
// clock is right, and nothing that was under way before the last change of the
// session can still come back.
func (w *modelWorld) sure(v *modelVisitor) bool {
	forgets := !w.production && w.clock.now().Sub(v.since) > 50*time.Minute // the emulator's cookies last an hour there
	tasked := v.pending || w.clock.now().Sub(v.asked) < 66*time.Second
	return v.habits.healthy() && !v.deaf && w.skew == 0 && !v.murky && !v.foreign && !tasked && !forgets
}

// spent reports whether the client of the Backend API may have used up what it may
// ask: that is bounded in real seconds.
func (w *modelWorld) spent() bool {
	refreshes, payloads := w.refreshes.Load(), w.payloads.Load()
	if w.production {
		return refreshes > 13 || payloads > 55
	}
	return refreshes > 7 || payloads > 12
}

// changed notes a change of the session.
func (w *modelWorld) changed(v *modelVisitor) {
	v.changes++
	if v.tabs[0] != nil || v.tabs[1] != nil || v.has("__clerk_handshake") {
		v.murky = true
	}
}

// ends notes that the session is over.
func (w *modelWorld) ends(v *modelVisitor) {
	if w.live(v) {
		v.over[v.session] = w.clock.now()
	}
}

// serve is the network: the host says who answers.
func (w *modelWorld) serve(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	clerk := strings.HasPrefix(r.URL.Path, clerkdev.FrontendPath)
	switch {
	case r.Host == w.clerk.Host && !w.proxied:
		r.URL.Path = strings.TrimSuffix(clerkdev.FrontendPath, "/") + r.URL.Path
		w.frontend.ServeHTTP(answer, r)
	case r.Host == w.app.Host && w.proxied && clerk:
		w.frontend.ServeHTTP(answer, r)
	case r.Host == w.app.Host:
		w.proxy.ServeHTTP(answer, r)
	case r.Host == w.other.Host && clerk:
		w.otherFrontend.ServeHTTP(answer, r)
	case r.Host == "clerk-two.example.localhost":
		r.URL.Path = strings.TrimSuffix(clerkdev.FrontendPath, "/") + r.URL.Path
		w.otherFrontend.ServeHTTP(answer, r)
	default:
		w.t.Fatalf("nobody answers at %s", r.Host)
	}
	return answer
}

// fetch is a request, and what becomes of its cookies; redirects are not followed.
func (w *modelWorld) fetch(v *modelVisitor, t *modelTrip) *httptest.ResponseRecorder {
	answer := w.serve(v.request(t))
	v.keep(answer.Header(), t)
	return answer
}

// at is an address of the application.
func (w *modelWorld) at(path string) *url.URL {
	u, err := w.app.Parse(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// begin starts to load a page in a tab. What the tab was loading is given up.
func (w *modelWorld) begin(v *modelVisitor, n int, target, from *url.URL, dest string) *modelTab {
	// The emulator's cookies last an hour in development, and the one that the browser
	// is known by is older than the session.
	known := func(c modelCookie) bool {
		return c.name == "__clerk_db_jwt_"+w.own.Named().CookieSuffix() && c.expires.After(w.clock.now().Add(time.Minute))
	}
	v.murky = v.murky || !w.production && w.live(v) && !slices.ContainsFunc(v.jar, known)
	count := 0
	_, _ = fmt.Sscanf(target.Query().Get("__clerk_redirect_count"), "%d", &count)
	v.tabs[n] = &modelTab{
		modelTrip: newModelTrip(http.MethodGet, target, from, dest), path: target.RequestURI(),
		started: w.clock.now(), changes: v.changes, murky: v.murky, count: count, refreshes: w.refreshes.Load(),
		shared: v.has("__clerk_handshake"),
	}
	w.tally.loads++
	return v.tabs[n]
}

// hop is the next answer on the way of a tab.
func (w *modelWorld) hop(v *modelVisitor, n int) {
	tab := v.tabs[n]
	if other := v.tabs[1-n]; other != nil {
		other.shared, tab.shared = true, true
	}
	if tab.hops++; tab.hops > modelHops {
		w.t.Fatalf("%d answers and no end: %s", tab.hops, tab.target)
	}
	answer := w.fetch(v, tab.modelTrip)
	atClerk := strings.HasSuffix(tab.target.Path, "/v1/client/handshake")
	if atClerk {
		if tab.handshakes++; tab.handshakes > modelHandshakes {
			w.t.Fatalf("%d handshakes for one page load: %s", tab.handshakes, tab.target)
		}
	}
	tab.tooLarge = tab.tooLarge || atClerk && modelTooLarge(answer)
	toApp := !atClerk && tab.target.Host == w.app.Host
	w.t.Logf("%s: tab %d: %s %.200s: %d %.120s", v.name, n, tab.method, tab.target, answer.Code, answer.Header().Get("Location"))
	arrivals := w.arrived()
	if toApp {
		w.checkAnswer(v, tab.modelTrip, answer, arrivals)
	} else if answer.Code != http.StatusTemporaryRedirect {
		w.t.Fatalf("Clerk answers %d %s", answer.Code, answer.Body)
	}
	switch {
	case toApp && answer.Code == http.StatusFound && modelSignsIn(w.signIn, answer.Header().Get("Location")):
		w.tally.signIns++
		w.ended(v, n, nil, "is sent to sign in")
	case tab.follow(answer, v.modelBrowser):
		if host := tab.target.Host; host != w.app.Host && host != w.clerk.Host {
			w.t.Fatalf("the browser is sent to %s", tab.target)
		}
	case len(arrivals) == 1:
		w.tally.pages++
		w.ended(v, n, &arrivals[0], "sees a page")
	case answer.Code == http.StatusUnauthorized && modelExplains.MatchString(answer.Body.String()):
		w.tally.explanations++
		w.ended(v, n, nil, "is told that it does not work")
	default:
		w.t.Fatalf("a page load ends in %d %s\n%s", answer.Code, answer.Header().Get("X-Clerk-Auth-Reason"), answer.Body)
	}
}

// modelSignsIn reports whether an address is the page where people sign in, or have a
// task.
func modelSignsIn(page, address string) bool {
	return strings.HasPrefix(address, page+"?") || strings.HasPrefix(address, page+"/tasks?")
}

// modelTooLarge reports whether no browser keeps what carries a handshake back: without a
// secret key it is the whole payload.
func modelTooLarge(answer *httptest.ResponseRecorder) bool {
	return slices.ContainsFunc(answer.Header()["Set-Cookie"], func(line string) bool {
		pair, _, _ := strings.Cut(line, ";")
		return strings.HasPrefix(pair, "__clerk_handshake=") && len(pair) > 4096
	})
}

// modelExplains is of every sentence of handshake.Cause.
var modelExplains = regexp.MustCompile(`does not keep cookies|out of time here|4096 bytes|which Clerk sets for the whole domain|answer holds a session token that is refused|answer is signed with a key|answer could not be fetched|answer does not come back|sent the browser back without`)

// checkAnswer is about every answer of the proxy.
func (w *modelWorld) checkAnswer(v *modelVisitor, trip *modelTrip, answer *httptest.ResponseRecorder, arrivals []modelArrival) {
	h := answer.Header()
	ours, redirects := h.Get("X-Authproxy-Response") != "", answer.Code >= 300 && answer.Code < 400
	location := h.Get("Location")
	fault := ""
	switch {
	case answer.Code >= 500:
		fault = "a fault"
	case len(arrivals) > 1 || ours == (len(arrivals) == 1):
		fault = "both passed on and answered, or neither"
	case redirects && !trip.pageLoad() && answer.Code != http.StatusSeeOther:
		fault = "a redirect of what is no page load"
	case w.production && strings.Contains(location, "eyJ"):
		fault = "a token in an address"
	case len(arrivals) == 1 && !slices.Contains(h["Set-Cookie"], "app=1; Path=/"):
		fault = "the application's cookie is lost"
	}
	clerks := slices.ContainsFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, "__") })
	if clerks && (!strings.Contains(h.Get("Cache-Control"), "no-store") || !strings.Contains(strings.Join(h["Vary"], ","), "Cookie")) {
		fault = "a session that caches may keep"
	}
	if fault != "" {
		w.t.Fatalf("%s: %s %s: %d, %d arrivals, %v", fault, trip.method, trip.target, answer.Code, len(arrivals), h)
	}
	for _, arrival := range arrivals {
		w.checkArrival(v, arrival)
	}
}

// checkArrival is about everything that reaches the application: nothing that is
// Clerk's, and nobody but a person whose session lives, or lived when its last token
// was made.
func (w *modelWorld) checkArrival(v *modelVisitor, a modelArrival) {
	if strings.Contains(a.header.Get("Cookie"), "__") {
		w.t.Fatalf("the application gets Clerk's cookies: %s", a.header.Get("Cookie"))
	}
	session, user := a.header.Get("X-Auth-Session-Id"), a.header.Get("X-Auth-User-Id")
	if session == "" {
		if user != "" || a.header.Get("X-Auth-Status") != "anonymous" {
			w.t.Fatalf("half an identity: %v", a.header)
		}
		return
	}
	of, known := v.users[session]
	over, ended := v.over[session]
	switch {
	case !known || of != user || a.header.Get("X-Auth-Status") != "authenticated":
		w.t.Fatalf("%s is taken for %s with the session %s", v.name, user, session)
	case ended && w.clock.now().Add(w.skew).After(over.Add(65*time.Second)):
		w.t.Fatalf("the session ended %s ago, and the application still sees it", w.clock.now().Sub(over))
	case session == v.session && v.pending && w.clock.now().Add(w.skew).After(v.asked.Add(65*time.Second)):
		w.t.Fatalf("a task is open since %s, and the application sees the session", w.clock.now().Sub(v.asked))
	}
}

// ended is the end of a page load, in a page of the application or without.
func (w *modelWorld) ended(v *modelVisitor, n int, arrival *modelArrival, what string) {
	tab := v.tabs[n]
	v.tabs[n] = nil
	session := ""
	if arrival != nil {
		session = arrival.header.Get("X-Auth-Session-Id")
		v.page = tab.target
	}
	w.t.Logf("%s: tab %d: %s, session %q; live %v, sure %v", v.name, n, what, session, w.live(v), w.sure(v))
	w.judge(v, tab, arrival, session, what)
	if session != "" && session == v.session {
		v.known = v.changes
		if tab.handshakes > 0 {
			v.holds = session
		}
		if v.tabs[0] == nil && v.tabs[1] == nil && !v.has("__clerk_handshake") {
			v.murky = false
		}
	}
}

// judge is what the end of a page load has to be, where nothing excuses another.
func (w *modelWorld) judge(v *modelVisitor, tab *modelTab, arrival *modelArrival, session, what string) {
	now := w.clock.now()
	quick := now.Sub(tab.started) <= 40*time.Second
	foreignFrame := tab.dest == "iframe" && tab.crossSite()
	if !w.sure(v) || tab.murky || tab.changes != v.changes || !quick || foreignFrame || tab.tooLarge || tab.count >= modelHandshakes {
		return
	}
	open := tab.target.Path == "/open" // public: nothing is renewed there
	switch {
	case w.live(v) && !open:
		w.tally.sure++
		if session != v.session {
			w.t.Fatalf("%s is signed in, and %s", v.name, what)
		}
		// What was asked for in vain is remembered in the address.
		if arrival.uri != tab.path && tab.count == 0 && !w.trouble && !tab.crossSite() && tab.target.Path != "/orgs/none/" {
			w.t.Fatalf("%s asked for %s and sees %s", v.name, tab.path, arrival.uri)
		}
		w.judgeOrganization(tab, arrival)
	case !w.live(v) && (v.session == "" || now.Sub(v.over[v.session]) > 66*time.Second):
		w.tally.out++
		if session != "" || arrival == nil && (w.optional || open) || arrival != nil && !w.optional && !open {
			w.t.Fatalf("%s is signed out, and %s", v.name, what)
		}
		if arrival == nil && what != "is sent to sign in" {
			w.t.Fatalf("%s is signed out, and %s", v.name, what)
		}
	}
}

// judgeOrganization: the page's own organisation is active.
func (w *modelWorld) judgeOrganization(tab *modelTab, arrival *modelArrival) {
	refreshed := w.refreshes.Load() != tab.refreshes // as in Clerk's SDK, the organisation is not looked at then
	if !w.patterns || tab.shared || w.trouble || tab.count > 0 || refreshed {
		return
	}
	got, want := arrival.header.Get("X-Auth-Organization-Slug"), ""
	switch {
	case strings.HasPrefix(tab.target.Path, "/orgs/acme/"):
		want = "acme"
	case strings.HasPrefix(tab.target.Path, "/orgs/beta/"):
		want = "beta"
	case tab.target.Path != "/me":
		return
	}
	w.tally.organizations++
	if got != want {
		w.t.Fatalf("%s is shown with the organisation %q", tab.target, got)
	}
}

// TestModel plays every topology.
func TestModel(t *testing.T) {
	t.Parallel()
	var all modelTally // of one topology alone, chance may leave something out
	for name, tt := range map[string]struct{ production, proxied bool }{
		"production":             {true, false},
		"production, proxied":    {true, true},
		"development, as in dev": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			place, tally := newModelPlace(t, tt.production, tt.proxied), &modelTally{}
			rapid.Check(t, func(rt *rapid.T) {
				if place.played == 100 { // it remembers everybody
					place = newModelPlace(t, tt.production, tt.proxied)
				}
				w := newModelWorld(rt, place, tally)
				rt.Repeat(map[string]func(*rapid.T){"step": w.step})
			})
			t.Logf("%+v", *tally)
			all.loads, all.sure, all.forms = all.loads+tally.loads, all.sure+tally.sure, all.forms+tally.forms
			all.silent, all.out, all.organizations = all.silent+tally.silent, all.out+tally.out, all.organizations+tally.organizations
		})
	}
	if idle := all.sure == 0 || all.forms == 0 || all.silent == 0 || all.out == 0 || all.organizations == 0; idle && all.loads > 900 {
		t.Errorf("some properties were about nothing: %+v", all)
	}
}
