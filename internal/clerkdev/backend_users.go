package clerkdev

import (
	"errors"
	"net/http"
	"net/mail"
	"slices"
	"strings"
)

// What the API takes for a person. The emulator has no passwords, pictures and
// second factors: what Clerk would take and it has no use for is taken and
// forgotten. Telephone numbers and wallets are refused in the words Clerk has for
// identifiers that an instance does not use.
var (
	userNames    = []string{"external_id", "first_name", "last_name", "username"}
	userMetadata = []string{"public_metadata", "private_metadata", "unsafe_metadata"}
	userUnused   = []string{
		"backup_codes", "bypass_client_trust", "create_organization_enabled", "create_organizations_limit", "created_at",
		"delete_self_enabled", "legal_accepted_at", "locale", "password", "password_digest", "password_hasher",
		"skip_legal_checks", "skip_password_checks", "totp_secret",
	}
	userCreation = slices.Concat(userNames, userMetadata, userUnused, []string{
		"banned", "email_address", "email_address_identification_status", "locked", "skip_password_requirement", "skip_user_requirement",
	})
	userChange = slices.Concat(userNames, userMetadata, userUnused, []string{
		"notify_primary_email_address_changed", "primary_email_address_id", "profile_image_id", "sign_out_of_other_sessions",
	})
)

func (b *backend) users() {
	b.handle("GET /v1/users", b.listUsers)
	b.handle("GET /v1/users/count", b.countUsers)
	b.handle("POST /v1/users", b.createUser)
	b.handle("GET /v1/users/{user}", b.getUser)
	b.handle("PATCH /v1/users/{user}", b.updateUser)
	b.handle("DELETE /v1/users/{user}", b.deleteUser)
	b.handle("PATCH /v1/users/{user}/metadata", func(r *http.Request) (any, error) { return b.userMetadata(r, true) })
	b.handle("PUT /v1/users/{user}/metadata", func(r *http.Request) (any, error) { return b.userMetadata(r, false) })
	b.handle("POST /v1/users/{user}/ban", b.mark(func(u *User) { u.Banned = true }))
	b.handle("POST /v1/users/{user}/unban", b.mark(func(u *User) { u.Banned = false }))
	b.handle("POST /v1/users/{user}/lock", b.mark(func(u *User) { u.Locked = true }))
	b.handle("POST /v1/users/{user}/unlock", b.mark(func(u *User) { u.Locked = false }))
	b.handle("GET /v1/users/{user}/organization_memberships", b.listUserMemberships)
}

func (b *backend) getUser(r *http.Request) (any, error) {
	u, err := b.user(r.PathValue("user"))
	return userJSON(u), err
}

func (b *backend) user(id string) (User, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u, ok := b.state.users[id]
	if !ok {
		return User{}, errNotFound("user", id)
	}
	return copyUser(*u), nil
}

func (b *backend) createUser(r *http.Request) (any, error) {
	f, err := readBody(r, userCreation...)
	if err != nil {
		return nil, err
	}
	b.creating.Lock()
	defer b.creating.Unlock()
	u := User{}
	f.names(&u)
	f.flag("banned", &u.Banned)
	f.flag("locked", &u.Locked)
	f.email(&u)
	if u.Email == "" && u.Username == "" && !f.has("skip_user_requirement") && f.wrong == nil {
		f.refuse(refuse(http.StatusUnprocessableEntity, "form_data_missing", "missing data",
			`["email_address"] data doesn't match user requirements set for this instance`))
	}
	b.mu.Lock()
	b.checkUnique(f, u)
	b.mu.Unlock()
	if err := f.writeMetadata(false, u.metadata()...); err != nil {
		return nil, err
	}
	return userJSON(b.AddUser(u)), nil
}

func (f *form) names(u *User) {
	f.text("external_id", &u.ExternalID)
	f.text("first_name", &u.FirstName)
	f.text("last_name", &u.LastName)
	f.text("username", &u.Username)
}

