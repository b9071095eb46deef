package clerkdev

import (
	"net/http"
	"net/url"
	"strings"
)

// call is one request of clerk-js. It sends GET and POST only: other methods are in
// the query of a POST (clerk-frontend.md, 2).
type call struct {
	*browser
	form url.Values // the body
	args []string   // what stands for the asterisks of the path
}

type operation struct {
	method, path string // of which "*" is one segment
	anybody      bool   // for browsers that are not known, too
	answer       func(*call) (any, error)
}

// operations is everything below [versionPath] but the handshake, which is no
// JSON.
func operations() []operation {
	return []operation{
		{"POST", "dev_browser", true, (*call).newBrowser},
		{"GET", "environment", true, (*call).environment},
		{"PATCH", "environment", true, (*call).environment},
		{"GET", "client", false, (*call).showClient},
		{"DELETE", "client", false, (*call).deleteClient},
		{"DELETE", "client/sessions", false, (*call).endSessions},
		{"POST", "client/sign_ins", false, (*call).startSignIn},
		{"GET", "client/sign_ins/*", false, (*call).showSignIn},
		{"POST", "client/sign_ins/*/prepare_first_factor", false, (*call).prepareFactor},
		{"POST", "client/sign_ins/*/attempt_first_factor", false, (*call).attemptFactor},
		{"POST", "client/sessions/*/touch", false, (*call).touchSession},
		{"POST", "client/sessions/*/tokens", false, (*call).sessionToken},
		{"POST", "client/sessions/*/tokens/*", false, (*call).templateToken},
		{"POST", "client/sessions/*/remove", false, (*call).removeSession},
		{"POST", "client/sessions/*/end", false, (*call).endSession},
	}
}

// version1 answers what clerk-js and backends ask; path is what follows
// [versionPath].
func (i *Instance) version1(w http.ResponseWriter, r *http.Request, path string) {
	if path == "client/handshake" {
		if allow(w, r, http.MethodGet) {
			i.browserOf(w, r).handshake()
		}
		return
	}
	op, args, allowed := find(effectiveMethod(r), path)
	switch {
	case allowed == nil:
		respond(w, nil, errNoSuchPath())
	case op == nil:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		respond(w, nil, refuse(http.StatusMethodNotAllowed, "method_not_allowed", "method not allowed", "The method is not allowed here."))
	case !safe(r.Method) && !readForm(w, r): // it has answered
	default:
		c := &call{i.browserOf(w, r), r.PostForm, args}
		body, err := c.do(op)
		if err == nil && i.cfg.Production && strings.HasPrefix(path, "client") {
			c.sayUpdated()
		}
		respond(w, body, err)
	}
}

func effectiveMethod(r *http.Request) string {
	if meant := r.URL.Query().Get("_method"); r.Method == http.MethodPost && meant != "" {
		return strings.ToUpper(meant)
	}
	return r.Method
}

// find returns the operation, what its asterisks stand for, and the methods that
// the path allows; nil of those means that there is no such path.
func find(method, path string) (op *operation, args, allowed []string) {
	segments := strings.Split(path, "/")
	for _, one := range operations() {
		stands, ok := matches(strings.Split(one.path, "/"), segments)
		if !ok {
			continue
		}
		allowed = append(allowed, one.method)
		if one.method == method {
			op, args = &one, stands
		}
	}
	return op, args, allowed
}

func matches(pattern, segments []string) (args []string, ok bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	for n, want := range pattern {
		switch {
		case want == "*" && segments[n] != "":
			args = append(args, segments[n])
		case want != segments[n]:
			return nil, false
		}
	}
	return args, true
}

func (c *call) do(op *operation) (any, error) {
	if c.token == "" && !op.anybody && !c.i.cfg.Production {
		return nil, refuse(http.StatusUnauthorized, "dev_browser_unauthenticated", "Browser unauthenticated",
			"Unable to authenticate this browser for your development instance. Check your Clerk cookies and try again.")
	}
	return op.answer(c)
}

// sayUpdated writes __client_uat, which in production no script does (5.2).
func (c *call) sayUpdated() {
	if _, ok := c.i.signedIn(c.token); ok {
		c.uat(min(c.i.clientUpdated(c.token), c.i.now().Unix()))
		return
	}
	c.uat(0)
}

// browserOf is the browser of a request that clerk-js or a backend made: what the
// query says of a development browser is believed, and nothing else then. Pages do
// not look there, where a link from anywhere could put somebody else's browser.
func (i *Instance) browserOf(w http.ResponseWriter, r *http.Request) *browser {
	if said := r.URL.Query()[browserCookie]; len(said) > 0 && !i.cfg.Production {
		b := &browser{i: i, w: w, r: r}
		if i.known(said[0]) {
			b.token = said[0]
		}
		return b
	}
	return i.browser(w, r)
}

// origin is what azp says: the page's origin, which browsers leave out of a GET to
// their own (clerk-frontend.md, 2).
func (b *browser) origin() string {
	if said := b.r.Header.Values("Origin"); len(said) == 1 && said[0] != "null" {
		return said[0]
	}
	return originOf(b.r)
}

