package clerkdev_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manageros/authproxy/internal/clerkdev"
)

func TestUsersAreCopies(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	given := clerkdev.User{FirstName: "A", PublicMetadata: json.RawMessage(`{"a":1}`)}
	u := i.AddUser(given)
	given.PublicMetadata[2] = 'X'
	u.PublicMetadata[2] = 'Y'
	u.FirstName = "B"
	for n := range 2 {
		got, ok := i.User(u.ID)
		if !ok || got.FirstName != "A" || string(got.PublicMetadata) != `{"a":1}` {
			t.Fatalf("read %d: %v %+v", n, ok, got)
		}
		got.PublicMetadata[2] = 'Z'
		i.Users()[0].PublicMetadata[2] = 'Z'
	}
	var kept *clerkdev.User
	out, err := i.UpdateUser(u.ID, func(u *clerkdev.User) { u.FirstName, kept = "C", u })
	if err != nil || out.FirstName != "C" {
		t.Fatalf("%+v, %v", out, err)
	}
	kept.FirstName, kept.PublicMetadata[2], out.PublicMetadata[2] = "D", 'W', 'V'
	if got, _ := i.User(u.ID); got.FirstName != "C" || string(got.PublicMetadata) != `{"a":1}` {
		t.Errorf("%+v", got)
	}
}

func TestAddUserFillsIn(t *testing.T) {
	t.Parallel()
	c := newClock()
	i := emulator(t, clerkdev.Config{Now: c.Now})
	u := i.AddUser(clerkdev.User{PublicMetadata: json.RawMessage(`[]`), UnsafeMetadata: json.RawMessage(`{`)})
	if !strings.HasPrefix(u.ID, "user_") || len(u.ID) != 32 {
		t.Errorf("id %q", u.ID)
	}
	if string(u.PublicMetadata) != "{}" || string(u.PrivateMetadata) != "{}" || string(u.UnsafeMetadata) != "{}" {
		t.Errorf("%+v", u)
	}
	if want := c.Now().Truncate(time.Millisecond); !u.CreatedAt.Equal(want) || !u.UpdatedAt.Equal(want) {
		t.Errorf("created %v, want %v", u.CreatedAt, want)
	}
	own := i.AddUser(clerkdev.User{ID: "user_own"})
	second := i.AddUser(clerkdev.User{ID: "user_own"})
	if own.ID != "user_own" || second.ID == "user_own" {
		t.Errorf("ids %q, %q", own.ID, second.ID)
	}
	if all := i.Users(); len(all) != 3 || all[0].ID != u.ID || all[1].ID != own.ID || all[2].ID != second.ID {
		t.Errorf("not in the order of creation: %v", all)
	}
}

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	c := newClock()
	i := emulator(t, clerkdev.Config{Now: c.Now})
	u := i.AddUser(clerkdev.User{})
	c.move(time.Minute)
	got, err := i.UpdateUser(u.ID, func(u *clerkdev.User) {
		u.ID, u.CreatedAt, u.Email = "user_other", time.Time{}, "a@b.example"
	})
	if err != nil || got.ID != u.ID || !got.CreatedAt.Equal(u.CreatedAt) || got.UpdatedAt.Sub(u.UpdatedAt) != time.Minute || got.Email != "a@b.example" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, change := range []func(*clerkdev.User){
		func(u *clerkdev.User) { u.PublicMetadata = json.RawMessage(`[]`) },
		func(u *clerkdev.User) { u.PrivateMetadata = json.RawMessage(`null`) },
		func(u *clerkdev.User) { u.UnsafeMetadata = nil },
	} {
		if _, err := i.UpdateUser(u.ID, change); !errors.Is(err, clerkdev.ErrInvalid) {
			t.Errorf("metadata that is no object: %v", err)
		}
	}
	if after, _ := i.User(u.ID); string(after.PublicMetadata) != "{}" || string(after.UnsafeMetadata) != "{}" {
		t.Errorf("a refused change left %+v", after)
	}
}