// email takes the one address a person of the emulator can have. An address that a
// backend gives counts as verified, unless it says otherwise.
func (f *form) email(u *User) {
	var addresses []string
	take(f, "email_address", "array", &addresses)
	if len(addresses) > 1 {
		f.refuse(errTooManyValues("email_address", 1))
	}
	if len(addresses) != 1 {
		return
	}
	if a, err := mail.ParseAddress(addresses[0]); err != nil || a.Address != addresses[0] {
		f.refuse(wrong("email_address", "form_param_format_invalid", "is invalid", "email_address must be a valid email address."))
		return
	}
	status := "verified"
	f.text("email_address_identification_status", &status)
	u.Email, u.Verified = strings.ToLower(addresses[0]), status == "verified"
}

// metadata is where a person's metadata are.
func (u *User) metadata() []metadataField {
	return []metadataField{
		{"public_metadata", &u.PublicMetadata}, {"private_metadata", &u.PrivateMetadata}, {"unsafe_metadata", &u.UnsafeMetadata},
	}
}

// checkUnique is called with mu held.
func (b *backend) checkUnique(f *form, u User) {
	for _, other := range b.state.users {
		if other.ID == u.ID {
			continue
		}
		for _, same := range []struct{ param, a, b string }{
			{"email_address", u.Email, strings.ToLower(other.Email)},
			{"username", u.Username, other.Username},
			{"external_id", u.ExternalID, other.ExternalID},
		} {
			if same.a != "" && same.a == same.b {
				f.refuse(errTaken(same.param))
			}
		}
	}
}

// updateUser is PATCH, which has taken no metadata since version 2026-05-12.
func (b *backend) updateUser(r *http.Request) (any, error) {
	u, err := b.user(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	if err := b.limits.take("write "+u.ID, metadataLimit); err != nil {
		return nil, err
	}
	f, err := readBody(r, userChange...)
	if err != nil {
		return nil, err
	}
	for _, name := range userMetadata {
		if f.has(name) {
			f.refuse(wrong(name, "form_param_deprecated", "is deprecated",
				name+" is deprecated. Use PATCH /v1/users/{user_id}/metadata to merge or PUT /v1/users/{user_id}/metadata to replace."))
		}
	}
	return b.amendUser(u.ID, func(u *User) error {
		f.names(u)
		primary := emailID(*u)
		if f.text("primary_email_address_id", &primary); primary != emailID(*u) {
			f.refuse(wrong("primary_email_address_id", "form_resource_not_found", "is missing",
				"The resource associated with the supplied primary_email_address_id was not found."))
		}
		b.checkUnique(f, *u)
		return f.err()
	})
}

func (b *backend) userMetadata(r *http.Request, merge bool) (any, error) {
	u, err := b.user(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	if err := b.limits.take("write "+u.ID, metadataLimit); err != nil {
		return nil, err
	}
	f, err := readBody(r, userMetadata...)
	if err != nil {
		return nil, err
	}
	return b.amendUser(u.ID, func(u *User) error { return f.writeMetadata(merge, u.metadata()...) })
}

// amendUser changes a person, or nothing when change says no. change runs with mu
// held, so that a merge is of what is there.
func (b *backend) amendUser(id string, change func(*User) error) (map[string]any, error) {
	b.mu.Lock()
	u, ok := b.state.users[id]
	if !ok {
		b.mu.Unlock()
		return nil, errNotFound("user", id)
	}
	changed := copyUser(*u)
	if err := change(&changed); err != nil {
		b.mu.Unlock()
		return nil, err
	}
	changed.UpdatedAt = b.now()
	*u = copyUser(changed)
	b.mu.Unlock()
	b.emit("user.updated", userJSON(changed))
	return userJSON(changed), nil
}

// mark is a change of flags. Banning also revokes every session; a lock only keeps
// new ones from starting.
func (b *backend) mark(change func(*User)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		id := r.PathValue("user")
		u, err := b.UpdateUser(id, change)
		if errors.Is(err, ErrNotFound) {
			return nil, errNotFound("user", id)
		}
		return userJSON(u), err
	}
}

func (b *backend) deleteUser(r *http.Request) (any, error) {
	u, err := b.user(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	if err := b.DeleteUser(u.ID); err != nil {
		return nil, err
	}
	deleted := deletedJSON("user", u.ID)
	if u.ExternalID != "" {
		deleted["external_id"] = u.ExternalID
	}
	return deleted, nil
}
