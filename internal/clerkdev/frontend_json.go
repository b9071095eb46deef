package clerkdev

import (
	"errors"
	"maps"
	"net/http"
	"time"
)

// These are Clerk's objects as the Frontend API shows them (clerk-frontend.md, 3.1).
// They differ from the Backend API's in that nothing private is in them.

// clientJSON is the browser; nil when there is nothing to say of it.
func (b *browser) clientJSON() any {
	c, s, u, signedIn := b.i.clientState(b.token)
	if c == nil || !signedIn && c.attempt == nil {
		return nil
	}
	sessions, last := []any{}, any(nil)
	if signedIn {
		sessions, last = append(sessions, b.sessionJSON(s, u)), s.ID
	}
	signIn := any(nil)
	if c.attempt != nil {
		signIn = b.i.attemptJSON(*c.attempt)
	}
	return map[string]any{
		"object": "client", "id": c.id, "sessions": sessions, "sign_in": signIn, "sign_up": nil,
		"last_active_session_id": last, "last_authentication_strategy": nil, "cookie_expires_at": nil,
		"captcha_bypass": false, "created_at": c.updatedAt.UnixMilli(), "updated_at": c.updatedAt.UnixMilli(),
	}
}

// clientState copies out a browser and its session.
func (i *Instance) clientState(token string) (c *client, s Session, u User, signedIn bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	stored := i.state.clients[token]
	if stored == nil {
		return nil, Session{}, User{}, false
	}
	copied := *stored
	if stored.attempt != nil {
		attempt := *stored.attempt
		copied.attempt = &attempt
	}
	session := i.state.sessions[stored.sessionID]
	if session == nil || i.state.users[session.UserID] == nil {
		return &copied, Session{}, User{}, false
	}
	return &copied, *session, copyUser(*i.state.users[session.UserID]), true
}

// sessionJSON has a fresh token in it, so that clerk-js need not ask for one.
func (b *browser) sessionJSON(s Session, u User) map[string]any {
	o := bareSessionJSON(s)
	token, tasks := any(nil), any(nil)
	if minted, err := b.i.MintToken(s.ID, b.origin()); err == nil { // none for one that has ended
		token = map[string]any{"object": "token", "jwt": minted.JWT}
	}
	if s.Status == "pending" {
		tasks = []any{map[string]any{"key": "choose-organization"}}
	}
	maps.Copy(o, map[string]any{
		"last_active_token": token, "tasks": tasks, "user": b.i.ownUserJSON(u), "public_user_data": publicUserJSON(u),
		"factor_verification_age": []int{minutesSince(s.CreatedAt.Truncate(time.Second), b.i.now().Truncate(time.Second)), -1},
	})
	return o
}

// ownUserJSON is what a person may see of themselves.
func (i *Instance) ownUserJSON(u User) map[string]any {
	o := userJSON(u)
	delete(o, "private_metadata")
	o["organization_memberships"] = i.memberships(u.ID)
	return o
}

func publicUserJSON(u User) map[string]any {
	return map[string]any{
		"user_id": u.ID, "first_name": textOrNull(u.FirstName), "last_name": textOrNull(u.LastName),
		"image_url": "", "has_image": false, "identifier": textOrNull(identifier(u)), "username": textOrNull(u.Username),
	}
}

// forBrowser takes what is private out of a membership.
func forBrowser(membership map[string]any, members int) map[string]any {
	delete(membership, "private_metadata")
	if o, ok := membership["organization"].(map[string]any); ok {
		delete(o, "private_metadata")
		o["members_count"], o["pending_invitations_count"] = members, 0
	}
	return membership
}

// environment is what clerk-js wants to know of the instance.
func (c *call) environment() (any, error) {
	kind, origin := "development", c.origin()
	if c.i.cfg.Production {
		kind = "production"
	}
	signIn := origin + SignInPath
	return map[string]any{
		"object": "environment", "id": c.i.InstanceID(),
		"auth_config": map[string]any{"object": "auth_config", "single_session_mode": true, "claimed_at": nil, "reverification": false, "session_minter": false},
		"display_config": map[string]any{
			"object": "display_config", "instance_environment_type": kind, "application_name": "authproxy dev", "branded": false,
			"home_url": origin + "/", "sign_in_url": signIn, "sign_up_url": signIn, "after_sign_in_url": origin + "/", "after_sign_up_url": origin + "/",
			"after_sign_out_one_url": origin + "/", "after_sign_out_all_url": origin + "/", "user_profile_url": origin + "/",
			"organization_profile_url": origin + "/", "create_organization_url": origin + "/", "after_switch_session_url": origin + "/",
		},
		"user_settings": userSettingsJSON(),
		"organization_settings": map[string]any{
			"enabled": true, "force_organization_selection": false, "max_allowed_memberships": 0,
			"actions": map[string]any{"admin_delete": true}, "domains": map[string]any{"enabled": false, "enrollment_modes": []any{}},
		},
		"api_keys_settings": map[string]any{"user_api_keys_enabled": false, "orgs_api_keys_enabled": false},
		"maintenance_mode":  false, "client_debug_mode": false, "partitioned_cookies": false,
	}, nil
}

func userSettingsJSON() map[string]any {
	attribute := func(first bool) map[string]any {
		return map[string]any{"enabled": true, "required": false, "used_for_first_factor": first, "first_factors": []any{}, "used_for_second_factor": false, "second_factors": []any{}, "verifications": []any{}, "verify_at_sign_up": false}
	}
	return map[string]any{
		"attributes": map[string]any{"email_address": attribute(true), "username": attribute(true), "password": attribute(false)},
		"social":     map[string]any{}, "saml": map[string]any{"enabled": false},
		"sign_in": map[string]any{"second_factor": map[string]any{"required": false}},
		"sign_up": map[string]any{"captcha_enabled": false, "progressive": true, "mode": "restricted"},
		"actions": map[string]any{"delete_self": true, "create_organization": true},
	}
}

// asFrontend is the refusal of what the store does not do.
func asFrontend(err error) error {
	var known *refusal
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, ErrSessionEnded):
		return errSignedOut()
	case errors.Is(err, ErrNotMember), errors.Is(err, ErrNotFound):
		return errNotMember()
	case errors.Is(err, ErrSignInRefused):
		return refuse(http.StatusForbidden, "user_locked", "User is locked", "Your account is banned or locked.")
	default:
		return err
	}
}
