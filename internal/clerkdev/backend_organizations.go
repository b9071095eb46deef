package clerkdev

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	organizationMetadata = []string{"public_metadata", "private_metadata"}
	organizationCreation = slices.Concat(organizationMetadata, []string{"name", "slug", "created_by", "max_allowed_memberships", "created_at"})
	organizationChange   = slices.Concat(organizationMetadata, []string{"name", "slug", "max_allowed_memberships", "admin_delete_enabled", "created_at"})
)

func (b *backend) organizations() {
	b.handle("GET /v1/organizations", b.listOrganizations)
	b.handle("POST /v1/organizations", b.createOrganization)
	b.handle("GET /v1/organizations/{organization}", b.getOrganization)
	b.handle("PATCH /v1/organizations/{organization}", b.updateOrganization)
	b.handle("DELETE /v1/organizations/{organization}", b.deleteOrganization)
	b.handle("PATCH /v1/organizations/{organization}/metadata", func(r *http.Request) (any, error) { return b.organizationMetadata(r, true) })
	b.handle("PUT /v1/organizations/{organization}/metadata", func(r *http.Request) (any, error) { return b.organizationMetadata(r, false) })
	b.memberships()
}

// showOrganization adds what only the Backend API shows.
func (b *backend) showOrganization(o Organization) map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	shown, more := organizationJSON(o), b.private[o.ID]
	shown["private_metadata"] = objectOrEmpty(more.metadata)
	shown["max_allowed_memberships"] = more.seats
	if more.createdBy != "" {
		shown["created_by"] = more.createdBy
	}
	return shown
}

// organization finds one by id or by slug.
func (b *backend) organization(name string) (Organization, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.state.organizations {
		if o.ID == name || o.Slug == name && name != "" {
			return copyOrganization(*o), nil
		}
	}
	return Organization{}, errNotFound("organization", name)
}

func (b *backend) getOrganization(r *http.Request) (any, error) {
	o, err := b.organization(r.PathValue("organization"))
	if err != nil {
		return nil, err
	}
	shown := b.showOrganization(o)
	if r.URL.Query().Get("include_members_count") == "true" {
		shown["members_count"] = len(b.membershipsOf("", o.ID))
	}
	return shown, nil
}

func (b *backend) listOrganizations(r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := readPage(q)
	if err != nil {
		return nil, err
	}
	all, err := b.wantedOrganizations(q)
	if err != nil {
		return nil, err
	}
	return paginated(p, all, func(o Organization) map[string]any {
		shown := b.showOrganization(o)
		if q.Get("include_members_count") == "true" {
			shown["members_count"] = len(b.membershipsOf("", o.ID))
		}
		return shown
	}), nil
}

func (b *backend) wantedOrganizations(q url.Values) ([]Organization, error) {
	users, err := filters(q, "user_id")
	if err != nil {
		return nil, err
	}
	ids, err := filters(q, "organization_id")
	if err != nil {
		return nil, err
	}
	query := strings.ToLower(q.Get("query"))
	var all []Organization
	b.mu.Lock()
	for _, o := range b.state.organizations {
		if strings.Contains(strings.ToLower(o.ID+"\n"+o.Name+"\n"+o.Slug), query) {
			all = append(all, copyOrganization(*o))
		}
	}
	b.mu.Unlock()
	all = slices.DeleteFunc(all, func(o Organization) bool {
		return !passes(ids, signed, []string{o.ID}) || !passes(users, signed, b.members(o.ID))
	})
	return sortOrganizations(q, all)
}

func sortOrganizations(q url.Values, all []Organization) ([]Organization, error) {
	order := cmp.Or(q.Get("order_by"), "-created_at")
	name, minus := signed(order)
	by, ok := map[string]func(a, b Organization) int{
		"created_at": func(a, b Organization) int { return a.CreatedAt.Compare(b.CreatedAt) },
		"name":       func(a, b Organization) int { return cmp.Compare(a.Name, b.Name) },
	}[name]
	if !ok {
		return nil, errValue("order_by", order, "created_at", "name")
	}
	slices.SortFunc(all, func(a, b Organization) int { return cmp.Or(by(a, b), cmp.Compare(a.ID, b.ID)) })
	if minus {
		slices.Reverse(all)
	}
	return all, nil
}

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (b *backend) createOrganization(r *http.Request) (any, error) {
	f, err := readBody(r, organizationCreation...)
	if err != nil {
		return nil, err
	}
	b.creating.Lock()
	defer b.creating.Unlock()
	var o Organization
	var more hidden
	f.require("name")
	f.text("created_by", &more.createdBy)
	b.describe(f, &o, &more)
	if o.Slug == "" {
		o.Slug = b.freeSlug(o.Name)
	}
	if more.createdBy != "" {
		if _, err := b.user(more.createdBy); err != nil {
			f.refuse(refuse(http.StatusUnprocessableEntity, "organization_creator_not_found", "organization creator not found",
				"The user with id "+more.createdBy+" was not found."))
		}
	}
	if err := f.writeMetadata(false, organizationFields(&o, &more)...); err != nil {
		return nil, err
	}
	o = b.AddOrganization(o)
	b.mu.Lock()
	b.private[o.ID] = more
	b.mu.Unlock()
	if more.createdBy != "" {
		_, permissions, _ := b.role("org:admin")
		if _, err := b.AddMembership(Membership{UserID: more.createdBy, OrganizationID: o.ID, Role: "org:admin", Permissions: permissions}); err != nil {
			return nil, err
		}
	}
	return b.showOrganization(o), nil
}

