package clerkdev_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// tokenParts is header and payload of a token.
func tokenParts(t *testing.T, jwt string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("no token: %q", jwt)
	}
	for n, to := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err == nil {
			err = json.Unmarshal(raw, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func claimsOf(t *testing.T, a *apiRig, sessionID string) map[string]any {
	t.Helper()
	jwt, err := a.Mint(sessionID, "")
	if err != nil {
		t.Fatal(err)
	}
	_, claims := tokenParts(t, jwt)
	return claims
}

func TestSessionsByAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	events := a.listen()
	u, other := a.AddUser(clerkdev.User{FirstName: "Ada"}), a.AddUser(clerkdev.User{})
	o := a.AddOrganization(clerkdev.Organization{Name: "Acme"})
	if _, err := a.AddMembership(clerkdev.Membership{UserID: u.ID, OrganizationID: o.ID, Role: "org:admin"}); err != nil {
		t.Fatal(err)
	}
	first := a.ok("POST", "/v1/sessions", `{"user_id":"`+u.ID+`"}`)
	a.clock.Advance(time.Second)
	second := a.ok("POST", "/v1/sessions", `{"user_id":"`+u.ID+`","active_organization_id":"acme"}`)
	a.ok("POST", "/v1/sessions", `{"user_id":"`+other.ID+`"}`)
	if second["last_active_organization_id"] != o.ID || first["last_active_organization_id"] != nil || second["status"] != "active" {
		t.Errorf("first %v, second %v", first, second)
	}
	if created := events.wait(t, "session.created"); created["user"] == nil {
		t.Errorf("session.created has no user: %v", created)
	}
	if _, ok := first["user"]; ok {
		t.Error("the Backend API's session has no user in it")
	}

	ids := []string{second["id"].(string), first["id"].(string)}
	for query, want := range map[string][]string{
		"user_id=" + u.ID: ids,
		"user_id=" + u.ID + "&paginated=true&limit=1": ids[:1],
		"user_id=" + u.ID + "&status=revoked":         {},
		"client_id=" + second["client_id"].(string):   ids[:1],
		"user_id=" + u.ID + "&status=active&offset=1": ids[1:],
		"user_id=user_nobody":                         {},
	} {
		got := a.do("GET", "/v1/sessions?"+query, "")
		if !slices.Equal(got.ids(), want) || strings.HasPrefix(got.raw, "[") == strings.Contains(query, "paginated") {
			t.Errorf("?%s: %s", query, got.raw)
		}
	}
	a.refused("GET", "/v1/sessions", "", http.StatusBadRequest, "missing_query_parameter")

	if got := a.ok("POST", "/v1/sessions/"+ids[0]+"/revoke", "null"); got["status"] != "revoked" {
		t.Errorf("revoked %v", got)
	}
	if events.wait(t, "session.revoked")["id"] != ids[0] {
		t.Error("another session was revoked")
	}
	if got := a.ok("GET", "/v1/sessions/"+ids[0], ""); got["status"] != "revoked" {
		t.Errorf("got %v", got)
	}
	if _, err := a.Mint(ids[0], ""); err == nil {
		t.Error("a revoked session mints")
	}
	for _, c := range []string{"GET ", "POST /revoke", "POST /tokens", "POST /tokens/x"} {
		method, path, _ := strings.Cut(c, " ")
		a.refused(method, "/v1/sessions/sess_none"+path, "", http.StatusNotFound, "resource_not_found")
	}
}

func TestSessionCreationRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{})
	u := a.AddUser(clerkdev.User{})
	a.AddOrganization(clerkdev.Organization{Name: "Acme"})
	a.refused("POST", "/v1/sessions", `{}`, http.StatusUnprocessableEntity, "form_param_missing")
	a.refused("POST", "/v1/sessions", `{"user_id":"user_nobody"}`, http.StatusNotFound, "resource_not_found")
	a.refused("POST", "/v1/sessions", `{"user_id":"`+u.ID+`","active_organization_id":"acme"}`, http.StatusNotFound, "resource_not_found")
	if n := len(a.Sessions(u.ID)); n != 0 {
		t.Errorf("%d sessions", n)
	}
	live := newAPI(t, clerkdev.Config{Production: true, FrontendAPI: "clerk.example.com"})
	u = live.AddUser(clerkdev.User{})
	live.refused("POST", "/v1/sessions", `{"user_id":"`+u.ID+`"}`, http.StatusBadRequest, "request_invalid_for_environment")
}

func TestTokensByAPI(t *testing.T) {
	t.Parallel()
	a := newAPI(t, clerkdev.Config{Template: `{"name":"{{user.first_name}}"}`})
	u := a.AddUser(clerkdev.User{FirstName: "Ada"})
	s, err := a.SignIn("", u.ID)
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/sessions/" + s.ID + "/tokens"
	for body, life := range map[string]float64{"": 60, "null": 60, `{"expires_in_seconds":null}`: 60, `{"expires_in_seconds":30}`: 30, `{"expires_in_seconds":315360000}`: 315360000} {
		got := a.ok("POST", path, body)
		header, claims := tokenParts(t, got["jwt"].(string))
		if got["object"] != "token" || claims["exp"].(float64)-claims["iat"].(float64) != life {
			t.Errorf("%s: lives %v, want %v", body, claims["exp"].(float64)-claims["iat"].(float64), life)
		}
		if header["cat"] != "cl_B7d4PD111AAA" || claims["sid"] != s.ID || claims["sub"] != u.ID || claims["name"] != "Ada" || claims["azp"] != nil {
			t.Errorf("%v %v", header, claims)
		}
		minted := claimsOf(t, a, s.ID)
		if got, want := slices.Sorted(maps.Keys(claims)), slices.Sorted(maps.Keys(minted)); !slices.Equal(got, want) {
			t.Errorf("claims %v, those of a page %v", got, want)
		}
	}
	for _, body := range []string{`{"expires_in_seconds":29}`, `{"expires_in_seconds":0}`, `{"expires_in_seconds":315360001}`} {
		a.refused("POST", path, body, http.StatusUnprocessableEntity, "form_param_value_invalid")
	}
	a.refused("POST", path, `{"expires_in_seconds":"60"}`, http.StatusUnprocessableEntity, "form_param_type_invalid")
	a.refused("POST", path, `{"expires_in_seconds":60.5}`, http.StatusUnprocessableEntity, "form_param_type_invalid")
	a.refused("POST", path, `{"lifetime":60}`, http.StatusUnprocessableEntity, "form_param_unknown")
}