// newBrowser makes a development browser.
func (c *call) newBrowser() (any, error) {
	if c.i.cfg.Production {
		return nil, refuse(http.StatusBadRequest, "request_invalid_for_environment", "Request only valid for development instances.",
			"Request only valid for development instances.")
	}
	token := c.i.NewClient()
	return map[string]any{"object": "dev_browser", "id": token, "token": token, "instance_id": c.i.InstanceID()}, nil
}

// showClient never refuses a browser that is signed out: clerk-js would ask again
// without end (clerk-frontend.md, 6).
func (c *call) showClient() (any, error) {
	return map[string]any{"response": c.clientJSON(), "client": nil}, nil
}

// deleteClient signs out and, in production, forgets the browser.
func (c *call) deleteClient() (any, error) {
	c.i.SignOut(c.token)
	if c.i.cfg.Production && c.token != "" {
		c.i.mu.Lock()
		delete(c.i.state.clients, c.token)
		c.i.mu.Unlock()
		c.set(crumb{name: clientCookie, maxAge: -1, hidden: true})
	}
	return map[string]any{"response": nil, "client": nil}, nil
}

func (c *call) endSessions() (any, error) {
	c.i.SignOut(c.token)
	return map[string]any{"response": c.clientJSON(), "client": nil}, nil
}

// own is the session of the path. 401 and not 404 says that it is not the browser's
// any more: clerk-js takes a 404 for an accident (clerk-frontend.md, 6).
func (c *call) own() (Session, error) {
	s, ok := c.i.signedIn(c.token)
	if !ok || s.ID != c.args[0] {
		return Session{}, errSignedOut()
	}
	return s, nil
}

func errSignedOut() *refusal {
	return refuse(http.StatusUnauthorized, "signed_out", "Signed out", "You are signed out")
}

func errNotMember() *refusal {
	return refuse(http.StatusForbidden, "organization_not_found_or_unauthorized", "Organization not found or unauthorized",
		"The organization does not exist, or you are not a member of it.")
}

// touchSession makes an organisation the active one; an empty one is none. The
// client's time changes only if something did, and the new token is made after
// (clerk-frontend.md, 8.6).
func (c *call) touchSession() (any, error) {
	s, err := c.own()
	if err != nil {
		return nil, err
	}
	if wanted, ok := c.form["active_organization_id"]; ok && wanted[0] != s.OrganizationID {
		if err := c.i.SetOrganization(s.ID, wanted[0]); err != nil {
			return nil, asFrontend(err)
		}
	}
	return c.sessionAndClient(s.ID)
}

// sessionAndClient is the answer about one session.
func (c *call) sessionAndClient(id string) (any, error) {
	s, u, ok := c.i.sessionOf(id)
	if !ok {
		return nil, errSignedOut()
	}
	return map[string]any{"response": c.sessionJSON(s, u), "client": c.clientJSON()}, nil
}

// sessionToken makes a token for the active organisation, or for the one in the
// body, which does not become the active one.
func (c *call) sessionToken() (any, error) {
	s, err := c.own()
	if err != nil {
		return nil, err
	}
	var in *string
	if wanted, ok := c.form["organization_id"]; ok {
		in = &wanted[0]
	}
	token, err := c.i.mintIn(s.ID, c.origin(), in)
	if err != nil {
		return nil, asFrontend(err)
	}
	return map[string]any{"object": "token", "jwt": token.JWT}, nil
}

func (c *call) templateToken() (any, error) {
	s, err := c.own()
	if err != nil {
		return nil, err
	}
	jwt, err := c.i.mintTemplate(s.ID, c.args[1], c.origin(), 0)
	if err != nil {
		return nil, asFrontend(err)
	}
	return map[string]any{"object": "token", "jwt": jwt}, nil
}

func (c *call) removeSession() (any, error) { return c.finish("removed") }
func (c *call) endSession() (any, error)    { return c.finish("ended") }

func (c *call) finish(status string) (any, error) {
	s, err := c.own()
	if err != nil {
		return nil, err
	}
	if err := c.i.EndSession(s.ID, status); err != nil {
		return nil, asFrontend(err)
	}
	return c.sessionAndClient(s.ID)
}

// sessionOf returns a session and whose it is.
func (i *Instance) sessionOf(id string) (Session, User, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.state.sessions[id]
	if s == nil || i.state.users[s.UserID] == nil {
		return Session{}, User{}, false
	}
	return *s, copyUser(*i.state.users[s.UserID]), true
}

// memberships lists what the person is a member of, by the organisation's id.
func (i *Instance) memberships(userID string) []map[string]any {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := []map[string]any{}
	counts := map[string]int{}
	for _, m := range i.state.memberships {
		counts[m.OrganizationID]++
	}
	for _, id := range sortedKeys(i.state.organizations) {
		if m := i.membership(userID, id); m != nil {
			one := membershipJSON(copyMembership(*m), copyUser(*i.state.users[userID]), copyOrganization(*i.state.organizations[id]))
			list = append(list, forBrowser(one, counts[id]))
		}
	}
	return list
}
