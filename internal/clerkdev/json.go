package clerkdev

import (
	"encoding/json"
	"strings"
	"time"
)

// These are Clerk's objects as the Backend API and the webhooks show them (Clerk's
// OpenAPI description of the Backend API, version 2026-05-12). Every key that is
// required there is here, null where the emulator knows nothing.

const sessionLife = 7 * 24 * time.Hour // Clerk's default

// userJSON is the User object.
func userJSON(u User) map[string]any {
	emails, primary := []any{}, any(nil)
	if u.Email != "" {
		emails, primary = []any{emailJSON(u)}, emailID(u)
	}
	return map[string]any{
		"object": "user", "id": u.ID, "external_id": textOrNull(u.ExternalID),
		"username": textOrNull(u.Username), "first_name": textOrNull(u.FirstName), "last_name": textOrNull(u.LastName),
		"locale": nil, "image_url": "", "profile_image_url": "", "has_image": false,
		"primary_email_address_id": primary, "primary_phone_number_id": nil, "primary_web3_wallet_id": nil,
		"email_addresses": emails, "phone_numbers": []any{}, "web3_wallets": []any{}, "passkeys": []any{},
		"external_accounts": []any{}, "saml_accounts": []any{}, "enterprise_accounts": []any{},
		"password_enabled": false, "two_factor_enabled": false, "totp_enabled": false, "backup_code_enabled": false,
		"mfa_enabled_at": nil, "mfa_disabled_at": nil, "password_last_updated_at": nil, "legal_accepted_at": nil,
		"public_metadata":  objectOrEmpty(u.PublicMetadata),
		"private_metadata": objectOrEmpty(u.PrivateMetadata),
		"unsafe_metadata":  objectOrEmpty(u.UnsafeMetadata),
		"banned":           u.Banned, "locked": u.Locked,
		"lockout_expires_in_seconds": nil, "verification_attempts_remaining": 100,
		"delete_self_enabled": true, "create_organization_enabled": true,
		"last_sign_in_at": millisOrNull(u.LastSignInAt), "last_active_at": millisOrNull(u.LastSignInAt),
		"created_at": u.CreatedAt.UnixMilli(), "updated_at": u.UpdatedAt.UnixMilli(),
	}
}

func emailJSON(u User) map[string]any {
	verification := any(nil)
	if u.Verified {
		verification = map[string]any{
			"object": "verification_admin", "status": "verified", "strategy": "admin", "attempts": nil, "expire_at": nil,
		}
	}
	return map[string]any{
		"object": "email_address", "id": emailID(u), "email_address": u.Email, "reserved": false,
		"verification": verification, "linked_to": []any{}, "matches_sso_connection": false,
		"created_at": u.CreatedAt.UnixMilli(), "updated_at": u.UpdatedAt.UnixMilli(),
	}
}

// emailID is made from the person's id: there is one address each.
func emailID(u User) string { return "idn_" + strings.TrimPrefix(u.ID, "user_") }

// sessionJSON is the Session object of a webhook, which has the user in it.
func sessionJSON(s Session, u User) map[string]any {
	o := bareSessionJSON(s)
	o["user"] = userJSON(u)
	return o
}

// bareSessionJSON is the Session object of the Backend API.
func bareSessionJSON(s Session) map[string]any {
	actor := any(nil)
	if s.Actor != "" {
		actor = map[string]any{"sub": s.Actor}
	}
	return map[string]any{
		"object": "session", "id": s.ID, "user_id": s.UserID, "client_id": clientID(s), "status": s.Status, "actor": actor,
		"last_active_organization_id": textOrNull(s.OrganizationID), "latest_activity": nil,
		"last_active_at": s.UpdatedAt.UnixMilli(),
		"expire_at":      s.CreatedAt.Add(sessionLife).UnixMilli(),
		"abandon_at":     s.CreatedAt.Add(30 * 24 * time.Hour).UnixMilli(),
		"created_at":     s.CreatedAt.UnixMilli(), "updated_at": s.UpdatedAt.UnixMilli(),
	}
}

// clientID is an id of its own: the browser's token is a secret.
func clientID(s Session) string { return s.client }

// membershipJSON is the OrganizationMembership object.
func membershipJSON(m Membership, u User, o Organization) map[string]any {
	permissions := m.Permissions
	if permissions == nil {
		permissions = []string{}
	}
	return map[string]any{
		"object": "organization_membership", "id": m.ID, "role": m.Role, "role_name": roleName(m.Role), "permissions": permissions,
		"public_metadata": objectOrEmpty(m.PublicMetadata), "private_metadata": json.RawMessage("{}"),
		"organization": organizationJSON(o),
		"public_user_data": map[string]any{
			"user_id": u.ID, "first_name": textOrNull(u.FirstName), "last_name": textOrNull(u.LastName),
			"image_url": "", "profile_image_url": "", "has_image": false, "banned": u.Banned,
			"identifier": textOrNull(identifier(u)), "username": textOrNull(u.Username),
		},
		"created_at": m.CreatedAt.UnixMilli(), "updated_at": m.UpdatedAt.UnixMilli(),
	}
}

// roleName is how a dashboard shows "org:billing_clerk": "Billing clerk".
func roleName(role string) string {
	name := strings.ReplaceAll(strings.TrimPrefix(role, "org:"), "_", " ")
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// identifier is what a person signs in with.
func identifier(u User) string {
	if u.Email != "" {
		return u.Email
	}
	return u.Username
}

// organizationJSON is the Organization object. 0 members means no limit.
func organizationJSON(o Organization) map[string]any {
	return map[string]any{
		"object": "organization", "id": o.ID, "name": o.Name, "slug": o.Slug, "image_url": "", "has_image": false,
		"max_allowed_memberships": 0, "admin_delete_enabled": true,
		"public_metadata": objectOrEmpty(o.PublicMetadata), "private_metadata": json.RawMessage("{}"),
		"created_at": o.CreatedAt.UnixMilli(), "updated_at": o.UpdatedAt.UnixMilli(),
	}
}

// deletedJSON is the DeletedObject.
func deletedJSON(object, id string) map[string]any {
	return map[string]any{"object": object, "id": id, "deleted": true}
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func millisOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func objectOrEmpty(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return raw
}
