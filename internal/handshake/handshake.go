// Package handshake is Clerk's state machine for browsers (clerk.md, 2): what to
// do about a session that is stale, missing or not yet here. It is pure. [Step]
// says what is to be found out next, or how the request ends; whoever asks finds
// it out, writes it into the Input and asks again.
//
// The transitions are one table, in table.go, and docs/handshake.md is drawn
// from it.
package handshake

import "github.com/manageros/authproxy"

// Input is everything that is known about one request. The facts of the third
// group are found out on the way; nil is not known yet.
type Input struct {
	// AsClerk follows @clerk/backend to the letter, looseness included. Tests set
	// it to compare with that SDK; there is no setting for it.
	AsClerk bool

	Development bool // a development instance: browser tokens and query forms
	Satellite   bool // the host is a satellite domain
	AutoSync    bool // a satellite asks the primary on the first visit, too

	GET        bool
	Document   bool // Sec-Fetch-Dest says document
	Navigation bool // may be answered with a redirect
	MayRefresh bool // no other site made the browser send it
	Count      int  // handshakes since one came to an end

	Bearer             bool // the Authorization header holds the token
	Token              bool // there is a session token
	ClientUAT          int64
	DevBrowser         bool
	DevBrowserInQuery  bool
	RedirectURLInQuery bool   // __clerk_redirect_url, and it may be followed
	Synced             string // __clerk_synced
	RefreshToken       bool
	BackendAPI         bool // there is a client for Clerk's Backend API
	Returning          bool // a handshake's payload, or its nonce, is there and may be looked at
	Tidy               bool // the address shows traces of a handshake, and the browser keeps cookies
	CrossOriginReferer bool // a page of another site, none of Clerk's, links here

	Payload   *Payload   // what came back from the handshake
	Returned  *Verdict   // about the session in the payload
	Verdict   *Verdict   // about the token
	Refreshed *Refreshed // what Clerk's Backend API made of the token
	// OrganizationMismatch says that the path is of another organisation than the
	// session; known with the Verdict.
	OrganizationMismatch bool
}

// Payload is what a handshake brought.
type Payload struct {
	Refusal *authproxy.Refusal // it cannot be used; nil: it can
	Token   bool               // it came as a signed token, not as a nonce
	Session bool               // it holds a session; else it says that nobody is signed in
}

// Verdict is what verifying a token came to.
type Verdict struct {
	Refusal *authproxy.Refusal // nil: signed in
	Pending bool               // signed in, but a task is open
}

// Refreshed is what asking for a fresh token came to.
type Refreshed struct {
	Refusal *authproxy.Refusal // with the reason of an expired token; nil: a fresh one is there
}

// Do is what to do next.
type Do string

// What to find out next.
const (
	OpenPayload   Do = "open the payload"           // fills Input.Payload
	VerifyPayload Do = "verify the payload's token" // fills Input.Returned
	VerifyToken   Do = "verify the token"           // fills Input.Verdict
	RefreshToken  Do = "refresh the token"          // fills Input.Refreshed
)

// How a request ends.
const (
	SignedIn   Do = "signed in"
	SignedOut  Do = "signed out"
	Redirect   Do = "redirect"                  // to [Location], where the session is renewed
	ToCleanURL Do = "redirect to the clean URL" // the handshake is over, and its traces go
	Explain    Do = "explain"                   // too many handshakes, or one that can never work
)

// Ends reports whether nothing is left to be found out.
func (d Do) Ends() bool {
	switch d {
	case OpenPayload, VerifyPayload, VerifyToken, RefreshToken:
		return false
	default:
		return true
	}
}

// Carrier says whose session was accepted.
type Carrier string

// The carriers of a session.
const (
	InToken   Carrier = "token" // that the browser or program presented
	InPayload Carrier = "payload"
	InRefresh Carrier = "refresh"
)

// Action is the answer of [Step].
type Action struct {
	Do Do
	// Refusal is why the session is not there or not good enough; nil when there
	// is nothing to say.
	Refusal *authproxy.Refusal
	Session Carrier // what to take the session, or the news that there is none, from
}

// MaxHandshakes is how many may follow each other before a page explains what
// is probably wrong.
const MaxHandshakes = 3

// Step follows the table from its beginning to the first thing that has to be
// found out, or to the end.
func Step(in *Input) Action {
	at, why := begin, (*authproxy.Refusal)(nil)
	for {
		t := next(at, in)
		if t.why != nil {
			why = t.why(in)
		}
		if t.do != "" {
			return Action{Do: t.do, Refusal: why, Session: carrier(at)}
		}
		at = t.to
	}
}

func carrier(at state) Carrier {
	switch at {
	case returned:
		return InPayload
	case stale:
		return InRefresh
	default:
		return InToken
	}
}
