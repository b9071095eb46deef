package headers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy"
	"github.com/manageros/authproxy/headers"
)

const product = `{"managerOSUserId":"mos_1","organizationId":"org_acme","organizationName":"Müller GmbH",
	"organizationSlug":"acme","personId":"person_7","role":"manager","sub":"user_1"}`

func assert(t testing.TB, m *headers.Mapping, id *authproxy.Identity, claims string) ([]authproxy.Field, error) {
	t.Helper()
	rendered, err := m.Render(authproxy.Claims(claims))
	if err != nil {
		t.Fatal(err)
	}
	return m.Assert(id, rendered)
}

func TestAssert(t *testing.T) {
	t.Parallel()
	id := &authproxy.Identity{UserID: "user_1", SessionID: "sess_1", Actor: &authproxy.Actor{UserID: "user_2", SessionID: "sess_2"}}
	got, err := assert(t, mapping(t, ""), id, product)
	want := []authproxy.Field{
		{Name: "X-Auth-Manageros-User-Id", Value: "mos_1"},
		{Name: "X-Auth-Organization-Id", Value: "org_acme"},
		{Name: "X-Auth-Organization-Name", Value: "M%C3%BCller%20GmbH"},
		{Name: "X-Auth-Organization-Slug", Value: "acme"},
		{Name: "X-Auth-Person-Id", Value: "person_7"},
		{Name: "X-Auth-Role", Value: "manager"},
		{Name: "X-Auth-User-Id", Value: "user_1"},
		{Name: "X-Auth-Session-Id", Value: "sess_1"},
		{Name: "X-Auth-Actor", Value: "user_2"},
		{Name: "X-Auth-Status", Value: "authenticated"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestAssertOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	got, err := assert(t, mapping(t, "+X-Auth-Team=team;default=none"), &authproxy.Identity{UserID: "user_1"}, `{"role":"member"}`)
	want := []authproxy.Field{
		{Name: "X-Auth-Role", Value: "member"},
		{Name: "X-Auth-Team", Value: "none"},
		{Name: "X-Auth-User-Id", Value: "user_1"},
		{Name: "X-Auth-Status", Value: "authenticated"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got := headers.Anonymous(); !slices.Equal(got, []authproxy.Field{{Name: "X-Auth-Status", Value: "anonymous"}}) {
		t.Errorf("Anonymous() = %v", got)
	}
}

func TestAssertIDs(t *testing.T) {
	t.Parallel()
	m := mapping(t, "")
	for name, id := range map[string]*authproxy.Identity{
		"no sub":             {},
		"CR LF in sub":       {UserID: "user_1\r\nX-Auth-Role: admin"},
		"NUL in sid":         {UserID: "user_1", SessionID: "sess\x00"},
		"NEL in actor":       {UserID: "user_1", Actor: &authproxy.Actor{UserID: "\u0085"}},
		"actor without a id": {UserID: "user_1", Actor: &authproxy.Actor{}},
	} {
		if _, err := m.Assert(id, nil); err == nil {
			t.Errorf("%s: passes", name)
		} else {
			wantReason(t, err, authproxy.ClaimInvalid)
		}
	}
	_, err := m.Assert(nil, nil)
	wantReason(t, err, authproxy.InternalError)
	// Encoded like any other claim, so that decoding all of them is right.
	got, err := m.Assert(&authproxy.Identity{UserID: "50%5F José "}, nil)
	if err != nil || got[0].Value != "50%255F%20Jos%C3%A9%20" {
		t.Errorf("%v, %v", got, err)
	}
}

// The last gate does not trust its caller.
func TestAssertRefusesUnsafeClaims(t *testing.T) {
	t.Parallel()
	id := &authproxy.Identity{UserID: "user_1"}
	for _, value := range []string{"", " a", "a ", "a\r\nX-Auth-Role: admin", "ü", "a\tb", "\x7f"} {
		claim := authproxy.Claim{Path: "c", Header: "X-Auth-C", Value: value, Source: authproxy.ClaimFromToken}
		_, err := mapping(t, "X-Auth-C=c").Assert(id, []authproxy.Claim{claim})
		if err == nil {
			t.Errorf("%q passes", value)
			continue
		}
		wantReason(t, err, authproxy.ClaimInvalid)
	}
}

func TestAssertLimit(t *testing.T) {
	t.Parallel()
	m := mapping(t, "X-Auth-C=c")
	id := &authproxy.Identity{UserID: "user_1"}
	rest := len("X-Auth-C: \r\n") + len("X-Auth-User-Id: user_1\r\n") + len("X-Auth-Status: authenticated\r\n")
	fits := strings.Repeat("a", 8192-rest)
	if _, err := assert(t, m, id, `{"c":"`+fits+`"}`); err != nil {
		t.Errorf("8192 bytes: %v", err)
	}
	_, err := assert(t, m, id, `{"c":"`+fits+`a"}`)
	wantReason(t, err, authproxy.ClaimTooLarge)
	// What counts is what is sent.
	_, err = assert(t, m, id, `{"c":"`+strings.Repeat("ü", 2000)+`"}`)
	wantReason(t, err, authproxy.ClaimTooLarge)
}