// freeSlug makes a slug of a name; when another has it, with the time behind it.
func (b *backend) freeSlug(name string) string {
	slug := slugOf(name)
	if _, err := b.organization(slug); err == nil || slug == "" {
		slug = strings.TrimPrefix(slug+"-"+strconv.FormatInt(b.now().UnixMilli(), 10), "-")
	}
	return slug
}

// describe takes what creating and changing have in common.
func (b *backend) describe(f *form, o *Organization, more *hidden) {
	f.text("name", &o.Name)
	if f.has("name") && o.Name == "" {
		f.refuse(wrong("name", "form_param_value_invalid", "is invalid", "name is invalid. Must be not empty"))
	}
	f.number("max_allowed_memberships", 0, 1<<30, &more.seats)
	f.text("slug", &o.Slug)
	if !f.has("slug") || o.Slug == "" {
		return
	}
	if !slugForm.MatchString(o.Slug) {
		f.refuse(wrong("slug", "form_param_format_invalid", "is invalid", "slug can only contain lowercase letters, numbers and dashes."))
	}
	if other, err := b.organization(o.Slug); err == nil && other.ID != o.ID {
		f.refuse(errTaken("slug"))
	}
}

func organizationFields(o *Organization, more *hidden) []metadataField {
	return []metadataField{{"public_metadata", &o.PublicMetadata}, {"private_metadata", &more.metadata}}
}

// updateOrganization takes no metadata, as for people since version 2026-05-12.
func (b *backend) updateOrganization(r *http.Request) (any, error) {
	return b.amendOrganization(r, organizationChange, func(f *form, o *Organization, more *hidden) error {
		for _, name := range organizationMetadata {
			if f.has(name) {
				f.refuse(wrong(name, "form_param_deprecated", "is deprecated",
					name+" is deprecated. Use PATCH or PUT /v1/organizations/{organization_id}/metadata."))
			}
		}
		b.describe(f, o, more)
		return f.err()
	})
}

func (b *backend) organizationMetadata(r *http.Request, merge bool) (any, error) {
	return b.amendOrganization(r, organizationMetadata, func(f *form, o *Organization, more *hidden) error {
		return f.writeMetadata(merge, organizationFields(o, more)...)
	})
}

// amendOrganization changes an organisation, or nothing when change says no. It holds
// creating rather than mu while change runs, because change looks at the others.
func (b *backend) amendOrganization(r *http.Request, allowed []string, change func(*form, *Organization, *hidden) error) (any, error) {
	b.creating.Lock()
	defer b.creating.Unlock()
	o, err := b.organization(r.PathValue("organization"))
	if err != nil {
		return nil, err
	}
	if err := b.limits.take("write "+o.ID, metadataLimit); err != nil {
		return nil, err
	}
	f, err := readBody(r, allowed...)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	more := b.private[o.ID]
	b.mu.Unlock()
	if err := change(f, &o, &more); err != nil {
		return nil, err
	}
	o.UpdatedAt = b.now()
	b.mu.Lock()
	stored := o
	b.state.organizations[o.ID] = &stored
	b.private[o.ID] = more
	b.mu.Unlock()
	b.emit("organization.updated", organizationJSON(o))
	return b.showOrganization(o), nil
}

// deleteOrganization takes its memberships with it; sessions in it become personal.
func (b *backend) deleteOrganization(r *http.Request) (any, error) {
	o, err := b.organization(r.PathValue("organization"))
	if err != nil {
		return nil, err
	}
	for _, m := range b.membershipsOf("", o.ID) {
		b.removeMembership(m)
	}
	b.mu.Lock()
	delete(b.state.organizations, o.ID)
	delete(b.private, o.ID)
	b.mu.Unlock()
	deleted := deletedJSON("organization", o.ID)
	deleted["slug"] = o.Slug
	b.emit("organization.deleted", deleted)
	return deleted, nil
}
