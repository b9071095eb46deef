package clerkdev

import (
	"cmp"
	"net/http"
	"slices"
)

func (b *backend) memberships() {
	const all, one = "/v1/organizations/{organization}/memberships", "/v1/organizations/{organization}/memberships/{user}"
	b.handle("GET "+all, b.listMemberships)
	b.handle("POST "+all, b.createMembership)
	b.handle("PATCH "+one, b.updateMembership)
	b.handle("DELETE "+one, b.deleteMembership)
	b.handle("PATCH "+one+"/metadata", func(r *http.Request) (any, error) { return b.membershipMetadata(r, true) })
	b.handle("PUT "+one+"/metadata", func(r *http.Request) (any, error) { return b.membershipMetadata(r, false) })
}

func (b *backend) showMembership(m Membership) map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	shown := b.memberJSON(m)
	shown["private_metadata"] = objectOrEmpty(b.private[m.ID].metadata)
	return shown
}

// memberJSON is the membership with who and where in it; called with mu held.
func (b *backend) memberJSON(m Membership) map[string]any {
	var u User
	var o Organization
	if found := b.state.users[m.UserID]; found != nil {
		u = *found
	}
	if found := b.state.organizations[m.OrganizationID]; found != nil {
		o = *found
	}
	return membershipJSON(m, u, o)
}

