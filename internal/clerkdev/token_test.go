package clerkdev_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestSessionToken(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	zoe := i.Users()[2]
	s := signedIn(t, i, zoe.ID)
	c.move(3*time.Minute + 59*time.Second)
	header, claims := decoded(t, mint(t, i, s.ID))
	iat := float64(c.Now().Unix())

	if want := (map[string]any{
		"alg": "RS256", "typ": "JWT", "kid": keySet(t, i).Keys()[0].ID, "cat": "cl_B7d4PD111AAA", "oiat": iat,
	}); !reflect.DeepEqual(header, want) {
		t.Errorf("header\n%v, want\n%v", header, want)
	}
	jti, _ := claims["jti"].(string)
	if !regexp.MustCompile(`^[0-9a-f]{20}$`).MatchString(jti) {
		t.Errorf("jti %q", jti)
	}
	if want := (map[string]any{
		"iss": "https://" + i.Named().FrontendAPI, "sub": zoe.ID, "sid": s.ID, "jti": jti, "azp": app,
		"iat": iat, "exp": iat + 60, "nbf": iat - 10, "fva": []any{3.0, -1.0}, "sts": "active", "v": 2.0,
		"managerOSUserId": "mos_user_2001", "organizationId": "mos_org_nordlicht", "organizationName": "Nördlicht GmbH",
		"organizationSlug": "nordlicht", "personId": "person_2001", "role": "manager",
	}); !reflect.DeepEqual(claims, want) {
		t.Errorf("claims\n%v, want\n%v", claims, want)
	}
	if _, again := decoded(t, mint(t, i, s.ID)); again["jti"] == jti {
		t.Error("two tokens have one jti")
	}
}

