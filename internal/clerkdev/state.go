package clerkdev

import (
	"encoding/json"
	"time"
)

// state is everything an instance remembers, guarded by Instance.mu. Times are
// whole milliseconds, as Clerk's are.
type state struct {
	users         map[string]*User
	order         []string // of creation
	organizations map[string]*Organization
	memberships   map[string]*Membership
	sessions      map[string]*Session
	clients       map[string]*client // by development browser token, or by __client
	templates     map[string]*jwtTemplate
	tickets       map[string]*ticket     // by what is in them
	handshakes    map[string]handshake   // by nonce
	consumed      map[[32]byte]time.Time // expired tokens that were refreshed, with their iat
}

func newState() state {
	return state{
		users: map[string]*User{}, organizations: map[string]*Organization{}, memberships: map[string]*Membership{},
		sessions: map[string]*Session{}, clients: map[string]*client{}, templates: map[string]*jwtTemplate{},
		tickets: map[string]*ticket{}, handshakes: map[string]handshake{}, consumed: map[[32]byte]time.Time{},
	}
}

// User is a person. Metadata are JSON objects.
type User struct {
	ID         string
	ExternalID string
	Username   string
	FirstName  string
	LastName   string
	Email      string
	// Verified says that Clerk has seen the person read mail at Email.
	Verified        bool
	Banned, Locked  bool
	PublicMetadata  json.RawMessage
	PrivateMetadata json.RawMessage
	UnsafeMetadata  json.RawMessage
	CreatedAt       time.Time
	UpdatedAt       time.Time
	LastSignInAt    time.Time
}

// Organization is Clerk's own notion of one.
type Organization struct {
	ID             string
	Name           string
	Slug           string
	PublicMetadata json.RawMessage
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Membership makes a person a member of an organisation.
type Membership struct {
	ID             string
	UserID         string
	OrganizationID string
	Role           string   // "org:admin"
	Permissions    []string // "org:feature:permission"
	PublicMetadata json.RawMessage
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Session is one signed-in browser.
type Session struct {
	ID             string
	UserID         string
	OrganizationID string // active; "" is personal
	Status         string // "active", "pending", "ended", "removed", "revoked"
	Actor          string // user id of who impersonates; "" for nobody
	CreatedAt      time.Time
	UpdatedAt      time.Time

	client  string // id of the browser that has it
	refresh string // the value of __refresh, which dies with the session
}

// client is one browser: the sessions it has, and when they changed last.
type client struct {
	id        string
	token     string // the development browser token, or the value of __client
	sessionID string // last active; "" is signed out
	updatedAt time.Time
	attempt   *attempt // to sign in, that is open; nil when there is none
}

// jwtTemplate is a custom token of the Backend API.
type jwtTemplate struct {
	ID               string
	Name             string
	Claims           json.RawMessage
	Lifetime         int // seconds
	AllowedClockSkew int // seconds
	CreatedAt        time.Time
	UpdatedAt        time.Time
}
