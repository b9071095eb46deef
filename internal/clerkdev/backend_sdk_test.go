package clerkdev_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	"github.com/clerk/clerk-sdk-go/v2/jwt"
	"github.com/clerk/clerk-sdk-go/v2/jwttemplate"
	"github.com/clerk/clerk-sdk-go/v2/organization"
	"github.com/clerk/clerk-sdk-go/v2/organizationmembership"
	"github.com/clerk/clerk-sdk-go/v2/session"
	"github.com/clerk/clerk-sdk-go/v2/user"

	"github.com/manageros/authproxy/internal/clerkdev"
)

// These tests speak to the emulator with Clerk's own Go library.

func withSDK(t *testing.T, cfg clerkdev.Config) (*apiRig, *clerk.ClientConfig) {
	t.Helper()
	a := newAPI(t, cfg)
	server := httptest.NewServer(a.api)
	t.Cleanup(server.Close)
	return a, &clerk.ClientConfig{BackendConfig: clerk.BackendConfig{
		HTTPClient: server.Client(), URL: clerk.String(server.URL + "/v1"), Key: clerk.String(a.SecretKey()),
	}}
}

func rawJSON(s string) *json.RawMessage {
	r := json.RawMessage(s)
	return &r
}

// sdkRefusal is what the library makes of an error of Clerk's shape.
func sdkRefusal(t *testing.T, err error, status int, code string) *clerk.APIErrorResponse {
	t.Helper()
	var e *clerk.APIErrorResponse
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *clerk.APIErrorResponse", err)
	}
	if e.HTTPStatusCode != status || len(e.Errors) == 0 || e.Errors[0].Code != code || e.TraceID == "" {
		t.Fatalf("got %+v, want %d %s", e, status, code)
	}
	return e
}

