package clerkdev_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestOrganizationLifeByAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	events := a.listen()
	u := a.AddUser(clerkdev.User{Email: "ada@example.com"})
	made := a.ok("POST", "/v1/organizations", `{"name":"Acme, Inc.","created_by":"`+u.ID+`","max_allowed_memberships":3,
		"public_metadata":{"a":1},"private_metadata":{"p":1}}`)
	id := made["id"].(string)
	if made["slug"] != "acme-inc" || made["created_by"] != u.ID || made["max_allowed_memberships"] != 3.0 || compactly(t, made["private_metadata"]) != `{"p":1}` {
		t.Errorf("made %v", made)
	}
	if admin := events.wait(t, "organizationMembership.created"); admin["role"] != "org:admin" || admin["public_user_data"].(map[string]any)["user_id"] != u.ID {
		t.Errorf("creator %v", admin)
	}
	a.clock.Advance(time.Second)
	if twin := a.ok("POST", "/v1/organizations", `{"name":"Acme Inc"}`); twin["slug"] == "acme-inc" {
		t.Errorf("two with one slug: %v", twin)
	}
	changed := a.ok("PATCH", "/v1/organizations/"+id, `{"name":"Acme","slug":"acme","admin_delete_enabled":true}`)
	if changed["name"] != "Acme" || changed["slug"] != "acme" || changed["max_allowed_memberships"] != 3.0 || compactly(t, changed["public_metadata"]) != `{"a":1}` {
		t.Errorf("changed %v", changed)
	}
	merged := a.ok("PATCH", "/v1/organizations/"+id+"/metadata", `{"public_metadata":{"b":{"c":null,"d":2}},"private_metadata":{"p":null,"q":2}}`)
	if compactly(t, merged["public_metadata"]) != `{"a":1,"b":{"d":2}}` || compactly(t, merged["private_metadata"]) != `{"q":2}` {
		t.Errorf("merged %v", merged)
	}
	if got := a.ok("PUT", "/v1/organizations/"+id+"/metadata", `{"public_metadata":{}}`); compactly(t, got["public_metadata"]) != `{}` || compactly(t, got["private_metadata"]) != `{"q":2}` {
		t.Errorf("replaced %v", got)
	}
	events.wait(t, "organization.updated")
	if got := a.ok("GET", "/v1/organizations/acme?include_members_count=true", ""); got["id"] != id || got["members_count"] != 1.0 {
		t.Errorf("by slug %v", got)
	}
	if got := a.ok("DELETE", "/v1/organizations/"+id, ""); got["deleted"] != true || got["object"] != "organization" {
		t.Errorf("deleted %v", got)
	}
	events.wait(t, "organizationMembership.deleted")
	events.wait(t, "organization.deleted")
	a.refused("GET", "/v1/organizations/"+id, "", http.StatusNotFound, "resource_not_found")
	if got := a.ok("GET", "/v1/users/"+u.ID+"/organization_memberships", ""); got["total_count"] != 0.0 {
		t.Errorf("memberships stay: %v", got)
	}
}

func TestOrganizationRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	a.AddOrganization(clerkdev.Organization{Name: "Taken"})
	id := a.AddOrganization(clerkdev.Organization{Name: "Own"}).ID
	for body, code := range map[string]string{
		`{}`:                          "form_param_missing",
		`{"name":""}`:                 "form_param_value_invalid",
		`{"name":"x","slug":"taken"}`: "form_identifier_exists",
		`{"name":"x","slug":"A b"}`:   "form_param_format_invalid",
		`{"name":"x","created_by":"user_nobody"}`:   "organization_creator_not_found",
		`{"name":"x","max_allowed_memberships":-1}`: "form_param_value_invalid",
		`{"name":"x","public_metadata":1}`:          "form_param_value_invalid",
		`{"name":"x","members":[]}`:                 "form_param_unknown",
	} {
		a.refused("POST", "/v1/organizations", body, http.StatusUnprocessableEntity, code)
	}
	for body, code := range map[string]string{
		`{"slug":"taken"}`:       "form_identifier_exists",
		`{"public_metadata":{}}`: "form_param_deprecated",
		`{"created_by":"x"}`:     "form_param_unknown",
	} {
		a.refused("PATCH", "/v1/organizations/"+id, body, http.StatusUnprocessableEntity, code)
	}
	a.ok("PATCH", "/v1/organizations/"+id, `{"slug":"own"}`)
	a.refused("PATCH", "/v1/organizations/"+id+"/metadata", `{"unsafe_metadata":{}}`, http.StatusUnprocessableEntity, "form_param_unknown")
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		a.refused(method, "/v1/organizations/org_none", "", http.StatusNotFound, "resource_not_found")
	}
}

func TestOrganizationList(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	u := a.AddUser(clerkdev.User{})
	var ids []string
	for _, name := range []string{"Beta", "Alpha", "Gamma"} {
		ids = append(ids, a.AddOrganization(clerkdev.Organization{Name: name}).ID)
		a.clock.Advance(time.Second)
	}
	if _, err := a.AddMembership(clerkdev.Membership{UserID: u.ID, OrganizationID: ids[1], Role: "org:member"}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]int{
		"": {2, 1, 0}, "order_by=name": {1, 0, 2}, "order_by=-name&limit=1": {2}, "offset=2": {0}, "query=ALPH": {1},
		"user_id=" + u.ID: {1}, "user_id=-" + u.ID: {2, 0}, "organization_id=" + ids[0]: {0},
	} {
		wanted := []string{}
		for _, n := range want {
			wanted = append(wanted, ids[n])
		}
		if got := a.do("GET", "/v1/organizations?"+query, ""); !slices.Equal(got.ids(), wanted) {
			t.Errorf("?%s: %s", query, got.raw)
		}
	}
	a.refused("GET", "/v1/organizations?order_by=size", "", http.StatusUnprocessableEntity, "form_param_value_invalid")
	a.refused("GET", "/v1/organizations?limit=501", "", http.StatusUnprocessableEntity, "form_param_value_invalid")
}

func TestMembershipLifeByAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	events := a.listen()
	o := a.AddOrganization(clerkdev.Organization{Name: "Acme"})
	u, v := a.AddUser(clerkdev.User{FirstName: "Ada", Email: "ada@example.com"}), a.AddUser(clerkdev.User{})
	own := []string{"org:invoices:read"}
	if _, err := a.AddMembership(clerkdev.Membership{UserID: v.ID, OrganizationID: o.ID, Role: "org:billing_clerk", Permissions: own}); err != nil {
		t.Fatal(err)
	}
	list, one := "/v1/organizations/"+o.ID+"/memberships", "/v1/organizations/"+o.ID+"/memberships/"+u.ID
	a.clock.Advance(time.Second)
	made := a.ok("POST", list, `{"user_id":"`+u.ID+`","role":"org:member","public_metadata":{"a":1}}`)
	if made["role"] != "org:member" || made["role_name"] != "Member" || made["organization"].(map[string]any)["slug"] != "acme" ||
		made["public_user_data"].(map[string]any)["identifier"] != "ada@example.com" {
		t.Errorf("made %v", made)
	}
	changed := a.ok("PATCH", one, `{"role":"org:billing_clerk"}`)
	if changed["role_name"] != "Billing clerk" || compactly(t, changed["permissions"]) != `["org:invoices:read"]` || changed["id"] != made["id"] {
		t.Errorf("changed %v", changed)
	}
	if event := events.wait(t, "organizationMembership.updated"); event["role"] != "org:billing_clerk" {
		t.Errorf("event %v", event)
	}
	merged := a.ok("PATCH", one+"/metadata", `{"public_metadata":{"a":null,"b":1},"private_metadata":{"p":1}}`)
	if compactly(t, merged["public_metadata"]) != `{"b":1}` || compactly(t, merged["private_metadata"]) != `{"p":1}` {
		t.Errorf("merged %v", merged)
	}
	for query, want := range map[string]int{"": 2, "?role=org:member": 0, "?role=org:billing_clerk&limit=1": 1, "?user_id=" + u.ID: 1} {
		if got := a.do("GET", list+query, ""); len(got.ids()) != want {
			t.Errorf("%s: %s", query, got.raw)
		}
	}
	if got := a.do("GET", "/v1/users/"+u.ID+"/organization_memberships", ""); !slices.Equal(got.ids(), []string{made["id"].(string)}) {
		t.Errorf("of the user: %s", got.raw)
	}

	s, err := a.SignIn("", u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetOrganization(s.ID, o.ID); err != nil {
		t.Fatal(err)
	}
	if got := a.ok("DELETE", one, ""); got["id"] != made["id"] {
		t.Errorf("deleted %v", got)
	}
	events.wait(t, "organizationMembership.deleted")
	if got := a.ok("GET", "/v1/sessions/"+s.ID, ""); got["last_active_organization_id"] != nil {
		t.Errorf("the session stays in it: %v", got)
	}
	if got := claimsOf(t, a, s.ID); got["o"] != nil {
		t.Errorf("the token stays in it: %v", got)
	}
	a.refused("DELETE", one, "", http.StatusNotFound, "resource_not_found")
}

func TestMembershipRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	o := a.AddOrganization(clerkdev.Organization{Name: "Acme"})
	u := a.AddUser(clerkdev.User{})
	list := "/v1/organizations/" + o.ID + "/memberships"
	a.refused("POST", list, `{"user_id":"`+u.ID+`"}`, http.StatusUnprocessableEntity, "form_param_missing")
	a.refused("POST", list, `{"user_id":"user_nobody","role":"org:member"}`, http.StatusNotFound, "resource_not_found")
	a.refused("POST", list, `{"user_id":"`+u.ID+`","role":"org:king"}`, http.StatusNotFound, "resource_not_found")
	a.refused("POST", "/v1/organizations/none/memberships", `{"user_id":"`+u.ID+`","role":"org:member"}`, http.StatusNotFound, "resource_not_found")
	a.ok("POST", list, `{"user_id":"`+u.ID+`","role":"org:member"}`)
	a.refused("POST", list, `{"user_id":"`+u.ID+`","role":"org:admin"}`, http.StatusBadRequest, "already_a_member_in_organization")
	a.refused("PATCH", list+"/"+u.ID, `{"role":"org:king"}`, http.StatusNotFound, "resource_not_found")
	a.refused("PATCH", list+"/"+u.ID, `{}`, http.StatusUnprocessableEntity, "form_param_missing")
	a.refused("GET", list+"?limit=0", "", http.StatusUnprocessableEntity, "form_param_value_invalid")
	a.refused("GET", list+"?order_by=role", "", http.StatusUnprocessableEntity, "form_param_value_invalid")
}
