package clerkdev

import "encoding/json"

// DefaultTemplate is a session-token customisation that carries the six product
// claims from public metadata.
const DefaultTemplate = `{
  "managerOSUserId": "{{user.public_metadata.managerOSUserId}}",
  "organizationId": "{{user.public_metadata.organizationId}}",
  "organizationName": "{{user.public_metadata.organizationName}}",
  "organizationSlug": "{{user.public_metadata.organizationSlug}}",
  "personId": "{{user.public_metadata.personId}}",
  "role": "{{user.public_metadata.role}}"
}`

// Demo adds four people of two organisations. One of them has no personId yet,
// one name and one organisation need to be encoded or quoted somewhere: what
// works for them works.
func Demo(i *Instance) {
	acme := i.AddOrganization(Organization{Name: "Acme, Inc.", Slug: "acme"})
	nord := i.AddOrganization(Organization{Name: "Nördlicht GmbH", Slug: "nordlicht"})
	read, manage := "org:people:read", "org:people:manage"
	for _, p := range []struct {
		first, last, username, role, number string

		in          Organization
		clerkRole   string
		permissions []string
		unlinked    bool
	}{
		{"Ada", "Okafor", "ada", "admin", "1001", acme, "org:admin", []string{read, manage, "org:billing:manage"}, false},
		{"Ben", "Carter", "ben", "employee", "1002", acme, "org:member", []string{read}, false},
		{"Zoë", "Müller", "zoe", "manager", "2001", nord, "org:admin", []string{read, manage}, false},
		{"Kenji", "Sato", "kenji", "employee", "2002", nord, "org:member", []string{read}, true},
	} {
		public := map[string]string{
			"managerOSUserId": "mos_user_" + p.number, "role": p.role,
			"organizationId": "mos_org_" + p.in.Slug, "organizationName": p.in.Name, "organizationSlug": p.in.Slug,
		}
		if !p.unlinked {
			public["personId"] = "person_" + p.number
		}
		raw, _ := json.Marshal(public) // strings only: cannot fail
		u := i.AddUser(User{
			FirstName: p.first, LastName: p.last, Username: p.username, Email: p.username + "@" + p.in.Slug + ".example",
			Verified: true, PublicMetadata: raw,
		})
		_, _ = i.AddMembership(Membership{ // both sides were added above
			UserID: u.ID, OrganizationID: p.in.ID, Role: p.clerkRole, Permissions: p.permissions,
		})
	}
}
