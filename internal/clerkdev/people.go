package clerkdev

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Errors of the store.
var (
	ErrNotFound      = errors.New("not found")                        // an id that nothing has
	ErrSessionEnded  = errors.New("the session has ended")            // it was signed out, removed or revoked
	ErrSignInRefused = errors.New("the person may not sign in")       // banned or locked
	ErrNotMember     = errors.New("not a member of it")               // of the organisation that was to become active
	ErrInvalid       = errors.New("the value is not one Clerk takes") // metadata that is no object, a status that is none
)

// FullName is first and last name, "" when there is neither.
func (u User) FullName() string { return strings.TrimSpace(u.FirstName + " " + u.LastName) }

// AddUser stores a user and returns it with what was filled in: the times, an id
// if it is empty or taken, and {} for metadata that is not a JSON object. What
// goes in and comes out of the store are copies.
func (i *Instance) AddUser(u User) User {
	i.mu.Lock()
	if _, taken := i.state.users[u.ID]; u.ID == "" || taken {
		u.ID = newID("user")
	}
	for _, m := range []*json.RawMessage{&u.PublicMetadata, &u.PrivateMetadata, &u.UnsafeMetadata} {
		if !isObject(*m) {
			*m = json.RawMessage("{}")
		}
	}
	u.CreatedAt, u.UpdatedAt = i.now(), i.now()
	u = copyUser(u)
	i.state.users[u.ID] = &u
	i.state.order = append(i.state.order, u.ID)
	out := copyUser(u)
	i.mu.Unlock()
	i.emit("user.created", userJSON(out))
	return out
}

// AddOrganization stores an organisation, like [Instance.AddUser]; an empty slug
// is made of the name.
func (i *Instance) AddOrganization(o Organization) Organization {
	i.mu.Lock()
	if _, taken := i.state.organizations[o.ID]; o.ID == "" || taken {
		o.ID = newID("org")
	}
	if o.Slug == "" {
		o.Slug = slugOf(o.Name)
	}
	if !isObject(o.PublicMetadata) {
		o.PublicMetadata = json.RawMessage("{}")
	}
	o.CreatedAt, o.UpdatedAt = i.now(), i.now()
	o = copyOrganization(o)
	i.state.organizations[o.ID] = &o
	out := copyOrganization(o)
	i.mu.Unlock()
	i.emit("organization.created", organizationJSON(out))
	return out
}

// AddMembership makes a user a member of an organisation; both must exist. A
// second membership of the same two replaces the first one's role.
func (i *Instance) AddMembership(m Membership) (Membership, error) {
	stored, user, organization, created, err := i.putMembership(m)
	if err != nil {
		return Membership{}, fmt.Errorf("clerkdev: AddMembership: %w", err)
	}
	kind := "organizationMembership.updated"
	if created {
		kind = "organizationMembership.created"
	}
	i.emit(kind, membershipJSON(stored, user, organization))
	return stored, nil
}

func (i *Instance) putMembership(m Membership) (Membership, User, Organization, bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	user, organization := i.state.users[m.UserID], i.state.organizations[m.OrganizationID]
	if user == nil {
		return m, User{}, Organization{}, false, fmt.Errorf("user %q: %w", m.UserID, ErrNotFound)
	}
	if organization == nil {
		return m, User{}, Organization{}, false, fmt.Errorf("organization %q: %w", m.OrganizationID, ErrNotFound)
	}
	if !isObject(m.PublicMetadata) {
		m.PublicMetadata = json.RawMessage("{}")
	}
	m.CreatedAt, m.UpdatedAt = i.now(), i.now()
	before := i.membership(m.UserID, m.OrganizationID)
	if before != nil {
		m.ID, m.CreatedAt = before.ID, before.CreatedAt
	} else if _, taken := i.state.memberships[m.ID]; m.ID == "" || taken {
		m.ID = newID("orgmem")
	}
	m = copyMembership(m)
	i.state.memberships[m.ID] = &m
	return copyMembership(m), copyUser(*user), copyOrganization(*organization), before == nil, nil
}

// User returns one user.
func (i *Instance) User(id string) (User, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	u, ok := i.state.users[id]
	if !ok {
		return User{}, false
	}
	return copyUser(*u), true
}

