package clerkdev_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestUserLifeByAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	events := a.listen()
	made := a.ok("POST", "/v1/users", `{"email_address":["Ada@Example.com"],"first_name":"Ada","external_id":"e1",
		"password":"correct horse","skip_password_checks":true,"public_metadata":{"role":"x"},"private_metadata":{"p":1}}`)
	id := made["id"].(string)
	if !strings.HasPrefix(id, "user_") || made["object"] != "user" || made["last_name"] != nil {
		t.Errorf("made %v", made)
	}
	mail := made["email_addresses"].([]any)[0].(map[string]any)
	if mail["email_address"] != "ada@example.com" || mail["id"] != made["primary_email_address_id"] ||
		mail["verification"].(map[string]any)["status"] != "verified" {
		t.Errorf("address %v", mail)
	}
	if created := events.wait(t, "user.created"); created["id"] != id || compactly(t, created["private_metadata"]) != `{"p":1}` {
		t.Errorf("user.created %v", created)
	}

	a.clock.Advance(time.Second)
	changed := a.ok("PATCH", "/v1/users/"+id, `{"last_name":"Lovelace","external_id":null,"username":"ada"}`)
	if changed["first_name"] != "Ada" || changed["last_name"] != "Lovelace" || changed["external_id"] != nil || changed["username"] != "ada" {
		t.Errorf("changed %v", changed)
	}
	if changed["updated_at"].(float64) != made["updated_at"].(float64)+1000 {
		t.Errorf("updated_at %v after %v", changed["updated_at"], made["updated_at"])
	}
	if got := a.ok("GET", "/v1/users/"+id, ""); compactly(t, got) != compactly(t, changed) {
		t.Errorf("GET %v, PATCH %v", got, changed)
	}
	if updated := events.wait(t, "user.updated"); updated["last_name"] != "Lovelace" {
		t.Errorf("user.updated %v", updated)
	}

	if got := a.ok("DELETE", "/v1/users/"+id, "null"); compactly(t, got) != `{"deleted":true,"id":"`+id+`","object":"user"}` {
		t.Errorf("deleted %v", got)
	}
	if gone := events.wait(t, "user.deleted"); gone["id"] != id || gone["deleted"] != true {
		t.Errorf("user.deleted %v", gone)
	}
	for _, c := range []string{
		"GET ", "PATCH ", "DELETE ", "PATCH /metadata", "PUT /metadata", "POST /ban", "POST /unban", "POST /lock", "POST /unlock",
		"GET /organization_memberships",
	} {
		method, path, _ := strings.Cut(c, " ")
		a.refused(method, "/v1/users/"+id+path, "", http.StatusNotFound, "resource_not_found")
	}
}

func TestUserCreationRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	a.AddUser(clerkdev.User{Email: "Taken@example.com", Username: "taken", ExternalID: "taken"})
	for name, c := range map[string]struct{ body, code, param string }{
		"nothing":            {`{}`, "form_data_missing", ""},
		"no address":         {`{"email_address":["nobody"]}`, "form_param_format_invalid", "email_address"},
		"name and address":   {`{"email_address":["A <a@b.c>"]}`, "form_param_format_invalid", "email_address"},
		"no list":            {`{"email_address":"a@b.c"}`, "form_param_type_invalid", "email_address"},
		"two":                {`{"email_address":["a@b.c","d@e.f"]}`, "form_param_array_size_exceeded", "email_address"},
		"address taken":      {`{"email_address":["taken@example.com"]}`, "form_identifier_exists", "email_address"},
		"username taken":     {`{"username":"taken"}`, "form_identifier_exists", "username"},
		"external id taken":  {`{"username":"u","external_id":"taken"}`, "form_identifier_exists", "external_id"},
		"wallet":             {`{"username":"u","web3_wallet":["0x"]}`, "form_param_unknown", "web3_wallet"},
		"metadata no object": {`{"username":"u","public_metadata":[]}`, "form_param_value_invalid", "public_metadata"},
	} {
		if got := a.refused("POST", "/v1/users", c.body, http.StatusUnprocessableEntity, c.code); got.param() != c.param {
			t.Errorf("%s: names %q, want %q", name, got.param(), c.param)
		}
	}
	if n := len(a.Users()); n != 1 {
		t.Errorf("%d users", n)
	}
	a.ok("POST", "/v1/users", `{"skip_user_requirement":true}`)
	a.ok("POST", "/v1/users", `{"username":"another"}`)
}

func TestUserPatchRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	a.AddUser(clerkdev.User{Username: "taken"})
	id := a.AddUser(clerkdev.User{Username: "own", PublicMetadata: []byte(`{"a":1}`)}).ID
	for body, code := range map[string]string{
		`{"public_metadata":{}}`:                             "form_param_deprecated",
		`{"first_name":"x","private_metadata":{"a":2}}`:      "form_param_deprecated",
		`{"unsafe_metadata":null}`:                           "form_param_deprecated",
		`{"username":"taken"}`:                               "form_identifier_exists",
		`{"primary_email_address_id":"idn_somebody_else's"}`: "form_resource_not_found",
		`{"email_address":["a@b.c"]}`:                        "form_param_unknown",
	} {
		a.refused("PATCH", "/v1/users/"+id, body, http.StatusUnprocessableEntity, code)
	}
	if u, _ := a.User(id); u.FirstName != "" || u.Username != "own" || string(u.PublicMetadata) != `{"a":1}` {
		t.Errorf("changed: %+v", u)
	}
	a.ok("PATCH", "/v1/users/"+id, `{"username":"own"}`)
}

func TestBanAndLock(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	events := a.listen()
	u := a.AddUser(clerkdev.User{})
	s, err := a.SignIn("", u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.ok("POST", "/v1/users/"+u.ID+"/lock", ""); got["locked"] != true || got["banned"] != false {
		t.Errorf("locked %v", got)
	}
	if _, err := a.Mint(s.ID, ""); err != nil {
		t.Errorf("a lock ended the session: %v", err)
	}
	if got := a.ok("POST", "/v1/users/"+u.ID+"/unlock", ""); got["locked"] != false {
		t.Errorf("unlocked %v", got)
	}
	if got := a.ok("POST", "/v1/users/"+u.ID+"/ban", "null"); got["banned"] != true {
		t.Errorf("banned %v", got)
	}
	if events.wait(t, "session.revoked")["id"] != s.ID {
		t.Error("another session was revoked")
	}
	if got := a.ok("GET", "/v1/sessions/"+s.ID, ""); got["status"] != "revoked" {
		t.Errorf("session %v", got)
	}
	a.refused("POST", "/v1/sessions", `{"user_id":"`+u.ID+`"}`, http.StatusForbidden, "session_creation_not_allowed")
	if got := a.ok("POST", "/v1/users/"+u.ID+"/unban", ""); got["banned"] != false {
		t.Errorf("unbanned %v", got)
	}
	a.ok("POST", "/v1/sessions", `{"user_id":"`+u.ID+`"}`)
}

// sixPeople makes six, a second apart, and returns their ids in that order.
func sixPeople(a *apiRig) []string {
	var ids []string
	for n := range 6 {
		ids = append(ids, a.AddUser(clerkdev.User{
			Email: fmt.Sprintf("p%d@example.com", n), Username: fmt.Sprintf("user%d", 9-n), ExternalID: fmt.Sprintf("-ext%d", n),
			FirstName: "Person", LastName: string(rune('A' + n)), Banned: n == 5,
		}).ID)
		a.clock.Advance(time.Second)
	}
	return ids
}

func TestUserList(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	start := a.clock.Now().UnixMilli()
	p := sixPeople(a)
	o := a.AddOrganization(clerkdev.Organization{Name: "Acme"})
	if _, err := a.AddMembership(clerkdev.Membership{UserID: p[1], OrganizationID: o.ID, Role: "org:member"}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]int{
		"":                                    {5, 4, 3, 2, 1, 0},
		"order_by=created_at":                 {0, 1, 2, 3, 4, 5},
		"order_by=%2Bcreated_at&limit=2":      {0, 1},
		"order_by=-username":                  {0, 1, 2, 3, 4, 5},
		"order_by=email_address&offset=4":     {4, 5},
		"order_by=phone_number&limit=1":       {0},
		"offset=6":                            {},
		"limit=500&offset=5":                  {0},
		"starting_after=" + p[3]:              {2, 1, 0},
		"starting_after=" + p[0]:              {},
		"starting_after=" + p[5] + "&limit=2": {4, 3},
		"order_by=created_at&offset=0&starting_after=" + p[4]: {5},
		"starting_after=" + p[4] + "&user_id=" + p[1]:         {1},
		"user_id=" + p[0] + "&user_id=" + p[2]:                {2, 0},
		"user_id=%2B" + p[0]:                                  {0},
		"user_id=-" + p[0]:                                    {5, 4, 3, 2, 1},
		"user_id=user_nobody":                                 {},
		"email_address=P3%40EXAMPLE.com":                      {3},
		"external_id=-ext4":                                   {4},
		"username=user9":                                      {0},
		"phone_number=%2B1555":                                {},
		"web3_wallet=0x":                                      {},
		"organization_id=" + o.ID:                             {1},
		"organization_id=-" + o.ID:                            {5, 4, 3, 2, 0},
		"query=SON%20C":                                       {2},
		"query=" + p[2]:                                       {2},
		"email_address_query=P2@":                             {2},
		"username_query=R8":                                   {1},
		"name_query=person":                                   {5, 4, 3, 2, 1, 0},
		"banned=true":                                         {5},
		"banned=false&limit=1":                                {4},
		fmt.Sprintf("created_at_before=%d", start+2000):       {1, 0},
		fmt.Sprintf("created_at_after=%d", start+3000):        {5, 4},
	} {
		wanted := []string{}
		for _, n := range want {
			wanted = append(wanted, p[n])
		}
		if got := a.do("GET", "/v1/users?"+query, ""); !slices.Equal(got.ids(), wanted) || !strings.HasPrefix(got.raw, "[") {
			t.Errorf("?%s: %d %v, want %v", query, got.status, got.ids(), want)
		}
	}
	for query, n := range map[string]float64{"": 6, "limit=1&offset=3": 6, "banned=true": 1, "email_address=p1@example.com": 1} {
		if got := a.ok("GET", "/v1/users/count?"+query, ""); got["total_count"] != n || got["object"] != "total_count" {
			t.Errorf("count?%s: %v", query, got)
		}
	}
}

func TestUserListDefaultLimit(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	for range 501 {
		a.AddUser(clerkdev.User{})
	}
	for query, want := range map[string]int{"": 10, "?limit=1": 1, "?limit=500": 500} {
		if got := a.do("GET", "/v1/users"+query, "").ids(); len(got) != want {
			t.Errorf("%s: %d, want %d", query, len(got), want)
		}
	}
}

// Everybody is seen once by the cursor, also those made at the same moment.
func TestUserCursor(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	var want []string
	for range 7 {
		want = append(want, a.AddUser(clerkdev.User{}).ID)
	}
	slices.Reverse(want)
	var got []string
	for after := ""; ; {
		page := a.do("GET", "/v1/users?limit=3"+after, "").ids()
		got = append(got, page...)
		if len(page) < 3 {
			break
		}
		after = "&starting_after=" + page[2]
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUserListRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	p := sixPeople(a)
	many := func(param string, n int) string { return strings.Repeat(param+"=x&", n) }
	for query, c := range map[string]struct{ code, param string }{
		"limit=0":                         {"form_param_value_invalid", "limit"},
		"limit=501":                       {"form_param_value_invalid", "limit"},
		"limit=ten":                       {"form_param_value_invalid", "limit"},
		"offset=-1":                       {"form_param_value_invalid", "offset"},
		"order_by=password":               {"form_param_value_invalid", "order_by"},
		"starting_after=user_nobody":      {"form_resource_not_found", "starting_after"},
		"offset=1&starting_after=" + p[0]: {"form_conditional_param_disallowed", "offset"},
		"order_by=username&starting_after=" + p[0]: {"form_param_value_invalid", "order_by"},
		many("user_id", 101):                       {"form_param_array_size_exceeded", "user_id"},
		many("email_address", 101):                 {"form_param_array_size_exceeded", "email_address"},
		many("external_id", 101):                   {"form_param_array_size_exceeded", "external_id"},
		"created_at_after=yesterday":               {"form_param_invalid_date", "created_at_after"},
	} {
		if got := a.refused("GET", "/v1/users?"+query, "", http.StatusUnprocessableEntity, c.code); got.param() != c.param {
			t.Errorf("%.40s: names %q", query, got.param())
		}
	}
	if got := a.do("GET", "/v1/users?"+many("user_id", 100), ""); got.status != http.StatusOK {
		t.Errorf("100 ids: %d", got.status)
	}
	a.refused("GET", "/v1/users/count?"+many("user_id", 101), "", http.StatusUnprocessableEntity, "form_param_array_size_exceeded")
}
