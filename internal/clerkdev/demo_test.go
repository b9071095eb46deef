package clerkdev_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/headers"
	"github.com/manageros/authproxy/internal/clerkdev"
)

// TestDemo: the people, through the default template and the default mapping,
// give the headers that a developer is shown.
func TestDemo(t *testing.T) {
	t.Parallel()
	i, c := standing(t)
	mapping, err := headers.ParseMapping("")
	if err != nil {
		t.Fatal(err)
	}
	roles, organizations, unlinked, encoded, comma := map[string]bool{}, map[string]bool{}, 0, false, false
	for _, u := range i.Users() {
		id, reason := judged(t, i, c.Now, mint(t, i, signedIn(t, i, u.ID).ID))
		if reason != "" {
			t.Fatal(reason)
		}
		claims, err := mapping.Render(id.Claims)
		if err != nil {
			t.Fatal(err)
		}
		for _, claim := range claims {
			switch {
			case claim.Header == "X-Auth-Person-Id" && claim.Value == "":
				unlinked++
			case claim.Value == "":
				t.Errorf("%s has no %s", u.FirstName, claim.Header)
			case claim.Header == "X-Auth-Role":
				roles[claim.Value] = true
			case claim.Header == "X-Auth-Organization-Name":
				organizations[claim.Value] = true
				comma = comma || strings.Contains(claim.Value, ",")
			}
		}
		encoded = encoded || u.FullName() == "Zoë Müller"
	}
	if len(i.Users()) != 4 || len(organizations) != 2 || len(roles) < 3 || unlinked != 1 || !encoded || !comma {
		t.Errorf("roles %v, organisations %v, %d unlinked, %v, %v", roles, organizations, unlinked, encoded, comma)
	}
}

func TestBanner(t *testing.T) {
	t.Parallel()
	i, _ := standing(t)
	i.AddUser(clerkdev.User{FirstName: "\x1b[2J\u009b2J"})
	text := i.Banner()
	for _, want := range []string{"NOT FOR PRODUCTION", i.Named().PublishableKey, "Zoë Müller (manager, Nördlicht GmbH)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the banner does not say %q", want)
		}
	}
	if strings.Contains(text, i.SecretKey()) {
		t.Error("the banner says the secret key")
	}
	if slices.ContainsFunc([]rune(text), func(c rune) bool { return c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 }) {
		t.Errorf("the banner controls the terminal: %q", text)
	}
}