// Users returns everybody in the order of creation.
func (i *Instance) Users() []User {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := make([]User, 0, len(i.state.order))
	for _, id := range i.state.order {
		list = append(list, copyUser(*i.state.users[id]))
	}
	return list
}

// UpdateUser changes a user in one step that nothing comes between; change must
// not call the Instance. Id and time of creation stay as they are, metadata must
// remain objects. A user who is banned loses every session, as at Clerk.
func (i *Instance) UpdateUser(id string, change func(*User)) (User, error) {
	u, err := i.changeUser(id, change)
	if err != nil {
		return User{}, fmt.Errorf("clerkdev: UpdateUser: %w", err)
	}
	i.emit("user.updated", userJSON(u))
	if u.Banned {
		for _, s := range i.Sessions(id) {
			_ = i.EndSession(s.ID, "revoked") // it exists and the status is one: no error is possible
		}
	}
	return u, nil
}

func (i *Instance) changeUser(id string, change func(*User)) (User, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	stored, ok := i.state.users[id]
	if !ok {
		return User{}, fmt.Errorf("user %q: %w", id, ErrNotFound)
	}
	u := copyUser(*stored)
	change(&u)
	if !isObject(u.PublicMetadata) || !isObject(u.PrivateMetadata) || !isObject(u.UnsafeMetadata) {
		return User{}, fmt.Errorf("metadata: %w", ErrInvalid)
	}
	u.ID, u.CreatedAt, u.UpdatedAt = stored.ID, stored.CreatedAt, i.now()
	*stored = copyUser(u)
	return copyUser(*stored), nil
}

// DeleteUser removes a user with the sessions and memberships of that user.
func (i *Instance) DeleteUser(id string) error {
	for _, s := range i.Sessions(id) {
		_ = i.EndSession(s.ID, "removed") // as in UpdateUser
	}
	i.mu.Lock()
	u, ok := i.state.users[id]
	if ok {
		delete(i.state.users, id)
		i.state.order = slices.DeleteFunc(i.state.order, func(other string) bool { return other == id })
		maps.DeleteFunc(i.state.memberships, func(_ string, m *Membership) bool { return m.UserID == id })
		maps.DeleteFunc(i.state.sessions, func(_ string, s *Session) bool { return s.UserID == id })
	}
	i.mu.Unlock()
	if !ok {
		return fmt.Errorf("clerkdev: DeleteUser: user %q: %w", id, ErrNotFound)
	}
	data := deletedJSON("user", id)
	if u.ExternalID != "" {
		data["external_id"] = u.ExternalID
	}
	i.emit("user.deleted", data)
	return nil
}

// organizationsOf lists the organisations of a user by id.
func (i *Instance) organizationsOf(userID string) []Organization {
	i.mu.Lock()
	defer i.mu.Unlock()
	var list []Organization
	for _, id := range sortedKeys(i.state.organizations) {
		if i.membership(userID, id) != nil {
			list = append(list, copyOrganization(*i.state.organizations[id]))
		}
	}
	return list
}

// membership returns what makes the user a member, nil when nothing does. i.mu
// is held.
func (i *Instance) membership(userID, organizationID string) *Membership {
	for _, m := range i.state.memberships {
		if m.UserID == userID && m.OrganizationID == organizationID {
			return m
		}
	}
	return nil
}

// now is the clock in whole milliseconds, as Clerk's times are.
func (i *Instance) now() time.Time { return i.cfg.Now().Truncate(time.Millisecond) }

func isObject(raw json.RawMessage) bool {
	_, err := decodeObject(raw)
	return err == nil
}

func copyUser(u User) User {
	u.PublicMetadata = slices.Clone(u.PublicMetadata)
	u.PrivateMetadata = slices.Clone(u.PrivateMetadata)
	u.UnsafeMetadata = slices.Clone(u.UnsafeMetadata)
	return u
}

func copyOrganization(o Organization) Organization {
	o.PublicMetadata = slices.Clone(o.PublicMetadata)
	return o
}

func copyMembership(m Membership) Membership {
	m.Permissions = slices.Clone(m.Permissions)
	m.PublicMetadata = slices.Clone(m.PublicMetadata)
	return m
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// slugOf is a name as it can stand in a path: "Acme, Inc." is "acme-inc".
func slugOf(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) || c > unicode.MaxASCII
	})
	return strings.Join(words, "-")
}