// membershipsOf are those of a person, of an organisation or of both, oldest first.
func (b *backend) membershipsOf(user, organization string) []Membership {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Membership
	for _, m := range b.state.memberships {
		if (user == "" || m.UserID == user) && (organization == "" || m.OrganizationID == organization) {
			all = append(all, copyMembership(*m))
		}
	}
	slices.SortFunc(all, func(a, b Membership) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	return all
}

func (b *backend) organizationIDs(user string) []string {
	var ids []string
	for _, m := range b.membershipsOf(user, "") {
		ids = append(ids, m.OrganizationID)
	}
	return ids
}

// members are the ids of an organisation's people.
func (b *backend) members(organization string) []string {
	var ids []string
	for _, m := range b.membershipsOf("", organization) {
		ids = append(ids, m.UserID)
	}
	return ids
}

// memberOf finds a person's membership of an organisation by id or slug.
func (b *backend) memberOf(organization, user string) (Membership, error) {
	o, err := b.organization(organization)
	if err != nil {
		return Membership{}, err
	}
	all := b.membershipsOf(user, o.ID)
	if user == "" || len(all) == 0 {
		return Membership{}, refuse(http.StatusNotFound, "resource_not_found", "not found", "Organization membership not found")
	}
	return all[0], nil
}

func (b *backend) listMemberships(r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := readPage(q)
	if err != nil {
		return nil, err
	}
	o, err := b.organization(r.PathValue("organization"))
	if err != nil {
		return nil, err
	}
	users, err := filters(q, "user_id")
	if err != nil {
		return nil, err
	}
	roles, err := filters(q, "role")
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(b.membershipsOf("", o.ID), func(m Membership) bool {
		return !passes(users, signed, []string{m.UserID}) || !passes(roles, unsigned, []string{m.Role})
	})
	name, minus := signed(cmp.Or(q.Get("order_by"), "-created_at"))
	if name != "created_at" {
		return nil, errValue("order_by", q.Get("order_by"), "created_at")
	}
	if minus {
		slices.Reverse(all)
	}
	return paginated(p, all, b.showMembership), nil
}

func (b *backend) listUserMemberships(r *http.Request) (any, error) {
	p, err := readPage(r.URL.Query())
	if err != nil {
		return nil, err
	}
	u, err := b.user(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	all := b.membershipsOf(u.ID, "")
	slices.Reverse(all)
	return paginated(p, all, b.showMembership), nil
}

// role finds a role and what it permits. The roles are Clerk's two and those that
// somebody in the emulator has.
func (b *backend) role(name string) (string, []string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.state.memberships {
		if m.Role == name {
			return name, slices.Clone(m.Permissions), nil
		}
	}
	switch name {
	case "org:admin":
		return name, []string{
			"org:sys_profile:manage", "org:sys_profile:delete", "org:sys_memberships:read",
			"org:sys_memberships:manage", "org:sys_domains:read", "org:sys_domains:manage",
		}, nil
	case "org:member":
		return name, []string{"org:sys_memberships:read"}, nil
	}
	r := refuse(http.StatusNotFound, "resource_not_found", "not found", "Organization role not found")
	r.problems[0].Meta["param_name"] = "role"
	return "", nil, r
}

func (b *backend) createMembership(r *http.Request) (any, error) {
	f, err := readBody(r, "user_id", "role", "public_metadata", "private_metadata")
	if err != nil {
		return nil, err
	}
	o, err := b.organization(r.PathValue("organization"))
	if err != nil {
		return nil, err
	}
	m, more := Membership{OrganizationID: o.ID}, hidden{}
	f.require("user_id", "role")
	f.text("user_id", &m.UserID)
	f.text("role", &m.Role)
	if err := f.writeMetadata(false, membershipFields(&m, &more)...); err != nil {
		return nil, err
	}
	if _, err := b.user(m.UserID); err != nil {
		return nil, err
	}
	if m.Role, m.Permissions, err = b.role(m.Role); err != nil {
		return nil, err
	}
	b.creating.Lock()
	defer b.creating.Unlock()
	if len(b.membershipsOf(m.UserID, o.ID)) > 0 {
		return nil, refuse(http.StatusBadRequest, "already_a_member_in_organization", "already a member",
			"User is already a member of the organization.")
	}
	if m, err = b.AddMembership(m); err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.private[m.ID] = more
	b.mu.Unlock()
	return b.showMembership(m), nil
}

func membershipFields(m *Membership, more *hidden) []metadataField {
	return []metadataField{{"public_metadata", &m.PublicMetadata}, {"private_metadata", &more.metadata}}
}

func (b *backend) updateMembership(r *http.Request) (any, error) {
	return b.amendMembership(r, []string{"role"}, func(f *form, m *Membership, _ *hidden) error {
		f.require("role")
		f.text("role", &m.Role)
		if err := f.err(); err != nil {
			return err
		}
		var err error
		m.Role, m.Permissions, err = b.role(m.Role)
		return err
	})
}

func (b *backend) membershipMetadata(r *http.Request, merge bool) (any, error) {
	return b.amendMembership(r, organizationMetadata, func(f *form, m *Membership, more *hidden) error {
		return f.writeMetadata(merge, membershipFields(m, more)...)
	})
}

// amendMembership is amendOrganization for a membership.
func (b *backend) amendMembership(r *http.Request, allowed []string, change func(*form, *Membership, *hidden) error) (any, error) {
	b.creating.Lock()
	defer b.creating.Unlock()
	m, err := b.memberOf(r.PathValue("organization"), r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	if err := b.limits.take("write "+m.ID, metadataLimit); err != nil {
		return nil, err
	}
	f, err := readBody(r, allowed...)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	more := b.private[m.ID]
	b.mu.Unlock()
	if err := change(f, &m, &more); err != nil {
		return nil, err
	}
	m.UpdatedAt = b.now()
	b.mu.Lock()
	for _, stored := range b.state.memberships {
		if stored.ID == m.ID {
			*stored = m
		}
	}
	b.private[m.ID] = more
	b.mu.Unlock()
	shown := b.showMembership(m)
	b.emit("organizationMembership.updated", shown)
	return shown, nil
}

func (b *backend) deleteMembership(r *http.Request) (any, error) {
	m, err := b.memberOf(r.PathValue("organization"), r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	return b.removeMembership(m), nil
}

// removeMembership also makes the person's sessions in the organisation personal.
func (b *backend) removeMembership(m Membership) map[string]any {
	shown := b.showMembership(m)
	b.mu.Lock()
	for key, stored := range b.state.memberships {
		if stored.ID == m.ID {
			delete(b.state.memberships, key)
		}
	}
	delete(b.private, m.ID)
	for _, s := range b.state.sessions {
		if s.UserID == m.UserID && s.OrganizationID == m.OrganizationID {
			s.OrganizationID = ""
			b.touch(s)
		}
	}
	b.mu.Unlock()
	b.emit("organizationMembership.deleted", shown)
	return shown
}
