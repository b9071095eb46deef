package clerkdev

import (
	"net/http"
	"net/url"
	"time"
)

// ticketLife is Clerk's default for a sign-in token, in seconds.
const ticketLife = 30 * 24 * 60 * 60

// ticket signs one person in once (Clerk's sign-in token).
type ticket struct {
	id, userID, status string // "pending", "accepted" or "revoked"
	madeAt, until      time.Time
	changedAt          time.Time
}

func (b *backend) signInTokens() {
	b.handle("POST /v1/sign_in_tokens", b.createSignInToken)
	b.handle("POST /v1/sign_in_tokens/{token}/revoke", b.revokeSignInToken)
}

func (b *backend) createSignInToken(r *http.Request) (any, error) {
	f, err := readBody(r, "user_id", "expires_in_seconds")
	if err != nil {
		return nil, err
	}
	f.require("user_id")
	userID, seconds := "", ticketLife
	f.text("user_id", &userID)
	if f.has("expires_in_seconds") {
		f.number("expires_in_seconds", 1, longestToken, &seconds)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if _, err := b.user(userID); err != nil {
		return nil, err
	}
	token := randomText(40)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	t := &ticket{id: newID("sit"), userID: userID, status: "pending", madeAt: now, until: now.Add(time.Duration(seconds) * time.Second), changedAt: now}
	b.state.tickets[token] = t
	return ticketJSON(*t, token), nil
}

// revokeSignInToken does so by id.
func (b *backend) revokeSignInToken(r *http.Request) (any, error) {
	id := r.PathValue("token")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.state.tickets {
		if t.id != id {
			continue
		}
		if t.status != "pending" {
			return nil, refuse(http.StatusBadRequest, "sign_in_token_cannot_be_revoked_code", "sign in token cannot be revoked",
				"Only a pending sign in token can be revoked; this one is "+t.status+".")
		}
		t.status, t.changedAt = "revoked", b.now()
		return ticketJSON(*t, ""), nil
	}
	return nil, errNotFound("sign in token", id)
}

// takeTicket returns whom the ticket is for, once.
func (i *Instance) takeTicket(token string) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.state.tickets[token]
	switch {
	case t == nil:
		return "", errTicket("ticket_invalid_code", "ticket is invalid")
	case t.status == "accepted":
		return "", errTicket("sign_in_token_already_used_code", "This sign in token has already been used.")
	case t.status == "revoked":
		return "", errTicket("sign_in_token_revoked_code", "This sign in token has been revoked.")
	case i.now().After(t.until):
		return "", errTicket("ticket_expired_code", "This ticket has expired and cannot be used anymore.")
	}
	t.status, t.changedAt = "accepted", i.now()
	return t.userID, nil
}

func errTicket(code, message string) *refusal {
	return refuse(http.StatusBadRequest, code, message, message)
}

// ticketJSON is the SignInToken object. Its address is a page of the emulator,
// without an origin, which the Backend API does not know.
func ticketJSON(t ticket, token string) map[string]any {
	address := any(nil)
	if token != "" {
		address = SignInPath + "?__clerk_ticket=" + url.QueryEscape(token)
	}
	return map[string]any{
		"object": "sign_in_token", "id": t.id, "user_id": t.userID, "status": t.status,
		"token": textOrNull(token), "url": address,
		"created_at": t.madeAt.UnixMilli(), "updated_at": t.changedAt.UnixMilli(),
	}
}