func TestBanEndsSessions(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	u := i.AddUser(clerkdev.User{})
	s := signedIn(t, i, u.ID)
	set := func(change func(*clerkdev.User)) {
		t.Helper()
		if _, err := i.UpdateUser(u.ID, change); err != nil {
			t.Fatal(err)
		}
	}
	set(func(u *clerkdev.User) { u.Locked = true })
	if _, err := i.SignIn("", u.ID); !errors.Is(err, clerkdev.ErrSignInRefused) {
		t.Errorf("locked: %v", err)
	}
	if got := i.Sessions(u.ID); got[0].Status != "active" {
		t.Errorf("a lock ended the session: %+v", got) // it blocks new ones only (clerk.md, 6)
	}
	set(func(u *clerkdev.User) { u.Locked, u.Banned = false, true })
	if got := i.Sessions(u.ID); got[0].ID != s.ID || got[0].Status != "revoked" {
		t.Errorf("%+v", got)
	}
	if _, err := i.SignIn("", u.ID); !errors.Is(err, clerkdev.ErrSignInRefused) {
		t.Errorf("banned: %v", err)
	}
}

func TestUnknownIDsAreErrors(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	u, o := i.AddUser(clerkdev.User{}), i.AddOrganization(clerkdev.Organization{Name: "O"})
	s := signedIn(t, i, u.ID)
	member := func(user, organization string) error {
		_, err := i.AddMembership(clerkdev.Membership{UserID: user, OrganizationID: organization})
		return err
	}
	_, update := i.UpdateUser("x", func(*clerkdev.User) { t.Error("changed nobody") })
	_, signIn := i.SignIn("", "x")
	_, client := i.SignIn("x", u.ID)
	for name, got := range map[string]error{
		"UpdateUser": update, "DeleteUser": i.DeleteUser("x"), "SignIn user": signIn, "SignIn client": client,
		"EndSession": i.EndSession("x", "ended"), "SetPending": i.SetPending("x", true),
		"SetOrganization session": i.SetOrganization("x", o.ID), "SetOrganization organization": i.SetOrganization(s.ID, "x"),
		"AddMembership user": member("x", o.ID), "AddMembership organization": member(u.ID, "x"),
	} {
		if !errors.Is(got, clerkdev.ErrNotFound) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, ok := i.User("x"); ok || i.Sessions("x") != nil {
		t.Error("there is an x")
	}
	i.SignOut("x") // nothing to end
	if err := i.EndSession(s.ID, "active"); !errors.Is(err, clerkdev.ErrInvalid) {
		t.Errorf("a status that ends nothing: %v", err)
	}
	if err := i.SetOrganization(s.ID, o.ID); !errors.Is(err, clerkdev.ErrNotMember) {
		t.Errorf("not a member: %v", err)
	}
}

func TestMembership(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	u, o := i.AddUser(clerkdev.User{}), i.AddOrganization(clerkdev.Organization{Name: "Acme, Inc. (Zürich)"})
	if o.Slug != "acme-inc-z-rich" || !strings.HasPrefix(o.ID, "org_") || string(o.PublicMetadata) != "{}" {
		t.Errorf("%+v", o)
	}
	given := clerkdev.Membership{UserID: u.ID, OrganizationID: o.ID, Role: "org:admin", Permissions: []string{"org:a:x"}}
	m, err := i.AddMembership(given)
	if err != nil || !strings.HasPrefix(m.ID, "orgmem_") {
		t.Fatalf("%+v, %v", m, err)
	}
	given.Permissions[0], m.Permissions[0] = "org:b:y", "org:c:z"
	s := signedIn(t, i, u.ID)
	if err := i.SetOrganization(s.ID, o.ID); err != nil {
		t.Fatal(err)
	}
	if _, claims := decoded(t, mint(t, i, s.ID)); claims["fea"] != "o:a" {
		t.Errorf("permissions were changed from outside: %v", claims["fea"])
	}
	again, err := i.AddMembership(clerkdev.Membership{UserID: u.ID, OrganizationID: o.ID, Role: "org:member"})
	if err != nil || again.ID != m.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if _, claims := decoded(t, mint(t, i, s.ID)); claims["o"].(map[string]any)["rol"] != "member" || claims["fea"] != nil {
		t.Errorf("%v", claims["o"])
	}
	i.Leave(m.ID)
	if _, claims := decoded(t, mint(t, i, s.ID)); claims["o"] != nil {
		t.Errorf("no member any more, and o is %v", claims["o"])
	}
}

func TestOneSessionForEachBrowser(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	a, b := i.AddUser(clerkdev.User{}), i.AddUser(clerkdev.User{})
	browser := i.NewClient()
	first, err := i.SignIn(browser, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := signedIn(t, i, a.ID)
	second, err := i.SignIn(browser, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	status := func(userID string) (list []string) {
		for _, s := range i.Sessions(userID) {
			list = append(list, s.ID+" "+s.Status)
		}
		slices.Sort(list)
		return list
	}
	want := []string{first.ID + " removed", elsewhere.ID + " active"}
	slices.Sort(want)
	if got := status(a.ID); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	i.SignOut(browser)
	i.SignOut(browser)
	if got := status(b.ID); !slices.Equal(got, []string{second.ID + " removed"}) {
		t.Errorf("%v", got)
	}
	if err := i.EndSession(second.ID, "revoked"); err != nil { // it stays what it is
		t.Error(err)
	}
	if err := i.SetPending(second.ID, false); err != nil {
		t.Error(err)
	}
	if got := status(b.ID); !slices.Equal(got, []string{second.ID + " removed"}) {
		t.Errorf("a session came back: %v", got)
	}
	if err := i.SetOrganization(second.ID, ""); !errors.Is(err, clerkdev.ErrSessionEnded) {
		t.Errorf("%v", err)
	}
}

func TestSessionsAreOldestFirst(t *testing.T) {
	t.Parallel()
	c := newClock()
	i := emulator(t, clerkdev.Config{Now: c.Now})
	u := i.AddUser(clerkdev.User{})
	var want []string
	for range 5 {
		want = append(want, signedIn(t, i, u.ID).ID)
		c.move(time.Millisecond)
	}
	for n, s := range i.Sessions(u.ID) {
		if s.ID != want[n] {
			t.Fatalf("%d is %s, want %s", n, s.ID, want[n])
		}
	}
	if got, _ := i.User(u.ID); !got.LastSignInAt.Equal(i.Sessions(u.ID)[4].CreatedAt) {
		t.Errorf("last sign-in %v", got.LastSignInAt)
	}
}

func TestDeleteUser(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	u := i.Users()[1]
	s := signedIn(t, i, u.ID)
	if err := i.DeleteUser(u.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok := i.User(u.ID); ok || len(i.Users()) != 3 || i.Sessions(u.ID) != nil {
		t.Error("the user is still there")
	}
	if _, err := i.Mint(s.ID, app); err == nil {
		t.Error("a token for nobody")
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	i := emulator(t, clerkdev.Config{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	u, o := i.AddUser(clerkdev.User{ExternalID: "e"}), i.AddOrganization(clerkdev.Organization{Name: "O"})
	m := clerkdev.Membership{UserID: u.ID, OrganizationID: o.ID}
	_, err := i.AddMembership(m)
	must(err)
	_, err = i.AddMembership(m)
	must(err)
	browser := i.NewClient()
	_, err = i.SignIn(browser, u.ID)
	must(err)
	s, err := i.SignIn(browser, u.ID) // ends the one before
	must(err)
	must(i.SetPending(s.ID, true))
	must(i.SetPending(s.ID, false))
	must(i.EndSession(s.ID, "ended"))
	must(i.EndSession(s.ID, "revoked")) // it has ended: nothing is said
	signedIn(t, i, u.ID)
	_, err = i.UpdateUser(u.ID, func(u *clerkdev.User) { u.Banned = true })
	must(err)
	must(i.DeleteUser(u.ID))
	want := []string{
		"user.created", "organization.created", "organizationMembership.created", "organizationMembership.updated",
		"session.created", "session.removed", "session.created", "session.pending", "session.ended", "session.created",
		"user.updated", "session.revoked", "user.deleted",
	}
	if got := i.Events(); !slices.Equal(got, want) {
		t.Errorf("\n%v, want\n%v", got, want)
	}
}
