package clerkdev

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"
)

// shortestToken and longestToken are the bounds of a token's life that the Backend
// API takes, in seconds.
const shortestToken, longestToken = 30, 315360000

func (b *backend) sessions() {
	b.handle("GET /v1/sessions", b.listSessions)
	b.handle("POST /v1/sessions", b.createSession)
	b.handle("GET /v1/sessions/{session}", b.getSession)
	b.handle("POST /v1/sessions/{session}/revoke", b.revokeSession)
	b.handle("POST /v1/sessions/{session}/tokens", b.createToken)
	b.handle("POST /v1/sessions/{session}/tokens/{template}", b.createTemplateToken)
}

func (b *backend) session(id string) (Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.state.sessions[id]
	if !ok {
		return Session{}, errNoSession(id)
	}
	return *s, nil
}

func errNoSession(id string) *refusal {
	return refuse(http.StatusNotFound, "resource_not_found", "Session not found", "No session was found with id "+id)
}

func (b *backend) getSession(r *http.Request) (any, error) {
	s, err := b.session(r.PathValue("session"))
	return bareSessionJSON(s), err
}

// listSessions wants a person or a client: Clerk lists no others.
func (b *backend) listSessions(r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := readPage(q)
	if err != nil {
		return nil, err
	}
	user, client, status := q.Get("user_id"), q.Get("client_id"), q.Get("status")
	if user == "" && client == "" {
		return nil, refuse(http.StatusBadRequest, "missing_query_parameter", "Missing query parameter",
			"Either of the following query parameters must be provided: client_id, user_id.")
	}
	var all []Session
	b.mu.Lock()
	for _, s := range b.state.sessions {
		if (user == "" || s.UserID == user) && (client == "" || clientID(*s) == client) && (status == "" || s.Status == status) {
			all = append(all, *s)
		}
	}
	b.mu.Unlock()
	slices.SortFunc(all, func(a, b Session) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	if q.Get("paginated") != "true" {
		return show(p, all, bareSessionJSON), nil
	}
	return paginated(p, all, bareSessionJSON), nil
}

// createSession signs a person in without a browser. Clerk has this for tests, in
// development instances only.
func (b *backend) createSession(r *http.Request) (any, error) {
	if b.cfg.Production {
		return nil, refuse(http.StatusBadRequest, "request_invalid_for_environment", "Request only valid for development instances.",
			"Request only valid for development instances.")
	}
	f, err := readBody(r, "user_id", "active_organization_id")
	if err != nil {
		return nil, err
	}
	f.require("user_id")
	var user, organization string
	f.text("user_id", &user)
	f.text("active_organization_id", &organization)
	if err := f.err(); err != nil {
		return nil, err
	}
	u, err := b.user(user)
	if err != nil {
		return nil, err
	}
	var m Membership
	if organization != "" {
		if m, err = b.memberOf(organization, user); err != nil {
			return nil, err
		}
	}
	s, err := b.SignIn("", u.ID)
	if errors.Is(err, ErrSignInRefused) {
		return nil, refuse(http.StatusForbidden, "session_creation_not_allowed", "session creation not allowed", "The user is banned or locked.")
	}
	if err != nil {
		return nil, err
	}
	if err := b.SetOrganization(s.ID, m.OrganizationID); err != nil {
		return nil, err
	}
	s, err = b.session(s.ID)
	return bareSessionJSON(s), err
}

func (b *backend) revokeSession(r *http.Request) (any, error) {
	s, err := b.session(r.PathValue("session"))
	if err != nil {
		return nil, err
	}
	if err := b.EndSession(s.ID, "revoked"); err != nil {
		return nil, err
	}
	s, err = b.session(s.ID)
	return bareSessionJSON(s), err
}

// readLife reads how long a token is to live; zero says nothing.
func readLife(r *http.Request) (time.Duration, error) {
	f, err := readBody(r, "expires_in_seconds")
	if err != nil {
		return 0, err
	}
	seconds := 0
	if f.has("expires_in_seconds") {
		f.number("expires_in_seconds", shortestToken, longestToken, &seconds)
	}
	return time.Duration(seconds) * time.Second, f.err()
}
