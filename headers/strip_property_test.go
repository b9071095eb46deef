package headers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/manageros/authproxy/headers"
	"pgregory.net/rapid"
)

// ownedNames are the fields an attacker would like to bring, for the owner of
// the property tests.
func ownedNames() []string {
	return []string{
		"x-org-id", "x-auth-manageros-user-id", "x-auth-organization-id", "x-auth-organization-name",
		"x-auth-organization-slug", "x-auth-person-id", "x-auth-role", "x-auth-user-id", "x-auth-session-id",
		"x-auth-actor", "x-auth-status", "x-auth-other", "x-forwarded-for", "x-forwarded-user", "remote-user", "x-real-ip",
		"x-request-id", "x-clerk-auth-status", "clerk-secret-key", "x-original-url", "x-accel-redirect", "forwarded", "proxy",
		"traceparent", "tracestate",
	}
}

func propertyOwner(t testing.TB) *headers.Owner {
	t.Helper()
	mapped := append(mapping(t, "").Headers(), "X-Org-Id")
	return owner(t, headers.OwnerConfig{Mapped: mapped, Pass: []string{"X-Auth-Token"}})
}

// Every owned name with every character an attacker could place between its
// words, all at once and one at a time, in lower, upper and canonical case.
func TestNoSeparatorSavesAnOwnedName(t *testing.T) {
	t.Parallel()
	o := propertyOwner(t)
	for _, name := range ownedNames() {
		for c := rune(0x21); c <= 0x7e; c++ {
			if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", c) {
				continue // another word, not a separator
			}
			spellings := []string{strings.ReplaceAll(name, "-", string(c))}
			for i := range name {
				if name[i] == '-' {
					spellings = append(spellings, name[:i]+string(c)+name[i+1:])
				}
			}
			for _, s := range spellings {
				h := http.Header{s: {"evil"}, strings.ToUpper(s): {"evil"}, http.CanonicalHeaderKey(s): {"evil"}}
				if o.Strip(h); len(h) != 0 {
					t.Errorf("%v is left", h)
				}
			}
		}
	}
}

// spelling draws a name that folds to an owned one.
func spelling(t *rapid.T) string {
	var b strings.Builder
	for _, c := range rapid.SampledFrom(ownedNames()).Draw(t, "owned") {
		switch {
		case c == '-':
			b.WriteString(rapid.SampledFrom([]string{"-", "_", ".", " ", "~", "\t", "|", "\x00", "ä", "\u2010", "\xff"}).Draw(t, "separator"))
		case rapid.Bool().Draw(t, "upper"):
			b.WriteString(strings.ToUpper(string(c)))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func TestStripProperty(t *testing.T) {
	t.Parallel()
	o := propertyOwner(t)
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.OneOf(rapid.String(), rapid.Custom(spelling), rapid.SampledFrom([]string{"Accept", "Cookie", "X-Auth-Token", "Te"}))
		h := http.Header{}
		for name, values := range rapid.MapOf(names, rapid.SliceOfN(rapid.String(), 0, 4)).Draw(t, "header") {
			h[name] = values
		}
		before := h.Clone()
		o.Strip(h)
		checkStripped(t, o, before, h)
	})
}

// checkStripped compares with a slower rule: a name survives when its folded
// form is nothing of ours, and then with its values.
func checkStripped(t interface{ Errorf(string, ...any) }, o *headers.Owner, before, after http.Header) {
	beginnings := []string{
		"x-auth-", "x-forwarded-", "x-accel-", "x-middleware-", "x-clerk-", "clerk-",
		"remote-", "x-remote-", "x-webauth-", "x-goog-authenticated-", "cf-access-", "x-amzn-oidc-", "x-authentik-",
		"x-pomerium-", "tailscale-user-", "impersonate-",
	}
	names := " x-org-id forwarded x-real-ip x-request-id traceparent tracestate proxy x-original-url x-original-uri x-rewrite-url "
	for name, values := range before {
		folded := headers.Fold(name)
		owned := strings.Contains(names, " "+folded+" ") && folded != ""
		for _, b := range beginnings {
			owned = owned || strings.HasPrefix(folded, b)
		}
		owned = owned && !strings.EqualFold(name, "X-Auth-Token")
		left, there := after[name]
		if there == owned || o.Owns(name) != owned || there && len(left) != len(values) {
			t.Errorf("%q: owned %v, there %v", name, owned, there)
		}
	}
	if len(after) > len(before) {
		t.Errorf("Strip added a field")
	}
}
