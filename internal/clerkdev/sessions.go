package clerkdev

import (
	"cmp"
	"fmt"
	"slices"
)

// NewClient makes a browser nobody is signed in with and returns what it is
// known by: a development browser token, or the value of __client in production.
func (i *Instance) NewClient() string {
	prefix := "dvb"
	if i.cfg.Production {
		prefix = "client"
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.newClient(newID(prefix)).token
}

func (i *Instance) newClient(token string) *client {
	c := &client{id: newID("client"), token: token, updatedAt: i.now()}
	i.state.clients[token] = c
	return c
}

// SignIn starts a session of the user in a browser that [Instance.NewClient]
// made; "" is a browser that nobody will see again. Who was signed in there
// before is signed out. Users who are banned or locked are refused.
func (i *Instance) SignIn(clientToken, userID string) (Session, error) {
	return i.signIn(clientToken, Session{UserID: userID})
}

// Impersonate is [Instance.SignIn] of somebody (actorID) as somebody else, whose
// tokens then say so (claim act).
func (i *Instance) Impersonate(clientToken, actorID, userID string) (Session, error) {
	if _, ok := i.User(actorID); !ok {
		return Session{}, fmt.Errorf("clerkdev: Impersonate: user %q: %w", actorID, ErrNotFound)
	}
	return i.signIn(clientToken, Session{UserID: userID, Actor: actorID})
}

func (i *Instance) signIn(clientToken string, s Session) (Session, error) {
	if err := i.maySignIn(clientToken, s.UserID); err != nil {
		return Session{}, fmt.Errorf("clerkdev: SignIn: %w", err)
	}
	i.SignOut(clientToken)
	if clientToken == "" {
		clientToken = i.NewClient()
	}
	s, u, err := i.startSession(clientToken, s)
	if err != nil {
		return Session{}, fmt.Errorf("clerkdev: SignIn: %w", err)
	}
	i.emit("session.created", sessionJSON(s, u))
	return s, nil
}

func (i *Instance) maySignIn(clientToken, userID string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	u, ok := i.state.users[userID]
	switch {
	case !ok:
		return fmt.Errorf("user %q: %w", userID, ErrNotFound)
	case u.Banned || u.Locked:
		return fmt.Errorf("user %q: %w", userID, ErrSignInRefused)
	case clientToken != "" && i.state.clients[clientToken] == nil:
		return fmt.Errorf("client: %w", ErrNotFound)
	}
	return nil
}

func (i *Instance) startSession(clientToken string, s Session) (Session, User, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	u, ok := i.state.users[s.UserID]
	if !ok { // deleted since maySignIn
		return Session{}, User{}, fmt.Errorf("user %q: %w", s.UserID, ErrNotFound)
	}
	now := i.now()
	s.ID, s.Status, s.CreatedAt, s.UpdatedAt = newID("sess"), "active", now, now
	c := i.state.clients[clientToken]
	s.client, s.refresh = c.id, randomText(40)
	i.state.sessions[s.ID] = &s
	u.LastSignInAt = now
	c.sessionID, c.updatedAt = s.ID, now
	return s, copyUser(*u), nil
}

// SignOut ends the session of a browser, if it has one.
func (i *Instance) SignOut(clientToken string) {
	if s, ok := i.signedIn(clientToken); ok {
		_ = i.EndSession(s.ID, "removed") // it exists and the status is one
	}
}

// Sessions returns the user's sessions, ended ones too, oldest first.
func (i *Instance) Sessions(userID string) []Session {
	i.mu.Lock()
	defer i.mu.Unlock()
	var list []Session
	for _, s := range i.state.sessions {
		if s.UserID == userID {
			list = append(list, *s)
		}
	}
	slices.SortFunc(list, func(a, b Session) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// EndSession ends a session with the status "ended", "removed" or "revoked". One
// that has ended stays as it is.
func (i *Instance) EndSession(id, status string) error {
	if !slices.Contains([]string{"ended", "removed", "revoked"}, status) {
		return fmt.Errorf("clerkdev: EndSession: status %q: %w", status, ErrInvalid)
	}
	s, u, changed, err := i.setStatus(id, status)
	if err != nil {
		return fmt.Errorf("clerkdev: EndSession: %w", err)
	}
	if changed {
		i.emit("session."+status, sessionJSON(s, u))
	}
	return nil
}

// SetPending says whether a task stands between the person and the session
// (Clerk's choose-organization, reset-password, setup-mfa).
func (i *Instance) SetPending(id string, pending bool) error {
	status := "active"
	if pending {
		status = "pending"
	}
	s, u, changed, err := i.setStatus(id, status)
	if err != nil {
		return fmt.Errorf("clerkdev: SetPending: %w", err)
	}
	if changed && pending {
		i.emit("session.pending", sessionJSON(s, u))
	}
	return nil
}

func (i *Instance) setStatus(id, status string) (Session, User, bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s, ok := i.state.sessions[id]
	if !ok {
		return Session{}, User{}, false, fmt.Errorf("session %q: %w", id, ErrNotFound)
	}
	changed := s.live() && s.Status != status
	if changed {
		s.Status = status
		i.touch(s)
	}
	return *s, copyUser(*i.state.users[s.UserID]), changed, nil
}

// SetOrganization makes an organisation the active one of a session; "" is none.
func (i *Instance) SetOrganization(sessionID, organizationID string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	s, ok := i.state.sessions[sessionID]
	switch {
	case !ok:
		return fmt.Errorf("clerkdev: SetOrganization: session %q: %w", sessionID, ErrNotFound)
	case !s.live():
		return fmt.Errorf("clerkdev: SetOrganization: %w", ErrSessionEnded)
	case organizationID != "" && i.state.organizations[organizationID] == nil:
		return fmt.Errorf("clerkdev: SetOrganization: organization %q: %w", organizationID, ErrNotFound)
	case organizationID != "" && i.membership(s.UserID, organizationID) == nil:
		return fmt.Errorf("clerkdev: SetOrganization: organization %q: %w", organizationID, ErrNotMember)
	}
	s.OrganizationID = organizationID
	i.touch(s)
	return nil
}

// touch notes that a session changed, and with it the browser that has it, whose
// time __client_uat says. i.mu is held.
func (i *Instance) touch(s *Session) {
	s.UpdatedAt = i.now()
	for _, c := range i.state.clients {
		if c.sessionID == s.ID {
			c.updatedAt = s.UpdatedAt
			if !s.live() {
				c.sessionID = ""
			}
		}
	}
}

// live reports whether tokens can be minted for the session.
func (s *Session) live() bool { return s.Status == "active" || s.Status == "pending" }

// known reports whether this instance made the browser.
func (i *Instance) known(clientToken string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state.clients[clientToken] != nil
}

// signedIn returns the session of a browser.
func (i *Instance) signedIn(clientToken string) (Session, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.state.clients[clientToken]
	if c == nil || i.state.sessions[c.sessionID] == nil {
		return Session{}, false
	}
	return *i.state.sessions[c.sessionID], true
}

// clientUpdated is when a browser's sessions changed last, in Unix seconds.
func (i *Instance) clientUpdated(clientToken string) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c := i.state.clients[clientToken]; c != nil {
		return c.updatedAt.Unix()
	}
	return 0
}

// speaker is everything that a token says about who holds it.
type speaker struct {
	session      Session
	user         User
	organization *Organization // nil when none is active
	membership   Membership    // zero without an organisation
	actorSession string        // a session of the actor; "" when there is none
}

// speaker copies out who a live session belongs to. A membership that is gone
// takes the organisation with it.
func (i *Instance) speaker(sessionID string) (speaker, error) {
	return i.speakerIn(sessionID, nil)
}

// speakerIn is speaker in another organisation than the active one; "" is none, and
// nil the active one.
func (i *Instance) speakerIn(sessionID string, organizationID *string) (speaker, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s, ok := i.state.sessions[sessionID]
	if !ok {
		return speaker{}, fmt.Errorf("session %q: %w", sessionID, ErrNotFound)
	}
	if !s.live() {
		return speaker{}, fmt.Errorf("session %q: %w", sessionID, ErrSessionEnded)
	}
	who := speaker{session: *s, user: copyUser(*i.state.users[s.UserID])}
	active := s.OrganizationID
	if organizationID != nil {
		active = *organizationID
	}
	organization, m := i.state.organizations[active], i.membership(s.UserID, active)
	if organizationID != nil && active != "" && m == nil {
		return speaker{}, fmt.Errorf("organization %q: %w", active, ErrNotMember)
	}
	if organization != nil && m != nil {
		copied := copyOrganization(*organization)
		who.organization, who.membership = &copied, copyMembership(*m)
	}
	for _, other := range i.state.sessions {
		if s.Actor != "" && other.UserID == s.Actor && other.live() && other.ID > who.actorSession {
			who.actorSession = other.ID
		}
	}
	return who, nil
}

// refreshToken is what a backend renews the session's tokens with.
func (i *Instance) refreshToken(sessionID string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if s := i.state.sessions[sessionID]; s != nil {
		return s.refresh
	}
	return ""
}