func TestSDKUsers(t *testing.T) {
	t.Parallel()
	a, cfg := withSDK(t, clerkdev.Config{})
	ctx, users := t.Context(), user.NewClient(cfg)
	made, err := users.Create(ctx, &user.CreateParams{
		EmailAddresses: &[]string{"ada@example.com"}, FirstName: clerk.String("Ada"), PublicMetadata: rawJSON(`{"role":"owner","deep":{"a":1,"b":2}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.AddUser(clerkdev.User{Email: "bob@example.com"})
	got, err := users.Get(ctx, made.ID)
	if err != nil || *got.FirstName != "Ada" || got.EmailAddresses[0].EmailAddress != "ada@example.com" || got.EmailAddresses[0].ID != *got.PrimaryEmailAddressID {
		t.Errorf("got %+v, %v", got, err)
	}
	list, err := users.List(ctx, &user.ListParams{EmailAddresses: []string{"ada@example.com"}, OrderBy: clerk.String("+created_at")})
	if err != nil || list.TotalCount != 1 || len(list.Users) != 1 || list.Users[0].ID != made.ID {
		t.Errorf("listed %+v, %v", list, err)
	}
	if count, err := users.Count(ctx, &user.ListParams{}); err != nil || count.TotalCount != 2 {
		t.Errorf("counted %+v, %v", count, err)
	}

	merged, err := users.UpdateMetadata(ctx, made.ID, &user.UpdateMetadataParams{PublicMetadata: rawJSON(`{"deep":{"a":null},"n":1}`)})
	if err != nil || string(merged.PublicMetadata) != `{"deep":{"b":2},"n":1,"role":"owner"}` {
		t.Errorf("merged %s, %v", merged.PublicMetadata, err)
	}
	replaced, err := users.ReplaceMetadata(ctx, made.ID, &user.ReplaceMetadataParams{PublicMetadata: rawJSON(`{"a":null}`)})
	if err != nil || string(replaced.PublicMetadata) != `{"a":null}` {
		t.Errorf("replaced %s, %v", replaced.PublicMetadata, err)
	}
	// The library makes of this a PATCH and a PUT.
	updated, err := users.Update(ctx, made.ID, &user.UpdateParams{LastName: clerk.String("Lovelace"), PrivateMetadata: rawJSON(`{"p":1}`)}) //nolint:staticcheck // the deprecated field is what makes it two calls
	if err != nil || *updated.LastName != "Lovelace" || string(updated.PrivateMetadata) != `{"p":1}` {
		t.Errorf("updated %+v, %v", updated, err)
	}
	if banned, err := users.Ban(ctx, made.ID); err != nil || !banned.Banned {
		t.Errorf("banned %+v, %v", banned, err)
	}
	if unbanned, err := users.Unban(ctx, made.ID); err != nil || unbanned.Banned {
		t.Errorf("unbanned %+v, %v", unbanned, err)
	}
	if deleted, err := users.Delete(ctx, made.ID); err != nil || !deleted.Deleted || deleted.ID != made.ID {
		t.Errorf("deleted %+v, %v", deleted, err)
	}
	_, err = users.Get(ctx, made.ID)
	sdkRefusal(t, err, http.StatusNotFound, "resource_not_found")
}

func TestSDKErrors(t *testing.T) {
	t.Parallel()
	a, cfg := withSDK(t, clerkdev.Config{})
	ctx, users := t.Context(), user.NewClient(cfg)
	u := a.AddUser(clerkdev.User{})
	_, err := users.UpdateMetadata(ctx, u.ID, &user.UpdateMetadataParams{PublicMetadata: rawJSON(`{"k":"` + strings.Repeat("a", 9000) + `"}`)})
	e := sdkRefusal(t, err, http.StatusUnprocessableEntity, "form_param_exceeds_allowed_size")
	if !strings.Contains(string(e.Errors[0].Meta), "public_metadata") {
		t.Errorf("meta %s", e.Errors[0].Meta)
	}
	a.clock.Advance(10 * time.Second)
	for range 10 {
		if _, err := users.UpdateMetadata(ctx, u.ID, &user.UpdateMetadataParams{PublicMetadata: rawJSON(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = users.UpdateMetadata(ctx, u.ID, &user.UpdateMetadataParams{PublicMetadata: rawJSON(`{}`)})
	e = sdkRefusal(t, err, http.StatusTooManyRequests, "too_many_requests")
	if after := e.Response.Header.Get("Retry-After"); after != "10" {
		t.Errorf("Retry-After %q", after)
	}

	wrong := *cfg
	wrong.Key = clerk.String("sk_test_wrong")
	_, err = user.NewClient(&wrong).Get(ctx, u.ID)
	sdkRefusal(t, err, http.StatusUnauthorized, "clerk_key_invalid")
}

func TestSDKTemplates(t *testing.T) {
	t.Parallel()
	a, cfg := withSDK(t, clerkdev.Config{})
	ctx, templates := t.Context(), jwttemplate.NewClient(cfg)
	made, err := templates.Create(ctx, &jwttemplate.CreateParams{Name: clerk.String("crm"), Claims: *rawJSON(`{"aud":"crm"}`), Lifetime: clerk.Int64(120)})
	if err != nil || made.Lifetime != 120 || made.AllowedClockSkew != 5 {
		t.Fatalf("made %+v, %v", made, err)
	}
	_, err = templates.Update(ctx, made.ID, &jwttemplate.UpdateParams{Name: clerk.String("crm")})
	sdkRefusal(t, err, http.StatusUnprocessableEntity, "form_param_missing")
	_, err = templates.Update(ctx, made.ID, &jwttemplate.UpdateParams{Name: clerk.String("crm"), Claims: *rawJSON(`{"sub":"x"}`)})
	sdkRefusal(t, err, http.StatusBadRequest, "jwt_template_reserved_claim")
	if changed, err := templates.Update(ctx, made.ID, &jwttemplate.UpdateParams{Name: clerk.String("crm2"), Claims: *rawJSON(`{"aud":"crm2"}`)}); err != nil || changed.Name != "crm2" {
		t.Errorf("changed %+v, %v", changed, err)
	}
	if list, err := templates.List(ctx, &jwttemplate.ListParams{}); err != nil || list.TotalCount != 1 || list.JWTTemplates[0].ID != made.ID {
		t.Errorf("listed %+v, %v", list, err)
	}
	u := a.AddUser(clerkdev.User{})
	s, err := a.SignIn("", u.ID)
	if err != nil {
		t.Fatal(err)
	}
	token, err := session.NewClient(cfg).CreateToken(ctx, &session.CreateTokenParams{ID: s.ID, TemplateName: "crm2"})
	if err != nil {
		t.Fatal(err)
	}
	if header, claims := tokenParts(t, token.JWT); header["cat"] != "cl_B7d4PD222AAA" || claims["aud"] != "crm2" || claims["sid"] != nil {
		t.Errorf("%v %v", header, claims)
	}
	if deleted, err := templates.Delete(ctx, made.ID); err != nil || !deleted.Deleted {
		t.Errorf("deleted %+v, %v", deleted, err)
	}
	_, err = templates.Get(ctx, made.ID)
	sdkRefusal(t, err, http.StatusNotFound, "resource_not_found")
}

func TestSDKSessionsAndTokens(t *testing.T) {
	t.Parallel()
	a, cfg := withSDK(t, clerkdev.Config{Now: time.Now})
	ctx, sessions := t.Context(), session.NewClient(cfg)
	u := a.AddUser(clerkdev.User{})
	o := a.AddOrganization(clerkdev.Organization{Name: "Acme"})
	if _, err := a.AddMembership(clerkdev.Membership{UserID: u.ID, OrganizationID: o.ID, Role: "org:admin", Permissions: []string{"org:invoices:read"}}); err != nil {
		t.Fatal(err)
	}
	made, err := sessions.Create(ctx, &session.CreateParams{UserID: u.ID})
	if err != nil || made.UserID != u.ID || made.Status != "active" {
		t.Fatalf("made %+v, %v", made, err)
	}
	if err := a.SetOrganization(made.ID, o.ID); err != nil {
		t.Fatal(err)
	}
	page, err := a.Mint(made.ID, "http://localhost:4180")
	if err != nil {
		t.Fatal(err)
	}
	backend, err := sessions.CreateToken(ctx, &session.CreateTokenParams{ID: made.ID, ExpiresInSeconds: clerk.Int64(3600)})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{page, backend.JWT} {
		// iat is this second and the library's leeway is zero.
		claims, err := jwt.Verify(ctx, &jwt.VerifyParams{Token: token, JWKSClient: jwks.NewClient(cfg), Leeway: 5 * time.Second})
		if err != nil || claims.Subject != u.ID || claims.SessionID != made.ID || claims.ActiveOrganizationID != o.ID ||
			claims.ActiveOrganizationRole != "org:admin" || !claims.HasPermission("org:invoices:read") {
			t.Errorf("verified %+v, %v", claims, err)
		}
	}
	set, err := jwks.NewClient(cfg).Get(ctx, &jwks.GetParams{})
	if err != nil || len(set.Keys) != 1 || set.Keys[0].Algorithm != "RS256" {
		t.Errorf("keys %+v, %v", set, err)
	}
	if list, err := sessions.List(ctx, &session.ListParams{UserID: &u.ID, Status: clerk.String("active")}); err != nil || list.TotalCount != 1 || list.Sessions[0].ID != made.ID {
		t.Errorf("listed %+v, %v", list, err)
	}
	if revoked, err := sessions.Revoke(ctx, &session.RevokeParams{ID: made.ID}); err != nil || revoked.Status != "revoked" {
		t.Errorf("revoked %+v, %v", revoked, err)
	}
	if got, err := sessions.Get(ctx, made.ID); err != nil || got.Status != "revoked" {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = sessions.CreateToken(ctx, &session.CreateTokenParams{ID: made.ID})
	sdkRefusal(t, err, http.StatusNotFound, "resource_not_found")
}

func TestSDKOrganizations(t *testing.T) {
	t.Parallel()
	a, cfg := withSDK(t, clerkdev.Config{})
	ctx, organizations, memberships := t.Context(), organization.NewClient(cfg), organizationmembership.NewClient(cfg)
	u, v := a.AddUser(clerkdev.User{}), a.AddUser(clerkdev.User{})
	made, err := organizations.Create(ctx, &organization.CreateParams{Name: clerk.String("Acme"), CreatedBy: &u.ID, PrivateMetadata: rawJSON(`{"p":1}`)})
	if err != nil || made.Slug != "acme" || made.CreatedBy != u.ID {
		t.Fatalf("made %+v, %v", made, err)
	}
	if got, err := organizations.Get(ctx, "acme"); err != nil || got.ID != made.ID {
		t.Errorf("got %+v, %v", got, err)
	}
	updated, err := organizations.Update(ctx, made.ID, &organization.UpdateParams{Name: clerk.String("Acme 2"), PublicMetadata: rawJSON(`{"a":1}`)}) //nolint:staticcheck // as for users
	if err != nil || updated.Name != "Acme 2" || string(updated.PublicMetadata) != `{"a":1}` {
		t.Errorf("updated %+v, %v", updated, err)
	}
	if merged, err := organizations.UpdateMetadata(ctx, made.ID, &organization.UpdateMetadataParams{PublicMetadata: rawJSON(`{"b":2}`)}); err != nil || string(merged.PublicMetadata) != `{"a":1,"b":2}` {
		t.Errorf("merged %+v, %v", merged, err)
	}
	member, err := memberships.Create(ctx, &organizationmembership.CreateParams{OrganizationID: made.ID, UserID: &v.ID, Role: clerk.String("org:member")})
	if err != nil || member.PublicUserData.UserID != v.ID {
		t.Fatalf("member %+v, %v", member, err)
	}
	if changed, err := memberships.Update(ctx, &organizationmembership.UpdateParams{OrganizationID: made.ID, UserID: v.ID, Role: clerk.String("org:admin")}); err != nil || changed.Role != "org:admin" {
		t.Errorf("changed %+v, %v", changed, err)
	}
	if list, err := memberships.List(ctx, &organizationmembership.ListParams{OrganizationID: made.ID}); err != nil || list.TotalCount != 2 {
		t.Errorf("listed %+v, %v", list, err)
	}
	if list, err := user.NewClient(cfg).ListOrganizationMemberships(ctx, v.ID, &user.ListOrganizationMembershipsParams{}); err != nil || list.TotalCount != 1 {
		t.Errorf("of the user %+v, %v", list, err)
	}
	if gone, err := memberships.Delete(ctx, &organizationmembership.DeleteParams{OrganizationID: made.ID, UserID: v.ID}); err != nil || gone.ID != member.ID {
		t.Errorf("gone %+v, %v", gone, err)
	}
	if list, err := organizations.List(ctx, &organization.ListParams{UserIDs: []string{u.ID}}); err != nil || list.TotalCount != 1 {
		t.Errorf("listed %+v, %v", list, err)
	}
	if deleted, err := organizations.Delete(ctx, made.ID); err != nil || !deleted.Deleted {
		t.Errorf("deleted %+v, %v", deleted, err)
	}
}