func TestOrganizationInToken(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	ada := i.Users()[0]
	o := i.AddOrganization(clerkdev.Organization{Name: "Third", Slug: "third"})
	if _, err := i.AddMembership(clerkdev.Membership{
		UserID: ada.ID, OrganizationID: o.ID, Role: "org:admin",
		Permissions: []string{"org:dashboard:read", "org:dashboard:manage", "org:teams:read", "org:sys_profile:manage", "org:odd"},
	}); err != nil {
		t.Fatal(err)
	}
	s := signedIn(t, i, ada.ID)
	if err := i.SetOrganization(s.ID, o.ID); err != nil {
		t.Fatal(err)
	}
	token := mint(t, i, s.ID)
	_, claims := decoded(t, token)
	if want := (map[string]any{"id": o.ID, "slg": "third", "rol": "admin", "per": "manage,read", "fpm": "3,2"}); !reflect.DeepEqual(claims["o"], want) {
		t.Errorf("o is %v, want %v", claims["o"], want)
	}
	if claims["fea"] != "o:dashboard,o:teams" {
		t.Errorf("fea is %v", claims["fea"])
	}
	id, reason := judged(t, i, c.Now, token)
	if reason != "" {
		t.Fatal(reason)
	}
	if got := id.Organization; got.ID != o.ID || got.Slug != "third" || got.Role != "org:admin" ||
		!slices.Equal(got.Permissions, []string{"org:dashboard:manage", "org:dashboard:read", "org:teams:read"}) {
		t.Errorf("the verifier reads %+v", got)
	}
	if err := i.SetOrganization(s.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, claims := decoded(t, mint(t, i, s.ID)); claims["o"] != nil || claims["fea"] != nil {
		t.Errorf("a personal session has o %v and fea %v", claims["o"], claims["fea"])
	}
}

func TestPackPermissions(t *testing.T) {
	t.Parallel()
	many := make([]string, 70)
	for n := range many {
		many[n] = fmt.Sprintf("org:f:p%02d", n)
	}
	for _, c := range []struct {
		in            []string
		fea, per, fpm string
	}{
		{nil, "", "", ""},
		{[]string{"org:sys_memberships:read", "x"}, "", "", ""},
		{[]string{"org:a:x"}, "o:a", "x", "1"},
		{[]string{"org:b:y", "org:a:x", "org:b:y"}, "o:a,o:b", "x,y", "1,2"},
	} {
		if fea, per, fpm := clerkdev.PackPermissions(c.in); fea != c.fea || per != c.per || fpm != c.fpm {
			t.Errorf("%v: %q %q %q", c.in, fea, per, fpm)
		}
	}
	if _, _, fpm := clerkdev.PackPermissions(many); fpm != "1180591620717411303423" { // 2^70 - 1
		t.Errorf("70 permissions: %s", fpm)
	}
}

func TestVerifierAcceptsTokens(t *testing.T) {
	t.Parallel()
	for _, production := range []bool{false, true} {
		c := newClock()
		i := emulator(t, clerkdev.Config{Production: production, Now: c.Now, Template: clerkdev.DefaultTemplate})
		clerkdev.Demo(i)
		for _, u := range i.Users() {
			s := signedIn(t, i, u.ID)
			token := mint(t, i, s.ID)
			id, reason := judged(t, i, c.Now, token)
			if reason != "" || id.UserID != u.ID || id.SessionID != s.ID || id.AuthorizedParty != app || id.Pending() || id.Actor != nil {
				t.Errorf("production %v, %s: %q %+v", production, u.FirstName, reason, id)
			}
			c.move(64 * time.Second)
			if _, reason := judged(t, i, c.Now, token); reason != "" {
				t.Errorf("within the skew: %q", reason)
			}
			c.move(time.Second)
			if _, reason := judged(t, i, c.Now, token); reason != "token-expired" {
				t.Errorf("after its life: %q", reason)
			}
		}
	}
}

func TestImpersonationAndPending(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	ada, ben := i.Users()[0], i.Users()[1]
	if s, err := i.Impersonate("", ada.ID, ben.ID); err != nil {
		t.Error(err)
	} else if id, _ := judged(t, i, c.Now, mint(t, i, s.ID)); id == nil || id.UserID != ben.ID || id.Actor == nil || id.Actor.UserID != ada.ID || id.Actor.SessionID != "" {
		t.Errorf("%+v", id)
	}
	own := signedIn(t, i, ada.ID)
	s, err := i.Impersonate("", ada.ID, ben.ID)
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := judged(t, i, c.Now, mint(t, i, s.ID)); id == nil || id.Actor.SessionID != own.ID || id.Actor.Issuer != id.Issuer {
		t.Errorf("%+v", id)
	}
	if err := i.SetPending(s.ID, true); err != nil {
		t.Fatal(err)
	}
	if id, _ := judged(t, i, c.Now, mint(t, i, s.ID)); id == nil || !id.Pending() {
		t.Errorf("%+v", id)
	}
	if _, err := i.Impersonate("", "user_x", ben.ID); !errors.Is(err, clerkdev.ErrNotFound) {
		t.Errorf("an unknown actor: %v", err)
	}
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	if _, err := i.Mint("sess_x", app); !errors.Is(err, clerkdev.ErrNotFound) {
		t.Errorf("unknown session: %v", err)
	}
	for _, status := range []string{"ended", "removed", "revoked"} {
		s := signedIn(t, i, i.Users()[0].ID)
		if err := i.EndSession(s.ID, status); err != nil {
			t.Fatal(err)
		}
		if token, err := i.Mint(s.ID, app); !errors.Is(err, clerkdev.ErrSessionEnded) || token != "" {
			t.Errorf("%s: %q, %v", status, token, err)
		}
	}
}

func TestMintWithoutOrigin(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	token, err := i.Mint(signedIn(t, i, i.Users()[0].ID).ID, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := decoded(t, token); claims["azp"] != nil {
		t.Errorf("azp %v", claims["azp"])
	}
}

func TestTokenLifetime(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{TokenLifetime: 15 * time.Second, Now: newClock().Now})
	token, err := i.MintToken(signedIn(t, i, i.AddUser(clerkdev.User{}).ID).ID, app)
	if err != nil || token.ExpiresAt.Sub(token.IssuedAt) != 15*time.Second || len(token.Warnings) != 0 || token.TooLong {
		t.Errorf("%+v, %v", token, err)
	}
}

// The claims that Clerk writes itself stand, whatever is in the metadata.
func TestTemplateSetsNoDefaultClaim(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	_, claims := decoded(t, mint(t, i, signedIn(t, i, i.Users()[0].ID).ID))
	names := append(slices.Collect(maps.Keys(claims)), "act", "o", "fea", "pla", "org_id", "org_role", "org_slug", "org_permissions")
	for _, name := range names {
		source := fmt.Sprintf("{%q: 1}", name)
		_, err := clerkdev.New(clerkdev.Config{Template: source})
		ours := strings.Contains(clerkdev.DefaultTemplate, `"`+name+`"`)
		if refused := errors.Is(err, clerkdev.ErrReserved); refused == ours {
			t.Errorf("template %s: %v", source, err)
		}
	}
}

func TestTokenWarnings(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{Template: `{"x": "{{user.public_metadata.x}}"}`})
	u := i.AddUser(clerkdev.User{})
	s := signedIn(t, i, u.ID)
	for _, c := range []struct {
		size     int
		warnings []string
		tooLong  bool
	}{
		{1200 - len(`{"x":""}`), nil, false},
		{1201 - len(`{"x":""}`), []string{"the custom claims are 1201 bytes"}, false},
		{3000, []string{"the custom claims are 3008 bytes", "the session cookie is"}, true},
	} {
		if _, err := i.UpdateUser(u.ID, func(u *clerkdev.User) {
			u.PublicMetadata, _ = json.Marshal(map[string]string{"x": strings.Repeat("x", c.size)})
		}); err != nil {
			t.Fatal(err)
		}
		token, err := i.MintToken(s.ID, app)
		if err != nil || token.TooLong != c.tooLong || len(token.Warnings) != len(c.warnings) {
			t.Errorf("%d: %v, %q, too long %v", c.size, err, token.Warnings, token.TooLong)
			continue
		}
		for n, want := range c.warnings {
			if !strings.HasPrefix(token.Warnings[n], want) {
				t.Errorf("%q, want %q", token.Warnings[n], want)
			}
		}
	}
}
